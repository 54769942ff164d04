"""From wanted to on the air, one step at a time, with a clock of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.advert_plan import ADVERTS_MAX, COUNT_S, EXISTS, FULL, NO_ANSWER, Advert, Plan, Step
from drivers.bluez_picture import Adapter, Missing, Picture, Place
from edgebox.beacons.heard import TagKey, TagKind

KEY = TagKey(TagKind.IBEACON, "fda50693-a4e2-4fb1-afcf-c6eb07647825", 10001, 1)
ONE, TWO = Advert(KEY, -59, 200), Advert(KEY._replace(minor=2), -59, 200)
HERE, ELSEWHERE = Place(1, ":1.5", "/org/bluez/hci0"), Place(1, ":1.9", "/org/bluez/hci0")
REFUSED = "org.bluez.Error.Failed"


def there(place: Place = HERE, active: int = 0) -> Picture:
    return Picture(None, Adapter(place.path, powered=True, advertises=True, active=active, free=5), place)


def plan(*adverts: Advert) -> Plan:
    """In place, with waits of 1, 2, 3 … s."""
    made = Plan(lambda attempt: attempt + 1.0)
    made.want(adverts)
    made.see(there(), 0.0)
    return made


def steps(made: Plan, now: float = 0.0, refusal: str = "", place: Place = HERE) -> list[tuple[Step, Advert]]:
    """All that it wants done now, each answered with `refusal`."""
    found = []
    while action := made.next(now):
        found.append((action.step, action.advert))
        made.done(action, refusal, "words of BlueZ", now, place)
    return found


def test_what_is_wanted_is_registered_once() -> None:
    made = plan(ONE, TWO)
    assert steps(made) == [(Step.REGISTER, ONE), (Step.REGISTER, TWO)]
    assert steps(made) == []
    assert [shown.registered for shown in made.shown()] == [True, True]
    assert made.due_s(0.0) is None


def test_what_is_not_wanted_any_more_goes_and_the_rest_stays() -> None:
    made = plan(ONE, TWO)
    steps(made)
    made.want([TWO])
    assert steps(made) == [(Step.UNREGISTER, ONE)]
    assert [shown.advert for shown in made.shown()] == [TWO]
    made.want([])
    assert steps(made) == [(Step.UNREGISTER, TWO)]
    assert made.paths() == frozenset()


def test_nothing_is_asked_while_nobody_is_there() -> None:
    made = Plan(lambda attempt: 1.0)
    made.want([ONE])
    made.see(Picture(Missing.NO_DAEMON), 0.0)
    assert made.next(0.0) is None
    assert made.due_s(0.0) is None
    assert "bluetoothd is not running" in made.shown()[0].words


def test_in_a_new_place_all_of_it_is_registered_again() -> None:
    made = plan(ONE)
    steps(made)
    made.see(there(ELSEWHERE), 1.0)
    assert not made.shown()[0].registered
    assert steps(made, 1.0, place=ELSEWHERE) == [(Step.REGISTER, ONE)]
    assert made.counters == {"registered": 2, "lost": 1}


def test_an_answer_of_a_place_that_is_gone_counts_for_nothing() -> None:
    made = plan(ONE)
    action = made.next(0.0)
    assert action is not None
    made.see(there(ELSEWHERE), 0.5)
    made.done(action, "", "", 0.6, HERE)
    assert not made.shown()[0].registered


def test_a_refusal_is_tried_without_the_interval_at_once_and_then_waits() -> None:
    made = plan(ONE)
    assert len(steps(made, 0.0, REFUSED)) == 2
    assert made.shown()[0] == (ONE, False, "words of BlueZ")
    assert made.due_s(0.5) == 0.5
    assert steps(made, 0.9) == []
    action = made.next(1.0)
    assert action is not None
    assert not action.with_interval
    made.done(action, "", "", 1.0, HERE)
    assert made.shown()[0] == (ONE, True, "at BlueZ's own interval")


def test_a_full_adapter_is_asked_again_with_the_interval() -> None:
    made = plan(ONE)
    assert len(steps(made, 0.0, FULL)) == 1
    assert "no more advertisements" in made.shown()[0].words
    action = made.next(5.0)
    assert action is not None
    assert action.with_interval


def test_waits_grow_with_each_refusal_and_begin_anew_behind_a_yes() -> None:
    made = plan(ONE)
    now = 0.0
    waits = []
    for _ in range(3):
        steps(made, now, FULL)
        waits.append(made.due_s(now))
        now += 100
    assert waits == [1.0, 2.0, 3.0]
    steps(made, now)
    made.released(next(iter(made.paths())), now)
    assert made.due_s(now) == 1.0


def test_one_that_is_in_the_way_is_taken_down_first() -> None:
    made = plan(ONE)
    action = made.next(0.0)
    assert action is not None
    made.done(action, EXISTS, "Already Exists", 0.0, HERE)
    assert steps(made, 5.0) == [(Step.UNREGISTER, ONE), (Step.REGISTER, ONE)]


@pytest.mark.parametrize("answer", ["", NO_ANSWER])
def test_one_that_nobody_wants_any_more_when_the_answer_comes_is_taken_down(answer: str) -> None:
    made = plan(ONE)
    action = made.next(0.0)
    assert action is not None
    made.want([])
    assert made.paths() == {action.path}, "BlueZ may yet read it"
    made.done(action, answer, "", 10.0, HERE)
    assert steps(made, 10.0) == [(Step.UNREGISTER, ONE)]
    assert made.paths() == frozenset()


def test_a_release_is_registered_again_and_one_of_something_else_is_not() -> None:
    made = plan(ONE)
    steps(made)
    made.released("/somebody/else", 1.0)
    assert steps(made, 9.0) == []
    made.released(next(iter(made.paths())), 9.0)
    assert "let go" in made.shown()[0].words
    assert steps(made, 9.0) == []
    assert steps(made, 10.0) == [(Step.REGISTER, ONE)]


def test_a_count_that_stays_low_means_that_ours_are_gone() -> None:
    made = plan(ONE)
    steps(made)
    made.see(there(active=0), 1.0)  # BlueZ's count lags behind its yes
    assert made.due_s(1.0) == COUNT_S
    made.see(there(active=1), 1.5)
    assert steps(made, 9.0) == []
    made.see(there(active=0), 10.0)
    assert steps(made, 10.0 + COUNT_S) == [(Step.UNREGISTER, ONE), (Step.REGISTER, ONE)]


def test_an_adapter_that_can_not_advertise_is_named() -> None:
    made = plan(ONE)
    made.see(Picture(None, Adapter("/org/bluez/hci0", powered=True), HERE), 0.0)
    assert made.next(0.0) is None
    assert made.shown()[0].words == "hci0 can't advertise"


@pytest.mark.parametrize(
    "wanted",
    [
        [ONE._replace(power_dbm=999)],
        [ONE._replace(key=KEY._replace(major=70_000))],
        [Advert(KEY._replace(minor=n), -59) for n in range(ADVERTS_MAX + 1)],
    ],
)
def test_what_can_not_be_sent_changes_nothing(wanted: list[Advert]) -> None:
    made = plan(TWO)
    steps(made)
    with pytest.raises(ValueError, match=r".+"):
        made.want(wanted)
    assert [shown.advert for shown in made.shown()] == [TWO]
    assert steps(made) == []


WANTED = st.lists(st.sampled_from([ONE, TWO, ONE._replace(interval_ms=0)]), max_size=3)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("want"), WANTED),
        st.tuples(st.just("see"), st.sampled_from([there(), there(active=2), there(ELSEWHERE), Picture()])),
        st.tuples(st.just("step"), st.tuples(st.sampled_from(["", FULL, EXISTS, REFUSED, NO_ANSWER]), WANTED)),
        st.tuples(st.just("release"), st.none()),
    ),
    max_size=40,
)


@given(EVENTS)
def test_whatever_happens_what_is_wanted_is_on_the_air_in_the_end(events: list[tuple[str, object]]) -> None:
    """And BlueZ, as this keeps count of it, holds nothing else."""
    made, now, place, held = plan(), 0.0, HERE, set[str]()
    for what, with_what in events:
        now += 1.0
        if what == "want":
            made.want(with_what)  # type: ignore[arg-type]
        elif what == "see":
            picture = with_what
            assert isinstance(picture, Picture)
            if picture.place != place:
                held.clear()
            place = picture.place or Place(0, "", "")
            made.see(picture, now)
        elif what == "release" and held:
            made.released(held.pop(), now)
        elif what == "step" and (action := made.next(now)):
            refusal, meanwhile = with_what  # type: ignore[misc]
            made.want(meanwhile)
            if action.step is Step.UNREGISTER:
                held.discard(action.path)
            elif refusal in ("", NO_ANSWER):  # who does not answer does it all the same, later
                held.add(action.path)
            made.done(action, refusal, "", now, place)
    if place != HERE:
        held.clear()
    made.see(there(active=ADVERTS_MAX), now)
    for _ in range(100):
        now += 10.0
        if action := made.next(now):
            (held.discard if action.step is Step.UNREGISTER else held.add)(action.path)
            made.done(action, "", "", now, HERE)
    assert all(shown.registered for shown in made.shown())
    assert held == made.paths()
    assert len(held) == len(made.shown())


def test_a_bluetoothd_that_has_just_come_is_given_a_moment() -> None:
    """It removes what the kernel advertises, and would remove ours (tests/vm/test_bluetooth.py)."""
    made = Plan(lambda attempt: 1.0, settle_s=1.0)
    made.want([ONE])
    made.see(there(), 0.0)
    assert made.next(0.9) is None
    assert made.due_s(0.9) == pytest.approx(0.1)
    assert made.next(1.0) is not None


def test_what_a_bluetoothd_that_has_just_come_removes_late_is_on_the_air_again() -> None:
    """Its list shows ours all the while: so all is registered once more, once (tests/vm/test_bluetooth.py)."""
    made = Plan(lambda attempt: 1.0, settle_s=1.0, sure_s=8.0)
    made.want([ONE])
    made.see(there(), 0.0)
    first = made.next(1.0)
    assert first is not None
    made.done(first, "", "", 1.0, there().place)
    assert made.next(8.9) is None
    assert made.due_s(8.9) == pytest.approx(0.1)
    steps = []
    while action := made.next(9.0):
        steps.append(action.step)
        made.done(action, "", "", 9.0, there().place)
    assert steps == [Step.UNREGISTER, Step.REGISTER]
    assert (made.next(99.0), made.due_s(99.0)) == (None, None)
    assert made.counters["lost"] == 0
