"""What each reader of bytes promises of any bytes, as functions that raise Broken.

Owns: the checks of parser, scanner, paper, reader, replies, frames, claims and settings. A bare exception out of the
code under test is a failure as well. Never: makes streams.
"""

from __future__ import annotations

import random
from functools import cache

from edgebox import config
from edgebox.config import load_lexicon
from edgebox.errors import ClaimError, ConfigError
from edgebox.escpos.documents import DocumentScanner, Verdict
from edgebox.escpos.paper import Paper
from edgebox.escpos.parser import BLOCK, Command, Event, Parser, raw_of
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.status import BLOCK_MAX, ReplyClass, ReplyParser
from edgebox.line import settings
from edgebox.line.frames import MAX_FRAME, Decoder, Frame, FrameError, encode
from edgebox.loyalty import claims
from edgebox.model import Confidence, DocumentKind
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.reader import ReceiptReader
from edgebox.settings import Config
from hw_sim.printer import Printer, Settings
from tests.fuzz.oracle import Broken
from tests.fuzz.streams import chunked

PROFILES = (
    PrinterProfile(),
    PrinterProfile(name="tear-off", dots=384, columns=32, cutter=False),
    PrinterProfile(name="cjk", cjk="gb18030"),
    PrinterProfile(name="big5", cjk="big5", cut_feeds=True),
)
_KEPT_MAX = 2 * BLOCK + 256  # an open run, an open block and an incomplete command


def expect(promise: bool, words: str) -> None:
    """Raises Broken unless it holds."""
    if not promise:
        raise Broken(words)


def parser(raw: bytes, chance: random.Random) -> list[Event]:
    """The same events at any chunking; together they are the input; what is kept has a limit."""
    whole = Parser()
    events = [*whole.feed(raw), *whole.finish()]
    expect(b"".join(map(raw_of, events)) == raw, "the events are not the input")
    pieces, kept = Parser(), 0
    cut: list[Event] = []
    for chunk in chunked(raw, chance, chance.choice((1, 3, 40, 2000))):
        cut += pieces.feed(chunk)
        kept = max(kept, pieces.kept)
    cut += pieces.finish()
    expect(cut == events, "other events when the bytes come in pieces")
    expect(kept <= _KEPT_MAX, f"the parser keeps {kept} bytes")
    return events


def eager_parser(raw: bytes, chance: random.Random) -> None:
    """Who takes open runs early still gets every byte once, and the same commands."""
    reader = Parser()
    events: list[Event] = []
    for chunk in chunked(raw, chance, chance.choice((1, 5, 300))):
        events += reader.feed(chunk)
        if chance.random() < 0.7:
            events += reader.take_open()
    events += reader.finish()
    whole = Parser()
    expected = [*whole.feed(raw), *whole.finish()]
    expect(b"".join(map(raw_of, events)) == raw, "taken early, the events are not the input")
    commands = [event for event in events if isinstance(event, Command)]
    expect(commands == [event for event in expected if isinstance(event, Command)], "taken early, other commands")


def scanner(events: list[Event], profile: PrinterProfile) -> None:
    """`follow` is `take` without holding; the pieces are the event; offsets count bytes."""
    slow, fast = DocumentScanner(profile), DocumentScanner(profile)
    at = 0
    for event in events:
        pieces = slow.take(event)
        raw = raw_of(event)
        expect(b"".join(piece for _, piece in pieces) == raw, "the pieces are not the event")
        end = pieces[-1][1] if pieces and pieces[-1][0] is Verdict.END else b""
        slow_ending = slow.ending(end) if end else None
        if end:
            slow.next_document(end)
        slow.released()
        cut = fast.follow(event)
        expect(cut == end, "follow and take disagree about an end")
        if cut:
            ending = fast.ending(cut)
            expect(slow_ending is not None and ending.reason == slow_ending.reason, "and about why no slip may go in")
            fast.next_document(cut)
        at += len(raw)
        found = [(s.offset, s.start, s.ink_end, s.state.buffer, s.state.slots, s.between) for s in (slow, fast)]
        expect(found[0] == found[1], f"take {found[0]}, follow {found[1]} behind {raw[:20]!r}")
        expect(slow.offset == at, "the offset is not the number of bytes")


def paper_and_reader(raw: bytes, profile: PrinterProfile, chance: random.Random) -> None:
    """Lines in stream order within the stream; a receipt whatever came; nothing earns without an amount."""
    reading, paper, reader = Parser(), Paper(profile), new_reader()
    last = 0
    for chunk in chunked(raw, chance, chance.choice((40, 512, 4096))):
        paper.feed(reading.feed(chunk))
        paper.feed(reading.take_open())
        lines = paper.take_lines()
        for line in lines:
            expect(0 <= line.start <= line.end <= len(raw), f"a line at {line.start} to {line.end} of {len(raw)}")
            expect(line.end >= last, "lines out of order")
            expect("\n" not in line.text, "a line end in a line")
            last = line.end
            expect(bool(line.spans) or not line.text.strip(), "a line without spans")
        reader.feed(lines)
        paper.take_items()
        paper.take_display()
    paper.feed(reading.finish())
    paper.finish()
    reader.feed(paper.take_lines())
    receipt = reader.finish()
    if receipt.qualifies:
        amount = receipt.amount_minor
        expect(amount is not None and amount > 0, f"earns for an amount of {amount}")
        expect(receipt.kind in (DocumentKind.SALE, DocumentKind.DELIVERY_PLATFORM), f"a {receipt.kind} earns")
        expect(receipt.confidence is not Confidence.LOW, "earns though nobody is sure")


@cache
def _shop() -> tuple[object, ...]:
    shop = Config().shop_of_reader()
    return shop, load_lexicon(), AmountFinder(shop.convention)


def forget_words() -> None:
    """The lexicon remembers labels that it has met, up to its own limit (see test_findings.py)."""
    _shop.cache_clear()


def new_reader() -> ReceiptReader:
    """A reader of all languages, as the engine's."""
    return ReceiptReader(*_shop())  # type: ignore[arg-type]


def printer(raw: bytes, chance: random.Random) -> None:
    """The simulated printer takes anything and can tell where each byte is."""
    simulated = Printer(settings=Settings(keep=50, keep_received=False))
    for chunk in chunked(raw, chance, 700):
        simulated.feed(chunk)
        simulated.take_replies()
    report = simulated.report()
    expect(report.received_bytes == len(raw), "the printer lost count")


def replies(raw: bytes, star: bool, chance: random.Random) -> None:
    """Every byte is in one reply or pending; XON and XOFF aside, in order; the same at any chunking."""
    whole, pieces = ReplyParser(star=star), ReplyParser(star=star)
    found = whole.feed(raw)
    cut = [reply for chunk in chunked(raw, chance, 3) for reply in pieces.feed(chunk)]
    expect(found == cut and whole.pending == pieces.pending, "other replies when the bytes come in pieces")
    in_order = b"".join(reply.raw for reply in found if reply.kind is not ReplyClass.FLOW) + whole.pending
    flow = b"".join(reply.raw for reply in found if reply.kind is ReplyClass.FLOW)
    expect(sorted(in_order + flow) == sorted(raw), "a byte is lost or twice")
    if not star:
        without = bytes(byte for byte in raw if byte not in b"\x11\x13")
        expect(in_order == without, "bytes out of order")
    expect(len(whole.pending) <= BLOCK_MAX, f"{len(whole.pending)} bytes are kept")


def frames(raw: bytes, chance: random.Random) -> None:
    """Frames or FrameError, the same at any chunking; what is decoded can be encoded again."""
    found, fault = _decoded([raw])
    cut, fault_cut = _decoded(chunked(raw, chance, 50))
    expect(found == cut[: len(found)] and fault == fault_cut, "other frames when the bytes come in pieces")
    for frame in found:
        again = Decoder().feed(encode(frame))
        expect(again == [frame], f"{frame} became {again}")


def _decoded(chunks: list[bytes]) -> tuple[list[Frame], bool]:
    decoder, found = Decoder(), []
    for chunk in chunks:
        try:
            found += decoder.feed(chunk)
        except FrameError:
            return found, True
        expect(len(decoder._rest) <= MAX_FRAME + 4, "more than a frame is kept")
    return found, False


def claim(text: str) -> None:
    """A claim has exactly one spelling; everything else is ClaimError."""
    try:
        parsed = claims.parse(text)
    except ClaimError:
        return
    expect(text.startswith(parsed.prefix), "a prefix that the text doesn't have")
    expect(len(text) == len(parsed.prefix) + claims.TOKEN_CHARS and text == text.upper(), "two spellings of a claim")


def configuration(text: str) -> None:
    """Settings or ConfigError, from the engine's reader and from the line's."""
    for read in (lambda: config.parse(text, "fuzz"), lambda: settings.from_toml(text, "", "fuzz")):
        try:
            read()
        except ConfigError as fault:
            expect(bool(str(fault)), "a fault without words")
