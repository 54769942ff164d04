"""What was redeemed without the cloud and what was taken back, settled: at most one use stands, each box hears it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.desk.answers import Answer
from edgebox.desk.codes import Scan
from edgebox.desk.settlement import CONFLICTS, UNSETTLED, Settled
from edgebox.engine import Engine
from edgebox.errors import SyncError
from edgebox.store import redemptions
from edgebox.store.events import AuditRecord, RedemptionRecord, RedemptionState, Stream
from edgebox.store.peek import bodies
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.desk import Coupon
from hw_sim.cloud.registry import Shop
from sync.contract_commands import Verdict
from tests.desk.cloud_shop import Link, hand_in, tell
from tests.desk.shop import NOW, CloudOfTest, FakeLine, recorded, shop, signed_code, slip
from tests.hw_sim.boxes import PaperBox, cloud

HERE = Shop(1, "Corner Shop")
CODE = signed_code(1, store=1, device=1)


class OpenShop(NamedTuple):
    """One box of the shop, open. Both stand in for device 1: the second is its replacement, put in beside it."""

    box: PaperBox
    engine: Engine
    line: FakeLine
    folder: Path


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Cloud]:
    with cloud(tmp_path / "cloud") as found:
        found.desk.issue(Coupon(CODE, "amount_off", "s-8", 1000), Coupon("C-1", "tea", "s-7", 500))
        yield found


@contextlib.asynccontextmanager
async def opened(box: PaperBox, folder: Path, *, link: Link | None = None) -> AsyncIterator[OpenShop]:
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - a test's own
    async with shop(folder, keys=box.keys) as engine:
        counter = engine.desk.counter
        assert counter is not None
        assert engine.store is not None
        counter._around = counter._around._replace(device=1)
        away = CloudOfTest()
        away.is_connected = False
        engine.desk.use_cloud(link or away)
        await engine.store.change(lambda db: redemptions.put_synced(db, NOW - 60))
        yield OpenShop(box, engine, await FakeLine.connect(engine), folder)


async def redeemed_alone(at: OpenShop, cashier: str = "07") -> int:
    said = await at.engine.desk.redeem(Scan(CODE, cashier))
    assert (said.answer, said.offline) == (Answer.REDEEMED, True)
    await slip(at.line)
    return said.number


def verdicts_of(folder: Path) -> list[RedemptionRecord]:
    return [one for one in recorded(folder) if one.state in (RedemptionState.CONFIRMED, RedemptionState.CONFLICT)]


def test_one_coupon_at_two_boxes_offline_counts_once_and_the_later_one_is_shown_a_conflict(
    head: Cloud, tmp_path: Path
) -> None:
    async def play() -> None:
        first, second = PaperBox(head, "box-1", 1, HERE), PaperBox(head, "box-2", 2, HERE)
        async with opened(first, tmp_path / "a") as a, opened(second, tmp_path / "b") as b:
            await redeemed_alone(a)
            await redeemed_alone(b)
            hand_in(second, b.folder, at=NOW + 60)  # the later one is heard first
            assert await tell(head, second, b.engine, 0) == Settled(new=1)
            hand_in(first, a.folder, at=NOW)
            assert await tell(head, first, a.engine, 1) == Settled(new=1)
            assert await tell(head, second, b.engine, 4000) == Settled(new=1), "its word is taken back"

            assert head.desk.used() == [(CODE, "box-1", recorded(a.folder)[0].request)]
            assert head.settlement.verdicts() == [("box-1", 1, "confirmed"), ("box-2", 1, "conflict")]
            assert b.engine.desk.settlement is not None
            [conflict] = await b.engine.desk.settlement.conflicts()
            assert (conflict.entry.number, conflict.entry.coupon, conflict.entry.cashier) == (1, "amount_off", "07")
            assert (conflict.other, conflict.other_at, conflict.reason) == ("Corner Shop", NOW, "used")
            assert b.engine.health.states()[CONFLICTS] == "warning"
            assert a.engine.desk.settlement is not None
            assert await a.engine.desk.settlement.conflicts() == []
            assert await b.engine.store.read(redemptions.spell) == (NOW - 60, 1, 1000)  # type: ignore[union-attr]
            shift = b.engine.desk.shifts
            assert shift is not None
            assert [entry.state for entry in await shift.entries()] == ["redeemed"], "never un-printed, nor un-counted"

    asyncio.run(play())


def test_verdicts_that_come_again_or_again_after_a_kill_change_nothing(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        async with opened(box, tmp_path / "a") as a:
            await redeemed_alone(a)
            hand_in(box, a.folder)
            assert await tell(head, box, a.engine, 0) == Settled(new=1)
            assert await tell(head, box, a.engine, 1) == Settled(), "not told again at once,"
            assert await tell(head, box, a.engine, 3000) == Settled(known=1), "but until the journal says it is there"
        async with opened(box, tmp_path / "a") as again:
            assert await tell(head, box, again.engine, 6000) == Settled(known=1)
            hand_in(box, again.folder)
            assert await tell(head, box, again.engine, 9000) == Settled()
            assert await again.engine.desk.settlement.unsettled() == []  # type: ignore[union-attr]
        assert [one.settles for one in verdicts_of(tmp_path / "a")] == [1]

    asyncio.run(play())


def test_a_box_that_lost_its_database_says_that_it_knows_no_such_slip(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        async with opened(box, tmp_path / "a") as a:
            await redeemed_alone(a)
            hand_in(box, a.folder)
        async with opened(box, tmp_path / "new") as new:
            assert await tell(head, box, new.engine, 0) == Settled(unknown=(1,))

    asyncio.run(play())


def test_an_online_use_elsewhere_comes_before_a_later_one_offline(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        first, second = PaperBox(head, "box-1", 1, HERE), PaperBox(head, "box-2", 2, HERE)
        async with (
            opened(first, tmp_path / "a", link=Link(first)) as a,
            opened(second, tmp_path / "b") as b,
        ):
            assert (await a.engine.desk.redeem(Scan(CODE))).offline is False
            await redeemed_alone(b)
            hand_in(second, b.folder, at=NOW + 5)
            hand_in(first, a.folder, at=NOW)
            assert await tell(head, second, b.engine, 0) == Settled(new=1)
            assert await tell(head, first, a.engine, 0) == Settled(), "who asked and was right hears nothing"
            [conflict] = verdicts_of(b.folder)
            assert conflict.state is RedemptionState.CONFLICT

    asyncio.run(play())


def test_a_clock_that_is_not_trusted_wins_nothing(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        first, second = PaperBox(head, "box-1", 1, HERE), PaperBox(head, "box-2", 2, HERE)
        async with opened(first, tmp_path / "a") as a, opened(second, tmp_path / "b") as b:
            await redeemed_alone(a)
            await redeemed_alone(b)
            hand_in(first, a.folder, at=0, trusted=False)  # 1970; the cloud heard it at NOW
            hand_in(second, b.folder, at=NOW - 10)
            assert head.settlement.verdicts() == [("box-1", 1, "conflict"), ("box-2", 1, "confirmed")]

    asyncio.run(play())


def test_a_late_yes_and_the_use_alone_are_one_and_confirmed(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        async with opened(box, tmp_path / "a", link=Link(box, loses=1)) as a:
            await redeemed_alone(a)
            hand_in(box, a.folder, at=NOW + 1)
            assert await tell(head, box, a.engine, 0) == Settled(new=1)
            assert head.settlement.verdicts() == [("box-1", 1, "confirmed")]

    asyncio.run(play())


# -- taking back


def test_what_is_taken_back_is_free_at_the_cloud_and_may_be_redeemed_again(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        link = Link(box)
        async with opened(box, tmp_path / "a", link=link) as a:
            assert (await a.engine.desk.redeem(Scan("C-1"))).number == 1
            await slip(a.line)
            link.is_connected = False  # the reversal waits in the journal
            assert (await a.engine.desk.reverse(1, "07", "wrong bill")).number == 2
            await slip(a.line)
            assert len(await a.engine.desk.settlement.unsettled()) == 1  # type: ignore[union-attr]
            assert len(head.desk.used()) == 1
            link.is_connected = True
            hand_in(box, a.folder)
            assert head.desk.used() == []
            assert await tell(head, box, a.engine, 0) == Settled(new=1)
            assert await a.engine.desk.settlement.unsettled() == []  # type: ignore[union-attr]
            assert (await a.engine.desk.redeem(Scan("C-1"))).number == 3
            await slip(a.line)
            assert len({request for request, _ in link.requests}) == 2

    asyncio.run(play())


def test_a_reversal_that_comes_before_its_redemption_frees_it_all_the_same(head: Cloud, tmp_path: Path) -> None:
    """Fresh rows go before a backlog."""

    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        async with opened(box, tmp_path / "a") as a:
            await redeemed_alone(a)
            await a.engine.desk.reverse(1, "07", "wrong bill")
            await slip(a.line)
            hand_in(box, a.folder, order=(1, 0))
            assert head.desk.used() == []

    asyncio.run(play())


def test_a_reversal_that_the_issuer_refuses_is_a_conflict(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        head.settlement.keeps["C-1"] = "weixin_busifavor:EXPIRED"
        async with opened(box, tmp_path / "a", link=Link(box)) as a:
            await a.engine.desk.redeem(Scan("C-1"))
            await slip(a.line)
            await a.engine.desk.reverse(1, "07", "wrong bill")
            await slip(a.line)
            hand_in(box, a.folder)
            assert await tell(head, box, a.engine, 0) == Settled(new=1)
            assert len(head.desk.used()) == 1, "it stays used there"
            [conflict] = await a.engine.desk.settlement.conflicts()  # type: ignore[union-attr]
            assert (conflict.entry.number, conflict.entry.state) == (2, "reversed")
            assert conflict.reason == "weixin_busifavor:EXPIRED"

    asyncio.run(play())


# -- late answers that nobody waits for


def test_a_late_yes_that_nobody_comes_back_for_is_given_back(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        link = Link(box, loses=1)
        async with opened(box, tmp_path / "a", link=link) as a:
            clock = [NOW]
            a.engine.clock = lambda: clock[0]
            assert (await a.engine.desk.redeem(Scan("C-1"))).answer is Answer.OFFLINE
            assert len(head.desk.used()) == 1, "the cloud used it up"
            clock[0] = NOW + 600
            await a.engine.desk.look()
            hand_in(box, a.folder)
            assert len(head.desk.used()) == 1, "not yet"
            clock[0] = NOW + 601
            await a.engine.desk.look()
            await a.engine.desk.look()
            hand_in(box, a.folder)
            assert head.desk.used() == []
            assert [one.state.value for one in recorded(a.folder)] == ["undecided", "withdrawn"]
            [(request, _)] = link.requests
            late = await link.ask("coupon.redeem", {"code": "C-1", "amount_minor": 0}, request, 1.0)
            assert (late.ok, late.reason) == (False, "withdrawn"), "also if the question itself comes late"

    asyncio.run(play())


def test_a_yes_that_a_kill_swallowed_is_given_back_at_the_next_start(head: Cloud, tmp_path: Path) -> None:
    """The cloud has said yes, and the box died before it could write it down: nothing was printed."""

    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        link = Link(box, loses=1)
        async with opened(box, tmp_path / "a", link=link) as a:
            assert a.engine.store is not None
            counter = a.engine.desk.counter
            assert counter is not None
            read = counter.codes.read(Scan("C-1"))
            new = redemptions.Question("ab" * 16, 0)
            await a.engine.store.change(lambda db: redemptions.ask(db, read.code, new, NOW))
            with pytest.raises(SyncError):
                await link.ask("coupon.redeem", {"code": "C-1", "amount_minor": 0}, new.request, 1.0)
            assert len(head.desk.used()) == 1
        async with opened(box, tmp_path / "a", link=link) as again:
            again.engine.clock = lambda: NOW + 601
            await again.engine.desk.look()
            hand_in(box, again.folder)
            assert head.desk.used() == []
            assert (await again.engine.desk.redeem(Scan("C-1"))).answer is Answer.REDEEMED

    asyncio.run(play())


def test_who_comes_back_before_the_cloud_has_read_that_gets_the_coupon(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        link = Link(box, loses=2)
        async with opened(box, tmp_path / "a", link=link) as a:
            clock = [NOW]
            a.engine.clock = lambda: clock[0]
            for _ in range(2):
                assert (await a.engine.desk.redeem(Scan("C-1"))).answer is Answer.OFFLINE
                clock[0] += 601
                await a.engine.desk.look()
            assert (await a.engine.desk.redeem(Scan("C-1"))).answer is Answer.REDEEMED
            first, second, third = [request for request, _ in link.requests]
            assert set(link.requests[2][1]["instead_of"]) == {first, second}
            hand_in(box, a.folder)  # the withdrawals come now: the new use stands
            assert head.desk.used() == [("C-1", "box-1", third)]
            assert (await a.engine.desk.redeem(Scan("C-1"))).answer is Answer.USED

    asyncio.run(play())


def test_a_scan_within_the_time_asks_the_same_and_withdraws_nothing(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        link = Link(box, loses=2)
        async with opened(box, tmp_path / "a", link=link) as a:
            clock = [NOW]
            a.engine.clock = lambda: clock[0]
            await a.engine.desk.redeem(Scan("C-1"))
            clock[0] += 500
            await a.engine.desk.redeem(Scan("C-1"))
            clock[0] += 500
            await a.engine.desk.look()
            assert (await a.engine.desk.redeem(Scan("C-1"))).answer is Answer.REDEEMED
            assert len({request for request, _ in link.requests}) == 1

    asyncio.run(play())


# -- the manager


def test_a_manager_sees_a_conflict_until_somebody_has_looked_at_it(tmp_path: Path) -> None:
    async def play() -> None:
        with cloud(tmp_path / "cloud") as head:
            box = PaperBox(head, "box-1", 1, HERE)
            async with opened(box, tmp_path / "a") as a:
                await redeemed_alone(a)
                one = recorded(a.folder)[0]
                verdict = Verdict(
                    request=one.request, code=one.code, number=1, verdict="conflict", other="East", other_at=NOW - 9
                )
                settlement = a.engine.desk.settlement
                assert settlement is not None
                await settlement.settle([verdict])
                assert await settlement.seen(1, "boss")
                assert not await settlement.seen(1, "boss")
                assert await settlement.conflicts(unseen=True) == []
                assert [one.seen_by for one in await settlement.conflicts()] == ["boss"]
                await settlement.settle([verdict])
                assert await settlement.conflicts(unseen=True) == [], "the same again wakes nobody"
        audit = [msgspec.json.decode(body, type=AuditRecord) for body in bodies(tmp_path / "a/data", Stream.AUDIT)]
        assert [(one.who, one.what, one.target) for one in audit] == [("boss", "conflict seen", "1")]

    asyncio.run(play())


def test_a_cloud_that_says_nothing_for_days_is_an_alarm(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        box = PaperBox(head, "box-1", 1, HERE)
        async with opened(box, tmp_path / "a") as a:
            await redeemed_alone(a)
            await a.engine.desk.look()
            assert UNSETTLED not in a.engine.health.states()
            a.engine.clock = lambda: NOW + 3 * 86_400 + 1
            await a.engine.desk.look()
            assert a.engine.health.states()[UNSETTLED] == "warning"
            hand_in(box, a.folder)
            await tell(head, box, a.engine, 0)
            await a.engine.desk.look()
            assert a.engine.health.states()[UNSETTLED] == "ok"

    asyncio.run(play())


# -- any order


@settings(max_examples=40, deadline=None)
@given(
    uses=st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=5),
    order=st.randoms(use_true_random=False),
)
def test_whatever_comes_in_which_order_at_most_one_use_is_confirmed(
    uses: list[tuple[int, bool, bool]], order: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`uses`: when, by a trusted clock or not, and taken back again or not; one box each."""
    with cloud(tmp_path_factory.mktemp("cloud")) as head:
        head.desk.issue(Coupon("C-9"))
        rows = []
        for index, (at, trusted, taken_back) in enumerate(uses):
            box = PaperBox(head, f"box-{index}", index + 1, HERE)
            digest = _hash(head, box)
            states = [RedemptionState.REDEEMED, RedemptionState.REVERSED][: 1 + taken_back]
            for number, state in enumerate(states, 1):
                event = RedemptionRecord(
                    at=NOW, request=f"r{index}", code=digest, state=state, source="signed", number=number, offline=True
                )
                row = box.row(Stream.REDEMPTIONS, event)
                row = msgspec.structs.replace(row, at_ms=(NOW - 100 + at) * 1000, trusted=trusted)
                rows.append((box, row))
        order.shuffle(rows)  # type: ignore[attr-defined]
        for box, row in rows:
            box.give(box.batch(Stream.REDEMPTIONS, [row]))
        standing = [index for index, (*_, taken_back) in enumerate(uses) if not taken_back]
        confirmed = {
            box for box, number, verdict in head.settlement.verdicts() if verdict == "confirmed" and number == 1
        }
        assert len(head.desk.used()) == min(1, len(standing))
        assert len(confirmed & {f"box-{index}" for index in standing}) == min(1, len(standing))
        trusted = [index for index in standing if uses[index][1]]
        if trusted:  # the cloud hears of all at NOW: later than any trusted time
            [(_, box_name, _)] = head.desk.used()
            assert uses[int(box_name[4:])][0] == min(uses[index][0] for index in trusted)


def _hash(head: Cloud, box: PaperBox) -> str:
    import hmac

    from edgebox.keys import field_key

    return hmac.digest(field_key(box.keys), b"edgebox desk code v1\0code\0C-9", "sha256")[:16].hex()
