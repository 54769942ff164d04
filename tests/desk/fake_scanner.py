"""A scanner's side of the engine's socket, driven by a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from edgebox.engine import Engine
from edgebox.scan.codes import Kind
from edgebox.scan.frames import Arm, Decoder, Ends, Frame, Hello, Outcome, Result, Scan, Verdict, encode
from edgebox.scan_desk import ScanDesk

NAME = "scanner1"


class FakeScanner:
    """Says what it reads, and does what the engine says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()
        self._frames: list[Frame] = []
        self._number = 0

    @classmethod
    async def connect(cls, engine: Engine, name: str = NAME) -> FakeScanner:
        scanner = cls(*await asyncio.open_unix_connection(engine.config.engine.scan_socket))
        scanner.say(Hello(b"\x07" * 8, name), Ends(True, True, ""))
        return scanner

    def say(self, *frames: Frame) -> None:
        self._writer.write(b"".join(map(encode, frames)))

    async def next(self) -> Frame:
        while not self._frames:
            data = await asyncio.wait_for(self._reader.read(65536), 5)
            assert data, "the engine closed the connection"
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    async def ask(self, code: str | bytes, kind: Kind = Kind.COUPON) -> bool:
        """Whether the engine wants it."""
        self._number += 1
        raw = code.encode() if isinstance(code, str) else code
        self.say(Scan(self._number, kind.value, "", raw, False, 150))
        verdict = await self.next()
        assert isinstance(verdict, Verdict)
        assert verdict.number == self._number
        return verdict.keep

    def tell(self, result: Result) -> None:
        """What became of the last code."""
        self.say(Outcome(self._number, result))

    async def scan(self, code: str | bytes, kind: Kind = Kind.COUPON) -> bool:
        """As the scanner does it: what is wanted is kept."""
        wanted = await self.ask(code, kind)
        self.tell(Result.KEPT if wanted else Result.FORWARDED)
        return wanted

    async def armed(self) -> Arm:
        frame = await self.next()
        assert isinstance(frame, Arm)
        return frame

    async def leave(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def scan_desk(engine: Engine) -> AsyncIterator[ScanDesk]:
    """The scanners' part, as edgebox/process.py builds it."""
    desk = ScanDesk(engine)
    assert engine.store is not None
    engine.parts.append(desk)
    engine.listeners.append(desk.receipt)
    await desk.open(engine.store)
    yield desk


def scans_in(folder: Path) -> bytes:
    """The journal of scans, raw."""
    from edgebox.store.events import Stream
    from edgebox.store.peek import bodies

    return b"\n".join(bodies(folder / "data", Stream.SCANS))
