"""The core with injected time: what is ours waits for the engine, everything else goes to the till, in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.breaker import MISSES
from edgebox.scan.classify import Rules
from edgebox.scan.core import BACKLOG_BYTES, TOLD_MAX, WAITING_MAX
from edgebox.scan.cutter import CODE_MAX
from edgebox.scan.frames import Arm, Armed, Ends, Hello, Outcome, Ping, Pong, Result, Verdict
from edgebox.scan.settings import SUFFIXES
from tests.scan.counter import COUPON, Counter

EAN, PAYMENT = "6901234567892", "281234567890123456"
CONTROLS = [bytes((code,)) for code in (*range(32), 127)]


def test_others_codes_go_to_the_till_as_they_came_and_ours_to_the_engine() -> None:
    counter = Counter().scans(f"{EAN}\r{COUPON}\r{PAYMENT}\r")
    assert counter.till == f"{EAN}\r{PAYMENT}\r".encode()
    assert [(scan.kind, scan.code) for scan in counter.scanned] == [("coupon", COUPON.encode())]
    assert counter.results == [Result.KEPT]
    assert counter.passed == [("product", 1), ("payment", 1)]


def test_what_cant_be_ours_goes_on_key_by_key() -> None:
    counter = Counter()
    for at, key in enumerate(EAN, 1):
        assert counter.scans(key).till == EAN[:at].encode()


def test_what_may_be_ours_waits_until_it_cant_be_or_ends() -> None:
    counter = Counter()
    assert counter.scans("CPN").till == b""
    assert counter.scans("X").till == b"CPNX"
    assert counter.scans("Y\r").till == b"CPNXY\r"
    assert counter.scans("CPN:1").till == b"CPNXY\r"
    assert counter.scanned == []
    assert counter.scans("2\r").scanned[0].code == b"CPN:12"


def test_a_code_of_ours_is_split_at_any_byte() -> None:
    whole = f"]Q1{COUPON}\r\n{EAN}\r\n".encode()
    for at in range(len(whole)):
        counter = Counter(suffix="crlf").scans(whole[:at], whole[at:])
        assert counter.till == f"{EAN}\r\n".encode()
        assert [(scan.symbology, scan.code) for scan in counter.scanned] == [("]Q1", COUPON.encode())]


def test_with_the_engine_away_everything_goes_to_the_till_at_once() -> None:
    counter = Counter(engine=False)
    for at, key in enumerate(COUPON, 1):
        assert counter.scans(key).till == COUPON[:at].encode()
    assert counter.scans("\rEDGEBOX+COUPON\r").till == f"{COUPON}\rEDGEBOX+COUPON\r".encode()


def test_a_code_that_the_engine_does_not_want_goes_to_the_till_whole() -> None:
    counter = Counter(wants=lambda scan: False).scans(f"]Q1{COUPON}\r")
    assert counter.till == f"]Q1{COUPON}\r".encode()
    assert counter.results == [Result.FORWARDED]


def test_an_engine_that_hangs_costs_one_deadline_and_then_nothing() -> None:
    counter = Counter(wants=lambda scan: None)
    counter.hears = False
    for number in range(MISSES):
        counter.scans(f"{COUPON}\r").wait(0.149)
        assert counter.till == f"{COUPON}\r".encode() * number
        counter.wait(0.002)
        assert counter.till == f"{COUPON}\r".encode() * (number + 1)
    assert counter.scans(f"{COUPON}\r").till.count(b"CPN") == MISSES + 1
    assert counter.results == [Result.LATE] * MISSES
    counter.hears = True
    counter.wants = lambda scan: True
    counter.wait(1.1)  # a ping is answered
    assert counter.scans(f"{COUPON}\r").till.count(b"CPN") == MISSES + 1
    assert counter.results[-1] == Result.KEPT


def test_an_answer_to_an_old_ping_proves_nothing() -> None:
    counter = Counter(wants=lambda scan: None)
    counter.hears = False
    for _ in range(MISSES):
        counter.scans(f"{COUPON}\r").wait(0.2)
    counter.wait(1.5)
    pings = [frame for frame in counter.frames if isinstance(frame, Ping)]
    assert len(pings) == 2
    counter.says(Pong(pings[0].nonce, ""))
    assert counter.core.breaker.is_open
    counter.says(Pong(pings[1].nonce, ""))
    assert not counter.core.breaker.is_open


def test_late_codes_can_be_refused_instead_and_it_is_said() -> None:
    counter = Counter(wants=lambda scan: None, late="refuse").scans(f"{COUPON}\r{EAN}\r").wait(0.2)
    assert counter.till == f"{EAN}\r".encode()
    assert counter.results == [Result.DROPPED]
    assert counter.lost == 1


def test_a_verdict_after_the_deadline_changes_nothing() -> None:
    counter = Counter(wants=lambda scan: None).scans(f"{COUPON}\r").wait(0.2)
    counter.says(Verdict(1, True))
    assert counter.till == f"{COUPON}\r".encode()
    assert counter.results == [Result.LATE]
    assert counter.core.counters["late_verdicts"] == 1


def test_codes_behind_a_question_wait_and_keep_their_order() -> None:
    counter = Counter(wants=lambda scan: None).scans(f"{COUPON}\r{EAN}\r{COUPON}\rABC\r", "part")
    assert counter.till == b""
    counter.says(Verdict(2, False))
    assert counter.till == b""
    counter.says(Verdict(1, False))
    assert counter.till == f"{COUPON}\r{EAN}\r{COUPON}\rABC\rpart".encode()


def test_an_engine_that_dies_lets_go_of_all_it_was_asked() -> None:
    counter = Counter(wants=lambda scan: None).scans(f"{COUPON}\r{EAN}\r{COUPON}\r")
    counter.core.engine_lost(counter.now)
    counter.turn()
    assert counter.till == f"{COUPON}\r{EAN}\r{COUPON}\r".encode()
    assert counter.core.is_idle


def test_a_scanner_that_empties_its_memory_waits_while_the_engine_does_not_answer() -> None:
    counter = Counter(wants=lambda scan: None)
    sent = 0
    while counter.core.wants_scanner:
        counter.scans(f"{COUPON}\r{EAN}\r")
        sent += 1
    assert sent <= WAITING_MAX
    counter.wait(0.2)
    assert counter.core.wants_scanner
    assert counter.till == f"{COUPON}\r{EAN}\r".encode() * sent


def test_a_hundred_codes_of_ours_at_once_are_all_asked_about() -> None:
    counter = Counter().scans(f"{COUPON}\r" * 100)
    assert len(counter.scanned) == 100
    assert counter.till == b""


# -- ends of codes


def test_silence_ends_a_code_without_suffix() -> None:
    counter = Counter(suffix="none").scans("CPN:", "1").wait(0.099)
    assert counter.scanned == []
    counter.wait(0.002)
    assert counter.scanned[0].code == b"CPN:1"
    counter.scans(EAN)
    assert counter.till == EAN.encode()


def test_slow_keys_are_one_code_as_long_as_no_gap_is_longer_than_the_silence() -> None:
    counter = Counter(suffix="none", silence_ms=60)
    for key in COUPON:
        counter.scans(key).wait(0.059)
    counter.wait(0.01)
    assert [scan.code for scan in counter.scanned] == [COUPON.encode()]


def test_a_code_that_breaks_off_is_forwarded_after_the_silence() -> None:
    assert Counter().scans("CPN").wait(0.2).till == b"CPN"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("wanted", ["same", *SUFFIXES])
def test_the_till_gets_the_suffix_that_is_set(suffix: str, wanted: str) -> None:
    counter = Counter(wants=lambda scan: False, suffix=suffix, till_suffix=wanted)
    raw = SUFFIXES[suffix]
    expected = raw if wanted == "same" else SUFFIXES[wanted]
    counter.scans(EAN.encode() + raw).wait(0.2).scans(COUPON.encode() + raw).wait(0.2)
    assert counter.till == EAN.encode() + expected + COUPON.encode() + expected


def test_the_aim_identifier_is_taken_off_if_it_is_set() -> None:
    for chunks in ([f"]E0{EAN}\r"], [*f"]E0{EAN}\r"]):
        assert Counter(strip_aim=True).scans(*chunks).till == f"{EAN}\r".encode()
        assert Counter(strip_aim=True, engine=False).scans(*chunks).till == f"{EAN}\r".encode()
        assert Counter().scans(*chunks).till == f"]E0{EAN}\r".encode()
    assert Counter(strip_aim=True).scans("]x\r").till == b"]x\r"


def test_more_than_any_code_is_passed_on_and_not_kept() -> None:
    counter = Counter()
    flood = b"CPN:" + b"x" * (5 * CODE_MAX)
    for at in range(0, len(flood), 1000):
        counter.scans(flood[at : at + 1000])
    counter.scans(b"\r", f"{COUPON}\r")
    assert counter.till == flood + b"\r"
    assert [scan.code for scan in counter.scanned] == [COUPON.encode()]


@given(st.lists(st.binary(max_size=30), max_size=8), st.data(), st.sampled_from(sorted(SUFFIXES)))
def test_a_plain_wire_is_byte_exact_in_any_chunking(codes: list[bytes], data: st.DataObject, suffix: str) -> None:
    raw = b"".join(code + SUFFIXES[suffix] for code in codes)
    counter = Counter(engine=data.draw(st.booleans()), wants=lambda scan: False, suffix=suffix)
    at = 0
    while at < len(raw):
        size = data.draw(st.integers(1, len(raw) - at))
        counter.scans(raw[at : at + size])
        if data.draw(st.booleans()):
            counter.wait(0.2)
        at += size
    counter.wait(0.5)
    assert counter.till == raw
    assert counter.faults == []


# -- a whole code at a time (HID POS)


def test_whole_codes_get_the_suffix_and_may_hold_it() -> None:
    counter = Counter().scans_whole(b"A\rB", "]C1").scans_whole(COUPON.encode(), "]Q1")
    assert counter.till == b"A\rB\r"
    assert [(scan.symbology, scan.code) for scan in counter.scanned] == [("]Q1", COUPON.encode())]


# -- a till that sees a keyboard


@pytest.mark.parametrize("control", CONTROLS)
def test_no_control_character_of_a_code_reaches_a_keyboard(control: bytes) -> None:
    keyboard = "hidkbd:///dev/hidg0?layout=us"
    counter = Counter(till=keyboard).scans_whole(b"A" + control + b"B")
    assert counter.till == b"AB\r"
    streamed = Counter(till=keyboard, suffix="tab" if control == b"\r" else "cr")
    streamed.scans(b"A" + control + b"B" + SUFFIXES["tab" if control == b"\r" else "cr"])
    assert bytes(streamed.till).strip() == b"AB"


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_character_of_a_code_reaches_a_cable(control: bytes) -> None:
    assert Counter().scans(b"A" + control + b"B\r").till == b"A" + control + b"B\r"


# -- armed modes


def test_a_mode_key_takes_the_next_code_and_no_other() -> None:
    counter = Counter().scans(f"EDGEBOX+COUPON\r{EAN}\r{EAN}\r")
    assert counter.till == f"{EAN}\r".encode()
    assert [(scan.kind, scan.code, scan.armed) for scan in counter.scanned] == [("coupon", EAN.encode(), True)]
    armed = [frame for frame in counter.frames if isinstance(frame, Armed)]
    assert armed == [Armed("coupon", 15000), Armed("", 0)]


def test_a_mode_ends_by_itself() -> None:
    counter = Counter().scans("EDGEBOX+MEMBER\r").wait(15.1).scans(f"{EAN}\r")
    assert counter.till == f"{EAN}\r".encode()
    assert counter.frames.count(Armed("", 0)) == 1


def test_a_payment_code_in_an_armed_mode_goes_to_the_till_and_the_mode_ends() -> None:
    counter = Counter().scans(f"EDGEBOX+COUPON\r{PAYMENT}\r{EAN}\r")
    assert counter.till == f"{PAYMENT}\r{EAN}\r".encode()
    assert counter.scanned == []


def test_the_page_arms_and_disarms_and_can_arm_no_nonsense() -> None:
    counter = Counter().says(Arm("pick_up", 1000)).says(Arm("", 0)).scans(f"{EAN}\r")
    assert counter.till == f"{EAN}\r".encode()
    counter.says(Arm("payment", 1000)).says(Arm("mode", 1000)).scans(f"{EAN}\r")
    assert counter.scanned == []
    counter.says(Arm("pick_up", -5)).says(Arm("pick_up", 1 << 60)).scans("0007\r")
    assert [(scan.kind, scan.code) for scan in counter.scanned] == [("pick_up", b"0007")]


def test_a_code_that_had_begun_does_not_use_up_the_mode() -> None:
    counter = Counter().scans(EAN[:5]).says(Arm("coupon", 0)).scans(f"{EAN[5:]}\r{EAN}\r")
    assert counter.till == f"{EAN}\r".encode()
    assert [scan.code for scan in counter.scanned] == [EAN.encode()]


def test_a_dead_engine_disarms() -> None:
    counter = Counter().scans("EDGEBOX+COUPON\r")
    counter.core.engine_lost(counter.now)
    assert counter.scans(f"{EAN}\r").till == f"{EAN}\r".encode()


def test_a_scanner_for_coupons_only_keeps_all_but_what_is_private() -> None:
    counter = Counter(always="coupon", till="none:").scans(f"{EAN}\r{PAYMENT}\r")
    assert [scan.code for scan in counter.scanned] == [EAN.encode()]
    assert counter.till == f"{PAYMENT}\r".encode()


# -- a till that is not there


def test_a_code_waits_for_its_till_a_moment_and_is_then_given_up_aloud() -> None:
    counter = Counter(takes=lambda size: 0).scans(f"{EAN}\r").wait(2.9)
    counter.scans("ABC\r").wait(0.2)
    assert counter.lost == 1
    counter.takes = lambda size: size
    counter.turn()
    assert counter.till == b"ABC\r"


def test_a_long_code_is_typed_to_its_end_however_slow_the_keyboard_is() -> None:
    """50 characters a second at full speed: nobody waits while the till takes them, nor do those behind."""
    counter = Counter(takes=lambda size: 0).scans(f"{'A' * 300}\r", f"{EAN}\r")
    for _ in range(400):
        keys = iter((1,))
        counter.takes = lambda size, keys=keys: next(keys, 0)
        counter.wait(0.02)
    assert counter.till == f"{'A' * 300}\r{EAN}\r".encode()
    assert counter.lost == 0


def test_a_code_given_up_while_it_still_comes_is_given_up_whole() -> None:
    counter = Counter(takes=lambda size: 0).scans(EAN[:6]).wait(0.05)
    counter.core.outbox.give_up_older(counter.now + 1)
    counter.takes = lambda size: size
    counter.scans(f"{EAN[6:]}\r", "ABC\r")
    assert counter.till == b"ABC\r"


def test_a_till_that_breaks_inside_a_code_gets_no_rest_of_it() -> None:
    takes = iter([6, 0])
    counter = Counter(takes=lambda size: next(takes, 0)).scans(f"{EAN}\rABC\r")
    assert counter.till == EAN[:6].encode()
    assert counter.core.till_broke() == 1
    counter.takes = lambda size: size
    counter.turn()
    assert counter.till == EAN[:6].encode() + b"ABC\r"
    assert counter.lost == 1


def test_a_till_that_breaks_inside_a_code_that_still_comes_gets_no_rest_of_it() -> None:
    counter = Counter().scans(EAN[:6])
    assert counter.core.till_broke() == 1
    assert counter.scans(f"{EAN[6:]}\rABC\r").till == EAN[:6].encode() + b"ABC\r"


def test_a_till_that_breaks_inside_the_first_character_gets_the_code_no_second_time() -> None:
    counter = Counter(takes=lambda size: 0).scans(f"{EAN}\rABC\r")
    counter.core.outbox.begin()
    assert counter.core.till_broke() == 1
    counter.takes = lambda size: size
    counter.turn()
    assert counter.till == b"ABC\r"


def test_a_till_that_breaks_between_codes_loses_nothing() -> None:
    counter = Counter().scans(f"{EAN}\r")
    assert counter.core.till_broke() == 0
    assert counter.scans("ABC\r").till == f"{EAN}\rABC\r".encode()


def test_a_till_that_takes_nothing_stops_the_scanner() -> None:
    counter = Counter(takes=lambda size: 0)
    while counter.core.wants_scanner:
        counter.scans(b"x" * 4000 + b"\r")
    assert counter.core.outbox.size < BACKLOG_BYTES + 4001


def test_a_scanner_that_breaks_off_spoils_the_code_under_way_and_no_other() -> None:
    counter = Counter().scans(f"{EAN}\rCPN:1")
    counter.core.spoiled(counter.now, "unplugged")
    assert counter.scans("2\r").till == f"{EAN}\r2\r".encode()
    assert counter.lost == 1


# -- telling, and bugs


def test_a_new_connection_hears_who_is_there_and_what_is_plugged_in() -> None:
    counter = Counter()
    counter.core.ends(True, False, "till unplugged")
    counter.core.engine_connected()
    counter.turn()
    assert counter.frames[-2:] == [Hello(b"session1", "scanner1"), Ends(True, False, "till unplugged")]


def test_a_ping_is_answered_with_the_counters() -> None:
    counter = Counter().scans(f"{PAYMENT}\r{COUPON}\r").says(Ping(5))
    pong = counter.frames[-1]
    assert isinstance(pong, Pong)
    assert pong.text == "asked 1\nkept 1\npassed_payment 1\n"


def test_news_for_an_engine_that_does_not_read_are_bounded() -> None:
    counter = Counter()
    for number in range(TOLD_MAX):
        counter.core.heard(f"{EAN}\r{number}x\r".encode(), counter.now)
    assert len(counter.core._frames) == TOLD_MAX
    assert counter.core.counters["untold"] > 0
    assert len(counter.scans(f"{COUPON}\r").scanned) == 1  # a question is no news


def test_a_frame_that_is_not_for_a_scanner_is_counted() -> None:
    assert Counter().says(Outcome(1, 1)).core.counters["strange_frames"] == 1


@pytest.mark.parametrize("broken", ["_complete", "_pass_early", "_ask", "_release", "_read", "_may_become"])
def test_a_bug_of_ours_lets_every_code_through_and_is_said_without_it(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(wants=lambda scan: None)

    def fails(*args: object, **named: object) -> None:
        raise ValueError(f"{COUPON} {PAYMENT}")

    if broken in ("_read", "_may_become"):
        monkeypatch.setattr(Rules, broken.replace("_read", "read").lstrip("_"), fails)
    else:
        monkeypatch.setattr(counter.core, broken, fails)
    counter.scans("ABC", f"\r{COUPON}\r{PAYMENT}\r{EAN}", "\r").wait(1)
    assert counter.till == f"ABC\r{COUPON}\r{PAYMENT}\r{EAN}\r".encode()
    assert counter.core.counters["faults"] > 0
    assert all("ValueError at " in fault for fault in counter.faults)
    assert not any(secret in fault for fault in counter.faults for secret in (COUPON, PAYMENT))


def test_nothing_shows_a_code_in_its_repr() -> None:
    counter = Counter(wants=lambda scan: None, takes=lambda size: 0).scans(f"{PAYMENT}\r{COUPON}\r{PAYMENT}\r{PAYMENT}")
    core = counter.core
    shown = repr([core.outbox, core._queue, core._cutter, core._cuts, core._cutter.end(), counter.scanned])
    assert PAYMENT not in shown
    assert COUPON not in shown
