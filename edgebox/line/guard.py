"""A bug of ours must not stop the wire.

Owns: what happens when the line's own code fails over a till's bytes: everything that waits goes out in its order, and
so does what comes, unread, until the till has been silent for as long as ends a document. Then reading begins anew; no
slip before the till's next ESC @, since nobody knows the printer's modes. Never: hides the bug: it is counted, and said
with its place. Without this a receipt that the parser stumbles over would end the process, and again at each retry.

Shape: LineCore with a guard around everything that the relay calls. The count of bytes put in their places before and
after a call says which of a chunk's bytes are still to go, wherever in between it failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from edgebox.escpos.profile import PrinterProfile
from edgebox.line.core import LineCore
from edgebox.line.frames import Frame
from edgebox.line.pace import Pace
from edgebox.line.settings import LineSettings
from edgebox.line.stream import Piece

T = TypeVar("T")


class GuardedCore(LineCore):
    """A LineCore that turns into a plain wire for the rest of a document over which it fails. `on_fault` hears why."""

    def __init__(self, profile: PrinterProfile, settings: LineSettings, session: bytes, first: int = 1) -> None:
        super().__init__(profile, settings, session, first)
        self.on_fault: Callable[[str], None] = lambda text: None
        self._in_hand, self._in_hand_at = b"", 0  # the piece being dealt with, and `_placed` before it
        self._unread_until = -1.0  # -1: the till's bytes are read; else silence until then ends that state

    # -- bytes

    def passed(self, data: bytes, now: float) -> None:
        if self._unread_until >= 0:
            self._silence(now)
            return
        try:
            super().passed(data, now)
        except Exception as fault:  # whatever it is: the bytes have gone out, only their reading fails
            self._fall_back(fault, b"", now)

    def till_bytes(self, data: bytes, now: float) -> None:
        if self._unread_until >= 0:
            self.outbox.push(data)
            self._silence(now)
            return
        pending, placed = self.stream.unsent, self._placed
        try:
            super().till_bytes(data, now)
        except Exception as fault:  # as above
            self._in_hand = b""  # it is of these bytes
            self._fall_back(fault, (pending + data)[self._placed - placed :], now)

    def printer_bytes(self, data: bytes, now: float) -> bytes:
        try:
            return super().printer_bytes(data, now)
        except Exception as fault:  # as above
            self.replies.reset()
            self._say(fault)
            return data

    # -- everything else

    def tick(self, now: float) -> None:
        if self._unread_until < 0:
            self._guard(lambda: super(GuardedCore, self).tick(now), None, now)
        elif now >= self._unread_until and not self.outbox.size:
            self._unread_until = self._last_till = -1.0

    def frame(self, frame: Frame, now: float) -> None:
        self._guard(lambda: super(GuardedCore, self).frame(frame, now), None, now)

    def pump(self, now: float, room: int = 65536) -> bytes:
        try:
            return super().pump(now, room)
        except Exception as fault:  # as above
            self._fall_back(fault, self.stream.unsent, now)
            self.spool.rewind()  # nobody knows which frames of these the engine got: all once more
            return b""

    def till_closed(self, now: float) -> None:
        self._guard(lambda: super(GuardedCore, self).till_closed(now), None, now)
        if self._unread_until >= 0:
            self._silence(now)

    def printer_lost(self, now: float) -> None:
        self._guard(lambda: super(GuardedCore, self).printer_lost(now), None, now)
        self.printer_up = False
        self.outbox.clear()  # a fault had put there what waited

    def engine_lost(self, now: float) -> None:
        self._guard(lambda: super(GuardedCore, self).engine_lost(now), None, now)

    def stop(self, now: float) -> None:
        self._guard(lambda: super(GuardedCore, self).stop(now), None, now)

    def close(self, now: float) -> None:
        self._guard(lambda: super(GuardedCore, self).close(now), None, now)

    # -- asking

    @property
    def pace(self) -> Pace:
        if self._unread_until < 0:
            return super().pace
        return Pace.PLAIN if self.printer_up and not self.outbox.size else Pace.PARSE

    @property
    def wants_printer(self) -> bool:
        return self._unread_until >= 0 or super().wants_printer

    @property
    def between_documents(self) -> bool:
        return self._unread_until < 0 and super().between_documents

    def next_deadline(self) -> float | None:
        if self._unread_until < 0:
            return super().next_deadline()
        return None if self.outbox.size else self._unread_until

    # -- inside

    def _guard(self, call: Callable[[], T], otherwise: T, now: float) -> T:
        try:
            return call()
        except Exception as fault:  # as above
            self._fall_back(fault, self.stream.unsent, now)
            return otherwise

    def _dispatch(self, piece: Piece) -> None:
        self._in_hand, self._in_hand_at = piece.raw, self._placed
        super()._dispatch(piece)
        self._in_hand = b""

    @property
    def _placed(self) -> int:
        """Bytes that have been put where they go on from."""
        cut = len(self._ask.cut) if self._ask is not None else 0
        return self.outbox.pushed + self._held.size + self._behind_bytes + cut

    def _fall_back(self, fault: Exception, rest: bytes, now: float) -> None:
        """All that waits goes out, then `rest`; the document has no slip, and its reading is given up."""
        left = self._in_hand[max(self._placed - self._in_hand_at, 0) :]
        self._in_hand = b""
        ask, self._ask = self._ask, None
        self.outbox.push(self._held.take())
        self.outbox.push(ask.cut if ask is not None else b"")
        self.outbox.push(left)
        for piece in self._behind:
            self.outbox.push(piece.raw)
        self._behind.clear()
        self._behind_bytes = 0
        self._dispatching = self._draining = False
        self.outbox.push(rest)
        self.stream.begin_anew()
        self._silence(now)
        self._say(fault)

    def _silence(self, now: float) -> None:
        """The till has sent or hung up: from now on it may be silent."""
        self._last_till = now
        after_ms = self.settings.close_ms if self._till_gone else self.settings.idle_after_ms(cutter=True)
        self._unread_until = now + after_ms / 1000

    def _say(self, fault: Exception) -> None:
        """What it was and where: module and line of the innermost call. The traceback module would cost 1 MB."""
        self.counters["faults"] += 1
        at = fault.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        place = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else "nowhere"
        self.on_fault(f"a bug: {type(fault).__name__}: {fault} at {place}; passing on unread until the document's end")
