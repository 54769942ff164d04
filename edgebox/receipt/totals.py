"""Which amount was paid: equations first, labels second, and nothing when in doubt.

Owns: `decide` and its reasons in words. Never: text. A wrong total is far worse than none, so rivals that no equation
settles, a payment that matches no printed total, zero and less all end in "not known".

The equations with a payment in them are in payments.py, those without one in sums.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgebox.model import Confidence, TenderKind
from edgebox.receipt.doubts import NOTE, doubted
from edgebox.receipt.entries import Entry
from edgebox.receipt.lexicon import Role
from edgebox.receipt.payments import FINAL, ONE, Paper, Payments, printed_totals
from edgebox.receipt.sums import ADDED, TOTALS, Sums

__all__ = ("Decision", "Paper", "Rules", "decide", "is_negative")


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


def decide(paper: Paper, rules: Rules) -> Decision:
    """The amount that was paid."""
    if paper.says_unpaid:
        return _unknown("says that it is not paid")
    work = _Work(paper, rules)
    if work.payments.is_crowded():
        return _unknown("more totals and payments than a receipt has")
    proven = work.payments.proven()
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
        totals = printed_totals(paper)
        self.sums = Sums(paper.entries, paper.items, paper.bare, totals, paper.tax_totals, rules.decimals)
        self.payments = Payments(paper, self.sums, totals)
        self.of, self.text = self.sums.of, self.sums.text

    def choose(self, proven: dict[int, tuple[int, str]]) -> Decision:
        """The one proven total, or none if several remain."""
        best = max(strength for strength, _ in proven.values())
        values = [value for value, (strength, _) in proven.items() if strength == best]
        for roles in (FINAL, (Role.DUE, Role.SUM)):
            if len(values) > 1:
                labelled = [value for value in values if value in set(self.of(*roles))]
                values = labelled or values
        if len(values) > 1:
            values = [value for value in values if self.sums.balances(value)] or values
        if len(values) > 1:
            return _unknown("rival totals " + ", ".join(self.text(value) for value in sorted(values)), paid=True)
        value = values[0]
        if best == ONE and self._is_contradicted(value):
            return _unknown("the payment matches another total than the last", paid=True)
        tipped = self.sums.tipped(value) if best == ONE else None
        if tipped is not None:
            reason = f"{self.text(value)} becomes {self.text(tipped)} by the tip that is printed behind it"
            return self._earning(tipped, Confidence.MEDIUM, reason)
        return self._earning(value, Confidence.HIGH, proven[value][1])

    def _is_contradicted(self, value: int) -> bool:
        """One tender equals a subtotal, and a total that follows from it is printed as well: the rest is missing."""
        if value in self.of(*FINAL, Role.DUE, Role.SUM):
            return False
        added = set(self.of(Role.TAX, *ADDED))
        return any(total - value in added for total in self.of(*FINAL))

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
        if 0 in self.of(*FINAL) and not any(minor > 0 for minor in self.of(*FINAL)):
            return _unknown("nothing to pay", paid=True)
        if not paid and any(voucher.minor in self.payments.totals for voucher in self.payments.vouchers):
            return _unknown("paid with vouchers alone", paid=True)
        if not paid and self.payments.totals:
            return _unknown("nothing says that it is paid")
        if not self._labelled((*FINAL, Role.DUE, Role.SUM)):
            return self._before_tip(paid) or self._without_label(paid)
        if any(self.of(Role.CHANGE)):
            return self._by_change()
        if self.payments.charged() and not self._balanced_once():
            return self._by_cash()
        for roles in ((Role.PAID, Role.ROUNDED, Role.NET), (Role.DUE, Role.SUM)):
            values = self._labelled(roles)
            if values:
                return self._by_label(values, paid)
        return _unknown("totals disagree", paid=True)

    def _by_label(self, values: set[int], paid: str) -> Decision:
        if len(values) > 1:
            values = self._last_of_chain(values)
        named = values
        if len(values) > 1:
            values = {value for value in values if self.sums.balances(value)}
        if len(values) != 1:
            return _unknown("totals disagree", paid=True)
        value = values.pop()
        if self._is_followed(value, named):
            return _unknown("totals disagree", paid=True)
        later = {total for total in self.sums.successors(value) if not self.sums.successors(total)}
        if len(later) > 1:
            return _unknown("totals disagree", paid=True)
        if later:
            total = later.pop()
            words = f"{self.text(value)} becomes {self.text(total)} by what is printed between"
            return self._earning(total, Confidence.MEDIUM, f"{words}; {paid}")
        return self._unnamed_last(value, paid) or self._by_its_label(value, paid)

    def _is_followed(self, value: int, named: set[int]) -> bool:
        """A larger total with a like label stands behind it: what lies between wasn't read."""
        finals = [e for e in self.paper.entries if e.role in FINAL and e.firm and e.minor in named]
        last = max((e.place for e in finals if e.minor == value), default=-1)
        return any(e.minor > value and e.place > last >= 0 for e in finals)

    def _unnamed_last(self, value: int, paid: str) -> Decision | None:
        """What is printed behind the total makes it another one, whose label no word explains."""
        later = self.sums.unnamed_successors(value)
        if len(later) > 1:
            return _unknown("totals disagree", paid=bool(paid))
        if not later:
            return None
        total = later.pop()
        words = f"{self.text(value)} becomes {self.text(total)} by what is printed between"
        return self._earning(total, Confidence.MEDIUM, f"{words}; {paid}")

    def _by_its_label(self, value: int, paid: str) -> Decision:
        reason = self.sums.reason(value)
        doubt = doubted(value, self.paper, self.sums, is_borne_out=bool(reason))
        if doubt:
            return _unknown(f"{self.text(value)} by its label, but {doubt}", paid=bool(paid))
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
        charged = {entry.minor for entry in self.payments.money if entry.firm}
        given = self._given_and_back()
        if given is not None:
            return given
        if any(self.of(Role.CHANGE)) or len(charged) > 1:
            return _unknown("no total found", paid=bool(paid))
        only = weak or (charged if any(alone.label.role is Role.NET for alone in self.paper.alone) else set())
        if self._printed_proof() and len(only) == 1 and self._all_money() == only:
            return self._earning(only.pop(), Confidence.MEDIUM, f"the only amount on the paper; {paid}")
        confirmed = (weak | charged) & self.sums.tax_totals
        confirmed |= {value for value in charged | weak if self.sums.listed_reach(value, least=2)} if charged else set()
        if charged:
            confirmed &= charged
        elif not weak:  # nothing but the table and the same amount elsewhere
            confirmed = {e.minor for e in (*self.paper.items, *self.paper.bare) if e.minor in self.sums.tax_totals}
        named = {minor for minor in self.of(*FINAL, Role.DUE, Role.SUM) if minor > 0}
        if len(confirmed) == 1 and paid and (not named or confirmed <= named):
            value = confirmed.pop()
            return self._earning(value, Confidence.MEDIUM, f"{self.sums.reason(value)}; {paid}")
        subtotals = self._last_of_chain(self._labelled((Role.SUBTOTAL,)))
        if len(subtotals) == 1 and not charged and paid:
            last = self._unnamed_last(subtotals.pop(), paid)
            if last is not None:
                return last
        if self.payments.totals:
            return _unknown("totals disagree", paid=bool(paid))
        return _unknown("no total found", paid=bool(paid))

    def _given_and_back(self) -> Decision | None:
        """Cash and change without a total that can be read: their difference, if taxes or items bear it out."""
        given = {e.minor for e in self.payments.money if e.firm} | {minor for minor in self.of(Role.TENDERED) if minor}
        changes = {abs(minor) for minor in self.of(Role.CHANGE)}
        if len(given) != 1 or len(changes) != 1 or self.payments.vouchers:
            return None
        paid, change = given.pop(), changes.pop()
        value = paid - change
        named = {minor for minor in self.of(*FINAL, Role.DUE, Role.SUM) if minor > 0}
        if value <= 0 or (named and value not in named):
            return None
        reason = self.sums.reason(value)
        if not reason:
            return None
        words = f"tendered {self.text(paid)} - change {self.text(change)} = {self.text(value)}; {reason}"
        return self._earning(value, Confidence.MEDIUM, words)

    def _all_money(self) -> set[int]:
        """All amounts that are shaped as money, whatever they mean."""
        entries = (*self.paper.entries, *self.paper.items, *self.paper.bare)
        return {entry.minor for entry in entries if entry.minor and (entry.firm or entry.role is Role.WEAK)}

    def _by_change(self) -> Decision:
        """Change is printed, and what was handed over is not: total and change together may be a note's value."""
        values = self._last_of_chain(self._labelled(FINAL))
        if not values & self._labelled((Role.NET, Role.ROUNDED)):
            values = {value for value in values if value % NOTE}  # a round sum that was paid is what was handed over
        changes = {abs(minor) for minor in self.of(Role.CHANGE) if minor}
        if len(values) == 1 and len(changes) == 1 and not self.payments.charged() and not self.of(Role.TENDERED):
            value, change = values.pop(), changes.pop()
            given = value + change
            if given % NOTE == 0:
                words = f"{self.text(value)} + change {self.text(change)} = {self.text(given)}, a round sum"
                return self._earning(value, Confidence.MEDIUM, f"by its label; {words}")
            reason = self.sums.reason(value)
            if reason and not self.payments.vouchers:
                return self._earning(value, Confidence.MEDIUM, f"by its label; {reason}; change is printed")
        return _unknown("the payment matches no total", paid=True)

    def _by_cash(self) -> Decision:
        """More cash than the total, in notes, and no change printed: the total counts if sums bear it out."""
        values = self._last_of_chain(self._labelled(FINAL))
        given = {entry.minor for entry in self.payments.money} | {minor for minor in self.of(Role.TENDERED) if minor}
        if len(values) == 1 and len(given) == 1 and all(e.tender is TenderKind.CASH for e in self.payments.ways):
            value, cash = values.pop(), given.pop()
            reason = self.sums.reason(value)
            if cash > value and cash % NOTE == 0 and reason:
                words = f"by its label; {reason}; {self.text(cash)} was handed over"
                return self._earning(value, Confidence.MEDIUM, words)
        return _unknown("the payment matches no total", paid=True)

    def _balanced_once(self) -> bool:
        return sum(self.sums.balances(value) for value in self._labelled(FINAL)) == 1

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
        if self.payments.money or self.paper.mentioned or given or self.of(Role.CHANGE):
            return "it names how it was paid"
        return ""
