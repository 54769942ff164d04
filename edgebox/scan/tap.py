"""The scanner's end of the engine's socket.

Owns: the connection, its reconnecting, and the bytes that the socket has not yet taken. Never: waits. An engine that
doesn't read is one that isn't there: beyond UNSENT_MAX the connection is given up, and a new one tried.
"""

from __future__ import annotations

import errno
import socket

from edgebox.scan.frames import Decoder, Frame, FrameError

RETRY_FIRST_S = 0.05  # an engine that restarts is back within a second; a missing one is asked for rarely
RETRY_LAST_S = 1.0
READ_BYTES = 65536
UNSENT_MAX = 1 << 18  # some thousand frames, behind what the socket itself keeps


class Tap:
    """A Unix socket that may be there or not. Times in monotonic seconds."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.socket: socket.socket | None = None
        self.retry_at = 0.0
        self.trouble = ""  # why there is no engine, in the system's words
        self._wait_s = RETRY_FIRST_S
        self._decoder = Decoder()
        self._unsent = b""

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
            self.retry_at = now + self._wait_s
            self._wait_s = min(self._wait_s * 2, RETRY_LAST_S)
            return False
        self.socket, self.trouble = link, ""
        self._decoder, self._unsent = Decoder(), b""
        return True

    def close(self, now: float) -> None:
        """Lets go; `retry_at` says when to try again."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self._unsent = b""
        self.retry_at = now + self._wait_s
        self._wait_s = min(self._wait_s * 2, RETRY_LAST_S)  # one that accepts and closes is not there either

    def read(self) -> list[Frame]:
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
        except FrameError as fault:
            raise ConnectionAbortedError(errno.ECONNABORTED, str(fault)) from fault
        if frames:
            self._wait_s = RETRY_FIRST_S
        return frames

    def send(self, raw: bytes) -> None:
        """Sends what the socket takes and keeps the rest; OSError when the engine has gone."""
        assert self.socket is not None
        raw = self._unsent + raw
        if not raw:
            return
        try:
            taken = self.socket.send(raw)
        except BlockingIOError:
            taken = 0
        self._unsent = raw[taken:]
        if len(self._unsent) > UNSENT_MAX:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the engine does not read")
