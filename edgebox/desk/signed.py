"""The shop's own coupon as a code that the cloud signed: all its terms are in it, so that a box can judge it alone.

Owns: the code's spelling, checked and (for the cloud's side) made; the terms in it. Never: whether it was used, or
whether a box may decide without the cloud (allowance.py).

    prefix + base32( version 1 | store 3 | device 2 | serial 8 | kind 1 | value 4 | threshold 4 | first day 2 |
                     last day 2 | length 1 | stock | Ed25519 signature 64 )

Signed with Ed25519 rather than a keyed hash, so that a stolen box can check coupons and make none. With a stock's id of
eight letters it is 160 characters: QR version 8, easily read off a phone. `device` names the one box of the shop that
may take it while the cloud is away: two boxes that can't ask each other would both take it. All boxes take it online.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple, Protocol

from edgebox.errors import ClaimError
from edgebox.loyalty.offers import CouponKind

VERSION = 1
SIGNATURE_BYTES = 64  # RFC 8032
SERIAL_MAX = (1 << 53) - 1  # what a number in JSON can hold everywhere [RFC 8259, section 6]
STOCK_MAX = 32  # letters
CODE_MAX = 300  # characters of a code that are looked at; the longest one has 194 and its prefix
_LABEL = b"edgebox coupon v1\0"
_HEAD = struct.Struct(">B3sHQBIIHHB")


class _Kind(IntEnum):
    AMOUNT_OFF = 1
    PERCENT_OFF = 2
    GIFT = 3
    EXCHANGE = 4
    FIXED_PRICE = 5
    MALL = 6


class Coupon(NamedTuple):
    """Its terms. Days since 1970 in the shop, both inside; `threshold`, `value`: minor units, or per cent.

    Of the mall: `value` is the price in points, `threshold` what the goods are worth, and `stock` names the goods and
    the rules' revision that had this price: `COFFEE-M@42`."""

    store: int
    device: int
    serial: int
    kind: CouponKind
    value: int
    threshold: int
    first_day: int
    last_day: int
    stock: str = ""

    def face_minor(self, amount_minor: int | None) -> int | None:
        """What it takes off the bill, or a gift's worth; None: that depends on a bill that isn't known."""
        if self.kind is CouponKind.MALL:
            return self.threshold
        if self.kind in (CouponKind.AMOUNT_OFF, CouponKind.GIFT, CouponKind.EXCHANGE):
            return self.value
        if amount_minor is None:
            return None
        if self.kind is CouponKind.PERCENT_OFF:
            return amount_minor * min(self.value, 100) // 100
        return max(0, amount_minor - self.value)


class Verifier(Protocol):
    """An Ed25519 public key."""

    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raises anything if the signature is none."""


class Signer(Protocol):
    """An Ed25519 private key; only the cloud's side has one."""

    def sign(self, data: bytes, /) -> bytes:
        """64 bytes."""


def looks_signed(prefix: str, code: str) -> bool:
    """It claims to be one; `read` says whether it is."""
    return bool(prefix) and code.startswith(prefix)


def read(code: str, prefix: str, keys: Iterable[Verifier]) -> Coupon:
    """The terms of a code that one of `keys` has signed. ClaimError `format`, `version`, `forged`."""
    raw = _bytes(code[len(prefix) :]) if looks_signed(prefix, code) and len(code) <= CODE_MAX else None
    if raw is None or len(raw) < _HEAD.size + SIGNATURE_BYTES:
        raise _bad("format")
    payload, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    if payload[0] != VERSION:
        raise _bad("version")
    if not any(_holds(key, signature, _signed(prefix, payload)) for key in keys):
        raise _bad("forged")
    _, store, device, serial, kind, value, threshold, first, last, size = _HEAD.unpack_from(payload)
    stock = payload[_HEAD.size :]
    if len(stock) != size or size > STOCK_MAX or kind not in set(_Kind) or serial > SERIAL_MAX:
        raise _bad("format")
    name = CouponKind[_Kind(kind).name]
    number = int.from_bytes(store, "big")
    return Coupon(number, device, serial, name, value, threshold, first, last, stock.decode("ascii", "replace"))


def made(coupon: Coupon, prefix: str, key: Signer) -> str:
    """The code, for the cloud's side. ValueError: a stock's id or a serial that doesn't fit."""
    stock = coupon.stock.encode("ascii")
    if len(stock) > STOCK_MAX or coupon.serial > SERIAL_MAX:
        raise ValueError(f"{coupon.stock}, {coupon.serial}: more than {STOCK_MAX} letters, or too large")
    head = _HEAD.pack(
        VERSION, coupon.store.to_bytes(3, "big"), coupon.device, coupon.serial, _Kind[coupon.kind.name], coupon.value,
        coupon.threshold, coupon.first_day, coupon.last_day, len(stock),
    )  # fmt: skip
    payload = head + stock
    return prefix + base64.b32encode(payload + key.sign(_signed(prefix, payload))).decode("ascii").rstrip("=")


def _bytes(text: str) -> bytes | None:
    """base32 in its one spelling; None: it is none."""
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b32encode(raw).decode("ascii").rstrip("=") == text else None


def _signed(prefix: str, payload: bytes) -> bytes:
    where = prefix.encode("utf-8")
    return _LABEL + bytes((len(where),)) + where + payload


def _holds(key: Verifier, signature: bytes, data: bytes) -> bool:
    """Whatever a key raises means no."""
    try:
        key.verify(signature, data)
    except Exception:
        return False
    return True


def _bad(reason: str) -> ClaimError:
    return ClaimError("the coupon is refused", reason=reason, hint="not signed by this shop's cloud, or misread")
