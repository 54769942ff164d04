"""A till and a printer on serial cables with a watchdog relay between them, and the box beside it.

Owns: who hears whom as the relay stands: docs/install.md's wiring. The box always hears till and printer; the relay
chooses who speaks to the printer and to the till: the box while its pin goes on turning, else each other. Never:
imported by production code, or decides anything: the relay is a capacitor, a coil and five contacts.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import tty

from hw_sim.gpiosim import GpioChip

HOLDS_S = 1.0  # after the last edge [docs/install.md]
STEP_S = 0.002


class JoinedWire:
    """`till` and `printer`: the paths that the box opens; `paper`: what has reached the printer."""

    def __init__(self, chip: GpioChip) -> None:
        self.paper = bytearray()
        self.heard = bytearray()  # by the till
        self.unspoken = bytearray()  # by the box, while nobody listened to it
        self._chip = chip
        self._lock = threading.Lock()
        self._ends = [os.openpty(), os.openpty()]
        for master, slave in self._ends:
            os.set_blocking(master, False)
            tty.setraw(slave)
        self.till, self.printer = (os.ttyname(slave) for _, slave in self._ends)
        self._from_till, self._from_printer = bytearray(), bytearray()
        self._ends_now = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_in(self) -> bool:
        """The box is in the wire."""
        return self._chip.edges > 0 and time.monotonic() < self._chip.edge_at + HOLDS_S

    def send(self, data: bytes) -> None:
        """The till prints."""
        with self._lock:
            self._from_till += data

    def answer(self, data: bytes) -> None:
        """The printer says something."""
        with self._lock:
            self._from_printer += data

    def _run(self) -> None:
        masters = [master for master, _ in self._ends]
        while not self._ends_now:
            select.select(masters, [], [], STEP_S)
            with self._lock:
                is_in = self.is_in
                till, printer = bytes(self._from_till), bytes(self._from_printer)
                self._from_till.clear()
                self._from_printer.clear()
                said = [_taken(master) for master in masters]
                for master, data in zip(masters, (till, printer), strict=True):
                    if data:
                        with contextlib.suppress(BlockingIOError):  # nobody has it open, and it is full
                            os.write(master, data)
                self.paper += said[1] if is_in else till
                self.heard += said[0] if is_in else printer
                if not is_in:
                    self.unspoken += said[0] + said[1]

    def close(self) -> None:
        """Taken down."""
        self._ends_now = True
        self._thread.join()
        for pair in self._ends:
            for end in pair:
                os.close(end)


def _taken(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except BlockingIOError:
        return b""
