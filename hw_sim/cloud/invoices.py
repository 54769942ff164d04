"""Invoices that customers ask for with their title code: one for a receipt, whatever comes how often.

Owns: which receipt has its invoice, and whose. Never: talks to WeChat: `says` holds what it would say of a code.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box
from sync.contract import Answer, Ask

ASK = "invoice.title"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS invoices (
    box TEXT, session TEXT, document INTEGER, scan_text TEXT, amount INTEGER, request TEXT,
    PRIMARY KEY (box, session, document)) STRICT, WITHOUT ROWID;
"""


class _Receipt(msgspec.Struct, frozen=True, kw_only=True):
    session: Annotated[str, Meta(min_length=1, max_length=64)]
    document: int
    amount_minor: int


class _Args(msgspec.Struct, frozen=True, kw_only=True):
    scan_text: Annotated[str, Meta(min_length=1, max_length=1024)]
    receipt: _Receipt


class Invoices:
    """Inside the ledger's commits."""

    def __init__(self, ledger: Ledger) -> None:
        self.says: dict[str, str] = {}
        self.titles: dict[str, str] = {}  # code → whose it is, where that may stand on paper
        self._ledger = ledger
        ledger.db.executescript(_SCHEMA)

    def answer(self, box: Box, ask: Ask) -> Answer:
        """Yes once for a receipt; another code for it comes too late."""
        try:
            args = msgspec.convert(ask.args, _Args)
        except msgspec.ValidationError:
            return Answer(id=ask.id, ok=False, reason="question")
        if args.scan_text in self.says:
            return Answer(id=ask.id, ok=False, reason=self.says[args.scan_text])
        receipt = args.receipt
        values = (box.name, receipt.session, receipt.document, args.scan_text, receipt.amount_minor, ask.id)
        if not self._ledger.db.execute("INSERT OR IGNORE INTO invoices VALUES (?, ?, ?, ?, ?, ?)", values).rowcount:
            return Answer(id=ask.id, ok=False, reason="used")
        return Answer(id=ask.id, ok=True, result={"title": self.titles.get(args.scan_text, "")})

    def asked(self) -> list[tuple[str, int, str]]:
        """Document, amount and code of each, in order."""
        sql = "SELECT document, amount, scan_text FROM invoices ORDER BY box, session, document"
        return [(document, amount, text) for document, amount, text in self._ledger.ask(sql)]
