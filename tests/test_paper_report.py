"""Metres of paper a month: what slips cost, from the records of receipts."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edgebox import cli
from edgebox.line.frames import Done, Result
from edgebox.paper_report import Month, Printed, as_json, month_of, report, words
from edgebox.slip_files import slip_from
from tests.line_of_engine import RECEIPT, FakeLine, recorded, running

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOVEMBER = month_of("2026-11", SHANGHAI)
DAY = 86_400


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def printed(*slips: tuple[str, int], day: int = 1) -> Printed:
    names, lengths = tuple(name for name, _ in slips), tuple(mm for _, mm in slips)
    return Printed(NOVEMBER.begin + day * DAY, names, lengths, sum(lengths))


def test_a_month_is_the_shops_and_may_have_a_day_of_another_length() -> None:
    assert Month("2026-11", 1_793_462_400, 1_796_054_400) == NOVEMBER
    assert month_of("2026-12", SHANGHAI).end == month_of("2027-01", SHANGHAI).begin
    assert month_of("2026-10", ZoneInfo("Europe/Berlin")).days == 31 + 1 / 24


@pytest.mark.parametrize("name", ["", "2026", "2026-13", "26-1-1", "November"])
def test_what_is_no_month_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"does not match|unconverted"):
        month_of(name, SHANGHAI)


def test_each_slip_is_counted_with_its_own_length() -> None:
    records = [printed(("points", 28), ("coupon", 40)), printed(("points", 30)), printed()]
    found = report(NOVEMBER, records, NOVEMBER.begin, NOVEMBER.end)
    assert (found.receipts, found.total.printed, found.total.mm) == (2, 3, 98)
    assert [(row.name, row.printed, row.mm) for row in found.slips] == [("points", 2, 58), ("coupon", 1, 40)]


def test_a_month_of_which_ten_days_are_over_comes_to_three_times_as_much() -> None:
    found = report(NOVEMBER, [printed(("points", 1000))], 0, NOVEMBER.begin + 10 * DAY)
    assert (found.days, found.of_days, found.total.mm_a_month) == (10.0, 30, 3000)


def test_a_box_that_came_in_the_middle_of_the_month_is_not_taken_for_one_that_printed_little() -> None:
    found = report(NOVEMBER, [printed(("points", 1000))], NOVEMBER.begin + 15 * DAY, NOVEMBER.end + 90 * DAY)
    assert (found.days, found.total.mm_a_month) == (15.0, 2000)


def test_the_first_hour_says_nothing_about_a_month() -> None:
    found = report(NOVEMBER, [printed(("points", 1000))], NOVEMBER.begin, NOVEMBER.begin + 3600)
    assert found.total.mm_a_month == 30_000


def test_a_record_with_only_the_sum_shares_it_out_to_the_last_millimetre() -> None:
    old = Printed(NOVEMBER.begin, ("points", "coupon", "wifi"), (), 100)
    found = report(NOVEMBER, [old], 0, NOVEMBER.end)
    assert sorted(row.mm for row in found.slips) == [33, 33, 34]


def test_the_words_are_metres_and_the_json_millimetres() -> None:
    found = report(NOVEMBER, [printed(("points", 31_200))], 0, NOVEMBER.begin + 15 * DAY)
    text = words(found)
    assert text.startswith("2026-11, 15 of 30 days: 1 receipts with slips, 31.2 m of paper; 62.4 m a month")
    assert "points        1    31.2     62.4" in text
    assert json.loads(as_json(found))["slips"] == [{"name": "points", "printed": 1, "mm": 31_200, "mm_a_month": 62_400}]
    assert words(report(NOVEMBER, [printed()], 0, NOVEMBER.end)) == "2026-11: no slip was printed"


def test_the_command_reads_what_the_engine_recorded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = [{"type": "text", "text": "hello"}]
    wifi = slip_from({"name": "wifi", "purpose": "link", "block": block}, "s")
    own = slip_from({"name": "share", "purpose": "link", "placement": "own_slip", "block": block}, "s")

    async def play() -> None:
        async with running(folder, "slip.show=points,wifi,share") as engine:
            engine.decisions.use_slips([wifi, own])
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
            line.outcome(1, Result.INSERTED, answer.ref)
            while await line.next() != Done(1):
                pass  # the slip of its own

    asyncio.run(play())
    [record] = recorded(folder)
    assert record.slips == ("points", "wifi", "share")
    assert len(record.slips_mm) == 3
    assert abs(sum(record.slips_mm) - record.slip_mm) <= 2
    command = ["slip", "paper", "--month", "2026-11", "--data", str(folder / "data")]
    assert cli.main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["printed"]) for row in found["slips"]] == sorted(
        zip(record.slips, (1, 1, 1), strict=True), key=lambda one: -record.slips_mm[record.slips.index(one[0])]
    )
    assert found["total"]["mm"] == sum(record.slips_mm)
    assert cli.main(command) == 0
    assert "1 receipts with slips" in capsys.readouterr().out


def test_a_folder_without_a_database_and_a_word_that_is_no_month_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["slip", "paper", "--data", str(folder)]) != 0
    assert str(folder) in capsys.readouterr().err
    assert cli.main(["slip", "paper", "--month", "november", "--data", str(folder)]) != 0
    assert "no month: november" in capsys.readouterr().err
