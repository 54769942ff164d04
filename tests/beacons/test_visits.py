"""What is written down of a visit, and what never is."""

from edgebox.beacons.presence import Moved, Step
from edgebox.beacons.tags import Role, Tag
from edgebox.beacons.visits import DAY_S, TAG_DAY_MAX, Budget, Moment, Visits
from edgebox.store.events import VisitRecord
from edgebox.store.visits import HOUR_S, Count, Slot
from tests.beacons.shop_floor import key

NOON = 1_795_003_200 - 1_795_003_200 % HOUR_S  # an hour's first second
STAFF = Tag("anna", key(1), Role.STAFF, cashier="07")
MEMBER = Tag("x", key(2), Role.MEMBER, member="ab" * 16)


def moved(step: Step, mono_s: float, began_s: float, number: int = 1, zone: str = "till") -> Moved:
    return Moved(key(number), zone, step, mono_s, began_s, 0.84)


def now(mono_s: float) -> Moment:
    return Moment(mono_s, NOON + mono_s)


def visit(visits: Visits, tag: Tag | None, begin: float, end: float, *, number: int = 1) -> list[VisitRecord]:
    found = [
        visits.moved(moved(Step.ENTERED, begin, begin, number), tag, now(begin + 3)),
        visits.moved(moved(Step.LEFT, end, begin, number), tag, now(end + 6)),
    ]
    return [record for record in found if record is not None]


def test_a_visit_begins_when_it_began_and_ends_when_it_ended() -> None:
    begun, ended = visit(Visits(100, 0.0), STAFF, 10.0, 70.4)
    assert begun == VisitRecord(at=NOON + 10, tag="anna", zone="till", role="staff")
    assert ended == VisitRecord(
        at=NOON + 10, until=NOON + 70, tag="anna", zone="till", role="staff", nearest_cm=84, why="left"
    )


def test_a_clock_that_is_set_in_the_middle_makes_no_visit_shorter_or_longer() -> None:
    visits = Visits(100, 0.0)
    visits.moved(moved(Step.ENTERED, 10.0, 10.0), STAFF, now(13.0))
    ended = visits.moved(moved(Step.LOST, 70.0, 10.0), STAFF, Moment(115.0, NOON - 900_000))
    assert ended is not None
    assert (ended.until - ended.at, ended.at, ended.why) == (60, NOON + 10, "lost")


def test_a_member_is_written_down_by_the_beginning_of_the_hash() -> None:
    begun, _ = visit(Visits(100, 0.0), MEMBER, 0.0, 9.0)
    assert (begun.tag, begun.role) == ("abababababababab", "member")


def test_who_is_not_listed_is_counted_and_nothing_else() -> None:
    visits = Visits(100, 0.0)
    assert visit(visits, None, 0.0, 60.0, number=5) + visit(visits, None, 100.0, 160.0, number=5) == []
    assert visits.take_counts() == {Slot(NOON, "till", "unlisted"): Count(2, 1, 120)}
    assert visits.take_counts() == {}


def test_the_hour_counts_visits_and_people_and_how_long_they_stayed() -> None:
    visits = Visits(100, 0.0)
    visit(visits, STAFF, 0.0, 60.0)
    visit(visits, STAFF, 600.0, 630.0)
    visit(visits, STAFF, 3700.0, 3710.0)
    counts = visits.take_counts()
    assert counts == {
        Slot(NOON, "till", "staff"): Count(2, 1, 90),
        Slot(NOON + HOUR_S, "till", "staff"): Count(1, 1, 10),
    }


def test_who_is_told_late_of_the_hour_before_makes_nobody_two_people() -> None:
    visits = Visits(100, 0.0)
    visit(visits, STAFF, HOUR_S + 1.0, HOUR_S + 30.0)
    visit(visits, MEMBER, HOUR_S - 2.0, HOUR_S + 40.0, number=2)
    visit(visits, STAFF, HOUR_S + 100.0, HOUR_S + 130.0)
    assert {slot: (count.visits, count.people) for slot, count in visits.take_counts().items()} == {
        Slot(NOON, "till", "member"): (1, 1),
        Slot(NOON + HOUR_S, "till", "staff"): (2, 1),
    }


def test_a_tag_for_one_zone_has_no_visits_elsewhere() -> None:
    visits = Visits(100, 0.0)
    shop_only = STAFF._replace(zone="shop")
    assert visit(visits, shop_only, 0.0, 9.0) == []
    assert visits.moved(moved(Step.ENTERED, 20.0, 20.0, zone="shop"), shop_only, now(23.0)) is not None


def test_an_end_without_a_begin_is_nothing() -> None:
    assert Visits(100, 0.0).moved(moved(Step.LEFT, 9.0, 0.0), STAFF, now(9.0)) is None


def test_a_day_has_no_more_rows_than_it_may_whatever_is_on_the_air() -> None:
    visits, rows = Visits(1000, 0.0), 0
    for step in range(int(DAY_S / 9)):
        rows += len(visit(visits, STAFF._replace(key=key(step % 50)), step * 9.0, step * 9.0 + 3, number=step % 50))
    assert 900 <= rows <= 1000
    assert visits.counters["not_recorded"] == int(DAY_S / 9) - rows // 2
    assert sum(count.visits for count in visits.take_counts().values()) == int(DAY_S / 9), "counted all the same"


def test_one_tag_that_comes_and_goes_all_day_takes_no_more_than_its_share() -> None:
    visits, rows = Visits(100_000, 0.0), 0
    for step in range(int(DAY_S / 9)):
        rows += len(visit(visits, STAFF, step * 9.0, step * 9.0 + 3))
    assert rows <= TAG_DAY_MAX
    assert len(visit(visits, MEMBER, DAY_S, DAY_S + 5, number=2)) == 2, "others have theirs"
    visits.forget([key(1)])
    assert len(visit(visits, STAFF, DAY_S, DAY_S + 5)) == 2


def test_a_visit_whose_begin_had_no_room_has_no_end_either() -> None:
    visits = Visits(0, 0.0)
    assert visit(visits, STAFF, 0.0, 9.0) == []
    assert visits.counters["not_recorded"] == 1


def test_a_budget_gives_no_more_than_a_day_in_any_day() -> None:
    budget, taken = Budget(100, 0.0), []
    for second in range(0, int(2 * DAY_S), 60):
        if budget.has(1, float(second)):
            budget.take(1)
            taken.append(second)
    assert max(len([at for at in taken if since <= at < since + DAY_S]) for since in taken) <= 100
