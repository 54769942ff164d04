"""A document for a person in a terminal: the paper, what each line was taken for, the chosen total, and why.

Owns: the picture made of letters. Never: judges, or shows what is personal (the reader stars it).
"""

from __future__ import annotations

import textwrap
import unicodedata

from edgebox.captures import CapturedDocument
from edgebox.model import Receipt, format_minor
from edgebox.receipt.explained import Explained

PAPER_MAX = 56  # columns shown of a line; 80 mm paper has 48
_WRAP = 96
_ANSWERS = {True: "earns", False: "earns nothing"}


def explain(document: CapturedDocument) -> str:
    """The whole answer, lines joined with LF."""
    receipt = document.receipt
    lines = document.reader.explained(receipt.amount_minor)
    width = min(max((_columns(line.text) for line in lines), default=0), PAPER_MAX)
    out = [_verdict(receipt), *(f"  why     {text}" for text in _wrapped("; ".join(receipt.reasons)))]
    out += [f"  {name:7} {text}" for name, text in _facts(receipt)]
    place = document.ending
    slip = f"may go in at byte {place.insert_at}" if place.insert_at >= 0 else f"none: {place.reason}"
    out += [f"  slip    {slip}", ""]
    last = ""
    for line in lines:
        out.append(_row(line, width, last))
        last = line.zone.value
    return "\n".join(out)


def _verdict(receipt: Receipt) -> str:
    kind = " ".join([receipt.kind.value, *(modifier.value for modifier in receipt.modifiers)])
    amount = "no amount"
    if receipt.amount_minor is not None:
        amount = f"{format_minor(receipt.amount_minor, receipt.decimals)} {receipt.currency}"
    return f"{kind}, {amount}, {_ANSWERS[receipt.qualifies]} (confidence {receipt.confidence.value})"


def _facts(receipt: Receipt) -> list[tuple[str, str]]:
    details, sure = receipt.details, dict(receipt.details.sure)

    def with_doubt(name: str, value: str) -> str:
        return f"{name} {value} ({sure[name].value})" if name in sure else f"{name} {value}"

    values = {"number": receipt.number, "date": receipt.printed_date, "time": receipt.printed_time}
    values |= {"till": receipt.till, "cashier": details.cashier, "table": details.table}
    facts = ", ".join(with_doubt(name, value) for name, value in values.items() if value)
    out = [("fields", facts or "none found")]
    tenders = ", ".join(
        tender.kind.value
        + ("" if tender.amount_minor is None else f" {format_minor(tender.amount_minor, receipt.decimals)}")
        for tender in receipt.tenders
    )
    if tenders:
        out.append(("tenders", tenders))
    if details.fiscal:
        out.append(("fiscal", details.fiscal))
    if details.layout:
        out.append(("layout", details.layout[:32] + ("…" if len(details.layout) > 32 else "")))
    if details.profile:
        out.append(("profile", details.profile))
    out += [("picture", f"{p.width} x {p.height} dots at {p.top}") for p in details.pictures]
    if details.report is not None:
        figures = details.report._asdict()
        del figures["tenders"]
        out.append(("report", ", ".join(f"{key} {value}" for key, value in figures.items() if value not in (None, ""))))
    return out


def _row(line: Explained, width: int, last: str) -> str:
    """`▶ │TOTAL   33.90│ totals   net`; the zone is named where it begins."""
    text = _cut(line.text, width)
    pad = " " * (width - _columns(text))
    zone = line.zone.value if line.zone.value != last else ""
    mark = "\u25b6" if line.chosen else " "
    roles = ", ".join(line.roles) + (" \u25c0 the total" if line.chosen else "")
    return f"{mark} \u2502{text}{pad}\u2502 {zone:9}{roles}".rstrip()


def _columns(text: str) -> int:
    """Columns of a terminal: letters of Chinese, Japanese and Korean take two."""
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter) for letter in text
    )


def _cut(text: str, width: int) -> str:
    while _columns(text) > width:
        text = text[:-2] + "\u2026"
    return text


def _wrapped(text: str) -> list[str]:
    first, *rest = textwrap.wrap(text, _WRAP) or [""]
    return [first, *rest]
