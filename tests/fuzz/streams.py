"""Streams that no till sends: real ones broken, spliced and stuffed with random commands.

Owns: the seeds, the mutations and `Streams`. The same seed gives the same bytes, whatever else has run. Never: judges.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

from edgebox.escpos.commands import TABLE
from hw_sim.layouts import compose_all

CORPUS = Path(__file__).parents[2] / "../shared/corpus"
STREAM_BYTES = 16384  # longest that is given out: several receipts, and a window of the line's four times
_SEED_BYTES = 6000
_PREFIXES = tuple(row.prefix for row in TABLE)
_CUTS = (b"\x1dV\x00", b"\x1dV\x42\x00", b"\x1bi", b"\x1bm", b"\x1dVA\x03", b"\n\n\n\x1dV\x01", b"\x1bd\x06\x1dV0")
_NASTY = (  # where a naive box goes wrong
    b"\x10\x04\x01",
    b"\x10\x05\x02",
    b"\x10\x14\x01\x00\x05",
    b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08",
    b"\x1bp\x00\x19\xfa",
    b"\x1b@",
    b"\x18",
    b"\x1b=\x02DISPLAY\x1b=\x01",
    b"\x1bL",
    b"\x1bS",
    b"\x0c",
    b"\x1b\x0c",
    b"\x1d:",
    b"\x1d^\x02\x01\x00",
    b"\x1dr\x01",
    b"\x1dI\x42",
    b"\x1da\xff",
    b"\x1c&",
    b"\x1c.",
    b"\x1dB\x01   \n\x1dB\x00",
    b"\x1b{\x01",
    b"\x1d(k\x03\x001Q0",
    b"\x1d(k\x05\x001P0ab",
    b"\x1b&\x03AB\x02",
    b"\x1cq\x02\x01\x00\x01\x00",
    b"\x1dkA\x05",
    b"\x1dk\x04",
    b"\x1bD\x08\x10",
    b"\x1b[}",
    b"\x1d\xff",
    b"\x1d",
    b"\x1b",
    b"\x10",
)
_HUGE = (
    b"\x1dv0\x00\xff\xff\xff\xff",
    b"\x1b*\x21\xff\xff",
    b"\x1d8L\xff\xff\xff\xff0p0",
    b"\x1d(L\xff\xff0p",
    b"\x1d(k\xff\xff1P0",
    b"\x1d*\xff\xff",
    b"\x1cq\xff\xff\xff\xff\xff",
    b"\x1b&\xff\x00\xff\xff",
    b"\x1dQ0\x00\xff\xff\xff\xff",
    b"\x1dkI\xff",
    b"\x1cg1\x00\x00\x00\x00\x00\xff\xff",
)
Mutation = Callable[[random.Random, bytes], bytes]


@cache
def seeds() -> tuple[bytes, ...]:
    """Composed receipts of every layout and language; the corpus' dumps and streams where it is there."""
    real = [path.read_bytes() for name in ("dumps/*", "streams/*.bin") for path in sorted(CORPUS.glob(name))]
    return tuple(raw[:_SEED_BYTES] for raw in (*(stream.raw for stream in compose_all(7)), *real) if raw)


def command(chance: random.Random) -> bytes:
    """A command of the table with random bytes behind it, as many as most take."""
    return chance.choice(_PREFIXES) + chance.randbytes(chance.choice((0, 1, 1, 2, 3, 4, 8)))


def _flip(chance: random.Random, raw: bytes) -> bytes:
    out = bytearray(raw)
    for _ in range(chance.randint(1, 20)):
        out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def _splice(chance: random.Random, raw: bytes) -> bytes:
    other = chance.choice(seeds())
    at, begin = chance.randrange(len(raw)), chance.randrange(len(other))
    return raw[:at] + other[begin : begin + chance.randint(1, 2000)] + raw[at:]


def _insert(pieces: Callable[[random.Random], bytes], most: int) -> Mutation:
    def mutate(chance: random.Random, raw: bytes) -> bytes:
        for _ in range(chance.randint(1, most)):
            at = chance.randrange(len(raw) + 1)
            raw = raw[:at] + pieces(chance) + raw[at:]
        return raw

    return mutate


def _drop(chance: random.Random, raw: bytes) -> bytes:
    at = chance.randrange(len(raw))
    return raw[:at] + raw[at + chance.randint(1, 200) :]


def _repeat(chance: random.Random, raw: bytes) -> bytes:
    at, size = chance.randrange(len(raw)), chance.randint(1, 60)
    return raw[:at] + raw[at : at + size] * chance.randint(2, 50) + raw[at:]


def _nested(chance: random.Random, raw: bytes) -> bytes:
    """Page mode in a macro in page mode, with the stream in the middle."""
    way = [chance.choice((b"\x1bL", b"\x1d:", b"\x1b=\x02", b"\x1c&")) for _ in range(chance.randint(1, 12))]
    back = [chance.choice((b"\x0c", b"\x1bS", b"\x1d:", b"\x1b=\x01", b"")) for _ in way]
    return b"".join(way) + raw + b"".join(back)


_MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _splice,
    _drop,
    _repeat,
    _nested,
    _insert(command, 30),
    _insert(lambda chance: chance.choice(_NASTY), 30),
    _insert(lambda chance: chance.choice(_CUTS), 8),
    _insert(lambda chance: chance.choice(_HUGE) + chance.randbytes(chance.randint(0, 200)), 1),
    lambda chance, raw: raw[: chance.randint(1, len(raw))],
    lambda chance, raw: chance.randbytes(chance.randint(1, 500)),
)


class Streams:
    """An endless supply."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def next(self) -> bytes:
        """Up to four streams in one, each broken in its own way; 1 to STREAM_BYTES bytes."""
        parts = self._chance.choice((1, 1, 2, 4))
        return b"".join(self._one() for _ in range(parts))[:STREAM_BYTES]

    def _one(self) -> bytes:
        chance = self._chance
        raw = chance.choice(seeds())
        for _ in range(chance.choice((0, 1, 1, 2, 3, 5))):
            raw = chance.choice(_MUTATIONS)(chance, raw)[:STREAM_BYTES] or b"\0"
        return raw


def chunked(raw: bytes, chance: random.Random, most: int) -> list[bytes]:
    """The stream in chunks of 1 to `most` bytes."""
    out, at = [], 0
    while at < len(raw):
        size = chance.randint(1, most)
        out.append(raw[at : at + size])
        at += size
    return out
