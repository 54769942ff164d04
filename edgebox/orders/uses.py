"""What the engine does with bundles while it runs: rules, slips, members, receipt profiles and words.

Owns: how each is put to use and taken out of use again, and what only a running shop can say about one: its currency,
the slips and pictures in its files. Never: keeps a bundle, or knows its shape (contents.py).

What takes time (files, words, tables of 15,000 rows) is read in a thread; what is then put to use is put there at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from edgebox import slip_shelf
from edgebox.beacons import sending
from edgebox.beacons.radio import Radio
from edgebox.beacons.sending import Sending
from edgebox.config import load_lexicon
from edgebox.decisions import Decisions
from edgebox.desk.desk import Desk
from edgebox.errors import ConfigError
from edgebox.loyalty.members import Members
from edgebox.loyalty.rules import Rules
from edgebox.orders import contents
from edgebox.orders.bundles import Checked, User
from edgebox.orders.contents import Rejected
from edgebox.point_rules import check_currency
from edgebox.receipt.lexicon import Lexicon
from edgebox.receipt.profiles import Profile
from edgebox.settings import Config
from edgebox.slip_shelf import Shelf
from sync.bundles import Kept
from sync.contract import BundleKind
from sync.contract_commands import Role

_T = TypeVar("_T")


class Reads(Protocol):
    """The engine, as far as it reads and rewards receipts."""

    @property
    def config(self) -> Config:
        """The settings in force."""

    @property
    def desk(self) -> Desk:
        """Who hands orders out."""

    @property
    def decisions(self) -> Decisions:
        """Its awards and slips."""

    def use_profiles(self, more: Sequence[Profile]) -> None:
        """Besides those in files."""

    def use_words(self, lexicon: Lexicon) -> None:
        """These, and no others."""

    def look_round(self) -> None:
        """Fetches codes for slips, and says how rules and slips stand."""


class _Use(Generic[_T]):
    """A kind that is put to use at once. `make` may block and raise; `use` neither blocks nor waits. `more`: what the
    box finds wrong with a content of the right shape; may block."""

    def __init__(
        self,
        kind: BundleKind,
        make: Callable[[bytes | None], _T],
        use: Callable[[_T], None],
        more: Callable[[bytes], Rejected] | None = None,
    ) -> None:
        self._kind = kind
        self._make = make
        self._use = use
        self._more = more

    def check(self, content: bytes, role: Role) -> Checked:
        """By the shape, and by the part itself. Blocks."""
        rejected = contents.rejected(self._kind, content)
        return Checked(rejected or (self._more(content) if self._more else {}))

    async def take(self, kept: Kept | None) -> bool:
        """In force when it returns."""
        self._use(await asyncio.to_thread(self._make, bytes(kept.content) if kept is not None else None))
        return True


class _PickUps:
    """The desk's list of orders: on disk when it is in force."""

    def __init__(self, engine: Reads) -> None:
        self._engine = engine

    def check(self, content: bytes, role: Role) -> Checked:
        """By the shape; and no two orders under one name. Blocks."""
        return Checked(contents.rejected(BundleKind.PICK_UPS, content))

    async def take(self, kept: Kept | None) -> bool:
        """In force when it returns. StoreError: the list before is."""
        given = contents.pick_ups(bytes(kept.content)) if kept is not None else None
        revision = kept.revision if kept is not None else 0
        orders, box = (given.orders, given.box) if given is not None else ((), "")
        await self._engine.desk.services.use_list(revision, orders, box)
        return True


def users(engine: Reads) -> dict[BundleKind, User]:
    """Who uses what on this box."""

    def words(content: bytes | None) -> Lexicon:
        more = [contents.words(content)] if content is not None else []
        return load_lexicon(engine.config.shop.languages, more=more)

    def profiles(content: bytes | None) -> Sequence[Profile]:
        return contents.profiles(content) if content is not None else ()

    def members(content: bytes | None) -> Members | None:
        return contents.members(content) if content is not None else None

    return {
        BundleKind.PICK_UPS: _PickUps(engine),
        BundleKind.PROFILES: _Use(BundleKind.PROFILES, profiles, engine.use_profiles),
        BundleKind.LEXICON: _Use(BundleKind.LEXICON, words, engine.use_words),
        BundleKind.MEMBERS: _Use(BundleKind.MEMBERS, members, engine.decisions.use_members),
        BundleKind.RULES: _rules(engine),
        BundleKind.SLIPS: _slips(engine),
    }


def senders(parts: Iterable[object]) -> dict[BundleKind, User]:
    """Who uses what the box says on the air; nobody where there is no radio."""
    radio = next((part for part in parts if isinstance(part, Radio)), None)
    if radio is None:
        return {}

    def make(content: bytes | None) -> Sending | None:
        return sending.of_content(content) if content is not None else None

    return {BundleKind.BEACONS: _Use(BundleKind.BEACONS, make, radio.use)}


def _rules(engine: Reads) -> User:
    """Rules that can't be used any more, after an update or in a shop whose currency was changed, mean no claims: those
    of the file are not what the fleet wanted either."""

    def make(content: bytes | None) -> Rules | ConfigError | None:
        try:
            return contents.rules(content, engine.config.shop.tz) if content is not None else None
        except ConfigError as fault:
            return fault

    def use(found: Rules | ConfigError | None) -> None:
        try:
            if isinstance(found, ConfigError):
                engine.decisions.refuse_rules(found)
                raise found
            engine.decisions.use_rules(found)
        finally:
            engine.look_round()

    def currency(content: bytes) -> Rejected:
        try:
            check_currency(contents.rules(content), engine.config)
        except ConfigError as fault:
            return {"currency": str(fault.args[0])}
        return {}

    return _Use(BundleKind.RULES, make, use, currency)


def _slips(engine: Reads) -> User:
    def make(content: bytes | None) -> Shelf:
        templates, show = contents.slips(content) if content is not None else ((), None)
        return engine.decisions.shelf(templates, show)

    def use(shelf: Shelf) -> None:
        engine.decisions.use_shelf(shelf)
        engine.look_round()

    def on_the_shelf(content: bytes) -> Rejected:
        templates, show = contents.slips(content)
        there = slip_shelf.names() | {template.name for template in templates}
        rejected = {f"show.{name}": "no slip of that name" for name in show or () if name not in there}
        pictures = {f"{one.name}.image": slip_shelf.missing_picture(one) for one in templates}
        return rejected | {key: why for key, why in pictures.items() if why}

    return _Use(BundleKind.SLIPS, make, use, on_the_shelf)
