"""What is decided in a till's pause is what the cut gets, or it is as if it had never been decided."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import pytest

from edgebox.decisions import Decisions
from edgebox.engine import Engine
from edgebox.errors import ConfigError
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.handout import Handout
from edgebox.line.frames import Answer, Begin, Data, Result
from tests.line_of_engine import KEYS, NOW, PRELUDE, RECEIPT, RESETTLED, FakeLine, running, settings, verified
from tests.receipt.paper import PAID_TILL, read

INK = RECEIPT.rstrip(b"\n") + b"\n"
FEED = b"\n\n\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each time that slips were made."""
    told: list[str] = []
    hand = Handout.hand

    def handing(self: Handout, *args: object) -> object:
        told.append("hand")
        return hand(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Handout, "hand", handing)
    return told


async def until(happens: Callable[[], bool]) -> None:
    for _ in range(2000):
        if happens():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


async def pause(engine: Engine, line: FakeLine, number: int, ink: bytes = INK) -> None:
    """A receipt up to its feed, and until it is decided ahead."""
    line.send(Begin(number, PRELUDE), Data(number, 0, ink), Data(number, len(ink), FEED))
    await until(lambda: bool(engine.decisions._ahead))


async def cut(line: FakeLine, number: int, ink: bytes = INK) -> Answer:
    line.end(number, ink + FEED)
    answer = await line.next()
    assert isinstance(answer, Answer)
    return answer


def test_the_cut_gets_what_was_decided_in_the_pause(folder: Path, handed: list[str]) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            first = await line.print_receipt(1, RECEIPT.replace(b"000417", b"000416"))
            handed.clear()
            await pause(engine, line, 2)
            answer = await cut(line, 2)
            assert handed == ["hand"]
            assert verified(answer).amount_minor == 3390
            assert len(answer.body) == len(first.body)
            await line.done(2, Result.INSERTED, answer.ref)
            again = await line.answer(3, RECEIPT)
            assert again.ref == answer.ref

    asyncio.run(play())


def test_it_is_the_very_answer_that_would_have_come_without_a_pause(folder: Path) -> None:
    async def play(*, paused: bool) -> Answer:
        async with running(folder / str(paused)) as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1, RECEIPT.replace(b"000417", b"000416"))
            if paused:
                await pause(engine, line, 2)
                return await cut(line, 2)
            return await line.answer(2, INK + FEED)

    for name in ("True", "False"):
        (folder / name).mkdir()
    assert asyncio.run(play(paused=True)) == asyncio.run(play(paused=False))


def test_what_is_decided_ahead_is_given_to_nobody_until_the_cut(folder: Path) -> None:
    """A till that goes on printing makes another receipt of it: that one's claim has revision 0."""

    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1, RECEIPT.replace(b"000417", b"000416"))
            await pause(engine, line, 2)
            (_, decided) = engine.decisions._ahead["line1"]
            assert engine.decisions.awards.granted(decided.award.claim_id) is None
            more = b"TOTAL           40.00\nCASH            50.00\nCHANGE          10.00\n"
            line.send(Data(2, len(INK + FEED), more))
            answer = await cut(line, 2, INK + FEED + more)
            await line.done(2, Result.PLAIN, answer.ref)
            third = await line.answer(3, RESETTLED)
            assert verified(third).revision <= 1

    asyncio.run(play())


def test_a_bill_that_another_lane_settled_meanwhile_gets_the_next_revision(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            one = await FakeLine.connect(engine)
            await one.print_receipt(1, RECEIPT.replace(b"000417", b"000416"))
            other = await FakeLine.connect(engine, "line2", b"\x02" * 8)
            await pause(engine, one, 2)
            await other.print_receipt(1, RESETTLED)
            assert verified(await cut(one, 2)).revision == 1

    asyncio.run(play())


def test_a_change_of_anything_makes_it_decide_anew(folder: Path) -> None:
    engine = Engine(settings(folder), KEYS, clock=lambda: NOW)
    made = engine.decisions
    receipt, press = read(RECEIPT.decode(), PAID_TILL), Press(PrinterProfile(), True, -1, 0)
    changes: tuple[Callable[[Decisions], object], ...] = (
        lambda made: made.use_rules(made.awards.rules._replace(zone=UTC)),
        lambda made: made.use_slips(()),
        lambda made: made.refuse_rules(ConfigError("a fault", reason="bad_rules")),
        lambda made: made.use_rules(None),
        lambda made: made.awards.promise(1, made.when(receipt, NOW)),
    )

    def is_taken(change: Callable[[Decisions], object], **other: object) -> bool:
        made.decide_ahead(receipt, b"name", "line1", press, NOW)
        _, ahead = made._ahead["line1"]
        change(made)
        asked = {"receipt": receipt, "name": b"name", "line": "line1", "press": press, "at": NOW, **other}
        return made.decide(**asked) is ahead  # type: ignore[arg-type]

    assert is_taken(lambda made: None)
    for change in changes:
        assert not is_taken(change)
    for other in (
        {"at": NOW + 60},
        {"name": b"other"},
        {"press": press._replace(symbol_ok=False)},
        {"receipt": receipt._replace(amount_minor=3391)},
    ):
        assert not is_taken(lambda made: None, **other)
