"""What a receipt earns: a claim that is minted, or the stored one printed again.

Owns: the order of the questions (has this receipt a claim already, does it earn, what is it worth), the memory of
claims, and how many points this box has promised today. Never: sockets, files or a clock of its own; keys are handed
in. Never: what rules mean (edgebox/loyalty/rules.py), or how a slip looks (edgebox/handout.py).

A receipt's claim id comes from its printed number and date, so a copy or a reprint on any lane finds the token that was
printed before, and prints that one. A bill settled again for another amount keeps its id; its revision goes up. A
reprint of a receipt whose slip was never printed gets the next revision: nobody holds the one before.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from datetime import date
from typing import NamedTuple

from edgebox.errors import ClaimError
from edgebox.loyalty import claims
from edgebox.loyalty.keyring import Keyring
from edgebox.loyalty.rules import Points, Rules, divide, evaluate
from edgebox.loyalty.sales import sale_of
from edgebox.loyalty.windows import When
from edgebox.model import DocumentKind, Modifier, Receipt, TenderKind

REMEMBERED_MAX = 10_000  # claims; more than a day of the busiest shop, at about 500 bytes each
_WEAK_LABEL = b"edgebox weak claim id v1"


class Granted(NamedTuple):
    """A claim in memory. `printed`: its slip went out; a claim whose slip was late or refused is void."""

    url: str
    amount_minor: int
    revision: int
    printed: bool
    points: int = 0


class Award(NamedTuple):
    """What a receipt gets. `url` "": nothing, and `why` says so.

    `amount_minor`: what earns; `pending`: the cloud must confirm; `campaigns`: those that made a difference; `flagged`:
    a person should look at it.
    """

    url: str = ""
    claim_id: bytes = b""
    points: int = 0
    revision: int = 0
    why: str = ""
    again: bool = False  # the stored token, printed again
    amount_minor: int = 0
    pending: bool = False
    campaigns: tuple[str, ...] = ()
    flagged: bool = False


class Awards:
    """The shop's rules, keys and memory. `rules` may be replaced at any time. `weak`: receipts without a printed number
    or date get a claim, too, for the cloud to confirm."""

    def __init__(self, rules: Rules, keys: Keyring | None, *, weak: bool = False) -> None:
        self.rules = rules
        self.refusal = ""  # why no claim is made at all: rules with a fault
        self.keys = keys
        self._weak = weak
        self._granted: OrderedDict[bytes, Granted] = OrderedDict()
        self._day = date.min
        self._day_points = 0
        self.changes = 0  # of what is remembered and promised: an award made before the last one may not hold

    def award(self, receipt: Receipt, document: bytes, when: When, tier: str = "", *, keep: bool = True) -> Award:
        """The award for a receipt that ended at `when`. `document` names it for weak ids; `tier`: of a member known at
        print; not `keep`: nobody has it before `keep` is called. ClaimError as mint."""
        keys = self.keys
        if keys is None or self.refusal:
            return Award(why=self.refusal or "no keys")
        claim_id, weak = self._id(receipt, document, keys)
        known = self._granted.get(claim_id)
        sale = sale_of(receipt)
        if Modifier.REPRINT in receipt.modifiers and receipt.kind is DocumentKind.SALE and not weak:
            if known is None:
                return Award(why="a reprint of a receipt not seen today")
            if known.printed:
                return self._again(known, claim_id)
            # The reader lets no reprint earn anew. This one's receipt did earn, and nobody holds its claim.
            sale = sale._replace(qualifies=sale.net_minor == known.amount_minor)
        earned = evaluate(self.rules, sale, when, tier, day_points=self._promised(when))
        if earned.refusal is not None:
            return Award(why=earned.steps[0], flagged=earned.flagged)
        if weak and not self._weak:
            return Award(why="no printed number or date")
        assert earned.earning_minor is not None, "what earns has an amount"
        if known is not None and known.printed and known.amount_minor == earned.earning_minor:
            return self._again(known, claim_id)
        award = self._minted(receipt, earned, claim_id, weak, known, when, keys)
        if keep:
            self.keep(award)
        return award

    def keep(self, award: Award) -> None:
        """A minted award is given out."""
        if award.url and not award.again:
            granted = Granted(award.url, award.amount_minor, award.revision, printed=False, points=award.points)
            self.remember(award.claim_id, granted)

    def points(self, amount_minor: int) -> int:
        """At least so many: what the lowest tier gets without any campaign."""
        return divide(amount_minor, self.rules.tier("").spend_per_point, self.rules.rounding)

    def hours(self, trade: str) -> int:
        """How long a claim is good, in whole hours; 90 minutes are said to be one."""
        return max(1, self.rules.claim.lifetime_s(trade) // 3600)

    def is_printed(self, claim_id: bytes, url: str) -> bool:
        """This very token is on paper already."""
        known = self._granted.get(claim_id)
        return known is not None and known.printed and known.url == url

    def bill(self, receipt: Receipt) -> tuple[str, bool]:
        """The id that a receipt's copies have, too, in hex, and whether there was a sale with it; "": it has none."""
        if self.keys is None or receipt.kind is not DocumentKind.SALE:
            return "", False
        claim_id, weak = self._id(receipt, b"", self.keys)
        return ("", False) if weak else (claim_id.hex(), claim_id in self._granted)

    def granted(self, claim_id: bytes) -> Granted | None:
        """A claim in memory."""
        return self._granted.get(claim_id)

    def remember(self, claim_id: bytes, granted: Granted) -> None:
        """Puts a claim into memory; the oldest goes when it is full.

        Two lines may print one bill at once, and their outcomes come in any order: a higher revision stays, and of two
        with the same number the one that is on paper, so that no revision is given out twice.
        """
        self.changes += 1
        known = self._granted.get(claim_id)
        if known is None or (known.revision, known.printed) <= (granted.revision, granted.printed):
            self._granted[claim_id] = granted
        self._granted.move_to_end(claim_id)
        if len(self._granted) > REMEMBERED_MAX:
            self._granted.popitem(last=False)

    def promise(self, points: int, when: When) -> None:
        """Points that went out on paper count against the day's cap."""
        self.changes += 1
        day = when.local(self.rules.zone).date()
        if day != self._day:
            self._day, self._day_points = day, 0
        self._day_points += points

    # -- inside

    def _promised(self, when: When) -> int:
        return self._day_points if when.local(self.rules.zone).date() == self._day else 0

    def _minted(
        self,
        receipt: Receipt,
        earned: Points,
        claim_id: bytes,
        weak: bool,
        known: Granted | None,
        when: When,
        keys: Keyring,
    ) -> Award:
        amount = earned.earning_minor
        assert amount is not None, "what earns has an amount"
        revision = known.revision + 1 if known is not None else 0
        url = claims.mint(
            keys,
            claim_id,
            amount,
            when.at,
            revision=revision,
            confidence=receipt.confidence,
            weak_id=weak,
            tender_known=_tenders_known(receipt),
            clock_trusted=when.trusted and when.at >= keys.epochs[0].valid_from,
        )
        pending = earned.pending or weak
        return Award(url, claim_id, earned.points, revision, "", False, amount, pending, earned.applied, earned.flagged)

    def _again(self, known: Granted, claim_id: bytes) -> Award:
        if not self.rules.claim.reprint_again:
            return Award(why="its slip was printed before")
        points = known.points or self.points(known.amount_minor)
        return Award(known.url, claim_id, points, known.revision, again=True, amount_minor=known.amount_minor)

    def _id(self, receipt: Receipt, document: bytes, keys: Keyring) -> tuple[bytes, bool]:
        """The claim's id, and whether it is a weak one (no printed number or date)."""
        try:
            return claims.claim_id(
                keys, receipt.printed_date, receipt.number_scope, receipt.till, receipt.number
            ), False
        except ClaimError:
            return hmac.digest(keys.id_key, _WEAK_LABEL + document, "sha256")[: claims.ID_BYTES], True


def _tenders_known(receipt: Receipt) -> bool:
    return bool(receipt.tenders) and all(tender.kind is not TenderKind.OTHER for tender in receipt.tenders)
