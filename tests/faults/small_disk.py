"""A disk of a few megabytes that can be filled up, for those who may mount one."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_BYTES = 12 << 20
FILLER = "somebody-elses.log"
_libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str:
    """Why no disk can be mounted here; "" if one can. Tried, because a container's root often may not."""
    if os.geteuid() != 0:
        return "needs root, to mount a small tmpfs"
    probe = Path(f"/tmp/edgebox-disk-{os.getpid()}")
    try:
        with small_disk(probe):
            return ""
    except OSError as fault:
        return f"a tmpfs can't be mounted: {fault}"


@contextmanager
def small_disk(at: Path, size: int = DISK_BYTES) -> Iterator[Path]:
    """A tmpfs at `at`, gone afterwards with all that is on it. OSError."""
    at.mkdir()
    try:
        if _libc.mount(b"tmpfs", bytes(at), b"tmpfs", 0, f"size={size}".encode()):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            yield at
        finally:
            if _libc.umount2(bytes(at), 2):  # MNT_DETACH: also if something is still open
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        at.rmdir()


def fill(disk: Path, leave: int = 0) -> None:
    """Somebody else's file takes all but `leave` bytes."""
    with (disk / FILLER).open("ab", buffering=0) as file:
        for step in (1 << 20, 4096):
            left = leave
            while True:
                free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
                if free - step < left:
                    break
                file.write(bytes(step))


def free(disk: Path) -> None:
    """It is gone again."""
    (disk / FILLER).unlink(missing_ok=True)
