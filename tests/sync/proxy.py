"""A TCP proxy on loopback that cuts connections in the middle of a packet, and counts what went through.

Owns: two sockets for each connection. Never: reads MQTT; `cut_after` counts bytes from the box to the broker.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """`cut_after`: each connection ends without a word after so many bytes; 0: never."""

    def __init__(self, target: int, cut_after: int = 0) -> None:
        self.target = target
        self.cut_after = cut_after
        self.cuts = 0
        self.port = 0
        self.stalled = False  # takes what comes and says nothing
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Every connection ends now."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            out_reader, out_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, out_writer}
        back = asyncio.ensure_future(self._copy(out_reader, writer, 0))
        try:
            await self._copy(reader, out_writer, self.cut_after)
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            for each in (writer, out_writer):
                self._writers.discard(each)
                each.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
        bounded = left > 0
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(min(left, 65536) if bounded else 65536):
                if self.stalled:
                    continue
                writer.write(data)
                await writer.drain()
                left -= len(data)
                if bounded and left <= 0:
                    self.cuts += 1
                    return


@asynccontextmanager
async def proxied(target: int, cut_after: int = 0) -> AsyncIterator[Proxy]:
    """On a free port of loopback."""
    proxy = Proxy(target, cut_after)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()
