"""A file on a card that may be dying: its bytes, and zeros where they can't be read.

Owns: reading by block, how many could not be read, and the sync of what was written. Never: maps the file: the system
answers a mapped block that it can't read with a signal that ends the process, and an engine that dies of it would die
again at each start.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

BLOCK_BYTES = 4096  # what is given up at once: the kernel's page, which is what it reads [mm/filemap.c]


def sync(path: Path) -> None:
    """A file's bytes are on disk when this returns; of a folder, the names in it, which a file's own sync doesn't say
    [fsync(2)]. OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Blocks:
    """A file opened to be read, with slices like bytes; a missing one is empty. Close it after use."""

    def __init__(self, path: Path) -> None:
        """OSError: it is there and can't be opened."""
        self.unreadable = 0  # blocks read as zeros
        self._file = -1
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._size = 0
            return
        self._size = os.fstat(self._file).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, end, _step = part.indices(self._size)
        try:
            return self._read(start, end) if end > start else b""
        except OSError as fault:
            if fault.errno != errno.EIO:
                raise
        first = start // BLOCK_BYTES * BLOCK_BYTES
        found = b"".join(self._block(at) for at in range(first, end, BLOCK_BYTES))
        return found[start - first : end - first]

    def close(self) -> None:
        """Lets go of the file."""
        if self._file >= 0:
            os.close(self._file)

    def _read(self, start: int, end: int) -> bytes:
        """Exactly these bytes; zeros at the end if somebody has made the file shorter meanwhile."""
        parts = []
        while start < end:
            part = os.pread(self._file, end - start, start) or bytes(end - start)
            parts.append(part)
            start += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _block(self, start: int) -> bytes:
        try:
            return self._read(start, start + BLOCK_BYTES)
        except OSError as fault:
            if fault.errno != errno.EIO:
                raise
            self.unreadable += 1
            return bytes(BLOCK_BYTES)
