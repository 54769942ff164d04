"""Who is given up halfway (a page is closed, a card hangs for half a minute) costs no number, no slip and no shift."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from edgebox.desk.answers import Answer
from edgebox.desk.codes import Scan
from edgebox.engine import Engine
from edgebox.errors import StoreError
from edgebox.line.frames import JobPhase, JobState
from edgebox.store import redemptions
from edgebox.store.events import AuditRecord, RedemptionRecord, RedemptionState
from edgebox.store.ledger import WITHDRAWN_KEPT, enter
from tests.desk.shop import NOW, CloudOfTest, FakeLine, next_job, recorded, shop, signed_code, slip, until, yes

BEHIND_S = 0.1  # in which the second would overtake the first, if anything let it


class SlowCard:
    """The engine's disk: what is written waits until `go` is set."""

    def __init__(self, engine: Engine, way: str) -> None:
        assert engine.store is not None
        self.go, self.came = asyncio.Event(), asyncio.Event()
        write = getattr(engine.store, way)

        async def late(*args: Any, **more: Any) -> Any:
            if way == "change" or isinstance(args[0], RedemptionRecord):
                self.came.set()
                await self.go.wait()
            return await write(*args, **more)

        setattr(engine.store, way, late)


async def given_up(work: Any, card: SlowCard) -> None:
    """Canceled when it has begun to write."""
    task = asyncio.ensure_future(work)
    await card.came.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def without_cloud(engine: Engine) -> FakeLine:
    cloud = CloudOfTest()
    cloud.is_connected = False
    engine.desk.use_cloud(cloud)
    assert engine.store is not None
    await engine.store.change(lambda db: redemptions.put_synced(db, NOW - 60))
    return await FakeLine.connect(engine)


def test_two_coupons_have_two_numbers_and_two_slips_though_the_first_was_given_up(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await without_cloud(engine)
            desk = engine.desk
            card = SlowCard(engine, "record")
            await given_up(desk.redeem(Scan(signed_code(1))), card)
            second = asyncio.ensure_future(desk.redeem(Scan(signed_code(2))))
            await asyncio.sleep(BEHIND_S)
            card.go.set()
            assert ((await second).answer, (await second).number) == (Answer.REDEEMED, 2)
            slips = [(await slip(line))[1] for _ in range(2)]
            assert ["Redeemed 1" in slips[0], "Redeemed 2" in slips[1]] == [True, True]

    asyncio.run(play())
    assert [one.number for one in recorded(tmp_path)] == [1, 2]


def test_a_reversal_that_was_given_up_is_one_and_the_next_slip_has_the_next_number(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await without_cloud(engine)
            desk = engine.desk
            assert (await desk.redeem(Scan(signed_code(1)))).number == 1
            await slip(line)
            card = SlowCard(engine, "record")
            await given_up(desk.reverse(1, "07", "wrong bill"), card)
            second = asyncio.ensure_future(desk.reverse(1, "07", "wrong bill"))
            await asyncio.sleep(BEHIND_S)
            card.go.set()
            again = await second
            assert (again.answer, again.detail) == (Answer.USED, "1")
            assert (await desk.redeem(Scan(signed_code(2)))).number == 3

    asyncio.run(play())
    assert [(one.number, one.state.value) for one in recorded(tmp_path)] == [
        (1, "redeemed"), (2, "reversed"), (3, "redeemed")
    ]  # fmt: skip


def test_a_shift_whose_closing_was_given_up_is_closed_and_stays_as_it_was(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await without_cloud(engine)
            desk = engine.desk
            await desk.redeem(Scan(signed_code(1)))
            await slip(line)
            card = SlowCard(engine, "change")
            await given_up(desk.close_shift("boss"), card)
            card.go.set()
            assert (await desk.redeem(Scan(signed_code(2)))).answer is Answer.REDEEMED
            assert desk.shifts is not None
            closed = await desk.shifts.closed(1)
            assert closed is not None
            assert closed.tally.total == (1, 1000, 0)

    asyncio.run(play())
    assert [(one.number, one.shift) for one in recorded(tmp_path)] == [(1, 1), (2, 2)]


def test_what_the_disk_refuses_for_another_reason_is_not_called_used(tmp_path: Path) -> None:
    """Then the cashier keeps the coupon from a customer who never used it."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            await without_cloud(engine)
            assert engine.store is not None
            record = engine.store.record

            async def refusing(event: Any) -> Any:
                if isinstance(event, RedemptionRecord) and event.number:
                    raise StoreError("a bug in a table", reason="refused")
                return await record(event)

            engine.store.record = refusing  # type: ignore[method-assign, assignment]
            said = await engine.desk.redeem(Scan(signed_code(1)))
            assert (said.answer, said.number) == (Answer.BUSY, 0)
            engine.store.record = record  # type: ignore[method-assign]
            assert (await engine.desk.redeem(Scan(signed_code(1)))).answer is Answer.REDEEMED

    asyncio.run(play())


def test_a_shift_is_closed_and_its_tally_printed_though_the_audit_has_no_room(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            engine.desk.use_cloud(CloudOfTest(C1=yes(500)))
            await engine.desk.redeem(Scan("C1"))
            await slip(line)
            assert engine.store is not None
            record = engine.store.record

            async def full(event: Any) -> Any:
                if isinstance(event, AuditRecord):
                    raise StoreError("no room", reason="full")
                return await record(event)

            engine.store.record = full  # type: ignore[method-assign, assignment]
            assert await engine.desk.close_shift("boss"), "it is closed on the disk: whoever says no lies"
            _, said = await slip(line)
            assert "5.00" in said

    asyncio.run(play())


def test_questions_that_were_given_up_fill_no_disk(tmp_path: Path) -> None:
    """Somebody scans nonsense for weeks while nobody answers: the newest are remembered."""

    def scanned_in_vain(db: sqlite3.Connection, count: int) -> list[str]:
        for number in range(count):
            record = RedemptionRecord(
                at=NOW + number, request=f"r{number}", code=f"c{number}", state=RedemptionState.WITHDRAWN
            )
            enter(db, record, number, b"")
        return [row[0] for row in db.execute("SELECT request FROM withdrawn ORDER BY at")]

    async def play() -> None:
        async with shop(tmp_path) as engine:
            assert engine.store is not None
            found = await engine.store.change(lambda db: scanned_in_vain(db, WITHDRAWN_KEPT + 3))
            assert found[0] == "r3"
            assert len(found) == WITHDRAWN_KEPT

    asyncio.run(play())


def test_a_tally_torn_by_a_lost_printer_is_printed_again_as_a_copy(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            engine.desk.use_cloud(CloudOfTest(C1=yes(500)))
            await engine.desk.redeem(Scan("C1"))
            await slip(line)
            assert await engine.desk.close_shift("boss")
            names = []
            for _ in range(2):
                name, said = await slip(line, JobPhase.FAILED, "printer lost while printing")
                names.append(name)
            name, said = await slip(line)
            assert "COPY" in said
            assert len({*names, name}) == 3, "a line prints a name once"
            for _ in range(1000):
                assert engine.store is not None
                if not await engine.store.read(lambda db: redemptions.tallies_owed(db, 3)):
                    return
                await asyncio.sleep(0.001)
            raise AssertionError("still owed")

    asyncio.run(play())


def test_a_line_that_comes_and_goes_all_day_while_a_tally_waits_for_paper_piles_nothing_up(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            engine.desk.use_cloud(CloudOfTest(C1=yes(500)))
            await engine.desk.redeem(Scan("C1"))
            await slip(line)
            assert await engine.desk.close_shift("boss")
            job = await next_job(line)
            for _ in range(50):
                engine.desk.line_joined()
                await asyncio.sleep(0.001)
            assert len(engine.desk._tasks) < 5
            line.send(JobState(job.job, JobPhase.PRINTING, ""), JobState(job.job, JobPhase.SENT, ""))
            await until(lambda: not engine.desk._tasks)
            assert engine.store is not None
            assert await engine.store.read(lambda db: redemptions.tallies_owed(db, 3)) == []

    asyncio.run(play())
