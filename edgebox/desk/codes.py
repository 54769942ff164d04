"""What lies on the counter: a scanned or typed code, told apart by its form, and the hash under which it is recorded.

Owns: which of our forms a code has, and its hash. Never: whether it is used, good today or enough (counter.py), and
never keeps a code: what is written down is a keyed hash. Codes that are not ours never come here (edgebox/scan).

A comeback coupon's long and short code give one hash, that of its serial: scanned or typed, it is one coupon.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from edgebox.desk import signed
from edgebox.desk.answers import Answer, Channel
from edgebox.desk.redemption import Source, Worth
from edgebox.desk.signed import Coupon, Verifier
from edgebox.errors import ClaimError
from edgebox.loyalty import comeback
from edgebox.loyalty.comeback import Terms
from edgebox.loyalty.offers import CouponKind
from edgebox.receipt.redact import Pseudonyms
from edgebox.scan.codes import Kind, is_private

HASH_BYTES = 16  # 32 hex digits, as other hashes of the record
SCAN_MAX = 300  # characters; more is no code of ours
_LABEL = b"edgebox desk code v1"
_TYPED_SHORT = re.compile(r"[0-9A-Za-z]{5}[- ]?[0-9A-Za-z]{5}")


class Scan(NamedTuple):
    """What the cashier presents. `channel`: who issued it, where the classifier knows; `amount_minor`: of the bill, if
    known; `typed`: by hand; `line`: whose printer gives the slip, "" the desk's; `mall`: a code of the points mall."""

    code: str
    cashier: str = ""
    amount_minor: int | None = None
    channel: Channel = Channel.OWN
    typed: bool = False
    line: str = ""
    mall: bool = False


class Maker(NamedTuple):
    """What signs comeback coupons on this box (as edgebox/slip_stock.Maker)."""

    key: bytes
    device: int
    prefix: str


class Short(NamedTuple):
    """A typed comeback code: the serial's last bits, and what must fit the terms that the box has."""

    serial: int
    mac: int


class Read(NamedTuple):
    """A code by its form. Exactly one of `terms`, `short`, `coupon` is there, or none: only the cloud knows it.

    `code`: the hash; "" for a short code, whose serial isn't known yet. `refused`: it can't be good. `worth`: it is
    good without asking anybody, unless it was used before; `asks`: or rather, if the cloud says yes.
    """

    source: Source
    code: str = ""
    terms: Terms | None = None
    short: Short | None = None
    coupon: Coupon | None = None
    refused: Answer | None = None
    worth: Worth | None = None
    asks: bool = False


_COMEBACK = {
    comeback.Refusal.FORMAT: Answer.UNKNOWN,
    comeback.Refusal.VERSION: Answer.UNKNOWN,
    comeback.Refusal.FORGED: Answer.FORGED,
    comeback.Refusal.OTHER_BOX: Answer.WRONG_STORE,
    comeback.Refusal.UNKNOWN: Answer.UNKNOWN,
    comeback.Refusal.SPENT: Answer.USED,
    comeback.Refusal.EXPIRED: Answer.EXPIRED,
    comeback.Refusal.THRESHOLD: Answer.THRESHOLD,
}


class Codes:
    """The shop's forms. `key`: of the hashes; `prefix` "": no coupon of the cloud's is read here."""

    def __init__(
        self, key: bytes, maker: Callable[[], Maker | None], comeback_prefix: str, prefix: str, keys: Sequence[Verifier]
    ) -> None:
        self._key = key
        self._maker = maker
        self._comeback_prefix = comeback_prefix
        self._prefix = prefix
        self._keys = tuple(keys)

    def read(self, scan: Scan) -> Read:
        """The code by its form. What pays or names a person is none, and not even its hash is kept."""
        text = scan.code.strip()
        if is_private(text):
            return Read(Source.CLOUD, refused=Answer.UNKNOWN)
        if not 0 < len(text) <= SCAN_MAX or not text.isprintable():
            return Read(Source.CLOUD, self.hash("code", text[:SCAN_MAX]), refused=Answer.UNKNOWN)
        if scan.mall:
            found = self._signed(text) if signed.looks_signed(self._prefix, text) else None
            return self._of_the_mall(found, text)
        if scan.channel is Channel.OWN:
            found = self._own(text, scan)
            if found is not None:
                return found
        return Read(Source.CLOUD, self.hash("code", text))

    def check_short(self, short: Short, terms: Terms) -> bool:
        """The typed code is that of these terms."""
        maker = self._maker()
        if maker is None:
            return False
        try:
            comeback.check_short(maker.key, short.mac, terms)
        except ClaimError:
            return False
        return True

    def hash_of_serial(self, serial: int) -> str:
        """Under which a comeback coupon is recorded."""
        return self.hash("comeback", str(serial))

    def hash_of(self, kind: Kind, code: str) -> str:
        """Under which a scan is recorded; a coupon's is that of its redemption, wherever it can be known."""
        if is_private(code):
            return ""
        if kind in (Kind.COUPON, Kind.COMEBACK, Kind.CLAIM):
            return self.read(Scan(code)).code or self.hash("code", code.strip())
        if kind is Kind.MEMBER:  # as on receipts that print the number
            return Pseudonyms(self._key).of("member", code)
        return self.hash(kind.value, code.strip())

    def hash(self, kind: str, value: str) -> str:
        """Of a code of this kind."""
        text = value.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, _LABEL + b"\0" + kind.encode() + b"\0" + text, "sha256")[:HASH_BYTES].hex()

    # -- inside

    def _own(self, text: str, scan: Scan) -> Read | None:
        if self._comeback_prefix and text.startswith(self._comeback_prefix):
            return self._long(text)
        if signed.looks_signed(self._prefix, text):
            return self._signed(text)
        if (scan.typed or "-" in text) and _TYPED_SHORT.fullmatch(text):
            found = comeback.read_short(text)
            if found is not None:
                return Read(Source.COMEBACK, short=Short(*found))
        return None

    def _long(self, text: str) -> Read:
        maker = self._maker()
        if maker is None:
            return Read(Source.COMEBACK, self.hash("code", text), refused=Answer.BUSY)
        try:
            terms = comeback.read_long(maker.key, maker.prefix, maker.device, text)
        except ClaimError as fault:
            answer = _COMEBACK.get(comeback.Refusal(fault.reason), Answer.UNKNOWN)
            return Read(Source.COMEBACK, self.hash("code", text), refused=answer)
        return Read(Source.COMEBACK, self.hash_of_serial(terms.serial), terms=terms)

    def _signed(self, text: str) -> Read:
        code = self.hash("code", text)
        try:
            coupon = signed.read(text, self._prefix, self._keys)
        except ClaimError as fault:
            answer = Answer.FORGED if fault.reason == "forged" else Answer.UNKNOWN
            return Read(Source.SIGNED, code, refused=answer)
        read = Read(Source.SIGNED, code, coupon=coupon)
        return self._of_the_mall(read, text) if coupon.kind is CouponKind.MALL else read

    def _of_the_mall(self, read: Read | None, text: str) -> Read:
        """A signed code says itself what it is for; any other is what the cashier takes it for."""
        code = self.hash(Kind.MALL.value, text)
        if read is None:
            return Read(Source.MALL, code)
        is_coupon = read.coupon is not None and read.coupon.kind is not CouponKind.MALL
        return read._replace(source=Source.MALL, code=code, refused=Answer.UNKNOWN if is_coupon else read.refused)


def judged(terms: Terms, amount_minor: int | None, today: int) -> Answer | None:
    """What a comeback coupon's terms say against it; None: nothing."""
    try:
        comeback.check_terms(terms, amount_minor, today)
    except ClaimError as fault:
        return _COMEBACK.get(comeback.Refusal(fault.reason), Answer.UNKNOWN)
    return None
