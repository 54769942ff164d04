"""The comeback coupon: signed by the box that printed it, and redeemed there without any cloud.

Owns: its two spellings, one in a QR code and one for people to type, made and checked. Never: whether it was used (the
store's list of serials says so), or the key's file (edgebox/own_secret.py).

A coupon is good at the box that printed it, and only there: two boxes that can't ask each other would both take it. So
the long code carries all its terms, and the short one only a serial: the box has the terms by that.

    long   prefix + base32( version 1 | device 2 | serial 4 | value 4 | threshold 4 | last day 2 | MAC 12 )
    short  20 bits of the serial | 30 bits of MAC, as ten letters of Crockford's base32: 7KQ4M-2XWAB

30 bits are few for a secret that can be tried at leisure, and enough where each try is a person at a till, is counted,
and the serial must be one that was given out: the desk locks typing after a few wrong ones.
"""

from __future__ import annotations

import base64
import hmac
import re
import struct
from enum import StrEnum
from typing import NamedTuple

from edgebox.errors import ClaimError

VERSION = 1
KEY_BYTES = 32
MAC_BYTES = 12  # 96 bits, as a claim's
SERIAL_MAX = (1 << 32) - 1
SHORT_SERIALS = 1 << 20  # a short code names a serial modulo so many: the newest million coupons
DAY_S = 86_400
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_READ_AS = str.maketrans("ILO", "110", "- ")
_LONG_LABEL, _SHORT_LABEL = b"edgebox comeback v1", b"edgebox comeback short v1"
_TERMS = struct.Struct(">BHIIIH")
LONG_CHARS = -(-(_TERMS.size + MAC_BYTES) * 8 // 5)
_LONG = re.compile(rf"(.{{0,60}}?)([A-Z2-7]{{{LONG_CHARS}}})")


class Terms(NamedTuple):
    """`value_minor` off from `threshold_minor` on, until the end of `last_day` (days since 1970, in the shop)."""

    device: int
    serial: int
    value_minor: int
    threshold_minor: int
    last_day: int


class Refusal(StrEnum):
    """Why a code is refused."""

    FORMAT = "format"
    VERSION = "version"
    FORGED = "forged"
    OTHER_BOX = "other_box"
    UNKNOWN = "unknown"  # this box never gave that serial out
    SPENT = "spent"
    EXPIRED = "expired"
    THRESHOLD = "threshold"


def long_code(key: bytes, prefix: str, terms: Terms) -> str:
    """What the QR code says."""
    payload = _TERMS.pack(VERSION, *terms)
    token = payload + _mac(key, prefix, payload)
    return prefix + base64.b32encode(token)[:LONG_CHARS].decode("ascii")


def short_code(key: bytes, terms: Terms) -> str:
    """What people type: ten letters in two groups."""
    bits = terms.serial % SHORT_SERIALS << 30 | _short_mac(key, terms)
    letters = "".join(LETTERS[bits >> shift & 31] for shift in range(45, -1, -5))
    return f"{letters[:5]}-{letters[5:]}"


def read_long(key: bytes, prefix: str, device: int, code: str) -> Terms:
    """The terms in a scanned code that this box signed. ClaimError with a Refusal as reason."""
    match = _LONG.fullmatch(code)
    if not match or match[1] != prefix:
        raise refused(Refusal.FORMAT)
    token = base64.b32decode(match[2] + "=" * (-LONG_CHARS % 8))
    if base64.b32encode(token)[:LONG_CHARS].decode("ascii") != match[2]:
        raise refused(Refusal.FORMAT)  # the bits left over are not 0
    payload, mac = token[: _TERMS.size], token[_TERMS.size :]
    version, *fields = _TERMS.unpack(payload)
    if version != VERSION:
        raise refused(Refusal.VERSION)
    terms = Terms(*fields)
    if terms.device != device:
        raise refused(Refusal.OTHER_BOX)
    if not hmac.compare_digest(mac, _mac(key, prefix, payload)):
        raise refused(Refusal.FORGED)
    return terms


def read_short(code: str) -> tuple[int, int] | None:
    """A typed code's serial (modulo SHORT_SERIALS) and MAC; None: it is none. Reads I and L as 1, O as 0."""
    letters = code.upper().translate(_READ_AS)
    if len(letters) != 10 or any(letter not in LETTERS for letter in letters):
        return None
    bits = 0
    for letter in letters:
        bits = bits << 5 | LETTERS.index(letter)
    return bits >> 30, bits & (1 << 30) - 1


def check_short(key: bytes, mac: int, terms: Terms) -> None:
    """The typed code is that of `terms`, which the box found by its serial. ClaimError `forged`."""
    if not hmac.compare_digest(mac.to_bytes(4, "big"), _short_mac(key, terms).to_bytes(4, "big")):
        raise refused(Refusal.FORGED)


def check_terms(terms: Terms, amount_minor: int | None, today: int) -> None:
    """They hold for a sale of `amount_minor` (None: not known yet) on `today`, in days since 1970. ClaimError."""
    if today > terms.last_day:
        raise refused(Refusal.EXPIRED)
    if amount_minor is not None and amount_minor < terms.threshold_minor:
        raise refused(Refusal.THRESHOLD)


def refused(reason: Refusal) -> ClaimError:
    """The error for a refusal."""
    return ClaimError("the coupon is refused", reason=reason.value, hint=_HINTS[reason])


_HINTS = {
    Refusal.FORMAT: "not a coupon of this shop, or a letter was misread",
    Refusal.VERSION: "printed by a newer box",
    Refusal.FORGED: "altered, or not printed by this box",
    Refusal.OTHER_BOX: "printed at another till: it is good there",
    Refusal.UNKNOWN: "this box never gave it out",
    Refusal.SPENT: "used before",
    Refusal.EXPIRED: "its time is over",
    Refusal.THRESHOLD: "the bill is below what it asks for",
}


def _mac(key: bytes, prefix: str, payload: bytes) -> bytes:
    where = prefix.encode("ascii")
    return hmac.digest(key, _LONG_LABEL + bytes((len(where),)) + where + payload, "sha256")[:MAC_BYTES]


def _short_mac(key: bytes, terms: Terms) -> int:
    digest = hmac.digest(key, _SHORT_LABEL + _TERMS.pack(VERSION, *terms), "sha256")
    return int.from_bytes(digest[:4], "big") >> 2
