"""The points rules as a shop writes them: a TOML file, or the content of a rules bundle → `Rules`; every fault at once.

Owns: reading it, and what is wrong only together. Never: which keys there are (edgebox/rules_schema.py; all are shown
in config/rules/example.toml), or what the rules mean (edgebox/loyalty/rules.py). Each key is read by itself, so that
one bad value hides no other; a fault names the file, the table with its id, and the key.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from enum import EnumType
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from edgebox import rules_schema as schema
from edgebox.errors import ConfigError
from edgebox.loyalty.campaigns import Campaign
from edgebox.loyalty.commit_card import CommitCard
from edgebox.loyalty.item_rules import ItemRule
from edgebox.loyalty.offers import Coupon, MallItem, OfflineRedeem
from edgebox.loyalty.rules import Caps, ClaimTerms, Qualify, Rules, Tier, Unsure
from edgebox.loyalty.sales import Basis
from edgebox.loyalty.windows import ALWAYS, DAYS, Window
from edgebox.receipt.words import normalise

FILE_MAX = 1 << 20  # bytes: a bundle is no larger (sync/contract.MESSAGE_BYTES), a file written by hand is far smaller
FAULTS_MAX = 100  # told at once
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def load_rules(path: Path, tz: str = schema.TZ) -> Rules:
    """The rules in a file. ConfigError: `no_rules`, `bad_toml`, `bad_rules`; every fault on a line of its own.

    `tz`: the shop's time zone, for rules that name none.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", reason="no_rules") from fault
    except UnicodeDecodeError as fault:
        raise ConfigError(f"{path}: not UTF-8", reason="no_rules") from fault
    if len(raw) > FILE_MAX:
        raise ConfigError(f"{path}: over {FILE_MAX >> 10} KB", reason="bad_rules")
    return parse_rules(text, str(path), tz)


def parse_rules(text: str, source: str, tz: str = schema.TZ) -> Rules:
    """As `load_rules`, from the file's text."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{source}: {fault}", reason="bad_toml") from fault
    return rules_from(table, source, tz)


def rules_from(table: Mapping[str, Any], source: str, tz: str = schema.TZ) -> Rules:
    """As `load_rules`, from the tables: of a TOML file, or the JSON of a bundle."""
    reader = _Reader()
    table = {"tz": tz, **table}
    rules = _rules(reader, table)
    if reader.faults or rules is None:
        told = [f"{source}: {fault}" for fault in reader.faults[:FAULTS_MAX]]
        if len(reader.faults) > FAULTS_MAX:
            told.append(f"{source}: and {len(reader.faults) - FAULTS_MAX} more")
        raise ConfigError("\n".join(told), reason="bad_rules")
    return rules


def read_campaigns(rows: Sequence[Mapping[str, Any]], source: str) -> tuple[Campaign, ...]:
    """Campaigns that stand in no file, each as its [[campaign]] would. ConfigError `bad_rules`, as `load_rules`."""
    reader = _Reader()
    build = lambda row, where: _campaign(reader, row, where)  # noqa: E731
    found = reader.tables(schema.Campaign, list(rows), "campaign", build)
    if reader.faults:
        raise ConfigError("\n".join(f"{source}: {fault}" for fault in reader.faults), reason="bad_rules")
    return tuple(found)


# -- inside: reading


class _Reader:
    """Reads tables key by key and keeps what is wrong."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, where: str, words: str) -> None:
        self.faults.append(f"{where}: {words}")

    def struct(self, kind: type[_Struct], value: Any, where: str, *, skip: tuple[str, ...] = ()) -> _Struct | None:
        """One table; None: not there, no table, or without a key that must be."""
        if not isinstance(value, Mapping):
            self.fault(where, "expected a table")
            return None
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        values: dict[str, Any] = {}
        dot = f"{where}." if where else ""
        for key, given in value.items():
            if key in skip:
                continue
            field = fields.get(key)
            if field is None:
                near = difflib.get_close_matches(str(key), [*fields, *skip], 1)
                self.fault(f"{dot}{key}", f"no such key{f', did you mean {near[0]}?' if near else ''}")
                continue
            try:
                values[field.name] = msgspec.convert(given, field.type)
            except msgspec.ValidationError as wrong:
                values[field.name] = None  # given, so not missing
                self.fault(f"{dot}{key}", _words(wrong, field.type, given))
        missing = [name for name, field in fields.items() if field.required and field.name not in values]
        for name in missing:
            self.fault(f"{dot}{name}", "missing")
        good = {name: given for name, given in values.items() if given is not None}
        required_there = all(field.name in good for field in fields.values() if field.required)
        return kind(**good) if required_there else None

    def tables(self, kind: type[_Struct], value: Any, where: str, build: Callable[[_Struct, str], Any]) -> list[Any]:
        """A list of tables, each built; told apart by `id` or `sku`, else by number."""
        if not isinstance(value, list | tuple):
            self.fault(where, f"expected tables [[{where}]]")
            return []
        if len(value) > schema.TABLES_MAX:
            self.fault(where, f"expected at most {schema.TABLES_MAX} tables, got {len(value)}")
            return []
        built, seen = [], set[str]()
        for number, row in enumerate(value, 1):
            given = row.get("id", row.get("sku")) if isinstance(row, Mapping) else None
            name = given if isinstance(given, str) else str(number)
            place = f"{where}[{name}]"
            if name in seen:
                self.fault(place, "comes twice")
            seen.add(name)
            read = self.struct(kind, row, place)
            if read is not None:
                built.append(build(read, place))
        return built


def _words(wrong: msgspec.ValidationError, kind: Any, given: Any) -> str:
    """What was expected, as a person would say it."""
    text = repr(given)
    got = text if len(text) <= 60 else text[:57] + "..."
    choices = _choices(kind)
    if choices:
        return f"expected one of {', '.join(choices)}, got {got}"
    said = str(wrong).partition(" - at ")[0].partition(", got ")[0]
    form = next((words for pattern, words in schema.FORMS.items() if repr(pattern) in said), "")
    return f"expected {form}, got {got}" if form else f"{said[:1].lower()}{said[1:]}, got {got}"


def _choices(kind: Any) -> list[str]:
    """The words of a Literal or an enum, also inside a tuple."""
    if isinstance(kind, EnumType):
        return [str(member.value) for member in list[Any](kind)]
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    return [choice for part in get_args(kind) for choice in _choices(part)] if get_origin(kind) is tuple else []


# -- inside: building


def _rules(reader: _Reader, table: Mapping[str, Any]) -> Rules | None:
    def section(kind: type[_Struct], key: str) -> _Struct | None:
        return reader.struct(kind, table.get(key, {}), key)

    def rows(kind: type[_Struct], key: str, build: Callable[[_Struct, str], Any]) -> tuple[Any, ...]:
        return tuple(reader.tables(kind, table.get(key, []), key, build))

    top = reader.struct(schema.Top, table, "", skip=schema.TABLES)
    basis, qualify = section(schema.Basis, "basis"), section(schema.Qualify, "qualify")
    rounding, caps = section(schema.RoundingTable, "rounding"), section(schema.Caps, "caps")
    claim, offline = section(schema.Claim, "claim"), section(schema.OfflineRedeem, "offline_redeem")
    tiers = rows(schema.Tier, "tier", lambda row, _: Tier(row.id, row.spend_per_point))
    campaigns = rows(schema.Campaign, "campaign", lambda row, where: _campaign(reader, row, where))
    item_rules = rows(schema.ItemRule, "item_rule", lambda row, where: _item_rule(reader, row, where))
    coupons = rows(schema.Coupon, "coupon", lambda row, where: _coupon(reader, row, where))
    mall = rows(schema.MallItem, "mall", lambda row, where: _mall_item(reader, row, where, tiers))
    cards = rows(schema.CommitCard, "commit_card", lambda row, where: _commit_card(reader, row, where))
    if not tiers and isinstance(table.get("tier", []), list) and not table.get("tier"):
        reader.fault("tier", "missing: at least one [[tier]] with id and spend_per_point")
    zone = _zone(reader, table["tz"])
    if qualify and qualify.max_spend and qualify.max_spend < qualify.min_spend:
        reader.fault("qualify.max_spend", f"less than min_spend, {qualify.min_spend}")
    if not (top and basis and qualify and rounding and caps and claim and offline):
        return None
    return Rules(
        rev=top.rev,
        currency=top.currency,
        tiers=tiers,
        zone=zone,
        basis=Basis(basis.amount, basis.tax == "include", frozenset(basis.subtract)),
        qualify=_qualify(qualify),
        rounding=rounding.mode,
        by_line=rounding.at == "line",
        campaigns=campaigns,
        item_rules=item_rules,
        caps=Caps(caps.points_per_receipt, caps.points_per_device_day),
        claim=_claim(claim),
        coupons=coupons,
        offline_redeem=_offline(offline),
        mall=mall,
        cards=cards,
    )


def _zone(reader: _Reader, name: Any) -> tzinfo:
    if not isinstance(name, str):
        return UTC  # said already
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name that is a folder, as "Asia"
        reader.fault("tz", f"no time zone {name!r}, e.g. Asia/Shanghai")
        return UTC


def _qualify(given: schema.Qualify) -> Qualify:
    return Qualify(
        kinds=frozenset(given.kinds),
        min_spend=given.min_spend,
        max_spend=given.max_spend,
        skip_tender=frozenset(schema.TENDERS[name] for name in given.skip_tender),
        unknown_tender=given.unknown_tender,
        low_confidence=Unsure(given.low_confidence),
    )


def _campaign(reader: _Reader, row: schema.Campaign, where: str) -> Campaign:
    if row.multiply_pct == 100 and not row.bonus:
        reader.fault(where, "gives nothing: expected multiply_pct over 100, or bonus")
    group = row.group or ("multiplier" if row.multiply_pct > 100 else "bonus")
    window = _window(reader, row.when, f"{where}.when")
    return Campaign(
        row.id, window, row.min_spend, row.multiply_pct, row.bonus, row.stack, group, row.priority, row.stop
    )


def _item_rule(reader: _Reader, row: schema.ItemRule, where: str) -> ItemRule:
    excludes = row.earn == "exclude"
    if excludes == (row.multiply_pct is not None):
        reader.fault(where, 'expected either earn = "exclude" or multiply_pct')
    match = tuple(normalise(pattern) for pattern in row.match)
    return ItemRule(match, 0 if excludes else row.multiply_pct or 0)


def _coupon(reader: _Reader, row: schema.Coupon, where: str) -> Coupon:
    if row.kind == "mall":
        reader.fault(f"{where}.kind", "goods for points are a [[mall]]")
    if row.kind == "percent_off" and not 1 <= row.value <= 100:
        reader.fault(f"{where}.value", f"expected 1 to 100 percent, got {row.value}")
    if row.kind == "amount_off" and row.threshold and row.value > row.threshold:
        reader.fault(f"{where}.value", f"more than the threshold of {row.threshold}")
    window = _window(reader, row.valid, f"{where}.valid")
    return Coupon(row.id, row.kind, row.value, row.threshold, window, row.stores, row.stack_with, row.per_member_day)


def _mall_item(reader: _Reader, row: schema.MallItem, where: str, tiers: tuple[Tier, ...]) -> MallItem:
    known = {tier.id for tier in tiers}
    for key, prices in (("price_points", row.price_points), ("price_points_in_window", row.price_points_in_window)):
        for tier in sorted(set(prices or ()) - known) if known else ():
            reader.fault(f"{where}.{key}.{tier}", f"no such tier, expected one of {', '.join(sorted(known))}")
    if row.price_points_in_window and not row.when:
        reader.fault(f"{where}.when", "missing: price_points_in_window needs it")
    window, in_window = _window(reader, row.when, f"{where}.when"), row.price_points_in_window
    return MallItem(row.sku, row.price_points, window, in_window, row.stock_source, row.slip, row.title)


def _commit_card(reader: _Reader, row: schema.CommitCard, where: str) -> CommitCard:
    if row.count == "item" and not row.match:
        reader.fault(f"{where}.match", 'missing: count = "item" needs the items that count')
    if not row.match and not row.min_spend:
        reader.fault(where, "every receipt would count: expected min_spend or match")
    match = tuple(normalise(pattern) for pattern in row.match)
    return CommitCard(row.id, row.min_spend, match, row.count == "item", _window(reader, row.when, f"{where}.when"))


def _offline(given: schema.OfflineRedeem) -> OfflineRedeem:
    age = _seconds(given.max_age)
    return OfflineRedeem(
        given.enabled, given.kinds, given.require, given.max_face, given.max_count, given.max_total, age
    )


def _claim(given: schema.Claim) -> ClaimTerms:
    by_trade = tuple(sorted((trade, _seconds(ttl)) for trade, ttl in given.ttl_by_trade.items()))
    return ClaimTerms(_seconds(given.ttl), by_trade, given.reprint == "same", given.url, given.mac)


def _window(reader: _Reader, given: Mapping[str, Any], where: str) -> Window:
    """`days`, `from`…`to`, `start`…`end`."""
    read = reader.struct(schema.Window, given, where)
    if read is None or read == schema.Window():
        return ALWAYS
    if (read.from_ is None) != (read.to is None):
        reader.fault(f"{where}.{'to' if read.to is None else 'from'}", "missing: hours need both")
    if read.from_ is not None and read.from_ == read.to:
        reader.fault(f"{where}.to", "the same as from; leave both out for all day")
    if read.start and read.end and read.end < read.start:
        reader.fault(f"{where}.end", "before start")
    days = frozenset(DAYS.index(day) for day in read.days)
    return Window(days, _minutes(read.from_), _minutes(read.to), read.start, read.end)


def _minutes(clock: str | None) -> int | None:
    return None if clock is None else int(clock[:2]) * 60 + int(clock[3:])


def _seconds(span: str) -> int:
    """`72h`, `90m`, `3d`; the schema has checked its form."""
    return int(span[:-1]) * {"m": 60, "h": 3600, "d": 86_400}[span[-1]]
