"""The desk and the cloud over a real broker: every answer, every loss, and at most one use of a coupon."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time

import pytest

from edgebox.desk.answers import Answer, Channel
from edgebox.desk.codes import Scan
from edgebox.engine import Engine
from edgebox.line.frames import Done, Frame, Job, JobPhase, JobState
from edgebox.scan.codes import Kind
from edgebox.store import redemptions
from edgebox.store.events import RedemptionState
from hw_sim.cloud.broker import find_mosquitto
from hw_sim.cloud.desk import Coupon
from hw_sim.cloud.misbehaviour import Mode
from hw_sim.cloud.registry import Box
from sync.contract import Answer as Reply
from sync.contract import Ask
from tests.desk.cloud_box import ASK_MS, DEVICE, STORE, Town, town, until
from tests.desk.fake_scanner import FakeScanner
from tests.desk.shop import FakeLine, recorded, signed_code, slip, words

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="Debian's mosquitto is not installed")
DAY_S = 86_400
SHORT = f"desk.ask_ms={ASK_MS}"
WEIXIN = [
    (Channel.WEIXIN_CARD, "40099", Answer.USED),
    (Channel.WEIXIN_CARD, "40127", Answer.GIVEN_AWAY),
    (Channel.WEIXIN_CARD, "40056", Answer.UNKNOWN),
    (Channel.WEIXIN_BUSIFAVOR, "USED", Answer.USED),
    (Channel.WEIXIN_BUSIFAVOR, "EXPIRED", Answer.EXPIRED),
    (Channel.WEIXIN_BUSIFAVOR, "DEACTIVATED", Answer.REVOKED),
]
FAILURES = [(Channel.WEIXIN_CARD, "-1"), (Channel.WEIXIN_BUSIFAVOR, "SYSTEM_ERROR")]


def _of_weixin(place: Town, channel: Channel, said: str) -> str:
    """A code of which WeChat says that."""
    code = f"{channel.value}-{said}"
    place.head.desk.issue(Coupon(code))
    place.head.desk.says[code] = f"{channel.value}:{said}"
    return code


def own_code(serial: int) -> str:
    today = int(time.time()) // DAY_S
    return signed_code(serial, store=STORE, device=DEVICE, first_day=today - 2, last_day=today + 2)


async def redeem(engine: Engine, code: str, amount_minor: int = 6000, channel: Channel = Channel.OWN) -> Answer:
    return (await engine.desk.redeem(Scan(code, "07", amount_minor, channel))).answer


async def again(engine: Engine, code: str, amount_minor: int = 6000) -> Answer:
    """The cashier scans until something is decided: on a loaded machine ASK_MS is short."""
    for _ in range(20):
        answer = await redeem(engine, code, amount_minor)
        if answer is not Answer.OFFLINE:
            break
    return answer


def test_every_answer_of_the_cloud_and_of_wechat_comes_through() -> None:
    async def play(place: Town) -> None:
        now = int(time.time())
        place.head.desk.issue(
            Coupon("GOOD", "tea", "s-7", 500), Coupon("LATE", ends=now - 1), Coupon("SOON", starts=now + 999),
            Coupon("FAR", stores=(77,)), Coupon("DEAR", threshold_minor=9000),
        )  # fmt: skip
        async with place.open() as engine:
            line = await FakeLine.connect(engine)
            assert await redeem(engine, "GOOD") is Answer.REDEEMED
            assert "Redeemed 1" in (await slip(line))[1]
            wanted = {"LATE": Answer.EXPIRED, "SOON": Answer.NOT_STARTED, "FAR": Answer.WRONG_STORE,
                      "DEAR": Answer.THRESHOLD, "NONE": Answer.UNKNOWN}  # fmt: skip
            for code, answer in wanted.items():
                assert await redeem(engine, code) is answer
                assert "NOT redeemed" in (await slip(line))[1]
            for channel, said, answer in WEIXIN:
                assert await redeem(engine, _of_weixin(place, channel, said), channel=channel) is answer
        async with place.open(SHORT) as engine:  # a failure is asked again as long as there is time
            for channel, said in FAILURES:
                assert await redeem(engine, _of_weixin(place, channel, said), channel=channel) is Answer.FAILURE
            place.head.desk.is_failing = True
            assert await redeem(engine, "DEAR") is Answer.FAILURE
        assert [code for code, _, _ in place.head.desk.used()] == ["GOOD"]

    with town() as place:
        asyncio.run(play(place))


def test_a_question_that_is_lost_is_asked_again_under_its_id() -> None:
    async def play(place: Town) -> None:
        place.head.desk.issue(Coupon("C-1"))
        async with place.open(SHORT) as engine:
            place.head.misbehave(Mode.REFUSE)
            assert await redeem(engine, "C-1") is Answer.OFFLINE
            assert place.requests() == []
            place.head.misbehave(Mode.NOTHING)
            assert await again(engine, "C-1") is Answer.REDEEMED
        asked = [one for one in recorded(place.folder) if one.number or one.state is RedemptionState.UNDECIDED]
        assert {one.request for one in asked} == set(place.requests())
        assert len(set(place.requests())) == 1

    with town() as place:
        asyncio.run(play(place))


def test_an_answer_behind_the_deadline_is_had_at_the_next_scan_or_the_coupon_is_given_back() -> None:
    async def play(place: Town) -> None:
        place.head.desk.issue(Coupon("BACK"), Coupon("GONE"))
        async with place.open(SHORT) as engine:
            place.head.misbehave(Mode.DELAY, delay_ms=ASK_MS + 150)
            for code in ("BACK", "GONE"):
                assert await redeem(engine, code) is Answer.OFFLINE
            await until(lambda: len(place.head.desk.used()) == 2)  # too late, and used up all the same
            place.head.misbehave(Mode.NOTHING)
            assert await again(engine, "BACK", 1) is Answer.REDEEMED
            assert len(set(place.requests())) == 2, "its id as before, with the bill as before"
            engine.clock = lambda: time.time() + 601  # nobody comes back with the other one
            await engine.desk.look()
            await until(lambda: [code for code, _, _ in place.head.desk.used()] == ["BACK"])
            engine.clock = time.time
            assert await again(engine, "GONE") is Answer.REDEEMED, "tomorrow it is good again"
            assert len(set(place.requests())) == 3
            assert len(place.head.desk.used()) == 2

    with town() as place:
        asyncio.run(play(place))


def test_a_broker_that_dies_between_question_and_answer_costs_nobody_a_coupon(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(place: Town) -> None:
        place.head.desk.issue(Coupon("C-1"))
        answer = place.head.desk.answer

        def answer_and_die(box: Box, ask: Ask) -> Reply:
            """The question has come, the coupon is used, and there is nobody to carry the answer."""
            found = answer(box, ask)
            place.broker.kill()
            return found

        async with place.open(SHORT) as engine:
            monkeypatch.setattr(place.head.desk, "answer", answer_and_die)
            assert await redeem(engine, "C-1") is Answer.OFFLINE
            await until(lambda: len(place.head.desk.used()) == 1)
            monkeypatch.undo()
            place.broker.start()
            await until(lambda: engine.desk.cloud is not None and engine.desk.cloud.is_connected)
            await until(lambda: place.head._wire is not None and place.head._wire.is_connected)
            assert await again(engine, "C-1") is Answer.REDEEMED
            assert len(set(place.requests())) == 1
            assert len(place.head.desk.used()) == 1

    with town() as place:
        asyncio.run(play(place))


def test_with_the_broker_there_and_the_cloud_away_the_limits_hold_until_it_has_heard_of_all() -> None:
    async def play(place: Town) -> None:
        async with place.open(SHORT) as engine:
            assert engine.store is not None
            assert engine.desk.cloud is not None
            await until(lambda: engine.desk.cloud.is_connected)  # type: ignore[union-attr]
            place.head.misbehave(Mode.DISAPPEAR)
            said = []
            for serial in range(4):
                said.append(await redeem(engine, own_code(serial)))
                engine.desk._synced_at = 0  # ten minutes later
                await engine.desk.look()
            assert said == [Answer.REDEEMED] * 3 + [Answer.LIMIT]
            assert engine.desk.cloud.is_connected
            place.head.misbehave(Mode.NOTHING)
            before = await engine.store.read(redemptions.spell)
            for _ in range(200):
                await engine.desk.look()
                if await engine.store.read(redemptions.spell) != before:
                    break
                await asyncio.sleep(0.05)
            assert (await engine.store.read(redemptions.spell))[1:] == (0, 0), "a new spell"

    with town() as place:
        asyncio.run(play(place))


def test_what_is_redeemed_alone_and_taken_back_is_settled_by_the_clouds_command() -> None:
    async def play(place: Town) -> None:
        code = own_code(1)
        place.head.desk.issue(Coupon(code, "amount_off", "s-8", 1000))
        async with place.open(SHORT) as engine:
            line = await FakeLine.connect(engine)
            place.head.misbehave(Mode.DELAY, delay_ms=ASK_MS + 150)  # its yes comes too late: both are one use
            said = await engine.desk.redeem(Scan(code, "07", 6000))
            assert (said.answer, said.offline) == (Answer.REDEEMED, True)
            assert "to be confirmed" in (await slip(line))[1]
            place.head.misbehave(Mode.NOTHING)
            await until(lambda: ("box-1", 1, "confirmed") in place.head.settlement.verdicts())
            assert (await engine.desk.reverse(1, "07", "wrong bill")).number == 2
            await slip(line)
            await until(lambda: ("box-1", 2, "confirmed") in place.head.settlement.verdicts())
            await until(lambda: not place.head.ledger.ask("SELECT 1 FROM verdicts WHERE is_done = 0"))
            assert place.head.desk.used() == []
            settlement = engine.desk.settlement
            assert settlement is not None
            assert await settlement.unsettled() == []
            assert await again(engine, code) is Answer.REDEEMED
        states = [one.state.value for one in recorded(place.folder)]
        assert sorted(states) == ["confirmed", "confirmed", "redeemed", "redeemed", "reversed"]

    with town() as place:
        asyncio.run(play(place))


# -- kill -9


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)


async def job(line: FakeLine) -> Job:
    """The next slip; what else the engine says is not for a printer."""
    frame: Frame = await line.next()
    while isinstance(frame, Done):
        frame = await line.next()
    assert isinstance(frame, Job), frame
    return frame


def test_kill_9_before_the_paper_and_before_the_word_of_it_print_the_slip_once() -> None:
    """The line lives: it prints a name once, however often it gets it. Paper ends in the middle of the second slip."""

    async def play(place: Town) -> None:
        place.head.desk.issue(Coupon("C-1", "tea"), Coupon("C-2", "cake"))
        async with place.running() as process:
            line = await place.line()
            scanner = await FakeScanner.connect(place.sockets())
            await until(lambda: place.head.fleet.state("box-1") is not None)
            assert await scanner.scan("C-1", Kind.COUPON)
            first = await job(line)
            assert "Redeemed 1" in words(first.body)
            await scanner.leave()
            kill(process)  # on disk, on its way, not printed
        async with place.running() as process:
            line = await place.line()
            again = await job(line)
            assert (again.job, again.body) == (first.job, first.body)
            line.send(JobState(again.job, JobPhase.PRINTING, ""), JobState(again.job, JobPhase.SENT, ""))
            scanner = await FakeScanner.connect(place.sockets())
            await until(lambda: place.head.fleet.is_online("box-1"))
            assert await scanner.scan("C-1", Kind.COUPON)
            assert "Already used" in words((await job(line)).body)
            assert await scanner.scan("C-2", Kind.COUPON)
            second = await job(line)
            line.send(JobState(second.job, JobPhase.PRINTING, ""))  # half of it is out, then there is no paper
            await scanner.leave()
            kill(process)
        async with place.running():
            line = await place.line()
            same = await job(line)
            assert same.job == second.job, "the line still has it, and prints the rest when there is paper"
            line.send(JobState(same.job, JobPhase.PRINTING, ""), JobState(same.job, JobPhase.PRINTED, ""))
            await until(lambda: len(place.head.desk.used()) == 2)
        numbers = [one.number for one in recorded(place.folder) if one.number]
        assert numbers == [1, 2]

    with town() as place:
        asyncio.run(play(place))
