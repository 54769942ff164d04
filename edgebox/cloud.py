"""The engine's way to the cloud: there if `[sync] url` names one, and never in the way of a receipt.

Owns: that it runs beside the engine and ends before the store does. Never: the sync itself (sync/uplink.py). Whatever
is wrong with it, a bad URL or a bug, is said and counted; the engine reads, prints and records on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

from edgebox.errors import SyncError
from edgebox.settings import SyncSettings
from edgebox.store.clock import SystemClock
from edgebox.store.store import Store

if TYPE_CHECKING:
    from sync.contract import Answer
    from sync.heartbeat import About
    from sync.inbox import Handlers
    from sync.uplink import Uplink

AGAIN_S = 60.0  # after a bug: what it tripped over may be gone
LOOK_S = 10.0  # how often the connection's health is noted
GRACE_LOOKS = 6  # a minute without a connection is not worth a record: lines break and come back
Fault = Callable[[str, str, BaseException | None], None]


class Orders(Protocol):
    """What the fleet can have done (edgebox/orders). `jobs`: who takes its messages; `link`: set to the uplink."""

    @property
    def jobs(self) -> Handlers: ...
    @property
    def link(self) -> Any: ...
    @link.setter
    def link(self, link: Any) -> None: ...
    def report(self) -> None: ...


class Part(Protocol):
    """The engine, as far as the cloud wants to know."""

    def states(self) -> Mapping[str, str]: ...
    def note(self, part: str, state: str, words: str = "") -> None: ...


class CloudLink:
    """Running between `start` and `stop`. `fault`: part, words, exception; `health`: where the parts' states are kept.

    `lines`: the lines that are connected, each with a word; `revisions`: of the bundles that are in force.
    """

    def __init__(
        self,
        settings: SyncSettings,
        fault: Fault,
        *,
        health: Part | None = None,
        lines: Callable[[], Mapping[str, str]] = dict,
        revisions: Callable[[], Mapping[str, int]] = dict,
        orders: Orders | None = None,
    ) -> None:
        self.uplink: Uplink | None = None
        self._settings = settings
        self._fault = fault
        self._health = health
        self._lines = lines
        self._revisions = revisions
        self._orders = orders
        self._clock = SystemClock()
        self._task: asyncio.Task[None] | None = None
        self._noted: set[str] = set()
        self._away = 0

    @property
    def is_connected(self) -> bool:
        """The cloud can be asked."""
        return self.uplink is not None and self.uplink.is_connected

    async def ask(self, what: str, args: Mapping[str, Any], name: str, timeout_s: float) -> Answer:
        """As sync.uplink.Uplink: `name` is the question's unchanged id. SyncError."""
        if self.uplink is None:
            raise SyncError("the cloud is not there", reason="offline")
        return await self.uplink.ask(what, args, name, timeout_s)

    def start(self, store: Store) -> None:
        """Without a URL there is nothing to do, and nothing is loaded: paho and TLS cost 9 MB."""
        if self._settings.url:
            self._task = asyncio.create_task(self._run(store), name="sync")

    async def stop(self) -> None:
        """Says goodbye and hangs up; what is not acknowledged stays in the store."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, store: Store) -> None:
        from sync.uplink import Uplink

        while True:
            try:
                handlers = self._orders.jobs if self._orders else None
                self.uplink = Uplink(self._settings, store, about=self._about, handlers=handlers)
                await self._beside(self.uplink)
            except SyncError as fault:  # settings that can't be used; all else the uplink tries again by itself
                self._fault("sync", str(fault), None)
                return
            except Exception as fault:  # a bug in the sync must not end the engine, nor the sync for ever
                self._fault("sync", "ended", fault)
            finally:
                self._join(None)
            await asyncio.sleep(AGAIN_S)

    async def _beside(self, uplink: Uplink) -> None:
        self._join(uplink)
        looking = asyncio.create_task(self._look(uplink))
        try:
            await uplink.run()
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    def _join(self, uplink: Uplink | None) -> None:
        if self._orders is not None:
            self._orders.link = uplink
            if uplink is not None:
                self._orders.report()

    def _about(self) -> About:
        from sync.heartbeat import About

        now = self._clock.now()
        return About(
            version=version("edgebox"),
            boot=now.boot,
            up_s=now.mono_ms // 1000,
            trusted=now.synced,
            health=self._health.states() if self._health else {},
            lines=self._lines(),
            bundles=self._revisions(),
        )

    async def _look(self, uplink: Uplink) -> None:
        """Notes what is wrong with the way to the cloud, and that it is right again."""
        while self._health is not None:
            await asyncio.sleep(LOOK_S)
            self._away = 0 if uplink.is_connected else self._away + 1
            found = uplink.health()
            if not uplink.is_connected and self._away < GRACE_LOOKS:
                del found["sync"]
            for part in self._noted - set(found) - {"sync"}:
                self._health.note(part, "ok")
            self._noted = set(found)
            for part, words in found.items():
                state = state_of(words)
                self._health.note(part, state, "" if state == "ok" else words)


def state_of(words: str) -> str:
    """What the words of `Uplink.health` come to: ok, warning or failed."""
    if words == "ok" or words.startswith("good for"):
        return "ok"
    return "warning" if words.startswith("expires in") else "failed"
