"""What `edgebox setup` has to know, and the configuration that comes of it.

Owns: the five answers, their form in a file, and the text of edgebox.toml. Never: asks (setup.py) or installs
(installing.py). For mass provisioning the answers are a TOML file:

    shop = "Corner Café"
    currency = "EUR"
    language = "en"                 # of slips and page: zh or en
    till = "tcp://0.0.0.0:9100"
    printer = "usblp:///dev/edgebox/printer-pci-0000:00:14.0-usb-0:2:1.0"
    profile = "epson-tm-t88"        # optional
    page = "0.0.0.0:8443"           # optional; "" none
    [cloud]                         # optional
    url = "mqtts://broker.example.com"
    tenant = "acme"
    store = "0042"
    box = "b1"
    fleet_keys = ["owner-a:…"]
    claim = "/root/claim"           # folder with ca.crt, claim.crt, claim.key of the batch: with them the box asks for
                                    # a certificate of its own, and then forgets them. One file for all boxes.
    credentials = "/root/own"       # or: folder with this box's ca.crt, client.crt, client.key or password, copied
    keys = "/root/keys.toml"        # claim keys of this box; without, the fleet's `keys.add` sends them
    [network]                       # optional: the till's side of a network printer, see docs/network.md
    interface = "eth1"
    printer_address = "192.168.1.50/24"
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from drivers.base import parse_url
from drivers.registry import printer_end, till_end
from edgebox.config import parse
from edgebox.errors import ConfigError, DriverError
from edgebox.settings import Config

_Printable = Annotated[str, Meta(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
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
    """[network]: the box has the printer's address on the till's side."""

    interface: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,15}$")]
    printer_address: Annotated[str, Meta(pattern=r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$")]


class Answers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them."""

    shop: _Printable = ""
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] = "CNY"
    language: Literal["zh", "en"] = "zh"
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
COMMA = frozenset({"EUR", "BRL", "PLN", "CZK", "SEK", "NOK", "DKK", "TRY", "RUB", "UAH"})


def read(path: Path) -> Answers:
    """A file of answers. ConfigError `bad_answers` names what is wrong."""
    try:
        return checked(msgspec.convert(tomllib.loads(path.read_text("utf-8")), Answers), str(path))
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", reason="bad_answers") from fault
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as fault:
        raise ConfigError(f"{path}: {fault}", reason="bad_answers") from fault


def checked(answers: Answers, source: str) -> Answers:
    """The same, if a box could run with them."""
    for end, url in ((till_end, answers.till), (printer_end, answers.printer)):
        try:
            end(url)
        except DriverError as fault:
            raise ConfigError(f"{source}: {fault.args[0]}", reason="bad_answers", hint=fault.hint) from fault
    if answers.till == answers.printer:
        raise ConfigError(f"{source}: till and printer are the same", reason="bad_answers")
    cloud = answers.cloud
    if cloud is not None and cloud.claim and cloud.credentials:
        raise ConfigError(f"{source}: [cloud] has claim and credentials: one of them", reason="bad_answers")
    if cloud is not None and cloud.claim and not cloud.url.startswith(("mqtts://", "wss://")):
        raise ConfigError(f"{source}: [cloud] claim: certificates want mqtts:// or wss://", reason="bad_answers")
    configuration(answers)
    return answers


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
