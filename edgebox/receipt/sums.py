"""Which amounts of a paper bear each other out: the equations without a payment in them.

Owns: `Sums`: whether a value follows from others that are printed, and which of two totals follows from the other.
Never: payments, labels' rank, or a decision (totals.py).

    gross - discount ± rounding + service + tax = v        whatever the order
    one total + what is printed between = the next         the later one is the one to pay
    the items = v, or become it by discount, service, tax
    base + tax, over the rows of the table of taxes = v
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, product

from edgebox.model import format_minor
from edgebox.receipt.entries import Entry
from edgebox.receipt.lexicon import Role

ADDED = (Role.SERVICE, Role.TIP)
TOTALS = (Role.NET, Role.ROUNDED, Role.PAID, Role.SUM, Role.DUE, Role.SUBTOTAL, Role.WEAK)
_END_ITEMS = (*TOTALS, Role.TENDER, Role.TENDERED, Role.CHANGE)
LABELS = (Role.NET, Role.ROUNDED, Role.SUM, Role.DUE)  # of what was due or is
STEPS = (Role.DISCOUNT, Role.ROUNDING, Role.TAX, Role.SERVICE, Role.TIP, Role.ITEM)
_NAMED_STEPS = (Role.DISCOUNT, Role.ROUNDING, Role.TAX, Role.SERVICE)
COMBINATIONS_MAX = 4096  # tried for one value: bounds the work on hostile paper
VALUES_MAX = 32  # of each kind that an equation looks at
_BETWEEN_MAX = 12  # totals behind a total, and half the amounts between, that are looked at for what follows from it
_LINKS_MAX = 400  # pairs of totals that are looked at


class Sums:
    """One document's amounts. `totals`: the values printed as some total."""

    def __init__(
        self,
        entries: Sequence[Entry],
        items: Sequence[Entry],
        bare: Sequence[Entry],
        totals: Iterable[int],
        tax_totals: Iterable[int],
        decimals: int,
    ) -> None:
        self._entries = entries
        self._totals = frozenset(totals)
        self._decimals = decimals
        self.tax_totals = frozenset(tax_totals)
        self._by_role: dict[Role, list[int]] = {}
        for entry in entries:
            self._by_role.setdefault(entry.role, []).append(entry.minor)
        first_total = min((e.place for e in entries if e.role in _END_ITEMS), default=0)
        self._listed = [e for e in items if e.firm and e.place < first_total]
        self._loose = [e for e in bare if e.firm and e.place < first_total]
        self._order = sorted((*entries, *items, *bare), key=lambda entry: entry.place)
        self._links: dict[int, set[int]] | None = None
        self._step_sums: frozenset[int] | None = None

    def of(self, *roles: Role) -> list[int]:
        """The amounts with these meanings, as printed."""
        return [minor for role in roles for minor in self._by_role.get(role, ())]

    def text(self, minor: int) -> str:
        return format_minor(minor, self._decimals)

    def is_printed(self, value: int) -> bool:
        """Some total is that much."""
        return value in self._totals

    def lists(self, value: int) -> bool:
        """The items add up to just that."""
        return value > 0 and sum(entry.minor for entry in self._listed) == value

    # -- what bears a value out

    def reason(self, value: int) -> str:
        """What besides a payment says that `value` was due, in words; "" nothing."""
        if value in self.tax_totals:
            return f"the table of taxes adds up to {self.text(value)}"
        gross = self._gross_of(value)
        if gross:
            return f"{self.text(gross)} becomes {self.text(value)} by what is printed between"
        if self.listed_reach(value):
            return f"the items add up to {self.text(value)}"
        return ""

    def balances(self, value: int) -> bool:
        """Some other printed gross amount becomes `value` by the printed discounts, rounding, service and tax."""
        return self._gross_of(value) != 0

    def becomes(self, gross: int, value: int) -> bool:
        """`gross` becomes `value` by the printed discounts, rounding, service and tax."""
        return value != gross and value - gross in self._steps()

    def _gross_of(self, value: int) -> int:
        grosses = sorted(minor for minor in self._totals if minor != value)[:VALUES_MAX]
        if not grosses:
            return 0
        wanted = frozenset(value - gross for gross in grosses)
        hits = wanted & self._steps()
        return value - min(hits, key=abs) if hits else 0

    def _steps(self) -> frozenset[int]:
        """What the printed discounts, rounding, service and tax may add up to, each kind once, summed or left out."""
        if self._step_sums is not None:
            return self._step_sums
        discounts, added, taxes = self.of(Role.DISCOUNT), self.of(*ADDED), self.of(Role.TAX)
        roundings = self.of(Role.ROUNDING)
        off = [abs(minor) for minor in discounts]
        parts = (
            sorted({0, -sum(off), *(-minor for minor in off)})[-16:],
            sorted({0, *roundings, *(-minor for minor in roundings)})[:8],
            sorted({0, sum(added), sum(set(added)), *added})[:8],
            sorted({0, sum(taxes), sum(set(taxes)), *taxes})[:8],
        )
        self._step_sums = frozenset(sum(steps) for steps in islice(product(*parts), COMBINATIONS_MAX))
        return self._step_sums

    def listed_reach(self, value: int, least: int = 1) -> bool:
        """The items, at least so many of them, add up to `value`, or to what becomes it."""
        return any(
            len(listed) >= least and self._reaches(listed, value)
            for listed in (self._listed, [*self._listed, *self._loose])
        )

    def unnamed_reason(self, value: int) -> str:
        """What bears out an amount whose label no word explains: it may stand among the items itself."""
        if value in self.tax_totals or self._gross_of(value):
            return self.reason(value)
        above = next((n for n, entry in enumerate(self._listed) if n and entry.minor == value), 0)
        if self._reaches(self._listed[:above], value) or (self._reaches(self._listed, value) and self._loose):
            return f"the items add up to {self.text(value)}"
        return ""

    def _reaches(self, listed: Sequence[Entry], value: int) -> bool:
        total = sum(entry.minor for entry in listed)
        return total > 0 and value - total in self._steps()

    # -- which total follows from which

    def successors(self, value: int) -> set[int]:
        """Totals printed later that `value` becomes by all that is printed between."""
        if self._links is None:
            self._links = self._find_links()
        return self._links.get(value, set())

    def tipped(self, value: int) -> int | None:
        """The total that `value` becomes by a tip or service that is printed behind it."""
        extras = set(self.of(*ADDED)) - {0}
        return next((total for total in sorted(self.successors(value)) if total - value in extras), None)

    def unnamed_successors(self, value: int) -> set[int]:
        """Amounts whose label no word explains, behind the last total, that `value` becomes by fees, taxes or rounding.

        Tips make none: a table of what a customer may give adds them up as well.
        """
        out: set[int] = set()
        at = max((n for n, e in enumerate(self._order) if e.minor == value and e.role in TOTALS), default=-1)
        behind = self._order[at + 1 :] if at >= 0 else []
        for n, entry in enumerate(behind[: 2 * _BETWEEN_MAX]):
            if entry.role in TOTALS and entry.minor > 0:
                break
            steps = [e for e in behind[:n] if e.role in _NAMED_STEPS]
            if entry.role is Role.ITEM and entry.firm and steps and entry.minor - value in _changes(steps) - {0}:
                out.add(entry.minor)
        return out

    def _find_links(self) -> dict[int, set[int]]:
        links: dict[int, set[int]] = {}
        places = [n for n, entry in enumerate(self._order) if entry.role in TOTALS and entry.minor > 0]
        pairs = ((a, b) for n, a in enumerate(places) for b in places[n + 1 : n + 1 + _BETWEEN_MAX])
        for a, b in islice(pairs, _LINKS_MAX):
            if b - a > 2 * _BETWEEN_MAX:
                continue
            first, last = self._order[a], self._order[b]
            changes = _changes(self._order[a + 1 : b])
            step = last.minor - first.minor
            if step and (step in changes or self._is_rounded_off(last, step, changes)):
                links.setdefault(first.minor, set()).add(last.minor)
        return links

    def _is_rounded_off(self, last: Entry, step: int, changes: set[int]) -> bool:
        """The later total is a whole unit and the steps lead to it but for less than half of one."""
        unit = 10**self._decimals
        return self._decimals > 0 and last.minor % unit == 0 and any(2 * abs(step - one) <= unit for one in changes)


def _changes(between: Sequence[Entry]) -> set[int]:
    """What entries that stand between two totals may change the first by: all of them, or all that have a name.

    A tax of one kind may be printed again as the sum of all taxes, so equal ones also count once.
    """
    out: set[int] = set()
    for named in (False, True):
        steps = [e for e in between if e.role in STEPS and not (named and e.role is Role.ITEM)]
        once = list({(e.role, e.minor): e for e in steps}.values())
        for group in (steps, once) if steps else ():
            for sign in (1, -1):
                out.add(sum(_signed(e, sign) for e in group))
    return out


def _signed(entry: Entry, sign: int) -> int:
    if entry.role is Role.DISCOUNT:
        return -abs(entry.minor)
    return entry.minor * sign if entry.role is Role.ROUNDING else entry.minor
