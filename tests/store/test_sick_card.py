"""A card that can't read some of its blocks, has no room for a repair, or gives its errors in SQLite's many words."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from edgebox.errors import StoreError, StoreFull
from edgebox.store import rescue, salvage, writer
from edgebox.store.blocks import BLOCK_BYTES, Blocks
from edgebox.store.checkup import Checkup
from edgebox.store.database import FILE, PAGE_BYTES
from edgebox.store.events import AuditRecord
from edgebox.store.faults import of_sqlite, of_system
from edgebox.store.pages import Record
from edgebox.store.store import EVENT_BYTES, Store
from tests.faults.ledger import AT, receipt
from tests.store.broken import consumed, left_open, settle, spoil


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int, int], None]:
    """From here on the bytes `start` to `end` of this file can't be read."""
    real = os.pread

    def make(path: Path, start: int, end: int) -> None:
        inode = path.stat().st_ino

        def pread(file: int, size: int, at: int) -> bytes:
            if os.fstat(file).st_ino == inode and at < end and at + size > start:
                raise OSError(errno.EIO, "Input/output error")
            return real(file, size, at)

        monkeypatch.setattr(os, "pread", pread)

    return make


def test_blocks_that_cannot_be_read_are_zeros(tmp_path: Path, unreadable: Callable[[Path, int, int], None]) -> None:
    raw = os.urandom(10 * BLOCK_BYTES + 100)
    (tmp_path / "f").write_bytes(raw)
    unreadable(tmp_path / "f", 3 * BLOCK_BYTES + 7, 3 * BLOCK_BYTES + 8)
    with closing(Blocks(tmp_path / "f")) as blocks:
        assert len(blocks) == len(raw)
        assert blocks[100 : 2 * BLOCK_BYTES] == raw[100 : 2 * BLOCK_BYTES]
        part = blocks[2 * BLOCK_BYTES + 50 : 5 * BLOCK_BYTES - 50]
        whole = raw[: 3 * BLOCK_BYTES] + bytes(BLOCK_BYTES) + raw[4 * BLOCK_BYTES :]
        assert part == whole[2 * BLOCK_BYTES + 50 : 5 * BLOCK_BYTES - 50]
        assert blocks[10 * BLOCK_BYTES :] == raw[10 * BLOCK_BYTES :]
        assert blocks.unreadable == 1
    with closing(Blocks(tmp_path / "none")) as none:
        assert (len(none), none[:100]) == (0, b"")


def test_a_page_that_cannot_be_read_is_salvaged_around(
    tmp_path: Path, unreadable: Callable[[Path, int, int], None]
) -> None:
    path, ledger = left_open(tmp_path / "box", 120)
    settle(path)
    spoil(path, 1)  # so that it is salvaged
    page = path.stat().st_size // PAGE_BYTES // 2
    unreadable(path, page * PAGE_BYTES, page * PAGE_BYTES + 1)
    consumed(path.parent, ledger)
    row = ledger.row("")
    assert (row.delivered, row.given_up, row.lost, row.duplicated) == (row.accepted, 0, 0, 0)


class Case(NamedTuple):
    """SQLite's code, and our reason."""

    code: int
    reason: str


@pytest.mark.parametrize(
    "case",
    [
        Case(sqlite3.SQLITE_CORRUPT, "corrupt"),
        Case(sqlite3.SQLITE_CORRUPT_INDEX, "corrupt"),
        Case(sqlite3.SQLITE_NOTADB, "corrupt"),
        Case(sqlite3.SQLITE_IOERR_READ, "corrupt"),
        Case(sqlite3.SQLITE_IOERR_CORRUPTFS, "corrupt"),
        Case(sqlite3.SQLITE_IOERR_FSYNC, "io"),
        Case(sqlite3.SQLITE_IOERR_WRITE, "io"),
        Case(sqlite3.SQLITE_PROTOCOL, "io"),
        Case(sqlite3.SQLITE_BUSY, "io"),
        Case(sqlite3.SQLITE_FULL, "disk"),
        Case(sqlite3.SQLITE_CONSTRAINT_UNIQUE, "refused"),
        Case(sqlite3.SQLITE_TOOBIG, "refused"),
        Case(sqlite3.SQLITE_INTERRUPT, "slow"),
    ],
)
def test_an_error_is_said_in_our_words(case: Case, tmp_path: Path) -> None:
    fault = sqlite3.OperationalError("words")
    fault.sqlite_errorcode = case.code
    found = of_sqlite(fault, tmp_path / FILE)
    assert found.reason == case.reason
    assert isinstance(found, StoreFull) == (case.reason == "disk")


def test_a_full_disk_is_called_so_whoever_says_it(tmp_path: Path) -> None:
    assert isinstance(of_system(OSError(errno.ENOSPC, "No space left on device"), tmp_path / FILE), StoreFull)
    assert of_system(OSError(errno.EACCES, "Permission denied"), tmp_path / FILE).hint
    assert of_system(OSError(errno.EIO, "Input/output error"), tmp_path / FILE).reason == "io"


def test_without_room_for_a_repair_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, ledger = left_open(tmp_path / "box", 20)
    settle(path)
    spoil(path, 1)
    small = shutil.disk_usage(tmp_path)._replace(free=path.stat().st_size)
    monkeypatch.setattr(rescue.shutil, "disk_usage", lambda folder: small)
    with pytest.raises(StoreFull):
        Store.open(path.parent)
    assert not list(path.parent.glob("*.salvag*"))
    monkeypatch.undo()
    consumed(path.parent, ledger)
    assert ledger.row("").lost == 0


def test_a_repair_that_fails_is_not_tried_again_for_each_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        store = Store.open(tmp_path)
        await store.record(receipt(1))
        store._writer.suspect("a page is broken")
        tries = []

        def fails(why: str) -> None:
            tries.append(why)
            raise StoreFull("no room", reason="disk")

        monkeypatch.setattr(store._database, "mend", fails)
        for number in range(2, 6):
            with pytest.raises(StoreFull):
                await store.record(receipt(number))
        assert len(tries) == 1
        monkeypatch.undo()
        monkeypatch.setattr(writer.time, "monotonic", lambda: 1e9)
        (place,) = await store.record(receipt(7))
        assert place.epoch.startswith("0002-")
        await store.close()

    asyncio.run(play())


def test_what_cannot_be_looked_at_is_no_damage(tmp_path: Path) -> None:
    told: list[str] = []

    def locked() -> sqlite3.Connection:
        fault = sqlite3.OperationalError("database is locked")
        fault.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise fault

    checkup = Checkup(tmp_path / FILE, locked, told.append)
    checkup._thread.join()
    assert told == []
    assert not checkup.is_done


def test_an_event_that_no_cloud_would_take_is_refused(tmp_path: Path) -> None:
    async def play() -> None:
        store = Store.open(tmp_path)
        with pytest.raises(StoreError) as caught:
            await store.record(AuditRecord(at=AT, who="somebody", what="x" * EVENT_BYTES))
        assert caught.value.reason == "refused"
        await store.record(AuditRecord(at=AT, who="somebody", what="x" * (EVENT_BYTES // 2)))
        await store.close()

    asyncio.run(play())


def test_rows_from_before_a_column_was_added_are_salvaged() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE t (place INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")
        database.execute("ALTER TABLE t ADD COLUMN line TEXT NOT NULL DEFAULT 'till'")
        database.execute("ALTER TABLE t ADD COLUMN number INTEGER")
        (table,) = salvage._tables(database)
    assert table.shaped(Record(9, 0, 7, (None, "x"))) == (7, "x", "till", None)
    assert table.shaped(Record(9, 0, 7, (None, "x", "line1", 5))) == (7, "x", "line1", 5)
    assert table.shaped(Record(9, 0, 7, (None,))) is None  # it always had a name
    assert table.shaped(Record(9, 0, 7, (None, "x", "line1", 5, 6))) is None
