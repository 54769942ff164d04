"""The printer's side: dialling it, writing to it, losing it, letting it go.

Owns: the printer's port. Never: decides what is written (core.outbox) or what the till gets of the answers (core).
A network printer is dialled when a client has the line or a job waits, and let go when everything is with it, as a
till would; a device is opened once and kept, because opening a serial port pulses its lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgebox.errors import EdgeboxError
from edgebox.line.core import LineCore
from edgebox.line.poll import READ, WRITE, Poll

if TYPE_CHECKING:
    from drivers.base import Port, PrinterEnd, TellingPort

PACE_S = 0.002  # drivers/base.py: a paced port is asked every 2 ms
RETRY_S = 1.0  # a printer that is not there is tried again this often
LINGER_S = 3.0  # after "that was all", wait this long for the printer to close: closing first could cut it short
LAST_S = 0.5  # the same when the line itself ends: its supervisor waits to start it again
REPLY_BYTES = 4096  # replies are a few bytes


class PrinterSide:
    """`on_reply` gets the printer's bytes, `on_gone(broken)` hears that the link ended."""

    def __init__(self, core: LineCore, end: PrinterEnd, poll: Poll, log: Callable[[str], None]) -> None:
        self.core = core
        self.port: Port | None = None
        self.up = False
        self.absent = False  # the last try to reach the printer failed
        self.is_device = not end.url.startswith("tcp:")
        self.bytes_per_s = end.bytes_per_s
        self.on_reply: Callable[[bytes], None] = lambda data: None
        self.on_gone: Callable[[bool], None] = lambda broken: None
        self._end = end
        self._poll = poll
        self._log = log
        self._retry_at = 0.0
        self._trouble = ""  # what was said last of a printer that can't be had, so that it is said once
        self._telling: tuple[Port, TellingPort | None] | None = None  # what was found out of `port`
        self._leaving: list[tuple[Port, float]] = []  # told "that was all", waiting for their close
        self._now = 0.0

    def at(self, now: float) -> None:
        """The loop's clock."""
        self._now = now

    def next_wake(self) -> float | None:
        """When there is something to do here; None: not before something happens."""
        times = [at for _, at in self._leaving]
        if self.port is not None and self.port.paced and self.core.outbox.size:
            times.append(self._now + PACE_S)
        if self.port is None and (self.is_device or self.absent or self.core.wants_printer):
            times.append(self._retry_at)
        return min(times) if times else None

    def told(self) -> int | None:
        """What the printer's port says beside the data (USB); from the first call on it is asked. None: nothing."""
        port = self.port
        if port is None or not self.up:
            return None
        if self._telling is None or self._telling[0] is not port:
            from drivers.base import TellingPort

            self._telling = port, port if isinstance(port, TellingPort) else None
            if self._telling[1] is not None:
                self._telling[1].watch_status()
        telling = self._telling[1]
        return None if telling is None else telling.port_status()

    @property
    def drained(self) -> bool:
        """A cable has carried all that its port took; a network printer gets the rest after we have gone."""
        return self.port is None or not self.is_device or not _queued(self.port)

    def mind(self, wanted: bool) -> None:
        """Every turn: dials when wanted, lets go when not."""
        for port, at in list(self._leaving):
            if self._now >= at:
                self._gone(port)
        wanted = wanted or self.is_device or self.core.wants_printer
        if self.port is None:
            wanted = wanted or self.absent  # tried until it is back, so that tills can be let in again
            if wanted and self._now >= self._retry_at:
                self.dial(self._now)
        elif self.up and not wanted:
            self._let_go()

    def dial(self, now: float) -> None:
        """Starts a connection unless there is one; a client that comes while there is no printer is refused."""
        self._now = now
        if self.port is not None:
            return
        if now < self._retry_at:
            self.on_gone(True)
            return
        try:
            self.port = self._end.connect()
        except (OSError, EdgeboxError) as fault:
            self._say(f"printer: {fault}")
            self._retry_at = now + RETRY_S
            self.absent = True
            self.on_gone(True)
            return
        self._poll.watch(self.port, WRITE, self._on_dialling)

    def _on_dialling(self, events: int) -> None:
        port = self.port
        if port is None:
            return
        try:
            if not self._end.connected(port):
                return
        except OSError as fault:
            self._retry_at = self._now + RETRY_S
            self.absent = True
            self.lost(fault)
            return
        self.up = True
        self.absent = False
        self._trouble = ""
        self.core.printer_connected()
        self._poll.watch(port, READ, self._on_printer)

    def _on_printer(self, events: int) -> None:
        port = self.port
        if port is None:
            return
        try:
            if events & ~WRITE:
                data = port.read(REPLY_BYTES)
                if data == b"":
                    self.lost(None)
                elif data:
                    self.on_reply(data)
            if events & WRITE:
                self.write()
        except OSError as fault:
            self.lost(fault)

    def write(self) -> None:
        """Writes of the outbox what the port takes."""
        port, outbox = self.port, self.core.outbox
        if port is None or not self.up:
            return
        try:
            while outbox.size:
                taken = port.write(outbox.peek())
                if not taken:
                    break
                outbox.taken(taken)
        except OSError as fault:
            self.lost(fault)
            return
        if not outbox.size:
            self.core.written(self._now)
        blocked = outbox.size and not port.paced
        self._poll.watch(port, READ | (WRITE if blocked else 0), self._on_printer)

    def lost(self, fault: OSError | None) -> None:
        """The link ended: by a fault, or because the printer closed it."""
        port, self.port = self.port, None
        if port is None:
            return
        self._say(f"printer {port.peer}: {fault or 'closed the connection'}")
        self._poll.forget(port)
        if fault is None:
            port.close()
        else:
            port.abort()  # nobody takes what is queued: a serial port's close would wait for that (30 s)
        self.up = False
        self.core.printer_lost(self._now)
        self.on_gone(fault is not None)

    def _say(self, text: str) -> None:
        """Logs what keeps the printer away, once for as long as it does."""
        if text != self._trouble:
            self._trouble = text
            self._log(text)

    # -- letting go

    def _let_go(self) -> None:
        """Half-close and wait for the printer's close: a full close with unread replies would reset the rest away."""
        port, self.port = self.port, None
        assert port is not None
        self.up = False
        self.core.printer_released()
        try:
            port.finish_writing()
        except OSError as fault:
            self._log(f"printer {port.peer}, after the end: {fault}")
            self._poll.forget(port)
            port.close()
            return
        self._leaving.append((port, self._now + LINGER_S))
        self._poll.watch(port, READ, lambda events: self._on_leaving(port))

    def _on_leaving(self, port: Port) -> None:
        try:
            if port.read(REPLY_BYTES) != b"":
                return
        except OSError as fault:
            self._log(f"printer {port.peer}, after the end: {fault}")
        self._gone(port)

    def _gone(self, port: Port) -> None:
        self._leaving = [entry for entry in self._leaving if entry[0] is not port]
        self._poll.forget(port)
        port.close()

    def close(self) -> None:
        """The line ends: gives the printer a moment to take what is on the way."""
        if self.port is not None and self.up and not self.is_device:
            self._let_go()
        until = time.monotonic() + LAST_S
        while self._leaving and time.monotonic() < until:
            for descriptor, events in self._poll.wait(max(until - time.monotonic(), 0.0)):
                if any(port.fileno() == descriptor for port, _ in self._leaving):
                    self._poll.handlers[descriptor](events)
                else:
                    self._poll.forget(descriptor)
        for port in [*(port for port, _ in self._leaving), *([self.port] if self.port is not None else [])]:
            self._poll.forget(port)
            if self.is_device and _queued(port):  # the line has waited for it as long as it may (Relay.stop)
                port.abort()  # a printer without paper: closing would wait for it (30 s), and nobody prints meanwhile
            else:
                port.close()


def _queued(port: Port) -> int:
    """Bytes that a cable has still to carry."""
    try:
        return port.unsent()
    except OSError:
        return 0  # unplugged: nothing will carry them, and the next read says so
