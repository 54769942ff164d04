"""SQLite's write-ahead log, read without SQLite: which frames count, and whether one in the middle is broken.

Owns: the frames of a `-wal` file. Never: writes, decides what to do about a broken one (rescue.py), or trusts a number
it finds. SQLite itself stops at the first frame that doesn't add up and says nothing; what was committed behind it
would be gone, and overwritten by the next commit. So the log is looked through before SQLite sees it.

Each frame carries the sum of all before it. A frame behind a broken one can still be checked against the sum that the
broken one carries. A transaction is written only after the one before it is on disk (synchronous=FULL), so a whole
frame that follows a commit behind a broken frame proves that something accepted was broken. A broken frame with
nothing of a later transaction behind it is what a power cut leaves of a transaction that nobody was told of.
[https://www.sqlite.org/fileformat2.html, section 4]
"""

from __future__ import annotations

import struct
import sys
from collections import Counter
from typing import NamedTuple, Protocol

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoint number, two salts, two sums
_FRAME = struct.Struct(">6I")  # page, pages of the database after this commit or 0, two salts, two sums
_MAGIC = (0x377F0682, 0x377F0683)  # sums over little-endian, big-endian words
_MASK = 0xFFFFFFFF

USUAL_PAGE = 4096  # SQLite's own since 3.12, and ours (database.py)
PAGE_SIZES = frozenset(1 << bits for bits in range(9, 17))  # fileformat2.html, section 1.3.2


class Raw(Protocol):
    """Bytes in memory, or of a file (blocks.py)."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


class Frame(NamedTuple):
    """One page in the log. `pages`: of the whole database if this frame commits, else 0; `start`: of its bytes."""

    page: int
    pages: int
    start: int


class Wal(NamedTuple):
    """What a log holds. `frames`: those of whole transactions that can be read, in order.

    `broken`: frames that were part of something accepted and can't be read. `seen`: how many of `frames` SQLite reads.
    """

    page_size: int
    frames: list[Frame]
    broken: int
    seen: int


class _Head(NamedTuple):
    """What the frames are to be read by. `sums` None: not known, the first frame is believed."""

    page_size: int
    order: str
    salts: tuple[int, int]
    sums: tuple[int, int] | None


def read_wal(raw: Raw) -> Wal:
    """The log's frames; an empty Wal (page_size 0) if there is nothing to go by.

    Where the header is broken, which makes SQLite ignore all of it, the first frame is taken on trust.
    """
    head = _header(raw) or _guess(raw)
    if head is None:
        return Wal(0, [], 0, 0)
    page_size, order, salts, sums = head
    whole: list[Frame] = []
    waiting: list[Frame] = []  # of a transaction whose commit has not come yet
    bad, broken, seen = int(sums is None), 0, 0
    commits_since_bad = 0
    for start in range(_HEADER.size, len(raw) - _FRAME.size - page_size + 1, _FRAME.size + page_size):
        frame = raw[start : start + _FRAME.size + page_size]
        page, pages, salt1, salt2, *stored = _FRAME.unpack_from(frame)
        before, sums = sums, (stored[0], stored[1])
        # Other salts: broken, or left from before the log was begun anew; then nothing whole follows. There may be
        # thousands of those, so theirs is not computed.
        if (salt1, salt2) != salts or not page or (before and _sum_of_frame(order, before, frame) != sums):
            bad, commits_since_bad = bad + 1, 0
            continue
        if bad > broken and commits_since_bad:
            broken = bad
        waiting.append(Frame(page, pages, start + _FRAME.size))
        if pages:
            whole += waiting
            waiting = []
            commits_since_bad += 1
            seen = seen if bad else len(whole)
    return Wal(page_size, whole if broken else whole[:seen], broken, seen)


def _header(raw: Raw) -> _Head | None:
    if len(raw) < _HEADER.size:
        return None
    magic, _version, page_size, _number, salt1, salt2, sum1, sum2 = _HEADER.unpack(raw[: _HEADER.size])
    if magic not in _MAGIC or page_size not in PAGE_SIZES:
        return None
    order = "<" if magic == _MAGIC[0] else ">"
    if _sum(order, (0, 0), raw[: _HEADER.size - 8]) != (sum1, sum2):
        return None
    return _Head(page_size, order, (salt1, salt2), (sum1, sum2))


def _guess(raw: Raw) -> _Head | None:
    """A log whose header is broken: as this machine writes them, for pages of the usual size."""
    if len(raw) < _HEADER.size + _FRAME.size + USUAL_PAGE:
        return None
    step = _FRAME.size + USUAL_PAGE
    heads = range(_HEADER.size, min(len(raw) - step + 1, _HEADER.size + 8 * step), step)
    ((salt1, salt2), _count), *_others = Counter(
        _FRAME.unpack(raw[at : at + _FRAME.size])[2:4] for at in heads
    ).most_common()
    return _Head(USUAL_PAGE, "<" if sys.byteorder == "little" else ">", (salt1, salt2), None)


def _sum_of_frame(order: str, sums: tuple[int, int], frame: bytes) -> tuple[int, int]:
    """Of the first 8 bytes of its head, and its page."""
    return _sum(order, _sum(order, sums, frame[:8]), frame[_FRAME.size :])


def _sum(order: str, sums: tuple[int, int], raw: bytes) -> tuple[int, int]:
    """Section 4.2: two running sums over pairs of words."""
    one, two = sums
    words = struct.unpack(f"{order}{len(raw) // 4}I", raw)
    pairs = iter(words)
    for first, second in zip(pairs, pairs, strict=True):
        one = (one + first + two) & _MASK
        two = (two + second + one) & _MASK
    return one, two
