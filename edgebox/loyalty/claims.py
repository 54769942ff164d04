"""Claims: the token in a points QR, made and checked.

Owns: the token's bytes, its URL, claim ids, and why a token is refused. Never: reads keys or a clock (both are handed
in), and never decides whether a receipt earns.

A token is 24 bytes and a MAC of 12, all numbers big-endian:

    0     version, 1
    1     key epoch (low byte of its index)
    2-4   store          5-6   device
    7-14  claim id       15-18 minute of issue (since 1970, UTC)
    19-22 amount in minor units of the store's currency, 1 to 2**32 - 1
    23    flags: bits 7-4 revision 0-15; bits 3-2 confidence 0 weak id, 1 low, 2 medium, 3 high;
          bit 1 all tenders known; bit 0 the box's clock was right
    24-35 HMAC-SHA256(epoch key, "edgebox claim v1" || length of prefix u8 || prefix || bytes 0-23), first 12 bytes

36 bytes are 58 characters of upper-case base32 without padding; the two bits left over must be 0, so each claim has
exactly one spelling. Behind an upper-case prefix the whole URL stays in QR's alphanumeric mode: version 4 at level M.
The prefix is under the MAC: a token can't be moved to another host or path.

Who checks a claim: the cloud, with the same functions or from docs/contract/vectors.json, then its own ledger (single
use, box's upload of the same amount). `edgebox claim verify` runs the checks here and says why.
"""

from __future__ import annotations

import base64
import hmac
import re
import struct
from datetime import UTC, datetime
from typing import NamedTuple

from edgebox.errors import ClaimError
from edgebox.loyalty.keyring import Keyring
from edgebox.model import Confidence, NumberScope

VERSION = 1
ID_BYTES = 8
MAC_BYTES = 12  # 96 bits: forging one takes 2**95 guesses against a rate-limited cloud
TOKEN_CHARS = 58
MAC_LABEL = b"edgebox claim v1"
ID_LABEL = b"edgebox claim id v1"
AMOUNT_MAX = (1 << 32) - 1
REVISION_MAX = 15
LIFETIME_S = 72 * 3600  # domain notes 2.5; a trade may set less
SKEW_S = 600  # a box with a trusted clock (NTP) is nearer than this to any verifier

# Alphanumeric mode of QR (ISO/IEC 18004, 7.3.4) and nothing that could end the path. 32 + 58 characters are the most
# that version 4 at level M holds.
PREFIX = re.compile(r"HTTPS://[0-9A-Z][0-9A-Z.-]*(?::[0-9]+)?/(?:[0-9A-Z.-]+/)*")
PREFIX_MAX = 32

_URL = re.compile(rf"({PREFIX.pattern})([A-Z2-7]{{{TOKEN_CHARS}}})")
_PAYLOAD = struct.Struct(">BB3sH8sIIB")
_CONFIDENCES = (Confidence.LOW, Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)  # 0: weak id
_HINTS = {
    "format": "not a claim's URL: one character changed or lost, or lower case",
    "version": "made by a newer box",
    "store": "another store's claim",
    "device": "another box's claim: check it with that box's keys",
    "epoch": "signed in an epoch whose key is not here, not yet valid or too old",
    "mac": "altered, or not signed by this box",
    "expired": "its time is over",
    "future": "issued later than now: one of the clocks is wrong",
    "amount": "more than the box recorded, or nothing",
    "revision": "the bill was settled again, and a later claim counts",
    "void": "its slip came too late or was not printed: nobody should hold it",
}


class Claim(NamedTuple):
    """What a token says. `issued_minute` since 1970; `weak_id`: the id is not from a printed number and date."""

    epoch: int
    store: int
    device: int
    claim_id: bytes
    issued_minute: int
    amount_minor: int
    revision: int = 0
    confidence: Confidence = Confidence.HIGH
    weak_id: bool = False
    tender_known: bool = True
    clock_trusted: bool = True


class Parsed(NamedTuple):
    """A URL taken apart; nothing in it is proven."""

    prefix: str
    claim: Claim
    payload: bytes
    mac: bytes
    version: int


class Verified(NamedTuple):
    """A claim whose MAC is right. `expires_at` in seconds since 1970; None: the box didn't know the time."""

    claim: Claim
    expires_at: int | None


class Recorded(NamedTuple):
    """What the box recorded of a claim id: its newest revision, and that one's amount and fate."""

    revision: int
    amount_minor: int
    is_void: bool = False


def claim_id(keys: Keyring, business_date: str, scope: NumberScope, till: str, number: str) -> bytes:
    """The id of the claim to one receipt: 8 bytes, the same on any lane and any day it is printed again.

    `business_date` as printed, ISO (`2026-11-18`); `number` as printed without spaces; `till` counts only where
    numbers are per till. ClaimError `number`: one of them is missing.
    """
    if not number or not re.fullmatch(r"\d{4}-\d\d-\d\d", business_date) or (scope is NumberScope.TILL and not till):
        raise ClaimError(
            "a claim's id needs a printed number and date", reason="number", hint="and the till, where numbers are its"
        )
    where = f"till:{till}" if scope is NumberScope.TILL else "store"
    parts = (keys.store.to_bytes(3, "big"), business_date.encode(), where.encode(), number.encode())
    message = ID_LABEL + b"".join([len(part).to_bytes(2, "big") + part for part in parts])
    return hmac.digest(keys.id_key, message, "sha256")[:ID_BYTES]


def mint(
    keys: Keyring,
    claim_id: bytes,
    amount_minor: int,
    now: int,
    *,
    revision: int = 0,
    confidence: Confidence = Confidence.HIGH,
    weak_id: bool = False,
    tender_known: bool = True,
    clock_trusted: bool = True,
) -> str:
    """A signed URL for `amount_minor`, issued `now` (seconds since 1970).

    ClaimError reasons: `amount` (0 or less, or over 2**32 - 1), `revision` (16th), `epoch` (no key for this time),
    `time` (before 1970 or after 10136), `number` (not an 8-byte id).
    """
    if not 0 < amount_minor <= AMOUNT_MAX:
        raise ClaimError(f"no claim for an amount of {amount_minor}", reason="amount")
    if not 0 <= revision <= REVISION_MAX:
        raise ClaimError(f"revision {revision}", reason="revision", hint="a bill may be settled again 15 times")
    if not 0 <= now // 60 < 1 << 32:
        raise ClaimError(f"no claim at {now} seconds since 1970", reason="time")
    if len(claim_id) != ID_BYTES:
        raise ClaimError(f"a claim's id has {ID_BYTES} bytes", reason="number")
    epoch = keys.signing(now, clock_trusted=clock_trusted)
    grade = 0 if weak_id else _CONFIDENCES.index(confidence, 1)
    flags = revision << 4 | grade << 2 | tender_known << 1 | clock_trusted
    store = keys.store.to_bytes(3, "big")
    payload = _PAYLOAD.pack(VERSION, epoch.number, store, keys.device, claim_id, now // 60, amount_minor, flags)
    token = payload + _mac(epoch.key, keys.prefix, payload)
    return keys.prefix + base64.b32encode(token)[:TOKEN_CHARS].decode("ascii")


def parse(url: str) -> Parsed:
    """A URL taken apart, strictly. ClaimError `format` or `version`; nothing is proven yet."""
    match = _URL.fullmatch(url)
    if not match or len(match[1]) > PREFIX_MAX:
        raise _refused("format")
    token = base64.b32decode(match[2] + "======")
    if base64.b32encode(token)[:TOKEN_CHARS].decode("ascii") != match[2]:
        raise _refused("format")  # the two bits left over are not 0
    payload, mac = token[: _PAYLOAD.size], token[_PAYLOAD.size :]
    version, epoch, store, device, found_id, minute, amount, flags = _PAYLOAD.unpack(payload)
    if version != VERSION:
        raise _refused("version")
    grade = flags >> 2 & 3
    claim = Claim(
        epoch, int.from_bytes(store, "big"), device, found_id, minute, amount, flags >> 4,
        _CONFIDENCES[grade], grade == 0, bool(flags & 2), bool(flags & 1),
    )  # fmt: skip
    return Parsed(match[1], claim, payload, mac, version)


def verify(
    url: str, keys: Keyring, now: int, lifetime_s: int = LIFETIME_S, recorded: Recorded | None = None
) -> Verified:
    """The claim in `url`, if `keys` (of the box that printed it) signed it and it is still good at `now`.

    `now` is the verifier's own, right clock. A token whose box didn't know the time can't expire by its minute; it is
    bounded by its epoch, which must not have ended longer than `lifetime_s` ago. `recorded`: what is known of its id;
    a token whose record has not come yet may be good, but is worth nothing until it has.
    ClaimError reasons: format, version, store, device, epoch, mac, amount, revision, void, expired, future.
    """
    parsed = parse(url)
    claim = parsed.claim
    if parsed.prefix != keys.prefix:
        raise _refused("format", f"printed for {parsed.prefix}, not {keys.prefix}")
    if claim.store != keys.store:
        raise _refused("store", f"store {claim.store}, not {keys.store}")
    if claim.device != keys.device:
        raise _refused("device", f"device {claim.device}, not {keys.device}")
    span = keys.span(claim.epoch, now)
    if (
        span is None
        or now > span[1] + lifetime_s + SKEW_S
        or (claim.clock_trusted and now < span[0].valid_from - SKEW_S)
    ):
        raise _refused("epoch", f"epoch {claim.epoch}")
    if not hmac.compare_digest(parsed.mac, _mac(span[0].key, parsed.prefix, parsed.payload)):
        raise _refused("mac")
    if claim.amount_minor == 0:
        raise _refused("amount")
    if recorded is not None:
        _compare(claim, recorded)
    if not claim.clock_trusted:
        return Verified(claim, None)
    expires_at = claim.issued_minute * 60 + lifetime_s
    if now > expires_at:
        raise _refused("expired", f"expired {_when(expires_at)}")
    if claim.issued_minute * 60 > now + SKEW_S:
        raise _refused("future", f"issued {_when(claim.issued_minute * 60)}")
    return Verified(claim, expires_at)


def _compare(claim: Claim, recorded: Recorded) -> None:
    """A signed token against the box's record: a key that leaked must not make more of a receipt than was paid."""
    if claim.revision < recorded.revision:
        raise _refused("revision", f"revision {claim.revision}, but {recorded.revision} was given out")
    if claim.revision > recorded.revision:
        return  # its own record is on the way
    if recorded.is_void:
        raise _refused("void", f"revision {claim.revision} is void")
    if claim.amount_minor > recorded.amount_minor:
        raise _refused("amount", f"an amount of {claim.amount_minor}, but {recorded.amount_minor} was recorded")


def explain(
    url: str, keys: Keyring, now: int, lifetime_s: int = LIFETIME_S, recorded: Recorded | None = None
) -> tuple[str, int]:
    """What `edgebox claim verify` prints, and its exit code: 0 good, 1 refused."""
    try:
        found = verify(url, keys, now, lifetime_s, recorded)
    except ClaimError as refusal:
        return f"refused: {refusal.reason}: {refusal}", 1
    claim = found.claim
    expiry = _when(found.expires_at) if found.expires_at else "unknown: the box had no clock"
    rows = (
        ("claim", claim.claim_id.hex() + (" (weak id)" if claim.weak_id else "")),
        ("store, device", f"{claim.store}, {claim.device}"),
        ("amount", f"{claim.amount_minor} minor units"),
        ("issued", _when(claim.issued_minute * 60) + ("" if claim.clock_trusted else " (clock not trusted)")),
        ("expires", expiry),
        ("key epoch", str(claim.epoch)),
        ("revision", str(claim.revision)),
        ("confidence", claim.confidence.value),
        ("tenders", "known" if claim.tender_known else "unknown"),
    )
    return "good\n" + "\n".join(f"{name:<14} {value}" for name, value in rows), 0


def _mac(key: bytes, prefix: str, payload: bytes) -> bytes:
    where = prefix.encode("ascii")
    return hmac.digest(key, MAC_LABEL + bytes((len(where),)) + where + payload, "sha256")[:MAC_BYTES]


def _refused(reason: str, words: str = "") -> ClaimError:
    return ClaimError(words or "the claim is refused", reason=reason, hint=_HINTS[reason])


def _when(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError):  # the four bytes of minutes reach past the year 9999
        return f"minute {seconds // 60}"
