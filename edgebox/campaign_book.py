"""The shop's own changes to its campaigns: drafted, looked at, then in force; on disk, with a revision that goes up.

Owns: `CampaignBook`: what a manager may change without an installer, and the limits of that. Never: the fleet's rules
(where head office has sent some, nothing is changed here), what a campaign does (edgebox/loyalty/campaigns.py), or the
rules file: a change lies over it, so an installer's later edit of the rest is in force as well.

A change is a draft first. A draft gives no points: the page shows what it would have given, and a person puts it in
force. Stopping a campaign needs no draft: it promises nobody anything. Each change names the
revision that it saw, so two managers do not undo each other. A change that can't be read any more, behind an update or
another edit of the file, is left out and said: the file's own campaign counts then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple, Protocol

import msgspec

from edgebox.decisions import Decisions
from edgebox.errors import ConfigError, StoreError
from edgebox.loyalty.campaigns import Campaign
from edgebox.loyalty.rules import Rules
from edgebox.loyalty.windows import DAYS
from edgebox.notices import Health
from edgebox.point_rules import rules_of
from edgebox.rules_file import read_campaigns
from edgebox.settings import Config
from edgebox.store.store import Store

MULTIPLY_MAX_PCT = 300  # three times the points; more is written into the rules file, by somebody who has done the sums
DAYS_MAX = 92  # of a campaign that the page makes: a season. It ends by itself, also when everybody has forgotten it
OWN_MAX = 20  # campaigns besides those of the file; a page of them
FACT = "campaigns.own"
SOURCE = "the shop's campaigns"
OWN_PREFIX = "own-"  # of ids that the page gives out
PART = "campaigns"  # in the box's health


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A campaign as the shop wants it. `row`: as its [[campaign]] would stand in a rules file; `title`: of one that the
    page made; `is_on` false: it does not count."""

    id: str
    title: str = ""
    is_on: bool = True
    row: dict[str, Any] = {}
    at: int = 0
    by: str = ""


class Book(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All changes. `revision`: of the book, one higher with each."""

    revision: int = 0
    force: tuple[Change, ...] = ()
    drafts: tuple[Change, ...] = ()


class Standing(NamedTuple):
    """One campaign. `filed`: as the rules file has it; `now`: as it counts, None: it doesn't; `draft`: on trial."""

    id: str
    title: str
    filed: Campaign | None
    now: Campaign | None
    draft: Change | None
    changed: Change | None


class Host(Protocol):
    """The engine."""

    config: Config
    clock: Callable[[], float]
    decisions: Decisions
    health: Health

    def look_round(self) -> None:
        """How the rules stand is said anew."""


class CampaignBook:
    """A part of the engine."""

    def __init__(self, host: Host) -> None:
        self.book = Book()
        self._host = host
        self._store: Store | None = None
        self._lock = asyncio.Lock()

    # -- life

    async def open(self, store: Store) -> None:
        """What was in force is so again. StoreError; ConfigError `bad_fact`: what is kept can't be read."""
        self._store = store
        raw = await store.get(FACT)
        try:
            self.book = msgspec.json.decode(raw, type=Book) if raw else Book()
        except msgspec.MsgspecError as fault:
            raise ConfigError("the shop's own campaigns can't be read", reason="bad_fact", hint=FACT) from fault
        finally:
            self._host.decisions.own_campaigns = self.applied
        if self.book.force and not self._host.decisions.has_fleet_rules:
            await self._put_in_force()

    async def look(self) -> None:
        """Nothing grows old here: a campaign's dates are judged with each receipt."""

    async def stop(self) -> None:
        """Points are given as long as receipts come."""

    # -- what is asked

    @property
    def is_fleets(self) -> bool:
        """Head office's rules are in force: nothing can be changed here."""
        return self._host.decisions.has_fleet_rules

    async def filed(self) -> Rules:
        """The rules of the settings, without anything of ours. ConfigError."""
        return await asyncio.to_thread(rules_of, self._host.config)

    async def standings(self) -> list[Standing]:
        """All campaigns, in the order in which they count; the fleet's as they are. ConfigError: the file's fault."""
        in_force = {one.id: one for one in self._host.decisions.awards.rules.campaigns}
        if self.is_fleets:
            return [Standing(one.id, one.id, one, one, None, None) for one in _ordered(in_force.values())]
        filed = {one.id: one for one in (await self.filed()).campaigns}
        drafts, forces = _by_id(self.book.drafts), _by_id(self.book.force)
        first = [one.id for one in _ordered((filed | in_force).values())]
        names = [*first, *(name for name in (*forces, *drafts) if name not in first)]
        return [
            Standing(
                name, _title(name, drafts.get(name), forces.get(name)), filed.get(name), in_force.get(name),
                drafts.get(name), forces.get(name),
            )
            for name in dict.fromkeys(names)
        ]  # fmt: skip

    def applied(self, rules: Rules) -> Rules:
        """These rules with the changes in force. One that can't be is left out, and said in the box's health."""
        faults = []
        for change in self.book.force:
            try:
                rules = changed(rules, change)
            except ConfigError as fault:
                faults.append(str(fault))
        if faults:
            self._host.health.note(PART, "warning", "; ".join(faults)[:200])
        else:
            self._host.health.over(PART)
        return rules

    def rehearsed(self, draft: Change) -> Rules:
        """The rules in force with this draft, as if it had always been on: its dates are left out. ConfigError."""
        return changed(self._host.decisions.awards.rules, draft, without_dates=True)

    # -- what people change

    async def draft(self, change: Change, revision: int) -> Change:
        """Keeps a draft, and gives it an id if it has none. ConfigError: as `check_limits`; `fleet`, `revision`,
        `too_many`. StoreError."""
        async with self._lock:
            self._check(revision)
            if not change.id:
                name = self._new_id()
                change = msgspec.structs.replace(change, id=name, row={**change.row, "id": name})
            filed = next((one for one in (await self.filed()).campaigns if one.id == change.id), None)
            check_limits(change, filed, self._today())
            change = msgspec.structs.replace(change, at=int(self._host.clock()))
            await self._keep(self.book.force, _put(self.book.drafts, change))
            return change

    async def discard(self, name: str, revision: int) -> None:
        """Forgets a draft. ConfigError `fleet`, `revision`, `no_campaign`; StoreError."""
        async with self._lock:
            self._check(revision)
            await self._keep(self.book.force, _without(self.book.drafts, self._found(name).id))

    async def put_in_force(self, name: str, revision: int) -> Change:
        """A draft counts from now on. ConfigError: as above, `bad_rules`; StoreError."""
        async with self._lock:
            self._check(revision)
            change = self._found(name)
            changed(await self.filed(), change)  # which may have been edited since
            await self._keep(_put(self.book.force, change), _without(self.book.drafts, name))
            await self._put_in_force()
            return change

    async def stop_campaign(self, name: str, revision: int, by: str) -> None:
        """It does not count from now on. One that the page made is kept as a draft, to be put in force again.
        ConfigError, StoreError."""
        async with self._lock:
            self._check(revision)
            known = _by_id(self.book.force).get(name)
            is_filed = any(one.id == name for one in (await self.filed()).campaigns)
            if known is None and not is_filed:
                raise ConfigError(f"no campaign {name}", reason="no_campaign")
            if is_filed:
                off = Change(
                    id=name, title=known.title if known else "", is_on=False, at=int(self._host.clock()), by=by
                )
                await self._keep(_put(self.book.force, off), self.book.drafts)
            else:
                assert known is not None, "asked before"
                drafts = self.book.drafts if name in _by_id(self.book.drafts) else _put(self.book.drafts, known)
                await self._keep(_without(self.book.force, name), drafts)
            await self._put_in_force()

    # -- inside

    async def _put_in_force(self) -> None:
        """Read in a thread, put to use at once; not if the fleet's have come meanwhile."""
        decisions = self._host.decisions
        rules = await self.filed()
        if not decisions.has_fleet_rules and not decisions.rules_fault:
            decisions.awards.rules = self.applied(rules)

    def _check(self, revision: int) -> None:
        if self.is_fleets:
            raise ConfigError("head office's rules are in force", reason="fleet")
        if revision != self.book.revision:
            raise ConfigError(f"revision {revision} is not {self.book.revision}", reason="revision")

    def _found(self, name: str) -> Change:
        change = _by_id(self.book.drafts).get(name)
        if change is None:
            raise ConfigError(f"no draft of {name}", reason="no_campaign")
        return change

    def _new_id(self) -> str:
        known = {one.id for one in (*self.book.force, *self.book.drafts)}
        if sum(name.startswith(OWN_PREFIX) for name in known) >= OWN_MAX:
            raise ConfigError(f"at most {OWN_MAX} campaigns", reason="too_many")
        return f"{OWN_PREFIX}{self.book.revision + 1}"  # a revision comes once, so no two campaigns are one on receipts

    async def _keep(self, force: tuple[Change, ...], drafts: tuple[Change, ...]) -> None:
        if self._store is None:
            raise StoreError("the campaigns' book is not open", reason="closed")
        book = Book(revision=self.book.revision + 1, force=force, drafts=drafts)
        await self._store.put(FACT, msgspec.json.encode(book))
        self.book = book

    def _today(self) -> date:
        decisions = self._host.decisions
        return decisions.now(int(self._host.clock())).local(decisions.awards.rules.zone).date()


# -- pure


def changed(rules: Rules, change: Change, *, without_dates: bool = False) -> Rules:
    """Rules with one change. ConfigError `bad_rules`: it can't be read."""
    kept = tuple(one for one in rules.campaigns if one.id != change.id)
    if not change.is_on:
        return rules._replace(campaigns=kept)
    (campaign,) = read_campaigns([change.row], SOURCE)
    if campaign.id != change.id:
        raise ConfigError(f"{SOURCE}: {change.id} is {campaign.id}", reason="bad_rules")
    if without_dates:
        campaign = campaign._replace(when=campaign.when._replace(start=None, end=None))
    return rules._replace(campaigns=(*kept, campaign))


def check_limits(change: Change, filed: Campaign | None, today: date) -> None:
    """What a manager may. ConfigError: `bad_rules`, `multiply`, `bonus`, `end`, `dates`; `no_campaign`: to switch off
    what there isn't."""
    if not change.is_on:
        if filed is None:
            raise ConfigError(f"no campaign {change.id}", reason="no_campaign")
        return
    (wanted,) = read_campaigns([change.row], SOURCE)
    most = max(MULTIPLY_MAX_PCT, filed.multiply_pct if filed else 0)
    if wanted.multiply_pct > most:
        raise ConfigError(f"multiply_pct is at most {most}", reason="multiply")
    if wanted.bonus > (filed.bonus if filed else 0):
        raise ConfigError("more points on top are written into the rules file", reason="bonus")
    start, end = wanted.when.start, wanted.when.end
    if start and end and end < start:
        raise ConfigError("it ends before it begins", reason="dates")
    if filed is None and (end is None or not today <= end <= max(today, start or today) + timedelta(DAYS_MAX)):
        raise ConfigError(f"expected an end within {DAYS_MAX} days", reason="end")


def row_of(campaign: Campaign) -> dict[str, Any]:
    """A campaign as its [[campaign]] stands in a rules file."""
    window, when = campaign.when, dict[str, Any]()
    if window.days:
        when["days"] = [DAYS[day] for day in sorted(window.days)]
    for key, minute in (("from", window.from_minute), ("to", window.to_minute)):
        when |= {key: clock_of(minute)} if minute is not None else {}
    for key, day in (("start", window.start), ("end", window.end)):
        when |= {key: day.isoformat()} if day is not None else {}
    return {
        "id": campaign.id, "when": when, "min_spend": campaign.min_spend, "multiply_pct": campaign.multiply_pct,
        "bonus": campaign.bonus, "stack": campaign.stack.value, "group": campaign.group, "priority": campaign.priority,
        "stop": campaign.stop,
    }  # fmt: skip


def clock_of(minute: int) -> str:
    """`14:00`; the end of a day is `24:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _ordered(campaigns: Iterable[Campaign]) -> list[Campaign]:
    return sorted(campaigns, key=lambda one: (one.priority, one.id))


def _by_id(changes: tuple[Change, ...]) -> dict[str, Change]:
    return {one.id: one for one in changes}


def _put(changes: tuple[Change, ...], change: Change) -> tuple[Change, ...]:
    return (*_without(changes, change.id), change)


def _without(changes: tuple[Change, ...], name: str) -> tuple[Change, ...]:
    return tuple(one for one in changes if one.id != name)


def _title(name: str, draft: Change | None, force: Change | None) -> str:
    return next((one.title for one in (draft, force) if one is not None and one.title), name)
