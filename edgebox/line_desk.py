"""What a line's connection asks of the engine, and what it is told.

Owns: the words between the two: decided, pending, settled. Never: does anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from edgebox.awards import Award
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.handout import NOTHING, Handed
from edgebox.line.frames import End, Outcome, Status
from edgebox.model import Receipt
from edgebox.reading import OpenDocument
from edgebox.receipt.keeping import KeptPaper
from edgebox.store.events import ClaimRecord, OfferRecord, ReceiptRecord

if TYPE_CHECKING:
    from edgebox.lines import LineSession


class Decided(NamedTuple):
    """What the desk made of a document. `handed`: the slips whose body it is, and the codes taken for them."""

    receipt: Receipt
    award: Award
    body: bytes
    handed: Handed = NOTHING


class Desk(Protocol):
    """The engine as a connection sees it. `needs_items`: it decides by what was sold, too, so that is read before.

    `lines`: those that are there, by name."""

    @property
    def needs_items(self) -> bool: ...

    @property
    def lines(self) -> Mapping[str, LineSession]: ...

    def profile(self, name: str) -> PrinterProfile:
        """A printer's profile. ConfigError when there is none of that name."""

    def open_document(self, profile: PrinterProfile, prelude: bytes) -> OpenDocument:
        """Begins to read."""

    def decide(self, receipt: Receipt, name: bytes, press: Press | None, *, is_past: bool = False) -> Decided:
        """What the receipt gets; no press: nothing may be printed. `is_past`: it was printed some time ago."""

    def decide_ahead(self, receipt: Receipt, name: bytes, press: Press) -> None:
        """What `decide` would say now; nothing is given out."""

    def is_recorded(self, session: str, document: int) -> bool:
        """It is in the store already."""

    def settle(self, line: LineSession, pending: Pending, outcome: Outcome) -> Settled:
        """What is to be recorded; from here on a copy of the receipt finds its claim."""

    async def record(self, settled: Settled) -> None:
        """Puts it on disk, once. StoreError when that is not possible."""

    def printer_state(self, line: LineSession, status: Status) -> None:
        """The printer's state has changed."""

    def printed(self, line: LineSession, document: int) -> None:
        """The printer has confirmed a document's slip."""

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Something went wrong: counted, and logged once for each cause."""

    def joined(self, line: LineSession) -> None:
        """The line has said who it is."""

    def left(self, line: LineSession) -> None:
        """The connection is gone."""


class Pending(NamedTuple):
    """A document that has ended and waits for its outcome. `reading`: what the record needs can still be read; `paper`:
    it has been."""

    decided: Decided
    end: End
    at: int
    reading: OpenDocument | None = None
    paper: KeptPaper | None = None


class Settled(NamedTuple):
    """What is recorded of a document, together. `claim` None: nothing has become of a claim. `offers`: codes that went
    with it. `paper`: redacted, for this box alone (edgebox/stored_paper.py)."""

    receipt: ReceiptRecord
    claim: ClaimRecord | None
    award: Award
    offers: tuple[OfferRecord, ...] = ()
    paper: bytes = b""
