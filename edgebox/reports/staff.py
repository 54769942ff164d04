"""What looks odd at one cashier beside the others: reprints, voids, refunds, slips printed again, coupons, reversals.

Owns: `Signal` and `signals`. Pure. Never: accuses: a signal is a count that chance explains badly, with all numbers
that it is made of, for a person who knows the shop.

For each cashier and measure the rate of all others together is what is expected. Odd is what would come about by chance
in fewer than one of ODDS cases (Poisson: events are rare and independent), is at least TWICE what is expected, and has
at least LEAST events behind it. A cashier with fewer than SALES receipts is not judged, nor is anybody where the others
together have fewer: a quiet week makes no suspects. With 20 cashiers and 6 measures chance alone gives about one signal
in eight looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import exp
from typing import NamedTuple

MEASURES = ("reprints", "voids", "refunds", "repeated", "redemptions", "reversals")
SALES = 100  # receipts of a week's part-time work
LEAST = 5  # events
TWICE = 2.0
ODDS = 1000


class Signal(NamedTuple):
    """`events` at `receipts` receipts; the others have `others_count` at `others_receipts`, so that `expected`
    were to be expected. `one_in`: how often chance does that: once in so many (at most a million)."""

    cashier: str
    measure: str
    events: int
    receipts: int
    expected: float
    others_count: int
    others_receipts: int
    one_in: int


def signals(counts: Mapping[str, Mapping[str, int]]) -> tuple[Signal, ...]:
    """`counts`: for each cashier `receipts` and the MEASURES. The oddest first."""
    found = [signal for name in counts if name for signal in _of(name, counts)]
    return tuple(sorted(found, key=lambda one: (-one.one_in, one.cashier, one.measure)))


def _of(name: str, counts: Mapping[str, Mapping[str, int]]) -> Iterator[Signal]:
    own = counts[name]
    others = [found for other, found in counts.items() if other != name]
    receipts, base = own.get("receipts", 0), sum(found.get("receipts", 0) for found in others)
    if receipts < SALES or base < SALES:
        return
    for measure in MEASURES:
        count, rest = own.get(measure, 0), sum(found.get(measure, 0) for found in others)
        expected = receipts * (rest + 1) / base  # one more: that the others had none proves no rate of none
        if count < LEAST or count < TWICE * expected:
            continue
        chance = tail(count, expected)
        if chance * ODDS < 1:
            one_in = min(round(1 / chance), 1_000_000) if chance > 0 else 1_000_000
            yield Signal(name, measure, count, receipts, round(expected, 1), rest, base, one_in)


def tail(count: int, expected: float) -> float:
    """How likely `count` or more events are where `expected` are to be expected (Poisson)."""
    if expected > 700:  # exp would underflow; what is expected so often is never so far off by chance
        return 0.0 if count > expected + 10 * expected**0.5 else 1.0
    term = exp(-expected)
    below = 0.0
    for number in range(count):
        below += term
        term *= expected / (number + 1)
    return max(0.0, 1.0 - below)
