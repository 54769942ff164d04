"""`hidraw:///dev/hidraw0`: a scanner in HID POS mode ("USB HID" in some manuals, not "USB HID keyboard").

Owns: the device and its report descriptor. Never: what a report means (hidraw_pos.py). Nothing else on the box listens
to such a device, so nothing is grabbed; whole codes come with their symbology, so no suffix is needed.
"""

from __future__ import annotations

import errno
import os
import struct
from fcntl import ioctl

from drivers.base import Port, Reason, Url, WholeCode, cannot_open
from drivers.hidraw_pos import Assembler
from drivers.node import NodePort, node_path

# linux/hidraw.h: _IOR('H', 1, int), _IOR('H', 2, struct hidraw_report_descriptor)
_GET_DESCRIPTOR_SIZE, _GET_DESCRIPTOR = 0x80044801, 0x90044802
_DESCRIPTOR_MAX = 4096
_REPORT_MAX = 16384  # HID_MAX_BUFFER_SIZE, linux/hid.h
_READS = 64  # reports at a time: the kernel keeps as many (HIDRAW_BUFFER_SIZE)


class HidPosPort(NodePort):
    """An open scanner. Asked by `read_codes`, not by `read`."""

    def __init__(self, fd: int, peer: str, assembler: Assembler) -> None:
        super().__init__(fd, peer)
        self._assembler = assembler

    def read_codes(self) -> list[WholeCode]:
        """Codes that are complete. OSError when it was unplugged."""
        codes: list[WholeCode] = []
        for _ in range(_READS):
            try:
                report = os.read(self._fd, _REPORT_MAX)
            except BlockingIOError:
                break
            if not report:
                raise OSError(errno.ENODEV, "the scanner was unplugged")
            codes += self._assembler.report(report)
        return codes

    def read(self, limit: int) -> bytes | None:
        """The data of whole codes, one behind the other."""
        return b"".join(code.data for code in self.read_codes()) or None

    def write(self, data: bytes | memoryview) -> int:
        """Nothing is said to it: its output reports are the maker's own."""
        return len(data)


class HidPosScanner:
    """A scanner in HID POS mode."""

    refused = 0

    def __init__(self, url: Url) -> None:
        node_path(url, "write hidraw:///dev/hidraw0")
        self.url = url.text
        self._url = url
        self._port: HidPosPort | None = None

    def open(self) -> None:
        """Nothing yet: an unplugged scanner is tried again by `accept`."""

    def fileno(self) -> int | None:
        return None

    def accept(self) -> Port | None:
        """The scanner, unless it is out already. DriverError: it can't be had."""
        if self._port is not None and self._port.fileno() >= 0:
            return None
        try:
            fd = os.open(self._url.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                assembler = Assembler(descriptor_of(fd))
                if not assembler.reads_codes:
                    hint = "set the scanner to HID POS by its manual; a keyboard wedge is evdev:"
                    raise self._url.fault(Reason.WRONG_DEVICE, "does not report bar codes", hint)
            except BaseException:
                os.close(fd)
                raise
        except OSError as fault:
            raise cannot_open(self._url, fault) from fault
        self._port = HidPosPort(fd, self._url.path, assembler)
        return self._port

    def close(self) -> None:
        if self._port is not None:
            self._port.close()


def descriptor_of(fd: int) -> bytes:
    """The report descriptor. OSError when the device is no hidraw."""
    size: int = struct.unpack("i", ioctl(fd, _GET_DESCRIPTOR_SIZE, bytes(4)))[0]
    asked = bytearray(struct.pack("I", size) + bytes(_DESCRIPTOR_MAX))
    ioctl(fd, _GET_DESCRIPTOR, asked)
    return bytes(asked[4 : 4 + size])
