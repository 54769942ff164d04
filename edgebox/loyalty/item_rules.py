"""Items that earn nothing, or more or less than the rest.

Owns: which rule an item's name falls under, and what the items do to the amount that earns. Never: points.

Without items read off the receipt nothing changes. Names are compared in the receipt reader's own form (lower case,
full-width letters as plain ones, no accents). Where several rules name one item, exclusion wins, else the highest
percentage: their order doesn't matter.

Discounts of the whole receipt are not shared out by the till, so the box must: an excluded item counts with its full
price, and what others earn more or less is scaled down to what was paid. Both err on the side of fewer points, which
"at least" allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from edgebox.loyalty.campaigns import PLAIN_PCT
from edgebox.model import Item
from edgebox.receipt.words import normalise


class ItemRule(NamedTuple):
    """`match`: shell patterns (`*香烟*`), normalised. `multiply_pct` 0: what they name earns nothing."""

    match: tuple[str, ...]
    multiply_pct: int = 0


class Weighed(NamedTuple):
    """The amount that earns, in hundredths of a minor unit; `excluded_minor` of the receipt was left out."""

    weight: int
    excluded_minor: int = 0
    weighted: bool = False  # some items earn at a rate of their own


def pct_of(item: Item, rules: Iterable[ItemRule]) -> int:
    """At what percentage of the usual rate the item earns."""
    name = normalise(item.name)
    found = [rule.multiply_pct for rule in rules if any(fnmatchcase(name, pattern) for pattern in rule.match)]
    return 0 if 0 in found else max(found, default=PLAIN_PCT)


def weigh(amount_minor: int, items: Sequence[Item], rules: Sequence[ItemRule]) -> Weighed:
    """What of `amount_minor` (≥ 0) earns, given the items. A line with a negative amount is a discount: no rule's."""
    rates = [(item.amount_minor, pct_of(item, rules)) for item in items if item.amount_minor > 0] if rules else []
    excluded = min(amount_minor, sum(amount for amount, pct in rates if pct == 0))
    kept = [(amount, pct) for amount, pct in rates if pct]
    rest, listed = amount_minor - excluded, sum(amount for amount, _ in kept)
    extra = sum(amount * (pct - PLAIN_PCT) for amount, pct in kept)
    if listed > rest:
        extra = extra * rest // listed
    return Weighed(rest * PLAIN_PCT + extra, excluded, any(pct != PLAIN_PCT for _, pct in kept))


def line_weights(amount_minor: int, items: Sequence[Item], rules: Sequence[ItemRule]) -> list[int] | None:
    """Each item's part of the weight, for rounding line by line; None: the items don't add up to what was paid."""
    if not items or sum(item.amount_minor for item in items) != amount_minor:
        return None
    if any(item.amount_minor < 0 for item in items):
        return None  # a discount belongs to no line that the box could name
    return [item.amount_minor * pct_of(item, rules) for item in items]
