"""Journal rows whose page is gone, made again from the page's tables: the same event stands there a second time.

Owns: which columns are which fields. Never: invents a field: what the table doesn't hold is left at its default, and
a receipt says "rebuilt" among its reasons.

A receipt, its claim, a redemption and so on are written twice, to pages that have nothing in common: so one broken page
costs no event, only a few of a receipt's details (its URL is with the claim; gone are reasons and the keyed hashes).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from edgebox.store.events import (
    STREAM_OF,
    AuditRecord,
    ClaimRecord,
    CorrectionRecord,
    Event,
    HealthRecord,
    JobRecord,
    ReceiptRecord,
    RedemptionRecord,
    ScanRecord,
    VisitRecord,
)
from edgebox.store.places import sum_of, unpack

REASON = "rebuilt"
_SOURCES: Mapping[str, type[Event]] = {
    "receipts": ReceiptRecord,
    "claims": ClaimRecord,
    "redemptions": RedemptionRecord,
    "jobs": JobRecord,
    "audit": AuditRecord,
    "corrections": CorrectionRecord,
    "scans": ScanRecord,
    "health": HealthRecord,
    "visits": VisitRecord,
}
_RENAMED = {"seat": "table"}
_PACKED: Mapping[str, Callable[[str], Any]] = {"modifiers": str.split, "tenders": msgspec.json.decode}


class Rebuilt(NamedTuple):
    """A journal row made again. `at`: seconds since 1970."""

    place: int
    at: int
    body: bytes


def again(connection: sqlite3.Connection, place: int) -> Rebuilt | None:
    """The event of one journal row whose bytes can't be believed, from its stream's table; None: it isn't there."""
    for table, kind in _SOURCES.items():
        if STREAM_OF[kind] is unpack(place)[0]:
            for found in _events(connection.execute(f"SELECT t.* FROM {table} t WHERE place = ?", (place,)), kind):
                return found
    return None


def believed(connection: sqlite3.Connection, row: tuple[int, int, int, int, int, int, bytes]) -> bytes:
    """The body of a row of the journal, given whole; made again if its sum is wrong; b"" if that can't be done."""
    place, boot, mono_ms, at_ms, trusted, crc, body = row
    if sum_of(place, boot, mono_ms, at_ms, trusted, body) == crc:
        return body
    twin = again(connection, place)
    return twin.body if twin else b""


def rebuilt(connection: sqlite3.Connection) -> Iterator[Rebuilt]:
    """An event for each row of the tables whose journal row is gone and was not removed on purpose.

    `connection`: gives rows as tuples, and doesn't change its journal meanwhile.
    """
    for table, kind in _SOURCES.items():
        cursor = connection.execute(
            f"SELECT t.* FROM {table} t WHERE NOT EXISTS (SELECT 1 FROM journal WHERE journal.place = t.place)"
            " AND NOT EXISTS (SELECT 1 FROM lost WHERE t.place BETWEEN first AND last)"
            " AND (t.place & ?) > coalesce((SELECT removed FROM heads WHERE stream = t.place >> 56"
            " AND epoch = (t.place >> 40) & 65535), 0)",
            ((1 << 40) - 1,),
        )
        yield from _events(cursor, kind)


def _events(cursor: sqlite3.Cursor, kind: type[Event]) -> Iterator[Rebuilt]:
    names = [column[0] for column in cursor.description]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        body = row["body"] if "body" in row else _body(kind, row)
        if body is not None:
            yield Rebuilt(row["place"], row["at"], body)


def _body(kind: type[Event], row: dict[str, Any]) -> bytes | None:
    """The event's JSON; None if the row's values are none of an event's."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    given = {_RENAMED.get(name, name): value for name, value in row.items()}
    try:
        unpacked = {name: _PACKED[name](value) if name in _PACKED else value for name, value in given.items()}
        if kind is ReceiptRecord:
            unpacked["reasons"] = [REASON]
        wanted = {name: value for name, value in unpacked.items() if name in fields and value is not None}
        booleans = {name: bool(value) for name, value in wanted.items() if fields[name] is bool}
        return msgspec.json.encode(msgspec.convert({**wanted, **booleans, "type": _tag(kind)}, kind, strict=True))
    except (msgspec.MsgspecError, ValueError):
        return None


def _tag(kind: type[Event]) -> str:
    return str(kind.__struct_config__.tag)
