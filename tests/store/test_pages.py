"""A database read without SQLite: the same rows as SQLite's own, and no bytes that upset the reader."""

import os
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.store.pages import PageFile, Value
from edgebox.store.wal import read_wal

VALUES = st.one_of(
    st.none(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.binary(max_size=9000),
)


def rows_of(database: Path, table: str, wal: Path | None = None) -> list[tuple[Value, ...]]:
    pages = PageFile(database, wal)
    try:
        return [record.values for record in pages.records() if pages.tables.get(record.root) == table]
    finally:
        pages.close()


def made(folder: Path, rows: list[tuple[object, ...]], *, rowid: bool = True) -> Path:
    """A database with a table `t` (n, v), in WAL mode, left as a crash would leave it: with its log."""
    path = folder / "made.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA wal_autocheckpoint=20")
    db.execute(f"CREATE TABLE t (n INTEGER NOT NULL, v, PRIMARY KEY (n)){'' if rowid else ' WITHOUT ROWID'}")
    for row in rows:
        db.execute("INSERT INTO t VALUES (?, ?)", row)
    for end in ("", "-wal"):
        (folder / f"copy.db{end}").write_bytes(Path(f"{path}{end}").read_bytes())
    db.close()
    return folder / "copy.db"


@settings(max_examples=30, deadline=None)
@given(values=st.lists(VALUES, max_size=30), rowid=st.booleans())
def test_the_same_rows_are_read_as_sqlite_reads(values: list[object], rowid: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = made(Path(name), list(enumerate(values)), rowid=rowid)
        read = rows_of(path, "t", Path(f"{path}-wal"))
        # A whole number in a column of floats, a rowid in its own column: the format stores neither as it was given.
        expected = [(None if rowid else n, value) for n, value in enumerate(values)]
        assert sorted(read, key=repr) == sorted(expected, key=repr)


def test_rows_below_a_broken_inner_page_are_read(tmp_path: Path) -> None:
    path = made(tmp_path, [(n, f"row {n} " * 20) for n in range(2000)])
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 't'").fetchone()[0]
    db.close()
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * 4096 : root * 4096] = os.urandom(4096)
    path.write_bytes(raw)
    pages = PageFile(path)
    found = {record.values[1] for record in pages.records() if record.root == 0}
    pages.close()
    assert len(found & {f"row {n} " * 20 for n in range(2000)}) == 2000


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bytes_upset_the_reader(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = made(Path(name), [(n, f"row {n} " * 300) for n in range(30)])
        for file in (path, Path(f"{path}-wal")):
            raw = bytearray(file.read_bytes())
            for _ in range(data.draw(st.integers(0, 20))):
                raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
            file.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
        rows_of(path, "t", Path(f"{path}-wal"))


@given(raw=st.binary(max_size=2000))
def test_no_log_upsets_the_reader(raw: bytes) -> None:
    assert read_wal(raw).broken == 0


# -- the log


def log_of(folder: Path) -> bytes:
    """A log of 31 transactions."""
    path = folder / "log.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT)")
    for n in range(30):
        db.execute("INSERT INTO t VALUES (?, ?)", (n, "x" * 3000))
    raw = Path(f"{path}-wal").read_bytes()
    db.close()
    return raw


def test_a_whole_log_is_read_as_sqlite_reads_it(tmp_path: Path) -> None:
    raw = log_of(tmp_path)
    wal = read_wal(raw)
    assert (wal.broken, len(wal.frames)) == (0, (len(raw) - 32) // (4096 + 24))


@pytest.mark.parametrize("cut", [1, 24, 4000, 4120, 9000])
def test_a_log_cut_short_is_not_broken(tmp_path: Path, cut: int) -> None:
    wal = read_wal(log_of(tmp_path)[:-cut])
    assert wal.broken == 0
    assert wal.frames
    assert wal.seen == len(wal.frames)


def test_frames_behind_a_broken_one_are_found_and_the_break_is_counted(tmp_path: Path) -> None:
    raw = bytearray(log_of(tmp_path))
    whole = len(read_wal(raw).frames)
    raw[32 + 10 * 4120 + 500] ^= 0xFF
    wal = read_wal(raw)
    assert wal.broken == 1
    assert wal.seen < 11 < whole - 3 <= len(wal.frames) < whole


def test_a_broken_frame_at_the_very_end_is_what_a_power_cut_leaves(tmp_path: Path) -> None:
    raw = bytearray(log_of(tmp_path))
    raw[-100] ^= 0xFF
    assert read_wal(raw).broken == 0
