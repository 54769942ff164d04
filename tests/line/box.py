"""The real `edgebox-line` process between a simulated till and printer, and an engine that says what it is told to."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from edgebox.line.frames import Answer, Begin, Data, Decoder, Done, End, Frame, FrameError, Hello, Outcome, encode
from tests.dataplane import PATIENCE_S, EngineSocket, Process, until
from tests.line.wire import BODY

__all__ = ["PATIENCE_S", "Engine", "Line", "free_port", "line_over_tcp", "until"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Line(Process):
    """The process. `log` is what it says. `listens`: it will at once; without a printer tills are refused."""

    def __init__(
        self, till: str, printer: str, *more: str, env: dict[str, str] | None = None, listens: bool = True
    ) -> None:
        self.port = int(till.rpartition(":")[2]) if till.startswith("tcp:") else 0
        super().__init__("edgebox.line.daemon", "--till", till, "--printer", printer, *more, env=env)
        if self.port and listens:
            until(self._listens, "the line listens")

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"the line ended: {''.join(self.log)}")
        wanted = f":{self.port:04X} 00000000:0000 0A"
        return wanted in Path("/proc/net/tcp").read_text(encoding="ascii")

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)


class Engine(EngineSocket[Frame]):
    """`answer(end)` gives a body, b"" for none, None to stay silent."""

    def __init__(
        self, path: Path, answer: Callable[[End], bytes | None] = lambda end: BODY, *, done: bool = True
    ) -> None:
        self.answer = answer
        self.done = done
        super().__init__(path, Decoder, FrameError)

    def _take(self, frame: Frame, link: socket.socket) -> None:
        if isinstance(frame, End) and frame.ask:
            body = self.answer(frame)
            if body is not None:
                self._say(link, encode(Answer(frame.document, b"ref", body)))
        elif isinstance(frame, Outcome) and self.done:
            self._say(link, encode(Done(frame.document)))

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


@contextlib.contextmanager
def line_over_tcp(printer: tuple[str, int], *more: str) -> Iterator[Line]:
    """A line that listens on a free port of this machine's loopback."""
    with Line(f"tcp://127.0.0.1:{free_port()}", f"tcp://127.0.0.1:{printer[1]}", *more) as line:
        yield line
