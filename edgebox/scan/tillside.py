"""The till's side: where codes go out.

Owns: the till's port. Never: which codes (core.outbox). A till that is not there is said aloud at once and tried again
after a moment: a code that waits longer than `till_ms` is given up, by the core, with a word in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgebox.errors import EdgeboxError
from edgebox.line.poll import READ, WRITE, Poll
from edgebox.scan.core import ScanCore

if TYPE_CHECKING:
    from drivers.base import Port, PrinterEnd

RETRY_S = 0.25  # a till that starts again, a cable that is put back: before the cashier scans once more
PACE_S = 0.002  # drivers/base.py: a paced port is asked every 2 ms
READ_BYTES = 4096


class TillSide:
    """`on_said` gets what the till says to its scanner."""

    def __init__(self, core: ScanCore, end: PrinterEnd, poll: Poll, log: Callable[[str], None]) -> None:
        self.up = False
        self.trouble = ""  # why it is not there; said once for as long as it lasts
        self.on_said: Callable[[bytes], None] = lambda data: None
        self._core = core
        self._end = end
        self._poll = poll
        self._log = log
        self._port: Port | None = None
        self._retry_at = 0.0
        self._now = 0.0
        self._untyped = 0  # characters that this port could not type
        self._given_up = 0  # codes that were forgotten as far as the port knows

    def at(self, now: float) -> None:
        """The loop's clock."""
        self._now = now

    def next_wake(self) -> float | None:
        """When there is something to do here."""
        if self._port is None:
            return self._retry_at
        return self._now + PACE_S if self._port.paced and self._core.outbox.size else None

    def mind(self) -> None:
        """Every turn: dials while it is not there, writes what waits."""
        if self._port is None and self._now >= self._retry_at:
            self._dial()
        self.write()

    def _dial(self) -> None:
        self._retry_at = self._now + RETRY_S
        try:
            self._port = self._end.connect()
        except (OSError, EdgeboxError) as fault:
            self._say(str(fault))
            return
        self._poll.watch(self._port, WRITE, self._on_dialling)

    def _on_dialling(self, events: int) -> None:
        port = self._port
        if port is None:
            return
        try:
            if not self._end.connected(port):
                return
        except OSError as fault:
            self._lost(fault.strerror or str(fault))
            return
        self.up = True
        self._untyped = 0
        self._given_up = self._core.outbox.given_up
        self._poll.watch(port, READ, self._on_till)
        self.write()

    def _on_till(self, events: int) -> None:
        port = self._port
        if port is None:
            return
        try:
            if events & ~WRITE:
                data = port.read(READ_BYTES)
                if data:
                    self.on_said(data)
                elif data == b"":
                    self._lost("it has hung up")
        except OSError as fault:
            self._lost(fault.strerror or str(fault))
        self.write()

    def write(self) -> None:
        """What the port takes of what waits."""
        port, outbox = self._port, self._core.outbox
        if port is None or not self.up:
            return
        if outbox.given_up != self._given_up:
            self._given_up = outbox.given_up
            self._lost("it did not take a code in time")
            return
        try:
            while outbox.size:
                taken = port.write(outbox.peek())
                if not taken:
                    break
                outbox.taken(taken, self._now)
                self._well()
        except OSError as fault:
            if getattr(port, "is_inside", False):
                outbox.begin()
            self._lost(fault.strerror or str(fault))
            return
        self._count_untyped(port)
        blocked = outbox.size and not port.paced
        self._poll.watch(port, READ | (WRITE if blocked else 0), self._on_till)

    def _count_untyped(self, port: Port) -> None:
        """Characters that a keyboard till's layout has no key for: counted, and said when it is the first time."""
        untyped = getattr(port, "untyped", 0)
        if untyped > self._untyped:
            counters = self._core.counters
            if not counters["untyped"]:
                self._log(f"till {port.peer}: a code held characters that its layout has no key for; they are left out")
            counters["untyped"] += untyped - self._untyped
        self._untyped = untyped

    def _well(self) -> None:
        if self.trouble:
            self.trouble = ""
            self._log("till: takes codes again")

    def _lost(self, why: str) -> None:
        port, self._port = self._port, None
        if port is None:
            return
        self.up = False
        self._poll.forget(port)
        port.abort()
        self._core.till_broke()
        self._say(f"{port.peer}: {why}")
        self._retry_at = self._now + RETRY_S

    def _say(self, why: str) -> None:
        if why != self.trouble:
            self.trouble = why
            self._log(f"till {why}; codes wait for it a moment, tried again every {RETRY_S:g} s")

    def close(self) -> None:
        """Lets it go."""
        if self._port is not None:
            self._poll.forget(self._port)
            self._port.close()
