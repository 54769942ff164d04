"""Whom to believe about money when a customer's own text stands on the paper.

Owns: `decide_by_witness`, which chooses the lines that totals.py may see. Never: arithmetic of its own.

A remark can hold anything, ruled lines that seem to end it included, and a customer knows what the order costs. So
where one was written (zones.py says where), no line is believed because of where it *seems* to stand:

    remark behind the totals      only what stands before the remark counts
    remark before the items       only what stands behind the last item counts; a forged total can't get there
    remark between the two        the total must be the only one, or be tied to the items before the remark; and what
                                  says that it was paid must stand behind the total, or before the remark

Without a remark, an item may still be named `合计 9999`: a total among the items that differs from the one behind them
is a rival. In doubt nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgebox.model import Confidence
from edgebox.receipt.entries import Entry
from edgebox.receipt.lexicon import Role
from edgebox.receipt.totals import Decision, Paper, Rules, decide

_TOTALS = (Role.NET, Role.ROUNDED, Role.PAID, Role.SUM, Role.DUE, Role.SUBTOTAL)
_LABELS = (Role.NET, Role.ROUNDED, Role.SUM, Role.DUE)
_PAYMENTS = (Role.PAID, Role.TENDERED, Role.CHANGE)


class Witness(NamedTuple):
    """Where things stand that `Paper` doesn't place. `remark`: -1 without one."""

    remark: int
    items: Sequence[Entry]
    mentioned_at: Sequence[int]
    paid_at: Sequence[int]


def decide_by_witness(paper: Paper, witness: Witness, rules: Rules) -> Decision:
    """The amount that was paid, by lines that no customer can have written."""
    remark = witness.remark
    totals = [entry.place for entry in paper.entries if entry.role in _TOTALS]
    if not totals:
        return decide(paper, rules)
    last_item = _last_item(paper, witness, totals[-1])
    if remark < 0:
        return _unrivalled(paper, witness, rules, last_item)
    if totals[0] < remark:
        clean = decide(_part(paper, witness, remark), rules)
        if clean.minor is not None or last_item < remark or any(item.place < remark for item in witness.items):
            return clean
    begin = max(last_item, remark)
    part = _part(paper, witness, remark, begin)
    decision = decide(part, rules)
    if decision.minor is None or last_item > remark:
        return decision
    return _between(decision, part, witness, rules)


def _last_item(paper: Paper, witness: Witness, last_total: int) -> int:
    places = [entry.place for entry in (*witness.items, *paper.bare) if entry.place < last_total]
    return max(places, default=-1)


def _part(paper: Paper, witness: Witness, remark: int, begin: int | None = None) -> Paper:
    """What stands before the remark and, of `begin`, behind that line; then only payments of what is before it."""

    def stays(entry: Entry) -> bool:
        if begin is None:
            return entry.place < remark
        return entry.place > begin or (entry.place < remark and entry.role is Role.TENDER)

    def counts(place: int) -> bool:
        return place < remark or (begin is not None and place > begin)

    mentioned = [way for way, place in zip(paper.mentioned, witness.mentioned_at, strict=True) if counts(place)]
    return paper._replace(
        entries=[entry for entry in paper.entries if stays(entry)],
        bare=[entry for entry in paper.bare if stays(entry)],
        mentioned=mentioned,
        says_paid=any(map(counts, witness.paid_at)),
        items=[entry for entry in paper.items if stays(entry)],
        alone=[label for label in paper.alone if counts(label.place)],
        tax_totals=frozenset(),
    )


def _unrivalled(paper: Paper, witness: Witness, rules: Rules, last_item: int) -> Decision:
    """All of a paper without remarks, unless a total behind the items says otherwise."""
    decision = decide(paper, rules)
    if decision.minor is None or last_item < 0:
        return decision
    last = max((e.place for e in paper.entries if e.minor == decision.minor and e.role in _TOTALS), default=last_item)
    if last >= last_item:
        return decision
    behind = decide(_part(paper, witness, 0, last_item), rules)
    if behind.minor in (None, decision.minor):
        return decision
    return Decision(None, Confidence.LOW, ("a total among the items differs from the one behind them",), decision.paid)


def _between(decision: Decision, part: Paper, witness: Witness, rules: Rules) -> Decision:
    """A remark stands right before the totals: its lines may be among them."""
    value = decision.minor
    totals = {entry.minor for entry in part.entries if entry.role in (*_LABELS, Role.PAID) and entry.minor > 0}
    items = sum(item.minor for item in witness.items if item.place < witness.remark)
    if len(totals) > 1 and value != items:
        return Decision(None, Confidence.LOW, ("a remark may be among the totals",), decision.paid)
    label = max((e.place for e in part.entries if e.minor == value and e.role in _LABELS), default=witness.remark)
    told = [e.place for e in part.entries if e.tender is not None or e.role in _PAYMENTS]
    told += [*witness.mentioned_at, *witness.paid_at]
    if rules.prints_after_payment or any(place >= label or place < witness.remark for place in told):
        return decision
    return Decision(None, Confidence.LOW, ("only a remark may say that it is paid",))
