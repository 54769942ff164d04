"""One print job at a line: handed over, followed to its end, taken back where the printer is not ready.

Owns: what a line's words mean for the job. Never: chooses the job or keeps its state (print_jobs.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NamedTuple

from edgebox.line.frames import PROOF_ASKED, JobPhase, JobState

HAND_S = 8.0  # a job stays with a line so long before it begins; then it is taken back, and is certainly not on paper
TAKE_BACK_S = 5.0  # until the line says what became of it
GONE = "the line has gone"  # edgebox/lines.py
KNOWN = "already known"  # edgebox/line/jobs.py
FULL = "queue full"


class Fate(Enum):
    """What became of a job that a line had."""

    PRINTED = "printed"
    NOT = "not"  # refused: not a dot of it is on paper
    MAYBE = "maybe"  # some of it, or all; nobody can say
    GONE = "gone"  # the line has gone: it may know more when it is back
    BACK = "back"  # taken back, or not taken: it waits again
    EXPIRED = "expired"
    CANCELED = "canceled"


class Told(NamedTuple):
    """`words`: of a PRINTED one, `sent` or `printed`; else the line's."""

    fate: Fate
    words: str = ""


class Handing:
    """`states`: what the line says; `cancel` asks it to forget the job; `began`: told once, when it prints."""

    def __init__(
        self,
        states: asyncio.Queue[JobState],
        cancel: Callable[[], None],
        began: Callable[[], Awaitable[None]],
        *,
        has_begun: bool,
    ) -> None:
        self._states = states
        self._cancel = cancel
        self._began = began
        self._has_begun = has_begun
        self._is_sent = False
        self._is_unwanted = False  # somebody wants it canceled for good

    def unwanted(self) -> None:
        """Somebody cancels the job; it may be too late."""
        self._is_unwanted = True
        self._cancel()

    async def followed(self) -> Told:
        """Until there is nothing more to hear of it."""
        is_back = False
        while True:
            # One that has begun goes on for as long as the printer takes, also while somebody looks for a new roll.
            patience_s = None if self._has_begun else TAKE_BACK_S if is_back else HAND_S
            try:
                async with asyncio.timeout(patience_s):
                    state = await self._states.get()
            except TimeoutError:
                if is_back:
                    return Told(Fate.MAYBE, "the line says nothing")
                is_back = True
                self._cancel()
                continue
            told = await self._heard(state)
            if told is not None:
                return told

    async def _heard(self, state: JobState) -> Told | None:
        phase = state.phase
        if phase == JobPhase.PRINTING and not self._has_begun:
            self._has_begun = True
            await self._began()
        elif phase == JobPhase.SENT and state.reason == PROOF_ASKED:
            self._is_sent = True
        elif phase in (JobPhase.SENT, JobPhase.PRINTED):
            return Told(Fate.PRINTED, "printed" if phase == JobPhase.PRINTED else "sent")
        elif phase == JobPhase.EXPIRED:
            return Told(Fate.EXPIRED)
        elif phase == JobPhase.CANCELED:
            return Told(Fate.CANCELED if self._is_unwanted else Fate.BACK)
        elif phase == JobPhase.FAILED:
            return self._failed(state.reason)
        return None

    def _failed(self, reason: str) -> Told:
        if self._is_sent:
            return Told(Fate.PRINTED, "sent")
        if reason == GONE:
            return Told(Fate.GONE)
        if reason == FULL:
            return Told(Fate.BACK)
        return Told(Fate.MAYBE if self._has_begun or reason == KNOWN else Fate.NOT, reason)
