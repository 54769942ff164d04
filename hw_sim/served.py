"""The simulated printer on a real wire: a TCP port (raw 9100) or a pty, served by one thread.

Owns: the loop, the client, back-pressure: it reads no more than the printer's receive buffer has room for, so a
sender feels a full printer as it would a real one. Never: decides anything about paper or replies (printer.py).
Everything else about the printer goes through `with served.printer() as p:`, which takes the lock.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol, Self

from hw_sim.ink import Report
from hw_sim.printer import Printer

_READ_BYTES = 4096
_RECEIVE_BYTES = 4096  # SO_RCVBUF asked for: the network card of a printer keeps little
_LONGEST_WAIT_S = 0.5
_XON, _XOFF = b"\x11", b"\x13"


class Wire(Protocol):
    """What the loop needs of an end."""

    def fileno(self) -> int: ...
    def read(self, size: int) -> bytes: ...
    def write(self, data: bytes) -> int: ...
    def close(self) -> None: ...


class _SocketWire:
    def __init__(self, client: socket.socket) -> None:
        client.setblocking(False)
        self._client = client
        self.fileno = client.fileno

    def read(self, size: int) -> bytes:
        return self._client.recv(size)

    def write(self, data: bytes) -> int:
        return self._client.send(data)

    def close(self) -> None:
        self._client.close()

    def reset(self) -> None:
        """Closes with RST, as a printer that lost its power would look."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._client.close()


class _PtyWire:
    def __init__(self, master: int) -> None:
        os.set_blocking(master, False)
        self._master = master

    def fileno(self) -> int:
        return self._master

    def read(self, size: int) -> bytes:
        return os.read(self._master, size)

    def write(self, data: bytes) -> int:
        return os.write(self._master, data)

    def close(self) -> None:
        os.close(self._master)


class Served:
    """The loop. Subclasses bring the wire; `bytes_per_s` 0: as fast as it goes."""

    pushes_back = True  # a full buffer is simply not read into; false: what comes then is lost, as on a real RS-232

    def __init__(self, printer: Printer, *, bytes_per_s: float = 0.0, clock: Callable[[], float] = time.monotonic):
        self._printer = printer
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._bell_in, self._bell_out = os.pipe()
        self._running = True
        self._out = bytearray()
        self._next_read_at = 0.0
        self._ending = False  # the client sends no more; it still hears until all is printed
        self._errands: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, name="printer", daemon=True)

    @contextlib.contextmanager
    def printer(self) -> Iterator[tuple[Printer, float]]:
        """The printer and the time it is, with the loop held; it goes on at the end of the block."""
        with self._lock:
            yield self._printer, self._clock()
        self._ring()

    def report(self) -> Report:
        """As of now."""
        with self._lock:
            self._printer.tick(self._clock())
            return self._printer.report()

    def wait_until(self, wanted: Callable[[Report], bool], timeout_s: float = 5.0) -> Report:
        """The first report that is as wanted; TimeoutError with the last one."""
        end = time.monotonic() + timeout_s
        while True:
            report = self.report()
            if wanted(report):
                return report
            if time.monotonic() > end:
                raise TimeoutError(f"the printer did not get there in {timeout_s} s: {report}")
            time.sleep(0.002)

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and closes everything."""
        self._running = False
        self._ring()
        self._thread.join(5.0)
        os.close(self._bell_in)
        os.close(self._bell_out)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- for subclasses

    def _wire(self) -> Wire | None:
        """The open wire, if there is one."""
        raise NotImplementedError

    def _waiting(self) -> list[int]:
        """Other descriptors that may become readable while there is no wire."""
        return []

    def _became_readable(self, descriptors: list[int]) -> None:
        """One of `_waiting` has something."""

    def _hang_up(self) -> None:
        """Closes the wire to this client."""

    def _close(self) -> None:
        """The end of the loop."""

    # -- the loop

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # the loop has ended: nobody to wake
            os.write(self._bell_out, b"!")

    def _on_loop(self, errand: Callable[[], None]) -> None:
        """Lets the loop's thread do it, between two turns, and waits until it is done."""
        done = threading.Event()
        self._errands.append((errand, done))
        self._ring()
        if not done.wait(5.0):
            raise TimeoutError("the printer's loop does not run")

    def _serve(self) -> None:
        try:
            while self._running:
                self._turn()
        finally:
            self._close()

    def _turn(self) -> None:
        while self._errands:
            errand, done = self._errands.popleft()
            errand()
            done.set()
        with self._lock:
            now = self._clock()
            self._printer.tick(now)
            self._out += self._flow_control() + self._printer.take_replies()
            room, wakes_at, idle = self._printer.room, self._printer.wakes_at, self._printer.idle
        if self._ending and idle and not self._out:
            self._hang_up()
        wire = self._wire()
        may_read = (
            wire is not None and not self._ending and (room > 0 or not self.pushes_back) and now >= self._next_read_at
        )
        reading = [self._bell_in, *self._waiting()] + ([wire.fileno()] if wire and may_read else [])
        writing = [wire.fileno()] if wire and self._out else []
        if wire is None:
            self._out.clear()  # nobody listens
        waits = [at - now for at in (wakes_at, self._next_read_at) if at is not None and at > now]
        readable, writable, _ = select.select(reading, writing, [], min([*waits, _LONGEST_WAIT_S]))
        if self._bell_in in readable:
            os.read(self._bell_in, _READ_BYTES)
        if wire and writable:
            self._write(wire)
        if wire and wire.fileno() in readable:
            self._read(wire, room)
        self._became_readable([fd for fd in readable if fd in self._waiting()])

    def _flow_control(self) -> bytes:
        return b""

    def _write(self, wire: Wire) -> None:
        try:
            del self._out[: wire.write(bytes(self._out))]
        except BlockingIOError:
            return
        except OSError:  # the client is gone: what it was to hear is for nobody
            self._out.clear()
            self._ending = True

    def _read(self, wire: Wire, room: int) -> None:
        size = min(room, _READ_BYTES) if self.pushes_back else _READ_BYTES
        if self._bytes_per_s:
            size = max(min(size, int(self._bytes_per_s * 0.005)), 1)  # in steps of 5 ms
        try:
            data = wire.read(size)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ending = True
            return
        with self._lock:
            now = self._clock()
            self._printer.feed(data, now)
            if self._bytes_per_s:
                self._next_read_at = max(self._next_read_at, now) + len(data) / self._bytes_per_s


class TcpPrinter(Served):
    """Raw port 9100: one client at a time, the next waits unread. `address` says where."""

    def __init__(
        self,
        printer: Printer,
        *,
        port: int = 0,
        bytes_per_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(printer, bytes_per_s=bytes_per_s, clock=clock)
        self._client: _SocketWire | None = None
        self._listener: socket.socket | None = None
        self.address = ("127.0.0.1", port)
        self._listen()

    def unplug(self) -> None:
        """Network cable out, or power off: the client's connection is reset, new ones are refused."""
        self._on_loop(self._unplug)

    def plug(self) -> None:
        """Back, on the same port."""
        self._on_loop(self._listen)

    def _unplug(self) -> None:
        if self._client:
            self._client.reset()
        if self._listener:
            self._listener.close()
        self._client, self._listener, self._ending = None, None, False

    def _listen(self) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        self._listener.bind(self.address)
        self._listener.listen(8)
        self._listener.setblocking(False)
        self.address = ("127.0.0.1", self._listener.getsockname()[1])

    def _wire(self) -> Wire | None:
        return self._client

    def _waiting(self) -> list[int]:
        listener = self._listener
        return [listener.fileno()] if listener and self._client is None else []

    def _became_readable(self, descriptors: list[int]) -> None:
        if not descriptors or not self._listener or self._client:
            return
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # gone again before we looked
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = _SocketWire(client)
        self.connections += 1

    def _hang_up(self) -> None:
        if self._client:
            self._client.close()
        self._client, self._ending = None, False

    def _close(self) -> None:
        for end in (self._client, self._listener):
            if end:
                end.close()


class PtyPrinter(Served):
    """A serial printer at the far end of a pty; `path` is what the till or the box opens. `xonxoff`: flow by bytes."""

    def __init__(
        self,
        printer: Printer,
        *,
        xonxoff: bool = False,
        bytes_per_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(printer, bytes_per_s=bytes_per_s, clock=clock)
        master, self._slave = os.openpty()  # our slave stays open: a close at the other end is no hang-up
        tty.setraw(self._slave, termios.TCSANOW)
        self.path = os.ttyname(self._slave)
        self._master = _PtyWire(master)
        self._xonxoff = xonxoff
        self._was_busy = False

    def _wire(self) -> Wire | None:
        return self._master

    def _flow_control(self) -> bytes:
        busy = self._printer.busy
        if not self._xonxoff or busy == self._was_busy:
            return b""
        self._was_busy = busy
        return _XOFF if busy else _XON

    def _close(self) -> None:
        self._master.close()
        os.close(self._slave)
