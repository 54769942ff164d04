"""Print jobs of the cloud, on disk: what waits for paper, and the ids of what was printed.

Owns: the statements on `papers`, for `Store.change` and `Store.read`. Never: decides what is printed, or sees what is
on a paper: a body comes and goes closed (edgebox/print_jobs/cover.py), and is removed when its job is over.
"""

from __future__ import annotations

import sqlite3

from edgebox.print_jobs.job import FINAL, PrintJob, State

_COLUMNS = ", ".join(PrintJob._fields)
_FINAL = ", ".join(f"'{state.value}'" for state in sorted(FINAL))
_ADD = f"INSERT INTO papers ({_COLUMNS}, body) VALUES ({', '.join('?' * (len(PrintJob._fields) + 1))})"
_SAVE = f"UPDATE papers SET {', '.join(f'{name} = ?' for name in PrintJob._fields)} WHERE number = ?"


def add(connection: sqlite3.Connection, job: PrintJob, body: bytes) -> PrintJob:
    """Keeps a new job; with its number."""
    cursor = connection.execute(_ADD, (None, *_row(job)[1:], body))
    assert cursor.lastrowid is not None, "a row was inserted"
    return job._replace(number=cursor.lastrowid)


def renew(connection: sqlite3.Connection, job: PrintJob, body: bytes) -> None:
    """A job that is over and was not printed begins anew."""
    save(connection, job)
    connection.execute("UPDATE papers SET body = ? WHERE number = ?", (body, job.number))


def save(connection: sqlite3.Connection, job: PrintJob) -> None:
    """How it stands now. What was to be printed goes with its end."""
    connection.execute(_SAVE, (*_row(job), job.number))
    if job.is_over:
        connection.execute("UPDATE papers SET body = x'' WHERE number = ?", (job.number,))


def body(connection: sqlite3.Connection, number: int) -> bytes:
    """What is to be printed, closed; empty: it is over."""
    found = connection.execute("SELECT body FROM papers WHERE number = ?", (number,)).fetchone()
    return bytes(found[0]) if found else b""


def every(connection: sqlite3.Connection) -> list[PrintJob]:
    """All that are remembered, in order of arrival."""
    return [_job(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM papers ORDER BY number")]


def sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """Bytes of what waits to be printed, by job."""
    return dict(connection.execute("SELECT job, length(body) FROM papers WHERE length(body) > 0"))


def forget(connection: sqlite3.Connection, keep: int, before: int) -> int:
    """Removes what ended before `before` (seconds since 1970), but for the newest `keep`; how many went."""
    return connection.execute(
        f"DELETE FROM papers WHERE state IN ({_FINAL}) AND expires < ? AND number NOT IN"
        " (SELECT number FROM papers ORDER BY number DESC LIMIT ?)",
        (before, keep),
    ).rowcount


def _row(job: PrintJob) -> tuple[object, ...]:
    plain = job._replace(state=job.state.value, commands=" ".join(job.commands))  # type: ignore[arg-type]
    return tuple(int(value) if isinstance(value, bool) else value for value in plain)


def _job(row: tuple[object, ...]) -> PrintJob:
    job = PrintJob(*row)  # type: ignore[arg-type]  # as the table's columns are
    return job._replace(
        state=State(job.state), commands=tuple(str(row[-1]).split()), again=bool(job.again), changed=bool(job.changed),
        is_copy=bool(job.is_copy),
    )  # fmt: skip
