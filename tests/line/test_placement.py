"""The slip stands at a line's start, behind the last ink, before the feed; the rest of the paper is as it was."""

from __future__ import annotations

from collections import Counter

import pytest

from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import Result
from hw_sim.ink import Report
from hw_sim.layouts import LAYOUTS, compose_all
from hw_sim.receipt_words import shop
from tests.line.judge import corpus, judge
from tests.line.paper import NATIVE, boxed, ended, harm_of, modes_after, printed
from tests.line.wire import CUTTER, TEAR_OFF, Wire

FEEDING = CUTTER._replace(name="feeding", cut_feeds=True)
CHINESE = CUTTER._replace(name="chinese", cjk="gb18030", cjk_on=True)
CUTS = [b"\x1dV" + bytes((m,)) for m in (0, 1, 48, 49)]
CUTS += [b"\x1dV" + bytes((m, n)) for m in (65, 66, 103, 104) for n in (0, 3)]
CUTS += [b"\x1bi", b"\x1bm"]
FEEDS = [b"", b"\n", b"\n\n\n\n\n\n", b"\x1bd\x01", b"\x1bd\x06", b"\x1bJ\x30", b"\r\n \r\n", b"\x1b@"]
RECEIPT = b"\x1b@SHOP\nTOTAL 5.00\nTHANKS\n"
MODES = [
    b"\x1ba\x01", b"\x1ba2", b"\x1b!\x38", b"\x1b!\x80", b"\x1bE\x01", b"\x1bM\x01", b"\x1b-\x02", b"\x1bG\x01",
    b"\x1d!\x11", b"\x1d!\x30", b"\x1dB\x01", b"\x1b{\x01", b"\x1bV\x01", b"\x1b \x08", b"\x1b \x30", b"\x1b3\x00",
    b"\x1b3\x50", b"\x1bR\x03", b"\x1dL\x10\x00", b"\x1dW\x80\x01", b"\x1dP\xb4\xb4", b"\x1dP\xb4\xb4\x1b3\x20",
    b"\x1c!\x0c", b"\x1c-\x01", b"\x1cW\x01", b"\x1cS\x02\x02", b"\x1c.", b"\x1c&", b"\x1bt\x10", b"\x1b%\x01",
    b"\x1br\x01", b"\x1dh\x30", b"\x1dH\x02", b"\x1d(k\x03\x001C\x08", b"\x1d(k\x03\x001E3",
    b"\x1d(k\x08\x001P0THEIR", b"\x1bE\x01\x1d!\x22\x1ba\x02\x1b3\x10\x1d(k\x03\x001C\x07\x1d(k\x08\x001P0THEIR",
]  # fmt: skip


def marks_of(report: Report) -> Counter[object]:
    """All that is on paper but the slips."""
    paper = (*report.tickets, report.open)
    return Counter(ink.mark for ticket in paper for ink in ticket.ink if "SLIP" not in ink.text)


def slips_of(wire: Wire) -> int:
    return sum(outcome.result == Result.INSERTED for outcome in wire.outcomes)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.hex())
@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("profile", [CUTTER, FEEDING], ids=lambda p: p.name)
def test_no_cut_goes_through_the_slip_whatever_the_cut_and_the_feed(
    cut: bytes, feed: bytes, profile: PrinterProfile
) -> None:
    raw = RECEIPT + feed + cut
    wire = boxed(raw, profile)
    assert slips_of(wire) == 1
    bare, after = printed(raw, profile), printed(bytes(wire.printed), profile)
    if not bare.faults and "THANKS" in bare.tickets[0].text:  # else the till's own feed is too short on a bare wire
        assert harm_of(raw, wire, slips=1, anchor="TOTAL") == []
    assert not [ink for ink in after.cuts_through if "SLIP" in ink.text]
    judge(raw, wire)


@pytest.mark.parametrize("modes", MODES, ids=lambda modes: modes.hex())
@pytest.mark.parametrize("profile", [CUTTER, CHINESE, TEAR_OFF], ids=lambda p: p.name)
def test_every_mode_is_as_before_behind_the_slip(modes: bytes, profile: PrinterProfile) -> None:
    tail = b"\n\n\n\x1dVB\x00" if profile.cutter else b"\n\n\n"
    symbol = b"\x1d(k\x03\x001Q0" if b"THEIR" in modes else b""
    raw = b"\x1b@" + modes + b"TOTAL 5.00\n" + tail + b"NEXT \xba\xcf\n" + symbol + b"\n" * 8
    first = raw[: raw.index(tail) + len(tail)]
    wire = boxed(first, profile)
    assert slips_of(wire) == 1
    assert modes_after(bytes(wire.printed), profile) == modes_after(first, profile)
    ended(wire.till(raw[len(first) :]))
    assert harm_of(raw, wire) == []


@pytest.mark.parametrize("modes", MODES, ids=lambda modes: modes.hex())
def test_the_slip_prints_as_composed_whatever_modes_the_till_left(modes: bytes) -> None:
    wire = boxed(b"\x1b@" + modes + b"TOTAL 5.00\n" + b"\n" * 6 + b"\x1dV\x00", CHINESE)
    plain = boxed(b"\x1b@TOTAL 5.00\n" + b"\n" * 6 + b"\x1dV\x00", CHINESE)
    tickets = [printed(bytes(w.printed), CHINESE).tickets[0] for w in (wire, plain)]
    shown = [[mark for mark in ticket.marks if "SLIP" in mark[1]] for ticket in tickets]
    # Code pages don't concern ASCII, bar codes' modes no text; GS W at full width is what it was.
    idle = {"page", "kanji", "GS h", "GS H", "GS W"}
    cleaned = [[(kind, text, [s for s in style if s[0] not in idle]) for kind, text, style in marks] for marks in shown]
    assert cleaned[0] == cleaned[1]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_composed_receipts_get_their_slip_and_no_harm(name: str) -> None:
    for stream in (s for s in compose_all(seed=5) if s.name.split("-")[0] == name):
        profile = CUTTER._replace(cjk=stream.cjk, code_pages=((0, "cp437"), (16, "cp1252")))
        if not any(t.cut_at >= 0 for t in stream.documents):
            profile = profile._replace(cutter=False)
        header = shop(stream.language).name.encode(shop(stream.language).codec) if "preprint" in name else b""
        wire = boxed(stream.raw, profile, header_preprint=header)
        assert harm_of(stream.raw, wire) == [], stream.name
        judge(stream.raw, wire)
        for truth, end in zip(stream.documents, wire.ends, strict=False):
            if end.insert_at >= 0 and truth.slip and len(wire.ends) == len(stream.documents):
                start = sum(len(raw) for number, raw in wire.documents().items() if number < end.document)
                assert start + end.insert_at == truth.ink_end, stream.name


def test_captured_streams_are_printed_without_harm() -> None:
    slips = 0
    for path in (*corpus("streams"), *corpus("dumps")):
        raw = path.read_bytes()
        for profile in (CUTTER, TEAR_OFF):
            wire = boxed(raw, profile)
            judge(raw, wire)
            bare, after = printed(raw, profile), printed(bytes(wire.printed), profile)
            # Not ticket by ticket: where the till's own feed is too short, ours brings the last line onto its ticket.
            assert Counter(after.faults) <= Counter(bare.faults), f"{path.name} on {profile.name}"
            assert marks_of(after) == marks_of(bare), f"{path.name} on {profile.name}"
            assert (after.cuts, after.display, len(after.kicks)) == (bare.cuts, bare.display, len(bare.kicks))
            slips += slips_of(wire)
    assert slips > 50


def test_a_slip_of_its_own_comes_behind_the_tills_cut_and_is_cut_too() -> None:
    raw = RECEIPT + b"\n" * 6 + b"\x1dV\x00" + b"\x1b@NEXT\n"
    wire = boxed(raw, placement="own_slip")
    report = printed(bytes(wire.printed))
    texts = [ticket.text for ticket in report.tickets]
    assert [("SLIP" in text, "TOTAL" in text) for text in texts] == [(False, True), (True, False)]
    assert report.faults == []
    assert bytes(wire.printed).startswith(raw[: raw.index(b"\x1b@NEXT")])


@pytest.mark.parametrize("cut", [b"\x1dVa\x00", b"\x1dVb\x10"])
def test_a_slip_of_its_own_does_not_wait_for_a_cut_that_comes_later(cut: bytes) -> None:
    wire = boxed(RECEIPT + b"\n" * 6 + cut, placement="own_slip")
    block = bytes(wire.printed).partition(cut)[2]
    assert b"SLIP" in block
    assert b"\x1dV\x00" in block


def test_the_slip_goes_before_the_next_receipts_header() -> None:
    raw = RECEIPT + b"\n\nSHOP ADDR\nMAIN STREET\n\n\n\x1dV\x00\x1b@RECEIPT 2\n"
    wire = boxed(raw, header_preprint=b"SHOP ADDR")
    out = bytes(wire.printed)
    assert out.index(b"THANKS") < out.index(b"*SLIP*") < out.index(b"SHOP ADDR")
    for size in (1, 3):  # also when the header comes in pieces
        parts = Wire(answer=lambda end: NATIVE, header_preprint=b"SHOP ADDR")
        parts.till(b"", [raw[at : at + size] for at in range(0, len(raw), size)])
        assert bytes(parts.printed).index(b"*SLIP*") < bytes(parts.printed).index(b"SHOP ADDR")
        assert harm_of(raw, ended(parts)) == ["ticket 1: the slip stands above the till's own print"]
        judge(raw, parts)


def test_without_a_cut_the_tills_last_bytes_end_the_document() -> None:
    raw = b"\x1b@TOTAL 5.00\nTHANKS\n\n\n\n\x1bp\x00\x19\xfa"
    signature = b"\n\n\n\x1bp\x00\x19\xfa"
    wire = Wire(end_signature=signature).till(raw * 2)
    assert [(end.why, end.ask) for end in wire.ends] == [(2, True)] * 2
    assert slips_of(wire) == 2
    parts = Wire(end_signature=signature).till(b"", [(raw * 2)[i : i + 1] for i in range(len(raw) * 2)])
    assert [end[1:] for end in parts.ends] == [end[1:] for end in wire.ends]


def test_a_signature_of_feeds_alone_ends_the_document_at_any_chunking() -> None:
    raw = b"TOTAL 5.00\n\n\n\nTOTAL 6.00\n\n\n\n"
    ends = []
    for size in (1, 2, 5, 100):
        wire = Wire(end_signature=b"\n\n\n\n").till(b"", [raw[i : i + size] for i in range(0, len(raw), size)])
        ends.append([end[1:] for end in wire.ends])
        assert slips_of(wire) == 2
        judge(raw, wire)
    assert all(found == ends[0] for found in ends)


def test_without_the_engine_a_signature_still_parts_the_documents() -> None:
    raw = b"TOTAL 5.00\n\n\n\x1b@"
    wire = Wire(engine=False, end_signature=b"\n\n\n\x1b@").till(raw * 3).engine_returns()
    assert list(wire.documents().values()) == [raw] * 3


def test_without_a_cutter_the_slip_starts_within_300_ms_of_the_last_byte_and_can_be_torn_off_whole() -> None:
    for tail in (b"", b"\n", b"\n\n\n\n\n", b"\x1bd\x05"):
        wire = Wire(TEAR_OFF).till(RECEIPT + tail)
        assert b"*SLIP*" not in wire.printed
        wire.wait(0.3)
        assert b"*SLIP*" in wire.printed
        report = printed(bytes(wire.printed), TEAR_OFF)
        below = report.open.bottom - max(ink.bottom for ink in report.open.ink)
        assert below >= TEAR_OFF.tear_bar_mm * TEAR_OFF.dots_per_mm - 1


def test_without_a_cutter_a_till_that_hangs_up_is_as_good_as_silence() -> None:
    wire = Wire(TEAR_OFF).till(RECEIPT + b"\n\n\n").hangs_up().wait(0.3)
    assert [end.why for end in wire.ends] == [4]
    assert b"*SLIP*" in wire.printed


def test_with_a_cutter_silence_ends_the_document_without_a_slip() -> None:
    wire = Wire().till(RECEIPT + b"\n\n\n").wait(6.0)
    assert [(end.ask, end.reason) for end in wire.ends] == [(False, "no_cut")]
    assert bytes(wire.printed) == RECEIPT + b"\n\n\n"


def test_no_slip_into_a_command_that_stands_open_when_the_till_falls_silent() -> None:
    for head in (b"\x1d(k\x64\x00", b"\x1dv0\x00\x10\x00\x10\x00" + b"U" * 40, b"\x1b*\x21\x10\x00"):
        raw = RECEIPT + head
        wire = Wire(TEAR_OFF).till(raw).wait(6.0)
        assert bytes(wire.printed) == raw
        assert [(end.ask, end.reason) for end in wire.ends] == [(False, "inside_a_command")]
        rest = b"U" * 300 + b"\nMORE\n\n\n"
        wire.till(rest).wait(6.0)
        assert bytes(wire.printed) == raw + rest
        assert b"".join(wire.documents().values()) == raw + rest
        wire.till(b"\x1b@" + RECEIPT + b"\n\n").wait(6.0)
        assert wire.outcomes[-1].result == Result.INSERTED


def test_a_pause_inside_a_picture_does_not_part_the_document() -> None:
    raw = b"TOTAL\n\x1dv0\x00\x10\x00\x10\x00" + b"U" * 256 + b"THANKS\n\n"
    wire = Wire(TEAR_OFF).till(raw[:60]).wait(1.0).till(raw[60:]).wait(0.3)
    assert len(wire.ends) == 1
    assert slips_of(wire) == 1


def test_the_line_end_behind_a_bar_code_belongs_to_it() -> None:
    """Some printers print a bar code or symbol only at its line end: the slip goes behind that, before the feed."""
    for symbol in (b"\x1dkE\x040228", b"\x1d(k\x03\x001Q0"):
        till = b"TOTAL 5.00\n" + symbol + b"\x1ba\x00\n\n\n\n\x1dV\x00"
        wire = Wire().till(till)
        (end,) = wire.ends
        assert till[: end.insert_at].endswith(symbol + b"\x1ba\x00\n")
        assert end.insert_at == end.ink_end
