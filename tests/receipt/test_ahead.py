"""Answers made ready in a till's pauses: they change nothing, whatever comes behind them, and cost only so much."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from edgebox.escpos.paper import Symbol
from edgebox.escpos.profile import PrinterProfile
from edgebox.model import DocumentKind, Receipt
from edgebox.reading import PREPARED_MAX, OpenDocument
from edgebox.receipt.reader import AHEAD_LINES, ReceiptReader
from hw_sim.receipt_words import SHOPS, Shop
from tests.accuracy.sets import CORPUS, Case, streams, texts
from tests.bench.receipts import CHINESE, long_receipt
from tests.receipt.paper import EURO, PAID_TILL, SHOP, lexicon, line, lines
from tests.receipt.test_fiscal import GERMANY, PAPER
from tests.receipt.test_sameness import reader

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no receipt corpus at {CORPUS}")
EVERY = 23  # of the corpus' receipts one: all sets in a second
PRINTER = PrinterProfile()
PAID = ["MILK 16.00", "TOTAL 16.00", "CASH 20.00", "CHANGE 4.00"]


def document(settings: tuple[str, ...]) -> OpenDocument:
    return OpenDocument(PRINTER, reader(settings))


def read(raw: bytes, settings: tuple[str, ...]) -> Receipt:
    """Without a pause."""
    whole = document(settings)
    whole.feed(raw)
    return whole.finish()


def with_pauses(raw: bytes, settings: tuple[str, ...]) -> Receipt:
    """With an answer behind every line, wanted or not."""
    paused = document(settings)
    for row in raw.splitlines(keepends=True):
        paused.feed(row)
        paused.prepare()
    return paused.finish()


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: f"{shop.language}-{shop.currency}-{shop.codec}")
def test_an_answer_in_a_pause_changes_nothing(shop: Shop) -> None:
    settings = (f"shop.currency={shop.currency}",)
    for number in range(5):
        raw = long_receipt(number, shop, 24)
        assert with_pauses(raw, settings) == read(raw, settings)


def _cases() -> Iterable[Case]:
    return [*list(texts())[::EVERY], *list(streams())[::EVERY]]


@needs_corpus
def test_an_answer_in_a_pause_changes_nothing_on_the_corpus() -> None:
    for case in _cases():
        raw = case.raw
        assert with_pauses(raw, case.settings) == read(raw, case.settings), (case.set, case.name)


def test_what_a_code_said_in_a_pause_does_not_outlive_its_rival() -> None:
    """The first code's sum makes it a refund; the second contradicts it, so neither may say anything."""
    paused, whole = ReceiptReader(EURO, lexicon()), ReceiptReader(EURO, lexicon())
    codes = [Symbol("qr", GERMANY.replace("241.40", sum_), 0, 1, 0) for sum_ in ("-241.40", "241.40")]
    for one in (paused, whole):
        one.feed(lines(PAPER))
    paused.see(codes[:1])
    assert paused.answer().kind is DocumentKind.REFUND
    paused.see(codes[1:])
    whole.see(codes)
    assert paused.finish() == whole.finish()
    assert paused.finish().kind is not DocumentKind.REFUND


def test_an_answer_is_read_once_while_nothing_comes() -> None:
    one = ReceiptReader(PAID_TILL, lexicon())
    one.feed(lines("\n".join(PAID)))
    first = one.answer()
    assert one.answer() is first
    one.feed(lines("TOTAL 17.00\nCASH 17.00"))
    assert not one.is_prepared
    assert one.answer() is not first


def test_only_feed_behind_a_total_is_a_pause() -> None:
    paper = document(())
    for row, is_pause in (
        (b"CORNER SHOP\n", False), (b"\n", False), (b"TOTAL 16.00\n", False), (b"CASH 20.00", False), (b"\n", False),
        (b"\n", True), (b"\x1bd\x03", True), (b"THANKS\n", False), (b"\n\n", True),
    ):  # fmt: skip
        paper.feed(row)
        assert paper.may_prepare == is_pause, row


def test_a_till_that_feeds_behind_every_line_takes_no_more_than_its_share() -> None:
    paper = document(())
    paper.feed(b"TOTAL 16.00\n")
    made = 0
    for number in range(60):
        paper.feed(b"ITEM %d  1.00\n" % number)
        paper.feed(b"\n")
        if paper.may_prepare:
            paper.prepare()
            made += 1
    assert made == PREPARED_MAX


def test_a_document_too_long_for_a_receipt_is_not_answered_ahead() -> None:
    one = ReceiptReader(SHOP, lexicon())
    one.feed(lines("\n".join(PAID)))
    assert one.may_be_over
    one.feed([line("BREAD 1.00")] * AHEAD_LINES)
    assert not one.may_be_over


def test_the_reader_of_the_bench_is_paused_too() -> None:
    """The bench's till feeds by lines; else its figures would show nothing of this."""
    paper = document(("shop.currency=CNY",))
    for row in long_receipt(1, CHINESE).splitlines(keepends=True)[:-1]:
        paper.feed(row)
    assert paper.may_prepare
