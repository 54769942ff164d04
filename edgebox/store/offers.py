"""Codes that are handed out on slips: the pools that the cloud filled, and the serials of comeback coupons.

Owns: the statements on their tables, for `Store.change` and `Store.read`. Never: decides what is printed.

A code is `free`, then `reserved` for a run of the engine, so that a receipt needs no disk; what became of it
(`printed`, `burnt`, `unknown`) is an OfferRecord, and its row changes in the transaction that records it (ledger.py).
A reservation that a run left behind is burnt by the next one: it may be on paper. Serials work the same way: blocks of
numbers are taken ahead, and numbers of a block that were never printed are never given out again.

How many codes a pool held when it was last filled is a fact, so that somebody can tell when it runs low.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from edgebox.errors import StoreError

SERIALS_FACT = "comeback.serials"  # the first serial that no run has taken
_PUT_FACT = "INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
FILLED_FACT = "pool.filled."  # and the pool's name: how many codes waited in it after it was last filled
POOL_MAX = 100_000  # codes that wait in one pool; the cloud sends more when these are used up
POOLS_MAX = 256  # of one box: each slip with codes has one
LOW_CODES = 50  # a pool with fewer is low: half an hour of a busy till, until the cloud has sent more
LOW_PERCENT = 20  # so is one with less than that of what it was last filled with


class PoolCode(NamedTuple):
    """One code. `ref`: its row; `stock`: the cloud's name of the batch, for counting; `until`: its last day, ISO."""

    ref: int
    pool: str
    code: str
    url: str
    title: str = ""
    value_minor: int = 0
    until: str = ""
    stock: str = ""


class Comeback(NamedTuple):
    """A comeback coupon as it was printed. `spent_at` 0: it was not used."""

    serial: int
    value_minor: int
    threshold_minor: int
    last_day: int
    at: int
    spent_at: int


class Level(NamedTuple):
    """How full a pool is. `waiting`: codes that are good today, at hand or not; of a full one at least so many."""

    pool: str
    waiting: int
    is_low: bool


def add_codes(connection: sqlite3.Connection, codes: Iterable[PoolCode]) -> int:
    """Puts codes into their pools; those that were ever there are left as they are. How many are new.

    StoreError `full`: more than POOL_MAX would wait in one, or there would be more than POOLS_MAX pools.
    """
    rows = [(one.pool, one.code, one.url, one.title, one.value_minor, one.until, one.stock) for one in codes]
    before = connection.total_changes
    connection.executemany(
        "INSERT OR IGNORE INTO pool_codes (pool, code, url, title, value_minor, until, stock, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'free')",
        rows,
    )
    added = connection.total_changes - before
    for pool in sorted({row[0] for row in rows}):
        waiting = _waiting(connection, pool, "", POOL_MAX + 1)
        if waiting > POOL_MAX:
            raise StoreError(f"more than {POOL_MAX} codes in pool {pool}", reason="full")
        connection.execute(_PUT_FACT, (FILLED_FACT + pool, str(waiting).encode()))
    like = (len(FILLED_FACT), FILLED_FACT)
    if connection.execute("SELECT count(*) FROM facts WHERE substr(key, 1, ?) = ?", like).fetchone()[0] > POOLS_MAX:
        raise StoreError(f"more than {POOLS_MAX} pools", reason="full")
    return added


def level(connection: sqlite3.Connection, pool: str, today: str) -> Level:
    """How full a pool is, counted no further than it takes to tell. A pool that never held LOW_CODES twice over is low
    at half of what it held."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (FILLED_FACT + pool,)).fetchone()
    filled = int(row[0]) if row else 0
    least = max(1, filled * LOW_PERCENT // 100, min(LOW_CODES, filled // 2))
    waiting = _waiting(connection, pool, today, least)
    return Level(pool, waiting, waiting < least)


def _waiting(connection: sqlite3.Connection, pool: str, today: str, most: int) -> int:
    """Codes of a pool that are free or at hand and good `today` ("": whenever), counted up to `most`."""
    found: int = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM pool_codes WHERE pool = :pool AND state = 'free'"
        " AND (until = '' OR until >= :today)"
        " UNION ALL SELECT 1 FROM pool_codes WHERE state = 'reserved' AND pool = :pool"
        " AND (until = '' OR until >= :today) LIMIT :most)",
        {"pool": pool, "today": today, "most": most},
    ).fetchone()[0]
    return found


def reserve(connection: sqlite3.Connection, pool: str, count: int, today: str) -> list[PoolCode]:
    """Up to `count` free codes that are good `today`, now reserved; the ones that end first go first."""
    found = connection.execute(
        "SELECT ref, pool, code, url, title, value_minor, until, stock FROM pool_codes"
        " WHERE pool = ? AND state = 'free' AND (until = '' OR until >= ?)"
        " ORDER BY CASE until WHEN '' THEN '9999' ELSE until END, ref LIMIT ?",
        (pool, today, count),
    ).fetchall()
    codes = [PoolCode(*row) for row in found]
    connection.executemany("UPDATE pool_codes SET state = 'reserved' WHERE ref = ?", [(one.ref,) for one in codes])
    return codes


def left_reserved(connection: sqlite3.Connection) -> list[PoolCode]:
    """What an earlier run had reserved."""
    rows = connection.execute(
        "SELECT ref, pool, code, url, title, value_minor, until, stock FROM pool_codes WHERE state = 'reserved'"
    )
    return [PoolCode(*row) for row in rows]


def free_codes(connection: sqlite3.Connection) -> dict[str, int]:
    """How many are left in each pool."""
    return dict(connection.execute("SELECT pool, count(*) FROM pool_codes WHERE state = 'free' GROUP BY pool"))


def revoke(connection: sqlite3.Connection, stock: str, at_hand: Iterable[int] = ()) -> int:
    """Codes of this batch are not handed out any more; how many were waiting. `at_hand`: rows of it that the engine had
    reserved and has let go of."""
    free = connection.execute(
        "UPDATE pool_codes SET state = 'revoked' WHERE stock = ? AND state = 'free'", (stock,)
    ).rowcount
    reserved = connection.executemany(
        "UPDATE pool_codes SET state = 'revoked' WHERE stock = ? AND state = 'reserved' AND ref = ?",
        [(stock, ref) for ref in at_hand],
    ).rowcount
    return free + max(0, reserved)


def take_serials(connection: sqlite3.Connection, count: int, least: int = 1) -> int:
    """The first of `count` serials that are this run's from now on, `least` or above."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (SERIALS_FACT,)).fetchone()
    known = connection.execute("SELECT max(serial) FROM comebacks").fetchone()[0] or 0
    first = max(int(row[0]) if row else 1, known + 1, least)
    connection.execute(_PUT_FACT, (SERIALS_FACT, str(first + count).encode()))
    return first


def serials_taken(connection: sqlite3.Connection) -> int:
    """Serials below this one may be on paper."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (SERIALS_FACT,)).fetchone()
    return int(row[0]) if row else 1


def find_comeback(connection: sqlite3.Connection, serial: int, modulo: int = 0) -> Comeback | None:
    """A coupon by its serial; with `modulo`, the newest one whose serial ends so."""
    select = "SELECT serial, value_minor, threshold_minor, last_day, at, spent_at FROM comebacks WHERE "
    if not modulo:
        row = connection.execute(select + "serial = ?", (serial,)).fetchone()
        return Comeback(*row) if row else None
    newest = connection.execute("SELECT max(serial) FROM comebacks").fetchone()[0]
    if newest is None:
        return None
    wanted = newest - (newest - serial) % modulo
    row = connection.execute(select + "serial = ?", (wanted,)).fetchone()
    return Comeback(*row) if row else None
