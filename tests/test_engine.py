"""The engine as a line meets it: documents in, answers out, recorded before they are Done."""

import asyncio
import contextlib
import logging
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox import config
from edgebox.engine import Engine
from edgebox.errors import ConfigError
from edgebox.journal import FILE, Journal, JournalError, ReceiptRecord
from edgebox.line.frames import (
    Answer,
    Begin,
    Data,
    Decoder,
    Done,
    End,
    Frame,
    Gap,
    Hello,
    Job,
    JobCancel,
    JobPhase,
    JobState,
    Outcome,
    Ping,
    Pong,
    Result,
    Status,
    Why,
    encode,
)
from edgebox.loyalty import claims
from edgebox.loyalty.keyring import Keyring
from hw_sim.cloud_keys import keyring

NOW = 1_795_000_000  # 2026-11-18
SESSION = b"\x01" * 8
PRELUDE = b"\x1b@"
RECEIPT = (
    b"CORNER SHOP\nReceipt No: 000417\n2026-11-18 18:42:07\n"
    b"MILK  2 x 8.00   16.00\nBREAD           17.90\n"
    b"TOTAL           33.90\nCASH            50.00\nCHANGE          16.10\n\n\n"
)
REPRINT = b"*** REPRINT ***\n" + RECEIPT
RESETTLED = RECEIPT.replace(b"33.90", b"23.90").replace(b"16.10", b"26.10")
PRE_BILL = b"CORNER SHOP\n2026-11-18 18:42:07\nMILK 16.00\nTOTAL 16.00\n"
CUT = b"\x1dV\x00"
KEYS = keyring(b"m" * 32, 4711, 12, NOW)


class FakeLine:
    """A line's side of the socket, driven by a test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()
        self._frames: list[Frame] = []

    @classmethod
    async def connect(
        cls, engine: Engine, name: str = "line1", session: bytes = SESSION, profile: str = "generic-80"
    ) -> "FakeLine":
        line = cls(*await asyncio.open_unix_connection(engine.config.engine.socket))
        CONNECTED.append(line)
        line.send(Hello(session, name, profile, 0, 130))
        return line

    def send(self, *frames: Frame) -> None:
        self._writer.write(b"".join(map(encode, frames)))

    async def next(self) -> Frame:
        while not self._frames:
            data = await asyncio.wait_for(self._reader.read(65536), 5)
            assert data, "the engine closed the connection"
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    def document(self, number: int, raw: bytes, *, piece: int = 4096) -> None:
        self.send(Begin(number, PRELUDE))
        for at in range(0, len(raw), piece):
            self.send(Data(number, at, raw[at : at + piece]))

    def end(self, number: int, raw: bytes, *, ask: bool = True, replay: bool = False, ref: bytes = b"") -> None:
        at = len(raw)
        self.send(End(number, Why.CUT, ask, "", at, at, at, True, -1, 150, replay, ref))

    def outcome(self, number: int, result: Result, ref: bytes = b"") -> None:
        self.send(Outcome(number, result, "", 300 if result is Result.INSERTED else 0, 410, ref))

    async def answer(self, number: int, raw: bytes, **pieces: int) -> Answer:
        """A whole document, up to the engine's answer."""
        self.document(number, raw + CUT, **pieces)
        self.end(number, raw)
        frame = await self.next()
        assert isinstance(frame, Answer)
        assert frame.document == number
        return frame

    async def done(self, number: int, result: Result = Result.INSERTED, ref: bytes = b"") -> None:
        self.outcome(number, result, ref)
        assert await self.next() == Done(number)

    async def print_receipt(self, number: int, raw: bytes = RECEIPT, result: Result = Result.INSERTED) -> Answer:
        answer = await self.answer(number, raw)
        await self.done(number, result if answer.body else Result.PLAIN, answer.ref)
        return answer

    def close(self) -> None:
        self._writer.close()


CONNECTED: list[FakeLine] = []


Play = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def settings(folder: Path, *overrides: str) -> config.Config:
    own = [f"engine.socket={folder}/engine.sock", f"engine.data={folder}/data", *overrides]
    return config.load(None, own)


@contextlib.asynccontextmanager
async def running(folder: Path, *overrides: str, keys: Keyring | None = KEYS) -> AsyncIterator[Engine]:
    engine = Engine(settings(folder, *overrides), keys, clock=lambda: NOW)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()
        while CONNECTED:
            line = CONNECTED.pop()
            line.close()
            with contextlib.suppress(ConnectionError):
                await line._writer.wait_closed()


def recorded(folder: Path) -> list[ReceiptRecord]:
    lines = (folder / "data" / FILE).read_bytes().splitlines()
    return [msgspec.json.decode(line, type=ReceiptRecord) for line in lines]


def verified(answer: Answer) -> claims.Claim:
    return claims.verify(answer.ref.decode("ascii"), KEYS, NOW).claim


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
            disk = (folder / "data" / FILE).read_bytes()
            assert recorded(folder)[0].kind == "refund"
            for secret in (b"Jane", b"jane", b"13800138000", b"CORNER", b"MILK", b"***"):
                assert secret not in disk

    asyncio.run(play())


def test_journal_and_socket_are_the_owners_alone(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            assert stat.S_IMODE(os.stat(folder / "data" / FILE).st_mode) == 0o600
            assert stat.S_IMODE(os.stat(engine.config.engine.socket).st_mode) == 0o600

    asyncio.run(play())


def test_the_socket_is_open_to_the_group_when_asked(folder: Path) -> None:
    async def play() -> None:
        async with running(folder, "engine.group=true") as engine:
            assert stat.S_IMODE(os.stat(engine.config.engine.socket).st_mode) == 0o660

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
            monkeypatch.setattr(ReceiptReader, "finish", broken)
            line = await FakeLine.connect(engine)
            for number in (1, 2, 3):
                assert (await line.answer(number, RECEIPT)).body == b""
                await line.done(number, Result.PLAIN)
            assert engine.counters["faults"] == 3

    with caplog.at_level(logging.ERROR):
        asyncio.run(play())
    assert [record.message for record in caplog.records] == ["line1: fault at the end: ZeroDivisionError: a bug"]
    assert len(recorded(folder)) == 3


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


# -- the same receipt again


def test_a_copy_in_the_same_job_prints_the_same_claim(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            first, second = await line.print_receipt(1), await line.print_receipt(2)
            assert first.ref == second.ref != b""

    asyncio.run(play())


def test_a_reprint_on_another_lane_prints_the_stored_claim(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            first = await (await FakeLine.connect(engine)).print_receipt(1)
            other = await FakeLine.connect(engine, "line2", b"\x02" * 8)
            assert (await other.print_receipt(9, REPRINT)).ref == first.ref

    asyncio.run(play())


def test_a_reprint_of_a_receipt_from_before_the_box_earns_nothing(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            assert (await line.print_receipt(1, REPRINT)).body == b""

    asyncio.run(play())


def test_a_reprint_is_known_after_a_restart(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            first = await (await FakeLine.connect(engine)).print_receipt(1)
        async with running(folder) as engine:
            again = await (await FakeLine.connect(engine, session=b"\x03" * 8)).print_receipt(1, REPRINT)
            assert again.ref == first.ref

    asyncio.run(play())


def test_a_bill_settled_again_keeps_its_id_with_the_next_revision(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            first, second = await line.print_receipt(1), await line.print_receipt(2, RESETTLED)
            before, after = verified(first), verified(second)
            assert before.claim_id == after.claim_id
            assert (before.amount_minor, before.revision) == (3390, 0)
            assert (after.amount_minor, after.revision) == (2390, 1)

    asyncio.run(play())


@pytest.mark.parametrize("result", [Result.LATE, Result.REFUSED])
def test_a_slip_that_was_not_printed_leaves_a_void_claim(folder: Path, result: Result) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            lost = await line.print_receipt(1, result=result)
            assert recorded(folder)[0].voided
            fresh = await line.print_receipt(2)
            assert fresh.ref != lost.ref
            assert verified(fresh).revision == 1

    asyncio.run(play())


# -- restarts and replays


def test_a_replayed_document_is_recorded_once(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.print_receipt(1)
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            line.document(1, RECEIPT + CUT)
            line.end(1, RECEIPT, ask=False, replay=True, ref=answer.ref)
            await line.done(1, Result.INSERTED, answer.ref)
            assert len(recorded(folder)) == 1

    asyncio.run(play())


def test_a_document_answered_by_an_engine_that_died_is_recorded_with_what_was_printed(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
            line.close()
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            line.document(1, RECEIPT + CUT)
            line.end(1, RECEIPT, ask=False, replay=True, ref=answer.ref)
            await line.done(1, Result.INSERTED, answer.ref)
            (record,) = recorded(folder)
            assert (record.url.encode(), record.amount_minor, record.replayed) == (answer.ref, 3390, True)
            assert (await line.print_receipt(2, REPRINT)).ref == answer.ref

    asyncio.run(play())


def test_a_full_disk_keeps_the_document_with_the_line_until_there_is_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    real = Journal._write

    def write(self: Journal, raw: bytes) -> JournalError | None:
        return JournalError("no space left", reason="disk") if full else real(self, raw)

    async def play() -> None:
        nonlocal full
        monkeypatch.setattr(Journal, "_write", write)
        monkeypatch.setattr("edgebox.lines.RETRY_S", 0.01)
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
            line.outcome(1, Result.INSERTED, answer.ref)
            assert (await line.answer(2, PRE_BILL)).body == b"", "the next receipt is served meanwhile"
            assert recorded(folder) == []
            full = False
            assert await line.next() == Done(1)
            assert len(recorded(folder)) == 1

    asyncio.run(play())


def test_two_engines_never_share_a_journal(folder: Path) -> None:
    async def play() -> None:
        async with running(folder):
            with pytest.raises(JournalError, match="another engine"):
                await Engine(settings(folder), KEYS).start()

    asyncio.run(play())


def test_a_socket_that_cannot_be_made_is_named(folder: Path) -> None:
    (folder / "file").write_text("in the way")

    async def play() -> None:
        engine = Engine(settings(folder, f"engine.socket={folder}/file/engine.sock"), KEYS)
        with pytest.raises(ConfigError, match=r"engine\.sock"):
            await engine.start()
        await engine.stop()

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
        "line1: pre_bill, no slip, held 0.41 ms (nothing says that it is paid)",
    ]


# -- the journal by itself


def test_a_line_torn_by_a_power_cut_is_skipped_and_the_rest_kept(tmp_path: Path) -> None:
    async def play(document: int) -> None:
        journal = Journal(tmp_path)
        await journal.record(ReceiptRecord(session="00", document=document, line="line1", at=NOW, kind="sale"))
        journal.close()

    asyncio.run(play(1))
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"session":"00","docu')
    asyncio.run(play(2))
    journal = Journal(tmp_path)
    assert [record.document for record in journal.past()] == [1, 2]
    assert journal.torn == 1
    journal.close()


def test_records_that_wait_together_are_synced_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = 0
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        nonlocal syncs
        syncs += 1
        real(descriptor)

    async def play() -> None:
        journal = Journal(tmp_path)
        records = [ReceiptRecord(session="00", document=n, line="line1", at=NOW, kind="sale") for n in range(200)]
        await asyncio.gather(*(journal.record(record) for record in records))
        assert [record.document for record in journal.past()] == list(range(200))
        journal.close()
        with pytest.raises(JournalError, match="closed"):
            await journal.record(records[0])

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    asyncio.run(play())
    assert syncs < 100


def test_a_failed_write_leaves_no_part_of_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdatasync

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    async def play() -> None:
        journal = Journal(tmp_path)
        record = ReceiptRecord(session="00", document=1, line="line1", at=NOW, kind="sale")
        monkeypatch.setattr(os, "fdatasync", no_space)
        with pytest.raises(JournalError, match="No space"):
            await journal.record(record)
        assert (tmp_path / FILE).read_bytes() == b""
        monkeypatch.setattr(os, "fdatasync", real)
        await journal.record(record)
        assert len(list(journal.past())) == 1
        journal.close()

    asyncio.run(play())
