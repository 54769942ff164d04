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
from hw_sim import receipts
from hw_sim.layouts import compose_all
from hw_sim.receipt_words import SHOPS
from tests.bench.figures import Section, met
from tests.bench.receipts import CHINESE, CUT

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
    """A stream cut into chunks. `target`: MB/s for the parser with lines; `judged`: the readers it holds for."""

    name: str
    chunks: list[bytes]
    profile: PrinterProfile
    target: float
    judged: tuple[str, ...]


def _cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def _filled(parts: list[bytes], size: int) -> bytes:
    """The parts again and again, to at least `size` bytes."""
    whole = b"".join(parts)
    return whole * -(-size // len(whole))


def plain_receipts(*, chinese: bool) -> list[bytes]:
    """Receipts composed as most tills print them, of shops whose code page has one byte a character, or in GB18030."""
    chance, out = random.Random(1), []
    shops = [CHINESE] if chinese else [shop for shop in SHOPS if shop.cjk == "none"]
    for at in range(60):
        shop = shops[at % len(shops)]
        page = receipts.Page(shop)
        page.control(b"\x1b@")
        receipts.receipt(page, receipts.basket(shop, chance))
        page.feed(6)
        out.append(bytes(page.raw) + CUT)
    return out


def densest() -> bytes:
    """Commands of one, two and three bytes in turn, all of them harmless modes, and no text."""
    return b"\x0f\x1b2\x1bE\x01\x12\x1b<\x1ba\x01\x14\x1b2\x1d!\x11"


def corpus_streams() -> list[bytes]:
    """Real dumps; none where the corpus isn't there."""
    folder = CORPUS / "dumps"
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".tsv"] if folder.is_dir() else []


def loads() -> list[Load]:
    """What is parsed."""
    every = tuple(name for name, _ in READERS)
    latin, chinese = plain_receipts(chinese=False), plain_receipts(chinese=True)
    latin_stream = _filled(latin, STREAM_BYTES)
    layouts = _filled([stream.raw for stream in compose_all(1)], STREAM_BYTES)
    found = [
        Load(f"plain receipts, {CHUNK} B", _cut(latin_stream, CHUNK), _PROFILE, TARGET_MB, every),
        Load(
            f"Chinese receipts, {CHUNK} B", _cut(_filled(chinese, STREAM_BYTES), CHUNK), _CJK_PROFILE, TARGET_MB, every
        ),
        Load(f"every layout of hw_sim, {CHUNK} B", _cut(layouts, CHUNK), _PROFILE, 0, ()),
        Load("plain receipts, byte by byte", _cut(latin_stream[:SLOW_BYTES], 1), _PROFILE, TARGET_DENSE_MB, every),
        Load(
            f"densest commands, {CHUNK} B", _cut(_filled([densest()], SLOW_BYTES), CHUNK), _PROFILE,
            TARGET_DENSE_MB, every,
        ),
        Load(
            "densest, byte by byte", _cut(_filled([densest()], SLOW_BYTES // 2), 1), _PROFILE, 0, (),
        ),
    ]  # fmt: skip
    if real := corpus_streams():
        found.insert(2, Load(f"real dumps, {CHUNK} B", _cut(_filled(real, STREAM_BYTES), CHUNK), _PROFILE, 0, ()))
    return found


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `parser`."""
    rounds = 5 if quick else 15
    work = loads()
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for load in work:
            size = sum(map(len, load.chunks))
            for name, read in random.sample(READERS, len(READERS)):
                start = time.perf_counter()
                read(load.chunks, load.profile)
                rates.setdefault((load.name, name), []).append(size / (time.perf_counter() - start) / 1e6)
    rows = [_row(load, {name: statistics.median(rates[load.name, name]) for name, _ in READERS}) for load in work]
    notes = [
        f"MB/s, median of {rounds} rounds; target: for the parser with lines",
        "real dumps: not measured, the corpus is not there" if not corpus_streams() else "real dumps: pictures and all",
    ]
    return [Section("parser", "Parser", ("stream, chunks", *(name for name, _ in READERS), "target", ""), rows, notes)]


def _row(load: Load, found: dict[str, float]) -> list[str]:
    row = [load.name, *(f"{found[name]:.1f}" for name, _ in READERS)]
    if not load.judged:
        return [*row, "", ""]
    slowest = min(found[name] for name in ("parser alone", "with lines, raw", "with lines of text"))
    return [*row, f"≥ {load.target:g}", met(slowest, load.target, at_least=True)]
