"""The line's end of the engine socket.

Owns: the connection, its reconnecting, and the bytes that the socket has not yet taken. Never: waits. A slow, hung or
absent engine costs the wire nothing; what it missed stays in the spool (core.py).
"""

from __future__ import annotations

import errno
import socket

from edgebox.line.frames import Decoder, Frame, FrameError

RETRY_FIRST_S = 0.05  # an engine that restarts is back within a second; a missing one is asked for rarely
RETRY_LAST_S = 1.0
READ_BYTES = 65536
_MISSING = (errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN, errno.EACCES)


class Tap:
    """A Unix socket that may be there or not. Times in monotonic seconds."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.socket: socket.socket | None = None
        self.retry_at = 0.0
        self._wait_s = RETRY_FIRST_S
        self._decoder = Decoder()
        self._unsent = b""
        self.faults = 0  # frames that were nonsense
        self.trouble = ""  # why there is no engine, in the system's words

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
            if fault.errno not in _MISSING:
                self.faults += 1
            return False
        self.socket, self.trouble = link, ""
        self._decoder = Decoder()
        self._unsent = b""
        self._wait_s = RETRY_FIRST_S
        return True

    def close(self, now: float) -> None:
        """Lets go; `retry_at` says when to try again."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self._unsent = b""
        self.retry_at = now + self._wait_s

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
            return self._decoder.feed(data)
        except FrameError as fault:
            self.faults += 1
            raise ConnectionAbortedError(errno.ECONNABORTED, str(fault)) from fault

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
