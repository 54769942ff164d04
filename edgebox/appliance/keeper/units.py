"""What systemd says of the box's services, and what it is asked; and the engine's own word.

Owns: the questions and the reading of their answers. Never: decides (gate.py). Standard library only.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from .gate import ENGINE, Pulse, Unit
from .trial import SLOTS

PULSE = Path("/run/edgebox/pulse.json")
PULSE_BYTES = 4096
ASKED = (ENGINE, "edgebox-line@*.service", "edgebox-scan@*.service")
PROPERTIES = "Id,MainPID,ActiveState,NRestarts,ExecMainStartTimestampMonotonic"
ANSWER_S = 20.0  # systemctl's; systemd itself answers in milliseconds, or the machine is in trouble


def services() -> tuple[Unit, ...] | None:
    """Those that are there: running, starting, or waiting to be started again. None: systemd did not answer."""
    said = _systemctl("show", f"--property={PROPERTIES}", *ASKED)
    return read(said.stdout) if said is not None and said.returncode == 0 else None


def slot_of(pid: int) -> str:
    """The slot whose interpreter the process runs: its own first word [proc(5)]; "" for one that is still a shell."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = Path(file.read(PULSE_BYTES).split(b"\0")[0].decode("utf-8", "replace")).parts
    except OSError:
        return ""
    return words[-3] if len(words) > 4 and words[-4] == "slots" and words[-3] in SLOTS else ""


def read(text: str, slot: Callable[[int], str] = slot_of) -> tuple[Unit, ...]:
    """`systemctl show` of several units: blocks of key=value, an empty line between two."""
    found = []
    for block in text.split("\n\n"):
        told = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        state = told.get("ActiveState", "")
        if told.get("Id") and state in ("active", "activating", "reloading", "deactivating"):
            numbers = [told.get(key, "") for key in ("MainPID", "ExecMainStartTimestampMonotonic", "NRestarts")]
            pid, begun_us, falls = (int(number) if number.isdecimal() else 0 for number in numbers)
            is_ready = state in ("active", "reloading")
            found.append(Unit(told["Id"], pid, is_ready, begun_us, falls, slot(pid) if pid else ""))
    return tuple(found)


def begin_anew(unit: str) -> bool:
    """Between two documents, by itself (ExecReload of the unit)."""
    return _asked("reload", "--no-block", unit)


def restart(unit: str) -> bool:
    """Now."""
    return _asked("restart", "--no-block", unit)


def kill(unit: str) -> bool:
    """At once; systemd starts it again (Restart=always)."""
    return _asked("kill", "--signal=KILL", unit)


def _asked(*words: str) -> bool:
    said = _systemctl(*words)
    return said is not None and said.returncode == 0


def _systemctl(*words: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            ["/usr/bin/systemctl", "--no-pager", *words], capture_output=True, text=True, check=False, timeout=ANSWER_S
        )
    except (OSError, subprocess.SubprocessError):
        return None


def pulse(path: Path = PULSE) -> Pulse | None:
    """The engine's word. It is written by a user whom nobody trusts: read within bounds, no link followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            raw = json.loads(file.read(PULSE_BYTES))
        return Pulse(
            pid=int(raw["pid"]),
            version=str(raw["version"]),
            at=float(raw["at"]),
            recording=raw["recording"] is True,
            cloud=raw["cloud"] is True,
            lines=tuple(str(line) for line in raw["lines"]),
        )
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError, RecursionError):
        return None
