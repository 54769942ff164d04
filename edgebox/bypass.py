"""Slips turned off for a line, because somebody said so: its till prints on as on a bare wire.

Owns: the fact on disk, and `Engine.bypassed` made of it. A part of the engine, so that what was turned off stays off
after a restart, with a cloud and without. Never: who may say so (the page's roles and the fleet's keys do).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from edgebox.errors import OrderError
from edgebox.lines import LineSession
from edgebox.settings import Config
from edgebox.store.events import AuditRecord, Event
from edgebox.store.store import Store

FACT = "bypassed"
LINES_MAX = 64  # with slips off; more than any shop has


class Host(Protocol):
    """The engine."""

    config: Config
    lines: dict[str, LineSession]
    bypassed: frozenset[str]


class Ledger(Protocol):
    """The store, as far as this needs it."""

    async def record(self, *events: Event) -> object:
        """Committed when it returns. StoreError."""

    async def put(self, key: str, value: bytes) -> None:
        """Keeps a fact. StoreError."""

    async def get(self, key: str) -> bytes | None:
        """A fact, or None."""


class Bypass:
    """A part of the engine."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def open(self, store: Store) -> None:
        """Lines whose slips were off stay so. StoreError."""
        await remember(self._host, store)

    async def look(self) -> None:
        """Nothing grows old here."""

    async def stop(self) -> None:
        """Nothing to let go of."""


async def remember(host: Host, ledger: Ledger) -> None:
    """As it was left. StoreError."""
    raw = await ledger.get(FACT)
    host.bypassed = frozenset(msgspec.json.decode(raw, type=tuple[str, ...]) if raw else ())


async def turn_slips(host: Host, ledger: Ledger, line: str, who: str, at: int, *, on: bool) -> bool:
    """On disk first, then in force; whether that is a change. OrderError `no_such_line`, `too_many`; StoreError."""
    known = {row.name for row in host.config.line} | set(host.lines)
    if line not in known:
        raise OrderError(f"there is no line {line}", reason="no_such_line")
    before = host.bypassed
    after = before - {line} if on else before | {line}
    if len(after) > LINES_MAX:
        raise OrderError("too many lines", reason="too_many")
    await ledger.put(FACT, msgspec.json.encode(sorted(after)))
    host.bypassed = after
    if after != before:
        await ledger.record(AuditRecord(at=at, who=who, what=f"slips {'on' if on else 'off'}", target=line))
    return after != before
