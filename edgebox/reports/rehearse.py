"""What a change of campaigns would have given: the last receipts, reckoned with the rules in force, then with it too.

Owns: which receipts, and the sums. Never: puts a rule in force (edgebox/campaign_book.py), or touches a claim.

The amounts are those that earned, as their claims have them, so what is taken off an amount, and what earns at all, is
not judged again: only campaigns differ. Items are not read again: where rules of items weigh, the campaign's share is
right and the sum is about right. The tier is the lowest, as on the slip: "at least". Reckoned in a thread, in pieces:
a receipt that comes meanwhile goes first.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from edgebox.loyalty.rules import Caps, Qualify, Rules, Unsure, evaluate
from edgebox.loyalty.sales import Basis, Sale
from edgebox.loyalty.windows import When
from edgebox.model import DocumentKind
from edgebox.store.store import Store

DAYS = 14  # two weeks: each day of the week twice
RECEIPTS_MAX = 3000  # the newest; 0.3 s of a small box's second core
PIECE = 100
REST_S = 0.005  # between two pieces
_ASKED = """SELECT r.place, r.at, c.amount_minor, r.decimals FROM receipts r INDEXED BY receipts_at
    JOIN claims c ON c.claim = r.claim WHERE r.at >= ? AND r.at < ? AND r.claim <> '' AND r.voided = 0
    AND r.session = c.session AND r.document = c.document AND (r.at, r.place) < (?, ?)
    ORDER BY r.at DESC, r.place DESC LIMIT ?"""


class Rehearsal(NamedTuple):
    """`receipts` that had a claim, since `since`; `touched`: those that would have earned otherwise; points by the
    rules in force, and with the change. `is_whole` false: there were more than RECEIPTS_MAX."""

    since: int
    receipts: int
    touched: int
    points: int
    points_with: int
    is_whole: bool


class _Row(NamedTuple):
    place: int
    at: int
    amount_minor: int
    decimals: int


async def rehearse(store: Store, now: Rules, then: Rules, since: int, until: int) -> Rehearsal:
    """`now`: the rules in force; `then`: with the change. StoreError."""
    now, then = _for_earned(now), _for_earned(then)
    before, found = (until, 1 << 62), Rehearsal(since, 0, 0, 0, 0, True)
    while found.receipts < RECEIPTS_MAX:
        rows = await store.read(lambda db, before=before: _rows(db, since, until, before))  # type: ignore[misc]
        touched, points, points_with = await asyncio.to_thread(_reckoned, rows, now, then)
        found = found._replace(
            receipts=found.receipts + len(rows), touched=found.touched + touched, points=found.points + points,
            points_with=found.points_with + points_with,
        )  # fmt: skip
        if len(rows) < PIECE:
            return found
        before = rows[-1].at, rows[-1].place
        await asyncio.sleep(REST_S)
    return found._replace(is_whole=False, since=before[0])


def _rows(db: sqlite3.Connection, since: int, until: int, before: tuple[int, int]) -> list[_Row]:
    return [_Row(*row) for row in db.execute(_ASKED, (since, until, *before, PIECE))]


def _for_earned(rules: Rules) -> Rules:
    """For amounts that have earned already. The day's cap belongs to the day on which it was promised."""
    caps = Caps(points_per_receipt=rules.caps.points_per_receipt)
    return rules._replace(basis=Basis(), qualify=Qualify(unknown_tender=Unsure.EARN), caps=caps)


def _reckoned(rows: Sequence[_Row], now: Rules, then: Rules) -> tuple[int, int, int]:
    touched = points = points_with = 0
    for row in rows:
        sale, when = Sale(DocumentKind.SALE, row.amount_minor, decimals=row.decimals), When(row.at)
        one, other = evaluate(now, sale, when).points, evaluate(then, sale, when).points
        touched, points, points_with = touched + (one != other), points + one, points_with + other
    return touched, points, points_with
