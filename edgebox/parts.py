"""What lives in the engine besides the lines: the coupon desk, the scanners, the beacons, the page.

Owns: their life, in order. Never: what they do, or lets one of them stop the shop: a part that can't begin is said,
and everything else goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from edgebox.errors import EdgeboxError
from edgebox.store.store import Store

Fault = Callable[[str, str, BaseException | None], None]  # whose, what, and why


class Part(Protocol):
    """Opened with the engine's store before a line connects, looked after, stopped while the store is still open."""

    async def open(self, store: Store) -> None:
        """Begins. EdgeboxError: it can't, and the shop goes on without it."""

    async def look(self) -> None:
        """Every ten seconds."""

    async def stop(self) -> None:
        """Lets go of everything. Called once, also of a part that could not begin."""


async def open_all(parts: Iterable[Part], store: Store, fault: Fault) -> None:
    """In their order."""
    for part in parts:
        try:
            await part.open(store)
        except EdgeboxError as why:
            fault(_name(part), f"{why.reason}: {why}", None)
        except Exception as why:
            fault(_name(part), "could not begin", why)


async def look_at_all(parts: Iterable[Part], fault: Fault) -> None:
    """In their order."""
    for part in parts:
        try:
            await part.look()
        except Exception as why:
            fault(_name(part), "fault while it was looked after", why)


async def stop_all(parts: Iterable[Part], fault: Fault) -> None:
    """The last first."""
    for part in reversed(list(parts)):
        try:
            await part.stop()
        except Exception as why:
            fault(_name(part), "fault at its end", why)


def _name(part: Part) -> str:
    return type(part).__name__.lower()
