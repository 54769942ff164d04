"""The programs under test as real processes, with a till's and a printer's end in this one.

Owns: starting and ending them, free ports, the temporary folder, keys of a simulated cloud. Never: measures.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from edgebox.store.events import Stream
from edgebox.store.peek import bodies
from hw_sim import cloud_keys

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0  # a program that isn't ready by then on a busy machine is broken
_READ_BYTES = 65536


class Broken(Exception):  # noqa: N818 - what is broken is what is measured
    """The program under test stopped, or lost or changed bytes: its figures would be worth nothing."""


class Program:
    """One running program; what it says goes to a file in `folder`."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, *, own_session: bool = True) -> None:
        """`own_session`: as a service; else it shares ours, and nice values count between it and us (sched(7))."""
        self.name = name
        self.said = folder / f"{name}.log"
        with self.said.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=own_session,
                process_group=None if own_session else 0,
            )

    @property
    def pid(self) -> int:
        """Of the process started."""
        return self._process.pid

    def check(self) -> None:
        """Broken when it has ended."""
        if self._process.poll() is not None:
            raise Broken(f"{self.name} ended with {self._process.returncode}: {self.said.read_text()[-2000:]}")

    def kill(self) -> None:
        """At once: it has nothing to finish."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(5)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL, for its whole process group, which has nobody else in it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)


@contextlib.contextmanager
def first_in_line() -> Iterator[bool]:
    """Lets this process read at once what has come, whoever runs just then; False: it may not.

    Real-time, because a nice value does not interrupt a program that runs (EEVDF, RUN_TO_PARITY): a reader on the same
    core would wait until the line has parsed, and blame the wire for it.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def line_command(till: str, printer: str, engine: str = "", *more: str) -> list[str]:
    """`edgebox-line` as it is installed."""
    command = [str(Path(sys.executable).with_name("edgebox-line")), "--till", till, "--printer", printer, *more]
    return [*command, "--engine", engine] if engine else command


class EngineProgram(Program):
    """The engine with keys and a folder of its own; ready when made."""

    def __init__(self, folder: Path, *settings: str, own_session: bool = True) -> None:
        self.folder = folder / f"engine-{time.monotonic_ns()}"
        self.folder.mkdir()
        self.socket = str(self.folder / "engine.sock")
        self.scan_socket = str(self.folder / "scan.sock")
        keys = self.folder / "keys.toml"
        cloud_keys.provision(self.folder / "cloud", keys, store=4711, device=1, now=int(time.time()))
        sockets = (f"engine.socket={self.socket}", f"engine.scan_socket={self.scan_socket}")
        sets = (*sockets, f"engine.data={self.folder}", f"claims.keys={keys}", *settings)
        command = [sys.executable, "-m", "edgebox.engine", *(word for pair in sets for word in ("--set", pair))]
        super().__init__("engine", command, folder, own_session=own_session)
        wait_for(lambda: Path(self.socket).exists(), self)

    def receipts(self, skip: int = 0) -> list[bytes]:
        """The JSON of what it has recorded, behind the first `skip`."""
        return bodies(self.folder, Stream.RECEIPTS, skip)


def wait_for(happens: Callable[[], bool], program: Program | None = None, every_s: float = 0.005) -> None:
    """Until `happens()` is true; Broken after PATIENCE_S, or when the program ends."""
    until = time.monotonic() + PATIENCE_S
    while not happens():
        if program is not None:
            program.check()
        if time.monotonic() > until:
            raise Broken(f"waited {PATIENCE_S:.0f} s for {program.name if program else 'something'}")
        time.sleep(every_s)


class Ends:
    """The till's and the printer's end: two descriptors of this process, `write` to one and read the other."""

    def __init__(self, kind: str, folder: Path, name: str) -> None:
        self.kind = kind
        self.till = self.printer = -1
        self._listener: socket.socket | None = None
        if kind == "tcp":
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.till_place, self.printer_place = str(free_port()), str(self._listener.getsockname()[1])
        else:
            self.till_place, self.printer_place = str(folder / f"{name}.till"), str(folder / f"{name}.printer")

    def join(self, program: Program | None, every_s: float = 0.005) -> Self:
        """Connects through the program, trying `every_s`; without one, till and printer to each other."""
        if program is None:
            self._join_directly()
        elif self.kind == "tcp":
            self.till = self._dial(int(self.till_place), program, every_s)
            self.printer = self._answer()
        else:
            wait_for(lambda: os.path.exists(self.till_place) and os.path.exists(self.printer_place), program)
            self.till = os.open(self.till_place, os.O_RDWR | os.O_NOCTTY)
            self.printer = os.open(self.printer_place, os.O_RDWR | os.O_NOCTTY)
        return self

    def _join_directly(self) -> None:
        if self.kind == "tcp":
            self.till = self._dial(int(self.printer_place), None, 0)
            self.printer = self._answer()
        else:
            import tty

            self.printer, self.till = os.openpty()
            tty.setraw(self.till)

    def _dial(self, port: int, program: Program | None, every_s: float) -> int:
        found: list[socket.socket] = []

        def connects() -> bool:
            with contextlib.suppress(ConnectionRefusedError):
                found.append(socket.create_connection(("127.0.0.1", port)))
            return bool(found)

        wait_for(connects, program, every_s)
        found[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found[0].detach()

    def _answer(self) -> int:
        assert self._listener is not None
        self._listener.settimeout(PATIENCE_S)
        connection, _ = self._listener.accept()
        connection.setblocking(True)
        return connection.detach()

    def read_until(self, end: bytes) -> bytes:
        """What the printer gets, until it ends with `end`."""
        found = bytearray()
        while not found.endswith(end):
            if not select.select([self.printer], [], [], 5)[0]:
                raise Broken(f"{len(found)} bytes came, {bytes(found[-40:])!r} the last, and no more")
            found += self._read()
        return bytes(found)

    def _read(self) -> bytes:
        data = os.read(self.printer, _READ_BYTES)
        if not data:
            raise Broken("the printer's end was closed")
        return data

    def close(self) -> None:
        """Both ends and the listener."""
        for descriptor in {self.till, self.printer} - {-1}:
            os.close(descriptor)
        self.till = self.printer = -1
        if self._listener is not None:
            self._listener.close()


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
