"""What the doctor says, and what it may look at.

Owns: `Finding`, the order of graveness, and `Machine`: the roots of what is looked at, so that a test can give others.
Never: looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgebox.settings import Config

if TYPE_CHECKING:
    from edgebox.appliance.doctor.cables import Cable


class Grade(StrEnum):
    """How bad. `unknown`: it could not be looked at, which is no all-clear."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    FAILED = "failed"


GRAVENESS = (Grade.FAILED, Grade.WARNING, Grade.UNKNOWN, Grade.OK)


class Finding(NamedTuple):
    """One. `part`: what it is about; `what` is so, `why` it matters, `mend`: the command or the handgrip.

    `key`: what is so as a stable word, for whoever says it in another language; `value`: what changes in it.
    """

    grade: Grade
    part: str
    what: str
    why: str = ""
    mend: str = ""
    key: str = ""
    value: str = ""


def ok(part: str, what: str, key: str, value: str = "") -> Finding:
    """All is well with it."""
    return Finding(Grade.OK, part, what, key=key, value=value)


class Machine(NamedTuple):
    """Where the doctor looks. `now`: seconds since 1970; `run`: a command's output, None if it can't be run.

    `user`: who the services run as; "" the one who asks.
    """

    config: Config
    folder: Path  # of the configuration: relative paths in it start there
    root: Path = Path("/")
    now: Callable[[], float] = time.time
    run: Callable[[list[str]], str | None] = lambda command: None
    user: str = ""
    held: frozenset[str] = frozenset()  # URLs that somebody of ours is connected to: not tried a second time
    who: Callable[[str], dict[str, str] | None] = lambda line: None  # a line's printer and counters, asked by the line
    ask: Callable[[str], dict[str, str] | None] = lambda url: None  # a printer that nobody has, by a port of our own
    cable: Callable[[Path], Cable | None] = lambda path: None  # a serial port, as it is now

    def at(self, path: str) -> Path:
        """A path of the machine."""
        return self.root / path.lstrip("/")

    def configured(self, path: str) -> Path:
        """A path as the configuration has it."""
        return self.at(path) if path.startswith("/") else self.folder / path

    def text(self, path: str) -> str:
        """What stands in a small file of /proc or /sys; "" if it can't be read."""
        try:
            return self.at(path).read_text("utf-8", "replace").strip()
        except OSError:
            return ""


Check = Callable[[Machine], Iterable[Finding]]
