"""The guest's USB printer: hw_sim's, behind the kernel's printer gadget and a cable that dummy_hcd is.

`usb_printer.py serve`: makes it, plugs it in, and prints. `usb_printer.py ask WORD…`: asks the one that serves:

    told        what it has printed, as JSON: tickets, received (bytes), faults, opened (how often a host began with it)
    received    all bytes that came, in hex
    out, in     paper taken out, put in
    unplug, plug, off, on   the cable; the power, which loses what is not printed
    slow, fast  150 mm a second as a TM-T88III, or at once
    swap        another printer of the same kind: its serial number is another one
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

from hw_sim.printer import Printer, Settings
from hw_sim.served import Served

SOCKET = "/run/sim-usb-printer.sock"
GADGET = Path("/sys/kernel/config/usb_gadget/bench-printer")
CONTROLLER = "dummy_udc.1"  # the other one is the box's own port
SET_STATUS = 3 << 30 | 1 << 16 | ord("g") << 8 | 0x22  # GADGET_SET_PRINTER_STATUS, linux/usb/g_printer.h
NOT_ERROR, SELECTED, PAPER_EMPTY = 0x08, 0x10, 0x20  # USB Printer Class 1.1, 4.2.2
# The kernel keeps the last two letters back (f_printer.c, Linux 6.1): so two blanks stand behind what a TM-T88V says.
DEVICE_ID = "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;  "
ABOUT = {
    "idVendor": "0x04b8", "idProduct": "0x0202", "bcdDevice": "0x0100",
    "strings/0x409/manufacturer": "EPSON", "strings/0x409/product": "TM-T88V",
    "strings/0x409/serialnumber": "J5FG000001",
    "functions/printer.0/pnp_string": DEVICE_ID, "functions/printer.0/q_len": "2",
}  # fmt: skip


def make() -> None:
    """The gadget, not plugged in."""
    if not GADGET.exists():
        for folder in ("strings/0x409", "configs/c.1", "functions/printer.0"):
            (GADGET / folder).mkdir(parents=True)
        for path, text in ABOUT.items():
            (GADGET / path).write_text(text)
        (GADGET / "configs/c.1/printer.0").symlink_to(GADGET / "functions/printer.0")


def nodes() -> set[str]:
    """All printer gadgets' nodes: each is there while its gadget has a controller."""
    return {str(path) for path in Path("/dev").glob("g_printer*")}


class Node:
    """The gadget's node, open: what comes off the cable and goes onto it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.gone = False

    def fileno(self) -> int:
        return self._fd

    def read(self, size: int) -> bytes:
        try:
            data = os.read(self._fd, size)
        except OSError as fault:
            self.gone = fault.errno != errno.EAGAIN
            raise BlockingIOError from fault
        if not data:
            raise BlockingIOError
        return data

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._fd, data)
        except OSError as fault:
            self.gone = fault.errno != errno.EAGAIN
            raise BlockingIOError from fault

    def status(self, bits: int) -> None:
        fcntl.ioctl(self._fd, SET_STATUS, bits)

    def close(self) -> None:
        os.close(self._fd)


class UsbPrinter(Served):
    """The printer on that cable."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self._node: Node | None = None
        self._path = ""
        self._shown = -1
        self.plugged = False
        self.opened = 0

    def _wire(self) -> Node | None:
        if self._node is not None and self._node.gone:
            self._drop()
        if self._node is None and self.plugged:
            with contextlib.suppress(OSError):  # no host has set it up yet
                self._node = Node(os.open(self._path, os.O_RDWR | os.O_NONBLOCK))
                self.opened += 1
        self._tell()
        return self._node

    def _tell(self) -> None:
        """The three bits on the control pipe."""
        now = self._printer.condition
        bits = (0 if now.offline else SELECTED) | (PAPER_EMPTY if now.paper_end else NOT_ERROR)
        if self._node is not None and bits != self._shown:
            with contextlib.suppress(OSError):
                self._node.status(bits)
                self._shown = bits

    def _drop(self) -> None:
        if self._node is not None:
            self._node.close()
        self._node, self._shown = None, -1

    def _close(self) -> None:
        self._drop()

    def plug(self) -> None:
        if not self.plugged:
            before = nodes()
            (GADGET / "UDC").write_text(CONTROLLER)
            self._path = (nodes() - before).pop()
        self.plugged = True
        self._ring()

    def unplug(self) -> None:
        """Closed before the cable is out: Linux 6.1 damages a list if it is plugged in anew under an open node."""

        def out() -> None:
            self._drop()
            if self.plugged:
                (GADGET / "UDC").write_text("\n")
            self.plugged = False

        self._on_loop(out)


def obey(served: UsbPrinter, word: str) -> str:
    """What is asked for, done; its answer."""
    if word in ("plug", "unplug"):
        getattr(served, word)()
    elif word == "swap":
        (GADGET / "strings/0x409/serialnumber").write_text("K7XX999999")
    with served.printer() as (printer, now):
        printer.tick(now)
        if word == "received":
            return bytes(printer.received).hex()
        if word == "out":
            printer.remove_paper(now)
        elif word == "in":
            printer.load_paper(now)
        elif word in ("slow", "fast"):
            printer.settings = printer.settings._replace(mm_per_s=150.0 if word == "slow" else 0.0)
        elif word in ("off", "on"):
            printer.power_cycle(now)
        report = printer.report()
    if word in ("off", "on"):
        (served.plug if word == "on" else served.unplug)()
    told = {
        "tickets": [ticket.text for ticket in report.tickets],
        "received": report.received_bytes,
        "faults": list(map(str, report.faults)),
        "opened": served.opened,
    }
    return json.dumps(told)


def serve() -> None:
    make()
    served = UsbPrinter(Printer(None, Settings()))
    served.start()
    served.plug()
    Path(SOCKET).unlink(missing_ok=True)
    with socket.create_server(SOCKET, family=socket.AF_UNIX) as door:
        while True:
            guest, _ = door.accept()
            with guest:
                said = obey(served, guest.recv(100).decode())
                guest.sendall(said.encode())


def ask(words: list[str]) -> None:
    for word in words:
        for _ in range(200):
            try:
                with socket.socket(socket.AF_UNIX) as door:
                    door.connect(SOCKET)
                    door.sendall(word.encode())
                    said = b""
                    while data := door.recv(65536):
                        said += data
                break
            except OSError:
                time.sleep(0.05)
        else:
            sys.exit("the printer does not answer")
        print(said.decode())


if __name__ == "__main__":
    threading.current_thread().name = "main"
    ask(sys.argv[2:]) if sys.argv[1] == "ask" else serve()
