"""The scanner's side: finding it, reading it, losing it.

Owns: the scanner's port. Never: what a code means (core.py). A scanner that is not plugged in is tried again and again,
and said once: shops unplug them to charge, to clean, and by foot.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgebox.errors import EdgeboxError
from edgebox.line.poll import READ, Poll
from edgebox.scan.core import ScanCore

if TYPE_CHECKING:
    from drivers.base import CodePort, Port, TillEnd

RETRY_S = 0.5  # an unplugged scanner is back within a second of being plugged in
READ_BYTES = 4096


class ScannerSide:
    """Looks for the scanner until it is there; again, when it was there."""

    def __init__(self, core: ScanCore, end: TillEnd, poll: Poll, log: Callable[[str], None]) -> None:
        self.port: Port | None = None
        self.trouble = ""  # why there is none; said once for as long as it lasts
        self._codes: CodePort | None = None  # the same port, if it says where codes end
        self._core = core
        self._end = end
        self._poll = poll
        self._log = log
        self._is_open = False
        self._listens = False  # others come to us
        self._retry_at = 0.0
        self._now = 0.0

    def at(self, now: float) -> None:
        """The loop's clock."""
        self._now = now

    @property
    def up(self) -> bool:
        """A scanner is there."""
        return self.port is not None

    def next_wake(self) -> float | None:
        """When it is tried again; None: it is there, or it comes to us."""
        return self._retry_at if self.port is None and not (self._is_open and self._listens) else None

    def mind(self) -> None:
        """Every turn: looks for it while there is none, reads it while the till takes what it says."""
        if self.port is None and self._now >= self._retry_at and not (self._is_open and self._listens):
            self._find()
        if self.port is not None:
            self._poll.watch(self.port, READ if self._core.wants_scanner else 0, self._on_scanner)

    def _find(self) -> None:
        self._retry_at = self._now + RETRY_S
        try:
            if not self._is_open:
                self._end.open()
                self._is_open = True
                listener = self._end.fileno()
                self._listens = listener is not None
                if listener is not None:
                    self._poll.watch(listener, READ, lambda events: self._accept())
                    return
            self._accept()
        except (OSError, EdgeboxError) as fault:
            self._say(str(fault))

    def _accept(self) -> None:
        from drivers.base import CodePort

        if self.port is not None:
            return  # a second scanner on the network waits in the listener's backlog
        try:
            self.port = self._end.accept()
        except (OSError, EdgeboxError) as fault:
            self._say(str(fault))
            return
        listener = self._end.fileno()
        found: object = self.port
        self._codes = found if isinstance(found, CodePort) else None
        if self.port is not None:
            self._log(f"scanner {self.port.peer}: there")
            self.trouble = ""
            if listener is not None:
                self._poll.forget(listener)

    def _on_scanner(self, events: int) -> None:
        port = self.port
        if port is None:
            return
        try:
            if self._codes is not None:
                for code in self._codes.read_codes():
                    self._core.heard_code(code.data, code.symbology, self._now)
                return
            data = port.read(READ_BYTES)
        except OSError as fault:
            self._core.spoiled(self._now, "the scanner broke off inside it")
            self._lost(fault.strerror or type(fault).__name__)
            if fault.errno == errno.EOVERFLOW:
                self._retry_at = self._now  # it is still there; only its queue ran over
            return
        if data:
            self._core.heard(data, self._now)
        elif data == b"":
            self._lost("it has hung up")

    def write(self, data: bytes) -> None:
        """What the till says to its scanner; one that doesn't listen misses it."""
        if self.port is None:
            return
        try:
            self.port.write(data)
        except OSError as fault:
            self._log(f"scanner {self.port.peer}, not listening: {fault.strerror}")

    def _lost(self, why: str) -> None:
        port, self.port = self.port, None
        assert port is not None
        self._poll.forget(port)
        port.abort()
        self._say(f"{port.peer}: {why}")
        self._retry_at = self._now + RETRY_S
        listener = self._end.fileno()
        if listener is not None:
            self._poll.watch(listener, READ, lambda events: self._accept())

    def _say(self, why: str) -> None:
        if why != self.trouble:
            self.trouble = why
            self._log(f"scanner {why}; tried again every {RETRY_S:g} s")

    def close(self) -> None:
        """Lets it go."""
        if self.port is not None:
            self._poll.forget(self.port)
            self.port.close()
        self._end.close()
