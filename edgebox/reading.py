"""One document being read: bytes in, a receipt out.

Owns: the parser, paper and reader of a document, fed together. Never: decides what it earns. The engine feeds it what a
line sends as it comes; `edgebox read` feeds it what a capture holds.
"""

from __future__ import annotations

from collections.abc import Callable

from edgebox.escpos.paper import Paper
from edgebox.escpos.parser import Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.model import Receipt
from edgebox.receipt.familiar import FamiliarLines
from edgebox.receipt.keeping import KeptPaper
from edgebox.receipt.preprint import Outline
from edgebox.receipt.reader import ReceiptReader

NewReader = Callable[[], ReceiptReader]
PREPARED_MAX = 16  # answers made ready for one document; a till that feeds behind every item may not take all CPU


class OpenDocument:
    """Reads as bytes come, so that at the end hardly anything is left to do."""

    __slots__ = ("_is_quiet", "_paper", "_parser", "_prepared", "_reader", "outline", "size")

    def __init__(self, profile: PrinterProfile, new_reader: NewReader, prelude: bytes = b"") -> None:
        """`prelude`: commands that bring the parser into the modes in force at the document's first byte."""
        self._parser = Parser()
        self._paper = Paper(profile, start=-len(prelude))
        self._reader = new_reader()
        self.outline = Outline()
        self.size = 0  # bytes of the document fed
        self._is_quiet = False  # the last bytes brought nothing to read
        self._prepared = 0  # answers made ready
        if prelude:
            self._paper.feed(self._parser.feed(prelude))

    def feed(self, raw: bytes) -> None:
        """The next bytes, in any chunking."""
        self.size += len(raw)
        paper = self._paper
        paper.feed(self._parser.feed(raw))
        paper.feed(self._parser.take_open())
        self._read()

    @property
    def may_prepare(self) -> bool:
        """The last bytes were feed behind a total: the end may be near, and there may be time until then."""
        return self._is_quiet and self._prepared < PREPARED_MAX and self._reader.may_be_over

    def prepare(self) -> bool:
        """Makes the answer ready; whether it was not. If nothing more comes, `answer` has hardly anything to do."""
        if self._reader.is_prepared:
            return False
        self._prepared += 1
        self._reader.answer()
        return True

    def answer(self) -> Receipt:
        """The document has ended: what the till's cut waits for. The rest follows by `completed`."""
        self._paper.feed(self._parser.finish())
        self._paper.finish()
        self._read()
        return self._reader.answer()

    def completed(self, receipt: Receipt) -> Receipt:
        """An `answer`, or what the desk made of it, with what only the record needs. Nobody waits for it."""
        return self._reader.completed(receipt)

    def kept_paper(self, receipt: Receipt, familiar: FamiliarLines) -> KeptPaper | None:
        """What of the paper may be kept; None: the shop keeps none. `receipt`: as completed."""
        return self._reader.kept_paper(receipt, familiar) if self._reader.keeps_papers else None

    def finish(self) -> Receipt:
        """Both at once."""
        return self.completed(self.answer())

    def _read(self) -> None:
        lines = self._paper.take_lines()
        if lines:
            self._reader.feed(lines)
            self.outline.add(lines)
        items = self._paper.take_items()
        if items:
            self._reader.see(items)
        self._is_quiet = not lines and not self._paper.is_open
