"""Claims, members and points: who holds which claim, and every point with its reason.

Owns: the tables of claim events, claims, members and entries in the ledger's database. Never: what a claim is worth
(verdict.py). A member's balance is the sum of entries; entries are only ever added, a cancellation is one with a minus.

A claim belongs to whoever shows it first and is credited once. The event may come long after the phone: the claim
waits, was shown in time, and is settled when the event is there. An event that comes after the credit and takes it
back (void, a lower settlement) is followed at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from edgebox.errors import ClaimError
from edgebox.loyalty import claims
from edgebox.model import Modifier
from edgebox.store.events import ClaimRecord, ClaimState, ReceiptRecord
from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box, Registry, Shop
from hw_sim.cloud.verdict import Outcome, Told, Verdict, judge

APPROVED = "approved"  # reason of a claim that a person has let through: no later event asks him again
PENDING_S = 90 * 86400  # as long as a box keeps its rows ([store] keep_days): after that no event will come

_SCHEMA = """
CREATE TABLE IF NOT EXISTS claim_events (
    box TEXT, epoch TEXT, seq INTEGER, store INTEGER, claim TEXT, url TEXT, revision INTEGER, amount INTEGER,
    points INTEGER, state TEXT, session TEXT, document INTEGER, PRIMARY KEY (box, epoch, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claim_events_of ON claim_events (store, claim);
CREATE TABLE IF NOT EXISTS receipts (
    box TEXT, session TEXT, document INTEGER, store INTEGER, claim TEXT, url TEXT, mute INTEGER, pending INTEGER,
    PRIMARY KEY (box, session, document)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (
    store INTEGER, claim TEXT, member TEXT, url TEXT, state TEXT, amount INTEGER, points INTEGER, reason TEXT,
    shown_at INTEGER, PRIMARY KEY (store, claim)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claims_waiting ON claims (state, shown_at);
CREATE TABLE IF NOT EXISTS members (member TEXT PRIMARY KEY, since INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, member TEXT, store INTEGER, claim TEXT, points INTEGER, why TEXT, at INTEGER) STRICT;
CREATE INDEX IF NOT EXISTS entries_of ON entries (member);
"""


class Holding(StrEnum):
    """Where a shown claim stands."""

    PENDING = "pending"
    REVIEW = "review"
    CREDITED = "credited"
    CANCELED = "canceled"


class Shown(NamedTuple):
    """What the phone is told. `state`: a Holding, or `offered` (nobody holds it yet), or `refused` with its reason."""

    state: str
    reason: str = ""
    points: int = 0
    amount_minor: int = 0
    box: Box | None = None
    again: bool = False  # this member had it already


class Claimed(NamedTuple):
    """A row of `claims`."""

    store: int
    claim: str
    member: str
    url: str
    state: Holding
    amount_minor: int
    points: int
    reason: str
    shown_at: int


class Points:
    """The desk where claims become points. `clock` gives seconds since 1970."""

    def __init__(self, ledger: Ledger, registry: Registry, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._registry = registry
        self._clock = clock
        ledger.db.executescript(_SCHEMA)

    # -- the box's word

    def heard_claim(self, box: Box, epoch: str, seq: int, event: ClaimRecord) -> None:
        """A claim event: noted, and what waits for it or rests on it settled. Inside the ledger's commit."""
        store = box.shop.number
        values = (
            *(box.name, epoch, seq, store, event.claim, event.url, event.revision, event.amount_minor),
            *(event.points, event.state.value, event.session, event.document),
        )
        marks = ", ".join("?" * len(values))
        self._ledger.db.execute(f"INSERT OR IGNORE INTO claim_events VALUES ({marks})", values)
        self._settle(store, event.claim)

    def heard_receipt(self, box: Box, event: ReceiptRecord) -> None:
        """A receipt that names a claim: it must agree with the claim's event. Inside the ledger's commit."""
        if not event.claim:
            return
        # A copy prints the stored token, whichever it would get itself; a replayed one was answered by another run.
        mute = event.replayed or bool({Modifier.REPRINT.value, Modifier.COPY.value} & set(event.modifiers))
        name = (box.name, event.session, event.document)
        values = (*name, box.shop.number, event.claim, event.url, int(mute), int(event.pending))
        self._ledger.db.execute("INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        self._settle(box.shop.number, event.claim)

    def _told(self, store: int, claim: str) -> list[Told]:
        sql = """SELECT e.box, e.url, e.revision, e.amount, e.points, e.state, r.url, r.mute, r.pending
                 FROM claim_events e LEFT JOIN receipts r
                 ON r.box = e.box AND r.session = e.session AND r.document = e.document
                 WHERE e.store = ? AND e.claim = ? ORDER BY e.box, e.epoch, e.seq"""
        out = []
        for box, url, revision, amount, points, state, named, mute, pending in self._ledger.ask(sql, store, claim):
            differs = mute == 0 and state != ClaimState.AGAIN and named != url
            out.append(Told(box, url, revision, amount, ClaimState(state), points, differs, bool(pending)))
        return out

    # -- the phone

    def look(self, url: str, member: str) -> Shown:
        """What the page shows before anybody presses the button. Changes nothing."""
        return self._show(url, member, take=False)

    def take(self, url: str, member: str) -> Shown:
        """The member presses the button. `member` must be one of `join`."""
        return self._show(url, member, take=True)

    def join(self) -> str:
        """A new member's secret name."""
        member = secrets.token_urlsafe(16)
        with self._ledger.commit() as db:
            db.execute("INSERT INTO members VALUES (?, ?)", (member, int(self._clock())))
        return member

    def is_member(self, member: str) -> bool:
        """It is a name that `join` gave."""
        return bool(member and self._ledger.ask("SELECT 1 FROM members WHERE member = ?", member))

    def balance(self, member: str) -> int:
        """A member's points."""
        found: int = self._ledger.ask("SELECT coalesce(sum(points), 0) FROM entries WHERE member = ?", member)[0][0]
        return found

    def _show(self, url: str, member: str, *, take: bool) -> Shown:
        now = int(self._clock())
        try:
            box, claim = self._box_of(url)
            store, name = box.shop.number, claim.claim_id.hex()
            with self._ledger.commit():
                held = self._held(store, name)
                if held is not None and held.state is Holding.CANCELED:
                    held = None
                if held is not None and (held.url, held.member) == (url, member):
                    return self._had(held, box)  # checked when it was shown first; its keys may be gone by now
                claims.verify(url, self._registry.keys(box, now), now, box.shop.lifetime_s)
                if held is not None and held.member != member:
                    return Shown("refused", "taken", box=box)
                if held is not None and claim.revision <= claims.parse(held.url).claim.revision:
                    return self._had(held, box)
                verdict = self._judged(url, claim, box)
                return self._act(box, url, claim, verdict, member if take else "", now)
        except ClaimError as fault:
            return Shown("refused", _why(fault, url, self._registry, now))

    def _had(self, held: Claimed, box: Box) -> Shown:
        return Shown(held.state.value, held.reason, held.points, held.amount_minor, box, again=True)

    def _box_of(self, url: str) -> tuple[Box, claims.Claim]:
        """Whose token it says it is; nothing is proven. ClaimError: nobody's."""
        claim = claims.parse(url).claim
        if self._registry.shop(claim.store) is None:
            raise ClaimError("no such shop", reason="store")
        box = self._registry.box_of(claim.store, claim.device)
        if box is None:
            raise ClaimError("no such box", reason="device")
        return box, claim

    def _act(self, box: Box, url: str, claim: claims.Claim, verdict: Verdict, member: str, now: int) -> Shown:
        """`member` "": only looking."""
        points = _worth(verdict, box.shop)
        if verdict.outcome is Outcome.CONTRADICTED:
            words = f"claim {claim.claim_id.hex()} revision {claim.revision}: token and box differ in {verdict.reason}"
            self._ledger.alarm(box.name, "contradiction", words)
            return Shown("refused", "contradicted", box=box)
        if verdict.outcome in (Outcome.VOID, Outcome.REFUSED):
            return Shown("refused", "void" if verdict.outcome is Outcome.VOID else verdict.reason, box=box)
        if not member:
            if verdict.outcome is Outcome.PENDING:
                amount = claim.amount_minor
                return Shown("offered", verdict.outcome.value, amount // box.shop.spend_per_point, amount, box)
            return Shown("offered", verdict.outcome.value, points, verdict.amount_minor, box)
        state = {Outcome.PENDING: Holding.PENDING, Outcome.REVIEW: Holding.REVIEW}.get(
            verdict.outcome, Holding.CREDITED
        )
        store, name = box.shop.number, claim.claim_id.hex()
        held = self._held(store, name)
        if state is Holding.PENDING and held is not None and held.state is Holding.CREDITED:
            self._hold(held._replace(url=url))  # what the older slip earned stays until the box has told of the newer
        else:
            amount, reason = verdict.amount_minor, verdict.reason
            self._hold(Claimed(store, name, member, url, state, amount, points, reason, now), "claim")
        return Shown(state.value, verdict.reason, points, verdict.amount_minor or claim.amount_minor, box)

    # -- what rests on the box's word

    def _judged(self, url: str, claim: claims.Claim, box: Box) -> Verdict:
        """A figure that no campaign of the shop makes waits for a person: an event is as true as its broker."""
        name = claim.claim_id.hex()
        verdict = judge(url, claim, box.name, self._told(box.shop.number, name), box.shop.policy)
        if verdict.least <= box.shop.points_max(verdict.amount_minor):
            return verdict
        self._ledger.alarm(box.name, "points", f"claim {name}: {verdict.least} points for {verdict.amount_minor}")
        return (
            verdict._replace(outcome=Outcome.REVIEW, reason="points") if verdict.outcome is Outcome.CREDIT else verdict
        )

    def _settle(self, store: int, name: str) -> None:
        """Judges a held claim anew, now that the box has said more."""
        held = self._held(store, name)
        if held is None or held.state is Holding.CANCELED:
            return
        claim = claims.parse(held.url).claim
        box = self._registry.box_of(store, claim.device)
        assert box is not None, "boxes are never taken out"
        verdict = self._judged(held.url, claim, box)
        if verdict.outcome is Outcome.CONTRADICTED:
            self._ledger.alarm(box.name, "contradiction", f"claim {name}: token and box differ in {verdict.reason}")
        if verdict.outcome is Outcome.PENDING:
            return
        if verdict.outcome in (Outcome.VOID, Outcome.CONTRADICTED, Outcome.REFUSED):
            reason = verdict.reason if verdict.outcome is not Outcome.VOID else "void"
            self._hold(held._replace(state=Holding.CANCELED, amount_minor=0, points=0, reason=reason), reason)
        elif verdict.outcome is Outcome.CREDIT or held.reason == APPROVED:
            amount, points = verdict.amount_minor, _worth(verdict, box.shop)
            reason = APPROVED if held.reason == APPROVED else ""
            row = held._replace(state=Holding.CREDITED, amount_minor=amount, points=points, reason=reason)
            self._hold(row, "event")
        else:
            amount, points = verdict.amount_minor, _worth(verdict, box.shop)
            row = held._replace(state=Holding.REVIEW, amount_minor=amount, points=points, reason=verdict.reason)
            self._hold(row, "event")

    def approve(self, store: int, name: str) -> Shown:
        """A person lets a claim through that policy had held back. KeyError: no such one waits."""
        with self._ledger.commit():
            held = self._held(store, name)
            if held is None or held.state is not Holding.REVIEW:
                raise KeyError(name)
            self._hold(held._replace(state=Holding.CREDITED, reason=APPROVED), APPROVED)
            return Shown(Holding.CREDITED.value, "", held.points, held.amount_minor)

    def give_up_pending(self) -> int:
        """Cancels claims whose event can't come any more; how many."""
        with self._ledger.commit():
            sql = "SELECT store, claim FROM claims WHERE state = 'pending' AND shown_at < ?"
            old = self._ledger.ask(sql, int(self._clock()) - PENDING_S)
            for store, name in old:
                held = self._held(store, name)
                assert held is not None
                self._hold(held._replace(state=Holding.CANCELED, reason="never_uploaded"))
            return len(old)

    def _hold(self, row: Claimed, why: str = "") -> None:
        """Writes the claim, and the points by which it changes what its member has from it."""
        db = self._ledger.db
        (had,) = db.execute(
            "SELECT coalesce(sum(points), 0) FROM entries WHERE store = ? AND claim = ? AND member = ?",
            (row.store, row.claim, row.member),
        ).fetchone()
        db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        has = row.points if row.state is Holding.CREDITED else 0
        if has != had:
            entry = (row.member, row.store, row.claim, has - had, why, int(self._clock()))
            db.execute("INSERT INTO entries VALUES (NULL, ?, ?, ?, ?, ?, ?)", entry)

    def _held(self, store: int, name: str) -> Claimed | None:
        found = self._ledger.ask("SELECT * FROM claims WHERE store = ? AND claim = ?", store, name)
        return Claimed(*found[0])._replace(state=Holding(found[0][4])) if found else None

    def held(self) -> list[Claimed]:
        """All claims that somebody has shown, in order of shop and id."""
        found = self._ledger.ask("SELECT * FROM claims ORDER BY store, claim")
        return [Claimed(*row)._replace(state=Holding(row[4])) for row in found]

    def total(self) -> int:
        """All points of all members."""
        found: int = self._ledger.ask("SELECT coalesce(sum(points), 0) FROM entries")[0][0]
        return found


def _worth(verdict: Verdict, shop: Shop) -> int:
    """The points of an amount: by the shop's rate, and no fewer than the slip promised."""
    return max(verdict.amount_minor // shop.spend_per_point, verdict.least)


def _why(fault: ClaimError, url: str, registry: Registry, now: int) -> str:
    """The reason; an old slip whose epoch is over is called expired, as the customer would."""
    if fault.reason == "epoch":
        claim = claims.parse(url).claim
        shop = registry.shop(claim.store)
        if shop is not None and claim.issued_minute * 60 + shop.lifetime_s < now:
            return "expired"
    return fault.reason


decode_claim = msgspec.json.Decoder(ClaimRecord).decode
decode_receipt = msgspec.json.Decoder(ReceiptRecord).decode
