"""After a power cut: is the database sound? Before the first record where that is quick, beside the records otherwise.

Owns: `quick_check` with a limit, and the thread that goes on with it. Never: writes. The thread's own connection only
reads, so it is not in the range of the WAL-reset bug (edgebox/store/sidecar.py).

The check reads the whole file: 1 s for each GB here if it is in memory, for some 40 MB on a card. Within its limit it
gets through all that a shop records in the 90 days that it is kept. A shop that was never connected and kept a million
receipts would wait most of a minute for its first slip, every morning after a pulled plug. There the records begin at
once; damage, if there is any, is found a minute later and mended then.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from edgebox.store.faults import of_sqlite

LIMIT_S = 3.0  # a box takes ten times as long to boot
FOR_EVER_S = 86_400.0
POLL_S = 0.05  # between attempts to end it


def check(connection: sqlite3.Connection, limit_s: float = LIMIT_S) -> str | None:
    """What is wrong, "" for nothing, None if that takes longer. sqlite3.DatabaseError: so much is wrong."""
    timer = threading.Timer(limit_s, connection.interrupt)  # 3.40 asks no progress handler inside a check
    timer.start()
    try:
        ((found,), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.OperationalError as fault:
        if fault.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    finally:
        timer.cancel()
        timer.join()
    return "" if found == "ok" else str(found)


class Checkup:
    """The check of the database `path` in a thread of its own, on a connection that `connect` opens. `on_damage` is
    told what is wrong."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection], on_damage: Callable[[str], None]) -> None:
        self._path = path
        self._connect = connect
        self._on_damage = on_damage
        self._connection: sqlite3.Connection | None = None
        self._stopped = threading.Event()
        self.is_done = False
        self._thread = threading.Thread(target=self._run, name="checkup", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it, done or not. Blocks for a moment."""
        self._stopped.set()
        while self._thread.is_alive():
            if self._connection is not None:
                with contextlib.suppress(sqlite3.ProgrammingError):  # it has just been closed
                    self._connection.interrupt()
            self._thread.join(POLL_S)

    def _run(self) -> None:
        """What can't be looked at (no memory, a lock) is no damage: it is looked at again at the next start."""
        try:
            self._connection = self._connect()
            found = check(self._connection, FOR_EVER_S)
        except sqlite3.DatabaseError as fault:
            found = str(fault) if of_sqlite(fault, self._path).reason == "corrupt" else None
        finally:
            if self._connection is not None:
                self._connection.close()
        if self._stopped.is_set() or found is None:
            return
        if found:
            self._on_damage(found)
        self.is_done = True
