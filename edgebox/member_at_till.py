"""Who stands at the till: the member whose code was scanned, or whose tag is there; and the cashier by their tag.

Owns: what is added to a sale that the paper itself does not say, and from where. Never: decides who is near
(edgebox/beacons), reads a code, or gives points: a member who is attached is a name on a receipt, no more. What the
paper says is never replaced, and a code that somebody held under the scanner counts for more than a tag in a pocket.

A scanned code is for the next sale of its line, once, and not for long. A tag counts only while the receipt is decided.

One scan, one sale. It is given to a document by the document's name when that is decided, so the next one does not get
it although the first isn't on disk yet, and a document that a line sends again does. A reprint, a copy and a part of a
split bill take no scan: whose they are isn't known. A bill settled again keeps whom it had. All of it is in memory:
after a restart the code is scanned again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from edgebox.model import DocumentKind, Modifier, Receipt
from edgebox.store.events import ReceiptRecord

SHOWN_MAX = 64  # lines; more than any shop has
BILLS_MAX = 1000  # sales whose scanned member is remembered: more than a till has in a day
NOBODYS = frozenset({Modifier.REPRINT, Modifier.COPY, Modifier.SPLIT})  # use up no scan
DOCUMENT_BYTES = 8  # of a document's name: its number, behind the session's name
ANY_LINE = ""  # of a scanner that belongs to no line
BY_SCAN, BY_TAG, STAFF_BY_TAG = "member scan", "member tag", "cashier tag"  # in records


_Key = TypeVar("_Key", str, bytes)


class Tagged(NamedTuple):
    """Whose tags are at a line's till, where that is beyond doubt. `member`: keyed hash, as receipts carry it."""

    member: str = ""
    cashier: str = ""


class Bill(NamedTuple):
    """Which sale a document is. `claim`: the id that its copies have, too, in hex, "" for none; `is_known`: a sale with
    that id was there before."""

    claim: str = ""
    is_known: bool = False


class _Shown(NamedTuple):
    member: str
    until_s: float


class AtTill:
    """Of all lines. `tags`: asked for a line's till; nobody, unless the shop wants its tags to count."""

    def __init__(self, mono_s: Callable[[], float] = time.monotonic) -> None:
        self.tags: Callable[[str], Tagged] = lambda line: Tagged()
        self._mono_s = mono_s
        self._shown: dict[str, _Shown] = {}
        self._sales: OrderedDict[bytes, str] = OrderedDict()  # document's name → member
        self._bills: OrderedDict[str, str] = OrderedDict()  # claim → member

    def show(self, line: str, member: str, for_s: float) -> None:
        """A member's code was scanned; `member`: keyed hash. The next one replaces it."""
        if line not in self._shown and len(self._shown) >= SHOWN_MAX:
            self._shown.pop(next(iter(self._shown)))
        self._shown[line] = _Shown(member, self._mono_s() + for_s)

    def shown(self, line: str) -> str:
        """The member whose code waits for this line's next sale; "" for none."""
        now = self._mono_s()
        found = [self._shown.get(line), self._shown.get(ANY_LINE)]
        return next((one.member for one in found if one is not None and now < one.until_s), "")

    def attached(self, line: str, receipt: Receipt, name: bytes = b"", bill: Bill = Bill()) -> Receipt:  # noqa: B008 - immutable
        """A sale with who is known to be there; `details.attached` says from where. Other documents are nobody's.

        `name`: of a document that is decided now, for good; b"": it may yet become another.
        """
        details = receipt.details
        if receipt.kind is not DocumentKind.SALE:
            return receipt
        if name and details.member and not NOBODYS & set(receipt.modifiers):
            self._use_up(line, details.member)  # the till knew the same card: it was for this sale
        if details.member and details.cashier:
            return receipt
        tags, sources = self.tags(line), list(details.attached)
        member, cashier = details.member, details.cashier
        if not member and (shown := self._given(line, receipt, name, bill)):
            member = shown
            sources.append(BY_SCAN)
        elif not member and tags.member and not (bill.is_known or NOBODYS & set(receipt.modifiers)):
            member = tags.member
            sources.append(BY_TAG)
        if not cashier and tags.cashier:
            cashier = tags.cashier
            sources.append(STAFF_BY_TAG)
        if len(sources) == len(details.attached):
            return receipt
        return receipt._replace(details=details._replace(member=member, cashier=cashier, attached=tuple(sources)))

    def remembered(self, receipt: Receipt, name: bytes) -> Receipt:
        """A sale that comes again, with the member whom it had then; who is there now has nothing to do with it."""
        member, details = self._sales.get(name, ""), receipt.details
        if receipt.kind is not DocumentKind.SALE or details.member or not member:
            return receipt
        return receipt._replace(details=details._replace(member=member, attached=(*details.attached, BY_SCAN)))

    def _given(self, line: str, receipt: Receipt, name: bytes, bill: Bill) -> str:
        """Whose code was scanned for this sale."""
        if name in self._sales:
            return self._sales[name]
        member = self._bills.get(bill.claim, "")
        if not member and not bill.is_known and not NOBODYS & set(receipt.modifiers):
            member = self.shown(line)
            if name:
                self._use_up(line, member)
        if name and member:
            _keep(self._sales, name, member)
        return member

    def _use_up(self, line: str, member: str) -> None:
        for where in (line, ANY_LINE):
            shown = self._shown.get(where)
            if shown is not None and shown.member == member:
                del self._shown[where]

    def recorded(self, record: ReceiptRecord) -> None:
        """The sale that a scanned code was for is on disk: the next one is somebody else's."""
        if BY_SCAN not in record.attached:
            return
        if record.claim:
            _keep(self._bills, record.claim, record.member)
        if name_of(record.session, record.document) not in self._sales:
            self._use_up(record.line, record.member)


def _keep(known: OrderedDict[_Key, str], key: _Key, member: str) -> None:
    known[key] = member
    if len(known) > BILLS_MAX:
        known.popitem(last=False)


def name_of(session: str, document: int) -> bytes:
    """A document's name, as lines give it (edgebox/lines.py)."""
    return bytes.fromhex(session) + document.to_bytes(DOCUMENT_BYTES, "big", signed=True)
