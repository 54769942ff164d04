"""Captured streams: the documents in a file, each read and with the place for a slip.

Owns: `capture_bytes` and `read_capture`. Never: prints. Where a document ends and where a slip may go comes from the
very scanner that the line uses (edgebox/escpos/documents.py), what it says from the very reader that the engine uses,
so a capture shows what the box would have done.

One parser, one paper and one scanner follow the whole stream, because modes set in one document hold in the next.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edgebox.errors import EdgeboxError
from edgebox.escpos.documents import DocumentScanner, Ending, Verdict
from edgebox.escpos.lines import Line
from edgebox.escpos.paper import Paper
from edgebox.escpos.parser import Event, Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.model import Receipt
from edgebox.receipt.reader import ReceiptReader

FILE_MAX = 64 << 20  # bytes of one capture: a month of a small shop


def capture_bytes(path: Path) -> bytes:
    """A capture's bytes. OSError; EdgeboxError `too_big`, also for a device that never ends."""
    with path.open("rb") as file:
        raw = file.read(FILE_MAX + 1)
    if len(raw) > FILE_MAX:
        raise EdgeboxError(f"{path}: over {FILE_MAX >> 20} MB", reason="too_big", hint="split the capture")
    return raw


class CapturedDocument(NamedTuple):
    """One document of a capture. Offsets in `ending` count from the file's start; `lines` are as printed."""

    receipt: Receipt
    ending: Ending
    lines: tuple[Line, ...]
    reader: ReceiptReader


def read_capture(
    stream: bytes, profile: PrinterProfile, new_reader: Callable[[], ReceiptReader], header: bytes = b""
) -> list[CapturedDocument]:
    """The documents of a stream. One without a cut ends where the stream ends."""
    parser = Parser()
    reading = _Reading(profile, new_reader, header)
    for event in (*parser.feed(stream), *parser.finish()):
        reading.take(event)
    return reading.finish()


class _Reading:
    """Scanner and paper in step."""

    def __init__(self, profile: PrinterProfile, new_reader: Callable[[], ReceiptReader], header: bytes) -> None:
        self._scanner = DocumentScanner(profile, header)
        self._paper = Paper(profile)
        self._new_reader = new_reader
        self._out: list[CapturedDocument] = []

    def take(self, event: Event) -> None:
        cut = b""
        for verdict, raw in self._scanner.take(event):
            if verdict is Verdict.END:
                cut = raw
        if cut:
            self._end(cut)
        self._paper.feed((event,))

    def finish(self) -> list[CapturedDocument]:
        self._paper.finish()
        if self._scanner.has_ink or self._paper.lines():
            self._end(b"")
        return self._out

    def _end(self, cut: bytes) -> None:
        ending = self._scanner.ending(cut)
        reader = self._new_reader()
        lines = self._paper.take_lines()
        reader.feed(lines)
        reader.see(self._paper.take_items())
        self._out.append(CapturedDocument(reader.finish(), ending, tuple(lines), reader))
        self._scanner.next_document(cut)
