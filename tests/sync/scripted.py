"""A scripted broker: speaks just enough MQTT 5 to refuse on demand, which mosquitto can't be made to do.

Owns: CONNECT, SUBSCRIBE, PUBLISH, PINGREQ and their answers, as a test's script wants them. Never: stands in for a
broker where the real one can show the thing; nothing is routed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from sync.contract import Batch

Script = Callable[["Published"], int | None]


class Published(NamedTuple):
    """A PUBLISH that came in."""

    topic: str
    payload: bytes

    @property
    def batch(self) -> Batch:
        """Its rows."""
        return msgspec.json.decode(self.payload, type=Batch)


class ScriptedBroker:
    """`answer`: the reason code for each PUBLISH, or None for no answer at all."""

    def __init__(self, answer: Script = lambda _: 0, *, connack: bytes = b"", connack_reason: int = 0) -> None:
        self.answer = answer
        self.published: list[Published] = []
        self.connects = 0
        self.port = 0
        self.disconnect: Callable[[Published], int] = lambda _: 0  # a reason ends the connection instead
        self.writers: list[asyncio.StreamWriter] = []
        self._connack = connack
        self._connack_reason = connack_reason

    def send(self, raw: bytes) -> None:
        """Bytes to whoever is connected."""
        for writer in self.writers:
            writer.write(raw)

    def publish(self, topic: str, payload: bytes, mid: int = 7) -> None:
        """A QoS 1 message to whoever is connected."""
        self.send(packet(0x32, text(topic) + mid.to_bytes(2, "big") + b"\0" + payload))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.writers.append(writer)
        try:
            while True:
                kind = (await reader.readexactly(1))[0]
                self._handle(kind, await reader.readexactly(await _length(reader)), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.remove(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _handle(self, kind: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        match kind & 0xF0:
            case 0x10:
                self.connects += 1
                writer.write(
                    packet(0x20, bytes([0, self._connack_reason]) + bytes([len(self._connack)]) + self._connack)
                )
            case 0x80:
                writer.write(packet(0x90, body[:2] + b"\0" + bytes([1] * 4)))
            case 0xC0:
                writer.write(packet(0xD0, b""))
            case 0x30:
                self._published(body, writer)
            case 0xE0:
                writer.close()

    def _published(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(body[:2], "big")
        mid, rest = body[2 + size : 4 + size], body[4 + size :]
        found = Published(body[2 : 2 + size].decode(), rest[1 + rest[0] :])
        self.published.append(found)
        if reason := self.disconnect(found):
            writer.write(packet(0xE0, bytes([reason, 0])))
            writer.close()
        elif (reason := self.answer(found)) is not None:
            writer.write(packet(0x40, mid + (bytes([reason, 0]) if reason else b"")))


@asynccontextmanager
async def listening(broker: ScriptedBroker) -> AsyncIterator[ScriptedBroker]:
    """On a free port of loopback."""
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        for writer in broker.writers:
            writer.close()
        await server.wait_closed()


def packet(kind: int, body: bytes) -> bytes:
    """A packet with its length."""
    out, length = bytearray([kind]), len(body)
    while True:
        out.append(length % 128 | (0x80 if length >= 128 else 0))
        length //= 128
        if not length:
            return bytes(out) + body


def text(value: str) -> bytes:
    """A string as MQTT writes it."""
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


async def _length(reader: asyncio.StreamReader) -> int:
    value, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value
