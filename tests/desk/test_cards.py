"""Commit-and-save cards from paper to journal: each bill one step, whatever is replayed, and refunds take it back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from edgebox.cards import Cards
from edgebox.engine import Engine
from edgebox.line.frames import Result
from edgebox.store.events import CardRecord, Stream
from edgebox.store.peek import bodies
from tests.line_of_engine import NOW, FakeLine, on_disk, running

RULES = """
rev = 1
currency = "CNY"
[[tier]]
id = "base"
spend_per_point = 100
[[commit_card]]
id = "lunch"
min_spend = 3000
"""


@contextlib.asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[tuple[Engine, Cards]]:
    rules = folder / "rules.toml"
    rules.write_text(RULES, "utf-8")
    async with running(folder, f"points.rules={rules}", now=NOW) as engine:
        cards = Cards(engine)
        engine.listeners.append(cards.recorded)
        assert engine.store is not None
        await cards.open(engine.store)
        try:
            yield engine, cards
        finally:
            await cards.stop()


def paper(number: int, amount: str = "33.90", *, member: bool = True, title: str = "", kind: str = "") -> bytes:
    who = "会员卡号: 13812345678\n" if member else ""
    body = f"{title}CORNER SHOP\n{kind}Receipt No: {number:06d}\n{who}2026-11-18 18:42:07\nTEA {amount}\n"
    return f"{body}TOTAL {amount}\nCASH {amount}\n\n\n".encode("gb18030")


REFUND = "*** REFUND ***\n"


def steps(folder: Path) -> list[CardRecord]:
    found = [body for body in bodies(folder / "data", Stream.REDEMPTIONS) if b'"card"' in body[:20]]
    return [msgspec.json.decode(body, type=CardRecord) for body in found]


def test_three_receipts_and_a_refund_are_three_steps_and_one_back(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as (engine, cards):
            line = await FakeLine.connect(engine)
            for number in (1, 2, 3):
                await line.print_receipt(number, paper(number))
            await line.print_receipt(4, paper(2, kind=REFUND))
            await cards.caught_up()
            await line.print_receipt(5, paper(3, title="*** REPRINT ***\n"))
            await line.print_receipt(6, paper(3))  # a copy that does not say so
            await line.print_receipt(7, paper(2, kind=REFUND))  # and one of the refund
            await cards.caught_up()
            assert engine.counters["cards: steps"] == 3
            assert engine.counters["cards: taken back"] == 1

    asyncio.run(play())
    found = steps(tmp_path)
    assert [one.step.value for one in found] == ["INCREASE"] * 3 + ["DECREASE"]
    assert len({one.serial for one in found}) == 4
    assert all(len(one.serial) == 32 for one in found)
    assert len({one.member for one in found}) == 1
    assert found[3].undoes == found[1].serial
    assert b"13812345678" not in on_disk(tmp_path)


def test_without_a_member_nothing_is_a_step_and_it_is_counted(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as (engine, cards):
            line = await FakeLine.connect(engine)
            await line.print_receipt(1, paper(1, member=False))
            await line.print_receipt(2, paper(2, "29.99"))
            await cards.caught_up()
            assert engine.counters["cards: no member"] == 1

    asyncio.run(play())
    assert steps(tmp_path) == []


def test_receipts_whose_steps_a_kill_prevented_have_them_at_the_next_start_once(tmp_path: Path) -> None:
    async def killed() -> None:
        async with shop(tmp_path) as (engine, cards):
            await cards.stop()  # it never comes to the step
            line = await FakeLine.connect(engine)
            await line.print_receipt(1, paper(1))

    async def again() -> None:
        async with shop(tmp_path) as (engine, cards):
            line = await FakeLine.connect(engine)
            await cards.caught_up()
            assert [one.step.value for one in steps(tmp_path)] == ["INCREASE"]
            raw = paper(1)
            line.document(1, raw)
            line.end(1, raw, ask=False, replay=True)  # and the line's spool sends it once more
            line.outcome(1, Result.PLAIN)
            await line.next()
            await cards.caught_up()

    asyncio.run(killed())
    asyncio.run(again())
    assert len(steps(tmp_path)) == 1


def test_a_mark_that_was_not_written_makes_no_step_twice(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as (engine, cards):
            line = await FakeLine.connect(engine)
            await line.print_receipt(1, paper(1))
            await cards.caught_up()
            cards._through -= 1
            await cards.caught_up()
            assert engine.counters["cards: known"] == 1

    asyncio.run(play())
    assert len(steps(tmp_path)) == 1


def test_a_bill_that_was_voided_and_settled_again_counts_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as (engine, cards):
            line = await FakeLine.connect(engine)
            await line.print_receipt(1, paper(1))
            await line.print_receipt(2, paper(1, kind="*** VOID ***\n"))
            await line.print_receipt(3, paper(1, "45.00"))
            await cards.caught_up()

    asyncio.run(play())
    found = steps(tmp_path)
    assert [one.step.value for one in found] == ["INCREASE", "DECREASE", "INCREASE"]
    assert len({one.serial for one in found}) == 3
