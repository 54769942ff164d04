"""The coupon desk: a box asks whether a code may be redeemed, and gets one answer, however often it asks.

Owns: coupons, their one-time use, and every answer by (box, request id). Never: two uses of one code, and never a
second answer to one request: a box that asks again after a lost answer hears what was said before.

Asked: `coupon.redeem` with `code` and `amount_minor` (of the sale it is used in; 0: unknown), and `instead_of`: earlier
questions about the code that the box has withdrawn, whose use is given back first. What boxes tell afterwards is
settled beside this (settlement.py), and both know one list of uses. `mall.redeem` and `pick_up.take` are answered by
counter_services.py, under the same rule of one answer; `desk.uses` by taken_over.py.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from hw_sim.cloud.counter_services import REDEEM as MALL
from hw_sim.cloud.counter_services import TAKE as PICK_UP
from hw_sim.cloud.counter_services import Mall, PickUps
from hw_sim.cloud.invoices import ASK as INVOICE
from hw_sim.cloud.invoices import Invoices
from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box
from hw_sim.cloud.settlement import Settlement
from hw_sim.cloud.taken_over import USES, uses
from sync.contract import Answer, Ask

REDEEM = "coupon.redeem"
LOG_MAX = 10_000  # answers kept for who looks

_SCHEMA = """
CREATE TABLE IF NOT EXISTS coupons (
    code TEXT PRIMARY KEY, coupon TEXT, stock TEXT, value INTEGER, starts INTEGER, ends INTEGER, stores TEXT,
    threshold INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    box TEXT, request TEXT, question BLOB, answer BLOB, PRIMARY KEY (box, request)) STRICT, WITHOUT ROWID;
"""


class Refusal(StrEnum):
    """Why a coupon is not redeemed; stable words."""

    UNKNOWN = "unknown"
    USED = "used"
    NOT_STARTED = "not_started"
    EXPIRED = "expired"
    WRONG_STORE = "wrong_store"
    THRESHOLD = "threshold"
    SYSTEM_FAILURE = "system_failure"  # ask again with the same id
    QUESTION = "question"  # not understood
    REQUEST = "request"  # the id was used for another question
    WITHDRAWN = "withdrawn"  # the box has asked this no more


class Coupon(NamedTuple):
    """One code. `stores`: numbers of the shops where it is good, (): everywhere. Times: seconds since 1970, 0: none."""

    code: str
    coupon: str = ""
    stock: str = ""
    value_minor: int = 0
    starts: int = 0
    ends: int = 0
    stores: tuple[int, ...] = ()
    threshold_minor: int = 0


class _Args(msgspec.Struct, frozen=True, kw_only=True):
    code: Annotated[str, Meta(min_length=1, max_length=300)]  # as long as a box reads [edgebox/desk/codes.py]
    amount_minor: Annotated[int, Meta(ge=0, le=10**12)] = 0
    instead_of: Annotated[tuple[str, ...], Meta(max_length=8)] = ()


class Desk:
    """`clock` gives seconds since 1970. `says`: what another issuer says of a code, in its own words."""

    def __init__(self, ledger: Ledger, settlement: Settlement, clock: Callable[[], float]) -> None:
        self.says: dict[str, str] = {}
        self.log: list[tuple[str, str, str]] = []  # box, request and what was said, the newest LOG_MAX
        self._ledger = ledger
        self.settlement = settlement
        self.invoices = Invoices(ledger)
        self.mall = Mall(ledger, settlement, clock)
        self.pick_ups = PickUps(ledger, settlement, clock)
        self._clock = clock
        self.is_failing = False  # on request: answers `system_failure`
        ledger.db.executescript(_SCHEMA)

    def issue(self, *coupons: Coupon) -> None:
        """New codes; one that exists stays as it is."""
        with self._ledger.commit() as db:
            for one in coupons:
                stores = " ".join(map(str, one.stores))
                values = (*one[:6], stores, one.threshold_minor)
                db.execute("INSERT OR IGNORE INTO coupons VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def answer(self, box: Box, ask: Ask) -> Answer:
        """The answer, the same for the same request."""
        answer = self._answered(box, ask)
        self.log.append((box.name, ask.id, "yes" if answer.ok else answer.reason))
        del self.log[:-LOG_MAX]
        return answer

    def _answered(self, box: Box, ask: Ask) -> Answer:
        if self.is_failing:  # not remembered: it is no answer to the question
            return Answer(id=ask.id, ok=False, reason=Refusal.SYSTEM_FAILURE)
        if ask.what == USES:  # a look, not a use: asked again it may say more
            return uses(self._ledger, box, ask)
        question = msgspec.json.encode((ask.what, sorted(ask.args.items())))
        with self._ledger.commit() as db:
            if self.settlement.is_withdrawn(box, ask.id):
                return Answer(id=ask.id, ok=False, reason=Refusal.WITHDRAWN)
            sql = "SELECT question, answer FROM answers WHERE box = ? AND request = ?"
            for asked, said in self._ledger.ask(sql, box.name, ask.id):
                if asked == question:
                    return msgspec.json.decode(said, type=Answer)
                return Answer(id=ask.id, ok=False, reason=Refusal.REQUEST)
            answer = self._new(box, ask)
            raw = msgspec.json.encode(answer)
            db.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", (box.name, ask.id, question, raw))
            return answer

    def used(self) -> list[tuple[str, str, str]]:
        """Code, box and request of each use that counts, in order of codes."""
        sql = """SELECT coupon, box, request FROM uses u WHERE state = 'stands' AND heard = (
            SELECT heard FROM uses WHERE coupon = u.coupon AND state = 'stands' ORDER BY at_ms, heard LIMIT 1)
            ORDER BY coupon"""
        return [(code, box, request) for code, box, request in self._ledger.ask(sql)]

    def _new(self, box: Box, ask: Ask) -> Answer:
        if ask.what == INVOICE:
            return self.invoices.answer(box, ask)
        services = {MALL: self.mall.answer, PICK_UP: self.pick_ups.answer}
        try:
            args = msgspec.convert(ask.args, _Args)
        except msgspec.ValidationError:
            return Answer(id=ask.id, ok=False, reason=Refusal.QUESTION)
        if ask.what in services:
            for withdrawn in args.instead_of:
                self.settlement.free(box, withdrawn)
            return services[ask.what](box, ask.id, args.code)
        if ask.what != REDEEM:
            return Answer(id=ask.id, ok=False, reason=Refusal.QUESTION)
        found = self._ledger.ask("SELECT * FROM coupons WHERE code = ?", args.code)
        if not found:
            return Answer(id=ask.id, ok=False, reason=Refusal.UNKNOWN)
        for withdrawn in args.instead_of:
            self.settlement.free(box, withdrawn)
        if args.code in self.says:
            return Answer(id=ask.id, ok=False, reason=self.says[args.code])
        code, coupon, stock, value, starts, ends, stores, threshold = found[0]
        now = int(self._clock())
        refusals = (
            (not self.settlement.is_free(code), Refusal.USED),
            (bool(starts) and now < starts, Refusal.NOT_STARTED),
            (bool(ends) and now >= ends, Refusal.EXPIRED),
            (bool(stores) and str(box.shop.number) not in stores.split(), Refusal.WRONG_STORE),
            (args.amount_minor < threshold, Refusal.THRESHOLD),
        )
        for applies, reason in refusals:
            if applies:
                return Answer(id=ask.id, ok=False, reason=reason)
        self.settlement.redeemed(box, ask.id, code, now * 1000)
        return Answer(id=ask.id, ok=True, result={"coupon": coupon, "stock": stock, "value_minor": value})
