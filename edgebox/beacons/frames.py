"""What beacons say, byte for byte: iBeacon, Eddystone-UID and Eddystone-TLM, taken apart and put together.

Owns: the frames' layouts, and their lengths. Never: whose beacon it is, or how near (presence.py).

Names and layouts: Apple, "Proximity Beacon Specification" R1 (manufacturer data of company 0x004C: type 02, length 15,
proximity UUID, major, minor, measured power at one metre, big endian); Google, github.com/google/eddystone,
eddystone-uid and eddystone-tlm (service data of FEAA: frame type, ranging data at *zero* metres, namespace, instance).
Strict: a frame of another length is none. A beacon's bytes are somebody else's: what can't be read is None, no error.
"""

from __future__ import annotations

from typing import NamedTuple

from edgebox.beacons.heard import TagKey, TagKind

APPLE = 0x004C  # Bluetooth SIG, company identifiers
EDDYSTONE = "0000feaa-0000-1000-8000-00805f9b34fb"  # 0xFEAA as the 128 bits that BlueZ spells it with

IBEACON_BYTES = 23  # behind the company: type, length, 16 + 2 + 2 + 1
_IBEACON_HEAD = b"\x02\x15"
_UID, _TLM = 0x00, 0x20
_UID_BYTES = (18, 20)  # with or without its two reserved bytes: many tags leave them out
_TLM_BYTES = 14
_PLAIN_TLM = 0x00  # version; 0x01 is encrypted
_AT_ZERO_DB = 41  # Eddystone: from the power at zero metres to that at one

ADVERT_BYTES_MAX = 31  # Core specification, Vol 6 Part B 2.3.1: data of a legacy advertisement
FLAGS = b"\x02\x01\x06"  # general discoverable, no BR/EDR
_AD_MANUFACTURER = 0xFF

UUID_BYTES = 16
NAMESPACE_BYTES = 10


class Frame(NamedTuple):
    """A beacon's name, and how strong it says it is at one metre."""

    key: TagKey
    power_dbm: int


def read_ibeacon(data: bytes) -> Frame | None:
    """`data`: manufacturer data of APPLE, without the company."""
    if len(data) != IBEACON_BYTES or data[:2] != _IBEACON_HEAD:
        return None
    major, minor = int.from_bytes(data[18:20], "big"), int.from_bytes(data[20:22], "big")
    return Frame(TagKey(TagKind.IBEACON, spell_uuid(data[2:18]), major, minor), _signed(data[22]))


def read_eddystone(data: bytes) -> Frame | None:
    """`data`: service data of EDDYSTONE. Only an Eddystone-UID is a name."""
    if len(data) not in _UID_BYTES or data[0] != _UID:
        return None
    power_dbm = _signed(data[1]) - _AT_ZERO_DB
    return Frame(TagKey(TagKind.EDDYSTONE, data[2:12].hex(), int.from_bytes(data[12:18], "big")), power_dbm)


def read_battery(data: bytes) -> int | None:
    """Millivolts, 0 where the tag has no battery. `data`: service data of EDDYSTONE; None: it is no plain TLM."""
    if len(data) != _TLM_BYTES or data[0] != _TLM or data[1] != _PLAIN_TLM:
        return None
    return int.from_bytes(data[2:4], "big")


def space_of(manufacturer: bytes, service: bytes) -> bytes:
    """The UUID or namespace that a frame begins with, unread: enough to know whether anybody wants it."""
    if len(manufacturer) == IBEACON_BYTES and manufacturer[:2] == _IBEACON_HEAD:
        return manufacturer[2:18]
    return service[2:12] if len(service) in _UID_BYTES and service[0] == _UID else b""


def ibeacon(key: TagKey, power_dbm: int) -> bytes:
    """Manufacturer data of APPLE that says `key`. ValueError: there is no such frame."""
    if key.kind is not TagKind.IBEACON:
        raise ValueError(f"{key} is no iBeacon")
    if not -128 <= power_dbm <= 127:
        raise ValueError(f"{power_dbm} dBm can't be said in one byte")
    data = _IBEACON_HEAD + bytes.fromhex(key.space.replace("-", "")) + _u16(key.major) + _u16(key.minor)
    data += (power_dbm & 0xFF).to_bytes(1, "big")
    if len(data) != IBEACON_BYTES:
        raise ValueError(f"{key.space!r} is no UUID")
    return data


def on_air(manufacturer_data: bytes, *, flags: bool) -> bytes:
    """The advertisement's data as it is sent. ValueError: it is longer than an advertisement can be.

    Without flags where nobody can connect: they may then be left out (Core Specification Supplement, Part A 1.3.1),
    and BlueZ leaves them out. With them it is Apple's 30 bytes.
    """
    payload = APPLE.to_bytes(2, "little") + manufacturer_data
    data = (FLAGS if flags else b"") + bytes([len(payload) + 1 & 0xFF, _AD_MANUFACTURER]) + payload
    if len(data) > ADVERT_BYTES_MAX:
        raise ValueError(f"{len(data)} bytes, and an advertisement has {ADVERT_BYTES_MAX}")
    return data


def spell_uuid(raw: bytes) -> str:
    """As TagKey spells it."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def raw_space(space: str) -> bytes:
    """A UUID or namespace as its bytes. ValueError: it is neither."""
    raw = bytes.fromhex(space.replace("-", ""))
    if len(raw) not in (UUID_BYTES, NAMESPACE_BYTES):
        raise ValueError(f"{space!r} is neither a UUID nor a namespace of 20 hex digits")
    return raw


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _u16(number: int) -> bytes:
    if not 0 <= number <= 0xFFFF:
        raise ValueError(f"{number} is not from 0 to 65535")
    return number.to_bytes(2, "big")
