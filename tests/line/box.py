"""The real `edgebox-line` process between a simulated till and printer, and an engine that says what it is told to."""

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from edgebox.line.frames import Answer, Begin, Data, Decoder, Done, End, Frame, FrameError, Hello, Outcome, encode
from tests.line.wire import BODY

PATIENCE_S = 8.0
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(wanted: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Waits for something that another process or thread does."""
    end = time.monotonic() + timeout_s
    while not wanted():
        if time.monotonic() > end:
            raise TimeoutError(f"did not come: {what}")
        time.sleep(0.003)


class Line:
    """The process. `log` is what it says."""

    def __init__(self, till: str, printer: str, *more: str, env: dict[str, str] | None = None) -> None:
        self.port = int(till.rpartition(":")[2]) if till.startswith("tcp:") else 0
        command = [sys.executable, "-m", "edgebox.line.daemon", "--till", till, "--printer", printer, *more]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, env=env, text=True)
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if self.port:
            until(self._listens, "the line listens")

    def _read(self) -> None:
        assert self._process.stderr is not None
        for text in self._process.stderr:
            self.log.append(text)

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"the line ended: {''.join(self.log)}")
        wanted = f":{self.port:04X} 00000000:0000 0A"
        return wanted in Path("/proc/net/tcp").read_text(encoding="ascii")

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

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


class Engine:
    """Listens on a Unix socket in a thread. `answer(end)` gives a body, b"" for none, None to stay silent."""

    def __init__(
        self, path: Path, answer: Callable[[End], bytes | None] = lambda end: BODY, *, done: bool = True
    ) -> None:
        self.path = path
        self.answer = answer
        self.done = done
        self.reads = True
        self.frames: list[Frame] = []
        self.broken = 0
        self._links: dict[socket.socket, Decoder] = {}
        self._out: list[bytes] = []
        self._running = True
        self._listener = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while self._running:
                for key, _ in selector.select(0.01):
                    if key.fileobj is self._listener:
                        link, _ = self._listener.accept()
                        self._links[link] = Decoder()
                        selector.register(link, selectors.EVENT_READ)
                    elif self.reads and isinstance(key.fileobj, socket.socket):
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
        try:
            for frame in self._links[link].feed(data):
                self._take(frame, link)
        except FrameError:
            self.broken += 1

    def _take(self, frame: Frame, link: socket.socket) -> None:
        self.frames.append(frame)
        if isinstance(frame, End) and frame.ask:
            body = self.answer(frame)
            if body is not None:
                self._say(link, encode(Answer(frame.document, b"ref", body)))
        elif isinstance(frame, Outcome) and self.done:
            self._say(link, encode(Done(frame.document)))

    def _say(self, link: socket.socket, raw: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the line has gone: the test knows
            link.sendall(raw)

    def send(self, raw: bytes) -> None:
        """Bytes to the line that connected last."""
        self._out.append(raw)

    @property
    def connected(self) -> bool:
        return any(isinstance(frame, Hello) for frame in self.frames)

    @property
    def ends(self) -> list[End]:
        return [frame for frame in self.frames if isinstance(frame, End)]

    @property
    def outcomes(self) -> list[Outcome]:
        return [frame for frame in self.frames if isinstance(frame, Outcome)]

    def documents(self) -> dict[int, bytes]:
        """What has been told of each document, by number."""
        found: dict[int, bytes] = {}
        for frame in list(self.frames):
            if isinstance(frame, Begin):
                found[frame.document] = b""
            elif isinstance(frame, Data):
                found[frame.document] = found[frame.document][: frame.offset] + frame.raw
        return found

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


@contextlib.contextmanager
def line_over_tcp(printer: tuple[str, int], *more: str) -> Iterator[Line]:
    """A line that listens on a free port of this machine's loopback."""
    with Line(f"tcp://127.0.0.1:{free_port()}", f"tcp://127.0.0.1:{printer[1]}", *more) as line:
        yield line
