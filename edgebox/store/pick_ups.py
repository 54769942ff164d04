"""Orders that lie ready to be picked up: the list as it came last, and what was handed out of earlier ones.

Owns: the statements on `pick_ups`, for `Store.change` and `Store.read`. Never: says whether an order was handed out:
that is a redemption (ledger.py), and stays one whatever a later list says.

An order that was handed out is kept for some days after it left the list: its slip may still be owed, and a second
customer with the same number is told when it went.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

KEEP_DAYS = 7  # a shift whose slips are still owed is over by then
_LEFT = """DELETE FROM pick_ups WHERE until < ? OR NOT EXISTS (SELECT 1 FROM redemptions WHERE
    redemptions.code = pick_ups.code AND state = 'redeemed' AND reversed = 0)"""
_INSERT = "INSERT OR REPLACE INTO pick_ups VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Order(NamedTuple):
    """One order. `code`: under which it is recorded; `day`…`until`: ISO dates, both inside; `box`: who hands it out
    without asking, "*": nobody; `revision`: of the list that it was in last."""

    code: str
    number: str
    shelf: str
    what: str
    day: str
    until: str
    box: str
    revision: int


def put(connection: sqlite3.Connection, orders: Iterable[Order], keep_from: str) -> None:
    """Another list takes the place of the one before. `keep_from`: ISO date; what was handed out and was to be had
    until then or later stays."""
    connection.execute(_LEFT, (keep_from,))
    connection.executemany(_INSERT, orders)


def all_orders(connection: sqlite3.Connection) -> list[Order]:
    """Of the list, and of those handed out of earlier ones."""
    rows = connection.execute("SELECT code, number, shelf, what, day, until, box, revision FROM pick_ups ORDER BY code")
    return [Order(*row) for row in rows]
