"""A till that prints the next receipt's header before the cut is found out, and others are left alone."""

from __future__ import annotations

import pytest

from edgebox.escpos.paper import Paper
from edgebox.escpos.parser import Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.receipt.preprint import SAME, Outline, PreprintWatch
from hw_sim import layouts
from hw_sim.receipt_words import SHOPS, Shop

PREPRINTED = "MILK {n}.00\nTOTAL {n}.00\nTHANK YOU\n\n\n\n\nCORNER SHOP\nHigh Street 1\n"
FOOTER = "CORNER SHOP\nHigh Street 1\nMILK {n}.00\nTOTAL {n}.00\nTHANK YOU\n\n\n\n\n"


def outline(text: bytes) -> Outline:
    """A document's outline."""
    paper, parser, found = Paper(PrinterProfile()), Parser(), Outline()
    paper.feed((*parser.feed(text), *parser.finish()))
    paper.finish()
    found.add(paper.take_lines())
    return found


def said(texts: list[bytes]) -> list[str]:
    watch = PreprintWatch()
    return [header for text in texts if (header := watch.ended(outline(text)))]


def test_a_header_before_the_cut_is_noticed_once() -> None:
    assert said([PREPRINTED.format(n=n).encode() for n in range(1, 9)]) == ["CORNER SHOP"]


def test_two_receipts_prove_nothing() -> None:
    assert said([PREPRINTED.format(n=n).encode() for n in range(1, SAME)]) == []


def test_a_footer_is_no_header() -> None:
    assert said([FOOTER.format(n=n).encode() for n in range(1, 9)]) == []


def test_a_footer_that_differs_is_no_header() -> None:
    assert said([PREPRINTED.format(n=n).encode() + b"%d\n" % n for n in range(1, 9)]) == []


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.language)
def test_no_ordinary_layout_is_taken_for_one(shop: Shop) -> None:
    for name in layouts.LAYOUTS:
        if name != "header_preprinted" and not (name.startswith("gbk") and shop.language != "zh-CN"):
            raw = [layouts.compose(name, shop, seed).raw for seed in range(SAME + 1)]
            assert said(raw) == [], name
