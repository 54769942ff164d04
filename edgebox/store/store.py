"""The store: what everybody records in and reads from.

Owns: the asyncio side of edgebox/store/writer.py, sightings on their way to a group, and small durable facts. Never:
says "recorded" before the COMMIT has returned, and never keeps in memory what it could not write: who records keeps it
and tries again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from edgebox.errors import StoreError, StoreFull
from edgebox.settings import StoreSettings
from edgebox.store.checkup import Checkup
from edgebox.store.clock import Clock, SystemClock, Trust
from edgebox.store.database import Database
from edgebox.store.entries import Sealed
from edgebox.store.events import ClaimRecord, Event, JobRecord, ReceiptRecord, SightingRecord, Stream
from edgebox.store.journal import Journal
from edgebox.store.peek import peek
from edgebox.store.places import STREAMS, Backlog, Extent, JournalRow, Place
from edgebox.store.receipt_papers import PAPER_BYTES
from edgebox.store.writer import PUT_FACT, TRUSTED_FACT, Kind, Writer

EVENT_BYTES = 1 << 20  # of one event's JSON: no broker of a cloud takes more, and a page's worth of text is 10 KB
GROUP_MAX = 100  # sightings of one group: what a power cut may take [house plan §9]
PAST_AT_ONCE = 200  # events of the past in memory at once; 0.5 MB
SOON_MAX = 10_000  # sightings that wait for the disk; more are dropped and counted
FACT_BYTES = 1 << 20  # of one fact
T = TypeVar("T")


class Store:
    """The open store. Made by `open`; all else but `open`, `past_…` and `close_now` belongs on one event loop."""

    def __init__(self, database: Database, settings: StoreSettings, clock: Clock) -> None:
        self.settings = settings
        self.news = database.news
        self.path = database.path
        self.dropped = 0  # sightings for which there was no room
        self.unreadable = 0  # past events that this version can't read
        self.on_trouble: Callable[[StoreError], None] | None = None  # told when sightings can't be written
        self._database = database
        self._trust = Trust(_highest_ms(database.connection))
        self._encode = msgspec.json.Encoder().encode
        self._soon: list[Sealed] = []
        self._soon_waiting: set[asyncio.Future[tuple[Place, ...]]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._writer = Writer(database, clock, self._trust)
        self._writer.start()
        self._checkup = None
        if not database.is_checked:
            self._checkup = Checkup(self.path, lambda: peek(self.path.parent), self._writer.suspect)

    @classmethod
    def open(cls, folder: Path, settings: StoreSettings | None = None, *, clock: Clock | None = None) -> Store:
        """Opens or makes the database in `folder`; blocks. StoreError."""
        clock = clock or SystemClock()
        return cls(Database(folder, clock), settings or StoreSettings(), clock)

    # -- recording

    async def record(self, *events: Event, paper: bytes = b"") -> tuple[Place, ...]:
        """All of them in one transaction, committed when this returns; their places. StoreFull, StoreError.

        A receipt that was recorded before (same session and document) is not recorded again, nor is what comes with it:
        the places are those of then. Who is canceled while it waits is recorded all the same. StoreError `refused`:
        one of them is larger than EVENT_BYTES. `paper`: of the receipt that comes first (receipt_papers.py); not kept
        if it is too large, or room is short.
        """
        if not events:
            return ()
        sealed = tuple([Sealed(event, self._encode(event)) for event in events])
        if max([len(one.body) for one in sealed]) > EVENT_BYTES:
            raise StoreError(f"more than {EVENT_BYTES} bytes of {type(events[0]).__name__}", reason="refused")
        if paper and len(paper) <= PAPER_BYTES:
            sealed = (sealed[0]._replace(paper=paper), *sealed[1:])
        loop = asyncio.get_running_loop()
        done: asyncio.Future[tuple[Place, ...]] = loop.create_future()
        self._writer.loop = loop
        self._writer.record(sealed, done)
        return await done

    def record_soon(self, event: SightingRecord) -> None:
        """Written in groups, at the latest after `sightings_s`. When too many wait, dropped and counted."""
        if len(self._soon_waiting) * GROUP_MAX + len(self._soon) >= SOON_MAX:
            self.dropped += 1
            return
        self._soon.append(Sealed(event, self._encode(event)))
        if len(self._soon) >= GROUP_MAX:
            self._write_soon()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.settings.sightings_s, self._write_soon)

    async def flush(self) -> None:
        """What was given to `record_soon` is on disk, or dropped and counted."""
        self._write_soon()
        if self._soon_waiting:
            await asyncio.wait(self._soon_waiting)

    def _write_soon(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._soon:
            return
        group, self._soon = tuple(self._soon), []
        loop = asyncio.get_running_loop()
        done: asyncio.Future[tuple[Place, ...]] = loop.create_future()
        self._soon_waiting.add(done)
        done.add_done_callback(lambda done: self._soon_written(done, len(group)))
        self._writer.loop = loop
        try:
            self._writer.record(group, done)
        except StoreError as fault:
            done.set_exception(fault)

    def _soon_written(self, done: asyncio.Future[tuple[Place, ...]], rows: int) -> None:
        self._soon_waiting.discard(done)
        fault = None if done.cancelled() else done.exception()
        if fault is not None:
            self.dropped += rows
            if self.on_trouble is not None and isinstance(fault, StoreError):
                self.on_trouble(fault)

    def unrecorded(self) -> dict[str, int]:
        """What was refused since the start, by stream, each attempt counted; and sightings that were dropped."""
        found = {stream.value: count for stream, count in dict(self._writer.refused).items()}
        return {**found, "sightings": self.dropped} if self.dropped else found

    # -- room, for edgebox/store/retention.py

    def guard(self, gate: Callable[[Event, int], StoreFull | None], spare: Callable[[], bool] = lambda: True) -> None:
        """`gate` is asked on the writer's thread before each event of so many bytes: what it returns is raised.
        `spare`: whether there is room for papers, too."""
        self._writer.gate = gate
        self._writer.has_spare_room = spare

    @property
    def connection(self) -> sqlite3.Connection:
        """The writer's one connection: for its thread alone."""
        return self._database.connection

    # -- the journal, for the uplink

    @property
    def epoch(self) -> str:
        """This life of the database."""
        return self._writer.journal.epoch.name

    async def rows(
        self, stream: Stream, after: tuple[str, int] | None, *, limit_rows: int, limit_bytes: int
    ) -> list[JournalRow]:
        """Rows of a stream behind `after` (epoch, number), of one epoch and in order; None: from the oldest kept.

        At most so many, with bodies of so many bytes together; but one at least, if there is one. StoreError `epoch`.
        """
        return await self._ask(lambda _: self._writer.journal.rows(stream, after, limit_rows, limit_bytes))

    async def acknowledge(self, stream: Stream, epoch: str, through: int) -> int:
        """The cloud has rows 1 to `through`; how many are new to it. Never goes back. StoreError `ack`, `epoch`."""
        return await self._ask(lambda _: self._writer.journal.acknowledge(stream, epoch, through), Kind.CHANGE)

    async def acknowledged(self) -> dict[Stream, tuple[str, int]]:
        """For every stream the oldest epoch that the cloud hasn't got all of (else this one), and how far it has it."""
        return await self._ask(lambda _: self._writer.journal.high_water())

    async def extents(self) -> list[Extent]:
        """For every stream the epochs that the cloud hasn't got all of, and this one; oldest first."""
        return await self._ask(lambda _: list(_extents(self._writer.journal)))

    async def backlog(self) -> dict[Stream, Backlog]:
        """For every stream, what the cloud has not acknowledged."""
        return await self._ask(lambda _: self._writer.journal.backlog())

    @property
    def on_committed(self) -> Callable[[frozenset[Stream]], None] | None:
        """Told the streams of each commit, on the loop that records."""
        return self._writer.on_committed

    @on_committed.setter
    def on_committed(self, listener: Callable[[frozenset[Stream]], None] | None) -> None:
        self._writer.on_committed = listener

    def on_mended(self, listener: Callable[[str], None]) -> None:
        """`listener` is told, on the loop, when the database broke while it was open, and what came of it: it goes on
        in a new epoch; and of each row whose bits have turned. What happened before is in `news`."""
        self._writer.on_mended = listener

    # -- questions and changes

    async def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The question's answer. It runs between commits, and again from its start when a record has interrupted it, so
        it must not change anything outside. StoreError `slow`: it takes too long."""
        return await self._ask(question)

    async def change(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `change` in a transaction of its own. Records wait for it meanwhile."""
        return await self._ask(change, Kind.CHANGE)

    async def work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` between commits without a transaction and without a limit, for backup and vacuum. Records wait
        for it meanwhile, so it must be short."""
        return await self._ask(work, Kind.WORK)

    async def _ask(self, question: Callable[[sqlite3.Connection], T], kind: Kind = Kind.READ) -> T:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._writer.loop = loop
        self._writer.ask(question, done, kind)
        return await done

    def _ask_now(self, question: Callable[[sqlite3.Connection], T]) -> T:
        done: Future[T] = Future()
        self._writer.ask(question, done, Kind.WORK)
        return done.result()

    def past_receipts(self, limit: int) -> Iterator[ReceiptRecord]:
        """The newest receipts, oldest first. Blocks. A few at a time: all at once would be 60 MB of a busy shop."""
        return self._past(Stream.RECEIPTS, limit, ReceiptRecord)

    def past_claims(self, limit: int) -> Iterator[ClaimRecord]:
        """The newest events of claims, oldest first, likewise. Blocks."""
        return self._past(Stream.CLAIMS, limit, ClaimRecord)

    def _past(self, stream: Stream, limit: int, kind: type[T]) -> Iterator[T]:
        decode, journal = msgspec.json.Decoder(kind).decode, self._writer.journal
        before = self._ask_now(lambda _: journal.before_newest(stream, limit))
        while True:
            last, bodies = self._ask_now(partial(_past_behind, journal, stream, before))
            if last == before:
                return
            before = last
            for body in bodies:
                try:
                    yield decode(body)
                except msgspec.MsgspecError:
                    self.unreadable += 1

    async def job(self, job: str) -> JobRecord | None:
        """The newest step of a command."""
        found = await self._ask(
            lambda connection: connection.execute("SELECT body FROM jobs WHERE job = ?", (job,)).fetchone()
        )
        return msgspec.json.decode(found[0], type=JobRecord) if found else None

    async def jobs_open(self) -> list[JobRecord]:
        """The newest steps of all commands that are queued or running, in the order in which they came."""
        found = await self._ask(
            lambda connection: connection.execute(
                "SELECT body FROM jobs WHERE state IN ('queued', 'running') ORDER BY begun"
            ).fetchall()
        )
        return [msgspec.json.decode(body, type=JobRecord) for (body,) in found]

    async def put(self, key: str, value: bytes) -> None:
        """Keeps a fact. StoreError `size`: more than 1 MB."""
        if len(value) > FACT_BYTES:
            raise StoreError(f"{key}: {len(value)} bytes", reason="size")
        await self.change(lambda connection: connection.execute(PUT_FACT, (key, value)))

    async def get(self, key: str) -> bytes | None:
        """A fact, or None."""
        found = await self._ask(
            lambda connection: connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        )
        return found[0] if found else None

    async def believe_clock(self) -> None:
        """Somebody who knows says that the clock is right: it had been ahead and trusted, so that nothing before that
        time was trusted since."""

        def believe(_: sqlite3.Connection) -> None:
            self._trust.forget()
            self._writer.keep_time()

        await self._ask(believe, Kind.CHANGE)

    # -- the end

    async def close(self) -> None:
        """Writes what waits, then lets go. StoreError when the database can't be closed properly."""
        await self.flush()
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """As `close`, but blocks; sightings that wait for their group are lost."""
        if self._checkup is not None:
            self._checkup.stop()
        self._writer.close()
        is_checked = self._checkup is None or self._checkup.is_done
        self._database.close(is_sound=is_checked and not self._writer.is_broken)


def _extents(journal: Journal) -> Iterator[Extent]:
    for stream in STREAMS:
        for epoch in journal.epochs():
            through, end = journal.acknowledged(stream, epoch.ordinal), journal.end(stream, epoch.ordinal)
            if through < end or epoch.ordinal == journal.epoch.ordinal:
                yield Extent(stream, epoch.name, through, end)


def _past_behind(journal: Journal, stream: Stream, place: int, _: sqlite3.Connection) -> tuple[int, list[bytes]]:
    return journal.behind(stream, place, PAST_AT_ONCE)


def _highest_ms(connection: sqlite3.Connection) -> int:
    """The latest trusted time of earlier runs."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (TRUSTED_FACT,)).fetchone()
    return int(row[0]) if row else 0
