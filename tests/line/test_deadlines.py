"""Nothing waits longer than it may, and nothing grows beyond its bound."""

from __future__ import annotations

from edgebox.line import stream as line_stream
from edgebox.line.frames import Answer, Ping, Pong, Result
from tests.line.judge import judge, judge_tee
from tests.line.wire import CUTTER, TEAR_OFF, Wire

HEAD = b"\x1b@SHOP\nTOTAL 5.00\n"
FEED = b"\n" * 6
CUT = b"\x1dV\x00"
RECEIPT = HEAD + FEED + CUT


def silent(**settings: object) -> Wire:
    return Wire(answer=lambda end: None, **settings)  # type: ignore[arg-type]


def test_a_cut_waits_for_the_answer_and_no_longer() -> None:
    wire = silent(answer_ms=80).till(RECEIPT).wait(0.079)
    assert bytes(wire.printed) == HEAD
    wire.wait(0.0011)
    assert bytes(wire.printed) == RECEIPT
    assert [(o.result, o.hold_us) for o in wire.outcomes] == [(Result.LATE, 80_000)]


def test_an_answer_that_comes_too_late_changes_nothing() -> None:
    wire = silent().till(RECEIPT).wait(1.0)
    wire.core.frame(Answer(wire.ends[0].document, b"", b"LATE\n"), wire.now)
    assert bytes(wire.wait(1.0).printed) == RECEIPT
    assert wire.core.counters["answers_too_late"] == 1


def test_held_feed_goes_out_after_its_time_and_the_slip_behind_it() -> None:
    wire = Wire().till(HEAD + FEED).wait(0.199)
    assert bytes(wire.printed) == HEAD
    wire.wait(0.002)
    assert bytes(wire.printed) == HEAD + FEED
    wire.till(CUT)
    assert wire.ends[0].insert_at == len(HEAD + FEED)
    judge(RECEIPT, wire)


def test_an_incomplete_command_behind_ink_goes_out_after_the_same_time() -> None:
    wire = Wire().till(HEAD + b"\x1d").wait(0.3)
    assert bytes(wire.printed) == HEAD + b"\x1d"
    wire.till(b"V\x00")
    assert bytes(wire.printed) == HEAD + b"\x1dV\x00"
    assert wire.ends[0].reason == "cut_in_part"


def test_three_misses_end_the_waiting_and_a_pong_begins_it_again() -> None:
    wire = silent()
    for _ in range(3):
        wire.till(RECEIPT).wait(0.2)
    assert wire.core.breaker.is_open
    wire.till(RECEIPT)
    assert bytes(wire.printed) == RECEIPT * 4
    wire.wait(1.0)
    pings = [frame for frame in wire.frames if isinstance(frame, Ping)]
    wire.core.frame(Pong(pings[0].nonce - 1, ""), wire.now)
    assert wire.core.breaker.is_open
    wire.core.frame(Pong(pings[-1].nonce, ""), wire.now)
    assert not wire.core.breaker.is_open
    wire.answer = lambda end: b"SLIP\n"
    wire.till(RECEIPT)
    assert wire.outcomes[-1].result == Result.INSERTED


def test_one_answer_in_time_forgives_two_misses() -> None:
    wire = Wire(answer=lambda end: b"" if end.document % 3 == 0 else None)
    for _ in range(9):
        wire.till(RECEIPT).wait(0.2)
    assert not wire.core.breaker.is_open


def test_no_more_is_held_than_it_may() -> None:
    wire = Wire(hold_bytes=64).till(HEAD + b"\n" * 64)
    assert bytes(wire.printed) == HEAD
    wire.till(b"\n")
    assert bytes(wire.printed) == HEAD + b"\n" * 65
    assert wire.core.counters["held_too_much"] == 1


def test_a_long_feed_behind_an_open_question_still_belongs_to_its_slip() -> None:
    wire = silent(hold_bytes=8).till(RECEIPT + HEAD + b"\n" * 40 + CUT)
    raw = RECEIPT + HEAD + b"\n" * 40 + CUT
    wire.answer = lambda end: b"SLIP\n"
    wire.wait(1.0)
    judge(raw, wire)
    assert wire.ends[1].insert_at == len(HEAD)


def test_a_till_is_read_no_further_than_the_window_while_the_printer_is_busy() -> None:
    wire = Wire(takes=lambda size: 0, window_bytes=256)
    taken = 0
    while wire.core.wants_till:
        wire.till(b"x" * 64)
        taken += 64
    assert taken == 256
    wire.till(b"\x10\x04\x01")  # what was read already is served at the first boundary
    wire.takes = lambda size: size
    wire.turn()
    assert bytes(wire.printed) in (b"\x10\x04\x01" + b"x" * 256, b"x" * 64 + b"\x10\x04\x01" + b"x" * 192)
    assert wire.core.wants_till


def test_what_waits_behind_a_question_is_bounded_too() -> None:
    wire = silent(window_bytes=256).till(RECEIPT)
    while wire.core.wants_till:
        wire.till(b"NEXT LINE\n")
    assert wire.core._behind_bytes < 512


def test_silence_does_not_end_a_document_that_the_printer_has_not_taken() -> None:
    for profile in (CUTTER, TEAR_OFF):
        wire = Wire(profile, takes=lambda size: 0).till(HEAD[:-5]).wait(60.0)
        assert wire.ends == []
        assert wire.core.next_deadline() is None
        wire.takes = lambda size: size
        wire.turn()
        wire.wait(0.1).till(HEAD[-5:] + FEED + CUT).wait(0.5)
        assert list(wire.documents().values()) == [HEAD + FEED + CUT]
        assert wire.outcomes[0].result == Result.INSERTED


def test_no_deadline_stays_in_the_past() -> None:
    """A deadline that `tick` does not clear would spin the loop."""
    for profile in (CUTTER, TEAR_OFF):
        for settings in ({}, {"idle_ms": 2000}, {"status_s": 1}, {"feed_hold_ms": 0}, {"answer_ms": 0}):
            for raw in (HEAD, HEAD + FEED, RECEIPT, HEAD + b"\x1d", HEAD + b"\x1d(k\x10\x00", b"TEXT", b"\x1b@"):
                wire = silent(**settings) if profile is CUTTER else Wire(profile, **settings)  # type: ignore[arg-type]
                wire.till(raw)
                for _ in range(60):
                    deadline = wire.core.next_deadline()
                    if deadline is None:
                        break
                    wire.now = max(wire.now, deadline)
                    wire.turn()
                    wire.turn()  # what became possible by the first one
                    later = wire.core.next_deadline()
                    assert later is None or later > wire.now, (profile.name, settings, raw)


def test_a_till_that_polls_for_days_fills_nothing_and_its_next_receipt_is_whole() -> None:
    wire = Wire(engine=False)
    for _ in range(4 * line_stream.BLANK_MAX // 3):
        wire.till(b"\x10\x04\x01")
        wire.now += 1.0
    assert wire.core.spool._bytes <= line_stream.BLANK_MAX + 3
    wire.till(RECEIPT).engine_returns()
    assert next(iter(wire.documents().values())).endswith(RECEIPT)
    assert wire.ends[0].cut_at >= 0
    told = wire.documents()[wire.ends[0].document]
    assert told[wire.ends[0].cut_at :] == CUT


def test_a_paused_receipt_is_one_document_for_the_engine() -> None:
    raw = HEAD + b"THANKS\n" + FEED + CUT
    wire = Wire()
    for at in range(0, len(raw), 3):
        wire.till(raw[at : at + 3]).wait(0.18)
    judge(raw, wire)
    judge_tee(raw, wire)
    assert len(wire.ends) == 1
