"""Internet addresses as URLs and allow-lists spell them.

Owns: `host:port` and its faults, and a network as the range of its addresses' numbers. Never: looks up a name.
Hand-made in place of the `ipaddress` module, which costs a line 1.2 MB of its 16; the kernel's own inet_pton judges
what an address is.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from drivers.base import Reason, Url

_FIRST_PASSED_FD = 3  # sd_listen_fds(3)
_V4_IN_V6 = 0xFFFF << 32  # ::ffff:a.b.c.d, RFC 4291 2.5.5.2: how an IPv4 till looks to a [::] listener


def spelled(place: Sequence[object]) -> str:
    """A socket address for logs: `127.0.0.1:9100`, `[fe80::1]:9100`."""
    host, port = place[0], place[1]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def host_and_port(url: Url, passed_fd_ok: bool = False) -> tuple[str, int]:
    """The two halves of `host:port`; DriverError when one is missing or wrong."""
    form = "write tcp://HOST:PORT, printers listen on 9100"
    if url.path not in ("", "/"):
        raise url.fault(Reason.BAD_PATH, f"{url.path!r} is too much", form)
    host, colon, digits = url.host.rpartition(":")
    if not colon or url.host.endswith("]"):
        host, digits = url.host, ""
    if not host:
        raise url.fault(Reason.MISSING_HOST, "the host is missing", f"{form}; 0.0.0.0 is every address of this box")
    if not digits:
        raise url.fault(Reason.MISSING_PORT, "the port is missing", form)
    if not digits.isascii() or not digits.isdigit() or int(digits) > 65535:
        raise url.fault(Reason.BAD_PORT, f"{digits!r} is no port", "a number from 0 to 65535")
    if host == "fd" and passed_fd_ok and int(digits) < _FIRST_PASSED_FD:
        raise url.fault(Reason.BAD_PORT, f"descriptor {digits} is not a passed one", "the first is tcp://fd:3")
    return _bare_host(url, host), int(digits)


def _bare_host(url: Url, host: str) -> str:
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if bracketed and _bits(bare) != 128:
        raise url.fault(Reason.BAD_HOST, f"{host} is no IPv6 address", "write it like tcp://[fe80::1]:9100")
    if not bracketed and (":" in bare or "[" in bare or "]" in bare):
        raise url.fault(Reason.BAD_HOST, f"{bare!r} is no host", "an IPv6 address needs brackets: tcp://[fe80::1]:9100")
    if bare.strip(" \t@,") != bare or " " in bare or "@" in bare:
        raise url.fault(Reason.BAD_HOST, f"{bare!r} is no host", "a name or a number, nothing else")
    if bare.replace(".", "").isdigit() and _bits(bare) != 32:
        raise url.fault(Reason.BAD_HOST, f"{bare} is no IPv4 address", "four numbers from 0 to 255")
    return bare


def network(url: Url, text: str) -> range:
    """`10.0.0.7`, `10.0.0.0/8`, `fe80::/10` as the range of its addresses' numbers; DriverError when it is none."""
    address, slash, prefix = text.partition("/")
    bits = _bits(address)
    hint = "allow holds addresses and networks with commas between: 192.168.1.20,10.0.0.0/8"
    if not bits or (slash and not (prefix.isascii() and prefix.isdigit() and int(prefix) <= bits)):
        raise url.fault(Reason.BAD_OPTION, f"allow: {text!r} is no address or network", hint)
    size = 1 << (bits - int(prefix)) if slash else 1
    first = number(address)
    if first % size:
        hint = "write the first address of the network"
        raise url.fault(Reason.BAD_OPTION, f"allow: {text} has bits behind its prefix", hint)
    return range(first, first + size)


def _bits(address: str) -> int:
    """32 or 128; 0 when it is no address."""
    for family, bits in ((socket.AF_INET, 32), (socket.AF_INET6, 128)):
        try:
            socket.inet_pton(family, address.partition("%")[0])
        except (OSError, ValueError):
            continue
        return bits
    return 0


def number(address: str) -> int:
    """A valid address as a number; IPv4 as the IPv6 one that stands for it. The zone behind % is not part of it."""
    bare = address.partition("%")[0]
    if ":" in bare:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, bare))
    return _V4_IN_V6 + int.from_bytes(socket.inet_pton(socket.AF_INET, bare))
