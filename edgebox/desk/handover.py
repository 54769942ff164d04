"""A box that has taken over from another: its desk stays closed until it knows what the other one redeemed.

Owns: that question and its end: the cloud's answer, or a manager who opens the desk all the same. Never: judges a code,
or holds up a receipt: the box prints and gives points meanwhile.

A backup is as old as it is. What was redeemed since is not in it, and a box that redeemed on would take a coupon twice.
The cloud has heard of those uses, as far as the dead box could tell it; they are kept in a list of their own (they are
not this box's, and go to no cloud again). In a shop without a cloud nobody knows, so a person has to decide, and that
is written down. docs/keys.md, Replacing a dead box.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from edgebox.desk.asking import Cloud
from edgebox.errors import SyncError
from edgebox.store import redemptions
from edgebox.store.events import AuditRecord
from edgebox.store.redemptions import ToldUse
from edgebox.store.store import Store

ASK = "desk.uses"
ASK_S = 10.0  # nobody stands at the counter for this answer
AGAIN_S = 60.0
PAGES_MAX = 1000  # of 200 uses: years of them
PART = "desk"
CLOSED = "closed for coupons: what the box before this one redeemed is not known yet"


class _Use(msgspec.Struct, frozen=True, kw_only=True):
    code: Annotated[str, Meta(pattern=r"^[0-9a-f]{16,64}$")]
    at: Annotated[int, Meta(ge=0, le=1 << 53)]
    number: Annotated[int, Meta(ge=0, le=1 << 53)]


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    """`next`: what to ask on from; 0: these were the last. Both are there: a cloud that says {} to everything knows of
    no uses, and has not said that there are none."""

    uses: Annotated[tuple[_Use, ...], Meta(max_length=500)]
    next: Annotated[int, Meta(ge=0, le=1 << 53)]


class Handover:
    """`now`: seconds since 1970; `mono_s`: only forward; `note`: part, state and words, for who looks after the box;
    `ready`: what the counter does with what has become known, before it is open."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], int],
        mono_s: Callable[[], float],
        note: Callable[[str, str, str], None],
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        self.is_closed = False
        self.why = ""
        self._store = store
        self._now = now
        self._mono_s = mono_s
        self._note = note
        self._ready = ready
        self._again_at = 0.0
        self._asking = False

    async def open(self, *, alone: bool) -> None:
        """Where the last run left off. `alone`: the box takes, or may be told to take, coupons that it can't ask
        anybody about. StoreError."""
        found = await self._store.read(redemptions.unknown)
        self.is_closed = found is not None
        if found is not None and found.answered_by:
            await self.open_by_hand(found.answered_by)
        elif self.is_closed and not alone and await self._store.read(redemptions.is_unused):
            await self._end("edgebox", "", "no coupons: nothing can have been used")
        elif self.is_closed:
            self._say("")

    async def look(self, cloud: Cloud | None) -> None:
        """Every few seconds. StoreError: it stays closed, and asks again."""
        if not self.is_closed or self._asking or cloud is None or not cloud.is_connected:
            return
        if self._mono_s() < self._again_at:
            return
        self._asking = True
        self._again_at = self._mono_s() + AGAIN_S
        try:
            count = await self._told(cloud)
            await self._end("cloud", f"{count} uses since the backup", "")
        except SyncError as fault:
            self._say(f"the cloud does not say: {fault.reason}")
        except msgspec.ValidationError:
            self._say("the cloud's answer can't be read")
        finally:
            self._asking = False

    async def open_by_hand(self, who: str) -> bool:
        """A person opens the desk without the cloud's word. False: it was open. StoreError."""
        if not self.is_closed:
            return False
        await self._end(who, "", "by hand: coupons used since the backup may be taken twice")
        return True

    async def _told(self, cloud: Cloud) -> int:
        """All uses that the cloud knows of and this box doesn't, on the disk when this returns; how many."""
        ends = await self._store.read(redemptions.ends)
        after = count = 0
        for _ in range(PAGES_MAX):
            reply = await cloud.ask(ASK, {"ends": ends, "after": after}, os.urandom(16).hex(), ASK_S)
            if not reply.ok:
                raise SyncError(f"{ASK}: {reply.reason}", reason=reply.reason or "refused")
            page = msgspec.convert(dict(reply.result), _Page)
            await self._keep([ToldUse(one.code, one.at, one.number) for one in page.uses])
            count += len(page.uses)
            if page.next == 0:
                return count
            if page.next <= after:
                raise SyncError(f"{ASK}: the same page again", reason="refused")
            after = page.next
        raise SyncError(f"{ASK}: no end", reason="refused")

    async def _keep(self, uses: list[ToldUse]) -> None:
        await self._store.change(lambda db: redemptions.put_told(db, uses))

    async def _end(self, who: str, after: str, reason: str) -> None:
        """Written down first: opened twice is better than opened by nobody."""
        await self._store.record(AuditRecord(at=self._now(), who=who, what="desk opened", after=after, reason=reason))
        await self._ready()
        await self._store.change(redemptions.put_known)
        self.is_closed, self.why = False, ""
        self._note(PART, "ok", "")

    def _say(self, why: str) -> None:
        self.why = why
        self._note(PART, "warning", f"{CLOSED}{f' ({why})' if why else ''}")
