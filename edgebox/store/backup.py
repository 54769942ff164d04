"""Backups: one file that holds everything, made while the engine records, and put back when it doesn't.

Owns: how a copy is made, what makes it a backup (its manifest), and the steps of putting one back. Never: writes to the
live database, never deletes one, and never puts a backup under a running engine.

A copy is read through a connection of its own that can only read. It sees the database as it was at one moment, and
neither writes nor checkpoints, so it is out of reach of SQLite 3.40.1's WAL-reset bug (sidecar.py); nothing has to be
asked of the engine, which may be busy, hung or stopped. The price: the log can't begin anew meanwhile; it grows by what
is recorded during the copy. The copy goes in steps, so that the card has time for receipts.

A backup that is put back begins a new epoch: numbers given since it was made must not come a second time. If the old
database still opens, and is of the same box, what can be read of it is taken over: no row, no use of a coupon since the
backup is forgotten. If not, rows recorded since are told as lost, as far as the mark (waterline.py) knows them, and the
desk stays closed until somebody knows what was redeemed since (edgebox/desk/handover.py). The old database is set
aside, as a broken one.

Some files of the data folder go along inside the backup (BESIDE): who the box is on the till's USB port. Secrets go
along sealed, if whoever makes the backup says so (edgebox/appliance/recovery.py): a stick lies about.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from edgebox.errors import StoreError, StoreFull
from edgebox.store.blocks import sync
from edgebox.store.database import FILE
from edgebox.store.events import Stream
from edgebox.store.faults import of_sqlite, of_system
from edgebox.store.migrations import NEWEST, migrate
from edgebox.store.pages import PageFile
from edgebox.store.peek import peek
from edgebox.store.redemptions import put_unknown
from edgebox.store.rescue import REPLACED, mend, salvaged_path
from edgebox.store.salvage import Salvage
from edgebox.store.sidecar import Left, Sidecar, belong

STEP_PAGES = 256  # 1 MB: some 50 ms of a card
OWN_PLACE = Path("backups") / "edgebox.backup"  # in the data folder, where no other disk is named
REST_S = 0.01  # between two steps
MANIFEST: Final = "backup"  # the fact that makes a database a backup
BESIDE = ("gadget.json",)  # files of the data folder that a backup has in it
_BESIDE: Final = "beside."  # the facts that hold them
BESIDE_BYTES = 64 << 10  # of one; larger ones stay behind, and the backup fails
ROOM_BYTES = 16 << 20  # that a backup leaves on the disk it goes to
# Epochs that the old box may have begun behind its backup: a dying card is repaired again and again before it is dead,
# and each life gives out serials of its own. 9999 there are.
UNKNOWN_LIVES = 20


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself. `version`: of the tables; `at_ms`: when it was made; `rows`: of the journal; `box`:
    whose it is, "" for one without a cloud."""

    version: int
    ordinal: int
    epoch: str
    at_ms: int
    rows: int
    box: str = ""


def backup(
    folder: Path,
    target: Path,
    at_ms: int,
    *,
    progress: Callable[[int, int], None] = lambda done, pages: None,
    more: Mapping[str, bytes] | None = None,
    box: str = "",
) -> Manifest:
    """Copies the database in `folder` to the file `target`, which is whole and checked when this returns. Blocks.

    `progress`: told pages copied, and all; `more`: what goes along by name, besides BESIDE; `box`: its name.
    StoreError: `io`, `corrupt` (the copy, and so the database, is damaged), `missing`, `size`; StoreFull `disk`. Then
    there is no new `target`, and an old one is as it was.
    """
    if not (folder / FILE).exists():
        raise StoreError(f"{folder / FILE}: there is none", reason="missing", hint="[engine] data")
    part = target.with_name(f"{target.name}.part")
    try:
        with closing(peek(folder)) as live:
            live.execute("BEGIN")
            _check_room(live, target)
            _create(part)
            along = {**_beside(folder), **(more or {})}
            with closing(sqlite3.connect(part, isolation_level=None)) as copy:
                copy.execute("PRAGMA synchronous=OFF")  # synced once, when it is whole
                live.backup(copy, pages=STEP_PAGES, progress=lambda _, left, pages: _rest(progress, left, pages))
                manifest = _seal(copy, at_ms, box, along)
        sync(part)
        os.replace(part, target)
        sync(target.absolute().parent)
    except (sqlite3.Error, OSError) as fault:
        raise _fault_of(fault, target) from fault
    finally:
        part.unlink(missing_ok=True)
    return manifest


def restore(folder: Path, source: Path, at_ms: int) -> str:
    """Puts a backup in the database's place; in words what came of it. Blocks.

    StoreError: `locked` (the engine runs), `backup` (the file is none), `version`, `corrupt`, `io`; StoreFull `disk`.
    Then everything is as it was.
    """
    manifest = read_manifest(source)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < source.stat().st_size + ROOM_BYTES:
            raise StoreFull(f"{folder}: no room for {source}", reason="disk", hint="free some space")
    except OSError as fault:
        raise of_system(fault, folder / FILE) from fault
    path = folder / FILE
    with closing(Sidecar(folder)) as sidecar:
        ready = path.with_name(f"{FILE}.restoring")
        try:
            _create(ready)
            shutil.copyfile(source, ready)
            _unseal(ready)
            taken, knows_all = _take_over(path, ready, at_ms)
            if not knows_all:
                with closing(sqlite3.connect(ready, isolation_level=None)) as database:
                    put_unknown(database)
            belong(ready)
            sync(ready)
            last = manifest.ordinal + (0 if knows_all else UNKNOWN_LIVES)
            sidecar.write(Left.NEW, max(sidecar.ordinal, last))  # first: a new epoch too many does no harm
            os.replace(ready, salvaged_path(path))
        except sqlite3.Error as fault:
            raise of_sqlite(fault, ready) from fault
        except OSError as fault:
            raise of_system(fault, ready) from fault
        finally:
            ready.unlink(missing_ok=True)
        words = mend(path, f"replaced by the backup {source.name}", at_ms, REPLACED)
    return f"{manifest.rows} rows of epoch {manifest.epoch} restored{taken}; {words}"


def read_manifest(source: Path) -> Manifest:
    """StoreError `backup`: not one of ours; `version`: a newer edgebox made it; `corrupt`: it is damaged."""
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as copy:
            row = copy.execute("SELECT value FROM facts WHERE key = ?", (MANIFEST,)).fetchone()
            manifest = msgspec.json.decode(row[0] if row else b"", type=Manifest)
            acts = copy.execute("SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'view')").fetchone()
            damage = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except (sqlite3.Error, msgspec.MsgspecError) as fault:
        raise StoreError(f"{source}: not a backup of edgebox ({fault})", reason="backup") from fault
    if acts is not None:  # ours have none; in the engine's database one could unsay what is recorded
        raise StoreError(f"{source}: somebody has put {acts[0]!r} into it", reason="backup", hint="another backup")
    if damage != "ok":
        raise StoreError(f"{source}: {damage}", reason="corrupt", hint="take another backup")
    if manifest.version > NEWEST:
        raise StoreError(f"{source}: of a newer edgebox", reason="version", hint="install that one first")
    return manifest


def along(source: Path) -> dict[str, bytes]:
    """What lies inside a backup besides the database, by name. StoreError as `read_manifest`."""
    read_manifest(source)
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as copy:
        rows = copy.execute("SELECT key, value FROM facts WHERE substr(key, 1, ?) = ?", (len(_BESIDE), _BESIDE))
        return {key[len(_BESIDE) :]: value for key, value in rows.fetchall()}


def _rest(progress: Callable[[int, int], None], left: int, pages: int) -> None:
    """Python's own `sleep` is only for a busy database."""
    progress(pages - left, pages)
    time.sleep(REST_S)


def _check_room(live: sqlite3.Connection, target: Path) -> None:
    pages, size = (live.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if shutil.disk_usage(target.absolute().parent).free < pages * size + ROOM_BYTES:
        raise StoreFull(f"{target}: no room for {pages * size >> 20} MB", reason="disk", hint="another disk")


def _fault_of(fault: sqlite3.Error | OSError, target: Path) -> StoreError:
    """SQLite calls it an I/O error when a journal beside the file finds no room."""
    if shutil.disk_usage(target.absolute().parent).free < ROOM_BYTES:
        return StoreFull(f"{target}: {fault}", reason="disk", hint="another disk")
    return of_sqlite(fault, target) if isinstance(fault, sqlite3.Error) else of_system(fault, target)


def _beside(folder: Path) -> dict[str, bytes]:
    found = {}
    for name in BESIDE:
        path = folder / name
        if path.is_symlink() or not path.is_file():  # root's backup must not take along what a link leads to
            continue
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            found[name] = file.read(BESIDE_BYTES + 1)
        if len(found[name]) > BESIDE_BYTES:
            raise StoreError(f"{path}: too large", reason="size", hint="it is not what it should be")
    return found


def _seal(copy: sqlite3.Connection, at_ms: int, box: str, along: Mapping[str, bytes]) -> Manifest:
    """Checks the copy through, and says in it what it is."""
    damage = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if damage != "ok":
        raise StoreError(damage, reason="corrupt", hint="restart the engine: it salvages what can be read")
    copy.execute("PRAGMA journal_mode=DELETE").fetchall()  # one file, no log beside it
    ordinal, epoch = copy.execute("SELECT epoch, name FROM epochs ORDER BY epoch DESC LIMIT 1").fetchone()
    manifest = Manifest(
        version=copy.execute("PRAGMA user_version").fetchone()[0],
        ordinal=ordinal,
        epoch=epoch,
        at_ms=at_ms,
        rows=copy.execute("SELECT count(*) FROM journal").fetchone()[0],
        box=box,
    )
    facts = {MANIFEST: msgspec.json.encode(manifest), **{f"{_BESIDE}{name}": raw for name, raw in along.items()}}
    copy.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())
    return manifest


def _unseal(path: Path) -> None:
    """A database again, of today's version."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("DELETE FROM facts WHERE key = ? OR substr(key, 1, ?) = ?", (MANIFEST, len(_BESIDE), _BESIDE))
        migrate(database)


def _take_over(old: Path, ready: Path, at_ms: int) -> tuple[str, bool]:
    """What the database that is to be replaced has besides, in words, and whether that was all there is. Of another box
    nothing is taken, for its numbers mean other rows; nor of one that doesn't open, for that could not be told."""
    try:
        if not old.exists():
            return "", False
        with closing(peek(old.parent)) as live, closing(sqlite3.connect(ready)) as copy:
            its, ours = (dict(one.execute("SELECT epoch, name FROM epochs").fetchall()) for one in (live, copy))
        shared = its.keys() & ours.keys()
        if not shared or any(its[ordinal] != ours[ordinal] for ordinal in shared):
            return ", nothing of another box's database", False
    except sqlite3.Error as fault:
        return f", nothing of the old database ({fault})", False
    with (
        closing(PageFile(old, old.with_name(f"{old.name}-wal"))) as pages,
        closing(sqlite3.connect(ready, isolation_level=None)) as database,
    ):
        (before,) = database.execute("SELECT count(*) FROM journal").fetchone()
        found = Salvage(pages, database).run((), its, at_ms)
    return f", {found.rows - before} rows since then taken over", not found.lost.get(Stream.REDEMPTIONS)


def _create(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)  # of a killed attempt: SQLite would play it back
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
