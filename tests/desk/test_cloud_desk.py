"""The desk with a cloud that answers, refuses, stumbles, is late or away: one request id, and at most one use."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path
from typing import Any

import pytest

from edgebox.desk.answers import Answer, Beep, Channel
from edgebox.desk.codes import Scan
from edgebox.engine import Engine
from edgebox.errors import SyncError
from edgebox.store import redemptions
from edgebox.store.events import RedemptionState, Stream
from sync.contract import Answer as Said
from tests.desk.shop import KEYS, NOW, CloudOfTest, FakeLine, no, on_disk, recorded, shop, signed_code, slip, yes

AWAY = SyncError("the cloud is not there", reason="offline")


async def with_cloud(engine: Engine, cloud: CloudOfTest, *, synced_s_ago: int = 60) -> FakeLine:
    engine.desk.use_cloud(cloud)
    assert engine.store is not None
    await engine.store.change(lambda db: redemptions.put_synced(db, NOW - synced_s_ago))
    return await FakeLine.connect(engine)


async def acknowledged(engine: Engine) -> None:
    """The cloud has all that the desk recorded."""
    assert engine.store is not None
    store = engine.store
    for epoch in (one for one in await store.extents() if one.stream is Stream.REDEMPTIONS):
        await store.acknowledge(Stream.REDEMPTIONS, epoch.epoch, epoch.end)


def test_a_code_of_the_cloud_is_redeemed_with_what_the_cloud_says(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest(C1=yes(title="Green tea", points=30))
            line = await with_cloud(engine, cloud)
            outcome = await engine.desk.redeem(Scan(" C1\n", "07", amount_minor=8390))
            assert (outcome.answer, outcome.worth.stock, outcome.worth.points) == (Answer.REDEEMED, "s-7", 30)
            _, said = await slip(line)
            assert "Green tea" in said
            assert "points 30" in said
            [(request, args)] = cloud.asked
            assert args == {"code": "C1", "amount_minor": 8390}
            assert len(request) == 32
            assert (await engine.desk.redeem(Scan("C1"))).answer is Answer.USED
            assert len(cloud.asked) == 1, "the box knows that by itself"

    asyncio.run(play())
    [one, _] = recorded(tmp_path)
    assert (one.source, one.coupon, one.stock, one.value_minor, one.cashier) == ("cloud", "tea", "s-7", 500, "07")
    assert one.line == "line1"


@pytest.mark.parametrize("answer", ["used", "expired", "not_started", "wrong_store", "threshold", "unknown"])
def test_each_no_has_its_own_slip_and_beep(answer: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_cloud(engine, CloudOfTest(C1=no(answer)))
            outcome = await engine.desk.redeem(Scan("C1"))
            assert (outcome.answer.value, outcome.beep) == (answer, Beep.BAD)
            _, said = await slip(line)
            assert "NOT redeemed" in said

    asyncio.run(play())
    [one] = recorded(tmp_path)
    assert (one.state, one.reason, one.number) == (RedemptionState.REFUSED, answer, 0)


def test_a_stumbling_cloud_is_asked_again_under_the_same_id(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, "desk.ask_ms=2000") as engine:
            cloud = CloudOfTest(C1=no("system_failure"))
            cloud.before_answer = lambda: cloud.answers.update(C1=yes())
            await with_cloud(engine, cloud)
            assert (await engine.desk.redeem(Scan("C1"))).answer is Answer.REDEEMED
            assert len({request for request, _ in cloud.asked}) == 1
            assert len(cloud.asked) == 2

    asyncio.run(play())


@pytest.mark.parametrize(
    ("trouble", "answer"),
    [
        (None, Answer.OFFLINE),
        (AWAY, Answer.OFFLINE),
        (no("system_failure"), Answer.FAILURE),
        (no("weixin_busifavor:SYSTEM_ERROR"), Answer.FAILURE),
        (SyncError("too many questions at once", reason="busy"), Answer.FAILURE),
        (Said(id="x", ok=True, result={"value_minor": "many"}), Answer.FAILURE),
    ],
    ids=["silent", "away", "in trouble", "WeChat in trouble", "busy", "unreadable"],
)
def test_without_an_answer_nothing_is_decided_and_the_next_scan_asks_the_same(
    trouble: Any, answer: Answer, tmp_path: Path
) -> None:
    """Also across a restart: the cloud may have used the code up for this very question."""
    ids: list[str] = []

    async def first() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest(C1=trouble)
            await with_cloud(engine, cloud)
            outcome = await engine.desk.redeem(Scan("C1", amount_minor=8000))
            assert (outcome.answer, outcome.beep) == (answer, Beep.AGAIN)
            ids.extend(request for request, _ in cloud.asked)

    async def second() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest(C1=yes())
            await with_cloud(engine, cloud)
            assert (await engine.desk.redeem(Scan("C1", amount_minor=9000))).answer is Answer.REDEEMED
            [(request, args)] = cloud.asked
            assert {*ids, request} == {ids[0]}
            assert args["amount_minor"] == 8000, "the same question, to the last word"

    asyncio.run(first())
    asyncio.run(second())
    assert [one.state.value for one in recorded(tmp_path)] == ["undecided", "redeemed"]
    assert len({one.request for one in recorded(tmp_path)}) == 1


def test_after_a_final_no_another_try_is_another_question(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest(C1=no("threshold"))
            await with_cloud(engine, cloud)
            assert (await engine.desk.redeem(Scan("C1", amount_minor=100))).answer is Answer.THRESHOLD
            cloud.answers["C1"] = yes()
            assert (await engine.desk.redeem(Scan("C1", amount_minor=9900))).answer is Answer.REDEEMED
            assert len({request for request, _ in cloud.asked}) == 2

    asyncio.run(play())


def test_a_code_that_others_issued_is_never_redeemed_offline(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest()
            cloud.is_connected = False
            line = await with_cloud(engine, cloud)
            for channel in (Channel.WEIXIN_BUSIFAVOR, Channel.WEIXIN_CARD, Channel.OTHER):
                outcome = await engine.desk.redeem(Scan(signed_code(1), channel=channel))
                assert outcome.answer is Answer.OFFLINE, "even if it looks like one of ours"
                _, said = await slip(line)
                assert "No network" in said

    asyncio.run(play())


def test_an_own_signed_coupon_is_redeemed_offline_and_says_so(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest()
            cloud.is_connected = False
            line = await with_cloud(engine, cloud)
            outcome = await engine.desk.redeem(Scan(signed_code(1), "07"))
            assert (outcome.answer, outcome.offline) == (Answer.REDEEMED, True)
            _, said = await slip(line)
            assert "Offline, to be confirmed" in said
            assert "10.00 CNY" in said
            assert (await engine.desk.redeem(Scan(signed_code(1)))).answer is Answer.USED

    asyncio.run(play())
    one = recorded(tmp_path)[0]
    assert (one.offline, one.stock, one.ref, one.source) == (True, "s-8", 1, "signed")
    assert signed_code(1).encode() not in on_disk(tmp_path)


def test_offline_limits_hold_for_the_whole_spell_also_across_a_restart(tmp_path: Path) -> None:
    cloud = CloudOfTest()
    cloud.is_connected = False

    async def before() -> None:
        async with shop(tmp_path) as engine:
            await with_cloud(engine, cloud)
            outcomes = await asyncio.gather(*[engine.desk.redeem(Scan(signed_code(n))) for n in (1, 2)])
            assert [one.answer for one in outcomes] == [Answer.REDEEMED] * 2

    async def after() -> None:
        async with shop(tmp_path) as engine:
            engine.desk.use_cloud(cloud)
            outcomes = await asyncio.gather(*[engine.desk.redeem(Scan(signed_code(n))) for n in (3, 4, 5)])
            assert sorted(one.answer for one in outcomes) == ["limit", "limit", "redeemed"]
            cloud.is_connected = True
            await acknowledged(engine)
            await engine.desk.look()
            cloud.is_connected = False
            assert (await engine.desk.redeem(Scan(signed_code(9)))).answer is Answer.REDEEMED, "a new spell"

    asyncio.run(before())
    asyncio.run(after())


@pytest.mark.parametrize(
    ("changes", "synced_s_ago", "answer"),
    [
        ({"store": 4712}, 60, Answer.WRONG_STORE),
        ({"device": 13}, 60, Answer.OFFLINE),
        ({"last_day": 20_000}, 60, Answer.EXPIRED),
        ({"value": 3001}, 60, Answer.LIMIT),
        ({}, 12 * 3600 + 1, Answer.OFFLINE),
    ],
)
def test_what_goes_beyond_the_rules_waits_for_the_cloud(
    changes: dict[str, int], synced_s_ago: int, answer: Answer, tmp_path: Path
) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest()
            cloud.is_connected = False
            await with_cloud(engine, cloud, synced_s_ago=synced_s_ago)
            assert (await engine.desk.redeem(Scan(signed_code(1, **changes)))).answer is answer

    asyncio.run(play())


def test_a_late_yes_and_ours_are_one_use_under_one_id(tmp_path: Path) -> None:
    """The cloud used it up for our question, and its answer came too late: it is redeemed alone, with that id."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            code = signed_code(1)
            cloud = CloudOfTest(**{code: None})
            await with_cloud(engine, cloud)
            outcome = await engine.desk.redeem(Scan(code))
            assert (outcome.answer, outcome.offline) == (Answer.REDEEMED, True)
            [(request, _)] = cloud.asked
            assert recorded(tmp_path)[0].request == request

    asyncio.run(play())


def test_one_coupon_at_two_boxes_offline_is_accepted_at_one(tmp_path: Path) -> None:
    async def play() -> None:
        answers = []
        for device in (12, 13):
            folder = tmp_path / str(device)
            folder.mkdir()
            async with shop(folder) as engine:
                counter = engine.desk.counter
                assert counter is not None
                counter._around = counter._around._replace(device=device)
                cloud = CloudOfTest()
                cloud.is_connected = False
                await with_cloud(engine, cloud)
                answers.append((await engine.desk.redeem(Scan(signed_code(1)))).answer)
        assert answers == [Answer.REDEEMED, Answer.OFFLINE]

    asyncio.run(play())


def test_a_withdrawn_batch_is_refused_whatever_its_signature_says(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            engine.desk.is_revoked = {"s-8"}.__contains__
            assert (await engine.desk.redeem(Scan(signed_code(1)))).answer is Answer.REVOKED

    asyncio.run(play())


def test_a_single_code_is_withdrawn_by_its_hash_before_anybody_is_asked(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest(C1=yes())
            await with_cloud(engine, cloud)
            key = hmac.digest(KEYS.id_key, b"edgebox receipt fields v1", "sha256")
            digest = hmac.digest(key, b"edgebox desk code v1\0code\0C1", "sha256")[:16].hex()
            engine.desk.is_revoked = {digest}.__contains__
            assert (await engine.desk.redeem(Scan("C1"))).answer is Answer.REVOKED
            assert not cloud.asked

    asyncio.run(play())


def test_a_broker_without_its_cloud_begins_no_new_spell(tmp_path: Path) -> None:
    """The broker lets the box in, and nobody behind it answers or acknowledges: the limits hold all the same."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest(**{signed_code(n): None for n in range(9)})
            await with_cloud(engine, cloud)
            said = []
            for number in range(5):
                said.append((await engine.desk.redeem(Scan(signed_code(number)))).answer)
                engine.desk._synced_at = 0  # ten minutes later
                await engine.desk.look()
            assert said == [Answer.REDEEMED] * 3 + [Answer.LIMIT] * 2
            await acknowledged(engine)
            engine.desk._synced_at = 0
            await engine.desk.look()
            assert (await engine.desk.redeem(Scan(signed_code(8)))).answer is Answer.REDEEMED, "a new spell"

    asyncio.run(play())


def test_a_signed_coupons_batch_and_serial_are_recorded_whatever_the_cloud_leaves_out(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            bare = Said(id="x", ok=True, result={"value_minor": 1000})
            cloud = CloudOfTest(**{signed_code(7): bare, signed_code(8): no("used"), signed_code(9, value=3001): None})
            await with_cloud(engine, cloud)
            for number, more in ((7, {}), (8, {}), (9, {"value": 3001})):
                await engine.desk.redeem(Scan(signed_code(number, **more)))

    asyncio.run(play())
    found = [(one.state.value, one.ref, one.stock, one.coupon, one.value_minor) for one in recorded(tmp_path)]
    assert found == [
        ("redeemed", 7, "s-8", "amount_off", 1000), ("refused", 8, "s-8", "amount_off", 0),
        ("undecided", 9, "s-8", "amount_off", 0),
    ]  # fmt: skip


PRIVATE = (
    "134567890123456789",
    "2812345678901234",
    "6212345678901234567",
    "11010519491231002X",
    "]Q1134567890123456789",
)


@pytest.mark.parametrize("code", PRIVATE)
def test_what_pays_or_names_a_person_is_asked_of_nobody_and_no_hash_of_it_is_kept(code: str, tmp_path: Path) -> None:
    """Somebody types it into the wrong field, or a page's scanner does."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            cloud = CloudOfTest()
            await with_cloud(engine, cloud)
            desk, services = engine.desk, engine.desk.services
            for typed in (True, False):
                assert (await desk.redeem(Scan(code, typed=typed))).answer is Answer.UNKNOWN
            assert (await services.mall(code)).answer is Answer.UNKNOWN
            assert (await services.pick_up(code)).answer is Answer.UNKNOWN
            services.member(code, "line1")
            assert engine.decisions.at_till.shown("line1") == ""
            assert cloud.asked == []

    asyncio.run(play())
    assert {one.code for one in recorded(tmp_path)} == {""}
    assert code.removeprefix("]Q1").encode() not in on_disk(tmp_path)
