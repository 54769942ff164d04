"""The desk's way to a printer: which line prints, the slip's bytes for it, and what became of them.

Owns: the choice of the line and following a job to its end. Never: what a slip says, or whether it is printed again.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import NamedTuple, Protocol

from edgebox.decisions import Decisions
from edgebox.desk.words import Say
from edgebox.errors import ConfigError, SlipError
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import JobPhase, JobState
from edgebox.lines import LineSession
from edgebox.slips.template import Purpose


class Sheet(Enum):
    """What became of a slip."""

    OUT = "out"
    NOT = "not"  # not a dot of it
    MAYBE = "maybe"  # some of it, or all; nobody can say
    GONE = "gone"  # the line has gone: it may know more when it is back


class Where(NamedTuple):
    """A line that is connected. `session`: its process, in hex."""

    line: str
    session: str


class Printers(Protocol):
    """The engine, as far as it prints."""

    lines: dict[str, LineSession]
    decisions: Decisions

    def profile(self, name: str) -> PrinterProfile:
        """A printer's profile. ConfigError."""

    def print_job(
        self, line: str, body: bytes, *, cut: bool = True, expires_ms: int = 0, job: str = ""
    ) -> asyncio.Queue[JobState]:
        """Its states come in the queue. KeyError: no such line now. `job`: a name; one is printed once."""


class Paper:
    """`line`: the one that prints for the desk; "": the first that is there."""

    def __init__(self, printers: Printers, line: str = "") -> None:
        self._printers = printers
        self._line = line

    def where(self, wanted: str = "") -> Where | None:
        """The line that would print now. `wanted` goes before the desk's own, and is not replaced by another."""
        lines = self._printers.lines
        name = wanted or self._line or next(iter(sorted(lines)), "")
        session = lines.get(name)
        return Where(name, session.session) if session is not None else None

    def composed(self, purpose: Purpose, say: Say, line: str) -> bytes | None:
        """The slip's bytes; None: the shop wants none of this kind. SlipError: this printer can't print it."""
        session = self._printers.lines.get(line)
        if session is None or session.hello is None:
            raise SlipError(f"{line} is not connected", reason="no_line")
        try:
            profile = self._printers.profile(session.hello.profile)
        except ConfigError as fault:
            raise SlipError(str(fault), reason="printer") from fault
        # The till's stored symbol and code page are the line's to know (as edgebox/orders/paper.py).
        body = self._printers.decisions.desk_slip(purpose, say, Press(profile, False, -1, session.hello.bytes_per_s))
        return None if body is None else body.raw

    async def print(self, line: str, job: str, body: bytes, *, expires_ms: int = 0) -> Sheet:
        """Prints a slip between the till's documents; waits for paper as long as the line does."""
        try:
            states = self._printers.print_job(line, body, cut=True, expires_ms=expires_ms, job=job)
        except KeyError:
            return Sheet.GONE
        has_begun = False
        while True:
            state = await states.get()
            sheet = _sheet(state, has_begun=has_begun)
            if sheet is not None:
                return sheet
            has_begun = has_begun or state.phase == JobPhase.PRINTING


def _sheet(state: JobState, *, has_begun: bool) -> Sheet | None:
    """What a state means for the paper; None: it isn't the last one."""
    if state.phase in (JobPhase.SENT, JobPhase.PRINTED):
        return Sheet.OUT
    if state.phase in (JobPhase.EXPIRED, JobPhase.CANCELED):
        return Sheet.NOT
    if state.phase != JobPhase.FAILED:
        return None
    if state.reason == "the line has gone":
        return Sheet.GONE
    return Sheet.MAYBE if has_begun or state.reason == "already known" else Sheet.NOT
