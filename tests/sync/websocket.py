"""MQTT over WebSocket → MQTT over TCP: a relay on loopback, as a web server stands before a broker.

Owns: the handshake and binary frames (RFC 6455). Never: reads MQTT. mosquitto has WebSockets itself, but Debian's does
not start them in every container.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455


@asynccontextmanager
async def websocket_to(target: int, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of the relay to `target`; with TLS where a context is given."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            await _handshake(reader, writer)
            there, back = await asyncio.open_connection("127.0.0.1", target)
            copy = asyncio.ensure_future(_frames_out(there, writer))
            try:
                await _frames_in(reader, back, writer)
            finally:
                copy.cancel()
                await asyncio.gather(copy, return_exceptions=True)
                back.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def _handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = {line.partition(b":")[0].strip().lower(): line.partition(b":")[2].strip() for line in head.split(b"\r\n")}
    assert head.startswith(b"GET /mqtt ")
    assert fields[b"sec-websocket-protocol"] == b"mqtt"
    accept = base64.b64encode(hashlib.sha1(fields[b"sec-websocket-key"] + GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n" % accept
    )


async def _frames_in(reader: asyncio.StreamReader, out: asyncio.StreamWriter, writer: asyncio.StreamWriter) -> None:
    while True:
        kind, size = await reader.readexactly(2)
        assert size & 0x80, "a client masks its frames"
        size &= 0x7F
        if size > 125:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
        mask = await reader.readexactly(4)
        data = await reader.readexactly(size)
        clear = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        if kind & 15 == 10:
            assert clear == b"ping"
            continue
        if kind & 15 == 8:
            writer.write(b"\x88\0")
            return
        assert size < 126 or kind & 8 == 0
        out.write(clear)
        writer.write(b"\x89\4ping")  # answered by a client in between its own frames, or the stream is broken


async def _frames_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
        writer.write(b"\x82" + size + data)
