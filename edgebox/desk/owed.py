"""Slips that the desk owes the cashier: each is printed once, and where nobody can know that, again with COPY on it.

Owns: printing them until they are out, across a kill, a restart and an end of paper. Never: what is on them, or the
redemption itself: that is on disk before a slip is owed, and stands whether or not there is ever any paper.

A job has a name that a restart does not change, and a line prints a name once. So with the same line process there,
the slip is simply sent again. With another one, the name means nothing to it and the slip may be out: it gets the mark.
What no paper can be found for is owed until its shift is closed, whose tally names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edgebox.desk.paper import Paper, Sheet, Where
from edgebox.desk.words import Say
from edgebox.errors import SlipError, StoreError
from edgebox.slips.template import Purpose
from edgebox.store import redemptions
from edgebox.store.redemptions import Entry, Owed
from edgebox.store.store import Store

TRIES = 4  # of one slip while one line is there; then it waits for the next time the line comes
AT_ONCE = 16  # jobs of ours in a line's queue, which holds 64
# A row, the number it takes back, and whether its slip may be out already; None: not worth paper.
Compose = Callable[[Entry, int, bool], tuple[Purpose, Say] | None]
Fault = Callable[[str, str], None]


class OwedSlips:
    """`say`: what the slip of a row says."""

    def __init__(self, store: Store, paper: Paper, say: Compose, fault: Fault) -> None:
        self._store = store
        self._paper = paper
        self._say = say
        self._fault = fault
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._again: set[int] = set()  # a line came while they were being tried
        self._gate = asyncio.Semaphore(AT_ONCE)

    def due(self, owed: Owed) -> None:
        """Prints it, in the background. If that is being tried, once more should it fail: something has changed."""
        if owed.number in self._tasks:
            self._again.add(owed.number)
            return
        task = asyncio.get_running_loop().create_task(self._pay(owed))
        self._tasks[owed.number] = task
        task.add_done_callback(lambda _: self._ended(owed.number, task))

    def _ended(self, number: int, task: asyncio.Task[None]) -> None:
        """One that was canceled before it began has tidied nothing up."""
        if self._tasks.get(number) is task:
            del self._tasks[number]

    async def pay_all(self) -> None:
        """Whatever is owed and not on its way: after a start, and when a line has come."""
        try:
            found = await self._store.read(redemptions.owed)
        except StoreError as fault:
            self._fault("desk", f"owed slips can't be read: {fault}")
            return
        for owed in found:
            self.due(owed)

    def forgive(self, through: int) -> None:
        """Slips up to this number are not tried any more: their shift is closed, and with it they are not owed."""
        for number in [number for number in self._tasks if number <= through]:
            self._tasks[number].cancel()

    async def stop(self) -> None:
        """Nothing more is printed; what is owed stays so."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- inside

    async def _pay(self, owed: Owed) -> None:
        number = owed.number
        try:
            async with self._gate:
                while not await self._printed(owed):
                    if number not in self._again:
                        return
                    self._again.discard(number)
                    waiting = await self._store.read(redemptions.owed)
                    owed = next((one for one in waiting if one.number == number), owed)
                await self._store.change(lambda db: redemptions.paid(db, number))
        except StoreError as fault:  # it is owed still, and printed again with the mark at worst
            self._fault("desk", f"slip {number}: {fault}")
        except SlipError as fault:
            self._fault("desk", f"slip {number} can't be printed: {fault}")
        finally:  # here and not in a callback: that comes a turn later, and a line may come in between
            self._again.discard(number)
            self._tasks.pop(number, None)

    async def _printed(self, owed: Owed) -> bool:
        """It is out, or nobody wants it; False: it is still owed."""
        where = self._paper.where(owed.line)
        entry = await self._store.read(lambda db: redemptions.numbered(db, owed.number))
        if entry is None:
            return True
        if where is None:
            return False
        undone = await self._store.read(lambda db: redemptions.undone(db, entry))
        is_copy = await self._handed(owed, where)
        for attempt in range(TRIES):
            say = self._say(entry, undone, is_copy)
            body = self._paper.composed(*say, where.line) if say is not None else None
            if body is None:
                return True
            name = f"desk-{owed.number}-{entry.request[:12]}.{attempt}{'c' if is_copy else ''}"
            sheet = await self._paper.print(where.line, name, body)
            if sheet in (Sheet.OUT, Sheet.GONE):
                return sheet is Sheet.OUT
            is_copy = is_copy or sheet is Sheet.MAYBE
        self._fault("desk", f"slip {owed.number} was not printed in {TRIES} tries")
        return False

    async def _handed(self, owed: Owed, where: Where) -> bool:
        """This line has it now; whether another one had it before. On disk before a byte goes out."""
        if owed.session == where.session and owed.line == where.line:
            return False
        await self._store.change(lambda db: redemptions.handed(db, owed.number, where.line, where.session))
        return bool(owed.session)
