"""The data folder: copied, moved, shared, without its small file, or somebody else's."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from edgebox.errors import StoreError
from edgebox.store import sidecar as sidecars
from edgebox.store.backup import backup, restore
from edgebox.store.database import FILE, PAGE_BYTES
from edgebox.store.events import Stream
from edgebox.store.places import Place
from edgebox.store.sidecar import Left, Sidecar
from edgebox.store.store import Store
from tests.faults.ledger import AT, Ledger, receipt
from tests.store.broken import consumed, left_open, settle, spoil

LOCK = sidecars.FILE


def record(folder: Path, number: int) -> Place:
    """One receipt; where it stands."""

    async def play() -> Place:
        store = Store.open(folder)
        (place,) = await store.record(receipt(number))
        await store.close()
        return place

    return asyncio.run(play())


def test_a_copy_of_a_folder_gives_no_number_that_the_first_one_gives(tmp_path: Path) -> None:
    record(tmp_path / "one", 1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    places = [record(tmp_path / "one", 2), record(tmp_path / "two", 3), record(tmp_path / "one", 4)]
    assert len(set(places)) == 3
    assert places[0].epoch == places[2].epoch != places[1].epoch
    assert record(tmp_path / "two", 5).epoch == places[1].epoch  # it is at home there now


def test_an_old_copy_that_is_put_back_gives_no_number_again(tmp_path: Path) -> None:
    record(tmp_path / "box", 1)
    shutil.copytree(tmp_path / "box", tmp_path / "copy")
    place = record(tmp_path / "box", 2)
    shutil.rmtree(tmp_path / "box")
    shutil.copytree(tmp_path / "copy", tmp_path / "box")
    assert record(tmp_path / "box", 3).epoch != place.epoch


def test_a_first_start_that_the_power_cuts_short_is_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the first epoch's commit and the small file that says so: found by cutting a recorded disk there."""
    write = Sidecar.write

    def cut(sidecar: Sidecar, left: Left, ordinal: int) -> None:
        if ordinal:
            raise OSError(5, "the power is off")
        write(sidecar, left, ordinal)

    monkeypatch.setattr(Sidecar, "write", cut)
    with pytest.raises(StoreError):
        Store.open(tmp_path)
    monkeypatch.undo()
    store = Store.open(tmp_path)
    assert (store.news, store.epoch[:4]) == ([], "0001")
    store.close_now()


def test_a_folder_that_is_moved_goes_on(tmp_path: Path) -> None:
    place = record(tmp_path / "box", 1)
    (tmp_path / "box").rename(tmp_path / "there")
    assert record(tmp_path / "there", 2) == Place(Stream.RECEIPTS, place.epoch, 2)


def test_another_card_is_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = ["card one"]
    monkeypatch.setattr(sidecars, "_card", lambda device: cards[-1])
    place = record(tmp_path, 1)
    assert record(tmp_path, 2).epoch == place.epoch
    cards.append("card two")
    assert record(tmp_path, 3).epoch != place.epoch


def test_a_card_is_known_by_the_disk_below_its_partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecars, "DISKS", tmp_path / "dev")
    disk, crypt = tmp_path / "sys/mmcblk0", tmp_path / "sys/dm-0"
    for folder in (disk / "device", disk / "mmcblk0p2", crypt / "slaves", tmp_path / "dev"):
        folder.mkdir(parents=True)
    (disk / "device/cid").write_text("1b534d454231515430\n")
    (disk / "mmcblk0p2/partition").write_text("2\n")
    (crypt / "slaves/mmcblk0p2").symlink_to(disk / "mmcblk0p2")
    for name, where in (("179:2", disk / "mmcblk0p2"), ("253:0", crypt)):
        (tmp_path / "dev" / name).symlink_to(where)
    assert sidecars._card(os.makedev(179, 2)) == sidecars._card(os.makedev(253, 0)) == "1b534d454231515430"
    assert sidecars._card(os.makedev(0, 40)) == ""


@pytest.mark.parametrize("raw", [None, b"", b"open  0001\n", b"\0" * 24, b"GARBAGE " * 9])
def test_a_database_whose_small_file_is_gone_is_looked_over_and_begins_an_epoch(
    tmp_path: Path, raw: bytes | None
) -> None:
    path, ledger = left_open(tmp_path / "box", 40)
    settle(path)
    spoil(path, path.stat().st_size // PAGE_BYTES // 2)
    (path.parent / LOCK).unlink()
    if raw is not None:
        (path.parent / LOCK).write_bytes(raw)
    news = consumed(path.parent, ledger)
    assert "damaged" in news[0]
    row = ledger.row("")
    assert (row.delivered, row.given_up, row.lost, row.duplicated) == (row.accepted, 0, 0, 0)
    assert record(path.parent, 99).epoch.startswith("0002-")


def test_a_mark_of_another_box_takes_nothing(tmp_path: Path) -> None:
    path, ledger = left_open(tmp_path / "box", 5)
    left_open(tmp_path / "other", 50)
    shutil.copy(tmp_path / "other/edgebox.mark", path.parent / "edgebox.mark")
    consumed(path.parent, ledger)
    row = ledger.row("")
    assert (row.delivered, row.lost, row.duplicated) == (row.accepted, 0, 0)


def test_a_second_engine_is_kept_out_even_if_somebody_removes_the_small_file(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    (tmp_path / LOCK).unlink()
    with pytest.raises(StoreError) as caught:
        Store.open(tmp_path)
    assert caught.value.reason == "locked"
    store.close_now()


def test_what_was_left_is_remembered(tmp_path: Path) -> None:
    with closing(Sidecar(tmp_path)) as found:
        assert (found.left, found.ordinal, found.is_at_home) == (Left.OPEN, 0, False)
        found.write(Left.CLEAN, 7)
    with closing(Sidecar(tmp_path)) as found:
        assert (found.left, found.ordinal, found.is_at_home) == (Left.CLEAN, 7, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")
def test_what_root_restores_belongs_to_who_runs_the_engine(tmp_path: Path) -> None:
    record(tmp_path / "box", 1)
    backup(tmp_path / "box", tmp_path / "b", AT * 1000)
    (tmp_path / "new").mkdir()
    os.chown(tmp_path / "new", 65534, 65534)
    restore(tmp_path / "new", tmp_path / "b", AT * 1000)
    assert {path.name for path in (tmp_path / "new").iterdir() if path.stat().st_uid == 65534} >= {FILE, LOCK}
    ledger = Ledger()
    consumed(tmp_path / "new", ledger)
    assert ledger.row("").lost == 0
