"""The simulated printer behaves as the manuals say, with the clock in the test's hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.status import PrinterStatus, from_asb, from_dle_eot
from hw_sim.printer import Printer, Settings

CUT = b"\x1dV\x00"
END = b"\n\n\n\n\n\n" + CUT
SLOW = Settings(mm_per_s=150.0)
LINE_S = 30 / 8 / 150  # one line of 30 dots at 150 mm/s


def test_printing_takes_the_motors_time() -> None:
    printer = Printer(settings=SLOW)
    printer.feed(b"A\n" * 10, now=0.0)
    assert len(printer.report().open.ink) == 1
    printer.tick(4.5 * LINE_S)
    assert len(printer.report().open.ink) == 5
    printer.tick(1.0)
    assert (len(printer.report().open.ink), printer.idle, printer.wakes_at) == (10, True, None)


def test_busy_comes_at_128_bytes_left_and_goes_at_256() -> None:
    printer = Printer(settings=SLOW)
    printer.feed(b"\n", now=0.0)  # the motor runs: what comes now has to wait
    printer.feed((b"A" * 7 + b"\n") * 495, now=0.0)
    assert (printer.room, printer.busy) == (4096 - 3960, False)
    printer.feed(b"A" * 7 + b"\n", now=0.0)
    assert (printer.room, printer.busy) == (128, True)
    printer.tick(2.5 * LINE_S)
    assert printer.busy
    assert 128 < printer.room < 256
    printer.tick(18 * LINE_S)
    assert (printer.room >= 256, printer.busy) == (True, False)


def test_a_sender_that_ignores_busy_loses_bytes_and_one_that_minds_the_room_does_not() -> None:
    data = (b"0123456789" * 3 + b"\n") * 300
    rude = Printer(settings=SLOW)
    for at in range(0, len(data), 500):
        rude.feed(data[at : at + 500], now=0.0)
    assert rude.lost_bytes == len(data) - 4096 - 31
    assert any("bytes lost" in fault for fault in rude.report().faults)
    assert bytes(rude.received) == data
    polite, now, at = Printer(settings=SLOW), 0.0, 0
    while at < len(data):
        piece = data[at : at + min(500, polite.room)]
        polite.feed(piece, now)
        at, now = at + len(piece), now + 0.1
        polite.tick(now)
    polite.tick(now + 60)
    assert (polite.report().faults, polite.report().processed_bytes) == ([], len(data))


def test_paper_out_stops_printing_and_nothing_is_lost_when_it_comes_back() -> None:
    printer = Printer()
    printer.feed(b"ONE\n")
    printer.remove_paper(1.0)
    printer.feed(b"TWO\n" + END, now=2.0)
    assert (printer.busy, printer.report().open.text, printer.report().cuts) == (True, "ONE", 0)
    printer.load_paper(60.0)
    assert printer.report().tickets[0].text == "ONE\nTWO"
    assert not printer.busy


def test_a_roll_ends_in_the_middle_of_a_receipt_after_its_near_end_was_reported() -> None:
    printer = Printer(settings=Settings(paper_mm=100, near_end_mm=50))
    printer.feed(b"\x1da\xff")
    printer.take_replies()
    printer.feed(b"LINE\n" * 40)
    sent = printer.take_replies()
    assert [from_asb(sent[at : at + 4]) & ~PrinterStatus.DRAWER_HIGH for at in range(0, len(sent), 4)] == [
        PrinterStatus.PAPER_NEAR_END,
        PrinterStatus.PAPER_NEAR_END | PrinterStatus.PAPER_END | PrinterStatus.OFFLINE,
    ]
    assert 20 < len(printer.report().open.ink) < 30
    printer.load_paper(9.0)
    assert len(printer.report().open.ink) == 40


@pytest.mark.parametrize("trouble", ["open_cover", "remove_paper", "jam", "press_feed"])
def test_status_is_answered_at_once_even_off_line(trouble: str) -> None:
    printer = Printer()
    printer.feed(b"\x10\x04\x01")
    assert printer.take_replies() == b"\x16"
    getattr(printer, trouble)(1.0)
    printer.feed(b"text that waits\n\x10\x04\x01", now=2.0)
    assert PrinterStatus.OFFLINE in from_dle_eot(1, printer.take_replies()[0])


def test_each_trouble_shows_in_its_own_reply() -> None:
    printer = Printer()
    printer.open_cover()
    printer.feed(b"\x10\x04\x02")
    assert PrinterStatus.COVER_OPEN in from_dle_eot(2, printer.take_replies()[0])
    printer.close_cover()
    printer.remove_paper()
    printer.feed(b"\x10\x04\x04")
    assert PrinterStatus.PAPER_END in from_dle_eot(4, printer.take_replies()[0])
    printer.load_paper()
    printer.jam()
    printer.feed(b"\x10\x04\x03")
    assert PrinterStatus.CUTTER_ERROR in from_dle_eot(3, printer.take_replies()[0])


def test_status_is_answered_in_the_middle_of_picture_data_at_any_chunking() -> None:
    picture = b"\x1dv0\x00\x08\x00\x20\x00" + b"\xaa" * 100 + b"\x10\x04\x01" + b"\xaa" * 153
    for size in (1, 2, 3, len(picture)):
        printer = Printer()
        for at in range(0, len(picture), size):
            printer.feed(picture[at : at + size])
        assert printer.take_replies() == b"\x16"
        assert [r.between for r in printer.report().real_time] == [False]
        assert [ink.kind for ink in printer.report().open.ink] == ["raster"]


def test_queries_in_the_stream_wait_for_what_is_printed_before_them() -> None:
    printer = Printer(PrinterProfile(gs_h=True), SLOW)
    printer.feed(b"A\n" * 4 + b"\x1dr\x01" + b"\x1d(H\x06\x0000abcd" + b"\x1dIB" + b"\x10\x04\x01", now=0.0)
    assert printer.take_replies() == b"\x16"  # real time overtakes
    printer.tick(3.5 * LINE_S)
    assert printer.take_replies() == b""
    printer.tick(4.5 * LINE_S)
    assert printer.take_replies() == b"\x00" + b"\x37\x22abcd\x00" + b"\x5fEPSON\x00"


def test_a_process_id_is_silent_on_a_model_without_it() -> None:
    printer = Printer()
    printer.feed(b"\x1d(H\x06\x0000abcd")
    assert printer.take_replies() == b""


def test_asb_is_sent_when_asked_for_and_on_change_until_esc_at_turns_it_off() -> None:
    printer = Printer()
    printer.feed(b"\x1da\x0f")
    assert printer.take_replies() == b"\x14\x00\x00\x0f"
    printer.open_drawer()
    assert printer.take_replies() == b"\x10\x00\x00\x0f"
    printer.open_drawer()
    assert printer.take_replies() == b""
    printer.feed(b"\x1b@")
    printer.open_cover()
    assert printer.take_replies() == b""


def test_a_clear_without_an_error_does_nothing_and_with_one_throws_away_what_waits() -> None:
    printer = Printer()
    printer.feed(b"A\nB\x10\x05\x02\n")
    assert (printer.report().open.text, printer.cleared_bytes) == ("A\nB", 0)
    printer.jam()
    printer.feed(b"LOST\n")
    printer.feed(b"\x10\x05\x02")
    assert not printer.busy
    assert printer.cleared_bytes == len(b"LOST\n\x10\x05\x02")
    printer.feed(b"NEW\n")
    assert printer.report().open.text == "A\nB\nNEW"


def test_recover_without_clear_goes_on_where_it_stopped() -> None:
    printer = Printer()
    printer.jam()
    printer.feed(b"KEPT\n")
    printer.feed(b"\x10\x05\x01")
    assert printer.report().open.text == "KEPT"


def test_the_other_clear_always_clears_and_says_so() -> None:
    printer = Printer(settings=SLOW)
    printer.feed(b"A\nB\nC\nD", now=0.0)
    printer.feed(b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", now=0.0)
    printer.tick(9.0)
    assert printer.take_replies() == b"\x37\x25\x00"
    assert printer.report().open.text == "A"


def test_drawer_kicks_are_noted_with_their_time_and_way() -> None:
    printer = Printer(settings=SLOW)
    printer.feed(b"A\n" * 4 + b"\x1bp\x01\x19\xfa", now=0.0)
    printer.feed(b"\x10\x14\x01\x00\x05", now=0.001)
    printer.tick(9.0)
    real, queued = printer.report().kicks
    assert (real.at_s, real.pin, real.real_time) == (0.001, 0, True)
    assert (queued.pin, queued.real_time) == (1, False)
    assert queued.at_s == pytest.approx(4 * LINE_S, rel=0.01)


def test_a_customer_tears_off_when_the_paper_has_stood_still() -> None:
    printer = Printer(PrinterProfile(cutter=False), Settings(tear_after_s=0.5))
    printer.feed(b"RECEIPT" + b"\n" * 6, now=1.0)
    printer.tick(1.4)
    assert printer.report().tears == 0
    printer.feed(b"SLIP" + b"\n" * 6, now=1.4)
    printer.tick(1.8)
    assert printer.wakes_at == pytest.approx(1.9)
    printer.tick(1.91)
    assert [ticket.text for ticket in printer.report().tickets] == ["RECEIPT\nSLIP"]


def test_a_slip_after_the_tear_comes_too_late_and_one_without_feed_is_torn_through() -> None:
    printer = Printer(PrinterProfile(cutter=False), Settings(tear_after_s=0.3))
    printer.feed(b"RECEIPT" + b"\n" * 6, now=0.0)
    printer.tick(0.31)
    printer.feed(b"\x1d!\x07SLIP\n", now=0.4)
    printer.tick(0.8)
    report = printer.report()
    assert [ticket.text for ticket in report.tickets] == ["RECEIPT", "SLIP"]
    assert [ink.text for ink in report.cuts_through] == ["SLIP"]


def test_a_preset_cut_falls_when_the_paper_gets_there() -> None:
    printer = Printer()
    printer.feed(b"ONE\n\x1dVa\x00TWO\n")
    assert printer.report().cuts == 0
    printer.feed(b"\n\n\n\n")
    assert [ticket.text for ticket in printer.report().tickets] == ["ONE"]
    assert printer.report().open.text == "TWO"


def test_the_code_page_at_power_on_is_the_profiles_until_the_till_chooses() -> None:
    pages = ((0, "cp437"), (16, "cp1252"))
    printer = Printer(PrinterProfile(code_page=16, code_pages=pages))
    printer.feed(b"5 \x80\n\x1bt\x00\x9b\n\x1b@\x80\n")
    assert printer.report().open.text == "5 €\n¢\n€"
    chinese = Printer(PrinterProfile(cjk="gb18030"))
    chinese.feed("合计：5.00\n".encode("gb18030") + b"\x1c.\x9b\n")
    assert chinese.report().open.text == "合计：5.00\n¢"


def test_a_long_line_wraps_and_the_rest_goes_below() -> None:
    printer = Printer()
    printer.feed(b"x" * 60 + b"\n")
    assert [len(ink.text) for ink in printer.report().open.ink] == [48, 12]


def test_off_and_on_loses_what_waited_and_every_mode_but_not_the_paper() -> None:
    printer = Printer()
    printer.feed(b"\x1bE\x01ONE\n")
    printer.remove_paper()
    printer.feed(b"GONE\n")
    printer.load_paper()
    printer.feed(b"HALF")
    printer.power_cycle()
    printer.feed(b"TWO\n")
    marks = printer.report().open.marks
    assert marks == [("text", "ONE", (("bold", 1),)), ("text", "GONE", (("bold", 1),)), ("text", "TWO", ())]
    assert printer.report().discarded == ("HALF",)


CHINESE = PrinterProfile(gs_h=True, cjk="gb18030")
PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"TOTAL 5.00\n", CUT, b"\x1b@", b"\x1bL", b"\x0c", b"\x1b=\x02", b"\x1b=\x01", b"\x10\x04\x01",
         b"\x10\x05\x02", b"\x1d(k\x03\x001Q0", b"\x1d(k\x05\x001P0ab", b"\x1dv0\x00\x02\x00\x02\x00abcd", b"\x1d:",
         b"\x1d^\x02\x00\x01", b"\t", "合计".encode("gb18030") * 9, b"\x1d(H\x06\x0000abcd", b"\x1da\xff",
         b"\x1dVa\x10", b"\x1dVg\x00", b"\x1be\x02", b"\x1bL 1 x A  5.00 \n\n B\x0c", b"\x1b*\x21\x02\x00abcdef"]
    ),
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=40), st.integers(1, 50))
def test_any_bytes_at_any_chunking_print_the_same_paper(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)
    whole, chunked = Printer(CHINESE), Printer(CHINESE)
    whole.feed(data)
    for at in range(0, len(data), size):
        chunked.feed(data[at : at + size])
    assert bytes(chunked.received) == data
    assert chunked.take_replies() == whole.take_replies()
    one, other = whole.report(), chunked.report()
    assert [t.marks for t in (*one.tickets, one.open)] == [t.marks for t in (*other.tickets, other.open)]
    assert (one.faults, one.kicks, one.display) == (other.faults, other.kicks, other.display)


@settings(max_examples=50)
@given(st.lists(PIECES, max_size=40))
def test_a_slow_printer_prints_what_an_instant_one_does(pieces: list[bytes]) -> None:
    data = b"".join(pieces).replace(b"\x10", b"")  # a clear in real time depends on the time
    instant, slow = Printer(), Printer(settings=SLOW)
    instant.feed(data)
    slow.feed(data, now=0.0)
    slow.tick(1e6)
    one, other = instant.report(), slow.report()
    assert other.lost_bytes == 0
    assert [t.marks for t in (*one.tickets, one.open)] == [t.marks for t in (*other.tickets, other.open)]
