"""The words of the product as types: kinds of documents, confidence, money, and the receipt that was read.

Owns: the names that every part shares (reader, claims, slips, engine, commands), so that no dict crosses a border.
Never: decides anything, or imports more than the standard library (the line's side imports some of it).

Money is an integer in minor units (fen, cents) together with `decimals`, the number of digits of its currency. There
is no float in here: 33.90 is 3390 with two decimals, 3,000 yen is 3000 with none.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class DocumentKind(StrEnum):
    """What a document is. Only a sale can earn."""

    SALE = "sale"
    REFUND = "refund"
    VOID = "void"
    KITCHEN = "kitchen"
    PRE_BILL = "pre_bill"
    REPORT = "report"
    STORED_VALUE = "stored_value"
    DEPOSIT = "deposit"
    CARD_SLIP = "card_slip"
    MERCHANT_COPY = "merchant_copy"
    DELIVERY_PLATFORM = "delivery_platform"
    PICK_UP = "pick_up"
    QUOTE = "quote"
    TRAINING = "training"
    OTHER = "other"


class Modifier(StrEnum):
    """What a document says about itself besides its kind."""

    REPRINT = "reprint"
    SPLIT = "split"
    COPY = "copy"


class Confidence(StrEnum):
    """How sure the reader is of the amount: by arithmetic, by words alone, or not."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class TenderKind(StrEnum):
    """How it was paid, as far as the receipt says."""

    CASH = "cash"
    CARD = "card"
    WECHAT = "wechat"
    ALIPAY = "alipay"
    WALLET = "wallet"  # other pay apps
    STORED = "stored"  # the shop's own stored value
    POINTS = "points"
    VOUCHER = "voucher"  # group-buy, gift and meal vouchers
    CREDIT = "credit"  # on account
    OTHER = "other"


class NumberScope(StrEnum):
    """Within what a receipt's number is unique on one day."""

    STORE = "store"
    TILL = "till"


class Tender(NamedTuple):
    """One line of payment. `amount_minor` None: the receipt names the way but not how much."""

    kind: TenderKind
    amount_minor: int | None


class Item(NamedTuple):
    """One thing sold. `name` without personal data; `quantity_milli` in thousandths (1.435 kg is 1435).

    `amount_minor` as printed; `discount_minor`: what was taken off this item, whether the amount is before or after it.
    """

    name: str
    quantity_milli: int
    price_minor: int | None  # of one; None: not printed and not a whole part of the amount
    amount_minor: int
    discount_minor: int = 0


class Tax(NamedTuple):
    """One line of tax. `rate`: percent as printed ("6", "23"), "" where the line names none."""

    rate: str
    amount_minor: int


class PrintedPicture(NamedTuple):
    """A picture on the paper: size and place in dots, offsets in the stream. Its dots are not kept."""

    width: int
    height: int
    top: int
    start: int
    end: int


class ShiftReport(NamedTuple):
    """What a till's own report says. None: it doesn't say. `since`, `until`: ISO, with a time where one is printed."""

    receipts: int | None = None
    sum_minor: int | None = None
    refunds: int | None = None
    refund_minor: int | None = None
    tenders: tuple[Tender, ...] = ()
    since: str = ""
    until: str = ""


class Details(NamedTuple):
    """What a document says besides kind and amount.

    `cashier` and `table`: only if they are codes, never names. `transaction` and `member`: keyed hashes in hex, ""
    without a number or without a key. `sure`: field name and how sure its value is. `fiscal`: the scheme whose code the
    amount and number come from ("": none). `layout`: fingerprint of the paper's form; `profile`: the receipt profile
    that was used. `attached`: what the paper does not say, and from where: `member scan`, `member tag`, `cashier tag`.
    """

    cashier: str = ""
    table: str = ""
    transaction: str = ""
    member: str = ""
    items: tuple[Item, ...] = ()
    taxes: tuple[Tax, ...] = ()
    sure: tuple[tuple[str, Confidence], ...] = ()
    fiscal: str = ""
    layout: str = ""
    profile: str = ""
    pictures: tuple[PrintedPicture, ...] = ()
    report: ShiftReport | None = None
    attached: tuple[str, ...] = ()


class Receipt(NamedTuple):
    """A document as read.

    `amount_minor`: the amount that would earn (None: not known). `qualifies`: it earns, now. `reasons`: why, in words
    for a person; the first says most. `number`: the receipt's number as printed, spaces removed ("": none found).
    `printed_date` ISO "2026-11-18", `printed_time` "18:42:07" or "18:42" ("": not printed). `lines`: of it.
    """

    kind: DocumentKind
    modifiers: tuple[Modifier, ...] = ()
    qualifies: bool = False
    amount_minor: int | None = None
    currency: str = ""
    decimals: int = 2
    confidence: Confidence = Confidence.LOW
    reasons: tuple[str, ...] = ()
    number: str = ""
    number_scope: NumberScope = NumberScope.STORE
    till: str = ""
    printed_date: str = ""
    printed_time: str = ""
    tenders: tuple[Tender, ...] = ()
    lines: int = 0
    details: Details = Details()


def format_minor(amount_minor: int, decimals: int) -> str:
    """Minor units as people write them: `3390, 2` → `33.90`; `-5, 2` → `-0.05`; `3000, 0` → `3000`."""
    sign = "-" if amount_minor < 0 else ""
    whole, part = divmod(abs(amount_minor), 10**decimals)
    return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"


def to_major(amount_minor: int, decimals: int) -> int | float:
    """Minor units as a number for JSON: exact up to 2**53 minor units, which no receipt reaches."""
    return amount_minor / 10**decimals if decimals else amount_minor
