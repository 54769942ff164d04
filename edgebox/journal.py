"""What is recorded, one JSON line each, on disk before anybody is told so.

Owns: `ReceiptRecord`, the file, and group commit: records that wait together are written and synced together, in a
thread of its own, so that the answer path never meets the disk. Never: raw print bytes, names or phones: a record holds
the receipt's fields and nothing else.

A file is only ever appended to. A line that a power cut tore is closed with a line end before the next record and
skipped on reading; nothing is deleted. A failed write (disk full) is undone to the last whole line and reported to the
caller, who keeps the document and tries again.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgebox.errors import EdgeboxError

FILE = "receipts.jsonl"
BATCH_MAX = 256  # records of one sync
QUEUE_MAX = 4096  # records waiting for the disk; the lines' spools hold 64 documents each, so this is never reached


class JournalError(EdgeboxError):
    """The record is not on disk. Reasons: `disk` (the system's words follow), `full` (too many wait), `locked`
    (another process has it), `closed`."""


class ShiftRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A till's own report, as edgebox.model.ShiftReport."""

    receipts: int | None = None
    sum_minor: int | None = None
    refunds: int | None = None
    refund_minor: int | None = None
    tenders: tuple[tuple[str, int | None], ...] = ()
    since: str = ""
    until: str = ""


class ReceiptRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One document as it was read, and what came of it.

    `session` (hex) and `document` name it for ever. `at`: seconds since 1970 when it ended. `claim` (hex) and `url`:
    the claim that was minted; `voided`: its slip was not printed, so the claim is void. `result`: frames.Result's name.
    `transaction` and `member`: keyed hashes in hex. `z_check`: what came of comparing a report with the receipts seen.
    """

    session: str
    document: int
    line: str
    at: int
    kind: str
    modifiers: tuple[str, ...] = ()
    qualifies: bool = False
    amount_minor: int | None = None
    currency: str = ""
    decimals: int = 2
    confidence: str = "low"
    reasons: tuple[str, ...] = ()
    number: str = ""
    till: str = ""
    printed_date: str = ""
    printed_time: str = ""
    tenders: tuple[tuple[str, int | None], ...] = ()
    claim: str = ""
    url: str = ""
    points: int = 0
    revision: int = 0
    voided: bool = False
    result: str = ""
    result_reason: str = ""
    hold_us: int = 0
    replayed: bool = False
    cashier: str = ""
    table: str = ""
    transaction: str = ""
    member: str = ""
    fiscal: str = ""
    layout: str = ""
    profile: str = ""
    report: ShiftRecord | None = None
    z_check: str = ""
    z_equal: bool = False


class _Waiting(NamedTuple):
    raw: bytes
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class Journal:
    """The open file. One process, one writer."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.torn = 0  # lines that could not be read at the last start
        self.written = 0  # records since start
        self._queue: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._closing = False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._size = os.lseek(self._file, 0, os.SEEK_END)
            self._is_torn = self._size > 0 and os.pread(self._file, 1, self._size - 1) != b"\n"
            _sync_folder(folder)
        except BlockingIOError as fault:
            os.close(self._file)
            raise JournalError(f"{self.path}: another engine writes it", reason="locked") from fault
        except OSError as fault:
            raise JournalError(f"{self.path}: {fault.strerror}", reason="disk", hint="[engine] data") from fault
        self._thread = threading.Thread(target=self._write_on, name="journal", daemon=True)
        self._thread.start()

    def past(self) -> Iterator[ReceiptRecord]:
        """What was recorded before, oldest first; lines that can't be read are counted in `torn`."""
        decoder = msgspec.json.Decoder(ReceiptRecord)
        self.torn = 0
        with self.path.open("rb") as file:
            for line in file:
                try:
                    yield decoder.decode(line)
                except msgspec.MsgspecError:
                    self.torn += bool(line.strip())

    async def record(self, record: ReceiptRecord) -> None:
        """Returns when the record is on disk. JournalError when it is not; then nothing of it is in the file."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        waiting = _Waiting(msgspec.json.encode(record) + b"\n", loop, done)
        with self._wake:
            if self._closing:
                raise JournalError("the journal is closed", reason="closed")
            if len(self._queue) >= QUEUE_MAX:
                raise JournalError("too many records wait for the disk", reason="full")
            self._queue.append(waiting)
            self._wake.notify()
        await done

    def close(self) -> None:
        """Writes what waits, then lets go of the file. Blocks for the disk."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        os.close(self._file)

    # -- the writer's thread

    def _write_on(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if not self._queue:
                    return
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
            fault = self._write(b"".join(waiting.raw for waiting in batch))
            for waiting in batch:
                _settle(waiting, fault)
            self.written += 0 if fault else len(batch)

    def _write(self, raw: bytes) -> JournalError | None:
        """Appends and syncs; undone if it can't be."""
        if self._is_torn:
            raw = b"\n" + raw  # what stands there ends here; without that the next record would be part of it
        try:
            rest = memoryview(raw)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fdatasync(self._file)
        except OSError as fault:
            self._undo()
            return JournalError(f"{self.path}: {fault.strerror}", reason="disk", hint="free some space")
        self._size += len(raw)
        self._is_torn = False
        return None

    def _undo(self) -> None:
        """Back to the last whole record; if even that fails, the torn line is closed before the next record."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._size = os.lseek(self._file, 0, os.SEEK_END)
            self._is_torn = True


def _sync_folder(folder: Path) -> None:
    """A new file's name is on disk too. [fsync(2): the file's own sync doesn't say so]"""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle(waiting: _Waiting, fault: JournalError | None) -> None:
    def tell() -> None:
        if waiting.done.done():
            return
        if fault is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(fault)

    try:
        waiting.loop.call_soon_threadsafe(tell)
    except RuntimeError:
        return  # the loop has ended; on disk it is all the same
