"""Draws each ticket of a simulated printer, as a person would hold it.

Owns: which bytes of the stream make one ticket, with the modes that were in force before it. Never: draws (that is
edgebox.paper.draw). Text that was left between head and cutter at the cut before is drawn with the ticket it was
printed for, not with the one it came out on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Data, Event, Parser
from edgebox.escpos.profile import PrinterProfile
from hw_sim.ink import Ticket

if TYPE_CHECKING:
    from PIL.Image import Image

_KEEPS = (Effect.MODE, Effect.DEFINE)


class TicketBytes:
    """Cuts a stream into tickets, in order. Keeps the last of each mode command and definition since ESC @."""

    def __init__(self) -> None:
        self._parser = Parser()
        self._at = 0
        self._kept: dict[bytes, bytes] = {}
        self._open: bytes | None = None  # key of a definition whose payload is coming

    def take(self, stream: bytes, ticket: Ticket) -> bytes:
        """What to send to a printer just switched on to get this ticket. `stream`: all bytes since power-on.

        Tickets must come in order; ValueError when one goes back.
        """
        if ticket.first_byte < self._at:
            raise ValueError(f"ticket at byte {ticket.first_byte}, but the stream was followed to {self._at} already")
        self._follow(stream[self._at : ticket.first_byte])
        own = stream[ticket.first_byte : ticket.end_byte]
        modes = b"".join(self._kept.values())
        self._follow(own)
        return modes + own

    def _follow(self, data: bytes) -> None:
        self._at += len(data)
        for event in (*self._parser.feed(data), *self._parser.take_open()):
            self._keep(event)

    def _keep(self, event: Event) -> None:
        if isinstance(event, Data):
            if self._open is not None:
                self._kept[self._open] += event.raw
                self._open = None if event.last else self._open
            return
        self._open = None
        if not isinstance(event, Command):
            return
        if event.effect is Effect.INIT:
            self._kept.clear()
        elif event.effect in _KEEPS:
            key = event.spec.prefix + event.args[2:4] if event.spec.prefix == b"\x1d(k" else event.spec.prefix
            self._kept.pop(key, None)  # the order of the last ones counts: ESC ! undoes an earlier ESC E
            self._kept[key] = event.raw
            self._open = key if event.total > len(event.raw) else None


class TicketDrawer:
    """Draws tickets of one printer, in order."""

    def __init__(self, profile: PrinterProfile) -> None:
        self._profile = profile
        self._bytes = TicketBytes()

    def draw(self, stream: bytes, ticket: Ticket) -> Image:
        """The ticket as a picture; `stream`: all bytes since power-on."""
        from edgebox.paper.draw import draw  # here: Pillow takes its time, and a fuzzer never draws

        return draw(self._bytes.take(stream, ticket), self._profile)

    def save(self, stream: bytes, ticket: Ticket, path: Path) -> None:
        """`draw`, as a PNG file."""
        self.draw(stream, ticket).save(path, "PNG")
