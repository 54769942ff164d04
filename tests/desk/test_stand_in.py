"""The box's desk and the stand-in's desk together: answers that get lost cost nobody a coupon, and give nobody two."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgebox.desk.answers import Answer
from edgebox.desk.codes import Scan
from edgebox.errors import SyncError
from hw_sim.cloud.desk import Coupon, Desk
from sync.contract import Answer as Said
from sync.contract import Ask
from tests.desk.shop import NOW, shop
from tests.hw_sim.boxes import PaperBox, cloud


class Link:
    """The way to the stand-in. `loses`: so many answers are lost on their way back."""

    def __init__(self, desk: Desk, box: PaperBox, loses: int = 0) -> None:
        self.is_connected = True
        self._desk, self._box, self._loses = desk, box, loses

    async def ask(self, what: str, args: Mapping[str, Any], name: str, timeout_s: float) -> Said:
        answer = self._desk.answer(self._box.box, Ask(id=name, what=what, args=dict(args)))
        if self._loses:
            self._loses -= 1
            raise SyncError("the cloud does not answer", reason="no_answer")
        return answer


def test_a_lost_yes_is_said_again_and_the_coupon_is_used_once(tmp_path: Path) -> None:
    async def play() -> None:
        with cloud(tmp_path) as head:
            head.desk.issue(Coupon("C-100", "five off", "stock-7", 500))
            box, other = PaperBox(head), PaperBox(head, "box-2", 2)
            async with shop(tmp_path) as engine:
                engine.desk.use_cloud(Link(head.desk, box, loses=1))
                assert (await engine.desk.redeem(Scan("C-100"))).answer is Answer.OFFLINE
                assert len(head.desk.used()) == 1, "the cloud had said yes"
                again = await engine.desk.redeem(Scan("C-100"))
                assert (again.answer, again.worth.stock, again.worth.value_minor) == (Answer.REDEEMED, "stock-7", 500)
                assert (await engine.desk.redeem(Scan("C-100"))).answer is Answer.USED
            elsewhere = tmp_path / "elsewhere"
            elsewhere.mkdir()
            async with shop(elsewhere) as engine:
                engine.desk.use_cloud(Link(head.desk, other))
                assert (await engine.desk.redeem(Scan("C-100"))).answer is Answer.USED

    asyncio.run(play())


@pytest.mark.parametrize(
    ("coupon", "answer"),
    [
        (Coupon("C", ends=NOW), Answer.EXPIRED),
        (Coupon("C", starts=NOW + 60), Answer.NOT_STARTED),
        (Coupon("C", stores=(77,)), Answer.WRONG_STORE),
        (Coupon("C", threshold_minor=9000), Answer.THRESHOLD),
        (Coupon("another"), Answer.UNKNOWN),
    ],
)
def test_each_no_of_the_cloud_is_told_for_what_it_is(coupon: Coupon, answer: Answer, tmp_path: Path) -> None:
    async def play() -> None:
        with cloud(tmp_path) as head:
            head.desk.issue(coupon)
            async with shop(tmp_path) as engine:
                engine.desk.use_cloud(Link(head.desk, PaperBox(head)))
                assert (await engine.desk.redeem(Scan("C", amount_minor=8999))).answer is answer

    asyncio.run(play())


def test_a_cloud_in_trouble_takes_no_coupon(tmp_path: Path) -> None:
    async def play() -> None:
        with cloud(tmp_path) as head:
            head.desk.issue(Coupon("C"))
            head.desk.is_failing = True
            async with shop(tmp_path) as engine:
                engine.desk.use_cloud(Link(head.desk, PaperBox(head)))
                assert (await engine.desk.redeem(Scan("C"))).answer is Answer.FAILURE
                head.desk.is_failing = False
                assert (await engine.desk.redeem(Scan("C"))).answer is Answer.REDEEMED

    asyncio.run(play())
