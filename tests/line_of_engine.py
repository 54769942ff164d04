"""A line's side of the engine's socket, and an engine to connect it to, for the tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from edgebox import config
from edgebox.engine import Engine
from edgebox.line.frames import (
    Answer,
    Begin,
    Data,
    Decoder,
    Done,
    End,
    Frame,
    Hello,
    Outcome,
    Result,
    Why,
    encode,
)
from edgebox.loyalty import claims
from edgebox.loyalty.keyring import Keyring
from edgebox.settings import Config
from edgebox.store.events import ClaimRecord, ReceiptRecord, Stream
from edgebox.store.peek import bodies
from hw_sim.cloud_keys import keyring

NOW = 1_795_000_000  # 2026-11-18
SESSION = b"\x01" * 8
PRELUDE = b"\x1b@"
RECEIPT = (
    b"CORNER SHOP\nReceipt No: 000417\n2026-11-18 18:42:07\n"
    b"MILK  2 x 8.00   16.00\nBREAD           17.90\n"
    b"TOTAL           33.90\nCASH            50.00\nCHANGE          16.10\n\n\n"
)
REPRINT = b"*** REPRINT ***\n" + RECEIPT
RESETTLED = RECEIPT.replace(b"33.90", b"23.90").replace(b"16.10", b"26.10")
PRE_BILL = b"CORNER SHOP\n2026-11-18 18:42:07\nMILK 16.00\nTOTAL 16.00\n"
CUT = b"\x1dV\x00"
KEYS = keyring(b"m" * 32, 4711, 12, NOW)


class FakeLine:
    """A line's side of the socket, driven by a test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()
        self._frames: list[Frame] = []

    @classmethod
    async def connect(
        cls, engine: Engine, name: str = "line1", session: bytes = SESSION, profile: str = "generic-80"
    ) -> "FakeLine":
        line = cls(*await asyncio.open_unix_connection(engine.config.engine.socket))
        CONNECTED.append(line)
        line.send(Hello(session, name, profile, 0, 130))
        return line

    def send(self, *frames: Frame) -> None:
        self._writer.write(b"".join(map(encode, frames)))

    async def next(self) -> Frame:
        while not self._frames:
            data = await asyncio.wait_for(self._reader.read(65536), 5)
            assert data, "the engine closed the connection"
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    def document(self, number: int, raw: bytes, *, piece: int = 4096) -> None:
        self.send(Begin(number, PRELUDE))
        for at in range(0, len(raw), piece):
            self.send(Data(number, at, raw[at : at + piece]))

    def end(self, number: int, raw: bytes, *, ask: bool = True, replay: bool = False, ref: bytes = b"") -> None:
        at = len(raw)
        self.send(End(number, Why.CUT, ask, "", at, at, at, True, -1, 150, replay, ref))

    def outcome(self, number: int, result: Result, ref: bytes = b"") -> None:
        self.send(Outcome(number, result, "", 300 if result is Result.INSERTED else 0, 410, ref))

    async def answer(self, number: int, raw: bytes, **pieces: int) -> Answer:
        """A whole document, up to the engine's answer."""
        self.document(number, raw + CUT, **pieces)
        self.end(number, raw)
        frame = await self.next()
        assert isinstance(frame, Answer)
        assert frame.document == number
        return frame

    async def done(self, number: int, result: Result = Result.INSERTED, ref: bytes = b"") -> None:
        self.outcome(number, result, ref)
        assert await self.next() == Done(number)

    async def print_receipt(self, number: int, raw: bytes = RECEIPT, result: Result = Result.INSERTED) -> Answer:
        answer = await self.answer(number, raw)
        await self.done(number, result if answer.body else Result.PLAIN, answer.ref)
        return answer

    def close(self) -> None:
        self._writer.close()

    async def leave(self, engine: Engine) -> None:
        """Closes, and waits until the engine has noticed."""
        before = len(engine._sessions)
        self.close()
        for _ in range(1000):
            if len(engine._sessions) < before:
                return
            await asyncio.sleep(0.001)
        raise AssertionError("the engine did not notice")


CONNECTED: list[FakeLine] = []


Play = Callable[..., Coroutine[Any, Any, None]]


def settings(folder: Path, *overrides: str) -> Config:
    own = [f"engine.socket={folder}/engine.sock", f"engine.scan_socket={folder}/scan.sock"]
    return config.load(None, [*own, f"engine.data={folder}/data", *overrides])


@contextlib.asynccontextmanager
async def running(folder: Path, *overrides: str, keys: Keyring | None = KEYS, now: int = NOW) -> AsyncIterator[Engine]:
    engine = Engine(settings(folder, *overrides), keys, clock=lambda: now)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()
        while CONNECTED:
            line = CONNECTED.pop()
            line.close()
            with contextlib.suppress(ConnectionError):
                await line._writer.wait_closed()


def recorded(folder: Path) -> list[ReceiptRecord]:
    return [msgspec.json.decode(body, type=ReceiptRecord) for body in bodies(folder / "data", Stream.RECEIPTS)]


def recorded_claims(folder: Path) -> list[ClaimRecord]:
    return [msgspec.json.decode(body, type=ClaimRecord) for body in bodies(folder / "data", Stream.CLAIMS)]


def on_disk(folder: Path) -> bytes:
    """All bytes of the database's files."""
    return b"".join(path.read_bytes() for path in sorted((folder / "data").iterdir()))


def verified(answer: Answer) -> claims.Claim:
    return claims.verify(answer.ref.decode("ascii"), KEYS, NOW).claim
