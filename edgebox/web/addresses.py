"""Who may ask, under which name, and where the box is: addresses of the shop's network.

Owns: which peers are of the shop, which `Host` is ours, and the box's own addresses. Never: resolves a name or sends
anything.

A browser that was tricked by a foreign page's domain (DNS rebinding) shows that domain as `Host`, never an address: so
any address is good as a name, and of names only the box's own.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from edgebox.errors import ConfigError

Address = IPv4Address | IPv6Address
# RFC 1918, RFC 4193, RFC 3927, RFC 4291, loopback. Not is_private: that also holds documentation and carrier networks.
PRIVATE = tuple(
    map(
        ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
            *("fc00::/7", "fe80::/10", "::1/128"),
        ),
    )
)
NAME = "edgebox"  # as which the box may be known to the shop's router
_is_zone = re.compile(r"[\w.-]*", re.ASCII).fullmatch  # RFC 4007, section 11: here the name of an interface
_SENT_NOWHERE = ("192.0.2.1", 9)  # RFC 5737: for documentation; connecting a datagram socket sends nothing


class Neighbours:
    """`allow`: networks besides private ones; `names`: of this box besides its own."""

    def __init__(self, allow: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        try:
            self._networks = (*PRIVATE, *map(ip_network, allow))
        except ValueError as fault:
            raise ConfigError(f"[web] allow: {fault}", reason="bad_network", hint="203.0.113.0/24") from fault
        host = socket.gethostname().lower()
        self._names = frozenset({"localhost", NAME, f"{NAME}.local", host, f"{host}.local", *names})

    @property
    def names(self) -> list[str]:
        """Names under which the box may be asked for."""
        return sorted(self._names)

    def is_near(self, peer: str) -> bool:
        """It is of the shop's network."""
        address = as_address(peer)
        return address is not None and any(
            address in network for network in self._networks if network.version == address.version
        )

    def is_ours(self, host: str) -> bool:
        """A `Host` header, with or without a port, means this box."""
        name = host_in(host)
        return name in self._names or as_address(name) is not None


def host_in(authority: str) -> str:
    """`[fe80::1]:8443` → `fe80::1`; `edgebox.local:8443` → `edgebox.local`; "": it is neither."""
    if authority.startswith("["):
        name, bracket, rest = authority[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        is_good = bool(bracket) and colon in ("", ":")
    elif authority.count(":") == 1:
        name, _, port = authority.partition(":")
        is_good = True
    else:
        name, port, is_good = authority, "", True
    return name.lower() if is_good and (not port or port.isdecimal()) else ""


def split(listen: str) -> tuple[str, int]:
    """`0.0.0.0:8443` → host and port; `[::]:8443` too."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def own_addresses(proc: Path = Path("/proc/net")) -> list[Address]:
    """This machine's addresses but loopback and link-local ones, IPv4 first; what the kernel lists."""
    found: list[Address] = sorted(_own_v4(proc / "fib_trie"))
    found += sorted(_own_v6(proc / "if_inet6"))
    return [one for one in found if not one.is_loopback and not one.is_link_local]


def best_address() -> str:
    """The address at which the shop's network most likely finds the box; loopback if there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SENT_NOWHERE)
            return str(probe.getsockname()[0])
        except OSError:  # no route: a network without a router
            return next(map(str, own_addresses()), "127.0.0.1")


def _own_v4(trie: Path) -> set[IPv4Address]:
    """The trie's leaves that are `host LOCAL` (linux/net/ipv4/fib_trie.c)."""
    found, leaf = set(), ""
    for line in _lines(trie):
        words = line.split()
        if words[:1] == ["|--"]:
            leaf = words[1]
        elif words[1:] == ["host", "LOCAL"]:
            found.add(IPv4Address(leaf))
    return found


def _own_v6(table: Path) -> set[IPv6Address]:
    return {IPv6Address(int(line.split()[0], 16)) for line in _lines(table) if line.split()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:  # a kernel without it, or a sandbox
        return []


def as_address(text: str) -> Address | None:
    """Of an IPv4 address in IPv6 clothes the address."""
    bare, percent, zone = text.partition("%")
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    if percent and (found.version == 4 or not _is_zone(zone)):
        return None
    if isinstance(found, IPv6Address) and found in IPv6Network("::ffff:0:0/96"):
        return found.ipv4_mapped
    return found
