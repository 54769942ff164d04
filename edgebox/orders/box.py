"""Commands about the box itself: `ping`, `time.check`, `log.level`, `restart`, `resend`, `backup`.

Owns: what each of them does. Never: touches a line's process: a receipt is never worth less than a command.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from edgebox.errors import OrderError, StoreError
from edgebox.store.backup import OWN_PLACE, backup
from edgebox.store.clock import SystemClock, Trust
from sync.contract import JobPhase
from sync.contract_commands import (
    BackupResult,
    CountResult,
    LogLevelArgs,
    PingArgs,
    PingResult,
    ResendArgs,
    TimeCheckArgs,
    TimeResult,
)
from sync.jobs import Doing
from sync.steps import Ended

RESTART_IN_S = 1.0  # so that the step before it goes out


class Clocks(NamedTuple):
    """The box's clock: milliseconds since 1970, and whether it is right; and the machine's uptime in seconds."""

    at_ms: int
    trusted: bool
    up_s: int


def system_clocks() -> Callable[[], Clocks]:
    """The machine's own clocks, and whether NTP vouches for them."""
    clock, trust = SystemClock(), Trust()

    def look() -> Clocks:
        reading = clock.now()
        return Clocks(reading.at_ms, trust.judge(reading), reading.mono_ms // 1000)

    return look


class BoxDesk:
    """`seal`: public key and its proof. `resend`: asks the uplink; false where it can't."""

    def __init__(
        self,
        *,
        version: str,
        data: Path,
        clocks: Callable[[], Clocks],
        seal: Callable[[], tuple[str, str]],
        resend: Callable[[str, str, int, int], Awaitable[bool]],
        restart: Callable[[], None],
    ) -> None:
        self._version = version
        self._data = data
        self._clocks = clocks
        self._seal = seal
        self._resend = resend
        self._restart = restart
        self._level: asyncio.TimerHandle | None = None  # when it is as configured again
        self._configured = logging.getLogger().level

    async def ping(self, doing: Doing) -> Ended:
        """`ping`."""
        args = doing.order.args
        assert isinstance(args, PingArgs), "the table of commands says so"
        seal, proof = self._seal()
        result = PingResult(
            text=args.text, version=self._version, up_s=self._clocks().up_s, seal=seal, seal_proof=proof
        )
        return Ended(JobPhase.SUCCEEDED, result=result)

    async def time_check(self, doing: Doing) -> Ended:
        """`time.check`: the difference holds the message's way here; the sender knows how long that took."""
        args = doing.order.args
        assert isinstance(args, TimeCheckArgs), "the table of commands says so"
        clocks = self._clocks()
        result = TimeResult(at_ms=clocks.at_ms, offset_ms=clocks.at_ms - args.at_ms, trusted=clocks.trusted)
        return Ended(JobPhase.SUCCEEDED, result=result)

    async def log_level(self, doing: Doing) -> Ended:
        """`log.level`: for some minutes; `config.set log.level` is for good."""
        args = doing.order.args
        assert isinstance(args, LogLevelArgs), "the table of commands says so"
        root = logging.getLogger()
        if self._level is None:
            self._configured = root.level
        else:
            self._level.cancel()
        root.setLevel(args.level.upper())
        self._level = asyncio.get_running_loop().call_later(args.minutes * 60, self._level_back)
        return Ended(JobPhase.SUCCEEDED)

    def close(self) -> None:
        """The log is as loud as configured again."""
        if self._level is not None:
            self._level.cancel()
            self._level_back()

    async def restart(self, doing: Doing) -> None:
        """`restart`: it has succeeded when the engine is back (sync/jobs.py)."""
        asyncio.get_running_loop().call_later(RESTART_IN_S, self._restart)

    async def resend(self, doing: Doing) -> Ended:
        """`resend`."""
        args = doing.order.args
        assert isinstance(args, ResendArgs), "the table of commands says so"
        if not await self._resend(args.stream, args.epoch, args.first, args.last):
            raise OrderError("no such rows, or too many asked for at once", reason="no_such_rows")
        return Ended(JobPhase.SUCCEEDED, result=CountResult(count=args.last - args.first + 1))

    async def backup(self, doing: Doing) -> Ended:
        """`backup`: to a file on the box, on its own card; `edgebox backup` writes to another disk."""
        target = self._data / OWN_PLACE
        try:
            await asyncio.to_thread(target.parent.mkdir, 0o700, True, True)
            await asyncio.to_thread(backup, self._data, target, self._clocks().at_ms)
            size = (await asyncio.to_thread(target.stat)).st_size
        except OSError as fault:
            raise StoreError(f"{target}: {fault.strerror}", reason="io") from fault
        return Ended(JobPhase.SUCCEEDED, result=BackupResult(file=str(OWN_PLACE), size=size))

    def _level_back(self) -> None:
        if self._level is not None:
            logging.getLogger().setLevel(self._configured)
            self._level = None

    def configure(self, level: str) -> None:
        """`log.level` of the settings has changed: in force now, or when the louder while is over."""
        self._configured = logging.getLevelNamesMapping()[level.upper()]
        if self._level is None:
            logging.getLogger().setLevel(self._configured)
