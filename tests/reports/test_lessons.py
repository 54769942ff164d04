"""A person taps the total on a paper; the box learns it, shows what it would change, and reads by it."""

import asyncio
from pathlib import Path

import pytest

from edgebox.errors import ReportError
from edgebox.reports.lessons import Change, Tap
from edgebox.taught import load_taught
from tests.line_of_engine import SESSION, FakeLine, running
from tests.reports.shop import reported

NAME = SESSION.hex()
# A till whose total has a name that no list knows.
ODD = (
    b"NOODLE BAR\nReceipt No: %06d\n2026-11-18 18:42:07\n"
    b"MILK            16.00\nBREAD           17.90\n--------------------------------\nTAX 6%%           1.90\n"
    b"SERVICE          0.00\nROUNDING         0.00\nCLEARING        %d.90\n\n"
)


def paper(number: int) -> bytes:
    return ODD % (number, 33 + number)


def line_of(texts: list[str], word: str) -> int:
    return next(place for place, text in enumerate(texts) if word in text)


def test_a_tapped_total_becomes_a_profile_that_is_tried_and_then_in_force(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path, "till.learn_layouts=0") as (engine, reports):
            line = await FakeLine.connect(engine)
            for number in range(1, 8):
                assert not (await line.print_receipt(number, paper(number))).body
            taps = []
            for document in (6, 7):
                texts = [row.text for row in (await reports.paper(NAME, document)).rows]
                taps.append(Tap(NAME, document, total_line=line_of(texts, "CLEARING")))
            lesson = await reports.lesson("noodles", taps, prints_after_payment=True)
            assert lesson.profile is not None, lesson.ambiguous
            assert lesson.is_safe
            assert [trial.after_minor for trial in lesson.trials] == [3390 + 100 * number for number in range(7, 0, -1)]
            assert {trial.change for trial in lesson.trials} == {Change.GAINED}
            assert (lesson.of, len(lesson.trials)) == (7, 7)
            assert await reports.learn(lesson, "owner") == "noodles"
            assert (await line.print_receipt(9, paper(9))).body, "it earns now"
            found = await reports.receipt(NAME, 9)
            assert (found.record.profile, found.record.amount_minor) == ("noodles", 4290)
            assert [row.what for row in (await reports.audit()).rows] == ["profile taught"]

    asyncio.run(play())

    async def after_a_restart() -> None:
        async with running(tmp_path, "till.learn_layouts=0") as engine:
            line = await FakeLine.connect(engine, session=b"\x02" * 8)
            assert (await line.print_receipt(1, paper(10))).body

    asyncio.run(after_a_restart())


def test_a_profile_that_would_change_a_sure_total_is_told_as_wrong(tmp_path: Path) -> None:
    raw = (
        b"NO: %06d 2026-11-18 18:42:07\nMILK  16.00\nBREAD 17.90\nTOTAL 33.90\nCASH 50.00\nCHANGE 16.10\nSAVED %d.00\n"
    )

    async def play() -> None:
        async with reported(tmp_path, "till.learn_layouts=0") as (engine, reports):
            line = await FakeLine.connect(engine)
            for number in range(1, 7):
                await line.print_receipt(number, raw % (number, number))
            texts = [row.text for row in (await reports.paper(NAME, 6)).rows]
            lesson = await reports.lesson("milky", [Tap(NAME, 6, total_line=line_of(texts, "MILK"))])
            if lesson.profile is not None:
                assert not lesson.is_safe
                assert {trial.change for trial in lesson.trials} <= {Change.WRONG, Change.LOST}

    asyncio.run(play())


def test_a_kind_that_was_tapped_is_in_the_profile(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path, "till.learn_layouts=0") as (engine, reports):
            line = await FakeLine.connect(engine)
            for number in range(1, 8):
                await line.print_receipt(number, b"ZAHLBELEG INTERN\n" + paper(number))
            texts = [row.text for row in (await reports.paper(NAME, 7)).rows]
            tap = Tap(NAME, 7, line_of(texts, "CLEARING"), kind_line=line_of(texts, "ZAHLBELEG"), kind="training")
            lesson = await reports.lesson("noodles", [tap], prints_after_payment=True)
            assert lesson.profile is not None, lesson.ambiguous
            assert 'training = ["zahlbeleg intern"]' in lesson.toml
            assert lesson.trials[0].used
            assert lesson.trials[0].after_kind == "training", "its heading is kept once it is familiar"

    asyncio.run(play())


@pytest.mark.parametrize(
    "tap",
    [
        Tap(NAME, 1, total_line=99),
        Tap(NAME, 1, total_line=0),  # hidden
        Tap(NAME, 1, total_line=9, kind_line=2, kind="sale"),  # a date is no word for a kind
    ],
)
def test_a_tap_beside_the_mark_is_told(tmp_path: Path, tap: Tap) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            await (await FakeLine.connect(engine)).print_receipt(1, paper(1))
            with pytest.raises(ReportError) as caught:
                await reports.lesson("x", [tap])
            assert caught.value.reason == "taps"
            with pytest.raises(ReportError):
                await reports.lesson("x", [tap] * 4)

    asyncio.run(play())


def test_a_broken_profile_in_the_folder_stops_nothing_and_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "receipts"
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("layouts = [", "utf-8")

    async def play() -> None:
        async with running(tmp_path) as engine:
            assert (await (await FakeLine.connect(engine)).print_receipt(1)).body
            assert engine.counters["faults"] >= 1

    asyncio.run(play())
    assert len(load_taught(tmp_path / "data").faults) == 1


def test_what_was_taught_can_be_taken_back(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path, "till.learn_layouts=0") as (engine, reports):
            line = await FakeLine.connect(engine)
            for number in range(1, 8):
                await line.print_receipt(number, paper(number))
            texts = [row.text for row in (await reports.paper(NAME, 7)).rows]
            tap = Tap(NAME, 7, total_line=line_of(texts, "CLEARING"))
            await reports.learn(await reports.lesson("noodles", [tap], prints_after_payment=True), "owner")
            assert await reports.unlearn("noodles", "owner")
            assert not await reports.unlearn("noodles", "owner")
            assert not await reports.unlearn("../../etc/passwd", "owner")
            assert not (await line.print_receipt(9, paper(9))).body

    asyncio.run(play())
