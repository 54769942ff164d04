"""How far a tag lies about its own power: twenty seconds at one metre, and the number that puts it right. Pure.

Owns: what is measured, when it is not good enough, and the words. Never: the radio, or a settings file: a person puts
the line there.

Tags of one model differ by some decibels, a tag in a pouch or behind a badge by ten, and each radio hears differently.
At one metre a tag should arrive with the power that it says it has: what is missing is the offset.
"""

from __future__ import annotations

from typing import NamedTuple

from edgebox.beacons.heard import Heard, TagKey
from edgebox.beacons.tags import Tag

STAND_S = 20.0  # so long at one metre: 60 frames of a slow tag, and people turn a little meanwhile
SAMPLES_MIN = 20  # one a second; a tag that is heard less often can't be followed either
SPREAD_MAX_DB = 12  # between the quarters: more is metal, a crowd or somebody walking
OFFSET_MAX_DB = 40  # as the settings take


class Found(NamedTuple):
    """What came of it. `fault`: why it is not good enough, in words; `spread_db`: between the quarters."""

    offset_db: int
    samples: int
    median_dbm: int
    spread_db: int
    fault: str = ""


class Calibration:
    """Of one tag."""

    def __init__(self, key: TagKey) -> None:
        self.key = key
        self._missing: list[int] = []
        self._rssi: list[int] = []

    def heard(self, heard: Heard) -> None:
        """One advertisement; of other tags nothing is taken."""
        if heard.key == self.key:
            self._rssi.append(heard.rssi_dbm)
            self._missing.append(heard.rssi_dbm - heard.power_dbm)

    def __len__(self) -> int:
        return len(self._rssi)

    def found(self) -> Found:
        """After STAND_S."""
        count = len(self._rssi)
        if not count:
            return Found(0, 0, 0, 0, "the tag was not heard: is it on, and is its UUID right?")
        rssi, missing = sorted(self._rssi), sorted(self._missing)
        spread = rssi[3 * count // 4] - rssi[count // 4]
        offset = missing[count // 2]
        fault = ""
        if count < SAMPLES_MIN:
            fault = f"heard {count} times only: it sends too seldom, or is too far"
        elif spread > SPREAD_MAX_DB:
            fault = f"the signal swings by {spread} dB: stand still, away from metal and people, and try again"
        elif abs(offset) > OFFSET_MAX_DB:
            fault = f"an offset of {offset} dB: the tag says a power that is none"
        return Found(offset, count, rssi[count // 2], spread, fault)


def toml_line(key: TagKey, offset_db: int, tag: Tag | None = None) -> str:
    """The tag's line for `[beacons] tags`, with all that is known of it."""
    fields = [("name", tag.name if tag else "NAME"), ("beacon", str(key))]
    if tag is not None:
        fields += [("role", tag.role.value), ("zone", tag.zone), ("member", tag.member), ("cashier", tag.cashier)]
    parts = [f'{name} = "{value}"' for name, value in fields if value]
    return f"{{ {', '.join([*parts, f'offset_db = {offset_db}'])} }},"
