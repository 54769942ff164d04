"""What a day of receipts comes to: which of them count, for how much, and how many codes went out with them.

Owns: `DayBook`, fed the rows of one day in the order of the store; `Sums`. Pure. Never: reads a database.

The rules are those of `edgebox export` (edgebox/store/export.py): a bill is known by kind, till, number and printed
date and counts once, a reprint or copy never counts again, and settled anew its last amount counts. A sum is of one
currency, the shop's; what is in another is only counted.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from edgebox.model import DocumentKind, Modifier

_COUNTED = (DocumentKind.SALE, DocumentKind.DELIVERY_PLATFORM, DocumentKind.REFUND, DocumentKind.VOID)
_SALES = (DocumentKind.SALE, DocumentKind.DELIVERY_PLATFORM)
_AGAIN = (Modifier.REPRINT, Modifier.COPY)
CASHIERS_MAX = 200  # of one day; more are no cashiers' codes
OTHERS = "…"  # stands for them


class Row(NamedTuple):
    """Of a receipt, what counts. `amount_minor`: as corrected, if it was; `modifiers` separated by blanks."""

    place: int
    at: int
    kind: str
    modifiers: str
    amount_minor: int | None
    currency: str
    till: str
    number: str
    printed_date: str
    qualifies: int
    claim: str
    voided: int
    points: int
    result: str
    cashier: str


class Sums(NamedTuple):
    """`sales` and `refunds` in minor units. `unread`: sales, refunds and voids without an amount; `again`: reprints,
    copies and what else was seen before; `offered`: points codes that went out, new ones; `repeated`: those that went
    out once more; `void`: those that were not printed. `foreign`: in another currency. `points`: promised at least."""

    receipts: int = 0
    sales_minor: int = 0
    refunds: int = 0
    refunds_minor: int = 0
    voids: int = 0
    unread: int = 0
    again: int = 0
    offered: int = 0
    repeated: int = 0
    void: int = 0
    points: int = 0
    documents: int = 0
    foreign: int = 0

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(*map(sum, zip(self, other, strict=True)))

    @property
    def net_minor(self) -> int:
        """Sales less refunds."""
        return self.sales_minor - self.refunds_minor


class DayBook:
    """One day, by `hours` of so many seconds since `begin`."""

    def __init__(self, begin: int, hours: int, currency: str, hour_s: int = 3600) -> None:
        self.last_place = 0  # of the rows added
        self.cashiers: dict[str, Counter[str]] = {}
        self._begin, self._hour_s, self._currency = begin, hour_s, currency
        self._hours: list[Counter[str]] = [Counter() for _ in range(hours)]
        self._bills: dict[tuple[str, str, str, str], tuple[int, int]] = {}  # hour, minor units
        self._claims: set[str] = set()

    @property
    def hours(self) -> tuple[Sums, ...]:
        """Each hour's."""
        return tuple(Sums(**found) for found in self._hours)

    @property
    def total(self) -> Sums:
        """The whole day's."""
        found = Sums()
        for hour in self.hours:
            found = found.plus(hour)
        return found

    def add(self, row: Row) -> None:
        """The next row; each once, in order of place."""
        self.last_place = max(self.last_place, row.place)
        at = min(max((row.at - self._begin) // self._hour_s, 0), len(self._hours) - 1)
        hour, who = self._hours[at], self._cashier(row.cashier)
        hour["documents"] += 1
        self._count_code(row, hour, who)
        if _is_again(row):
            hour["again"] += 1
            who["reprints"] += 1
            return
        if row.kind not in _COUNTED:
            return
        if row.amount_minor is None:
            hour["unread"] += 1
        elif row.currency != self._currency:
            hour["foreign"] += 1
        else:
            self._count_bill(row, at, who)

    def _count_bill(self, row: Row, at: int, who: Counter[str]) -> None:
        minor = abs(row.amount_minor or 0)
        title, bill = _title(row.kind), (row.kind, row.till, row.number, row.printed_date)
        known = self._bills.get(bill) if row.number else None
        if known is not None:
            self._hours[at]["again"] += 1
            if known[1] == minor:
                return
            self._book(title, known[0], -1, -known[1])
        else:
            who[title] += 1
        self._book(title, at, 1, minor)
        if row.number:
            self._bills[bill] = (at, minor)

    def _book(self, title: str, at: int, count: int, minor: int) -> None:
        hour = self._hours[at]
        hour[title] += count
        if title == "receipts":
            hour["sales_minor"] += minor
        elif title == "refunds":
            hour["refunds_minor"] += minor

    def _count_code(self, row: Row, hour: Counter[str], who: Counter[str]) -> None:
        if not row.claim:
            return
        if row.voided:
            hour["void"] += 1
        elif row.claim in self._claims or _is_again(row):
            hour["repeated"] += 1
            who["repeated"] += 1
        else:
            self._claims.add(row.claim)
            hour["offered"] += 1
            hour["points"] += row.points

    def _cashier(self, name: str) -> Counter[str]:
        known = name if name in self.cashiers or len(self.cashiers) < CASHIERS_MAX else OTHERS
        return self.cashiers.setdefault(known, Counter())


def _is_again(row: Row) -> bool:
    return any(modifier in _AGAIN for modifier in row.modifiers.split())


def _title(kind: str) -> str:
    if kind in _SALES:
        return "receipts"
    return "refunds" if kind == DocumentKind.REFUND else "voids"
