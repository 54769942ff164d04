"""Which lines may be nothing but the end of the line above, wrapped.

Owns: `Wraps`. Never: what a line means. A name of sixty letters fills its line, and goes on in the next, where `PAID`
seems to stand alone. So a line that says how it was paid is doubted where the one above has no room for its first word:
tills wrap by the letter or by the word. A line above that ends in an amount with a meaning, or is a label itself, is
the till's own and over. Behind a rule the same is asked of the line above the rule, if that is full to the last letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from edgebox.escpos.lines import Line
from edgebox.escpos.style import Setting
from edgebox.receipt.zones import is_plain_rule

_BLANKS = 2  # at the end of a full line: what a wide letter left free, or blanks between words that wrap there
_parted = re.compile(r"\S\s{3,}\S").search
COLUMNS_MIN = 32  # of the larger letters on 58 mm; a shorter line never fills its paper
COLUMNS_MAX = 64  # of the smaller letters on 80 mm; a longer line is wrapped by the printer, and is one line here
_ASCII_END = "\x7f"
_word = re.compile(r"\S+?(?=\.\.|\s|$)").match  # dots lead from a label to its amount
# East Asian width W and F, roughly: Hangul Jamo, all from CJK radicals to Hangul syllables, and full-width forms.
_wide = re.compile("[\u1100-\u115f\u2e80-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]").sub


def columns(text: str) -> int:
    """How many columns a text takes in letters of single width."""
    return len(text) if text.isascii() else 2 * len(text) - len(_wide("", text))


def is_parted(text: str) -> bool:
    """Two columns; a name is hardly written so."""
    return _parted(text) is not None


class Wraps:
    """Of one document. `is_closed`: of a line's number, whether it is surely over where it ends."""

    def __init__(self, lines: Sequence[Line], is_closed: Callable[[int], bool]) -> None:
        self._lines = lines
        self._is_closed = is_closed
        self._widths = list(map(_printed, lines))
        fitting = [place for place, width in enumerate(self._widths) if COLUMNS_MIN <= width <= COLUMNS_MAX]
        widest = max((self._widths[place] for place in fitting), default=COLUMNS_MIN)
        ruled = (self._widths[place] for place in fitting if is_plain_rule(lines[place].text))
        self._papers = {widest, max(ruled, default=widest)}  # the widest line, and rule: drawn from edge to edge

    def may_go_on(self, place: int) -> bool:
        """The line may be the end of what stands above it."""
        above, first = place - 1, 0
        if above >= 0 and not self._is_closed(above) and is_plain_rule(self._lines[above].text):
            above, first = above - 1, 1
        if above < 0 or self._is_closed(above) or is_plain_rule(self._lines[above].text):
            return False
        first = first or _first_word(self._lines[place].text)
        return any(self._widths[above] <= paper < self._widths[above] + first for paper in self._papers)

    def goes_on(self, begins: Callable[[int], bool]) -> set[int]:
        """Lines that go on with what one began for which `begins` holds: all while the line above is full."""
        out: set[int] = set()
        is_open = False
        for place, width in enumerate(self._widths):
            if is_open:
                out.add(place)
            is_full = any(paper - _BLANKS <= width <= paper for paper in self._papers)
            is_open = is_full and not is_parted(self._lines[place].text) and (is_open or begins(place))
        return out


def _printed(line: Line) -> int:
    """Columns of the paper that a line takes, the largest of its letters deciding."""
    look = line.look
    widest = look.style.width if isinstance(look, Setting) else max((span.style.width for span in look), default=1)
    return columns(line.text) * widest


def _first_word(text: str) -> int:
    """Columns of a blank and what a till never parts: a word, or one letter of a script without blanks."""
    text = text.lstrip()
    if text[:1] > _ASCII_END and columns(text[0]) == 2:
        return 2
    found = _word(text)
    return 1 + columns(found[0]) if found else 0
