"""The till's side: who has the line, and what is read from and written to it.

Owns: the clients, whose turn it is, and the bytes back to the owner. Never: decides what happens to the till's bytes
(core.py). One client owns the line until it closes, or until it is quiet at a document's boundary while another one
has something to say; the others wait unread: a till that keeps port 9100 open for days must not lock out a second
one, and two receipts must never be mixed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgebox.errors import EdgeboxError
from edgebox.line.core import LineCore
from edgebox.line.poll import HANG_UP, READ, WRITE, Handler, Poll

if TYPE_CHECKING:
    from drivers.base import Port, StatusPort, TillEnd
    from edgebox.escpos.status import PrinterStatus

CLIENTS_MAX = 8  # accepted; more wait in the listener's backlog
QUIET_S = 1.0  # silence at a boundary before another client may take over: longer than between copies of a receipt
RETRY_S = 1.0  # a device that is not there is tried again this often; so is a listener that can't accept
SHOWN_S = 0.5  # a till on USB is told of the printer, and looked for, at least so often; as drivers/port_status.py asks
BACK_MAX = 4096  # bytes for a till that doesn't read its replies; a real one has a few dozen outstanding


class TillSide:
    """Accepted connections. `dial` is called when a client gets the line: the printer is wanted."""

    def __init__(self, core: LineCore, end: TillEnd, poll: Poll, log: Callable[[str], None]) -> None:
        self.core = core
        self.owner: Port | None = None
        self.shows: StatusPort | None = None  # the owner, if it answers for the printer beside the data
        self._check_at = 0.0
        self.ended = False  # the owner has finished sending, and still reads
        self.quiet_since = 0.0
        self.back = b""  # for the owner, not yet taken
        self.dial: Callable[[float], None] = lambda now: None
        self._end = end
        self._poll = poll
        self._log = log
        self._parked: list[Port] = []
        self._floor_open = False
        self._busy = False
        self._retry_at = 0.0
        self._cannot_accept = False  # until `_retry_at`: too many descriptors are open; epoll would call at once
        self._trouble = ""  # what was said last of an end that can't be had, so that it is said once
        self._now = 0.0
        self._window = core.settings.window_bytes
        self._is_open = False
        self._shut = False  # not listening because there is no printer
        # A socket that was handed to us can't be opened again, and port 0 would become another one.
        self._reopens = not end.url.startswith("tcp://fd:") and ":0" not in end.url[-2:]
        self.is_device = False  # a cable: one till, always there; known once open

    def open(self, now: float) -> None:
        """Listens, or opens the device."""
        self._end.open()
        self.is_device = self._end.fileno() is None
        self._is_open = True
        self._now = now
        if self.is_device:
            self._accept(0)

    def next_wake(self) -> float | None:
        """When the floor opens, or a device is tried again; None: no such time."""
        times = []
        if self._is_open and (self._cannot_accept or (self.is_device and self.owner is None)):
            times.append(self._retry_at)
        if self.shows is not None and self.owner is not None:
            times.append(self._check_at)
        if self.owner is not None and not self._floor_open and self._parked and self._is_quiet:
            times.append(self.quiet_since + QUIET_S)
        return min(times) if times else None

    def stop_listening(self) -> None:
        """No new clients."""
        listener = self._end.fileno()
        if listener is not None:
            self._poll.forget(listener)
        self._is_open = False

    def close(self) -> None:
        """Lets everybody go."""
        for port in [p for p in (self.owner, *self._parked) if p is not None]:
            self._poll.forget(port)
            port.close()
        self._end.close()

    # -- every turn

    def mind(self, now: float, printer_up: bool, printer_absent: bool = False) -> None:
        """Listens to the owner as far as the printer lets it, and lets others in at the right moment."""
        self._now = now
        core = self.core
        if self.owner is None:
            self._next_owner()
        elif self.ended and not self.back and (not core.wants_printer or self._goes_on):
            self._drop(self.owner)
            self._next_owner()
        else:
            self._open_floor(self._is_quiet and now >= self.quiet_since + QUIET_S)
        owner = self.owner
        if owner is not None:
            wanted = printer_up and core.wants_till and not self.ended
            self._show_busy(owner, not wanted and not self.ended)
            events = (READ if wanted else 0) | (WRITE if self.back else 0)
            if not events and self.shows is not None:
                events = HANG_UP  # the node is to be closed before the gadget is bound anew (drivers/gadget.py)
            self._poll.watch(owner, events, self._on_owner)
        if not self.is_device:
            self._mind_listener(now, printer_absent)

    def _mind_listener(self, now: float, printer_absent: bool) -> None:
        """Who comes is let in while there is room; nobody is while there is no printer: a till must hear of it.

        A till that connects, sends its receipt and closes would hear nothing of a reset behind it.
        """
        if self._cannot_accept and now >= self._retry_at:
            self._cannot_accept = False
        if printer_absent != self._shut and self._is_open and self._reopens:
            self._shut_door(printer_absent)
        listener = self._end.fileno()
        if listener is None or not self._is_open or self._shut:
            return
        room = (not self._full or self._floor_open) and not self._cannot_accept
        self._poll.watch(listener, READ if room else 0, self._accept)

    def _shut_door(self, shut: bool) -> None:
        """Stops listening, or listens again: a till's connect is refused meanwhile, as it would be without the box."""
        try:
            if shut:
                listener = self._end.fileno()
                if listener is not None:
                    self._poll.forget(listener)
                self._end.close()
            else:
                self._end.open()
        except (OSError, EdgeboxError) as fault:
            self._log(f"till end: {fault}")
            self._cannot_accept, self._retry_at = True, self._now + RETRY_S
            return
        self._shut = shut
        self._log("tills are refused until the printer is there" if shut else "the printer is there: tills are let in")

    @property
    def _full(self) -> bool:
        return len(self._parked) + (self.owner is not None) >= CLIENTS_MAX

    @property
    def _is_quiet(self) -> bool:
        """Nothing of the owner's is on the way, either way."""
        core = self.core
        return (core.between_documents or core.silent) and not core.outbox.size and not self.back

    @property
    def _goes_on(self) -> bool:
        """The client that hung up is back with the next part: all of the first has gone out, and it is first in line.

        A client from elsewhere waits until the document has ended.
        """
        assert self.owner is not None
        if not self._parked or self.core.outbox.size:
            return False
        return _host(self._parked[0]) == _host(self.owner)

    def _show_busy(self, owner: Port, busy: bool) -> None:
        if busy != self._busy:
            self._busy = busy
            owner.set_busy(busy)

    # -- the owner

    def _on_owner(self, events: int) -> None:
        port = self.owner
        if port is None:
            return
        if events & WRITE:
            self.write_back(b"")
        if events & ~WRITE:
            try:
                self.take(port.read(self._window))
            except OSError as fault:
                self.failed(fault)

    def take(self, data: bytes | None) -> None:
        """What a read of the owner brought: bytes that may have to wait, its end (empty), or nothing (None)."""
        if data is None:
            return
        if not data:
            self.core.till_closed(self._now)
            self.ended = True
            return
        self.quiet_since = self._now
        self.core.till_bytes(data, self._now)

    def at(self, now: float) -> None:
        """The loop's clock."""
        self._now = now

    def look_again(self) -> None:
        """A cable that was not to be had is there now."""
        self._retry_at = self._now

    def failed(self, fault: OSError) -> None:
        """The owner's connection broke."""
        if self.owner is not None:
            self._log(f"till {self.owner.peer}: {fault}")
            self.core.till_closed(self._now)
            self._drop(self.owner, broken=True)  # nothing to wait for: a serial port's close would (30 s)
            self._retry_at = self._now + RETRY_S

    def write_back(self, data: bytes) -> None:
        """Bytes from the printer for the owner; one that doesn't read them loses the newest.

        One that has hung up hears nothing more, but what it sent before is still to be read and printed.
        """
        port = self.owner
        if port is None:
            return
        self.back += data[: BACK_MAX - len(self.back)] if self.back else data
        if not self.back:
            return
        try:
            self.back = self.back[port.write(self.back) :]
        except OSError as fault:
            self._log(f"till {port.peer}, not listening: {fault}")
            self.back = b""

    def printer_gone(self, *, broken: bool) -> None:
        """As on a bare wire: the connections end too, by a reset where the printer's link broke.

        Those that wait for their turn are not yet with a printer that hung up in good order.
        """
        if self.is_device:
            return
        self.core.till_closed(self._now)
        for port in [p for p in (self.owner, *(self._parked if broken else ())) if p is not None]:
            self._drop(port, broken=broken)

    def _drop(self, port: Port, *, broken: bool = False) -> None:
        self._poll.forget(port)
        if port is self.owner:
            self.owner, self.back, self.ended, self._busy = None, b"", False, False
        else:
            self._parked.remove(port)
        if broken:
            port.abort()
        else:
            port.close()

    # -- whose turn it is

    def _accept(self, events: int) -> None:
        try:
            port = self._end.accept()
        except (OSError, EdgeboxError) as fault:
            if str(fault) != self._trouble:
                self._trouble = str(fault)
                self._log(f"till end: {fault}; tried again every {RETRY_S:g} s")
            self._retry_at = self._now + RETRY_S
            self._cannot_accept = not self.is_device
            return
        self._trouble = ""
        if port is not None and self._full:
            self._make_room()
        if port is None:
            self._retry_at = self._now + RETRY_S
            self.core.counters["clients_refused"] = self._end.refused
        elif self.owner is None:
            self._own(port)
        else:
            self._parked.append(port)
            self._poll.watch(port, READ if self._floor_open else 0, self._speaker(port))

    def _make_room(self) -> None:
        """The floor is open and everybody is silent: the one that has been so the longest goes, for the newcomer."""
        silent = self._parked[0]
        self._log(f"till {silent.peer}: silent, and {CLIENTS_MAX} tills are connected; let go for another")
        self._drop(silent)

    def show(self, status: PrinterStatus, printer_up: bool, told: int | None) -> None:
        """What a till on USB is told of the printer when it asks beside the data: what its own port says, if it does.

        Else what is known from the replies on the wire.
        """
        if self.shows is None or self.owner is None:
            return
        try:
            if told is not None:
                self.shows.mirror(told)
            else:
                self.shows.show(
                    offline=not printer_up or bool(status & status.OFFLINE),
                    paper_end=bool(status & status.PAPER_END),
                    fault=bool(status & (status.ERROR | status.COVER_OPEN)),
                )
            if self._now >= self._check_at:
                self._check_at = self._now + SHOWN_S
                self.shows.check()
        except OSError as fault:
            self.failed(fault)

    def _own(self, port: Port) -> None:
        from drivers.base import StatusPort

        self.owner, self.ended = port, False
        self.shows = port if isinstance(port, StatusPort) else None
        self.quiet_since = self._now
        self._open_floor(False)
        self.core.till_opened(self._now)
        self.dial(self._now)

    def _next_owner(self) -> None:
        if self._parked:
            port = self._parked.pop(0)
            self._poll.forget(port)
            self._own(port)
        elif self.is_device and self._is_open and self._now >= self._retry_at:
            self._accept(0)

    def _open_floor(self, is_open: bool) -> None:
        """Between documents, after a moment's silence, whoever speaks first has the line."""
        if is_open == self._floor_open:
            return
        self._floor_open = is_open
        for port in self._parked:
            self._poll.watch(port, READ if is_open else 0, self._speaker(port))

    def _speaker(self, port: Port) -> Handler:
        def spoke(events: int) -> None:
            if not self._is_quiet:
                return  # something came in this very turn: the turn's end closes the floor
            previous = self.owner
            self._parked.remove(port)
            if previous is not None:
                self._poll.forget(previous)
                self._parked.append(previous)
            self._own(port)

        return spoke


def _host(port: Port) -> str:
    """Who is there, without its port number."""
    return port.peer.rpartition(":")[0]
