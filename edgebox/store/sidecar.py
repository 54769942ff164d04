"""The small file beside the database: whose it is, how it was left, and how many lives it has had.

Owns: `Sidecar`: the lock, one word, one number, and where the folder is at home. Never: inside the database, because it
must outlive it: a lost or replaced database is known by it, and gets a new epoch.

The lock is for the whole process. SQLite 3.40.1, which is Debian 12's, may corrupt a database when one connection
writes while another checkpoints (the WAL-reset bug, fixed in 3.51.3): so one process has one connection that writes,
and this lock keeps a second one out. Connections that only read (edgebox/store/peek.py) never checkpoint. The lock is
on the folder, not on the file, which somebody may remove in the belief that a lock was left behind.

A folder that was copied, to another box or back from somewhere, would give the same numbers a second time to other
events. So the file remembers its own inode, when that was born, and the card's name: a copy has others, and begins a
new epoch. So does a folder whose file is gone. (An inode's number alone may be given to the next file; a move or chown
changes none of them. A card's image that is written back to the same card can't be told: docs/store.md.)
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import re
import stat
import struct
from enum import StrEnum
from pathlib import Path

from edgebox.errors import StoreError
from edgebox.store.faults import of_system

FILE = "edgebox.lock"
DISKS = Path("/sys/dev/block")
_NAMES = ("device/cid", "wwid", "device/wwid", "serial", "device/serial")  # of SD card and eMMC, NVMe, SATA, virtio
STATX_BTIME = 0x0800  # [linux/stat.h]
AT_EMPTY_PATH = 0x1000  # of the open file itself [linux/fcntl.h]
_STATX_BYTES = 256
_mask_of = struct.Struct("=I").unpack_from
_born_of = struct.Struct("=qI").unpack_from  # struct timespec64 at byte 80 of struct statx [statx(2)]
_BORN_AT = 80
_form = re.compile(rb"(clean|open|new) *(\d{4}) ([0-9a-f]{16})\n").fullmatch


class Left(StrEnum):
    """How the database was left."""

    CLEAN = "clean"
    OPEN = "open"  # its process is at work, or ended without a word: power cut, kill; or nobody knows
    NEW = "new"  # its next start begins a new epoch: it was restored


class Sidecar:
    """The file, and the folder locked while this object is open.

    `ordinal`: of the newest epoch that ever was, 0 for none. `is_at_home`: the folder is where it was, and no copy.
    """

    def __init__(self, folder: Path) -> None:
        """StoreError `locked` or `io`, StoreFull `disk`."""
        path = folder / FILE
        self._lock = _locked(folder)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            belong(path)
            raw = os.pread(self._file, 64, 0)
        except OSError as fault:
            os.close(self._lock)
            raise of_system(fault, path) from fault
        found = _form(raw)
        self._home = _home_of(self._file)
        self.left = Left(found[1].decode()) if found else Left.OPEN
        self.ordinal = int(found[2]) if found else 0
        self.is_at_home = found is not None and found[3] == self._home

    def write(self, left: Left, ordinal: int) -> None:
        """On disk when it returns. OSError. Fewer bytes than a sector: whole or not at all."""
        raw = b"%-5b %04d %b\n" % (left.encode(), ordinal, self._home)
        os.pwrite(self._file, raw, 0)
        os.ftruncate(self._file, len(raw))
        os.fsync(self._file)
        self.left, self.ordinal, self.is_at_home = left, ordinal, True

    def close(self) -> None:
        """Lets others in."""
        os.close(self._file)
        os.close(self._lock)


def belong(path: Path) -> None:
    """Gives what root has made to the folder's owner: `sudo edgebox restore` must not lock the engine out. Not what a
    link leads to, or what has another name, too: that owner may have laid them there. OSError."""
    if os.geteuid() == 0:
        owner, facts = path.parent.stat(), path.lstat()
        if stat.S_ISDIR(facts.st_mode) or (stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _locked(folder: Path) -> int:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise of_system(fault, folder / FILE) from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        os.close(lock)
        raise StoreError(f"{folder}: another engine has the database open", reason="locked") from fault
    return lock


def _home_of(file: int) -> bytes:
    """16 hex digits that another copy of the file doesn't have. The device's number is left out: it may change."""
    found = os.fstat(file)
    return hashlib.sha256(f"{_card(found.st_dev)} {found.st_ino} {_born(file)}".encode()).hexdigest()[:16].encode()


def _born(file: int) -> str:
    """When the file was made, "" where the file system doesn't remember; os.stat can't say it on Linux."""
    answer = ctypes.create_string_buffer(_STATX_BYTES)
    if ctypes.CDLL(None).statx(file, b"", AT_EMPTY_PATH, STATX_BTIME, answer) or not _mask_of(answer)[0] & STATX_BTIME:
        return ""
    seconds, nanoseconds = _born_of(answer, _BORN_AT)
    return f"{seconds}.{nanoseconds:09}"


def _card(device: int) -> str:
    """The name that the maker gave to the card or disk; "" if it has none that everybody may read."""
    disk = _disk(DISKS / f"{os.major(device)}:{os.minor(device)}")
    for name in _NAMES:
        try:
            text = (disk / name).read_text("ascii", "replace").strip()
        except OSError:
            continue
        if text:
            return text
    return ""


def _disk(found: Path) -> Path:
    """From a partition, or an encrypted one, to the disk that it lies on."""
    disk = found.resolve()
    below = sorted(disk.glob("slaves/*"))
    if below:
        return _disk(below[0])
    return disk.parent if (disk / "partition").exists() else disk
