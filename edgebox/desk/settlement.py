"""What the cloud says afterwards: to redemptions without it, to reversals, and to questions nobody waits for any more.

Owns: writing a verdict down once, what a manager is shown of it, and when a question is withdrawn. Never: decides whose
use stands (the cloud does: it hears all boxes), and never takes back what a customer has had: a conflict is a note for
a person, the slip stays a slip and the shift's sums stay what they were.

Everything here may come twice, late, out of order or not at all. A verdict is known by request, code and slip number;
one that says the same again changes nothing, and a later one that says otherwise takes the place of the earlier: a box
that was away for days may have had the coupon first.

A withdrawn question is the box's side of a late yes. The cashier was told "again", nobody came back, and the cloud may
have used the coupon up. The record says so, the cloud reads it and gives the coupon back. A customer who comes back
before that is asked about anew, with the withdrawn id beside the new one, so the cloud settles both at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from edgebox.desk.counter import Counter
from edgebox.errors import StoreError
from edgebox.store import redemptions
from edgebox.store.events import AuditRecord, RedemptionRecord, RedemptionState
from edgebox.store.redemptions import Conflict, Entry
from edgebox.store.store import Store

SHOWN_MAX = 200  # conflicts that a page shows at once; a shop that has more has another trouble
DAY_S = 86_400
CONFLICTS, UNSETTLED = "desk.conflicts", "desk.unsettled"  # parts, in the box's health
REFUSED = "refused"  # why there is a conflict, if the cloud doesn't say


class Said(Protocol):
    """As sync.contract_commands.Verdict. `number`: of the slip; `other`, `other_at`: the use that stands instead."""

    @property
    def request(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def agrees(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def other(self) -> str: ...
    @property
    def other_at(self) -> int: ...


class Settled(NamedTuple):
    """What became of verdicts: `new` ones were written down, `known` ones had been; `unknown`: numbers of slips that
    this box does not have."""

    new: int = 0
    known: int = 0
    unknown: tuple[int, ...] = ()


class Patience(NamedTuple):
    """`withdraw_s`: after the last scan; `alarm_s`: without the cloud's word."""

    withdraw_s: int
    alarm_s: int


Note = Callable[[str, str, str], None]  # part, state, words


class Settlement:
    """`now`: seconds since 1970; `note`: into the box's health."""

    def __init__(self, store: Store, counter: Counter, patience: Patience, now: Callable[[], int], note: Note) -> None:
        self._store = store
        self._counter = counter
        self._patience = patience
        self._now = now
        self._note = note
        self._noted: dict[str, str] = {}

    # -- what the cloud says

    async def settle(self, verdicts: Sequence[Said]) -> Settled:
        """Each is on disk when this returns; if not all could be written, the rest comes again. StoreError."""
        new = known = 0
        unknown: list[int] = []
        for verdict in verdicts:
            entry = await self._store.read(
                lambda db, one=verdict: redemptions.concerned(db, one.request, one.code, one.number)  # type: ignore[misc]
            )
            if entry is None:
                unknown.append(verdict.number)
            elif await self._is_known(entry, verdict):
                known += 1
            else:
                await self._store.record(self._record(entry, verdict))
                new += 1
        if new:
            await self._say_conflicts()
        return Settled(new, known, tuple(unknown))

    async def _is_known(self, entry: Entry, verdict: Said) -> bool:
        is_settled, conflict = await self._store.read(lambda db: redemptions.settled(db, entry))
        if conflict is None:
            return is_settled and verdict.agrees
        said = (conflict.reason, conflict.other, conflict.other_at)
        return not verdict.agrees and said == (verdict.reason or REFUSED, verdict.other, verdict.other_at)

    def _record(self, entry: Entry, verdict: Said) -> RedemptionRecord:
        record = RedemptionRecord(
            at=self._now(), request=entry.request, code=entry.code, state=RedemptionState.CONFIRMED,
            source=entry.source, channel=entry.channel, coupon=entry.coupon, stock=entry.stock,
            value_minor=entry.value_minor, points=entry.points, cashier=entry.cashier, line=entry.line, ref=entry.ref,
            settles=entry.number,
        )  # fmt: skip
        if verdict.agrees:
            return record
        return msgspec.structs.replace(
            record, state=RedemptionState.CONFLICT, reason=verdict.reason or REFUSED, other=verdict.other,
            other_at=verdict.other_at,
        )  # fmt: skip

    # -- what a manager sees and does

    async def conflicts(self, *, unseen: bool = False) -> list[Conflict]:
        """What the cloud does not agree with, the newest first. StoreError."""
        return await self._store.read(lambda db: redemptions.conflicts(db, SHOWN_MAX, unseen=unseen))

    async def unsettled(self) -> list[Entry]:
        """Slips that still wait for the cloud's word, the oldest first. StoreError."""
        return await self._store.read(lambda db: redemptions.unsettled(db, SHOWN_MAX))

    async def seen(self, number: int, who: str) -> bool:
        """A person has looked at the conflict of that slip; the audit says who. StoreError."""
        at = self._now()
        if not await self._store.change(lambda db: redemptions.see(db, number, who, at)):
            return False
        await self._store.record(AuditRecord(at=at, who=who, what="conflict seen", target=str(number)))
        await self._say_conflicts()
        return True

    # -- from time to time

    async def look(self) -> None:
        """Withdraws what nobody came back for, and says what waits too long. StoreError."""
        now = self._now()
        since = now - self._patience.withdraw_s
        for question in await self._store.read(lambda db: redemptions.left_open(db, since, now)):
            await self._counter.withdraw(question, since)
        await self._say_conflicts()
        count, oldest = await self._store.read(redemptions.waiting_since)
        late = count if oldest and now - oldest > self._patience.alarm_s else 0
        days = (now - oldest) // DAY_S
        self._say(UNSETTLED, f"{late} redemptions, the first {days} days ago, without the cloud's word" if late else "")

    async def _say_conflicts(self) -> None:
        count = await self._store.read(redemptions.unseen_conflicts)
        self._say(CONFLICTS, f"{count} redemptions that the cloud does not agree with" if count else "")

    def _say(self, part: str, words: str) -> None:
        """A part that never had anything is not mentioned."""
        if words != self._noted.get(part, ""):
            self._note(part, "warning" if words else "ok", words)
            self._noted[part] = words


async def look_at(settlement: Settlement, fault: Callable[[str, str], None]) -> None:
    """As `look`; a disk that can't be read is said, and the next time is in ten seconds."""
    try:
        await settlement.look()
    except StoreError as why:
        fault("desk", f"the cloud's verdicts were not looked at: {why}")
