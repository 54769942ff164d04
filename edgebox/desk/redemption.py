"""One code at the desk, from the scan to the slip: what has happened to it, and what may happen next.

Owns: the states, what leads from one to the next, and the record of each end. Never: asks, records or prints
(counter.py does, and tells what came of it).

    SCANNED ──ask──▶ ASKED ──answer──▶ GRANTED ──commit──▶ COMMITTED ──print──▶ PRINTED
       │               │                  ▲
       └──alone────────┴──no answer───────┘            a no at any step before the commit ──▶ REFUSED

The request id never changes, whatever becomes of the question: asked again after a lost answer, a kill or an hour, the
cloud says what it said before. Granted alone, the record carries the same id, so that the cloud's late yes and ours are
one use. Behind the commit there is no way back but a reversal, which is a record of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from edgebox.desk.answers import SAID, Answer, Channel
from edgebox.store.events import RedemptionRecord, RedemptionState


class Phase(StrEnum):
    """How far it is."""

    SCANNED = "scanned"
    ASKED = "asked"
    GRANTED = "granted"
    COMMITTED = "committed"
    PRINTED = "printed"
    REFUSED = "refused"


class Source(StrEnum):
    """Who can say that it is good."""

    COMEBACK = "comeback"  # this box, which printed it
    SIGNED = "signed"  # the cloud; without it this box, within limits
    CLOUD = "cloud"  # the cloud alone
    MALL = "mall"  # as SIGNED or CLOUD, for points: the balance is the cloud's
    PICK_UP = "pick_up"  # the day's list of orders; no coupon at all


class Worth(NamedTuple):
    """What is redeemed. `coupon`: its kind's id, of the mall the goods'; `stock`: its batch's, for counting; `ref`: of
    a comeback or signed coupon; `tier`: of who paid with points, where the cloud says it."""

    coupon: str = ""
    stock: str = ""
    title: str = ""
    value_minor: int = 0
    points: int = 0
    ref: int = 0
    tier: str = ""


NOTHING = Worth()
_NEXT = {
    Phase.SCANNED: {Phase.ASKED, Phase.GRANTED, Phase.REFUSED},
    Phase.ASKED: {Phase.GRANTED, Phase.REFUSED},
    Phase.GRANTED: {Phase.COMMITTED, Phase.REFUSED},
    Phase.COMMITTED: {Phase.PRINTED},
    Phase.PRINTED: set[Phase](),
    Phase.REFUSED: set[Phase](),
}


@dataclass(frozen=True, slots=True)
class Redemption:
    """`code`: keyed hash; `amount_minor`: of the bill, None: not known; `offline`: granted without the cloud."""

    request: str
    code: str
    source: Source
    channel: Channel = Channel.OWN
    cashier: str = ""
    line: str = ""
    amount_minor: int | None = None
    phase: Phase = Phase.SCANNED
    answer: Answer = Answer.FAILURE
    worth: Worth = NOTHING
    offline: bool = False
    number: int = 0
    count: int = 0  # the how manieth of its shift
    at: int = 0  # committed

    def asked(self) -> Redemption:
        """The question is on its way."""
        return self._to(Phase.ASKED)

    def granted(self, worth: Worth, *, offline: bool = False) -> Redemption:
        """Somebody who may has said yes. Others' codes are never granted offline."""
        if offline and self.source is Source.CLOUD:
            raise ValueError("a code that only the cloud knows can't be granted without it")
        return replace(self._to(Phase.GRANTED), worth=worth, offline=offline, answer=Answer.REDEEMED)

    def refused(self, answer: Answer) -> Redemption:
        """No."""
        if answer is Answer.REDEEMED:
            raise ValueError("that is no refusal")
        return replace(self._to(Phase.REFUSED), answer=answer)

    def committed(self, number: int, count: int, at: int) -> Redemption:
        """It is on disk under that number: used, whatever happens now."""
        return replace(self._to(Phase.COMMITTED), number=number, count=count, at=at)

    def printed(self) -> Redemption:
        """The slip is out."""
        return self._to(Phase.PRINTED)

    @property
    def is_final(self) -> bool:
        """The same code will get the same answer."""
        return SAID[self.answer].is_final

    def record(self, at: int, number: int = 0, shift: int = 0) -> RedemptionRecord:
        """As it is written down: granted ones as redeemed, before any paper says so."""
        is_good = self.phase in (Phase.GRANTED, Phase.COMMITTED, Phase.PRINTED)
        return RedemptionRecord(
            at=at,
            request=self.request,
            code=self.code,
            state=RedemptionState.REDEEMED if is_good else RedemptionState.REFUSED,
            reason="" if is_good else self.answer.value,
            source=self.source.value,
            channel="" if self.channel is Channel.OWN else self.channel.value,
            coupon=self.worth.coupon,
            stock=self.worth.stock,
            value_minor=self.worth.value_minor,
            points=self.worth.points,
            ref=self.worth.ref,
            number=number,
            shift=shift,
            cashier=self.cashier,
            line=self.line,
            offline=self.offline,
        )

    def _to(self, phase: Phase) -> Redemption:
        if phase not in _NEXT[self.phase]:
            raise ValueError(f"from {self.phase} to {phase}")
        return replace(self, phase=phase)
