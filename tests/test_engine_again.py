"""The same receipt again: copies, reprints, bills settled anew, replays after a crash; a disk that refuses."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebox.engine import Engine
from edgebox.errors import ConfigError, StoreError, StoreFull
from edgebox.line.frames import (
    Done,
    Result,
)
from edgebox.store.events import Event, ReceiptRecord
from edgebox.tills import Tills
from tests.line_of_engine import (
    CUT,
    KEYS,
    NOW,
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

    def gate(event: Event, size: int) -> StoreFull | None:
        return StoreFull("no space left", reason="disk") if full else None

    async def play() -> None:
        nonlocal full
        monkeypatch.setattr("edgebox.lines.RETRY_S", 0.01)
        async with running(folder) as engine:
            assert engine.store is not None
            engine.store.guard(gate)
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
            line.outcome(1, Result.INSERTED, answer.ref)
            assert (await line.answer(2, PRE_BILL)).body == b"", "the next receipt is served meanwhile"
            assert recorded(folder) == []
            full = False
            assert await line.next() == Done(1)
            assert len(recorded(folder)) == 1

    asyncio.run(play())


def test_a_receipt_outlives_its_line_while_the_disk_is_full_and_is_recorded_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True

    def gate(event: Event, size: int) -> StoreFull | None:
        return StoreFull("no space left", reason="disk") if full else None

    async def play() -> None:
        nonlocal full
        monkeypatch.setattr("edgebox.lines.RETRY_S", 0.01)
        async with running(folder) as engine:
            assert engine.store is not None
            engine.store.guard(gate)
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
            line.outcome(1, Result.INSERTED, answer.ref)
            await line.leave(engine)
            again = await FakeLine.connect(engine)  # the same line: it tells all that was not Done
            again.document(1, RECEIPT + CUT)
            again.end(1, RECEIPT, ask=False, replay=True, ref=answer.ref)
            again.outcome(1, Result.INSERTED, answer.ref)
            await again.answer(2, PRE_BILL)
            assert recorded(folder) == []
            full = False
            assert await again.next() == Done(1)
        assert [(record.document, record.url.encode()) for record in recorded(folder)] == [(1, answer.ref)]

    asyncio.run(play())


def test_a_line_that_is_killed_behind_the_answer_leaves_a_receipt_with_a_good_claim(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
            await line.leave(engine)
            fresh = await FakeLine.connect(engine, session=b"\x04" * 8)
            copy = await fresh.print_receipt(1)
            assert copy.ref == answer.ref, "its slip may be on paper: a copy carries no second claim"
            dead = next(record for record in recorded(folder) if record.session == "01" * 8)
            assert (dead.result, dead.voided, dead.url.encode()) == ("unknown", False, answer.ref)

    asyncio.run(play())


def test_a_copy_that_was_not_printed_leaves_the_printed_claim_good_over_a_restart(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            first = await line.print_receipt(1)
            assert (await line.answer(2, RECEIPT)).ref == first.ref
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            line.document(2, RECEIPT + CUT)
            line.end(2, RECEIPT, ask=False, replay=True, ref=first.ref)
            await line.done(2, Result.REFUSED, first.ref)
            assert [(record.voided, record.points) for record in recorded(folder)] == [(False, 33), (False, 33)]
        async with running(folder) as engine:
            line = await FakeLine.connect(engine, session=b"\x05" * 8)
            assert (await line.print_receipt(1, REPRINT)).ref == first.ref

    asyncio.run(play())


def test_a_void_claim_that_is_told_again_gives_out_no_revision_twice(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, RECEIPT)
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            line.document(1, RECEIPT + CUT)
            line.end(1, RECEIPT, ask=False, replay=True, ref=answer.ref)
            await line.done(1, Result.REFUSED, answer.ref)
            assert verified(await line.print_receipt(2)).revision == 1

    asyncio.run(play())


def test_two_lines_that_print_one_bill_at_once_give_out_no_revision_twice(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            one = await FakeLine.connect(engine)
            other = await FakeLine.connect(engine, "line2", b"\x02" * 8)
            first, second = await one.answer(1, RECEIPT), await other.answer(1, RECEIPT)
            await other.done(1, Result.INSERTED, second.ref)
            await one.done(1, Result.INSERTED, first.ref)
            claims = [verified(answer) for answer in (first, second, await one.print_receipt(2, RESETTLED))]
            assert len({claim.claim_id for claim in claims}) == 1
            assert [claim.revision for claim in claims] == [0, 1, 2]

    asyncio.run(play())


def test_a_claim_is_known_after_a_restart_whatever_the_clock_says(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            first = await (await FakeLine.connect(engine)).print_receipt(1)
        async with running(folder, now=NOW + 5 * 86400) as engine:
            again = await (await FakeLine.connect(engine, session=b"\x03" * 8)).print_receipt(1)
            assert again.ref == first.ref, "no new token with a new lifetime"

    asyncio.run(play())


def test_a_bug_at_the_outcome_costs_neither_the_record_nor_the_connection(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(self: Tills, record: ReceiptRecord) -> ReceiptRecord:
        return record if record.kind == "other" else record.no_such_field  # type: ignore[attr-defined,no-any-return]

    async def play() -> None:
        monkeypatch.setattr(Tills, "checked", bug)
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            first, second = await line.print_receipt(1), await line.print_receipt(2)
            assert first.ref == second.ref
            assert [record.url.encode() for record in recorded(folder)] == [first.ref, first.ref]

    asyncio.run(play())


def test_a_bug_behind_the_record_still_lets_the_line_forget(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(self: Tills, record: ReceiptRecord) -> None:
        raise ZeroDivisionError("a bug")

    async def play() -> None:
        monkeypatch.setattr(Tills, "note", bug)
        async with running(folder) as engine:
            await (await FakeLine.connect(engine)).print_receipt(1)
            assert engine.counters["faults"] == 1

    asyncio.run(play())


def test_a_file_in_the_sockets_place_is_left_alone(folder: Path) -> None:
    (folder / "engine.sock").write_text("somebody's")
    with pytest.raises(ConfigError, match="something else"):
        asyncio.run(Engine(settings(folder), KEYS).start())
    assert (folder / "engine.sock").read_text() == "somebody's"


def test_two_engines_never_share_a_database(folder: Path) -> None:
    async def play() -> None:
        async with running(folder):
            with pytest.raises(StoreError, match="another engine"):
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
