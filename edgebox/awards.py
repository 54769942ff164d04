"""Which receipt gets which slip: the claim that is minted, or the stored one printed again.

Owns: the order of the questions (does it earn, has this receipt a claim already, what is it worth), and the memory of
claims. Never: sockets, files or a clock of its own; keys are handed in.

A receipt's claim id comes from its printed number and date, so a copy or a reprint on any lane finds the token that was
printed before, and prints that one. A bill settled again for another amount keeps its id; its revision goes up.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import NamedTuple

from edgebox.errors import ClaimError
from edgebox.escpos.compose import Body, Press
from edgebox.loyalty import claims
from edgebox.loyalty.keyring import Keyring
from edgebox.model import Confidence, DocumentKind, Modifier, Receipt, TenderKind
from edgebox.settings import Config
from edgebox.slips.points import Offer, Settings, points_slip

REMEMBERED_MAX = 20_000  # claims; a day of the busiest shop, at about 300 bytes each
_WEAK_LABEL = b"edgebox weak claim id v1"


class Granted(NamedTuple):
    """A claim in memory. `printed`: its slip went out; a claim whose slip was late or refused is void."""

    url: str
    amount_minor: int
    revision: int
    printed: bool


class Award(NamedTuple):
    """What a receipt gets. `url` "": nothing, and `why` says so."""

    url: str = ""
    claim_id: bytes = b""
    points: int = 0
    revision: int = 0
    why: str = ""
    again: bool = False  # the stored token, printed again


class Awards:
    """The shop's rules, keys and memory."""

    def __init__(self, config: Config, keys: Keyring | None) -> None:
        self._config = config
        self.keys = keys
        self._granted: OrderedDict[bytes, Granted] = OrderedDict()
        slip = config.slip
        self._slip = Settings(tuple(slip.languages), slip.max_bytes, slip.max_wire_ms)
        self._excluded = frozenset(config.points.excluded_tenders)

    def award(self, receipt: Receipt, document: bytes, now: int) -> Award:
        """The award for a receipt that ended at `now`. `document` names it for weak ids. ClaimError as mint."""
        keys = self.keys
        if keys is None:
            return Award(why="no keys")
        claim_id, weak = self._id(receipt, document, keys)
        known = self._granted.get(claim_id)
        is_reprint = Modifier.REPRINT in receipt.modifiers
        if is_reprint and receipt.kind is DocumentKind.SALE and not weak:
            return self._again(known, claim_id) if known else Award(why="a reprint of a receipt not seen today")
        refusal = self._refusal(receipt, weak)
        if refusal:
            return Award(why=refusal)
        assert receipt.amount_minor is not None, "a receipt that qualifies has an amount"
        if known is not None and known.printed and known.amount_minor == receipt.amount_minor:
            return self._again(known, claim_id)
        revision = known.revision + 1 if known is not None else 0
        url = claims.mint(
            keys,
            claim_id,
            receipt.amount_minor,
            now,
            revision=revision,
            confidence=receipt.confidence,
            weak_id=weak,
            tender_known=bool(receipt.tenders),
            clock_trusted=now >= keys.epochs[0].valid_from,
        )
        self.remember(claim_id, Granted(url, receipt.amount_minor, revision, printed=False))
        return Award(url, claim_id, self.points(receipt.amount_minor), revision)

    def slip(self, award: Award, receipt: Receipt, press: Press) -> Body:
        """The slip's body. SlipError when this printer can't."""
        hours = self._config.claims.lifetime_hours
        known = self._granted[award.claim_id]
        offer = Offer(award.url, award.points, known.amount_minor, receipt.currency, receipt.decimals, hours)
        return points_slip(offer, press, self._slip)

    def points(self, amount_minor: int) -> int:
        """At least so many: what the lowest tier gets."""
        return amount_minor // self._config.points.spend_per_point

    def is_printed(self, claim_id: bytes, url: str) -> bool:
        """This very token is on paper already."""
        known = self._granted.get(claim_id)
        return known is not None and known.printed and known.url == url

    def granted(self, claim_id: bytes) -> Granted | None:
        """A claim in memory."""
        return self._granted.get(claim_id)

    def remember(self, claim_id: bytes, granted: Granted) -> None:
        """Puts a claim into memory; the oldest goes when it is full.

        Two lines may print one bill at once, and their outcomes come in any order: a higher revision stays, and of two
        with the same number the one that is on paper, so that no revision is given out twice.
        """
        known = self._granted.get(claim_id)
        if known is None or (known.revision, known.printed) <= (granted.revision, granted.printed):
            self._granted[claim_id] = granted
        self._granted.move_to_end(claim_id)
        if len(self._granted) > REMEMBERED_MAX:
            self._granted.popitem(last=False)

    # -- inside

    def _again(self, known: Granted, claim_id: bytes) -> Award:
        if not known.printed:
            return Award(why="its claim is void")
        return Award(known.url, claim_id, self.points(known.amount_minor), known.revision, again=True)

    def _refusal(self, receipt: Receipt, weak: bool) -> str:
        """Why this receipt earns nothing; "" it does."""
        amount, points = receipt.amount_minor, self._config.points
        if not receipt.qualifies or amount is None:
            return receipt.reasons[0] if receipt.reasons else receipt.kind.value
        if receipt.confidence is Confidence.LOW:
            return "not sure of the total"
        if amount < points.minimum or not self.points(amount):
            return "below the minimum"
        elsewhere = self._paid_elsewhere(receipt)
        if elsewhere is not None:
            return f"{elsewhere.value} earns elsewhere"
        if weak and self._config.claims.weak == "none":
            return "no printed number or date"
        return ""

    def _paid_elsewhere(self, receipt: Receipt) -> TenderKind | None:
        return next((tender.kind for tender in receipt.tenders if tender.kind in self._excluded), None)

    def _id(self, receipt: Receipt, document: bytes, keys: Keyring) -> tuple[bytes, bool]:
        """The claim's id, and whether it is a weak one (no printed number or date)."""
        try:
            return claims.claim_id(
                keys, receipt.printed_date, receipt.number_scope, receipt.till, receipt.number
            ), False
        except ClaimError:
            return hmac.digest(keys.id_key, _WEAK_LABEL + document, "sha256")[: claims.ID_BYTES], True
