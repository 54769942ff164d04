"""Audit: who changed what, the newest first."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.web.roles import INSTALLERS, OWNERS
from edgebox.web.routes import Nav, api, page
from edgebox.web.visit import Visit

ROWS = 50  # of a page


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """`before`: rows behind this one, 0: from the newest; `who`: only theirs."""

    before: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] = 0
    limit: Annotated[int, Meta(ge=1, le=200)] = ROWS
    who: Annotated[str, Meta(max_length=64)] = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `id`: its place, for `before`; `at`: seconds since 1970."""

    id: int
    at: int
    who: str
    what: str
    target: str
    reason: str


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """`next`: what `before` would be for those behind them; 0: there are none."""

    entries: list[Entry]
    next: int


@page("/audit", INSTALLERS, nav=Nav("audit", 90), takes=Query)
async def audit(visit: Visit, query: Query) -> Response:
    """A list."""
    found = await _found(visit, query)
    return await visit.page("audit.html", entries=found.entries, next=found.next, who=query.who, what=_what(visit))


@api("GET", "/audit", OWNERS, takes=Query, gives=Entries, summary="Who changed what, the newest first")
async def api_audit(visit: Visit, query: Query) -> Entries:
    """The same."""
    return await _found(visit, query)


def _what(visit: Visit) -> Callable[[str], str]:
    """A change in the visitor's language, where the catalogue knows it; the record's own word elsewhere."""

    def what(said: str) -> str:
        key = "changes." + re.sub(r"[^a-z]+", "_", said.lower()).strip("_")
        return visit.t(key) if visit.office.catalogue.has(key) else said

    return what


async def _found(visit: Visit, query: Query) -> Entries:
    # A place holds the stream in its highest bits and then counts up, so that newer rows have higher places.
    where = "place < ?" if query.before else "place > ?"
    who = " AND who = ?" if query.who else ""
    values = (query.before, *([query.who] if query.who else []), query.limit + 1)

    def read(db: sqlite3.Connection) -> list[Entry]:
        rows = db.execute(
            f"SELECT place, at, who, what, target, reason FROM audit WHERE {where}{who} ORDER BY place DESC LIMIT ?",
            values,
        ).fetchall()
        return [Entry(id=place, at=at, who=w, what=what, target=t, reason=r) for place, at, w, what, t, r in rows]

    rows = await visit.office.store.read(read)
    is_more = len(rows) > query.limit
    return Entries(entries=rows[: query.limit], next=rows[query.limit - 1].id if is_more else 0)
