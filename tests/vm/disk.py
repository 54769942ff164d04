"""A disk with a write cache that forgets: what the machine reads from it, and what a power cut leaves of it.

Owns: the cache between writes and the platter, the log of all that came, and every state in which a cut may leave the
platter. Never: a socket (disk_server.py), a clock, or chance of its own: that is handed in.

What was written is certain once a FLUSH that came behind it was answered, or the write itself demanded it (FUA)
[NBD protocol, "Ordering of messages and writes"; virtio 1.2, 5.2.6]. Until then each sector of it may have reached the
platter or not, whatever became of its neighbours, and of a sector that was written twice either version. A sector
itself is whole: that is what disks promise, and what SQLite and ext4 build on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from enum import Enum
from random import Random
from typing import NamedTuple, TypeAlias

SECTOR = 512  # what a disk writes whole or not at all; virtio-blk's unit [virtio 1.2, 5.2]
LOG_BYTES = 512 << 20  # of logged writes; a minute of the guest's fastest writing is 60 MB
KEPT = (0.1, 0.5, 0.9)  # of the unflushed, in cuts that keep some


class Write(NamedTuple):
    """`is_certain`: FUA, on the platter when it is answered."""

    offset: int
    data: bytes
    is_certain: bool = False


class Flush(NamedTuple):
    """What came before is on the platter when it is answered."""


class Mark(NamedTuple):
    """So many things had been accepted when everything before it in the log had been answered."""

    accepted: int


Entry: TypeAlias = Write | Flush | Mark


class How(Enum):
    """What a cut leaves of what was not flushed."""

    NOTHING = "nothing"
    WRITES = "writes"  # some of the writes, each whole, in their order
    SECTORS = "sectors"  # some sectors of some writes, in any order
    ALL = "all"


class _Piece(NamedTuple):
    """A sector of an unflushed write."""

    write: int
    offset: int
    data: bytes


class Cache:
    """The platter, and what waits before it. `obeys` False: it answers every FLUSH, and does nothing."""

    def __init__(self, platter: bytes, *, obeys: bool = True) -> None:
        self.platter = bytearray(platter)
        self._obeys = obeys
        self._waiting: list[_Piece] = []
        self._writes = 0

    @property
    def unflushed(self) -> int:
        """Sectors that wait."""
        return len({piece.offset for piece in self._waiting})

    def take(self, entry: Entry) -> None:
        """One thing that came, in order."""
        match entry:
            case Write():
                self._take_write(entry)
            case Flush() if self._obeys:
                _put(self.platter, self._waiting)
                self._waiting.clear()

    def _take_write(self, write: Write) -> None:
        self._writes += 1
        pieces = [
            _Piece(self._writes, write.offset + at, write.data[at : at + SECTOR])
            for at in range(0, len(write.data), SECTOR)
        ]
        if not (write.is_certain and self._obeys):
            self._waiting += pieces
            return
        certain = {piece.offset for piece in pieces}  # what waited for these sectors must not come over them later
        self._waiting = [piece for piece in self._waiting if piece.offset not in certain]
        _put(self.platter, pieces)

    def left(self, how: How, chance: Random) -> bytearray:
        """What is on the platter after a cut now."""
        pieces = list(self._waiting)
        share = chance.choice(KEPT)
        if how is How.NOTHING:
            pieces.clear()
        elif how is How.WRITES:
            kept = {write for write in {piece.write for piece in pieces} if chance.random() < share}
            pieces = [piece for piece in pieces if piece.write in kept]
        elif how is How.SECTORS:
            chance.shuffle(pieces)
            pieces = [piece for piece in pieces if chance.random() < share]
        image = bytearray(self.platter)
        _put(image, pieces)
        return image


def _put(image: bytearray, pieces: Sequence[_Piece]) -> None:
    for piece in pieces:
        image[piece.offset : piece.offset + SECTOR] = piece.data


class Disk:
    """A disk in use, from several threads. `logs`: every entry is kept, for `cuts`.

    Once cut it is dead: it answers nothing any more. OSError: what is asked of a dead disk, or beyond its end.
    """

    def __init__(self, image: bytes, *, logs: bool = False, obeys: bool = True) -> None:
        if len(image) % SECTOR:
            raise ValueError(f"{len(image)} bytes are no whole sectors")
        self.size = len(image)
        self.log: list[Entry] = []
        self.is_dead = False
        self._logs = logs
        self._logged = 0
        self._obeys = obeys
        self._lock = threading.Lock()
        self._seen = bytearray(image)  # as the machine reads it: what waits stands over what is on the platter
        self._cache = Cache(image, obeys=obeys)

    def read(self, offset: int, length: int) -> bytes:
        """What was last written there."""
        with self._lock:
            self._check(offset, length)
            return bytes(self._seen[offset : offset + length])

    def write(self, offset: int, data: bytes, *, is_certain: bool = False) -> None:
        """Into the cache."""
        with self._lock:
            self._check(offset, len(data))
            if offset % SECTOR or len(data) % SECTOR:
                raise OSError(f"{len(data)} bytes at {offset} are no whole sectors")
            self._seen[offset : offset + len(data)] = data
            self._note(Write(offset, data, is_certain), len(data))

    def flush(self) -> None:
        """Onto the platter, if this disk is an honest one."""
        with self._lock:
            self._check(0, 0)
            self._note(Flush())

    def mark(self, accepted: int) -> None:
        """Somebody has been told that so many things are safe."""
        with self._lock:
            self._note(Mark(accepted))

    @property
    def unflushed(self) -> int:
        """Sectors that are not certain to survive."""
        with self._lock:
            return self._cache.unflushed

    def cut(self, how: How, chance: Random) -> tuple[bytes, int]:
        """The power goes: what is on the platter, and how many sectors were not certain to be."""
        with self._lock:
            self.is_dead = True
            return bytes(self._cache.left(how, chance)), self._cache.unflushed

    def exchange(self, image: bytes) -> None:
        """Another platter of the same size, with nothing waiting; the machine must have let go of the old one."""
        with self._lock:
            if len(image) != self.size:
                raise ValueError(f"{len(image)} bytes in the place of {self.size}")
            self._seen = bytearray(image)
            self._cache = Cache(image, obeys=self._obeys)

    def _check(self, offset: int, length: int) -> None:
        if self.is_dead:
            raise OSError("the power is off")
        if not 0 <= offset <= offset + length <= self.size:
            raise OSError(f"{length} bytes at {offset} are beyond the end")

    def _note(self, entry: Entry, size: int = 0) -> None:
        self._cache.take(entry)
        if not self._logs:
            return
        self._logged += size
        if self._logged > LOG_BYTES:
            raise OSError("the log of writes is full")
        self.log.append(entry)


class CutDisk(NamedTuple):
    """A disk after a cut. `accepted`: how many things had been by then; `unflushed`: sectors that were not certain."""

    at: int
    how: How
    accepted: int
    unflushed: int
    image: bytes


def moments(log: Sequence[Entry], count: int, chance: Random, *, in_mid_write: float = 0.7) -> list[int]:
    """So many places in the log, in order, that share of them with something unflushed."""
    behind_writes = [at for at, entry in enumerate(log, 1) if isinstance(entry, Write) and not entry.is_certain]
    anywhere = range(1, len(log) + 1)
    picked = [chance.choice(behind_writes if chance.random() < in_mid_write else anywhere) for _ in range(count)]
    return sorted(picked)


def cuts(
    base: bytes, log: Sequence[Entry], at: Sequence[int], chance: Random, *, obeys: bool = True
) -> Iterator[CutDisk]:
    """What `base` has become when the power goes after so many entries of the log, for each of `at` (in order).

    `obeys` False: had the disk not done its flushes.
    """
    cache = Cache(base, obeys=obeys)
    accepted = done = 0
    for moment in at:
        for entry in log[done:moment]:
            cache.take(entry)
            if isinstance(entry, Mark):
                accepted = entry.accepted
        done = moment
        how = chance.choice((How.NOTHING, How.WRITES, How.SECTORS, How.SECTORS, How.ALL))
        yield CutDisk(moment, how, accepted, cache.unflushed, bytes(cache.left(how, chance)))
