"""The real `edgebox-scan` process between simulated ends, and an engine that says what it is told to."""

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
from typing import Self

import hw_sim.cables
from edgebox.scan.frames import Decoder, Frame, Hello, Outcome, Ping, Pong, Result, Scan, Verdict, encode

PATIENCE_S = 8.0
RULES = ("--set", "coupons=CPN:", "--set", "members=VIP:")


def until(wanted: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Waits for something that another process or thread does."""
    end = time.monotonic() + timeout_s
    while not wanted():
        if time.monotonic() > end:
            raise TimeoutError(f"did not come: {what}")
        time.sleep(0.002)


class Process:
    """The process. `log` is what it says."""

    def __init__(self, scanner: str, till: str, *more: str, env: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "edgebox.scan.daemon", "--scanner", scanner, "--till", till, *RULES, *more]
        if "--engine" not in more:
            command += ["--engine", ""]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, env=env, text=True)
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        self.log.extend(self._process.stderr)

    def said(self, words: str) -> bool:
        return any(words in line for line in self.log)

    def wait_said(self, words: str) -> None:
        until(lambda: self.said(words), f"{words!r} in {self.log}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def rss_kib(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0])

    @property
    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def terminate(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        assert "Traceback" not in "".join(self.log), "".join(self.log)


class Engine:
    """Listens on a Unix socket in a thread. `wants(scan)`: True keeps, False forwards, None says nothing."""

    def __init__(self, path: Path, wants: Callable[[Scan], bool | None] = lambda scan: True) -> None:
        self.path = path
        self.wants = wants
        self.reads = True
        self.frames: list[Frame] = []
        self.raw = bytearray()  # all that ever came
        self._links: dict[socket.socket, Decoder] = {}
        self._out: list[Frame] = []
        self._running = True
        self._listener = socket.socket(socket.AF_UNIX)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

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
                        self._links[link] = Decoder()
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
        for frame in self._links[link].feed(data):
            self.frames.append(frame)
            if isinstance(frame, Scan):
                wanted = self.wants(frame)
                if wanted is not None:
                    self._say(link, Verdict(frame.number, wanted))
            elif isinstance(frame, Ping):
                self._say(link, Pong(frame.nonce, ""))

    def _say(self, link: socket.socket, frame: Frame) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has gone: the test knows
            link.sendall(encode(frame))

    def hang(self) -> None:
        """From now on it reads nothing."""
        self.reads = False
        time.sleep(0.03)  # longer than it may already be listening

    def send(self, frame: Frame) -> None:
        self._out.append(frame)

    @property
    def connected(self) -> bool:
        return any(isinstance(frame, Hello) for frame in self.frames)

    @property
    def scans(self) -> list[Scan]:
        return [frame for frame in self.frames if isinstance(frame, Scan)]

    @property
    def results(self) -> list[Result]:
        return [Result(frame.result) for frame in self.frames if isinstance(frame, Outcome)]

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


class Cable(hw_sim.cables.Cable):
    """As hw_sim's, and a test can wait for what it should bring."""

    def comes(self, wanted: bytes) -> None:
        until(lambda: len(self.listen()) >= len(wanted), f"{len(wanted)} bytes, after {bytes(self.heard)!r}")
        assert bytes(self.heard) == wanted
