"""Which certificate the box shows to its broker, and when it wants another.

Owns: the choice between the one in force and the next one, and the moments of asking. Never: the files
(own_certificate.py), the connection (uplink.py), or the last word: what the broker lets in is good.

A new certificate is tried at once. If the broker won't have it, the box goes back to the old one, tries the new one
again some times, and then gives it up and asks for another: a cloud's mistake must not shut a shop out while its old
certificate is good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from edgebox.errors import SyncError
from sync import own_certificate
from sync.contract import CertificateAsk, CertificateGift
from sync.credentials import NEXT, OWN, Pair
from sync.own_certificate import Standing

ASK_EVERY_S = 600.0  # a cloud that was away for a night has weeks left
TRY_EVERY_S = 600.0  # a certificate may have to get around among a broker's machines
TRIES = 3  # of a new certificate, while the old one is let in
AFTER_GIVING_UP_S = 86_400.0


class Renewal:
    """`days`: [sync] renew_days, 0: others look after the certificate. `clock`: seconds since 1970."""

    def __init__(self, folder: Path, box: str, days: int, clock: Callable[[], float]) -> None:
        self.why = ""  # what is wrong with the renewal, for a person
        self._folder = folder
        self._box = box
        self._days = days
        self._clock = clock
        self._standing = Standing()
        self._pair = OWN
        self._prefers_old = False
        self._tries = 0
        self._try_at = float("inf")
        self._ask_at = 0.0
        self._asked = ""

    @property
    def is_ours(self) -> bool:
        """The box looks after its certificate itself."""
        return self._days > 0

    async def choose(self, enrol: Callable[[], Awaitable[None]]) -> Pair:
        """What to connect with. `enrol`: gets a new box its first one. SyncError."""
        if not self.is_ours:
            return OWN
        await self._look()
        if not self._standing.has_own and not self._standing.has_next and self._standing.has_claim:
            await enrol()
            await self._look()
        is_new = self._standing.has_next and not (self._standing.has_own and self._prefers_old)
        self._pair = NEXT if is_new else OWN
        return self._pair

    async def let_in(self, now: float) -> None:
        """The broker has taken what was chosen. `now`: monotonic seconds. SyncError: the disk."""
        if not self.is_ours:
            return
        self._prefers_old = False
        if self._pair is NEXT or self._standing.has_claim:
            await asyncio.to_thread(own_certificate.prove, self._folder, self._pair)
            self._tries, self._try_at, self.why = 0, float("inf"), ""
        elif self._standing.has_next:
            await self._missed(now)
        await self._look()

    def failed(self) -> None:
        """No connection came of it: if both are there, it is the other one's turn."""
        self._prefers_old = self._pair is NEXT and self._standing.has_own

    def is_change_due(self, now: float) -> bool:
        """The connection should end, for the new certificate is to be tried."""
        return self._standing.has_next and self._pair is OWN and now >= self._try_at

    async def wanted(self, now: float, seal: str) -> CertificateAsk | None:
        """What to ask the cloud now, if anything. `now`: monotonic seconds. SyncError: the disk."""
        if not self.is_ours or self._standing.has_next or now < self._ask_at:
            return None
        if not self._standing.is_ending(self._clock(), self._days):
            return None
        self._ask_at = now + ASK_EVERY_S
        made = await asyncio.to_thread(own_certificate.request, self._folder, self._box, seal)
        self._asked = made.id
        return made

    async def given(self, gift: CertificateGift, now: float) -> None:
        """The cloud's answer. One that nobody has asked for is none."""
        if not self._asked or gift.id != self._asked or self._standing.has_next:
            return
        try:
            await asyncio.to_thread(own_certificate.accept, self._folder, gift)
            await self._look()
        except SyncError as fault:
            self.why = str(fault)
            return
        self._asked, self._try_at, self._tries = "", now, 0

    async def _missed(self, now: float) -> None:
        """The old one is let in, and the new one was not."""
        self._tries += 1
        self._try_at = now + TRY_EVERY_S
        self.why = f"the broker does not take the new certificate ({self._tries} of {TRIES})"
        if self._tries >= TRIES:
            await asyncio.to_thread(own_certificate.give_up, self._folder)
            self._tries, self._try_at, self._ask_at = 0, float("inf"), now + AFTER_GIVING_UP_S
            self.why = "the broker did not take the new certificate; another one is asked for tomorrow"

    async def _look(self) -> None:
        self._standing = await asyncio.to_thread(own_certificate.look, self._folder)
