"""The scanner's own reading of its table says what the whole file's reading says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from edgebox import config, settings
from edgebox.cli import main as edgebox
from edgebox.errors import ConfigError
from edgebox.scan import settings as own
from edgebox.scan.classify import ARMABLE, Kind
from edgebox.scan.daemon import FLAGS, USAGE
from edgebox.scan.daemon import main as edgebox_scan
from edgebox.scan.settings import ScannerSettings, from_toml

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "config" / "edgebox.toml").read_text("utf-8")


def test_both_readings_know_the_same_settings_with_the_same_defaults_and_choices() -> None:
    fields = {field.name: field for field in msgspec.structs.fields(settings.ScannerSettings)}
    assert {name: field.default for name, field in fields.items()} == ScannerSettings()._asdict()
    for key, choices in own._CHOICES.items():
        assert set(get_args(fields[key].type)) == set(choices), key
    for key, (least, most) in own._LIMITS.items():
        (meta,) = fields[key].type.__metadata__
        assert (meta.ge, meta.le) == (least, most), key


def test_the_shipped_file_is_read_the_same_by_both() -> None:
    (row,) = config.load().scanner
    assert ScannerSettings(**msgspec.structs.asdict(row)) == from_toml(SHIPPED, "scanner1", "edgebox.toml")


def test_the_shipped_rules_are_good_and_its_mode_keys_arm_something() -> None:
    rules = ScannerSettings().rules
    assert set(rules.modes.values()) == {Kind.COUPON, Kind.MEMBER, Kind.PICK_UP, Kind.MALL}
    assert set(rules.modes.values()) <= set(ARMABLE)


TABLE = '[[scanner]]\nname = "a"\nscanner = "pty:"\n[[scanner]]\nname = "b"\n'


def test_a_table_is_found_by_its_name_and_the_first_without_one() -> None:
    assert from_toml(TABLE, "", "f").name == "a"
    assert from_toml(TABLE, "b", "f") == ScannerSettings(name="b")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[scanner]\n", "toml"),
        ("scanner = 1\n", "bad_type"),
        ("[[scanner]]\nname = 'x'\n", "no_scanner"),
        ("[[scanner]]\nname = 'a'\nsufix = 'cr'\n", "unknown_key"),
        ("[[scanner]]\nname = 'a'\nsilence_ms = 'long'\n", "bad_type"),
        ("[[scanner]]\nname = 'a'\nsilence_ms = true\n", "bad_type"),
        ("[[scanner]]\nname = 'a'\nsilence_ms = 1\n", "bad_value"),
        ("[[scanner]]\nname = 'a'\nsuffix = 'enter'\n", "bad_value"),
        ("[[scanner]]\nname = 'a'\nlate = 'keep'\n", "bad_value"),
        ("[[scanner]]\nname = 'a'\ncoupons = [1]\n", "bad_type"),
    ],
)
def test_a_wrong_table_is_named(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_toml(text, "a", "edgebox.toml")
    assert caught.value.reason == reason
    assert "edgebox.toml" in str(caught.value)


def test_values_from_the_command_line_fit_or_are_refused() -> None:
    told = ScannerSettings().with_value("coupons", "A:B,C:D").with_value("answer_ms", "99").with_value("modes", "")
    assert (told.coupons, told.answer_ms, told.modes) == (("A:B", "C:D"), 99, ())
    assert ScannerSettings().with_value("strip_aim", "true").strip_aim is True
    for key, value in (("answer_ms", "fast"), ("strip_aim", "yes"), ("nonsense", "1"), ("always", "payment")):
        with pytest.raises(ConfigError):
            ScannerSettings().with_value(key, value)


CHECKED: list[tuple[dict[str, Any], str]] = [
    ({"scanner": "evdev:///dev/input/event0?layout=xx", "till": "none:"}, "layout=xx means nothing"),
    ({"scanner": "hidraw:///dev/hidraw0", "till": "hidkbd:///dev/hidg0"}, "layout is missing"),
    ({"scanner": "usb://1:2", "till": "none:"}, "no driver for usb:"),
    ({"scanner": "pty:", "till": "none:", "coupons": ["123"]}, "digits alone"),
    ({"scanner": "pty:", "till": ""}, "is not a URL"),
]


@pytest.mark.parametrize(("row", "words"), CHECKED)
def test_config_check_knows_a_scanners_faults(
    row: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = "".join(f"{key} = {value!r}\n" for key, value in row.items())
    file = tmp_path / "edgebox.toml"
    file.write_text("[[scanner]]\nname = 'desk'\n" + table, "utf-8")
    assert edgebox(["config", "check", "--config", str(file)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "scanner desk" in said


def test_config_check_names_two_scanners_on_one_gadget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = "[[scanner]]\nname = '{}'\nscanner = 'pty:'\ntill = 'hidkbd:///dev/hidg0?layout=de'\n"
    file = tmp_path / "edgebox.toml"
    file.write_text(row.format("a") + row.format("b"), "utf-8")
    assert edgebox(["config", "check", "--config", str(file)]) == 2
    assert "two scanners use hidkbd:///dev/hidg0?layout=de" in capsys.readouterr().err


def test_the_usage_names_every_flag_and_bad_ones_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(re.findall(r"^  --(\w+)", USAGE, re.MULTILINE)) == set(FLAGS)
    assert edgebox_scan(["--help"]) == 0
    assert "usage: edgebox-scan" in capsys.readouterr().out


def test_the_scanners_page_names_every_setting_scheme_and_layout() -> None:
    from drivers.keymaps import NAMES
    from drivers.registry import CODE_SCHEMES, SCANNER_SCHEMES

    page = (ROOT / "docs" / "scanner.md").read_text("utf-8")
    wanted = {f"`{key}`" for key in ScannerSettings._fields} | {f"`{name}`" for name in NAMES}
    wanted |= {f"`{scheme}:" for scheme in (*SCANNER_SCHEMES, *CODE_SCHEMES)} | {f"`{kind}`" for kind in Kind}
    assert {word for word in wanted if word not in page} == set()
