"""The rows of one record: its events in the journal, and what the page asks for in the other tables.

Owns: which rows belong together, and what makes a receipt known already. Never: begins or ends a transaction, or asks
whether there is room (writer.py does both).
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from edgebox.store import receipt_papers
from edgebox.store.events import STREAM_OF, ClaimRecord, Event, ReceiptRecord, SightingRecord, Stream
from edgebox.store.journal import Journal, Stamp
from edgebox.store.ledger import enter, enter_receipt, recorded_before
from edgebox.store.places import Place, unpack


class Sealed(NamedTuple):
    """An event and its JSON. `paper`: what stays in this box alone, beside a receipt (receipt_papers.py)."""

    event: Event
    body: bytes
    paper: bytes = b""


def enter_record(
    journal: Journal, connection: sqlite3.Connection, stamp: Stamp, events: tuple[Sealed, ...]
) -> tuple[Place, ...]:
    """Writes the rows of events that belong together; their places. A receipt that is known already is not written
    again, nor is what comes with it: the places are those of then."""
    first = events[0].event
    if isinstance(first, SightingRecord):
        return _sightings(journal, stamp, events)
    if not isinstance(first, ReceiptRecord):
        return tuple([_one(journal, connection, stamp, sealed) for sealed in events])
    with_claim = len(events) > 1 and isinstance(events[1].event, ClaimRecord)
    claim_place = journal.next_place(Stream.CLAIMS) if with_claim else 0
    if not enter_receipt(connection, first, journal.next_place(Stream.RECEIPTS), claim_place):
        known = recorded_before(connection, first)
        return tuple([_named(journal, place) for place in known[: len(events)] if place])
    journal.append(Stream.RECEIPTS, (events[0].body,), stamp)
    if events[0].paper:
        receipt_papers.enter(connection, journal.next_place(Stream.RECEIPTS) - 1, first.line, events[0].paper)
    place = Place(Stream.RECEIPTS, journal.epoch.name, journal.number(Stream.RECEIPTS))
    return (place, *[_one(journal, connection, stamp, sealed) for sealed in events[1:]])


def _one(journal: Journal, connection: sqlite3.Connection, stamp: Stamp, sealed: Sealed) -> Place:
    event, body = sealed.event, sealed.body
    stream = STREAM_OF[type(event)]
    enter(connection, event, journal.append(stream, (body,), stamp), body)
    return Place(stream, journal.epoch.name, journal.number(stream))


def _sightings(journal: Journal, stamp: Stamp, events: tuple[Sealed, ...]) -> tuple[Place, ...]:
    journal.append(Stream.VISITS, [sealed.body for sealed in events], stamp)
    last, name = journal.number(Stream.VISITS), journal.epoch.name
    return tuple([Place(Stream.VISITS, name, seq) for seq in range(last - len(events) + 1, last + 1)])


def _named(journal: Journal, place: int) -> Place:
    stream, ordinal, seq = unpack(place)
    return Place(stream, journal.name_of(ordinal), seq)
