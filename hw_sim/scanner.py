"""Simulated scanners and a till's keyboard: what they send is what the manuals of real ones say.

Owns: a wedge that types, a scanner in HID POS mode, a scanner on a serial cable, and a till that takes down what a
keyboard gadget types. Never: imported by production code. The devices are those of evsim.py, or a pty.
"""

from __future__ import annotations

import os
import struct
import time

from drivers.keymaps import ENTER, SPACE, TAB, USAGES, Layout, Stroke, compose
from hw_sim.evsim import Device

_EVENT = struct.Struct("llHHi")  # struct input_event, linux/input.h
_SYN, _KEY, _DROPPED = 0, 1, 3
SHIFT, CTRL, ALT, ALTGR = 42, 29, 56, 100
_KEYPAD = {"0": 82, "1": 79, "2": 80, "3": 81, "4": 75, "5": 76, "6": 77, "7": 71, "8": 72, "9": 73}
EVENTS_A_PACKET = 60  # the evdev library reads 64 at once

# Scanned Data Report of a Honeywell Xenon in HID POS mode, without its vendor's fields: id 2, Byte Count, three
# symbology bytes, 56 of data, "continued" in one bit and seven of padding.
POS_DESCRIPTOR = bytes.fromhex(
    "058C 0902 A101 0912 A102 8502 1500 26FF00 7508 9501 0501 093B 8102 9503 058C 09FB 09FC 09FD 8102 9538 09FE"
    " 820201 7501 9501 09FF 8102 9507 8103 C0 C0".replace(" ", "")
)
POS_DATA = 56


class WedgeScanner:
    """A scanner that types, with a keyboard language of its own."""

    def __init__(self, device: Device, layout: str = "us", gap_s: float = 0.0) -> None:
        self._device = device
        self._layout = Layout(layout)
        self._gap_s = gap_s

    def scan(self, code: str, end: int | None = ENTER) -> None:
        """A code, and the key behind it. Control characters are typed as Ctrl and a key."""
        events: list[bytes] = []
        for character in code:
            events += self._typed(character)
            if self._gap_s:
                self._send(events)
                events = []
                time.sleep(self._gap_s)
        self._send(events + (self._struck(end) if end is not None else []))

    def press(self, *codes: int) -> None:
        """Keys held down together, then let go."""
        self._send(self._struck(codes[-1], *codes[:-1]))

    def number(self, digits: str) -> None:
        """A character by its number: Alt held, digits on the keypad."""
        inner = [event for digit in digits for event in self._struck(_KEYPAD[digit])]
        self._send([*_key(ALT, 1), *inner, *_key(ALT, 0)])

    def lose_keys(self) -> None:
        """What the kernel says when nobody read for too long."""
        self._send([_EVENT.pack(0, 0, _SYN, _DROPPED, 0)])

    def _typed(self, character: str) -> list[bytes]:
        if character < " ":
            return self._struck(self._layout.strokes(chr(ord(character) | 0x40).lower())[0].code, CTRL)
        return [event for stroke in self._layout.strokes(character) for event in self._stroke(stroke)]

    def _stroke(self, stroke: Stroke) -> list[bytes]:
        held = [code for code, is_held in ((SHIFT, stroke.shift), (ALTGR, stroke.altgr)) if is_held]
        return self._struck(stroke.code, *held)

    def _struck(self, code: int, *held: int) -> list[bytes]:
        down = [event for key in (*held, code) for event in _key(key, 1)]
        return down + [event for key in (code, *held) for event in _key(key, 0)]

    def _send(self, events: list[bytes]) -> None:
        for at in range(0, len(events), EVENTS_A_PACKET):
            self._device.send(b"".join(events[at : at + EVENTS_A_PACKET]))


def _key(code: int, value: int) -> list[bytes]:
    now = int(time.time())
    return [_EVENT.pack(now, 0, _KEY, code, value), _EVENT.pack(now, 0, _SYN, 0, 0)]


class HidPosScanner:
    """A scanner in HID POS mode."""

    def __init__(self, device: Device) -> None:
        self._device = device
        device.path.with_name(device.path.name + ".desc").write_bytes(POS_DESCRIPTOR)

    def scan(self, code: bytes, symbology: bytes = b"]Q1") -> None:
        """A code, in as many reports as it takes."""
        for report in pos_reports(code, symbology):
            self._device.send(report)


def pos_reports(code: bytes, symbology: bytes = b"]Q1") -> list[bytes]:
    """The reports of one code."""
    parts = [code[at : at + POS_DATA] for at in range(0, len(code), POS_DATA)] or [b""]
    return [
        bytes((2, len(part))) + symbology + part.ljust(POS_DATA, b"\0") + bytes((number < len(parts),))
        for number, part in enumerate(parts, 1)
    ]


class SerialScanner:
    """A scanner on a cable; `master` is a pty's."""

    def __init__(self, master: int, suffix: bytes = b"\r") -> None:
        self._master = master
        self._suffix = suffix

    def scan(self, code: bytes) -> None:
        """A code and its suffix."""
        data = code + self._suffix
        while data:
            data = data[os.write(self._master, data) :]


class KeyboardTill:
    """A till with a keyboard on its USB port. `text` is what it would have typed; Enter is \\r, Tab \\t."""

    def __init__(self, device: Device, layout: str = "us") -> None:
        self.text = ""
        self.chords: list[bytes] = []  # reports with Ctrl, left Alt or Win, or with keys that type nothing
        self.caps = False
        self._device = device
        self._layout = Layout(layout)
        self._codes = {usage: code for code, usage in USAGES.items()}
        self._dead = ""

    def link(self, *, up: bool) -> None:
        """The cable in or out, or the till on or off."""
        flag = self._device.path.with_name(self._device.path.name + ".down")
        if up:
            flag.unlink(missing_ok=True)
        else:
            flag.touch()

    def set_caps(self, caps: bool) -> None:
        """The cashier presses Caps Lock: the light says so."""
        self.caps = caps
        self._device.send(bytes((0x02 if caps else 0,)))

    def listen(self, timeout_s: float = 0.0) -> bool:
        """Takes one report; False when none came."""
        report = self._device.receive(timeout_s)
        if report:
            self._report(report)
        return bool(report)

    def _report(self, report: bytes) -> None:
        modifiers, usage = report[0], report[2]
        if len(report) != 8 or report[3:] != bytes(5) or modifiers & ~0x42 or (usage and usage not in self._known):
            self.chords.append(report)
        if usage == _CAPS_USAGE:
            self.set_caps(not self.caps)
        elif usage in self._codes:
            self._typed(Stroke(self._codes[usage], bool(modifiers & 0x02), bool(modifiers & 0x40)))

    @property
    def _known(self) -> set[int]:
        return {*self._codes, _CAPS_USAGE}

    def _typed(self, stroke: Stroke) -> None:
        character = {ENTER: "\r", TAB: "\t"}.get(stroke.code) or self._layout.character(stroke)
        if self.caps and character.isalpha():
            character = self._layout.character(stroke._replace(shift=not stroke.shift))
        if self._dead:
            character, self._dead = compose(self._dead, " " if stroke.code == SPACE else character), ""
        elif self._layout.is_dead(stroke):
            self._dead, character = character, ""
        self.text += character


_CAPS_USAGE = 0x39
