"""Boxes without lines, many to a process: real store, uplink, commands and bundles; no till, no printer.

Owns: `LightBox`. Never: a shortcut on the way to the broker: what is measured with these is what boxes cost a broker
and an operator.

`python -m tests.bench.light_boxes FOLDER URL FIRST COUNT SICK RATE` runs some in a process of their own until its
standard input ends. A box whose number is in SICK fails its health check whenever it gets new rules.
"""

import asyncio
import contextlib
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgebox.errors import OrderError
from edgebox.orders.bundles import Bundles, Checked
from edgebox.settings import StoreSettings, SyncSettings
from edgebox.store.events import ReceiptRecord
from edgebox.store.store import Store
from sync.bundles import Held, Kept
from sync.commands import Address, Moment
from sync.contract import BundleKind, JobPhase, Reported
from sync.contract_commands import PingArgs, PingResult, Role
from sync.heartbeat import About
from sync.jobs import Doing, Jobs
from sync.signing import fleet_keys
from sync.steps import Ended
from sync.uplink import Uplink

TENANT = "acme"
VERSION = "1.0.0"


class LightBox:
    """One box. `sick`: its health check fails with every new rules bundle."""

    def __init__(
        self, folder: Path, url: str, number: int, keys: tuple[str, ...], *, sick: bool = False, **sync: Any
    ) -> None:
        self.store_name, self.name = f"s{number // 10:03d}", f"b{number:04d}"
        self.sick = sick
        self.settings = SyncSettings(
            url=url,
            tenant=TENANT,
            store=self.store_name,
            box=self.name,
            fleet_keys=keys,
            credentials=str(folder),
            **sync,
        )
        self.beats = 0  # signs of life
        self.health: dict[str, str] = {}
        self.rejects: dict[str, str] = {}  # keys of rules that it can't have
        self.rules: Kept | None = None
        self._folder = folder / self.name
        self._documents = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Opens its store and goes to the broker."""
        self.store = await asyncio.to_thread(Store.open, self._folder, StoreSettings())
        self.uplink = Uplink(self.settings, self.store, about=self._about, handlers=self)
        here = Address(TENANT, self.store_name, self.name)
        self.jobs = Jobs(here, fleet_keys(self.settings.fleet_keys), self.store, self.uplink.reply, self._moment)
        self.jobs.handlers = {"ping": self._ping, "restart": self._broken}
        self.bundles = Bundles(self.store, lambda _kind, _content: {}, lambda: self._moment().at)
        self.bundles.users[BundleKind.RULES] = self
        self.bundles.on_change = self._report
        self.jobs.take_bundle = self.bundles.offer
        await self.bundles.open(_as_it_was)
        await self.jobs.open()
        self._tasks = [asyncio.create_task(self.uplink.run()), asyncio.create_task(self.bundles.run())]

    async def stop(self) -> None:
        """Says goodbye."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.jobs.close()
        await self.store.close()

    async def print_receipt(self, *, unsure: bool = False, late: bool = False) -> None:
        """Records a receipt as the engine would."""
        self._documents += 1
        receipt = ReceiptRecord(
            at=self._moment().at,
            session="00" * 8,
            document=self._documents,
            line="line1",
            kind="sale",
            qualifies=not unsure,
            amount_minor=3390,
            currency="CNY",
            confidence="low" if unsure else "high",
            number=f"{self._documents:04d}",
            reasons=("not sure of the total",) if unsure else ("paid",),
            points=0 if unsure else 33,
            result="late" if late else "inserted",
        )
        await self.store.record(receipt)

    # -- what the uplink hands over

    async def command(self, raw: bytes, response_topic: str | None, correlation: bytes | None) -> None:
        await self.jobs.command(raw, response_topic or "", correlation or b"")

    async def desired(self, raw: bytes) -> None:
        await self.jobs.desired(raw)

    # -- what it does with rules

    def check(self, content: bytes, role: Role) -> Checked:
        return Checked(self.rejects)

    async def take(self, kept: Kept | None) -> bool:
        if self.sick and kept is not None and (self.rules is None or kept.revision > self.rules.revision):
            raise OrderError("the page does not answer any more", reason="health")
        self.rules = kept
        return True

    # -- inside

    async def _ping(self, doing: Doing) -> Ended:
        args = doing.order.args
        assert isinstance(args, PingArgs)
        return Ended(JobPhase.SUCCEEDED, result=PingResult(text=args.text, version=VERSION))

    async def _broken(self, doing: Doing) -> Ended:
        return Ended(JobPhase.FAILED, "printing", "a till is printing")

    def _report(self) -> None:
        self.uplink.report(Reported(box=self.name, at=self._moment().at, bundles=self.bundles.report()))
        self.uplink.beat()

    def _about(self) -> About:
        self.beats += 1
        return About(VERSION, "boot", 100, True, self.health, {"line1": "ok"}, self.bundles.revisions())

    def _moment(self) -> Moment:
        return Moment(int(time.time()), trusted=True)


def _as_it_was(held: Held) -> Held:
    return held


async def start_all(boxes: Iterable[LightBox], at_once: int = 50) -> None:
    """Starts them, some at a time, as a fleet after a power cut would with its jitter."""
    limit = asyncio.Semaphore(at_once)

    async def one(box: LightBox) -> None:
        async with limit:
            await box.start()

    async with asyncio.TaskGroup() as group:
        for box in boxes:
            group.create_task(one(box))


def rss_mb() -> float:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / (1 << 20)


class _Trade:
    """Receipts at a steady rate, while somebody wants them: `trade` and `rest` on standard input."""

    def __init__(self, boxes: list[LightBox], rate: float) -> None:
        self._boxes = boxes
        self._rate = rate
        self._wanted = asyncio.Event()

    def hear(self, word: str) -> None:
        """From standard input."""
        if word == "trade":
            self._wanted.set()
        else:
            self._wanted.clear()

    async def run(self) -> None:
        """Until cancelled. Receipts are due at their time, whatever the one before took."""
        turn = 0
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wanted.wait()
                due = time.monotonic()
                while self._wanted.is_set():
                    group.create_task(self._boxes[turn % len(self._boxes)].print_receipt())
                    turn += 1
                    due += 1 / self._rate
                    await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _process(folder: Path, url: str, first: int, count: int, sick: frozenset[int], rate: float) -> None:
    """Boxes `first`… until standard input ends; `rate`: receipts a second, of all together."""
    keys = tuple((folder / "fleet_keys").read_text("ascii").split())
    numbers = range(first, first + count)
    boxes = [LightBox(folder, url, n, keys, sick=n in sick, heartbeat_s=20, keepalive_s=60) for n in numbers]
    await start_all(boxes)
    trade = _Trade(boxes, rate)
    trading = asyncio.create_task(trade.run())
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while word := await lines.readline():
        trade.hear(word.decode().strip())
    trading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await trading
    for box in boxes:
        await box.stop()


if __name__ == "__main__":
    _folder, _url, _first, _count, _sick, _rate = sys.argv[1:]
    _most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))
    sick_ones = frozenset(int(n) for n in _sick.split(",") if n)
    asyncio.run(_process(Path(_folder), _url, int(_first), int(_count), sick_ones, float(_rate)))
