"""Faulty rules and slips: whatever stands in its files, the shop prints, the box records, and says what is wrong."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edgebox import cli
from edgebox.line.frames import Answer
from edgebox.rules_file import rules_from
from edgebox.store.events import HealthRecord, Stream
from edgebox.store.peek import bodies
from hw_sim.cloud_keys import keyring
from tests.line_of_engine import NOW, RECEIPT, FakeLine, recorded, running, verified

GOOD = 'name = "wifi"\npurpose = "link"\n[[block]]\ntype = "text"\ntext = "free for guests"\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


@pytest.fixture
def own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /etc/edgebox/slips."""
    path = folder / "slips"
    path.mkdir()
    monkeypatch.setattr("edgebox.slip_shelf.OWN_SLIPS", path)
    return path


def said(folder: Path) -> dict[str, tuple[str, str]]:
    """The newest state and words of each part."""
    records = [msgspec.json.decode(body, type=HealthRecord) for body in bodies(folder / "data", Stream.HEALTH)]
    return {record.part: (record.state, record.words) for record in records}


async def one_receipt(folder: Path, *overrides: str, **how: object) -> Answer:
    async with running(folder, *overrides, **how) as engine:  # type: ignore[arg-type]
        return await (await FakeLine.connect(engine)).print_receipt(1, RECEIPT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('rev = 1\ncurrency = "EUR"\n[[tier]]\nid = "a"\nspend_per_point = 1\n', "rules in EUR, but the shop's"),
        ("rev = ", "rules.toml"),
        (None, "No such file"),
    ],
    ids=["another currency", "no TOML", "no file"],
)
def test_with_faulty_rules_there_are_no_points_but_the_receipt_is_recorded(
    folder: Path, text: str | None, words: str
) -> None:
    if text is not None:
        (folder / "rules.toml").write_text(text)
    rules = f"points.rules={folder}/rules.toml"
    answer = asyncio.run(one_receipt(folder, rules, "slip.show=points,wifi"))
    assert (answer.ref, b"HTTPS://M.EXAMPLE.CN/C/" in answer.body) == (b"", False)
    [record] = recorded(folder)
    assert (record.amount_minor, record.claim, record.points) == (3390, "", 0)
    assert record.why == "the points rules have a fault"
    assert said(folder)["rules"][0] == "failed"
    assert words in said(folder)["rules"][1]


def test_good_rules_of_the_fleet_mend_a_faulty_file(folder: Path) -> None:
    rules = rules_from({"rev": 1, "currency": "CNY", "tier": [{"id": "a", "spend_per_point": 10}]}, "rules")

    async def play() -> None:
        async with running(folder, f"points.rules={folder}/none.toml") as engine:
            engine.decisions.use_rules(rules)
            await (await FakeLine.connect(engine)).print_receipt(1, RECEIPT)

    asyncio.run(play())
    assert recorded(folder)[0].points == 339


def test_a_faulty_own_slip_is_left_out_and_the_shipped_one_of_its_name_is_printed(folder: Path, own: Path) -> None:
    (own / "points.toml").write_text(
        'name = "points"\npurpose = "claim"\n[[block]]\ntype = "text"\ntext = "{pionts}"\n'
    )
    (own / "wifi.toml").write_text(GOOD)
    answer = asyncio.run(one_receipt(folder, "slip.show=points,wifi"))
    assert verified(answer).amount_minor == 3390
    assert b"free for guests" in answer.body
    state, words = said(folder)["slips"]
    assert (state, "no field 'pionts'" in words) == ("warning", True)


def test_a_slip_that_is_not_there_costs_only_itself(folder: Path, own: Path) -> None:
    answer = asyncio.run(one_receipt(folder, "slip.show=points,ponits"))
    assert verified(answer).amount_minor == 3390
    assert said(folder)["slips"] == (
        "warning", "slip.show: no slip ponits; `edgebox slip list` shows those there are"
    )  # fmt: skip


def test_a_slip_whose_picture_is_gone_gives_way_to_the_one_before_it(folder: Path, own: Path) -> None:
    (own / "a.toml").write_text(GOOD + '[[block]]\ntype = "image"\nfile = "logo.png"\n')
    answer = asyncio.run(one_receipt(folder, "slip.show=points,wifi"))
    assert b"free for guests" not in answer.body
    assert recorded(folder)[0].slips[0] == "points"
    assert "logo.png: " in said(folder)["slips"][1]


def test_mended_files_are_well_again_at_the_next_start(folder: Path, own: Path) -> None:
    (own / "points.toml").write_text("name = ")
    asyncio.run(one_receipt(folder))
    assert said(folder)["slips"][0] == "warning"
    (own / "points.toml").unlink()
    asyncio.run(one_receipt(folder))
    assert said(folder)["slips"] == ("ok", "")


@pytest.mark.parametrize(
    ("days", "state", "words"),
    [
        (45, "ok", ""),
        (12, "warning", "for 12 days"),
        (0, "failed", "the claim keys are used up: no points are printed"),
    ],
)
def test_keys_that_run_out_are_said_a_month_ahead(folder: Path, days: int, state: str, words: str) -> None:
    keys = keyring(b"m" * 32, 4711, 12, NOW)
    now = keys.until - days * 86_400
    asyncio.run(one_receipt(folder, now=now))
    assert said(folder)["keys"] == (state, words)


def test_a_box_without_keys_says_so(folder: Path) -> None:
    asyncio.run(one_receipt(folder, keys=None))
    assert said(folder)["keys"] == ("failed", "no claim keys: no points are printed")


def test_config_check_names_faulty_rules_and_slips(folder: Path, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "points.toml").write_text("name = ")
    (folder / "rules.toml").write_text('rev = 1\ncurrency = "EUR"\n[[tier]]\nid = "a"\nspend_per_point = 1\n')
    settings = ["--set", f"points.rules={folder}/rules.toml", "--set", "slip.show=points,ponits"]
    assert cli.main(["config", "check", *settings]) == 2
    told = capsys.readouterr().err
    for words in ("points.toml: ", "no slip ponits", "rules in EUR"):
        assert words in told
