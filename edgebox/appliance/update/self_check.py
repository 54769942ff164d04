"""What a new slot shows of itself before it is switched to: `edgebox update --check`, run by the new slot's own code.

Owns: the three questions: does the engine come up, does a line pass bytes, can the database be used, and be gone back
from. Never: writes to the database, or opens a port that anybody prints to. It runs as the engine's user
(edgebox-check@.service); what it finds is a line of JSON in /run/edgebox, and its exit code.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from edgebox.config import load
from edgebox.errors import StoreError, UpdateError
from edgebox.process import checked
from edgebox.store.database import FILE
from edgebox.store.migrations import NEWEST, STEPS, migrate
from edgebox.store.peek import peek

LINE_S = 30.0  # for a line to pass its first byte; a box takes 0.1, an emulated one 3
RECEIPT = b"\x1b@UPDATE\nTOTAL 1.00\n\x1dV\x00"
# systemd's way to hand a socket down (sd_listen_fds(3)): descriptor 3, named by the environment.
_HANDED = "import os,sys;os.dup2(int(sys.argv[1]),3);os.environ.update(LISTEN_PID=str(os.getpid()),LISTEN_FDS='1');"
_HANDED += "os.set_inheritable(3,True);os.execv(sys.argv[2],sys.argv[2:])"


def check(config: Path | None, line: Path) -> tuple[str, float]:
    """In words what a start would come to, and how long a line took, in seconds. EdgeboxError says why not."""
    settings = load(config, ())
    words = checked(config, ())
    store(Path(settings.engine.data))
    return words, first_byte_s(line)


def store(folder: Path) -> None:
    """The database as it stands can be brought to this version, and be read by the one before. StoreError `version`;
    UpdateError `one_way`."""
    if not (folder / FILE).exists():
        return
    with closing(peek(folder)) as live:
        (version,) = live.execute("PRAGMA user_version").fetchone()
        tables = live.execute(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
            " ORDER BY type = 'index', rowid"
        ).fetchall()
        done = live.execute("SELECT * FROM _sqlite_migrations").fetchall() if version else []
    readable_from = max((step.readable_from for step in STEPS[version:]), default=0)
    if version and readable_from > version:
        raise UpdateError(
            f"behind it the database is one that only version {readable_from} of the tables and newer can read",
            reason="one_way",
            hint="install it as a package, after a backup",
        )
    _try_on(version, [sql for (sql,) in tables], done)


def _try_on(version: int, tables: list[str], done: list[tuple[object, ...]]) -> None:
    """The steps to come, on the same tables without rows, in memory."""
    import sqlite3

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        for sql in tables:
            copy.execute(sql)
        for row in done:
            copy.execute(f"INSERT INTO _sqlite_migrations VALUES ({', '.join('?' * len(row))})", row)
        copy.execute(f"PRAGMA user_version = {int(version)}")
        try:
            migrate(copy)
        except sqlite3.Error as fault:
            words = f"the database can't be brought from {version} to {NEWEST}: {fault}"
            raise StoreError(words, reason="version", hint="edgebox doctor") from fault


def first_byte_s(line: Path) -> float:
    """A real line of this slot, from a till's port to a printer's, both on loopback. UpdateError `line`."""
    with _listening() as printer, _listening() as till:
        printer.settimeout(LINE_S)
        ends = ["--till", f"tcp://0.0.0.0:{till.getsockname()[1]}"]
        ends += ["--printer", f"tcp://127.0.0.1:{printer.getsockname()[1]}"]
        command = [sys.executable, "-I", "-c", _HANDED, str(till.fileno()), sys.executable, "-I", str(line), *ends]
        begun = time.monotonic()
        with subprocess.Popen(command, pass_fds=(till.fileno(),)) as process:
            try:
                threading.Thread(target=_print, args=(till.getsockname(),), daemon=True).start()
                return _arrived(printer) - begun
            finally:
                process.kill()


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def _print(address: tuple[str, int]) -> None:
    with suppress(OSError), socket.create_connection(address, LINE_S) as till:
        till.sendall(RECEIPT)
        till.shutdown(socket.SHUT_WR)
        till.recv(1)


def _arrived(printer: socket.socket) -> float:
    """When the first byte came; and all of them came as they were sent."""
    got, first = b"", 0.0
    try:
        link, _ = printer.accept()
        link.settimeout(LINE_S)
        while len(got) < len(RECEIPT) and (data := link.recv(4096)):
            first = first or time.monotonic()
            got += data
    except TimeoutError:
        raise UpdateError(f"its line passed nothing within {LINE_S:.0f} s", reason="line") from None
    if got != RECEIPT:
        raise UpdateError(f"its line passed {len(got)} other bytes than it was sent", reason="line")
    return first
