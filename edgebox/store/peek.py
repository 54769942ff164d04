"""The database from outside the engine: read only, while the engine writes or not.

Owns: one way to open it that can do no harm. Never: writes, and never checkpoints: a connection that only reads is not
in the range of SQLite 3.40.1's WAL-reset bug (see edgebox/store/sidecar.py). For programs beside the engine: simulated
hardware, benchmarks, tests; and for a check that must not hold up the engine. All else inside asks `Store.read`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from edgebox.store.database import FILE
from edgebox.store.events import Stream
from edgebox.store.places import EPOCH_MAX, span


def peek(folder: Path) -> sqlite3.Connection:
    """A connection that can only read the database in `folder`. sqlite3.OperationalError: there is none."""
    name = f"file:{quote(str(folder / FILE))}?mode=ro"
    connection = sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only=ON")
    return connection


def bodies(folder: Path, stream: Stream, skip: int = 0) -> list[bytes]:
    """The JSON of a stream's events, in order, behind the first `skip`; empty while there is no database."""
    if not (folder / FILE).exists():
        return []
    with closing(peek(folder)) as connection:
        found = connection.execute(
            "SELECT body FROM journal WHERE place BETWEEN ? AND ? ORDER BY place LIMIT -1 OFFSET ?",
            (span(stream, 0)[0], span(stream, EPOCH_MAX)[1], skip),
        ).fetchall()
    return [body for (body,) in found]
