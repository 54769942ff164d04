"""What `edgebox setup` has to know, and the configuration that comes of it.

Owns: the five answers, their form in a file, and the text of edgebox.toml. Never: asks (setup.py) or installs
(installing.py). For mass provisioning the answers are a TOML file; config/answers.toml has every key.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from drivers.base import parse_url
from drivers.registry import printer_end, till_end
from edgebox.appliance.crossed_wires import crossed
from edgebox.config import parse
from edgebox.errors import ConfigError, DriverError
from edgebox.settings import Config

_Printable = Annotated[str, Meta(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
_Interface = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,15}$")]
_Net = Annotated[str, Meta(pattern=r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$")]
_Number = Annotated[str, Meta(pattern=r"^(\d{1,3}(\.\d{1,3}){3})?$")]
LINE = "line1"


class Cloud(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[cloud]"""

    url: str
    tenant: _Name
    store: _Name
    box: _Name
    fleet_keys: tuple[str, ...] = ()
    claim: str = ""
    credentials: str = ""
    keys: str = ""


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[network]: the box has the printer's address on the till's side. `gateway`: the shop's router there, by which the
    box reaches its cloud. `printer_interface`, `box_address`: its port to the printer, if setup is to look after it."""

    interface: _Interface
    printer_address: _Net
    gateway: _Number = ""
    dns: _Number = ""
    printer_interface: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,15}$")] = ""
    box_address: Annotated[str, Meta(pattern=r"^(\d{1,3}(\.\d{1,3}){3}/\d{1,2})?$")] = ""


class Answers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them."""

    shop: _Printable = ""
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] = "CNY"
    language: Literal["zh", "en"] = "zh"
    dates: Literal["", "ymd", "dmy", "mdy"] = ""
    tz: Annotated[str, Meta(max_length=64)] = ""
    till: str
    printer: str
    profile: Annotated[str, Meta(pattern=r"^[a-z0-9-]+$")] = "generic-80"
    page: str = ""
    cloud: Cloud | None = None
    network: Network | None = None


OWN = "/var/lib/edgebox/credentials"  # of a box that looks after its certificate itself: the service writes there
GIVEN = "/etc/edgebox/credentials"
RENEW_DAYS = 30  # a month in which somebody may notice that the cloud gives none
# Digits behind the mark [ISO 4217]; the others have two.
DECIMALS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "IDR": 0, "KWD": 3, "BHD": 3, "TND": 3}
# How 11/09/26 is meant where people pay with it [CLDR dates, short format]; with the others it is day first.
YEAR_FIRST = frozenset({"CNY", "JPY", "KRW", "TWD", "MOP", "HUF", "CAD", "SEK", "ZAR", "MNT"})
MONTH_FIRST = frozenset({"USD", "PHP"})
COMMA = frozenset({"EUR", "BRL", "PLN", "CZK", "SEK", "NOK", "DKK", "TRY", "RUB", "UAH"})


_WORD = "a name of letters, digits, `_`, `.` and `-`, 64 at most"
_EXPECTED = {  # what a pattern above wants, in words
    "shop": "a name of 80 letters at most, on one line",
    "currency": "three capitals, as EUR",
    "language": "zh or en",
    "profile": "a file's name in config/printers without .toml, as generic-80",
    "cloud.tenant": _WORD,
    "cloud.store": _WORD,
    "cloud.box": _WORD,
    "network.interface": "an interface's name as `ip link` shows it, as eth1",
    "network.printer_address": "the address that the till prints to, and its net: 192.168.1.50/24",
    "network.gateway": "an address, as 192.168.1.1",
    "network.dns": "an address, as 192.168.1.1",
    "network.printer_interface": "an interface's name as `ip link` shows it, as eth0",
    "network.box_address": "the box's address on the printer's side, and its net: 192.168.200.1/24",
}


def read(path: Path) -> Answers:
    """A file of answers. ConfigError `bad_answers` names what is wrong."""
    try:
        return checked(msgspec.convert(tomllib.loads(path.read_text("utf-8")), Answers), str(path))
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", reason="bad_answers") from fault
    except UnicodeDecodeError as fault:
        raise ConfigError(f"{path}: not UTF-8", reason="bad_answers") from fault
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as fault:
        hint = (
            "config/answers.toml has every key, on a box /usr/share/edgebox/answers.toml"
            if "unknown field" in str(fault)
            else ""
        )
        raise ConfigError(f"{path}: {_plain(str(fault))}", reason="bad_answers", hint=hint) from fault


def checked(answers: Answers, source: str) -> Answers:
    """The same, if a box could run with them."""
    for end, url in ((till_end, answers.till), (printer_end, answers.printer)):
        try:
            end(url)
        except DriverError as fault:
            raise ConfigError(f"{source}: {fault.args[0]}", reason="bad_answers", hint=fault.hint) from fault
    for wrong in crossed(answers):
        raise ConfigError(f"{source}: {wrong.what}", reason="bad_answers", hint=wrong.hint)
    cloud = answers.cloud
    if cloud is not None and cloud.claim and cloud.credentials:
        raise ConfigError(f"{source}: [cloud] has claim and credentials: one of them", reason="bad_answers")
    if cloud is not None and cloud.claim and not cloud.url.startswith(("mqtts://", "wss://")):
        raise ConfigError(f"{source}: [cloud] claim: certificates want mqtts:// or wss://", reason="bad_answers")
    try:
        configuration(answers)
    except ConfigError as fault:  # a line of a file that nobody has seen yet says nothing
        words = re.sub(r"^answers(:\d+)?: ", f"{source}: ", str(fault.args[0]), flags=re.MULTILINE)
        raise ConfigError(words, reason="bad_answers", hint=fault.hint) from fault
    return answers


def _plain(fault: str) -> str:
    """msgspec's words for a person: which answer, and what it should be."""
    found = re.search(r" - at `\$\.([\w.]+)`$", fault)
    if found is None:
        return fault
    key = found[1]
    expected = _EXPECTED.get(key, "") if "regex" in fault or "enum" in fault or "length" in fault else ""
    return f"{key}: expected {expected}" if expected else f"{key}: {fault[: found.start()]}"


def dates_of(currency: str) -> str:
    """The order of a date's parts on the receipts of a shop that takes it: ymd, dmy or mdy."""
    return "ymd" if currency in YEAR_FIRST else "mdy" if currency in MONTH_FIRST else "dmy"


def text(answers: Answers) -> str:
    """edgebox.toml: what differs from the shipped one, which explains every setting."""
    comma = answers.currency in COMMA
    sections: dict[str, dict[str, object]] = {
        "shop": {
            "name": answers.shop,
            "currency": answers.currency,
            "decimals": DECIMALS.get(answers.currency, 2),
            "decimal_mark": "," if comma else ".",
            "group_marks": "." if comma else ",",
            "date_order": answers.dates or dates_of(answers.currency),
            **({"tz": answers.tz} if answers.tz else {}),
        },
        "slip": {"languages": [answers.language]},
        "claims": {"keys": "/etc/edgebox/keys.toml"},
        "engine": {"group": True},
    }
    if answers.page:
        sections["web"] = {"listen": answers.page, "language": answers.language}
    if parse_url(answers.till).scheme == "gadget":
        sections["gadget"] = {"printer": True}
    if answers.cloud is not None:
        cloud = answers.cloud
        sections["sync"] = {
            "url": cloud.url, "tenant": cloud.tenant, "store": cloud.store, "box": cloud.box,
            "credentials": OWN if cloud.claim else GIVEN, "fleet_keys": list(cloud.fleet_keys),
        }  # fmt: skip
        if cloud.claim:
            sections["sync"]["renew_days"] = RENEW_DAYS
    line = {"name": LINE, "till": answers.till, "printer": answers.printer, "profile": answers.profile}
    parts = [
        "# Written by `edgebox setup`. Every setting is explained in /usr/share/edgebox/edgebox.toml.",
        *(f"[{name}]\n{_keys(keys)}" for name, keys in sections.items()),
        f"[[line]]\n{_keys({**line, 'engine': '/run/edgebox/engine.sock'})}",
    ]
    return "\n\n".join(parts) + "\n"


def configuration(answers: Answers) -> Config:
    """As the box will read it. ConfigError when it could not."""
    return parse(text(answers), "answers", ())


def _keys(values: dict[str, object]) -> str:
    """TOML's basic strings, numbers, booleans and lists are JSON's, for what may stand in answers."""
    return "\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
