"""The engine's way to the cloud: there if `[sync] url` names one, and never in the way of a receipt.

Owns: that it runs beside the engine and ends before the store does. Never: the sync itself (sync/uplink.py). Whatever
is wrong with it, a bad URL or a bug, is said and counted; the engine reads, prints and records on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from importlib.metadata import version

from edgebox.errors import SyncError
from edgebox.settings import SyncSettings
from edgebox.store.clock import SystemClock
from edgebox.store.store import Store

AGAIN_S = 60.0  # after a bug: what it tripped over may be gone
Fault = Callable[[str, str, BaseException | None], None]


class CloudLink:
    """Running between `start` and `stop`. `fault`: part, words, exception."""

    def __init__(self, settings: SyncSettings, fault: Fault) -> None:
        self._settings = settings
        self._fault = fault
        self._task: asyncio.Task[None] | None = None

    def start(self, store: Store) -> None:
        """Without a URL there is nothing to do, and nothing is loaded: paho and TLS cost 9 MB."""
        if self._settings.url:
            self._task = asyncio.create_task(self._run(store), name="sync")

    async def stop(self) -> None:
        """Hangs up; what is not acknowledged stays in the store."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, store: Store) -> None:
        from sync.heartbeat import About
        from sync.uplink import Uplink

        clock = SystemClock()

        def about() -> About:
            now = clock.now()
            return About(version=version("edgebox"), boot=now.boot, up_s=now.mono_ms // 1000, trusted=now.synced)

        while True:
            try:
                await Uplink(self._settings, store, about=about).run()
            except SyncError as fault:  # settings that can't be used; all else the uplink tries again by itself
                self._fault("sync", str(fault), None)
                return
            except Exception as fault:  # a bug in the sync must not end the engine, nor the sync for ever
                self._fault("sync", "ended", fault)
            await asyncio.sleep(AGAIN_S)
