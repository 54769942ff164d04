"""The modes of a simulated printer: what each mode command sets, and how the next character comes out.

Owns: `Modes`. Never: paper or the print buffer (mechanism.py). Only what differs from power-on is kept, so that two
styles compare with `==`, however they came about: `ESC E 1` and `ESC ! 8` print the same bold line.
"""

from __future__ import annotations

from collections.abc import Callable

from edgebox.escpos.profile import PrinterProfile
from hw_sim.ink import Style

_BARCODE_DOTS = 162  # GS h at power-on (TM-T88 series)
_PAGE_DOTS = 831  # page mode's height at power-on (TM-T88 series)
_NO_PAPER = frozenset({"GS a", "GS j", "ESC c", "FS ( e"})  # status and sensors: change nothing that is printed
_CODEC_MODES = frozenset({"kanji", "page"})
_CELL_MODES = frozenset({"font", "wide", "high"})


class Modes:
    """Modes since power-on or ESC @. `spacing` and the `_dots` are dots, `unit` dots a vertical motion unit."""

    def __init__(self, profile: PrinterProfile) -> None:
        self._profile = profile
        self._values: dict[str, object] = {}
        self._style: Style | None = ()
        self.spacing = profile.line_spacing
        self.unit = profile.dpi / profile.motion_y
        self.barcode_dots = _BARCODE_DOTS
        self.page_dots = _PAGE_DOTS
        self._codec: str | None = None  # computed when a character needs it: tills set many modes for nothing
        self._cell: tuple[int, int] | None = None

    def apply(self, name: str, args: bytes) -> None:
        """Does what one mode command says; one without a rule here is kept by its name."""
        rule = _RULES.get(name)
        if rule is not None:
            rule(self, args)
        elif name not in _NO_PAPER:
            self._set(name, args, b"\0" * len(args))

    @property
    def style(self) -> Style:
        """The modes in force."""
        if self._style is None:
            self._style = tuple(sorted(self._values.items()))
        return self._style

    @property
    def shows_spaces(self) -> bool:
        """A space leaves a mark: reversed it is a black bar, underlined a line."""
        return "reverse" in self._values or "underline" in self._values

    @property
    def caption(self) -> bool:
        """Bar codes get their text printed too (GS H)."""
        return "GS H" in self._values

    def _set(self, name: str, value: object, default: object = 0) -> None:
        values = self._values
        if value == default:
            if name not in values:
                return
            del values[name]
        else:
            values[name] = value
        self._style = None
        if name in _CODEC_MODES:
            self._codec = None
        elif name in _CELL_MODES:
            self._cell = None

    def _number(self, name: str, default: int) -> int:
        value = self._values.get(name, default)
        return value if isinstance(value, int) else default

    @property
    def codec(self) -> str:
        """Python's name of the code page in force."""
        if self._codec is None:
            self._codec = self._codec_now()
        return self._codec

    @property
    def cell(self) -> tuple[int, int]:
        """Width and height of a character, in dots."""
        if self._cell is None:
            self._cell = self._cell_now()
        return self._cell

    def _codec_now(self) -> str:
        on = self._number("kanji", int(self._profile.cjk_on)) and self._profile.cjk != "none"
        kanji = self._profile.cjk if on else ""
        return kanji or self._profile.codec(self._number("page", self._profile.code_page)) or "latin-1"

    def _cell_now(self) -> tuple[int, int]:
        columns = self._profile.columns_b if self._number("font", 0) == 1 else self._profile.columns
        wide, high = self._number("wide", 0) + 1, self._number("high", 0) + 1
        return self._profile.dots // max(columns, 1) * wide, self._profile.char_height * high

    def _print_mode(self, n: int) -> None:  # ESC ! n
        for name, bit in (("font", 0), ("bold", 3), ("high", 4), ("wide", 5), ("underline", 7)):
            self._set(name, n >> bit & 1)

    def _size(self, n: int) -> None:  # GS ! n
        self._set("wide", n >> 4 & 7)
        self._set("high", n & 7)

    def _line_spacing(self, n: int | None) -> None:  # ESC 2, ESC 3 n
        self.spacing = self._profile.line_spacing if n is None else round(n * self.unit)
        self._set("spacing", n, None)

    def _motion(self, y: int) -> None:  # GS P x y: units an inch, 0 for the printer's own
        self.unit = self._profile.dpi / (y or self._profile.motion_y)

    def _barcode_height(self, n: int) -> None:  # GS h n
        self.barcode_dots = n or _BARCODE_DOTS

    def _page_area(self, args: bytes) -> None:  # ESC W x y dx dy, 16 bits each
        self.page_dots = round((args[6] + (args[7] << 8)) * self.unit)


_RULES: dict[str, Callable[[Modes, bytes], None]] = {
    "ESC !": lambda m, a: m._print_mode(a[0]),
    "GS !": lambda m, a: m._size(a[0]),
    "ESC E": lambda m, a: m._set("bold", a[0] & 1),
    "ESC -": lambda m, a: m._set("underline", int(a[0] in (1, 2, 49, 50))),
    "GS B": lambda m, a: m._set("reverse", a[0] & 1),
    "ESC M": lambda m, a: m._set("font", a[0] % 48),
    "ESC a": lambda m, a: m._set("align", a[0] % 48),
    "ESC t": lambda m, a: m._set("page", a[0], m._profile.code_page),
    "ESC 2": lambda m, a: m._line_spacing(None),
    "ESC 3": lambda m, a: m._line_spacing(a[0]),
    "FS &": lambda m, a: m._set("kanji", 1, int(m._profile.cjk_on)),
    "FS .": lambda m, a: m._set("kanji", 0, int(m._profile.cjk_on)),
    "GS P": lambda m, a: m._motion(a[1]),
    "GS h": lambda m, a: m._barcode_height(a[0]),
    "ESC W": lambda m, a: m._page_area(a),
}
