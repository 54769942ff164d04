"""What the radio tells the rest of the box: a beacon was heard; or, for a while, nothing could be.

Owns: the name under which a beacon is known, and the two things that are said about it. Never: an address. Phones and
tags change theirs, and whose it is is nobody's business: no MAC address goes beyond the driver (design §12).

`Deaf` is as important as `Heard`: a tag that was not heard while nothing could be heard has not gone anywhere.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple


class TagKind(StrEnum):
    """Whose frame it is."""

    IBEACON = "ibeacon"
    EDDYSTONE = "eddystone"  # Eddystone-UID


_IBEACON = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([0-9]{1,5}):([0-9]{1,5})")
_EDDYSTONE = re.compile(r"([0-9a-f]{20}):([0-9a-f]{12})")
_U16 = 0xFFFF


class TagKey(NamedTuple):
    """One beacon's name. As text: `fda50693-a4e2-4fb1-afcf-c6eb07647825:10001:7`, `00112233445566778899:0123456789ab`.

    `space`: an iBeacon's UUID in lower case with its dashes, or an Eddystone's namespace as 20 hex digits. `major` and
    `minor`: 0 to 65535. An Eddystone's instance, 48 bits, is in `major`; its `minor` is 0.
    """

    kind: TagKind
    space: str
    major: int
    minor: int = 0

    def __str__(self) -> str:
        if self.kind is TagKind.EDDYSTONE:
            return f"{self.space}:{self.major:012x}"
        return f"{self.space}:{self.major}:{self.minor}"

    @classmethod
    def from_text(cls, text: str) -> TagKey:
        """The other way round, in any case of letters. ValueError: it names no beacon."""
        plain = text.strip().lower()
        if match := _IBEACON.fullmatch(plain):
            major, minor = int(match[2]), int(match[3])
            if max(major, minor) <= _U16:
                return cls(TagKind.IBEACON, match[1], major, minor)
        elif match := _EDDYSTONE.fullmatch(plain):
            return cls(TagKind.EDDYSTONE, match[1], int(match[2], 16))
        raise ValueError(f"{text!r} is no beacon: UUID:MAJOR:MINOR, or NAMESPACE:INSTANCE in hex digits")


class Heard(NamedTuple):
    """One advertisement. `power_dbm`: what the tag says of itself, at one metre. `mono_s`: time.monotonic()."""

    key: TagKey
    rssi_dbm: int
    power_dbm: int
    mono_s: float


class Battery(NamedTuple):
    """What a tag says of its own battery (Eddystone-TLM). `millivolts`: 0 where it has none to measure."""

    key: TagKey
    millivolts: int
    mono_s: float


class Deaf(NamedTuple):
    """Nothing could be heard `since` (the last advertisement of anybody, or the beginning) `until` (the first one
    after). Seconds of time.monotonic(). Told when hearing begins again; of a time that lasts, `until` is None."""

    since: float
    until: float | None
