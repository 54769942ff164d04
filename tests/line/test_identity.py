"""Who is the printer? Asked in a quiet moment, answered to whoever asked, and never in the till's way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.line.frames import Pong, WhoIs
from edgebox.line.identity import text_of
from tests.line.wire import CUTTER, Wire

QUESTION = b"\x1dI\x41\x1dI\x42\x1dI\x43"
STATUS = b"\x10\x04\x02\x10\x04\x04"
WELL = b"\x12\x12"
HEAD, CUT = b"SHOP\nTOTAL 12.00\n", b"\x1dV\x00"
SAID = b"\x5f1.02\0\x5fEPSON\0\x5fTM-T88V\0"


def asked(wire: Wire, nonce: int = 7) -> Wire:
    wire.core.frame(WhoIs(nonce, "line1"), wire.now)
    wire.turn()
    return wire


def told(wire: Wire) -> list[dict[str, str]]:
    """What the engine has heard: of each answer what the printer said."""
    found = []
    for frame in wire.frames:
        if isinstance(frame, Pong) and frame.nonce == 7:
            words = dict(line.split(" ", 1) for line in frame.text.splitlines())
            assert "spool_documents" in words, "and the counters"
            found.append({name: words[name] for name in ("firmware", "maker", "model", "asked") if name in words})
    return found


def asked_and_ready() -> Wire:
    wire = asked(Wire()).wait(0.1)
    assert bytes(wire.printed) == STATUS
    assert wire.says(WELL) == b""
    wire.wait(0.01)
    assert bytes(wire.printed) == STATUS + QUESTION
    return wire


def test_a_printer_that_is_ready_says_who_it_is_and_the_till_hears_nothing_of_it() -> None:
    wire = asked_and_ready()
    assert b"".join(wire.says(SAID[at : at + 3]) for at in range(0, len(SAID), 3)) == b""
    assert told(wire) == [{"firmware": "1.02", "maker": "EPSON", "model": "TM-T88V"}]
    wire.wait(10.0)
    assert bytes(wire.printed) == STATUS + QUESTION, "once"
    assert len(told(wire)) == 1


def test_a_receipt_goes_first_and_nobody_waits_for_ever() -> None:
    wire = asked(Wire().till(HEAD))
    for _ in range(12):
        wire.till(b"MORE 1.00\n").wait(0.5)
    assert b"\x1dI" not in bytes(wire.printed)
    assert told(wire) == [{"asked": "not_now"}]
    asked(wire.till(CUT)).wait(1.2)
    wire.says(WELL)
    wire.wait(0.01)
    assert bytes(wire.printed).endswith(STATUS + QUESTION), "behind it, when it is quiet"


def test_a_printer_without_paper_is_not_asked_as_its_answer_would_come_with_the_new_roll() -> None:
    wire = asked(Wire()).wait(0.1)
    wire.says(b"\x32\x72")
    wire.wait(5.0)
    assert b"\x1dI" not in bytes(wire.printed)
    assert told(wire) == [{"asked": "not_now"}]


def test_a_printer_that_says_nothing_is_not_asked_again_as_it_may_have_printed_the_question() -> None:
    wire = asked_and_ready()
    wire.wait(2.0)
    assert told(wire) == [{"asked": "silent"}]
    asked(wire).wait(5.0)
    assert bytes(wire.printed).count(b"\x1dI") == 3
    assert told(wire) == [{"asked": "silent"}] * 2
    wire.core.printer_lost(wire.now)
    wire.core.printer_connected()
    asked(wire).wait(1.5)
    assert bytes(wire.printed).count(b"\x1dI") == 6, "another printer may be there"


def test_a_printer_that_tells_some_of_it_has_told_that() -> None:
    wire = asked_and_ready()
    wire.says(b"\x5f1.02\0")
    wire.wait(2.0)
    assert told(wire) == [{"firmware": "1.02"}]


def test_a_profile_that_forbids_questions_is_obeyed_and_that_is_said() -> None:
    for profile in (CUTTER._replace(status=False), CUTTER._replace(dialect="star")):
        wire = asked(Wire(profile)).wait(3.0)
        assert bytes(wire.printed) == b""
        assert told(wire) == [{"asked": "not_allowed"}]


def test_while_the_till_waits_for_a_block_of_its_own_nothing_is_asked_and_it_gets_its_answer() -> None:
    wire = asked(Wire().till(b"\x1dI\x43")).wait(0.1)
    assert bytes(wire.printed) == b"\x1dI\x43"
    assert wire.says(b"\x5fTM-T88V\0") == b"\x5fTM-T88V\0"
    wire.wait(0.5)
    wire.says(WELL)
    wire.wait(0.01)
    assert bytes(wire.printed) == b"\x1dI\x43" + STATUS + QUESTION, "ours comes behind"


def test_the_tills_question_behind_ours_gets_the_answer_behind_ours() -> None:
    wire = asked_and_ready().till(b"\x1dI\x42")
    assert wire.says(SAID + b"\x5fACME\0") == b"\x5fACME\0"


def test_a_printer_that_is_set_to_xon_xoff_is_counted() -> None:
    wire = Wire()
    assert wire.says(b"\x13\x11\x13") == b"\x13\x11\x13"
    assert wire.core.counters["printer_xoffs"] == 2


def test_a_network_printer_is_dialled_for_it() -> None:
    wire = Wire(engine=True)
    assert not wire.core.wants_printer
    asked(wire)
    assert wire.core.wants_printer


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"\x5f\0", ""), (b"\x5fTM\x1b[2J\xff\0", "TM?[2J\ufffd"), (b"\x5f" + b"x" * 200 + b"\0", "x" * 80)],
)
def test_a_strangers_words_are_one_printable_line(raw: bytes, text: str) -> None:
    assert text_of(raw) == text


@given(st.binary(max_size=60))
def test_whatever_the_printer_says_the_answer_comes_in_time_and_can_be_read(data: bytes) -> None:
    wire = asked_and_ready()
    wire.says(data)
    wire.wait(2.0)
    assert len(told(wire)) == 1
