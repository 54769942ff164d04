"""Each line of a paper with what the reader took it for, for a person.

Owns: `Explained` and `explained`. Never: decides; it only tells what was decided. Text is redacted.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from edgebox.receipt.details import Kept
from edgebox.receipt.entries import Entry
from edgebox.receipt.lexicon import Role
from edgebox.receipt.redact import Shown
from edgebox.receipt.zones import Trust, is_rule

_BEST = (Role.NET, Role.ROUNDED, Role.PAID, Role.DUE, Role.SUM, Role.SUBTOTAL)  # which of equal totals is marked
_TENDERS = (Role.TENDERED, Role.CHANGE, Role.TENDER)


class Zone(StrEnum):
    """Where on the paper."""

    HEADER = "header"
    ITEMS = "items"
    TOTALS = "totals"
    TENDERS = "tenders"
    FOOTER = "footer"
    CUSTOMER = "customer"  # written by or about one: not believed
    DOUBTED = "doubted"  # stands behind a customer's text: only discounts and fees are believed


class Explained(NamedTuple):
    """One line. `roles`: of its amounts; `chosen`: it holds the total that was decided on."""

    text: str
    zone: Zone
    roles: tuple[str, ...] = ()
    chosen: bool = False


def explained(
    kept: Sequence[Kept],
    shown: Sequence[Shown],
    entries: Sequence[Entry],
    item_lines: Sequence[int],
    amount_minor: int | None,
) -> tuple[Explained, ...]:
    """All lines in order. `entries` with the numbers of their lines; `item_lines`: those of the items."""
    roles: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry.role is not Role.IGNORE:
            roles.setdefault(entry.place, []).append(entry)
    item_places = set(item_lines)
    chosen = _chosen(entries, amount_minor)
    last_item = max((place for place in item_places if place < min(roles, default=len(kept))), default=-1)
    first_item = min(item_places, default=len(kept))
    last_amount = max(roles, default=-1)
    out: list[Explained] = []
    for place, (line, seen) in enumerate(zip(kept, shown, strict=True)):
        found = roles.get(place, ())
        zone = _zone(line, found)
        if zone is None:
            if place in item_places and place <= last_item:
                zone = Zone.ITEMS
            elif place < min(first_item, *roles, len(kept)):
                zone = Zone.HEADER
            elif place > last_amount:
                zone = Zone.FOOTER
            else:
                zone = out[-1].zone if out and out[-1].zone in (Zone.ITEMS, Zone.TOTALS, Zone.TENDERS) else Zone.ITEMS
        words = tuple(entry.tender.value if entry.tender else entry.role.value for entry in found)
        out.append(Explained(seen.text, zone, words, place == chosen))
    return tuple(out)


def _zone(line: Kept, found: Sequence[Entry]) -> Zone | None:
    """What a line alone says; None: it depends on its neighbours."""
    if line.trust is Trust.NONE:
        return Zone.CUSTOMER
    if line.trust is Trust.PARTS and not found:
        return Zone.DOUBTED
    if found and not is_rule(line.text):
        tenders = all(entry.tender is not None or entry.role in _TENDERS for entry in found)
        return Zone.TENDERS if tenders else Zone.TOTALS
    return None


def _chosen(entries: Sequence[Entry], amount_minor: int | None) -> int:
    """The line of the total that was decided on; -1: it is printed on none."""
    for role in _BEST:
        for entry in entries:
            if entry.role is role and entry.minor == amount_minor:
                return entry.place
    return next((entry.place for entry in entries if entry.minor == amount_minor), -1)
