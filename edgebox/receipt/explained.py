"""Each line of a paper with what the reader took it for, for a person.

Owns: `Explained` and `explained`. Never: decides; it only tells what was decided. Text is redacted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from edgebox.model import Item, Receipt
from edgebox.receipt.dates import find_date, find_time
from edgebox.receipt.details import DetailCollector, Kept
from edgebox.receipt.entries import Entry, EntryCollector
from edgebox.receipt.items import SoldItem
from edgebox.receipt.lexicon import Key, Role
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
    PERSON = "person"  # about a cashier, waiter or member: not believed
    DOUBTED = "doubted"  # stands behind a customer's text: only discounts and fees are believed


class Explained(NamedTuple):
    """One line. `roles`: of its amounts; `fields`: names of what was read from it; `item`: sold with this line;
    `chosen`: it holds the total that was decided on."""

    text: str
    zone: Zone
    roles: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    item: Item | None = None
    chosen: bool = False


def explained(
    details: DetailCollector, found: EntryCollector, receipt: Receipt, amount_minor: int | None
) -> tuple[Explained, ...]:
    """All lines in order. `receipt`: the answer; `amount_minor`: what was decided on at last."""
    roles: dict[int, list[Entry]] = {}
    first_total = min((entry.place for entry in found.entries if entry.role in _BEST), default=-1)
    for entry in found.entries:
        item_like = entry.role is Role.TAX and not entry.firm and entry.place < first_total  # `10  2.50  25.00`
        if entry.role is not Role.IGNORE and not item_like:
            roles.setdefault(entry.place, []).append(entry)
    sold = {one.place: one for one in details.sold()}
    zones = _zones(details.lines, roles, tuple(sold.values()))
    chosen = chosen_line(found, amount_minor)
    fields = _fields(details.lines, receipt, details.date_order)
    out: list[Explained] = []
    for place, seen in enumerate(details.redacted()):
        words = tuple(entry.tender.value if entry.tender else entry.role.value for entry in roles.get(place, ()))
        item = sold[place].item if place in sold and zones[place] is Zone.ITEMS else None
        named = tuple(fields.get(place, ()))
        out.append(Explained(seen.text, zones[place], words, named, item, place == chosen))
    return tuple(out)


def _zones(lines: Sequence[Kept], roles: Mapping[int, Sequence[Entry]], sold: Sequence[SoldItem]) -> list[Zone]:
    """The zone of each line: by itself where it says, else by what stands around it."""
    places = {place for one in sold for place in (one.place, one.named_at)}
    first_role, last_role = min(roles, default=len(lines)), max(roles, default=-1)
    last_item = max((place for place in places if place < first_role), default=-1)
    first = min(min(places, default=len(lines)), first_role)
    out: list[Zone] = []
    for place, line in enumerate(lines):
        zone = _zone(line, roles.get(place, ()))
        if zone is None:
            if place in places and place <= last_item:
                zone = Zone.ITEMS
            elif place < first:
                zone = Zone.HEADER
            elif place > last_role:
                zone = Zone.FOOTER
            else:
                zone = out[-1] if out and out[-1] in (Zone.ITEMS, Zone.TOTALS, Zone.TENDERS) else Zone.ITEMS
        out.append(zone)
    return out


def _zone(line: Kept, found: Sequence[Entry]) -> Zone | None:
    """What a line alone says; None: it depends on its neighbours."""
    if line.trust is Trust.NONE:
        return Zone.PERSON if line.key is Key.PERSON else Zone.CUSTOMER
    if line.trust is Trust.PARTS and not found:
        return Zone.DOUBTED
    if found and not is_rule(line.text):
        tenders = all(entry.tender is not None or entry.role in _TENDERS for entry in found)
        return Zone.TENDERS if tenders else Zone.TOTALS
    return None


def chosen_line(found: EntryCollector, amount_minor: int | None) -> int:
    """The line of the total that was decided on; -1: it is printed on none."""
    if amount_minor is None:
        return -1
    for role in _BEST:
        for entry in found.entries:
            if entry.role is role and entry.minor == amount_minor:
                return entry.place
    others = (*found.entries, *found.items, *found.bare)
    return max((entry.place for entry in others if entry.minor == amount_minor), default=-1)


def _fields(lines: Sequence[Kept], receipt: Receipt, order: str) -> dict[int, list[str]]:
    """Names of the fields that were read, by line; each stands where it is printed first. A date stands with its time
    where one line has both."""
    date, time = receipt.printed_date, receipt.printed_time
    dated = [place for place, line in enumerate(lines) if date and find_date(line.text, order) == date]
    timed = [place for place, line in enumerate(lines) if time and find_time(line.text) == time]
    both = [place for place in dated if place in set(timed)]
    found = {"date": both or dated, "time": both or timed}
    listed = {"number": receipt.number, "till": receipt.till}
    listed |= {"cashier": receipt.details.cashier, "table": receipt.details.table}
    for name, value in listed.items():
        wanted = value.casefold()
        found[name] = [place for place, line in enumerate(lines) if value and _holds(line, wanted)]
    out: dict[int, list[str]] = {}
    for name, places in found.items():
        if places:
            out.setdefault(places[0], []).append(name)
    return out


def _holds(line: Kept, value: str) -> bool:
    """A code stands behind a key, by itself."""
    before, found, after = line.text.replace(" ", "").partition(value)
    if not found or (line.trust is Trust.NONE and line.key is not Key.PERSON):
        return False
    return (line.key is not None or ":" in before) and not before[-1:].isdigit() and not after[:1].isdigit()
