"""The configuration: every fault at once, every setting documented, the line's reading of it the same."""

import contextlib
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox import config, settings
from edgebox.errors import ConfigError
from edgebox.line import settings as line_settings
from edgebox.model import TenderKind

SHIPPED = config.DEFAULT.read_text("utf-8")


def faults(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "f.toml", overrides)
    assert caught.value.reason in ("bad_config", "bad_toml")
    return caught.value.args[0].splitlines()  # type: ignore[no-any-return]


def test_the_shipped_file_says_the_defaults() -> None:
    shipped = config.load()
    (line,), (scanner,) = shipped.line, shipped.scanner
    assert msgspec.structs.replace(shipped, line=(), scanner=()) == settings.Config()
    ends = {"till": "", "printer": "", "engine": ""}
    assert msgspec.structs.replace(line, **ends) == settings.LineSettings()
    assert scanner == settings.ScannerSettings()
    assert line.engine == shipped.engine.socket


def test_a_tool_on_a_box_looks_at_the_file_that_the_services_run_with() -> None:
    packed = Path("/opt/edgebox/slots/a/lib/python3.11/site-packages/config")
    assert config.file_for(packed) == Path("/etc/edgebox/edgebox.toml")
    assert config.file_for(config.FOLDER) == config.FOLDER / "edgebox.toml"
    units = [unit.read_text("utf-8") for unit in (config.FOLDER.parent / "systemd").glob("*.service")]
    named = {word for text in units for word in re.findall(r"--config (\S+)", text)}
    assert named == {str(config.file_for(packed))}


@pytest.mark.parametrize("section", settings.SECTIONS)
def test_every_setting_stands_in_the_shipped_file_with_a_comment(section: str) -> None:
    header = rf"^\[{{1,2}}{section}\]{{1,2}}$"
    body = re.split(header, SHIPPED, flags=re.MULTILINE)[1].split("\n[")[0]
    documented = set(re.findall(r"^(\w+) = .*  # \S.*$", body, re.MULTILINE))
    assert documented == {field.name for field in msgspec.structs.fields(settings.SECTIONS[section])}


def test_the_line_knows_the_same_settings_with_the_same_defaults() -> None:
    schema = {field.name: field.default for field in msgspec.structs.fields(settings.LineSettings)}
    defaults = line_settings.LineSettings()._asdict()
    for key, value in defaults.items():
        if isinstance(value, bytes):
            defaults[key] = value.decode()
    assert schema == defaults


def test_the_line_reads_the_shipped_file() -> None:
    assert line_settings.from_toml(SHIPPED, "line1", "edgebox.toml").profile == "generic-80"


def test_all_faults_come_at_once_with_line_key_and_what_was_expected() -> None:
    text = (
        '[shop]\ncurency = "CNY"\ndecimals = 9\ntz = "Mars/Base"\n\n[sop]\n\n'
        '[[line]]\nname = "a"\n\n[[line]]\nname = "a"\nanswer_ms = "x"\n\n[points]\nexcluded_tenders = ["gold"]\n'
    )
    assert faults(text) == [
        "f.toml:2: shop.curency: no such setting, did you mean currency?",
        "f.toml:3: shop.decimals: expected `int` <= 3, got 9",
        "f.toml:6: [sop]: no such section, did you mean shop?",
        "f.toml:13: line.answer_ms: expected `int`, got 'x'",
        f"f.toml:16: points.excluded_tenders: expected one of {', '.join(TenderKind)}, got ['gold']",
        "f.toml:4: shop.tz: no time zone 'Mars/Base', e.g. Asia/Shanghai",
        "f.toml:12: line.name: 'a' comes twice",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shop = 3", "shop: expected a table [shop]"),
        ("[line]\nname = 'a'", "expected tables [[line]]"),
        ("[shop\n", "f.toml: "),
        ("[shop]\ndecimals = 2\ndecimal_mark = ''", "shop.decimal_mark: expected a mark"),
        ("[slip]\nlanguages = ['fr']", "expected one of zh, en"),
        ("[[line]]\nend_signature = 'xyz'", "line.end_signature: expected `str` matching regex"),
    ],
)
def test_a_fault_is_told_in_words(text: str, said: str) -> None:
    assert said in "\n".join(faults(text))


def test_flags_override_the_file_in_its_types() -> None:
    found = config.parse(
        '[shop]\nname = "Corner"\n[[line]]\nname = "a"\n[[line]]\nname = "b"\n',
        "f.toml",
        [
            "shop.decimals=0",
            "shop.decimal_mark=,",
            "shop.languages=pt,en",
            "till.prints_after_payment=true",
            "line.answer_ms=90",
            'slip.languages=["en"]',
            "shop.name=Rose = Crown",
        ],
    )
    assert (found.shop.decimals, found.shop.decimal_mark, found.shop.languages) == (0, ",", ("pt", "en"))
    assert found.till.prints_after_payment
    assert [line.answer_ms for line in found.line] == [90, 90]
    assert found.slip.languages == ("en",)
    assert found.shop.name == "Rose = Crown"


@pytest.mark.parametrize("flag", ["shop", "shop.decimals", "nowhere.x=1", "shop.decimals=two", "shop.nothing=1"])
def test_a_bad_flag_is_named(flag: str) -> None:
    assert flag.partition("=")[0] in faults("", flag)[0]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        config.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"[shop]\nname = '\xe9'\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(tmp_path / "latin.toml")


def test_the_decimal_mark_wins_over_the_group_marks() -> None:
    shop = config.parse("", "f.toml", ["shop.decimal_mark=,"]).shop_of_reader()
    assert shop.convention.decimal_mark == ","


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(ConfigError):
        config.parse(text, "f.toml")


@pytest.mark.parametrize("path", sorted((config.FOLDER / "lexicon").glob("*.toml")), ids=lambda path: path.stem)
def test_a_lexicon_file_names_its_language_and_repeats_no_word(path: Path) -> None:
    table = tomllib.loads(path.read_text("utf-8"))
    assert table.pop("language") == path.stem
    for section, lists in table.items():
        for name, words in lists.items():
            assert len(words) == len(set(words)), (
                f"[{section}] {name} repeats {[w for w in words if words.count(w) > 1]}"
            )


def test_every_language_that_may_be_configured_has_words() -> None:
    languages = {path.stem for path in (config.FOLDER / "lexicon").glob("*.toml")}
    assert set(config._choices(tuple[settings.Language, ...])) == languages


def test_a_bad_lexicon_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "xx.toml").write_text("[amount]\nnonsense = ['x']\n", "utf-8")
    with pytest.raises(ConfigError, match=r"xx\.toml.*nonsense"):
        config.load_lexicon((), tmp_path)
    with pytest.raises(ConfigError, match="no words for tlh"):
        config.load_lexicon(("tlh",))
