"""docs/fleet.md tells all that the command line can do, and nothing that it can't."""

import argparse
import re
from pathlib import Path

import msgspec

from edgebox import commands_fleet
from edgebox.fleet.settings import FleetSettings
from sync.contract import BundleKind
from sync.fleet_book import FIELDS
from sync.rollout import StopRule

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fleet.md").read_text("utf-8")
EVERYWHERE = {
    "--help",
    "--config",
    "--url",
    "--tenant",
    "--topics",
    "--user",
    "--credentials",
    "--client",
    "--key",
    "--by",
}


def verbs() -> dict[str, argparse.ArgumentParser]:
    parser = argparse.ArgumentParser()
    commands_fleet.add_arguments(parser)
    (action,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(action.choices)


def test_every_verb_and_flag_is_told() -> None:
    for name, parser in verbs().items():
        assert re.search(rf"^\| `{name}\b", PAGE, re.MULTILINE), name
        flags = {flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")}
        assert {flag for flag in flags - EVERYWHERE if flag not in PAGE} == set()


def test_every_flag_that_is_told_exists() -> None:
    flags = {flag for parser in verbs().values() for action in parser._actions for flag in action.option_strings}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) <= flags


def test_every_field_setting_kind_and_rule_is_told() -> None:
    missing = {name.rstrip(".") for name in FIELDS if not re.search(rf"`{re.escape(name)}", PAGE)}
    assert missing == set()
    settings = {field.name for field in msgspec.structs.fields(FleetSettings)}
    assert {name for name in settings if not re.search(rf"\b{name}\b", PAGE)} == set()
    assert {rule for rule in StopRule if f"| `{rule}`" not in PAGE} == set()
    named = set(re.findall(r"`([a-z]+)`", PAGE[PAGE.index("| kind |") :]))
    assert {"rules", "config", "slips", "profiles", "lexicon"} <= named & {kind.value for kind in BundleKind}


def test_spans_are_read_as_people_write_them() -> None:
    assert [commands_fleet.seconds(text) for text in ("90", "90s", "10m", "2h", "1d")] == [90, 90, 600, 7200, 86_400]
