"""Which amount was paid: equations first, labels second, and nothing when in doubt.

Owns: `decide` and its reasons in words. Never: text. A wrong total is far worse than none, so rivals that no equation
settles, a payment that matches no printed total, zero and less all end in "not known".

The equations, in the order of what they prove:

    tendered − change = v         v printed as a total: cash was counted out on it
    Σ tenders = v                 the cards and apps were charged with it
    gross − discount ± rounding + service + tax = v
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from edgebox.model import Confidence, TenderKind, format_minor
from edgebox.receipt.entries import Entry
from edgebox.receipt.lexicon import Role

CASH_ROUNDING_MAX = 100  # minor units that cash rounding, or dropping the odd cents, may move a total
_VOUCHERS = (TenderKind.VOUCHER, TenderKind.POINTS)
_TOTALS = (Role.NET, Role.ROUNDED, Role.PAID, Role.SUM, Role.DUE, Role.SUBTOTAL)
_FINAL = (Role.NET, Role.ROUNDED, Role.PAID)
_ADDED = (Role.SERVICE, Role.TIP)
_COMBINATIONS_MAX = 4096  # of the third equation: bounds the work on hostile paper


class Rules(NamedTuple):
    """The shop's configuration as far as totals go."""

    decimals: int = 2
    round_to_cash: bool = True
    less_service: bool = False
    prints_after_payment: bool = False


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


def decide(paper: Paper, rules: Rules) -> Decision:
    """The amount that was paid."""
    if paper.says_unpaid:
        return _unknown("says that it is not paid")
    work = _Work(paper, rules)
    proven = work.payments()
    if proven:
        return work.choose(proven)
    return work.by_labels()


def is_negative(entries: Sequence[Entry]) -> bool:
    """Every total that is printed is below zero: money went back."""
    totals = [entry.minor for entry in entries if entry.role in _TOTALS and entry.minor]
    return bool(totals) and max(totals) < 0


def _unknown(reason: str, *, paid: bool = False) -> Decision:
    return Decision(None, Confidence.LOW, (reason,), paid)


class _Work:
    """One document's arithmetic."""

    def __init__(self, paper: Paper, rules: Rules) -> None:
        self.paper = paper
        self.rules = rules
        by_role: dict[Role, list[int]] = {}
        for entry in paper.entries:
            by_role.setdefault(entry.role, []).append(entry.minor)
        self.by_role = by_role
        self.totals = {e.minor for e in paper.entries if e.role in _TOTALS and e.minor > 0}
        self.totals |= {minor for minor in by_role.get(Role.ROUNDING, ()) if minor > CASH_ROUNDING_MAX}
        ways = [e for e in paper.entries if e.tender is not None and e.role in (Role.TENDER, Role.TENDERED, Role.PAID)]
        self.money = [e._replace(minor=abs(e.minor)) for e in ways if e.tender not in _VOUCHERS and e.minor]
        self.vouchers = [e for e in ways if e.tender in _VOUCHERS and e.minor > 0]

    def of(self, *roles: Role) -> list[int]:
        return [minor for role in roles for minor in self.by_role.get(role, ())]

    def text(self, minor: int) -> str:
        return format_minor(minor, self.rules.decimals)

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
        # Where the cash line is what stayed in the drawer, or the change is part of what was given, it is netted already.
        netted = {paid - change for change, paid in product(changes, given)}
        for change, paid in product(sorted(changes) or [0], self._sums()):
            if change and paid in self.totals and (paid in netted or netted & {entry.minor for entry in self.money}):
                change = 0
            if paid - change in targets:
                words = f"all tenders {self.text(paid)} - change {self.text(change)} = {self.text(paid - change)}"
                proven[paid - change] = (4, words)
        if not changes or 0 in changes:
            for value in self._charged():
                if value in targets and not self._leaves_tenders(value, value):
                    proven.setdefault(value, (2, f"paid with tenders {self.text(value)} = total {self.text(value)}"))
        self._less_vouchers(proven)
        return proven

    def _rounded_totals(self) -> set[int]:
        """Totals less the rounding that is printed for them; what remains may not be printed itself."""
        roundings = {abs(minor) for minor in self.of(Role.ROUNDING) if 0 < abs(minor) <= CASH_ROUNDING_MAX}
        return {total - rounding for total in self.of(Role.SUM, Role.DUE, Role.NET) for rounding in roundings}

    def _leaves_tenders(self, value: int, paid: int) -> bool:
        """Money was paid in another way as well that this equation doesn't account for."""
        return any(entry.firm and entry.minor not in (value, paid) for entry in self.money)

    def _near_total(self, minor: int) -> bool:
        """An unlabelled amount that can be a total after cash rounding."""
        return minor > 0 and any(0 < abs(minor - total) <= 10 for total in self.of(*_FINAL))

    def _given(self) -> list[int]:
        """What may have been handed over, before change."""
        singles = [*self.of(Role.TENDERED, Role.PAID), *(entry.minor for entry in self.money)]
        return sorted({minor for minor in (*singles, *self._sums()) if minor > 0})

    def _sums(self) -> list[int]:
        """Sums of several tenders; each way once, and each line once (till and terminal may both print it)."""
        ways = {(entry.tender, entry.minor) for entry in self.money}
        return (
            [sum(minor for _, minor in ways), sum(entry.minor for entry in self.money)] if len(self.money) > 1 else []
        )

    def _charged(self) -> list[int]:
        """What was charged to single tenders, or printed as paid beside a total: never an entry to itself."""
        singles = [entry.minor for entry in self.money if entry.firm and entry.role is not Role.PAID]
        others = {minor for role in _TOTALS if role is not Role.PAID for minor in self.of(role)}
        return [*singles, *self.of(Role.TENDERED), *(minor for minor in self.of(Role.PAID) if minor in others)]

    def _less_vouchers(self, proven: dict[int, tuple[int, str]]) -> None:
        """Vouchers count as payment of the total, but only money earns."""
        voucher = sum({(entry.tender, entry.minor): entry.minor for entry in self.vouchers}.values())
        if not voucher or proven:
            return
        for money in self._sums() or [0]:
            if money + voucher in self.totals and money > 0:
                reason = f"total {self.text(money + voucher)} - vouchers {self.text(voucher)} = {self.text(money)}"
                proven[money] = (2, reason)

    def choose(self, proven: dict[int, tuple[int, str]]) -> Decision:
        """The one proven total, or none if several remain."""
        best = max(strength for strength, _ in proven.values())
        values = [value for value, (strength, _) in proven.items() if strength == best]
        for roles in (_FINAL, (Role.DUE, Role.SUM)):
            if len(values) > 1:
                labelled = [value for value in values if value in set(self.of(*roles))]
                values = labelled or values
        if len(values) > 1:
            values = [value for value in values if self.balances(value)] or values
        if len(values) > 1:
            return _unknown("rival totals " + ", ".join(self.text(value) for value in sorted(values)), paid=True)
        return self._earning(values[0], Confidence.HIGH, proven[values[0]][1])

    def _earning(self, value: int, confidence: Confidence, reason: str) -> Decision:
        """The proven total as the shop wants it to count."""
        reasons = [reason]
        if not self.rules.round_to_cash:
            exact = [n for n in self.of(Role.NET) if n != value and 0 < abs(n - value) <= 10]
            if exact:
                reasons.append(f"before cash rounding {self.text(exact[-1])}")
                value = exact[-1]
        if self.rules.less_service:
            service = sum(set(self.of(Role.SERVICE, Role.TIP)))
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
        if not self.totals:
            return _unknown("no total found", paid=bool(paid))
        if not paid:
            return _unknown("nothing says that it is paid")
        if any(self.of(Role.CHANGE)) or (self._charged() and not self._balanced_once()):
            return _unknown("the payment matches no total", paid=True)
        for roles in ((Role.PAID, Role.ROUNDED, Role.NET), (Role.DUE, Role.SUM)):
            values = self._labelled(roles)
            if len(values) > 1:
                values = {value for value in values if self.balances(value)}
            if len(values) == 1:
                return self._earning(values.pop(), Confidence.MEDIUM, f"by its label; {paid}")
            if self._labelled(roles):
                break
        return _unknown("totals disagree", paid=True)

    def _balanced_once(self) -> bool:
        return sum(self.balances(value) for value in self._labelled(_FINAL)) == 1

    def _labelled(self, roles: tuple[Role, ...]) -> set[int]:
        return {e.minor for e in self.paper.entries if e.role in roles and e.firm and e.minor > 0}

    def _proof(self) -> str:
        """What says that it was paid; "" nothing."""
        if self.paper.says_paid:
            return "it says that it is paid"
        if self.of(Role.PAID):
            return "an amount is printed as paid"
        if self.money or self.paper.mentioned or self.of(Role.CHANGE, Role.TENDERED):
            return "it names how it was paid"
        return "this till prints after payment" if self.rules.prints_after_payment else ""

    # -- the third equation

    def balances(self, value: int) -> bool:
        """Some other printed gross amount becomes `value` by the printed discounts, rounding, service and tax."""
        grosses = {minor for minor in self.totals if minor != value}
        discounts = {abs(minor) for minor in self.of(Role.DISCOUNT)}
        parts = (
            sorted(grosses)[:32],
            sorted({0, sum(abs(minor) for minor in self.of(Role.DISCOUNT)), *discounts})[:16],
            sorted({0, *self.of(Role.ROUNDING), *(-minor for minor in self.of(Role.ROUNDING))})[:8],
            sorted({0, sum(self.of(*_ADDED)), sum(set(self.of(*_ADDED))), *self.of(*_ADDED)})[:8],
            sorted({0, sum(self.of(Role.TAX)), sum(set(self.of(Role.TAX))), *self.of(Role.TAX)})[:8],
        )
        for tries, (gross, discount, rounding, service, tax) in enumerate(product(*parts)):
            if gross - discount + rounding + service + tax == value:
                return True
            if tries >= _COMBINATIONS_MAX:
                break
        return False
