"""Hours and dates at their edges: midnight, the end of a window, and the two nights when clocks are changed."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edgebox.loyalty.offers import Coupon, CouponKind, MallItem
from edgebox.loyalty.windows import ALWAYS, When, Window, till_agrees

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
FRI, SAT = 4, 5


def at(text: str, zone: ZoneInfo = SHANGHAI, fold: int = 0) -> When:
    return When(int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()))


def covers(window: Window, text: str) -> bool:
    return window.covers(at(text).local(SHANGHAI))


@pytest.mark.parametrize(
    ("time", "inside"), [("13:59:59", False), ("14:00:00", True), ("16:59:59", True), ("17:00:00", False)]
)
def test_the_end_is_outside(time: str, inside: bool) -> None:
    assert covers(Window(from_minute=14 * 60, to_minute=17 * 60), f"2026-10-05 {time}") is inside


def test_until_midnight_is_written_24_00() -> None:
    late = Window(days=frozenset({FRI}), from_minute=22 * 60, to_minute=24 * 60)
    assert covers(late, "2026-10-09 23:59:59")
    assert not covers(late, "2026-10-10 00:00:00")


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("2026-10-09 21:59:59", False),
        ("2026-10-09 22:00:00", True),
        ("2026-10-10 00:00:00", True),
        ("2026-10-10 01:59:59", True),
        ("2026-10-10 02:00:00", False),
        ("2026-10-10 22:00:00", False),  # Saturday evening
        ("2026-10-09 01:00:00", False),  # Friday's small hours belong to Thursday
    ],
)
def test_friday_night_ends_on_saturday(text: str, inside: bool) -> None:
    assert covers(Window(days=frozenset({FRI}), from_minute=22 * 60, to_minute=2 * 60), text) is inside


def test_the_last_night_of_a_campaign_ends_in_the_morning() -> None:
    window = Window(frozenset(), 22 * 60, 2 * 60, date(2026, 11, 1), date(2026, 11, 11))
    assert covers(window, "2026-11-12 01:59:59")
    assert not covers(window, "2026-11-01 01:59:59")


def test_dates_are_inside_from_midnight_to_midnight() -> None:
    window = Window(start=date(2026, 11, 1), end=date(2026, 11, 11))
    times = ("2026-10-31 23:59:59", "2026-11-01 00:00:00", "2026-11-11 23:59:59", "2026-11-12 00:00:00")
    assert [covers(window, text) for text in times] == [False, True, True, False]


def test_the_hour_that_comes_twice_is_inside_twice() -> None:
    """Berlin, 25 October 2026: 02:00 to 03:00 comes in summer time, then again in winter time."""
    window = Window(from_minute=2 * 60, to_minute=3 * 60)
    first = at("2026-10-25 02:00", BERLIN)
    inside = [window.covers(When(first.at + minutes * 60).local(BERLIN)) for minutes in range(-30, 150, 30)]
    assert inside == [False, True, True, True, True, False]


def test_the_hour_that_does_not_come_is_never_inside() -> None:
    """Berlin, 29 March 2026: after 01:59:59 comes 03:00:00."""
    before = at("2026-03-29 01:59:59", BERLIN).at
    missing = Window(from_minute=2 * 60, to_minute=3 * 60)
    across = Window(from_minute=90, to_minute=150)
    instants = [When(before + seconds).local(BERLIN) for seconds in range(-7200, 7200, 300)]
    assert not any(missing.covers(instant) for instant in instants)
    assert across.covers(When(before).local(BERLIN))
    assert not across.covers(When(before + 1).local(BERLIN))


def test_the_same_instant_is_another_time_in_another_shop() -> None:
    lunch = Window(from_minute=12 * 60, to_minute=13 * 60)
    instant = at("2026-10-05 12:30")
    assert lunch.covers(instant.local(SHANGHAI))
    assert not lunch.covers(instant.local(BERLIN))


def test_a_window_without_limits_needs_no_clock() -> None:
    assert ALWAYS.is_always
    assert Window() == ALWAYS
    assert not Window(days=frozenset({SAT})).is_always


@pytest.mark.parametrize(
    ("printed", "agrees"),
    [
        (("2026-10-05", "12:00:00"), True),
        (("2026-10-05", "12:10"), True),
        (("2026-10-05", "12:10:01"), False),
        (("2026-10-04", "12:00"), False),
        (("2026-10-05", ""), False),
        (("", ""), False),
    ],
)
def test_the_till_bears_the_clock_out_to_ten_minutes(printed: tuple[str, str], agrees: bool) -> None:
    assert till_agrees(at("2026-10-05 12:00"), SHANGHAI, *printed) is agrees


def test_the_till_bears_the_clock_out_in_the_hour_that_comes_twice() -> None:
    for fold in (0, 1):
        assert till_agrees(at("2026-10-25 02:30", BERLIN, fold), BERLIN, "2026-10-25", "02:31")


def test_the_price_in_points_follows_tier_and_hours() -> None:
    coffee = MallItem("C", {"base": 300, "gold": 260}, Window(from_minute=840, to_minute=1020), {"base": 240})
    inside, after = at("2026-10-05 16:59").local(SHANGHAI), at("2026-10-05 17:00").local(SHANGHAI)
    assert [coffee.price("base", when, True) for when in (inside, after)] == [240, 300]
    assert coffee.price("gold", inside, True) == 260
    assert coffee.price("base", inside, False) == 300
    assert coffee.price("diamond", inside, True) is None


def test_a_coupon_is_open_for_its_store_spend_and_days() -> None:
    coupon = Coupon("C20", CouponKind.AMOUNT_OFF, 2000, 16_800, Window(days=frozenset({SAT})), ("s1",))
    saturday = at("2026-10-10 12:00").local(SHANGHAI)
    assert coupon.is_open("s1", 16_800, saturday)
    assert not coupon.is_open("s1", 16_799, saturday)
    assert not coupon.is_open("s2", 16_800, saturday)
    assert not coupon.is_open("s1", 16_800, saturday + timedelta(days=1))
