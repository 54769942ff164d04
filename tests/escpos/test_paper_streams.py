"""Paper under any stream: the same lines at any chunking, bounded memory, and what the corpus should read like."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.escpos.lines import LINES_MAX
from edgebox.escpos.mechanism import LINE_MAX, PIECES_MAX
from edgebox.escpos.paper import Line, Paper
from edgebox.escpos.parser import Parser
from edgebox.escpos.profile import PrinterProfile
from tests.escpos.streams import (
    ALL_EXAMPLES,
    CORPUS,
    CORPUS_MISSING,
    corpus_files,
    messy_streams,
    parse,
    random_sizes,
)

PLAIN = PrinterProfile()
FILES = corpus_files()


def laid(stream: bytes) -> Paper:
    """The paper that a whole stream makes."""
    paper = Paper(PLAIN)
    paper.feed(parse(stream))
    paper.finish()
    return paper


# -- any chunking, any bytes


def taken(stream: bytes, sizes: object = None) -> tuple[object, ...]:
    """All that a paper tells, lines and items being taken at every chunk."""
    parser, paper = Parser(), Paper(PLAIN)
    lines: list[Line] = []
    items: list[object] = []
    shown = ""
    at = 0
    while at < len(stream):
        size = next(sizes) if sizes is not None else len(stream)  # type: ignore[call-overload]
        paper.feed(parser.feed(stream[at : at + size]))
        lines += paper.take_lines()
        items += paper.take_items()
        shown += paper.take_display()
        at += size
    paper.feed(parser.finish())
    paper.finish()
    return lines + paper.take_lines(), shown + paper.take_display(), paper.offset, paper.top, items + paper.take_items()


@settings(max_examples=120, deadline=None)
@given(stream=messy_streams, seed=st.integers(0, 99), most=st.sampled_from([1, 3, 40]))
def test_any_stream_reads_the_same_at_any_chunking(stream: bytes, seed: int, most: int) -> None:
    whole = taken(stream)
    chunked = taken(stream, random_sizes(seed, most))
    assert chunked[0] == whole[0]  # lines
    assert chunked[1:4] == whole[1:4]  # the items of one picture may come in pieces


@settings(max_examples=80, deadline=None)
@given(stream=messy_streams)
def test_lines_stand_in_order_inside_the_stream(stream: bytes) -> None:
    paper = laid(stream)
    lines = paper.take_lines()
    assert paper.offset == len(stream)
    assert all(0 <= line.start <= line.end <= len(stream) for line in lines)
    assert [line.end for line in lines] == sorted(line.end for line in lines)
    assert all(line.text.strip() for line in lines)
    for line in lines:
        assert "".join(line.text.split()) == "".join("".join(span.text for span in line.spans).split())


@pytest.mark.skipif(not FILES, reason=CORPUS_MISSING)
def test_a_reader_in_a_hurry_reads_the_same_lines() -> None:
    """With `take_open` after every chunk the runs are cut elsewhere; the lines are the same."""
    for path in FILES[::7]:
        stream = path.read_bytes()[:20_000]
        parser, paper = Parser(), Paper(PLAIN)
        for at in range(0, len(stream), 100):
            paper.feed(parser.feed(stream[at : at + 100]))
            paper.feed(parser.take_open())
        paper.feed(parser.finish())
        paper.finish()
        assert paper.take_lines() == laid(stream).take_lines(), path.name


# -- bounds


def test_lines_nobody_takes_are_bounded_and_counted() -> None:
    paper = Paper(PLAIN)
    for _ in range(30):
        paper.feed([b"A\n" * 1000])
    assert len(paper.take_lines()) == LINES_MAX
    assert paper.dropped_lines == 30_000 - LINES_MAX
    paper.feed([b"B\n"])
    assert [line.text for line in paper.take_lines()] == ["B"]


@pytest.mark.parametrize(
    "piece", [b"A" * 1000, b"A\x1bE\x01B\x1bE\x00" * 100, b"\x1b$\x01\x00" * 300, b"\x1b*\x21\x01\x00abc" * 99]
)
def test_a_line_that_never_ends_is_bounded(piece: bytes) -> None:
    parser, paper = Parser(), Paper(PLAIN)
    for _ in range(50):
        paper.feed(parser.feed(piece))
        assert len(paper._pieces) <= PIECES_MAX
        assert sum(len(one.raw) for one in paper._pieces) <= LINE_MAX


@pytest.mark.parametrize(
    "line",
    [
        b"A" * 2000 + b"\rA" * 1000,
        b"\x1b$\x00\x00AAAAAAAA" * 500,
        b"\tA" * 2000,
        b"\rA\rB" * 1000,
        b"\x1b\\\xff\xffA" * 500,
    ],
    ids=["CR", "ESC $", "HT", "CR CR", "ESC \\"],
)
def test_no_line_takes_long_to_arrange(line: bytes) -> None:
    """Each is one line of about 4 KB; ten of them within a second, also on a slow machine."""
    began = time.perf_counter()
    laid((line + b"\n") * 10).take_lines()
    assert time.perf_counter() - began < 1.0


def test_items_settings_pages_and_display_are_bounded() -> None:
    parser, paper = Parser(), Paper(PLAIN)
    for n in range(6000):
        paper.feed(
            parser.feed(
                b"\x1bi\x1b3" + bytes([n & 255]) + b"\x1d!" + bytes([n >> 4 & 255]) + b"\x1bt" + bytes([n % 97])
            )
        )
    assert len(paper.take_items()) + paper.dropped_items == 6000
    assert len(paper._settings._nodes) <= 4096
    paper.feed(parser.feed(b"\x1bL" + b"A\n" * 9000))
    paper.feed(parser.take_open())
    assert paper._page is not None
    assert len(paper._page.placements) <= 2000
    paper.feed(parser.feed(b"\x1b@\x1b=\x02" + b"SHOW" * 9000 + b"\x1b=\x01"))
    assert len(paper.take_display()) == 4096
    assert paper.dropped_display == 4 * 9000 - 4096


def test_every_command_of_the_table_is_taken_in_every_mode() -> None:
    for before in (b"", b"AB", b"\x1bL", b"\x1b=\x02", b"\x1bLAB"):
        for example in ALL_EXAMPLES:
            stream = b"\x1b@" + before + example + b"\x1b=\x01\nEND\n"
            assert laid(stream).offset == len(stream)


# -- the corpus


@pytest.mark.skipif(not CORPUS.exists(), reason=CORPUS_MISSING)
def test_every_variant_of_a_receipt_reads_as_its_words() -> None:
    """The same receipts sent plain, positioned, tabbed, overprinted, styled or in page mode: the totals stand there."""
    truth = [json.loads(line) for line in (CORPUS / "streams/truth.jsonl").read_text().splitlines()]
    checked = 0
    for row in truth:
        if "raster" in row["file"] or "graphics" in row["file"]:
            continue
        stream = (CORPUS / "streams" / row["file"]).read_bytes()
        lines = laid(stream).take_lines()
        for doc in row["docs"]:
            if doc.get("total") is None:
                continue
            shown = " ".join(line.text for line in lines if doc["start"] <= line.start < doc["end"])
            amounts = [f"{abs(doc['total']):.{places}f}".replace(".", "") for places in (2, 1)]
            digits = "".join(char for char in shown if char.isdigit())
            assert any(amount in digits for amount in amounts), (row["file"], doc["total"])
            checked += 1
    assert checked > 50
