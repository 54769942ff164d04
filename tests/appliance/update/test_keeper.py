"""The keeper as the package installs it: alone, with Python's own library; and what the package asks of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgebox.appliance.keeper import slots as slots_module
from edgebox.appliance.keeper import watch
from edgebox.appliance.keeper.slots import Slots
from edgebox.appliance.keeper.trial import Forget, Keep, Switch
from tests.appliance.update.test_trial import TRIAL, disk

ROOT = Path(__file__).parents[3]
ALONE = "import sys; sys.path.insert(0, sys.argv.pop(1)); from keeper.watch import main; print(main(['what?']));"
ALONE += "print(sorted(name for name in sys.modules if name.split('.')[0] in ('edgebox', 'sync', 'msgspec')))"


@pytest.fixture
def slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slots:
    monkeypatch.setattr(watch, "Slots", lambda at: Slots(tmp_path, at))
    return disk(tmp_path)


def test_it_needs_nothing_of_the_slots_that_it_judges(tmp_path: Path) -> None:
    shutil.copytree(Path(watch.__file__).parent, tmp_path / "keeper", ignore=shutil.ignore_patterns("__pycache__"))
    said = subprocess.run(
        [sys.executable, "-ISB", "-c", ALONE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == ["2", "[]"]
    assert "edgebox-keeper watch" in said.stderr


def test_a_package_makes_its_own_slot_the_one_that_is_started(slots: Slots) -> None:
    slots.do([Switch("b")])
    assert watch.main(["package"]) == 0
    assert slots.current == "a"
    (slots.home / "current").unlink()  # a first installation
    assert watch.main(["package"]) == 0
    assert slots.current == "a"


def test_a_package_is_not_unpacked_into_a_trial(slots: Slots) -> None:
    assert watch.main(["busy"]) == 1
    slots.do([Keep(TRIAL)])
    assert watch.main(["busy"]) == 0
    slots.do([Forget()])
    assert watch.main(["busy"]) == 1
    preinst = (ROOT / "packaging/debian/preinst").read_text("utf-8")
    assert "edgebox-keeper busy" in preinst


def test_a_boot_is_counted_and_there_is_no_way_back_from_no_trial(
    slots: Slots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boot_id").write_text("boot-7\n", "ascii")
    monkeypatch.setattr(watch, "BOOT_ID", tmp_path / "boot_id")
    assert watch.main(["back"]) == 1
    slots.do([Keep(TRIAL)])
    assert watch.main(["boot"]) == 0
    trial = slots.trial()
    assert trial is not None
    assert (trial.boots, trial.boot, slots.current) == (1, "boot-7", "b")


def test_the_keeper_and_the_package_mean_the_same_places() -> None:
    tree = (ROOT / "packaging/tree.sh").read_text("utf-8")
    assert str(slots_module.HOME) == "/opt/edgebox"
    assert "/opt/edgebox/slots/a" in tree
    assert '/usr/lib/edgebox/edgebox-keeper"' in tree
