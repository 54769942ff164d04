"""What the engine writes down: a claim's fate with its receipt, health beside it; and how it begins with a past."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edgebox.engine import Engine
from edgebox.errors import StoreFull
from edgebox.escpos.status import PrinterStatus
from edgebox.line.frames import Ping, Pong, Printed, Result, Status
from edgebox.store.events import ClaimRecord, ClaimState, Event, HealthRecord, Stream
from edgebox.store.peek import bodies, peek
from tests.line_of_engine import (
    CUT,
    KEYS,
    PRE_BILL,
    RECEIPT,
    REPRINT,
    RESETTLED,
    FakeLine,
    recorded,
    recorded_claims,
    running,
    settings,
    verified,
)
from tests.store.filled import fill


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def states(folder: Path) -> list[tuple[int, str]]:
    return [(claim.document, claim.state.value) for claim in recorded_claims(folder)]


def health(folder: Path) -> list[tuple[str, str, str]]:
    found = [msgspec.json.decode(body, type=HealthRecord) for body in bodies(folder / "data", Stream.HEALTH)]
    return [(event.part, event.state, event.words) for event in found]


def test_a_claim_is_recorded_with_its_receipt_and_says_what_the_token_says(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.print_receipt(1)
            (claim,), (receipt,) = recorded_claims(folder), recorded(folder)
            token = verified(answer)
            assert (claim.url.encode(), claim.claim, claim.revision) == (answer.ref, token.claim_id.hex(), 0)
            assert (claim.amount_minor, claim.points, claim.state) == (token.amount_minor, 33, ClaimState.GRANTED)
            assert (claim.session, claim.document, claim.line) == (receipt.session, receipt.document, receipt.line)

    asyncio.run(play())


def test_every_outcome_is_a_state_of_the_claim(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1, RECEIPT, Result.LATE)
            await line.print_receipt(2, RECEIPT, Result.INSERTED)
            await line.print_receipt(3, REPRINT, Result.INSERTED)
            await line.print_receipt(4, REPRINT, Result.REFUSED)
            await line.print_receipt(5, PRE_BILL)
            await line.print_receipt(6, RESETTLED, Result.REFUSED)
            await line.answer(7, RESETTLED)
            await line.leave(engine)
            successor = await FakeLine.connect(engine, session=b"\x04" * 8)
            successor.send(Ping(1))
            await successor.next()
        assert states(folder) == [(1, "void"), (2, "granted"), (3, "again"), (6, "void"), (7, "unknown")]
        assert [claim.revision for claim in recorded_claims(folder)] == [0, 1, 1, 2, 3]
        with closing(peek(folder / "data")) as db:
            assert db.execute("SELECT state, revision FROM claims").fetchall() == [("unknown", 3)]

    asyncio.run(play())


def test_a_slip_that_the_printer_confirms_is_recorded_as_on_paper(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1)
            line.send(Printed(1), Printed(1), Printed(99), Ping(5))
            assert await line.next() == Pong(5, "")
        assert states(folder) == [(1, "granted"), (1, "on_paper")], "once, and only for a slip of ours"

    asyncio.run(play())


def test_a_receipt_and_its_claim_are_refused_together_and_accepted_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgebox.lines.RETRY_S", 0.005)
    refusals = 0

    def gate(event: Event, size: int) -> StoreFull | None:
        nonlocal refusals
        if not isinstance(event, ClaimRecord) or refusals >= 3:
            return None
        refusals += 1
        return StoreFull("no room for the claim", reason="budget")

    async def play() -> None:
        async with running(folder) as engine:
            assert engine.store is not None
            engine.store.guard(gate)
            line = await FakeLine.connect(engine)
            await line.print_receipt(1)
            assert refusals == 3
            assert len(recorded(folder)) == len(recorded_claims(folder)) == 1

    asyncio.run(play())


def test_a_document_that_was_recorded_long_ago_is_recorded_once(folder: Path) -> None:
    """Longer ago than the engine remembers: the database knows it."""

    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.print_receipt(1)
            engine._recorded.clear()
            line.document(1, RECEIPT + CUT)
            line.end(1, RECEIPT, ask=False, replay=True, ref=answer.ref)
            await line.done(1, Result.INSERTED, answer.ref)
            assert len(recorded(folder)) == len(recorded_claims(folder)) == 1

    asyncio.run(play())


def test_engine_lines_and_printers_say_how_they_are(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            line.send(Status(True, PrinterStatus.PAPER_END, b""), Status(True, PrinterStatus.PAPER_END, b""), Ping(5))
            await line.next()
            await line.leave(engine)
        assert health(folder) == [
            ("store", "ok", ""),
            ("engine", "ok", "started"),
            ("rules", "ok", ""),
            ("slips", "ok", ""),
            ("keys", "ok", ""),
            ("codes", "ok", ""),
            ("line line1", "ok", "connected"),
            ("printer line1", "failed", "no paper"),
            ("line line1", "failed", "gone"),
            ("engine", "ok", "stopped"),
        ]

    asyncio.run(play())


def test_a_database_that_was_lost_is_an_alarm(folder: Path) -> None:
    async def play() -> None:
        async with running(folder):
            pass
        (folder / "data" / "edgebox.db").unlink()
        async with running(folder):
            pass
        part, state, words = health(folder)[0]
        assert (part, state) == ("store", "failed")
        assert "lost" in words

    asyncio.run(play())


def test_an_engine_with_years_behind_it_starts_as_quickly_as_a_new_one(folder: Path) -> None:
    """It reads the newest receipts and claims; `make bench` measures it with a million."""
    fill(folder / "data", 30_000)

    async def play() -> float:
        engine = Engine(settings(folder), KEYS)
        began = time.monotonic()
        await engine.start()
        took = time.monotonic() - began
        assert len(engine._recorded) <= 10_000
        await engine.stop()
        return took

    assert asyncio.run(play()) < 4, "0.3 s on a quiet machine"
