"""What a scanned code is: its kinds, and the shapes of those that are none of ours.

Owns: payment codes, resident ids, invoice numbers, goods; the AIM identifier in front. Never: what of it is ours
(classify.py). Pure.

A payment code is money for a minute, a resident id names a person: neither may reach a disk, a log or the engine, so
they are recognised first, and by shape alone. A shape too wide costs nothing: such a code goes to the till, as all do
that are not ours. Sources: the loyalty notes, section 4, where not said otherwise.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The first block is the till's, the second ours."""

    PAYMENT = "payment"
    RESIDENT_ID = "resident_id"
    INVOICE = "invoice"
    PRODUCT = "product"
    OTHER = "other"

    CLAIM = "claim"
    COMEBACK = "comeback"
    COUPON = "coupon"
    MEMBER = "member"
    PICK_UP = "pick_up"
    MALL = "mall"
    INVOICE_TITLE = "invoice_title"
    MODE = "mode"


OURS = frozenset(
    (Kind.CLAIM, Kind.COMEBACK, Kind.COUPON, Kind.MEMBER, Kind.PICK_UP, Kind.MALL, Kind.INVOICE_TITLE, Kind.MODE)
)
NEVER_OURS = frozenset((Kind.PAYMENT, Kind.RESIDENT_ID, Kind.INVOICE))  # not even in an armed mode


class Digits(NamedTuple):
    """Codes of so many digits that begin with a two-digit number between these."""

    what: str
    first: int
    last: int
    shortest: int
    longest: int


PAYMENTS = (
    # pay.weixin.qq.com/wiki/doc/api/wxpay/en/guide/pos/ImportantParameters.shtml: 10-14 mainland, 15 Hong Kong
    Digits("WeChat", 10, 15, 18, 18),
    Digits("Alipay", 25, 30, 16, 24),  # w3cschool.cn/aliminiapp: prefix 25 to 30, 16 to 24 digits
    Digits("UnionPay", 62, 62, 19, 19),  # cnblogs.com/zhangmo/p/13578409; card numbers look alike, and are as private
)
# 数电票, wei360.net/3380: 20 digits, the first two are the year. From 2025 to 2030 they look like Alipay's.
INVOICES = (Digits("e-invoice", 21, 99, 20, 20),)

# GS1 General Specifications, figure 1.4.3: numbers for use within a shop are 02, 04, 20-29 of 13 digits; 2 and 4 of 12
# (the same, without their leading 0); 0 and 2 of 8.
_IN_SHOP = {13: ("02", "04", "2"), 12: ("2", "4"), 8: ("0", "2")}
EAN_LENGTHS = (8, 12, 13, 14)

AIM_CHARS = 3  # `]`, symbology, modifier [ISO/IEC 15424]
_ID_CHARS = 18
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999: ISO 7064 MOD 11-2
_ID_CHECKS = "10X98765432"
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def split_aim(text: str) -> tuple[str, str]:
    """(AIM identifier, code); without one in front: ("", code)."""
    if len(text) >= AIM_CHARS and text[0] == "]" and text[1].isalpha() and text[2].isalnum() and text[:3].isascii():
        return text[:AIM_CHARS], text[AIM_CHARS:]
    return "", text


def is_digits(text: str) -> bool:
    """ASCII digits and nothing else, at least one."""
    return text.isascii() and text.isdecimal()


def has_shape(text: str, shapes: tuple[Digits, ...]) -> bool:
    """The code's digits are of one of the shapes."""
    if not is_digits(text):
        return False
    return any(
        shape.shortest <= len(text) <= shape.longest and shape.first <= int(text[:2]) <= shape.last for shape in shapes
    )


def is_payment(text: str) -> bool:
    """A payment code, or something that looks like one."""
    return has_shape(text, PAYMENTS)


def is_resident_id(text: str) -> bool:
    """A Chinese resident id: born on a day that there was, and the check digit fits. [GB 11643-1999]"""
    if len(text) != _ID_CHARS or not is_digits(text[:17]):
        return False
    year, month, day = int(text[6:10]), int(text[10:12]), int(text[12:14])
    if not (1900 <= year < 2100 and 1 <= month <= 12 and 1 <= day <= _MONTH_DAYS[month - 1]):
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if (month, day) == (2, 29) and not leap:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _ID_WEIGHTS, strict=False))
    return text[17].upper() == _ID_CHECKS[total % 11]


def is_private(text: str) -> bool:
    """Money or a person: behind an AIM identifier, too. Wherever it is typed, nothing of it may be kept."""
    _, code = split_aim(text.strip())
    return is_payment(code) or is_resident_id(code)


def is_invoice(text: str) -> bool:
    """An invoice's number, or the QR code on one (`01,32,,number,amount,date,…`)."""
    if has_shape(text, INVOICES):
        return True
    fields = text.split(",")
    return len(fields) >= 6 and fields[0] == "01" and fields[1] in ("01", "04", "10", "32") and is_digits(fields[3])


def is_product(text: str, symbology: str) -> bool:
    """EAN, UPC, GTIN-14: by the symbology that the scanner names (]E…), or by length and check digit."""
    if symbology.startswith("]E"):
        return True
    if not is_digits(text) or len(text) not in EAN_LENGTHS:
        return False
    return check_fits(text) or (len(text) == 8 and text[0] in "01" and check_fits(_upc_a(text)))


def check_fits(text: str) -> bool:
    """The last digit is GS1's check digit of the others. [GS1 General Specifications, 7.9]"""
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(reversed(text)))
    return total % 10 == 0


def _upc_a(short: str) -> str:
    """The UPC-A that a UPC-E of 8 digits stands for. [GS1 General Specifications, 5.2.2.4.2]"""
    system, body, check = short[0], short[1:7], short[7]
    last = int(body[5])
    if last <= 2:
        item = body[:2] + body[5] + "0000" + body[2:5]
    elif last == 3:
        item = body[:3] + "00000" + body[3:5]
    elif last == 4:
        item = body[:4] + "00000" + body[4]
    else:
        item = body[:5] + "0000" + body[5]
    return system + item + check


def swallows_goods(low: str, high: str) -> bool:
    """A range of numbers that long would keep goods from the till."""
    starts = _IN_SHOP.get(len(low), ())
    return len(low) in EAN_LENGTHS and not any(low.startswith(start) and high.startswith(start) for start in starts)


def meets_private(low: str, high: str) -> bool:
    """Some number between them looks like a payment code or an invoice's number."""
    return any(
        shape.shortest <= len(low) <= shape.longest and int(low[:2]) <= shape.last and int(high[:2]) >= shape.first
        for shape in PAYMENTS + INVOICES
    )


def kind_of_others(text: str, symbology: str) -> Kind:
    """The kind of a code as the till would see it."""
    if is_resident_id(text):
        return Kind.RESIDENT_ID
    if is_payment(text):
        return Kind.PAYMENT
    if is_invoice(text):
        return Kind.INVOICE
    return Kind.PRODUCT if is_product(text, symbology) else Kind.OTHER
