"""The consumer's books in a fault's trial: what was accepted, what came, what came twice, what is gone.

Each event carries a number of its own (receipts in `document`, others as said in `key_of`), which has nothing to do
with the store's numbers: so a row that comes again under another (epoch, stream, seq) is seen to be a duplicate, and a
hole between two numbers is seen as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from edgebox.store.events import (
    STREAM_OF,
    AuditRecord,
    ClaimRecord,
    ClaimState,
    Event,
    HealthRecord,
    ReceiptRecord,
    SightingRecord,
    Stream,
    VisitRecord,
)
from edgebox.store.places import JournalRow, sum_of
from edgebox.store.store import Store
from tests.faults import Row

AT = 1_795_000_000  # 2026-11-18
BATCH_ROWS = 512
BATCH_BYTES = 256 << 10


def receipt(number: int, *, at: int = AT) -> ReceiptRecord:
    """A receipt as a shop has them, with a number of ours."""
    return ReceiptRecord(
        at=at,
        session="00",
        document=number,
        line="line1",
        kind="sale",
        qualifies=True,
        amount_minor=3390,
        currency="CNY",
        confidence="high",
        number=f"{number:06d}",
        printed_date="2026-11-18",
        printed_time="18:42:07",
        claim=f"{number:016x}",
        url=f"HTTPS://P.EXAMPLE/{number:058d}",
        points=33,
    )


def claim(number: int, *, at: int = AT) -> ClaimRecord:
    """The claim of that receipt."""
    return ClaimRecord(
        at=at,
        claim=f"{number:016x}",
        url=f"HTTPS://P.EXAMPLE/{number:058d}",
        state=ClaimState.GRANTED,
        amount_minor=3390,
    )


def visit(number: int, *, at: int = AT) -> VisitRecord:
    """A visit."""
    return VisitRecord(at=at, tag=f"{number:x}", until=at + 60, zone="door")


def sighting(number: int, *, at: int = AT) -> SightingRecord:
    """A sighting."""
    return SightingRecord(at=at, tag=f"{number:x}", rssi_dbm=-60)


def health(number: int, *, at: int = AT) -> HealthRecord:
    """A part's state."""
    return HealthRecord(at=at, part=f"{number}", state="ok")


def audit(number: int, *, at: int = AT) -> AuditRecord:
    """Somebody changed something."""
    return AuditRecord(at=at, who=f"{number}", what="test")


def key_of(event: Event) -> str:
    """What an event of ours is known by; "" if the store itself wrote it (its alarms)."""
    match event:
        case ReceiptRecord():
            return f"receipt {event.document}"
        case ClaimRecord():
            return f"claim {int(event.claim, 16)}"
        case VisitRecord():
            return f"visit {int(event.tag, 16)}"
        case SightingRecord():
            return f"sighting {int(event.tag, 16)}"
        case HealthRecord() if event.part.isdigit():
            return f"health {event.part}"
        case AuditRecord() if event.who.isdigit():
            return f"audit {event.who}"
    return ""


class Ledger:
    """One trial's, or many trials', count."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.refused = 0
        self.unreported = 0
        self.numbers: dict[str, tuple[str, int]] = {}  # of accepted ones, where the trial knows them
        self.stored: set[str] = set()
        self.delivered: Counter[str] = Counter()  # by our number, after the dedupe by the store's
        self.given_up: set[tuple[str, str, int]] = set()  # (stream, epoch, seq) that the box itself calls lost
        self.holes: list[str] = []
        self._seen: dict[tuple[str, str, int], str] = {}
        self._through: dict[tuple[str, str], int] = {}

    def accept(self, *events: Event, seqs: Sequence[int] = ()) -> None:
        """record() has returned for them; `seqs`: the numbers that they got."""
        self.accepted.update(key for key in map(key_of, events) if key)
        for event, seq in zip(events, seqs, strict=False):
            self.numbers[key_of(event)] = (STREAM_OF[type(event)].value, seq)

    def take(self, row: JournalRow) -> None:
        """One row comes, perhaps again. In one stream and epoch each number follows the one before."""
        place = (row.stream.value, row.epoch)
        last = row.lost_to if row.lost else row.seq
        through = self._through.get(place, 0)
        if last <= through and not row.lost:
            self._again(row)
            return
        if row.seq > through + 1:
            self.holes.append(f"{place[0]} {place[1]}: {through + 1}…{row.seq - 1}")
        self._through[place] = max(through, last)
        if row.lost:
            self.given_up.update((*place, seq) for seq in range(row.seq, last + 1) if (*place, seq) not in self._seen)
            return
        self._note(row)

    def _note(self, row: JournalRow) -> None:
        name = key_of(msgspec.json.decode(row.body, type=Event))
        self._seen[row.stream.value, row.epoch, row.seq] = name
        if name:
            self.delivered[name] += 1

    def _again(self, row: JournalRow) -> None:
        """The same number must be the same row; a consumer would throw this one away."""
        name = key_of(msgspec.json.decode(row.body, type=Event))
        had = self._seen.get((row.stream.value, row.epoch, row.seq), "")
        if had != name:
            self.holes.append(f"{row.stream} {row.epoch} {row.seq}: {name} came as {had or 'given up'}")

    def resume(self, other: Ledger) -> None:
        """Goes on where another ledger's consumer stands."""
        self.delivered = other.delivered.copy()
        self._seen, self._through = dict(other._seen), dict(other._through)

    async def consume(self, store: Store, *, acknowledge: bool = True) -> None:
        """Takes all that waits, as the uplink would."""
        for stream in Stream:
            after = (await store.acknowledged()).get(stream)
            while rows := await store.rows(stream, after, limit_rows=BATCH_ROWS, limit_bytes=BATCH_BYTES):
                for row in rows:
                    self.take(row)
                for epoch in dict.fromkeys(row.epoch for row in rows):
                    last = max(max(row.seq, row.lost_to) for row in rows if row.epoch == epoch)
                    if acknowledge:
                        await store.acknowledge(stream, epoch, last)
                    after = (epoch, last)

    async def audit(self, store: Store) -> None:
        """What is in the database now; a row whose bits have turned is not."""
        asked = "SELECT place, boot, mono_ms, at_ms, trusted, crc, body FROM journal"
        rows = await store.read(lambda db: db.execute(asked).fetchall())
        bodies = [bytes(body) for *head, crc, body in rows if sum_of(*head, body) == crc]
        self.stored.update(key_of(msgspec.json.decode(body, type=Event)) for body in bodies if body)

    def row(self, fault: str, words: str = "") -> Row:
        """The end: what of the accepted came, and what did not."""
        have = self.accepted & (set(self.delivered) | self.stored)
        gone = self.accepted - have
        told = {(stream, seq) for stream, _epoch, seq in self.given_up}
        hidden = sum(key in self.numbers and self.numbers[key] not in told for key in gone)
        uncounted = sum(key not in self.numbers for key in gone)
        return Row(
            fault,
            accepted=len(self.accepted),
            stored=len(have),
            delivered=len(self.accepted & set(self.delivered)),
            duplicated=sum(count - 1 for count in self.delivered.values()),
            lost=hidden + max(0, uncounted - len(self.given_up)) + len(self.holes),
            given_up=len(self.given_up),
            refused=self.refused,
            unreported=self.unreported,
            words="; ".join(filter(None, [words, *self.holes[:3]])),
        )
