"""A till's cable that a bypass relay may have joined to the printer's: handed out only while the box is in the wire.

Owns: the open port meanwhile, and throwing away what is heard on it: the printer has that already. Never: decides
whether the box is in (edgebox/line/bridge.py).

Whether anything is heard past the relay is a matter of the wiring: docs/install.md ties the box's receiver to the
till's transmitter for good and lets the relay choose only who speaks to the printer. Wired otherwise it hears nothing,
and comes in as soon as its cables are open.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.base import Port, TillEnd

READ_BYTES = 4096  # what a tty keeps at most, N_TTY_BUF_SIZE


class BridgedTill:
    """`end`, behind the relay. `is_in` says whether its port may be handed out."""

    def __init__(self, end: TillEnd, is_in: Callable[[], bool]) -> None:
        self.url = end.url
        self.unheard_bytes = 0  # that went past the box
        self._end = end
        self._is_in = is_in
        self._port: Port | None = None

    @property
    def refused(self) -> int:
        return self._end.refused

    @property
    def is_open(self) -> bool:
        """The cable is open, and nobody has it."""
        return self._port is not None and self._port.fileno() >= 0

    def open(self) -> None:
        self._end.open()

    def fileno(self) -> int | None:
        return self._end.fileno()

    def accept(self) -> Port | None:
        if self._port is None:
            self._port = self._end.accept()
        if not self._is_in():
            return None
        port, self._port = self._port, None
        return port

    def listen(self) -> bool:
        """Throws away what has come; True: something has. A cable that was pulled is let go, and opened again."""
        if self._port is None:
            return False
        try:
            data = self._port.read(READ_BYTES)
        except OSError:
            self._port.abort()
            self._port = None
            return True
        self.unheard_bytes += len(data or b"")
        return bool(data)

    def close(self) -> None:
        if self._port is not None:
            self._port.abort()
            self._port = None
        self._end.close()
