"""Settings of a box without a cloud: what the fleet may change from afar, its owner changes on the box's own page.

Owns: the trial's view of such a box (its lines, and whether the engine reads and prints), and how it begins. Never: the
trial itself (config.py): a change is judged, tried and taken back by the very same code, whoever wanted it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from edgebox.lines import LineSession
from edgebox.orders.changes import Source
from edgebox.orders.config import Patience, Settings, Vitals
from edgebox.settings import Config
from edgebox.store.events import AuditRecord
from edgebox.store.store import Store

BY = "box"  # who takes a change back, in the audit


class Box(Protocol):
    """The engine, as far as a trial looks at it."""

    config: Config
    clock: Callable[[], float]
    lines: dict[str, LineSession]
    store: Store | None

    def warm(self) -> None:
        """A receipt read, a claim minted, a slip composed."""


class Alone(NamedTuple):
    """A Patient that no cloud hears of."""

    box: Box

    def vitals(self) -> Vitals:
        """Its lines."""
        return Vitals(frozenset(self.box.lines), cloud=False, heard=False)

    def warm(self) -> None:
        """As the engine does."""
        self.box.warm()


async def begin(box: Box, source: Source, restart: Callable[[], None], patience: Patience | None = None) -> Settings:
    """The settings, with a trial that a restart has brought us into going on. OrderError `io`, StoreError."""
    settings = Settings(Path(box.config.engine.data), source, Alone(box), restart, patience or Patience())
    await asyncio.to_thread(settings.open)
    if settings.taken_back and box.store is not None:
        why = AuditRecord(at=int(box.clock()), who=BY, what="settings taken back", reason=settings.taken_back[:200])
        await box.store.record(why)
    await settings.told()
    settings.begin()
    return settings


def in_force(config: Config, key: str) -> Any:
    """The value of `section.key`, or of `line.NAME.key`, as a configuration has it. KeyError: it has none."""
    section, _, name = key.partition(".")
    if section == "line":
        line, _, name = name.rpartition(".")
        rows: Mapping[str, Any] = {row.name: row for row in config.line}
        return getattr(rows[line], name)
    try:
        return getattr(getattr(config, section), name)
    except AttributeError as fault:
        raise KeyError(key) from fault
