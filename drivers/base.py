"""What an end of the wire is, and how its URL is read.

Owns: the Protocols that the line's loop works against, the URL's parts, and the words for what can be wrong with a
URL or a device. Never: opens anything. Read by hand instead of urllib.parse, which costs a line 2 MB of its 16 (with
`re` and `ipaddress`), resolves nothing better here, and lets unknown keys and missing ports pass.

Every fault is a DriverError with a `reason` out of `Reason` and a hint that says what to type or check instead.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from edgebox.errors import DriverError


class Reason(StrEnum):
    """Why an end can't be used. The first block is the URL's fault, the second the machine's."""

    NOT_A_URL = "not_a_url"
    UNKNOWN_SCHEME = "unknown_scheme"
    MISSING_HOST = "missing_host"
    MISSING_PORT = "missing_port"
    BAD_HOST = "bad_host"
    BAD_PORT = "bad_port"
    MISSING_PATH = "missing_path"
    BAD_PATH = "bad_path"
    UNKNOWN_OPTION = "unknown_option"
    REPEATED_OPTION = "repeated_option"
    MISSING_OPTION = "missing_option"
    BAD_OPTION = "bad_option"

    NOT_FOUND = "not_found"
    NOT_ALLOWED = "not_allowed"
    BUSY = "busy"
    WRONG_DEVICE = "wrong_device"
    NO_LIBRARY = "no_library"
    CANNOT_OPEN = "cannot_open"


class Port(Protocol):
    """An open, non-blocking end of the wire. Whoever polls it unregisters it before `close` or `abort`.

    Every method but those two raises OSError once the other side is gone for good (reset, unplugged).
    """

    @property
    def peer(self) -> str:
        """Who is there, for logs: "127.0.0.1:53122", "/dev/ttyUSB0"."""
        ...

    @property
    def paced(self) -> bool:
        """True: while data waits, `ready` has to be asked again and again, every 2 ms or so.

        Modem lines wake no epoll. A paced port takes 16 bytes at a time: asked every 2 ms, that is 8000 bytes/s.
        """
        ...

    def fileno(self) -> int:
        """What to poll. Readable and writable as far as epoll can know; see `paced`."""
        ...

    def read(self, limit: int) -> bytes | None:
        """At most `limit` bytes; None: nothing now; b"": the other side has finished sending."""
        ...

    def write(self, data: bytes | memoryview) -> int:
        """How many bytes were taken; 0 when it would block, or when `ready` would say False."""
        ...

    def finish_writing(self) -> None:
        """Say "that was all" where the wire can (TCP); else nothing."""
        ...

    def close(self) -> None:
        """Let go; what the kernel has taken is still delivered. Again: nothing."""
        ...

    def abort(self) -> None:
        """Let go so that the other side sees a broken wire (TCP: reset) where it can; else `close`."""
        ...

    def set_busy(self, busy: bool) -> None:
        """Tell the till to wait, as a busy printer would, where the wire has a sign for it; else nothing."""
        ...

    def ready(self) -> bool:
        """False while the other side's modem lines, or our own pacing, say wait."""
        ...

    def unsent(self) -> int:
        """Bytes taken that have not left the kernel (TCP: not acknowledged); 0 where nobody knows."""
        ...


class WholeCode(NamedTuple):
    """A code from a scanner that says where each ends. `symbology`: its AIM identifier (`]Q1`), or nothing."""

    data: bytes
    symbology: str

    def __repr__(self) -> str:
        """Without the code: it may be a payment's, and a traceback is a log."""
        return f"WholeCode({len(self.data)} bytes, {self.symbology!r})"


@runtime_checkable
class CodePort(Protocol):
    """A port of a scanner that says where each code ends."""

    def read_codes(self) -> list[WholeCode]:
        """Codes that have come. OSError once the scanner is gone."""
        ...


@runtime_checkable
class StatusPort(Protocol):
    """A till's port that is asked for the printer's state beside the data, and answers by itself (USB)."""

    def show(self, *, offline: bool, paper_end: bool, fault: bool) -> None:
        """What it answers from now on; the same again costs nothing. OSError once the till is gone."""
        ...

    def mirror(self, status: int) -> None:
        """The same, in the bits of a printer's own port (drivers.port_status.PortStatus)."""
        ...

    def check(self) -> None:
        """OSError once the till is gone; for whoever doesn't read meanwhile."""
        ...


@runtime_checkable
class TellingPort(Protocol):
    """A printer's port that says how the printer is, beside the data (USB)."""

    def watch_status(self) -> None:
        """From now on it is asked, by a thread of the port's own."""
        ...

    def port_status(self) -> int | None:
        """As heard last, in the bits of drivers.port_status.PortStatus; None: it doesn't tell."""
        ...


class TillEnd(Protocol):
    """Where the till plugs in."""

    @property
    def url(self) -> str:
        """As configured."""
        ...

    @property
    def refused(self) -> int:
        """Clients turned away because they are not on the allow-list."""
        ...

    def open(self) -> None:
        """Listen, or open the device; DriverError when that fails."""
        ...

    def fileno(self) -> int | None:
        """The listening descriptor; None for a device, which is simply there: ask `accept`."""
        ...

    def accept(self) -> Port | None:
        """TCP: the next client; None: nobody waits, or the one that did was refused and reset.

        A device: its port, once, and again after that was closed. OSError or DriverError when it has gone.
        """
        ...

    def close(self) -> None:
        """Stop listening. Ports that were accepted live on, except those of a `pty:`."""
        ...


class PrinterEnd(Protocol):
    """Where the printer plugs in."""

    @property
    def url(self) -> str:
        """As configured."""
        ...

    @property
    def bytes_per_s(self) -> int:
        """The wire's speed; 0: not the limit."""
        ...

    def connect(self) -> Port:
        """Start. A TCP connect is still in progress then: see `connected`. DriverError when nothing is there."""
        ...

    def connected(self, port: Port) -> bool:
        """Asked when the port is writable: True it stands, False not yet; OSError: it failed."""
        ...


class Url(NamedTuple):
    """`scheme:[//host][path][?key=value&…]`, percent signs resolved. `host` may hold a port."""

    text: str
    scheme: str
    host: str
    path: str
    options: tuple[tuple[str, str], ...]

    def fault(self, reason: Reason, message: str, hint: str) -> DriverError:
        """What to raise: names the URL."""
        return DriverError(f"{self.text}: {message}", reason=reason, hint=hint)

    def takes(self, *known: str) -> None:
        """Refuse options that this kind of end doesn't have: a typing error must not be a silent default."""
        for key, _ in self.options:
            if key not in known:
                hint = f"it takes {', '.join(known)}" if known else f"{self.scheme}: takes no options"
                raise self.fault(Reason.UNKNOWN_OPTION, f"unknown option {key!r}", hint)

    def option(self, key: str) -> str:
        """The option's value, empty when it is not there."""
        return dict(self.options).get(key, "")

    def choice(self, key: str, values: Sequence[str], default: str | None = None) -> str:
        """The option's value out of `values`; without a default it must be there."""
        value = self.option(key) or default
        hint = f"{key} is one of {', '.join(values)}"
        if value is None:
            raise self.fault(Reason.MISSING_OPTION, f"{key} is missing", hint)
        if value not in values:
            raise self.fault(Reason.BAD_OPTION, f"{key}={value} means nothing", hint)
        return value


def parse_url(text: str) -> Url:
    """The URL's parts; DriverError when it is none."""
    scheme, colon, rest = text.partition(":")
    if not colon or not scheme.isascii() or not scheme.isalnum():
        hint = "write one like tcp://192.168.1.50:9100 or serial:///dev/ttyUSB0?baud=38400&flow=dsrdtr"
        raise DriverError(f"{text!r} is not a URL", reason=Reason.NOT_A_URL, hint=hint)
    rest, _, query = rest.partition("?")
    host, path = "", rest
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        path = slash + path
    bare = Url(text, scheme.lower(), host, _plain(path), ())
    if "\0" in bare.path:
        raise bare.fault(Reason.BAD_PATH, "a path can't hold a NUL", "remove %00")
    return bare._replace(options=_options(bare, query))


def _options(url: Url, query: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        if key in found:
            raise url.fault(Reason.REPEATED_OPTION, f"{key} is given twice", "keep one")
        if not value:
            raise url.fault(Reason.BAD_OPTION, f"{key} has no value", f"write {key}=…")
        found[key] = _plain(value)
    return tuple(found.items())


def _plain(text: str) -> str:
    """`%20` and the like resolved; a percent sign without two hex digits behind it stands for itself."""
    head, *parts = text.encode("utf-8", "surrogateescape").split(b"%")
    return (head + b"".join(map(_escaped, parts))).decode("utf-8", "surrogateescape")


def _escaped(part: bytes) -> bytes:
    """What a percent sign and the bytes behind it stand for."""
    digits = part[:2]
    if len(digits) == 2 and all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        return bytes.fromhex(digits.decode("ascii")) + part[2:]
    return b"%" + part


_REASONS = {
    errno.ENOENT: Reason.NOT_FOUND,
    errno.ENXIO: Reason.NOT_FOUND,  # a node without its device; a FIFO nobody reads
    errno.ENODEV: Reason.NOT_FOUND,
    errno.EADDRNOTAVAIL: Reason.NOT_FOUND,  # no such address on this machine
    errno.EACCES: Reason.NOT_ALLOWED,
    errno.EPERM: Reason.NOT_ALLOWED,
    errno.EROFS: Reason.NOT_ALLOWED,
    errno.EBUSY: Reason.BUSY,
    errno.EAGAIN: Reason.BUSY,  # somebody else holds the lock
    errno.EADDRINUSE: Reason.BUSY,
    errno.ENOTTY: Reason.WRONG_DEVICE,
    errno.EISDIR: Reason.WRONG_DEVICE,
}
_HINTS = {
    Reason.NOT_FOUND: "check that it is plugged in and named right",
    Reason.NOT_ALLOWED: "check its owner and mode, and the groups of the user that the line runs as",
    Reason.BUSY: "another program uses it: stop that one, or give this line another",
    Reason.WRONG_DEVICE: "this is no device of that kind",
}


def cannot_open(url: Url, fault: OSError) -> DriverError:
    """What to raise when the kernel refuses to open an end."""
    reason = _REASONS.get(fault.errno or 0, Reason.CANNOT_OPEN)
    return url.fault(reason, fault.strerror or str(fault), _HINTS.get(reason, ""))
