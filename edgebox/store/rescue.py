"""What happens to a broken database: looked at before SQLite touches it, set aside, salvaged into a new one.

Owns: the look, the names of what is set aside, and the order of steps in which nothing can be lost. Never: deletes or
changes a broken file; never decides row by row (salvage.py).

1. `look` finds what SQLite would pass over: an empty file (it throws the log away), a log whose middle is broken (it
   ignores the rest), a log without its database. quick_check is the Database's own, after an unclean stop.
2. `mend` writes `edgebox.db.salvaging` from the broken files, which it only reads, and syncs it.
3. That becomes `edgebox.db.salvaged`: from here on a power cut only has to be followed by steps 4 and 5 again.
4. The broken file, its -wal and -shm go to `broken-2026-11-18T184207/`.
5. The salvaged file takes the database's name. Who opens it begins a new epoch.

At most ASIDE_MAX broken databases are set aside. With so many the card is dying: the next one stays where it is, the
store does not open, nothing is recorded and nothing promised, and the shop prints on without slips.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from edgebox.errors import StoreError, StoreFull
from edgebox.store.blocks import Blocks, sync
from edgebox.store.events import Stream
from edgebox.store.faults import of_sqlite, of_system
from edgebox.store.migrations import migrate
from edgebox.store.pages import MAGIC, PageFile
from edgebox.store.places import DAMAGED, NUMBER_OF, STREAMS, pack, span
from edgebox.store.salvage import Salvage, Salvaged
from edgebox.store.wal import read_wal
from edgebox.store.waterline import FILE as MARK
from edgebox.store.waterline import Mark, read_mark

ASIDE_MAX = 8
ASIDE = "broken-"
REPLACED = "replaced-"  # by a backup: somebody's wish, and no sign of a dying card
ROOM_BYTES = 1 << 20  # more than the database has now: a salvaged one is packed a little worse, or better
TAILS = ("-wal", "-shm")
PAGE_BYTES = 4096  # as edgebox/store/database.py, which this module may not import: it imports this one


def look(path: Path) -> str:
    """What is wrong with the files, in words; "": nothing that can be seen without SQLite. OSError.

    A missing or empty database without a log is nothing to salvage; whether it should be there is the sidecar's to say.
    """
    if salvaged_path(path).exists():
        return "a repair was interrupted"
    log = _tail(path, "-wal")
    size = path.stat().st_size if path.exists() else 0
    logged = log.stat().st_size if log.exists() else 0
    if not size:
        return "the database is empty or missing, its log is there" if logged else ""
    with closing(Blocks(path)) as file, closing(Blocks(log)) as frames:
        if file[: len(MAGIC)] != MAGIC:
            return "the file is not a database"
        broken = read_wal(frames).broken if logged else 0
    return f"the log is broken in {broken} places" if broken else ""


def mend(path: Path, why: str, at_ms: int, prefix: str = ASIDE) -> str:
    """Sets the broken database aside and puts a whole one in its place; in words what came of it.

    `at_ms`: now, in milliseconds since 1970; `prefix`: of the folder's name. StoreError `corrupt`: too many are set
    aside already; StoreFull `disk`: no room to salvage into. Then everything is as it was.
    """
    try:
        is_salvaged = salvaged_path(path).exists()
        aside = _aside(path, at_ms, prefix, ASIDE_MAX + is_salvaged)  # an interrupted repair may have a folder already
        words = "the repair is finished"
        if not is_salvaged:
            words = _words(_salvage(path, at_ms))
            os.replace(_salvaging(path), salvaged_path(path))
            sync(path.parent)
        aside.mkdir(mode=0o700)
        (aside / "why").write_text(f"{why}\n{words}\n", "utf-8")
        for tail in (*TAILS, ""):
            if _tail(path, tail).exists():
                os.replace(_tail(path, tail), aside / f"{path.name}{tail}")
        sync(aside)
        os.replace(salvaged_path(path), path)
        sync(path.parent)
    except OSError as fault:
        raise of_system(fault, path) from fault
    if prefix == REPLACED:  # nothing was broken
        return f"what was there before is in {aside}"
    return f"{words}; the broken files are in {aside}"


def asides(folder: Path) -> list[Path]:
    """The broken databases that were set aside, oldest first."""
    return sorted(found for found in folder.glob(f"{ASIDE}*") if found.is_dir())


def give_up_behind(connection: sqlite3.Connection, mark: Mark | None, at_ms: int) -> dict[Stream, int]:
    """Numbers that the mark says were given and the database has no row for: noted as lost, counted by stream.

    In the caller's transaction. Not empty: a new epoch has to begin. Only the mark's own epoch is looked at; a database
    that has never heard of it (a new one, an old backup) learns its name. The cloud may have some of these numbers.
    """
    if mark is None:
        return {}
    connection.execute(
        "INSERT OR IGNORE INTO epochs VALUES (?, ?, ?, ?)", (mark.ordinal, mark.name, at_ms, "remembered")
    )
    known = connection.execute("SELECT name FROM epochs WHERE epoch = ?", (mark.ordinal,)).fetchone()
    if known != (mark.name,):
        return {}
    return {stream: count for stream in STREAMS if (count := _behind(connection, mark, stream, at_ms))}


def _behind(connection: sqlite3.Connection, mark: Mark, stream: Stream, at_ms: int) -> int:
    low, high = span(stream, mark.ordinal)
    ends = connection.execute(
        "SELECT (SELECT max(place) FROM journal WHERE place BETWEEN ?1 AND ?2) - ?1,"
        " (SELECT max(last) FROM lost WHERE first BETWEEN ?1 AND ?2) - ?1,"
        " (SELECT max(acknowledged, removed) FROM heads WHERE stream = ?3 AND epoch = ?4)",
        (low, high, NUMBER_OF[stream], mark.ordinal),
    ).fetchone()
    end = max(found or 0 for found in ends)
    if mark.ends[stream] <= end:
        return 0
    row = (pack(stream, mark.ordinal, end + 1), pack(stream, mark.ordinal, mark.ends[stream]), DAMAGED, at_ms)
    connection.execute("INSERT INTO lost VALUES (?, ?, ?, ?)", row)
    return mark.ends[stream] - end


# -- the steps


def _salvage(path: Path, at_ms: int) -> Salvaged:
    target = _salvaging(path)
    target.unlink(missing_ok=True)  # of an interrupted attempt; the broken files are all still there
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    mark = read_mark(path.parent / MARK)
    old = PageFile(path, _tail(path, "-wal"))
    wanted = old.used_bytes + ROOM_BYTES
    if shutil.disk_usage(path.parent).free < wanted:  # before a card that is ill is written to
        old.close()
        target.unlink()
        raise StoreFull(f"{path}: no room to salvage it", reason="disk", hint=f"it takes {-(-wanted >> 20)} MB")
    new = sqlite3.connect(target, isolation_level=None)
    try:
        new.execute(f"PRAGMA page_size={PAGE_BYTES}")
        for pragma in ("auto_vacuum=INCREMENTAL", "journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE"):
            new.execute(f"PRAGMA {pragma}").fetchall()  # the file is worth nothing until it is whole and synced
        migrate(new)
        marks = [pack(stream, mark.ordinal, end) for stream, end in mark.ends.items() if end] if mark else []
        found = Salvage(old, new).run(marks, {mark.ordinal: mark.name} if mark else {}, at_ms)
        ((words,), *_) = new.execute("PRAGMA quick_check(1)").fetchall()
        if words != "ok":
            raise StoreError(f"{target}: {words}", reason="corrupt", hint="the card is dying: replace it")
    except sqlite3.Error as fault:
        target.unlink(missing_ok=True)
        raise of_sqlite(fault, target) from fault
    finally:
        new.close()
        old.close()
    sync(target)
    return found


def _words(found: Salvaged) -> str:
    lost = ", ".join(f"{count} {stream}" for stream, count in found.lost.items()) or "none"
    return f"{found.rows} rows salvaged, {found.rebuilt} of them from what the page knew; lost: {lost}"


def _aside(path: Path, at_ms: int, prefix: str, most: int) -> Path:
    """A name that is free."""
    have = asides(path.parent)
    if prefix == ASIDE and len(have) >= most:
        raise StoreError(
            f"{path.parent}: {len(have)} broken databases are set aside",
            reason="corrupt",
            hint="the card is dying: take them away, and replace it",
        )
    stamp = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H%M%S")
    names = (path.parent / f"{prefix}{stamp}{tail}" for tail in chain(("",), (f"-{n}" for n in count(2))))
    return next(name for name in names if not name.exists())


def _tail(path: Path, tail: str) -> Path:
    return path.with_name(path.name + tail)


def _salvaging(path: Path) -> Path:
    return _tail(path, ".salvaging")


def salvaged_path(path: Path) -> Path:
    """What stands there and is whole takes the database's place at the next `mend` or start."""
    return _tail(path, ".salvaged")
