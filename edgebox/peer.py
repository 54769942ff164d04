"""One connection of a process of the data plane, at the engine: a line's, a scanner's.

Owns: the transport, the frames out of its bytes, and questions whether the other end is there. Never: knows a frame, or
ends because one could not be dealt with: with the connection gone it would come again, for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from edgebox.tap import Decoder

PINGS_MAX = 64  # without an answer; who asks does so every few seconds
Spoken = TypeVar("Spoken")
Answered = TypeVar("Answered")


class Peer(asyncio.Protocol, Generic[Spoken, Answered]):
    """`what`: the other end, in messages; `nonsense`: what `decoder` raises for bytes that are no frame."""

    def __init__(
        self, what: str, decoder: Decoder[Spoken], nonsense: type[Exception], encode: Callable[[Spoken], bytes]
    ) -> None:
        self._what = what
        self._decoder = decoder
        self._nonsense = nonsense
        self._encode = encode
        self._transport: asyncio.Transport | None = None
        self._pings: dict[int, asyncio.Future[Answered]] = {}

    # -- what a connection is besides

    def _take(self, frame: Spoken) -> None:
        """One frame. Whatever it raises costs that frame."""
        raise NotImplementedError

    def _fault(self, what: str, error: BaseException | None = None) -> None:
        """Something went wrong."""
        raise NotImplementedError

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Frames, in any chunking."""
        try:
            for frame in self._decoder.feed(data):
                self._safely(type(frame).__name__, self._take, frame)
        except self._nonsense as fault:
            self._fault(f"the {self._what} talks nonsense: {fault}")
            self.close()

    def close(self) -> None:
        """Lets go of the connection."""
        if self._transport is not None:
            self._transport.close()

    def _gone(self) -> None:
        """It will answer nothing any more."""
        self._transport = None
        for waiting in self._pings.values():
            waiting.cancel()

    # -- frames

    def _send(self, frame: Spoken) -> None:
        if self._transport is not None:
            self._transport.write(self._encode(frame))

    def _safely(self, where: str, take: Callable[..., None], what: object) -> None:
        try:
            take(what)
        except Exception as fault:
            self._fault(f"fault at {where}", fault)

    async def _asked(self, nonce: int, ping: Spoken) -> Answered:
        """The answer to a ping. CancelledError when the other end goes; ConnectionError: it answers none."""
        if len(self._pings) >= PINGS_MAX:
            raise ConnectionError(f"the {self._what} answers no pings")
        waiting: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._pings[nonce] = waiting
        self._send(ping)
        try:
            return await waiting
        finally:
            self._pings.pop(nonce, None)

    def _ponged(self, nonce: int, pong: Answered) -> None:
        waiting = self._pings.get(nonce)
        if waiting is not None and not waiting.done():
            waiting.set_result(pong)
