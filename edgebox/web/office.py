"""The shop's back office: all that pages work with, in one place.

Owns: what hangs together while the page is open. Never: a page, or HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from edgebox.decisions import Decisions
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import JobState
from edgebox.parts import Part
from edgebox.reports.reports import Engine, Reports
from edgebox.reports.wrong import Trouble
from edgebox.settings import Config
from edgebox.store.events import ReceiptRecord
from edgebox.store.store import Store
from edgebox.web.accounts import Accounts
from edgebox.web.assets import Assets
from edgebox.web.certificate import Certificate
from edgebox.web.live import Hub
from edgebox.web.pairing import Pairing
from edgebox.web.passwords import Passwords
from edgebox.web.sessions import Sessions
from edgebox.web.tries import OF_ADDRESS, OF_NAME, Tries
from edgebox.web.words import Catalogue
from edgebox.web.written import Written

if TYPE_CHECKING:  # ciphers cost 5 MB that a box without a cloud doesn't pay for
    from edgebox.orders.config import Settings
    from edgebox.orders.orders import Orders

P = TypeVar("P")
QUIET_S = 0.25  # how long a page waits for a receipt that is on its way; the longest are printed within a second
LOOK_S = 0.005
TROUBLES_S = 2.0  # each page shows them, and asking takes four questions to the store


class Host(Engine, Protocol):
    """The engine, as pages see it."""

    counters: Counter[str]
    decisions: Decisions
    listeners: list[Callable[[ReceiptRecord], None]]
    parts: list[Part]
    bypassed: frozenset[str]
    settings: Settings | None
    orders: Orders | None

    def profile(self, name: str) -> PrinterProfile:
        """A printer's profile. ConfigError."""

    def print_job(
        self, line: str, body: bytes, *, cut: bool = True, expires_ms: int = 0, job: str = ""
    ) -> asyncio.Queue[JobState]:
        """Its states come in the queue. KeyError: no such line now."""

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Counted and logged."""


@dataclass(slots=True, kw_only=True)
class Office:
    """One box's. `reports`: what pages ask; `render`: the thread that sets them; `extras`: what other parts lend."""

    host: Host
    store: Store
    reports: Reports
    accounts: Accounts
    sessions: Sessions
    passwords: Passwords
    pairing: Pairing
    catalogue: Catalogue
    assets: Assets
    certificate: Certificate | None = None
    hub: Hub = field(default_factory=lambda: Hub(16))
    by_name: Tries = field(default_factory=lambda: Tries(OF_NAME))
    by_address: Tries = field(default_factory=lambda: Tries(OF_ADDRESS))
    render: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "page"))
    counters: Counter[str] = field(default_factory=Counter)
    extras: dict[str, Any] = field(default_factory=dict)
    address: str = ""
    known_troubles: tuple[float, tuple[Trouble, ...]] | None = None

    @property
    def config(self) -> Config:
        """The settings in force."""
        return self.host.config

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.host.clock())

    def part(self, kind: type[P]) -> P | None:
        """What lives in the engine besides the lines, by its type; None: this box has none."""
        return next((one for one in self.host.parts if isinstance(one, kind)), None)

    def written(self, language: str) -> Written:
        """How amounts and times are written here."""
        shop = self.config.shop
        return Written(language, ZoneInfo(shop.tz), shop.currency, shop.decimals)

    async def quiet_moment(self) -> None:
        """Returns when no line has a receipt on its way, or after QUIET_S: a customer waits there, and here a reader.

        A page takes the interpreter for some milliseconds, and a cut that comes meanwhile would wait for them.
        """
        for _ in range(round(QUIET_S / LOOK_S)):
            if not any(line.is_reading for line in self.host.lines.values()):
                return
            await asyncio.sleep(LOOK_S)

    async def troubles(self) -> tuple[Trouble, ...]:
        """What is wrong, worst first, as it was a moment ago; a part that has changed since is known. StoreError."""
        now = time.monotonic()
        if not self.known_troubles or now - self.known_troubles[0] > TROUBLES_S:
            self.known_troubles = now, await self.reports.troubles()
        return self.known_troubles[1]

    def part_changed(self) -> None:
        """Another state of a part: open pages are told, and look anew."""
        self.known_troubles = None
        self.hub.tell("health")
