"""The writer's thread: many in one commit, faults that hit only who caused them, questions that hold up nobody."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from edgebox.errors import StoreError, StoreFull
from edgebox.store import writer
from edgebox.store.events import AuditRecord, Event, ReceiptRecord, ScanRecord, SightingRecord, Stream
from edgebox.store.peek import bodies, peek
from edgebox.store.store import Store
from edgebox.store.upkeep import Upkeep
from tests.store.filled import NOW, StillClock, claim, receipt
from tests.store.test_store import opened

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_records_that_wait_together_share_a_commit_and_keep_their_order(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            before = store._writer.commits
            places = await asyncio.gather(*(store.record(receipt(number), claim(number)) for number in range(500)))
            assert [found[0].seq for found in places] == list(range(1, 501))
            assert store._writer.commits - before <= 500 // 20

    asyncio.run(play())


def test_a_full_disk_refuses_all_keeps_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """Full in earnest: SQLite may not add a page."""

    async def play() -> None:
        async with opened(tmp_path) as store:
            await store.record(receipt(0), claim(0))
            pages = await store.work(lambda db: db.execute("PRAGMA max_page_count=1").fetchone()[0])
            assert pages > 1, "no smaller than what is there"
            accepted = await _until_full(store)
            refused = await asyncio.gather(*(store.record(receipt(n)) for n in range(900, 950)), return_exceptions=True)
            assert {one.reason for one in refused if isinstance(one, StoreFull)} == {"disk"}
            assert len(bodies(tmp_path, Stream.CLAIMS)) == accepted + 1, "a receipt and its claim, or neither"
            await store.work(lambda db: db.execute("PRAGMA max_page_count=1073741823").fetchone())
            places = await store.record(receipt(accepted + 1), claim(accepted + 1))
            kept = sum(not isinstance(one, BaseException) for one in refused)
            assert [place.seq for place in places] == [accepted + kept + 2, accepted + 2], "no number is missing"

    asyncio.run(play())


async def _until_full(store: Store) -> int:
    """Records one after the other; how many went in."""
    for number in range(1, 100):
        try:
            await store.record(receipt(number), claim(number))
        except StoreFull:
            return number - 1
    raise AssertionError("there was room for all")


def test_an_event_that_sqlite_refuses_costs_nobody_elses(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            good = [store.record(receipt(number)) for number in range(20)]
            bad = store.record(ReceiptRecord(session="00", document=1 << 70, at=NOW, line="l", kind="sale"))
            found = await asyncio.gather(*good[:10], bad, *good[10:], return_exceptions=True)
            assert [type(one) for one in found] == [tuple] * 10 + [StoreError] + [tuple] * 10
            assert isinstance(found[10], StoreError)
            assert found[10].reason == "refused"
            assert (await store.record(receipt(99)))[0].seq == 21, "the refused one has taken no number"

    asyncio.run(play())


def test_a_gate_refuses_one_kind_and_lets_the_rest_of_the_commit_through(tmp_path: Path) -> None:
    def gate(event: Event, size: int) -> StoreFull | None:
        assert size > 20
        return StoreFull("no room for scans", reason="budget") if isinstance(event, ScanRecord) else None

    async def play() -> None:
        async with opened(tmp_path) as store:
            store.guard(gate)
            mixed = (receipt(1), ScanRecord(at=NOW, scanner="s", kind="k"), receipt(2))
            found = await asyncio.gather(*map(store.record, mixed), return_exceptions=True)
            assert [type(one) for one in found] == [tuple, StoreFull, tuple]
            with pytest.raises(StoreFull):
                await store.record(receipt(3), ScanRecord(at=NOW, scanner="s", kind="k"))
            assert (await store.record(receipt(4)))[0].seq == 3, "all of a record or nothing"

    asyncio.run(play())


def test_a_question_that_takes_long_holds_up_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ASK_S", 0.6)

    async def play() -> None:
        async with opened(tmp_path) as store:
            asked = asyncio.create_task(store.read(lambda db: db.execute(ENDLESS).fetchone()))
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await store.record(receipt(1), claim(1))
            assert time.monotonic() - began < 0.3, "interrupted well before its own limit"
            with pytest.raises(StoreError) as fault:
                await asked
            assert fault.value.reason == "slow"
            assert await store.read(lambda db: db.execute("SELECT count(*) FROM receipts").fetchone()) == (1,)

    asyncio.run(play())


def test_an_interrupted_question_is_asked_again_behind_the_record(tmp_path: Path) -> None:
    asked = 0

    def question(db: sqlite3.Connection) -> int:
        nonlocal asked
        asked += 1
        count: int = db.execute("SELECT count(*) FROM receipts").fetchone()[0]
        if not count:
            db.execute(ENDLESS).fetchone()
        return count

    async def play() -> None:
        async with opened(tmp_path) as store:
            asking = asyncio.create_task(store.read(question))
            await asyncio.sleep(0.05)
            await store.record(receipt(1))
            assert await asking == 1
            assert asked == 2

    asyncio.run(play())


def test_a_question_can_change_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            with pytest.raises(StoreError, match="readonly"):
                await store.read(lambda db: db.execute("DELETE FROM epochs"))
            await store.record(receipt(1))

    asyncio.run(play())


def test_a_change_that_fails_leaves_nothing_and_its_error_comes_back(tmp_path: Path) -> None:
    def change(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM epochs")
        raise ZeroDivisionError("a bug")

    async def play() -> None:
        async with opened(tmp_path) as store:
            with pytest.raises(ZeroDivisionError):
                await store.change(change)
            assert len(await store.read(lambda db: db.execute("SELECT * FROM epochs").fetchall())) == 1
            await store.record(receipt(1))

    asyncio.run(play())


def test_a_fault_of_the_stores_own_is_told_to_who_waits_and_the_next_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(self: writer.Writer, batch: object) -> None:
        raise ZeroDivisionError("a bug")

    async def play() -> None:
        async with opened(tmp_path) as store:
            with monkeypatch.context() as broken:
                broken.setattr(writer.Writer, "_commit", bug)
                with pytest.raises(StoreError, match="a bug"):
                    await store.record(receipt(1))
            assert (await store.record(receipt(1)))[0].seq == 1

    asyncio.run(play())


def test_a_checkpoint_that_fails_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "IDLE_S", 0.01)
    tried = 0

    def fails(self: Upkeep, *_: object, **__: object) -> None:
        nonlocal tried
        tried += 1
        raise sqlite3.OperationalError("disk I/O error")

    async def play() -> None:
        async with opened(tmp_path) as store:
            with monkeypatch.context() as sick:
                sick.setattr(Upkeep, "tidy", fails)
                await store.record(receipt(1))
                await asyncio.sleep(0.05)
                assert tried
            assert (await store.record(receipt(2)))[0].seq == 2

    asyncio.run(play())


def test_a_producer_that_gives_up_harms_nobody(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            tasks = [asyncio.create_task(store.record(receipt(number))) for number in range(20)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert (await store.record(receipt(99)))[0].seq == 21, "what was on its way is recorded all the same"

    asyncio.run(play())


def test_too_many_that_wait_are_refused_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "QUEUE_MAX", 5)

    async def play() -> None:
        async with opened(tmp_path) as store:
            slow = asyncio.create_task(store.work(lambda db: time.sleep(0.1)))
            await asyncio.sleep(0.02)
            found = await asyncio.gather(*(store.record(receipt(n)) for n in range(9)), return_exceptions=True)
            await slow
            refused = [one for one in found if isinstance(one, StoreFull)]
            assert len(refused) == 4
            assert {one.reason for one in refused} == {"queue"}

    asyncio.run(play())


def test_the_log_is_copied_when_nobody_waits_and_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IDLE_S", 0.01)

    async def play() -> None:
        async with opened(tmp_path) as store:
            path = store.path.with_name("edgebox.db-wal")
            sizes = []
            for start in range(0, 4000, 1000):
                await asyncio.gather(*(store.record(receipt(n), claim(n)) for n in range(start, start + 1000)))
                await asyncio.sleep(0.1)
                sizes.append(path.stat().st_size)
            assert max(sizes) < 16 << 20

    asyncio.run(play())


def test_sightings_that_find_no_room_are_counted_and_told(tmp_path: Path) -> None:
    troubles: list[StoreError] = []

    async def play() -> None:
        async with opened(tmp_path) as store:
            store.on_trouble = troubles.append
            store.guard(lambda event, size: StoreFull("no room", reason="budget"))
            for number in range(150):
                store.record_soon(SightingRecord(at=number, tag="t", rssi_dbm=-60))
            await store.flush()
            assert store.dropped == 150
            assert [fault.reason for fault in troubles] == ["budget", "budget"]

    asyncio.run(play())


STEPS_OF = 200


def _steps(folder: Path) -> tuple[float, float]:
    """SQLite's instructions and the log's pages for each receipt."""
    store = Store.open(folder, clock=StillClock())

    async def play() -> tuple[float, float]:
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        await store.work(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        await store.work(lambda db: db.set_progress_handler(count, 1))
        for number in range(STEPS_OF):
            await store.record(receipt(number), claim(1_000_000 + number))
        await store.work(lambda db: db.set_progress_handler(None, 0))
        pages = store.path.with_name("edgebox.db-wal").stat().st_size / (4096 + 24)
        await store.close()
        return steps / STEPS_OF, pages / STEPS_OF

    return asyncio.run(play())


def test_a_receipt_costs_the_same_however_many_there_are(tmp_path: Path) -> None:
    """To a million: `make bench`, section store."""
    from tests.store.filled import fill

    fill(tmp_path / "few", 1_000)
    fill(tmp_path / "many", 40_000)
    (few_steps, few_pages), (many_steps, many_pages) = _steps(tmp_path / "few"), _steps(tmp_path / "many")
    assert 100 < few_steps < 2000
    assert many_steps <= few_steps * 1.02
    assert many_pages <= few_pages * 1.25


def test_a_reader_in_another_process_stops_no_record(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            await store.record(receipt(1))
            with closing(peek(tmp_path)) as other:
                other.execute("BEGIN")
                other.execute("SELECT * FROM receipts").fetchall()
                await store.record(receipt(2), claim(2))
                await store.record(AuditRecord(at=NOW, who="a", what="b"))
                assert len(other.execute("SELECT * FROM receipts").fetchall()) == 1, "it sees what was there"

    asyncio.run(play())
