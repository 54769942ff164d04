"""The paper in a simulated printer: where it is, what ink is on it, and where it was cut or torn.

Owns: `PaperPath`. Never: what a command means (mechanism.py). The cutter and the tear bar sit behind the head, so a
cut goes through what was printed a while ago, and what was printed last stays in the printer for the next customer.
"""

from __future__ import annotations

from collections import deque

from edgebox.escpos.profile import PrinterProfile
from hw_sim.ink import Ink, Style, Ticket


class PaperPath:
    """Positions are dots since power-on. Keeps at most `keep` tickets, marks and faults; counts go on."""

    def __init__(self, profile: PrinterProfile, keep: int) -> None:
        self.position = 0  # paper that passed the head
        self.travel = 0  # dots moved in all, backwards included: what the motor's time is made of
        self.to_cutter = round(profile.head_to_cutter_mm * profile.dots_per_mm)
        self.to_bar = round(profile.tear_bar_mm * profile.dots_per_mm)
        self.tickets: deque[Ticket] = deque(maxlen=keep)
        self.ink: deque[Ink] = deque(maxlen=keep)
        self.cuts_through: deque[Ink] = deque(maxlen=keep)
        self.cuts = 0
        self.tears = 0
        self._edge = 0  # where the paper's front edge was cut
        self._edge_byte = 0
        self._preset: int | None = None  # GS V 97/98: a place to be cut when it reaches the cutter

    def mark(self, kind: str, text: str, height: int, style: Style) -> None:
        """Prints at the head; moves nothing."""
        self.ink.append(Ink(self.position, self.position + height, kind, text, style))

    def move(self, dots: int) -> None:
        """Feeds, or draws back when negative."""
        self.position += dots
        self.travel += abs(dots)

    def preset_cut(self, dots: int) -> None:
        """GS V 97/98: cut at `dots` from here, when the paper gets there."""
        self._preset = self.position + dots

    def preset_reached(self) -> bool:
        """The preset place stands at the cutter."""
        return self._preset is not None and self.position - self.to_cutter >= self._preset

    def cut(self, now: float, byte: int) -> None:
        """Cuts at the cutter, or at the preset place when it has been reached."""
        place = self.position - self.to_cutter
        if self._preset is not None and self.preset_reached():
            place, self._preset = self._preset, None
        self.cuts += 1
        self._sever(place, "cut", now, byte)

    def tear(self, now: float, byte: int) -> None:
        """A customer tears the paper off at the bar."""
        self.tears += 1
        self._sever(self.position - self.to_bar, "tear", now, byte)

    def open_ticket(self, now: float, byte: int) -> Ticket:
        """What is printed and neither cut nor torn off."""
        return Ticket(tuple(self.ink), self._edge, self.position, "open", self._edge_byte, byte, now)

    def _sever(self, place: int, how: str, now: float, byte: int) -> None:
        above = [ink for ink in self.ink if ink.top < place]
        below = [ink for ink in self.ink if ink.top >= place]
        self.cuts_through.extend(ink for ink in above if ink.bottom > place)
        self.ink.clear()
        self.ink.extend(below)
        self.tickets.append(Ticket(tuple(above), self._edge, place, how, self._edge_byte, byte, now))
        self._edge, self._edge_byte = place, byte
