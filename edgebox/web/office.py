"""The shop's back office: all that pages work with, in one place.

Owns: what hangs together while the page is open. Never: a page, or HTTP.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from edgebox.decisions import Decisions
from edgebox.desk.desk import Desk
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import JobState
from edgebox.lines import LineSession
from edgebox.notices import Health
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


class Host(Protocol):
    """The engine, as pages see it."""

    config: Config
    clock: Callable[[], float]
    counters: Counter[str]
    decisions: Decisions
    desk: Desk
    lines: dict[str, LineSession]
    health: Health
    listeners: list[Callable[[ReceiptRecord], None]]

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
    """One box's. `render`: the thread that sets pages. `extras`: what other parts lend to pages, by name."""

    host: Host
    store: Store
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

    @property
    def config(self) -> Config:
        """The settings in force."""
        return self.host.config

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.host.clock())

    def written(self, language: str) -> Written:
        """How amounts and times are written here."""
        shop = self.config.shop
        return Written(language, ZoneInfo(shop.tz), shop.currency, shop.decimals)

    def wrong(self) -> Mapping[str, tuple[str, str]]:
        """What is not well: part → state and words, failures first."""
        found = {part: said for part, said in self.host.health.wrong().items() if said[0] != "ok"}
        return dict(sorted(found.items(), key=lambda item: (item[1][0] != "failed", item[0])))
