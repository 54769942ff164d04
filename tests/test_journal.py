"""The journal: on disk before anybody is told so, whole records only."""

import asyncio
import os
from pathlib import Path

import pytest

from edgebox.journal import FILE, Journal, JournalError, ReceiptRecord
from tests.line_of_engine import (
    NOW,
)


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


def test_a_torn_line_that_cannot_be_taken_back_spoils_no_record_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def half(descriptor: int, raw: bytes) -> int:
        if len(raw) < 40:
            raise OSError(28, "No space left on device")
        return write(descriptor, bytes(raw)[: max(len(raw) // 2, 1)])

    def refuses(descriptor: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    def record(document: int) -> ReceiptRecord:
        return ReceiptRecord(session="00", document=document, line="line1", at=NOW, kind="sale")

    async def play() -> None:
        journal = Journal(tmp_path)
        await journal.record(record(1))
        with monkeypatch.context() as sick:
            sick.setattr(os, "write", half)
            sick.setattr(os, "ftruncate", refuses)
            with pytest.raises(JournalError, match="No space left"):
                await journal.record(record(2))
        await journal.record(record(2))
        await journal.record(record(3))
        assert [found.document for found in journal.past()] == [1, 2, 3]
        assert journal.torn == 1
        journal.close()

    asyncio.run(play())


def test_a_torn_line_keeps_no_engine_from_starting_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_bytes(b'{"session":"00","docu')

    def no_space(descriptor: int, raw: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", no_space)
        journal = Journal(tmp_path)
    journal.close()
