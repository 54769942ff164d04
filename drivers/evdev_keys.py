"""What a wedge scanner types, as text: keys in, characters out.

Owns: Shift, Caps Lock, AltGr, dead keys, Ctrl as control characters, and Alt with keypad digits as character numbers.
Never: a device (evdev.py), or where a code ends. A scanner in a keyboard's place has no other way to say what it read:
GS, which separates the fields of a GS1 code, comes as Ctrl+] from most, or as Alt+029. [Zebra DS22x8, Honeywell Xenon
product reference guides, "Emulate keypad", "Function key mapping"]

Keys that are no characters (function keys, arrows, Win) give nothing and are counted: nothing could be made of them
that a till's other end would understand.
"""

from __future__ import annotations

from drivers.keymaps import ENTER, SPACE, TAB, Layout, Stroke, compose

# linux/input-event-codes.h
_SHIFT = (42, 54)
_CTRL = (29, 97)
_ALT = 56
_ALTGR = 100
_META = (125, 126)
_CAPS_LOCK, _NUM_LOCK, _SCROLL_LOCK = 58, 69, 70
_KEYPAD_ENTER = 96
_KEYPAD_DIGITS = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}
_KEYPAD = {**_KEYPAD_DIGITS, 83: ".", 55: "*", 98: "/", 74: "-", 78: "+", 117: "=", 121: ","}
_MODIFIERS = frozenset((*_SHIFT, *_CTRL, _ALT, _ALTGR, *_META))
_LOCKS = frozenset((_CAPS_LOCK, _NUM_LOCK, _SCROLL_LOCK))
_NUMBER_DIGITS = 5  # longest Alt number: 65535; Windows reads no more
_ENDS = {ENTER: "\r", _KEYPAD_ENTER: "\r", TAB: "\t"}


class Wedge:
    """One scanner's keyboard. Enter gives CR, Tab gives HT."""

    def __init__(self, layout: Layout) -> None:
        self.ignored = 0  # keys that are no characters
        self._layout = layout
        self._down: set[int] = set()
        self._caps = False
        self._dead = ""
        self._number = ""  # digits typed with Alt down

    def press(self, code: int) -> str:
        """A key goes down; what has been typed by it."""
        if code in _MODIFIERS:
            self._down.add(code)
            if code == _ALT:
                self._number = ""
            return ""
        if code in _LOCKS:
            self._caps ^= code == _CAPS_LOCK
            return ""
        if _ALT in self._down and code in _KEYPAD_DIGITS:
            self._number = (self._number + _KEYPAD_DIGITS[code])[-_NUMBER_DIGITS:]
            return ""
        return self._flushed(self._plain(code))

    def release(self, code: int) -> str:
        """A key is let go: with Alt, the number that was typed meanwhile."""
        self._down.discard(code)
        if code != _ALT or not self._number:
            return ""
        number, self._number = self._number, ""
        return self._flushed(_numbered(number))

    def _plain(self, code: int) -> str:
        if code in _ENDS:
            return _ENDS[code]
        if code in _KEYPAD:
            return _KEYPAD[code]
        shift, altgr = not self._down.isdisjoint(_SHIFT), _ALTGR in self._down
        ctrl, alt = not self._down.isdisjoint(_CTRL), _ALT in self._down
        if ctrl and alt:  # Windows takes both together for AltGr, and some scanners send them
            altgr, ctrl, alt = True, False, False
        if ctrl:
            return self._control(code, shift)
        stroke = Stroke(code, shift, altgr)
        character = self._layout.character(stroke)
        if self._caps and character.isalpha() and not altgr:
            character = self._layout.character(Stroke(code, not shift)) or character
        if not character or alt or not self._down.isdisjoint(_META):
            self.ignored += 1
            return ""
        if self._layout.is_dead(stroke) and not self._dead:
            self._dead = character
            return ""
        return character

    def _control(self, code: int, shift: bool) -> str:
        """Ctrl+A is 1 … Ctrl+_ is 31, by the character on the key; Ctrl+space and Ctrl+@ are 0."""
        for candidate in (Stroke(code, shift), Stroke(code, not shift), Stroke(code, altgr=True)):
            character = self._layout.character(candidate).upper()
            if len(character) == 1 and "@" <= character <= "_":
                return chr(ord(character) & 0x1F)
        if code == SPACE:
            return "\0"
        self.ignored += 1
        return ""

    def _flushed(self, text: str) -> str:
        """Behind a dead key; what is no letter comes behind its accent."""
        if not text or not self._dead:
            return text
        dead, self._dead = self._dead, ""
        return compose(dead, text)


def _numbered(digits: str) -> str:
    """Alt+029 and Alt+29 are the same; from 128 on a leading 0 means Windows' characters, none means DOS's."""
    number = int(digits)
    if number > 255:
        return chr(number) if not 0xD800 <= number < 0xE000 and number < 0x10000 else ""
    if number < 128:
        return chr(number)
    return bytes((number,)).decode("cp1252" if digits[0] == "0" else "cp437", "replace").replace("\ufffd", "")
