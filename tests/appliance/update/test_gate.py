"""The keeper beside a trial: who begins anew in which order, what ends a trial, and how long printing stands still."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.appliance.keeper import units
from edgebox.appliance.keeper.gate import ENGINE, STEADY_S, TRIAL_S, Pulse, Unit
from edgebox.appliance.keeper.slots import Slots
from edgebox.appliance.keeper.trial import Keep, Outcome, Trial, begun
from edgebox.appliance.keeper.watch import back, watch
from tests.appliance.update.shop import DOCUMENT_S, LINE, SCAN, Shop
from tests.appliance.update.test_trial import TRIAL, disk

STILL_S = 2.0  # that printing may stand still for a bad version (issue 10)


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return disk(tmp_path)


def tried(slots: Slots, shop: Shop, **more: object) -> list[str]:
    """A trial from the switch to its end; what the keeper said."""
    trial: Trial = TRIAL._replace(tried_us=int(shop.clock * 1e6), since_us=int(shop.clock * 1e6), ready_s=1.0, **more)  # type: ignore[arg-type]
    slots.do([*begun(trial), Keep(trial)])
    said: list[str] = []
    watch(slots, shop, "boot-0", said.append)
    return said


def ended(slots: Slots) -> tuple[str, Outcome | None, str]:
    last = slots.last()
    assert slots.trial() is None
    return slots.current, last.outcome if last else None, last.reason if last else ""


def test_a_good_version_takes_over_engine_first_and_lines_between_two_documents(slots: Slots) -> None:
    shop = Shop(slots)
    began = shop.clock
    tried(slots, shop)
    assert ended(slots) == ("b", Outcome.COMMITTED, "")
    assert shop.told == [("restart", ENGINE), ("anew", LINE), ("anew", SCAN)]
    assert {process.slot for process in shop.processes.values()} == {"b"}
    assert shop.clock - began >= STEADY_S + 2 * DOCUMENT_S
    assert shop.dark_s <= 0.5


@pytest.mark.parametrize("ails", ["falls", "hangs"])
@pytest.mark.parametrize("who", [LINE, SCAN])
def test_a_version_whose_line_does_not_start_goes_back_within_two_seconds(slots: Slots, who: str, ails: str) -> None:
    shop = Shop(slots, {who: ails})
    tried(slots, shop)
    slot, outcome, reason = ended(slots)
    assert (slot, outcome) == ("a", Outcome.ROLLED_BACK)
    assert reason == {"falls": "crash", "hangs": "not_ready"}[ails]
    assert {process.slot for process in shop.processes.values()} == {"a"}
    assert shop.dark_s <= STILL_S
    kills = [unit for told, unit in shop.told if told == "kill"]
    assert kills == ([who] if ails == "hangs" else []), "what falls is not killed: its good successor might be hit"
    assert shop.told[-1] == ("restart", ENGINE), "the engine when the lines print again"


@pytest.mark.parametrize("ails", ["falls", "hangs", "mute"])
def test_a_version_whose_engine_is_not_well_never_reaches_a_line(slots: Slots, ails: str) -> None:
    shop = Shop(slots, {ENGINE: ails})
    tried(slots, shop)
    assert ended(slots)[:2] == ("a", Outcome.ROLLED_BACK)
    assert [told for told in shop.told if told[1] != ENGINE] == []
    assert shop.dark_s == 0
    assert shop.processes[ENGINE].slot == "a"


def test_a_version_that_loses_the_cloud_goes_back_and_one_without_a_cloud_does_not_need_it(slots: Slots) -> None:
    shop = Shop(slots)
    shop.cloud = False
    tried(slots, shop)
    assert ended(slots)[:2] == ("b", Outcome.COMMITTED)


def test_a_version_that_does_not_reach_the_cloud_any_more_goes_back(slots: Slots) -> None:
    shop = Shop(slots)
    shop.cloud = False
    began = shop.clock
    said = tried(slots, shop, cloud=True)
    assert ended(slots) == ("a", Outcome.ROLLED_BACK, "no_verdict")
    assert shop.clock - began < TRIAL_S + 120
    assert "the cloud is not reached any more" in " ".join(said)


def test_a_line_that_falls_in_the_last_second_of_the_trial_still_ends_it(slots: Slots) -> None:
    shop = Shop(slots)

    def fall() -> None:
        if shop.clock > 1000 + STEADY_S + DOCUMENT_S and shop.processes[LINE].slot == "b":
            shop.bad[LINE] = "falls"

    shop.at_each_look = fall
    tried(slots, shop)
    assert ended(slots) == ("a", Outcome.ROLLED_BACK, "crash")


def test_a_service_that_is_given_up_is_not_overlooked(slots: Slots) -> None:
    """An engine that ends with exit code 2 is started no more, and is in no list of running services."""
    shop = Shop(slots)
    all_of_them = shop.services

    def without() -> tuple[Unit, ...]:
        found = all_of_them() or ()
        is_new = shop.processes[ENGINE].slot == "b"
        return tuple(unit for unit in found if not (is_new and unit.name == ENGINE))

    shop.services = without  # type: ignore[method-assign]
    tried(slots, shop)
    assert ended(slots) == ("a", Outcome.ROLLED_BACK, "not_ready")
    assert shop.told[-1] == ("restart", ENGINE)
    assert shop.processes[ENGINE].slot == "a"


def test_a_service_that_ailed_before_does_not_keep_the_cure_away(slots: Slots) -> None:
    shop = Shop(slots, {SCAN: "falls"})
    tried(slots, shop, ailing=(SCAN,))
    assert ended(slots) == ("b", Outcome.COMMITTED, "")
    assert SCAN not in [unit for _, unit in shop.told]


@pytest.mark.parametrize(("mute_s", "ends"), [(40, ("b", "")), (10_000, ("a", "blind"))])
def test_a_systemd_that_has_no_time_is_waited_for_but_not_for_ever(
    slots: Slots, mute_s: int, ends: tuple[str, str]
) -> None:
    shop = Shop(slots)

    def mute() -> None:
        shop.is_mute = 1010 < shop.clock < 1010 + mute_s and slots.current == "b"

    shop.at_each_look = mute
    tried(slots, shop)
    assert (ended(slots)[0], ended(slots)[2]) == ends


def test_a_till_that_never_pauses_puts_the_update_off(slots: Slots) -> None:
    shop = Shop(slots)
    shop.begin_anew = lambda unit: not shop.told.append(("anew", unit))  # type: ignore[func-returns-value, method-assign]
    said = tried(slots, shop)
    assert ended(slots) == ("a", Outcome.ROLLED_BACK, "no_verdict")
    assert "never stood between two documents" in " ".join(said)
    assert shop.processes[LINE].slot == "a", "it was never ended in the middle of a receipt"
    assert shop.dark_s == 0


def test_a_person_can_end_a_trial(slots: Slots) -> None:
    shop = Shop(slots)
    trial = TRIAL._replace(tried_us=int(shop.clock * 1e6), since_us=int(shop.clock * 1e6))
    slots.do(begun(trial))
    shop.clock += 5
    for name in shop.processes:
        shop.restart(name)
    back(slots, shop, "asked", "a person wanted it", print)
    assert slots.current == "a"
    shop.clock += 1
    watch(slots, shop, "boot-0", lambda text: None)
    assert ended(slots) == ("a", Outcome.ROLLED_BACK, "asked")
    assert {process.slot for process in shop.processes.values()} == {"a"}


def test_the_keeper_goes_on_where_it_was_killed(slots: Slots) -> None:
    shop = Shop(slots)

    def kill() -> None:
        if shop.clock > 1010:
            raise KeyboardInterrupt

    shop.at_each_look = kill
    with pytest.raises(KeyboardInterrupt):
        tried(slots, shop)
    assert slots.trial() is not None
    shop.at_each_look = lambda: None
    assert watch(slots, shop, "boot-0", lambda text: None)
    assert ended(slots) == ("b", Outcome.COMMITTED, "")
    assert shop.told.count(("anew", LINE)) == 1, "what is new already is not asked again"


def test_a_trial_goes_on_behind_a_boot_and_the_boot_is_counted(slots: Slots) -> None:
    slots.do(begun(TRIAL))
    shop = Shop(slots)
    assert watch(slots, shop, "boot-9", lambda text: None)
    assert ended(slots) == ("b", Outcome.COMMITTED, "")
    assert shop.told == [], "everything was started behind the switch"


# -- what systemd says


SHOWN = """NRestarts=2
MainPID=71
ExecMainStartTimestampMonotonic=123456
Id=edgebox-line@line1.service
ActiveState=active

MainPID=0
Id=edgebox-line@old.service
ActiveState=inactive

Id=edgebox.service
MainPID=0
ActiveState=activating
"""


def test_what_systemd_says_of_services_is_read() -> None:
    assert units.read(SHOWN, {71: "b"}.__getitem__) == (
        Unit("edgebox-line@line1.service", 71, True, 123456, 2, "b"),
        Unit("edgebox.service", 0, False, 0, 0),
    )


@given(st.text(alphabet="IdMainPID=ActiveSte\n0123456789\u0663 ", max_size=200))
def test_any_text_of_systemd_is_read(text: str) -> None:
    assert all(unit.pid >= 0 for unit in units.read(text, lambda pid: ""))


def test_a_process_says_by_its_first_word_which_slot_it_runs(tmp_path: Path) -> None:
    interpreter = tmp_path / "slots/b/bin/python3"
    interpreter.parent.mkdir(parents=True)
    interpreter.symlink_to("/bin/sleep")
    with subprocess.Popen([str(interpreter), "20"]) as process:
        try:
            end = time.monotonic() + 10
            while not units.slot_of(process.pid) and time.monotonic() < end:  # it has forked, and not begun yet
                time.sleep(0.01)
            assert units.slot_of(process.pid) == "b"
        finally:
            process.kill()
    assert units.slot_of(os.getpid()) == ""
    assert units.slot_of(process.pid) == ""


def test_a_service_that_began_before_the_switch_and_took_the_slot_behind_it_is_left_alone(slots: Slots) -> None:
    shop = Shop(slots, {LINE: "falls"})
    real = shop.services

    def with_slots() -> tuple[Unit, ...] | None:
        found = real()
        return tuple(
            unit._replace(slot=shop.processes[unit.name].slot, begun_us=unit.begun_us - 900_000) for unit in found or ()
        )

    shop.services = with_slots  # type: ignore[method-assign]
    tried(slots, shop)
    assert ended(slots) == ("a", Outcome.ROLLED_BACK, "crash")
    assert [told for told in shop.told if told[1] == LINE] == [("anew", LINE)], "asked once, to begin the new one"


@given(st.binary(max_size=200) | st.sampled_from([b"[]", b'{"pid":1e400}', b'{"pid":1,"lines":3}', b"[" * 5000]))
def test_any_bytes_are_a_pulse_or_none(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("run") / "pulse.json"
    path.write_bytes(raw)
    assert units.pulse(path) is None


def test_a_pulse_is_read_but_no_link_or_pipe_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "pulse.json"
    path.write_text('{"pid": 7, "version": "2.0.0", "at": 5.5, "recording": true, "cloud": false, "lines": ["a"]}')
    assert units.pulse(path) == Pulse(7, "2.0.0", 5.5, True, False, ("a",))
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert units.pulse(link) is None
    os.mkfifo(tmp_path / "pipe")
    assert units.pulse(tmp_path / "pipe") is None
