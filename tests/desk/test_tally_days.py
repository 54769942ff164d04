"""Random days at the desk: every sum on every tally is the journal's, and each slip is in one shift."""

from __future__ import annotations

import asyncio
import csv
import io
import random
from collections import Counter
from pathlib import Path

import pytest

from edgebox.cli import main
from edgebox.desk.answers import Answer
from edgebox.desk.codes import Scan
from edgebox.desk.tally import COLUMNS, Sum, Tally
from edgebox.engine import Engine
from edgebox.line.frames import JobPhase, JobState
from edgebox.store import redemptions
from edgebox.store.events import RedemptionRecord
from tests.desk.shop import NOW, CloudOfTest, FakeLine, next_job, recorded, shop, signed_code, slip, words, yes

STEPS = 25
LIMITS = ("max_count = 3", "max_count = 99"), ("max_total = 5000", "max_total = 999999")
CODES = {f"C{n}": yes(100 + n, coupon=f"kind-{n % 3}", stock=f"s-{n % 4}", points=n) for n in range(12)}


class Day:
    """What happens, by a seed; what the desk itself says of its shifts is kept."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.tallies: dict[int, Tally] = {}
        self.good: list[int] = []
        self.cloud = CloudOfTest(**CODES)

    async def go_on(self, engine: Engine, steps: int) -> None:
        desk, chance = engine.desk, self.chance
        desk.use_cloud(self.cloud)
        for _ in range(steps):
            what = chance.choice(["online", "online", "alone", "alone", "back", "again", "shift"])
            cashier = chance.choice(["07", "08", ""])
            if what == "online":
                self.cloud.is_connected = True
                await self._keep(engine, Scan(chance.choice(list(CODES)), cashier))
            elif what == "alone":
                self.cloud.is_connected = False
                await self._keep(engine, Scan(signed_code(chance.randrange(30), value=1100), cashier))
            elif what == "back" and self.good:
                await desk.reverse(chance.choice(self.good), cashier, "wrong bill")
            elif what == "again" and self.good:
                await desk.reverse(self.good[0], cashier, "twice")
            elif what == "shift":
                await self._close(engine)

    async def _keep(self, engine: Engine, scan: Scan) -> None:
        said = await engine.desk.redeem(scan)
        if said.answer is Answer.REDEEMED:
            self.good.append(said.number)

    async def _close(self, engine: Engine) -> None:
        shifts = engine.desk.shifts
        assert shifts is not None
        closed = await shifts.close("boss", NOW, is_asked=True)
        assert closed is not None
        self.tallies[closed.shift.number] = closed.tally


def by_hand(records: list[RedemptionRecord]) -> Tally:
    """From the journal's events alone, counted one by one."""
    count: Counter[tuple[str, str]] = Counter()
    minor: Counter[tuple[str, str]] = Counter()
    points: Counter[tuple[str, str]] = Counter()
    for one in records:
        sign = {"redeemed": 1, "reversed": -1}[one.state.value]
        for key in (("all", ""), ("cashier", one.cashier), ("coupon", one.coupon), ("stock", one.stock)):
            count[key] += sign
            minor[key] += sign * one.value_minor
            points[key] += sign * one.points

    def sums(kind: str) -> tuple[tuple[str, Sum], ...]:
        names = sorted(name for heading, name in count if heading == kind and (name or kind == "cashier"))
        return tuple((name, (count[kind, name], minor[kind, name], points[kind, name])) for name in names)

    numbers = [one.number for one in records]
    whole = (count["all", ""], minor["all", ""], points["all", ""])
    back = tuple(one.number for one in records if one.state.value == "reversed")
    alone = tuple(one.number for one in records if one.offline and one.state.value == "redeemed")
    slips = (min(numbers, default=0), max(numbers, default=0))
    return Tally(slips, whole, sums("cashier"), sums("coupon"), sums("stock"), back, alone)


@pytest.mark.parametrize("seed", range(6))
def test_each_tally_of_a_random_day_is_what_the_journal_adds_up_to(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.desk import shop as shop_of_test

    for before, after in LIMITS:
        monkeypatch.setattr(shop_of_test, "RULES", shop_of_test.RULES.replace(before, after))
    day = Day(seed)

    async def play() -> None:
        for part in range(3):  # the box is restarted in between
            async with shop(tmp_path) as engine:
                assert engine.store is not None
                await engine.store.change(lambda db: redemptions.put_synced(db, NOW - 60))
                await day.go_on(engine, STEPS)
                if part == 2:
                    await day._close(engine)

    asyncio.run(play())
    numbered = [one for one in recorded(tmp_path) if one.number]
    assert [one.number for one in numbered] == list(range(1, len(numbered) + 1)), "no gap"
    assert {(one.state.value, one.offline) for one in numbered} >= {
        ("redeemed", True), ("redeemed", False), ("reversed", True),
    }, "a day on which all of it happens"  # fmt: skip
    assert sorted({one.shift for one in numbered}) == sorted(n for n, t in day.tallies.items() if t.slips[1])
    for shift, found in day.tallies.items():
        assert found == by_hand([one for one in numbered if one.shift == shift])
        listed = _csv(tmp_path, shift, capsys)
        assert [int(row["number"]) for row in listed] == [one.number for one in numbered if one.shift == shift]
        sums = (sum(int(row["count"]) for row in listed), round(sum(100 * float(row["value"]) for row in listed)))
        assert sums == found.total[:2]


def _csv(folder: Path, shift: int, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert main(["desk", "tally", "--csv", "--shift", str(shift), "--set", f"engine.data={folder}/data"]) == 0
    reader = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert tuple(reader.fieldnames or ()) == COLUMNS
    return list(reader)


# -- the tally's paper


async def _one_redeemed(engine: Engine, line: FakeLine) -> None:
    engine.desk.use_cloud(CloudOfTest(C1=yes()))
    await engine.desk.redeem(Scan("C1", "07"))
    await slip(line)


def test_a_tally_is_printed_once_and_again_as_a_copy_when_asked_for(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            await _one_redeemed(engine, line)
            assert await engine.desk.close_shift("boss")
            _, said = await slip(line)
            assert "total 1 5.00" in said
            assert "COPY" not in said
            asked = asyncio.create_task(engine.desk.print_tally())
            _, again = await slip(line)
            assert await asked
            assert "COPY" in again
            assert "total 1 5.00" in again
            assert not await engine.desk.print_tally(7), "there is no such shift"

    asyncio.run(play())


def test_a_tally_whose_engine_died_is_printed_at_the_next_start(tmp_path: Path) -> None:
    """Closed on disk, not yet on paper; the line has lived on, so a name is printed once, and it is no copy."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            await _one_redeemed(engine, line)
            await engine.desk.close_shift("boss")
            first = await next_job(line)
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            second = await next_job(line)
            assert (second.job, second.body) == (first.job, first.body)
            line.send(JobState(second.job, JobPhase.PRINTING, ""), JobState(second.job, JobPhase.SENT, ""))
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            await _sale(line)

    asyncio.run(play())


def test_a_tally_that_may_be_out_says_copy_at_another_line_process(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            await _one_redeemed(engine, line)
            await engine.desk.close_shift("boss")
            assert "COPY" not in words((await next_job(line)).body)
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine, session=b"\x02" * 8)
            assert "COPY" in (await slip(line))[1]

    asyncio.run(play())


async def _sale(line: FakeLine) -> None:
    """Nothing else is on its way: the next frame is the answer to a receipt."""
    await line.print_receipt(1)


# -- the command


def test_the_command_shows_a_shift_and_says_when_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            await _one_redeemed(engine, line)
            there = ["--set", f"engine.data={tmp_path}/data"]
            assert main(["desk", "tally", *there]) == 0, "while the engine runs"
            said = capsys.readouterr().out
            assert "shift 1" in said
            assert "cashier 07" in said
            assert main(["desk", "shifts", *there]) == 0
            assert main(["desk", "conflicts", *there]) == 0
            assert "agrees" in capsys.readouterr().out
            assert main(["desk", "tally", "--shift", "9", *there]) == 2
            assert "no shift 9" in capsys.readouterr().err

    asyncio.run(play())
    assert main(["desk", "tally", "--set", f"engine.data={tmp_path}/nowhere"]) == 2
