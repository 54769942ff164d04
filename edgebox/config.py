"""`edgebox.toml` → typed settings; every fault at once, each with file, line, key and what was expected.

Owns: reading the file, telling its faults, overrides, and the lexicon's files. Never: what may stand in it
(edgebox/settings.py says so), or in the overlay (edgebox/overlay.py); opens no keys, sockets or printers.

Shape: each value is converted by itself, so that one bad value hides no other. `--set section.key=value` goes through
the same conversion.
"""

from __future__ import annotations

import difflib
import logging
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence, Set
from enum import EnumType
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from edgebox import overlay
from edgebox.errors import ConfigError
from edgebox.receipt.lexicon import Lexicon
from edgebox.settings import LISTS, SECTIONS, Config

log = logging.getLogger("edgebox")

FOLDER = Path(__file__).parents[1] / "config"  # as shipped, beside the packages
PACKAGE = Path("/opt/edgebox")  # where the package lies on a box (packaging/tree.sh)
OF_THE_BOX = Path("/etc/edgebox/edgebox.toml")


def file_for(shipped: Path) -> Path:
    """The file when none is named: on a box its own, which the services run with; in a checkout the shipped one."""
    return OF_THE_BOX if shipped.is_relative_to(PACKAGE) else shipped / "edgebox.toml"


DEFAULT = file_for(FOLDER)
NOTHING: Mapping[str, Any] = MappingProxyType({})
BRIDGED = ("serial:", "pty:")  # cables that a relay can switch: it breaks a USB link, and has no way for a network's


_WORD = "a name of letters, digits, `_`, `.` and `-`"
_PATTERNS = {  # what a setting's pattern (edgebox/settings.py) wants, in words
    "shop.currency": "three capitals, as EUR",
    "sync.url": "a broker's URL, as mqtts://broker.example.com:8883 (also wss://; name and password elsewhere)",
    "sync.tenant": _WORD,
    "sync.store": _WORD,
    "sync.box": _WORD,
    "sync.fleet_keys": "NAME:BASE64 each, as `edgebox fleet keys` prints them",
    "line.name": f"{_WORD}, 32 at most",
    "line.profile": "a file's name in config/printers without .toml, as generic-80",
    "line.relay": "a pin as gpiochip0:17",
    "web.listen": "an address and a port, as 0.0.0.0:8443, or nothing for no page",
    "web.http": "an address and a port, as 0.0.0.0:80, or nothing",
    "slip.show": "names of slips, as `edgebox slip list` shows them",
}


class Fault(NamedTuple):
    """One thing wrong. `line` 0: of no line of the file."""

    line: int
    key: str
    words: str


def load(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """The settings of a file (None: see `file_for`), what the page and the cloud changed, and flags, in this order.

    ConfigError: `no_config`, `bad_toml`, `bad_config`; the message lists every fault, one a line. An overlay that can't
    be read is not taken for none, as it may have set what a point costs: the box then runs with the file's settings
    and without keys, so that it records, can be reached, and prints no slips.
    """
    source = DEFAULT if path is None else path
    text = text_of(source)
    plain = parse(text, str(source), overrides)
    try:
        laid = overlay.read(Path(plain.engine.data)).layers.merged()
        return parse(text, str(source), overrides, laid) if laid else plain
    except ConfigError as fault:
        log.error("no slips until settings are set anew: %s", fault)
        return msgspec.structs.replace(plain, claims=msgspec.structs.replace(plain.claims, keys=""))


def text_of(source: Path) -> str:
    """The file's text. ConfigError `no_config`."""
    try:
        return source.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        words = fault.strerror if isinstance(fault, OSError) else "not UTF-8"
        hint = "with sudo: it is root's and the services'" if isinstance(fault, PermissionError) else ""
        raise ConfigError(f"{source}: {words}", reason="no_config", hint=hint) from fault


def parse(text: str, source: str, overrides: Sequence[str] = (), laid: Mapping[str, Any] = NOTHING) -> Config:
    """As `load`, from the file's text, with `laid` (`section.key` → value) over it."""
    faults: list[Fault] = []
    config = _parsed(text, source, overrides, laid, faults)
    if faults:
        flags = {pair.partition("=")[0].strip() for pair in overrides}
        raise ConfigError("\n".join(_told(source, fault, flags) for fault in faults), reason="bad_config")
    return config


def faults_of(text: str, source: str, overrides: Sequence[str], laid: Mapping[str, Any]) -> dict[str, str]:
    """Key → what is wrong, once `laid` is laid over the file. ConfigError `bad_toml`."""
    faults: list[Fault] = []
    _parsed(text, source, overrides, laid, faults)
    return {fault.key: fault.words for fault in faults}


def _parsed(text: str, source: str, overrides: Sequence[str], laid: Mapping[str, Any], faults: list[Fault]) -> Config:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{source}: {fault}", reason="bad_toml") from fault
    places = _Places(text)
    given = _overridden(_laid_over(table, laid, faults), overrides, faults)
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
    return config


def load_lexicon(
    languages: Sequence[str] = (),
    folder: Path | None = None,
    more: Sequence[Mapping[str, Mapping[str, Sequence[str]]]] = (),
) -> Lexicon:
    """The words of `config/lexicon/LANGUAGE.toml`; no languages: of all; and `more`, as from such a file.

    ConfigError `bad_lexicon` names the file.
    """
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
    try:
        return Lexicon([*tables, *more])
    except (ValueError, AttributeError, TypeError) as fault:
        raise ConfigError(f"words of the fleet: {fault}", reason="bad_lexicon") from fault


# -- inside


def _told(source: str, fault: Fault, flags: Set[str]) -> str:
    if fault.key in flags:
        return f"--set {fault.key}: {fault.words}"
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
            words = _expected(f"{section}.{key}", str(fault), fields[key], value)
            faults.append(Fault(line, f"{section}.{key}", words))
    return kind(**values)


def _expected(key: str, said: str, kind: Any, value: Any) -> str:
    """msgspec's words, or the choices where there are some; what a pattern wants, said for people."""
    choices = _choices(kind)
    if choices:
        return f"expected one of {', '.join(choices)}, got {_short(value)}"
    words = re.sub(r", got `.*?`| - at `.*`", "", said)
    if "matching regex" in said:
        words = f"expected {_PATTERNS[key]}" if key in _PATTERNS else words
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
    for number, row in enumerate(config.line):
        if row.relay and not all(end.startswith(BRIDGED) for end in (row.till, row.printer)):
            words = "a relay can join serial cables, and no others"
            faults.append(Fault(places.of("line", number, "relay"), "line.relay", words))
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


def _laid_over(table: Mapping[str, Any], laid: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    """The table with the overlay's values in it."""
    given = {section: dict(value) if isinstance(value, dict) else value for section, value in table.items()}
    for key, value in laid.items():
        section, _, name = key.partition(".")
        if section == "line" and "." in name:
            given["line"] = _laid_over_line(given.get("line"), name, value)
        elif section not in SECTIONS or section in LISTS or not isinstance(given.setdefault(section, {}), dict):
            faults.append(Fault(0, key, "no such setting"))
        else:
            given[section][name] = value
    return given


def _laid_over_line(rows: Any, key: str, value: Any) -> Any:
    """The [[line]] tables with `NAME.key` in them; of a line that the file doesn't name any more nothing is left."""
    line, _, name = key.rpartition(".")
    if not isinstance(rows, list):
        return rows
    return [{**row, name: value} if isinstance(row, dict) and row.get("name", "line1") == line else row for row in rows]


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
