"""What an installation asks of a real box: systemd, the engine's pulse, the clock; and who this box is.

Owns: the calls. Never: decides. The new slot's own check runs as the engine's user in a unit of its own
(edgebox-check@.service): its code is signed, and still not yet to be trusted with root.
"""

from __future__ import annotations

import json
import os
import platform
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from edgebox.appliance.keeper.units import pulse, services
from edgebox.appliance.keeper.watch import BOOT_ID
from edgebox.appliance.update.installing import Checked, Machine
from edgebox.appliance.update.manifest import Here
from edgebox.errors import UpdateError

SAID = Path("/run/edgebox/check.json")
SAID_BYTES = 4096
CHECK_S = 300.0  # an emulated box takes two minutes; the unit has the same limit
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's names, and Debian's


def here() -> Here:
    """This box, as far as a release must fit it."""
    machine = platform.machine()
    numbers = sys.version_info
    return Here(version("edgebox"), MACHINES.get(machine, machine), f"{numbers.major}.{numbers.minor}")


def machine() -> Machine:
    """This box, with systemd."""
    return Machine(check, pulse, services, watch, time.monotonic, BOOT_ID.read_text("ascii").strip())


def check(slot: str) -> Checked:
    """The new slot's own check. UpdateError `check_failed`."""
    begun = time.monotonic()
    well = _systemctl("start", f"edgebox-check@{slot}.service")
    return heard(_said(), begun, well=well)


def heard(told: Mapping[str, object], begun: float, *, well: bool) -> Checked:
    """What the new code says of itself, which may be anything. UpdateError `check_failed`."""
    at, line_s = _seconds(told.get("at")), _seconds(told.get("line_s"))
    if at is None or at < begun:  # of an earlier one; the folder is not ours to tidy
        told, line_s = {}, None
    if not well:
        raise UpdateError(str(told.get("fault") or "it could not be checked")[:300], reason="check_failed")
    if line_s is None:
        raise UpdateError("its check said nothing", reason="check_failed")
    return Checked(line_s)


def _seconds(word: object) -> float | None:
    if isinstance(word, bool) or not isinstance(word, int | float) or not 0 <= word < 1 << 53:
        return None
    return float(word)


def watch() -> bool:
    """Starts the keeper beside the trial."""
    return _systemctl("start", "--no-block", "edgebox-trial.service")


def say(words: dict[str, object]) -> None:
    """The check's side: what it found. OSError."""
    half = SAID.with_name(f".{SAID.name}.new")
    half.write_text(json.dumps({**words, "at": time.monotonic()}), "utf-8")
    half.replace(SAID)


def _said() -> dict[str, object]:
    try:
        descriptor = os.open(SAID, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return {}
            found = json.loads(file.read(SAID_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _systemctl(*words: str) -> bool:
    try:
        return subprocess.run(["/usr/bin/systemctl", *words], check=False, timeout=CHECK_S).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
