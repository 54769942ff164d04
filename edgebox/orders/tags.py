"""`tags.set`: the fleet's list of known tags, put to use by the beacons' desk.

Owns: how a bundle of tags is judged and taken, and that a change of it is written down with who made it. Never: keeps
the bundle (bundles.py does), or knows what a tag may be (edgebox/beacons/tags.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from edgebox.beacons import tags
from edgebox.beacons.watch import BeaconWatch
from edgebox.orders import contents
from edgebox.orders.bundles import Checked, User
from edgebox.store.events import AuditRecord
from edgebox.store.store import Store
from sync.bundles import Kept
from sync.contract import BundleKind
from sync.contract_commands import Role

FACT = "beacons.tags"  # the revision whose change was written down: a restart takes the same bundle again


class TagsUser:
    """One box's. `now`: seconds since 1970."""

    def __init__(self, watch: BeaconWatch, store: Store, now: Callable[[], float] = time.time) -> None:
        self._watch = watch
        self._store = store
        self._now = now

    def check(self, content: bytes, role: Role) -> Checked:
        """Every tag that can't be had, by name."""
        return Checked(contents.rejected(BundleKind.TAGS, content))

    async def take(self, kept: Kept | None) -> bool:
        """In force at once. StoreError: its change can't be written down, so it is none."""
        before = len(self._watch.tags)
        found = tags.of_content(bytes(kept.content)) if kept is not None else []
        await self._audit(kept, before, len(found))
        self._watch.use_tags(found)
        return True

    async def _audit(self, kept: Kept | None, before: int, after: int) -> None:
        revision, who = (kept.revision, kept.by) if kept is not None else (0, "")
        said = str(revision).encode()
        if await self._store.get(FACT) == said:
            return
        record = AuditRecord(
            at=int(self._now()), who=who, what="tags", target=f"revision {revision}", before=str(before),
            after=str(after),
        )  # fmt: skip
        await self._store.record(record)
        await self._store.put(FACT, said)


def users(parts: Iterable[object], store: Store) -> dict[BundleKind, User]:
    """Who uses tags here; nobody where the box does not listen."""
    watch = next((part for part in parts if isinstance(part, BeaconWatch)), None)
    return {BundleKind.TAGS: TagsUser(watch, store)} if watch is not None else {}
