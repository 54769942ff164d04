"""What the tests of line and scanner share: a real process of the data plane, and an engine's socket in a thread."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

PATIENCE_S = 8.0
_TICKS = os.sysconf("SC_CLK_TCK")
Spoken = TypeVar("Spoken")


def until(wanted: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Waits for something that another process or thread does."""
    end = time.monotonic() + timeout_s
    while not wanted():
        if time.monotonic() > end:
            raise TimeoutError(f"did not come: {what}")
        time.sleep(0.002)


class Process:
    """One process. `log` is what it says."""

    def __init__(self, module: str, *words: str, env: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", module, *words]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, env=env, text=True)
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        self.log.extend(self._process.stderr)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def rss_kib(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0])

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def wait(self) -> int:
        return self._process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        self._reader.join(PATIENCE_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        assert "Traceback" not in "".join(self.log), "".join(self.log)


class Decoder(Protocol[Spoken]):
    """Bytes → frames."""

    def feed(self, data: bytes) -> list[Spoken]: ...


class EngineSocket(Generic[Spoken]):
    """Listens on a Unix socket in a thread; `_take` does what the engine would. `reads` False: it hangs."""

    def __init__(self, path: Path, decoder: Callable[[], Decoder[Spoken]], nonsense: type[Exception]) -> None:
        self.path = path
        self.reads = True
        self.frames: list[Spoken] = []
        self.raw = bytearray()  # all that ever came
        self.broken = 0  # connections that talked nonsense
        self._decoder = decoder
        self._nonsense = nonsense
        self._links: dict[socket.socket, Decoder[Spoken]] = {}
        self._out: list[bytes] = []
        self._running = True
        self._listener = socket.socket(socket.AF_UNIX)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _take(self, frame: Spoken, link: socket.socket) -> None:
        """One frame."""
        raise NotImplementedError

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while self._running:
                if not self.reads:
                    time.sleep(0.01)
                    continue
                for key, _ in selector.select(0.01):
                    if key.fileobj is self._listener:
                        link, _ = self._listener.accept()
                        self._links[link] = self._decoder()
                        selector.register(link, selectors.EVENT_READ)
                    elif isinstance(key.fileobj, socket.socket):
                        self._read(selector, key.fileobj)
                while self._out and self._links:
                    self._say(list(self._links)[-1], self._out.pop(0))

    def _read(self, selector: selectors.BaseSelector, link: socket.socket) -> None:
        try:
            data = link.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            selector.unregister(link)
            del self._links[link]
            link.close()
            return
        self.raw += data
        try:
            frames = self._links[link].feed(data)
        except self._nonsense:
            self.broken += 1
            return
        for frame in frames:
            self.frames.append(frame)
            self._take(frame, link)

    def _say(self, link: socket.socket, raw: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has gone: the test knows
            link.sendall(raw)

    def hang(self) -> None:
        """From now on it reads nothing."""
        self.reads = False
        time.sleep(0.03)  # longer than it may already be listening

    def die(self) -> None:
        """As kill -9: every connection breaks, the socket's file stays."""
        self._running = False
        self._thread.join(PATIENCE_S)
        self._listener.close()
        for link in self._links:
            link.close()
        self._links.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._running:
            self.die()
