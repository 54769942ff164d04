"""The one thread that meets the database: records first, many in one commit; then one question; again.

Owns: the thread, its queue, group commit, and what a failed commit means to those who wait. Never: two connections, and
never an answer before the COMMIT has returned.

Records that wait together are committed together. If SQLite refuses one of them, the transaction is rolled back and
each is tried by itself, so that nobody pays for another's; if there is no room or the card fails, all are refused, the
next attempt begins anew. (A refused one may turn up all the same if the power goes right then: its commit stood in the
log, unsynced. A receipt that is then recorded again is known by its document.) A question (`ask`) runs between commits.
While a record waits it may take GRACE_S; then it is interrupted and asked again behind the record. The log is copied
into the file (checkpoint) when nobody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, NamedTuple, TypeVar

from edgebox.errors import StoreError, StoreFull
from edgebox.store.answers import Done, Outcome, call, settle
from edgebox.store.clock import Clock, Trust
from edgebox.store.database import Database
from edgebox.store.entries import Sealed, enter_record
from edgebox.store.events import STREAM_OF, Event, Stream
from edgebox.store.faults import of_sqlite
from edgebox.store.journal import Journal, Stamp
from edgebox.store.places import Place
from edgebox.store.upkeep import Note, Upkeep

BATCH_MAX = 256  # requests of one commit: the first of them waits for the last
QUEUE_MAX = 4096  # requests that wait; the lines' spools hold 64 documents each, so records never get there
GRACE_S = 0.02  # a question may go on so long while a record waits
ASK_S = 2.0  # and so long in all: the page shows "too much" then
TRIES = 5  # a question that is interrupted so often is given up
IDLE_S = 0.5  # nobody wanted anything for so long: time for a checkpoint
KEEP_TIME_MS = 600_000  # the latest trusted time is written down so often; a kill makes it older by so much
STEPS = 1000  # SQLite looks at the clock after so many of its instructions: about 20 µs
MEND_REST_S = 300.0  # between attempts to mend: each writes as much as the database holds, to a card that is ill
PUT_FACT = "INSERT OR REPLACE INTO facts VALUES (?, ?)"
TRUSTED_FACT = "clock.highest_ms"
T = TypeVar("T")


class Kind(Enum):
    """What a question may do."""

    READ = "read"  # reads; interrupted for records, and asked again
    CHANGE = "change"  # writes, in a transaction of its own
    WORK = "work"  # begins and ends its own transactions, and takes its time: backup, vacuum


class _Record(NamedTuple):
    """Events that are recorded together or not at all."""

    events: tuple[Sealed, ...]
    done: Done


class _Ask(NamedTuple):
    """A question, or a change."""

    question: Callable[[sqlite3.Connection], Any]
    done: Done
    kind: Kind
    tries: int = 0


class Writer:
    """The thread. `gate`: says why an event of so many bytes may not be recorded now (budgets); asked on the thread,
    inside the transaction. `on_committed`: told the streams of each commit, on `loop`."""

    def __init__(self, database: Database, clock: Clock, trust: Trust) -> None:
        self.database = database
        self.journal = Journal(database.connection, database.epoch)
        self.gate: Callable[[Event, int], StoreFull | None] = lambda event, size: None
        self.has_spare_room: Callable[[], bool] = lambda: True  # for what the box can do without: papers
        self.loop: asyncio.AbstractEventLoop | None = None
        self.on_committed: Callable[[frozenset[Stream]], None] | None = None
        self.on_mended: Callable[[str], None] | None = None
        self.commits = 0
        self.refused: Counter[Stream] = Counter()  # events that were not recorded, each attempt
        self._clock = clock
        self._trust = trust
        self._stamp = Stamp(0, 0, 0, False)
        self._kept_ms = trust.highest_ms
        self._records: deque[_Record] = deque()
        self._asks: deque[_Ask] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._broken: StoreError | None = None  # the file is damaged and could not be set aside yet
        self._unmended: StoreError | None = None  # why not, when that was tried
        self._mend_at = 0.0  # by the monotonic clock: not before
        self._told = 0  # damaged rows that the listener knows of
        self._upkeep = Upkeep()
        self._is_tidy = True
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def start(self) -> None:
        """From here on the connection belongs to the thread."""
        self._thread.start()

    # -- from other threads

    def record(self, events: tuple[Sealed, ...], done: Done) -> None:
        """Queues a record; its places come in `done`. StoreFull `queue`, StoreError `closed`."""
        self._queue(self._records, _Record(events, done))

    def ask(self, question: Callable[[sqlite3.Connection], Any], done: Done, kind: Kind) -> None:
        """Queues a question; its answer comes in `done`. As `record`."""
        self._queue(self._asks, _Ask(question, done, kind))

    @property
    def is_broken(self) -> bool:
        """The file is damaged, and not mended yet."""
        return self._broken is not None

    def suspect(self, words: str) -> None:
        """A check has found damage: the database is mended before anything else."""
        self._broken = StoreError(words, reason="corrupt")

    def _queue(self, queue: deque[Any], item: _Record | _Ask) -> None:
        with self._wake:
            if self._closing:
                raise StoreError("the store is closed", reason="closed")
            if len(queue) >= QUEUE_MAX:
                raise StoreFull("too many wait for the disk", reason="queue")
            queue.append(item)
            self._wake.notify()

    def close(self) -> None:
        """Finishes what waits; then the connection is the caller's. Blocks."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    # -- the thread

    def _run(self) -> None:
        while True:
            with self._wake:
                if not (self._records or self._asks or self._closing):
                    self._wake.wait(None if self._is_tidy else IDLE_S)
                idle = not (self._records or self._asks)
                if idle and self._closing:
                    break
                batch = [self._records.popleft() for _ in range(min(len(self._records), BATCH_MAX))]
                ask = self._asks.popleft() if self._asks else None
            try:
                self._turn(batch, ask, idle)
            except Exception as fault:  # a bug must not leave everybody waiting for ever
                known = StoreError(f"a fault in the store: {fault!r}", reason="refused")
                waiting = [record.done for record in batch] + ([ask.done] if ask is not None else [])
                self._tell([Outcome(done, None, known) for done in waiting], frozenset())
        self._tidy(idle=True, last=True)

    def _turn(self, batch: list[_Record], ask: _Ask | None, idle: bool) -> None:
        if batch:
            self._commit(batch)
        if ask is not None:
            self._answer(ask)
        if (idle and not self._is_tidy) or self._upkeep.is_due(self.commits):
            self._tidy(idle)

    def _tidy(self, idle: bool, *, last: bool = False) -> None:
        """The log into the file, the day's bytes into the counters. Faults meet the next record, which says so."""
        self._is_tidy = idle
        if self._broken is not None:
            return
        try:
            self._upkeep.tidy(self.database.connection, self.commits, last=last, write=self._note)
        except sqlite3.Error as fault:
            self._understood(fault)
        except StoreError:
            return

    def _note(self, note: Note) -> None:
        """In a transaction, with the latest trusted time."""

        def write() -> None:
            note(self.database.connection, self._stamp.at_ms)
            self.keep_time()

        self._transaction(write)

    # -- records

    def _commit(self, batch: list[_Record]) -> None:
        """One transaction for all; if SQLite refuses that, one for each."""
        outcomes = self._attempt(batch)
        if outcomes is None:
            outcomes = [outcome for one in batch for outcome in self._attempt([one], last=True) or ()]
        kinds: set[type[Event]] = set()
        for record, outcome in zip(batch, outcomes, strict=True):
            if outcome.fault is None:
                kinds.update([type(sealed.event) for sealed in record.events])
            else:
                self.refused.update([STREAM_OF[type(sealed.event)] for sealed in record.events])
        self._tell(outcomes, frozenset([STREAM_OF[kind] for kind in kinds]))

    def _attempt(self, batch: list[_Record], *, last: bool = False) -> list[Outcome] | None:
        """What became of each; None: something in it was refused, and each is to be tried by itself."""
        try:
            results = self._transaction(lambda: [self._enter(record) for record in batch])
        except Exception as fault:
            known = fault if isinstance(fault, StoreError) else StoreError(f"not recorded: {fault!r}", reason="refused")
            if known.reason == "refused" and not last:
                return None
            return [Outcome(record.done, None, known) for record in batch]
        return [
            Outcome(record.done, None, result) if isinstance(result, StoreFull) else Outcome(record.done, result)
            for record, result in zip(batch, results, strict=True)
        ]

    def _transaction(self, work: Callable[[], T]) -> T:
        """Committed when it returns; if it raises, nothing of it is there."""
        if self._broken is not None:
            self._mend(self._broken)
        reading = self._clock.now()
        trusted = self._trust.judge(reading)
        self._stamp = Stamp(self.database.boot, reading.mono_ms, reading.at_ms, trusted)
        connection = self.database.connection
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            result = work()
            if self._trust.highest_ms - self._kept_ms >= KEEP_TIME_MS:
                self.keep_time()
            connection.execute("COMMIT")
        except BaseException as fault:
            self._roll_back()
            if isinstance(fault, sqlite3.Error):
                raise self._understood(fault) from fault
            raise
        self.database.committed(self.journal.keep())
        self.commits += 1
        self._is_tidy = False
        return result

    def keep_time(self) -> None:
        """Notes the latest trusted time, in the open transaction."""
        self._kept_ms = self._trust.highest_ms
        self.database.connection.execute(PUT_FACT, (TRUSTED_FACT, str(self._kept_ms).encode()))

    def _roll_back(self) -> None:
        """SQLite may have done so by itself. [sqlite.org/lang_transaction.html: response to errors]"""
        self.journal.undo()
        self._kept_ms = 0
        if self.database.connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # tried again before the next transaction
                self.database.connection.execute("ROLLBACK")

    def _understood(self, fault: sqlite3.Error) -> StoreError:
        known = of_sqlite(fault, self.database.path)
        if known.reason == "corrupt":
            self._broken = known
        return known

    def _mend(self, why: StoreError) -> None:
        """The damaged file is set aside, and what can be read of it goes on in a new epoch. StoreError."""
        if self._unmended is not None and time.monotonic() < self._mend_at:
            raise self._unmended
        try:
            self.database.mend(str(why))
        except StoreError as fault:
            self._unmended, self._mend_at = fault, time.monotonic() + MEND_REST_S
            raise
        self.journal = Journal(self.database.connection, self.database.epoch)
        self._broken = self._unmended = None
        self._told = 0
        self._alarm(self.database.news[-1])

    def _alarm(self, news: str) -> None:
        listener = self.on_mended
        if listener is not None and self.loop is not None:
            call(self.loop, partial(listener, news))

    def _tell_damage(self) -> None:
        """Rows that were found damaged since the last time, once there is somebody to tell."""
        if self.on_mended is None or self.loop is None:
            return
        for words in list(self.journal.damaged.values())[self._told :]:
            self._told += 1
            self._alarm(words)

    def _tell(self, outcomes: list[Outcome], streams: frozenset[Stream]) -> None:
        """Who waits, and who listens to commits."""
        listener = self.on_committed if streams else None
        settle(outcomes, self.loop, partial(listener, streams) if listener is not None else None)

    def _enter(self, record: _Record) -> tuple[Place, ...] | StoreFull:
        """Writes a record's rows; its places."""
        events = record.events
        for sealed in events:
            refusal = self.gate(sealed.event, len(sealed.body))
            if refusal is not None:
                return refusal
        if events[0].paper and not self.has_spare_room():
            events = (events[0]._replace(paper=b""), *events[1:])
        return enter_record(self.journal, self.database.connection, self._stamp, events)

    # -- questions

    def _answer(self, ask: _Ask) -> None:
        try:
            outcome = Outcome(ask.done, self._asked(ask))
        except Exception as fault:
            known = self._understood(fault) if isinstance(fault, sqlite3.Error) else fault
            if isinstance(known, StoreError) and known.reason == "slow" and ask.tries < TRIES and self._records:
                with self._wake:
                    self._asks.appendleft(ask._replace(tries=ask.tries + 1))
                return
            outcome = Outcome(ask.done, None, known)
        self._tell_damage()
        self._tell([outcome], frozenset())

    def _asked(self, ask: _Ask) -> object:
        if ask.kind is Kind.CHANGE:
            return self._transaction(lambda: ask.question(self.database.connection))
        if self._broken is not None:
            self._mend(self._broken)
        connection = self.database.connection
        if ask.kind is Kind.WORK:
            return ask.question(connection)
        begun = time.monotonic()
        connection.set_progress_handler(lambda: self._is_late(time.monotonic() - begun), STEPS)
        connection.execute("PRAGMA query_only=ON")
        try:
            return ask.question(connection)
        finally:
            connection.set_progress_handler(None, 0)
            connection.execute("PRAGMA query_only=OFF")

    def _is_late(self, since_s: float) -> bool:
        return since_s > ASK_S or (since_s > GRACE_S and bool(self._records))
