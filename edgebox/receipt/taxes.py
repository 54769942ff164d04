"""The table of taxes: rows of base, tax and gross, which say the total once more.

Owns: `TaxTable`: which line is such a row, and what its rows add up to. Never: labels, and never a total by itself: a
row only confirms (edgebox/receipt/totals.py).

The law of many countries has the till print each rate with what it was charged on, before or after the total:

    Taxa%  Sujeito   IVA   Total        GST SUMMARY   AMOUNT(RM)  TAX(RM)
    23,00    66,26 15,24   81,50        SR @6%            105.57     6.33

A row is known by arithmetic alone: a rate that is printed on it, and two amounts in that proportion. Three columns that
add up are no proof without a rate: price, discount and amount of an item do as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from edgebox.receipt.money import Amount

_is_count = re.compile(r"\s?[x×*]\s").match  # `1 x Tea  65` is an item, and 1 no rate
_percents = re.compile(r"(?<![0-9.,])([0-9]{1,2})(?:[.,]([0-9]{1,2}))?\s?%").findall
RATE_MAX = 3500  # hundredths of a percent; the highest rate of a sales tax is Hungary's 27 %
ROWS_MAX = 32  # of one document; a till knows some ten rates
_COLUMNS_MAX = 6  # amounts of a line that are looked at: rate, base, tax, gross and a count


class TaxRow(NamedTuple):
    """One row, in minor units; `gross` is base + tax."""

    tax: int
    gross: int


class TaxTable:
    """Collects the rows of one document."""

    __slots__ = ("_hundredth", "_shares", "rows", "sums")

    def __init__(self, decimals: int) -> None:
        self._hundredth = 10**decimals  # an amount of so many minor units, as a rate, is one percent
        self.rows: list[TaxRow] = []
        self.sums: list[TaxRow] = []  # rows that add the others up, as printed
        self._shares: set[tuple[int, int]] = set()  # rates and taxes that are printed without a base

    def add(self, text: str, amounts: Sequence[Amount], *, is_sum: bool) -> TaxRow | None:
        """The row that a line is, if it is one. `is_sum`: its label says total, so no rate need be printed."""
        if not 2 <= len(amounts) <= _COLUMNS_MAX:
            return None
        columns = [amount.minor for amount in amounts if not amount.whole]
        if len(columns) < 2:
            return None
        row = self._summed(columns) if is_sum else None
        rows = self.sums if row is not None else self.rows
        row = row or self._rated(columns, _printed_rates(text))
        if row is None and not is_sum and not _is_count(text, amounts[0].end):
            first = amounts[0]
            if first.whole and len(columns) == 2 and first.minor * columns[0] == columns[1] * self._hundredth:
                return None  # `10  2.50  25.00`: ten things, and no tenth
            row = self._rated(columns if first.whole else columns[1:], [first.minor * 100 // self._hundredth])
        if row is not None and len(rows) < ROWS_MAX:
            rows.append(row)
        return row

    def include(self, text: str, tax: int) -> None:
        """A line with a tax alone. Where it prints its rate, `IVA 23% 2,84`, that tells the gross but for rounding."""
        rates = _printed_rates(text)
        if len(rates) == 1 and 0 < rates[0] <= RATE_MAX and tax > 0:
            self._shares.add((rates[0], tax))

    def is_taxed(self, gross: int) -> bool:
        """The only tax that is printed is that of `gross`, to the half unit that it was rounded by."""
        if len(self._shares) != 1 or self.rows:
            return False
        rate, tax = next(iter(self._shares))
        return 2 * abs(tax * (10_000 + rate) - gross * rate) <= 10_000 + rate

    def count(self) -> tuple[int, int]:
        """How many rows and sums there are, for `forget`."""
        return len(self.rows), len(self.sums)

    def forget(self, count: tuple[int, int]) -> None:
        """Drops what came after `count` was asked for."""
        del self.rows[count[0] :], self.sums[count[1] :]

    def totals(self) -> set[int]:
        """What the table as a whole may say that was paid."""
        out = {row.gross for row in self.sums}
        if self.rows:
            out |= {sum(row.gross for row in self.rows), sum(row.gross for row in set(self.rows))}
        return {minor for minor in out if minor > 0}

    def _rated(self, columns: Sequence[int], rates: Sequence[int]) -> TaxRow | None:
        """Two neighbouring columns in the proportion of a rate, and the third, if there is one, their sum."""
        for place in range(len(columns) - 1):
            one, two = columns[place : place + 2]
            tax, base = min(one, two), max(one, two)
            beside = columns[place + 2 : place + 3]
            for rate in rates:
                if not 0 <= rate <= RATE_MAX:
                    continue
                if not rate:
                    if not tax and beside == [base] and base > 0:
                        return TaxRow(0, base)
                elif tax > 0 and _is_rate(tax, base, rate) and (not beside or base + tax in columns):
                    return TaxRow(tax, base + tax)
                elif tax > 0 and len(columns) == 2 and _is_rate(tax, base - tax, rate):
                    return TaxRow(tax, base)
        return None

    def _summed(self, columns: Sequence[int]) -> TaxRow | None:
        for place in range(len(columns) - 2):
            tax, base, gross = sorted(columns[place : place + 3])
            if tax >= 0 and gross == base + tax and tax * 10_000 <= base * RATE_MAX:
                return TaxRow(tax, gross)
        return None


def _printed_rates(text: str) -> list[int]:
    """Hundredths of a percent: `23,00%` is 2300."""
    return [int(whole) * 100 + int(part.ljust(2, "0") or 0) for whole, part in _percents(text)]


def _is_rate(tax: int, base: int, rate: int) -> bool:
    """`tax` is `rate` of `base`, but for rounding: of each item in its own way, so a unit, or 1 % of long receipts."""
    return abs(tax * 10_000 - base * rate) <= max(10_000, tax * 100)
