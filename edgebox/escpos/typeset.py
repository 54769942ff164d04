"""The pieces of one printed line, set side by side: what stands where, and how the whole line reads.

Owns: `Piece` (text or a move, as the stream brought it), `Span`, and `arrange`, which turns a line's pieces into text.
Never: feeds paper or keeps a stream's state (paper.py), nor draws (edgebox/paper uses `place` for that).

Three things make a line of pieces differ from their texts joined:

    moves        HT, ESC $ and ESC \\ put an amount at the right edge without a single space: a gap is read as spaces
    styles       a change of style inside a word is no gap
    overprint    CR (or ESC $ back to the left) and the same letters again make them bold; other letters after a CR
                 mean that this till ends its lines with CR
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple
from unicodedata import east_asian_width

from edgebox.escpos.encodings import Decoder
from edgebox.escpos.style import Setting, Style

_split_moves = re.compile("([\t\r])").split
_control = re.compile("[\x00-\x1f]")
_UNDERPRINT = frozenset("_-=")  # letters printed under or through others, to stress them
LAYERS_MAX = 16  # a till prints a line two or three times to make it bold; beyond this each CR ends a line
_STRUCK_MAX = 256  # letters that are compared with what is printed over them: more than any printer's line
_CLOSE = 2  # a gap of less than 1/2 letter is no space


class Kind(IntEnum):
    """What a piece is."""

    TEXT = 0
    ABSOLUTE = 1  # ESC $: from the left edge of the print area
    RELATIVE = 2  # ESC \\: from here
    DOTS = 3  # ESC *: a picture as wide as `value`


class Piece(NamedTuple):
    """One part of a line as it came. `value`: dots of a move; `start`: offset in the stream."""

    kind: Kind
    raw: bytes
    setting: Setting
    start: int
    value: int = 0


class Placed(NamedTuple):
    """Letters of one setting at their place: dots from the left edge of the print area. `dots`: an ESC *, kept raw."""

    left: int
    right: int
    text: str
    paired: bool
    setting: Setting
    dots: bytes = b""


class Span(NamedTuple):
    """Letters of one look, side by side. `column`: where they start, in font-A characters from the printable edge."""

    text: str
    column: int
    style: Style


class Arranged(NamedTuple):
    """A line that reads. `look`: its setting where it is all in one from the left edge on, or else its spans."""

    text: str
    look: Setting | tuple[Span, ...]


def is_wide(char: str, paired: bool) -> bool:
    """Whether a sign takes a two-byte character's cell."""
    if char < "\x80":
        return False
    width = east_asian_width(char)
    return width in "WF" or (paired and width not in ("H", "Na"))  # Na: the ¥ of GB18030, half-width kana: H


def advance(char: str, paired: bool, setting: Setting) -> int:
    """Dots from this sign to the next."""
    return setting.kanji if is_wide(char, paired) else setting.letter


def width_of(text: str, paired: bool, setting: Setting) -> int:
    """Dots that `text` takes."""
    if text.isascii():
        return len(text) * setting.letter
    wide = sum(is_wide(char, paired) for char in text)
    return wide * setting.kanji + (len(text) - wide) * setting.letter


def place(pieces: Sequence[Piece], decoder: Decoder) -> list[list[Placed]]:
    """Each piece's letters at their place, in layers: a CR begins a new one at the left edge."""
    texts = iter(decoder.line([(piece.raw, piece.setting.charset) for piece in pieces if piece.kind == Kind.TEXT]))
    layers: list[list[Placed]] = [[]]
    x = 0
    for piece in pieces:
        if piece.kind == Kind.DOTS and piece.raw:
            layers[-1].append(Placed(x, x + piece.value, "", False, piece.setting, piece.raw))
        if piece.kind != Kind.TEXT:
            x = piece.value if piece.kind == Kind.ABSOLUTE else max(x + piece.value, 0)
            continue
        text, paired = next(texts)
        for part in _split_moves(text):
            if part == "\t":
                x = next((tab for tab in piece.setting.tabs if tab > x), x)
            elif part == "\r":
                x = 0
                layers.append([])
            elif clean := _control.sub("", part):
                right = x + width_of(clean, paired, piece.setting)
                layers[-1].append(Placed(x, right, clean, paired, piece.setting))
                x = right
    return layers


def arrange(pieces: Sequence[Piece], decoder: Decoder) -> list[Arranged]:
    """The line as it reads; several, where CRs ended lines. Lines with nothing to read are left out."""
    rows: list[list[Placed]] = []
    layers = [layer for layer in place(pieces, decoder) if layer]
    for layer in layers:
        merged = _overprint(rows[-1], layer) if rows and len(layers) <= LAYERS_MAX else None
        if merged is None:
            rows.append(layer)
        else:
            rows[-1] = merged
    return [line for line in (_read(_settle(row)) for row in rows) if line.text]


def _cells(row: Sequence[Placed]) -> dict[int, str]:
    """Where each visible letter starts."""
    cells: dict[int, str] = {}
    for placed in row:
        x = placed.left
        for char in placed.text:
            if char != " ":
                cells[x] = char
            x += advance(char, placed.paired, placed.setting)
    return cells


def _overprint(under: list[Placed], over: list[Placed]) -> list[Placed] | None:
    """`over` printed on top of `under`, or None where that would make letters unreadable."""
    below, above = _cells(under), _cells(over)
    if any(below.get(x, char) != char and char not in _UNDERPRINT for x, char in above.items()):
        return None
    fresh: list[Placed] = []
    struck: list[Placed] = []
    for placed in over:
        visible = _cells([placed])
        if visible and not visible.keys() & below.keys():
            fresh.append(_without_blanks(placed))
        else:
            struck.append(placed)
    return [_emphasise(placed, struck) for placed in under] + fresh


def _without_blanks(placed: Placed) -> Placed:
    text = placed.text.strip(" ")
    lead = len(placed.text) - len(placed.text.lstrip(" "))
    left = placed.left + lead * placed.setting.letter
    return placed._replace(left=left, right=left + width_of(text, placed.paired, placed.setting), text=text)


def _emphasise(placed: Placed, struck: Sequence[Placed]) -> Placed:
    if not any(other.left < placed.right and placed.left < other.right and other.text.strip() for other in struck):
        return placed
    setting = placed.setting
    return placed._replace(setting=setting._replace(style=setting.style._replace(double_strike=True)))


def _settle(row: list[Placed]) -> list[Placed]:
    """From left to right; letters struck twice (ESC $ back) once and bold; neighbours in one setting joined."""
    settled: list[Placed] = []
    for placed in sorted(row, key=lambda placed: placed.left):
        last = settled[-1] if settled else None
        if last and placed.left < last.right and len(last.text) <= _STRUCK_MAX:
            merged = _overprint([last], [placed])
            if merged is not None and len(merged) == 1:
                settled[-1] = merged[0]
                continue
        if last and placed.left == last.right and placed.setting.style == last.setting.style:
            settled[-1] = last._replace(right=placed.right, text=last.text + placed.text)
            continue
        settled.append(placed)
    return settled


def _read(row: Sequence[Placed]) -> Arranged:
    """The row's text: moves as spaces, trailing spaces gone."""
    parts: list[str] = []
    at = 0
    for placed in row:
        gap = placed.left - at
        cell = placed.setting.cell
        if gap >= cell // _CLOSE and gap > 0:
            parts.append(" " * max(round(gap / cell), 1))
        elif gap < 0 and parts:
            parts.append(" ")
        parts.append(placed.text)
        at = max(at, placed.right)
    text = "".join(parts).rstrip()
    if len(row) == 1 and row[0].left == 0:
        return Arranged(text, row[0].setting)
    return Arranged(text, spans_of(row))


def spans_of(row: Sequence[Placed]) -> tuple[Span, ...]:
    """The row's spans, justified in the print area as its first letters say."""
    first = row[0].setting
    shift = first.margin + justified(first, max(placed.right for placed in row))
    return tuple(
        Span(placed.text, round((shift + placed.left) / first.cell), placed.setting.style)
        for placed in row
        if placed.text.strip() or placed.setting.style.reverse or placed.setting.style.underline
    )


def justified(setting: Setting, width: int) -> int:
    """Dots that ESC a moves a line of this width to the right."""
    room = max(setting.area - width, 0)
    return (0, room // 2, room)[setting.style.justify]
