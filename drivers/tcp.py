"""`tcp://host:port`: the raw printing port (9100) that most network printers and tills speak.

Owns: listening with an allow-list, dialling without waiting, and keeping the kernel's buffers so small that a till
sees a busy printer when it would without the box. Never: decides who may own the line, or when to dial again.

Till end: `tcp://0.0.0.0:9100`, `tcp://[::]:9100?allow=192.168.1.20,10.0.0.0/8`, `tcp://127.0.0.1:0` (`address` tells
the port), `tcp://fd:3` (a listening socket handed down by the one who started us, such as systemd).
An empty allow-list lets everybody in: the box must work before anyone has configured it. Name the till's address,
since whoever reaches the port can print, and what they print can earn points.
Printer end: `tcp://192.168.1.50:9100`. A number is dialled at once; a name has to be looked up first, which stands
the line still for as long as the resolver takes, and again when none of its addresses answers: prefer numbers.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Sequence
from fcntl import ioctl
from typing import NamedTuple

from drivers.address import host_and_port, network, number, spelled
from drivers.base import Port, Reason, Url, cannot_open
from edgebox.errors import DriverError

# How much the kernel takes for a printer that reads nothing, besides what the printer's own window lets out. Measured
# on loopback (Linux 6.18, 4 KiB writes, a receiver with 8 KB): no limit 3.5 MB; SO_SNDBUF 8192 29 KB; this 16 KB, at
# 1.2 GB/s against 1.0 without it.
NOT_SENT_BYTES = 4096
# The till side's receive buffer; the kernel doubles it and advertises about half. At 8192 a till gets rid of 16 KB
# before it sees a busy printer (a TM-T88III itself has 4 KB, and its interface card some), at the default of 170 KB.
# Through a relay on loopback, p50 / p99 at 1, 64 and 4096 bytes are 7 / 12 us with and without both limits; in bulk
# it carries 640 MB/s (16384: 1.6 GB/s, no limits: 4.6 GB/s). A printer takes less than 1 MB/s.
RECEIVE_BYTES = 8192
# Tills that wait for their turn on one printer: a handful of a shop's. More get no answer to SYN and try again, as
# with a printer. Small also because each waiting till may already have sent RECEIVE_BYTES.
BACKLOG = 8
# (idle s, interval s, probes). A printer that lost power is noticed in 10 + 3 x 5 = 25 s; a till's laptop that left,
# in 90 s, so that it frees the line before the next customer has finished packing.
PRINTER_KEEPALIVE = (10, 5, 3)
TILL_KEEPALIVE = (60, 10, 3)
# Not set on purpose: TCP_USER_TIMEOUT. Linux counts a closed window against it even while the printer answers every
# probe (net/ipv4/tcp_timer.c, tcp_probe_timer), so that a minute without paper would end the connection.

_SIOCOUTQ = 0x5411  # include/uapi/linux/sockios.h, = TIOCOUTQ: not yet acknowledged by the other side
# accept(2): errors of the network that concern one client, and mean "nobody" here.
_CLIENT_LEFT = frozenset(
    {
        *(errno.ECONNABORTED, errno.ENETDOWN, errno.EPROTO, errno.ENOPROTOOPT, errno.EHOSTDOWN),
        *(errno.ENONET, errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH),
    }
)


class TcpPort:
    """One connection."""

    __slots__ = ("_recv", "_send", "_socket", "paced", "peer")

    def __init__(self, connection: socket.socket, peer: str) -> None:
        self.peer = peer
        self.paced = False
        self._socket = connection
        self._recv = connection.recv
        self._send = connection.send

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, limit: int) -> bytes | None:
        try:
            return self._recv(limit)
        except BlockingIOError:
            return None

    def write(self, data: bytes | memoryview) -> int:
        try:
            return self._send(data)
        except BlockingIOError:
            return 0

    def finish_writing(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as fault:
            if fault.errno != errno.ENOTCONN:  # already reset: the next read says so
                raise

    def close(self) -> None:
        self._socket.close()

    def abort(self) -> None:
        if self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.close()

    def set_busy(self, busy: bool) -> None:
        """TCP says it by its window: whoever is busy doesn't read."""

    def ready(self) -> bool:
        return True

    def unsent(self) -> int:
        return queued(self._socket.fileno())

    def failure(self) -> int:
        """errno of a connect that failed, else 0; asking takes it away."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def stands(self) -> bool:
        """Whether the connection has been made."""
        try:
            self._socket.getpeername()
        except OSError as fault:
            if fault.errno == errno.ENOTCONN:
                return False
            raise
        return True


def queued(fd: int) -> int:
    """Bytes in a socket's output queue."""
    if fd < 0:
        return 0
    size: int = struct.unpack("i", ioctl(fd, _SIOCOUTQ, bytes(4)))[0]
    return size


class TcpTill:
    """Listens for tills."""

    def __init__(self, url: Url, allow: Sequence[str] = ()) -> None:
        url.takes("allow")
        self.url = url.text
        self.refused = 0
        self.address: tuple[str, int] = ("", 0)  # where it really listens, once open
        self._url = url
        self._host, self._port = host_and_port(url, passed_fd_ok=True)
        named = url.option("allow")
        names = [*(named.split(",") if named else ()), *allow]  # an empty name is a fault: it must not let everybody in
        self._allow = [network(url, name.strip()) for name in names]
        self._listener: socket.socket | None = None

    def open(self) -> None:
        try:
            listener = self._passed() if self._host == "fd" else self._bound()
        except OSError as fault:
            raise cannot_open(self._url, fault) from fault
        listener.setblocking(False)
        host, port = listener.getsockname()[:2]
        self.address = (host, port)
        self._listener = listener

    def _bound(self) -> socket.socket:
        family, place = _look_up(self._url, self._host, self._port, socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # [::] takes IPv4 tills as well
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Before listen: connections inherit it, and the window's scale is agreed in the handshake.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            listener.bind(place)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        return listener

    def _passed(self) -> socket.socket:
        os.set_inheritable(self._port, False)
        listener = socket.socket(fileno=self._port)
        if listener.family not in (socket.AF_INET, socket.AF_INET6) or not listener.getsockopt(
            socket.SOL_SOCKET, socket.SO_ACCEPTCONN
        ):
            listener.detach()  # not ours to close
            hint = "ListenStream= in the socket unit, and Accept=no"
            raise self._url.fault(Reason.WRONG_DEVICE, f"descriptor {self._port} is no listening TCP socket", hint)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        return listener

    def fileno(self) -> int | None:
        return self._listener.fileno() if self._listener else -1

    def accept(self) -> Port | None:
        if self._listener is None:
            return None
        try:
            connection, place = self._listener.accept()
        except BlockingIOError:
            return None
        except OSError as fault:
            if fault.errno in _CLIENT_LEFT:
                return None
            raise
        port = TcpPort(connection, spelled(place))
        if self._allow and not any(number(place[0]) in allowed for allowed in self._allow):
            self.refused += 1
            port.abort()
            return None
        connection.setblocking(False)
        _tune(connection, TILL_KEEPALIVE)
        return port

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


class TcpPrinter:
    """Dials a printer."""

    bytes_per_s = 0

    def __init__(self, url: Url) -> None:
        url.takes()
        self.url = url.text
        self._url = url
        self._host, self._port = host_and_port(url)
        if self._port == 0:
            raise url.fault(Reason.BAD_PORT, "port 0 can't be dialled", "printers listen on 9100")
        self._places: list[Place] = []  # a name's addresses, the one to dial first
        self._failed = 0  # of them, those that have failed since they were looked up or one answered

    def connect(self) -> TcpPort:
        family, place = self._place()
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            _tune(connection, PRINTER_KEEPALIVE)
            failed = connection.connect_ex(place)
            if failed not in (0, errno.EINPROGRESS):
                raise OSError(failed, os.strerror(failed))
        except OSError as fault:
            connection.close()
            self._turn_away()
            raise cannot_open(self._url, fault) from fault
        return TcpPort(connection, spelled(place))

    def _place(self) -> Place:
        """The address that answered last; after a failure a name's next one; after all of them, the name anew.

        A resolver that fails then leaves us the last ones it knew.
        """
        if self._failed >= len(self._places):
            try:
                self._places = _look_up(self._url, self._host, self._port)
            except DriverError:
                if not self._places:
                    raise
            self._failed = 0
        return self._places[0]

    def _turn_away(self) -> None:
        self._places.append(self._places.pop(0))
        self._failed += 1

    def connected(self, port: Port) -> bool:
        if not isinstance(port, TcpPort):
            raise TypeError(f"{port!r} was not made by connect()")
        failed = port.failure()
        if failed:
            self._turn_away()
            raise OSError(failed, os.strerror(failed))
        stands = port.stands()
        if stands:
            self._failed = 0
        return stands


class Place(NamedTuple):
    """A socket address and its family."""

    family: int
    address: tuple[str | int | bytes, ...]


def _look_up(url: Url, host: str, port: int, flags: int = 0) -> list[Place]:
    """The host's addresses; blocks when it is a name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError) as fault:
        hint = "check the name, or write the address as a number"
        raise url.fault(Reason.NOT_FOUND, f"no address for {host}: {fault}", hint) from fault
    return [Place(family, tuple(place)) for family, _, _, _, place in found]


def _tune(connection: socket.socket, keepalive: tuple[int, int, int]) -> None:
    idle_s, interval_s, probes = keepalive
    tcp = socket.IPPROTO_TCP
    connection.setsockopt(tcp, socket.TCP_NODELAY, 1)
    connection.setsockopt(tcp, socket.TCP_NOTSENT_LOWAT, NOT_SENT_BYTES)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(tcp, socket.TCP_KEEPIDLE, idle_s)
    connection.setsockopt(tcp, socket.TCP_KEEPINTVL, interval_s)
    connection.setsockopt(tcp, socket.TCP_KEEPCNT, probes)
