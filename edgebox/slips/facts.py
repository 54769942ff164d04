"""What is known about one receipt, as a template's `{fields}`: their names, values and what they mean.

Owns: which fields there are, for which purpose, with a sample for previews; amounts in the words of a language. Never:
finds anything out; whoever makes the Facts does.

Values come from the till, the cloud and customers, so they are cleaned here once: no control characters (a printer
would obey them), and no longer than VALUE_MAX.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from edgebox.model import format_minor
from edgebox.slips.template import Purpose

VALUE_MAX = 300  # characters; a URL in a code has 81, and 300 still make a code that 58 mm paper can hold
ROWS_MAX = 200  # of a list: a shift's tally with a row for each cashier, coupon and way of paying


class Money(NamedTuple):
    """An amount that each language writes in its own way."""

    minor: int
    currency: str
    decimals: int = 2

    def written(self, language: str) -> str:
        """`33.90元` in Chinese, where the currency is China's own; `33.90 CNY` elsewhere.

        The sign ¥ is four bytes in GB18030 and missing in GBK.
        """
        value = format_minor(self.minor, self.decimals)
        if (language, self.currency) == ("zh", "CNY"):
            return f"{value}元"
        return f"{value} {self.currency}".strip()


class Field(NamedTuple):
    """A field's meaning, and a value for previews. `purposes` (): every slip has it."""

    meaning: str
    sample: str | Money
    purposes: tuple[Purpose, ...] = ()


_CODES = (Purpose.COUPON, Purpose.COMEBACK)
_DESK = (Purpose.REDEMPTION, Purpose.REFUSAL, Purpose.PICK_UP, Purpose.MALL)
_TITLED = (*_CODES, *_DESK, Purpose.INVOICE_TITLE)
_ORDERS = (Purpose.ORDER, Purpose.ORDER_PAID)
_BOOKED = (Purpose.REDEMPTION, Purpose.PICK_UP, Purpose.MALL)
_WITH_URL = (
    Purpose.CLAIM, Purpose.INVOICE, Purpose.SOURCE, Purpose.PAYMENT, Purpose.COUPON, Purpose.COMEBACK, Purpose.LINK,
    Purpose.ORDER, Purpose.PAIRING,
)  # fmt: skip
_SAMPLE_URL = "HTTPS://M.EXAMPLE.CN/C/" + "AEBAGBAFAYDQQCIKBMGA2DQPCAIREEYUCULBOGAZDINRYHI6D4QCCIRDEQ"

FIELDS: Mapping[str, Field] = {
    "shop": Field("the shop's name, from [shop]", "Corner Shop"),
    "date": Field("today in the shop, 2026-11-18", "2026-11-18"),
    "time": Field("the time in the shop, 18:42", "18:42"),
    "amount": Field("what was paid, or is to be paid", Money(3390, "CNY")),
    "number": Field("the receipt's printed number", "0042"),
    "till": Field("the till's number, as printed", "2"),
    "staff": Field("the cashier's or waiter's code, never a name", "07"),
    "table": Field("the table's code", "A12"),
    "member": Field("the member's tier in words, where a member is known", "Gold"),
    "fiscal": Field("the scheme of an invoice code that the till itself printed", ""),
    "url": Field("what the code says", _SAMPLE_URL, _WITH_URL),
    "host": Field("the code's host, so that people can tell a code pasted over ours", "m.example.cn", _WITH_URL),
    "points": Field(
        "at least so many points; of a mall slip, what was paid",
        "33",
        (Purpose.CLAIM, Purpose.REDEMPTION, Purpose.MALL, Purpose.MEMBER),
    ),
    "hours": Field("hours that the claim is good for", "72", (Purpose.CLAIM,)),
    "need": Field("what is missing to the threshold", Money(1610, "CNY"), (Purpose.PROMOTION,)),
    "threshold": Field("the threshold", Money(5000, "CNY"), (Purpose.PROMOTION,)),
    "code": Field("the coupon's code, to be typed", "7KQ4-M2XW", (*_CODES, *_DESK, Purpose.PAIRING)),
    "value": Field("what the coupon is worth", Money(500, "CNY"), (*_CODES, Purpose.REDEMPTION)),
    "until": Field("the last day on which it is good", "2026-12-18", (*_CODES, Purpose.SOURCE)),
    "title": Field("what it is, in words; of an invoice, whose", "Tea", (*_TITLED, *_ORDERS)),
    "serial": Field("the slip's own number", "17", _DESK),
    "redeemed": Field("the same, but not on a slip that takes another one back", "17", _BOOKED),
    "count": Field("how many there were in this shift", "5", _DESK),
    "pending": Field("set when it was done without the cloud, to be confirmed", "", _DESK),
    "reason": Field("why it was refused, or taken back", "", (*_DESK, Purpose.INVOICE_TITLE)),
    "copy": Field("set on a slip that may be out already", "", (*_DESK, *_ORDERS, Purpose.TALLY)),
    "undone": Field("the number of the redemption that this one takes back", "", _BOOKED),
    "shelf": Field("where the goods are", "B3", (Purpose.PICK_UP,)),
    "pick_up": Field("what the customer says at the counter", "A7", (Purpose.ORDER,)),
    "due": Field("when an order is wanted, in words", "18:30", (Purpose.ORDER,)),
    "changed": Field("an order's revision, where another ticket of it is out", "", (Purpose.ORDER,)),
    "as_of": Field("when the member had so many points", "09:00", (Purpose.MEMBER,)),
    "known": Field("what the table of members says of the code, if it is no tier", "", (Purpose.MEMBER,)),
    "waits": Field("set when the next sale will be this member's", "1", (Purpose.MEMBER,)),
    "since": Field("where the period begins", "2026-11-18 09:00", (Purpose.TALLY, Purpose.Z_CHECK)),
    "total": Field("the sum of the rows", "12", (Purpose.TALLY, Purpose.Z_CHECK)),
    "minutes": Field("minutes that the code is good for", "30", (Purpose.PAIRING,)),
    "fingerprint": Field("how the certificate's SHA-256 begins", "3F:A2:91:0C:77:5E:D4:18", (Purpose.PAIRING,)),
    "verdict": Field("equal, or what differs, in words", "equal", (Purpose.Z_CHECK,)),
}
# Lists of rows, each with a left and a right side; named by a columns block's `each`.
ROWS: Mapping[str, tuple[Purpose, ...]] = {
    "rows": (Purpose.TALLY, Purpose.Z_CHECK, Purpose.PRICES),
    "items": (Purpose.REDEMPTION, Purpose.PICK_UP, Purpose.ORDER),
}
# What a template's `link` may name; whoever fills it writes them as a URL does. `amount_minor`: minor units.
LINK_FIELDS = frozenset({"number", "date", "time", "till", "staff", "table", "amount_minor"})
SAMPLE_ROWS = (("cash", "8"), ("alipay", "4"))


def fields_of(purpose: Purpose) -> frozenset[str]:
    """The fields that a slip of this purpose may name."""
    return frozenset(name for name, field in FIELDS.items() if not field.purposes or purpose in field.purposes)


def rows_of(purpose: Purpose) -> frozenset[str]:
    """The lists that a columns block of such a slip may run through."""
    return frozenset(name for name, purposes in ROWS.items() if purpose in purposes)


class Facts(NamedTuple):
    """The values of one slip. A field without a value is missing here or ""."""

    values: Mapping[str, str | Money]
    rows: Mapping[str, tuple[tuple[str, str], ...]] = {}

    def has(self, field: str) -> bool:
        """It has a value, or a row."""
        return bool(self.values.get(field)) or bool(self.rows.get(field))

    def text(self, field: str, language: str) -> str:
        """The value as a slip in this language prints it."""
        value = self.values.get(field, "")
        return value.written(language) if isinstance(value, Money) else value


def facts(values: Mapping[str, str | Money], rows: Mapping[str, tuple[tuple[str, str], ...]] | None = None) -> Facts:
    """Facts from what the outside says: cleaned, and cut where too long."""
    clean = {name: value if isinstance(value, Money) else cleaned(value) for name, value in values.items() if value}
    return Facts(
        clean,
        {
            name: tuple((cleaned(left), cleaned(right)) for left, right in pairs[:ROWS_MAX])
            for name, pairs in (rows or {}).items()
        },
    )


def cleaned(text: str) -> str:
    """One line without control and format characters (a bidirectional override would turn an amount round)."""
    text = text[:VALUE_MAX]
    if text.isprintable():  # none of these is: nearly every value, in a tenth of the time
        return text
    kept = "".join(" " if char in "\t\r\n" else char for char in text)
    return "".join(char for char in kept if unicodedata.category(char)[0] != "C")


def sample_facts(purpose: Purpose) -> Facts:
    """Values for a preview."""
    values = {name: FIELDS[name].sample for name in fields_of(purpose)}
    return facts(values, dict.fromkeys(rows_of(purpose), SAMPLE_ROWS))


def host_of(url: str) -> str:
    """The URL's host as people read it: `HTTPS://M.EXAMPLE.CN/C/…` → `m.example.cn`; "" for what is no URL."""
    parts = url.split("/", 3)
    return parts[2].lower() if len(parts) > 2 and parts[0].endswith(":") else ""
