"""How much paper a stream of ESC/POS takes at most, as a printer of a profile prints it.

Owns: an upper bound in millimetres, made by following modes, lines, pictures, bar codes and symbols. Never: refuses
anything (raw.py does). A bound and not a measure: where models differ, the longer one counts.
"""

from __future__ import annotations

import math

from edgebox.errors import SlipError
from edgebox.escpos import qr
from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Event
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.state import PrinterState

BAR_DOTS = 162  # a bar code's height that nobody set (Epson, GS h)
MODULES_MAX = 177  # of a QR code of version 40
TAB_LETTERS = 8  # that a tab may jump over: positions can't be set (Epson, HT: every 8th column)
MODULE_DOTS = 3  # that nobody set (Epson, GS ( k fn 167)
_STRIPS = {32: 24, 33: 24, 38: 24, 39: 24, 40: 24, 71: 48, 72: 48, 73: 48}  # ESC * m: dots down; others 8, drawn as 24


class PaperLength:
    """Counts dots of paper, event by event."""

    def __init__(self, profile: PrinterProfile) -> None:
        self._profile = profile
        self._state = PrinterState(profile)
        self._dots = 0.0
        self._across = 0.0  # dots that the open line holds so far
        self._tallest = 0.0  # of what stands in it
        self._widest = 0.0  # letter in it: so much may stay empty at the end of a line that wraps
        self._symbol_bytes = 0

    @property
    def mm(self) -> float:
        """So far, the open line included."""
        return (self._dots + self._line_dots()) / self._profile.dots_per_mm

    def take(self, event: Event) -> None:
        """The next event of the stream."""
        if isinstance(event, bytes):
            self._text(event)
        elif isinstance(event, Command):
            self._command(event)
        self._state.apply(event)

    def _text(self, run: bytes) -> None:
        lines = run.split(b"\n")
        for number, line in enumerate(lines):
            if number:
                self._end_line()
            if line:
                letter = self._letter_width()
                self._across += (len(line) + line.count(b"\t") * (TAB_LETTERS - 1)) * letter
                self._widest = max(self._widest, letter)
                self._tallest = max(self._tallest, self._letter_height())

    def _letter_width(self) -> float:
        slots = self._state.slots
        spacing = slots.get("spacing", b"\x1b \x00")[2] + sum(slots.get("kanji_spacing", b"\x1cS\0\0")[2:4])
        wide = (slots.get("size", b"\x1d!\0")[2] >> 4) + 1
        return (self._profile.dots / self._profile.columns + spacing) * max(wide, self._kanji())

    def _letter_height(self) -> float:
        high = (self._state.slots.get("size", b"\x1d!\0")[2] & 15) + 1
        return self._profile.char_height * max(high, self._kanji())

    def _kanji(self) -> int:
        slots = self._state.slots
        style = slots.get("kanji_style", b"\x1c!\0")[2] & 12
        return 2 if style or slots.get("kanji_size", b"\x1cW\0")[2] & 1 else 1

    def _line_dots(self) -> float:
        """What the open line takes; an empty one nothing."""
        if not self._across and not self._tallest:
            return 0.0
        usable = max(self._profile.dots - self._widest, self._widest, 1.0)
        lines = max(1, math.ceil(self._across / usable)) if self._across > self._profile.dots else 1
        return lines * max(self._tallest, self._state.line_dots)

    def _end_line(self) -> None:
        self._dots += self._line_dots() or self._state.line_dots
        self._across = self._tallest = self._widest = 0.0

    def _command(self, command: Command) -> None:
        raw, effect = command.raw, command.effect
        if effect is Effect.FEED:
            self._dots += self._line_dots()
            self._across = self._tallest = self._widest = 0.0
            self._dots += raw[2] * (self._state.line_dots if raw[1:2] == b"d" else self._state.unit_dots)
        elif effect is Effect.POSITION:
            self._across += self._profile.dots  # at worst what follows begins a line of its own
        elif effect is Effect.BUFFER:
            self._tallest = max(self._tallest, _STRIPS.get(raw[2], 24) if len(raw) > 2 else 24)
        elif effect is Effect.DEFINE:
            self._symbol_bytes = command.total
        elif effect is Effect.INK:
            self._dots += self._line_dots() + self._inked(command)
            self._across = self._tallest = self._widest = 0.0

    def _inked(self, command: Command) -> float:
        raw, slots = command.raw, self._state.slots
        if raw[:2] == b"\x1dv":
            return (raw[6] + (raw[7] << 8)) * (2 if raw[3] & 2 else 1)
        if raw[:2] == b"\x1dk":
            height = slots["bar_height"][2] if "bar_height" in slots else BAR_DOTS
            return height + 2 * 2 * self._profile.line_spacing  # its digits above and below, and the line behind it
        size = slots["symbol_size"][7] if len(slots.get("symbol_size", b"")) > 7 else MODULE_DOTS
        return self._modules() * size + self._profile.line_spacing

    def _modules(self) -> int:
        try:
            return qr.modules("a" * self._symbol_bytes, "H")  # bytes at the level that holds least
        except (SlipError, ValueError):
            return MODULES_MAX
