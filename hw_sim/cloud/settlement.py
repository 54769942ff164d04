"""Whose use of a coupon stands, when boxes tell of it afterwards: the earliest one, and the others hear of a conflict.

Owns: every use that a box has journaled or was said yes to, by (box, request), and the verdicts that boxes get. Never:
gives one coupon to two: of its uses at most one is confirmed, whatever comes in which order.

Earliest by the box's time, if its clock was trusted when it recorded; else by when the cloud heard of it. Rows come out
of order (fresh ones go before a backlog), so a reversal or a withdrawal may be here before what it takes back: it is
kept, and what comes later finds it. A verdict is told until the box's own journal says that it has it.

A box names a code by its shop's keyed hash. The cloud knows the codes that it issued, and so their hashes.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

import msgspec

from edgebox.keys import field_key
from edgebox.store.events import RedemptionRecord, RedemptionState
from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box, Registry
from hw_sim.cloud_keys import keyring, master
from sync.contract import Row

COMMAND = "coupons.settle"
AGAIN_MS = 3000  # until a verdict that the box has not written down is told again; a real cloud waits longer
AT_ONCE = 200  # verdicts of one command [sync/contract_commands.py, CouponsSettleArgs]
_LABEL = b"edgebox desk code v1\0"  # and the kind: code, mall, pick_up [docs/desk.md, For the cloud]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS uses (
    heard INTEGER PRIMARY KEY AUTOINCREMENT, box TEXT, request TEXT, coupon TEXT, hash TEXT, number INTEGER,
    at_ms INTEGER, state TEXT, is_offline INTEGER, UNIQUE (box, request)) STRICT;
CREATE INDEX IF NOT EXISTS uses_of ON uses (coupon);
CREATE TABLE IF NOT EXISTS verdicts (
    box TEXT, request TEXT, number INTEGER, hash TEXT, verdict TEXT, reason TEXT, other TEXT, other_at INTEGER,
    is_done INTEGER, PRIMARY KEY (box, request, number)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS verdicts_open ON verdicts (box) WHERE is_done = 0;
CREATE TABLE IF NOT EXISTS hashes (store INTEGER, hash TEXT, coupon TEXT, PRIMARY KEY (store, hash)) STRICT;
"""
STANDS, REVERSED, WITHDRAWN = "stands", "reversed", "withdrawn"


class Use(NamedTuple):
    """`at_ms`: by which it is earlier or later than another; `number`: of its slip, 0: not journaled yet."""

    heard: int
    box: str
    request: str
    coupon: str
    hash: str
    number: int
    at_ms: int
    state: str
    is_offline: int


class Settlement:
    """`keeps`: codes that their issuer does not take back, each with the reason."""

    def __init__(self, ledger: Ledger, registry: Registry) -> None:
        self._ledger = ledger
        self._registry = registry
        self._told: dict[tuple[str, str, int], float] = {}
        self._keys: dict[int, bytes] = {}
        self.keeps: dict[str, str] = {}
        ledger.db.executescript(_SCHEMA)

    # -- what happens

    def redeemed(self, box: Box, request: str, code: str, at_ms: int) -> None:
        """The desk has said yes. Inside the ledger's commit."""
        self._enter(box, request, code, "", 0, at_ms, is_offline=False)
        self._decide(code)

    def free(self, box: Box, request: str) -> None:
        """A question of this box is withdrawn: what it used is free, and it will use nothing any more. Likewise."""
        use = self._use(box.name, request)
        if use is None:
            values = (box.name, request, "", "", 0, 0, WITHDRAWN, 0)
            self._ledger.db.execute(f"INSERT INTO uses VALUES (NULL, {_marks(values)})", values)
        elif use.state == STANDS and not use.number:
            self._set(use, WITHDRAWN)

    def is_withdrawn(self, box: Box, request: str) -> bool:
        """It was asked, and is asked no more."""
        use = self._use(box.name, request)
        return use is not None and use.state == WITHDRAWN

    def is_free(self, coupon: str) -> bool:
        """Nobody's use of it stands."""
        return not self._standing(coupon)

    def digest(self, box: Box, kind: str, code: str) -> str:
        """The hash under which the box's shop records a code of that kind."""
        return _digest(self._hash_key(box), kind, code)

    def named(self, box: Box, kind: str, code: str) -> str:
        """What such a code is called among coupons: as one that is known by its shop and hash alone."""
        return f"{box.shop.number}:{self.digest(box, kind, code)}"

    def heard(self, box: Box, row: Row, event: RedemptionRecord, came_ms: int) -> None:
        """A row of a box's journal. Inside the ledger's commit."""
        if event.source == "comeback":
            return
        at_ms = row.at_ms if row.trusted else came_ms
        if event.state is RedemptionState.REDEEMED:
            coupon = self._coupon(box, event.code)
            self._enter(box, event.request, coupon, event.code, event.number, at_ms, is_offline=event.offline)
            self._decide(coupon)
        elif event.state is RedemptionState.REVERSED:
            self._reversed(box, event, at_ms)
        elif event.state is RedemptionState.WITHDRAWN:
            self.free(box, event.request)
        elif event.state in (RedemptionState.CONFIRMED, RedemptionState.CONFLICT):
            self._written_down(box, event)

    def _enter(
        self, box: Box, request: str, coupon: str, digest: str, number: int, at_ms: int, *, is_offline: bool
    ) -> None:
        """A use, or more that is known of one. A row that comes behind its reversal changes nothing about that."""
        self._ledger.db.execute(
            "INSERT INTO uses VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (box, request) DO UPDATE SET"
            " coupon = excluded.coupon, hash = max(hash, excluded.hash), number = max(number, excluded.number),"
            " state = CASE WHEN state = 'withdrawn' AND excluded.number > 0 THEN 'stands' ELSE state END,"
            " at_ms = CASE at_ms WHEN 0 THEN excluded.at_ms ELSE min(at_ms, excluded.at_ms) END,"
            " is_offline = max(is_offline, excluded.is_offline)",
            (box.name, request, coupon, digest, number, at_ms, STANDS, int(is_offline)),
        )

    def _reversed(self, box: Box, event: RedemptionRecord, at_ms: int) -> None:
        """The coupon is free again, if who issued it agrees."""
        coupon = self._coupon(box, event.code)
        reason = self.keeps.get(coupon, "")
        use = self._use(box.name, event.request)
        if use is None and not reason:
            values = (box.name, event.request, coupon, event.code, 0, at_ms, REVERSED, int(event.offline))
            self._ledger.db.execute(f"INSERT INTO uses VALUES (NULL, {_marks(values)})", values)
        elif use is not None and not reason:
            self._set(use, REVERSED)
        said = ("conflict", reason, "", 0) if reason else ("confirmed", "", "", 0)
        self._say(box.name, event.request, event.number, event.code, said)

    def _set(self, use: Use, state: str) -> None:
        self._ledger.db.execute("UPDATE uses SET state = ? WHERE heard = ?", (state, use.heard))
        self._decide(use.coupon)

    def _decide(self, coupon: str) -> None:
        """The first use stands. Who was told nothing yet and asked the desk hears only of a conflict."""
        uses = self._standing(coupon)
        for place, use in enumerate(uses):
            if not use.number:
                continue
            if place:
                first = uses[0]
                said = ("conflict", "used", self._shop_of(first.box), first.at_ms // 1000)
            else:
                said = ("confirmed", "", "", 0)
            if use.is_offline or place or self._said(use):
                self._say(use.box, use.request, use.number, use.hash, said)

    # -- verdicts

    def due(self, now_ms: float) -> dict[str, list[dict[str, object]]]:
        """By box: what it has not written down yet and was not told lately, as arguments of the command."""
        found: dict[str, list[dict[str, object]]] = {}
        sql = "SELECT box, request, hash, number, verdict, reason, other, other_at FROM verdicts WHERE is_done = 0"
        for box, request, digest, number, verdict, reason, other, other_at in self._ledger.ask(sql):
            key = (box, request, number)
            verdicts = found.setdefault(box, [])
            if now_ms - self._told.get(key, float("-inf")) < AGAIN_MS or len(verdicts) >= AT_ONCE:
                continue
            self._told[key] = now_ms
            verdicts.append(
                {
                    "request": request, "code": digest, "number": number, "verdict": verdict, "reason": reason,
                    "other": other, "other_at": other_at,
                }
            )  # fmt: skip
        return {box: verdicts for box, verdicts in found.items() if verdicts}

    def verdicts(self, box: str = "") -> list[tuple[str, int, str]]:
        """Box, slip and verdict of all there are, in order of box and slip."""
        sql = "SELECT box, number, verdict FROM verdicts WHERE ? IN ('', box) ORDER BY box, number"
        return [(name, number, verdict) for name, number, verdict in self._ledger.ask(sql, box)]

    def _say(self, box: str, request: str, number: int, digest: str, said: tuple[str, str, str, int]) -> None:
        """From now on the box has to hear this; what it has written down already, it need not hear again."""
        sql = "SELECT verdict, reason, other, other_at FROM verdicts WHERE box = ? AND request = ? AND number = ?"
        if self._ledger.ask(sql, box, request, number) == [said]:
            return
        values = (box, request, number, digest, *said, 0)
        self._ledger.db.execute(f"INSERT OR REPLACE INTO verdicts VALUES ({_marks(values)})", values)
        self._told.pop((box, request, number), None)

    def _written_down(self, box: Box, event: RedemptionRecord) -> None:
        verdict = "confirmed" if event.state is RedemptionState.CONFIRMED else "conflict"
        sql = """UPDATE verdicts SET is_done = 1
            WHERE box = ? AND request = ? AND number = ? AND verdict = ? AND other_at = ?"""
        self._ledger.db.execute(sql, (box.name, event.request, event.settles, verdict, event.other_at))

    def _said(self, use: Use) -> bool:
        sql = "SELECT 1 FROM verdicts WHERE box = ? AND request = ? AND number = ?"
        return bool(self._ledger.ask(sql, use.box, use.request, use.number))

    # -- inside

    def _use(self, box: str, request: str) -> Use | None:
        found = self._ledger.ask("SELECT * FROM uses WHERE box = ? AND request = ?", box, request)
        return Use(*found[0]) if found else None

    def _standing(self, coupon: str) -> list[Use]:
        """The uses that were not taken back, the earliest first."""
        sql = "SELECT * FROM uses WHERE coupon = ? AND state = 'stands' ORDER BY at_ms, heard"
        return [Use(*row) for row in self._ledger.ask(sql, coupon)]

    def _shop_of(self, box: str) -> str:
        known = self._registry.boxes.get(box)
        return (known.shop.name or known.place.store)[:64] if known is not None else ""

    def _coupon(self, box: Box, digest: str) -> str:
        """The code of that hash; what the cloud has not issued is known by store and hash."""
        store = box.shop.number
        sql = "SELECT coupon FROM hashes WHERE store = ? AND hash = ?"
        found = self._ledger.ask(sql, store, digest)
        if not found:
            key = self._hash_key(box)
            for (code,) in self._ledger.ask("SELECT code FROM coupons"):
                made = _digest(key, "code", code)
                self._ledger.db.execute("INSERT OR IGNORE INTO hashes VALUES (?, ?, ?)", (store, made, code))
            found = self._ledger.ask(sql, store, digest)
        return str(found[0][0]) if found else f"{store}:{digest}"

    def _hash_key(self, box: Box) -> bytes:
        store = box.shop.number
        if store not in self._keys:
            keys = keyring(master(self._registry.folder, store), store, box.device, 0, prefix=box.shop.prefix)
            self._keys[store] = field_key(keys)
        return self._keys[store]


def _digest(key: bytes, kind: str, code: str) -> str:
    return hmac.digest(key, _LABEL + kind.encode() + b"\0" + code.encode(), "sha256")[:16].hex()


def _marks(values: tuple[object, ...]) -> str:
    return ", ".join("?" * len(values))


def decode_redemption(body: bytes | msgspec.Raw) -> RedemptionRecord | None:
    """None: another event of that stream."""
    if b'"type":"redemption"' not in bytes(body)[:40]:
        return None
    return _decode(body)


_decode = msgspec.json.Decoder(RedemptionRecord).decode
