"""What may stand in a rules file: each table as a type, with its limits and defaults.

Owns: names, types, limits and defaults of all keys of the rules file. Never: what they mean (edgebox/loyalty), or how
faults are told (edgebox/rules_file.py). Spans and times of day are text here: `72h`, `14:00`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgebox.loyalty.campaigns import Stack
from edgebox.loyalty.offers import CouponKind, Proof
from edgebox.loyalty.rules import Rounding, Unsure
from edgebox.loyalty.sales import Amount, Part
from edgebox.model import DocumentKind, TenderKind

TZ = "Asia/Shanghai"  # as [shop] of edgebox.toml
TABLES_MAX = 200  # of one kind: far more than a shop can explain to its customers, far less than costs time per receipt
_ID, _CLOCK, _SPAN, _CURRENCY, _TITLE = (
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
    r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
    r"^[1-9][0-9]{0,4}[mhd]$",
    r"^[A-Z]{3}$",
    r"^[^\x00-\x1f\x7f-\x9f]*$",
)
# What a person is told instead of a pattern.
FORMS = {
    _ID: "a name of letters, digits, _ . -",
    _CLOCK: 'a time like "14:00"',
    _SPAN: 'a span like "72h", "90m" or "3d"',
    _CURRENCY: 'three letters like "CNY"',
    _TITLE: "words without control characters",
}
Id = Annotated[str, Meta(pattern=_ID)]
Minor = Annotated[int, Meta(ge=0, le=10**12)]
Count = Annotated[int, Meta(ge=0, le=10**9)]
Clock = Annotated[str, Meta(pattern=_CLOCK)]
Span = Annotated[str, Meta(pattern=_SPAN)]
Title = Annotated[str, Meta(max_length=48, pattern=_TITLE)]  # a line of paper
Pattern = Annotated[str, Meta(min_length=1, max_length=60)]  # as long as a name that the reader keeps
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TenderName = Literal[
    "cash", "card", "wechat", "alipay", "wallet", "stored", "points", "voucher", "credit", "other",
    "wechat_pay", "stored_value",
]  # fmt: skip
# Two names that rules written from the payment channel's side use.
TENDERS = {
    **{kind.value: kind for kind in TenderKind},
    "wechat_pay": TenderKind.WECHAT,
    "stored_value": TenderKind.STORED,
}
TABLES = (
    *("basis", "qualify", "rounding", "tier", "campaign", "item_rule", "caps", "claim"),
    *("coupon", "offline_redeem", "mall", "commit_card"),
)


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """Above the tables."""

    rev: Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
    currency: Annotated[str, Meta(pattern=_CURRENCY)]
    schema: Literal[1] = 1
    tz: str = TZ


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """[basis]. `tender_less` can't be anything but true: what was handed over never earns."""

    amount: Amount = Amount.NET_PAID
    tax: Literal["include", "exclude"] = "include"
    subtract: tuple[Part, ...] = ()
    tender_less: Literal[True] = True


class Qualify(msgspec.Struct, frozen=True, kw_only=True):
    """[qualify]"""

    kinds: tuple[DocumentKind, ...] = (DocumentKind.SALE,)
    min_spend: Minor = 0
    max_spend: Minor = 0
    skip_tender: tuple[TenderName, ...] = ()
    unknown_tender: Unsure = Unsure.QR_PENDING
    low_confidence: Literal["no_qr", "qr_pending"] = "no_qr"


class RoundingTable(msgspec.Struct, frozen=True, kw_only=True):
    """[rounding]"""

    mode: Rounding = Rounding.FLOOR
    at: Literal["receipt", "line"] = "receipt"


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """[[tier]]"""

    id: Id
    spend_per_point: Annotated[int, Meta(ge=1, le=10**9)]


class Window(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """`when` and `valid`"""

    days: tuple[Day, ...] = ()
    from_: Clock | None = None
    to: Clock | None = None
    start: date | None = None
    end: date | None = None


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """[[campaign]]"""

    id: Id
    when: Mapping[str, Any] = {}
    min_spend: Minor = 0
    multiply_pct: Annotated[int, Meta(ge=100, le=100_000)] = 100  # a campaign never takes away
    bonus: Count = 0
    stack: Stack = Stack.MAX
    group: str = ""
    priority: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 100
    stop: bool = False


class ItemRule(msgspec.Struct, frozen=True, kw_only=True):
    """[[item_rule]]"""

    match: Annotated[tuple[Pattern, ...], Meta(min_length=1, max_length=1000)]
    earn: Literal["exclude", "multiply"] = "multiply"
    multiply_pct: Annotated[int, Meta(ge=1, le=100_000)] | None = None


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """[caps]"""

    points_per_receipt: Count = 0
    points_per_device_day: Count = 0


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """[claim]"""

    ttl: Span = "72h"
    ttl_by_trade: dict[Id, Span] = {}
    reprint: Literal["same", "omit"] = "same"
    url: str = ""
    mac: Literal["hmac-sha256-96"] = "hmac-sha256-96"  # what the token has (edgebox/loyalty/claims.py)


class Coupon(msgspec.Struct, frozen=True, kw_only=True):
    """[[coupon]]"""

    id: Id
    kind: CouponKind
    value: Minor = 0
    threshold: Minor = 0
    valid: Mapping[str, Any] = {}
    stores: tuple[str, ...] = ("*",)
    stack_with: tuple[str, ...] = ()
    per_member_day: Count = 0


class OfflineRedeem(msgspec.Struct, frozen=True, kw_only=True):
    """[offline_redeem]. `external` can't be anything but refused."""

    enabled: bool = False
    kinds: tuple[CouponKind, ...] = ()
    require: Proof = Proof.SIGNED_CODE
    max_face: Minor = 0
    max_count: Count = 0
    max_total: Minor = 0
    max_age: Span = "12h"
    external: Literal["refuse"] = "refuse"


class MallItem(msgspec.Struct, frozen=True, kw_only=True):
    """[[mall]]"""

    sku: Id
    price_points: dict[Id, Count]
    when: Mapping[str, Any] = {}
    price_points_in_window: dict[Id, Count] | None = None
    stock_source: Literal["cloud"] = "cloud"
    slip: str = ""
    title: Title = ""


class CommitCard(msgspec.Struct, frozen=True, kw_only=True):
    """[[commit_card]]"""

    id: Id
    min_spend: Minor = 0
    match: Annotated[tuple[Pattern, ...], Meta(max_length=1000)] = ()
    count: Literal["receipt", "item"] = "receipt"
    when: Mapping[str, Any] = {}
