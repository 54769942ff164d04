"""The coupon desk: a box asks whether a code may be redeemed, and gets one answer, however often it asks.

Owns: coupons, their one-time use, and every answer by (box, request id). Never: two uses of one code, and never a
second answer to one request: a box that asks again after a lost answer hears what was said before.

Asked: `coupon.redeem` with `code` and `amount_minor` (of the sale it is used in; 0: unknown).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box
from sync.contract import Answer, Ask

REDEEM = "coupon.redeem"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS coupons (
    code TEXT PRIMARY KEY, coupon TEXT, stock TEXT, value INTEGER, starts INTEGER, ends INTEGER, stores TEXT,
    threshold INTEGER, used_by TEXT, used_request TEXT, used_at INTEGER) STRICT, WITHOUT ROWID;
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
    code: Annotated[str, Meta(min_length=1, max_length=64)]
    amount_minor: Annotated[int, Meta(ge=0, le=10**12)] = 0


class Desk:
    """`clock` gives seconds since 1970."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock
        self.is_failing = False  # on request: answers `system_failure`
        ledger.db.executescript(_SCHEMA)

    def issue(self, *coupons: Coupon) -> None:
        """New codes; one that exists stays as it is."""
        with self._ledger.commit() as db:
            for one in coupons:
                stores = " ".join(map(str, one.stores))
                values = (*one[:6], stores, one.threshold_minor)
                db.execute("INSERT OR IGNORE INTO coupons VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', '', 0)", values)

    def answer(self, box: Box, ask: Ask) -> Answer:
        """The answer, the same for the same request."""
        if self.is_failing:  # not remembered: it is no answer to the question
            return Answer(id=ask.id, ok=False, reason=Refusal.SYSTEM_FAILURE)
        question = msgspec.json.encode((ask.what, sorted(ask.args.items())))
        with self._ledger.commit() as db:
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
        """Code, box and request of each use, in order of codes."""
        sql = "SELECT code, used_by, used_request FROM coupons WHERE used_at > 0 ORDER BY code"
        return [(code, box, request) for code, box, request in self._ledger.ask(sql)]

    def _new(self, box: Box, ask: Ask) -> Answer:
        if ask.what != REDEEM:
            return Answer(id=ask.id, ok=False, reason=Refusal.QUESTION)
        try:
            args = msgspec.convert(ask.args, _Args)
        except msgspec.ValidationError:
            return Answer(id=ask.id, ok=False, reason=Refusal.QUESTION)
        found = self._ledger.ask("SELECT * FROM coupons WHERE code = ?", args.code)
        if not found:
            return Answer(id=ask.id, ok=False, reason=Refusal.UNKNOWN)
        code, coupon, stock, value, starts, ends, stores, threshold, _, _, used_at = found[0]
        now = int(self._clock())
        refusals = (
            (used_at > 0, Refusal.USED),
            (bool(starts) and now < starts, Refusal.NOT_STARTED),
            (bool(ends) and now >= ends, Refusal.EXPIRED),
            (bool(stores) and str(box.shop.number) not in stores.split(), Refusal.WRONG_STORE),
            (args.amount_minor < threshold, Refusal.THRESHOLD),
        )
        for applies, reason in refusals:
            if applies:
                return Answer(id=ask.id, ok=False, reason=reason)
        sql = "UPDATE coupons SET used_by = ?, used_request = ?, used_at = ? WHERE code = ?"
        self._ledger.db.execute(sql, (box.name, ask.id, now, code))
        return Answer(id=ask.id, ok=True, result={"coupon": coupon, "stock": stock, "value_minor": value})
