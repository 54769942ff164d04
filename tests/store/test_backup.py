"""Backups: made while receipts are recorded, whole, and put back without a number given twice."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edgebox.cli import main
from edgebox.errors import StoreError, StoreFull
from edgebox.store import backup as backups
from edgebox.store.backup import backup, read_manifest, restore
from edgebox.store.database import FILE
from edgebox.store.events import OfferRecord, OfferState, Stream
from edgebox.store.offers import Comeback, find_comeback, take_serials
from edgebox.store.peek import peek
from edgebox.store.store import Store
from tests.faults.ledger import AT, Ledger, claim, receipt
from tests.store.broken import left_open

NOW_MS = AT * 1000


async def filled(folder: Path, first: int, last: int, ledger: Ledger | None = None) -> Store:
    store = Store.open(folder)
    numbers = range(first, last + 1)
    await asyncio.gather(*(store.record(receipt(number), claim(number)) for number in numbers))
    for number in numbers:
        if ledger is not None:
            ledger.accept(receipt(number), claim(number))
    return store


def test_a_backup_is_made_while_receipts_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "STEP_PAGES", 8)

    async def play() -> None:
        store = await filled(tmp_path / "box", 1, 200)
        steps = []
        copying = asyncio.create_task(
            asyncio.to_thread(backup, tmp_path / "box", tmp_path / "b", NOW_MS, progress=lambda *at: steps.append(at))
        )
        number = 200
        while not copying.done():
            number += 1
            await store.record(receipt(number))
        manifest = await copying
        assert manifest.epoch == store.epoch
        assert 400 <= manifest.rows < 400 + (number - 200)
        assert len(steps) > 10
        assert number > 210
        await store.close()

    asyncio.run(play())
    found = read_manifest(tmp_path / "b")
    with closing(sqlite3.connect(tmp_path / "b")) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert copy.execute("SELECT count(*) FROM journal").fetchone() == (found.rows,)
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "box"]


@pytest.mark.parametrize("is_clean", [True, False])
def test_a_stopped_box_can_be_backed_up(tmp_path: Path, is_clean: bool) -> None:
    folder = tmp_path / "box"
    if is_clean:
        asyncio.run(_fill_and_close(folder))
    else:
        left_open(folder, 20)
    assert backup(folder, tmp_path / "b", NOW_MS).rows == 40


async def _fill_and_close(folder: Path) -> None:
    await (await filled(folder, 1, 20)).close()


@pytest.mark.parametrize("is_readable", [True, False])
def test_a_restored_box_begins_an_epoch_and_forgets_nothing_that_can_be_read(tmp_path: Path, is_readable: bool) -> None:
    ledger = Ledger()

    async def before() -> str:
        store = await filled(tmp_path / "box", 1, 20, ledger)
        await asyncio.to_thread(backup, tmp_path / "box", tmp_path / "b", NOW_MS)
        for number in range(21, 31):
            await store.record(receipt(number))
            ledger.accept(receipt(number))
        epoch = store.epoch
        await store.close()
        return epoch

    async def after(epoch: str) -> None:
        store = Store.open(tmp_path / "box")
        assert store.epoch != epoch
        place = (await store.record(receipt(31)))[0]
        ledger.accept(receipt(31))
        assert place == (Stream.RECEIPTS, store.epoch, 1)
        assert await store.get("backup") is None
        await ledger.consume(store)
        row = ledger.row("restored")
        told = (51, 0) if is_readable else (41, 10)
        assert (row.delivered, row.given_up, row.lost, row.duplicated) == (*told, 0, 0)
        await store.close()

    epoch = asyncio.run(before())
    if not is_readable:
        (tmp_path / "box" / FILE).write_bytes(b"GARBAGE " * 5000)
    raw = (tmp_path / "box" / FILE).read_bytes()
    words = restore(tmp_path / "box", tmp_path / "b", NOW_MS)
    assert "40 rows" in words
    assert ("10 rows since then taken over" in words) == is_readable
    asyncio.run(after(epoch))
    (aside,) = (tmp_path / "box").glob("replaced-*")
    assert (aside / FILE).read_bytes() == raw


def test_a_coupon_used_since_the_backup_stays_used(tmp_path: Path) -> None:
    async def play() -> None:
        store = await filled(tmp_path / "box", 1, 2)
        await store.record(offer(7))
        await asyncio.to_thread(backup, tmp_path / "box", tmp_path / "b", NOW_MS)
        await store.change(lambda db: db.execute("UPDATE comebacks SET spent_at = 9 WHERE serial = 7"))
        await store.record(offer(8))
        await store.close()
        restore(tmp_path / "box", tmp_path / "b", NOW_MS)
        store = Store.open(tmp_path / "box")
        assert await store.read(lambda db: find_comeback(db, 7)) == Comeback(7, 500, 0, 0, AT, 9)
        assert await store.read(lambda db: find_comeback(db, 8)) == Comeback(8, 500, 0, 0, AT, 0)
        assert await store.change(lambda db: take_serials(db, 1)) >= 9
        await store.close()

    def offer(serial: int) -> OfferRecord:
        return OfferRecord(at=AT, slip="c", purpose="comeback", state=OfferState.PRINTED, ref=serial, value_minor=500)

    asyncio.run(play())


def test_nothing_of_another_box_is_taken_over(tmp_path: Path) -> None:
    async def make(folder: Path, first: int) -> None:
        await (await filled(folder, first, first + 19)).close()

    asyncio.run(make(tmp_path / "one", 1))
    asyncio.run(make(tmp_path / "other", 1001))
    backup(tmp_path / "one", tmp_path / "b", NOW_MS)
    assert "another box" in restore(tmp_path / "other", tmp_path / "b", NOW_MS)
    with closing(peek(tmp_path / "other")) as restored:
        documents = {row[0] for row in restored.execute("SELECT document FROM receipts")}
    assert documents == set(range(1, 21))


def test_a_new_box_can_be_made_of_a_backup(tmp_path: Path) -> None:
    async def look() -> None:
        store = Store.open(tmp_path / "new")
        assert len(list(store.past_receipts(100))) == 20
        await store.close()

    asyncio.run(_fill_and_close(tmp_path / "box"))
    backup(tmp_path / "box", tmp_path / "b", NOW_MS)
    restore(tmp_path / "new", tmp_path / "b", NOW_MS)
    asyncio.run(look())


def test_a_restored_box_is_not_told_that_something_was_broken(tmp_path: Path) -> None:
    Store.open(tmp_path / "box").close_now()
    backup(tmp_path / "box", tmp_path / "copy.db", 1_700_000_000_000)
    said = restore(tmp_path / "new", tmp_path / "copy.db", 1_700_000_000_000)
    assert "what was there before is in" in said
    assert "broken" not in said


def test_nothing_is_restored_under_a_running_engine(tmp_path: Path) -> None:
    async def play() -> None:
        store = await filled(tmp_path / "box", 1, 3)
        backup(tmp_path / "box", tmp_path / "b", NOW_MS)
        with pytest.raises(StoreError) as caught:
            restore(tmp_path / "box", tmp_path / "b", NOW_MS)
        assert caught.value.reason == "locked"
        await store.record(receipt(4))
        await store.close()

    asyncio.run(play())


@pytest.mark.parametrize("content", [b"", b"GARBAGE" * 1000, b"SQLite format 3\0" + bytes(5000)])
def test_what_is_no_backup_replaces_nothing(tmp_path: Path, content: bytes) -> None:
    asyncio.run(_fill_and_close(tmp_path / "box"))
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(StoreError, match="not a backup"):
        restore(tmp_path / "box", tmp_path / "b", NOW_MS)
    with pytest.raises(StoreError, match="not a backup"):
        read_manifest(tmp_path / "box" / FILE)
    assert backup(tmp_path / "box", tmp_path / "c", NOW_MS).rows == 40


def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    asyncio.run(_fill_and_close(tmp_path / "box"))
    backup(tmp_path / "box", tmp_path / "b", NOW_MS)
    with (tmp_path / "b").open("r+b") as file:
        file.seek(4096 * 20)
        file.write(os.urandom(4096))
    with pytest.raises(StoreError) as caught:
        restore(tmp_path / "box", tmp_path / "b", NOW_MS)
    assert caught.value.reason == "corrupt"


def test_a_backup_that_finds_no_room_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_fill_and_close(tmp_path / "box"))
    backup(tmp_path / "box", tmp_path / "b", NOW_MS)
    old = (tmp_path / "b").read_bytes()
    monkeypatch.setattr(backups, "ROOM_BYTES", 1 << 60)
    with pytest.raises(StoreFull) as caught:
        backup(tmp_path / "box", tmp_path / "b", NOW_MS)
    assert caught.value.reason == "disk"
    assert (tmp_path / "b").read_bytes() == old
    assert not (tmp_path / "b.part").exists()


def test_the_commands_say_what_they_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = f"engine.data={tmp_path / 'box'}"
    assert main(["backup", "--set", data, str(tmp_path / "b")]) == 2
    assert "there is none" in capsys.readouterr().err
    asyncio.run(_fill_and_close(tmp_path / "box"))
    assert main(["backup", "--set", data, str(tmp_path / "b")]) == 0
    assert main(["restore", "--set", data, str(tmp_path / "b")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("checked")
    assert said[1].startswith("40 rows of epoch 0001-")


@pytest.mark.parametrize(
    "planted",
    [
        "CREATE TRIGGER tidy AFTER INSERT ON redemptions BEGIN DELETE FROM redemptions; END",
        "CREATE VIEW spent AS SELECT 1",
    ],
)
def test_a_backup_that_acts_by_itself_is_none(tmp_path: Path, planted: str) -> None:
    """A stick lies about: what somebody has put into it must not forget coupons for him in the next box."""
    asyncio.run(filled(tmp_path / "box", 1, 2)).close_now()
    backup(tmp_path / "box", tmp_path / "stick.db", NOW_MS)
    with closing(sqlite3.connect(tmp_path / "stick.db")) as stick:
        stick.execute(planted)
    with pytest.raises(StoreError, match="somebody has put") as fault:
        restore(tmp_path / "new", tmp_path / "stick.db", NOW_MS)
    assert fault.value.reason == "backup"
    assert not (tmp_path / "new" / FILE).exists()


def test_a_replacement_begins_no_life_that_the_dead_box_may_have_had(tmp_path: Path) -> None:
    """Serials of coupons are counted in each life from its own first: two boxes in one life give the same ones."""
    dead, new = tmp_path / "dead", tmp_path / "new"
    asyncio.run(filled(dead, 1, 2)).close_now()
    backup(dead, tmp_path / "stick.db", NOW_MS)
    lives = set()
    for _ in range(4):  # its card forgets, is repaired, and at last dies
        (dead / "edgebox.lock").unlink()
        store = Store.open(dead)
        lives.add(store.epoch.partition("-")[0])
        store.close_now()
    restore(new, tmp_path / "stick.db", NOW_MS)
    replacement = Store.open(new)
    assert replacement.epoch.partition("-")[0] not in lives
    replacement.close_now()
