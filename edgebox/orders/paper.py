"""Slips of receipts from afar: printed once more, and turned off for a line: `receipt.reprint`, `line.bypass`.

Owns: a claim's slip as a job of the line, and its steps back. Never: other papers of the fleet (edgebox/print_jobs). It
is printed between the till's documents, once, and not after its command has expired.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from edgebox.awards import Awards
from edgebox.bypass import remember, turn_slips
from edgebox.decisions import Decisions
from edgebox.errors import OrderError
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import JobPhase as LinePhase
from edgebox.line.frames import JobState
from edgebox.lines import LineSession
from edgebox.reprint import prepared, recorded
from edgebox.settings import Config
from sync.contract import JobPhase
from sync.contract_commands import BypassArgs, CountResult, ReprintArgs
from sync.contract_print import PaperResult
from sync.jobs import Doing, Ledger
from sync.steps import Ended

WAIT_MAX_S = 3000  # for a quiet till and paper; within what a command of this lane may take (sync/jobs.py)
GRACE_S = 30.0  # for a job that began just before its command expired
_OVER = {
    LinePhase.SENT: JobPhase.SUCCEEDED,
    LinePhase.PRINTED: JobPhase.SUCCEEDED,
    LinePhase.FAILED: JobPhase.FAILED,
    LinePhase.EXPIRED: JobPhase.EXPIRED,
    LinePhase.CANCELED: JobPhase.CANCELED,
}


class Printers(Protocol):
    """The engine, as far as it prints."""

    config: Config
    awards: Awards
    decisions: Decisions
    lines: dict[str, LineSession]
    bypassed: frozenset[str]

    def profile(self, name: str) -> PrinterProfile:
        """A printer's profile. ConfigError."""

    def print_job(self, line: str, body: bytes, *, cut: bool = True, expires_ms: int = 0) -> asyncio.Queue[JobState]:
        """Its states come in the queue. KeyError: no such line now."""


class PaperDesk(NamedTuple):
    """`now`: seconds since 1970."""

    engine: Printers
    ledger: Ledger
    now: Callable[[], int]

    async def open(self) -> None:
        """Lines whose slips were off stay so. StoreError."""
        await remember(self.engine, self.ledger)

    async def reprint(self, doing: Doing) -> Ended:
        """`receipt.reprint`: the token that was given out, on a paper of its own."""
        args = doing.order.args
        assert isinstance(args, ReprintArgs), "the table of commands says so"
        again = prepared(self.engine, args.claim, args.line)
        ended = await self._printed(doing, again.line, again.body, cut=True)
        if ended.phase is JobPhase.SUCCEEDED:
            await self.ledger.record(recorded(self.engine, again, self.now()))
        return ended

    async def bypass(self, doing: Doing) -> Ended:
        """`line.bypass`: on disk first, then in force."""
        args = doing.order.args
        assert isinstance(args, BypassArgs), "the table of commands says so"
        changed = await turn_slips(self.engine, self.ledger, args.line, doing.by, self.now(), on=args.slips)
        count = len(self.engine.bypassed)
        return Ended(JobPhase.SUCCEEDED, result=CountResult(count=count, changed=int(changed)))

    # -- inside

    async def _printed(self, doing: Doing, line: str, body: bytes, *, cut: bool) -> Ended:
        """The line's steps until the last; it may take as long as the command is good."""
        left_s = min(doing.order.command.expires - self.now(), WAIT_MAX_S)
        try:
            states = self.engine.print_job(line, body, cut=cut, expires_ms=max(1, left_s * 1000))
        except KeyError:
            raise OrderError(f"{line} is not connected", reason="no_such_line") from None
        try:
            async with asyncio.timeout(max(0, left_s) + GRACE_S):
                return await self._followed(doing, line, states)
        except TimeoutError:
            return Ended(JobPhase.FAILED, "no_word", "the line never said what became of it")

    async def _followed(self, doing: Doing, line: str, states: asyncio.Queue[JobState]) -> Ended:
        while True:
            state = await states.get()
            phase = LinePhase(state.phase)
            if phase in _OVER:
                reason = "" if _OVER[phase] is JobPhase.SUCCEEDED else phase.name.lower()
                result = PaperResult(line=line, phase=phase.name.lower())
                return Ended(_OVER[phase], reason, state.reason, result)
            await doing.tell(0.5 if phase is LinePhase.PRINTING else 0.1, phase.name.lower())
