"""What the box says on the air, and when: frames and opening hours, from the settings or from the fleet.

Owns: both ways of writing it down made one, and judged. Never: sends anything (drivers/beacon_advertiser.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from drivers.advert_plan import Advert
from edgebox.beacons.heard import TagKey, TagKind
from edgebox.beacons.hours import Hours, read_hours
from edgebox.errors import ConfigError
from edgebox.settings import BeaconsSettings, FrameSettings
from sync.contract_content import BeaconContent, FrameSpec


class Sending(NamedTuple):
    """`adverts` are on the air in `hours`."""

    adverts: tuple[Advert, ...] = ()
    hours: Hours = Hours()


def of_settings(settings: BeaconsSettings) -> Sending:
    """ConfigError `bad_hours`, `bad_frame`."""
    try:
        adverts = _adverts(settings.send, settings.interval_ms, settings.flags)
        hours = read_hours(settings.hours)
    except ValueError as fault:
        raise ConfigError(f"[beacons]: {fault}", reason="bad_beacons", hint="see docs/beacons.md") from fault
    return Sending(adverts, hours)


def of_content(content: bytes) -> Sending:
    """Of a bundle that was found good."""
    given = msgspec.json.decode(content, type=BeaconContent)
    return Sending(_adverts(given.frames, given.interval_ms, given.flags), read_hours(given.hours))


def rejected(content: bytes) -> Mapping[str, str]:
    """Key → why, for what can't be had. msgspec's errors: it is no such bundle."""
    given = msgspec.json.decode(content, type=BeaconContent)
    found = {
        "frames": _why(lambda: _adverts(given.frames, given.interval_ms, given.flags)),
        "hours": _why(lambda: read_hours(given.hours)),
    }
    return {key: why for key, why in found.items() if why}


def _adverts(
    frames: tuple[FrameSettings, ...] | tuple[FrameSpec, ...], interval_ms: int, flags: bool
) -> tuple[Advert, ...]:
    """ValueError: one can't be sent, or is there twice, with another power perhaps."""
    adverts = [
        Advert(TagKey(TagKind.IBEACON, one.uuid.lower(), one.major, one.minor), one.power_dbm, interval_ms, flags)
        for one in frames
    ]
    if len({advert.key for advert in adverts}) < len(adverts):
        raise ValueError("a frame is there twice")
    for advert in adverts:
        advert.data  # noqa: B018 - ValueError
    return tuple(adverts)


def _why(make: Callable[[], object]) -> str:
    try:
        make()
    except ValueError as fault:
        return str(fault)
    return ""
