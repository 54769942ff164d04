"""The desk's shift: where it begins and ends, and what it comes to.

Owns: closing one: its sums, the next one's number, and a line in the audit. Never: the paper (desk.py prints it).

A shift is a row of slip numbers without a gap. It ends when somebody asks for the tally or the till prints its own
report. A closed one never changes, and its slips are owed no more: the tally stands for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from edgebox.desk.counter import Counter
from edgebox.desk.owed import OwedSlips
from edgebox.desk.tally import Tally, tally
from edgebox.errors import StoreError
from edgebox.store import redemptions
from edgebox.store.events import AuditRecord
from edgebox.store.redemptions import ClosedShift, Entry, Shift
from edgebox.store.store import Store


class Closed(NamedTuple):
    """A shift and its sums."""

    shift: ClosedShift
    tally: Tally


class Shifts:
    """`written`: a time as people write it; `fault`: part and words."""

    def __init__(
        self,
        store: Store,
        counter: Counter,
        owed: OwedSlips,
        written: Callable[[int], str],
        fault: Callable[[str, str], None],
    ) -> None:
        self._store = store
        self._counter = counter
        self._owed = owed
        self._written = written
        self._fault = fault

    async def entries(self) -> list[Entry]:
        """The open shift's rows so far. StoreError."""
        shift = self._counter.shift
        return await self._store.read(lambda db: redemptions.of_shift(db, shift))

    async def close(self, who: str, at: int, *, is_asked: bool) -> Closed | None:
        """Ends the shift; None: nobody asked, and there was nothing in it. StoreError: it goes on."""
        return await self._counter.to_its_end(self._closed(who, at, is_asked=is_asked))

    async def _closed(self, who: str, at: int, *, is_asked: bool) -> Closed | None:
        async with self._counter.between_numbers():
            shift = self._counter.shift
            found = tally(await self.entries())
            if not is_asked and not found.slips[1]:
                return None
            last = max(found.slips[1], shift.after)
            following = Shift(number=shift.number + 1, begun=at, after=last)
            closed = ClosedShift(shift.number, shift.begun, at, shift.after, last, who or "desk")
            await self._store.change(lambda db: redemptions.close_shift(db, closed, following))
            self._counter.shift = following
        self._owed.forgive(following.after)
        try:
            await self._store.record(self._audit(shift, found, who, at))
        except StoreError as fault:  # it is closed all the same, and its row says by whom
            self._fault("desk", f"the end of shift {shift.number} is not in the audit: {fault}")
        return Closed(closed, found)

    async def so_far(self) -> Closed:
        """The open one and its sums until now. StoreError."""
        shift, found = self._counter.shift, tally(await self.entries())
        last = max(found.slips[1], shift.after)
        return Closed(ClosedShift(shift.number, shift.begun, 0, shift.after, last, ""), found)

    async def closed(self, number: int = 0) -> Closed | None:
        """A shift that is over, with the sums it had; 0: the last one. None: there is no such shift. StoreError."""
        if number:
            found = await self._store.read(lambda db: redemptions.closed_shift(db, number))
        else:
            found = next(iter(await self._store.read(lambda db: redemptions.closed_shifts(db, 1))), None)
        if found is None:
            return None
        entries = await self._store.read(lambda db: redemptions.of_shift(db, found.shift))
        return Closed(found, tally(entries))

    def _audit(self, shift: Shift, found: Tally, who: str, at: int) -> AuditRecord:
        count, minor, points = found.total
        first, last = found.slips
        sums = f"slips {first}-{last}: {count} redeemed, {minor} minor units, {points} points"
        return AuditRecord(
            at=at, who=who or "desk", what="shift closed", target=str(shift.number), before=self._written(shift.begun),
            after=sums,
        )  # fmt: skip
