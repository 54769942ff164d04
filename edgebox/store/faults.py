"""What SQLite and the system call an error, in our words.

Owns: the table from their codes to StoreError's reasons. Never: raises, and never decides what follows.

A page that the card can't read is damage, like one of garbage: what else is there can be salvaged, and trying again for
ever would help nobody. A failed write is not: the next one may work.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from edgebox.errors import StoreError, StoreFull

NO_ROOM_BYTES = 1 << 16  # with less left, a failed write is taken for a full disk: SQLite's -shm alone has 32 KB
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNREADABLE = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS})
_REFUSED = frozenset(  # what is wrong with the row or the question: another attempt ends the same way
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }
)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def of_sqlite(fault: sqlite3.Error, path: Path) -> StoreError:
    """SQLite's error about the database `path`."""
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    primary = code & 0xFF  # extended codes stand above it [sqlite.org/rescode.html]
    words = f"{path}: {fault}"
    if primary in _CORRUPT or code in _UNREADABLE:
        return StoreError(words, reason="corrupt", hint="it is salvaged at the next start")
    if primary == sqlite3.SQLITE_INTERRUPT:
        return StoreError(words, reason="slow")
    if primary in _REFUSED:
        return StoreError(words, reason="refused")
    if primary == sqlite3.SQLITE_FULL or _is_full(path.parent):  # it calls a full disk an I/O error here and there
        return StoreFull(words, reason="disk", hint="free some space")
    return StoreError(words, reason="io", hint="look at the card: dmesg")


def of_system(fault: OSError, path: Path) -> StoreError:
    """The system's error about `path`."""
    words = f"{path}: {fault.strerror or fault}"
    if fault.errno in _FULL:
        return StoreFull(words, reason="disk", hint="free some space")
    if fault.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(words, reason="io", hint=f"{path.parent} must belong to who runs the engine, and be writable")
    return StoreError(words, reason="io", hint="look at the card: dmesg")


def _is_full(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < NO_ROOM_BYTES
