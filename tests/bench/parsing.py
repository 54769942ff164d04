"""How fast the till's bytes are understood: parser alone, with lines of text, and as the line follows them.

Owns: the streams and the readers. Each reader takes each stream in chunks of one size; readers take turns within a
round, and a figure is the median over the rounds.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edgebox.escpos.documents import DocumentScanner
from edgebox.escpos.paper import Paper
from edgebox.escpos.parser import Parser
from edgebox.escpos.profile import PrinterProfile
from hw_sim.layouts import compose_all
from hw_sim.receipt_words import SHOPS, Shop
from tests.bench.figures import Section, met
from tests.bench.receipts import CHINESE, ENGLISH, LINES, long_receipt

CHUNK = 512
TARGET_MB, TARGET_DENSE_MB = 40.0, 3.0
STREAM_BYTES = 400_000  # 10 ms at the target
SLOW_BYTES = 60_000  # byte by byte, and the densest
CORPUS = Path(__file__).parents[2] / "../shared/corpus"
_PROFILE = PrinterProfile()
_CJK_PROFILE = PrinterProfile(cjk="gb18030")
Reader = Callable[[list[bytes], PrinterProfile], None]


def parser_alone(chunks: list[bytes], profile: PrinterProfile) -> None:
    """Bytes → events."""
    feed = Parser().feed
    for chunk in chunks:
        feed(chunk)


def raw_lines(chunks: list[bytes], profile: PrinterProfile) -> None:
    """… → lines, as bytes."""
    parser, paper = Parser(), Paper(profile)
    for chunk in chunks:
        paper.feed(parser.feed(chunk))
        paper.take_raw_lines()


def text_lines(chunks: list[bytes], profile: PrinterProfile) -> None:
    """… → lines of text with style and place, as the engine takes them."""
    parser, paper = Parser(), Paper(profile)
    for chunk in chunks:
        paper.feed(parser.feed(chunk))
        paper.take_lines()


def followed(chunks: list[bytes], profile: PrinterProfile) -> None:
    """What the line does behind each write: modes, ink, the ends of documents."""
    parser, scanner = Parser(), DocumentScanner(profile)
    for chunk in chunks:
        for event in parser.feed(chunk):
            cut = scanner.follow(event)
            if cut:
                scanner.next_document(cut)


READERS: tuple[tuple[str, Reader], ...] = (
    ("parser alone", parser_alone),
    ("with lines, raw", raw_lines),
    ("with lines of text", text_lines),
    ("as the line follows", followed),
)


class Load(NamedTuple):
    """A stream and the size of the chunks it comes in. `target`: MB/s for the parser with lines of text; 0: none."""

    name: str
    stream: bytes
    chunk: int
    profile: PrinterProfile
    target: float


def _filled(parts: list[bytes], size: int) -> bytes:
    """The parts again and again, to at least `size` bytes."""
    whole = b"".join(parts)
    return whole * -(-size // len(whole))


def plain_receipts(shops: list[Shop], lines: int) -> list[bytes]:
    """Receipts composed as most tills print them: a handful of modes, the rest is text."""
    return [long_receipt(number, shops[number % len(shops)], lines) for number in range(40)]


def densest() -> bytes:
    """Commands of one, two and three bytes in turn, all of them harmless modes, and no text."""
    return b"\x0f\x1b2\x1bE\x01\x12\x1b<\x1ba\x01\x14\x1b2\x1d!\x11"


def corpus_streams() -> dict[str, list[bytes]]:
    """Receipts of many shops as plain text, and real dumps with pictures and all; empty where there is no corpus."""
    plain = [path.read_bytes() for path in sorted(CORPUS.glob("streams/*__a_*.bin"))]
    dumps = [path.read_bytes() for path in sorted(CORPUS.glob("dumps/*")) if path.suffix != ".tsv" and path.is_file()]
    return {name: parts for name, parts in (("corpus receipts", plain), ("corpus dumps", dumps)) if parts}


def loads() -> list[Load]:
    """What is parsed."""
    latin = [shop for shop in SHOPS if shop.cjk == "none"]
    plain = _filled(plain_receipts([ENGLISH], LINES), STREAM_BYTES)
    accents = _filled(plain_receipts([shop for shop in latin if shop.language == "de"], LINES), STREAM_BYTES)
    chinese = _filled(plain_receipts([CHINESE], LINES), STREAM_BYTES)
    short = _filled(plain_receipts(latin, 16), STREAM_BYTES)
    layouts = _filled([stream.raw for stream in compose_all(1)], STREAM_BYTES)
    dense = _filled([densest()], SLOW_BYTES)
    found = [
        Load(f"{LINES}-line receipts, ASCII", plain, CHUNK, _PROFILE, TARGET_MB),
        Load(f"{LINES}-line receipts, umlauts", accents, CHUNK, _PROFILE, TARGET_MB),
        Load(f"{LINES}-line receipts, Chinese", chinese, CHUNK, _CJK_PROFILE, TARGET_MB),
        Load("16-line receipts", short, CHUNK, _PROFILE, 0),
        Load("every layout of hw_sim", layouts, CHUNK, _PROFILE, 0),
        *(Load(name, _filled(parts, STREAM_BYTES), CHUNK, _PROFILE, 0) for name, parts in corpus_streams().items()),
        Load("densest commands", dense, CHUNK, _PROFILE, TARGET_DENSE_MB),
        Load(f"{LINES}-line receipts, ASCII", plain[:SLOW_BYTES], 1, _PROFILE, TARGET_DENSE_MB),
        Load("densest commands", dense[: SLOW_BYTES // 2], 1, _PROFILE, 0),
    ]
    return [load._replace(name=f"{load.name}, {load.chunk} B") for load in found]


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `parser`."""
    rounds = 3 if quick else 15
    work = loads()
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for load in work:
            chunks = [load.stream[at : at + load.chunk] for at in range(0, len(load.stream), load.chunk)]
            for name, read in random.sample(READERS, len(READERS)):
                start = time.perf_counter()
                read(chunks, load.profile)
                rates.setdefault((load.name, name), []).append(len(load.stream) / (time.perf_counter() - start) / 1e6)
    rows = [_row(load, {name: statistics.median(rates[load.name, name]) for name, _ in READERS}) for load in work]
    notes = [
        f"MB/s, median of {rounds} rounds; the target is for lines of text",
        "densest commands: 1, 2 and 3 bytes in turn, no text; byte by byte each of them costs a call of its own",
    ]
    if not corpus_streams():
        notes.append("no corpus here: its receipts and dumps were not measured")
    return [Section("parser", "Parser", ("stream, chunks", *(name for name, _ in READERS), "target", ""), rows, notes)]


def _row(load: Load, found: dict[str, float]) -> list[str]:
    row = [load.name, *(f"{found[name]:.1f}" for name, _ in READERS)]
    if not load.target:
        return [*row, "", ""]
    return [*row, f"≥ {load.target:g}", met(found["with lines of text"], load.target, at_least=True)]
