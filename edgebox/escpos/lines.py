"""Printed lines on their way to a reader: kept as bytes, cut and decoded when they are asked for.

Owns: `Line` and the store of completed lines. Never: decides where a line ends (paper.py does).

Shape: a run of lines in one setting is kept whole, with its offset and setting. To read it takes a handful of C calls
for the whole run. Only a line put together from several pieces, or with moves in it, is arranged by itself. Lines are
decoded in order and once, because what a decoder has seen helps it with what follows.

Bounds: LINES_MAX lines and BYTES_MAX bytes that nobody has taken; what comes then is dropped and counted.
"""

from __future__ import annotations

import operator
from itertools import accumulate, compress, count, repeat
from typing import NamedTuple

from edgebox.escpos.encodings import Decoder
from edgebox.escpos.style import Node, Setting
from edgebox.escpos.typeset import Kind, Piece, Placed, Span, arrange, spans_of, width_of

LINES_MAX = 20_000  # 75 m of paper at 30 dots a line; a roll has 80 m
BYTES_MAX = 4 << 20  # lines of 200 bytes, far above what is printed

_new = tuple.__new__  # makes a Line of a tuple in C; the class's own __new__ is Python


class Line(NamedTuple):
    """One printed line that has something to read.

    `text`: without the blanks that only justify; `start`: offset in the stream of its first byte; `end`: offset after
    the byte that printed it; `top`: dots fed since the start of the stream; `look`: see `spans`.
    """

    text: str
    start: int
    end: int
    top: int
    look: Setting | tuple[Span, ...]

    @property
    def spans(self) -> tuple[Span, ...]:
        """Its letters by look, from left to right."""
        if not isinstance(self.look, Setting):
            return self.look
        right = width_of(self.text, False, self.look)
        return spans_of((Placed(0, right, self.text, False, self.look),))


class _Run(NamedTuple):
    """Whole lines in one setting, without the last LF."""

    body: bytes
    start: int
    top: int
    node: Node


class _Row(NamedTuple):
    """One line of several pieces."""

    pieces: list[Piece]
    end: int
    top: int


class Lines:
    """Completed lines, in order."""

    __slots__ = ("_bytes", "_count", "_decoder", "_done", "_waiting", "dropped")

    def __init__(self, decoder: Decoder) -> None:
        self.dropped = 0  # lines
        self._decoder = decoder
        self._waiting: list[_Run | _Row] = []
        self._done: list[Line] = []
        self._count = self._bytes = 0  # not taken

    def add_run(self, body: bytes, start: int, top: int, node: Node, lines: int) -> None:
        """`lines` lines of one setting, LF between them; `start` is the offset of the first, `top` its place."""
        if self._has_room(lines, len(body)):
            self._waiting.append(_Run(body, start, top, node))

    def add_row(self, pieces: list[Piece], end: int, top: int) -> None:
        """One line of pieces."""
        if self._has_room(1, sum(len(piece.raw) for piece in pieces)):
            self._waiting.append(_Row(pieces, end, top))

    def read(self) -> list[Line]:
        """All lines not taken."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if isinstance(one, _Run):
                self._read_run(one)
            else:
                self._read_row(one)
        return self._done

    def take(self) -> list[Line]:
        """As `read`, and forgets them."""
        done = self.read()
        self._done = []
        self._count = self._bytes = 0
        return done

    def take_raw(self) -> list[bytes]:
        """Their bytes, undecoded and without moves and style, blank lines too; forgets them."""
        waiting, self._waiting = self._waiting, []
        self._done = []
        self._count = self._bytes = 0
        out: list[bytes] = []
        for one in waiting:
            if isinstance(one, _Run):
                out += one.body.split(b"\n")
            else:
                out.append(b" ".join(piece.raw for piece in one.pieces if piece.raw))
        return out

    # -- inside

    def _has_room(self, lines: int, size: int) -> bool:
        if self._count + lines > LINES_MAX or self._bytes + size > BYTES_MAX:
            self.dropped += lines
            return False
        self._count += lines
        self._bytes += size
        return True

    def _read_run(self, run: _Run) -> None:
        """Lines in one setting. Plain ones take a handful of C calls for the whole run."""
        body, setting = run.body, run.node.setting
        raws = body.split(b"\n")
        starts = list(map(operator.add, accumulate(map(len, raws), initial=run.start), count()))
        tops = range(run.top, run.top + len(raws) * run.node.feed, run.node.feed)
        if not body.isascii() or setting.charset.national or not _is_plain(body):
            for raw, start, end, top in zip(raws, starts, starts[1:], tops, strict=False):
                self._read_line(raw, start, end, top, setting)
            return
        texts = list(map(str.rstrip, body.decode("ascii").split("\n")))
        fresh = map(_new, repeat(Line), zip(texts, starts, starts[1:], tops, repeat(setting), strict=False))
        self._done += compress(fresh, texts)  # without the blank ones

    def _read_line(self, raw: bytes, start: int, end: int, top: int, setting: Setting) -> None:
        if not raw:
            return
        raw = raw.rstrip(b"\r")
        if b"\t" in raw or b"\r" in raw or b"\0" in raw:
            self._arrange([Piece(Kind.TEXT, raw, setting, start)], end, top)
        elif text := self._decoder.one(raw, setting.charset).rstrip():
            self._done.append(Line(text, start, end, top, setting))

    def _read_row(self, row: _Row) -> None:
        pieces, end, top = row
        first = pieces[0]
        if len(pieces) == 1 and first.kind == Kind.TEXT:
            self._read_line(first.raw, first.start, end, top, first.setting)
        else:
            self._arrange(pieces, end, top)

    def _arrange(self, pieces: list[Piece], end: int, top: int) -> None:
        for text, look in arrange(pieces, self._decoder):
            self._done.append(Line(text, pieces[0].start, end, top, look))


def _is_plain(body: bytes) -> bool:
    """No moves inside its lines; CR only at their ends, where it moves nothing."""
    if b"\t" in body or b"\0" in body:
        return False
    returns = body.count(b"\r")
    return not returns or returns == body.count(b"\r\n") + body.endswith(b"\r")
