"""A stored paper as a template writes it: lines of letters, each with its width and mark.

Owns: cutting a `Sheet` (edgebox/reports/paper_view.py) into what a page of one font sets. East Asian letters take two
columns of a receipt, and no font agrees with another on what that is, so they are spans of their own and the style
sheet widens them. Never: HTML, or a word of its own.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from edgebox.reports.paper_view import Mark, Row, Sheet, Slip

GAP_MAX = 2  # blank lines that are drawn; more tells nothing


class Letters(NamedTuple):
    """A piece of a line. `is_wide`: each of its letters takes two columns."""

    text: str
    is_wide: bool
    mark: str


class Line(NamedTuple):
    """`number`: for taps; `looks`: names of classes."""

    number: int
    pieces: tuple[Letters, ...]
    looks: str
    is_told: bool

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(piece.text for piece in self.pieces)


class Drawn(NamedTuple):
    """`slip` stands between `above` and `below`; None: there is none."""

    columns: int
    above: tuple[Line, ...]
    slip: Slip | None
    below: tuple[Line, ...]


def drawn(sheet: Sheet) -> Drawn:
    """The whole of it."""
    lines = tuple(_line(row) for row in sheet.rows)
    at = sheet.slip_at if sheet.slip is not None else len(lines)
    return Drawn(sheet.columns, lines[:at], sheet.slip, lines[at:])


def _line(row: Row) -> Line:
    pieces = tuple(piece for run in row.runs for piece in _pieces(run.text, run.mark.value))
    looks = [*row.looks, *([f"gap-{min(row.gap, GAP_MAX)}"] if row.gap else []), *(["kind"] if row.is_kind else [])]
    is_told = bool(row.text.strip()) and all(run.mark is not Mark.HIDDEN for run in row.runs)
    return Line(row.line, pieces, " ".join(looks), is_told)


def _pieces(text: str, mark: str) -> list[Letters]:
    found: list[Letters] = []
    for letter in text:
        is_wide = unicodedata.east_asian_width(letter) in "WF"
        if found and found[-1].is_wide == is_wide:
            found[-1] = found[-1]._replace(text=found[-1].text + letter)
        else:
            found.append(Letters(letter, is_wide, mark))
    return found
