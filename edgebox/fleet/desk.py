"""The operator's desk: one connection, one book of boxes, and whoever wants to hear what comes.

Owns: listening until it is quiet, boxes remembered from before, which boxes a name or `--where` means. Never: decides
what is done to them.

A broker that keeps messages tells of all boxes at once; one that doesn't tells of each with its next sign of life, so
`--wait` must be longer than a heartbeat there. Boxes that were heard before are remembered in a file, so that one that
died does not vanish from the list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import msgspec

from edgebox.errors import SyncError
from edgebox.fleet.settings import FleetSettings, state_folder
from sync.fleet_book import FIELDS, Book, Known, fields
from sync.fleet_link import FleetLink, Heard
from sync.fleet_rollout import write
from sync.fleet_topics import Place
from sync.where import Test, where

QUIET_S = 0.3  # between two messages that a broker had kept: then it has told them all
LONGER = 10  # so many times the wait, while messages keep coming
LOOKED_AT = ("state", "reported")
FORGET_S = 90 * 86_400  # a box not heard for a season was taken away

_book = msgspec.json.Decoder(list[Known])
Ear = Callable[[Heard, Known | None], object]


class Desk:
    """`async with Desk(settings) as desk`. SyncError when there is no broker."""

    def __init__(self, settings: FleetSettings, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.now = now
        self.ears: list[Ear] = []
        self._file = state_folder() / f"boxes-{settings.tenant or 'all'}.json"
        self.book = Book(_remembered(self._file, now()))
        self.link = FleetLink(settings.broker(), self._heard)
        self._last_s = 0.0

    async def __aenter__(self) -> Self:
        await self.link.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.link.__aexit__()
        if self.book.boxes:
            write(self._file, msgspec.json.encode(list(self.book.boxes.values())))

    async def gather(self, wait_s: float, told: Callable[[], None] = lambda: None) -> None:
        """Hears who is there, for so long; longer while it keeps coming."""
        await self.link.listen([self.link.topics.everybody(rest) for rest in LOOKED_AT])
        began = self._last_s = time.monotonic()
        async for _ in self.link.changes(0.1, max(wait_s, 1.0) * LONGER):
            told()
            now = time.monotonic()
            if now - began >= wait_s and now - self._last_s >= QUIET_S:
                return

    def chosen(self, text: str) -> list[Known]:
        """The boxes for which a `--where` holds, in order; "": all. SyncError `where`."""
        test: Test = where(text, FIELDS) if text else lambda _: True
        now = self.now()
        found = [one for one in self.book.boxes.values() if test(fields(one, now))]
        return sorted(found, key=lambda one: (one.store, one.box))

    def named(self, names: Sequence[str]) -> list[Place]:
        """Boxes as BOX or STORE/BOX. SyncError `box`: none is known by that name, or several are."""
        return [self._one(name) for name in dict.fromkeys(names)]

    def known(self, place: Place) -> Known | None:
        """What is known of a box."""
        return self.book.boxes.get(place)

    # -- inside

    def _one(self, name: str) -> Place:
        found = self.book.named(name)
        if len(found) > 1:
            several = ", ".join(sorted(f"{one.store}/{one.box}" for one in found))
            raise SyncError(f"{name} may be {several}", reason="box", hint="name it as STORE/BOX")
        if found:
            return found[0].place
        store, _, box = name.rpartition("/")
        place = Place(store, box)
        if not store and self.link.topics.has_stores:
            words = f"{name} was never heard here"
            raise SyncError(words, reason="box", hint="name it as STORE/BOX, or --wait longer than its heartbeat")
        return place

    def _heard(self, heard: Heard) -> None:
        known = None
        if heard.rest in LOOKED_AT:
            self._last_s = time.monotonic()
            known = self.book.heard(heard.place, heard.rest, heard.payload, int(self.now()), kept=heard.kept)
        for ear in self.ears:
            ear(heard, known)


def _remembered(file: Path, now: float) -> list[Known]:
    """A file that can't be read is as good as none: it only remembers."""
    try:
        known = _book.decode(file.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return []
    return [one for one in known if now - one.heard < FORGET_S]
