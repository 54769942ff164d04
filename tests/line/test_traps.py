"""Every byte example of the list of traps that concerns the wire, by name. The paper decides: hw_sim is the referee."""

from __future__ import annotations

import pytest

from edgebox.line.frames import Result
from tests.line.judge import judge
from tests.line.paper import boxed, ended, harm_of, printed
from tests.line.wire import BODY, CUTTER, TEAR_OFF, Wire

FEED = b"\n" * 6
CUT = b"\x1dV\x00"
HEAD = b"\x1b@SHOP\nTOTAL 5.00\n"


def inserted(wire: Wire) -> int:
    return sum(outcome.result == Result.INSERTED for outcome in wire.outcomes)


def by_bytes(raw: bytes, wire: Wire) -> Wire:
    return ended(wire.till(b"", [raw[i : i + 1] for i in range(len(raw))]))


def good(raw: bytes, slips: int = 1, **settings: object) -> Wire:
    """Whole and byte by byte: so many slips, and no harm."""
    for wire in (boxed(raw, **settings), by_bytes(raw, Wire(**settings))):  # type: ignore[arg-type]
        assert inserted(wire) == slips
        assert harm_of(raw, wire) == []
        judge(raw, wire)
    return wire


# -- where a naive insertion goes wrong


def test_the_line_feed_that_flushes_the_last_text_is_ink() -> None:
    raw = HEAD + b"THANKS\n\n\n\n\n" + CUT
    out = bytes(good(raw).printed)
    assert out.startswith(HEAD + b"THANKS\n" + b"\x1ba\x01*SLIP*")
    assert out.endswith(b"\n\n\n\n" + CUT)


def test_a_feed_shorter_than_the_way_to_the_cutter_is_topped_up() -> None:
    wire = boxed(HEAD + b"\n" + CUT)
    assert not [i for i in printed(bytes(wire.printed)).cuts_through if "SLIP" in i.text]
    assert inserted(wire) == 1


def test_a_cut_in_the_middle_of_a_line_stays_ignored() -> None:
    raw = HEAD + b"SUBTOTAL" + CUT + b"\nTOTAL 5.00\n" + FEED + CUT
    wire = good(raw)
    assert printed(bytes(wire.printed)).cuts == 1


def test_text_that_esc_at_throws_away_stays_thrown_away() -> None:
    good(HEAD + b"ABC\x1b@\n" + FEED + CUT)


@pytest.mark.parametrize("pause_s", [0.0, 0.5])
def test_text_for_the_customer_display_is_neither_ink_nor_place_for_a_slip(pause_s: float) -> None:
    raw = HEAD + b"\n" + b"\x1b=\x02THANKS\x1b@\x1b!\x30\x1b=\x01" + FEED + CUT
    at = raw.index(b"\x1b=\x01")
    for parts in ([raw], [raw[:at], raw[at:]], [raw[i : i + 1] for i in range(len(raw))]):
        wire = Wire()
        for part in parts:
            wire.till(part)
            if len(parts) == 2:
                wire.wait(pause_s)
        assert inserted(wire) == 1
        assert harm_of(raw, ended(wire)) == []
        assert b"SLIP" not in printed(bytes(wire.printed)).display


def test_a_drawer_command_for_the_display_does_not_become_a_kick() -> None:
    good(HEAD + b"\n\x1b=\x02\x1bp\x00\x19\xfa\x1b=\x01" + FEED + CUT)


def test_the_header_printed_before_the_cut_stays_with_the_next_customer() -> None:
    raw = HEAD + b"\nSHOP ADDR\n" + FEED + CUT
    for size in (1, 3, 100):
        wire = Wire(header_preprint=b"SHOP ADDR").till(b"", [raw[at : at + size] for at in range(0, len(raw), size)])
        assert inserted(wire) == 1
        judge(raw, wire)
        out = bytes(wire.printed)
        assert out.index(b"SLIP") < out.index(b"SHOP ADDR")


@pytest.mark.parametrize("clear", [b"\x10\x05\x02", b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", b"\x18"])
def test_what_is_held_goes_before_a_buffer_clear_and_the_slip_is_given_up(clear: bytes) -> None:
    raw = HEAD + FEED + clear + CUT
    wire = boxed(raw)
    assert bytes(wire.printed) == raw
    assert wire.ends[0].reason == "buffer_cleared"


def test_a_buffer_clear_while_the_engine_thinks_settles_the_question() -> None:
    wire = Wire(answer=lambda end: None).till(HEAD + FEED + CUT).till(b"\x10\x05\x02")
    assert bytes(wire.printed) == HEAD + FEED + CUT + b"\x10\x05\x02"
    assert [(o.result, o.reason) for o in wire.outcomes] == [(Result.PLAIN, "buffer_cleared")]


def test_a_buffer_clear_before_anything_is_printed_costs_no_slip() -> None:
    good(b"\x10\x05\x02\x18" + HEAD + FEED + CUT)


@pytest.mark.parametrize("bar", [b"\x1dB\x01        \n\x1dB\x00", b"\x1b-\x01        \n\x1b-\x00"])
def test_a_bar_of_blanks_is_ink(bar: bytes) -> None:
    out = bytes(good(HEAD + b"\n" + bar + FEED + CUT).printed)
    assert out.index(bar[:3]) < out.index(b"SLIP")


def test_a_cut_byte_by_byte_is_held_from_its_introducer_on() -> None:
    wire = Wire(answer=lambda end: None).till(HEAD)
    for byte in (b"\x1d", b"V", b"\x00"):
        wire.till(byte)
        assert bytes(wire.printed) == HEAD
    assert [end.ask for end in wire.ends] == [True]


def test_a_status_query_is_not_put_into_a_feed_that_is_not_complete() -> None:
    raw = HEAD + b"\x1bd\x10\x04\x01" + FEED + CUT  # ESC d 16, then text 04 01
    assert bytes(by_bytes(raw, Wire(answer=lambda end: b"")).printed) == raw
    wire = Wire().till(HEAD + b"\x1bd").till(b"\x05\x10\x04\x01")
    assert bytes(wire.printed) == HEAD + b"\x10\x04\x01"
    wire.till(CUT)
    assert harm_of(HEAD + b"\x1bd\x05\x10\x04\x01" + CUT, wire) == []


def test_the_tills_symbol_and_its_size_set_once_are_given_back() -> None:
    once = b"\x1d(k\x03\x001C\x08\x1d(k\x08\x001P0THEIR"
    raw = once + b"SHOP\nTOTAL\n" + FEED + CUT + b"SHOP\n\x1d(k\x03\x001Q0\n" + FEED + CUT
    wire = boxed(raw)
    assert inserted(wire) == 2
    assert harm_of(raw, wire) == []
    assert "qr:THEIR size 8" in printed(bytes(wire.printed)).tickets[1].text


def test_another_kind_of_symbol_stored_behind_the_qr_hides_it_not() -> None:
    once = b"\x1d(k\x08\x001P0THEIR\x1d(k\x08\x000P0PDF41"
    raw = once + b"SHOP\n" + FEED + CUT + b"SHOP\n\x1d(k\x03\x001Q0\n" + FEED + CUT
    assert harm_of(raw, boxed(raw)) == []


def test_a_symbol_too_long_to_keep_is_said_so_and_a_native_slip_refused() -> None:
    data = b"X" * 5000
    once = b"\x1d(k" + (len(data) + 3).to_bytes(2, "little") + b"1P0" + data
    wire = Wire(answer=lambda end: b"\x1d(k\x03\x001Q0\n").till(once + HEAD[2:] + FEED + CUT)
    assert not wire.ends[0].symbol_ok
    assert [o.result for o in wire.outcomes] == [Result.REFUSED]
    assert b"X" * 5000 in bytes(wire.printed)


def test_fifteen_cuts_in_one_job_on_a_dead_engine_cost_three_deadlines() -> None:
    job = (HEAD + FEED + CUT) * 15
    wire = Wire(answer=lambda end: None).till(job)
    began = wire.now
    while len(wire.printed) < len(job):
        wire.wait(0.001)
    assert wire.now - began < 3 * 0.150 + 0.01
    assert bytes(wire.printed) == job
    assert sum(o.result == Result.LATE for o in wire.outcomes) == 3


# -- bytes from the till


@pytest.mark.parametrize("cut", ["1d5600", "1d5601", "1d5630", "1d5631", "1d564100", "1d564203", "1b69", "1b6d"])
def test_every_cut_seen_in_real_streams_ends_a_document(cut: str) -> None:
    good(HEAD + FEED + bytes.fromhex(cut))


@pytest.mark.parametrize("cut", ["1d566100", "1d566200", "1d566700", "1d566810"])
def test_the_rarer_cuts_too(cut: str) -> None:
    raw = HEAD + FEED + bytes.fromhex(cut) + b"\n" * 8
    wire = boxed(raw)
    assert inserted(wire) == 1
    assert harm_of(raw, wire) == []


def test_a_cut_whose_argument_is_missing_swallows_what_follows_as_the_printer_does() -> None:
    good(HEAD + FEED + b"\x1dVA\x1b@" + b"NEXT\n" + FEED + CUT, slips=2)


@pytest.mark.parametrize("star", [b"\x1bw", b"\x1bd\x02"])
def test_nothing_is_put_into_a_stream_that_the_profile_calls_star(star: bytes) -> None:
    raw = HEAD + FEED + star
    wire = ended(Wire(CUTTER._replace(dialect="star", insert=False)).till(raw + CUT))
    assert bytes(wire.printed) == raw + CUT
    assert not any(end.ask for end in wire.ends)


@pytest.mark.parametrize(
    "behind", [b"\x1b@", b"\x10\x14\x01\x00\x05", b"\x1bp\x00\x32\xfa", b"\n\r", b"\x1dr1", b"\x12q\x00"]
)
def test_what_comes_behind_the_cut_comes_behind_it(behind: bytes) -> None:
    raw = HEAD + FEED + CUT + behind
    wire = boxed(raw)
    assert inserted(wire) == 1
    judge(raw, wire)
    if behind[:1] != b"\x10":  # real time may overtake the cut that waits
        assert bytes(wire.printed).endswith(CUT + behind)


def test_kitchen_ticket_and_receipt_in_one_job_are_two_documents() -> None:
    good((HEAD + FEED + CUT) * 2, slips=2)


@pytest.mark.parametrize(
    "picture",
    [
        b"\x1dv0\x00\x04\x00\x04\x00" + CUT * 5 + b"\x10",
        b"\x1b*\x00\x09\x00" + CUT * 3 + b"\n",
        b"\x1d(L\x10\x00\x30\x70\x30\x01\x01\x31\x08\x00\x01\x00" + CUT * 2 + b"\x1d(L\x02\x0002",
        b"\x1d*\x01\x01" + CUT * 2 + b"\x1b@",
        b"\x1dk\x49\x06" + CUT * 2,
        b"\x1bD\x1d\x56\x00",
    ],
)
def test_cut_like_bytes_in_pictures_and_parameters_are_no_cuts(picture: bytes) -> None:
    raw = HEAD + picture + b"THANKS\n" + FEED + CUT
    for wire in (boxed(raw), by_bytes(raw, Wire())):
        assert len(wire.ends) == 1
        judge(raw, wire)


def test_real_time_bytes_inside_a_picture_stay_where_they_are() -> None:
    picture = b"\x1dv0\x00\x04\x00\x02\x00" + b"U\x10\x04\x01U\x10\x04\x04"
    raw = HEAD + picture + FEED + CUT
    for wire in (boxed(raw), by_bytes(raw, Wire())):
        assert picture in bytes(wire.printed)


def test_a_query_behind_a_picture_that_was_passed_does_not_jump_into_it() -> None:
    picture = b"\x1dv0\x00\x10\x00\x10\x00" + b"U" * 256
    wire = Wire().till(HEAD + picture[:100]).till(picture[100:] + b"\x10\x04\x01")
    assert bytes(wire.printed) == HEAD + picture + b"\x10\x04\x01"


def test_a_query_behind_a_half_written_command_waits_for_its_end() -> None:
    room = iter([7, 0, 0, 1000, 1000, 1000, 1000, 1000])
    raw = b"\x1dv0\x00\x10\x00\x10\x00" + b"U" * 256 + b"AB\n"
    wire = Wire(takes=lambda size: min(size, next(room, 1000))).till(raw).till(b"\x10\x04\x01").wait(0.01)
    assert bytes(wire.printed)[: len(raw) - 3] == raw[:-3]
    judge(raw + b"\x10\x04\x01", wire)


@pytest.mark.parametrize(
    "mode",
    [
        b"\x1bL{}\x0c",
        b"\x1bL{}\x1b\x0c\x1bS",
        b"\x1bL{}\x1bS",
        b"\x1d:{}\x1d:",
        b"\x1d:A\n\x1d:{}\x1d^\x01\x00\x00",
    ],
)
def test_nothing_is_put_into_a_page_or_a_macro(mode: bytes) -> None:
    raw = HEAD + mode.replace(b"{}", b"INSIDE\n\n\n" + CUT + b"MORE\n") + b"\nTHANKS\n" + FEED + CUT
    for wire in (boxed(raw), by_bytes(raw, Wire())):
        assert harm_of(raw, wire) == []
        out = bytes(wire.printed)
        assert mode.partition(b"{}")[0] + b"INSIDE" in out
        assert b"MORE\n" + mode.partition(b"{}")[2] in out


@pytest.mark.parametrize("opcode", ["1b5b7d", "1d0e", "1dff", "1f08", "1df93530", "1d6f010203"])
def test_behind_an_unknown_opcode_everything_passes_until_esc_at_or_silence(opcode: str) -> None:
    raw = HEAD + bytes.fromhex(opcode) + b"AB" + FEED + CUT
    wire = boxed(raw)
    assert bytes(wire.printed) == raw
    assert not wire.ends[0].ask
    wire.till(HEAD + FEED + CUT)
    assert inserted(wire) == 1


def test_unknown_opcodes_before_the_receipt_cost_no_slip() -> None:
    wire = boxed(b"\x1f\x08" + HEAD + FEED + CUT)
    assert inserted(wire) == 1


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\r", b"\r"])
def test_every_line_end_is_understood(end: bytes) -> None:
    raw = b"\x1b@SHOP" + end + b"TOTAL 5.00" + end + b"\x1bd\x06" + CUT
    wire = boxed(raw)
    assert [e.cut_at for e in wire.ends] == [len(raw) - len(CUT)]
    judge(raw, wire)
    assert harm_of(raw, wire) == []


def test_a_till_that_ends_its_lines_with_cr_alone_still_makes_documents() -> None:
    raw = b"\x1b@SHOP\rTOTAL 5.00\r" + CUT
    wire = boxed(raw * 3)
    assert bytes(wire.printed) == raw * 3
    assert [end.why for end in wire.ends] == [1, 1, 1]
    assert list(wire.documents().values()) == [raw] * 3


def test_form_feed_in_standard_mode_is_no_end_and_no_harm() -> None:
    raw = HEAD + b"THANKS\x0c" + FEED + CUT
    for wire in (boxed(raw), by_bytes(raw, Wire())):
        judge(raw, wire)
        assert harm_of(raw, wire) == []


def test_a_till_that_waits_for_its_status_before_it_prints_gets_it_asked_at_once() -> None:
    wire = Wire().till(b"\x1b@\x1b=\x01\x10\x04\x01")
    assert bytes(wire.printed).endswith(b"\x10\x04\x01")
    assert wire.says(b"\x16") == b"\x16"


def test_a_drawer_kick_without_its_times_takes_the_next_bytes_as_the_printer_does() -> None:
    raw = b"\x1bp\x00" + HEAD + FEED + CUT
    wire = boxed(raw)
    judge(raw, wire)


def test_one_receipt_over_several_connections_is_one_document() -> None:
    raw = HEAD + b"THANKS\n" + FEED + CUT
    wire = Wire()
    for part in (raw[:8], raw[8:20], raw[20:]):
        wire.till(part).hangs_up().wait(0.2)
        wire.core.till_opened(wire.now)
    assert list(wire.documents().values()) == [raw]
    assert inserted(wire) == 1


def test_the_label_printer_feed_is_not_counted_as_paper() -> None:
    raw = HEAD + b"\x1c(L\x02\x00\x42\x31" + CUT
    wire = boxed(raw)
    assert not [i for i in printed(bytes(wire.printed)).cuts_through if "SLIP" in i.text]


def test_the_chinese_printers_character_mode_is_given_back() -> None:
    profile = CUTTER._replace(cjk="gb18030", cjk_on=True)
    for mode in (b"", b"\x1c&", b"\x1c."):
        raw = mode + "合计 5.00\n".encode("gb18030") + FEED + CUT + "下一单\n".encode("gb18030") + FEED + CUT
        wire = boxed(raw, profile)
        assert inserted(wire) == 2
        assert harm_of(raw, wire) == []


def test_font_c_cannot_be_given_back_so_nothing_is_put_in() -> None:
    wire = boxed(b"\x1bM\x02TOTAL\n" + FEED + CUT)
    assert wire.ends[0].reason == "modes_unknown"
    assert inserted(boxed(b"\x1bM\x02SHOP\n\x1bM\x00TOTAL\n" + FEED + CUT)) == 1


def test_a_body_that_is_not_taken_costs_only_the_slip() -> None:
    wire = ended(Wire(TEAR_OFF, answer=lambda end: BODY + b"\x1b@").till(HEAD))
    assert bytes(wire.printed) == HEAD
    assert wire.outcomes[0].result == Result.REFUSED
