"""The equations with a payment in them: what was handed over, what came back, and which total that proves.

Owns: `Payments`, which lists the totals that some payment proves, and how strongly. Never: labels' rank, or which of
several is right (totals.py). In the order of what they prove:

    Σ tenders − change = v        v printed as a total: the cards and apps were charged with it
    tendered − change = v         cash was counted out on it
    one tender = v

Only where none of these holds are amounts looked for that lost their label, or have one that no word explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from edgebox.model import TenderKind
from edgebox.receipt.entries import Alone, Entry
from edgebox.receipt.lexicon import Role
from edgebox.receipt.sums import TOTALS, Sums

CASH_ROUNDING_MAX = 100  # minor units that cash rounding, or dropping the odd cents, may move a total
VALUES_MAX = 64  # of each kind that the equations look at: bounds the work on hostile paper
FINAL = (Role.NET, Role.ROUNDED, Role.PAID)
ALL, COUNTED, ONE = 4, 3, 2  # how strongly a total is proven: by all tenders, by cash and change, by one tender
_COLUMN_LINES = 4  # from the first of two labels above each other to the first of their amounts, currencies included
_BESIDE = 1  # lines between a label that lost its amount and the amount
VOUCHERS = (TenderKind.VOUCHER, TenderKind.POINTS)  # they pay a total, and earn nothing
_PAYMENTS = (Role.TENDER, Role.TENDERED, Role.PAID)


class Paper(NamedTuple):
    """What the document's trusted lines say about money."""

    entries: Sequence[Entry]
    bare: Sequence[Entry] = ()
    mentioned: Sequence[TenderKind] = ()
    says_paid: bool = False
    says_unpaid: bool = False
    items: Sequence[Entry] = ()
    alone: Sequence[Alone] = ()
    tax_totals: frozenset[int] = frozenset()


def printed_totals(paper: Paper) -> set[int]:
    """The values that are printed as some total."""
    totals = {e.minor for e in paper.entries if e.role in TOTALS and e.minor > 0}
    return totals | {e.minor for e in paper.entries if e.role is Role.ROUNDING and e.minor > CASH_ROUNDING_MAX}


class Payments:
    """One document's. `money`: what was paid by way, without vouchers; `vouchers`: those."""

    def __init__(self, paper: Paper, sums: Sums, totals: set[int]) -> None:
        self._paper = paper
        self.totals = totals
        self.sums, self.of, self.text = sums, sums.of, sums.text
        self.ways = [e for e in paper.entries if e.tender is not None and e.role in _PAYMENTS and e.minor][:VALUES_MAX]
        self.money = [e._replace(minor=abs(e.minor)) for e in self.ways if e.tender not in VOUCHERS]
        self.vouchers = [e for e in self.ways if e.tender in VOUCHERS and e.minor > 0]

    def is_crowded(self) -> bool:
        """More different amounts of one kind than the equations may look at."""
        kinds = (self.of(Role.CHANGE), self.of(*FINAL), self.of(Role.DUE, Role.SUM), self.of(Role.TENDERED))
        return len(self.ways) >= VALUES_MAX or any(len(set(minors)) >= VALUES_MAX for minors in kinds)

    def proven(self) -> dict[int, tuple[int, str]]:
        """Totals proven by a payment: value → (strength, reason)."""
        bare = {entry.minor for entry in self._paper.bare if entry.firm}
        targets = self.totals | {minor for minor in bare if self._near_total(minor)} | self._rounded_totals()
        changes = {abs(minor) for minor in self.of(Role.CHANGE)}
        proven = self._by_sums(targets, bare, changes)
        if not proven:
            self._displaced(proven, changes)
        return proven or self._by_sums(self._rounded_up(), set(), changes)

    def _by_sums(self, targets: set[int], bare: set[int], changes: set[int]) -> dict[int, tuple[int, str]]:
        """The totals among `targets` that what was given, or all tenders, less change are."""
        proven: dict[int, tuple[int, str]] = {}
        given = self._given()
        for change, paid in product(sorted(changes), given):
            value = paid - change
            if change and value > 0 and value in targets | bare and not self._leaves_tenders(value, paid):
                proven[value] = (
                    COUNTED,
                    f"tendered {self.text(paid)} - change {self.text(change)} = {self.text(value)}",
                )
        # Where the cash line is what stayed in the drawer, or the change is part of what was given, it is netted.
        netted = {paid - change for change, paid in product(changes, given)}
        for change, paid in product(sorted(changes) or [0], self._sums()):
            is_netted = paid in self.totals and (paid in netted or netted & {entry.minor for entry in self.money})
            left = 0 if change and is_netted else change
            if paid - left in targets:
                words = f"all tenders {self.text(paid)} - change {self.text(left)} = {self.text(paid - left)}"
                proven[paid - left] = (ALL, words)
        if not changes or 0 in changes:
            for value in self.charged():
                if value in targets and not self._leaves_tenders(value, value):
                    proven.setdefault(value, (ONE, f"paid with tenders {self.text(value)} = total {self.text(value)}"))
        self._less_vouchers(proven)
        return proven

    def _rounded_totals(self) -> set[int]:
        """Totals less the rounding that is printed for them; what remains may not be printed itself."""
        roundings = {abs(minor) for minor in self._roundings()}
        totals = self.of(Role.SUM, Role.DUE, Role.NET)[:VALUES_MAX]
        return {total - rounding for total in totals for rounding in roundings} | self._reduced_totals()

    def _roundings(self) -> set[int]:
        return {minor for minor in self.of(Role.ROUNDING) if 0 < abs(minor) <= CASH_ROUNDING_MAX}

    def _rounded_up(self) -> set[int]:
        """Totals with a rounding that is printed without a minus. Many tills print none: only where nothing else fits.

        `TOTAL 1.38, ROUNDING 0.02, CASH 1.40`
        """
        roundings = {minor for minor in self._roundings() if minor > 0}
        return {total + rounding for total in self.of(*FINAL)[:VALUES_MAX] for rounding in roundings}

    def _reduced_totals(self) -> set[int]:
        """Totals less what is printed behind them as a discount: `TOTAL 60.00, VOUCHER 10.00, CASH 50.00`."""
        discounts = [e for e in self._paper.entries if e.role is Role.DISCOUNT and e.minor][:VALUES_MAX]
        finals = [e for e in self._paper.entries if e.role in (Role.NET, Role.SUM, Role.DUE) and e.firm][:VALUES_MAX]
        out: set[int] = set()
        for total in finals if discounts else ():
            behind = [abs(discount.minor) for discount in discounts if discount.place > total.place]
            out |= {total.minor - step for step in (*behind, sum(behind)) if behind}
        return {minor for minor in out if minor > 0} - self.totals

    def _leaves_tenders(self, value: int, paid: int) -> bool:
        """Money was paid in another way as well that this equation doesn't account for."""
        return any(entry.firm and entry.minor not in (value, paid) for entry in self.money)

    def _near_total(self, minor: int) -> bool:
        """An unlabelled amount that can be a total after cash rounding."""
        return minor > 0 and any(0 < abs(minor - total) <= 10 for total in self.of(*FINAL))

    def _given(self) -> list[int]:
        """What may have been handed over, before change."""
        singles = [*self.of(Role.TENDERED, Role.PAID), *(entry.minor for entry in self.money)]
        return sorted({minor for minor in (*singles, *self._sums()) if minor > 0})[:VALUES_MAX]

    def _sums(self) -> list[int]:
        """Sums of several tenders; each way once, and each line once (till and terminal may both print it)."""
        ways = {(entry.tender, entry.minor) for entry in self.money}
        return (
            [sum(minor for _, minor in ways), sum(entry.minor for entry in self.money)] if len(self.money) > 1 else []
        )

    def charged(self) -> list[int]:
        """What was charged to single tenders, or printed as paid beside a total: never an entry to itself."""
        singles = [entry.minor for entry in self.money if entry.firm and entry.role is not Role.PAID]
        tendered = [minor for minor in self.of(Role.TENDERED) if minor > 0]
        others = {minor for role in TOTALS if role is not Role.PAID for minor in self.of(role)}
        return [*singles, *tendered, *(minor for minor in self.of(Role.PAID) if minor in others)]

    def _less_vouchers(self, proven: dict[int, tuple[int, str]]) -> None:
        """Vouchers count as payment of the total, but only money earns."""
        voucher = sum({(entry.tender, entry.minor): entry.minor for entry in self.vouchers}.values())
        if not voucher or proven:
            return
        for money in self._sums() or [entry.minor for entry in self.money if entry.firm]:
            if money + voucher in self.totals and money > 0:
                reason = f"total {self.text(money + voucher)} - vouchers {self.text(voucher)} = {self.text(money)}"
                proven[money] = (ONE, reason)

    # -- payments printed in unusual ways

    def _displaced(self, proven: dict[int, tuple[int, str]], changes: set[int]) -> None:
        """Change printed as a negative tender, and amounts that stand beside their label rather than behind it."""
        signed = [e.minor for e in self.ways if e.tender not in VOUCHERS] + self.of(Role.TENDERED)
        left = abs(sum(signed))
        if min(signed, default=0) < 0 < max(signed, default=0) and left in self.totals:
            proven[left] = (COUNTED, f"tendered and handed back leave {self.text(left)}")
            return
        paid_beside = self._beside(*_PAYMENTS)
        total_beside = self._beside(Role.NET, Role.SUM, Role.DUE, Role.WEAK)
        change_beside = self._beside(Role.CHANGE)
        final = {minor for minor in self.of(*FINAL, Role.SUM, Role.DUE) if minor > 0} | total_beside
        for change, paid in product(changes | change_beside, {*self._given(), *paid_beside}):
            value = paid - change
            if change and value in final and not self._leaves_tenders(value, paid):
                proven[value] = (
                    COUNTED,
                    f"tendered {self.text(paid)} - change {self.text(change)} = {self.text(value)}",
                )
        if not proven:
            self._unnamed(proven, changes)
        if proven or any(changes):
            return
        for value in {*self.charged()} & total_beside | paid_beside & final | self._in_columns():
            if not self._leaves_tenders(value, value):
                proven[value] = (ONE, f"paid with tenders {self.text(value)} = total {self.text(value)}")

    def _unnamed(self, proven: dict[int, tuple[int, str]], changes: set[int]) -> None:
        """Of the three amounts, total, tendered and change, one has a label that no word explains."""
        entries, others = self._paper.entries, self._others()
        finals = [e for e in entries if e.role in (*FINAL, Role.SUM, Role.DUE) and e.firm and e.minor > 0]
        by_minor: dict[int, list[Entry]] = {}
        for entry in others:
            by_minor.setdefault(entry.minor, []).append(entry)
        for change in changes - {0}:
            for total in finals:  # what was handed over stands behind the total
                if any(entry.place > total.place for entry in by_minor.get(total.minor + change, ())):
                    given = total.minor + change
                    words = f"{self.text(given)} - change {self.text(change)} = {self.text(total.minor)}"
                    proven[total.minor] = (COUNTED, words)
        if not changes:
            self._unnamed_change(proven, finals, by_minor)
        if not (proven or changes - {0}):
            proven.update(self._unnamed_total(by_minor, finals))
        for change in changes - {0}:
            for paid in self._given() if sum(way.firm for way in self.money) <= 1 else ():
                value = paid - change
                named = [total.minor for total in finals if total.role is not Role.PAID]
                if value <= 0 or value not in by_minor or not all(self.sums.becomes(minor, value) for minor in named):
                    continue
                if self.sums.reason(value) or self._right_above(by_minor[value], paid):
                    words = f"tendered {self.text(paid)} - change {self.text(change)} = {self.text(value)}"
                    proven[value] = (COUNTED, words)

    def _right_above(self, printed: Sequence[Entry], paid: int) -> bool:
        """One of these is the last amount before the line on which `paid` was handed over."""
        entries = (*self._paper.entries, *self._paper.items, *self._paper.bare)
        given = [e.place for e in self._paper.entries if e.minor == paid and e.role in _PAYMENTS]
        above = [max((e.place for e in entries if e.place < place), default=-1) for place in given[:1]]
        return any(entry.place in above for entry in printed)

    def _others(self) -> list[Entry]:
        """Amounts whose label says nothing, or something that no total has: some tills call change the balance."""
        ignored = (e for e in self._paper.entries if e.role is Role.IGNORE and e.minor > 0)
        return [e for e in (*self._paper.items, *self._paper.bare, *ignored) if e.firm]

    def _unnamed_change(
        self, proven: dict[int, tuple[int, str]], finals: Sequence[Entry], by_minor: dict[int, list[Entry]]
    ) -> None:
        """Of total, cash and what is left over, the last has a label that no word explains. It stands behind both."""
        given = [e for e in self.ways if e.tender is TenderKind.CASH and e.firm]
        given += [e for e in self._paper.entries if e.role in (Role.TENDERED, Role.PAID) and e.tender is None][:4]
        if len({e.minor for e in given} | {e.minor for e in self.money if e.firm}) != 1:
            return
        for total, cash in product(finals, given[:1]):
            left = cash.minor - total.minor
            place = max(total.place, cash.place)
            if left > 0 and any(entry.place > place for entry in by_minor.get(left, ())):
                words = f"tendered {self.text(cash.minor)} - {self.text(left)} = {self.text(total.minor)}"
                proven[total.minor] = (COUNTED, words)

    def _unnamed_total(self, by_minor: dict[int, list[Entry]], finals: Sequence[Entry]) -> dict[int, tuple[int, str]]:
        """All was charged at once, and that amount stands above it under a label that no word explains.

        Items, taxes or a subtotal must bear it out, and no other total be named that doesn't become it.
        """
        charged = {e.minor: e.place for e in reversed(self.money) if e.firm and e.minor > 0}
        if len(charged) != 1 or self.vouchers:
            return {}
        value, place = charged.popitem()
        if not any(entry.place < place for entry in by_minor.get(value, ())):
            return {}
        named = {total.minor for total in finals if total.role is not Role.PAID} - {value}
        reason = self.sums.unnamed_reason(value)
        if not reason or not all(self.sums.becomes(minor, value) for minor in named):
            return {}
        return {value: (ONE, f"paid with tenders {self.text(value)}; {reason}")}

    def _in_columns(self) -> set[int]:
        """Labels of a total and of a payment, and below them the same amount for both: equal, whichever is whose."""
        labels = [alone.place for alone in self._paper.alone if alone.label.role in (Role.NET, Role.SUM, Role.DUE)]
        twice = {
            way.minor
            for way in self.money
            for other in self._paper.bare
            if other.firm and other.minor == way.minor > 0 and 0 < other.place - way.place <= 1 + _BESIDE
            and any(0 < way.place - label <= _COLUMN_LINES for label in labels)
        }  # fmt: skip
        return twice if len(twice) == 1 else set()

    def _beside(self, *roles: Role) -> set[int]:
        """Bare amounts on the line above or below a label with one of these meanings that has no amount of its own."""
        places = {alone.place for alone in self._paper.alone if alone.label.role in roles}
        near = {place + step for place in places for step in range(-_BESIDE, _BESIDE + 1)}
        return {e.minor for e in self._paper.bare if e.firm and e.minor > 0 and e.place in near}
