"""`edgebox.toml` → typed settings; every fault at once, each with file, line, key and what was expected.

Owns: the settings, their types, limits and defaults, and the lexicon's files. Never: opens keys, sockets or printers.
`config/edgebox.toml` documents each setting; a test holds the two together. The line reads its own `[[line]]` table
with the standard library only (edgebox/line/settings.py); a test holds that to `LineSettings` here.

Shape: each value is converted by itself, so that one bad value hides no other. `--set section.key=value` goes through
the same conversion.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from enum import EnumType
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from edgebox.errors import ConfigError
from edgebox.model import TenderKind
from edgebox.receipt.lexicon import Lexicon
from edgebox.receipt.money import Convention
from edgebox.receipt.reader import Shop
from edgebox.receipt.totals import Rules

FOLDER = Path(__file__).parents[1] / "config"  # as shipped, beside the packages
DEFAULT = FOLDER / "edgebox.toml"

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
Milliseconds = Annotated[int, Meta(ge=0, le=600_000)]
Bytes = Annotated[int, Meta(ge=0, le=1 << 28)]
Minor = Annotated[int, Meta(ge=0, le=10**12)]
Hex = Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}\s*)*$")]
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
    tz: str = "Asia/Shanghai"


class TillSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[till]"""

    prints_after_payment: bool = False
    delivery_earns: bool = True
    number_scope: Literal["store", "till"] = "store"
    learn_layouts: Annotated[int, Meta(ge=0, le=1000)] = 20


class SlipSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[slip]"""

    languages: tuple[Literal["zh", "en"], ...] = ("zh",)
    max_bytes: Bytes = 16384
    max_wire_ms: Milliseconds = 2500


class ClaimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[claims]"""

    keys: str = "keys.toml"
    lifetime_hours: Annotated[int, Meta(ge=1, le=24 * 366)] = 72
    weak: Literal["none", "pending"] = "none"


class PointsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[points]"""

    spend_per_point: Annotated[int, Meta(ge=1, le=10**9)] = 100
    minimum: Minor = 100
    excluded_tenders: tuple[TenderKind, ...] = (TenderKind.WECHAT,)  # WeChat Pay credits its own: twice would be wrong


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[engine]"""

    socket: Annotated[str, Meta(min_length=1, max_length=100)] = "/run/edgebox/engine.sock"
    group: bool = False
    data: Annotated[str, Meta(min_length=1)] = "/var/lib/edgebox"


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
    status_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    allow: tuple[str, ...] = ()


class ScannerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[[scanner]]"""

    name: Name = "scanner1"
    scanner: str = ""
    till: str = ""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    shop: ShopSettings = ShopSettings()
    till: TillSettings = TillSettings()
    slip: SlipSettings = SlipSettings()
    claims: ClaimSettings = ClaimSettings()
    points: PointsSettings = PointsSettings()
    engine: EngineSettings = EngineSettings()
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
        )


SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "shop": ShopSettings,
    "till": TillSettings,
    "slip": SlipSettings,
    "claims": ClaimSettings,
    "points": PointsSettings,
    "engine": EngineSettings,
    "log": LogSettings,
    "line": LineSettings,
    "scanner": ScannerSettings,
}
LISTS = ("line", "scanner")


class Fault(NamedTuple):
    """One thing wrong. `line` 0: of no line of the file."""

    line: int
    key: str
    words: str


def load(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """The settings of a file (None: the shipped one), with `section.key=value` overrides.

    ConfigError: `no_config`, `bad_toml`, `bad_config`; the message lists every fault, one a line.
    """
    source = DEFAULT if path is None else path
    try:
        text = source.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        words = fault.strerror if isinstance(fault, OSError) else "not UTF-8"
        raise ConfigError(f"{source}: {words}", reason="no_config") from fault
    return parse(text, str(source), overrides)


def parse(text: str, source: str, overrides: Sequence[str] = ()) -> Config:
    """As `load`, from the file's text."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{source}: {fault}", reason="bad_toml") from fault
    faults: list[Fault] = []
    places = _Places(text)
    given = _overridden(table, overrides, faults)
    values: dict[str, Any] = {}
    for section, value in given.items():
        kind = SECTIONS.get(section)
        if kind is None:
            faults.append(
                Fault(places.of(section, 0, ""), f"[{section}]", "no such section" + _meant(section, SECTIONS))
            )
        elif section in LISTS:
            values[section] = tuple(_tables(section, kind, value, places, faults))
        elif not isinstance(value, dict):
            faults.append(Fault(places.of("", 0, section), section, f"expected a table [{section}]"))
        else:
            values[section] = _struct(section, 0, kind, value, places, faults)
    config = Config(**values)
    faults += _contradictions(config, places)
    if faults:
        raise ConfigError("\n".join(_told(source, fault) for fault in faults), reason="bad_config")
    return config


def load_lexicon(languages: Sequence[str] = (), folder: Path | None = None) -> Lexicon:
    """The words of `config/lexicon/LANGUAGE.toml`; no languages: of all. ConfigError `bad_lexicon` names the file."""
    folder = folder or FOLDER / "lexicon"
    tables = []
    for path in sorted(folder.glob("*.toml")):
        if languages and path.stem not in languages:
            continue
        try:
            table = tomllib.loads(path.read_text("utf-8"))
            table.pop("language", None)
            Lexicon([table])  # so that a bad word is reported with its file
        except (OSError, ValueError, AttributeError, TypeError) as fault:
            raise ConfigError(f"{path}: {fault}", reason="bad_lexicon") from fault
        tables.append(table)
    if not tables:
        raise ConfigError(f"{folder}: no words for {', '.join(languages) or 'any language'}", reason="bad_lexicon")
    return Lexicon(tables)


# -- inside


def _told(source: str, fault: Fault) -> str:
    where = f"{source}:{fault.line}" if fault.line else source
    return f"{where}: {fault.key}: {fault.words}"


def _meant(word: str, known: Iterator[str] | Mapping[str, Any] | Sequence[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f", did you mean {near[0]}?" if near else f", expected one of {', '.join(known)}"


def _tables(
    section: str, kind: type[msgspec.Struct], value: Any, places: _Places, faults: list[Fault]
) -> Iterator[msgspec.Struct]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        faults.append(Fault(places.of(section, 0, ""), section, f"expected tables [[{section}]]"))
        return
    for number, row in enumerate(value):
        yield _struct(section, number, kind, row, places, faults)


def _struct(
    section: str,
    number: int,
    kind: type[msgspec.Struct],
    given: Mapping[str, Any],
    places: _Places,
    faults: list[Fault],
) -> msgspec.Struct:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    values = {}
    for key, value in given.items():
        line = places.of(section, number, key)
        if key not in fields:
            faults.append(Fault(line, f"{section}.{key}", "no such setting" + _meant(key, fields)))
            continue
        try:
            values[key] = msgspec.convert(value, fields[key])
        except msgspec.ValidationError as fault:
            faults.append(Fault(line, f"{section}.{key}", _expected(str(fault), fields[key], value)))
    return kind(**values)


def _expected(said: str, kind: Any, value: Any) -> str:
    """msgspec's words, or the choices where there are some."""
    choices = _choices(kind)
    if choices:
        return f"expected one of {', '.join(choices)}, got {_short(value)}"
    words = re.sub(r", got `.*?`| - at `.*`", "", said)
    return f"{words[:1].lower()}{words[1:]}, got {_short(value)}"


def _choices(kind: Any) -> list[str]:
    """The words of a Literal or an enum, also inside a tuple."""
    if isinstance(kind, EnumType):
        return [str(member.value) for member in list[Any](kind)]
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    return [choice for part in get_args(kind) for choice in _choices(part)] if get_origin(kind) is tuple else []


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _contradictions(config: Config, places: _Places) -> list[Fault]:
    """What is wrong only together."""
    faults = []
    shop = config.shop
    if shop.decimals and not shop.decimal_mark:
        line = places.of("shop", 0, "decimal_mark")
        faults.append(Fault(line, "shop.decimal_mark", f"expected a mark, as there are {shop.decimals} decimals"))
    try:
        ZoneInfo(shop.tz)
    except (ZoneInfoNotFoundError, ValueError):
        faults.append(Fault(places.of("shop", 0, "tz"), "shop.tz", f"no time zone {shop.tz!r}, e.g. Asia/Shanghai"))
    for section in LISTS:
        names = [row.name for row in getattr(config, section)]
        for number, name in enumerate(names):
            if name in names[:number]:
                line = places.of(section, number, "name")
                faults.append(Fault(line, f"{section}.name", f"{name!r} comes twice"))
    return faults


def _overridden(table: Mapping[str, Any], overrides: Sequence[str], faults: list[Fault]) -> dict[str, Any]:
    """The table with `section.key=value` in it. For [[line]] and [[scanner]] the value goes to every one of them."""
    given: dict[str, Any] = {
        section: dict(value) if isinstance(value, dict) else value for section, value in table.items()
    }
    for pair in overrides:
        path, equals, text = pair.partition("=")
        section, dot, key = path.strip().partition(".")
        if not equals or not dot or section not in SECTIONS:
            hint = "expected section.key=value, sections are " + ", ".join(SECTIONS)
            faults.append(Fault(0, f"--set {pair}", hint))
            continue
        value = _typed(section, key, text)
        if section in LISTS:
            rows = given.get(section) or [{}]
            given[section] = [{**row, key: value} if isinstance(row, dict) else row for row in rows]
        elif isinstance(given.setdefault(section, {}), dict):
            given[section][key] = value
    return given


def _typed(section: str, key: str, text: str) -> Any:
    """The text as the setting's type reads it: TOML where that says something, the text itself otherwise."""
    default = next((f.default for f in msgspec.structs.fields(SECTIONS[section]) if f.name == key), None)
    if isinstance(default, str):
        return text
    if isinstance(default, tuple) and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


class _Places:
    """Where each key stands: (section, number of its table, key) → line. Found by looking, as tomllib doesn't say."""

    _header = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_-]+)\s*\]{1,2}")
    _key = re.compile(r"\s*\"?([A-Za-z0-9_-]+)\"?\s*=")

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, int, str], int] = {}
        section, seen = "", {"": 0}
        for number, line in enumerate(text.splitlines(), 1):
            if match := self._header.match(line):
                section = match[1]
                seen[section] = seen.get(section, -1) + 1
                self._lines.setdefault((section, seen[section], ""), number)
            elif match := self._key.match(line):
                self._lines.setdefault((section, seen[section], match[1]), number)

    def of(self, section: str, number: int, key: str) -> int:
        """The key's line, or its table's; 0: not in the file."""
        return self._lines.get((section, number, key)) or self._lines.get((section, number, ""), 0)
