"""The database file: opened for this process alone, looked over after a power cut, set aside when it is broken.

Owns: the file's name, its PRAGMAs, the check, and the epoch. Never: deletes a database, and never goes on without one.

One connection, in WAL mode, with synchronous=FULL: a COMMIT returns when the log is on the card. Reasons and figures:

- page_size: see PAGE_BYTES.
- auto_vacuum=INCREMENTAL: retention gives space back in small steps; must be set before the first table.
- wal_autocheckpoint: the writer copies the log into the file when nobody waits (edgebox/store/writer.py); the pragma is
  only for a shop that is busy for very long. journal_size_limit cuts the log back after that.
- cache_size: 8 MB; the inner pages of a database with a million receipts take 2 MB, and the box has 512 MB for all.
- mmap_size=0: a card that fails gives an error code then, not a SIGBUS.
- secure_delete=FAST: what is deleted is overwritten where that costs no extra write.
- cell_size_check: damage is found early.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from edgebox.errors import StoreError
from edgebox.store.blocks import sync
from edgebox.store.checkup import check
from edgebox.store.clock import Clock
from edgebox.store.events import Stream
from edgebox.store.faults import of_sqlite, of_system
from edgebox.store.migrations import migrate
from edgebox.store.places import EPOCH_MAX
from edgebox.store.rescue import give_up_behind, look, mend
from edgebox.store.sidecar import Left, Sidecar
from edgebox.store.waterline import FILE as MARK
from edgebox.store.waterline import Mark, Waterline, read_mark

FILE = "edgebox.db"
PAGE_BYTES = 4096
WAL_PAGES = 4000  # 16 MB: the longest that the log becomes
CACHE_KB = 8192
BUSY_MS = 1000  # for a reader in another process that stands in the way of a checkpoint
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"wal_autocheckpoint={WAL_PAGES}",
    f"journal_size_limit={WAL_PAGES * PAGE_BYTES}",
    f"cache_size=-{CACHE_KB}",
    f"busy_timeout={BUSY_MS}",
    "mmap_size=0",
    "temp_store=MEMORY",
    "secure_delete=FAST",
    "cell_size_check=ON",
    "trusted_schema=OFF",
)


class Epoch(NamedTuple):
    """A life of the database."""

    ordinal: int
    name: str


def _make(folder: Path) -> None:
    """StoreError `folder`: it can't be made there, and waiting would not help. OSError for a full or failing card."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileNotFoundError, PermissionError) as fault:
        raise StoreError(f"{folder}: {fault.strerror}", reason="folder", hint="[engine] data") from fault


class Database:
    """The open file. `news`: what a person should hear about this start."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Blocks; after a power cut for the time of a check. StoreError."""
        self.path = folder / FILE
        self.news: list[str] = []
        self.is_checked = True  # False: the check after a power cut takes long, and is to be done beside the records
        self._salvaged = False
        self._clock = clock
        with contextlib.ExitStack() as undo:
            try:
                _make(folder)
                self._sidecar = Sidecar(folder)
                undo.callback(self._sidecar.close)
                self._waterline = Waterline(folder / MARK)
                undo.callback(self._waterline.close)
                self._open()
            except OSError as fault:
                raise of_system(fault, self.path) from fault
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, *, is_sound: bool = True) -> None:
        """Brings the log into the file and says that all is well, if it is. StoreError; let go of it is in any case."""
        try:
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self.connection.close()
            self._sidecar.write(Left.CLEAN if is_sound else Left.OPEN, self._sidecar.ordinal)
        except sqlite3.Error as fault:
            raise of_sqlite(fault, self.path) from fault
        except OSError as fault:
            raise of_system(fault, self.path) from fault
        finally:
            self.connection.close()
            self._waterline.close()
            self._sidecar.close()

    def committed(self, ends: Mapping[Stream, int]) -> None:
        """Puts the last number of each stream beside the database, for the case that the card loses a commit."""
        with contextlib.suppress(OSError):  # it only helps to find what a bad card does; the record itself is safe
            self._waterline.write(Mark(*self.epoch, ends))

    def mend(self, why: str) -> None:
        """The file is broken: sets it aside, salvages what can be read, and opens the new one in a new epoch.

        StoreError; then the broken one is as it was, and still open. It is closed once it has been set aside: SQLite
        copies no log into a file that was moved (os_unix.c: fileHasMoved), so nothing is changed in it.
        """
        self._mend(why)
        self.connection.close()
        self._open()

    # -- opening

    def _open(self) -> None:
        why = self._visible_damage()
        if why:
            self._mend(why)
        try:
            self._connect()
        except StoreError as fault:
            if fault.reason != "corrupt":
                raise
            self._mend(str(fault))
            self._connect()

    def _visible_damage(self) -> str:
        """What SQLite would pass over: of an empty file it throws the log away and begins anew."""
        if self._sidecar.ordinal and self.path.exists() and not self.path.stat().st_size:
            return "the file is empty"
        return look(self.path)

    def _connect(self) -> None:
        was_there = self.path.exists()
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # -wal and -shm take its rights over
        try:  # it reads the file's first page at once
            self.connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000
            )
        except sqlite3.Error as fault:
            raise of_sqlite(fault, self.path) from fault
        try:
            self._prepare()
            self._begin(was_there)
        except sqlite3.Error as fault:
            self.connection.close()
            raise of_sqlite(fault, self.path) from fault
        except UnicodeDecodeError as fault:  # SQLite quotes the broken bytes of its schema in what it says
            self.connection.close()
            raise StoreError(f"{self.path}: its schema can't be read", reason="corrupt") from fault
        except BaseException:
            self.connection.close()
            raise

    def _prepare(self) -> None:
        execute = self.connection.execute
        execute(f"PRAGMA page_size={PAGE_BYTES}")
        execute("PRAGMA auto_vacuum=INCREMENTAL")
        for pragma in PRAGMAS:
            execute(f"PRAGMA {pragma}").fetchall()
        if self._sidecar.left is not Left.CLEAN:
            self._check()
        migrate(self.connection)

    def _check(self) -> None:
        """After a power cut. StoreError `corrupt`."""
        found = check(self.connection)
        self.is_checked = found is not None
        if found:
            raise StoreError(f"{self.path}: {found}", reason="corrupt")

    def _mend(self, why: str) -> None:
        words = mend(self.path, why, self._clock.now().at_ms)
        self.news.append(f"the database was damaged ({why}): {words}")
        self._sidecar.write(Left.NEW, self._sidecar.ordinal)
        self._salvaged = True

    # -- whose run this is

    def _begin(self, was_there: bool) -> None:
        """The epoch, and this run of the machine."""
        reading = self._clock.now()
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        row = execute("SELECT epoch, name FROM epochs ORDER BY epoch DESC LIMIT 1").fetchone()
        why = self._why_new(Epoch(*row) if row else None, was_there, reading.at_ms)
        if why == "first":
            self._sidecar.write(Left.OPEN, 0)  # at home before it lives: a power cut between the two made no copy of it
        if why:
            highest = execute("SELECT max(epoch) FROM epochs").fetchone()[0]  # the mark may have brought one back
            ordinal = max(self._sidecar.ordinal, highest or 0) + 1
            if ordinal > EPOCH_MAX:
                raise StoreError("no more epochs", reason="epoch", hint="begin with an empty folder")
            row = ordinal, f"{ordinal:04d}-{secrets.token_hex(4)}"
            execute("INSERT INTO epochs VALUES (?, ?, ?, ?)", (*row, reading.at_ms, why))
        self.epoch = Epoch(*row)
        execute("INSERT OR IGNORE INTO boots (id) VALUES (?)", (reading.boot,))
        ((self.boot,),) = execute("SELECT boot FROM boots WHERE id = ?", (reading.boot,)).fetchall()
        execute("COMMIT")
        self._salvaged = False
        self._sidecar.write(Left.OPEN, self.epoch.ordinal)
        sync(self.path.parent)

    def _why_new(self, newest: Epoch | None, was_there: bool, at_ms: int) -> str:
        """Why a new epoch begins; "" goes on with the newest."""
        behind = give_up_behind(self.connection, read_mark(self.path.parent / MARK), at_ms)
        if behind:
            lost = ", ".join(f"{count} {stream}" for stream, count in behind.items())
            self.news.append(f"the card has lost what it had confirmed: {lost}")
        if self._salvaged:
            return "salvaged"
        if newest is None and not self._sidecar.ordinal:
            return "first"
        if not was_there:
            self.news.append("the database was lost: a new one begins")
            return "lost"
        if self._sidecar.left is Left.NEW:
            return "restored"
        if newest is None or newest.ordinal < self._sidecar.ordinal:
            self.news.append("the database is older than this box remembers: a new epoch begins")
            return "older"
        if not self._sidecar.is_at_home:
            self.news.append("the database was copied to this place, or its edgebox.lock is gone: a new epoch begins")
            return "moved"
        return "cut short" if behind else ""
