"""What the fleet says to the coupon desk, and asks of it: verdicts on redemptions, a shift's sums."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.desk.codes import Scan
from edgebox.store.events import RedemptionRecord
from sync.contract import Reply
from tests.box_of_orders import Box, box
from tests.desk.shop import CloudOfTest, recorded, yes

REFUSED: list[dict[str, Any]] = [
    {},
    {"verdicts": []},
    {"verdicts": [{"request": "r", "code": "no hex", "number": 1, "verdict": "confirmed"}]},
    {"verdicts": [{"request": "r", "code": "a" * 32, "number": 0, "verdict": "confirmed"}]},
    {"verdicts": [{"request": "r", "code": "a" * 32, "number": 1, "verdict": "maybe"}]},
    {"verdicts": [{"request": "r", "code": "a" * 32, "number": 1, "verdict": "conflict", "other": "a\nb"}]},
    {"verdicts": [{"request": "r", "code": "a" * 32, "number": 1, "verdict": "conflict", "pay": 5}]},
    {"verdicts": [{"request": "r", "code": "a" * 32, "number": 1, "verdict": "confirmed"}] * 201},
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def said(reply: Reply) -> Any:
    """The result as it goes over the wire."""
    return msgspec.json.decode(msgspec.json.encode(reply.result))


async def redeemed(shop: Box, folder: Path, *codes: str) -> list[RedemptionRecord]:
    shop.engine.desk.use_cloud(CloudOfTest(**{code: yes(500) for code in codes}))
    for code in codes:
        await shop.engine.desk.redeem(Scan(code, "07"))
    return recorded(folder)


def conflict(one: RedemptionRecord, **changes: Any) -> dict[str, Any]:
    plain = {"request": one.request, "code": one.code, "number": one.number, "verdict": "conflict", "other": "East"}
    return {**plain, "other_at": one.at - 60, **changes}


def test_a_verdict_is_written_down_once_and_slips_that_are_not_here_are_named(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            [one] = await redeemed(shop, folder, "C1")
            verdicts = [conflict(one), conflict(one, number=7)]
            reply = await shop.give("coupons.settle", {"verdicts": verdicts}, "operator-1")
            assert (reply.state.value, said(reply)) == ("succeeded", {"new": 1, "unknown": [7]})
            reply = await shop.give("coupons.settle", {"verdicts": verdicts}, "operator-1")
            assert said(reply) == {"new": 0, "known": 1, "unknown": [7]}
            assert len(await shop.engine.desk.settlement.conflicts()) == 1  # type: ignore[union-attr]
            await shop.give("coupons.settle", {"verdicts": [conflict(one, verdict="confirmed")]}, "operator-1")
            assert await shop.engine.desk.settlement.conflicts() == []  # type: ignore[union-attr]

    asyncio.run(play())
    assert [one.state.value for one in recorded(folder)] == ["redeemed", "conflict", "confirmed"]


@pytest.mark.parametrize("args", REFUSED)
def test_what_is_no_verdict_is_refused(args: dict[str, Any], folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            reply = await shop.give("coupons.settle", args, "operator-1")
            assert (reply.state.value, reply.reason) == ("rejected", "bad_args")

    asyncio.run(play())
    assert recorded(folder) == []


def test_the_fleet_sees_the_sums_of_an_open_and_of_a_closed_shift(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await redeemed(shop, folder, "C1", "C2")
            await shop.engine.desk.reverse(1, "08", "wrong bill")
            now = await shop.give("desk.tally", {}, "operator-1")
            assert said(now)["ended"] == 0
            assert said(now)["total"] == [1, 500, 0]
            assert said(now)["by_cashier"] == {"07": [2, 1000, 0], "08": [-1, -500, 0]}
            assert said(now)["taken_back"] == [3]
            assert await shop.engine.desk.close_shift("boss")
            closed = await shop.give("desk.tally", {"shift": 1}, "operator-1")
            assert said(closed) == {**said(now), "ended": said(closed)["ended"]}
            assert said(closed)["ended"] > 0
            missing = await shop.give("desk.tally", {"shift": 9}, "operator-1")
            assert (missing.state.value, missing.reason) == ("failed", "no_such_shift")

    asyncio.run(play())


def test_a_desk_that_is_not_open_says_so(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            shop.engine.desk.settlement = shop.engine.desk.shifts = None
            verdict = {"request": "r", "code": "a" * 32, "number": 1, "verdict": "confirmed"}
            asked: dict[str, dict[str, Any]] = {"desk.tally": {}, "coupons.settle": {"verdicts": [verdict]}}
            for name, args in asked.items():
                reply = await shop.give(name, args, "operator-1")
                assert (reply.state.value, reply.reason) == ("failed", "no_desk")

    asyncio.run(play())
