"""The box's ears: advertisements in, beacons that somebody asked for out.

Owns: the allow-list, what is dropped and counted, and the frames it has read before. Never: touches the radio
(drivers/beacon_scanner.py), or lets an address through: `source` tells two senders apart here and goes no further.

A shop hears a hundred advertisements a second, nearly all of them strangers' phones, so the first look is at 16 bytes
in a set. Frames repeat: each is read once and found again by its bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from edgebox.beacons.frames import (
    APPLE,
    EDDYSTONE,
    Frame,
    raw_space,
    read_battery,
    read_eddystone,
    read_ibeacon,
    space_of,
)
from edgebox.beacons.heard import Battery, Heard, TagKey

FRAMES_MAX = 4096  # frames remembered by their bytes; then all are forgotten, and read again
SOURCES_MAX = 1024  # senders whose telemetry is told apart; likewise
# Core specification, Vol 4 Part E 7.7.65.2: -127 to +20 dBm, 127 for "not available". BlueZ says 0, and bleak -127,
# where a device's properties change without an advertisement: no advertisement is no news.
_RSSI_DBM = range(-126, 21)


class Ears:
    """One radio's. `heard` and `battery` are told at once, on the caller's time."""

    def __init__(
        self, heard: Callable[[Heard], None], battery: Callable[[Battery], None] = lambda battery: None
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._heard = heard
        self._battery = battery
        self._allowed: frozenset[bytes] = frozenset()
        self._frames: dict[bytes, Frame | None] = {}
        self._senders: dict[str, TagKey] = {}
        self._telemetry: dict[str, bytes] = {}

    def allow(self, spaces: Iterable[str]) -> None:
        """UUIDs and namespaces that are listened for; all others are dropped unread. ValueError: it is neither."""
        self._allowed = frozenset(raw_space(space) for space in spaces)
        self._frames.clear()
        self._senders.clear()
        self._telemetry.clear()

    def take(
        self, source: str, manufacturer: Mapping[int, bytes], service: Mapping[str, bytes], rssi_dbm: int, mono_s: float
    ) -> None:
        """One advertisement, as bleak gives it. Never raises, whatever the bytes are."""
        if rssi_dbm not in _RSSI_DBM or rssi_dbm == 0:
            self.counters["no_rssi"] += 1
            return
        apple, eddystone = manufacturer.get(APPLE, b""), service.get(EDDYSTONE, b"")
        if apple and (frame := self._known(apple, b"")):
            self._tell(source, frame, rssi_dbm, mono_s)
        if eddystone:
            if frame := self._known(b"", eddystone):
                self._tell(source, frame, rssi_dbm, mono_s)
            elif source in self._senders:
                self._listen_to_battery(source, eddystone, mono_s)

    def _known(self, apple: bytes, eddystone: bytes) -> Frame | None:
        if space_of(apple, eddystone) not in self._allowed:
            self.counters["strangers"] += 1
            return None
        raw = apple or eddystone
        if raw not in self._frames:
            if len(self._frames) >= FRAMES_MAX:
                self._frames.clear()
            self._frames[raw] = read_ibeacon(apple) if apple else read_eddystone(eddystone)
        return self._frames[raw]

    def _tell(self, source: str, frame: Frame, rssi_dbm: int, mono_s: float) -> None:
        self.counters["heard"] += 1
        if self._senders.get(source) != frame.key:
            if len(self._senders) >= SOURCES_MAX:
                self._senders.clear()
                self._telemetry.clear()
            self._senders[source] = frame.key
        self._heard(Heard(frame.key, rssi_dbm, frame.power_dbm, mono_s))

    def _listen_to_battery(self, source: str, data: bytes, mono_s: float) -> None:
        """A telemetry frame has no name: it is its sender's, whose name was heard before. Told once each."""
        if self._telemetry.get(source) == data:
            return
        millivolts = read_battery(data)
        if millivolts is not None:
            self._telemetry[source] = data
            self._battery(Battery(self._senders[source], millivolts, mono_s))
