"""`gadget:///dev/g_printer0`: the till's USB cable into the box, which poses as a USB printer.

Owns: the node of the kernel's printer gadget (drivers/usb/gadget/function/f_printer.c, Linux 6.1), and the port's
status that a Windows driver asks of it. Never: makes the gadget (edgebox/gadget.py does, once, at boot).

- The node exists once; a second open is EBUSY. Without a till on the other end of the cable it says ENODEV, to an open
  node as well: then it is closed at once (kernel 6.1 damages a list if the gadget is bound anew under an open node),
  and tried again every second.
- The till is made to wait by not reading: the controller answers NAK. What the gadget has taken by then is `q_len`
  buffers of 8 KB, so that is set to the least there is when the gadget is made.
- What the till is told of paper and cover on the control pipe is what was last shown by `show`. A till's driver that
  asks in the middle of a receipt gets an answer at once, as from a printer.
- Replies are given up, not kept, when the till doesn't read them: a till that never asks would fill the queue.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select

from drivers.base import Port, Url, cannot_open
from drivers.node import NodePort, node_path
from drivers.port_status import PortStatus

READ_BYTES = 8192  # a buffer of the gadget's; a smaller read leaves the rest for the next
GADGET_GET_PRINTER_STATUS = 2 << 30 | 1 << 16 | ord("g") << 8 | 0x21  # include/uapi/linux/usb/g_printer.h
GADGET_SET_PRINTER_STATUS = 3 << 30 | 1 << 16 | ord("g") << 8 | 0x22
_NO_HOST = (errno.ENODEV, errno.ESHUTDOWN)


class GadgetPort(NodePort):
    """The open node, with a till at the other end."""

    def __init__(self, fd: int, peer: str) -> None:
        super().__init__(fd, peer)
        self._shown = -1
        self._asked = select.poll()
        self._asked.register(fd, select.POLLIN)

    def read(self, limit: int) -> bytes | None:
        try:
            data = os.read(self._fd, min(limit, READ_BYTES))
        except BlockingIOError:
            return None
        return data or None  # an empty packet ends a transfer, not the till's work

    def write(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    def show(self, *, offline: bool, paper_end: bool, fault: bool) -> None:
        """What the till's driver gets to hear from now on. OSError once the till is gone."""
        status = PortStatus(0) if offline else PortStatus.SELECTED
        if paper_end:
            status |= PortStatus.PAPER_EMPTY
        elif not fault:
            status |= PortStatus.NOT_ERROR
        self.mirror(int(status))

    def mirror(self, status: int) -> None:
        """The same, as a printer's own port has said it."""
        if status != self._shown:
            # The bits themselves, not where they lie: "_IOWR" says otherwise, printer_ioctl does so (measured, 6.1).
            fcntl.ioctl(self._fd, GADGET_SET_PRINTER_STATUS, status)
            self._shown = status

    def check(self) -> None:
        """OSError once the till is gone.

        Epoll alone may miss it: printer_reset_interface (6.1) first ends the transfers, which wakes us, and then marks
        the interface as gone, which doesn't; with full buffers there is no transfer to end. A till that is back within
        that second is not seen gone at all, and nothing would be taken from it: only asking (printer_poll) gives the
        controller buffers to fill.
        """
        fcntl.ioctl(self._fd, GADGET_GET_PRINTER_STATUS)
        self._asked.poll(0)


class GadgetTill:
    """The till's end of a USB cable."""

    refused = 0

    def __init__(self, url: Url) -> None:
        node_path(url, "write gadget:///dev/g_printer0")
        self.url = url.text
        self._url = url
        self._port: GadgetPort | None = None
        self._waiting: GadgetPort | None = None

    def open(self) -> None:
        """A till that isn't plugged in is no fault: it is waited for. DriverError: there is no such gadget."""
        if not os.path.exists(self._url.path):
            raise cannot_open(self._url, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
        try:
            self._open()
        except OSError as fault:
            if fault.errno not in _NO_HOST:
                raise cannot_open(self._url, fault) from fault

    def _open(self) -> None:
        fd = os.open(self._url.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        self._waiting = self._port = GadgetPort(fd, self._url.path)

    def fileno(self) -> int | None:
        return None

    def accept(self) -> Port | None:
        """OSError or DriverError while the till's end of the cable is out."""
        if self._port is None or self._port.fileno() < 0:
            try:
                self._open()
            except OSError as fault:
                raise cannot_open(self._url, fault) from fault
        port, self._waiting = self._waiting, None
        return port

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.close()
        self._waiting = self._port = None
