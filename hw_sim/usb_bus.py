"""USB printers without USB: a bus in memory below pyusb, whose own code above it is the real one.

Owns: descriptors, claims, transfers and control requests as libusb would answer them, and what a shop does to a cable.
Never: imported by production code. `with UsbBus(printer) as bus:` is the bus that `usb.core.find` sees.

Modelled after libusb 1.0 (errors and their numbers) and USB Printer Class 1.1 (requests). A printer without paper
takes no transfer: it times out. One that takes part of a transfer before its buffer is full is the usual case.
"""

from __future__ import annotations

import errno
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace, TracebackType
from typing import Any, NamedTuple
from unittest import mock

import usb.backend
import usb.backend.libusb1
import usb.core

OUT, INTO = 0x01, 0x82  # endpoints
_LANGUAGES = b"\x04\x03\x09\x04"


class UsbPrinter:
    """One printer. `room`: bytes that it still takes, None: any number. `answer`: what it says to what it got."""

    def __init__(self, vendor: int = 0x04B8, product: int = 0x0202, serial: str = "J1", *, protocol: int = 2) -> None:
        self.vendor, self.product, self.serial, self.protocol = vendor, product, serial, protocol
        self.id_text = b"MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;"
        self.is_plugged = True
        self.plugs = 0
        self.has_kernel_driver = True
        self.says_who_it_is = True  # false: no string can be read, as while it is unplugged, or without the rights
        self.claimed: set[int] = set()
        self.configured = 0  # how often somebody set the configuration: a reset for some printers
        self.printed = bytearray()
        self.room: int | None = None
        self.status = 0x18
        self.replies: deque[bytes] = deque()
        self.answer: Callable[[bytes], bytes] = lambda data: b""
        self.changed = threading.Condition()

    def take(self, data: bytes) -> int:
        """How much of a transfer it takes at once."""
        with self.changed:
            taken = data if self.room is None else data[: self.room]
            self.printed += taken
            if self.room is not None:
                self.room -= len(taken)
            said = self.answer(bytes(taken)) if taken else b""
            if said:
                self.replies.append(said)
            self.changed.notify_all()
            return len(taken)

    def set_room(self, room: int | None) -> None:
        """Paper: it takes so many bytes more."""
        with self.changed:
            self.room = room
            self.changed.notify_all()

    def unplug(self) -> None:
        """The cable is out: every transfer under way ends."""
        with self.changed:
            self.is_plugged = False
            self.claimed.clear()
            self.changed.notify_all()

    def plug(self) -> None:
        """Back in: the kernel's driver takes it first."""
        with self.changed:
            self.is_plugged = self.has_kernel_driver = True
            self.plugs += 1
            self.changed.notify_all()


class Handle(NamedTuple):
    """An open device. `plugs`: how often it had been plugged in again by then."""

    printer: UsbPrinter
    plugs: int


class UsbBus(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """The backend, in place of libusb's for as long as the `with` lasts."""

    def __init__(self, *printers: UsbPrinter) -> None:
        super().__init__()
        self.printers = printers
        self._patch = mock.patch.object(usb.backend.libusb1, "get_backend", return_value=self)

    def __enter__(self) -> UsbBus:
        self._patch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patch.stop()

    # -- descriptors

    def enumerate_devices(self) -> Iterator[UsbPrinter]:
        return iter([printer for printer in self.printers if printer.is_plugged])

    def get_device_descriptor(self, dev: UsbPrinter) -> Any:
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x200, bDeviceClass=0, bDeviceSubClass=0, bDeviceProtocol=0,
            bMaxPacketSize0=64, idVendor=dev.vendor, idProduct=dev.product, bcdDevice=0x100, iManufacturer=1,
            iProduct=2, iSerialNumber=3, bNumConfigurations=1, address=1 + self.printers.index(dev), bus=1,
            port_number=1, port_numbers=(1,), speed=3,
        )  # fmt: skip

    def get_configuration_descriptor(self, dev: UsbPrinter, config: int) -> Any:
        if config:
            raise IndexError(config)
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=32, bNumInterfaces=1, bConfigurationValue=1, iConfiguration=0,
            bmAttributes=0xC0, bMaxPower=1, extra_descriptors=[], extralen=0,
        )  # fmt: skip

    def get_interface_descriptor(self, dev: UsbPrinter, intf: int, alt: int, config: int) -> Any:
        if intf or alt or config:
            raise IndexError(intf)
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=0, bAlternateSetting=0, bNumEndpoints=2 - self._mute(dev),
            bInterfaceClass=7, bInterfaceSubClass=1, bInterfaceProtocol=dev.protocol, iInterface=0,
            extra_descriptors=[], extralen=0,
        )  # fmt: skip

    def get_endpoint_descriptor(self, dev: UsbPrinter, ep: int, intf: int, alt: int, config: int) -> Any:
        if ep > 1 - self._mute(dev):
            raise IndexError(ep)
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=(OUT, INTO)[ep], bmAttributes=2, wMaxPacketSize=512,
            bInterval=0, bRefresh=0, bSynchAddress=0, extra_descriptors=[], extralen=0,
        )  # fmt: skip

    def _mute(self, dev: UsbPrinter) -> int:
        return int(dev.protocol == 1)

    # -- claims

    def open_device(self, dev: UsbPrinter) -> Handle:
        handle = Handle(dev, dev.plugs)
        _present(handle)
        return handle

    def close_device(self, dev_handle: Handle) -> None:
        """Nothing is kept."""

    def set_configuration(self, dev_handle: Handle, config_value: int) -> None:
        dev_handle.printer.configured += 1

    def get_configuration(self, dev_handle: Handle) -> int:
        _present(dev_handle)
        return 1

    def set_interface_altsetting(self, dev_handle: Handle, intf: int, altsetting: int) -> None:
        _present(dev_handle)

    def claim_interface(self, dev_handle: Handle, intf: int) -> None:
        _present(dev_handle)
        if dev_handle.printer.has_kernel_driver or intf in dev_handle.printer.claimed:
            raise usb.core.USBError("Resource busy", -6, errno.EBUSY)
        dev_handle.printer.claimed.add(intf)

    def release_interface(self, dev_handle: Handle, intf: int) -> None:
        _present(dev_handle)
        dev_handle.printer.claimed.discard(intf)

    def is_kernel_driver_active(self, dev_handle: Handle, intf: int) -> bool:
        return dev_handle.printer.has_kernel_driver

    def detach_kernel_driver(self, dev_handle: Handle, intf: int) -> None:
        dev_handle.printer.has_kernel_driver = False

    # -- transfers

    def ctrl_transfer(self, dev_handle: Handle, *request: Any) -> int:
        """`request`: bmRequestType, bRequest, wValue, wIndex, data, timeout."""
        _present(dev_handle)
        kind, number, value, _, data, _ = request
        if (kind, number) == (0xA1, 0):
            return _answer(data, (len(dev_handle.printer.id_text) + 2).to_bytes(2, "big") + dev_handle.printer.id_text)
        if (kind, number) == (0xA1, 1):
            return _answer(data, bytes([dev_handle.printer.status]))
        if (kind, number) == (0x80, 6) and value >> 8 == 3:
            if not dev_handle.printer.says_who_it_is:
                raise usb.core.USBError("Access denied (insufficient permissions)", -3, errno.EACCES)
            return _answer(data, _string(value & 0xFF, dev_handle.printer))
        raise usb.core.USBError("Pipe error", -9, errno.EPIPE)

    def bulk_write(self, dev_handle: Handle, ep: int, intf: int, data: Any, timeout: int) -> int:
        until, raw, sent = time.monotonic() + timeout / 1000, data.tobytes(), 0
        while True:
            _present(dev_handle)
            sent += dev_handle.printer.take(raw[sent:])
            if sent == len(raw):
                return sent
            with dev_handle.printer.changed:
                if (
                    not dev_handle.printer.room
                    and dev_handle.printer.is_plugged
                    and not dev_handle.printer.changed.wait(until - time.monotonic())
                ):
                    if sent:
                        return sent  # "do not assume LIBUSB_ERROR_TIMEOUT means no I/O" [pyusb, libusb1.py]
                    raise usb.core.USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)

    def bulk_read(self, dev_handle: Handle, ep: int, intf: int, buff: Any, timeout: int) -> int:
        with dev_handle.printer.changed:
            dev_handle.printer.changed.wait_for(
                lambda: dev_handle.printer.replies or not dev_handle.printer.is_plugged, timeout / 1000
            )
            _present(dev_handle)
            if not dev_handle.printer.replies:
                raise usb.core.USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
            return _answer(buff, dev_handle.printer.replies.popleft())


def _present(handle: Handle) -> None:
    """One that was opened before the cable was out is of no use any more, also when it is back in."""
    if not handle.printer.is_plugged or handle.plugs != handle.printer.plugs:
        raise usb.core.USBError("No such device (it may have been disconnected)", -4, errno.ENODEV)


def _answer(buffer: Any, said: bytes) -> int:
    said = said[: len(buffer)]
    buffer[: len(said)] = array("B", said)
    return len(said)


def _string(index: int, printer: UsbPrinter) -> bytes:
    if not index:
        return _LANGUAGES
    text = ("EPSON", "TM-T88V", printer.serial)[index - 1].encode("utf-16-le")
    return bytes([len(text) + 2, 3]) + text
