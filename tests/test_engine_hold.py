"""What the engine does while a cut waits, and what it leaves for before and behind it."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgebox.line.frames import Answer, Begin, Data, Result
from edgebox.model import Receipt
from edgebox.receipt.reader import ReceiptReader
from tests.line_of_engine import CUT, PRELUDE, RECEIPT, FakeLine, recorded, running, verified

INK = RECEIPT.rstrip(b"\n") + b"\n"
FEED = b"\n\n\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the reader is asked for, in order: `answer` read anew, `record`."""
    told: list[str] = []
    answer, completed = ReceiptReader._answer, ReceiptReader.completed

    def answering(self: ReceiptReader) -> Receipt:
        told.append("answer")
        return answer(self)

    def completing(self: ReceiptReader, receipt: Receipt) -> Receipt:
        told.append("record")
        return completed(self, receipt)

    monkeypatch.setattr(ReceiptReader, "_answer", answering)
    monkeypatch.setattr(ReceiptReader, "completed", completing)
    return told


async def until(happens: Callable[[], bool]) -> None:
    for _ in range(1000):
        if happens():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


def test_what_only_the_record_needs_is_read_when_the_slip_is_out(folder: Path, done: list[str]) -> None:
    """Behind the answer the line must wake, on two cores perhaps on the one that we would go on to use."""

    async def play() -> None:
        async with running(folder) as engine:
            done.clear()  # the engine has warmed up
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
            pong = asyncio.create_task(engine.lines["line1"].ping(7))
            await line.next()  # the engine has come to the end of its turn, and of the next
            assert done == ["answer"]
            await line.done(1, Result.INSERTED, answer.ref)
            assert done == ["answer", "record"]
            pong.cancel()

    asyncio.run(play())
    (record,) = recorded(folder)
    assert record.amount_minor == 3390


def test_a_till_that_pauses_before_its_cut_finds_the_answer_ready(folder: Path, done: list[str]) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            done.clear()
            line = await FakeLine.connect(engine)
            line.send(Begin(1, PRELUDE), Data(1, 0, INK))
            line.send(Data(1, len(INK), FEED[:1]))
            await until(lambda: done == ["answer"])
            line.send(Data(1, len(INK) + 1, FEED[1:] + CUT))
            line.end(1, INK + FEED)
            answer = await line.next()
            assert isinstance(answer, Answer)
            assert verified(answer).amount_minor == 3390
            assert done == ["answer"]
            await line.done(1, Result.INSERTED, answer.ref)

    asyncio.run(play())


def test_an_answer_made_ready_is_forgotten_when_more_is_printed(folder: Path, done: list[str]) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            done.clear()
            line = await FakeLine.connect(engine)
            line.send(Begin(1, PRELUDE), Data(1, 0, INK), Data(1, len(INK), FEED))
            await until(lambda: done == ["answer"])
            more = b"*** VOID ***\n"
            line.send(Data(1, len(INK + FEED), more))
            line.end(1, INK + FEED + more)
            assert await line.next() == Answer(1, b"", b"")
            await line.done(1, Result.PLAIN)

    asyncio.run(play())
    assert recorded(folder)[0].kind == "void"


def test_a_bug_in_a_pause_costs_neither_slip_nor_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from edgebox.reading import OpenDocument

    def broken(self: OpenDocument) -> None:
        raise ZeroDivisionError("a bug")

    async def play() -> None:
        async with running(folder) as engine:
            monkeypatch.setattr(OpenDocument, "prepare", broken)
            line = await FakeLine.connect(engine)
            line.send(Begin(1, PRELUDE), Data(1, 0, INK), Data(1, len(INK), FEED))
            await until(lambda: engine.counters["faults"] == 1)
            line.end(1, INK + FEED)
            answer = await line.next()
            assert isinstance(answer, Answer)
            assert answer.body
            await line.done(1, Result.INSERTED, answer.ref)

    with caplog.at_level(logging.ERROR):
        asyncio.run(play())
    assert [record.message for record in caplog.records] == ["line1: fault at a pause: ZeroDivisionError: a bug"]
    assert recorded(folder)[0].amount_minor == 3390


def test_of_a_line_that_went_before_its_outcome_no_text_is_kept(folder: Path, done: list[str]) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            done.clear()
            line = await FakeLine.connect(engine)
            await line.answer(1, RECEIPT)
            (session,) = engine._sessions
            assert session._pending[1].reading is not None
            await line.leave(engine)
            assert done == ["answer", "record"]
            assert session._pending[1].reading is None
            assert session._pending[1].decided.receipt.details.items

    asyncio.run(play())
