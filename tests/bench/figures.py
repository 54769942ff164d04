"""A section of figures: as a table on the terminal, and as a block of BENCHMARKS.md.

Owns: `Section` and its two forms. Never: measures, or changes a word of BENCHMARKS.md outside its own block.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

BEGIN, END = "<!-- figures: {name} -->", "<!-- end: {name} -->"
MET, MISSED = "met", "MISSED"


class Section(NamedTuple):
    """What one part of the bench found. `name` is the word on the command line."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def met(value: float, target: float, *, at_least: bool = False) -> str:
    """`met` or `MISSED`."""
    return MET if (value >= target if at_least else value <= target) else MISSED


def as_text(section: Section) -> str:
    """For a terminal."""
    table = [section.columns, *section.rows]
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(_left(cell, width) if not at else _right(cell, width) for at, (cell, width) in enumerate(pairs))
        for row in table
        if (pairs := list(zip(row, widths, strict=True)))
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([section.title, "", *lines, *(f"* {note}" for note in section.notes), ""])


def as_markdown(section: Section, machine: Sequence[str]) -> str:
    """For BENCHMARKS.md."""
    lines = [f"**{section.title}**", "", _row(section.columns), _row(["---"] + ["---:"] * (len(section.columns) - 1))]
    lines += [_row(row) for row in section.rows]
    notes = [*section.notes, "; ".join(machine)]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def write(path: Path, section: Section, machine: Sequence[str]) -> None:
    """Replaces the section's block in the file. ValueError when it has none."""
    text = path.read_text(encoding="utf-8")
    begin, end = BEGIN.format(name=section.name), END.format(name=section.name)
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{path} has no block {begin} … {end}")
    path.write_text(f"{before}{begin}\n{as_markdown(section, machine)}\n{end}{after}", encoding="utf-8")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _left(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _right(text: str, width: int) -> str:
    return " " * (width - _width(text)) + text
