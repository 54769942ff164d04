"""A line in this process, between a till and a printer that are pulled and put back: for the playbooks.

Owns: the running loop, and each kind of cable with its two ends. USB's kernel nodes need a shim around a process of
their own: tests/line/test_usb_cables.py.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
import tty
from pathlib import Path
from typing import Protocol, Self

from drivers.registry import printer_end, till_end
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.guard import GuardedCore
from edgebox.line.relay import Relay
from edgebox.line.settings import LineSettings
from hw_sim.usb_bus import UsbBus, UsbPrinter
from tests.line.box import free_port


class RunningLine:
    """The relay's own loop, in a thread. `log`: what it says."""

    def __init__(self, till: str, printer: str, engine: Path, **settings: object) -> None:
        self.log: list[str] = []
        told = LineSettings(**settings)  # type: ignore[arg-type]
        self.core = GuardedCore(PrinterProfile(), told, os.urandom(8), 1)
        self.core.on_fault = self.log.append
        self._reader, self._writer = os.pipe()
        self.relay = Relay(self.core, till_end(till), printer_end(printer), str(engine), self.log.append)
        self.relay.wake_on(self._reader, self._woken)
        self._thread = threading.Thread(target=self.relay.run)

    def _woken(self, events: int) -> None:
        os.read(self._reader, 1)
        self.relay.stop(0.2)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._writer, b"x")
        self._thread.join(5.0)
        assert not self._thread.is_alive(), self.log
        os.close(self._writer)
        os.close(self._reader)
        assert not [text for text in self.log if "a bug" in text], self.log


class PrinterRig(Protocol):
    """A printer on its cable. `paper`: all it ever got."""

    url: str
    paper: bytearray

    def take(self, until: int) -> None:
        """Prints on, up to so many bytes of paper; it takes no more then."""

    def unplug(self) -> None: ...

    def plug(self) -> None: ...

    def close(self) -> None: ...


def _reset(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


class TcpRig:
    """A network printer, `tcp:`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"tcp://127.0.0.1:{self.port}"
        self.paper = bytearray()
        self._link: socket.socket | None = None
        self.plug()

    def take(self, until: int) -> None:
        if self._link is None:
            try:
                self._link, _ = self._listener.accept()
            except BlockingIOError:
                return
            self._link.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while len(self.paper) < until:
                data = self._link.recv(min(4096, until - len(self.paper)))
                if not data:
                    self._link.close()
                    self._link = None
                    return
                self.paper += data

    def unplug(self) -> None:
        self._listener.close()
        if self._link is not None:
            _reset(self._link)
            self._link = None

    def plug(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a printer's
        self._listener.setblocking(False)

    def close(self) -> None:
        self.unplug()


class SerialRig:
    """A printer on a serial adapter, `serial:`: the adapter is pulled, and comes back as another tty behind a link."""

    def __init__(self, folder: Path) -> None:
        self._link = folder / "printer"
        self.url = f"serial://{self._link}?baud=115200&flow=none"
        self.paper = bytearray()
        self.plug()

    def take(self, until: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(self.paper) < until:
                self.paper += os.read(self._master, min(4096, until - len(self.paper)))

    def unplug(self) -> None:
        self._link.unlink()
        os.close(self._master)
        os.close(self._slave)

    def plug(self) -> None:
        self._master, self._slave = os.openpty()
        os.set_blocking(self._master, False)
        tty.setraw(self._slave)
        self._link.symlink_to(os.ttyname(self._slave))

    def close(self) -> None:
        if self._link.is_symlink():
            self.unplug()


class UsbRig:
    """A printer by libusb, `usb:`."""

    def __init__(self, folder: Path) -> None:
        self.url = "usb://04b8:0202"
        self._printer = UsbPrinter()
        self._bus = UsbBus(self._printer)
        self._bus.__enter__()
        self.paper = self._printer.printed

    def take(self, until: int) -> None:
        self._printer.set_room(max(until - len(self.paper), 0))

    def unplug(self) -> None:
        self._printer.unplug()

    def plug(self) -> None:
        self._printer.plug()

    def close(self) -> None:
        self._printer.unplug()
        self._bus.__exit__(None, None, None)


class TillRig(Protocol):
    """A till on its cable."""

    url: str

    def send(self, data: bytes) -> None:
        """Prints. OSError: the cable is out."""

    def is_reset(self) -> bool:
        """It sees that its printer broke off."""

    def unplug(self) -> None: ...

    def plug(self) -> None: ...

    def close(self) -> None: ...


class TcpTill:
    """A till on the network, `tcp:`."""

    scheme = "tcp"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self.link: socket.socket | None = None

    def send(self, data: bytes) -> None:
        if self.link is None:
            self.plug()
        assert self.link is not None
        self.link.sendall(data)

    def is_reset(self) -> bool:
        if self.link is None:
            return True
        try:
            return self.link.recv(1, socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def unplug(self) -> None:
        if self.link is not None:
            _reset(self.link)
            self.link = None

    def plug(self) -> None:
        self.link = socket.create_connection(("127.0.0.1", self.port), 2.0)
        self.link.settimeout(None)

    def close(self) -> None:
        self.unplug()


class LprTill(TcpTill):
    """A till that prints by LPR, `lpr:`: each plug is a job of unknown length, which ends with the connection."""

    scheme = "lpr"

    def plug(self) -> None:
        super().plug()
        assert self.link is not None
        for line in (b"\x02lp\n", b"\x030 dfA001till\n"):
            self.link.sendall(line)
            if self.link.recv(1) != b"\0":
                raise OSError(errno.EPROTO, "not acknowledged")


class SerialTill(SerialRig):
    """A till on a serial adapter, `serial:`."""

    def is_reset(self) -> bool:
        return False

    def send(self, data: bytes) -> None:
        assert os.write(self._master, data) == len(data)
