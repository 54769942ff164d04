"""The file: one process, one life after another, nothing lost by a kill."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edgebox.errors import StoreError
from edgebox.store import database
from edgebox.store.checkup import check
from edgebox.store.database import FILE, Database
from edgebox.store.events import ReceiptRecord, Stream
from edgebox.store.peek import bodies, peek
from edgebox.store.sidecar import Left, Sidecar
from edgebox.store.store import Store
from tests.store.filled import StillClock, claim, fill, receipt
from tests.store.test_store import opened

KILLS = 4  # `make faults` does two hundred
RECORDER = """
import asyncio, sys
from pathlib import Path
from edgebox.store.store import Store
from tests.store.filled import claim, receipt

async def main() -> None:
    store = Store.open(Path(sys.argv[1]))
    start = int(sys.argv[2])
    async def produce(first: int) -> None:
        for number in range(first, first + 8000, 8):
            await store.record(receipt(number), claim(number))
            print(number, flush=True)
    await asyncio.gather(*(produce(start + at) for at in range(8)))

asyncio.run(main())
"""


def epochs(folder: Path) -> list[tuple[int, str]]:
    with closing(peek(folder)) as db:
        return db.execute("SELECT epoch, why FROM epochs ORDER BY epoch").fetchall()


def test_a_new_database_is_its_owners_alone_and_has_its_first_epoch(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "data"
    with Database(folder, StillClock()) as opened_one:
        assert opened_one.epoch.ordinal == 1
        assert opened_one.news == []
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert epochs(folder) == [(1, "first")]


def test_the_settings_of_the_file_are_what_they_are_said_to_be(tmp_path: Path) -> None:
    with Database(tmp_path, StillClock()) as opened_one:
        settings = {
            name: opened_one.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "auto_vacuum", "page_size", "mmap_size", "secure_delete")
        }
    assert list(settings.values()) == ["wal", 2, 2, 4096, 0, 2]


def test_a_second_process_is_kept_out_until_the_first_lets_go(tmp_path: Path) -> None:
    with Database(tmp_path, StillClock()), pytest.raises(StoreError) as fault:
        Database(tmp_path, StillClock())
    assert fault.value.reason == "locked"
    Database(tmp_path, StillClock()).close()


def test_an_orderly_restart_goes_on_in_the_same_epoch_unchecked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database(tmp_path, StillClock()) as first:
        name = first.epoch.name

    def no_check(connection: sqlite3.Connection) -> str | None:
        raise AssertionError("not after an orderly end")

    monkeypatch.setattr(database, "check", no_check)
    with Database(tmp_path, StillClock()) as second:
        assert second.epoch.name == name
    assert not (tmp_path / f"{FILE}-wal").exists(), "the log is in the file"


@pytest.mark.parametrize("round_", range(KILLS))
def test_killed_at_any_moment_nothing_accepted_is_lost_and_nothing_is_there_twice(tmp_path: Path, round_: int) -> None:
    accepted: list[int] = []
    for start, lines in ((0, 40 + 97 * round_), (8000, 25 + 61 * round_)):
        command = [sys.executable, "-c", RECORDER, str(tmp_path), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            accepted += [int(child.stdout.readline()) for _ in range(lines)]
            child.send_signal(signal.SIGKILL)
            accepted += [int(line) for line in child.stdout.read().splitlines()]
    store = Store.open(tmp_path, clock=StillClock())
    assert store.news == []
    store.close_now()
    found = [msgspec.json.decode(body, type=ReceiptRecord).document for body in bodies(tmp_path, Stream.RECEIPTS)]
    assert len(found) == len(set(found)) == len(bodies(tmp_path, Stream.CLAIMS))
    assert set(accepted) <= set(found)
    assert len(epochs(tmp_path)) == 1
    with closing(peek(tmp_path)) as db:
        assert db.execute(
            "SELECT max(place) - min(place) + 1 = count(*) FROM journal WHERE place < 1 << 56"
        ).fetchone() == (1,)


def test_a_lost_database_is_said_and_begins_the_next_epoch(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            await store.record(receipt(1))
        (tmp_path / FILE).unlink()
        async with opened(tmp_path) as store:
            assert store.epoch.startswith("0002-")
            assert any("lost" in news for news in store.news)
            assert (await store.record(receipt(2)))[0].seq == 1

    asyncio.run(play())


def test_a_database_from_before_the_last_epoch_never_gives_a_number_twice(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            await store.record(receipt(1))
        shutil.copy(tmp_path / FILE, tmp_path / "copy")
        (tmp_path / FILE).unlink()
        async with opened(tmp_path) as store:
            await store.record(receipt(2))
        os.replace(tmp_path / "copy", tmp_path / FILE)
        async with opened(tmp_path) as store:
            assert store.epoch.startswith("0003-")
            assert store.news
            assert (await store.record(receipt(3)))[0] == (Stream.RECEIPTS, store.epoch, 1)

    asyncio.run(play())


def test_a_restored_database_begins_a_new_epoch_and_keeps_what_the_cloud_has(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            await asyncio.gather(*(store.record(receipt(number)) for number in range(5)))
            await store.acknowledge(Stream.RECEIPTS, store.epoch, 3)
            first = store.epoch
        sidecar = Sidecar(tmp_path)
        sidecar.write(Left.NEW, sidecar.ordinal)
        sidecar.close()
        async with opened(tmp_path) as store:
            assert store.epoch.startswith("0002-")
            assert (await store.acknowledged())[Stream.RECEIPTS] == (first, 3), "the old epoch is finished first"
            await store.record(receipt(9))
            rows = await store.rows(Stream.RECEIPTS, (first, 3), limit_rows=9, limit_bytes=9999)
            assert [(row.epoch, row.seq) for row in rows] == [(first, 4), (first, 5)]
            rows = await store.rows(Stream.RECEIPTS, (first, 5), limit_rows=9, limit_bytes=9999)
            assert [(row.epoch, row.seq) for row in rows] == [(store.epoch, 1)]
            await store.acknowledge(Stream.RECEIPTS, first, 5)
            assert (await store.acknowledged())[Stream.RECEIPTS] == (store.epoch, 0)
            assert (await store.backlog())[Stream.RECEIPTS].rows == 1
        assert [why for _, why in epochs(tmp_path)] == ["first", "restored"]

    asyncio.run(play())


def test_a_page_broken_by_the_card_is_found_after_an_unclean_stop_and_mended(tmp_path: Path) -> None:
    fill(tmp_path, 300)
    with (tmp_path / FILE).open("r+b") as file:
        file.seek(40 * 4096)
        file.write(os.urandom(4096))
    with closing(Sidecar(tmp_path)) as sidecar:
        sidecar.write(Left.OPEN, 1)
    store = Store.open(tmp_path, clock=StillClock())
    assert store.epoch.startswith("0002-")
    assert "damaged" in store.news[0]
    store.close_now()
    with closing(peek(tmp_path)) as db:
        assert check(db) == ""


def test_a_large_database_is_checked_beside_the_records_and_mended_when_it_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 300)
    with (tmp_path / FILE).open("r+b") as file:
        file.seek(40 * 4096)
        file.write(os.urandom(4096))
    with closing(Sidecar(tmp_path)) as sidecar:
        sidecar.write(Left.OPEN, 1)
    monkeypatch.setattr(database, "check", lambda connection: None)  # it takes too long
    told: list[str] = []

    async def play() -> None:
        store = Store.open(tmp_path, clock=StillClock())
        store.on_mended(told.append)
        assert store._checkup is not None
        await asyncio.to_thread(store._checkup._thread.join)
        place = (await store.record(receipt(301), claim(301)))[0]
        await asyncio.sleep(0)
        assert place.epoch == store.epoch
        assert store.epoch.startswith("0002-")
        await store.close()

    asyncio.run(play())
    assert ["damaged" in words for words in told] == [True]


def test_a_check_that_was_not_finished_is_done_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 2000)
    with closing(Sidecar(tmp_path)) as sidecar:
        sidecar.write(Left.OPEN, 1)
    with monkeypatch.context() as slow:
        slow.setattr(database, "check", lambda connection: None)
        slow.setattr("edgebox.store.checkup.check", lambda connection, limit_s: None)
        store = Store.open(tmp_path, clock=StillClock())
        assert store._checkup is not None
        store._checkup.stop()
        store._checkup.is_done = False
        store.close_now()
    assert (tmp_path / "edgebox.lock").read_text().startswith("open")
    Store.open(tmp_path, clock=StillClock()).close_now()
    assert (tmp_path / "edgebox.lock").read_text().startswith("clean")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as fault:
        Database(tmp_path / "file" / "data", StillClock())
    assert fault.value.reason == "io"
    assert "file" in str(fault.value)
