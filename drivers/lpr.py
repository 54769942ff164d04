"""`lpr://0.0.0.0:515?allow=192.168.1.20`: a till that prints by the line printer daemon's protocol [RFC 1179].

Owns: the protocol's talk, so that the line gets print data and nothing else. Never: queues or keeps a job: data is
read as the printer takes it, and who sends waits, as at a printer with a full buffer.

Queue names are taken as they come. Control files are read and forgotten: they name people and files. A data file's
length may be a lie: 0, and Windows' 125899906843000, mean "until I close". Commands about queues get one line of text
or nothing; nothing that a till sends is ever removed. There is no way back: what the printer says is given up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from drivers.base import Port, Url
from drivers.tcp import TcpPort, TcpTill

LINE_BYTES = 512  # of a command; queue and user names are at most 31 letters [RFC 1179, 7.6]
CONTROL_BYTES = 64 << 10  # of a control file, which has a few lines
DATA_BYTES = 1 << 32  # more than any print: the length is made up, and the data ends with the connection
ACK, NAK = b"\0", b"\1"
_PRINT, _RECEIVE, _SHORT, _LONG, _REMOVE = 1, 2, 3, 4, 5
_ABORT, _CONTROL, _DATA = 1, 2, 3


class LprPort:
    """One connection. `job_bytes`: of print data so far."""

    paced = False

    def __init__(self, wire: TcpPort) -> None:
        self.peer = wire.peer
        self.job_bytes = 0
        self._wire = wire
        self._line = bytearray()  # of a command that has not ended
        self._receiving = False  # behind "receive a job": subcommands
        self._left = 0  # of a file on its way, with the zero behind it
        self._is_data = False
        self._endless = False
        self._over = False
        self._owed = b""  # acknowledgements that the wire had no room for

    def fileno(self) -> int:
        return self._wire.fileno()

    def read(self, limit: int) -> bytes | None:
        if self._over:
            return b""
        raw = self._wire.read(limit)
        if raw is None or not raw:
            return raw
        out = bytearray()
        at = 0
        while at < len(raw) and not self._over:
            at = self._take_file(raw, at, out) if self._left or self._endless else self._take_line(raw, at)
        self._say(b"")
        self.job_bytes += len(out)
        return bytes(out) or self._nothing()

    def _nothing(self) -> bytes | None:
        """No print data in what came: the end, or not yet any."""
        return b"" if self._over else None

    def _take_file(self, raw: bytes, at: int, out: bytearray) -> int:
        """Bytes of a file; where it ends."""
        if self._endless:
            out += raw[at:]
            return len(raw)
        end = min(len(raw), at + self._left)
        piece = raw[at:end]
        self._left -= len(piece)
        is_whole = not self._left
        if self._is_data:
            out += piece[:-1] if is_whole else piece
        if is_whole:
            self._say(ACK if piece[-1:] == b"\0" else NAK)
        return end

    def _take_line(self, raw: bytes, at: int) -> int:
        """A command, up to its LF."""
        end = raw.find(b"\n", at)
        stop = len(raw) if end < 0 else end
        self._line += raw[at:stop]
        if len(self._line) > LINE_BYTES:
            self._refuse()
        elif end >= 0:
            line = bytes(self._line)
            self._line.clear()
            self._subcommand(line) if self._receiving else self._command(line)
        return stop + 1 if end >= 0 else stop

    def _command(self, line: bytes) -> None:
        code = line[0] if line else 0
        if code == _RECEIVE:
            self._receiving = True
            self._say(ACK)
        elif code in (_SHORT, _LONG):
            self._say(b"no entries\n")
            self._over = True
        elif code in (_PRINT, _REMOVE):
            self._say(ACK)
            self._over = True
        else:
            self._refuse()

    def _subcommand(self, line: bytes) -> None:
        code, digits = (line[0] if line else 0), line[1:].split(b" ")[0]
        if code == _ABORT:
            self._say(ACK)
            return
        if code not in (_CONTROL, _DATA) or not digits.isdigit() or len(digits) > 20:
            self._refuse()
            return
        size = int(digits)
        self._is_data = code == _DATA
        self._endless = self._is_data and (not size or size >= DATA_BYTES)
        if not self._is_data and size > CONTROL_BYTES:
            self._refuse()
            return
        self._left = 0 if self._endless else size + 1
        self._say(ACK)

    def _refuse(self) -> None:
        """What is no LPR can't be answered; a person's raw print to this port is not printed as one."""
        self._say(NAK)
        self._over = True

    def _say(self, raw: bytes) -> None:
        self._owed += raw
        if self._owed:
            with contextlib.suppress(OSError):  # who has gone wants no answer; what he sent before is still printed
                self._owed = self._owed[self._wire.write(self._owed) :]

    def write(self, data: bytes | memoryview) -> int:
        """Replies of the printer: given up, there is no way back."""
        return len(data)

    def finish_writing(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        self._wire.close()

    def abort(self) -> None:
        self._wire.abort()

    def set_busy(self, busy: bool) -> None:
        """TCP says it by its window."""

    def ready(self) -> bool:
        return True

    def unsent(self) -> int:
        return self._wire.unsent()


class LprTill:
    """Listens for tills that speak LPR."""

    def __init__(self, url: Url, allow: Sequence[str] = ()) -> None:
        self._listener = TcpTill(url, allow)
        self.url = url.text

    @property
    def refused(self) -> int:
        return self._listener.refused

    @property
    def address(self) -> tuple[str, int]:
        """Where it really listens, once open."""
        return self._listener.address

    def open(self) -> None:
        self._listener.open()

    def fileno(self) -> int | None:
        return self._listener.fileno()

    def accept(self) -> Port | None:
        port = self._listener.accept()
        return LprPort(port) if isinstance(port, TcpPort) else None

    def close(self) -> None:
        self._listener.close()
