"""Keyboard layouts: which key gives which character, and the other way round.

Owns: the layouts, each key by its evdev code and by its HID usage. Never: reads or writes a device. A layout is what
the till's system has set (Windows' own, where systems differ: `~` is dead on its French one and is not on Linux's), and
what the scanner's "country" setting says.

A layout is written as a keyboard looks: four rows of keys, each key as the characters it gives plain, with Shift, with
AltGr, with both; `∅` is none. A dead key gives its character only with the space bar behind it. Sources: Microsoft's
layouts us, uk, gr, fr, sp, po, it, jpn as published at learn.microsoft.com/globalization/windows-keyboard-layouts;
held against xkb's files by a test. Key codes: linux/input-event-codes.h; usages: HID Usage Tables 1.5, section 10.
"""

from __future__ import annotations

from typing import NamedTuple

NONE = "∅"
SPACE, ENTER, TAB = 57, 28, 15

# evdev code and HID usage of each key, row by row from the left, as the rows of the layouts below.
_NUMBERS = (
    (41, 0x35), (2, 0x1E), (3, 0x1F), (4, 0x20), (5, 0x21), (6, 0x22), (7, 0x23), (8, 0x24), (9, 0x25), (10, 0x26),
    (11, 0x27), (12, 0x2D), (13, 0x2E), (124, 0x89),
)  # fmt: skip
_UPPER = (
    (16, 0x14), (17, 0x1A), (18, 0x08), (19, 0x15), (20, 0x17), (21, 0x1C), (22, 0x18), (23, 0x0C), (24, 0x12),
    (25, 0x13), (26, 0x2F), (27, 0x30),
)  # fmt: skip
# Key 43 is usage 0x31 on American keyboards and 0x32 on all others; systems take either for the same key.
_HOME = (
    (30, 0x04), (31, 0x16), (32, 0x07), (33, 0x09), (34, 0x0A), (35, 0x0B), (36, 0x0D), (37, 0x0E), (38, 0x0F),
    (39, 0x33), (40, 0x34), (43, 0x31),
)  # fmt: skip
_LOWER = (
    (86, 0x64), (44, 0x1D), (45, 0x1B), (46, 0x06), (47, 0x19), (48, 0x05), (49, 0x11), (50, 0x10), (51, 0x36),
    (52, 0x37), (53, 0x38), (89, 0x87),
)  # fmt: skip
_ROWS = (_NUMBERS, _UPPER, _HOME, _LOWER)
USAGES = {code: usage for row in _ROWS for code, usage in row} | {SPACE: 0x2C, ENTER: 0x28, TAB: 0x2B}

_LAYOUTS = {
    "us": (
        "`~ 1! 2@ 3# 4$ 5% 6^ 7& 8* 9( 0) -_ =+",
        "qQ wW eE rR tT yY uU iI oO pP [{ ]}",
        "aA sS dD fF gG hH jJ kK lL ;: '\" \\|",
        "\\| zZ xX cC vV bB nN mM ,< .> /?",
        "",
    ),
    "uk": (
        '`¬¦ 1! 2" 3£ 4$€ 5% 6^ 7& 8* 9( 0) -_ =+',
        "qQ wW eEéÉ rR tT yY uUúÚ iIíÍ oOóÓ pP [{ ]}",
        "aAáÁ sS dD fF gG hH jJ kK lL ;: '@ #~",
        "\\| zZ xX cC vV bB nN mM ,< .> /?",
        "",
    ),
    "de": (
        '^° 1! 2"² 3§³ 4$ 5% 6& 7/{ 8([ 9)] 0=} ß?\\ ´`',
        "qQ@ wW eE€ rR tT zZ uU iI oO pP üÜ +*~",
        "aA sS dD fF gG hH jJ kK lL öÖ äÄ #'",
        "<>| yY xX cC vV bB nN mMµ ,; .: -_",
        "41^ 13´ 13`",
    ),
    "fr": (
        "² &1 é2~ \"3# '4{ (5[ -6| è7` _8\\ ç9^ à0@ )°] =+}",
        "aA zZ eE€ rR tT yY uU iI oO pP ^¨ $£¤",
        "qQ sS dD fF gG hH jJ kK lL mM ù% *µ",
        "<> wW xX cC vV bB nN ,? ;. :/ !§",
        "26^ 26¨ 3~ 8`",
    ),
    "es": (
        "ºª\\ 1!| 2\"@ 3·# 4$~ 5%€ 6&¬ 7/ 8( 9) 0= '? ¡¿",
        "qQ wW eE€ rR tT yY uU iI oO pP `^[ +*]",
        "aA sS dD fF gG hH jJ kK lL ñÑ ´¨{ çÇ}",
        "<> zZ xX cC vV bB nN mM ,; .: -_",
        "26` 26^ 40´ 40¨ 5~",
    ),
    "pt": (
        "\\| 1! 2\"@ 3#£ 4$§ 5%€ 6& 7/{ 8([ 9)] 0=} '? «»",
        "qQ wW eE€ rR tT yY uU iI oO pP +*¨ ´`",
        "aA sS dD fF gG hH jJ kK lL çÇ ºª ~^",
        "<> zZ xX cC vV bB nN mM ,; .: -_",
        "26¨ 27´ 27` 43~ 43^",
    ),
    "it": (
        "\\| 1! 2\" 3£ 4$ 5%€ 6& 7/ 8( 9) 0= '? ì^",
        "qQ wW eE€ rR tT yY uU iI oO pP èé[{ +*]}",
        "aA sS dD fF gG hH jJ kK lL òç@ à°# ù§",
        "<> zZ xX cC vV bB nN mM ,; .: -_",
        "",
    ),
    "jp": (
        "∅ 1! 2\" 3# 4$ 5% 6& 7' 8( 9) 0 -= ^~ \\|",
        "qQ wW eE rR tT yY uU iI oO pP @` [{",
        "aA sS dD fF gG hH jJ kK lL ;+ :* ]}",
        "∅ zZ xX cC vV bB nN mM ,< .> /? \\_",
        "",
    ),
}
NAMES = tuple(_LAYOUTS)

# What a dead key makes of the letter behind it, in the order of `_BASES`; `∅`: no such letter. Unicode, Latin-1.
_BASES = "aeiouyAEIOUYnNcC"
_COMPOSED = {
    "^": "âêîôû∅ÂÊÎÔÛ∅∅∅∅∅",
    "´": "áéíóúýÁÉÍÓÚÝ∅∅∅∅",
    "`": "àèìòù∅ÀÈÌÒÙ∅∅∅∅∅",
    "¨": "äëïöüÿÄËÏÖÜ∅∅∅∅∅",
    "~": "ã∅∅õ∅∅Ã∅∅Õ∅∅ñÑ∅∅",
}


class Stroke(NamedTuple):
    """One key pressed and let go. `code`: evdev's."""

    code: int
    shift: bool = False
    altgr: bool = False


class Layout:
    """One layout, both ways."""

    def __init__(self, name: str) -> None:
        """KeyError: no such layout."""
        *rows, dead = _LAYOUTS[name]
        self.name = name
        self._dead = {(int(token[:-1]), token[-1]) for token in dead.split()}
        self._characters: dict[Stroke, str] = {Stroke(SPACE): " ", Stroke(SPACE, shift=True): " "}
        for keys, row in zip(_ROWS, rows, strict=True):
            for (code, _), characters in zip(keys, row.split(), strict=False):
                for level, character in enumerate(characters):
                    if character != NONE:
                        self._characters[Stroke(code, bool(level & 1), level >= 2)] = character
        self._strokes = self._typed()

    def character(self, stroke: Stroke) -> str:
        """What the stroke gives; "": nothing."""
        return self._characters.get(stroke, "")

    def is_dead(self, stroke: Stroke) -> bool:
        """Its character waits for the next one."""
        return (stroke.code, self.character(stroke)) in self._dead

    def strokes(self, character: str) -> tuple[Stroke, ...]:
        """How the character is typed; (): this keyboard can't."""
        return self._strokes.get(character, ())

    def _typed(self) -> dict[str, tuple[Stroke, ...]]:
        """The plainest way to each character: without AltGr before with it, dead keys last."""
        found: dict[str, tuple[Stroke, ...]] = {}
        for stroke, character in sorted(self._characters.items(), key=lambda item: item[0][::-1]):
            if not self.is_dead(stroke):
                found.setdefault(character, (stroke,))
        for stroke, character in self._characters.items():
            if self.is_dead(stroke):
                found.setdefault(character, (stroke, Stroke(SPACE)))
                for base in _BASES:
                    made = compose(character, base)
                    if len(made) == 1 and base in found:
                        found.setdefault(made, (stroke, *found[base]))
        return found


def compose(dead: str, base: str) -> str:
    """What a dead key and the character behind it give: one character, or both where they make none."""
    if base == " ":
        return dead
    place = _BASES.find(base)
    made = _COMPOSED.get(dead, NONE * len(_BASES))[place] if place >= 0 else NONE
    return dead + base if made == NONE else made
