"""Composed receipts are what they say: the sums are right, and the offsets are where the printer sees them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.model import DocumentKind
from hw_sim.harm import harm, qr_with
from hw_sim.ink import Report
from hw_sim.layouts import LAYOUTS, compose, compose_all, qr
from hw_sim.printer import Printer
from hw_sim.receipt_words import SHOPS, Shop, shop
from hw_sim.receipts import Stream, basket

CODE = "HTTPS://EDGE.BOX/C/1"
STREAMS = list(compose_all(seed=7))
# What these tills do wrong on a bare wire too; the library sets the alignment again in front of the amount.
OWN_FAULTS = {
    "cut_in_mid_line": ["cut ignored: not at the beginning of a line"],
    "unflushed_end": ["cut ignored: not at the beginning of a line"],
    "python_escpos": ["refused: ESC a in the middle of a line"],
}


def layout_of(stream: Stream) -> str:
    return stream.name.split("-")[0]


def in_each_language(name: str) -> list[Stream]:
    found = [stream for stream in STREAMS if layout_of(stream) == name]
    assert found
    return found


def profile_for(stream: Stream) -> PrinterProfile:
    return PrinterProfile(cjk=stream.cjk, code_pages=((0, "cp437"), (16, "cp1252")))


def printed(stream: Stream, raw: bytes | None = None) -> Report:
    printer = Printer(profile_for(stream))
    printer.feed(stream.raw if raw is None else raw)
    return printer.report()


def money_of(one: Shop, stream: Stream) -> list[str]:
    """Each document's total as the shop writes it."""
    return [one.money(t.total_minor) for t in stream.documents if t.total_minor is not None]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_bare_printer_prints_it_without_a_fault(name: str) -> None:
    for stream in in_each_language(name):
        report = printed(stream)
        assert report.faults == OWN_FAULTS.get(layout_of(stream), [])
        assert report.cuts == sum(t.cut_at >= 0 for t in stream.documents)
        assert bool(report.unprinted) is (name == "unflushed_end")


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_its_offsets_are_where_ink_ends_and_cuts_stand(name: str) -> None:
    for stream in in_each_language(name):
        ends = [0]
        parser = Parser()
        offset = 0
        cuts = []
        for event in (*parser.feed(stream.raw), *parser.finish()):
            if isinstance(event, Command) and event.effect is Effect.CUT:
                cuts.append(offset)
            offset += len(event if isinstance(event, bytes) else event.raw)
        for document in stream.documents:
            assert document.start == ends[-1]
            assert document.start < document.ink_end <= document.end
            if document.cut_at >= 0:
                assert document.cut_at in cuts
            ends.append(document.end)
            last = document.ink_end - 1
            symbol = stream.raw.find(b"1Q0", last - 7, last)  # printed at once here, by others at its line end
            before = stream.raw[: symbol + 2 if symbol > 0 else last]
            until = printed(stream, stream.raw[: document.ink_end])
            assert not until.unprinted
            shorter = printed(stream, before)
            assert sum(len(t.ink) for t in (*until.tickets, until.open)) > sum(
                len(t.ink) for t in (*shorter.tickets, shorter.open)
            )


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_total_number_and_cashier_are_on_the_paper_where_it_says_so(name: str) -> None:
    for stream in in_each_language(name):
        one = shop(stream.language)
        report = printed(stream)
        papers = [ticket.text for ticket in (*report.tickets, report.open)]
        for document, paper in zip(stream.documents, papers, strict=False):
            if document.total_minor is not None:
                assert one.money(document.total_minor) in paper
                assert document.number in paper
                assert document.cashier in paper


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_slip_at_ink_end_does_no_harm(name: str) -> None:
    """The truth's offsets against the referee: modes saved, slip after the last ink, before the held feed."""
    for stream in in_each_language(name):
        raw, at = b"", 0
        for document in stream.documents:
            raw += stream.raw[at : document.ink_end]
            at = document.ink_end
            if document.slip and document.cut_at >= 0 and stream.raw[document.cut_at : document.cut_at + 1] == b"\x1d":
                raw += qr(CODE) if layout_of(stream) != "stored_qr" else b"\x1dv0\x00\x04\x00\x08\x00" + b"\xaa" * 32
        raw += stream.raw[at:]
        bare, boxed = printed(stream), printed(stream, raw)
        if layout_of(stream) == "stored_qr":
            assert harm(bare, boxed, lambda ink: ink.kind == "raster", slips=2) == []
        else:
            anchor = "" if layout_of(stream) == "page_mode" else stream.documents[-1].number
            assert harm(bare, boxed, qr_with(CODE), anchor=anchor) == []


def test_every_kind_of_paper_and_every_trap_is_there() -> None:
    kinds = {t.kind for s in STREAMS for t in s.documents}
    assert kinds >= {DocumentKind.SALE, DocumentKind.REFUND, DocumentKind.PRE_BILL, DocumentKind.KITCHEN}
    assert DocumentKind.REPORT in kinds
    raws = b"".join(s.raw for s in STREAMS)
    for trap in (
        b"\x1dV\x41\x03",
        b"\x1dV\x68\x08",
        b"\x1bi",
        b"\x1bm",
        b"\x1b=\x02",
        b"\x10\x05\x02",
        b"\x1bL",
        b"\r\n",
    ):
        assert trap in raws
    assert {s.language for s in STREAMS} == {"en", "de", "fr", "es", "pt", "ja", "ko", "zh-CN", "zh-TW"}


def test_only_paid_sales_may_take_a_slip() -> None:
    for stream in STREAMS:
        for document in stream.documents:
            assert not document.slip or (document.kind is DocumentKind.SALE and document.total_minor is not None)


@given(st.sampled_from(SHOPS), st.integers(0, 2**32))
def test_amounts_add_up(one: Shop, seed: int) -> None:
    sale = basket(one, random.Random(seed))
    assert sale.subtotal_minor - sale.discount_minor == sale.total_minor > 0
    assert sale.given_minor - sale.change_minor == sale.total_minor
    assert sale.change_minor >= 0
    assert sale.tender == "cash" or sale.change_minor == 0
    assert 0 <= sale.tax_minor < sale.total_minor


@given(
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from([s for s in SHOPS if s.language in ("en", "zh-CN")]),
    st.integers(0, 99),
)
def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(name: str, one: Shop, seed: int) -> None:
    assert compose(name, one, seed) == compose(name, one, seed)
    assert compose(name, one, seed).raw != compose(name, one, seed + 100).raw


def test_money_is_written_as_the_country_does() -> None:
    assert [shop(code).money(123450) for code in ("en", "de", "fr", "ja", "zh-CN")] == [
        "1,234.50",
        "1.234,50",
        "1 234,50",
        "123,450",
        "1234.50",
    ]
    assert shop("de").money(-5) == "-0,05"


def test_a_language_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="xx: there are en"):
        shop("xx")
