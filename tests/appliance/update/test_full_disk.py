"""Updates where there is no room, no keeper, no peace: the old version is what is started."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.appliance.keeper import watch as watch_module
from edgebox.appliance.keeper.gate import ENGINE
from edgebox.appliance.keeper.slots import Slots
from edgebox.appliance.keeper.trial import Keep, Outcome, Switch, begun
from edgebox.appliance.keeper.watch import boot, watch
from edgebox.appliance.update.box import heard
from edgebox.appliance.update.installing import install
from edgebox.errors import UpdateError
from tests.appliance.update.released import HERE, Box, known, released
from tests.appliance.update.shop import LINE, Shop
from tests.appliance.update.test_trial import TRIAL, disk


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return disk(tmp_path / "opt")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return released(tmp_path / "made")


class Full:
    """A disk on which no file finds room; a link does, for it lies in its own inode."""

    def __init__(self, slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes = 0
        self.room_for = 0
        self._write = slots.write
        self._monkeypatch = monkeypatch
        self._slots = slots

    def fills(self, room_for: int = 0) -> None:
        self.room_for, self.writes = room_for, 0
        self._monkeypatch.setattr(self._slots, "write", self._written)

    def is_tidied(self) -> None:
        self._monkeypatch.setattr(self._slots, "write", self._write)

    def _written(self, path: Path, facts: dict[str, Any]) -> None:
        self.writes += 1
        if self.writes > self.room_for:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        self._write(path, facts)


@pytest.fixture
def full(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> Full:
    return Full(slots, monkeypatch)


def on_trial(slots: Slots, shop: Shop) -> None:
    now_us = int(shop.clock * 1e6)
    slots.do(begun(TRIAL._replace(tried_us=now_us, since_us=now_us, ready_s=1.0)))


def test_a_bad_version_that_fills_the_disk_goes_back_all_the_same(slots: Slots, full: Full) -> None:
    shop = Shop(slots, {LINE: "falls"})
    on_trial(slots, shop)
    full.fills()
    assert not watch(slots, shop, "boot-0", print)
    assert (slots.current, slots.trial()) == ("a", None)
    assert {process.slot for process in shop.processes.values()} == {"a"}
    assert shop.dark_s < 2.0


def test_a_keeper_that_dies_on_its_way_back_does_not_try_the_bad_version_again(slots: Slots, full: Full) -> None:
    shop = Shop(slots, {LINE: "falls"})
    on_trial(slots, shop)
    slots.do([Switch("a")])  # all that it could write before it died
    assert not watch(slots, shop, "boot-0", print)
    last = slots.last()
    assert (slots.current, slots.trial()) == ("a", None)
    assert last is not None
    assert last.outcome is Outcome.ROLLED_BACK
    assert shop.told == [], "what runs the old version is left alone"


def test_a_boot_that_cannot_be_counted_is_not_one_to_try_a_version_in(slots: Slots, full: Full) -> None:
    slots.do(begun(TRIAL))
    full.fills()
    for number in range(1, 6):
        with pytest.raises(OSError, match="No space left"):
            boot(slots, f"boot-{number}")
        assert slots.current == "a"
    full.is_tidied()
    boot(slots, "boot-6")
    assert slots.current == "b", "with room again it has its trial"


@pytest.mark.parametrize("room_for", [0, 1, 2])
def test_a_disk_that_is_full_at_the_switch_begins_no_trial(
    slots: Slots, full: Full, file: Path, room_for: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box()
    full.fills(room_for)  # the slot's own mark, the trial, the trial again
    with pytest.raises(UpdateError) as fault:
        install(file, slots, known(), HERE, box.machine(), "j1")
    assert fault.value.reason == "disk"
    assert (slots.current, slots.trial(), box.watched) == ("a", None, 0)


def test_without_a_keeper_that_judges_there_is_no_trial(slots: Slots, file: Path) -> None:
    box = Box()
    with pytest.raises(UpdateError) as fault:
        install(file, slots, known(), HERE, box.machine()._replace(watch=lambda: False), "j1")
    assert fault.value.reason == "no_keeper"
    assert (slots.current, slots.trial()) == ("a", None)


def test_two_updates_at_once_are_one_and_a_refusal(slots: Slots, file: Path, tmp_path: Path) -> None:
    """A command of the fleet's while somebody stands there with a stick."""
    box = Box()
    seen: list[str] = []

    class Meanwhile(Box):
        def check(self, slot: str) -> Any:
            other = Slots(slots.home)
            with pytest.raises(UpdateError) as fault:
                install(file, other, known(), HERE, box.machine(), "j2")
            seen.append(fault.value.reason)
            assert other.version(slot) == "2.0.0", "what is being checked is not emptied under it"
            assert (other.home / ".incoming").exists(), "nor taken away"
            return super().check(slot)

    install(file, slots, known(), HERE, Meanwhile().machine(), "j1")
    trial = slots.trial()
    assert (seen, box.checked, slots.current) == (["busy"], [], "b")
    assert trial is not None
    assert trial.job == "j1"


def test_a_package_that_comes_in_between_ends_the_update(slots: Slots, file: Path) -> None:
    class Packaged(Box):
        def check(self, slot: str) -> Any:
            slots.seal("a", {"version": "1.1.0"})
            return super().check(slot)

    with pytest.raises(UpdateError) as fault:
        install(file, slots, known(), HERE, Packaged().machine())
    assert fault.value.reason == "busy"
    assert (slots.current, slots.trial()) == ("a", None)


def test_a_package_is_not_unpacked_while_an_update_is(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "Slots", lambda at: Slots(slots.home, at))
    assert watch_module.main(["busy"]) == 1
    with slots.alone() as is_alone:
        assert is_alone
        assert watch_module.main(["busy"]) == 0
    assert watch_module.main(["busy"]) == 1


def test_only_root_can_keep_an_update_or_a_package_waiting(slots: Slots) -> None:
    """Whoever may open a file may lock it [flock(2)]."""
    with slots.alone():
        assert [path.stat().st_mode & 0o777 for path in slots.home.glob(".lock")] == [0o600]


def test_a_package_ends_a_trial_that_began_meanwhile(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "Slots", lambda at: Slots(slots.home, at))
    slots.do([*begun(TRIAL), Keep(TRIAL)])
    assert watch_module.main(["package"]) == 0
    last = slots.last()
    assert (slots.current, slots.trial()) == ("a", None), "the next boot tries nothing"
    assert last is not None
    assert (last.outcome, last.reason, last.job) == (Outcome.ROLLED_BACK, "package", "j1")


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_roots_own_umask_neither_closes_a_slot_nor_opens_it(slots: Slots, file: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        install(file, slots, known(), HERE, Box().machine())
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    slot = slots.folder("b")
    modes = {path.stat().st_mode & 0o777 for path in (slot, *slot.rglob("*")) if not path.is_symlink()}
    assert modes == {0o755, 0o644}


def test_a_restart_that_systemd_had_no_time_for_is_asked_for_again_on_the_way_back(slots: Slots) -> None:
    shop = Shop(slots, {LINE: "falls"})
    on_trial(slots, shop)
    real: Callable[[str], bool] = shop.restart
    refusals = iter([True, False, True])  # into the trial, and twice on the way back

    def restart(unit: str) -> bool:
        return real(unit) if next(refusals) else False

    shop.restart = restart  # type: ignore[method-assign]
    watch(slots, shop, "boot-0", print)
    assert shop.processes[ENGINE].slot == "a"


@given(st.dictionaries(st.sampled_from(["at", "line_s", "fault"]), st.none() | st.booleans() | st.floats() | st.text()))
def test_whatever_the_new_code_says_of_itself_is_a_time_or_a_refusal(told: dict[str, object]) -> None:
    with pytest.raises(UpdateError) as fault:
        heard(told, 5.0, well=False)
    assert fault.value.reason == "check_failed"
    with suppress(UpdateError):
        assert 0 <= heard(told, 5.0, well=True).line_s < 1 << 53
