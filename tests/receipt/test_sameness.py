"""The corpus' receipts printed again in other encodings, by another library, in other chunks: one answer to all.

The other library is python-escpos, which chooses code pages by itself, switches them in the middle of a line, and puts
its own commands around each. A letter that an encoding hasn't got is printed as `?`; such prints say something else and
are left out.
"""

from __future__ import annotations

import codecs
import random
from collections.abc import Iterator
from functools import cache

import pytest
from escpos.capabilities import get_profile
from escpos.printer import Dummy
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.config import load
from edgebox.escpos.paper import Paper
from edgebox.escpos.parser import Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.model import Receipt
from edgebox.reading import NewReader, OpenDocument
from edgebox.receipt.reader import ReceiptReader
from tests.accuracy.sets import CORPUS, Case, as_escpos, chinese, streams, texts
from tests.receipt.paper import lexicon

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no receipt corpus at {CORPUS}")
EVERY = 9  # of the corpus' receipts, so many to one: all sets and most layouts, in some seconds
PAGES = {"cp437": 0, "cp850": 2, "cp860": 3, "cp1252": 16, "cp858": 19}  # ESC t n of CODE_PAGES
PRINTERS = ("default", "TM-T88III", "TM-P80", "NT-5890K", "CT-S651")  # profiles of python-escpos
# Chinese: the bytes, and what the till sends before them; GBK without FS & is what cheap drivers do.
SCRIPTS = (("gb18030", b"\x1c&"), ("gbk", b""), ("utf-8", b""), ("utf-8", b"\x1c&"), ("big5", b"\x1c&"), ("big5", b""))


WESTERN = PrinterProfile()


@cache
def reader(overrides: tuple[str, ...]) -> NewReader:
    shop = load(None, overrides).shop_of_reader()
    return lambda: ReceiptReader(shop, lexicon())


def answer(receipt: Receipt) -> tuple[object, ...]:
    """What decides, and what goes into a claim's id."""
    return (
        receipt.kind, receipt.modifiers, receipt.qualifies, receipt.amount_minor, receipt.confidence, receipt.number,
        receipt.till, receipt.printed_date, receipt.printed_time, receipt.tenders, receipt.details.layout,
    )  # fmt: skip


def read(
    stream: bytes, case: Case, profile: PrinterProfile = WESTERN, sizes: Iterator[int] | None = None
) -> tuple[object, ...]:
    """One document, whole or in chunks of these sizes."""
    document = OpenDocument(profile, reader(case.settings))
    at = 0
    while at < len(stream):
        size = next(sizes) if sizes else len(stream)
        document.feed(stream[at : at + size])
        at += size
    return answer(document.finish())


def profile_of(printer: str) -> PrinterProfile:
    """The code pages that python-escpos knows of the printer: those it prints with."""
    listed = get_profile(printer).profile_data["codePages"]
    return PrinterProfile(
        code_pages=tuple((int(page), name.lower()) for page, name in listed.items() if _is_codec(name))
    )


def _is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def printed_by_another_library(rows: list[str], printer: str) -> bytes:
    """python-escpos' bytes: code pages as it likes, totals underlined, another font every now and then."""
    till = Dummy(profile=printer)
    for place, row in enumerate(rows):
        till.set(underline=int("total" in row.lower()), font="b" if place % 5 else "a")
        till.textln(row)
    till.cut()
    return bytes(till.output)


@cache
def western() -> list[tuple[Case, list[str]]]:
    found = [case for case in texts() if case.set != "zh_handmade"]
    return [(case, case.raw[2:].split(b"\n\n\n\n\x1dV")[0].decode().split("\n")) for case in found[::EVERY]]


@cache
def eastern() -> list[tuple[Case, list[str]]]:
    """Chinese receipts as rows of text, each letter in one encoding or another."""
    out = []
    for case in list(chinese())[:: EVERY * 4]:
        paper, parser = Paper(PrinterProfile()), Parser()
        paper.feed(parser.feed(case.raw))
        paper.feed(parser.finish())
        paper.finish()
        out.append((case, [line.text for line in paper.take_lines()]))
    return out


@needs_corpus
def test_every_code_page_gives_the_same_answer() -> None:
    seen = 0
    for case, rows in western():
        wanted = read(as_escpos("\n".join(rows)), case)
        for codec, page in PAGES.items():
            try:
                raw = "\n".join(rows).encode(codec)
            except UnicodeEncodeError:
                continue
            seen += 1
            assert read(b"\x1b@\x1bt" + bytes([page]) + raw + b"\n\n\n\x1dV\x00", case) == wanted, (case.name, codec)
    assert seen > 3 * len(western())


@needs_corpus
def test_another_library_gives_the_same_answer() -> None:
    seen = 0
    for case, rows in western():
        wanted = read(as_escpos("\n".join(rows)), case)
        for printer in PRINTERS:
            raw = printed_by_another_library(rows, printer)
            if raw.count(b"?") == "".join(rows).count("?"):  # else letters are missing
                seen += 1
                assert read(raw, case, profile_of(printer)) == wanted, (case.name, printer)
    assert seen > 3 * len(western())


@needs_corpus
def test_chinese_in_every_encoding_gives_the_same_answer() -> None:
    seen = 0
    for case, rows in eastern():
        found = {}
        for codec, select in SCRIPTS:
            try:
                raw = "\n".join(rows).encode(codec)
            except UnicodeEncodeError:
                continue
            printer = PrinterProfile(cjk="big5" if codec == "big5" else "gb18030")
            found[codec, select] = read(b"\x1b@" + select + raw + b"\n\n\n\x1dV\x00", case, printer)
        seen += len(found)
        assert len(set(found.values())) == 1, (case.name, found)
    assert seen > 3 * len(eastern())


@cache
def all_streams() -> list[Case]:
    """Streams of one document: of many libraries, and of Chinese tills."""
    return [case for case in (*streams(), *list(chinese())[::EVERY]) if len(case.truth) == 1]


@needs_corpus
@settings(max_examples=120, deadline=None)
@given(st.randoms(use_true_random=False))
def test_chunks_of_any_size_give_the_same_answer(chance: random.Random) -> None:
    case = chance.choice(all_streams())
    most = chance.choice((1, 3, 16, 64, 700))
    sizes = iter(lambda: chance.randint(1, most), 0)
    assert read(case.raw, case, sizes=sizes) == read(case.raw, case), case.name
