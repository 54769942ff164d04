"""Bundles: desired, staged, on trial, in force or rolled back; and never an older one by the wire."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sync import bundles
from sync.bundles import REJECTED_MAX, BundlePhase, Held, Kept
from sync.contract_commands import Refused
from tests.sync.fleet import NOW, raw_args


def kept(revision: int, content: object = None, activate_at: int = 0) -> Kept:
    return Kept(revision=revision, content=raw_args(content or {"r": revision}), activate_at=activate_at)


def in_force(*revisions: int) -> Held:
    held = Held()
    for revision in revisions:
        held = bundles.confirm(bundles.activate(bundles.desire(held, kept(revision), {}, NOW).held))
    return held


def force(held: Held) -> int:
    return bundles.state_of(held).revision


def test_a_bundle_is_staged_tried_and_in_force() -> None:
    held = bundles.desire(Held(), kept(3), {}, NOW).held
    assert (held.phase, held.ready, force(held)) == (BundlePhase.STAGED, NOW, 0)
    held = bundles.activate(held)
    assert (held.phase, force(held)) == (BundlePhase.TRIAL, 3)
    held = bundles.confirm(held)
    assert (held.phase, bundles.state_of(held).desired) == (BundlePhase.IN_FORCE, 3)


def test_a_wave_waits_for_its_time_and_says_that_it_is_ready() -> None:
    held = bundles.desire(in_force(1), kept(2, activate_at=NOW + 60), {}, NOW).held
    assert not bundles.is_due(held, NOW + 59)
    assert bundles.is_due(held, NOW + 60)
    state = bundles.state_of(held)
    assert (state.revision, state.desired, state.state, state.ready) == (1, 2, "staged", NOW)


def test_rejected_keys_leave_what_is_in_force_and_use_the_revision_up() -> None:
    held = bundles.desire(in_force(1), kept(2), {"shop.tz": "no such zone"}, NOW).held
    assert (held.phase, force(held), held.rejected) == (BundlePhase.REJECTED, 1, {"shop.tz": "no such zone"})
    assert bundles.desire(held, kept(2, {"better": 1}), {}, NOW).refused is Refused.REVISION_REUSED
    assert bundles.desire(held, kept(1), {}, NOW).refused is Refused.OLD_REVISION
    assert bundles.desire(held, kept(3), {}, NOW).held.phase is BundlePhase.STAGED


def test_a_partial_bundle_is_taken_without_its_bad_keys() -> None:
    held = bundles.desire(Held(), kept(1), {"shop.x": "no such setting"}, NOW, partial=True).held
    assert (held.phase, held.rejected) == (BundlePhase.STAGED, {"shop.x": "no such setting"})


def test_a_failed_trial_brings_back_what_was_in_force() -> None:
    held = bundles.fail(bundles.activate(bundles.desire(in_force(1, 2), kept(3), {}, NOW).held), "line1 is gone")
    assert (held.phase, held.reason, force(held), held.seen) == (BundlePhase.ROLLED_BACK, "line1 is gone", 2, 3)
    assert bundles.desire(held, kept(3), {}, NOW).is_new is False
    first = bundles.fail(bundles.activate(bundles.desire(Held(), kept(1), {}, NOW).held), "why")
    assert force(first) == 0


def test_while_one_is_on_trial_another_has_to_wait() -> None:
    held = bundles.activate(bundles.desire(Held(), kept(1), {}, NOW).held)
    assert bundles.desire(held, kept(2), {}, NOW).refused is Refused.BUSY


def test_the_same_bundle_again_changes_nothing() -> None:
    held = in_force(1)
    again = bundles.desire(held, kept(1), {}, NOW + 5)
    assert (again.held, again.refused, again.is_new) == (held, None, False)


def test_stepping_back_is_a_trial_and_can_fail_too() -> None:
    held = bundles.step_back(in_force(1, 2), "job")
    assert held is not None
    assert (held.phase, force(held), held.seen) == (BundlePhase.TRIAL, 1, 2)
    assert force(bundles.confirm(held)) == 1
    assert force(bundles.fail(held, "worse")) == 2
    assert bundles.step_back(in_force(1), "job") is None
    assert bundles.step_back(held, "job") is None


def test_many_bad_keys_are_told_in_a_bounded_list() -> None:
    rejected = {f"k{number}": "bad" * 500 for number in range(5000)}
    held = bundles.desire(Held(), kept(1), rejected, NOW).held
    assert len(held.rejected) == REJECTED_MAX + 1
    assert len(msgspec.json.encode(held)) < 40_000


STEPS = st.lists(
    st.tuples(st.sampled_from(["offer", "bad", "time", "good", "ill", "crash"]), st.integers(1, 6), st.booleans()),
    max_size=40,
)


@given(STEPS)
def test_no_order_of_deliveries_makes_a_revision_go_down(steps: list[tuple[str, int, bool]]) -> None:
    held, offered = Held(), [0]
    for step, revision, other in steps:
        before = held
        if step in ("offer", "bad"):
            rejected = {"k": "no"} if step == "bad" else {}
            held = bundles.desire(held, kept(revision, {"other": other}), rejected, NOW).held
            offered += [revision] if before.phase is not BundlePhase.TRIAL else []
        elif step == "time" and bundles.is_due(held, NOW) and held.phase is not BundlePhase.TRIAL:
            held = bundles.activate(held)
            assert force(held) > force(before)
        elif step in ("ill", "crash") and held.phase is BundlePhase.TRIAL:
            held = bundles.fail(held, step)
        elif step == "good" and held.phase is BundlePhase.TRIAL:
            held = bundles.confirm(held)
        held = msgspec.json.decode(msgspec.json.encode(held), type=Held)  # a restart at any place
        assert held.seen >= before.seen
        assert held.seen == max(offered)
        if force(held) < force(before):
            assert step in ("ill", "crash")
