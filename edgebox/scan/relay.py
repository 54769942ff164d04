"""The loop that moves codes: scanner, till and engine on one epoll.

Owns: the order of things in a turn. Never: decides what is ours (core.py). One thread, no blocking call. What goes to
the till is written before the engine is spoken to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgebox.alive import Alive
from edgebox.line.poll import READ, WRITE, Handler, Poll
from edgebox.scan.core import ScanCore
from edgebox.scan.frames import Decoder, Frame, FrameError
from edgebox.scan.scannerside import ScannerSide
from edgebox.scan.tillside import TillSide
from edgebox.tap import Tap

if TYPE_CHECKING:
    from drivers.base import PrinterEnd, TillEnd

UNSENT_MAX = 1 << 18  # for the engine: some thousand frames, behind what the socket itself keeps
SLEEP_S = 3600.0  # nothing to do: epoll wakes us


class Relay:
    """One scanner, running. `log` takes a line of text for a person."""

    def __init__(
        self, core: ScanCore, scanner: TillEnd, till: PrinterEnd, engine: str, log: Callable[[str], None]
    ) -> None:
        self.core = core
        self.now = time.monotonic()
        self._log = log
        self._poll = Poll()
        self._scanner = ScannerSide(core, scanner, self._poll, log)
        self._till = TillSide(core, till, self._poll, log)
        self._till.on_said = self._scanner.write
        self._tap = Tap[Frame](engine, Decoder, FrameError, UNSENT_MAX) if engine else None
        self._stop_at = 0.0  # 0: not asked to
        self._alive = Alive()

    def run(self) -> None:
        """Until stopped and drained."""
        self._alive.ready()
        self._turn()
        while not self._finished():
            events = self._poll.wait(max(self._next_wake() - time.monotonic(), 0.0))
            self._clock(time.monotonic())
            for descriptor, what in events:
                handler = self._poll.handlers.get(descriptor)
                if handler is not None:
                    handler(what)
            self._turn()
        self._till.close()
        self._scanner.close()
        if self._tap is not None:
            self._tap.close(self.now)
        self._poll.close()
        self._alive.close()

    def stop(self, within_s: float) -> None:
        """Asked to end: what was scanned still goes out."""
        if not self._stop_at:
            self._stop_at = time.monotonic() + within_s
            self._alive.stopping()

    def wake_on(self, descriptor: int, handler: Handler) -> None:
        """Polls a descriptor of the daemon's (signals)."""
        self._poll.watch(descriptor, READ, handler)

    def _finished(self) -> bool:
        return bool(self._stop_at) and (self.core.is_idle or self.now >= self._stop_at)

    def _clock(self, now: float) -> None:
        self.now = now
        self._scanner.at(now)
        self._till.at(now)

    def _turn(self) -> None:
        """After a wake-up: deadlines, the till, then the engine, and whatever that released."""
        core, now = self.core, self.now
        self._alive.worked(now)
        core.tick(now)
        self._till.mind()
        self._scanner.mind()
        core.ends(self._scanner.up, self._till.up, self._scanner.trouble or self._till.trouble)
        if self._tap is not None:
            self._serve_engine(self._tap)
            self._till.write()

    def _next_wake(self) -> float:
        times = [self.now + SLEEP_S, self._alive.due_at, self.core.next_deadline()]
        times += [self._scanner.next_wake(), self._till.next_wake()]
        if self._tap is not None and self._tap.socket is None:
            times.append(self._tap.retry_at)
        if self._stop_at:
            times.append(self._stop_at)
        return min(at for at in times if at is not None)

    # -- the engine

    def _serve_engine(self, tap: Tap[Frame]) -> None:
        if tap.socket is None:
            if self.now < tap.retry_at:
                return
            before = tap.trouble
            if not tap.connect(self.now):
                if tap.trouble != before:  # said once, not once a second
                    self._log(f"engine {tap.path}: {tap.trouble}: everything goes to the till until it is there")
                return
            self.core.engine_connected()
        try:
            tap.send(self.core.pull())
        except OSError as fault:
            self._engine_lost(tap, fault)
            return
        self._poll.watch(tap, READ | (WRITE if tap.wants_write else 0), self._on_engine)

    def _on_engine(self, events: int) -> None:
        tap = self._tap
        if tap is None or tap.socket is None:
            return
        try:
            if events & ~WRITE:
                for frame in tap.read():
                    self.core.frame(frame, self.now)
            if events & WRITE:
                tap.send(b"")
        except OSError as fault:
            self._engine_lost(tap, fault)

    def _engine_lost(self, tap: Tap[Frame], fault: OSError) -> None:
        self._log(f"engine: {fault.strerror}; everything goes to the till until it is back")
        self._poll.forget(tap)
        tap.close(self.now)
        self.core.engine_lost(self.now)
