"""The till's own report: how many receipts, for how much, and whether the box saw the same.

Owns: `ShiftReader` (lines of a report → `ShiftReport`), and `z_check` (a report against the receipts seen since the
last one). Never: decides that a paper is a report (kinds.py does), keeps records, or asks a clock.

A report is read by its keys alone; figures without a known key are nothing. Of several sums the one counts that the
tenders add up to, else the largest: tills print parts beside the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from edgebox.model import ShiftReport, Tender, TenderKind, format_minor
from edgebox.receipt.dates import find_date, find_time
from edgebox.receipt.fieldwords import ShiftKey
from edgebox.receipt.lexicon import Lexicon
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.words import tokens

_count = re.compile(
    r"(?<![\d.,:/\-])(\d{1,6})(?:[.,]0{1,3})?(?![\d.,:/\-])\s?(?:笔|筆|单|單|件|張|张|次|건|x|mal)?"
).search
_period = re.compile(r"\s(?:~|to|bis|-|—|至|until|a|al|hasta|até|～)\s").split
_numbering = re.compile(r"^\s*\d{1,2}[.、)]\s*").sub
_SEEN_MAX = 64  # doubtful receipts that an explanation is sought among
_TOGETHER_MAX = 3  # receipts that one difference is explained by
_LABEL_LETTERS = 40


class ShiftReader:
    """Reads one report, after its end."""

    def __init__(self, lexicon: Lexicon, finder: AmountFinder, date_order: str) -> None:
        self._lexicon = lexicon
        self._finder = finder
        self._order = date_order
        self._found: dict[ShiftKey, int] = {}
        self._sums: list[int] = []
        self._since = self._until = ""
        self._tenders: dict[TenderKind, int] = {}

    def read(self, lines: Iterable[str]) -> ShiftReport:
        """The figures of the report's lines (normalised)."""
        headings: list[str] = []
        for line in lines:
            columns = [part for part in re.split(r"\s{2,}", _numbering("", line).strip()) if part]
            if len(columns) > 1 and not any(map(str.isdigit, line)):
                headings = columns
                continue
            if not (len(columns) == len(headings) > 1 and self._row_of(headings, columns)):
                for place, part in enumerate(_parts(_numbering("", line))):
                    self._part(*part, leads=place == 0)
            if line.strip() and ":" in line:
                headings = []
        found, tendered = self._found, sum(self._tenders.values())
        return ShiftReport(
            found.get(ShiftKey.COUNT),
            tendered if tendered in self._sums else max(self._sums, default=None),
            found.get(ShiftKey.REFUNDS),
            found.get(ShiftKey.REFUND),
            tuple(Tender(kind, minor) for kind, minor in self._tenders.items()),
            self._since,
            self._until,
        )

    def _row_of(self, headings: Sequence[str], columns: Sequence[str]) -> bool:
        """A row of figures below its headings (`销售实收总额  订单量`, `8882.21  18笔`), or a tender's of a table."""
        keys = [self._lexicon.fields.shift(heading) for heading in headings]
        if any(map(str.isalpha, columns[0][:1])):
            tender = self._lexicon.label(columns[0]).tender
            amounts = self._finder.find("  ".join(columns[1:]))
            if tender is not None and amounts:
                self._tender(tender, amounts[-1].minor)
                return True
            if self._lexicon.fields.shift(columns[0]) is ShiftKey.SUM and amounts:
                self._table_total(headings, columns)
                return True
            return False
        if not any(keys):
            return False
        for key, column in zip(keys, columns, strict=True):
            if key is not None:
                self._figure(key, column, first=True)
        return True

    def _table_total(self, headings: Sequence[str], columns: Sequence[str]) -> None:
        """`总计  138  6125.10` below `支付方式  销售单数  销售实收`."""
        for heading, column in list(zip(headings, columns, strict=True))[1:]:
            key = self._lexicon.fields.shift(heading)
            if key in (ShiftKey.COUNT, ShiftKey.SUM):
                self._figure(key, column)

    def _part(self, label: str, value: str, *, leads: bool) -> None:
        """`leads`: the first of its line; what follows it (`尾数金额：44.41  账单数：1`) tells of it alone."""
        key = self._lexicon.fields.shift(label)
        if key is ShiftKey.SINCE or key is ShiftKey.UNTIL:
            self._moment(key, value)
        elif key is not None and leads:
            self._figure(key, value)
        elif leads:
            moments = _period(value)
            if len(moments) == 2 and find_date(moments[0], self._order) and find_date(moments[1], self._order):
                self._moment(ShiftKey.SINCE, moments[0])
                self._moment(ShiftKey.UNTIL, moments[1])
                return
            tender = self._lexicon.label(label).tender
            amounts = self._finder.find(value)
            if tender is not None and amounts:
                self._tender(tender, amounts[-1].minor)

    def _tender(self, kind: TenderKind, minor: int) -> None:
        self._tenders.setdefault(kind, minor)

    def _figure(self, key: ShiftKey, value: str, *, first: bool = False) -> None:
        if first and (key in self._found or (key is ShiftKey.SUM and self._sums)):
            return
        if key in (ShiftKey.COUNT, ShiftKey.REFUNDS):
            match = _count(value)
            if match:
                self._found[key] = int(match[1])
            return
        amounts = self._finder.find(value)
        if amounts:
            if key is ShiftKey.SUM:
                self._sums.append(amounts[-1].minor)
            else:
                self._found[key] = abs(amounts[-1].minor)
            count = _count(value[: amounts[-1].start])
            pair = {ShiftKey.SUM: ShiftKey.COUNT, ShiftKey.REFUND: ShiftKey.REFUNDS}
            if count and len(amounts) > 1 and amounts[0].whole:
                self._found.setdefault(pair[key], int(count[1]))

    def _moment(self, key: ShiftKey, value: str) -> None:
        date = find_date(value, self._order)
        text = f"{date} {find_time(value)}".strip() if date else ""
        if key is ShiftKey.SINCE:
            self._since = self._since or text
        else:
            self._until = self._until or text


def _parts(line: str) -> list[tuple[str, str]]:
    """Labels and values of a line: by colons, several in columns; else what stands before the first digit."""
    out = []
    columns = re.split(r"\s{2,}", line.strip())
    if sum(":" in column for column in columns) > 1:
        columns_of = columns
    else:
        columns_of = [line.strip()]
    for column in columns_of:
        label, colon, value = column.partition(":")
        if not colon:
            match = re.match(r"([^\d\-$¥€£]{2,40}?)\s*(?:[$¥€£]|rm\s)?\s*(-?\d.*)$", column)
            if not match:
                continue
            label, value = match.groups()
        label = re.sub(r"\([^)]*\)", "", label).strip()
        if label and len(label) <= _LABEL_LETTERS and tokens(label):
            out.append((label, value.strip()))
    return out


# -- the check


class SeenReceipt(NamedTuple):
    """A receipt as the box saw it. `counted`: it was read as a sale with this amount (negative: a refund); else it is
    `doubtful`: it may be one (abstained, void, reprint), and `minor` is what it may have been, None if not known."""

    name: str
    minor: int | None
    counted: bool


class ZCheck(NamedTuple):
    """`equal`: the box saw what the till reports. Differences are the report's minus the box's; None: not reported.
    `explained_by`: names of receipts that make up the difference. `words` say it for a person."""

    equal: bool
    count_difference: int | None
    sum_difference: int | None
    explained_by: tuple[str, ...]
    words: str


def z_check(report: ShiftReport, receipts: Sequence[SeenReceipt], decimals: int) -> ZCheck:
    """Compares a report with the receipts seen since the one before."""
    sales = [one.minor for one in receipts if one.counted and one.minor is not None and one.minor > 0]
    back = sum(-one.minor for one in receipts if one.counted and one.minor is not None and one.minor < 0)
    if report.receipts is None and report.sum_minor is None:
        return ZCheck(False, None, None, (), "the report names neither count nor sum")
    count = None if report.receipts is None else report.receipts - len(sales)
    money = _difference(report, sum(sales), back)
    if not count and not money:
        return ZCheck(True, count, money, (), f"equal: {len(sales)} receipts, {format_minor(sum(sales), decimals)}")
    told = []
    if count:
        told.append(f"{count:+} receipts")
    if money:
        told.append(f"{'+' if money > 0 else ''}{format_minor(money, decimals)}")
    why, names = _explanation(receipts, count, money)
    return ZCheck(False, count, money, names, f"the till reports {', '.join(told)} than seen{why}")


def _difference(report: ShiftReport, sales: int, back: int) -> int | None:
    """The report's sum less ours. Tills report before or after refunds: the nearer one is meant."""
    if report.sum_minor is None:
        return None
    return min(report.sum_minor - sales, report.sum_minor - (sales - back), key=abs)


def _explanation(receipts: Sequence[SeenReceipt], count: int | None, money: int | None) -> tuple[str, tuple[str, ...]]:
    """Receipts that the till counted and we didn't, or the other way round, and that make up the whole difference."""
    doubtful = [one for one in receipts if not one.counted][-_SEEN_MAX:]
    counted = [one for one in receipts if one.counted and one.minor][-_SEEN_MAX:]
    for pool, sign, why in (
        (doubtful, 1, "; not counted here, but by the till"),
        (counted, -1, "; counted here, but not by the till"),
    ):
        for size in range(1, _TOGETHER_MAX + 1):
            if count is not None and count != sign * size:
                continue
            for some in combinations(pool, size):
                amounts = [one.minor for one in some]
                if money is None or (None not in amounts and sum(minor or 0 for minor in amounts) == sign * money):
                    names = tuple(one.name for one in some)
                    return f"{why}: {', '.join(names)}", names
    unknown = [one.name for one in doubtful if one.minor is None]
    if unknown and count is not None and count == len(unknown):
        return f"; the box could not read {', '.join(unknown)}", tuple(unknown)
    return "", ()
