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
