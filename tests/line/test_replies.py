"""Printer to till: the till hears what it would hear on a bare wire, whatever we ask ourselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgebox.escpos.status import PrinterStatus
from edgebox.line.frames import Printed, Status
from tests.line.wire import CUTTER, Wire

HEAD = b"\x1b@SHOP\nTOTAL 5.00\n"
FEED = b"\n" * 6
CUT = b"\x1dV\x00"
PROOF = CUTTER._replace(gs_h=True)


def test_a_query_in_the_middle_of_a_held_end_is_served_at_once() -> None:
    wire = Wire().till(HEAD + FEED)
    assert bytes(wire.printed) == HEAD
    wire.till(b"\x10\x04\x01")
    assert bytes(wire.printed) == HEAD + b"\x10\x04\x01"
    assert wire.says(b"\x16") == b"\x16"
    wire.till(CUT)
    assert wire.ends[0].insert_at == len(HEAD)


def test_a_query_while_the_engine_thinks_is_served_at_once() -> None:
    wire = Wire(answer=lambda end: None).till(HEAD + FEED + CUT).till(b"\x10\x04\x04")
    assert bytes(wire.printed) == HEAD + b"\x10\x04\x04"


def test_drawer_kicks_do_not_wait_for_held_feed() -> None:
    for kick in (b"\x10\x14\x01\x00\x05", b"\x1bp\x00\x19\xfa"):
        wire = Wire().till(HEAD + FEED + kick)
        assert bytes(wire.printed) == HEAD + kick


def test_a_query_in_order_brings_the_feed_out_and_the_slip_goes_behind_it() -> None:
    wire = Wire().till(HEAD + FEED + b"\x1dr\x01")
    assert bytes(wire.printed) == HEAD + FEED + b"\x1dr\x01"
    wire.till(CUT)
    assert wire.ends[0].insert_at == len(HEAD + FEED + b"\x1dr\x01")


def quiet(**settings: object) -> Wire:
    """Our own status question has just gone out."""
    wire = Wire(status_s=10, **settings)  # type: ignore[arg-type]
    wire.turn()
    assert bytes(wire.printed) == b"\x10\x04\x02\x10\x04\x04"
    return wire


def test_the_answers_to_our_own_question_stay_here_and_become_status() -> None:
    wire = quiet()
    assert wire.says(b"\x32\x72") == b""
    told = [frame for frame in wire.frames if isinstance(frame, Status)]
    assert PrinterStatus(told[-1].bits) & PrinterStatus.PAPER_END


def test_the_tills_question_behind_ours_gets_its_own_answer() -> None:
    wire = quiet().till(b"\x10\x04\x01")
    assert wire.says(b"\x12\x12\x16") == b"\x16"


def test_the_tills_question_behind_ours_stays_behind_it_on_a_slow_printer() -> None:
    wire = Wire(takes=lambda size: 0, status_s=10)
    wire.turn()
    wire.till(b"\x10\x04\x01")
    wire.takes = lambda size: size
    wire.turn()
    assert bytes(wire.printed) == b"\x10\x04\x02\x10\x04\x04\x10\x04\x01"


def test_we_ask_nothing_while_the_till_waits_for_an_answer_of_that_class() -> None:
    wire = Wire(status_s=1).wait(0.5)
    asked = len(wire.printed)
    wire.till(b"\x10\x04\x01").wait(1.5)
    assert bytes(wire.printed[asked:]) == b"\x10\x04\x01"


def test_we_ask_nothing_inside_a_document_and_nothing_of_a_printer_that_never_answers() -> None:
    wire = Wire(status_s=1).till(HEAD)
    before = bytes(wire.printed)
    assert bytes(wire.wait(3.0).printed) == before
    mute = Wire(CUTTER._replace(status=False), status_s=1).wait(5.0)
    assert bytes(mute.printed) == b""


def test_a_silent_printer_costs_the_till_none_of_its_later_answers() -> None:
    wire = quiet().wait(3.0).till(b"\x10\x04\x01")
    assert wire.says(b"\x16") == b"\x16"


def test_xon_and_xoff_inside_a_reply_reach_the_till_at_once() -> None:
    wire = quiet()
    assert wire.says(b"\x10\x00\x13\x00") == b"\x13"
    assert wire.says(b"\x0f") == b"\x10\x00\x00\x0f"


def test_an_automatic_status_that_began_before_our_question_is_not_sent_twice() -> None:
    wire = Wire(status_s=10, profile=CUTTER)
    wire.core.printer_released()
    wire.core.printer_connected()
    replies = wire.core.replies
    assert replies.feed(b"\x10\x00", wire.now) == b"\x10\x00"
    replies.ask_status(wire.now)
    assert replies.feed(b"\x00", wire.now) == b""
    assert replies.feed(b"\x0f\x12", wire.now) == b"\x00\x0f"


def test_bytes_kept_for_an_answer_that_never_came_whole_go_to_the_till() -> None:
    wire = quiet()
    assert wire.says(b"\x10\x00") == b""
    assert wire.wait(0.09).late == b""
    assert wire.wait(0.02).late == b"\x10\x00"


def test_the_proof_of_a_slip_stays_here() -> None:
    wire = Wire(PROOF, proof_of_print=True).till(HEAD + FEED + CUT)
    at = bytes(wire.printed).index(b"\x1d(H\x06\x0000")
    mark = bytes(wire.printed)[at + 7 : at + 11]
    assert wire.core.wants_printer  # the link is kept for it
    assert wire.says(b"\x37\x22" + mark + b"\0") == b""
    assert wire.core.counters["slips_proven"] == 1
    wire.turn()
    assert Printed(wire.ends[0].document) in wire.frames  # the engine hears that the claim is on paper


def test_a_proof_that_never_comes_does_not_keep_the_link() -> None:
    wire = Wire(PROOF, proof_of_print=True).till(HEAD + FEED + CUT)
    wire.wait(10.0)
    assert not wire.core.wants_printer


def test_the_tills_own_process_id_is_its_own() -> None:
    wire = Wire(PROOF, proof_of_print=True).till(b"\x1d(H\x06\x0000ABCD" + HEAD + FEED + CUT)
    assert wire.says(b"\x37\x22ABCD\0") == b"\x37\x22ABCD\0"


@given(st.lists(st.binary(min_size=1, max_size=6), max_size=20))
def test_while_we_ask_nothing_every_byte_goes_to_the_till_at_once(pieces: list[bytes]) -> None:
    wire = Wire(engine=False)
    assert [wire.core.printer_bytes(piece, wire.now) for piece in pieces] == pieces


@given(st.binary(max_size=60), st.integers(1, 7))
def test_at_any_chunking_the_till_loses_two_answers_at_most_while_we_ask(raw: bytes, size: int) -> None:
    replies = Wire(engine=False).core.replies
    replies.ask_status(0.0)
    heard = b"".join(replies.feed(raw[at : at + size], 0.0) for at in range(0, len(raw), size)) + replies.give_up(1.0)
    ours = [byte for byte in raw if byte & 0x93 == 0x12]
    assert len(heard) in range(len(raw) - min(len(ours), 2), len(raw) + 1)
