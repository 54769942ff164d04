"""`usblp:///dev/usb/lp0`: a USB printer through the kernel's own driver, at the printer's end.

Owns: opening the node, and what its driver (drivers/usb/class/usblp.c, Linux 6.1) does differently from a cable.
Never: claims an interface (drivers/usb.py does, where the kernel has no usblp).

- A write that doesn't block is taken whole up to 8192 bytes and is then *one* transfer: until the printer has it, the
  node isn't writable, and a printer without paper simply doesn't take it. So no more than WRITE_BYTES go at once: what
  is on its way when the paper ends, or in front of a drawer kick, is that much.
- Closing drops what is on its way. `unsent` says how much that may be; the line waits for it.
- A printer that can't speak (bInterfaceProtocol 1) refuses reads with EINVAL: it is deaf, not gone.
- The port's status is three bits that the printer's USB stack knows without being asked on the wire: it answers with
  the paper out and in the middle of a transfer, when no DLE EOT would.
- When it is plugged in again it may become lp1: name it by udev's link (systemd/60-edgebox.rules), which follows the
  socket that the cable is in.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import struct

from drivers.base import Port, Url, cannot_open
from drivers.node import NodePort, node_path
from drivers.port_status import ALL, PortStatus, StatusWatch

WRITE_BYTES = 512  # a bulk packet of high speed; 1 ms a piece leaves 500 KB/s, far above any head
DEVICE_ID_BYTES = 1024  # asked for; IEEE 1284 ids are below 300
LPGETSTATUS = 0x060B  # include/uapi/linux/lp.h
LPIOC_GET_DEVICE_ID = 2 << 30 | DEVICE_ID_BYTES << 16 | ord("P") << 8 | 1  # _IOC(_IOC_READ, 'P', 1, length)


class UsbLpPort(NodePort):
    """An open `/dev/usb/lpN`."""

    def __init__(self, fd: int, peer: str) -> None:
        super().__init__(fd, peer)
        self._sent = 0  # of the transfer that may be on its way
        self._is_deaf = False
        self._watch: StatusWatch | None = None
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def read(self, limit: int) -> bytes | None:
        if self._is_deaf:
            return None
        try:
            return os.read(self._fd, limit) or None  # an empty packet is no end
        except BlockingIOError:
            return None
        except OSError as fault:
            if fault.errno != errno.EINVAL:
                raise
            self._is_deaf = True
            return None

    def write(self, data: bytes | memoryview) -> int:
        try:
            self._sent = os.write(self._fd, data[:WRITE_BYTES])
        except BlockingIOError:
            return 0
        return self._sent

    def unsent(self) -> int:
        """What the last write gave, until the printer has it."""
        if self._fd < 0 or not self._sent:
            return 0
        if any(events & select.POLLOUT for _, events in self._poll.poll(0)):
            self._sent = 0
        return self._sent

    def watch_status(self) -> None:
        """From now on the port is asked, in a thread."""
        if self._watch is None and self._fd >= 0:
            fd = self._fd
            self._watch = StatusWatch(lambda: ask_status(fd))

    def port_status(self) -> PortStatus | None:
        """As heard last; None: nobody watches, or it doesn't tell."""
        return self._watch.last if self._watch is not None else None

    def close(self) -> None:
        """A question that is out is waited for by its thread, and the node is free again behind it."""
        if self._watch is None or self._fd < 0:
            super().close()
            return
        fd, self._fd = self._fd, -1
        self._watch.end(lambda: os.close(fd))

    def device_id(self) -> str:
        """IEEE 1284: "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;"; "" when it has none."""
        answer = bytearray(DEVICE_ID_BYTES)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._fd, LPIOC_GET_DEVICE_ID, answer)
        return id_text(bytes(answer))


def ask_status(fd: int) -> PortStatus | None:
    """What the printer's USB port says, now; None: it doesn't. Takes a millisecond of the control pipe, 5 s at most."""
    word = bytearray(4)
    try:
        fcntl.ioctl(fd, LPGETSTATUS, word)
    except OSError:
        return None
    return PortStatus(struct.unpack("i", word)[0] & ALL)


def id_text(answer: bytes) -> str:
    """The text of GET_DEVICE_ID's answer, whose first two bytes are its length with themselves, big end first."""
    size = int.from_bytes(answer[:2], "big")
    return answer[2:size].split(b"\0")[0].decode("ascii", "replace").strip() if size > 2 else ""


class UsbLpPrinter:
    """A printer on USB, by the kernel's driver."""

    bytes_per_s = 0

    def __init__(self, url: Url) -> None:
        node_path(url, "write usblp:///dev/usb/lp0, or better the link that udev makes")
        self.url = url.text
        self._url = url

    def connect(self) -> Port:
        """DriverError `busy`: another program has it open; there is room for one."""
        try:
            fd = os.open(self._url.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as fault:
            raise cannot_open(self._url, fault) from fault
        return UsbLpPort(fd, self._url.path)

    def connected(self, port: Port) -> bool:
        return port.fileno() >= 0
