"""What reaches the rest of the box: listed beacons, and nobody else."""

from hypothesis import given
from hypothesis import strategies as st

from edgebox.beacons import ears as module
from edgebox.beacons.ears import Ears
from edgebox.beacons.frames import APPLE, EDDYSTONE, ibeacon
from edgebox.beacons.heard import Battery, Heard, TagKey, TagKind

OURS = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
THEIRS = "00000000-a4e2-4fb1-afcf-c6eb07647825"
TAG = TagKey(TagKind.IBEACON, OURS, 1, 2)
UID = TagKey(TagKind.EDDYSTONE, "00112233445566778899", 0x0123456789AB)
UID_BYTES = bytes([0, 0xEE]) + bytes.fromhex("001122334455667788990123456789ab0000")  # -18 dBm at zero metres
TLM_BYTES = bytes.fromhex("20000bb819800000000100000002")


class Told:
    """An Ears that notes what it says."""

    def __init__(self, *spaces: str) -> None:
        self.heard: list[Heard] = []
        self.batteries: list[Battery] = []
        self.ears = Ears(self.heard.append, self.batteries.append)
        self.ears.allow(spaces)

    def apple(self, data: bytes, rssi_dbm: int = -60, source: str = "a") -> None:
        self.ears.take(source, {APPLE: data}, {}, rssi_dbm, 1.0)

    def eddystone(self, data: bytes, source: str = "a") -> None:
        self.ears.take(source, {}, {EDDYSTONE: data}, -60, 1.0)


def test_a_listed_beacon_is_heard() -> None:
    told = Told(OURS.upper(), UID.space)
    told.apple(ibeacon(TAG, -59))
    told.eddystone(UID_BYTES)
    assert told.heard == [Heard(TAG, -60, -59, 1.0), Heard(UID, -60, -59, 1.0)]


def test_a_stranger_is_dropped_and_counted() -> None:
    told = Told(OURS)
    told.apple(ibeacon(TAG._replace(space=THEIRS), -59))
    told.apple(b"\x10\x05\x01\x02")
    told.eddystone(UID_BYTES)
    assert told.heard == []
    assert told.ears.counters["strangers"] == 3


def test_without_a_list_nothing_is_heard() -> None:
    told = Told()
    told.apple(ibeacon(TAG, -59))
    told.eddystone(UID_BYTES)
    told.ears.take("a", {APPLE: b""}, {EDDYSTONE: b""}, -60, 1.0)
    assert told.heard == []


def test_a_change_without_an_advertisement_is_not_heard() -> None:
    """BlueZ takes the RSSI back when a scan ends, and bleak calls that -127."""
    told = Told(OURS)
    for rssi_dbm in (-127, 0, 127):
        told.apple(ibeacon(TAG, -59), rssi_dbm)
    assert told.heard == []
    assert told.ears.counters["no_rssi"] == 3


def test_a_tag_that_says_both_frames_is_heard_under_both_names() -> None:
    told = Told(OURS, UID.space)
    told.ears.take("a", {APPLE: ibeacon(TAG, -59)}, {EDDYSTONE: UID_BYTES}, -60, 1.0)
    assert [heard.key for heard in told.heard] == [TAG, UID]


def test_a_battery_belongs_to_the_sender_heard_before_and_is_told_once() -> None:
    told = Told(UID.space)
    told.eddystone(TLM_BYTES)  # nobody knows yet whose it is
    told.eddystone(UID_BYTES)
    told.eddystone(TLM_BYTES, source="b")
    told.eddystone(TLM_BYTES)
    told.eddystone(TLM_BYTES)
    assert told.batteries == [Battery(UID, 3000, 1.0)]


def test_a_change_of_the_list_takes_effect_at_once() -> None:
    told = Told(OURS)
    told.apple(ibeacon(TAG, -59))
    told.ears.allow([THEIRS])
    told.apple(ibeacon(TAG, -59))
    assert len(told.heard) == 1


def test_memory_is_bounded_whatever_is_said() -> None:
    told = Told(OURS)
    for number in range(module.FRAMES_MAX + module.SOURCES_MAX):
        told.apple(ibeacon(TAG._replace(major=number & 0xFFFF), -59), source=str(number))
    ears = told.ears
    assert len(told.heard) == module.FRAMES_MAX + module.SOURCES_MAX
    assert len(ears._frames) <= module.FRAMES_MAX
    assert len(ears._senders) <= module.SOURCES_MAX


@given(st.dictionaries(st.sampled_from([APPLE, 1]), st.binary(max_size=30)),
       st.dictionaries(st.sampled_from([EDDYSTONE, "x"]), st.binary(max_size=30)), st.integers(-300, 300))  # fmt: skip
def test_no_bytes_upset_the_ears(apple: dict[int, bytes], eddystone: dict[str, bytes], rssi_dbm: int) -> None:
    told = Told(OURS, UID.space)
    told.ears.take("a", apple, eddystone, rssi_dbm, 1.0)
    assert all(heard.key.space in (OURS, UID.space) and -126 <= heard.rssi_dbm <= 20 for heard in told.heard)
