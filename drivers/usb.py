"""`usb://04b8:0202` and `usb://04b8:0202/J5FG123456`: a USB printer without the kernel's driver, by pyusb.

Owns: finding the printer, claiming its interface, and two threads that carry its bytes. Never: resets it or sets its
configuration anew (a printer would lose what it has in its buffer), or touches an interface that is no printer's.

For printers that usblp does not take (some need `quirks`), and kernels that have no usblp; where it has one,
`usblp:` is the plainer way, and needs neither threads nor 8 MB of libraries.

libusb's transfers block, and the line must not. So a thread each way, and a socket between them and the line: the line
polls and writes that, the kernel keeps little in it, and what is on its way is counted: `unsent` is exact.
Timeouts are no losses: libusb says how much of a transfer went out, and the rest is sent again.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from drivers.base import Port, Reason, Url, cannot_open
from drivers.port_status import ALL, EVERY_S, SILENT_MAX, PortStatus
from drivers.usblp import DEVICE_ID_BYTES, id_text

if TYPE_CHECKING:
    import usb.core

PRINTER_CLASS = 7  # bInterfaceClass [USB Printer Class 1.1, 4.1]
BIDIRECTIONAL = 2  # bInterfaceProtocol; 1: one way, 3: IEEE 1284.4 packets, which no receipt printer speaks
GET_DEVICE_ID, GET_PORT_STATUS = 0, 1  # bRequest [USB Printer Class 1.1, 4.2]
_CLASS_IN = 0xA1  # class request to an interface, answer expected
CHUNK_BYTES = 512  # of one transfer: what is on its way in front of a drawer kick is that and a short queue
QUEUE_BYTES = 2048  # SO_SNDBUF, which the kernel doubles and counts its own overhead in: 3 chunks or so
TURN_MS = 500  # a transfer's patience: how long `close` waits at most
STALL_TURNS = 2  # turns without a byte taken, after which the port's status is asked
CONTROL_MS = 300


class _Ends(NamedTuple):
    """A printer's interface: numbers, and addresses of its bulk endpoints; `into` 0: it can't speak."""

    number: int
    setting: int
    out: int
    into: int


class UsbPort:
    """A claimed printer."""

    paced = False

    def __init__(self, device: usb.core.Device, ends: _Ends, peer: str) -> None:
        self.peer = peer
        self._device = device
        self._ends = ends
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, QUEUE_BYTES)
        self._taken = 0  # bytes from the line, counted by the line
        self._done = 0  # bytes that the printer has, counted by the sender
        self._stalled = 0  # turns in which the printer took nothing
        self._status: PortStatus | None = None
        self._fault: OSError | None = None
        self._closing = False
        self._is_watched = False
        self._over = threading.Event()
        self._alive = 1 + bool(ends.into)
        self._last = threading.Lock()
        threading.Thread(target=self._run, args=(self._send,), name="usb-out", daemon=True).start()
        if ends.into:
            threading.Thread(target=self._run, args=(self._listen,), name="usb-in", daemon=True).start()

    def fileno(self) -> int:
        return self._near.fileno()

    def read(self, limit: int) -> bytes | None:
        try:
            data = self._near.recv(limit)
        except BlockingIOError:
            return None
        if not data:
            raise self._fault or OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return data

    def write(self, data: bytes | memoryview) -> int:
        try:
            taken = self._near.send(data[:CHUNK_BYTES])
        except BlockingIOError:
            return 0
        except BrokenPipeError as gone:
            raise self._fault or gone from gone
        self._taken += taken
        return taken

    def finish_writing(self) -> None:
        """A cable has no end of data."""

    def close(self) -> None:
        """What the printer has not taken is dropped: ask `unsent` first. The threads let go of it within TURN_MS."""
        self._closing = True
        self._over.set()
        self._near.close()

    def abort(self) -> None:
        self.close()

    def set_busy(self, busy: bool) -> None:
        """Nothing: only a till is told to wait."""

    def ready(self) -> bool:
        return True

    def unsent(self) -> int:
        return 0 if self._near.fileno() < 0 else self._taken - self._done

    def watch_status(self) -> None:
        """From now on the port is asked, in a thread."""
        with self._last:
            if self._is_watched or self._closing or not self._alive:
                return
            self._is_watched = True
            self._alive += 1
        threading.Thread(target=self._run, args=(self._watch,), name="usb-status", daemon=True).start()

    def port_status(self) -> PortStatus | None:
        """What the printer's USB port said last; it is asked while the printer takes nothing, and when watched."""
        return self._status

    # -- the threads

    def _run(self, work: Any) -> None:
        import usb.core

        try:
            work()
        except usb.core.USBError as fault:
            self._fault = self._fault or OSError(fault.errno or errno.EIO, str(fault.strerror or fault))
        except OSError:
            self._closing = True  # the line has let go
        finally:
            self._closing = True
            self._over.set()
            self._far.shutdown(socket.SHUT_RDWR)
            with self._last:
                self._alive -= 1
                is_last = not self._alive
            if is_last:
                self._far.close()
                _let_go(self._device, self._ends)

    def _send(self) -> None:
        import usb.core

        while not self._closing:
            data = self._far.recv(CHUNK_BYTES)
            if not data:
                return
            while data and not self._closing:
                try:
                    sent = self._device.write(self._ends.out, data, TURN_MS)
                except usb.core.USBTimeoutError:
                    sent = 0
                self._stalled = 0 if sent else self._stalled + 1
                if self._stalled >= STALL_TURNS:
                    self._status = port_status(self._device, self._ends.number)
                elif sent and not self._is_watched:
                    self._status = None
                self._done += sent
                data = data[sent:]

    def _watch(self) -> None:
        silent = 0
        while not self._over.is_set():  # ends with the others: the device is let go by the last
            if silent < SILENT_MAX:
                self._status = port_status(self._device, self._ends.number)
                silent = 0 if self._status is not None else silent + 1
            self._over.wait(EVERY_S)

    def _listen(self) -> None:
        import usb.core

        while not self._closing:
            try:
                data = bytes(self._device.read(self._ends.into, CHUNK_BYTES, TURN_MS))
            except usb.core.USBTimeoutError:
                continue
            if data:
                self._far.sendall(data)


def port_status(device: usb.core.Device, interface: int) -> PortStatus | None:
    """GET_PORT_STATUS; None: the printer doesn't answer it."""
    import usb.core

    try:
        answer = device.ctrl_transfer(_CLASS_IN, GET_PORT_STATUS, 0, interface, 1, CONTROL_MS)
    except usb.core.USBError:
        return None
    return PortStatus(answer[0] & ALL) if len(answer) else None


def device_id(device: usb.core.Device, ends: _Ends) -> str:
    """GET_DEVICE_ID as `drivers.usblp.UsbLpPort.device_id`."""
    import usb.core

    index = ends.number << 8 | ends.setting
    try:
        answer = device.ctrl_transfer(_CLASS_IN, GET_DEVICE_ID, 0, index, DEVICE_ID_BYTES, CONTROL_MS)
    except usb.core.USBError:
        return ""
    return id_text(bytes(answer))


def printer_interface(device: usb.core.Device) -> _Ends | None:
    """The interface to print through; None: this is no printer. One that speaks goes before one that doesn't."""
    found = []
    for interface in device.get_active_configuration():
        if interface.bInterfaceClass != PRINTER_CLASS:
            continue
        bulk = [one.bEndpointAddress for one in interface if one.bmAttributes & 3 == 2]
        out = next((address for address in bulk if not address & 0x80), 0)
        into = next((address for address in bulk if address & 0x80), 0)
        if out:
            ends = _Ends(interface.bInterfaceNumber, interface.bAlternateSetting, out, into)
            found.append((interface.bInterfaceProtocol != BIDIRECTIONAL, ends))
    return min(found)[1] if found else None


def claim(device: usb.core.Device, ends: _Ends) -> None:
    """Takes the interface, from the kernel's driver too. USBError."""
    import usb.util

    if device.is_kernel_driver_active(ends.number):
        device.detach_kernel_driver(ends.number)
    usb.util.claim_interface(device, ends.number)
    if ends.setting:
        device.set_interface_altsetting(ends.number, ends.setting)


def _let_go(device: usb.core.Device, ends: _Ends) -> None:
    """Also of a printer that has been unplugged. The kernel's driver is not put back: the next line wants it too."""
    import usb.core
    import usb.util

    try:
        usb.util.release_interface(device, ends.number)
    except usb.core.USBError:
        return
    finally:
        usb.util.dispose_resources(device)


class UsbPrinter:
    """A printer on USB, by libusb."""

    bytes_per_s = 0

    def __init__(self, url: Url) -> None:
        url.takes()
        self.url = url.text
        self._url = url
        vendor, colon, product = url.host.partition(":")
        if not colon or not _is_id(vendor) or not _is_id(product):
            hint = "write usb://04b8:0202 as `edgebox devices` shows it; /serial behind it where there are two alike"
            raise url.fault(Reason.BAD_HOST, f"{url.host!r} is no vendor:product", hint)
        self._ids = int(vendor, 16), int(product, 16)
        self._serial = url.path.removeprefix("/")

    def connect(self) -> Port:
        """DriverError `not_found`, `busy`, `not_allowed`, `no_library`."""
        try:
            import usb.core
        except ImportError as fault:
            raise self._url.fault(Reason.NO_LIBRARY, "pyusb is not installed", "run make setup") from fault
        try:
            device = self._found()
            ends = printer_interface(device)
            if ends is None:
                raise self._url.fault(Reason.WRONG_DEVICE, "this is no printer", "`edgebox devices` lists printers")
            claim(device, ends)
        except usb.core.NoBackendError as fault:
            hint = "sudo apt-get install libusb-1.0-0"
            raise self._url.fault(Reason.NO_LIBRARY, "libusb is not installed", hint) from fault
        except usb.core.USBError as fault:
            raise cannot_open(self._url, OSError(fault.errno or 0, str(fault.strerror or fault))) from fault
        return UsbPort(device, ends, self._url.text)

    def _found(self) -> usb.core.Device:
        import usb.core

        vendor, product = self._ids
        alike = list(usb.core.find(find_all=True, idVendor=vendor, idProduct=product))
        fitting = alike
        if self._serial:
            serials = [_serial_of(one) for one in alike]
            fitting = [one for one, serial in zip(alike, serials, strict=True) if serial == self._serial]
            if not fitting and None in serials:
                raise cannot_open(self._url, PermissionError(errno.EACCES, "its serial number can't be read"))
        if not fitting:
            raise cannot_open(self._url, FileNotFoundError(errno.ENOENT, "no such printer is plugged in"))
        if len(fitting) > 1:
            hint = "add its serial number, or use usblp: with udev's link, which goes by the socket"
            raise self._url.fault(Reason.BUSY, f"{len(fitting)} such printers are plugged in", hint)
        return fitting[0]

    def connected(self, port: Port) -> bool:
        return port.fileno() >= 0


def _serial_of(device: usb.core.Device) -> str | None:
    """Its serial number, "" if it has none; None: it would not say, as while it is unplugged, or without the rights."""
    import usb.core

    try:
        return device.serial_number or ""
    except (usb.core.USBError, ValueError):  # ValueError is pyusb's for every fault on the way to the languages
        return None


def _is_id(text: str) -> bool:
    return len(text) == 4 and all(digit in "0123456789abcdefABCDEF" for digit in text)
