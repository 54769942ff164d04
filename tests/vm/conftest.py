"""Fixtures of the kernel tier: `bare` (Debian with the package, nothing set up), `vm` (a shop at work), `reboot`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.vm import figures, shop
from tests.vm.machine import Machine
from tests.vm.snapshot import Snapshot, frozen

BUILT = Path(__file__).parents[2] / "build" / "vm"


@pytest.fixture(scope="session")
def image() -> Path:
    """The folder that tests/vm/image.sh made last, or $EDGEBOX_VM_IMAGE."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("no qemu-system-x86_64 here: `make test-vm` installs it where it may")
    told = os.environ.get("EDGEBOX_VM_IMAGE")
    made = [Path(told)] if told else sorted((ok.parent for ok in BUILT.glob("image-*/ok")), key=os.path.getmtime)
    if not made:
        pytest.skip("no image of the guest: `make test-vm` makes one (root and mmdebstrap)")
    return made[-1]


@pytest.fixture(scope="session")
def bare_snapshot(image: Path) -> Snapshot:
    """Booted, idle, the package as dpkg left it."""
    return frozen(image, "bare", shop.settle)


@pytest.fixture(scope="session")
def shop_snapshot(image: Path, bare_snapshot: Snapshot) -> Snapshot:
    """A shop that `edgebox setup` has set up: units as shipped, a line from :9100 to a printer on :9101."""
    return frozen(image, "shop", shop.open_shop, bare_snapshot)


@pytest.fixture
def bare(bare_snapshot: Snapshot, tmp_path: Path) -> Iterator[Machine]:
    """A guest with a fresh overlay."""
    with bare_snapshot.restored(tmp_path) as guest:
        guest.listens(30)
        yield guest


@pytest.fixture
def vm(shop_snapshot: Snapshot, tmp_path: Path) -> Iterator[Machine]:
    """A shop at work, with a fresh overlay."""
    with shop_snapshot.restored(tmp_path) as guest:
        guest.listens(30)
        yield guest


@pytest.fixture
def reboot(tmp_path: Path) -> Iterator[Callable[[Machine], Machine]]:
    """Each call: the machine's power is cut, and another one boots with its disk. Ask `listens` before all else."""
    machines: list[Machine] = []

    def power_on(before: Machine) -> Machine:
        before.cut()
        folder = tmp_path / f"boot-{len(machines)}"
        folder.mkdir()
        machines.append(Machine(replace(before.parts, folder=folder, state=None)))
        return machines[-1]

    yield power_on
    for machine in machines:
        machine.cut()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures, for people and for the log of CI."""
    found = figures.all_of_them()
    if found:
        terminalreporter.section("what the guest showed (software emulation: upper bounds, not a box's times)")
    for name in found:
        terminalreporter.line(f"{name:60} {found[name]}")
