"""What bundles hold: slips, members, beacons, tags, coupons, words, configuration. Each kind as a type with its limits.

Owns: the shapes, so that a bundle can be refused with a reason before anything is changed. Never: what they mean; that
is for the parts that use them. The content of a rules bundle is a rules file's tables as JSON, and
edgebox/rules_file.py reads both.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Seconds = Annotated[int, Meta(ge=0, le=4_102_444_800)]  # until 2100: what is later is a mistake
Minor = Annotated[int, Meta(ge=0, le=10**12)]
Date = Annotated[str, Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
# Not `Date | Literal[""]`: msgspec holds "" to the pattern, too.
DateOrNone = Annotated[str, Meta(pattern=r"^$|^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
U16 = Annotated[int, Meta(ge=0, le=0xFFFF)]
SlipName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
# No control characters: what is printed is text, not commands.
Printed = Annotated[str, Meta(max_length=400, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class _Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key that the box doesn't know may be the one that mattered: it is rejected by name."""


# -- configuration


class ConfigContent(_Content, frozen=True, kw_only=True):
    """`values`: `section.key` → value. `partial`: take the good ones although others are bad."""

    values: Annotated[dict[str, Any], Meta(max_length=500)]
    partial: bool = False


# -- coupons


class Window(_Content, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """When something holds; what isn't given doesn't limit."""

    start: Date = ""
    end: Date = ""
    days: tuple[Day, ...] = ()
    since: Clock = ""
    until: Clock = ""


class CouponSpec(_Content, frozen=True, kw_only=True):
    """A coupon. `value`: minor units, or per cent for `percent_off`."""

    id: Word
    kind: Literal["amount_off", "percent_off", "gift", "exchange", "fixed_price"]
    value: Minor = 0
    threshold: Minor = 0
    title: Printed = ""
    valid: Window = Window()
    stores: tuple[str, ...] = ("*",)
    stack_with: tuple[Word, ...] = ()
    per_member_day: Annotated[int, Meta(ge=0, le=1000)] = 0


class CodeGift(_Content, frozen=True, kw_only=True):
    """One code for a slip: whoever holds it may use it, so it comes sealed. `stock`: the id of the coupon it belongs
    to, or a batch's; `url`: what its QR code says; `until`: its last day."""

    pool: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    code: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x20\x7f-\x9f]*$")]
    url: Annotated[str, Meta(max_length=300, pattern=r"^[^\x00-\x20\x7f-\x9f]*$")] = ""
    title: Annotated[str, Meta(max_length=120, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""
    value_minor: Minor = 0
    until: DateOrNone = ""
    stock: Annotated[str, Meta(pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")] = ""


# -- what is printed


class TextSpec(_Content, frozen=True, kw_only=True, tag_field="block", tag="text"):
    """Lines of text, wrapped where they are too long."""

    text: Printed
    align: Literal["left", "center", "right"] = "left"
    bold: bool = False
    width: Annotated[int, Meta(ge=1, le=2)] = 1
    height: Annotated[int, Meta(ge=1, le=2)] = 1


class QrSpec(_Content, frozen=True, kw_only=True, tag_field="block", tag="qr"):
    """A QR code with a line below."""

    data: Annotated[str, Meta(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
    caption: Printed = ""


class RuleSpec(_Content, frozen=True, kw_only=True, tag_field="block", tag="rule"):
    """A line across the paper."""


class FeedSpec(_Content, frozen=True, kw_only=True, tag_field="block", tag="feed"):
    """Blank lines."""

    lines: Annotated[int, Meta(ge=1, le=10)] = 1


BlockSpec = TextSpec | QrSpec | RuleSpec | FeedSpec


class SlipsContent(_Content, frozen=True, kw_only=True):
    """Templates by name, each the table of a template's file. `show`: names of the slips that are printed, of these and
    of those in files, instead of the box's `[slip] show`; none: as that says."""

    slips: Annotated[dict[SlipName, dict[str, Any]], Meta(max_length=200)] = {}
    show: Annotated[tuple[SlipName, ...], Meta(max_length=64)] | None = None


# -- who is near, who is known


class FrameSpec(_Content, frozen=True, kw_only=True):
    """One iBeacon. `power_dbm`: measured at one metre."""

    uuid: Uuid
    major: U16
    minor: U16
    power_dbm: Annotated[int, Meta(ge=-100, le=20)] = -59


class BeaconContent(_Content, frozen=True, kw_only=True):
    """What the box says on the air, instead of what its settings say: these frames in these hours, no frames: nothing.

    `hours`: `10:00-22:00` or `mon-fri 10:00-22:00` each, by the shop's clock; none: always. `flags`: Apple's 30 bytes
    to the letter, which can be connected to.
    """

    frames: Annotated[tuple[FrameSpec, ...], Meta(max_length=8)]
    interval_ms: Annotated[int, Meta(ge=100, le=10_240)] = 200
    hours: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=21)] = ()
    flags: bool = False


class TagSpec(_Content, frozen=True, kw_only=True):
    """A beacon to listen for. `role`: staff, member, asset, beacon (the shop's own) or none. `zone`: only visits there
    are recorded. `offset_db`: calibration, added to the power that the beacon says it has. `member`: the member's keyed
    hash; `cashier`: as receipts name them, else the tag's own name."""

    uuid: Uuid
    major: U16
    minor: U16
    role: Word = ""
    zone: Word = ""
    offset_db: Annotated[int, Meta(ge=-40, le=40)] = 0
    member: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")] = ""
    cashier: Word = ""


class TagsContent(_Content, frozen=True, kw_only=True):
    """Beacons by the name that visits carry."""

    tags: Annotated[dict[Word, TagSpec], Meta(max_length=2000)]


class MembersContent(_Content, frozen=True, kw_only=True):
    """The table of members (edgebox/loyalty/members.py). `table`: its rows in base64; 15,600 members fit a message.

    `as_of`: when the cloud made it; `max_age_s`: how long it is to be believed.
    """

    tiers: Annotated[tuple[Word, ...], Meta(max_length=255)] = ()
    segments: Annotated[tuple[Word, ...], Meta(max_length=255)] = ()
    as_of: Seconds
    max_age_s: Annotated[int, Meta(ge=1, le=366 * 86400)]
    table: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]*={0,2}$", max_length=250_000)]


# Orders of one list: with a line of Chinese each they fill 161 KB of a message (contract.MESSAGE_BYTES). Who has longer
# words sends fewer.
PICK_UPS_MAX = 1000
BOX = r"^([A-Za-z0-9_.-]{1,64}|\*)$"


class PickUpSpec(_Content, frozen=True, kw_only=True):
    """An order that lies ready. `code`: the keyed hash of what the customer shows (docs/desk.md), `number`: the
    order's, as people say it; one of the two. `day`…`until`: handed out from the one to the other, both inside, `until`
    "": on `day` alone. `box`: as of the list, for this order."""

    code: Annotated[str, Meta(pattern=r"^$|^[0-9a-f]{32}$")] = ""
    number: Annotated[str, Meta(pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9_.:#/-]{0,31}$")] = ""
    shelf: Annotated[str, Meta(max_length=16, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""
    what: Annotated[str, Meta(max_length=48, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""
    day: Date
    until: DateOrNone = ""
    box: Annotated[str, Meta(pattern=rf"^$|{BOX}")] = ""

    def __post_init__(self) -> None:
        if not self.code and not self.number:
            raise ValueError("expected code, or number")
        if self.until and self.until < self.day:
            raise ValueError("until is before day")


class PickUpsContent(_Content, frozen=True, kw_only=True):
    """Orders to be picked up (自提). `box`: the name of the one that hands them out without asking; "*": each box of
    the shop does, and asks the cloud every time, so that none is handed out at two tills."""

    box: Annotated[str, Meta(pattern=BOX)]
    orders: Annotated[tuple[PickUpSpec, ...], Meta(max_length=PICK_UPS_MAX)] = ()


class ProfilesContent(_Content, frozen=True, kw_only=True):
    """Receipt profiles by name, each the table of a file of `config/receipts`."""

    profiles: Annotated[dict[Word, dict[str, Any]], Meta(max_length=200)]


class LexiconContent(_Content, frozen=True, kw_only=True):
    """More words on receipts: section → list → words, as in a file of `config/lexicon`."""

    words: Annotated[dict[str, dict[str, Any]], Meta(max_length=64)]
