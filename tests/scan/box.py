"""The real `edgebox-scan` process between simulated ends, and an engine that says what it is told to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import hw_sim.cables
import tests.dataplane
from edgebox.scan.frames import Decoder, Frame, FrameError, Hello, Outcome, Ping, Pong, Result, Scan, Verdict, encode
from tests.dataplane import PATIENCE_S, EngineSocket, until

__all__ = ["PATIENCE_S", "Cable", "Engine", "Process", "until"]
RULES = ("--set", "coupons=CPN:", "--set", "members=VIP:")


class Process(tests.dataplane.Process):
    """The process. `log` is what it says."""

    def __init__(self, scanner: str, till: str, *more: str, env: dict[str, str] | None = None) -> None:
        engine = () if "--engine" in more else ("--engine", "")
        words = ("--scanner", scanner, "--till", till, *RULES, *more, *engine)
        super().__init__("edgebox.scan.daemon", *words, env=env)

    def said(self, words: str) -> bool:
        return any(words in line for line in self.log)

    def wait_said(self, words: str) -> None:
        until(lambda: self.said(words), f"{words!r} in {self.log}")


class Engine(EngineSocket[Frame]):
    """`wants(scan)`: True keeps, False forwards, None says nothing."""

    def __init__(self, path: Path, wants: Callable[[Scan], bool | None] = lambda scan: True) -> None:
        self.wants = wants
        super().__init__(path, Decoder, FrameError)

    def _take(self, frame: Frame, link: socket.socket) -> None:
        if isinstance(frame, Scan):
            wanted = self.wants(frame)
            if wanted is not None:
                self._say(link, encode(Verdict(frame.number, wanted)))
        elif isinstance(frame, Ping):
            self._say(link, encode(Pong(frame.nonce, "")))

    def send(self, frame: Frame) -> None:
        """A frame to the scanner that connected last."""
        self._out.append(encode(frame))

    @property
    def connected(self) -> bool:
        return any(isinstance(frame, Hello) for frame in self.frames)

    @property
    def scans(self) -> list[Scan]:
        return [frame for frame in self.frames if isinstance(frame, Scan)]

    @property
    def results(self) -> list[Result]:
        return [Result(frame.result) for frame in self.frames if isinstance(frame, Outcome)]


class Cable(hw_sim.cables.Cable):
    """As hw_sim's, and a test can wait for what it should bring."""

    def comes(self, wanted: bytes) -> None:
        until(lambda: len(self.listen()) >= len(wanted), f"{len(wanted)} bytes, after {bytes(self.heard)!r}")
        assert bytes(self.heard) == wanted
