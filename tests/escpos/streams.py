"""Streams for tests: what the corpus holds (where it is there), and streams made of every command of the table."""

import random
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

from edgebox.escpos.commands import TABLE, Spec
from edgebox.escpos.parser import Command, Data, Event, Parser, raw_of

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"
CORPUS_MISSING = "the corpus (../shared/corpus beside the repository) isn't here"


def corpus_files() -> list[Path]:
    """Every real dump and generated stream; empty without the corpus."""
    dumps = [path for path in (CORPUS / "dumps").glob("*") if path.suffix in (".bin", ".escpos", ".hex")]
    return sorted(dumps) + sorted((CORPUS / "streams").glob("*.bin"))


# A complete example of each command whose length isn't fixed, by its name in the table: (head, payload).
EXAMPLES: dict[str, tuple[bytes, ...]] = {
    "DC2": (b"\x12", b"\x12\x71\x00"),
    "DLE EOT": (b"\x10\x04\x01", b"\x10\x04\x07\x01", b"\x10\x04\x08\x03", b"\x10\x04\x12\x01"),
    "DLE DC4": (
        b"\x10\x14\x01\x00\x05",
        b"\x10\x14\x02\x01\x08",
        b"\x10\x14\x03\x00\x01\x00\x05\x05",
        b"\x10\x14\x07\x01",
        b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08",
    ),
    "ESC GS y": (
        b"\x1b\x1dyS0\x02",
        b"\x1b\x1dyS1\x01",
        b"\x1b\x1dyD1\x00\x05\x00hello",
        b"\x1b\x1dyP",
        b"\x1b\x1dyI",
    ),
    "ESC &": (b"\x1b&\x03AB\x01\x00\x00\x00\x02\x1b\x1b\x1b\x1b\x1b\x1b", b"\x1b&\x03BA"),
    "ESC ( A": (b"\x1b(A\x04\x000\x30\x01\x0a",),
    "ESC ( Y": (b"\x1b(Y\x02\x00\x00\x00",),
    "ESC (": (b"\x1b(z\x03\x00abc",),
    "ESC *": (
        b"\x1b*\x00\x02\x00\x1bi",
        b"\x1b*\x01\x03\x00\x1dVA",
        b"\x1b*\x20\x01\x00\x1d\x56\x00",
        b"\x1b*\x21\x40\x00" + b"\x1d\x56\x00" * 64,
        b"\x1b*\x47\x01\x00\x1d\x56\x00\x1b\x69\x0a",
    ),
    "ESC D": (b"\x1bD\x00", b"\x1bD\x08\x10\x18\x00"),
    "ESC 81h": (b"\x1b\x81\x07\x00\x04Mhello",),
    "ESC c": (b"\x1bc3\x03", b"\x1bc4\x00", b"\x1bc5\x01", b"\x1bc0\x01", b"\x1bc1\x01", b"\x1bc6\x01"),
    "FS ( A": (b"\x1c(A\x02\x000\x01",),
    "FS ( C": (b"\x1c(C\x02\x000\x02",),
    "FS ( E": (b"\x1c(E\x06\x00>\x02 !00", b"\x1c(E\x03\x00=\x020"),
    "FS ( L": (b"\x1c(L\x02\x00A0", b"\x1c(L\x02\x00\x22\x30", b"\x1c(L\x02\x00!0"),
    "FS ( e": (b"\x1c(e\x02\x003\x01",),
    "FS ( f": (b"\x1c(f\x02\x00\x00\x00",),
    "FS (": (b"\x1c(Z\x01\x00a",),
    "FS a": (b"\x1ca0\x01", b"\x1ca1", b"\x1ca2"),
    "FS g": (b"\x1cg1\x00\x00\x00\x00\x00\x03\x00abc", b"\x1cg2\x00\x00\x00\x00\x00\x03\x00"),
    "FS q": (
        b"\x1cq\x01\x01\x00\x01\x00\x1d\x56\x00\x1b\x69\x00\x00\x00",
        b"\x1cq\x02" + b"\x01\x00\x01\x00abcdefgh" * 2,
    ),
    "GS ( L": (
        b"\x1d(L\x02\x0002",
        b"\x1d(L\x12\x000p0\x01\x011\x08\x00\x08\x00\x1dV\x00\x1bi\x00\x00\x00",
        b"\x1d(L\x04\x000C\x00\x00",
    ),
    "GS ( k": (
        b"\x1d(k\x04\x001A2\x00",
        b"\x1d(k\x0a\x001P0\x1b@\x1dV\x00\x0a\x0a",
        b"\x1d(k\x03\x001Q0",
        b"\x1d(k\x03\x001R0",
        b"\x1d(k\x03\x011P0" + b"\x1b@\x1dV\x00" * 51 + b"z",
    ),
    "GS (": (
        b"\x1d(A\x02\x00\x00\x02",
        b"\x1d(H\x06\x0000\x01\x02\x03\x04",
        b"\x1d(E\x03\x00\x01IN",
        b"\x1d(Q\x01\x000",
    ),
    "GS *": (b"\x1d*\x01\x01\x1dV\x00\x1bi\x0a\x0a\x0a", b"\x1d*\x03\x03" + b"\x1bi" * 36),
    "GS 8 L": (
        b"\x1d8L\x12\x00\x00\x000p0\x01\x011\x08\x00\x08\x00\x1dV\x00\x1bi\x00\x00\x00",
        b"\x1d8L\x02\x00\x00\x0002",
    ),
    "GS C": (b"\x1dC0\x03\x00", b"\x1dC1\x01\x00\x63\x00\x01\x01", b"\x1dC2\x05\x00", b"\x1dC;1;99;1;1;1;"),
    "GS D": (b"\x1dD0C0AB11BM\x1a\x00\x00\x00" + b"\x1dV\x00" * 6 + b"ab",),
    "GS F9h": (b"\x1d\xf950", b"\x1d\xf9D\x01\x02", b"\x1d\xf9'0", b"\x1d\xf9)0", b"\x1d\xf9\x1f1"),
    "GS Q": (b"\x1dQ0\x00\x02\x00\x01\x00\x1bi",),
    "GS V": (
        b"\x1dV\x00",
        b"\x1dV1",
        b"\x1dVA\x03",
        b"\x1dVB\x00",
        b"\x1dVa\x03",
        b"\x1dVb\x03",
        b"\x1dVg\x03",
        b"\x1dVh\x03",
    ),
    "GS g": (b"\x1dg0\x00\x14\x00", b"\x1dg2\x00\x14\x00"),
    "GS k": (
        b"\x1dk\x0412345\x00",
        b"\x1dkI\x07{B\x1dVA0\x1b",
        b"\x1dkQ\x03\x08\x08\x01\x05\x00hello",
        b"\x1dk\x80\x01\x02\x03\x00\x02\x00ab",
        b"\x1dk\x84\x10\x00",
        b"\x1dk\x83\x0212",
        b"\x1dk\x06" + b"A" * 255 + b"\x00",
        b"\x1dkI\xff" + b"\x1d" * 255,
    ),
    "GS v 0": (
        b"\x1dv0\x00\x01\x00\x02\x00\x1bi",
        b"\x1dv0\x03\x04\x00\x20\x00" + b"\x1d\x56\x00\x1b" * 32,
        b"\x1dv\x00\x00\x01\x00\x01\x00z",
    ),
    "GS z 0": (b"\x1dz0\x0a\x0a",),
}


def examples(row: Spec) -> tuple[bytes, ...]:
    """Complete commands for a row of the table; a fixed one gets parameters that look like a cut."""
    if isinstance(row.length, int):
        return (row.prefix + (b"\x1dV\x00\x1bi" * 16)[: row.length - len(row.prefix)],)
    return EXAMPLES[row.name]


ALL_EXAMPLES: tuple[bytes, ...] = tuple(example for row in TABLE for example in examples(row))
TEXT = (
    b"TOTAL     12.34\n",
    b"x",
    b"\r\n",
    b"\n",
    b"\t",
    b"\0",
    b"\xba\xcf\xbc\xc6 \xa3\xa4" + b"8\n",
    "Olá €".encode(),
    b" " * 70,
)
LONE = (
    b"\x01",
    b"\x1b",
    b"\x1d",
    b"\x1c",
    b"\x10",
    b"\x1bX",
    b"\x1d\xff",
    b"\x1f\x08",
    b"\x1c\xfe",
    b"\x1b\x1b",
    b"\x10\x10",
)

# Streams as tills send them, with foreign and broken pieces in between.
messy_streams = st.lists(
    st.one_of(st.sampled_from(TEXT), st.sampled_from(ALL_EXAMPLES), st.sampled_from(LONE), st.binary(max_size=12)),
    max_size=25,
).map(b"".join)


def parse(stream: bytes, sizes: Iterator[int] | None = None) -> list[Event]:
    """The events of a stream fed whole, or in chunks of these sizes."""
    parser = Parser()
    events: list[Event] = []
    at = 0
    while at < len(stream):
        size = next(sizes) if sizes is not None else len(stream)
        events += parser.feed(stream[at : at + size])
        at += size
    return events + list(parser.finish())


def random_sizes(seed: int, most: int) -> Iterator[int]:
    """Chunk sizes; the same for the same seed."""
    chance = random.Random(seed)
    while True:
        yield chance.randint(1, most)


def commands(stream: bytes) -> list[Command]:
    """Only the commands."""
    return [event for event in parse(stream) if isinstance(event, Command)]


def joined(events: list[Event]) -> bytes:
    """The stream that the events stand for."""
    return b"".join(raw_of(event) for event in events)


def payload_of(events: list[Event]) -> bytes:
    """All payload."""
    return b"".join(event.raw for event in events if isinstance(event, Data))
