"""Every way in which a naive insertion goes wrong: the simulated printer must see it, and nothing on the bare wire.

The streams are those of the traps list; `naive` is the box as a first sketch would have it: it holds feed, spaces
and attributes, and puts its slip right after the last byte that it takes for ink.
"""

import pytest

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Parser, raw_of
from hw_sim.harm import harm, qr_with
from hw_sim.ink import Report
from hw_sim.printer import Printer

CODE = b"HTTPS://EDGE.BOX/C/1234"
QR = b"\x1d(k\x03\x001C\x06\x1d(k" + bytes([len(CODE) + 3, 0]) + b"1P0" + CODE + b"\x1d(k\x03\x001Q0"
SLIP = b"\x1ba\x01" + QR + b"\n\x1ba\x00"
CUT = b"\x1dV\x00"
is_ours = qr_with(CODE.decode())


def naive(stream: bytes, *, slip: bytes = SLIP, drops_on_clear: bool = False) -> bytes:
    """What a box without the rules would send to the printer."""
    out, held = b"", b""
    parser = Parser()
    events = [*parser.feed(stream), *parser.finish()]
    for event in events:
        raw = raw_of(event)
        if isinstance(event, Command) and event.effect is Effect.CUT:
            out += slip + held + raw
            held = b""
        elif isinstance(event, Command) and event.effect is Effect.CLEAR and drops_on_clear:
            out += raw
            held = b""
        elif isinstance(event, Command) and event.effect in (Effect.MODE, Effect.FEED, Effect.SELECT):
            held += raw
        elif isinstance(event, bytes):
            ink = raw.rstrip(b"\n\r ")
            out, held = (out + held + ink, raw[len(ink) :]) if ink else (out, held + raw)
        else:
            out += held + raw
            held = b""
    return out + held


def printed(stream: bytes) -> Report:
    printer = Printer()
    printer.feed(stream)
    return printer.report()


BODY = b"SHOP\nTOTAL 5.00\n"


def test_a_bare_receipt_has_no_fault_and_a_slip_in_the_right_place_does_no_harm() -> None:
    stream = BODY + b"THANKS\n\n\n\n\n" + CUT
    good = BODY + b"THANKS\n" + SLIP + b"\n\n\n\n" + CUT
    assert printed(stream).faults == []
    assert harm(printed(stream), printed(good), is_ours, slips=1, anchor="TOTAL") == []


def test_a_slip_before_the_line_end_of_the_last_text_is_refused() -> None:
    stream = BODY + b"THANKS\n\n\n\n\n" + CUT
    found = harm(printed(stream), printed(naive(stream)), is_ours, slips=1)
    assert any("ESC a in the middle of a line" in what for what in found)
    assert any("qr" in what and "data in the print buffer" in what for what in found)
    assert "0 slips printed, not 1" in found


def test_a_cut_through_the_slip_is_seen() -> None:
    stream = BODY + b"\n\n\n\n" + CUT
    boxed = BODY + b"\n\n\n" + SLIP + b"\n" + CUT
    assert printed(stream).faults == []
    assert any("cut through qr" in what for what in harm(printed(stream), printed(boxed), is_ours))


def test_a_cut_that_feeds_by_itself_needs_no_feed_of_the_till() -> None:
    for cut in (b"\x1dVA\x00", b"\x1dVB\x00", b"\x1dVg\x00", b"\x1dVh\x00"):
        report = printed(BODY + SLIP + cut)
        assert report.faults == []
        assert report.tickets[0].text.endswith("size 6>")


def test_a_flush_that_makes_an_ignored_cut_real_is_seen() -> None:
    stream = b"SUBTOTAL" + CUT + b"\nTOTAL 5.00\n\n\n\n\n\n" + CUT
    bare = printed(stream)
    assert (bare.cuts, bare.ignored_cuts) == (1, 1)
    boxed = printed(b"SUBTOTAL\n" + SLIP + CUT + b"\nTOTAL 5.00\n\n\n\n\n\n" + CUT)
    assert "cuts: 2, not 1" in harm(bare, boxed, is_ours)


def test_a_flush_that_prints_what_the_till_threw_away_is_seen() -> None:
    bare = printed(BODY + b"ABC\x1b@\n\n\n\n\n" + CUT)
    boxed = printed(BODY + b"ABC\n" + SLIP + b"\x1b@\n\n\n\n\n" + CUT)
    assert bare.discarded == ("ABC",)
    found = harm(bare, boxed, is_ours)
    assert any("own print changed" in what for what in found)
    assert any("discarded text" in what for what in found)


def test_a_slip_sent_to_the_customer_display_is_seen() -> None:
    stream = BODY + b"\n\n\n\n\n\x1b=\x02THANKS\x1b=\x01" + CUT
    bare = printed(stream)
    assert (bare.display, bare.faults) == (b"THANKS", [])
    found = harm(bare, printed(BODY + b"\n\n\n\n\n\x1b=\x02THANKS" + SLIP + b"\x1b=\x01" + CUT), is_ours, slips=1)
    assert any("text on the display" in what for what in found)
    assert "0 slips printed, not 1" in found


def test_a_slip_that_reaches_the_next_customer_is_seen() -> None:
    stream = BODY + b"\n\n\nNEXT SHOP\nADDR\n" + CUT + BODY + b"\n\n\n\n\n" + CUT
    bare = printed(stream)
    assert [("NEXT SHOP" in t.text) for t in bare.tickets] == [False, True]
    late = BODY + b"\n\n\nNEXT SHOP\nADDR\n" + SLIP + b"\n" * 9 + CUT + BODY + b"\n\n\n\n\n" + CUT
    assert any("own print changed" in what for what in harm(bare, printed(late), is_ours))
    right = BODY + SLIP + b"\n\n\nNEXT SHOP\nADDR\n" + CUT + BODY + b"\n\n\n\n\n" + CUT
    assert harm(bare, printed(right), is_ours, slips=1, anchor="TOTAL") == []


def test_a_slip_on_a_ticket_of_its_own_is_seen() -> None:
    stream = BODY + b"\n\n\n\n\n" + CUT
    boxed = BODY + b"\n\n\n\n\n" + CUT + SLIP + b"\n\n\n\n\n"
    assert "ticket 2: the slip stands on a ticket without 'TOTAL'" in harm(
        printed(stream), printed(boxed), is_ours, anchor="TOTAL"
    )


def test_feed_dropped_at_a_clear_that_the_printer_ignored_is_seen() -> None:
    stream = BODY + b"\n\n\n\n\n\x10\x05\x02" + CUT
    assert printed(stream).faults == []
    found = harm(printed(stream), printed(naive(stream, slip=b"", drops_on_clear=True)), is_ours)
    assert "cuts: 0, not 1" in found  # even the line end of TOTAL went with the feed
    flushed = stream.replace(b"\n\n\n\n\n\x10", b"\x10")
    assert any("feed was lost" in what for what in harm(printed(stream), printed(flushed), is_ours))


@pytest.mark.parametrize("mode", [b"\x1dB", b"\x1b-"])
def test_a_slip_above_a_bar_of_reversed_or_underlined_spaces_is_seen(mode: bytes) -> None:
    stream = BODY + mode + b"\x01          \n" + mode + b"\x00\n\n\n\n" + CUT
    assert len(printed(stream).tickets[0].ink) == 3
    flushed = naive(stream, slip=SLIP).replace(b"5.00" + SLIP, b"5.00\n" + SLIP)
    assert any("above the till's own print" in what for what in harm(printed(stream), printed(flushed), is_ours))


def test_plain_spaces_leave_no_ink_but_make_a_cut_in_mid_line() -> None:
    report = printed(BODY + b"   " + CUT)
    assert (len(report.open.ink), report.ignored_cuts) == (2, 1)


@pytest.mark.parametrize("cut", [b"\x1dV\x00", b"\x1dV\x31", b"\x1dVA\x03", b"\x1bi", b"\x1bm", b"\x1dVh\x00"])
@pytest.mark.parametrize("before", [b"A", b" ", b"\t", b"\x1b$\x10\x00", b"\x1b\\\x10\x00", b"\x1b*\x00\x01\x00\xff"])
def test_no_cut_acts_in_the_middle_of_a_line(cut: bytes, before: bytes) -> None:
    report = printed(before + cut)
    assert (report.cuts, report.ignored_cuts) == (0, 1)


def test_a_query_in_the_middle_of_a_command_is_seen_twice() -> None:
    """Once as a query out of place, once by what it did to the command it fell into."""
    bare = printed(BODY + b"\x1bd\x05" + CUT)
    boxed = printed(BODY + b"\x1bd" + b"\x10\x04\x01" + b"\x05" + CUT)
    found = harm(bare, boxed, is_ours)
    assert "10 04 01 in the middle of a command" in found
    assert [r.between for r in printed(BODY + b"\x10\x04\x01\x1bd\x05" + CUT).real_time] == [True]


def test_the_tills_stored_symbol_overwritten_by_ours_is_seen() -> None:
    size, store = b"\x1d(k\x03\x001C\x04", b"\x1d(k\x07\x001P0TILL"
    show = b"\x1d(k\x03\x001Q0"
    end = b"\n\n\n\n\n\n\n\n\n" + CUT
    bare = printed(size + store + BODY + end + BODY + show + end)
    boxed = printed(size + store + BODY + SLIP + end + BODY + show + end)
    assert "<qr:TILL size 4>" in bare.tickets[1].text
    assert any("ticket 2" in what and "changed" in what for what in harm(bare, boxed, is_ours))


@pytest.mark.parametrize(
    ("till", "ours"),
    [(b"\x1ba\x02", b"\x1ba\x01"), (b"\x1bt\x10", b"\x1bt\x02"), (b"\x1b!\x08", b"\x1b!\x00"), (b"\x1b3\x40", b"\x1b2"),
     (b"\x1c.", b"\x1c&"), (b"\x1dL\x10\x00", b"\x1dL\x00\x00"), (b"", b"\x1b{\x01"), (b"\x1dB\x01", b"\x1b@")],
)  # fmt: skip
def test_a_mode_left_changed_by_a_slip_is_seen_on_the_next_receipt(till: bytes, ours: bytes) -> None:
    end = b"\n\n\n\n\n\n" + CUT
    bare = printed(till + BODY + end + BODY + end)
    boxed = printed(till + BODY + ours + end + BODY + end)
    assert any("ticket 2" in what for what in harm(bare, boxed, is_ours))


def test_modes_saved_and_restored_do_no_harm() -> None:
    end = b"\n\n\n\n\n\n" + CUT
    bare = printed(b"\x1b!\x08" + BODY + end + BODY + end)
    boxed = printed(b"\x1b!\x08" + BODY + b"\x1b!\x00" + SLIP + b"\x1bE\x01" + end + BODY + end)
    assert harm(bare, boxed, is_ours, slips=1) == []


def test_a_slip_inside_a_macro_is_printed_again_with_it_and_seen() -> None:
    head = b"\x1d:" + BODY
    rest = b"\x1d:" + b"\n\n\n\n\n\n" + CUT + b"\x1d^\x02\x00\x00" + b"\n\n\n\n\n\n" + CUT
    bare, boxed = printed(head + rest), printed(head + SLIP + rest)
    assert harm(bare, boxed, is_ours, slips=1) != []


def test_a_slip_inside_page_mode_is_seen() -> None:
    stream = b"\x1bL" + BODY + b"\x0c" + b"\n\n\n\n\n" + CUT
    boxed = b"\x1bL" + BODY + SLIP + b"\x0c" + b"\n\n\n\n\n" + CUT
    assert printed(stream).faults == []
    assert any("own print changed" in what for what in harm(printed(stream), printed(boxed), is_ours))


def test_a_slip_inside_a_picture_is_seen() -> None:
    picture = b"\x1dv0\x00\x08\x00\x20\x00" + b"\x1dV\x00\xff" * 64
    stream = picture + BODY + b"\n\n\n\n\n" + CUT
    assert printed(stream).faults == []
    assert printed(stream).cuts == 1
    boxed = picture[:100] + SLIP + picture[100:] + BODY + b"\n\n\n\n\n" + CUT
    assert harm(printed(stream), printed(boxed), is_ours, slips=1) != []


def test_a_missing_drawer_kick_and_a_doubled_one_are_seen() -> None:
    stream = BODY + b"\n\n\n\n\n\x1bp\x00\x19\xfa" + CUT
    without = stream.replace(b"\x1bp\x00\x19\xfa", b"")
    twice = stream.replace(b"\x1bp\x00\x19\xfa", b"\x1bp\x00\x19\xfa" * 2)
    for boxed in (without, twice):
        assert any("drawer kicks" in what for what in harm(printed(stream), printed(boxed), is_ours))


@pytest.mark.parametrize("raw", [b"\x10\x14\x02\x01\x08", b"\x1b[}x", b"\x1d\x0e", b"\x1d\xff\x01", b"\x1f\x08x"])
def test_power_off_and_firmware_opcodes_are_violations(raw: bytes) -> None:
    assert len(printed(raw + b"text\n").violations) == 1


def test_a_page_printed_once_is_not_lost_when_page_mode_ends_and_one_not_printed_is() -> None:
    assert printed(b"\x1bLTOTAL 5.00\n\x1b\x0c\x1bS").faults == []
    assert printed(b"\x1bLTOTAL 5.00\n\x1bS").discarded == ("TOTAL 5.00",)


def test_a_cut_through_the_blank_end_of_a_page_is_no_fault_but_one_through_its_text_is() -> None:
    area = b"\x1bL\x1bW\x00\x00\x00\x00\x40\x02\xc8\x00"  # 200 dots high
    assert printed(area + b"TOTAL\n\x0c" + CUT).faults == []
    low = area + b"\x1d$\x64\x00TOTAL\n\x0c" + CUT  # 100 dots down; the cutter stands 104 above the page's end
    assert any("cut through page" in fault for fault in printed(low).faults)
