"""The loop that moves the bytes: till, printer and engine on one epoll.

Owns: descriptors and when to read and write them. Never: decides what to hold or insert (core.py). One thread, no
blocking call, level-triggered. The till is read only while the printer takes what it sent (`core.wants_till`).
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgebox.errors import EdgeboxError
from edgebox.line.clients import QUIET_S, Clients
from edgebox.line.core import TEE_BYTES, TEE_S, LineCore
from edgebox.line.pace import Pace, ends_on_ink
from edgebox.line.tap import Tap

if TYPE_CHECKING:
    from drivers.base import Port, PrinterEnd, TillEnd

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
PACE_S = 0.002  # drivers/base.py: a paced port is asked every 2 ms
RECONNECT_S = 1.0  # a printer that is not there is tried again this often
LINGER_S = 3.0  # after the last byte, wait this long for the printer to close: an early close could cut it short
REPLY_BYTES = 4096  # printer → till; replies are a few bytes
IDLE_POLL_S = 3600.0  # nothing to do: sleep; epoll wakes us


class Relay:
    """One line, running. `log` takes a line of text for a person."""

    def __init__(
        self, core: LineCore, till: TillEnd, printer: PrinterEnd, engine: str, log: Callable[[str], None]
    ) -> None:
        self.core = core
        self._till_end = till
        self._printer_end = printer
        self._log = log
        self._clients = Clients()
        self._printer: Port | None = None
        self._up = False  # the printer's connection stands
        self._printer_retry = 0.0
        self._leaving: list[tuple[Port, float]] = []  # printer ports that were told "that was all"
        self._to_till = b""
        self._tap = Tap(engine) if engine else None
        self._epoll = select.epoll()
        self._events: dict[int, int] = {}  # descriptor -> events registered
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._window = core.settings.window_bytes
        self._quiet_since = 0.0
        self._paced = False
        self._fast = -1  # the owner's descriptor while its bytes may go on at once
        self._pace = Pace.PARSE
        self._read: Callable[[int], bytes | None] = lambda limit: None
        self._write: Callable[[bytes], int] = lambda data: 0
        self._wake_at = 0.0  # monotonic seconds; a stale, early one costs a turn and no more
        self.stopping = 0.0  # when to stop at the latest; 0: not asked to
        self.now = time.monotonic()

    # -- the loop

    def run(self) -> None:
        """Until stopped and drained."""
        self._till_end.open()
        listener = self._till_end.fileno()
        if listener is None:
            self._accept(0)
        else:
            self._watch(listener, READ, self._accept)
        self._dial_device()
        poll, monotonic, handlers = self._epoll.poll, time.monotonic, self._handlers
        self._turn()
        while not self._finished():
            full = False
            for descriptor, events in poll(max(self._wake_at - monotonic(), 0.0)):
                if descriptor == self._fast and events == READ and self._fast_pass():
                    continue
                full = True
                self.now = monotonic()
                handler = handlers.get(descriptor)
                if handler is not None:
                    handler(events)
            self.now = monotonic()
            if full or self.now >= self._wake_at:
                self._turn()
        self._close_all()

    def _fast_pass(self) -> bool:
        """The common case, with as little as possible before the write: till bytes that may go on at once.

        Written first and parsed after: what the parser costs is not in the bytes' way. False: it was something else.
        """
        try:
            data = self._read(self._window)
        except OSError as fault:
            self._till_failed(fault)
            return False
        if not data or (self._pace is Pace.GLANCE and not ends_on_ink(data)):
            self.now = time.monotonic()
            self._till_data(data)
            return False
        try:
            taken = self._write(data)
        except OSError as fault:
            self._printer_lost(f"printer: {fault}")
            return False
        core, now = self.core, time.monotonic()
        core.passed(data, now)
        self._quiet_since = now
        if taken < len(data):
            core.outbox.push(data[taken:], core.at_boundary)
            return False
        if now + TEE_S < self._wake_at:
            self._wake_at = now + TEE_S
        return not core.engine_up or core.spool.pending < TEE_BYTES

    def stop(self, within_s: float) -> None:
        """Asked to end: no new client, nothing held, finish the document that is on the way."""
        self.stopping = time.monotonic() + within_s

    def wake_on(self, descriptor: int, handler: Callable[[int], None]) -> None:
        """Polls a descriptor of the daemon's (signals)."""
        self._watch(descriptor, READ, handler)

    def _finished(self) -> bool:
        if not self.stopping:
            return False
        core = self.core
        drained = not core.outbox.size and not self._to_till and core.between_documents
        return drained or self.now >= self.stopping

    def _turn(self) -> None:
        """After a wake-up: deadlines, then whatever can be written, then what to listen to and when to wake."""
        core, now = self.core, self.now
        core.tick(now)
        self._answer_till(core.printer_late(now))
        if core.outbox.size:
            self._write_printer()
        if self._tap is not None:
            self._serve_engine(self._tap)
        self._mind_printer()
        self._mind_clients()
        self._pace = core.pace
        owner, printer = self._clients.owner, self._printer
        if owner is not None and printer is not None and self._pace is not Pace.PARSE and not self._clients.ended:
            self._fast, self._read, self._write = owner.fileno(), owner.read, printer.write
        else:
            self._fast = -1
        self._wake_at = self._next_wake()

    def _next_wake(self) -> float:
        core = self.core
        if self._paced and core.outbox.size:
            return self.now + PACE_S
        times = [self.now + IDLE_POLL_S, *(at for _, at in self._leaving)]
        deadline = core.next_deadline()
        if deadline is not None:
            times.append(deadline)
        if self._tap is not None and self._tap.socket is None:
            times.append(self._tap.retry_at)
        if self._printer is None and self._printer_retry:
            times.append(self._printer_retry)
        if self._clients.owner is not None and not self._floor_open and core.between_documents:
            times.append(self._quiet_since + QUIET_S)
        if self.stopping:
            times.append(self.stopping)
        return min(times)

    def _watch(self, descriptor: int, events: int, handler: Callable[[int], None] | None = None) -> None:
        if handler is not None:
            self._handlers[descriptor] = handler
        known = self._events.get(descriptor)
        if known is None:
            self._epoll.register(descriptor, events)
        elif known != events:
            self._epoll.modify(descriptor, events)
        self._events[descriptor] = events

    def _forget(self, port: Port | Tap) -> None:
        descriptor = port.fileno()
        if self._events.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)
            self._handlers.pop(descriptor, None)

    # -- the till

    def _accept(self, events: int) -> None:
        if self._clients.full:
            return
        try:
            port = self._till_end.accept()
        except (OSError, EdgeboxError) as fault:
            self._log(f"till end: {fault}")
            return
        if port is None:
            return
        if self._clients.arrive(port):
            self._own(port)
        else:
            self._watch(port.fileno(), READ if self._floor_open else 0, self._parked_handler(port))

    def _own(self, port: Port) -> None:
        self._quiet_since = self.now
        self._open_floor(False)
        self.core.till_opened(self.now)
        self._dial_printer()
        self._watch(port.fileno(), READ if self._up else 0, self._till_event)

    def _till_event(self, events: int) -> None:
        port = self._clients.owner
        if port is None:
            return
        if events & WRITE:
            self._write_till()
        if not events & ~WRITE:
            return
        try:
            data = port.read(self._window)
        except OSError as fault:
            self._till_failed(fault)
            return
        self._till_data(data)

    def _till_data(self, data: bytes | None) -> None:
        """What a read of the till brought: bytes that may have to wait, its end, or nothing."""
        port = self._clients.owner
        if data is None or port is None:
            return
        if not data:
            self._till_ended(port)
            return
        self._quiet_since = self.now
        self.core.till_bytes(data, self.now)

    def _till_failed(self, fault: OSError) -> None:
        if self._clients.owner is not None:
            self._till_lost(self._clients.owner, f"till: {fault}")

    def _till_ended(self, port: Port) -> None:
        """It has finished sending. It may still read replies, so it stays until the printer has everything."""
        self.core.till_closed(self.now)
        self._clients.ended = True
        self._watch(port.fileno(), 0)

    def _till_lost(self, port: Port, why: str) -> None:
        self._log(why)
        if port is self._clients.owner:
            self.core.till_closed(self.now)
        self._drop_client(port)

    def _drop_client(self, port: Port, *, broken: bool = False) -> None:
        self._forget(port)
        if port is self._clients.owner:
            self._to_till = b""
        self._clients.leave(port)
        if broken:
            port.abort()
        else:
            port.close()

    def _write_till(self) -> None:
        port = self._clients.owner
        if port is None:
            self._to_till = b""
            return
        try:
            taken = port.write(self._to_till)
        except OSError as fault:
            self._till_lost(port, f"till: {fault}")
            return
        self._to_till = self._to_till[taken:]

    # -- whose turn it is

    _floor_open = False

    def _open_floor(self, is_open: bool) -> None:
        """Between documents, after a moment's silence, whoever speaks first has the line."""
        if is_open == self._floor_open:
            return
        self._floor_open = is_open
        for port in self._clients.parked:
            self._watch(port.fileno(), READ if is_open else 0, self._parked_handler(port))

    def _parked_handler(self, port: Port) -> Callable[[int], None]:
        def spoke(events: int) -> None:
            if events & READ and self._floor_open:
                previous = self._clients.owner
                self._clients.take_over(port)
                if previous is not None:
                    self._watch(previous.fileno(), 0, self._parked_handler(previous))
                self._own(port)
            elif events & (select.EPOLLHUP | select.EPOLLERR) and port in self._clients.parked:
                self._drop_client(port)

        return spoke

    def _mind_clients(self) -> None:
        """Listens to the owner as far as the printer lets it, and lets others in at the right moment."""
        core, clients = self.core, self._clients
        owner = clients.owner
        if owner is None:
            self._next_owner()
            self._listen()
            return
        if clients.ended and not core.wants_printer and not self._to_till:
            self._release_owner(owner)
            self._listen()
            return
        quiet = core.between_documents and not core.outbox.size and self.now >= self._quiet_since + QUIET_S
        self._open_floor(quiet)
        wanted = READ if self._up and core.wants_till and not clients.ended else 0
        owner.set_busy(not wanted and not clients.ended)
        self._watch(owner.fileno(), wanted | (WRITE if self._to_till else 0), self._till_event)
        self._listen()

    def _listen(self) -> None:
        listener = self._till_end.fileno()
        if listener is not None:
            wanted = not self.stopping and not self._clients.full
            self._watch(listener, READ if wanted else 0)

    def _next_owner(self) -> None:
        if self._clients.parked and not self.stopping:
            port = self._clients.parked.pop(0)
            self._clients.arrive(port)
            self._own(port)
        elif self._till_end.fileno() is None and not self.stopping:
            self._accept(0)

    def _release_owner(self, owner: Port) -> None:
        """The till has finished and the printer has everything: say so to the printer, which then closes."""
        if self._printer is not None and self._up and self._printer_end.bytes_per_s == 0 and not self._leaving_late:
            self._let_printer_go()
        self._drop_client(owner)

    @property
    def _leaving_late(self) -> bool:
        return len(self._leaving) > 4

    # -- the printer

    def _dial_device(self) -> None:
        """A device is opened at start and kept: opening a serial port pulses its lines."""
        if not self._printer_end.url.startswith("tcp:"):
            self._dial_printer()

    def _dial_printer(self) -> None:
        if self._printer is not None or self.now < self._printer_retry:
            if self._printer is None:
                self._refuse("printer: not there")
            return
        try:
            self._printer = self._printer_end.connect()
        except (OSError, EdgeboxError) as fault:
            self._printer_retry = self.now + RECONNECT_S
            self._refuse(f"printer: {fault}")
            return
        self._paced = self._printer.paced
        self._watch(self._printer.fileno(), WRITE, self._dialing)

    def _dialing(self, events: int) -> None:
        printer = self._printer
        if printer is None:
            return
        try:
            if not self._printer_end.connected(printer):
                return
        except OSError as fault:
            self._printer_lost(f"printer: {fault}")
            return
        self._up = True
        self._printer_retry = 0.0
        self.core.printer_connected()
        self._watch(printer.fileno(), READ, self._printer_event)

    def _printer_event(self, events: int) -> None:
        printer = self._printer
        if printer is None:
            return
        if events & ~WRITE:
            try:
                data = printer.read(REPLY_BYTES)
            except OSError as fault:
                self._printer_lost(f"printer: {fault}")
                return
            if data == b"":
                self._printer_lost("printer: closed the connection")
                return
            if data:
                self._answer_till(self.core.printer_bytes(data, self.now))
        if events & WRITE:
            self._write_printer()

    def _answer_till(self, data: bytes) -> None:
        if data and self._clients.owner is not None and len(self._to_till) < REPLY_BYTES:
            self._to_till += data
            self._write_till()

    def _write_printer(self) -> None:
        printer, outbox = self._printer, self.core.outbox
        if printer is None or not self._up:
            return
        try:
            while outbox.size:
                taken = printer.write(outbox.peek())
                if not taken:
                    break
                outbox.taken(taken)
        except OSError as fault:
            self._printer_lost(f"printer: {fault}")
            return
        if not outbox.size:
            self.core.written()
        self._watch(printer.fileno(), READ | (WRITE if outbox.size and not self._paced else 0))

    def _printer_lost(self, why: str) -> None:
        """As on a bare wire: the till's connection breaks too."""
        self._log(why)
        printer, self._printer, was_up = self._printer, None, self._up
        self._up = False
        if printer is not None:
            self._forget(printer)
            printer.close()
        self._printer_retry = self.now + RECONNECT_S if not was_up else 0.0
        self.core.printer_lost(self.now)
        self._refuse("")

    def _refuse(self, why: str) -> None:
        """The till sees what it would see without the box: a printer that is not there."""
        if why:
            self._log(why)
        for port in [p for p in (self._clients.owner, *self._clients.parked) if p is not None]:
            if self._till_end.fileno() is not None:
                self.core.till_closed(self.now)
                self._drop_client(port, broken=True)

    def _mind_printer(self) -> None:
        """Dials for a job, lets go when nothing is to come, retries a device."""
        core = self.core
        device = not self._printer_end.url.startswith("tcp:")
        if self._printer is None:
            wanted = device or core.wants_printer
            if wanted and self.now >= self._printer_retry:
                self._dial_printer()
            return
        if not device and self._up and self._clients.owner is None and not core.wants_printer:
            self._let_printer_go()
        for entry in list(self._leaving):
            if self.now >= entry[1]:
                self._gone(entry[0])

    def _let_printer_go(self) -> None:
        """Half-close and wait for the printer's close: a full close with unread replies would reset the rest away."""
        printer = self._printer
        assert printer is not None
        self._printer, self._up = None, False
        self.core.printer_released()
        try:
            printer.finish_writing()
        except OSError:
            self._forget(printer)
            printer.close()
            return
        self._leaving.append((printer, self.now + LINGER_S))

        def farewell(events: int) -> None:
            try:
                if printer.read(REPLY_BYTES) != b"":
                    return
            except OSError as fault:
                self._log(f"printer, after the end: {fault}")
            self._gone(printer)

        self._watch(printer.fileno(), READ, farewell)

    def _gone(self, printer: Port) -> None:
        self._leaving = [entry for entry in self._leaving if entry[0] is not printer]
        self._forget(printer)
        printer.close()

    # -- the engine

    def _serve_engine(self, tap: Tap) -> None:
        if tap.socket is None:
            if self.now < tap.retry_at or not tap.connect(self.now):
                return
            self.core.engine_connected()
            self._watch(tap.fileno(), READ, self._engine_event)
            self._send_engine(tap, self.core.hello(self._printer_end.bytes_per_s))
        else:
            self._send_engine(tap, b"")

    def _send_engine(self, tap: Tap, raw: bytes) -> None:
        try:
            if not tap.wants_write:
                raw += self.core.pump(self.now)
            tap.send(raw)
        except OSError as fault:
            self._engine_lost(fault)
            return
        self._watch(tap.fileno(), READ | (WRITE if tap.wants_write else 0))

    def _engine_event(self, events: int) -> None:
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
            self._engine_lost(fault)

    def _engine_lost(self, fault: OSError) -> None:
        tap = self._tap
        assert tap is not None
        self._log(f"engine: {fault}")
        if tap.socket is not None:
            self._forget(tap)
        tap.close(self.now)
        self.core.engine_lost(self.now)

    def _close_all(self) -> None:
        for port in [p for p in (self._clients.owner, *self._clients.parked, self._printer) if p is not None]:
            self._forget(port)
            port.close()
        for port, _ in self._leaving:
            self._forget(port)
            port.close()
        self._till_end.close()
        if self._tap is not None:
            self._tap.close(self.now)
        self._epoll.close()
