"""Broken databases: set aside, salvaged, and every accepted row delivered or told as lost."""

import asyncio
import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edgebox.errors import StoreError
from edgebox.store import rescue, salvage
from edgebox.store.database import FILE, PAGE_BYTES
from edgebox.store.events import (
    JobRecord,
    OfferRecord,
    OfferState,
    RedemptionRecord,
    RedemptionState,
    ScanRecord,
    Stream,
)
from edgebox.store.pages import Record
from edgebox.store.store import Store
from edgebox.store.waterline import Mark, Waterline, read_mark
from tests.faults.ledger import AT, Ledger, audit, health, receipt, visit
from tests.store.broken import consumed, left_open, pages_of, settle, spoil

ONE_OF_EACH = (
    RedemptionRecord(at=AT, request="r1", code="c1", state=RedemptionState.REDEEMED, coupon="free tea", number=7),
    JobRecord(at=AT, job="j1", command="ping", state="running", args="{}"),
    ScanRecord(at=AT, scanner="s", kind="coupon", code="c1"),
    visit(1),
    health(1),
    audit(1),
)


def nothing_lost(ledger: Ledger) -> None:
    row = ledger.row("")
    assert (row.delivered, row.lost, row.given_up, row.duplicated) == (row.accepted, 0, 0, 0)


def all_told(ledger: Ledger, given_up: int) -> None:
    row = ledger.row("")
    assert (row.lost, row.duplicated, row.given_up) == (0, 0, given_up)
    assert row.delivered == row.accepted - given_up


# -- pages


@pytest.mark.parametrize("seed", range(12))
def test_one_page_of_garbage_costs_no_row(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path, ledger = left_open(tmp_path / "box", 120, more=ONE_OF_EACH)
    settle(path)
    pages = path.stat().st_size // PAGE_BYTES
    spoil(path, chance.randint(1, pages), chance.randbytes(PAGE_BYTES))
    consumed(path.parent, ledger)
    nothing_lost(ledger)


def test_a_row_whose_every_trace_but_its_number_is_gone_is_told_as_lost(tmp_path: Path) -> None:
    path, ledger = left_open(tmp_path / "box", 120)
    settle(path)
    journal, table = pages_of(path, "journal", 60), pages_of(path, "receipts", 60)
    for page in {*journal, *table}:
        spoil(path, page, os.urandom(PAGE_BYTES))
    news = consumed(path.parent, ledger)
    row = ledger.row("")
    assert (row.lost, row.duplicated) == (0, 0)
    assert row.given_up == row.accepted - (row.delivered or 0) > 0
    assert f"lost: {row.given_up} receipts" in news[0]


def test_what_was_asked_acknowledged_and_kept_survives(tmp_path: Path) -> None:
    async def prepare() -> str:
        store = Store.open(home)
        await store.put("bundle.rules", b"revision 7")
        await store.record(*ONE_OF_EACH)
        for number in range(1, 51):
            await store.record(receipt(number))
        await store.acknowledge(Stream.RECEIPTS, store.epoch, 20)
        shutil.copytree(home, broken)
        epoch = store.epoch
        await store.close()
        return epoch

    async def look(epoch: str) -> None:
        store = Store.open(broken)
        assert store.epoch != epoch
        assert await store.get("bundle.rules") == b"revision 7"
        assert (await store.acknowledged())[Stream.RECEIPTS] == (epoch, 20)
        assert [job.job for job in await store.jobs_open()] == ["j1"]
        rows = await store.rows(Stream.RECEIPTS, (epoch, 20), limit_rows=99, limit_bytes=1 << 20)
        assert [(row.epoch, row.seq) for row in rows] == [(epoch, seq) for seq in range(21, 51)]
        spent = await store.read(lambda db: db.execute("SELECT code, number FROM redemptions").fetchall())
        assert spent == [("c1", 7)]
        await store.close()

    home, broken = tmp_path / "alive", tmp_path / "box"
    epoch = asyncio.run(prepare())
    settle(broken / FILE)
    spoil(broken / FILE, 1, os.urandom(PAGE_BYTES))
    asyncio.run(look(epoch))


def test_a_coupon_whose_use_is_not_known_counts_as_used(tmp_path: Path) -> None:
    def coupon(serial: int) -> OfferRecord:
        return OfferRecord(
            at=AT, slip="comeback", purpose="comeback", state=OfferState.PRINTED, ref=serial, value_minor=500
        )

    path, _ledger = left_open(tmp_path / "box", 5, more=[coupon(1), coupon(2)])
    settle(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE comebacks SET spent_at = 7 WHERE serial = 1")
        database.execute("INSERT INTO pool_codes VALUES (9, 'tea', 'C9', '', '', 0, '', '', 'reserved', 0)")
        database.execute("DELETE FROM comebacks WHERE serial = 2")  # as if its page were gone
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spoil(path, 1, os.urandom(PAGE_BYTES))
    consumed(path.parent, Ledger())
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT serial, spent_at FROM comebacks").fetchall() == [(1, 7), (2, AT)]
        assert database.execute("SELECT code, state FROM pool_codes").fetchall() == [("C9", "reserved")]


def test_every_table_is_known_by_its_form_alone(tmp_path: Path) -> None:
    """Where no tree leads to a page any more, its rows must fit one table and no other."""
    path, _ledger = left_open(tmp_path / "box", 1)
    with closing(sqlite3.connect(path)) as database:
        tables = {table.name: table for table in salvage._tables(database)}
    for name, table in tables.items():
        samples = {"INTEGER": 1, "TEXT": "x", "BLOB": b"{}", "REAL": 1.5}
        values = [samples[column.kind] for column in table.columns]
        record = Record(9, 0, None if table.is_index else 7, tuple(values))
        assert [other for other in tables if tables[other].shaped(record)] == [name]


def test_a_page_that_breaks_while_the_box_runs_is_mended_at_work(tmp_path: Path) -> None:
    async def play() -> None:
        store = Store.open(tmp_path)
        ledger = Ledger()
        for number in range(1, 400):
            await store.record(receipt(number))
            ledger.accept(receipt(number))
        epoch = store.epoch
        await store.work(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        for page in range(2, (tmp_path / FILE).stat().st_size // PAGE_BYTES):
            if page % 3 == 0:
                spoil(tmp_path / FILE, page, os.urandom(PAGE_BYTES))
        await store.work(lambda db: db.execute("PRAGMA shrink_memory"))
        refused = 0
        for number in range(400, 420):
            try:
                await store.record(receipt(number))
                ledger.accept(receipt(number))
            except StoreError:
                refused += 1
        assert store.epoch != epoch
        assert refused <= 1
        await ledger.consume(store)
        row = ledger.row("")
        assert (row.lost, row.duplicated) == (0, 0)
        await store.close()

    asyncio.run(play())


# -- files


@pytest.mark.parametrize("content", [b"", b"\0" * 9000, b"GARBAGE " * 5000, b"SQLite format 3\0"])
def test_a_file_that_is_none_is_replaced_by_what_the_log_holds(tmp_path: Path, content: bytes) -> None:
    path, ledger = left_open(tmp_path / "box", 20, more=ONE_OF_EACH)
    path.write_bytes(content)
    consumed(path.parent, ledger)
    nothing_lost(ledger)


def test_a_log_without_its_database_is_salvaged(tmp_path: Path) -> None:
    path, ledger = left_open(tmp_path / "box", 20)
    path.unlink()
    consumed(path.parent, ledger)
    nothing_lost(ledger)


@pytest.mark.parametrize("content", [None, b"", b"GARBAGE " * 5000])
def test_a_database_that_is_gone_is_told_row_by_row(tmp_path: Path, content: bytes | None) -> None:
    path, ledger = left_open(tmp_path / "box", 20)
    Path(f"{path}-wal").unlink()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert consumed(path.parent, ledger)
    all_told(ledger, 40)


def test_a_missing_index_of_the_log_is_made_anew(tmp_path: Path) -> None:
    path, ledger = left_open(tmp_path / "box", 20)
    Path(f"{path}-shm").unlink()
    assert consumed(path.parent, ledger) == []
    nothing_lost(ledger)


def test_a_log_cut_short_is_found_by_the_mark(tmp_path: Path) -> None:
    path, ledger = left_open(tmp_path / "box", 20)
    log = Path(f"{path}-wal")
    os.truncate(log, log.stat().st_size * 2 // 3)
    news = consumed(path.parent, ledger)
    row = ledger.row("")
    assert row.given_up == row.accepted - (row.delivered or 0) > 0
    assert (row.lost, row.duplicated) == (0, 0)
    assert "lost" in news[0]


@pytest.mark.parametrize("at", [0, 10, 32 + 5 * 4120, 32 + 60 * 4120 + 3000])
def test_a_log_broken_in_its_middle_costs_no_row_behind_it(tmp_path: Path, at: int) -> None:
    path, ledger = left_open(tmp_path / "box", 40)
    with Path(f"{path}-wal").open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * 40)
    consumed(path.parent, ledger)
    row = ledger.row("")
    assert (row.lost, row.duplicated) == (0, 0)
    assert row.accepted - (row.delivered or 0) == row.given_up <= 8


# -- what is set aside


def test_the_broken_files_are_kept_as_they_were(tmp_path: Path) -> None:
    path, ledger = left_open(tmp_path / "box", 20)
    path.write_bytes(b"GARBAGE " * 5000)
    before = {name: (path.parent / name).read_bytes() for name in (FILE, f"{FILE}-wal")}
    consumed(path.parent, ledger)
    (aside,) = rescue.asides(path.parent)
    assert {name: (aside / name).read_bytes() for name in before} == before
    assert "not a database" in (aside / "why").read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("steps", range(6))
def test_a_repair_that_is_interrupted_is_finished_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    path, ledger = left_open(tmp_path / "box", 20)
    path.write_bytes(b"GARBAGE " * 5000)
    done = 0
    real = os.replace

    def replace(old: Path, new: Path) -> None:
        nonlocal done
        if done == steps:
            raise OSError(5, "power cut")
        done += 1
        real(old, new)

    monkeypatch.setattr(os, "replace", replace)
    if steps < 5:
        with pytest.raises(StoreError):
            Store.open(path.parent)
    monkeypatch.undo()
    consumed(path.parent, ledger)
    nothing_lost(ledger)


def test_a_dying_card_stops_the_store_and_loses_nothing(tmp_path: Path) -> None:
    path, ledger = left_open(tmp_path / "box", 5)
    for number in range(rescue.ASIDE_MAX):
        (path.parent / f"{rescue.ASIDE}{number}").mkdir()
    whole = path.read_bytes()
    path.write_bytes(b"GARBAGE " * 5000)
    with pytest.raises(StoreError, match="replace it") as caught:
        Store.open(path.parent)
    assert caught.value.reason == "corrupt"
    path.write_bytes(whole)
    consumed(path.parent, ledger)
    nothing_lost(ledger)


# -- the mark


def test_a_mark_comes_back_as_it_was_written(tmp_path: Path) -> None:
    mark = Mark(7, "0007-abcd1234", dict(zip(Stream, range(8), strict=True)))
    line = Waterline(tmp_path / "mark")
    line.write(mark)
    line.close()
    assert read_mark(tmp_path / "mark") == mark
    raw = (tmp_path / "mark").read_bytes()
    for at in range(len(raw)):
        (tmp_path / "mark").write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        assert read_mark(tmp_path / "mark") is None
    (tmp_path / "mark").write_bytes(raw[:-1])
    assert read_mark(tmp_path / "mark") is None
    assert read_mark(tmp_path / "none") is None


def test_an_old_mark_takes_nothing_from_a_newer_database(tmp_path: Path) -> None:
    path, ledger = left_open(tmp_path / "box", 5)
    mark = path.parent / "edgebox.mark"
    found = read_mark(mark)
    assert found is not None
    line = Waterline(mark)
    line.write(found._replace(ends={stream: min(end, 2) for stream, end in found.ends.items()}))
    line.close()
    assert consumed(path.parent, ledger) == []
    nothing_lost(ledger)
