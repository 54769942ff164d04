"""How the next letter will look and where it may stand: print modes as one value that commands turn into another.

Owns: `Style`, `Setting` and the table of what each mode command changes. Never: holds text or a position on the paper
(paper.py and edgebox/paper do), nor restores modes (state.py).

Shape: a `Setting` is immutable and `Settings.after` is a pure function of it and a command's bytes, so its results are
remembered. A till that switches bold on and off a thousand times costs a thousand dictionary look-ups.

Lengths are dots. Source: Epson "ESC/POS Command Reference"; deviations say why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from edgebox.escpos.encodings import Charset
from edgebox.escpos.parser import Command
from edgebox.escpos.profile import PrinterProfile

REMEMBERED_MAX = 4096  # settings, and moves from each, that are kept; real tills use some dozens
TAB_EVERY, TAB_LAST = 8, 256  # power-on: a tab every 8 characters of font A; ESC D can't set one beyond 255
KANJI_DOTS = 24  # a two-byte character is 24 x 24 dots in font A
FONT_B_HEIGHT = 17  # dots; Epson's font B is 9 x 17, C (where there is one) about the same


class Style(NamedTuple):
    """The look of letters. Sizes are multiples (1-8); `font` is A, B or C; `justify`: 0 left, 1 centre, 2 right."""

    emphasised: bool = False
    double_strike: bool = False
    width: int = 1
    height: int = 1
    underline: int = 0  # dots thick: 0, 1 or 2
    reverse: bool = False
    font: str = "A"
    justify: int = 0
    upside_down: bool = False
    rotate: bool = False
    italic: bool = False
    kanji_width: int = 1  # of two-byte characters, which FS ! and FS W size on their own
    kanji_height: int = 1
    kanji_underline: int = 0

    @property
    def bold(self) -> bool:
        """Emphasised (ESC E) or double-strike (ESC G); they look alike on thermal paper."""
        return self.emphasised or self.double_strike

    @property
    def double_width(self) -> bool:
        """Wider than normal."""
        return self.width > 1 or self.kanji_width > 1

    @property
    def double_height(self) -> bool:
        """Taller than normal."""
        return self.height > 1 or self.kanji_height > 1


class Setting(NamedTuple):
    """Everything that decides how the next letter prints."""

    style: Style
    charset: Charset
    area: int  # print area's width
    cell: int  # width of a font-A character
    cell_b: int
    line_spacing: int
    char_height: int  # of font A
    spacing: int = 0  # ESC SP, right of each character
    kanji_left: int = 0  # FS S
    kanji_right: int = 0
    margin: int = 0  # GS L
    tabs: tuple[int, ...] = ()  # ESC D, rising
    unit_x: int = 203  # motion units an inch
    unit_y: int = 203
    bar_height: int = 162  # GS h at power-on
    bar_width: int = 3  # GS w
    hri: int = 0  # GS H: 0 none, 1 above, 2 below, 3 both
    hri_font: int = 0  # GS f

    @property
    def letter(self) -> int:
        """The advance of a one-byte character, with its spacing."""
        style = self.style
        if style.rotate:
            return (self.char_height if style.font == "A" else FONT_B_HEIGHT) * style.height + self.spacing
        return ((self.cell if style.font == "A" else self.cell_b) + self.spacing) * style.width

    @property
    def kanji(self) -> int:
        """The advance of a two-byte character, with its spacing."""
        return (2 * self.cell + self.kanji_left + self.kanji_right) * self.style.kanji_width

    @property
    def ink_height(self) -> int:
        """How high a line in this setting is."""
        style = self.style
        one_byte = (self.char_height if style.font == "A" else FONT_B_HEIGHT) * style.height
        if style.rotate:
            one_byte = max((self.cell if style.font == "A" else self.cell_b) * style.width, self.char_height)
        return max(one_byte, KANJI_DOTS * style.kanji_height if style.kanji_height > 1 else 0)


def power_on(profile: PrinterProfile) -> Setting:
    """The setting after power-on and after ESC @."""
    cell = max(profile.dots // max(profile.columns, 1), 1)
    return Setting(
        style=Style(),
        charset=Charset(page=profile.code_page),
        area=profile.dots,
        cell=cell,
        cell_b=max(profile.dots // max(profile.columns_b, 1), 1),
        line_spacing=profile.line_spacing,
        char_height=profile.char_height,
        tabs=tuple(range(TAB_EVERY * cell, TAB_LAST * cell, TAB_EVERY * cell)),
        unit_x=profile.dpi,
        unit_y=profile.motion_y,
    )


class Node:
    """A setting, what it makes of a line, and where commands lead from it."""

    __slots__ = ("at_start", "feed", "moves", "setting", "spacing")

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.spacing = setting.line_spacing  # dots that LF feeds on an empty line
        self.feed = max(setting.line_spacing, setting.ink_height, 1)  # and on one with letters
        self.moves: dict[bytes, Node] = {}
        self.at_start: dict[bytes, Node] = {}  # by commands that are obeyed only at the beginning of a line


class Settings:
    """All the settings that one paper has met, and the ways between them."""

    __slots__ = ("_moves", "_nodes", "_profile", "start")

    def __init__(self, profile: PrinterProfile) -> None:
        self._profile = profile
        self.start = Node(power_on(profile))
        self._nodes: dict[Setting, Node] = {self.start.setting: self.start}
        self._moves = 0

    def after(self, node: Node, command: Command) -> Node:
        """The setting that a mode command leads to. Commands that say nothing about letters lead back to `node`."""
        change = CHANGES.get(command.spec.prefix)
        if change is None:
            setting = node.setting
        else:
            setting = change(node.setting, command.args, self._profile)
        target = self._nodes.get(setting) or self._add(setting)
        if command.total == len(command.raw):
            if self._moves >= REMEMBERED_MAX:
                self._forget()
            self._moves += 1
            (node.at_start if command.spec.prefix in AT_LINE_START else node.moves)[command.raw] = target
        return target

    def emphasised(self, node: Node) -> Node:
        """The same in bold (printers whose ESC E has no parameter)."""
        setting = _styled(node.setting, emphasised=True)
        return self._nodes.get(setting) or self._add(setting)

    def _add(self, setting: Setting) -> Node:
        if len(self._nodes) >= REMEMBERED_MAX:
            self._forget()
        node = self._nodes[setting] = Node(setting)
        return node

    def _forget(self) -> None:
        for node in self._nodes.values():
            node.moves.clear()
            node.at_start.clear()
        self._nodes = {self.start.setting: self.start}
        self._moves = 0


# -- what each command changes ----------------------------------------------------------------------------------------

Change = Callable[[Setting, bytes, PrinterProfile], Setting]


def _styled(setting: Setting, **changes: object) -> Setting:
    return setting._replace(style=setting.style._replace(**changes))  # type: ignore[arg-type]


def _digit(args: bytes) -> int:
    """n as a number or as its ASCII digit: most commands take both (ESC a 1, ESC a '1')."""
    return args[0] - 48 if 48 <= args[0] <= 57 else args[0]


def _print_modes(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    """ESC !. Epson sizes only one-byte characters by it; the Chinese clones size both, and their tills rely on it."""
    n = args[0]
    width, height = 2 if n & 0x20 else 1, 2 if n & 0x10 else 1
    return _styled(
        setting,
        font="B" if n & 1 else "A",
        emphasised=bool(n & 8),
        underline=1 if n & 0x80 else 0,
        width=width,
        height=height,
        kanji_width=width,
        kanji_height=height,
    )


def _size(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    width, height = (args[0] >> 4 & 7) + 1, (args[0] & 7) + 1
    return _styled(setting, width=width, height=height, kanji_width=width, kanji_height=height)


def _kanji_modes(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    n = args[0]
    return _styled(
        setting,
        kanji_width=2 if n & 4 else 1,
        kanji_height=2 if n & 8 else 1,
        kanji_underline=1 if n & 0x80 else 0,
    )


def _kanji_size(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    size = 2 if args[0] & 1 else 1
    return _styled(setting, kanji_width=size, kanji_height=size)


def _underline(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    return _styled(setting, underline=_digit(args)) if _digit(args) <= 2 else setting


def _kanji_underline(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    return _styled(setting, kanji_underline=_digit(args)) if _digit(args) <= 2 else setting


def _justify(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    return _styled(setting, justify=_digit(args)) if _digit(args) <= 2 else setting


def _font(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    return _styled(setting, font="ABC"[_digit(args)]) if _digit(args) <= 2 else setting


def _rotate(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    return _styled(setting, rotate=_digit(args) in (1, 2)) if _digit(args) <= 2 else setting


def _flag(name: str) -> Change:
    """A mode switched by the lowest bit of n."""

    def change(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
        return _styled(setting, **{name: bool(args[0] & 1)})

    return change


def _always(**changes: object) -> Change:
    """A style that a command without parameters sets."""

    def change(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
        return _styled(setting, **changes)

    return change


def dots_x(units: int, setting: Setting, profile: PrinterProfile) -> int:
    """Horizontal motion units in dots."""
    return round(units * profile.dpi / setting.unit_x)


def dots_y(units: int, setting: Setting, profile: PrinterProfile) -> int:
    """Vertical motion units in dots."""
    return round(units * profile.dpi / setting.unit_y)


def _word(args: bytes) -> int:
    return args[0] | args[1] << 8


def _spacing(setting: Setting, args: bytes, profile: PrinterProfile) -> Setting:
    return setting._replace(spacing=dots_x(args[0], setting, profile))


def _kanji_spacing(setting: Setting, args: bytes, profile: PrinterProfile) -> Setting:
    left, right = (dots_x(n, setting, profile) for n in args[:2])
    return setting._replace(kanji_left=left, kanji_right=right)


def _default_line(setting: Setting, _args: bytes, profile: PrinterProfile) -> Setting:
    return setting._replace(line_spacing=profile.line_spacing)


def _line(setting: Setting, args: bytes, profile: PrinterProfile) -> Setting:
    return setting._replace(line_spacing=dots_y(args[0], setting, profile))


def _margin(setting: Setting, args: bytes, profile: PrinterProfile) -> Setting:
    margin = min(dots_x(_word(args), setting, profile), profile.dots)
    return setting._replace(margin=margin, area=min(setting.area, profile.dots - margin) or profile.dots)


def _area(setting: Setting, args: bytes, profile: PrinterProfile) -> Setting:
    width = dots_x(_word(args), setting, profile)
    return setting._replace(area=min(max(width, setting.cell), profile.dots - setting.margin) or profile.dots)


def _units(setting: Setting, args: bytes, profile: PrinterProfile) -> Setting:
    return setting._replace(unit_x=args[0] or profile.dpi, unit_y=args[1] or profile.motion_y)


def _tabs(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    """ESC D n1..nk NUL: columns of the letters in force, rising; a lower one ends the list; none cancels every tab."""
    columns: list[int] = []
    for n in args[:-1]:
        if columns and n <= columns[-1]:
            break
        columns.append(n)
    return setting._replace(tabs=tuple(n * setting.letter for n in columns))


def _page(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    return setting._replace(charset=setting.charset._replace(page=args[0], page_chosen=True))


def _national(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    return setting._replace(charset=setting.charset._replace(national=args[0]))


def _encode_system(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    """FS ( C pL pH fn m: fn 48 selects one-byte (1) or UTF-8 (2)."""
    if len(args) < 4 or args[2] not in (0, 48):
        return setting
    return setting._replace(charset=setting.charset._replace(utf8=args[3] in (2, 50)))


def _kanji(on: bool) -> Change:
    def change(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
        return setting._replace(charset=setting.charset._replace(kanji=on))

    return change


def _number(name: str, low: int, high: int) -> Change:
    def change(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
        return setting._replace(**{name: args[0]}) if low <= args[0] <= high else setting  # type: ignore[arg-type]

    return change


def _hri(setting: Setting, args: bytes, _: PrinterProfile) -> Setting:
    return setting._replace(hri=_digit(args)) if _digit(args) <= 3 else setting


# Obeyed only at the beginning of a line; in the middle of one printers ignore them.
AT_LINE_START = frozenset({b"\x1ba", b"\x1b{", b"\x1dL", b"\x1dW"})

CHANGES: dict[bytes, Change] = {
    b"\x0e": _always(width=2, kanji_width=2),
    b"\x14": _always(width=1, kanji_width=1),
    b"\x0f": _always(font="B"),
    b"\x12": _always(font="A"),
    b"\x1b\x0e": _always(width=2, kanji_width=2),
    b"\x1b\x0f": _always(font="B"),
    b"\x1b\x1da": _justify,
    b"\x1b ": _spacing,
    b"\x1b!": _print_modes,
    b"\x1b-": _underline,
    b"\x1b2": _default_line,
    b"\x1b3": _line,
    b"\x1b4": _always(italic=True),
    b"\x1b5": _always(italic=False),
    b"\x1bD": _tabs,
    b"\x1bE": _flag("emphasised"),
    b"\x1bF": _always(emphasised=False),
    b"\x1bH": _always(font="A", double_strike=False),
    b"\x1bP": _always(font="A"),
    b"\x1bG": _flag("double_strike"),
    b"\x1bM": _font,
    b"\x1bR": _national,
    b"\x1bV": _rotate,
    b"\x1ba": _justify,
    b"\x1bt": _page,
    b"\x1b{": _flag("upside_down"),
    b"\x1c!": _kanji_modes,
    b"\x1c&": _kanji(True),
    b"\x1c(C": _encode_system,
    b"\x1c-": _kanji_underline,
    b"\x1c.": _kanji(False),
    b"\x1cS": _kanji_spacing,
    b"\x1cW": _kanji_size,
    b"\x1d!": _size,
    b"\x1dB": _flag("reverse"),
    b"\x1dH": _hri,
    b"\x1dL": _margin,
    b"\x1dP": _units,
    b"\x1dW": _area,
    b"\x1df": _number("hri_font", 0, 4),
    b"\x1dh": _number("bar_height", 1, 255),
    b"\x1dw": _number("bar_width", 1, 255),
}
