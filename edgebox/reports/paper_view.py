"""A stored paper as a page draws it: rows of runs with their look, marks where nothing is told, the slip where it was.

Owns: `Sheet` and `sheet`. Pure. Never: HTML: a template writes each `Run.text` escaped, and takes `Row.looks` as names
of classes. Nothing in here came from anywhere but the paper, so nothing in here is markup.

The slip is drawn from what is recorded of it: the names of its slips, and the code of the stored claim, so what is
shown, and what a reprint gives, is the token that the customer has.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from edgebox.receipt.keeping import (
    BOLD,
    CENTRE,
    GAP_BIT,
    HIDDEN,
    MARKED,
    REVERSE,
    RIGHT,
    SMALL,
    TALL,
    UNDERLINE,
    WIDE,
)
from edgebox.slips import qr
from edgebox.stored_paper import Spot, StoredPaper

COLUMNS_MIN, COLUMNS_MAX = 32, 64  # of paper of 58 mm, and of the widest printer
_LOOKS = {
    BOLD: "bold", WIDE: "wide", TALL: "tall", REVERSE: "reverse", UNDERLINE: "underline", CENTRE: "centre",
    RIGHT: "right", SMALL: "small",
}  # fmt: skip


class Mark(StrEnum):
    """What a run is besides text."""

    NONE = ""
    TOTAL = "total"
    NUMBER = "number"
    TENDER = "tender"
    HIDDEN = "hidden"  # here was something that the box did not keep


class Run(NamedTuple):
    """Letters of one mark."""

    text: str
    mark: Mark = Mark.NONE


class Row(NamedTuple):
    """A line. `line`: its number, for taps; `looks`: bold wide tall reverse underline centre right small; `gap`: blank
    lines above it; `is_kind`: it says what the document is."""

    line: int
    runs: tuple[Run, ...]
    looks: tuple[str, ...] = ()
    gap: int = 0
    is_kind: bool = False

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(run.text for run in self.runs)


class Slip(NamedTuple):
    """What the box put in. `qr_path`: an SVG path over `qr_size` modules a side, without its quiet zone of four; ""
    without a code."""

    names: tuple[str, ...]
    mm: int
    points: int
    url: str
    qr_path: str
    qr_size: int


class Sheet(NamedTuple):
    """`slip_at`: the slip stands before this row, `len(rows)`: behind the last; -1: there is none."""

    columns: int
    rows: tuple[Row, ...]
    slip: Slip | None
    slip_at: int


def sheet(paper: StoredPaper, names: Sequence[str] = (), mm: int = 0, points: int = 0, url: str = "") -> Sheet:
    """The drawing. `names`, `mm`: of the slips; `url`: the stored claim's."""
    rows = tuple(_row(paper, number) for number in range(len(paper.lines)))
    columns = max((_columns(row) for row in rows), default=COLUMNS_MIN)
    columns = min(max(columns, COLUMNS_MIN), COLUMNS_MAX)
    if paper.slip_at < 0 or not (names or url):
        return Sheet(columns, rows, None, -1)
    slip = Slip(tuple(names), mm, points, url, *(qr_path(url) if url else ("", 0)))
    return Sheet(columns, rows, slip, min(paper.slip_at, len(rows)))


def qr_path(text: str) -> tuple[str, int]:
    """A QR code as an SVG path of runs, one unit a module, and how many modules a side has."""
    matrix = qr.claim_matrix(text)
    size = len(matrix)
    parts: list[str] = []
    for y, bits in enumerate(matrix):
        x = 0
        while x < size:
            begin = x
            while x < size and bits >> (size - 1 - x) & 1:
                x += 1
            if x > begin:
                parts.append(f"M{begin} {y}h{x - begin}v1H{begin}z")
            x += 1
    return "".join(parts), size


def _row(paper: StoredPaper, number: int) -> Row:
    line = paper.lines[number]
    looks = tuple(name for bit, name in _LOOKS.items() if line.look & bit)
    marks = [(paper.total, Mark.TOTAL), (paper.number, Mark.NUMBER), *((spot, Mark.TENDER) for spot in paper.tenders)]
    spans = [(spot, mark) for spot, mark in marks if spot is not None and spot[0] == number]
    if line.look & MARKED:
        runs: tuple[Run, ...] = (Run(line.text or HIDDEN, Mark.HIDDEN),)
    else:
        runs = tuple(_runs(line.text, spans))
    return Row(number, runs, looks, line.look >> GAP_BIT, number == paper.kind_at)


def _runs(text: str, spans: Sequence[tuple[Spot, Mark]]) -> list[Run]:
    """The line cut at its marks; where two overlap, the first stands."""
    marks = [Mark.NONE] * len(text)
    for (_, begin, end), mark in reversed(spans):
        for place in range(max(begin, 0), min(end, len(text))):
            marks[place] = mark
    hidden = text.find(HIDDEN)
    if hidden >= 0:
        marks[hidden : hidden + len(HIDDEN)] = [Mark.HIDDEN] * len(HIDDEN)
    runs: list[Run] = []
    for letter, mark in zip(text, marks, strict=True):
        if runs and runs[-1].mark is mark:
            runs[-1] = Run(runs[-1].text + letter, mark)
        else:
            runs.append(Run(letter, mark))
    return runs


def _columns(row: Row) -> int:
    wide = 2 if "wide" in row.looks else 1
    return sum(wide * (2 if unicodedata.east_asian_width(letter) in "WF" else 1) for letter in row.text)
