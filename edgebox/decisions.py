"""What the engine makes of a receipt: its award, its slips, and what is written down about both.

Owns: the parts that decide (awards, slips, codes at hand, members) and their order for one document. Never: sockets;
the disk only through the store that is handed in, and never while a cut waits.

All of it can be replaced while the engine runs: new rules, slips and members are there for the next receipt.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from edgebox.awards import Award, Awards, Granted
from edgebox.errors import ClaimError, ConfigError, SlipError
from edgebox.escpos.compose import Body, Press
from edgebox.handout import NOTHING, Handed, Handout
from edgebox.line_desk import Decided
from edgebox.loyalty import claims
from edgebox.loyalty.keyring import Keyring
from edgebox.loyalty.members import Member, Members
from edgebox.loyalty.rules import Rules
from edgebox.loyalty.windows import When, till_agrees
from edgebox.member_at_till import BY_TAG, AtTill, Bill
from edgebox.model import DocumentKind, Receipt
from edgebox.paper.letters import text_raster
from edgebox.point_rules import check_currency, plain_rules, rules_of
from edgebox.settings import Config
from edgebox.slip_facts import Circumstances
from edgebox.slip_shelf import Own, Shelf, filled
from edgebox.slip_stock import Maker, Stock
from edgebox.slips import qr
from edgebox.slips.facts import Facts, Money, facts, host_of
from edgebox.slips.strip import Chosen, Means, Refused, composed, remembered
from edgebox.slips.template import Purpose, Template
from edgebox.store.clock import SystemClock
from edgebox.store.events import ReceiptRecord

DESK_MM, DESK_BYTES = 800, 64 << 10  # of a slip that a person waits for: a tally of a hundred lines
CODES_REMEMBERED = 64  # of links: a shop has a handful
FROM_STOCK = (Purpose.COUPON, Purpose.SOURCE, Purpose.COMEBACK)
_CLOCK = SystemClock()
Fault = Callable[[str, str], None]


def _kernel_says() -> bool:
    """Something has set the kernel's clock by a better one since the boot."""
    return _CLOCK.now().synced


@lru_cache(maxsize=CODES_REMEMBERED)
def _remembered_matrix(data: str, level: str) -> Sequence[int]:
    return qr.matrix(data, level)


class Asked(NamedTuple):
    """What a decision depends on; `parts`: which rules, keys, slips and members."""

    receipt: Receipt
    name: bytes
    press: Press
    minute: int
    synced: bool
    changes: int
    parts: tuple[object, ...]


class Decisions:
    """The shop's awards and slips. `synced`: the box's own clock is right; `secret`: finds what signs comeback coupons,
    asked only if the shop has such a slip.

    Rules or slips with a fault never raise: with bad rules no claims are made, a bad slip is left out, and
    `rules_fault` and `slip_faults` say why."""

    def __init__(
        self,
        config: Config,
        keys: Keyring | None,
        fault: Fault,
        *,
        synced: Callable[[], bool] | None = None,
        secret: Callable[[], bytes] | None = None,
    ) -> None:
        self._config = config
        self._fault = fault
        self._synced = synced or _kernel_says
        self._secret = secret
        self.stock = Stock(fault)
        self._zone = ZoneInfo(config.shop.tz)
        self.members: Members | None = None
        self.at_till = AtTill()
        self.awards = Awards(plain_rules(config), keys, weak=config.claims.weak == "pending")
        self._means = Means()
        self.handout = Handout((), self._means)
        self._desk_slips: dict[Purpose, Template] = {}
        self._ahead: dict[str, tuple[Asked, Decided]] = {}  # by line: decided in a pause, not given out
        self.rules_fault = ""
        self.has_fleet_rules = False
        self.own_campaigns: Callable[[Rules], Rules] = lambda rules: rules  # the shop's own, over those of the settings
        self.own_slips = Own()  # the shop's own, made on the page
        self.shelved = Shelf((), {})
        self.slip_faults: tuple[str, ...] = ()
        self.use_rules(None)
        self.use_slips()

    # -- one document

    def decide(self, receipt: Receipt, name: bytes, line: str, press: Press, at: int) -> Decided:
        """The award and the slips for a document that ended `at` (seconds since 1970)."""
        asked, decided = self._ahead.pop(line, (None, None))
        if decided is not None and asked == self._asked(receipt, name, press, at):
            self.awards.keep(decided.award)
            return decided
        when = self.when(receipt, at)
        try:
            award = self.awards.award(receipt, name, when, self._tier(receipt, when))
        except ClaimError as fault:
            self._fault("claim", f"{fault.reason}: {fault}")
            award = Award(why=fault.reason)
        handed = self._handed(receipt, award, line, press, when)
        for refused in handed.strip.refused:
            award = self._without(award, refused)
        award = self._on_paper(award, handed)
        return Decided(receipt, award, handed.strip.body.raw, handed)

    def decide_ahead(self, receipt: Receipt, name: bytes, line: str, press: Press, at: int) -> None:
        """The same in a till's pause, with nothing given out: what a `decide` that is asked the very same then takes.

        Not where a code would be used up, and not where something goes wrong: that is said once, at the end.
        """
        self._ahead.pop(line, None)
        if self.handout.takes_codes:
            return
        when = self.when(receipt, at)
        with contextlib.suppress(ClaimError):
            award = self.awards.award(receipt, name, when, self._tier(receipt, when), keep=False)
            handed = self._handed(receipt, award, line, press, when)
            if not handed.strip.refused:
                award = self._on_paper(award, handed)
                decided = Decided(receipt, award, handed.strip.body.raw, handed)
                self._ahead[line] = self._asked(receipt, name, press, at), decided

    def _asked(self, receipt: Receipt, name: bytes, press: Press, at: int) -> Asked:
        """All that a decision depends on. By the minute: tokens, slips and rules know no seconds."""
        awards = self.awards
        parts = (awards.rules, awards.refusal, awards.keys, self.handout, self.members)
        return Asked(receipt, name, press, at // 60, self._synced(), awards.changes, parts)

    def _handed(self, receipt: Receipt, award: Award, line: str, press: Press, when: When) -> Handed:
        member = self._member(receipt, when)
        around = self._around(receipt, line, when, member)
        press = press._replace(matrix=self._matrix, text_raster=text_raster)
        return self.handout.hand(receipt, award, self.awards.hours(self._config.shop.trade), around, press)

    def _tier(self, receipt: Receipt, when: When) -> str:
        member = self._member(receipt, when)
        return member.tier if member else ""

    def with_member(self, line: str, receipt: Receipt, name: bytes, *, is_past: bool = False) -> Receipt:
        """A sale with who stands at its till, or stood there then. `name` b"": the document has not ended."""
        if is_past:
            return self.at_till.remembered(receipt, name)
        return self.at_till.attached(line, receipt, name, Bill(*self.awards.bill(receipt)))

    def claim_slip(self, granted: Granted, press: Press) -> Body:
        """The slip of a claim that was given out, once more. SlipError; `no_slip`: none of the shop's slips has it."""
        template = next((one for one in self.handout.templates if one.purpose is Purpose.CLAIM), None)
        if template is None:
            raise SlipError("no slip with a claim is among [slip] show", reason="no_slip")
        shop = self._config.shop
        said = facts(
            {
                "shop": shop.name,
                "url": granted.url,
                "host": host_of(granted.url),
                "points": str(granted.points or self.awards.points(granted.amount_minor)),
                "hours": str(self.awards.hours(shop.trade) or ""),
                "amount": Money(granted.amount_minor, shop.currency, shop.decimals),
            }
        )
        press = press._replace(matrix=remembered(self._matrix), text_raster=text_raster)
        return composed(Chosen(template, said), press, self._means)

    def desk_slip(self, purpose: Purpose, say: Callable[[tuple[str, ...]], Facts], press: Press) -> Body | None:
        """A slip that the coupon desk asks for; None: the shop doesn't want it on paper. SlipError.

        `say`: what it says in some languages; a printer that lacks the shop's gets English.
        """
        template = self._desk_slips.get(purpose)
        if template is None:
            raise SlipError(f"there is no {purpose.value} slip", reason="no_slip")
        if template.shadow:
            return None
        means = self._means._replace(max_mm=DESK_MM, max_bytes=DESK_BYTES, max_wire_ms=0)
        press = press._replace(matrix=remembered(self._matrix), text_raster=text_raster)
        try:
            return composed(Chosen(template, say(means.languages)), press, means)
        except SlipError as fault:
            if fault.reason != "script":
                raise
            return composed(Chosen(template, say(("en",))), press, means._replace(languages=("en",)))

    def coupon_maker(self) -> Maker | None:
        """What signed this box's comeback coupons: they are good also when no slip offers them any more."""
        if self.stock.maker is None:
            self.stock.maker = self._maker()
        return self.stock.maker

    def now(self, at: int) -> When:
        """The box's own time, and whether it is to be believed."""
        return When(at, self._synced())

    def is_shown(self, purpose: Purpose) -> bool:
        """One of the slips in `[slip] show` is for this."""
        return bool(self.handout.names(purpose))

    def when(self, receipt: Receipt, at: int) -> When:
        """The time, and whether it is to be believed: the box's clock is set, or the till's own clock says the same."""
        trusted = self._synced()
        if not trusted:
            trusted = till_agrees(When(at), self._zone, receipt.printed_date, receipt.printed_time)
        return When(at, trusted)

    @property
    def needs_items(self) -> bool:
        """Points depend on what was sold, or on the tax."""
        rules = self.awards.rules
        return bool(rules.item_rules) or rules.by_line or not rules.basis.with_tax

    def warm(self, presses: Sequence[Press]) -> None:
        """One claim minted and the slips composed, so that the first real ones pay for nothing. Remembers nothing."""
        keys = self.awards.keys
        if keys is None:
            return
        at = keys.epochs[0].valid_from
        url = claims.mint(keys, bytes(claims.ID_BYTES), 100, at)
        receipt = Receipt(DocumentKind.SALE, qualifies=True, amount_minor=10**6, currency=self._config.shop.currency)
        around = self._around(receipt, "", When(at), None)
        scratch = Handout(self.handout.templates, self._means)
        for press in presses:
            equipped = press._replace(matrix=self._matrix, text_raster=text_raster)
            scratch.hand(receipt, Award(url, points=1, amount_minor=100), 72, around, equipped)

    # -- what may be replaced while it runs

    def use_rules(self, rules: Rules | None) -> None:
        """Other rules; None: those of the settings, with the shop's own campaigns (edgebox/campaign_book.py).

        ConfigError `bad_rules`: in another currency. Then, as with a faulty file, no claim is made until there are good
        ones: the receipt is recorded, and wrong points are worse than none.
        """
        self.has_fleet_rules = rules is not None
        try:
            if rules is None:
                self.awards.rules = self.own_campaigns(rules_of(self._config))
            else:
                check_currency(rules, self._config)
                self.awards.rules = rules
        except ConfigError as fault:
            self.refuse_rules(fault)
            if rules is not None:
                raise
        else:
            self.rules_fault = self.awards.refusal = ""

    def refuse_rules(self, fault: ConfigError) -> None:
        """There are rules, but they can't be used."""
        self.rules_fault = str(fault.args[0])
        self.awards.refusal = "the points rules have a fault"
        self._fault("rules", self.rules_fault)

    def shelf(self, more: Iterable[Template] = (), show: Sequence[str] | None = None) -> Shelf:
        """The slips to be shown: `show` of them, or those of the settings. `more`: besides those in files. Blocks."""
        # Where head office says what is shown, the shop's own are not.
        own = self.own_slips if show is None else Own()
        found = filled(self._config.slip.show if show is None else show, more, own)
        return found._replace(show=None if show is None else tuple(show))

    def use_shelf(self, shelf: Shelf) -> None:
        """These slips from now on; a member's count of today goes on."""
        self.shelved, self.slip_faults = shelf, shelf.faults
        for fault in shelf.faults:
            self._fault("slips", fault)
        slip = self._config.slip
        self._means = Means(tuple(slip.languages), slip.max_mm, slip.max_bytes, slip.max_wire_ms, shelf.images)
        self._desk_slips = {template.purpose: template for template in shelf.desk}
        self.stock.want(shelf.shown)
        if self.stock.maker is None and any(one.purpose is Purpose.COMEBACK for one in shelf.shown):
            self.stock.maker = self._maker()
        self.handout = Handout(shelf.shown, self._means, dict.fromkeys(FROM_STOCK, self.stock), before=self.handout)

    def use_slips(self, more: Iterable[Template] = (), show: Sequence[str] | None = None) -> None:
        """Both at once, where nobody waits."""
        self.use_shelf(self.shelf(more, show))

    def use_members(self, members: Members | None) -> None:
        """Another table of members; None: nobody is known."""
        self.members = members

    def note(self, record: ReceiptRecord) -> None:
        """A receipt that is on disk: what its member was given, and what was promised today."""
        self._ahead.clear()
        local = datetime.fromtimestamp(record.at, UTC).astimezone(self._zone)
        self.handout.note(record.member, record.slips, local.date())
        self.at_till.recorded(record)
        if record.claim and not record.voided and record.points:
            self.awards.promise(record.points, When(record.at))

    # -- inside

    def _maker(self) -> Maker | None:
        if self._secret is None:
            return None
        keys = self.awards.keys
        try:
            secret = self._secret()
        except ConfigError as fault:
            self._fault("slips", f"no comeback coupons: {fault}")
            return None
        return Maker(secret, keys.device if keys is not None else 0, self._config.slip.coupon_prefix)

    def _matrix(self, data: str, level: str) -> Sequence[int]:
        """A claim's bits look random and suit any mask; other codes are the same all day, and worth remembering."""
        keys = self.awards.keys
        if keys is not None and data.startswith(keys.prefix):
            return qr.claim_matrix(data, level)
        return _remembered_matrix(data, level)

    def _member(self, receipt: Receipt, when: When) -> Member | None:
        if self.members is None or not _proven(receipt):
            return None
        return self.members.find(_proven(receipt), when.at, clock_trusted=when.trusted)

    def _around(self, receipt: Receipt, line: str, when: When, member: Member | None) -> Circumstances:
        return Circumstances(
            shop=self._config.shop.name,
            line=line,
            local=when.local(self._zone),
            trusted=when.trusted,
            member=_proven(receipt),
            tier=member.tier if member else "",
            segment=member.segment if member else "",
            tier_words=member.tier if member else "",
        )

    def _without(self, award: Award, refused: Refused) -> Award:
        """A slip that could not be printed; without the one with the claim there is no claim."""
        self._fault("slip", f"{refused.name}: {refused.reason}")
        return Award(why=refused.reason) if refused.name in self._claim_slips() and award.url else award

    def _on_paper(self, award: Award, handed: Handed) -> Award:
        """A claim whose slip isn't among those printed is none, even if others are: nobody holds it."""
        names = self._claim_slips()
        if not award.url or names & set(handed.strip.names):
            return award
        if names & set(handed.shadowed):
            return award._replace(url="", claim_id=b"", revision=0, again=False, why="its slip is in shadow mode")
        return Award(why="no slip with a claim was due")

    def _claim_slips(self) -> frozenset[str]:
        return self.handout.names(Purpose.CLAIM)


def _proven(receipt: Receipt) -> str:
    """The member that rules and slips go by. A tag can be copied: who is known by it alone is recorded, and no more."""
    return "" if BY_TAG in receipt.details.attached else receipt.details.member


def nothing(receipt: Receipt, why: str) -> Decided:
    """No award and no slip."""
    return Decided(receipt, Award(why=why), b"", NOTHING)
