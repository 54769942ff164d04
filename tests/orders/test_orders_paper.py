"""What the fleet prints, and where it turns slips off."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import Job, JobPhase, JobState, Result
from edgebox.line.insertion import check
from edgebox.store.events import ClaimRecord, ClaimState, Stream
from sync.contract import Reply
from tests.box_of_orders import Box, box
from tests.line_of_engine import FakeLine, verified
from tests.sync.fleet import NOW

BLOCKS = [
    {"block": "text", "text": "Happy birthday 生日快乐", "align": "center", "bold": True, "width": 2, "height": 2},
    {"block": "rule"},
    {"block": "qr", "data": "https://example.cn/x", "caption": "scan me"},
    {"block": "feed", "lines": 2},
]
PRINT = {"line": "line1", "blocks": BLOCKS}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def shown(reply: Reply) -> tuple[str, str]:
    return reply.state.value, reply.reason


async def job(line: FakeLine) -> Job:
    frame = await line.next()
    assert isinstance(frame, Job)
    return frame


async def printed(shop: Box, line: FakeLine, last: JobPhase, reason: str = "", **more: Any) -> Reply:
    """The print command, with the line's own steps played by the test."""
    await shop.begin("print", PRINT, id=last.name, **more)
    found = await job(line)
    line.send(JobState(found.job, JobPhase.QUEUED, ""), JobState(found.job, JobPhase.PRINTING, ""))
    line.send(JobState(found.job, last, reason))
    return await shop.end(last.name)


@pytest.mark.parametrize("profile", ["generic-80", "generic-58"])
def test_a_print_is_made_of_blocks_and_passes_the_lines_own_check(folder: Path, profile: str) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            line = await FakeLine.connect(shop.engine, profile=profile)
            await shop.until(lambda: "line1" in shop.engine.lines)
            await shop.begin("print", {**PRINT, "cut": False}, id="p", expires=NOW + 90)
            found = await job(line)
            assert (found.cut, found.expires_ms, found.copies) == (False, 90_000, 1)
            assert check(found.body, shop.engine.profile(profile)).reason == ""
            assert check(found.body, PrinterProfile()).reason == ""
            line.send(JobState(found.job, JobPhase.SENT, ""))
            reply = await shop.end("p")
            assert (shown(reply), reply.result) == (("succeeded", ""), {"line": "line1", "phase": "sent", "job": "p"})

    asyncio.run(play())


def test_a_print_ends_as_the_line_says_and_every_step_is_told(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            assert shown(await printed(shop, line, JobPhase.PRINTED)) == ("succeeded", "")
            states = [(reply.state.value, reply.words) for reply in shop.way.replies]
            assert states == [("queued", ""), ("running", ""), ("succeeded", "")]
            reply = await printed(shop, line, JobPhase.FAILED, "printer lost while printing")
            assert shown(reply) == ("failed", "unknown")
            assert "printer lost while printing" in reply.words
            assert shown(await printed(shop, line, JobPhase.EXPIRED)) == ("expired", "expired")
            assert shown(await shop.give("print", {**PRINT, "line": "line9"})) == ("failed", "no_such_line")

    asyncio.run(play())


def test_what_the_printer_cannot_print_is_said_and_not_sent(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await shop.line()
            blocks = [{"block": "text", "text": "x" * 400}] * 60
            assert shown(await shop.give("print", {**PRINT, "blocks": blocks})) == ("failed", "too_long")

    asyncio.run(play())


def test_the_texts_printed_are_written_down_nowhere(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            await printed(shop, line, JobPhase.SENT)

    asyncio.run(play())
    for path in (folder / "data").rglob("*"):
        assert not path.is_file() or b"birthday" not in path.read_bytes()


def test_a_slip_is_printed_again_with_its_token_and_only_if_somebody_holds_it(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            answer = await line.print_receipt(1)
            claim = verified(answer).claim_id.hex()
            void = await line.print_receipt(2, b"No: 9\n" + answer.ref[:0] + _other_receipt(), Result.LATE)
            await shop.begin("receipt.reprint", {"claim": claim}, id="again", key="operator-1")
            found = await job(line)
            line.send(JobState(found.job, JobPhase.SENT, ""))
            assert shown(await shop.end("again")) == ("succeeded", "")
            records = await claims(shop)
            assert (records[-1].state, records[-1].claim, records[-1].url) == (
                ClaimState.AGAIN, claim, answer.ref.decode(),
            )  # fmt: skip
            gone = verified(void).claim_id.hex()
            assert shown(await shop.give("receipt.reprint", {"claim": gone})) == ("failed", "void")
            assert shown(await shop.give("receipt.reprint", {"claim": "0" * 16})) == ("failed", "no_such_claim")
            assert len(await claims(shop)) == len(records)

    asyncio.run(play())


def _other_receipt() -> bytes:
    from tests.line_of_engine import RECEIPT

    return RECEIPT.replace(b"000417", b"000418")


async def claims(shop: Box) -> list[ClaimRecord]:
    rows = await shop.store.rows(Stream.CLAIMS, None, limit_rows=99, limit_bytes=1 << 20)
    return [msgspec.json.decode(row.body, type=ClaimRecord) for row in rows]


def test_slips_of_a_line_are_off_until_somebody_says_otherwise_also_after_a_restart(folder: Path) -> None:
    off, on = {"line": "line1", "slips": False}, {"line": "line1", "slips": True}

    async def play() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            reply = await shop.give("line.bypass", off, "operator-1")
            assert (shown(reply), reply.result["changed"]) == (("succeeded", ""), 1)
            assert (await line.print_receipt(1)).body == b""
            assert shown(await shop.give("line.bypass", {**off, "line": "line9"})) == ("failed", "no_such_line")
        async with box(folder) as later:
            line = await later.line()
            assert (await line.print_receipt(2)).body == b""
            await later.give("line.bypass", on)
            assert (await line.print_receipt(3)).body
            receipts = await later.store.rows(Stream.RECEIPTS, None, limit_rows=9, limit_bytes=1 << 20)
            assert len(receipts) == 3

    asyncio.run(play())
