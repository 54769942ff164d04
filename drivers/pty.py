"""`pty:` and `pty:/path/link`: a pseudo terminal, for whatever wants to open a serial port.

Owns: the pair, its raw mode, and a symbolic link to the side that others open. Never: modem lines; a pty has none
(hw_sim.ttysim adds them). `slave` says which path the till or printer opens.

The pair lives as long as the end, so that the path stays the same over `close` and the next `accept` or `connect`, as
a socket in the box's back does. We keep the other side open too: it may come and go without an error here. So nobody
is ever "gone", and there is no end of data.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import termios
import tty
from fcntl import ioctl

from drivers.base import Port, Reason, Url, cannot_open


class PtyPort:
    """Our side of the pair. `close` leaves it with the end."""

    def __init__(self, master: int, slave: int, peer: str) -> None:
        self.peer = peer
        self.paced = False
        self._master = master
        self._slave = slave

    def fileno(self) -> int:
        return self._master

    def read(self, limit: int) -> bytes | None:
        try:
            return os.read(self._master, limit)
        except BlockingIOError:
            return None

    def write(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def finish_writing(self) -> None:
        """A cable has no end of data."""

    def close(self) -> None:
        self._master = self._slave = -1

    def abort(self) -> None:
        self.close()

    def set_busy(self, busy: bool) -> None:
        """Nothing: no lines. The other side is held up when we stop reading and some 18 KB are full."""

    def ready(self) -> bool:
        return True

    def unsent(self) -> int:
        """What waits for the other side to read it; the kernel takes a moment to move it there."""
        if self._slave < 0:
            return 0
        size: int = struct.unpack("i", ioctl(self._slave, termios.FIONREAD, bytes(4)))[0]
        return size


class _Pair:
    """The pair and its link."""

    def __init__(self, url: Url) -> None:
        url.takes()
        if url.host:
            raise url.fault(Reason.BAD_PATH, f"{url.host!r} is taken for a host", "write pty: or pty:/path/link")
        self.url = url.text
        self._url = url
        self._fds: tuple[int, int] | None = None
        self._port: PtyPort | None = None

    @property
    def slave(self) -> str:
        """Path for the other side to open; makes the pair when there is none yet."""
        return os.ttyname(self._opened()[1])

    def open(self) -> None:
        """Make the pair and the link; again: nothing."""
        self._opened()

    def _opened(self) -> tuple[int, int]:
        if self._fds is None:
            try:
                self._fds = os.openpty()
                os.set_blocking(self._fds[0], False)
                tty.setraw(self._fds[1], termios.TCSANOW)
                self._link(os.ttyname(self._fds[1]))
            except OSError as fault:
                self.close()
                raise cannot_open(self._url, fault) from fault
        return self._fds

    def _link(self, target: str) -> None:
        link = self._url.path
        if not link:
            return
        if os.path.lexists(link) and not stat.S_ISLNK(os.lstat(link).st_mode):
            raise OSError(errno.EEXIST, f"{link} exists and is no link: it is left alone")
        new = f"{link}.{os.getpid()}"
        os.symlink(target, new)
        os.replace(new, link)  # at no moment without a link: whoever opens it may just be trying

    def port(self) -> PtyPort | None:
        """The port, unless it is out already."""
        if self._port is not None and self._port.fileno() >= 0:
            return None
        master, slave = self._opened()
        self._port = PtyPort(master, slave, self.slave)
        return self._port

    def close(self) -> None:
        """Take the pair away: the other side sees it unplugged."""
        if self._port is not None:
            self._port.close()
        if self._fds is None:
            return
        link, target = self._url.path, os.ttyname(self._fds[1])
        if link and os.path.islink(link) and os.readlink(link) == target:
            os.unlink(link)
        for fd in self._fds:
            os.close(fd)
        self._fds = None


class PtyTill(_Pair):
    """A pty that a till opens."""

    refused = 0

    def fileno(self) -> int | None:
        return None

    def accept(self) -> Port | None:
        return self.port()


class PtyPrinter(_Pair):
    """A pty that a printer opens."""

    bytes_per_s = 0

    def connect(self) -> Port:
        port = self.port()
        if port is None:
            raise self._url.fault(Reason.BUSY, "is connected already", "close its port first")
        return port

    def connected(self, port: Port) -> bool:
        return port.fileno() >= 0
