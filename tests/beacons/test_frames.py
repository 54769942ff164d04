"""The bytes of beacons: read as Apple and Google say, written as they are read, and never a frame out of noise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.beacons.frames import (
    APPLE,
    FLAGS,
    ibeacon,
    on_air,
    raw_space,
    read_battery,
    read_eddystone,
    read_ibeacon,
    space_of,
)
from edgebox.beacons.heard import TagKey, TagKind

WECHAT = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
SHOP = TagKey(TagKind.IBEACON, WECHAT, 10001, 7)
# Apple's layout by hand: 02 15, UUID, 2711, 0007, C5 (-59).
SHOP_BYTES = bytes.fromhex("0215fda50693a4e24fb1afcfc6eb0764782527110007c5")

uuids = st.uuids().map(str)
u16 = st.integers(0, 0xFFFF)
ibeacons = st.builds(TagKey, st.just(TagKind.IBEACON), uuids, u16, u16)
eddystones = st.builds(
    TagKey,
    st.just(TagKind.EDDYSTONE),
    st.binary(min_size=10, max_size=10).map(bytes.hex),
    st.integers(0, (1 << 48) - 1),
    st.just(0),
)


def test_an_ibeacon_is_written_as_apple_says() -> None:
    assert ibeacon(SHOP, -59) == SHOP_BYTES
    assert read_ibeacon(SHOP_BYTES) == (SHOP, -59)


def test_the_advertisement_is_apples_thirty_bytes() -> None:
    assert on_air(SHOP_BYTES, flags=True) == bytes.fromhex("0201061aff4c00") + SHOP_BYTES
    assert on_air(SHOP_BYTES, flags=False) == bytes.fromhex("1aff4c00") + SHOP_BYTES
    assert len(on_air(SHOP_BYTES, flags=True)) == 30


def test_a_frame_that_is_too_long_for_the_air_is_refused() -> None:
    assert len(on_air(bytes(24), flags=True)) == 31
    with pytest.raises(ValueError, match="32 bytes"):
        on_air(bytes(25), flags=True)
    assert len(on_air(bytes(27), flags=False)) == 31
    with pytest.raises(ValueError, match="an advertisement has 31"):
        on_air(bytes(28), flags=False)


@pytest.mark.parametrize(
    ("key", "power_dbm"),
    [
        (SHOP._replace(major=65536), -59),
        (SHOP._replace(minor=-1), -59),
        (SHOP._replace(space="fda50693"), -59),
        (SHOP._replace(space="no uuid at all"), -59),
        (SHOP, 128),
        (SHOP, -129),
        (TagKey(TagKind.EDDYSTONE, "00" * 10, 1), -59),
    ],
)
def test_what_no_frame_can_say_is_refused(key: TagKey, power_dbm: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ibeacon(key, power_dbm)


@given(ibeacons, st.integers(-128, 127))
def test_every_ibeacon_is_read_as_it_was_written(key: TagKey, power_dbm: int) -> None:
    assert read_ibeacon(ibeacon(key, power_dbm)) == (key, power_dbm)
    assert TagKey.from_text(str(key).upper()) == key
    assert space_of(ibeacon(key, power_dbm), b"") == raw_space(key.space)


@given(eddystones, st.integers(-100, 20), st.sampled_from([b"", b"\x00\x00"]))
def test_every_eddystone_uid_is_read_with_its_power_at_one_metre(
    key: TagKey, at_zero_dbm: int, reserved: bytes
) -> None:
    data = bytes([0, at_zero_dbm & 0xFF]) + bytes.fromhex(key.space) + key.major.to_bytes(6, "big") + reserved
    assert read_eddystone(data) == (key, at_zero_dbm - 41)
    assert TagKey.from_text(str(key)) == key
    assert space_of(b"", data) == raw_space(key.space)


@given(st.binary(max_size=40))
def test_noise_is_a_frame_only_with_its_head_and_length(noise: bytes) -> None:
    assert (read_ibeacon(noise) is not None) == (len(noise) == 23 and noise[:2] == b"\x02\x15")
    assert (read_eddystone(noise) is not None) == (len(noise) in (18, 20) and noise[0] == 0)
    assert (read_battery(noise) is not None) == (len(noise) == 14 and noise[:2] == b"\x20\x00")


@given(st.binary(max_size=8), st.binary(min_size=1, max_size=8))
def test_a_frame_with_something_around_it_is_none(before: bytes, behind: bytes) -> None:
    assert read_ibeacon(SHOP_BYTES + behind) is None
    assert not before or read_ibeacon(before + SHOP_BYTES) is None
    assert read_ibeacon(SHOP_BYTES[: -len(behind)]) is None


def test_a_battery_is_told_in_millivolts() -> None:
    assert read_battery(bytes.fromhex("20000bb819800000000100000002")) == 3000
    assert read_battery(bytes.fromhex("20010bb819800000000100000002")) is None, "encrypted"


@given(st.text(max_size=80))
def test_any_text_names_a_beacon_or_is_refused_in_words(text: str) -> None:
    words, key = "", SHOP
    try:
        key = TagKey.from_text(text)
    except ValueError as fault:
        words = str(fault)
    assert "is no beacon" in words if words else TagKey.from_text(str(key)) == key


@pytest.mark.parametrize("text", [f"{WECHAT}:65536:1", f"{WECHAT}:1", f"{WECHAT}:1:2:3", "00:11", f"{WECHAT}:-1:2", ""])
def test_what_names_no_beacon_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no beacon"):
        TagKey.from_text(text)


def test_the_flags_and_the_company_are_those_of_the_air() -> None:
    assert FLAGS[1] == 0x01
    assert on_air(b"", flags=False)[2:] == APPLE.to_bytes(2, "little")
