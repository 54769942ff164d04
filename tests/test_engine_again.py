"""The same receipt again: copies, reprints, bills settled anew, replays after a crash; a disk that refuses."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebox.engine import Engine
from edgebox.errors import ConfigError
from edgebox.journal import Journal, JournalError
from edgebox.line.frames import (
    Done,
    Result,
)
from tests.line_of_engine import (
    CUT,
    KEYS,
    PRE_BILL,
    RECEIPT,
    REPRINT,
    RESETTLED,
    FakeLine,
    recorded,
    running,
    settings,
    verified,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


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
