"""The data plane's end of an engine's socket: a line's, a scanner's.

Owns: the connection, its reconnecting, and the bytes that the socket has not yet taken. Never: waits, or knows a frame.
A slow, hung or absent engine costs the wire nothing: what is not taken stays with its owner, and beyond `unsent_max`
the connection is given up and a new one tried. Standard library only.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

RETRY_FIRST_S = 0.05  # an engine that restarts is back within a second; a missing one is asked for rarely
RETRY_LAST_S = 1.0
READ_BYTES = 65536
Spoken = TypeVar("Spoken")


class Decoder(Protocol[Spoken]):
    """Bytes in any chunking → frames."""

    def feed(self, data: bytes) -> list[Spoken]:
        """Frames that `data` completes; raises `nonsense` of the Tap that has it."""


class Tap(Generic[Spoken]):
    """A Unix socket that may be there or not. Times in monotonic seconds.

    `decoder`: made for each connection; `nonsense`: what it raises for bytes that are no frame. `unsent_max`: bytes
    kept behind what the socket itself takes, 0: its owner asks `wants_write` before it sends more.
    """

    def __init__(
        self, path: str, decoder: Callable[[], Decoder[Spoken]], nonsense: type[Exception], unsent_max: int = 0
    ) -> None:
        self.path = path
        self.socket: socket.socket | None = None
        self.retry_at = 0.0
        self.trouble = ""  # why there is no engine, in the system's words
        self._wait_s = RETRY_FIRST_S
        self._new_decoder = decoder
        self._decoder = decoder()
        self._nonsense = nonsense
        self._unsent = b""
        self._unsent_max = unsent_max

    @property
    def wants_write(self) -> bool:
        """The socket did not take everything."""
        return bool(self._unsent)

    def fileno(self) -> int:
        """What to poll; -1 while there is no engine."""
        return self.socket.fileno() if self.socket is not None else -1

    def connect(self, now: float) -> bool:
        """Tries once; True when the engine is there."""
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            link.connect(self.path)
        except OSError as fault:
            link.close()
            self.trouble = fault.strerror or str(fault)
            self._later(now)
            return False
        self.socket, self.trouble = link, ""
        self._decoder, self._unsent = self._new_decoder(), b""
        return True

    def close(self, now: float) -> None:
        """Lets go; `retry_at` says when to try again."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self._unsent = b""
        self._later(now)  # one that accepts, says nothing and closes is not there either

    def read(self) -> list[Spoken]:
        """Frames that have come; OSError when the engine has gone or talks nonsense."""
        assert self.socket is not None
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the engine closed the connection")
        try:
            frames = self._decoder.feed(data)
        except self._nonsense as fault:
            raise ConnectionAbortedError(errno.ECONNABORTED, str(fault)) from fault
        if frames:
            self._wait_s = RETRY_FIRST_S
        return frames

    def send(self, raw: bytes) -> None:
        """Sends what the socket takes and keeps the rest; OSError when the engine has gone."""
        assert self.socket is not None
        raw = self._unsent + raw if self._unsent else raw
        if not raw:
            return
        try:
            taken = self.socket.send(raw)
        except BlockingIOError:
            taken = 0
        self._unsent = raw[taken:]
        if self._unsent_max and len(self._unsent) > self._unsent_max:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the engine does not read")

    def _later(self, now: float) -> None:
        self.retry_at = now + self._wait_s
        self._wait_s = min(self._wait_s * 2, RETRY_LAST_S)
