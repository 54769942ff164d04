"""Where the broker is: `[sync] url` taken apart, and whether that way may be taken.

Owns: schemes, default ports, the rule that only this machine may be spoken to in clear. Never: opens a socket.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from edgebox.errors import SyncError

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}  # as IANA has them
PATH = "/mqtt"  # what the large brokers serve MQTT over WebSocket at, where the URL names no path


class Address(NamedTuple):
    """A broker. `path` matters for WebSockets only."""

    host: str
    port: int
    tls: bool
    websocket: bool
    path: str


def parse(url: str) -> Address:
    """SyncError (`url`, `plain`) when that can't be used. A password in it is not repeated.

    Without TLS only to this machine, with no setting to change that: who listens in a shop's network would read every
    receipt, and commands' signatures protect the box but not the password.
    """
    if "@" in url:
        raise SyncError(
            "a broker's URL holds no user or password", reason="url", hint="[sync] user, and a file `password`"
        )
    try:
        parts = urlsplit(url)
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
    except (KeyError, ValueError) as fault:
        raise SyncError(f"{url!r} is no broker's URL", reason="url", hint="mqtts://host:8883") from fault
    if not port or parts.query or parts.fragment:
        raise SyncError(f"{url!r} is no broker's URL", reason="url", hint="mqtts://host:8883")
    host = parts.hostname or ""
    if not host:
        raise SyncError(f"{url!r} names no host", reason="url", hint="mqtts://host:8883")
    tls = parts.scheme in ("mqtts", "wss")
    if not tls and not _is_here(host):
        raise SyncError(f"{url!r} would send receipts in clear", reason="plain", hint="mqtts:// or wss://")
    return Address(host, port, tls, parts.scheme in ("ws", "wss"), parts.path or PATH)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
