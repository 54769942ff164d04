"""A trial of a new version, cut by the mains wherever it may be: what is started afterwards is whole, and it ends."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.appliance.keeper.slots import Slots
from edgebox.appliance.keeper.trial import (
    BOOTS_MAX,
    Action,
    Outcome,
    Phase,
    Switch,
    Tell,
    Trial,
    at_boot,
    begun,
    going_back,
    good,
    over,
)

TRIAL = Trial(new="b", old="a", version="2.0.0", before="1.0.0", job="j1", boot="boot-0", lines=("line1",), since_us=7)


def disk(folder: Path) -> Slots:
    """A box with 1.0.0 in use and 2.0.0 unpacked beside it."""
    slots = Slots(folder, at=1)
    for slot, version in (("a", "1.0.0"), ("b", "2.0.0")):
        slots.folder(slot).mkdir(parents=True)
        slots.seal(slot, {"version": version})
    slots.do([Switch("a")])
    return slots


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return disk(tmp_path)


def cut(slots: Slots, actions: list[Action], after: int) -> bool:
    """Does the first `after` of them; true: that was all."""
    slots.do(actions[:after])
    return after >= len(actions)


class Life:
    """Boots and verdicts of one box, with the mains going off `cuts[n]` actions into its nth list."""

    def __init__(self, slots: Slots, cuts: list[int]) -> None:
        self.slots = slots
        self.cuts = iter(cuts)
        self.boots = 0

    def do(self, actions: list[Action]) -> bool:
        return cut(self.slots, actions, next(self.cuts, 99))

    def boot(self) -> bool:
        self.boots += 1
        slots = self.slots
        done = self.do(at_boot(slots.trial(), slots.current, slots.whole(), f"boot-{self.boots}"))
        assert slots.current in slots.whole(), "never half a slot, never none"
        return done

    def until_over(self, *, is_good: bool) -> None:
        """Each boot lives to its verdict, unless the mains say otherwise."""
        for _ in range(60):
            if not self.boot():
                continue
            trial = self.slots.trial()
            if trial is None:
                return
            if trial.phase is Phase.TRYING and is_good:
                self.do(good(trial))
            elif trial.phase is Phase.TRYING:
                back = going_back(trial, "crash", "it fell")
                whole = self.do([*begun(back)[:1], Switch(back.old)]) and self.do(over(back))
                assert whole or self.slots.trial() is not None
        raise AssertionError("it never ended")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=6), st.integers(0, 2), st.booleans())
def test_however_often_the_mains_go_a_trial_ends_with_a_slot_that_works(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], first: int, is_good: bool
) -> None:
    slots = disk(tmp_path_factory.mktemp("box"))
    life = Life(slots, cuts)
    began = cut(slots, begun(TRIAL), first)
    life.until_over(is_good=is_good)
    last = slots.last()
    assert slots.trial() is None
    if first == 0:
        assert (slots.current, last) == ("a", None), "it never began"
        return
    assert last is not None
    assert (last.job, last.version) == ("j1", "2.0.0")
    if not is_good:
        assert (slots.current, last.outcome) == ("a", Outcome.ROLLED_BACK)
    elif last.outcome is Outcome.COMMITTED:
        assert slots.current == "b"
    else:
        assert (slots.current, last.reason) == ("a", "boot_loop"), "so many cuts look like a loop"
    assert began or life.boots


def test_a_version_that_never_lives_to_its_verdict_goes_back_by_itself(slots: Slots) -> None:
    slots.do(begun(TRIAL))
    for number in range(BOOTS_MAX):
        slots.do(at_boot(slots.trial(), slots.current, slots.whole(), f"boot-{number + 1}"))
        assert slots.current == "b"
    slots.do(at_boot(slots.trial(), slots.current, slots.whole(), "the last"))
    last = slots.last()
    assert (slots.current, slots.trial()) == ("a", None)
    assert last is not None
    assert (last.outcome, last.reason, last.job) == (Outcome.ROLLED_BACK, "boot_loop", "j1")


def test_one_boot_is_counted_once(slots: Slots) -> None:
    slots.do(begun(TRIAL))
    slots.do(at_boot(slots.trial(), slots.current, slots.whole(), "boot-1"))
    assert at_boot(slots.trial(), slots.current, slots.whole(), "boot-1") == []


def test_a_cut_before_the_switch_goes_on_with_the_trial(slots: Slots) -> None:
    slots.do(begun(TRIAL)[:1])
    assert slots.current == "a"
    slots.do(at_boot(slots.trial(), slots.current, slots.whole(), "boot-1"))
    trial = slots.trial()
    assert slots.current == "b"
    assert trial is not None
    assert (trial.boots, trial.since_us, trial.lines) == (1, 0, ("line1",))


def test_a_new_slot_that_the_disk_has_lost_is_not_tried(slots: Slots) -> None:
    slots.do(begun(TRIAL))
    (slots.folder("b") / "slot.json").unlink()
    slots.do(at_boot(slots.trial(), slots.current, slots.whole(), "boot-1"))
    last = slots.last()
    assert slots.current == "a"
    assert last is not None
    assert last.reason == "not_whole"


@pytest.mark.parametrize("harm", ["no link", "link to nothing", "link out", "slot lost"])
def test_a_box_without_a_trial_whose_link_is_damaged_starts_what_is_whole(slots: Slots, harm: str) -> None:
    link = slots.home / "current"
    if harm == "slot lost":
        (slots.folder("a") / "slot.json").write_text("{", "ascii")
    else:
        link.unlink()
    if harm.startswith("link"):
        link.symlink_to("/etc" if harm == "link out" else "slots/d")
    actions = at_boot(slots.trial(), slots.current, slots.whole(), "boot-1")
    slots.do(actions)
    assert slots.current in slots.whole()
    assert any(isinstance(action, Tell) for action in actions)
    assert at_boot(None, slots.current, slots.whole(), "boot-2") == []


@given(st.binary(max_size=200) | st.sampled_from([b'{"phase":"trying"}', b'{"phase":"trying","new":"a","old":"a"}']))
def test_any_bytes_are_a_trial_or_none(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    slots = Slots(tmp_path_factory.mktemp("box"))
    (slots.home / "trial.json").write_bytes(raw)
    (slots.home / "last.json").write_bytes(raw)
    assert slots.trial() is None
    assert slots.last() is None


def test_a_trial_written_by_a_newer_version_is_still_one(slots: Slots) -> None:
    facts = {**TRIAL._asdict(), "phase": "trying", "colour": "red"}
    slots.write(slots.home / "trial.json", facts)
    assert slots.trial() == TRIAL


def test_the_slot_in_use_is_never_emptied(slots: Slots) -> None:
    slots.do([Switch("b")])
    for slot in ("a", "b"):
        with pytest.raises(ValueError, match="in use"):
            slots.clear(slot)
    slots.clear(slots.idle)
    assert slots.whole() == {"a", "b"}


def test_updates_take_turns_and_the_packages_slot_is_never_theirs(slots: Slots) -> None:
    turns = []
    for _ in range(4):
        turns.append(slots.idle)
        slots.clear(slots.idle)
        slots.seal(turns[-1], {"version": "3.0.0"})
        slots.do([Switch(turns[-1])])
    assert turns == ["b", "c", "b", "c"]
    assert slots.version("a") == "1.0.0"
