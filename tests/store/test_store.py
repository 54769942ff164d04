"""The store as everybody uses it: record, read on, acknowledge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest

from edgebox.errors import StoreError
from edgebox.settings import StoreSettings
from edgebox.store import store as store_module
from edgebox.store.events import (
    STREAM_OF,
    AuditRecord,
    ClaimState,
    Event,
    HealthRecord,
    JobRecord,
    RedemptionRecord,
    RedemptionState,
    ScanRecord,
    SightingRecord,
    Stream,
    VisitRecord,
)
from edgebox.store.peek import bodies, peek
from edgebox.store.places import Backlog, Place, sum_of
from edgebox.store.store import Store
from tests.store.filled import NOW, NOW_MS, StillClock, claim, claim_id, receipt

ONE_OF_EACH: tuple[Event, ...] = (
    receipt(1),
    claim(1),
    RedemptionRecord(at=NOW, request="r1", code="c0de", state=RedemptionState.REDEEMED, value_minor=500),
    ScanRecord(at=NOW, scanner="scanner1", kind="coupon", code="c0de"),
    VisitRecord(at=NOW, tag="t1", until=NOW + 60),
    HealthRecord(at=NOW, part="printer", state="failed", words="no paper"),
    AuditRecord(at=NOW, who="owner", what="config.set", target="shop.name"),
    JobRecord(at=NOW, job="j1", command="ping", state="queued"),
)


@asynccontextmanager
async def opened(folder: Path, clock: StillClock | None = None, **settings: float) -> AsyncIterator[Store]:
    store = Store.open(folder, StoreSettings(**settings), clock=clock or StillClock())  # type: ignore[arg-type]
    try:
        yield store
    finally:
        await store.close()


def sighting(number: int) -> SightingRecord:
    return SightingRecord(at=NOW + number, tag="t1", rssi_dbm=-60)


async def everything(store: Store, stream: Stream, **limits: int) -> list[tuple[str, int]]:
    """Reads the stream to its end, in pieces."""
    found: list[tuple[str, int]] = []
    while rows := await store.rows(
        stream, found[-1] if found else None, **{"limit_rows": 7, "limit_bytes": 1 << 20, **limits}
    ):
        found += [(row.epoch, row.seq) for row in rows]
    return found


def test_every_kind_of_event_has_a_row_in_the_journal_and_one_for_the_page(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            places = await store.record(*ONE_OF_EACH)
            assert [place.stream for place in places] == [STREAM_OF[type(event)] for event in ONE_OF_EACH]
            assert {place.seq for place in places} == {1}
            for event, place in zip(ONE_OF_EACH, places, strict=True):
                (row,) = await store.rows(place.stream, None, limit_rows=9, limit_bytes=9999)
                assert msgspec.json.decode(row.body, type=type(event)) == event
                assert (row.boot, row.mono_ms, row.at_ms, row.trusted) == ("boot-1", 5_000, NOW_MS, True)
                table = {"health": "health", "jobs": "jobs"}.get(place.stream, place.stream)
                assert await store.read(
                    lambda db, table=table: db.execute(f"SELECT count(*) FROM {table}").fetchone()
                ) == (1,)  # type: ignore[misc]

    asyncio.run(play())


def test_accepted_means_committed(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            for number in range(20):
                await store.record(receipt(number), claim(number))
                with closing(peek(tmp_path)) as other:
                    assert other.execute("SELECT count(*) FROM receipts").fetchone() == (number + 1,)

    asyncio.run(play())


def test_numbers_count_up_by_one_in_each_stream_over_restarts(tmp_path: Path) -> None:
    async def play() -> None:
        for start in (0, 5, 10):
            async with opened(tmp_path) as store:
                for number in range(start, start + 5):
                    places = await store.record(receipt(number), claim(number))
                    assert [place.seq for place in places] == [number + 1, number + 1]
        async with opened(tmp_path) as store:
            assert await everything(store, Stream.RECEIPTS) == [(store.epoch, seq) for seq in range(1, 16)]

    asyncio.run(play())


def test_a_document_that_comes_again_is_recorded_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            await store.record(receipt(7), claim(7))
            first = await store.record(receipt(8), claim(8))
            both = await asyncio.gather(*(store.record(receipt(8), claim(8)) for _ in range(3)))
            assert set(both) == {first}
        async with opened(tmp_path) as store:
            assert await store.record(receipt(8), claim(8)) == first
            assert len(bodies(tmp_path, Stream.RECEIPTS)) == len(bodies(tmp_path, Stream.CLAIMS)) == 2
            assert (await store.record(receipt(8, session="another")))[0].seq == 3

    asyncio.run(play())


def test_a_claims_row_is_its_newest_state_of_its_highest_revision(tmp_path: Path) -> None:
    def revised(revision: int, state: ClaimState) -> Event:
        return msgspec.structs.replace(claim(1, state), revision=revision)

    async def play() -> None:
        async with opened(tmp_path) as store:
            for events, expected in (
                ([revised(0, ClaimState.GRANTED)], (0, "granted")),
                ([revised(1, ClaimState.GRANTED)], (1, "granted")),
                ([revised(0, ClaimState.VOID)], (1, "granted")),
                ([revised(1, ClaimState.ON_PAPER)], (1, "on_paper")),
                ([revised(1, ClaimState.GRANTED)], (1, "on_paper")),
                ([revised(2, ClaimState.VOID)], (2, "void")),
            ):
                await store.record(*events)
                row = await store.read(
                    lambda db: db.execute(
                        "SELECT revision, state FROM claims WHERE claim = ?", (claim_id(1),)
                    ).fetchone()
                )
                assert row == expected
            assert [event.state for event in store.past_claims(3)] == ["on_paper", "granted", "void"]

    asyncio.run(play())


def test_rows_come_in_order_and_within_their_limits(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            await asyncio.gather(*(store.record(receipt(number)) for number in range(30)))
            size = len((await store.rows(Stream.RECEIPTS, None, limit_rows=1, limit_bytes=1))[0].body)
            assert len(await store.rows(Stream.RECEIPTS, None, limit_rows=99, limit_bytes=size * 3)) == 3
            assert len(await store.rows(Stream.RECEIPTS, None, limit_rows=99, limit_bytes=0)) == 1, "one, however large"
            for limit in (1, 7, 30, 99):
                found = await everything(store, Stream.RECEIPTS, limit_rows=limit)
                assert found == [(store.epoch, seq) for seq in range(1, 31)]
            assert await store.rows(Stream.SCANS, None, limit_rows=9, limit_bytes=999) == []
            with pytest.raises(StoreError, match="no epoch"):
                await store.rows(Stream.RECEIPTS, ("0099-dead", 1), limit_rows=9, limit_bytes=999)

    asyncio.run(play())


def test_what_was_given_up_is_told_in_its_place(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            for number in range(1, 11):
                await store.record(ScanRecord(at=number, scanner="s", kind="k"))
            await store.change(lambda db: _give_up(db, store.epoch, Stream.SCANS, 3, 5))
            rows = await store.rows(Stream.SCANS, None, limit_rows=99, limit_bytes=9999)
            assert [(row.seq, row.lost_to, row.lost) for row in rows[:4]] == [
                (1, 0, ""), (2, 0, ""), (3, 5, "thinned"), (6, 0, ""),
            ]  # fmt: skip
            behind = await store.rows(Stream.SCANS, (store.epoch, 4), limit_rows=2, limit_bytes=9999)
            assert [(row.seq, row.lost_to) for row in behind] == [(5, 5), (6, 0)]
            await store.change(lambda db: _give_up(db, store.epoch, Stream.SCANS, 6, 10))
            assert (await store.record(ScanRecord(at=1, scanner="s", kind="k")))[0].seq == 11
        async with opened(tmp_path) as store:
            assert (await store.record(ScanRecord(at=1, scanner="s", kind="k")))[0].seq == 12, "no number twice"

    asyncio.run(play())


def _give_up(db: object, epoch: str, stream: Stream, first: int, last: int) -> None:
    import sqlite3

    from edgebox.store.places import pack

    assert isinstance(db, sqlite3.Connection)
    ordinal = int(epoch[:4])
    places = pack(stream, ordinal, first), pack(stream, ordinal, last)
    db.execute("DELETE FROM journal WHERE place BETWEEN ? AND ?", places)
    db.execute("INSERT INTO lost VALUES (?, ?, 'thinned', 0)", places)


def test_the_clouds_word_counts_what_is_new_and_never_goes_back(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            for number in range(1, 11):
                await store.record(receipt(number))
            epoch = store.epoch
            assert (await store.acknowledged())[Stream.RECEIPTS] == (epoch, 0)
            assert (await store.backlog())[Stream.RECEIPTS] == Backlog(10, NOW_MS)
            assert [await store.acknowledge(Stream.RECEIPTS, epoch, through) for through in (4, 4, 2, 0, 9)] == [
                4,
                0,
                0,
                0,
                5,
            ]
            assert (await store.acknowledged())[Stream.RECEIPTS] == (epoch, 9)
            assert (await store.backlog())[Stream.RECEIPTS].rows == 1
            for beyond in (11, -1, 1 << 60):
                with pytest.raises(StoreError) as fault:
                    await store.acknowledge(Stream.RECEIPTS, epoch, beyond)
                assert fault.value.reason == "ack"
            with pytest.raises(StoreError) as fault:
                await store.acknowledge(Stream.RECEIPTS, "0009-abcd", 1)
            assert fault.value.reason == "epoch"
        async with opened(tmp_path) as store:
            assert (await store.acknowledged())[Stream.RECEIPTS] == (epoch, 9)

    asyncio.run(play())


def test_sightings_are_written_in_groups_and_at_the_latest_after_a_while(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path, sightings_s=0.05) as store:
            before = store._writer.commits
            for number in range(250):
                store.record_soon(sighting(number))
            await store.flush()
            assert len(bodies(tmp_path, Stream.VISITS)) == 250
            assert store._writer.commits - before <= 3
            store.record_soon(sighting(250))
            committed = asyncio.Event()
            store.on_committed = lambda streams: committed.set() if Stream.VISITS in streams else None
            await asyncio.wait_for(committed.wait(), 5)
            assert len(bodies(tmp_path, Stream.VISITS)) == 251

    asyncio.run(play())


def test_too_many_sightings_are_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SOON_MAX", 300)

    async def play() -> None:
        async with opened(tmp_path) as store:
            for number in range(1000):
                store.record_soon(sighting(number))
            await store.flush()
            assert store.dropped == 700
            assert len(bodies(tmp_path, Stream.VISITS)) == 300

    asyncio.run(play())


def test_the_loop_hears_of_each_commit(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            heard: list[frozenset[Stream]] = []
            store.on_committed = heard.append
            await store.record(receipt(1), claim(1))
            await store.put("a", b"b")
            await store.record(ONE_OF_EACH[3])
            assert heard == [frozenset({Stream.RECEIPTS, Stream.CLAIMS}), frozenset({Stream.SCANS})]

    asyncio.run(play())


def test_a_jobs_newest_step_is_found_and_open_ones_come_in_order(tmp_path: Path) -> None:
    def step(job: str, state: str) -> JobRecord:
        return JobRecord(at=NOW, job=job, command="print", state=state)

    async def play() -> None:
        async with opened(tmp_path) as store:
            for job, state in (("b", "queued"), ("a", "queued"), ("c", "queued"), ("c", "failed"), ("b", "running")):
                await store.record(step(job, state))
        async with opened(tmp_path) as store:
            assert await store.jobs_open() == [step("b", "running"), step("a", "queued")]
            assert await store.job("c") == step("c", "failed")
            assert await store.job("no such job") is None

    asyncio.run(play())


def test_facts_survive_and_have_a_limit(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            assert await store.get("revision") is None
            await store.put("revision", b"1")
            await store.put("revision", b"2")
            with pytest.raises(StoreError) as fault:
                await store.put("large", bytes((1 << 20) + 1))
            assert fault.value.reason == "size"
        async with opened(tmp_path) as store:
            assert await store.get("revision") == b"2"

    asyncio.run(play())


def test_a_time_before_the_latest_trusted_one_is_not_trusted_after_a_restart(tmp_path: Path) -> None:
    clock = StillClock()

    async def trusted(store: Store, number: int) -> bool:
        place = (await store.record(receipt(number)))[0]
        (row,) = await store.rows(place.stream, (place.epoch, place.seq - 1), limit_rows=1, limit_bytes=1)
        return row.trusted

    async def play() -> None:
        async with opened(tmp_path, clock) as store:
            assert await trusted(store, 1)
        clock.set(at_ms=NOW_MS - 86_400_000, boot="boot-2")
        async with opened(tmp_path, clock) as store:
            assert not await trusted(store, 2)
            await store.believe_clock()
            assert await trusted(store, 3)
            rows = await store.rows(Stream.RECEIPTS, None, limit_rows=9, limit_bytes=9999)
            assert [(row.seq, row.boot) for row in rows] == [(1, "boot-1"), (2, "boot-2"), (3, "boot-2")]
        async with opened(tmp_path, clock) as store:
            assert await trusted(store, 4)

    asyncio.run(play())


def test_past_receipts_are_the_newest_oldest_first_and_unreadable_ones_are_counted(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            for number in range(10):
                await store.record(receipt(number))
            assert [event.document for event in store.past_receipts(4)] == [6, 7, 8, 9]
            place = "(SELECT max(place) FROM journal WHERE place < 1 << 56)"
            await store.change(lambda db: db.create_function("sum_of", 6, sum_of))
            crc = "sum_of(place, boot, mono_ms, at_ms, trusted, x'7B')"
            await store.change(
                lambda db: db.execute(f"UPDATE journal SET body = x'7B', crc = {crc} WHERE place = {place}")
            )
            assert [event.document for event in store.past_receipts(4)] == [6, 7, 8]
            assert store.unreadable == 1

    asyncio.run(play())


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            pass
        with pytest.raises(StoreError) as fault:
            await store.record(receipt(1))
        assert fault.value.reason == "closed"

    asyncio.run(play())


def test_what_waits_when_the_store_closes_is_recorded(tmp_path: Path) -> None:
    async def play() -> list[Place]:
        store = Store.open(tmp_path, clock=StillClock())
        store.record_soon(sighting(1))
        waiting = [asyncio.create_task(store.record(receipt(number))) for number in range(50)]
        await asyncio.sleep(0)
        await store.close()
        return [place for places in await asyncio.gather(*waiting) for place in places]

    assert len(asyncio.run(play())) == len(bodies(tmp_path, Stream.RECEIPTS)) == 50
    assert len(bodies(tmp_path, Stream.VISITS)) == 1


def test_the_days_bytes_are_counted(tmp_path: Path) -> None:
    async def play() -> list[tuple[str, str, int]]:
        async with opened(tmp_path) as store:
            for number in range(50):
                await store.record(receipt(number))
        with closing(peek(tmp_path)) as db:
            return db.execute("SELECT day, name, value FROM counters").fetchall()

    ((day, name, written_bytes),) = asyncio.run(play())
    assert (day, name) == ("2026-11-18", "written_bytes")
    assert written_bytes == 0 or written_bytes > 50 * 4096, "0 on a RAM disk; else a page for each commit at least"
