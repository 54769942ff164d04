"""Answers that are each well written and can't be true together: a printer that is the box itself, a port used twice.

Owns: what an installer can have mixed up, and the words for it. Never: opens anything; what only the machine knows is
`edgebox doctor`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, ip_address
from typing import TYPE_CHECKING, NamedTuple

from drivers.base import parse_url
from edgebox.config import FOLDER

if TYPE_CHECKING:
    from edgebox.appliance.answers import Answers, Network

CABLE_HINT = 'printer = "tcp://192.168.200.50:9100"'


class Crossed(NamedTuple):
    """What is wrong, and what to write instead."""

    what: str
    hint: str = ""


def crossed(answers: Answers) -> Iterator[Crossed]:
    """All of them, the gravest first."""
    yield from _profile(answers.profile)
    yield from _ends(answers.till, answers.printer)
    yield from _page(answers.till, answers.page)
    if answers.network is not None:
        yield from _network(answers.network, answers.printer)


def _profile(name: str) -> Iterator[Crossed]:
    """A line with a profile that isn't there does not start."""
    if name not in profiles():
        yield Crossed(f"there is no printer profile {name!r}", f"there are: {', '.join(profiles())}")


def profiles() -> list[str]:
    """Names of the printers that are known."""
    return sorted(path.stem for path in (FOLDER / "printers").glob("*.toml"))


def same_place(one: str, other: str) -> bool:
    """Two URLs of one cable, whatever is set behind it, or of one port."""
    return bool(one and other) and one.partition("?")[0] == other.partition("?")[0]


def _place(url: str) -> tuple[str, str]:
    """Host and port of a network end; "" for a cable."""
    parsed = parse_url(url)
    if parsed.scheme not in ("tcp", "lpr"):
        return "", ""
    host, _, port = parsed.host.rpartition(":")
    return host.strip("[]"), port


def _ends(till: str, printer: str) -> Iterator[Crossed]:
    (_, till_port), (there, printer_port) = _place(till), _place(printer)
    if same_place(till, printer):
        yield Crossed("till and printer are the same")
    elif there and till_port == printer_port and _is_here(there):
        yield Crossed(f"{there}:{printer_port} is the box itself, not the printer", "the printer's own address")
    elif there in ("0.0.0.0", "::"):
        yield Crossed(f"{there} is nobody's address", "the printer's own address: its self-test slip shows it")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _page(till: str, page: str) -> Iterator[Crossed]:
    port = page.rpartition(":")[2]
    if page and port == _place(till)[1]:
        yield Crossed(f"page and till want the same port {port}", "the till's is usually 9100, the page's 8443")


def _network(network: Network, printer: str) -> Iterator[Crossed]:
    host = _place(printer)[0]
    try:
        there, own = IPv4Address(host), IPv4Interface(network.printer_address)
    except ValueError as fault:
        if not host.replace(".", "").isdigit():
            yield Crossed(f"[network] is for a printer with a number, not {host or 'a cable'}", CABLE_HINT)
        else:
            yield Crossed(f"[network]: {fault}", 'printer_address = "192.168.1.50/24"')
        return
    if there == own.ip:
        yield Crossed(
            f"[network]: {there} is to be the box's from now on: the printer needs another address behind the box",
            "docs/network.md, step 2",
        )
    elif there in own.network:
        yield Crossed(
            f"[network]: the printer at {there} would be on the till's side ({own.network}), past the box",
            "give it an address of another net, as 192.168.200.50, on the box's own port",
        )
    else:
        yield from _ways(network, own, there)


def _ways(network: Network, own: IPv4Interface, printer: IPv4Address) -> Iterator[Crossed]:
    """To the shop's router, and to the printer."""
    try:
        if network.gateway and IPv4Address(network.gateway) not in own.network:
            yield Crossed(f"[network]: gateway {network.gateway} is not in {own.network}", "the shop's router")
        if bool(network.printer_interface) is not bool(network.box_address):
            yield Crossed("[network]: printer_interface and box_address belong together", "both, or none")
        elif network.box_address and printer not in IPv4Interface(network.box_address).network:
            yield Crossed(f"[network]: the printer at {printer} is not reached from {network.box_address}")
    except ValueError as fault:
        yield Crossed(f"[network]: {fault}")
    if network.printer_interface == network.interface:
        yield Crossed("[network]: till and printer are on one port", "two ports, or a VLAN as eth0.20")
