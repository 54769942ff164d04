"""docs/operating.md and systemd/README.md leave nothing out: each alarm, part, field and unit has its line."""

import base64
import re
import textwrap
import tomllib
from pathlib import Path

import msgspec
import pytest

from edgebox.appliance import answers
from sync.contract import State

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operating.md").read_text("utf-8")
UNITS = (ROOT / "systemd" / "README.md").read_text("utf-8")
NOT_PARTS = {"z_differs", "unsent_old", "conflict", "other", "cloud"}  # troubles of the page's own, in no health


def section(title: str) -> str:
    return re.split(r"\n#{2,3} ", PAGE.split(f"# {title}\n", 1)[1])[0]


def test_each_field_of_a_sign_of_life_is_explained() -> None:
    told = set(re.findall(r"`(\w+)`", section("The sign of life")))
    assert {field.encode_name for field in msgspec.structs.fields(State)} - {"v"} <= told


def test_each_part_that_can_be_unwell_is_explained() -> None:
    words = tomllib.loads((ROOT / "edgebox/web/words/trouble.toml").read_text("utf-8"))
    told = set(re.findall(r"`(\w+)[ :…]*`", section("Parts in `health`")))
    assert set(words["trouble"]) - NOT_PARTS <= told


def test_each_alarm_of_the_cloud_stand_in_is_explained() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "hw_sim/cloud").glob("*.py"))
    alarms = set(re.findall(r'(?:\.alarm|_refuse)\((?:[^,"]+|""), "(\w+)"', sources))
    assert {"conflict", "forged_ack", "impostor", "stranger"} <= alarms
    told = set(re.findall(r"`(\w+)`", section("Forged claims and forged acks")))
    assert alarms <= told


@pytest.mark.parametrize("path", sorted((ROOT / "systemd").iterdir()), ids=lambda path: path.name)
def test_each_unit_is_in_the_table_of_units(path: Path) -> None:
    if path.suffix in (".service", ".socket", ".target", ".path"):
        name = path.name.replace("@", "@(NAME|SLOT)")
        assert re.search(rf"^\|.*`{name.replace('.', '[.]')}`.*\|.*\|.*\|$", UNITS, re.MULTILINE)
    elif path.name != "README.md":
        assert f"`{path.name}`" in UNITS


def test_the_file_of_answers_is_one_that_a_box_takes() -> None:
    block = re.search(r"^        shop = .*?(?=\n\n)", PAGE, re.MULTILINE | re.DOTALL)
    assert block
    key = base64.b64encode(bytes(32)).decode("ascii")
    table = tomllib.loads(textwrap.dedent(block[0]).replace("…", key))
    found = answers.checked(msgspec.convert(table, answers.Answers), "docs/operating.md")
    assert found.cloud is not None
    assert (found.cloud.box, len(found.cloud.fleet_keys)) == ("b0001", 3)
