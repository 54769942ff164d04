"""The reader on hostile paper: it abstains with a reason, in bounded time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.model import Confidence, DocumentKind
from edgebox.receipt.reader import LINES_MAX, ReceiptReader
from tests.receipt.paper import SHOP, lexicon, line, lines, read

RECEIPT = "SHOP\nNO: 4711\n2026-11-18 18:42\nMILK 16.00\nBREAD 17.90\nTOTAL 33.90\nCASH 50.00\nCHANGE 16.10"


def test_lines_may_come_one_by_one() -> None:
    reader = ReceiptReader(SHOP, lexicon())
    for row in lines(RECEIPT):
        reader.feed([row])
    assert reader.finish() == read(RECEIPT)


def test_an_empty_document_says_so() -> None:
    receipt = read("")
    assert (receipt.kind, receipt.reasons) == (DocumentKind.OTHER, ("nothing to read",))


def test_a_document_of_pictures_says_so() -> None:
    reader = ReceiptReader(SHOP, lexicon())
    reader.pictures = 1
    assert reader.finish().reasons == ("raster: only pictures",)


def test_letters_in_a_wrong_code_page_are_not_trusted() -> None:
    garbled = "╨í╙ï:\n╖■ä╒┘M: 1.00\næ¬╕╢╜≡ε~: 2.00"
    assert not read(f"{garbled}\n{RECEIPT}").qualifies


def test_ten_thousand_lines_abstain() -> None:
    reader = ReceiptReader(SHOP, lexicon())
    reader.feed([line("TOTAL 33.90 CASH 50.00 CHANGE 16.10")] * 10_000)
    receipt = reader.finish()
    assert (receipt.qualifies, receipt.lines) == (False, 10_000)
    assert str(LINES_MAX) in receipt.reasons[0]


@pytest.mark.parametrize(
    "text",
    [
        "9" * 1_000_000,
        "total " * 200_000,
        "合计" * 500_000,
        "-" * 1_000_000,
        "1.00 " * 200_000,
        "$" * 1_000_000,
        "\u0301" * 100_000,
    ],
)
def test_one_endless_line_costs_no_time(text: str) -> None:
    began = time.process_time()
    assert not read(text).qualifies
    assert time.process_time() - began < 0.5


def test_a_paper_full_of_totals_costs_no_time() -> None:
    rows = [
        f"TOTAL {n}.37\nCASH {n}.11\nCHANGE {n % 7}.03\nDISCOUNT {n}.02\nTAX {n}.01\nROUNDING 0.0{n % 9}"
        for n in range(330)
    ]
    began = time.process_time()
    assert not read("\n".join(rows)).qualifies
    assert time.process_time() - began < 1.5


WORDS = [
    "TOTAL",
    "合计",
    "CASH",
    "现金",
    "找零",
    "CHANGE",
    "备注:",
    "退货",
    "33.90",
    "¥",
    "-",
    ":",
    "\n",
    " ",
    "0.00",
    "50.00",
    "VISA",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=20), max_size=80))
def test_nonsense_never_ends_in_a_fault(words: list[str]) -> None:
    receipt = read(" ".join(words))
    assert receipt.reasons
    if receipt.qualifies:
        assert receipt.kind is DocumentKind.SALE
        assert receipt.amount_minor is not None
        assert receipt.amount_minor > 0
        assert receipt.confidence is not Confidence.LOW
