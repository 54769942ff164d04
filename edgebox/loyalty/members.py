"""The compact table of members: who is gold, who is at risk, as far as a slip needs to know.

Owns: the table's bytes, looking a member up, and when the table is too old. Never: a member's number in clear: rows
hold 8 bytes of its keyed hash, the hash that receipts and scans carry. A row is 12 bytes, so 200,000 members are 2.4 MB
and a look-up is some 18 comparisons.

    row = hash (8) | tier (1) | segment (1) | points, in hundreds (2, big-endian; 65535: that many or more)

Tier and segment are places in the lists that come with the table; 255 is none. Rows are in rising order without
repeats. A false match of two members is as likely as members / 2**64.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import islice
from operator import lt
from typing import NamedTuple

from edgebox.errors import ClaimError

HASH_BYTES = 8
ROW_BYTES = 12
NONE = 255
BUCKET_POINTS = 100
BUCKET_MAX = 0xFFFF
MEMBERS_MAX = 400_000  # 4.8 MB: a box of 512 MB has more to do
_HASH = struct.Struct(">Q4x")  # of a row


class Member(NamedTuple):
    """What is known of one. `points`: at least so many, `as_of` then (seconds since 1970)."""

    tier: str = ""
    segment: str = ""
    points: int = 0
    as_of: int = 0


class Members:
    """A table. `as_of`: when the cloud made it; `max_age_s`: how long it is to be believed."""

    def __init__(
        self, rows: bytes, tiers: tuple[str, ...], segments: tuple[str, ...], as_of: int, max_age_s: int
    ) -> None:
        """ClaimError `members`: the bytes are no table."""
        self._rows = rows
        self._tiers = tiers
        self._segments = segments
        self.as_of = as_of
        self.max_age_s = max_age_s
        self._check()

    def __len__(self) -> int:
        return len(self._rows) // ROW_BYTES

    def is_believed(self, now: int, *, clock_trusted: bool = True) -> bool:
        """It is not too old to say who is who."""
        return clock_trusted and 0 <= now - self.as_of <= self.max_age_s

    def find(self, member: str, now: int, *, clock_trusted: bool = True) -> Member | None:
        """A member by the keyed hash (hex, as receipts carry it). None: not in it, or the table is too old to say.

        Without a trusted clock its age isn't known, and it counts as too old: a default slip is never wrong.
        """
        if not self.is_believed(now, clock_trusted=clock_trusted):
            return None
        try:
            wanted = bytes.fromhex(member)[:HASH_BYTES]
        except ValueError:
            return None
        if len(wanted) < HASH_BYTES:
            return None
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._hash(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return self._member(low) if low < len(self) and self._hash(low) == wanted else None

    def _hash(self, row: int) -> bytes:
        return self._rows[row * ROW_BYTES : row * ROW_BYTES + HASH_BYTES]

    def _member(self, row: int) -> Member:
        tier, segment, high, low = self._rows[row * ROW_BYTES + HASH_BYTES : (row + 1) * ROW_BYTES]
        points = (high << 8 | low) * BUCKET_POINTS
        return Member(
            "" if tier == NONE else self._tiers[tier],
            "" if segment == NONE else self._segments[segment],
            points,
            self.as_of,
        )

    def _check(self) -> None:
        """Whole columns at a time: 15,600 rows in some 2 ms, while a till may be printing."""
        if len(self._rows) % ROW_BYTES or len(self) > MEMBERS_MAX:
            raise _bad(f"{len(self._rows)} bytes are no rows of {ROW_BYTES}, at most {MEMBERS_MAX} of them")
        hashes = [found for (found,) in _HASH.iter_unpack(self._rows)]
        if not all(map(lt, hashes, islice(hashes, 1, None))):
            row = next(at for at in range(1, len(hashes)) if hashes[at - 1] >= hashes[at])
            raise _bad(f"row {row + 1} is not in order")
        for column, listed in ((HASH_BYTES, self._tiers), (HASH_BYTES + 1, self._segments)):
            places = self._rows[column::ROW_BYTES]
            unknown = set(places) - {NONE} - set(range(len(listed)))
            if unknown:
                row = min(places.index(place) for place in unknown)
                raise _bad(f"row {row + 1} has a tier or segment that isn't listed")


def pack(members: Iterable[tuple[str, int, int, int]]) -> bytes:
    """Rows from (keyed hash in hex, tier, segment, points), for the cloud's side; of two alike the last stays."""
    rows = {
        bytes.fromhex(member)[:HASH_BYTES]: bytes((tier, segment))
        + min(BUCKET_MAX, points // BUCKET_POINTS).to_bytes(2, "big")
        for member, tier, segment, points in members
    }
    return b"".join(key + rows[key] for key in sorted(rows))


def _bad(words: str) -> ClaimError:
    return ClaimError(f"no table of members: {words}", reason="members")
