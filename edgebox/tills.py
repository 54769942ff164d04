"""What the engine remembers of each till: the layouts it prints, and its receipts since its last report.

Owns: `Tills`: how far a receipt in an unknown layout is believed, and the check of a till's report. Never: sockets,
files or clocks; it is fed records, the newest of the store first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from edgebox.model import Confidence, DocumentKind, Receipt, ShiftReport, Tender, TenderKind, format_minor
from edgebox.receipt.layout import LayoutWatch, Seen
from edgebox.receipt.shift import SeenReceipt, z_check
from edgebox.store.events import ReceiptRecord, ShiftRecord

SINCE_REPORT_MAX = 5000  # receipts of one till kept for its next report: some days of a busy one
_NOVEL = "in a layout that this till has not printed before"


class _Till:
    """One till."""

    __slots__ = ("layouts", "receipts")

    def __init__(self, learn_after: int) -> None:
        self.layouts = LayoutWatch(learn_after)
        self.receipts: OrderedDict[str, SeenReceipt] = OrderedDict()


class Noted(NamedTuple):
    """What a record means for its till. `drift`: words for the log, "" for nothing."""

    drift: str = ""


class Tills:
    """All tills, by the name of their line."""

    def __init__(self, learn_after: int, medium_max_minor: int = 0) -> None:
        """`medium_max_minor`: the most that may earn without proof; 0: no limit."""
        self._learn_after = learn_after
        self._medium_max = medium_max_minor
        self._tills: dict[str, _Till] = {}

    def believed(self, line: str, receipt: Receipt) -> Receipt:
        """The receipt with the confidence that its layout deserves."""
        if not receipt.qualifies or not self._till(line).layouts.judge(receipt.details.layout).novel:
            return receipt
        reasons = (*receipt.reasons, _NOVEL)
        too_much = 0 < self._medium_max < (receipt.amount_minor or 0)
        if receipt.confidence is Confidence.HIGH and not too_much:
            return receipt._replace(confidence=Confidence.MEDIUM, reasons=reasons)
        return receipt._replace(confidence=Confidence.LOW, qualifies=False, reasons=(_NOVEL, *receipt.reasons))

    def checked(self, record: ReceiptRecord) -> ReceiptRecord:
        """A report's record with the outcome of its check; any other as it is."""
        if record.report is None:
            return record
        seen = tuple(self._till(record.line).receipts.values())
        check = z_check(_report(record.report), seen, record.decimals)
        return msgspec.structs.replace(record, z_check=check.words, z_equal=check.equal)

    def note(self, record: ReceiptRecord) -> Noted:
        """Takes a record that is on disk into account, once each."""
        till = self._till(record.line)
        if record.report is not None:
            till.receipts.clear()
            return Noted()
        self._note_receipt(till, record)
        if record.kind != DocumentKind.SALE:
            return Noted()
        return Noted(_drift(record, till.layouts.add(record.layout)))

    def _note_receipt(self, till: _Till, record: ReceiptRecord) -> None:
        name = f"{record.number or 'without a number'} {record.printed_time}".strip()
        key = record.number or f"{record.session} {record.document}"
        seen = _seen(record, name)
        if seen is None or (not seen.counted and key in till.receipts):
            return  # a copy or a reprint of what is known
        till.receipts[key if record.kind == DocumentKind.SALE else f"{record.kind} {key}"] = seen
        if len(till.receipts) > SINCE_REPORT_MAX:
            till.receipts.popitem(last=False)

    def _till(self, line: str) -> _Till:
        if line not in self._tills:
            self._tills[line] = _Till(self._learn_after)
        return self._tills[line]


def shift_record(report: ShiftReport | None) -> ShiftRecord | None:
    """A report as the store keeps it."""
    if report is None:
        return None
    tenders = tuple((tender.kind.value, tender.amount_minor) for tender in report.tenders)
    return ShiftRecord(
        receipts=report.receipts,
        sum_minor=report.sum_minor,
        refunds=report.refunds,
        refund_minor=report.refund_minor,
        tenders=tenders,
        since=report.since,
        until=report.until,
    )


def _report(record: ShiftRecord) -> ShiftReport:
    tenders = tuple(Tender(TenderKind(kind), minor) for kind, minor in record.tenders)
    return ShiftReport(
        record.receipts, record.sum_minor, record.refunds, record.refund_minor, tenders, record.since, record.until
    )


def _seen(record: ReceiptRecord, name: str) -> SeenReceipt | None:
    """A record as the check sees it; None: no till counts it as a receipt."""
    minor = record.amount_minor
    if record.kind == DocumentKind.SALE:
        return SeenReceipt(name, minor, counted=minor is not None and "reprint" not in record.modifiers)
    if record.kind == DocumentKind.REFUND:
        return SeenReceipt(name, None if minor is None else -abs(minor), counted=minor is not None)
    if record.kind in (DocumentKind.VOID, DocumentKind.DELIVERY_PLATFORM):
        return SeenReceipt(name, minor, counted=False)
    if record.kind == DocumentKind.OTHER and record.reasons and record.reasons[0].startswith("raster"):
        return SeenReceipt(f"a picture of {name}", None, counted=False)
    return None


def _drift(record: ReceiptRecord, seen: Seen) -> str:
    if not seen.alarm:
        return ""
    total = "" if record.amount_minor is None else f" ({format_minor(record.amount_minor, record.decimals)})"
    share = f"{seen.rate:.0%} of its last receipts"
    return f"{record.line}: the till prints a layout not seen before{total}; {share}: was it updated?"
