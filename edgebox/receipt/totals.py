"""Which amount was paid: equations first, labels second, and nothing when in doubt.

Owns: `decide` and its reasons in words. Never: text. A wrong total is far worse than none, so rivals that no equation
settles, a payment that matches no printed total, zero and less all end in "not known".

The equations with a payment, in the order of what they prove; those without one are in sums.py:

    Σ tenders − change = v        v printed as a total: the cards and apps were charged with it
    tendered − change = v         cash was counted out on it
    one tender = v
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from edgebox.model import Confidence, TenderKind
from edgebox.receipt.entries import Alone, Entry
from edgebox.receipt.lexicon import Role
from edgebox.receipt.sums import ADDED, TOTALS, Sums

CASH_ROUNDING_MAX = 100  # minor units that cash rounding, or dropping the odd cents, may move a total
NOTE = 500  # minor units that notes and large coins are multiples of: what a customer hands over
_BESIDE = 1  # lines between a label that lost its amount and the amount
_VOUCHERS = (TenderKind.VOUCHER, TenderKind.POINTS)
_FINAL = (Role.NET, Role.ROUNDED, Role.PAID)
_PAYMENTS = (Role.TENDER, Role.TENDERED, Role.PAID)
_VALUES_MAX = 64  # of each kind that the equations look at: bounds the work on hostile paper


class Rules(NamedTuple):
    """The shop's configuration as far as totals go. `medium_max_minor` 0: no limit."""

    decimals: int = 2
    round_to_cash: bool = True
    less_service: bool = False
    prints_after_payment: bool = False
    medium_max_minor: int = 0


class Decision(NamedTuple):
    """`minor` None: not known; then `reasons` says why not. `paid`: there is proof that it was paid."""

    minor: int | None
    confidence: Confidence
    reasons: tuple[str, ...]
    paid: bool = False


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


def decide(paper: Paper, rules: Rules) -> Decision:
    """The amount that was paid."""
    if paper.says_unpaid:
        return _unknown("says that it is not paid")
    work = _Work(paper, rules)
    if work.is_crowded():
        return _unknown("more totals and payments than a receipt has")
    proven = work.payments()
    decision = work.choose(proven) if proven else work.by_labels()
    limit = rules.medium_max_minor
    if limit and decision.minor is not None and decision.minor > limit and decision.confidence is Confidence.MEDIUM:
        amount, most = work.text(decision.minor), work.text(limit)
        return _unknown(f"{amount} {decision.reasons[0]}: without proof only {most} may earn", paid=True)
    return decision


def is_negative(entries: Sequence[Entry]) -> bool:
    """Every total that is printed is below zero: money went back."""
    totals = [entry.minor for entry in entries if entry.role in TOTALS and entry.minor]
    return bool(totals) and max(totals) < 0


def _unknown(reason: str, *, paid: bool = False) -> Decision:
    return Decision(None, Confidence.LOW, (reason,), paid)


class _Work:
    """One document's arithmetic."""

    def __init__(self, paper: Paper, rules: Rules) -> None:
        self.paper = paper
        self.rules = rules
        self.totals = {e.minor for e in paper.entries if e.role in TOTALS and e.minor > 0}
        self.totals |= {e.minor for e in paper.entries if e.role is Role.ROUNDING and e.minor > CASH_ROUNDING_MAX}
        self.sums = Sums(paper.entries, paper.items, paper.bare, self.totals, paper.tax_totals, rules.decimals)
        self.of, self.text = self.sums.of, self.sums.text
        self.ways = [e for e in paper.entries if e.tender is not None and e.role in _PAYMENTS and e.minor][:_VALUES_MAX]
        self.money = [e._replace(minor=abs(e.minor)) for e in self.ways if e.tender not in _VOUCHERS]
        self.vouchers = [e for e in self.ways if e.tender in _VOUCHERS and e.minor > 0]

    def is_crowded(self) -> bool:
        """More different amounts of one kind than the equations may look at."""
        kinds = (self.of(Role.CHANGE), self.of(*_FINAL), self.of(Role.DUE, Role.SUM), self.of(Role.TENDERED))
        return len(self.ways) >= _VALUES_MAX or any(len(set(minors)) >= _VALUES_MAX for minors in kinds)

    # -- payments

    def payments(self) -> dict[int, tuple[int, str]]:
        """Totals proven by a payment: value → (strength, reason)."""
        proven: dict[int, tuple[int, str]] = {}
        bare = {entry.minor for entry in self.paper.bare if entry.firm}
        targets = self.totals | {minor for minor in bare if self._near_total(minor)} | self._rounded_totals()
        changes = {abs(minor) for minor in self.of(Role.CHANGE)}
        given = self._given()
        for change, paid in product(sorted(changes), given):
            value = paid - change
            if change and value > 0 and value in targets | bare and not self._leaves_tenders(value, paid):
                proven[value] = (3, f"tendered {self.text(paid)} - change {self.text(change)} = {self.text(value)}")
        # Where the cash line is what stayed in the drawer, or the change is part of what was given, it is netted.
        netted = {paid - change for change, paid in product(changes, given)}
        for change, paid in product(sorted(changes) or [0], self._sums()):
            is_netted = paid in self.totals and (paid in netted or netted & {entry.minor for entry in self.money})
            left = 0 if change and is_netted else change
            if paid - left in targets:
                words = f"all tenders {self.text(paid)} - change {self.text(left)} = {self.text(paid - left)}"
                proven[paid - left] = (4, words)
        if not changes or 0 in changes:
            for value in self._charged():
                if value in targets and not self._leaves_tenders(value, value):
                    proven.setdefault(value, (2, f"paid with tenders {self.text(value)} = total {self.text(value)}"))
        self._less_vouchers(proven)
        if not proven:
            self._displaced(proven, changes)
        return proven

    def _rounded_totals(self) -> set[int]:
        """Totals less the rounding that is printed for them; what remains may not be printed itself."""
        roundings = {abs(minor) for minor in self.of(Role.ROUNDING) if 0 < abs(minor) <= CASH_ROUNDING_MAX}
        totals = self.of(Role.SUM, Role.DUE, Role.NET)[:_VALUES_MAX]
        return {total - rounding for total in totals for rounding in roundings} | self._reduced_totals()

    def _reduced_totals(self) -> set[int]:
        """Totals less what is printed behind them as a discount: `TOTAL 60.00, VOUCHER 10.00, CASH 50.00`."""
        discounts = [e for e in self.paper.entries if e.role is Role.DISCOUNT and e.minor][:_VALUES_MAX]
        finals = [e for e in self.paper.entries if e.role in (Role.NET, Role.SUM, Role.DUE) and e.firm][:_VALUES_MAX]
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
        return minor > 0 and any(0 < abs(minor - total) <= 10 for total in self.of(*_FINAL))

    def _given(self) -> list[int]:
        """What may have been handed over, before change."""
        singles = [*self.of(Role.TENDERED, Role.PAID), *(entry.minor for entry in self.money)]
        return sorted({minor for minor in (*singles, *self._sums()) if minor > 0})[:_VALUES_MAX]

    def _sums(self) -> list[int]:
        """Sums of several tenders; each way once, and each line once (till and terminal may both print it)."""
        ways = {(entry.tender, entry.minor) for entry in self.money}
        return (
            [sum(minor for _, minor in ways), sum(entry.minor for entry in self.money)] if len(self.money) > 1 else []
        )

    def _charged(self) -> list[int]:
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
        for money in self._sums() or [0]:
            if money + voucher in self.totals and money > 0:
                reason = f"total {self.text(money + voucher)} - vouchers {self.text(voucher)} = {self.text(money)}"
                proven[money] = (2, reason)

    # -- payments printed in unusual ways

    def _displaced(self, proven: dict[int, tuple[int, str]], changes: set[int]) -> None:
        """Change printed as a negative tender, and amounts that stand beside their label rather than behind it."""
        signed = [e.minor for e in self.ways if e.tender not in _VOUCHERS] + self.of(Role.TENDERED)
        left = abs(sum(signed))
        if min(signed, default=0) < 0 < max(signed, default=0) and left in self.totals:
            proven[left] = (3, f"tendered and handed back leave {self.text(left)}")
            return
        paid_beside = self._beside(*_PAYMENTS)
        total_beside = self._beside(Role.NET, Role.SUM, Role.DUE, Role.WEAK)
        change_beside = self._beside(Role.CHANGE)
        final = {minor for minor in self.of(*_FINAL, Role.SUM, Role.DUE) if minor > 0} | total_beside
        for change, paid in product(changes | change_beside, {*self._given(), *paid_beside}):
            value = paid - change
            if change and value in final and not self._leaves_tenders(value, paid):
                proven[value] = (3, f"tendered {self.text(paid)} - change {self.text(change)} = {self.text(value)}")
        if not proven:
            self._unnamed(proven, changes)
        if proven or any(changes):
            return
        for value in {*self._charged()} & total_beside | paid_beside & final:
            if not self._leaves_tenders(value, value):
                proven[value] = (2, f"paid with tenders {self.text(value)} = total {self.text(value)}")

    def _unnamed(self, proven: dict[int, tuple[int, str]], changes: set[int]) -> None:
        """Of the three amounts, total, tendered and change, one has a label that no word explains."""
        entries, others = self.paper.entries, [e for e in (*self.paper.items, *self.paper.bare) if e.firm]
        finals = [e for e in entries if e.role in (*_FINAL, Role.SUM, Role.DUE) and e.firm and e.minor > 0]
        by_minor: dict[int, list[Entry]] = {}
        for entry in others:
            by_minor.setdefault(entry.minor, []).append(entry)
        for change in changes - {0}:
            for total in finals:  # what was handed over stands behind the total
                if any(entry.place > total.place for entry in by_minor.get(total.minor + change, ())):
                    given = total.minor + change
                    words = f"{self.text(given)} - change {self.text(change)} = {self.text(total.minor)}"
                    proven[total.minor] = (3, words)
        if not changes:
            self._unnamed_change(proven, finals, by_minor)
        for change in changes - {0}:
            if not finals and len(self.money) <= 1:
                for paid in self._given():
                    if paid > change and paid - change in by_minor and self.sums.reason(paid - change):
                        words = f"tendered {self.text(paid)} - change {self.text(change)} = {self.text(paid - change)}"
                        proven[paid - change] = (3, words)

    def _unnamed_change(
        self, proven: dict[int, tuple[int, str]], finals: Sequence[Entry], by_minor: dict[int, list[Entry]]
    ) -> None:
        """Of cash, total and what is left over, the last has a label that no word explains. It stands behind both."""
        for total, cash in product(finals, [e for e in self.ways if e.tender is TenderKind.CASH]):
            left = cash.minor - total.minor
            place = max(total.place, cash.place)
            if left > 0 and len(self.money) == 1 and any(entry.place > place for entry in by_minor.get(left, ())):
                words = f"tendered {self.text(cash.minor)} - {self.text(left)} = {self.text(total.minor)}"
                proven[total.minor] = (3, words)

    def _beside(self, *roles: Role) -> set[int]:
        """Bare amounts on the line above or below a label with one of these meanings that has no amount of its own."""
        places = {alone.place for alone in self.paper.alone if alone.label.role in roles}
        near = {place + step for place in places for step in range(-_BESIDE, _BESIDE + 1)}
        return {e.minor for e in self.paper.bare if e.firm and e.minor > 0 and e.place in near}

    def choose(self, proven: dict[int, tuple[int, str]]) -> Decision:
        """The one proven total, or none if several remain."""
        best = max(strength for strength, _ in proven.values())
        values = [value for value, (strength, _) in proven.items() if strength == best]
        for roles in (_FINAL, (Role.DUE, Role.SUM)):
            if len(values) > 1:
                labelled = [value for value in values if value in set(self.of(*roles))]
                values = labelled or values
        if len(values) > 1:
            values = [value for value in values if self.sums.balances(value)] or values
        if len(values) > 1:
            return _unknown("rival totals " + ", ".join(self.text(value) for value in sorted(values)), paid=True)
        value = values[0]
        tipped = self.sums.tipped(value) if best == 2 else None
        if tipped is not None:
            reason = f"{self.text(value)} becomes {self.text(tipped)} by the tip that is printed behind it"
            return self._earning(tipped, Confidence.MEDIUM, reason)
        return self._earning(value, Confidence.HIGH, proven[value][1])

    def _earning(self, value: int, confidence: Confidence, reason: str) -> Decision:
        """The proven total as the shop wants it to count."""
        reasons = [reason]
        if not self.rules.round_to_cash:
            exact = [n for n in self.of(Role.NET) if n != value and 0 < abs(n - value) <= 10]
            if exact:
                reasons.append(f"before cash rounding {self.text(exact[-1])}")
                value = exact[-1]
        if self.rules.less_service:
            service = sum(set(self.of(*ADDED)))
            if 0 < service < value:
                reasons.append(f"less service {self.text(service)}")
                value -= service
        return Decision(value, confidence, tuple(reasons), True)

    # -- labels

    def by_labels(self) -> Decision:
        """No payment with an amount proves anything: the labels must agree, and something must say that it was paid."""
        paid = self._proof()
        if 0 in self.of(*_FINAL) and not any(minor > 0 for minor in self.of(*_FINAL)):
            return _unknown("nothing to pay", paid=True)
        if not paid and self.totals:
            return _unknown("nothing says that it is paid")
        if not self._labelled((*_FINAL, Role.DUE, Role.SUM)):
            return self._before_tip(paid) or self._without_label(paid)
        if any(self.of(Role.CHANGE)):
            return self._by_change()
        if self._charged() and not self._balanced_once():
            return self._by_cash()
        for roles in ((Role.PAID, Role.ROUNDED, Role.NET), (Role.DUE, Role.SUM)):
            values = self._labelled(roles)
            if values:
                return self._by_label(values, paid)
        return _unknown("totals disagree", paid=True)

    def _by_label(self, values: set[int], paid: str) -> Decision:
        if len(values) > 1:
            values = self._last_of_chain(values)
        if len(values) > 1:
            values = {value for value in values if self.sums.balances(value)}
        if len(values) != 1:
            return _unknown("totals disagree", paid=True)
        value = values.pop()
        later = {total for total in self.sums.successors(value) if not self.sums.successors(total)}
        if len(later) > 1:
            return _unknown("totals disagree", paid=True)
        if later:
            total = later.pop()
            words = f"{self.text(value)} becomes {self.text(total)} by what is printed between"
            return self._earning(total, Confidence.MEDIUM, f"{words}; {paid}")
        reason = self.sums.reason(value)
        if reason:
            return self._earning(value, Confidence.HIGH, f"by its label; {reason}; {paid}")
        return self._earning(value, Confidence.MEDIUM, f"by its label; {paid}")

    def _last_of_chain(self, values: set[int]) -> set[int]:
        """Where one total becomes the next by what is printed between, the last of them, if the rest all lead to it."""
        ends = {value for value in values if not self.sums.successors(value) & values}
        if len(ends) == 1 and all(self.sums.successors(value) & values for value in values - ends):
            return ends
        return values

    def _before_tip(self, paid: str) -> Decision | None:
        """Lines for tip and total that were left blank to be filled in by hand: what is due stands above them."""
        blank = {alone.label.role for alone in self.paper.alone}
        values = self._labelled((Role.SUBTOTAL,))
        if not (Role.TIP in blank and Role.NET in blank and paid and values):
            return None
        values = self._last_of_chain(values)
        if len(values) != 1 or any(self.of(Role.CHANGE, Role.TAX)):
            return None
        return self._earning(values.pop(), Confidence.MEDIUM, f"the lines for tip and total are blank; {paid}")

    def _without_label(self, paid: str) -> Decision:
        """No firm label of a total: a weaker one counts if the table of taxes, or items and payment, bear it out."""
        weak = {e.minor for e in self.paper.entries if e.role in TOTALS and e.minor > 0}
        charged = {entry.minor for entry in self.money if entry.firm}
        if any(self.of(Role.CHANGE)) or len(charged) > 1:
            return _unknown("no total found", paid=bool(paid))
        if self._printed_proof() and len(weak) == 1 and self._all_money() == weak:
            return self._earning(weak.pop(), Confidence.MEDIUM, f"the only amount on the paper; {paid}")
        confirmed = (weak | charged) & self.sums.tax_totals
        confirmed |= {value for value in charged | weak if self.sums.listed_reach(value, least=2)} if charged else set()
        if charged:
            confirmed &= charged
        elif not weak:  # nothing but the table and the same amount elsewhere
            confirmed = {e.minor for e in (*self.paper.items, *self.paper.bare) if e.minor in self.sums.tax_totals}
        if len(confirmed) == 1 and paid:
            value = confirmed.pop()
            return self._earning(value, Confidence.MEDIUM, f"{self.sums.reason(value)}; {paid}")
        if self.totals:
            return _unknown("totals disagree", paid=bool(paid))
        return _unknown("no total found", paid=bool(paid))

    def _all_money(self) -> set[int]:
        """All amounts that are shaped as money, whatever they mean."""
        entries = (*self.paper.entries, *self.paper.items, *self.paper.bare)
        return {entry.minor for entry in entries if entry.minor and (entry.firm or entry.role is Role.WEAK)}

    def _by_change(self) -> Decision:
        """Change is printed, and what was handed over is not: total and change together may be a note's value."""
        values = self._labelled(_FINAL)
        changes = {abs(minor) for minor in self.of(Role.CHANGE) if minor}
        if len(values) == 1 and len(changes) == 1 and not self._charged() and not self.of(Role.TENDERED):
            value, change = values.pop(), changes.pop()
            given = value + change
            if given % NOTE == 0:
                words = f"{self.text(value)} + change {self.text(change)} = {self.text(given)}, a round sum"
                return self._earning(value, Confidence.MEDIUM, f"by its label; {words}")
            reason = self.sums.reason(value)
            if reason and not self.vouchers:
                return self._earning(value, Confidence.MEDIUM, f"by its label; {reason}; change is printed")
        return _unknown("the payment matches no total", paid=True)

    def _by_cash(self) -> Decision:
        """More cash than the total, in notes, and no change printed: the total counts if sums bear it out."""
        values = self._labelled(_FINAL)
        given = {entry.minor for entry in self.money} | {minor for minor in self.of(Role.TENDERED) if minor}
        if len(values) == 1 and len(given) == 1 and all(e.tender is TenderKind.CASH for e in self.ways):
            value, cash = values.pop(), given.pop()
            reason = self.sums.reason(value)
            if cash > value and cash % NOTE == 0 and reason:
                words = f"by its label; {reason}; {self.text(cash)} was handed over"
                return self._earning(value, Confidence.MEDIUM, words)
        return _unknown("the payment matches no total", paid=True)

    def _balanced_once(self) -> bool:
        return sum(self.sums.balances(value) for value in self._labelled(_FINAL)) == 1

    def _labelled(self, roles: tuple[Role, ...]) -> set[int]:
        return {e.minor for e in self.paper.entries if e.role in roles and e.firm and e.minor > 0}

    def _proof(self) -> str:
        """What says that it was paid; "" nothing."""
        printed = self._printed_proof()
        return printed or ("this till prints after payment" if self.rules.prints_after_payment else "")

    def _printed_proof(self) -> str:
        if self.paper.says_paid:
            return "it says that it is paid"
        if any(minor > 0 for minor in self.of(Role.PAID)):
            return "an amount is printed as paid"
        given = any(minor > 0 for minor in self.of(Role.TENDERED))
        if self.money or self.paper.mentioned or given or self.of(Role.CHANGE):
            return "it names how it was paid"
        return ""
