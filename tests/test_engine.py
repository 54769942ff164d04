"""The engine as a line meets it: documents in, answers out, recorded before they are Done."""

import asyncio
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebox.line.frames import (
    Answer,
    Begin,
    Data,
    Gap,
    Job,
    JobCancel,
    JobPhase,
    JobState,
    Ping,
    Pong,
    Printed,
    Result,
    Status,
)
from edgebox.model import Receipt
from tests.line_of_engine import (
    PRE_BILL,
    PRELUDE,
    RECEIPT,
    FakeLine,
    on_disk,
    recorded,
    running,
    verified,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


# -- one receipt


def test_a_paid_receipt_gets_a_slip_with_a_claim_to_its_total(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.print_receipt(1)
            claim = verified(answer)
            assert claim.amount_minor == 3390
            assert answer.ref in answer.body
            assert not claim.weak_id

    asyncio.run(play())


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_the_answer_is_the_same_at_any_chunking(folder: Path, piece: int) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            assert verified(await line.answer(1, RECEIPT, piece=piece)).amount_minor == 3390

    asyncio.run(play())


def test_a_receipt_is_on_disk_before_the_line_may_forget_it(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
            assert recorded(folder) == []
            await line.done(1, Result.INSERTED, answer.ref)
            (record,) = recorded(folder)
            assert (record.kind, record.amount_minor, record.number) == ("sale", 3390, "000417")
            assert record.url.encode() == answer.ref
            assert (record.result, record.voided, record.hold_us) == ("inserted", False, 410)

    asyncio.run(play())


def test_no_line_of_the_paper_reaches_the_disk(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            customer = b"Customer: Jane Roe\nTel: 13800138000\n*** REFUND ***\n"
            await line.answer(1, RECEIPT + customer)
            await line.done(1, Result.PLAIN)
            disk = on_disk(folder)
            assert b"000417" in disk
            assert recorded(folder)[0].kind == "refund"
            for secret in (b"Jane", b"jane", b"13800138000", b"CORNER", b"MILK", b"***"):
                assert secret not in disk

    asyncio.run(play())


def test_database_and_socket_are_the_owners_alone(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            for path in (folder / "data").iterdir():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
            assert stat.S_IMODE(os.stat(engine.config.engine.socket).st_mode) == 0o600

    asyncio.run(play())


def test_the_socket_is_open_to_the_group_when_asked(folder: Path) -> None:
    async def play() -> None:
        async with running(folder, "engine.group=true") as engine:
            assert stat.S_IMODE(os.stat(engine.config.engine.socket).st_mode) == 0o660

    asyncio.run(play())


def test_a_printer_without_chinese_characters_gets_them_drawn(folder: Path) -> None:
    async def play() -> None:
        async with running(folder, "slip.languages=zh") as engine:
            line = await FakeLine.connect(engine, profile="generic-80")
            answer = await line.answer(1, RECEIPT)
            assert verified(answer).amount_minor == 3390
            assert b"\x1dv0" in answer.body, "the words as a picture"
            assert b"\x1c&" not in answer.body, "no native characters, which it hasn't got"

    asyncio.run(play())


def test_wechat_credits_its_own_payments_so_they_get_no_slip(folder: Path) -> None:
    by_wechat = RECEIPT.replace(b"CASH            50.00\nCHANGE          16.10", b"WECHAT PAY      33.90")

    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            assert (await line.answer(1, by_wechat)).body == b""
            await line.done(1, Result.PLAIN)
            assert recorded(folder)[0].tenders == (("wechat", 3390),)

    asyncio.run(play())


def test_a_slip_that_the_printer_confirms_is_counted(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1)
            line.send(Printed(1), Ping(5))
            assert await line.next() == Pong(5, "")
            assert engine.counters["slips on paper"] == 1

    asyncio.run(play())


# -- nothing to print


@pytest.mark.parametrize(
    ("name", "raw", "overrides"),
    [
        ("unpaid", PRE_BILL, ()),
        ("nothing on paper", b"\n\n", ()),
        ("below the minimum", RECEIPT, ("points.minimum=5000",)),
        ("less than one point", RECEIPT, ("points.spend_per_point=5000",)),
        ("paid in a way that earns elsewhere", RECEIPT, ("points.excluded_tenders=cash",)),
        ("no number, so no strong id", RECEIPT.replace(b"Receipt No: 000417", b""), ()),
        ("hostile bytes", bytes(range(256)) * 40, ()),
    ],
)
def test_what_earns_nothing_is_answered_at_once_with_nothing(
    folder: Path, name: str, raw: bytes, overrides: tuple[str, ...]
) -> None:
    async def play() -> None:
        async with running(folder, *overrides) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, raw)
            assert (answer.ref, answer.body) == (b"", b"")
            await line.done(1, Result.PLAIN)
            assert recorded(folder)[0].url == ""

    asyncio.run(play())


def test_without_keys_it_reads_and_records_but_prints_nothing(folder: Path) -> None:
    async def play() -> None:
        async with running(folder, keys=None) as engine:
            line = await FakeLine.connect(engine)
            assert (await line.answer(1, RECEIPT)).body == b""
            await line.done(1, Result.PLAIN)
            assert recorded(folder)[0].amount_minor == 3390

    asyncio.run(play())


def test_a_weak_id_earns_a_pending_claim_when_the_shop_wants_it(folder: Path) -> None:
    async def play() -> None:
        async with running(folder, "claims.weak=pending") as engine:
            line = await FakeLine.connect(engine)
            assert verified(await line.answer(1, RECEIPT.replace(b"Receipt No: 000417", b""))).weak_id

    asyncio.run(play())


def test_a_bug_in_the_reader_ends_in_an_empty_answer_and_one_line_in_the_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from edgebox.receipt.reader import ReceiptReader

    def broken(self: ReceiptReader) -> None:
        raise ZeroDivisionError("a bug")

    async def play() -> None:
        async with running(folder) as engine:
            monkeypatch.setattr(ReceiptReader, "answer", broken)
            line = await FakeLine.connect(engine)
            for number in (1, 2, 3):
                assert (await line.answer(number, RECEIPT)).body == b""
                await line.done(number, Result.PLAIN)
            assert engine.counters["faults"] == 3

    with caplog.at_level(logging.ERROR):
        asyncio.run(play())
    assert [record.message for record in caplog.records] == ["line1: fault at the end: ZeroDivisionError: a bug"]
    assert len(recorded(folder)) == 3


def test_a_bug_behind_the_answer_costs_neither_slip_nor_claim(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgebox.receipt.reader import ReceiptReader

    def broken(self: ReceiptReader, receipt: Receipt) -> Receipt:
        raise ZeroDivisionError("a bug")

    async def play() -> None:
        async with running(folder) as engine:
            monkeypatch.setattr(ReceiptReader, "completed", broken)
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
            assert answer.body
            await line.done(1, Result.INSERTED, answer.ref)
            assert engine.counters["faults"] == 1

    asyncio.run(play())
    (record,) = recorded(folder)
    assert (record.amount_minor, record.number, bool(record.claim)) == (3390, "000417", True)


def test_a_document_with_missing_bytes_earns_nothing(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            line.send(Begin(1, PRELUDE), Data(1, 0, RECEIPT[:50]), Data(1, 60, RECEIPT[60:]))
            line.end(1, RECEIPT)
            assert await line.next() == Answer(1, b"", b"")
            line.send(Begin(2, PRELUDE), Data(2, 0, RECEIPT), Gap(2, 0, 10))
            line.end(2, RECEIPT)
            assert await line.next() == Answer(2, b"", b"")
            line.send(Gap(3, 0, 10), Begin(3, PRELUDE), Data(3, 0, RECEIPT))
            line.end(3, RECEIPT)
            assert await line.next() == Answer(3, b"", b"")
            assert (await line.answer(4, RECEIPT)).body != b""

    asyncio.run(play())


def test_a_printer_nobody_knows_gets_no_slip(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine, profile="no-such-printer")
            assert (await line.answer(1, RECEIPT)).body == b""

    asyncio.run(play())


def test_a_peer_that_talks_nonsense_is_let_go_and_the_next_is_served(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            reader, writer = await asyncio.open_unix_connection(engine.config.engine.socket)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            await writer.wait_closed()
            line = await FakeLine.connect(engine)
            assert (await line.print_receipt(1)).body

    asyncio.run(play())


# -- lines, jobs, pings


def test_several_lines_are_served_at_once(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            lines = [await FakeLine.connect(engine, f"line{n}", bytes([n]) * 8) for n in range(1, 5)]
            for number, line in enumerate(lines):
                line.document(number, RECEIPT.replace(b"000417", b"00050%d" % number))
            for number, line in enumerate(lines):
                line.end(number, RECEIPT)
            answers = [await line.next() for line in lines]
            assert len({answer.ref for answer in answers if isinstance(answer, Answer)}) == 4

    asyncio.run(play())


def test_a_job_is_sent_to_its_line_and_followed(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            line.send(Ping(7))
            assert await line.next() == Pong(7, "")
            states = engine.print_job("line1", b"hello\n", cut=True, expires_ms=5000)
            job = await line.next()
            assert isinstance(job, Job)
            assert (job.body, job.cut, job.expires_ms) == (b"hello\n", True, 5000)
            line.send(JobState(job.job, JobPhase.PRINTING, ""), JobState(job.job, JobPhase.SENT, ""))
            assert [(await states.get()).phase for _ in range(2)] == [JobPhase.PRINTING, JobPhase.SENT]
            await line.leave(engine)
            assert states.empty(), "what was sent has not failed: a sender would print it twice"
            line = await FakeLine.connect(engine)
            await line.print_receipt(1)
            engine.lines["line1"].cancel_job(job.job)
            assert await line.next() == JobCancel(job.job)

    asyncio.run(play())


def test_a_job_fails_when_its_line_goes_away(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1)
            states = engine.print_job("line1", b"hello\n")
            line.close()
            assert (await asyncio.wait_for(states.get(), 5)).phase == JobPhase.FAILED
            assert engine.lines == {}

    asyncio.run(play())


def test_the_engine_asks_a_line_for_its_counters(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1)
            asking = asyncio.create_task(engine.lines["line1"].ping(3))
            assert await line.next() == Ping(3)
            line.send(Pong(3, "documents 1\n"))
            assert (await asking).text == "documents 1\n"

    asyncio.run(play())


def test_each_receipt_is_one_line_in_the_log(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            line.send(Status(True, 0, b""))
            await line.print_receipt(1)
            await line.print_receipt(2)
            await line.print_receipt(3, PRE_BILL)

    with caplog.at_level(logging.INFO):
        asyncio.run(play())
    receipts = [record.message for record in caplog.records if "sale" in record.message or "bill" in record.message]
    assert receipts == [
        "line1: sale 33.90 CNY, 33 points, slip printed, held 0.41 ms (tendered 50.00 - change 16.10 = 33.90)",
        "line1: sale 33.90 CNY, 33 points, slip printed again, held 0.41 ms (tendered 50.00 - change 16.10 = 33.90)",
        "line1: pre_bill, no slip, held 0.41 ms (a pre-bill earns nothing)",
    ]
