"""A closed shift's tally on paper: once, again where nobody can know, and once more when somebody asks.

Owns: printing it across a kill, a restart and an end of paper, and the mark on a second one. Never: the sums
(tally.py), or when a shift ends (shift.py).

A shift is closed on disk before its tally is printed, and the tally is owed from the same commit on. The rules are
those of slips (owed.py): the same line process prints a name once; with another one the tally may be out, so the next
says COPY. When a later shift's tally is out, nobody waits for an earlier one: it can be asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from edgebox.desk.paper import Paper, Sheet, Where
from edgebox.desk.shift import Closed, Shifts
from edgebox.desk.words import ROWS_MOST, Say
from edgebox.errors import SlipError, StoreError
from edgebox.slips.template import Purpose
from edgebox.store import redemptions
from edgebox.store.redemptions import ClosedShift
from edgebox.store.store import Store

TRIES = 4  # of one tally while one line is there; then it waits for the next time the line comes
UNSURE = "?"  # in place of a line's process: the next one says COPY, whoever prints it
OWED_MAX = 3  # tallies printed late: those of the last days; older ones can be asked for


class Tallies:
    """`say`: what a shift's tally says, as a copy or not, in so many rows a heading; `fault`: part and words."""

    def __init__(
        self,
        store: Store,
        shifts: Shifts,
        paper: Paper,
        say: Callable[[Closed, bool, int], Say],
        fault: Callable[[str, str], None],
    ) -> None:
        self._store = store
        self._shifts = shifts
        self._paper = paper
        self._say = say
        self._fault = fault
        self._copies = 0
        self._waits = 0  # for the one before to come out
        self._gate = asyncio.Lock()

    async def pay_all(self, line: str = "") -> None:
        """Prints what is owed, in order of shifts. `line`: where, unless it went to another one before."""
        if self._waits and not line:
            return  # who waits will see all that is owed then
        self._waits += 1
        try:
            await self._gate.acquire()
        finally:
            self._waits -= 1
        try:
            await self._pay_in_order(line)
        finally:
            self._gate.release()

    async def _pay_in_order(self, line: str) -> None:
        try:
            for closed in await self._store.read(lambda db: redemptions.tallies_owed(db, OWED_MAX)):
                if not await self._paid(closed, line):
                    return
        except StoreError as fault:  # it is owed still
            self._fault("desk", f"no tally: {fault}")
        except SlipError as fault:
            self._fault("desk", f"the tally can't be printed: {fault}")

    async def again(self, number: int = 0, line: str = "") -> bool:
        """A shift's tally once more, marked as a copy; 0: the last shift's. False: no such shift, or no line.
        StoreError, SlipError."""
        closed = await self._shifts.closed(number)
        where = self._paper.where(line)
        if closed is None or where is None:
            return False
        body = self._composed(closed, where, is_copy=True)
        self._copies += 1
        name = f"tally-{closed.shift.number}-{closed.shift.ended}-again{self._copies}-{id(self) & 0xFFFF:x}"
        return body is not None and await self._paper.print(where.line, name, body) is Sheet.OUT

    async def _paid(self, owed: ClosedShift, line: str) -> bool:
        """It is out, or nobody wants it; False: it is still owed."""
        where = self._paper.where(owed.line or line)
        found = await self._shifts.closed(owed.number)
        if where is None or found is None:
            return found is None
        is_copy = bool(owed.session) and owed.session != where.session
        if (owed.line, owed.session) != where:
            await self._handed(owed, where)
        for attempt in range(TRIES):
            body = self._composed(found, where, is_copy=is_copy)
            name = f"tally-{owed.number}-{owed.ended}{'c' if is_copy else ''}{f'.{attempt}' if attempt else ''}"
            sheet = await self._paper.print(where.line, name, body) if body is not None else Sheet.OUT
            if sheet is Sheet.OUT:
                await self._store.change(lambda db: redemptions.tally_out(db, owed.number))
                return True
            if sheet is not Sheet.MAYBE:
                return False
            is_copy = True  # torn by a lost printer, or out
            await self._handed(owed, where._replace(session=UNSURE))
        self._fault("desk", f"the tally of shift {owed.number} was not printed in {TRIES} tries")
        return False

    def _composed(self, closed: Closed, where: Where, *, is_copy: bool) -> bytes | None:
        """In as few rows as this paper needs. SlipError: this printer can't print it."""
        for most in ROWS_MOST[:-1]:
            with contextlib.suppress(SlipError):
                return self._paper.composed(Purpose.TALLY, self._say(closed, is_copy, most), where.line)
        return self._paper.composed(Purpose.TALLY, self._say(closed, is_copy, ROWS_MOST[-1]), where.line)

    async def _handed(self, owed: ClosedShift, where: Where) -> None:
        """On disk before a byte goes out."""
        await self._store.change(lambda db: redemptions.tally_handed(db, owed.number, where.line, where.session))
