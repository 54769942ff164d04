"""The small file beside the database: who has it open, how it was left, and how many lives it has had.

Owns: `Sidecar`: the lock, one word and one number. Never: inside the database, because it must outlive it: a lost or
replaced database is known by it, and gets a new epoch.

The lock is for the whole process. SQLite 3.40.1, which is Debian 12's, may corrupt a database when one connection
writes while another checkpoints (the WAL-reset bug, fixed in 3.51.3): so one process has one connection that writes,
and this lock keeps a second one out. Connections that only read (edgebox/store/peek.py) never checkpoint.
"""

from __future__ import annotations

import fcntl
import os
import re
from enum import StrEnum
from pathlib import Path

from edgebox.errors import StoreError

FILE = "edgebox.lock"
_form = re.compile(rb"(clean|open|new) *(\d{4})\n").fullmatch


class Left(StrEnum):
    """How the database was left."""

    CLEAN = "clean"
    OPEN = "open"  # its process is at work, or ended without a word: power cut, kill
    NEW = "new"  # its next start begins a new epoch: it was restored


class Sidecar:
    """The file, locked while this object is open. `ordinal`: of the newest epoch that ever was, 0 for none."""

    def __init__(self, folder: Path) -> None:
        """StoreError `locked` or `io`."""
        path = folder / FILE
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as fault:
            raise StoreError(f"{path}: {fault.strerror}", reason="io", hint="[engine] data") from fault
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            os.close(self._file)
            raise StoreError(f"{path}: another engine has the database open", reason="locked") from fault
        raw = os.pread(self._file, 64, 0)
        found = _form(raw)
        self.left = Left(found[1].decode()) if found else Left.OPEN if raw else Left.CLEAN
        self.ordinal = int(found[2]) if found else 0

    def write(self, left: Left, ordinal: int) -> None:
        """On disk when it returns. OSError. Fewer bytes than a sector: whole or not at all."""
        raw = f"{left:<5} {ordinal:04d}\n".encode()
        os.pwrite(self._file, raw, 0)
        os.ftruncate(self._file, len(raw))
        os.fsync(self._file)
        self.left, self.ordinal = left, ordinal

    def close(self) -> None:
        """Lets others in."""
        os.close(self._file)
