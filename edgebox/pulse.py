"""The engine's pulse: what it says of itself, every ten seconds, for whoever judges a new version.

Owns: `pulse.json` beside the engine's socket. Never: sets anything right by it. The keeper that reads it stands outside
the slots and may be older than this engine, so a field is added here, and never renamed (edgebox/appliance/keeper).

It is in memory (/run), so it wears no card. `at` is the monotonic clock: no other is to be trusted at a boot.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import msgspec

from edgebox.settings import Config
from edgebox.store.store import Store

FILE = "pulse.json"
LINES_MAX = 64  # more than a box has


class Engine(Protocol):
    """The engine, as far as it is looked at."""

    config: Config
    lines: Any
    store: Store | None

    @property
    def orders(self) -> Any:
        """What the fleet can have done; its link says how the cloud is."""


class Pulse:
    """A part of the engine. `clock`: monotonic seconds."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._path = Path(engine.config.engine.socket).with_name(FILE)

    async def open(self, store: Store) -> None:
        """The first one: the store is open."""
        self.beat()

    async def look(self) -> None:
        """The next one."""
        self.beat()

    async def stop(self) -> None:
        """None any more."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def beat(self) -> None:
        """Written at once, whole; it is some hundred bytes in memory. OSError is the engine's to tell."""
        link = getattr(self._engine.orders, "link", None)
        words = {
            "pid": os.getpid(),
            "version": version("edgebox"),
            "at": self._clock(),
            "recording": self._engine.store is not None,
            "cloud": link is not None and bool(link.is_connected),
            "lines": sorted(self._engine.lines)[:LINES_MAX],
        }
        half = self._path.with_name(f".{FILE}.new")
        half.write_bytes(msgspec.json.encode(words))
        half.replace(self._path)
