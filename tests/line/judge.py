"""Was the wire transparent? Holds a line's output against its input, byte by byte.

The promise (design §5): output = input with whole blocks put in, and with overtaking of real-time and drawer bytes over
held bytes; nothing else. The line's own frames say where blocks stand and how long they are; the rest is parsed afresh.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Parser, raw_of
from edgebox.line.frames import Result
from tests.line.wire import Wire

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"


def corpus(folder: str) -> list[Path]:
    """The captured streams of one folder of the corpus; skips where there is none."""
    if not (CORPUS / folder).is_dir():
        pytest.skip("no ../shared/corpus beside the project")
    files = sorted(p for p in (CORPUS / folder).iterdir() if p.suffix in (".bin", ".hex", ".escpos"))
    assert files
    return files


class Stripped(NamedTuple):
    """A stream without its urgent commands, and those with where they stood in the rest."""

    rest: bytes
    real_time: list[tuple[bytes, int]]
    drawer: list[tuple[bytes, int]]


def stripped(raw: bytes) -> Stripped:
    parser = Parser()
    rest, real_time, drawer = bytearray(), [], []
    for event in (*parser.feed(raw), *parser.finish()):
        if isinstance(event, Command) and event.effect is Effect.REALTIME:
            real_time.append((event.raw, len(rest)))
        elif isinstance(event, Command) and event.effect is Effect.DRAWER:
            drawer.append((event.raw, len(rest)))
        else:
            rest += raw_of(event)
    return Stripped(bytes(rest), real_time, drawer)


class Block(NamedTuple):
    """A slip in a stream: where in the input it stands, and how long it is."""

    at: int
    size: int


def blocks(wire: Wire) -> list[Block]:
    """Where the line says that it put its slips."""
    starts, at = {}, 0
    for number, raw in sorted(wire.documents().items()):
        starts[number] = at
        at += len(raw)
    inserted = {o.document: o.slip_bytes for o in wire.outcomes if o.result == Result.INSERTED}
    ends = {e.document: e for e in wire.ends}
    return [Block(starts[n] + ends[n].insert_at, size) for n, size in sorted(inserted.items())]


def judge(raw: bytes, wire: Wire, *, placed: bool = True) -> list[bytes]:
    """Fails unless the wire was transparent; the blocks it put in. `placed`: their places are known to the frames."""
    before, after = stripped(raw), stripped(bytes(wire.printed))
    assert [r for r, _ in after.real_time] == [r for r, _ in before.real_time], "real-time commands lost or misplaced"
    assert [r for r, _ in after.drawer] == [r for r, _ in before.drawer], "drawer kicks lost or misplaced"
    found, at, shifts = [], 0, []
    out = after.rest
    taken = 0
    for place, size in blocks(wire) if placed else ():
        start = len(stripped(raw[:place]).rest)
        assert out[taken : taken + start - at] == before.rest[at:start], "the till's bytes changed before a slip"
        taken += start - at
        found.append(out[taken : taken + size])
        shifts.append((start, size))
        taken += size
        at = start
    assert out[taken:] == before.rest[at:], "the till's bytes changed"
    for (_, was), (_, now) in zip(before.real_time + before.drawer, after.real_time + after.drawer, strict=True):
        latest = was + sum(size for start, size in shifts if start <= was)
        assert now <= latest, "an urgent command came too late"
    return found


def judge_tee(raw: bytes, wire: Wire) -> None:
    """Fails unless the engine has got every byte of the till once, in order."""
    assert b"".join(raw for _, raw in sorted(wire.documents().items())) == raw
