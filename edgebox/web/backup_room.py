"""Backups made from the page: one at a time, on the box's own card, until somebody takes it away.

Owns: making one while the engine records, how far it is, and what is there. Never: keys, credentials or passwords of
systems: those are files beside the database, and no part of it. Never two copies: the newest replaces the one before.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from edgebox.errors import StoreError
from edgebox.store.backup import OWN_PLACE, backup
from edgebox.web.office import Office
from edgebox.web.refusals import refused

_SLOT = "backups"


class Made(NamedTuple):
    """A backup on the card. `at`: seconds since 1970; `size`: bytes."""

    at: int
    size: int


class BackupRoom:
    """Of one office."""

    def __init__(self, office: Office) -> None:
        self.fault = ""  # reason of the last one, if it went wrong
        self._office = office
        self._task: asyncio.Task[None] | None = None
        self._done = (0, 0)  # pages copied, and all

    @property
    def path(self) -> Path:
        """Where it is, if there is one."""
        return Path(self._office.config.engine.data) / OWN_PLACE

    @property
    def is_busy(self) -> bool:
        """One is being made."""
        return self._task is not None and not self._task.done()

    @property
    def percent(self) -> int:
        """Of the one that is being made."""
        done, pages = self._done
        return 100 * done // pages if pages else 0

    def make(self) -> None:
        """Begins. PageError `busy`: one is being made."""
        if self.is_busy:
            raise refused("busy", "a backup is being made")
        self.fault, self._done = "", (0, 0)
        self._task = asyncio.create_task(self._make())

    async def settled(self) -> None:
        """The one that is being made is there, or has failed."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def found(self) -> Made | None:
        """The one that is there."""
        return await asyncio.to_thread(self._found)

    async def remove(self) -> bool:
        """Whether there was one. StoreError `io`."""
        try:
            await asyncio.to_thread(self.path.unlink)
        except FileNotFoundError:
            return False
        except OSError as fault:
            raise StoreError(f"{self.path}: {fault.strerror}", reason="io") from fault
        return True

    def _found(self) -> Made | None:
        try:
            there = self.path.stat()
        except OSError:
            return None
        return Made(int(there.st_mtime), there.st_size)

    async def _make(self) -> None:
        try:
            await asyncio.to_thread(self._copy)
        except StoreError as fault:
            self.fault = fault.reason
            self._office.host.fault("page", f"no backup: {fault}")
        except OSError as fault:
            self.fault = "io"
            self._office.host.fault("page", f"no backup: {fault.strerror}")
        self._office.hub.tell("backup")

    def _copy(self) -> None:
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        config = self._office.config
        now_ms, box = self._office.now * 1000, config.sync.whole_name
        backup(Path(config.engine.data), self.path, now_ms, progress=self._copied, box=box)

    def _copied(self, done: int, pages: int) -> None:
        self._done = done, pages


def backup_room(office: Office) -> BackupRoom:
    """The office's own."""
    found: BackupRoom = office.extras.setdefault(_SLOT, BackupRoom(office))
    return found
