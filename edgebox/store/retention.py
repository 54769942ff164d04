"""What goes, and when: old rows that the cloud has, sightings when the room is short, and the space of both.

Owns: the gate that refuses what has no room, and the steps that make room. Never: removes a row that the cloud hasn't
got, except sightings, and rows past their time in a shop that has no cloud; in both cases the numbers go into `lost`.
Decides nothing about amounts and ages itself (budget.py).

Every step is one short transaction between two records: a receipt that comes meanwhile waits for one step at most. Age
is measured from the newest row whose time was trusted, to the newest trusted row of the part that goes: a clock that
jumps a year ahead, or starts in 1970, removes nothing. A shop that never knows the time keeps rows until the room is
needed.

The newest state of each part (health), jobs that are not finished and what was redeemed stay for ever: they are few,
and a coupon must not become good again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from edgebox.errors import StoreError, StoreFull
from edgebox.settings import StoreSettings
from edgebox.store import budget, receipt_papers
from edgebox.store.budget import Pressure, Usage
from edgebox.store.events import STREAM_OF, Event, HealthRecord, Stream
from edgebox.store.places import EPOCH_MAX, NUMBER_OF, STREAMS, pack, span, unpack
from edgebox.store.store import Store

log = logging.getLogger("edgebox.store")

PRUNE_ROWS = 128  # of one step; with their rows in the page's tables some 1,000 pages are touched: 10 ms on a card
THIN_ROWS = 512  # of one step: only the journal
VACUUM_PAGES = 64  # of one step: 256 KB
SPARE_PAGES = 1024  # 4 MB that stay free for what comes next
PERIOD_S = 60.0  # between rounds when there is nothing to do
STEP_S = 0.05  # between steps: others want the card, too
USAGE_S = 0.25  # the gate looks at the database this often,
USAGE_CALLS = 64  # or after so many events: 64 KB
PART = "store.room"
EXPIRED, THINNED = "expired", "thinned"
_SIGHTING = b'{"type":"sighting"'
_BY_PLACE = {  # tables that lose their rows with the journal's
    Stream.RECEIPTS: (("receipts", ""), ("receipt_papers", "")),
    Stream.CLAIMS: (("claims", ""),),
    Stream.REDEMPTIONS: (("redemptions", " AND state NOT IN ('redeemed', 'reversed')"),),  # used once means for ever
    Stream.SCANS: (("scans", ""),),
    Stream.AUDIT: (("audit", ""), ("corrections", "")),
    Stream.VISITS: (("visits", ""),),
    Stream.JOBS: (("jobs", " AND state NOT IN ('queued', 'running')"),),
}
_WORDS = {
    Pressure.NONE: "there is room",
    Pressure.PRESSED: "sightings are given up",
    Pressure.TIGHT: "visits, scans and health are not recorded",
    Pressure.RESERVE: "only receipts, claims and redemptions are recorded",
    Pressure.FULL: "nothing is recorded",
}


class Removed(NamedTuple):
    """What has gone since the start. Rows; `thinned`: sightings that the cloud never got."""

    pruned: int = 0
    thinned: int = 0
    pages: int = 0


class Gate:
    """Says no when there is no room. Asked on the writer's thread for each event."""

    def __init__(self, settings: StoreSettings, usage: Callable[[], Usage], clock: Callable[[], float]) -> None:
        self.refused: Counter[Stream] = Counter()
        self._settings = settings
        self._ask = usage
        self._clock = clock
        self._usage = usage()
        self._looked_at = clock()
        self._calls = 0

    def __call__(self, event: Event, size: int) -> StoreFull | None:
        """None: there is room. StoreFull `budget` otherwise; counted."""
        self._calls += 1
        if self._calls >= USAGE_CALLS or self._clock() - self._looked_at > USAGE_S:
            self.look()
        stream = STREAM_OF[type(event)]
        if not budget.refused(budget.importance_of(type(event), stream), self._settings, self._usage):
            return None
        self.refused[stream] += 1
        return StoreFull(f"no room for {stream}", reason="budget", hint="free some space, or raise [store] max_mb")

    def has_spare_room(self) -> bool:
        """For papers: what came right before this was asked about, so the figures are fresh."""
        return budget.has_spare_room(self._settings, self._usage)

    def look(self) -> Usage:
        """Looks now."""
        self._usage, self._looked_at, self._calls = self._ask(), self._clock(), 0
        return self._usage


class Retention:
    """Of one open store. `consumer`: there is a cloud, and rows wait for it."""

    def __init__(self, store: Store, *, consumer: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self.removed = Removed()
        self.pressure = Pressure.NONE
        self._store = store
        self._settings = store.settings
        self._consumer = consumer
        self._thinned_to = 0
        self.gate = Gate(store.settings, lambda: usage(store.connection, str(store.path.parent)), clock)
        store.guard(self.gate, self.gate.has_spare_room)

    async def run(self) -> None:
        """Until it is canceled. A store that can't be changed now is tried again at the next round; said once."""
        said = ""
        while True:
            try:
                more = await self.step()
                said = ""
            except StoreError as fault:
                more = False
                if said != fault.reason:
                    log.warning("store: nothing is removed now: %s", fault)
                said = fault.reason
            await asyncio.sleep(STEP_S if more else PERIOD_S)

    async def step(self) -> bool:
        """One step; whether another is wanted at once. StoreError."""
        now = await self._store.work(lambda _: self.gate.look())
        await self._tell(budget.pressure(self._settings, now), now)
        pruned = await self._store.change(self._prune)
        pruned = pruned or await self._store.change(self._thin_papers)
        thinned = 0 if pruned or not budget.to_free(self._settings, now) else await self._store.change(self._thin)
        pages = 0 if pruned or thinned else await self._store.work(_vacuum)
        self.removed = Removed(self.removed.pruned + pruned, self.removed.thinned + thinned, self.removed.pages + pages)
        return bool(pruned or thinned or pages or self._thinned_to)

    async def _tell(self, now: Pressure, usage: Usage) -> None:
        """A change is an event of its own; without room for that, the log must do."""
        before, self.pressure = self.pressure, now
        if now == before:
            return
        log.log(logging.WARNING if now > before else logging.INFO, "store: %s", _WORDS[now])
        state = "ok" if now is Pressure.NONE else "failed" if now >= Pressure.RESERVE else "warning"
        event = HealthRecord(
            at=int(time.time()), part=PART, state=state, words=_WORDS[now], value=usage.used / budget.MB
        )
        try:
            await self._store.record(event)
        except StoreFull:
            log.warning("store: no room even to record that")

    # -- on the writer's thread

    def _prune(self, connection: sqlite3.Connection) -> int:
        """The first old rows of the first stream that has some; how many."""
        newest_ms = _newest_trusted_ms(connection)
        for stream, ordinal in _parts(connection):
            before_ms = newest_ms - budget.keep_ms(stream, self._settings, self.pressure)
            through = _old(connection, stream, ordinal, before_ms, waits=self._consumer)
            if through:
                return _remove(connection, stream, ordinal, through)
        return 0

    def _thin_papers(self, connection: sqlite3.Connection) -> int:
        """The first papers past their time or their room; how many. While room is short they go before all else."""
        is_short = self.pressure is not Pressure.NONE
        before_ms = _newest_trusted_ms(connection) - self._settings.paper_days * budget.DAY_MS
        return receipt_papers.thin(connection, before_ms, 0 if is_short else self._settings.paper_mb * budget.MB)

    def _thin(self, connection: sqlite3.Connection) -> int:
        """The oldest sightings; how many. They leave one range in `lost` for each run of them."""
        last = span(Stream.VISITS, EPOCH_MAX)[1]
        start = max(self._thinned_to, span(Stream.VISITS, 0)[0])
        rows = connection.execute(
            "SELECT place, substr(body, 1, ?) FROM journal WHERE place > ? AND place <= ? ORDER BY place LIMIT ?",
            (len(_SIGHTING), start, last, THIN_ROWS),
        ).fetchall()
        self._thinned_to = rows[-1][0] if len(rows) == THIN_ROWS else 0
        count = 0
        for first, end in _runs([place for place, head in rows if head == _SIGHTING]):
            connection.execute("DELETE FROM journal WHERE place BETWEEN ? AND ?", (first, end))
            _give_up(connection, first, end, THINNED)
            count += end - first + 1
        return count


def usage(connection: sqlite3.Connection, folder: str) -> Usage:
    """What the database takes up now, and what the disk has left."""
    sizes = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    ]
    size, pages, free = sizes
    disk = os.statvfs(folder)
    return Usage((pages - free) * size, free * size, disk.f_bavail * disk.f_frsize)


def _parts(connection: sqlite3.Connection) -> Iterator[tuple[Stream, int]]:
    """Streams and epochs that have rows: what matters least first, of each stream the oldest epoch first."""
    for stream in reversed(STREAMS):
        place, last = span(stream, 0)[0], span(stream, EPOCH_MAX)[1]
        while True:
            asked = "SELECT min(place) FROM journal WHERE place > ? AND place <= ?"
            ((found,),) = connection.execute(asked, (place, last))
            if found is None:
                break
            ordinal = unpack(found)[1]
            yield stream, ordinal
            place = span(stream, ordinal)[1]


def _newest_trusted_ms(connection: sqlite3.Connection) -> int:
    newest = 0
    for stream, ordinal in _parts(connection):
        row = connection.execute(
            "SELECT at_ms, trusted FROM journal WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1",
            span(stream, ordinal),
        ).fetchone()
        newest = max(newest, row[0]) if row and row[1] else newest
    return newest


def _old(connection: sqlite3.Connection, stream: Stream, ordinal: int, before_ms: int, *, waits: bool) -> int:
    """The place through which the first rows are old and, if a cloud `waits` for them, acknowledged; 0: none."""
    low, high = span(stream, ordinal)
    if waits:
        asked = "SELECT acknowledged FROM heads WHERE stream = ? AND epoch = ?"
        row = connection.execute(asked, (NUMBER_OF[stream], ordinal)).fetchone()
        high = pack(stream, ordinal, row[0] if row else 0)
    rows = connection.execute(
        "SELECT place, at_ms, trusted FROM journal WHERE place > ? AND place <= ? ORDER BY place LIMIT ?",
        (low, high, PRUNE_ROWS),
    )
    through = 0
    for place, at_ms, trusted in rows:
        if trusted and at_ms >= before_ms:
            break
        through = place if trusted else through
    return through


def _remove(connection: sqlite3.Connection, stream: Stream, ordinal: int, through: int) -> int:
    """All rows of the stream and epoch up to `through`."""
    low, _high = span(stream, ordinal)
    connection.execute(
        "INSERT INTO heads (stream, epoch) VALUES (?, ?) ON CONFLICT DO NOTHING", (NUMBER_OF[stream], ordinal)
    )
    ((acknowledged,),) = connection.execute(
        "SELECT acknowledged FROM heads WHERE stream = ? AND epoch = ?", (NUMBER_OF[stream], ordinal)
    )
    count = connection.execute("DELETE FROM journal WHERE place > ? AND place <= ?", (low, through)).rowcount
    for table, unless in _BY_PLACE.get(stream, ()):
        connection.execute(f"DELETE FROM {table} WHERE place > ? AND place <= ?{unless}", (low, through))
    known = min(through, pack(stream, ordinal, acknowledged))
    connection.execute("DELETE FROM lost WHERE first > ? AND last <= ?", (low, known))
    connection.execute(
        "UPDATE heads SET removed = max(removed, ?) WHERE stream = ? AND epoch = ?",
        (unpack(known)[2], NUMBER_OF[stream], ordinal),
    )
    if through > known:
        _give_up(connection, known + 1, through, EXPIRED)
    return count


def _give_up(connection: sqlite3.Connection, first: int, last: int, why: str) -> None:
    """Notes the numbers; joined with what stands right before, and with what lies between."""
    ((before,),) = connection.execute(
        "SELECT coalesce(max(first), -1) FROM lost WHERE first <= ? AND last >= ? AND why = ?", (last, first - 1, why)
    ).fetchall()
    connection.execute("DELETE FROM lost WHERE first BETWEEN ? AND ?", (first, last))
    if 0 <= before < first:
        connection.execute("UPDATE lost SET last = max(last, ?) WHERE first = ?", (last, before))
    else:
        at_ms = connection.execute("SELECT max(begun_ms) FROM epochs").fetchone()[0]
        connection.execute("INSERT INTO lost VALUES (?, ?, ?, ?)", (first, last, why, at_ms))


def _runs(places: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring numbers as first and last."""
    start = before = -1
    for place in places:
        if place != before + 1 or start < 0:
            if start >= 0:
                yield start, before
            start = place
        before = place
    if start >= 0:
        yield start, before


def _vacuum(connection: sqlite3.Connection) -> int:
    """Gives some pages back to the disk, if there are more free ones than will be wanted soon; how many."""
    before = connection.execute("PRAGMA freelist_count").fetchone()[0]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    if before <= max(SPARE_PAGES, pages // 8):
        return 0
    connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
    return int(before - connection.execute("PRAGMA freelist_count").fetchone()[0])
