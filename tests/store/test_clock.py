"""Which times are believed."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from edgebox.store.clock import JUMP_MS, Reading, SystemClock, Trust

NOON = 1_795_000_000_000
YEAR_MS = 365 * 86_400_000


def reading(at_ms: int, *, mono_ms: int = 60_000, synced: bool = False) -> Reading:
    return Reading("boot", mono_ms, at_ms, synced)


def test_a_box_without_a_clock_battery_is_not_believed_until_ntp_has_spoken() -> None:
    trust = Trust()
    assert not trust.judge(reading(0))
    assert not trust.judge(reading(NOON))
    assert trust.judge(reading(NOON, synced=True))


def test_a_clock_that_ntp_has_set_stays_right_when_the_network_goes() -> None:
    trust = Trust()
    assert trust.judge(reading(NOON, mono_ms=0, synced=True))
    assert trust.judge(reading(NOON + 3_600_000, mono_ms=3_600_000))


def test_a_clock_that_somebody_sets_is_no_longer_believed() -> None:
    for jump_ms in (YEAR_MS, -YEAR_MS, JUMP_MS + 1, -JUMP_MS - 1):
        trust = Trust()
        assert trust.judge(reading(NOON, synced=True))
        assert not trust.judge(reading(NOON + jump_ms)), jump_ms
        assert trust.judge(reading(NOON, synced=True)), "and believed again when NTP has put it right"


def test_a_time_before_one_that_was_right_is_wrong_whatever_ntp_says() -> None:
    trust = Trust(highest_ms=NOON)
    assert not trust.judge(reading(NOON - YEAR_MS, synced=True))
    assert trust.judge(reading(NOON - JUMP_MS, synced=True)), "but for a leap second"
    assert trust.highest_ms == NOON


def test_a_shop_whose_ntp_was_a_year_ahead_can_be_brought_back() -> None:
    trust = Trust()
    assert trust.judge(reading(NOON + YEAR_MS, synced=True))
    assert not trust.judge(reading(NOON, synced=True))
    trust.forget()
    assert trust.judge(reading(NOON, synced=True))


@given(st.lists(st.tuples(st.integers(0, 1 << 45), st.integers(0, 1 << 45), st.booleans())))
def test_the_highest_trusted_time_never_falls(looks: list[tuple[int, int, bool]]) -> None:
    trust, highest = Trust(), 0
    for at_ms, mono_ms, synced in looks:
        trusted = trust.judge(reading(at_ms, mono_ms=mono_ms, synced=synced))
        assert trust.highest_ms >= highest
        assert not trusted or at_ms >= highest - JUMP_MS
        highest = trust.highest_ms


def test_the_machines_clock_is_read() -> None:
    clock = SystemClock()
    before, after = clock.now(), clock.now()
    assert abs(before.at_ms - time.time() * 1000) < 60_000
    assert before.boot == after.boot != ""
    assert 0 < before.mono_ms <= after.mono_ms
