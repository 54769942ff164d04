"""Receipts for reconciliation against the till's own books: one line each, and the sums that a person compares.

Owns: which receipts belong to a period, what is said of each, and which of them count. Never: reads a database
(edgebox/commands_store.py hands the records in) or keeps more of a receipt than the key of its bill.

A receipt belongs to the day that is printed on it; one without a printed date to the day it was recorded, by the
shop's clock. A bill is known by till, number and printed date. Its reprints and copies do not count again; settled
anew, its last amount counts. Kitchen tickets, pre-bills, training and the like are listed and never count.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import date, datetime, tzinfo
from typing import Literal, NamedTuple

import msgspec

from edgebox.model import DocumentKind, Modifier, format_minor
from edgebox.store.events import ReceiptRecord

_COUNTED = {DocumentKind.SALE: "sales", DocumentKind.REFUND: "refunds", DocumentKind.VOID: "voids"}
_AGAIN = frozenset({Modifier.REPRINT, Modifier.COPY})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets would run [OWASP, CSV Injection]


class Line(NamedTuple):
    """One receipt. `net`: the amount after discounts, tax included, as people write it; "": not read with certainty.

    `counts`: it is part of the sums. `marks`: reprint, copy, split, resettled, replayed, repeated (the same bill stood
    above). `claim`: the points claim that was printed; `claim_void`: its slip was not printed. `recorded`: by the box.
    """

    store: str
    till: str
    number: str
    printed_date: str
    printed_time: str
    net: str
    currency: str
    kind: str
    marks: str
    counts: bool
    confidence: str
    claim: str
    claim_void: bool
    points: int
    line: str
    recorded: str
    document: str


class Period(NamedTuple):
    """Days, both included; None: no limit. `zone`: the shop's."""

    since: date | None
    until: date | None
    zone: tzinfo

    def has(self, record: ReceiptRecord) -> bool:
        """Whether the receipt belongs to it."""
        day = self.day_of(record)
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)

    def day_of(self, record: ReceiptRecord) -> date:
        """The day that is printed on it, else the day it was recorded."""
        try:
            return date.fromisoformat(record.printed_date)
        except ValueError:
            return datetime.fromtimestamp(record.at, self.zone).date()


class Sum(NamedTuple):
    """How many receipts, for how much."""

    receipts: int = 0
    minor: int = 0


class Book:
    """Turns records into lines, and adds up."""

    def __init__(self, store: str, period: Period) -> None:
        self.sums: dict[tuple[str, int], dict[str, Sum]] = {}  # (currency, decimals) → sales, refunds, voids
        self.listed = 0
        self.repeated = 0
        self.unread = 0  # sales, refunds and voids whose amount was not read
        self._store = store
        self._period = period
        self._bills: dict[tuple[str, str, str, str], tuple[int, tuple[str, int]]] = {}

    def lines(self, records: Iterable[ReceiptRecord]) -> Iterator[Line]:
        """The lines of the period, in the order of the records."""
        for record in records:
            if self._period.has(record):
                self.listed += 1
                yield self._line(record)

    def _line(self, record: ReceiptRecord) -> Line:
        counts, marks = self._count(record)
        net = "" if record.amount_minor is None else format_minor(record.amount_minor, record.decimals)
        recorded = datetime.fromtimestamp(record.at, self._period.zone).isoformat(timespec="seconds")
        return Line(
            self._store,
            record.till,
            record.number,
            record.printed_date,
            record.printed_time,
            net,
            record.currency,
            record.kind,
            " ".join(marks),
            counts,
            record.confidence,
            record.claim,
            record.voided,
            record.points,
            record.line,
            recorded,
            f"{record.session}:{record.document}",
        )

    def _count(self, record: ReceiptRecord) -> tuple[bool, list[str]]:
        """Whether it is part of the sums, and its marks."""
        marks = [*record.modifiers, *(["resettled"] if record.revision else []), *(["replayed"] * record.replayed)]
        title = _COUNTED.get(DocumentKind(record.kind)) if record.kind in set(DocumentKind) else None
        if title is None:
            return False, marks
        if record.amount_minor is None:
            self.unread += 1
            return False, marks
        bill = (title, record.till, record.number, record.printed_date)
        known = self._bills.get(bill) if record.number else None
        again = bool(_AGAIN.intersection(record.modifiers))
        if known is not None:
            marks.append("repeated")
            self.repeated += 1
            if again or known[0] == abs(record.amount_minor):
                return False, marks
            self._add(title, known[1], -1, -known[0])
        elif again and not record.number:
            return False, marks
        money = (record.currency, record.decimals)
        self._bills[bill] = (abs(record.amount_minor), money)
        self._add(title, money, 1, abs(record.amount_minor))
        return True, marks

    def _add(self, title: str, money: tuple[str, int], receipts: int, minor: int) -> None:
        titles = self.sums.setdefault(money, {})
        have = titles.get(title, Sum())
        titles[title] = Sum(have.receipts + receipts, have.minor + minor)

    # -- the end

    def totals(self) -> dict[str, object]:
        """For JSON: minor units as they are, so that nobody rounds."""
        return {
            "listed": self.listed,
            "repeated": self.repeated,
            "amount_not_read": self.unread,
            "currencies": [
                {"currency": currency, "decimals": decimals}
                | {title: found._asdict() for title, found in titles.items()}
                | {"net_minor": _net(titles)}
                for (currency, decimals), titles in sorted(self.sums.items())
            ],
        }

    def words(self) -> str:
        """For a person."""
        told = [f"{self.listed} receipts listed, {self.repeated} of them bills that stood above"]
        for (currency, decimals), titles in sorted(self.sums.items()):
            for title, found in sorted(titles.items(), reverse=True):
                told.append(f"{title:8} {found.receipts:7}  {format_minor(found.minor, decimals):>14} {currency}")
            told.append(
                f"{'net':8} {'':7}  {format_minor(_net(titles), decimals):>14} {currency}  sales less the others"
            )
        if self.unread:
            told.append(f"{self.unread} whose amount could not be read: compare these by hand")
        return "\n".join(told)


def _net(titles: dict[str, Sum]) -> int:
    return sum(found.minor if title == "sales" else -found.minor for title, found in titles.items())


def written(lines: Iterable[Line], book: Book, form: Literal["csv", "json"]) -> Iterator[str]:
    """The text of an export, piece by piece, so that a year of receipts needs no memory."""
    if form == "json":
        yield '{"receipts":['
        for index, line in enumerate(lines):
            yield ("," if index else "") + "\n" + msgspec.json.encode(line._asdict()).decode()
        yield '\n],"totals":' + msgspec.json.encode(book.totals()).decode() + "}\n"
        return
    yield _csv(Line._fields)
    for line in lines:
        yield _csv([_cell(value) for value in line])


def _cell(value: object) -> str:
    """Printed text can't become a formula; amounts are ours and may be negative."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    is_number = text[1:].replace(".", "", 1).isdigit()
    return f"'{text}" if text.startswith(_FORMULA) and not is_number else text


def _csv(values: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(values)  # RFC 4180
    return buffer.getvalue()
