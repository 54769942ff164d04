"""The tally on paper is the tally: nothing is left out silently, however long a shift was."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgebox.desk import words
from edgebox.desk.paper import Where
from edgebox.desk.shift import Closed
from edgebox.desk.tally import Sum, Tally
from edgebox.desk.words import Shop
from edgebox.slips.facts import ROWS_MAX
from edgebox.store.redemptions import ClosedShift
from tests.desk.shop import NOW, FakeLine, shop, until

SHOP = Shop("SHOP", "CNY", 2)
AT = datetime(2026, 11, 18, 19, 6, tzinfo=UTC)


def rows(found: Tally) -> list[tuple[str, str]]:
    return list(words.tally(found, AT, "2026-11-18 09:00", SHOP, copy=False)(("en",)).rows["rows"])


def numbers(found: Tally, heading: str) -> list[int]:
    """As whoever reads the slip counts them."""
    said = " ".join(right for left, right in rows(found) if left == heading).split()
    spans = [[int(part) for part in one.split("-")] for one in said]
    return [number for span in spans for number in range(span[0], span[-1] + 1)]


def counted(found: Tally, heading: str) -> int:
    return sum(int(right.split()[0]) for left, right in rows(found) if left.startswith(heading))


def of(count: int, **more: object) -> Tally:
    """`count` cashiers, coupons and batches, each with as many uses as its place says."""
    sums = tuple((f"n-{number:04}", (number, number * 100, 0)) for number in range(1, count + 1))
    whole: Sum = tuple(map(sum, zip(*(one for _, one in sums), strict=True))) if sums else (0, 0, 0)  # type: ignore[assignment]
    return Tally((1, whole[0]), whole, sums, sums, sums, (), (), sums)._replace(**more)  # type: ignore[arg-type]


@given(st.sets(st.integers(1, 3000), max_size=540), st.sets(st.integers(1, 3000), max_size=540))
@example(set(range(1, 1080, 2)), set(range(1000, 3000)))
def test_every_number_taken_back_or_to_be_confirmed_is_on_it(back: set[int], alone: set[int]) -> None:
    found = of(2, reversed=tuple(sorted(back)), offline=tuple(sorted(alone)))
    assert numbers(found, "taken back") == sorted(back)
    assert numbers(found, "to be confirmed") == sorted(alone)


@given(st.integers(0, 400))
def test_however_many_kinds_there_are_each_heading_adds_up_to_the_whole(count: int) -> None:
    found = of(count, reversed=tuple(range(1, 3000, 2)), offline=(7, 8, 9))
    for heading in ("cashier", "coupon", "batch", "for points"):
        assert counted(found, heading) == found.total[0]
    assert numbers(found, "to be confirmed") == [7, 8, 9], "behind all else, and still there"


def test_it_names_the_slips_that_should_be_in_the_drawer() -> None:
    assert ("slips", "1-10") in rows(of(4))
    assert ("slips", "-") in rows(of(0, slips=(0, 0)))


def test_more_numbers_than_any_paper_holds_are_said_to_be_more() -> None:
    found = of(1, offline=tuple(range(1, 40_000, 2)))
    said = [right for left, right in rows(found) if left == "to be confirmed"]
    named = " ".join(said[:-1]).split()
    assert said[-1] == f"+ {20_000 - len(named)}"
    assert len(rows(found)) < ROWS_MAX


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("profile", ["generic-80", "generic-58", "generic-80-raster"])
def test_the_longest_shift_still_comes_out_of_the_narrowest_printer(
    language: str, profile: str, tmp_path: Path
) -> None:
    """Forty kinds of everything with the longest names, and a thousand numbers each."""

    async def play() -> None:
        async with shop(tmp_path, f'slip.languages=["{language}"]') as engine:
            await FakeLine.connect(engine, profile=profile)
            await until(lambda: "line1" in engine.lines)
            sums = tuple((f"{number:064}", (1, 100, 0)) for number in range(40))
            odd = tuple(range(1001, 3000, 2))
            found = Tally((1, 3000), (40, 4000, 0), sums, sums, sums, odd, odd, sums)
            tallies = engine.desk.tallies
            assert tallies is not None
            closed = Closed(ClosedShift(1, NOW, NOW, 0, 3000, "boss"), found)
            assert tallies._composed(closed, Where("line1", ""), is_copy=False)

    asyncio.run(play())
