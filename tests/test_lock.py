"""The lock says what `setup.cfg` asks for, and nothing that only one machine can resolve."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
BOX = (ROOT / "box.lock").read_text("utf-8")  # what a box gets: the same, less what only developers need
# One requirement over several lines: `name==version ; markers \`, then a `--hash` a line, then why it is there.
PINNED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?P<rest>.*(?:\n    --hash=\S+.*)*)", re.MULTILINE)


def wanted() -> list[Requirement]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    lines = setup["options"]["install_requires"] + setup["options.extras_require"]["dev"]
    return [Requirement(line) for line in lines.splitlines() if line]


def test_the_lock_pins_everything_that_setup_cfg_asks_for() -> None:
    pinned = {canonicalize_name(match["name"]): match["version"] for match in PINNED.finditer(LOCK)}
    names = [(want, canonicalize_name(want.name)) for want in wanted()]
    stale = [str(want) for want, name in names if name not in pinned or pinned[name] not in want.specifier]
    assert stale == [], "run `make lock`"


def test_every_pin_has_its_hashes() -> None:
    assert [match["name"] for match in PINNED.finditer(LOCK) if "--hash=sha256:" not in match["rest"]] == []


@pytest.mark.parametrize("lock", [LOCK, BOX], ids=["requirements", "box"])
def test_the_lock_names_no_host(lock: str) -> None:
    assert "://" not in lock
    assert "--index-url" not in lock
    assert "--find-links" not in lock


def blocks(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Name → version and hashes."""
    found = PINNED.finditer(lock)
    return {match["name"]: (match["version"], frozenset(re.findall(r"sha256:\w+", match["rest"]))) for match in found}


def test_a_box_gets_the_versions_and_hashes_that_are_tested() -> None:
    box, tested = blocks(BOX), blocks(LOCK)
    assert {name: pin for name, pin in box.items() if tested.get(name) != pin} == {}, "run `make lock`"
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    names = [Requirement(line).name for line in setup["options"]["install_requires"].splitlines() if line]
    assert [name for name in names if canonicalize_name(name) not in box] == []
    assert "pytest" not in box


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_lock_for_another_machine_is_what_its_markers_say(machine: str) -> None:
    """`packaging` judges markers here; the package's own script has to do without it."""
    script = [sys.executable, "packaging/lock_for.py", "box.lock", machine]
    made = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    told = {
        "platform_machine": machine,
        "sys_platform": "linux",
        "python_full_version": "3.11.2",
        "python_version": "3.11",
    }
    wanted = set()
    for line in BOX.splitlines():
        head = line.removesuffix("\\").strip()
        if "==" in head and not line.startswith((" ", "#")):
            name, _, marker = head.partition(" ; ")
            if not marker or Marker(marker).evaluate({**told, "implementation_name": "cpython"}):
                wanted.add(name)
    left_out = {"pip", "setuptools", "evdev"}
    names = {name for name in wanted if name.partition("==")[0] not in left_out}
    assert set(re.findall(r"^([\w.-]+==\S+)", made, re.MULTILINE)) == names
    assert "evdev-binary" in made if machine == "x86_64" else "evdev" not in made
