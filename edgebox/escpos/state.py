"""A shadow of the printer: the modes, buffer and symbol that the till's bytes have left it with.

Owns: which mode is in force, whether the print buffer is empty, which device is addressed, page mode and macros, the
till's stored symbol; and the bytes that bring all of that back. Never: decides what to hold (documents.py) and never
sends `ESC @`, which would also forget what the till set up at its start.

Shape: a mode is a slot with the raw command that set it; a slot nobody set is at its power-on value. `neutral_from`
gives the commands that make a slip print as composed, `restore` those that undo it. Source: Epson ESC/POS reference,
"initial value" of each command.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Data, Event
from edgebox.escpos.profile import PrinterProfile

SYMBOL_MAX = 4096  # bytes of the till's stored symbol that we can give back; a QR holds at most 2953


class Buffer(IntEnum):
    """The print buffer, as far as a cut is concerned."""

    EMPTY = 0  # at the beginning of a line: a cut is obeyed
    UNSURE = 1  # only moved (HT, ESC $) or ended by CR alone: printers differ
    FILLED = 2  # data waits for a line feed: a cut is ignored


class Modes(NamedTuple):
    """A copy of the modes at one place in the stream."""

    slots: dict[str, bytes]
    symbol: bytes
    symbol_ok: bool
    known: bool


# The power-on command of each slot that changes how a slip prints. Slots that hold a length in motion units carry
# the unit they were set under, see _UNITS.
POWER_ON: dict[str, bytes] = {
    "units": b"\x1dP\x00\x00",
    "justify": b"\x1ba\x00",
    "bang": b"\x1b!\x00",
    "size": b"\x1d!\x00",
    "underline": b"\x1b-\x00",
    "strike": b"\x1bG\x00",
    "reverse": b"\x1dB\x00",
    "upside_down": b"\x1b{\x00",
    "rotate": b"\x1bV\x00",
    "spacing": b"\x1b \x00",
    "color": b"\x1br\x00",
    "italic": b"\x1b5",
    "so": b"\x14",
    "si": b"\x12",
    "user_set": b"\x1b%\x00",
    "international": b"\x1bR\x00",
    "line_spacing": b"\x1b2",
    "margin": b"\x1dL\x00\x00",
    "kanji_style": b"\x1c!\x00",
    "kanji_underline": b"\x1c-\x00",
    "kanji_size": b"\x1cW\x00",
    "kanji_spacing": b"\x1cS\x00\x00",
    "kanji": b"\x1c.",
}
# Command → slot, for commands that set one slot whole.
_SLOT = {
    b"\x1dP": "units",
    b"\x1ba": "justify",
    b"\x1bG": "strike",
    b"\x1dB": "reverse",
    b"\x1b{": "upside_down",
    b"\x1bV": "rotate",
    b"\x1b ": "spacing",
    b"\x1br": "color",
    b"\x1b4": "italic",
    b"\x1b5": "italic",
    b"\x1b%": "user_set",
    b"\x1bR": "international",
    b"\x1b2": "line_spacing",
    b"\x1b3": "line_spacing",
    b"\x1bA": "line_spacing",
    b"\x1dL": "margin",
    b"\x1dW": "area",
    b"\x1bt": "code_page",
    b"\x1c!": "kanji_style",
    b"\x1c-": "kanji_underline",
    b"\x1cW": "kanji_size",
    b"\x1cS": "kanji_spacing",
    b"\x1c&": "kanji",
    b"\x1c.": "kanji",
    b"\x1cC": "kanji_code",
    b"\x1dh": "bar_height",
    b"\x1dw": "bar_width",
    b"\x1dH": "bar_text",
    b"\x1df": "bar_font",
    b"\x1bD": "tabs",
    b"\x1da": "asb",
}
_BAR_CODE = {  # a slip's bar code sets its own; Epson's initial values (TM-T88: 162 dots, module 3)
    "bar_height": b"\x1dh\xa2",
    "bar_width": b"\x1dw\x03",
    "bar_text": b"\x1dH\x00",
    "bar_font": b"\x1df\x00",
}
_UNITS = ("spacing", "line_spacing", "margin", "area", "kanji_spacing")  # hold lengths in motion units
_DIALECT_STYLE = {b"\x0e": "so", b"\x0f": "si", b"\x12": "si", b"\x14": "so", b"\x1bb": "other", b"\x1bg": "other"}
_SYMBOL_DEFAULTS = (  # Epson's initial values: model 2, module 3 dots, error correction L
    ("symbol_model", b"\x1d(k\x04\x00\x31\x41\x32\x00"),
    ("symbol_size", b"\x1d(k\x03\x00\x31\x43\x03"),
    ("symbol_level", b"\x1d(k\x03\x00\x31\x45\x30"),
)
_SYMBOL_SLOT = {65: "symbol_model", 67: "symbol_size", 69: "symbol_level"}


class PrinterState:
    """What the printer is in, after every event that was applied."""

    def __init__(self, profile: PrinterProfile) -> None:
        self.profile = profile
        self.buffer = Buffer.EMPTY
        self.in_page = False
        self.in_macro = False
        self.to_printer = True  # ESC = selects the printer (bit 0)
        self.transparent = False  # an unknown opcode went by: trust nothing until ESC @ or idle
        self.slots: dict[str, bytes] = {}
        self._known = True  # False after a macro ran: modes may be anything until ESC @
        self._unit: dict[str, bytes] = {}  # slot -> GS P in force when it was set
        self._symbol = b""  # the till's stored symbol, whole command
        self._symbol_ok = True
        self._collecting = False

    # -- applying events

    def apply(self, event: Event) -> None:
        """Updates the shadow with one event of the till's stream."""
        if event.__class__ is bytes:
            self.text(event)
        elif event.__class__ is Command:
            self._command(event)
        elif self._collecting and event.__class__ is Data:
            self._collect(event)

    def text(self, run: bytes) -> None:
        """A run of text: what it leaves in the print buffer."""
        if not self.to_printer or self.in_page:
            return
        tail = run[run.rfind(b"\n") + 1 :] if b"\n" in run else None
        if tail is not None:
            self.buffer = Buffer.EMPTY
            run = tail
        returned = run.rfind(b"\r") + 1  # CR alone prints on some printers
        if run[returned:].strip(b"\x00\t"):
            self.buffer = Buffer.FILLED
        elif (self.buffer is Buffer.EMPTY and run.strip(b"\x00\r")) or (self.buffer is Buffer.FILLED and returned):
            self.buffer = Buffer.UNSURE

    def _command(self, command: Command) -> None:
        effect = command.effect
        self._collecting = False
        if effect is Effect.MODE:
            self.mode(command)
        elif effect is Effect.FEED:
            self.buffer = Buffer.EMPTY
        elif effect is Effect.INIT:
            self._initialize()
        elif effect in _APPLY:
            _APPLY[effect](self, command)

    def mode(self, command: Command) -> None:
        """A command whose effect is MODE."""
        raw = command.raw
        key = raw[:2]
        slot = _SLOT.get(key)
        if slot:
            self._set(slot, raw)
        elif key == b"\x1b!":
            self._bang(raw[2])
        elif key == b"\x1bE":
            self.slots["bang"] = bytes((0x1B, 0x21, self._bang_now & ~8 | (raw[2] & 1) << 3))
        elif key == b"\x1bM":
            self._bang(self._bang_now & ~1 | (raw[2] & 1), size=False)
            if raw[2] % 48 > 1:
                self.slots["font"] = raw  # C and on: ESC ! can't bring it back
        elif key == b"\x1d!":
            self._set("size", raw)
        elif key == b"\x1b-":
            self._set("underline", raw)
        elif key == b"\x1d(" and raw[2:3] == b"k" and raw[5:6] == b"1" and len(raw) > 6:
            slot = _SYMBOL_SLOT.get(raw[6])
            if slot:
                self.slots[slot] = raw
        elif raw[:1] in _DIALECT_STYLE or key in _DIALECT_STYLE:
            self.slots[_DIALECT_STYLE.get(key) or _DIALECT_STYLE[raw[:1]]] = raw

    @property
    def _bang_now(self) -> int:
        return self.slots.get("bang", b"\x1b!\x00")[2]

    def _bang(self, n: int, *, size: bool = True) -> None:
        """ESC ! n; it also sets what GS ! and ESC - set. `bang` keeps font (A, B) and emphasis only."""
        self.slots["bang"] = bytes((0x1B, 0x21, n & 9))
        self.slots.pop("font", None)
        if size:
            self.slots["size"] = bytes((0x1D, 0x21, (n >> 5 & 1) << 4 | (n >> 4 & 1)))
            self.slots["underline"] = bytes((0x1B, 0x2D, n >> 7))

    def _set(self, slot: str, raw: bytes) -> None:
        self.slots[slot] = raw
        if slot in _UNITS:
            self._unit[slot] = self.slots.get("units", b"")

    def _initialize(self) -> None:
        self.buffer = Buffer.EMPTY
        self.in_page = self.in_macro = False
        self.to_printer = True
        self.transparent = False
        self._known = True
        self.slots.clear()
        self._unit.clear()
        self._symbol, self._symbol_ok = b"", True

    def _select(self, command: Command) -> None:
        self.to_printer = bool(command.raw[2] & 1)

    def _ink(self, command: Command) -> None:
        if command.raw[:2] == b"\x1d^":
            self._known = False

    def _filled(self, command: Command) -> None:
        self.buffer = Buffer.FILLED

    def _moved(self, command: Command) -> None:
        if self.buffer is Buffer.EMPTY:
            self.buffer = Buffer.UNSURE

    def _page(self, command: Command) -> None:
        if command.effect is Effect.PAGE_ON:
            self.in_page = True
        elif command.effect is Effect.PAGE_OFF or self.in_page:
            self.in_page = False
        self.buffer = Buffer.EMPTY

    def _macro(self, command: Command) -> None:
        self.in_macro = not self.in_macro
        self._known = False  # makers differ in whether the defined commands also act at once

    def _distrust(self, command: Command) -> None:
        self.transparent = True

    def _define(self, command: Command) -> None:
        if command.raw[:3] == b"\x1d(k" and command.raw[5:6] == b"1":  # a QR; other symbols are stored apart
            self._symbol = command.raw
            self._symbol_ok = command.total <= SYMBOL_MAX
            self._collecting = command.total > len(command.raw) and self._symbol_ok

    def _collect(self, data: Data) -> None:
        self._symbol += data.raw
        self._collecting = not data.last

    # -- asking

    @property
    def line_dots(self) -> float:
        """What one LF feeds, in dots."""
        raw = self.slots.get("line_spacing", b"\x1b2")
        if raw[:2] == b"\x1b3":
            return raw[2] * self.unit_dots
        return self.profile.line_spacing if raw[:2] == b"\x1b2" else raw[2] * self.profile.dpi / 60

    @property
    def unit_dots(self) -> float:
        """Dots of one vertical motion unit (ESC J, ESC 3)."""
        raw = self.slots.get("units", b"")
        per_inch = raw[3] if len(raw) == 4 and raw[3] else self.profile.motion_y
        return self.profile.dpi / per_inch

    @property
    def space_is_ink(self) -> bool:
        """Underlined or reversed blanks leave a mark."""
        slots = self.slots
        return any(slots[name][2] & 0x0F for name in ("underline", "reverse", "kanji_underline") if name in slots)

    @property
    def code_page(self) -> int:
        """ESC t in force (profile's power-on page if the till never chose), -1 when unknown."""
        raw = self.slots.get("code_page")
        if raw:
            return raw[2]
        return self.profile.code_page if self._known else -1

    def forgive(self) -> None:
        """Idle: whatever followed the unknown opcode is over."""
        self.transparent = False

    def forget(self) -> None:
        """Nobody knows what went by: modes may be anything until ESC @."""
        self._known = False

    def modes(self) -> Modes:
        """A copy, to restore from later."""
        return Modes(dict(self.slots), self._symbol, self._symbol_ok, self._known and self._restorable())

    def prelude(self) -> bytes:
        """Commands that bring a fresh printer (or parser) from power-on into these modes."""
        return b"".join(self.slots.values())

    def _restorable(self) -> bool:
        if self.slots.get("other", b"   ")[2] not in b" 0\x00" or "font" in self.slots:
            return False  # a font or a dialect's enlargement whose neutral value we don't know
        now = self.slots.get("units", b"")
        return all(unit == now for unit in self._unit.values())


_APPLY = {
    Effect.SELECT: PrinterState._select,
    Effect.INK: PrinterState._ink,
    Effect.BUFFER: PrinterState._filled,
    Effect.POSITION: PrinterState._moved,
    Effect.PAGE_ON: PrinterState._page,
    Effect.PAGE_OFF: PrinterState._page,
    Effect.PAGE_PRINT: PrinterState._page,
    Effect.MACRO: PrinterState._macro,
    Effect.UNKNOWN: PrinterState._distrust,
    Effect.SERVICE: PrinterState._distrust,
    Effect.DEFINE: PrinterState._define,
}


def neutral_slots(profile: PrinterProfile) -> dict[str, bytes]:
    """Slot → command, of everything a slip relies on."""
    return {**POWER_ON, "area": b"\x1dW" + profile.dots.to_bytes(2, "little")}


def power_on(slot: str, profile: PrinterProfile) -> bytes | None:
    """The command that sets `slot` to its power-on value, None where there is none (dialect styles, tabs)."""
    if slot == "kanji" and profile.cjk != "none" and profile.cjk_on:
        return b"\x1c&"
    return neutral_slots(profile).get(slot) or _BAR_CODE.get(slot)


def neutralize(modes: Modes, profile: PrinterProfile) -> tuple[bytes, set[str]]:
    """Commands that bring the printer from `modes` to neutral, and the slots they touch."""
    out, touched = [], set()
    for slot, command in neutral_slots(profile).items():
        now = modes.slots.get(slot) or power_on(slot, profile)
        if _values_differ(now, command):
            touched.add(slot)
            if slot not in _BANG:
                out.append(command)
    if touched & _BANG:
        out.append(b"\x1b!\x00")  # resets size and underline too, also on printers that lack GS !
        touched |= _BANG
    return b"".join(out), touched


_NUMBERS = (b"\x1d!", b"\x1b!", b"\x1b ")
_BANG = frozenset(("bang", "size", "underline"))  # what ESC ! sets at once


def _values_differ(a: bytes | None, b: bytes) -> bool:
    """ASCII '0' and 0 are the same argument for the switches (ESC a 48), not for sizes and lengths (GS ! 48)."""
    if a is None or a[:2] != b[:2] or b[:2] in _NUMBERS:
        return a != b
    return bytes(x - 48 if 48 <= x <= 57 and len(b) == 3 else x for x in a[2:]) != b[2:]


def _bang(modes: Modes) -> bytes:
    """Font, emphasis, size and underline with ESC ! where it can say them, the rest with GS ! and ESC -."""
    n = modes.slots.get("bang", b"   ")[2] & 9 if "bang" in modes.slots else 0
    size = modes.slots.get("size", POWER_ON["size"])
    underline = modes.slots.get("underline", POWER_ON["underline"])
    out = b""
    if size[2] & 0xEE:
        out += size
    else:
        n |= (size[2] >> 4 & 1) << 5 | (size[2] & 1) << 4
    if underline[2] & 2:
        out += underline
    else:
        n |= (underline[2] & 1) << 7
    return bytes((0x1B, 0x21, n)) + out


def restore(modes: Modes, touched: set[str], profile: PrinterProfile) -> bytes:
    """Commands that set every touched slot back to `modes`."""
    out = [_bang(modes)] if touched & _BANG else []
    for slot in (*POWER_ON, "area", *_BAR_CODE):  # units first: the lengths that follow are meant in them
        if slot in touched and slot not in _BANG:
            command = modes.slots.get(slot) or power_on(slot, profile)
            if command:
                out.append(command)
    if "symbol" in touched:
        out += [modes.slots.get(slot, default) for slot, default in _SYMBOL_DEFAULTS]
        out.append(modes.symbol)
    return b"".join(out)
