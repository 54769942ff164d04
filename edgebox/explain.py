"""A document for a person in a terminal: the paper, what each line was taken for, the chosen total, and why.

Owns: the picture made of letters. Never: judges, or shows what is personal (the reader stars it).
"""

from __future__ import annotations

import textwrap
import unicodedata

from edgebox.captures import CapturedDocument
from edgebox.model import Confidence, Item, Modifier, Receipt, format_minor
from edgebox.receipt.explained import Explained

PAPER_MAX = 56  # columns shown of a line; 80 mm paper has 48
_WRAP = 96
_TOTAL = "\u25c0 the total"
_SURE = {Confidence.HIGH: "", Confidence.MEDIUM: " (likely)", Confidence.LOW: " (unsure)"}
# What an amount's role is called; the others say themselves what they are.
_ROLES = {
    "net": "total",
    "rounded": "total in cash",
    "due": "to pay",
    "weak": "perhaps a total",
    "tendered": "handed over",
    "tender": "paid",
    "topup": "put on a card",
    "service": "service",
}


def explain(document: CapturedDocument) -> str:
    """The whole answer, lines joined with LF."""
    receipt, place = document.receipt, document.ending
    lines = document.reader.explained(receipt.amount_minor)
    width = min(max((_columns(line.text) for line in lines), default=0), PAPER_MAX)
    out = [_verdict(receipt)]
    out += _said("why", "; ".join(receipt.reasons))
    for name, text in _facts(receipt):
        out += _said(name, text)
    behind = sum(line.start < place.insert_at for line in document.lines) if place.insert_at >= 0 else -1
    if behind < 0:
        out += _said("slip", f"none: {place.reason}")
    out.append("")
    last = ""
    for number, line in enumerate(lines):
        if number == behind:
            out.append(_slip_row(width, place.insert_at))
        out.append(_row(line, width, last, receipt.decimals))
        last = line.zone.value
    if behind == len(lines):
        out.append(_slip_row(width, place.insert_at))
    return "\n".join(out)


def _verdict(receipt: Receipt) -> str:
    """`sale, 33.90 CNY: earns (confidence high)`."""
    kind = " ".join([receipt.kind.value.replace("_", " "), *(modifier.value for modifier in receipt.modifiers)])
    amount = "no amount"
    if receipt.amount_minor is not None:
        amount = f"{format_minor(receipt.amount_minor, receipt.decimals)} {receipt.currency}"
    earns = "earns" if receipt.qualifies else "earns nothing"
    if Modifier.REPRINT in receipt.modifiers:
        earns = "earns nothing new"
    return f"{kind}, {amount}: {earns} (confidence {receipt.confidence.value})"


def moment(receipt: Receipt) -> str:
    """`2026-11-18 18:42`, or what of it is not printed."""
    return " ".join(filter(None, (receipt.printed_date or "no date printed", receipt.printed_time)))


def _facts(receipt: Receipt) -> list[tuple[str, str]]:
    details, sure = receipt.details, dict(receipt.details.sure)
    number = receipt.number and f"{receipt.number}{_SURE[sure.get('number', Confidence.HIGH)]}"
    values = {"number": number, "till": receipt.till, "cashier": details.cashier, "table": details.table}
    out = [("fields", ", ".join(f"{name} {value}" for name, value in values.items() if value) or "no number found")]
    out.append(("printed", moment(receipt) + _SURE[sure.get("date", Confidence.HIGH)]))
    out.append(("items", f"{len(details.items)}" if details.items else ""))
    tenders = ", ".join(
        tender.kind.value
        + ("" if tender.amount_minor is None else f" {format_minor(tender.amount_minor, receipt.decimals)}")
        for tender in receipt.tenders
    )
    out += [("paid by", tenders), ("fiscal", details.fiscal and f"{details.fiscal} code"), ("profile", details.profile)]
    out += [("picture", f"{p.width} x {p.height} dots at {p.top}") for p in details.pictures]
    return [(name, text) for name, text in (*out, ("report", _report(receipt))) if text]


def _report(receipt: Receipt) -> str:
    """The figures of a till's own report."""
    report = receipt.details.report
    if report is None:
        return ""

    def money(minor: int | None) -> str:
        return "" if minor is None else format_minor(minor, receipt.decimals)

    parts = {"receipts": report.receipts, "for": money(report.sum_minor), "refunds": report.refunds}
    parts |= {"refunded": money(report.refund_minor), "since": report.since, "until": report.until}
    parts |= {tender.kind.value: money(tender.amount_minor) for tender in report.tenders}
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value not in (None, ""))


def _said(name: str, text: str) -> list[str]:
    """`  why      words`, over as many lines as it takes."""
    wrapped = textwrap.wrap(text, _WRAP) or [""]
    return [f"  {name if not place else '':8} {row}" for place, row in enumerate(wrapped)]


def _row(line: Explained, width: int, last: str, decimals: int) -> str:
    """`▶ │TOTAL   33.90│ totals    total ◀ the total`; the zone is named where it begins."""
    text = _cut(line.text, width)
    pad = " " * (width - _columns(text))
    zone = line.zone.value if line.zone.value != last else ""
    words = [*line.fields, *(_ROLES.get(role, role) for role in line.roles)]
    if line.item is not None:
        words.append(_item(line.item, decimals))
    mark = "\u25b6" if line.chosen else " "
    told = f"{', '.join(words)} {_TOTAL if line.chosen else ''}".strip()
    return f"{mark} \u2502{text}{pad}\u2502 {zone:9} {told}".rstrip()


def _item(item: Item, decimals: int) -> str:
    """`2 x 8.00`; a thing sold once needs no words but that."""
    words = "item"
    if item.price_minor is None:
        words = f"{item.quantity_milli / 1000:g} sold"
    elif item.quantity_milli != 1000:
        words = f"{item.quantity_milli / 1000:g} x {format_minor(item.price_minor, decimals)}"
    return words + (f", {format_minor(item.discount_minor, decimals)} off" if item.discount_minor else "")


def _slip_row(width: int, offset: int) -> str:
    """Where the slip goes."""
    dots = "\u2504" * width
    return f"  \u251c{dots}\u2524 the slip goes here (byte {offset})"


def _columns(text: str) -> int:
    """Columns of a terminal: letters of Chinese, Japanese and Korean take two."""
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter) for letter in text
    )


def _cut(text: str, width: int) -> str:
    while _columns(text) > width:
        text = text[:-2] + "\u2026"
    return text
