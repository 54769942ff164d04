"""A box that takes orders: engine, store and desks are real, clock and cloud the test's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any

from edgebox import overlay
from edgebox.engine import Engine
from edgebox.keys import load_keys
from edgebox.log_tail import LogTail
from edgebox.orders.box import Clocks
from edgebox.orders.changes import Source
from edgebox.orders.config import Patience
from edgebox.orders.keys import key_text
from edgebox.orders.orders import Orders
from edgebox.private_file import write_private
from edgebox.sealed import seal
from sync.contract import Reply, Reported
from sync.signing import public_text
from tests.line_of_engine import KEYS, FakeLine, running
from tests.sync.fleet import HERE, NOW, PRIVATE, order

FLEET = ",".join(public_text(PRIVATE[name], name) for name in ("operator-1", "owner-1", "keymaster-1"))
_IDS = count(1)
PATIENCE = Patience(trial_s=0.15, settle_s=0.03, check_s=0.01)


class Way:
    """The way to the cloud."""

    def __init__(self) -> None:
        self.is_connected = True
        self.is_heard = True
        self.envelopes: Any = None
        self.replies: list[Reply] = []
        self.reported: list[Reported] = []
        self.resent: list[tuple[str, str, int, int]] = []

    def reply(self, reply: Reply, response_topic: str | None = None, correlation: bytes | None = None) -> None:
        self.replies.append(reply)

    def report(self, reported: Reported) -> None:
        self.reported.append(reported)

    async def resend(self, stream: str, epoch: str, first: int, last: int) -> bool:
        self.resent.append((stream, epoch, first, last))
        return stream == "receipts"


class Box:
    """An engine with orders."""

    def __init__(self, engine: Engine, source: Source, seconds: int) -> None:
        assert engine.store is not None
        self.engine = engine
        self.store = engine.store
        self.way = Way()
        self.restarts = 0
        self.clocks = Clocks(seconds * 1000, True, 60)
        self.tail = LogTail()
        self.orders = Orders(
            engine,
            engine.store,
            source,
            clocks=lambda: self.clocks,
            restart=self._restart,
            tail=self.tail,
            patience=PATIENCE,
        )
        self.orders.link = self.way

    def _restart(self) -> None:
        self.restarts += 1

    async def give(self, name: str, args: Any = None, key: str = "keymaster-1", **fields: Any) -> Reply:
        """Sends a command and waits for its end."""
        job = fields.pop("id", f"c{next(_IDS)}")
        await self.orders.jobs.command(order(name, args, key, id=job, **fields))
        return await self.end(job)

    async def begin(self, name: str, args: Any = None, **fields: Any) -> None:
        """Sends a command and does not wait for its end."""
        await self.orders.jobs.command(order(name, args, **fields))

    async def end(self, job: str) -> Reply:
        def ended() -> bool:
            return any(reply.id == job and reply.state.value not in ("queued", "running") for reply in self.way.replies)

        await self.until(ended)
        return next(r for r in self.way.replies if r.id == job and r.state.value not in ("queued", "running"))

    async def until(self, done: Callable[[], bool]) -> None:
        for _ in range(3000):
            if done():
                return
            await asyncio.sleep(0.001)
        raise AssertionError("it never came")

    async def line(self, name: str = "line1") -> FakeLine:
        line = await FakeLine.connect(self.engine, name)
        await self.until(lambda: name in self.engine.lines)
        return line

    def sealed(self, text: bytes, purpose: str) -> dict[str, str]:
        return {"sealed": seal(text, self.orders.seal()[0], purpose, HERE.box)}


def flags(folder: Path) -> list[str]:
    return [
        f"engine.socket={folder}/engine.sock",
        f"engine.data={folder}/data",
        f"claims.keys={folder}/keys.toml",
        f"sync.fleet_keys={FLEET}",
        *(f"sync.{key}={value}" for key, value in zip(("tenant", "store", "box"), HERE, strict=True)),
    ]


def provision(folder: Path) -> None:
    """The keys that the tests of the engine verify with."""
    write_private(folder / "keys.toml", key_text(KEYS).encode("ascii"))


@contextlib.asynccontextmanager
async def box(folder: Path, *more: str, now: int = NOW, keys: bool = True) -> AsyncIterator[Box]:
    """From one start of the engine to its end, as `serve` does it: the overlay is counted before it is read."""
    if keys and not (folder / "keys.toml").exists():
        provision(folder)
    overlay.start(folder / "data")
    laid = overlay.read(folder / "data").layers.merged()
    path = folder / "keys.toml"
    settings = [*flags(folder), *more]
    # `sync.fleet_keys` and the like come by flag here; what a test sets from afar must not.
    overrides = [flag for flag in settings if flag.partition("=")[0] not in laid]
    found = load_keys(path) if path.exists() else None
    async with running(folder, *overrides, keys=found, now=now) as engine:
        shop = Box(engine, Source(None, overrides), now)
        await shop.orders.open()
        try:
            yield shop
        finally:
            await shop.orders.close()
