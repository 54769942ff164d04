"""What may stand in `edgebox.toml`: each section as a type, with its limits and defaults.

Owns: the names, types, limits and defaults of all settings. Never: reads a file (edgebox/config.py does).
`config/edgebox.toml` documents each setting and a test holds the two together; another holds `LineSettings` to the
line's own reading of its table with the standard library (edgebox/line/settings.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgebox.model import TenderKind
from edgebox.receipt.money import Convention
from edgebox.receipt.reader import Shop
from edgebox.receipt.totals import Rules

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
Milliseconds = Annotated[int, Meta(ge=0, le=600_000)]
Bytes = Annotated[int, Meta(ge=0, le=1 << 28)]
Minor = Annotated[int, Meta(ge=0, le=10**12)]
Hex = Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}\s*)*$")]
TopicName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
Language = Literal["zh", "en", "de", "fr", "es", "pt", "it", "id", "ja", "ko"]


class ShopSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[shop]"""

    name: str = ""
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] = "CNY"
    decimals: Annotated[int, Meta(ge=0, le=3)] = 2
    decimal_mark: Annotated[str, Meta(max_length=2, pattern=r"^[^\w\s]*$")] = "."
    group_marks: Annotated[str, Meta(max_length=4, pattern=r"^[^\w]*$")] = ","
    round_to_cash: bool = True
    earn_basis: Literal["net", "net_less_service"] = "net"
    medium_max: Minor = 200_000  # 2,000.00: a wrong label then costs the points of one banquet at most
    date_order: Literal["ymd", "dmy", "mdy"] = "ymd"
    languages: tuple[Language, ...] = ()
    trade: Annotated[str, Meta(max_length=32)] = ""
    tz: str = "Asia/Shanghai"
    day_begins: Annotated[int, Meta(ge=0, le=12)] = 0  # a bar's day ends when it closes


class TillSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[till]"""

    prints_after_payment: bool = False
    delivery_earns: bool = True
    number_scope: Literal["store", "till"] = "store"
    learn_layouts: Annotated[int, Meta(ge=0, le=1000)] = 20


class SlipSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[slip]"""

    languages: tuple[Literal["zh", "en"], ...] = ("zh",)
    show: tuple[Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")], ...] = ("points",)
    coupon_prefix: Annotated[str, Meta(pattern=r"^[0-9A-Z $%*+./:-]{1,40}$")] = "CB:"
    max_mm: Annotated[int, Meta(ge=0, le=2000)] = 120  # two codes with words; more is an advertisement, not a receipt
    max_bytes: Bytes = 16384
    max_wire_ms: Milliseconds = 2500


class DeskSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[desk]"""

    line: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,31})?$")] = ""
    ask_ms: Annotated[int, Meta(ge=100, le=10_000)] = 2000  # what a cashier bears with a customer waiting
    signed_prefix: Annotated[str, Meta(pattern=r"^[0-9A-Z $%*+./:-]{0,40}$")] = "SC:"
    coupon_keys: tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,32}:[A-Za-z0-9+/]{43}=$")], ...] = ()
    typed_tries: Annotated[int, Meta(ge=1, le=100)] = 5
    typed_lock_s: Annotated[int, Meta(ge=1, le=86_400)] = 600
    tally_with_report: bool = True
    member_s: Annotated[int, Meta(ge=5, le=3600)] = 120  # from the card shown to the bill paid; the next customer waits
    title_minutes: Annotated[int, Meta(ge=1, le=120)] = 10  # who asks for an invoice has just paid
    withdraw_s: Annotated[int, Meta(ge=60, le=86_400)] = 600  # a customer who was told "again" comes back sooner
    unsettled_days: Annotated[int, Meta(ge=1, le=90)] = 3  # a weekend without a network is no alarm
    buzzer: bool = True
    leds: tuple[Annotated[str, Meta(pattern=r"^led:///[^?#]+(\?for=[a-z,]+)?$")], ...] = ()


class ClaimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[claims]"""

    keys: str = "keys.toml"
    lifetime_hours: Annotated[int, Meta(ge=1, le=24 * 366)] = 72
    weak: Literal["none", "pending"] = "none"


class PointsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[points]"""

    spend_per_point: Annotated[int, Meta(ge=1, le=10**9)] = 100
    minimum: Minor = 100
    rules: str = ""
    excluded_tenders: tuple[TenderKind, ...] = (TenderKind.WECHAT,)  # WeChat Pay credits its own: twice would be wrong


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[engine]"""

    socket: Annotated[str, Meta(min_length=1, max_length=100)] = "/run/edgebox/engine.sock"
    scan_socket: Annotated[str, Meta(max_length=100)] = "/run/edgebox/scan.sock"
    group: bool = False
    data: Annotated[str, Meta(min_length=1)] = "/var/lib/edgebox"


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[store]"""

    max_mb: Annotated[int, Meta(ge=16, le=1 << 20)] = 2048  # a 16 GB card keeps most of itself for the system
    reserve_mb: Annotated[int, Meta(ge=1, le=1 << 16)] = 64  # for receipts, claims, redemptions
    keep_days: Annotated[int, Meta(ge=1, le=3660)] = 90
    audit_days: Annotated[int, Meta(ge=1, le=3660)] = 400  # some laws ask for six months of logs, some for a year
    paper_days: Annotated[int, Meta(ge=0, le=3660)] = 30  # a customer who complains does so within weeks
    paper_mb: Annotated[int, Meta(ge=1, le=1 << 16)] = 256  # 300,000 receipts of 800 bytes
    visits_days: Annotated[int, Meta(ge=1, le=3660)] = 30  # who was in the shop: no longer than somebody looks at it
    sightings_s: Annotated[float, Meta(ge=0.05, le=60)] = 1.0


class SyncSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[sync]"""

    url: Annotated[str, Meta(pattern=r"^$|^(mqtts?|wss?)://[^/\s?#@]+(/[^\s?#]*)?$")] = ""
    tenant: TopicName = ""
    store: TopicName = ""
    box: TopicName = ""
    topics: Annotated[str, Meta(pattern=r"^[^+#\s\x00]+$")] = "edgebox/v1/{tenant}/{store}/{box}"
    user: str = ""
    credentials: str = "credentials"
    renew_days: Annotated[int, Meta(ge=0, le=366)] = 0
    fleet_keys: tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,32}:[A-Za-z0-9+/]{43}=$")], ...] = ()
    ack: Literal["cloud", "broker"] = "cloud"
    window: Annotated[int, Meta(ge=1, le=1024)] = 64
    batch_bytes: Annotated[int, Meta(ge=1024, le=256 << 10)] = 128 << 10  # brokers of large clouds take 128 to 256 KB
    heartbeat_s: Annotated[int, Meta(ge=1, le=3600)] = 60
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    session_expiry_s: Annotated[int, Meta(ge=0, le=(1 << 32) - 1)] = 86_400
    backoff_max_s: Annotated[int, Meta(ge=1, le=3600)] = 120
    retain: bool = True
    will: bool = True

    @property
    def whole_name(self) -> str:
        """The box's, as its cloud knows it; "" without a cloud."""
        return f"{self.tenant}/{self.store}/{self.box}" if self.box else ""


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[web]"""

    listen: Annotated[str, Meta(pattern=r"^$|^[^\s/@?#]+:\d{1,5}$")] = ""
    http: Annotated[str, Meta(pattern=r"^$|^[^\s/@?#]+:\d{1,5}$")] = ""
    names: tuple[Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")], ...] = ()
    allow: tuple[str, ...] = ()
    certificate: str = ""
    language: Literal["zh", "en"] = "zh"
    idle_min: Annotated[int, Meta(ge=5, le=43_200)] = 720  # a shop's day: nobody signs in twice
    session_days: Annotated[int, Meta(ge=1, le=90)] = 14
    browsers_max: Annotated[int, Meta(ge=1, le=64)] = 16


class TagSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of [beacons] tags; TagSpec of the contract says the same (sync/contract_content.py)."""

    name: Name
    beacon: Annotated[str, Meta(min_length=1, max_length=64)]
    role: Literal["", "staff", "member", "asset", "beacon"] = ""
    zone: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{0,16}$")] = ""
    offset_db: Annotated[int, Meta(ge=-40, le=40)] = 0
    member: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")] = ""
    cashier: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{0,64}$")] = ""


class FrameSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of [beacons] send; FrameSpec of the contract says the same (sync/contract_content.py)."""

    uuid: Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]
    major: Annotated[int, Meta(ge=0, le=0xFFFF)]
    minor: Annotated[int, Meta(ge=0, le=0xFFFF)]
    power_dbm: Annotated[int, Meta(ge=-100, le=20)] = -59  # what Apple's own examples say of an ordinary beacon


_DAYS = "(mon|tue|wed|thu|fri|sat|sun)"


class BeaconsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[beacons]"""

    send: Annotated[tuple[FrameSettings, ...], Meta(max_length=8)] = ()  # as ADVERTS_MAX of drivers/advert_plan.py
    interval_ms: Annotated[int, Meta(ge=100, le=10_240)] = 200  # less than 100: not before Bluetooth 5
    flags: bool = False
    hours: tuple[Annotated[str, Meta(pattern=rf"^({_DAYS}(-{_DAYS})? )*\d\d:\d\d-\d\d:\d\d$")], ...] = ()
    scan: bool = False
    listen: Annotated[
        tuple[
            Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{20})$")], ...
        ],
        Meta(max_length=64),
    ] = ()
    adapter: Annotated[str, Meta(pattern=r"^(hci[0-7])?$")] = ""
    # Longer than the 5 s that BlueZ pauses; well below LOST_S of presence.py, or a stalled scan loses a shop of people.
    silence_s: Annotated[int, Meta(ge=10, le=30)] = 15
    tags: Annotated[tuple[TagSettings, ...], Meta(max_length=500)] = ()
    zones: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,16}=\d{1,2}(\.\d)?/\d{1,2}(\.\d)?$")], ...],
        Meta(max_length=4),
    ] = ("till=2/4", "shop=8/16")
    line: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,31})?$")] = ""
    attach_members: bool = False
    attach_staff: bool = True
    reach_m: Annotated[float, Meta(ge=0.3, le=2.0)] = 1.0
    count_unlisted: bool = False
    visits_day: Annotated[int, Meta(ge=0, le=200_000)] = 5000  # 1 MB a day; a busy shop's tags come 500 times
    sighting_s: Annotated[int, Meta(ge=0, le=86_400)] = 0


class GadgetSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[gadget]"""

    printer: bool = False
    keyboard: bool = False
    serial: bool = False


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[log]"""

    level: Literal["debug", "info", "warning", "error"] = "info"


class LineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[[line]]; the same keys and defaults as edgebox.line.settings.LineSettings, bytes written as text."""

    name: Name = "line1"
    till: str = ""
    printer: str = ""
    profile: Annotated[str, Meta(pattern=r"^[a-z0-9-]+$")] = "generic-80"
    engine: str = ""
    answer_ms: Annotated[int, Meta(ge=1, le=2000)] = 150
    feed_hold_ms: Milliseconds = 200
    idle_ms: Milliseconds = 0
    close_ms: Milliseconds = 1000
    hold_bytes: Annotated[int, Meta(ge=64, le=1 << 20)] = 1024
    window_bytes: Annotated[int, Meta(ge=64, le=1 << 20)] = 4096
    spool_documents: Annotated[int, Meta(ge=1, le=4096)] = 64
    spool_bytes: Annotated[int, Meta(ge=4096, le=1 << 28)] = 1 << 20
    placement: Literal["before_cut", "own_slip"] = "before_cut"
    end_signature: Hex = ""
    header_preprint: str = ""
    job_quiet_ms: Milliseconds = 1000
    proof_of_print: bool = False
    job_drawer: bool = False
    status_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    allow: tuple[str, ...] = ()
    receipts: Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9-]{0,47})?$")] = ""
    relay: Annotated[str, Meta(pattern=r"^([^:\s]{1,64}:[0-9]{1,4})?$")] = ""


CodeRules = tuple[Annotated[str, Meta(min_length=3, max_length=64)], ...]


class ScannerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[[scanner]]; the same keys and defaults as edgebox.scan.settings.ScannerSettings."""

    name: Name = "scanner1"
    scanner: str = ""
    till: str = ""
    engine: str = "/run/edgebox/scan.sock"
    line: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,31})?$")] = ""
    suffix: Literal["cr", "lf", "crlf", "tab", "none"] = "cr"
    till_suffix: Literal["same", "cr", "lf", "crlf", "tab", "none"] = "same"
    strip_aim: bool = False
    silence_ms: Annotated[int, Meta(ge=5, le=5000)] = 100
    answer_ms: Annotated[int, Meta(ge=1, le=2000)] = 150
    late: Literal["forward", "refuse"] = "forward"
    till_ms: Annotated[int, Meta(ge=100, le=60_000)] = 3000
    arm_s: Annotated[int, Meta(ge=1, le=600)] = 15
    always: Literal["", "coupon", "member", "pick_up", "mall", "invoice_title", "comeback"] = ""
    modes: CodeRules = (
        "EDGEBOX+COUPON=coupon",
        "EDGEBOX+MEMBER=member",
        "EDGEBOX+PICKUP=pick_up",
        "EDGEBOX+MALL=mall",
    )
    claims: CodeRules = ()
    comebacks: CodeRules = ("CB:",)
    coupons: CodeRules = ("SC:",)
    members: CodeRules = ()
    pick_ups: CodeRules = ()
    mall: CodeRules = ()
    invoice_titles: CodeRules = ("https://mp.weixin.qq.com/intp/invoice/usertitlewxa?",)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    shop: ShopSettings = ShopSettings()
    till: TillSettings = TillSettings()
    slip: SlipSettings = SlipSettings()
    desk: DeskSettings = DeskSettings()
    claims: ClaimSettings = ClaimSettings()
    points: PointsSettings = PointsSettings()
    engine: EngineSettings = EngineSettings()
    store: StoreSettings = StoreSettings()
    sync: SyncSettings = SyncSettings()
    web: WebSettings = WebSettings()
    beacons: BeaconsSettings = BeaconsSettings()
    gadget: GadgetSettings = GadgetSettings()
    log: LogSettings = LogSettings()
    line: tuple[LineSettings, ...] = ()
    scanner: tuple[ScannerSettings, ...] = ()

    def shop_of_reader(self) -> Shop:
        """What the receipt reader needs to know."""
        shop, till = self.shop, self.till
        return Shop(
            currency=shop.currency,
            convention=Convention(shop.decimals, shop.decimal_mark, shop.group_marks),
            rules=Rules(
                decimals=shop.decimals,
                round_to_cash=shop.round_to_cash,
                less_service=shop.earn_basis == "net_less_service",
                medium_max_minor=shop.medium_max,
                prints_after_payment=till.prints_after_payment,
            ),
            date_order=shop.date_order,
            delivery_earns=till.delivery_earns,
            number_scope=till.number_scope,
            keeps_papers=self.store.paper_days > 0,
            items_in_answer=bool(self.points.rules),  # rules may look at items; the four lines of [points] don't
        )


SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "shop": ShopSettings,
    "till": TillSettings,
    "slip": SlipSettings,
    "desk": DeskSettings,
    "claims": ClaimSettings,
    "points": PointsSettings,
    "engine": EngineSettings,
    "store": StoreSettings,
    "sync": SyncSettings,
    "web": WebSettings,
    "beacons": BeaconsSettings,
    "gadget": GadgetSettings,
    "log": LogSettings,
    "line": LineSettings,
    "scanner": ScannerSettings,
}
LISTS = ("line", "scanner")
