"""The shop's own slips, made on the managers' page: drafted, in shadow mode beside what is printed, then in force.

Owns: `SlipBook`: what was drafted and what is in force, on disk with a revision that goes up; a draft is judged by
edgebox/slip_files.py as a file is, so none with a fault is ever kept. Never: /etc, or the fleet's slips: where head
office has sent one of a name, it is used, and where it says which ones are shown, the shop's own rest.

A draft is decided and recorded with each receipt, and printed with none: after a day the page says with how many
receipts it would have been. Each change names the revision that it saw, so two managers do not undo each other. A slip
that can't be read any more behind an update is left out and said: the one of its name in files is used.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tomllib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import msgspec

from edgebox import slip_shelf
from edgebox.decisions import Decisions
from edgebox.errors import ConfigError, StoreError
from edgebox.notices import Health
from edgebox.settings import Config
from edgebox.slip_files import SHIPPED, slip_from
from edgebox.slip_shelf import DRAFT, Own, missing_picture
from edgebox.slips.template import Template
from edgebox.store.store import Store

FACT = "slips.own"
OWN_MAX = 20  # slips; a shop shows a handful
TABLE_BYTES = 32 << 10  # of one, as JSON: the largest that is shipped has 2 KB
PART = "slips own"  # in the box's health
SOURCE = "the shop's own slips"
SEEN_RECEIPTS = 500  # the newest, asked for what a draft would have come to
_SHADOWED = """SELECT j.body FROM receipts r JOIN journal j USING (place) WHERE r.at >= ?
    ORDER BY r.at DESC LIMIT ?"""


class OwnSlip(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One. `table`: as its file would be; `at`: since when, seconds since 1970."""

    table: dict[str, Any]
    at: int = 0
    by: str = ""

    @property
    def name(self) -> str:
        """The slip's."""
        return str(self.table.get("name", ""))


class Book(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of them. `revision`: one higher with each change."""

    revision: int = 0
    force: tuple[OwnSlip, ...] = ()
    drafts: tuple[OwnSlip, ...] = ()


class Seen(NamedTuple):
    """What a draft would have come to: `printed` of `receipts` since it was drafted, the newest SEEN_RECEIPTS."""

    receipts: int
    printed: int


class _Shadowed(msgspec.Struct, frozen=True):
    kind: str = ""
    shadowed: tuple[str, ...] = ()


_shadowed = msgspec.json.Decoder(_Shadowed)


class Host(Protocol):
    """The engine."""

    config: Config
    clock: Callable[[], float]
    decisions: Decisions
    health: Health

    def look_round(self) -> None:
        """Codes for slips are fetched, and how they stand is said anew."""


class SlipBook:
    """A part of the engine."""

    def __init__(self, host: Host) -> None:
        self.book = Book()
        self._host = host
        self._store: Store | None = None
        self._lock = asyncio.Lock()
        self._faults: list[str] = []

    # -- life

    async def open(self, store: Store) -> None:
        """What was in force is so again. StoreError; ConfigError `bad_fact`: what is kept can't be read."""
        self._store = store
        raw = await store.get(FACT)
        try:
            self.book = msgspec.json.decode(raw, type=Book) if raw else Book()
        except msgspec.MsgspecError as fault:
            raise ConfigError("the shop's own slips can't be read", reason="bad_fact", hint=FACT) from fault
        if self.book.force or self.book.drafts:
            await self._use()

    async def look(self) -> None:
        """Nothing grows old here."""

    async def stop(self) -> None:
        """Slips are printed as long as receipts come."""

    # -- what is asked

    @property
    def is_fleets(self) -> bool:
        """Head office says what is shown: the shop's own rest."""
        return self._host.decisions.shelved.show is not None

    def fleets(self) -> frozenset[str]:
        """Names of slips that head office has sent: those are used."""
        return frozenset(one.name for one in self._host.decisions.shelved.fleets)

    def table(self, name: str) -> dict[str, Any] | None:
        """A slip as it would be edited: the draft, the shop's own, or that of a file. Blocks."""
        for known in (self.book.drafts, self.book.force):
            if name in _by_name(known):
                return dict(_by_name(known)[name].table)
        for folder in (slip_shelf.OWN_SLIPS, SHIPPED):
            path = folder / f"{name}.toml"
            if path.is_file():
                try:
                    return tomllib.loads(path.read_text("utf-8"))
                except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
                    continue  # said by the shelf; the one below it is used
        return None

    async def seen(self, draft: OwnSlip) -> Seen:
        """What it would have come to so far. StoreError."""
        assert self._store is not None, "parts are opened with the store"
        return await self._store.read(lambda db: _seen(db, draft))

    # -- what people change

    async def draft(self, table: dict[str, Any], by: str, revision: int) -> OwnSlip:
        """Keeps a draft and puts it into shadow mode. ConfigError: `bad_slip` with every fault, `fleet`, `revision`,
        `too_many`, `bad_picture`; StoreError."""
        async with self._lock:
            self._check(revision)
            template = judged(table)
            words = await asyncio.to_thread(missing_picture, template)
            if words:
                raise ConfigError(words, reason="bad_picture")
            if template.name in self.fleets():
                raise ConfigError(f"{template.name} is head office's", reason="fleet")
            names = {one.name for one in (*self.book.force, *self.book.drafts)} | {template.name}
            if len(names) > OWN_MAX:
                raise ConfigError(f"at most {OWN_MAX} slips", reason="too_many")
            # A slip that says "shadow" itself would still be on trial when somebody has put it in force.
            plain = {key: value for key, value in table.items() if key != "shadow"}
            one = OwnSlip(table=plain, at=int(self._host.clock()), by=by)
            await self._keep(self.book.force, _put(self.book.drafts, one))
            return one

    async def put_in_force(self, name: str, revision: int) -> OwnSlip:
        """A draft is printed from the next receipt on. ConfigError `fleet`, `revision`, `no_slip`; StoreError."""
        async with self._lock:
            self._check(revision)
            one = _by_name(self.book.drafts).get(name)
            if one is None:
                raise ConfigError(f"no draft of {name}", reason="no_slip")
            judged(one.table)  # a newer version may see it otherwise
            now = msgspec.structs.replace(one, at=int(self._host.clock()))
            await self._keep(_put(self.book.force, now), _without(self.book.drafts, name))
            return now

    async def drop(self, name: str, revision: int, *, is_draft: bool) -> OwnSlip:
        """Forgets a draft, or one in force: that of its name in files is used again. ConfigError, StoreError."""
        async with self._lock:
            self._check(revision)
            known = _by_name(self.book.drafts if is_draft else self.book.force).get(name)
            if known is None:
                raise ConfigError(f"no slip {name} of the shop's own", reason="no_slip")
            force = self.book.force if is_draft else _without(self.book.force, name)
            drafts = _without(self.book.drafts, name) if is_draft else self.book.drafts
            await self._keep(force, drafts)
            return known

    # -- inside

    def _check(self, revision: int) -> None:
        if self.is_fleets:
            raise ConfigError("head office says which slips are shown", reason="fleet")
        if revision != self.book.revision:
            raise ConfigError(f"revision {revision} is not {self.book.revision}", reason="revision")

    async def _keep(self, force: tuple[OwnSlip, ...], drafts: tuple[OwnSlip, ...]) -> None:
        """On disk, then in force."""
        if self._store is None:
            raise StoreError("the book of slips is not open", reason="closed")
        book = Book(revision=self.book.revision + 1, force=force, drafts=drafts)
        await self._store.put(FACT, msgspec.json.encode(book))
        self.book = book
        await self._use()

    async def _use(self) -> None:
        """Files are read in a thread; if the fleet has changed its slips meanwhile, once more."""
        decisions = self._host.decisions
        self._faults.clear()
        decisions.own_slips = Own(self._templates(self.book.force), self._templates(self.book.drafts))
        if self._faults:
            self._host.health.note(PART, "warning", "; ".join(self._faults)[:200])
        else:
            self._host.health.over(PART)
        while True:
            before = decisions.shelved
            shelf = await asyncio.to_thread(decisions.shelf, before.fleets, before.show)
            if decisions.shelved is before:
                break
        decisions.use_shelf(shelf)
        self._host.look_round()

    def _templates(self, slips: Iterable[OwnSlip]) -> tuple[Template, ...]:
        found = []
        for one in slips:
            try:
                found.append(judged(one.table))
            except ConfigError as fault:
                self._faults.append(str(fault.args[0]))
        return tuple(found)


# -- pure


def judged(table: dict[str, Any]) -> Template:
    """The template. ConfigError `bad_slip` names every fault, each on a line of its own."""
    if len(msgspec.json.encode(table)) > TABLE_BYTES:
        raise ConfigError(f"{SOURCE}: over {TABLE_BYTES >> 10} KB", reason="bad_slip")
    return slip_from(table, SOURCE)


def _seen(db: sqlite3.Connection, draft: OwnSlip) -> Seen:
    name, receipts, printed = draft.name + DRAFT, 0, 0
    for (body,) in db.execute(_SHADOWED, (draft.at, SEEN_RECEIPTS)):
        try:
            record = _shadowed.decode(body)
        except msgspec.MsgspecError:  # of a newer version
            continue
        receipts += record.kind == "sale"
        printed += name in record.shadowed
    return Seen(receipts, printed)


def _by_name(slips: Iterable[OwnSlip]) -> dict[str, OwnSlip]:
    return {one.name: one for one in slips}


def _put(slips: tuple[OwnSlip, ...], one: OwnSlip) -> tuple[OwnSlip, ...]:
    return (*_without(slips, one.name), one)


def _without(slips: tuple[OwnSlip, ...], name: str) -> tuple[OwnSlip, ...]:
    return tuple(one for one in slips if one.name != name)
