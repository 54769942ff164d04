"""A synthetic shop: people with tags who walk in, pass by and queue, with all the noise of a real room."""

from edgebox.beacons.heard import Heard
from edgebox.beacons.presence import Presence, Step
from hw_sim.walkers import POWER_DBM, Kind, Walkers
from tests.beacons.shop_floor import Figures, figures, key, told

SEEDS = range(400)  # fixed; the bench looks at others (python -m tests.bench presence)
LAG_P95_S = 6.0
FALSE = 0.01


def is_good(found: Figures) -> bool:
    return max(found.false_passers, found.false_queue) <= FALSE and found.flapped == 0 and found.missed <= FALSE


def test_customers_are_seen_in_time_and_nobody_else_is() -> None:
    found = figures(SEEDS)
    assert found.lag_p95_s <= LAG_P95_S
    assert is_good(found), found


def test_an_adapter_that_listens_ten_seconds_of_fifteen_sees_the_same_people_later() -> None:
    found = figures(SEEDS, gaps=True)
    assert found.lag_p95_s <= 2 * LAG_P95_S, "five deaf seconds, and a step that begins anew behind them"
    assert is_good(found), found


def test_somebody_whose_tag_falls_silent_for_half_a_minute_stays_where_they_are() -> None:
    for seed in range(20):
        walkers = Walkers(seed)
        staff = walkers.walker(Kind.STAFF)._replace(end_s=200.0, silent=((60.0, 95.0), (130.0, 165.0)), shade_db=0.0)
        steps = [one.moved.step for one in told(Presence(), list(walkers.adverts(staff))) if one.moved.zone == "till"]
        assert steps == [Step.ENTERED, Step.LOST]


def test_a_crowded_shop_flaps_no_more_than_an_empty_one() -> None:
    """Forty people at once: staff all hour, customers one after the other, passers, a queue."""
    walkers = Walkers(7)
    crowd = [walkers.walker(Kind.STAFF)._replace(end_s=600.0) for _ in range(2)]
    crowd += [walkers.walker(Kind.CUSTOMER, 20.0 + 45 * number) for number in range(12)]
    crowd += [walkers.walker(Kind.PASSER, 20.0 * number) for number in range(20)]
    crowd += [walkers.walker(Kind.QUEUE, 100.0 * number) for number in range(6)]
    presence = Presence()
    entries: dict[int, int] = {}
    for advert in walkers.together(crowd):
        for moved in presence.hear(Heard(key(advert.who), advert.rssi_dbm, POWER_DBM, advert.at_s)):
            if moved.step is Step.ENTERED and moved.zone == "till":
                entries[advert.who] = entries.get(advert.who, 0) + 1
    come = {one.who for one in crowd if one.kind in (Kind.CUSTOMER, Kind.STAFF)}
    assert come <= set(entries)
    assert len(set(entries) - come) <= 1, "one of 26 is more than one in a hundred, and luck"
    assert all(entries[one.who] == 1 for one in crowd if one.kind is Kind.CUSTOMER)
