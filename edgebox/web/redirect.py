"""Plain HTTP: whoever types an address without `https://` is sent on to the page, and nothing else is served there.

Owns: one answer. Never: reads more than a request's head, or waits long for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from edgebox.web.addresses import Neighbours
from edgebox.web.guard import redirect_address

HEAD_BYTES = 4096
WITHIN_S = 5.0
AT_ONCE_MAX = 32


class Redirect:
    """To the page's port."""

    def __init__(self, port: int, neighbours: Neighbours) -> None:
        self._port = port
        self._neighbours = neighbours
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self, listener: socket.socket) -> None:
        """Listens."""
        self._server = await asyncio.start_server(self._answer, sock=listener, limit=HEAD_BYTES)

    async def stop(self) -> None:
        """No more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            peer = writer.get_extra_info("peername") or ("",)
            if self._open <= AT_ONCE_MAX and self._neighbours.is_near(peer[0]):
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WITHIN_S)
                writer.write(self._said(head.decode("latin-1")))
                await asyncio.wait_for(writer.drain(), WITHIN_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a visitor who went away, or isn't one
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _said(self, head: str) -> bytes:
        first, *rest = head.split("\r\n")
        words = first.split(" ")
        host = next((line[5:].strip() for line in rest if line.lower().startswith("host:")), "")
        target = words[1] if len(words) == 3 else "/"
        is_good = len(words) == 3 and words[0] in ("GET", "HEAD") and self._neighbours.is_ours(host)
        is_plain = target.isascii() and target.isprintable()  # a bare line feed would be another header
        if not is_good or not target.startswith("/") or target.startswith("//") or not is_plain:
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        where = f"Location: {redirect_address(host, self._port)}{target}\r\n"
        return f"HTTP/1.1 308 Permanent Redirect\r\n{where}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
