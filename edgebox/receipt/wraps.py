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

COLUMNS_MIN = 32  # of the larger letters on 58 mm; a shorter line never fills its paper
COLUMNS_MAX = 64  # of the smaller letters on 80 mm; a longer line is wrapped by the printer, and is one line here
_ASCII_END = "\x7f"
_word = re.compile(r"\S+?(?=\.\.|\s|$)").match  # dots lead from a label to its amount
# East Asian width W and F, roughly: Hangul Jamo, all from CJK radicals to Hangul syllables, and full-width forms.
_wide = re.compile("[\u1100-\u115f\u2e80-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]").sub


def columns(text: str) -> int:
    """How many columns a text takes in letters of single width."""
    return len(text) if text.isascii() else 2 * len(text) - len(_wide("", text))


class Wraps:
    """Of one document. `is_closed`: of a line's number, whether it is surely over where it ends."""

    def __init__(self, lines: Sequence[Line], is_closed: Callable[[int], bool]) -> None:
        self._lines = lines
        self._is_closed = is_closed
        self._papers: set[int] = set()  # how wide the paper may be; known when somebody asks

    def may_go_on(self, place: int) -> bool:
        """The line may be the end of what stands above it."""
        above = place - 1
        if above < 0 or self._is_closed(above):
            return False
        if is_plain_rule(self._lines[above].text):
            above -= 1
            first = 1
            if above < 0 or self._is_closed(above) or is_plain_rule(self._lines[above].text):
                return False
        else:
            first = _first_word(self._lines[place].text)
        taken = _printed(self._lines[above])
        return any(taken <= width < taken + first for width in self._columns())

    def _columns(self) -> set[int]:
        """The widest line, and the widest rule: tills draw them from edge to edge."""
        if not self._papers:
            widths = [(_printed(line), is_plain_rule(line.text)) for line in self._lines]
            fitting = [(width, is_ruled) for width, is_ruled in widths if COLUMNS_MIN <= width <= COLUMNS_MAX]
            ruled = [width for width, is_ruled in fitting if is_ruled]
            self._papers = {max((width for width, _ in fitting), default=COLUMNS_MIN), *([max(ruled)] if ruled else ())}
        return self._papers


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
