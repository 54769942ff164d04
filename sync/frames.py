"""WebSocket frames kept whole: what goes between paho's WebSocket and its socket.

Owns: the order of frames on the wire. Never: makes a data frame (paho does).

paho 2.2 answers a ping at once, also in the middle of a data frame that is only half written, and without the mask that
RFC 6455 (5.3) demands of a client. Either makes a server hang up. Here a control frame waits for the data frame's end.
"""

from __future__ import annotations

import socket
from typing import Any

_MASKED = 0x80
_CONTROL_BYTES = 125  # RFC 6455 (5.5)


class WholeFrames:
    """Stands for a socket. `websocket`: paho's wrapper, which this is the socket of."""

    def __init__(self, raw: socket.socket, websocket: Any) -> None:
        self.raw = raw
        self._websocket = websocket
        self._left = 0  # bytes of a data frame that are still to be written
        self._control = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)

    def send(self, data: bytes | bytearray) -> int:
        """As a socket's. A control frame is always taken; only the newest one waits."""
        if data is not self._websocket._sendbuffer:
            self._control = _masked(bytes(data))
            if not self._left:
                self._send_control()
            return len(data)
        if not self._left:
            self._send_control()
            self._left = len(data)
        taken = self.raw.send(data)
        self._left -= taken
        return taken

    def _send_control(self) -> None:
        if self._control:
            taken = self.raw.send(self._control)
            if taken < len(self._control):
                raise ConnectionError("a control frame was cut in two")
            self._control = b""


def _masked(frame: bytes) -> bytes:
    """A control frame as a client must send it; a mask of zeros leaves the bytes as they are."""
    return bytes([frame[0], _MASKED | min(frame[1] & 0x7F, _CONTROL_BYTES)]) + bytes(4) + frame[2 : 2 + _CONTROL_BYTES]
