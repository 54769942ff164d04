"""The cloud's side of the counter's other services: the points mall, and orders to be picked up.

Owns: who has how many points, which mall code is for what, which orders lie where; the list that boxes get. Never: lets
one code be used twice: whose use stands is the settlement's (settlement.py), with all that boxes journal afterwards.

Points that were taken are not subtracted anywhere: a balance is what was given, less what standing uses cost. So a use
that a box takes back, or asks about no more, gives its points back by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from edgebox.desk import mall
from edgebox.loyalty.rules import Rules
from edgebox.loyalty.windows import When
from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box
from hw_sim.cloud.settlement import Settlement
from sync.contract import Answer

REDEEM, TAKE = "mall.redeem", "pick_up.take"
COUPON = "pick_up"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mall_points (member TEXT PRIMARY KEY, points INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mall_codes (
    code TEXT PRIMARY KEY, sku TEXT, member TEXT, tier TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mall_stock (sku TEXT PRIMARY KEY, pieces INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mall_takes (
    box TEXT, request TEXT, member TEXT, sku TEXT, points INTEGER, PRIMARY KEY (box, request)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (
    store INTEGER, code TEXT, number TEXT, shelf TEXT, what TEXT, day TEXT, until TEXT, box TEXT,
    PRIMARY KEY (store, code)) STRICT, WITHOUT ROWID;
"""
_STANDING = "JOIN uses USING (box, request) WHERE state = 'stands'"


class Order(NamedTuple):
    """`code`: as the customer shows it; `box`: who hands it out without asking, "*": nobody, "": as the list says."""

    code: str
    number: str = ""
    shelf: str = ""
    what: str = ""
    day: str = ""
    until: str = ""
    box: str = ""


class Mall:
    """`rules`: the catalogue in force. `clock`: seconds since 1970."""

    def __init__(self, ledger: Ledger, settlement: Settlement, clock: Callable[[], float]) -> None:
        self.rules: Rules | None = None
        self._ledger = ledger
        self._settlement = settlement
        self._clock = clock
        ledger.db.executescript(_SCHEMA)

    def give(self, member: str, points: int) -> None:
        """So many more for a member."""
        sql = "INSERT INTO mall_points VALUES (?, ?) ON CONFLICT DO UPDATE SET points = points + excluded.points"
        with self._ledger.commit() as db:
            db.execute(sql, (member, points))

    def stock(self, sku: str, pieces: int) -> None:
        """So many were bought in; what was never stocked never runs out."""
        with self._ledger.commit() as db:
            db.execute("INSERT OR REPLACE INTO mall_stock VALUES (?, ?)", (sku, pieces))

    def issue(self, code: str, sku: str, member: str, tier: str) -> None:
        """A member has chosen something: the code to show at the counter."""
        with self._ledger.commit() as db:
            db.execute("INSERT OR IGNORE INTO mall_codes VALUES (?, ?, ?, ?)", (code, sku, member, tier))

    def balance(self, member: str) -> int:
        """What a member has left."""
        given = self._ledger.ask("SELECT points FROM mall_points WHERE member = ?", member)
        spent = self._ledger.ask(f"SELECT coalesce(sum(points), 0) FROM mall_takes {_STANDING} AND member = ?", member)
        return (given[0][0] if given else 0) - int(spent[0][0])

    def answer(self, box: Box, request: str, code: str) -> Answer:
        """To `mall.redeem`. Inside the ledger's commit."""
        found = self._ledger.ask("SELECT sku, member, tier FROM mall_codes WHERE code = ?", code)
        if not found or self.rules is None:
            return Answer(id=request, ok=False, reason="unknown")
        sku, member, tier = found[0]
        name = self._settlement.named(box, "mall", code)
        if not self._settlement.is_free(name):
            return Answer(id=request, ok=False, reason="used")
        price = mall.price_of(self.rules, sku, tier, When(int(self._clock())))
        if price is None:
            return Answer(id=request, ok=False, reason="not_started")
        if self._is_sold_out(sku):
            return Answer(id=request, ok=False, reason="sold_out")
        if price > self.balance(member):
            return Answer(id=request, ok=False, reason="points")
        self._settlement.redeemed(box, request, name, int(self._clock() * 1000))
        self._ledger.db.execute(
            "INSERT INTO mall_takes VALUES (?, ?, ?, ?, ?)", (box.name, request, member, sku, price)
        )
        result = {"coupon": sku, "title": mall.title_of(self.rules, sku), "points": price, "tier": tier}
        return Answer(id=request, ok=True, result=result)

    def _is_sold_out(self, sku: str) -> bool:
        stocked = self._ledger.ask("SELECT pieces FROM mall_stock WHERE sku = ?", sku)
        gone = self._ledger.ask(f"SELECT count(*) FROM mall_takes {_STANDING} AND sku = ?", sku)
        return bool(stocked) and int(gone[0][0]) >= int(stocked[0][0])


class PickUps:
    """Orders of all shops."""

    def __init__(self, ledger: Ledger, settlement: Settlement, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._settlement = settlement
        self._clock = clock

    def add(self, box: Box, orders: Iterable[Order]) -> None:
        """More orders for the box's shop."""
        with self._ledger.commit() as db:
            for one in orders:
                values = (box.shop.number, *one)
                db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def content(self, box: Box, *, whose: str = "") -> dict[str, object]:
        """The bundle for the box's shop. `whose`: who hands out without asking; "": this box."""
        sql = "SELECT code, number, shelf, what, day, until, box FROM orders WHERE store = ? ORDER BY code"
        rows = [Order(*row) for row in self._ledger.ask(sql, box.shop.number)]
        digest = self._settlement.digest
        orders = [{**one._asdict(), "code": digest(box, COUPON, one.code) if one.code else ""} for one in rows]
        return {"box": whose or box.name, "orders": orders}

    def answer(self, box: Box, request: str, code: str) -> Answer:
        """To `pick_up.take`: of an order that no box may hand out without asking. Inside the ledger's commit."""
        sql = "SELECT code, what FROM orders WHERE store = ? AND (code = ? OR number = ?)"
        found = self._ledger.ask(sql, box.shop.number, code, code)
        if len(found) != 1:
            return Answer(id=request, ok=False, reason="unknown")
        name = self._settlement.named(box, COUPON, found[0][0])
        if not self._settlement.is_free(name):
            return Answer(id=request, ok=False, reason="used")
        self._settlement.redeemed(box, request, name, int(self._clock() * 1000))
        return Answer(id=request, ok=True, result={"coupon": COUPON, "title": found[0][1]})
