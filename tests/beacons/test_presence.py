"""Who is near and who has gone: what one tag's signals say, and what they must not."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.beacons.heard import Deaf, Heard
from edgebox.beacons.presence import (
    LOST_S,
    SAMPLES,
    SAMPLES_MAX,
    SHOP,
    TILL,
    TRACKS_MAX,
    WINDOW_S,
    Moved,
    Presence,
    Step,
    Zone,
    loss_at,
)
from tests.beacons.shop_floor import heard, key


def stays(presence: Presence, metres: float, since_s: float, for_s: float, every_s: float = 0.25) -> list[Moved]:
    """Stands at one distance for a while."""
    found: list[Moved] = []
    for step in range(int(for_s / every_s) + 1):
        now = since_s + step * every_s
        found += presence.look(now)
        found += presence.hear(heard(metres, now))
    return found


def steps(found: list[Moved]) -> list[Step]:
    return [one.step for one in found]


def till() -> Presence:
    return Presence((TILL,))


def at_the_till() -> Presence:
    presence = till()
    assert steps(stays(presence, 1.0, 0.0, 5.0)) == [Step.ENTERED]
    return presence


def test_who_stands_near_for_two_seconds_has_come_and_did_so_when_it_began() -> None:
    presence = till()
    assert stays(presence, 1.0, 100.0, 1.9) == []
    (moved,) = stays(presence, 1.0, 102.0, 1.0)
    assert (moved.step, moved.zone, moved.mono_s, moved.began_s) == (Step.ENTERED, "till", 100.0, 100.0)
    assert moved.nearest_m == pytest.approx(1.0, abs=0.1)


def test_two_samples_are_not_enough_however_long_they_hold() -> None:
    presence = till()
    assert presence.hear(heard(0.5, 100.0)) == []
    assert presence.hear(heard(0.5, 103.5)) == []
    assert steps(presence.hear(heard(0.5, 104.25))) == [], "the first is out of the window: two samples again"
    assert steps(presence.hear(heard(0.5, 104.5))) == [Step.ENTERED]


def test_between_the_two_distances_nothing_changes() -> None:
    presence = till()
    assert stays(presence, 3.0, 0.0, 60.0) == []
    presence = at_the_till()
    assert stays(presence, 3.0, 6.0, 60.0) == []


def test_who_is_far_for_six_seconds_has_gone_and_did_so_when_it_began() -> None:
    presence = at_the_till()
    assert stays(presence, 8.0, 6.0, 6.0) == []
    (moved,) = stays(presence, 8.0, 12.0, 6.0)
    assert (moved.step, moved.began_s) == (Step.LEFT, 0.0)
    assert 6.0 < moved.mono_s < 10.0


def test_who_comes_back_in_time_never_left() -> None:
    presence = at_the_till()
    assert stays(presence, 8.0, 6.0, 5.0) + stays(presence, 1.0, 11.0, 30.0) == []


def test_silence_of_45_seconds_is_a_loss_as_of_the_last_word() -> None:
    presence = at_the_till()
    assert presence.look(5.0 + LOST_S) == []
    (moved,) = presence.look(5.1 + LOST_S)
    assert (moved.step, moved.mono_s) == (Step.LOST, 5.0)
    assert len(presence) == 0


def test_a_tag_that_is_heard_again_after_a_loss_that_nobody_looked_at_has_left_and_begins_anew() -> None:
    presence = at_the_till()
    assert steps(stays(presence, 1.0, 200.0, 5.0)) == [Step.LOST, Step.ENTERED]


def test_a_radio_that_hears_nothing_loses_nobody() -> None:
    presence = at_the_till()
    presence.deaf(Deaf(5.0, None))
    assert presence.is_deaf
    assert presence.look(5000.0) == []
    presence.deaf(Deaf(5.0, 5000.0))
    assert presence.look(5000.0 + LOST_S - 1) == []
    assert steps(presence.look(5000.0 + LOST_S + 1)) == [Step.LOST]


def test_deafness_that_is_told_afterwards_counts_the_same() -> None:
    presence = at_the_till()
    assert presence.look(40.0) == []
    presence.deaf(Deaf(10.0, 40.0))
    assert presence.look(5.0 + LOST_S + 29.0) == [], "30 s of the silence were the radio's"
    assert steps(presence.look(5.0 + LOST_S + 31.0)) == [Step.LOST]


def test_no_step_goes_on_across_deafness() -> None:
    presence = till()
    stays(presence, 1.0, 0.0, 1.5)
    presence.deaf(Deaf(1.5, 3.0))
    assert stays(presence, 1.0, 3.0, 1.5) == [], "two seconds near, but not two that were heard"
    assert steps(stays(presence, 1.0, 4.75, 0.5)) == [Step.ENTERED]
    presence = at_the_till()
    stays(presence, 8.0, 6.0, 5.5)
    presence.deaf(Deaf(11.5, 14.0))
    assert stays(presence, 8.0, 14.0, 5.5) == []


def test_a_short_deafness_sets_nobody_free_of_the_next_silence() -> None:
    presence = at_the_till()
    for _ in range(5):
        presence.deaf(Deaf(6.0, 7.0))
    presence.deaf(Deaf(math.nan, 9.0))
    presence.deaf(Deaf(9.0, 8.0))
    assert steps(presence.look(5.0 + LOST_S + 6.0)) == [Step.LOST], "at most as long as the radio was deaf"


def test_each_zone_has_its_own_mind() -> None:
    presence = Presence((TILL, SHOP))
    found = stays(presence, 6.0, 0.0, 10.0) + stays(presence, 1.0, 10.0, 10.0) + stays(presence, 6.0, 20.0, 20.0)
    assert [(one.zone, one.step) for one in found] == [
        ("shop", Step.ENTERED), ("till", Step.ENTERED), ("till", Step.LEFT),
    ]  # fmt: skip
    assert list(presence.inside("shop")) == [key()]
    assert list(presence.inside("till")) == list(presence.inside("nowhere")) == []
    assert [(one.step, one.zone) for one in presence.drop(key())] == [(Step.DROPPED, "shop")]
    assert presence.drop(key()) == []


def test_a_zone_that_is_left_nearer_than_it_is_entered_is_none() -> None:
    for zone in (Zone("x", 2.0, 2.0), Zone("x", 3.0, 2.0), Zone("x", 0.0, 2.0)):
        with pytest.raises(ValueError, match="entered nearer"):
            Presence((zone,))


def test_calibration_moves_a_tag_that_says_the_wrong_power() -> None:
    presence = till()
    for step in range(20):
        presence.hear(heard(1.0, step * 0.25), offset_db=20.0)
    (seen,) = presence.seen()
    assert seen.distance_m == pytest.approx(10 ** (20 / 27), rel=0.05)
    assert seen.zones == ()


def test_reach_wants_two_seconds_and_a_fresh_word() -> None:
    presence = Presence((TILL,), reach_m=1.0)
    stays(presence, 0.8, 0.0, 1.5)
    assert presence.within_reach(1.5) == []
    stays(presence, 0.8, 1.75, 1.0)
    assert presence.within_reach(3.0) == [key()]
    assert presence.within_reach(9.0) == [], "that was six seconds ago"
    presence.deaf(Deaf(3.0, None))
    assert presence.within_reach(3.0) == []
    presence.deaf(Deaf(3.0, 4.0))
    assert presence.within_reach(4.0) == []
    stays(presence, 1.6, 5.0, 5.0)
    assert presence.within_reach(10.0) == []


def test_a_frame_that_makes_no_sense_is_dropped_and_counted() -> None:
    presence = till()
    for rssi, power in ((127, -59), (math.nan, -59), (-60, 10), (-60, -127), (math.inf, -59), (-60, math.nan)):
        assert presence.hear(Heard(key(), rssi, power, 1.0)) == []  # type: ignore[arg-type]
    presence.hear(Heard(key(), -60, -59, math.nan))
    assert presence.counters["nonsense"] == 7
    assert len(presence) == 0
    presence.hear(heard(1.0, 5.0))
    presence.hear(heard(1.0, 4.0))
    assert presence.counters["backwards"] == 1


def test_a_thousand_tags_take_the_room_of_as_many_as_there_is_room_for() -> None:
    presence = till()
    for number in range(TRACKS_MAX + 50):
        presence.hear(heard(1.0, 0.01 * number, number))
    assert len(presence) == TRACKS_MAX
    assert presence.counters["crowded"] == 50
    presence.hear(heard(1.0, 60.0, 5000))
    assert key(5000) in {one.key for one in presence.seen()}, "those not heard for a while make place"


def test_a_tag_that_floods_the_air_fills_no_more_than_its_window() -> None:
    presence = till()
    for step in range(20_000):
        presence.hear(heard(1.0, step * 0.001))
    (seen,) = presence.seen()
    assert seen.samples <= SAMPLES_MAX
    assert seen.zones == ("till",)


heards = st.tuples(
    st.integers(1, 3),
    st.one_of(st.integers(-130, 30), st.sampled_from([127, math.nan, math.inf, -math.inf])),
    st.one_of(st.integers(-100, -30), st.sampled_from([0, 20, -128])),
    st.one_of(st.floats(-60, 120), st.sampled_from([math.nan, math.inf, 0.0])),
)
actions = st.lists(
    st.one_of(heards, st.tuples(st.floats(0, 60), st.one_of(st.none(), st.floats(0, 60))), st.floats(0, 60)),
    max_size=150,
)


@given(actions)
def test_steps_alternate_whatever_is_heard_in_whatever_order(given_actions: list[object]) -> None:
    presence = Presence((TILL, SHOP))
    found: list[Moved] = []
    now = 1000.0
    for action in given_actions:
        match action:
            case (number, rssi, power, step):
                now = now + step if isinstance(step, float) and math.isfinite(step) else now
                found += presence.hear(Heard(key(number), rssi, power, now))
            case (back, length):
                presence.deaf(Deaf(now - back, None if length is None else now - back + length))
            case float(later):
                found += presence.look(now + later)
    assert len(presence) <= 3
    for zone in ("till", "shop"):
        for number in (1, 2, 3):
            mine = [one for one in found if one.key == key(number) and one.zone == zone]
            assert all((a.step is Step.ENTERED) != (b.step is Step.ENTERED) for a, b in pairwise(mine))
            assert not mine or mine[0].step is Step.ENTERED
            assert all(one.mono_s >= one.began_s and math.isfinite(one.nearest_m) for one in mine)


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.integers(-110, -30)), max_size=120))
def test_nobody_enters_without_three_samples_within_the_distance_and_two_seconds(air: list[tuple[float, int]]) -> None:
    presence = till()
    now = 0.0
    near: list[float] = []
    for step, rssi in air:
        now += step
        moved = presence.hear(Heard(key(), rssi, -59, now))
        if -59 - rssi <= loss_at(TILL.enter_m):
            near.append(now)
        for one in moved:
            if one.step is Step.ENTERED:
                assert len([at for at in near if now - at <= WINDOW_S]) >= SAMPLES
                assert now - one.mono_s >= 2.0
