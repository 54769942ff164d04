"""The loop that moves the bytes: till, printer and engine on one epoll.

Owns: the order of things in a turn, and the fast path. Never: decides what to hold or insert (core.py). One thread, no
blocking call, level-triggered. The till is read only while the printer takes what it sent (`core.wants_till`).
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from edgebox.alive import Alive
from edgebox.line.bridge import FALLS_S, Bridge, Place
from edgebox.line.core import TEE_BYTES, TEE_S, LineCore
from edgebox.line.frames import Decoder, Frame, FrameError, Restart
from edgebox.line.pace import Pace, ends_on_ink
from edgebox.line.poll import READ, WRITE, Handler, Poll
from edgebox.line.printerside import PrinterSide
from edgebox.line.tillside import TillSide
from edgebox.tap import Tap

if TYPE_CHECKING:
    from drivers.base import PrinterEnd, TillEnd
    from drivers.bridged import BridgedTill
    from drivers.bypass_relay import BypassRelay

ANEW_WITHIN_S = 3.0  # for what is on its way to the printer and the engine, as when it is stopped
DRAIN_S = 0.01  # asked to end: a cable is asked this often whether it has carried everything
SLEEP_S = 3600.0  # nothing to do: epoll wakes us


class Bypassed(NamedTuple):
    """A bypass relay beside the line: when it beats, its pin, and the till's cable behind it."""

    bridge: Bridge
    contact: BypassRelay
    till: BridgedTill


class Relay:
    """One line, running. `log` takes a line of text for a person."""

    def __init__(
        self,
        core: LineCore,
        till: TillEnd,
        printer: PrinterEnd,
        engine: str,
        log: Callable[[str], None],
        bypassed: Bypassed | None = None,
    ) -> None:
        self.core = core
        self.now = time.monotonic()
        self._log = log
        self._poll = Poll()
        self._till = TillSide(core, till, self._poll, log)
        self._printer = PrinterSide(core, printer, self._poll, log)
        self._till.dial = self._printer.dial
        self._printer.on_reply = self._reply
        self._printer.on_gone = lambda broken: self._till.printer_gone(broken=broken)
        self._tap = Tap[Frame](engine, Decoder, FrameError) if engine else None
        self._window = core.settings.window_bytes
        self._fast = -1  # the owner's descriptor while its bytes may go on at once
        self._pace = Pace.PARSE
        self._read: Callable[[int], bytes | None] = lambda limit: None
        self._write: Callable[[bytes], int] = lambda data: 0
        self._wake_at = 0.0  # monotonic seconds; a stale, early one costs a turn and no more
        self._stop_at = 0.0  # 0: not asked to
        self._alive = Alive()
        self._bypassed = bypassed
        self.begins_anew = False  # somebody wants it to; done between two documents

    def run(self) -> None:
        """Until stopped and drained."""
        self._till.open(self.now)
        self._alive.ready()
        wait, monotonic, handlers = self._poll.wait, time.monotonic, self._poll.handlers
        self._turn()
        while not self._finished():
            full = False
            for descriptor, events in wait(max(self._wake_at - monotonic(), 0.0)):
                if descriptor == self._fast and events == READ:
                    full = not self._fast_pass() or full
                    continue
                full = True
                self._clock(monotonic())
                handler = handlers.get(descriptor)
                if handler is not None:
                    handler(events)
                    self._fast = -1  # it may have closed a port: the next turn chooses again
            self._clock(monotonic())
            if full or self.now >= self._wake_at:
                self._turn()
        self.core.close(self.now)
        if self._tap is not None and self._tap.socket is not None:
            self._send_engine(self._tap, b"")
        self._till.close()
        self._printer.close()
        if self._tap is not None:
            self._tap.close(self.now)
        if self._bypassed is not None:
            self._bypassed.contact.close()
        self._poll.close()
        self._alive.close()

    def stop(self, within_s: float) -> None:
        """Asked to end: no new client, nothing held, finish the document that is on the way."""
        if not self._stop_at:  # asked twice is not given twice the time
            self._stop_at = time.monotonic() + within_s
            self._alive.stopping()
            if self._bypassed is not None and not self.begins_anew:  # who begins anew is back before the relay falls
                self._bypassed.bridge.leave()
                self._stop_at += FALLS_S
        self._till.stop_listening()
        self.core.stop(self.now)

    def wake_on(self, descriptor: int, handler: Handler) -> None:
        """Polls a descriptor of the daemon's (signals)."""
        self._poll.watch(descriptor, READ, handler)

    def _clock(self, now: float) -> None:
        self.now = now
        self._till.at(now)
        self._printer.at(now)

    def _finished(self) -> bool:
        if not self._stop_at:
            return False
        core, drained = self.core, self._at_rest
        if self._bypassed is not None and self._bypassed.bridge.is_leaving:
            drained = False  # what the till sends until the relay has fallen still comes to us
        tap = self._tap
        if tap is not None and tap.socket is not None and (tap.wants_write or core.spool.eager):
            drained = False  # the engine has not taken everything yet
        return drained or self.now >= self._stop_at

    @property
    def _at_rest(self) -> bool:
        """Nothing of a document is on its way, to either side."""
        core = self.core
        return not core.outbox.size and not self._till.back and core.between_documents and self._printer.drained

    def _mind_bypass(self, bridge: Bridge, contact: BypassRelay, till: BridgedTill) -> None:
        """The relay's edge, when one is due, and what changes with it."""
        before = bridge.place
        if before is Place.OUT and not bridge.holds(self.now) and till.listen():
            bridge.heard(self.now)
        ready = self._printer.up and (self._till.owner is not None or till.is_open)
        if bridge.turn(self.now, ready=ready, at_rest=self._at_rest):
            if contact.edge(self.now):
                bridge.beaten(self.now)
            else:
                bridge.failed(self.now)
        core, is_in = self.core, bridge.place is Place.IN
        core.counters["in_wire"] = int(is_in)
        if not is_in and core.printer_up:  # its cable is open, but nobody hears us: no job may go there
            core.printer_lost(self.now)
        if is_in and before is not Place.IN:
            self._log(f"in the wire; {till.unheard_bytes} bytes went past the box before")
            core.printer_connected()
            self._till.look_again()
        elif before is Place.IN and not is_in:
            self._log("out of the wire: till and printer are joined by the relay")
            self._till.failed(OSError(errno.ENOLINK, "the box is out of the wire"))

    # -- the fast path

    def _fast_pass(self) -> bool:
        """The common case, with as little as possible before the write: till bytes that may go on at once.

        Written first and parsed after: what the parser costs is not in the bytes' way. False: a turn is needed.
        """
        try:
            data = self._read(self._window)
        except OSError as fault:
            self._clock(time.monotonic())
            self._till.failed(fault)
            return False
        if not data or (self._pace is Pace.GLANCE and not ends_on_ink(data)):
            self._clock(time.monotonic())
            self._till.take(data)
            return False
        try:
            taken = self._write(data)
        except OSError as fault:
            self._clock(time.monotonic())
            self._printer.lost(fault)
            return False
        core, now = self.core, time.monotonic()
        core.passed(data, now)
        self._till.quiet_since = now
        if taken < len(data):
            core.outbox.push_rest(data[taken:], core.stream.at_boundary)
            return False
        if not core.engine_up:
            return True
        if now + TEE_S < self._wake_at:
            self._wake_at = now + TEE_S
        return core.spool.pending < TEE_BYTES

    # -- a turn

    def _turn(self) -> None:
        """After a wake-up: deadlines, then whatever can be written, then what to listen to and when to wake."""
        core, now = self.core, self.now
        self._alive.worked(now)
        if self._bypassed is not None:
            self._mind_bypass(*self._bypassed)
        core.tick(now)
        if self.begins_anew and core.between_documents and not core.outbox.size:
            self.stop(ANEW_WITHIN_S)
        self._till.write_back(core.printer_late(now))
        if core.outbox.size:
            self._printer.write()
        if self._tap is not None:
            self._serve_engine(self._tap)
            if core.outbox.size:
                self._printer.write()
        self._printer.mind(self._till.owner is not None)
        self._till.mind(now, self._printer.up, self._printer.absent)
        if self._till.shows is not None:
            self._till.show(core.replies.status, self._printer.up, self._printer.told())
        self._choose_pace()
        self._wake_at = self._next_wake()

    def _choose_pace(self) -> None:
        self._pace = self.core.pace
        owner, printer = self._till.owner, self._printer.port
        if owner is None or printer is None or self._pace is Pace.PARSE or self._till.ended:
            self._fast = -1
        else:
            self._fast, self._read, self._write = owner.fileno(), owner.read, printer.write

    def _next_wake(self) -> float:
        times = [
            self.now + SLEEP_S,
            self._alive.due_at,
            self.core.next_deadline(),
            self._till.next_wake(),
            self._printer.next_wake(),
        ]
        if self._tap is not None and self._tap.socket is None:
            times.append(self._tap.retry_at)
        if self._bypassed is not None:
            times.append(self._bypassed.bridge.next_at(self.now))
        if self._stop_at:
            times.append(self._stop_at if self._printer.drained else self.now + DRAIN_S)
        return min(at for at in times if at is not None)

    def _reply(self, data: bytes) -> None:
        self._till.write_back(self.core.printer_bytes(data, self.now))

    # -- the engine

    def _serve_engine(self, tap: Tap[Frame]) -> None:
        if tap.socket is None:
            if self.now < tap.retry_at:
                return
            before = tap.trouble
            if not tap.connect(self.now):
                if tap.trouble != before:  # said once, not once a second
                    self._log(f"engine {tap.path}: {tap.trouble}: a plain wire until it is there")
                return
            self.core.engine_connected()
            self._send_engine(tap, self.core.hello(self._printer.bytes_per_s))
        else:
            self._send_engine(tap, b"")

    def _send_engine(self, tap: Tap[Frame], raw: bytes) -> None:
        try:
            tap.send(raw)
            while not tap.wants_write:
                raw = self.core.pump(self.now)
                if not raw:
                    break
                tap.send(raw)
        except OSError as fault:
            self._engine_lost(tap, fault)
            return
        self.core.engine_reads = not tap.wants_write
        self._poll.watch(tap, READ | (WRITE if tap.wants_write else 0), self._on_engine)

    def _on_engine(self, events: int) -> None:
        tap = self._tap
        if tap is None or tap.socket is None:
            return
        try:
            if events & ~WRITE:
                for frame in tap.read():
                    if isinstance(frame, Restart):
                        self.begins_anew = True
                    else:
                        self.core.frame(frame, self.now)
            if events & WRITE:
                tap.send(b"")
        except OSError as fault:
            self._engine_lost(tap, fault)

    def _engine_lost(self, tap: Tap[Frame], fault: OSError) -> None:
        self._log(f"engine: {fault}")
        self._poll.forget(tap)
        tap.close(self.now)
        self.core.engine_lost(self.now)
