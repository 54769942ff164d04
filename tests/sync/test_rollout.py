"""A rollout in waves: goes on when all is well, stops when it is not, and can be taken up again anywhere."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.contract import BundleState, Reported, State
from sync.fleet_book import Known
from sync.rollout import (
    SETTLE_S,
    At,
    Phase,
    Plan,
    Publish,
    Rollout,
    Saved,
    Seen,
    StopRule,
    begin,
    cut,
)

NOW = 1_795_000_000
NAMES = [f"s/b{n}" for n in range(7)]
GOOD, UNSURE, LATE = Seen(False, False), Seen(True, False), Seen(False, True)


class Fleet:
    """Seven boxes with rules 4 in force, and a rollout of rules 5 to them."""

    def __init__(self, **plan: object) -> None:
        fields = {"waves": cut(NAMES, [1, 2, 4]), "lead_s": 60, "watch_s": 600, "patience_s": 1200, **plan}
        self.rollout = Rollout(begin(Plan(id="rules-5", tenant="t", kind="rules", revision=5, **fields)))  # type: ignore[arg-type]
        self.now = NOW
        self.known = {name: self._new(name) for name in NAMES}

    def _new(self, name: str) -> Known:
        state = State(box=name[2:], at=NOW, expires_s=180, bundles={"rules": 4})
        return Known(store="s", box=name[2:], state=state, heard=NOW)

    def after(self, seconds: int) -> Publish | None:
        """Time passes; who is not away says that it is there."""
        self.now += seconds
        for name, known in self.known.items():
            if not known.gone:
                self.known[name] = msgspec.structs.replace(known, heard=self.now)
        return self.rollout.next(self.now, self.known.get)

    def says(self, name: str, state: str, revision: int = 5, **fields: object) -> None:
        bundle = BundleState(revision=revision, desired=revision, state=state, **fields)  # type: ignore[arg-type]
        reported = Reported(box=name[2:], at=self.now, bundles={"rules": bundle})
        self.known[name] = msgspec.structs.replace(self.known[name], reported=reported)
        self.rollout.heard(name, self.known[name])

    def all_say(self, names: Iterable[str], state: str) -> None:
        for name in names:
            self.says(name, state)

    def troubled(self, name: str, part: str, words: str) -> None:
        known = self.known[name]
        assert known.state is not None
        state = msgspec.structs.replace(known.state, health={part: words})
        self.known[name] = msgspec.structs.replace(known, state=state)

    def sold(self, name: str, *seen: Seen) -> None:
        for one in seen:
            self.rollout.receipt(name, one, self.now)

    def wave_in_force(self) -> tuple[str, ...]:
        """The next wave gets it, is ready, and has it in force."""
        step = self.after(0)
        assert step is not None
        self.all_say(step.boxes, "staged")
        self.after(60)
        self.all_say(step.boxes, "in_force")
        return step.boxes

    @property
    def saved(self) -> Saved:
        return self.rollout.saved


def test_waves_grow_and_the_last_size_repeats() -> None:
    assert [len(wave) for wave in cut([str(n) for n in range(250)], [1, 10, 100])] == [1, 10, 100, 100, 39]
    assert cut([], [1]) == ()
    for sizes in ([], [0], [1, -1]):
        with pytest.raises(ValueError, match="1 and more"):
            cut(["a"], sizes)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 60))
def test_each_box_is_in_one_wave(sizes: list[int], count: int) -> None:
    names = [str(n) for n in range(count)]
    assert [name for wave in cut(names, sizes) for name in wave] == names


def test_each_wave_waits_for_the_one_before_it_to_be_watched() -> None:
    fleet = Fleet(receipts_min=0)
    step = fleet.after(0)
    assert step == Publish(("s/b0",), NOW + 60)
    fleet.says("s/b0", "staged")
    assert fleet.saved.boxes["s/b0"].at is At.READY
    assert fleet.after(59) is None
    assert fleet.saved.phase is Phase.STAGING
    fleet.after(1)
    fleet.says("s/b0", "in_force")
    assert fleet.after(599) is None
    assert fleet.saved.phase is Phase.WATCHING
    fleet.after(1)
    assert fleet.after(0) == Publish(("s/b1", "s/b2"), fleet.now + 60)


def test_when_all_waves_are_well_it_is_done() -> None:
    fleet = Fleet(receipts_min=0)
    for wave in (1, 2, 4):
        assert len(fleet.wave_in_force()) == wave
        fleet.after(600)
    assert fleet.saved.phase is Phase.DONE
    assert fleet.rollout.those(At.RUNNING) == NAMES


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        (
            "rejected",
            {"reason": "bad_content", "rejected": {"tier": "missing"}},
            "rejected: bad_content: tier: missing",
        ),
        ("rolled_back", {"reason": "health"}, "rolled back: health"),
    ],
)
def test_a_box_that_will_not_have_it_stops_the_rollout(state: str, fields: dict[str, object], words: str) -> None:
    fleet = Fleet(stop_on=(), receipts_min=0)
    fleet.wave_in_force()
    fleet.after(600)
    fleet.wave_in_force()
    fleet.says("s/b2", state, **fields)
    assert fleet.after(1) is None
    assert (fleet.saved.phase, fleet.saved.why) == (Phase.STOPPED, (f"s/b2: {words}",))
    assert fleet.rollout.those(At.RUNNING) == ["s/b0", "s/b1"]
    assert fleet.rollout.those(At.WAITING) == NAMES[3:]


def test_a_box_that_is_not_ready_or_not_in_force_in_time_has_failed() -> None:
    fleet = Fleet(failures_max=1, receipts_min=0)
    fleet.after(0)
    fleet.after(60)
    assert fleet.saved.boxes["s/b0"].why == "was not ready in time"
    fleet.after(600)
    step = fleet.after(0)
    assert step is not None
    fleet.all_say(step.boxes, "staged")
    fleet.after(60)
    fleet.says("s/b1", "in_force")
    fleet.after(SETTLE_S)
    assert fleet.saved.phase is Phase.WATCHING
    fleet.after(1)
    assert fleet.saved.boxes["s/b2"].why == "is not in force in time"
    assert fleet.saved.phase is Phase.STOPPED


def test_a_wave_does_not_end_while_a_box_has_not_said_what_became_of_it() -> None:
    fleet = Fleet(watch_s=0, patience_s=0, receipts_min=0)
    fleet.after(0)
    fleet.says("s/b0", "staged")
    fleet.after(60)
    assert fleet.saved.phase is Phase.WATCHING
    fleet.says("s/b0", "in_force")
    fleet.after(0)
    assert fleet.saved.phase is Phase.PLANNED


def test_a_sign_of_life_will_do_where_the_report_was_not_heard() -> None:
    fleet = Fleet()
    fleet.after(0)
    known = fleet.known["s/b0"]
    assert known.state is not None
    state = msgspec.structs.replace(known.state, at=fleet.now + 1, bundles={"rules": 5})
    fleet.rollout.heard("s/b0", msgspec.structs.replace(known, state=state))
    assert fleet.saved.boxes["s/b0"].at is At.RUNNING


def test_words_about_another_revision_say_nothing() -> None:
    fleet = Fleet()
    fleet.after(0)
    fleet.says("s/b0", "rolled_back", revision=4)
    fleet.says("s/b0", "in_force", revision=4)
    assert fleet.saved.boxes["s/b0"].at is At.SENT


def test_a_new_trouble_stops_it_and_an_old_one_does_not() -> None:
    fleet = Fleet(receipts_min=0)
    fleet.troubled("s/b0", "disk", "97 % full")
    fleet.wave_in_force()
    fleet.after(1)
    assert fleet.saved.phase is Phase.WATCHING
    fleet.troubled("s/b0", "printer", "no paper")
    fleet.after(1)
    assert fleet.saved.why == ("s/b0: printer: no paper",)


def test_a_box_that_goes_offline_with_it_stops_it_only_if_health_is_asked_for() -> None:
    for rules, phase in (((StopRule.HEALTH,), Phase.STOPPED), ((), Phase.WATCHING)):
        fleet = Fleet(stop_on=rules, receipts_min=0)
        fleet.wave_in_force()
        fleet.known["s/b0"] = msgspec.structs.replace(fleet.known["s/b0"], gone=fleet.now)
        fleet.after(300)
        assert fleet.saved.phase is phase


def test_boxes_that_are_away_are_left_out_and_named() -> None:
    fleet = Fleet(receipts_min=0)
    fleet.known["s/b1"] = msgspec.structs.replace(fleet.known["s/b1"], gone=NOW)
    fleet.wave_in_force()
    fleet.after(600)
    step = fleet.after(0)
    assert step is not None
    assert step.boxes == ("s/b2",)
    assert fleet.rollout.those(At.AWAY) == ["s/b1"]


def test_a_wave_of_which_nobody_is_there_stops_it() -> None:
    fleet = Fleet()
    fleet.known["s/b0"] = msgspec.structs.replace(fleet.known["s/b0"], gone=NOW)
    assert fleet.after(0) is None
    assert fleet.saved.why == ("nobody of wave 1 is online",)


# -- abstain, miss


@pytest.mark.parametrize(
    ("seen", "words"),
    [(UNSURE, "not sure of 60 % of receipts, before 10 %"), (LATE, "no slip in time on 60 % of receipts, before 10 %")],
)
def test_more_doubt_or_more_missed_slips_than_before_stop_it(seen: Seen, words: str) -> None:
    fleet = Fleet()
    fleet.sold("s/b0", *[GOOD] * 18, *[seen] * 2)
    fleet.wave_in_force()
    fleet.sold("s/b0", *[GOOD] * 8, *[seen] * 12)
    fleet.after(599)
    assert fleet.saved.phase is Phase.WATCHING
    fleet.after(1)
    assert (fleet.saved.phase, fleet.saved.why) == (Phase.STOPPED, (words,))


def test_what_was_bad_before_is_no_fault_of_the_new_revision() -> None:
    fleet = Fleet()
    fleet.sold("s/b0", *[UNSURE] * 12, *[GOOD] * 8)
    fleet.wave_in_force()
    fleet.sold("s/b0", *[UNSURE] * 12, *[GOOD] * 8)
    fleet.sold("s/b1", *[UNSURE] * 10)  # of the next wave, at the same time
    fleet.after(600)
    assert fleet.saved.phase is Phase.PLANNED
    assert (fleet.saved.with_it.receipts, fleet.saved.without.receipts) == (20, 30)


@pytest.mark.parametrize(("bad", "phase"), [(2, Phase.PLANNED), (3, Phase.STOPPED)])
def test_the_limit_is_exact(bad: int, phase: Phase) -> None:
    fleet = Fleet(more_pct=10)
    fleet.sold("s/b1", *[GOOD] * 20)
    fleet.wave_in_force()
    fleet.sold("s/b0", *[UNSURE] * bad, *[GOOD] * (20 - bad))
    fleet.after(600)
    assert fleet.saved.phase is phase


def test_with_too_few_receipts_it_watches_longer_and_then_asks_a_person() -> None:
    fleet = Fleet()
    fleet.wave_in_force()
    fleet.sold("s/b0", *[GOOD] * 19)
    fleet.after(600)
    assert fleet.saved.phase is Phase.WATCHING
    fleet.after(599)
    assert fleet.saved.phase is Phase.WATCHING
    fleet.after(1)
    assert fleet.saved.why == ("only 19 receipts with the new revision: too few to judge",)
    patient = Fleet()
    patient.wave_in_force()
    patient.after(700)
    patient.sold("s/b0", *[GOOD] * 20)
    patient.after(1)
    assert patient.saved.phase is Phase.PLANNED


def test_a_receipt_recorded_before_the_switch_counts_as_before() -> None:
    fleet = Fleet()
    fleet.wave_in_force()
    fleet.rollout.receipt("s/b0", UNSURE, fleet.saved.activate_at - 1)
    fleet.rollout.receipt("s/b0", UNSURE, fleet.saved.activate_at)
    fleet.rollout.receipt("s/unknown", UNSURE, fleet.now)
    assert (fleet.saved.without.receipts, fleet.saved.with_it.receipts) == (1, 1)


# -- taken up again


def test_it_can_be_put_away_and_taken_up_at_any_step() -> None:
    fleet = Fleet(receipts_min=0)

    def put_away() -> None:
        fleet.rollout = Rollout(msgspec.json.decode(msgspec.json.encode(fleet.saved), type=Saved))

    for wave in (1, 2, 4):
        put_away()
        step = fleet.after(0)
        put_away()
        assert step is not None
        assert fleet.rollout.again() == step
        fleet.all_say(step.boxes[:1], "staged")
        put_away()
        rest = fleet.rollout.again()
        assert (rest.boxes if rest else ()) == step.boxes[1:]
        fleet.all_say(step.boxes, "staged")
        fleet.after(60)
        put_away()
        assert fleet.rollout.again() is None
        fleet.all_say(step.boxes, "in_force")
        put_away()
        fleet.after(600)
        assert len(step.boxes) == wave
    assert fleet.saved.phase is Phase.DONE


def test_a_person_may_go_on_after_a_stop_and_old_failures_do_not_stop_it_again() -> None:
    fleet = Fleet(receipts_min=0)
    fleet.after(0)
    fleet.says("s/b0", "rejected")
    fleet.after(1)
    assert fleet.saved.phase is Phase.STOPPED
    assert fleet.after(1) is None
    fleet.rollout.go_on()
    step = fleet.after(0)
    assert step is not None
    assert step.boxes == ("s/b1", "s/b2")
    fleet.all_say(step.boxes, "in_force")
    fleet.after(60)
    fleet.says("s/b2", "rolled_back")
    fleet.after(1)
    assert fleet.saved.phase is Phase.STOPPED


def test_what_the_broker_did_not_take_is_a_failure() -> None:
    fleet = Fleet()
    fleet.after(0)
    fleet.rollout.not_taken("s/b0", "the broker refuses: 0x87 not authorized")
    fleet.after(1)
    assert fleet.saved.why == ("s/b0: the broker refuses: 0x87 not authorized",)


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("after"), st.integers(0, 700)),
        st.tuples(st.sampled_from(["staged", "in_force", "rolled_back", "rejected", "stored"]), st.integers(0, 6)),
        st.tuples(st.just("sold"), st.integers(0, 6)),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(happenings)
def test_no_box_gets_it_before_its_wave_or_after_a_stop(story: list[tuple[str, int]]) -> None:
    fleet = Fleet(receipts_min=3, failures_max=1)
    told: list[str] = []
    for what, number in story:
        stopped = fleet.rollout.is_over
        if what == "after":
            step = fleet.after(number)
            assert not (stopped and step)
            told += step.boxes if step else ()
        elif what == "sold":
            fleet.sold(NAMES[number], UNSURE)
        elif NAMES[number] in told:
            fleet.says(NAMES[number], what)
    assert told == NAMES[: len(told)]
    assert len(told) == len(set(told))
    assert len(told) in (0, 1, 3, 7)
    if not fleet.rollout.is_over:
        assert len(fleet.rollout.those(At.FAILED)) <= 2  # the last one may wait to be looked at
