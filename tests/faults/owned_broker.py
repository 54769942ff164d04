"""Somebody owns the broker: what he makes up, plays again, changes, holds back or sends to the wrong box.

Real engine, store, desks and uplink, real mosquitto. `accepted` are commands and bundles that the fleet signed for this
box, `stored` those that are written down, `delivered` those that were done; `twice` counts what was done more than once
or without a signature, and bundles that went back. `refused` are his messages; `unreported` those that no counter has.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from edgebox.orders.box import Clocks
from edgebox.store.events import Stream
from sync.contract import BundleKind
from sync.jobs import Doing, Handler
from sync.signing import Purpose
from sync.steps import Ended
from sync.uplink import Uplink
from tests.box_of_orders import Box, box
from tests.faults import Row, Scale
from tests.sync.box import Hasty, settings
from tests.sync.broker import Collector, mosquitto
from tests.sync.fleet import HERE, NOW, bundle, command, flipped, order, signed

PREFIX = f"edgebox/v1/{HERE.tenant}/{HERE.store}/{HERE.box}/"
WITHIN_S = 120.0
UNTRUSTED = Clocks(1000, False, 60)


async def until(what: Callable[[], bool]) -> None:
    """Waits for the box, which reads 200 such messages a second."""
    async with asyncio.timeout(WITHIN_S):
        while not what():  # noqa: ASYNC110 - counters tell nobody
            await asyncio.sleep(0.005)


class Scene(NamedTuple):
    """A box that listens, and what it has done so far, by id."""

    shop: Box
    broker: Collector
    done: Counter[str]

    async def send(self, *messages: bytes, topic: str = "cmd") -> None:
        """As many as he likes; the broker keeps their order."""
        for raw in messages:
            self.broker.publish_soon(f"{PREFIX}{topic}", raw)

    async def heard(self, name: str) -> None:
        """All that was sent before is judged: this last one is done."""
        await self.send(order("ping", id=name))
        await until(lambda: self.done[name] == 1)

    @property
    def refused(self) -> int:
        """Messages turned down, each counted somewhere."""
        counters = self.shop.orders.jobs.counters
        return sum(count for name, count in counters.items() if name.startswith(("refused", "again")))

    async def stored(self) -> int:
        """Commands that are written down."""
        rows = await self.shop.store.rows(Stream.JOBS, None, limit_rows=1 << 20, limit_bytes=1 << 30)
        return len({row.body.split(b'"job":"')[1].split(b'"')[0] for row in rows if b'"running"' in row.body})


@asynccontextmanager
async def scene(folder: Path, port: int, cloud: Collector, done: Counter[str]) -> AsyncIterator[Scene]:
    """From one start of the box to its end."""
    async with box(folder) as shop:

        def counted(handler: Handler) -> Handler:
            async def work(doing: Doing) -> Ended | None:
                done[doing.order.command.id] += 1
                return await handler(doing)

            return work

        jobs = shop.orders.jobs
        jobs.handlers = {name: counted(handler) for name, handler in jobs.handlers.items()}
        where: dict[str, Any] = dict(zip(("tenant", "store", "box"), HERE, strict=True))
        link = settings(f"mqtt://127.0.0.1:{port}", folder, **where)
        uplink = Uplink(link, shop.store, handlers=jobs, chance=Hasty())
        shop.orders.link = uplink
        running = asyncio.create_task(uplink.run())
        try:
            await until(lambda: uplink.is_connected)
            await asyncio.sleep(0.1)  # it listens
            yield Scene(shop, cloud, done)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def rows(scale: Scale) -> Iterator[Row]:
    """A row for each kind of message."""
    for story in (_forged, _played_again, _untimely, _bundles):
        with (
            tempfile.TemporaryDirectory(prefix="eb") as name,  # short: a Unix socket's path may have 107 characters
            mosquitto(Path(name) / "broker", "max_queued_messages 0") as broker,
        ):
            cloud = Collector(broker.port, box=HERE.box)
            try:
                yield asyncio.run(story(Path(name), broker.port, cloud, scale))
            finally:
                cloud.close()


def _genuine(count: int) -> list[bytes]:
    return [order("ping", {"text": str(number)}, id=f"g{number}") for number in range(count)]


async def _judged(fault: str, at: Scene, genuine: int, bad: int, more: int = 0, words: str = "") -> Row:
    """Counts, behind all that was sent. `more`: what went wrong besides commands done twice or unsigned."""
    await at.heard("last")
    ours = {f"g{number}" for number in range(genuine)}
    twice = sum(count - 1 for count in at.done.values()) + len(set(at.done) - ours - {"last", "before"})
    lost = len(ours - set(at.done))
    stored = await at.stored() - len({"last", "before"} & set(at.done))
    return Row(fault, genuine, stored, genuine - lost, twice + more, lost, 0, bad, bad - at.refused, words)


async def _forged(folder: Path, port: int, cloud: Collector, scale: Scale) -> Row:
    genuine, bad = _genuine(scale.times(200)), 0
    async with scene(folder, port, cloud, Counter()) as at:
        for number, raw in enumerate(genuine):
            changed = flipped(raw, scale.chance.randrange(8 * len(raw)))
            made = [
                changed,
                order("restart", {}, "stranger", id=f"f{number}"),
                signed(command("restart", id=f"n{number}"), "stranger", name="keymaster-1"),
                signed(command("restart", id=f"p{number}"), purpose=Purpose.BUNDLE),
                scale.chance.randbytes(60),
            ]
            bad += len(made)
            await at.send(raw, *made)
        return await _judged("commands forged or changed", at, len(genuine), bad)


async def _played_again(folder: Path, port: int, cloud: Collector, scale: Scale) -> Row:
    genuine, times, done = _genuine(scale.times(100)), 3, Counter[str]()
    async with scene(folder, port, cloud, done) as at:
        await at.send(*genuine, *genuine)
        await at.heard("before")
        first = at.refused
    async with scene(folder, port, cloud, done) as at:
        await at.send(*scale.chance.sample(genuine, len(genuine)))
        at.shop.clocks = UNTRUSTED
        await at.send(*genuine)
        row = await _judged("commands played again, also after a restart", at, len(genuine), times * len(genuine))
        return row._replace(unreported=row.unreported - first)


async def _untimely(folder: Path, port: int, cloud: Collector, scale: Scale) -> Row:
    """Expired ones, with the clock right and a year behind, ones of the future, and those of other boxes."""
    genuine, bad = _genuine(scale.times(100)), 0
    async with scene(folder, port, cloud, Counter()) as at:
        for number, raw in enumerate(genuine):
            made = [
                order("restart", id=f"e{number}", issued=NOW - 900, expires=NOW - scale.chance.randint(1, 600)),
                order("restart", id=f"t{number}", issued=NOW + 86_400, expires=NOW + 90_000),
                order("restart", id=f"b{number}", boxes=("b2",)),
                order("restart", id=f"a{number}", stores=("s2",), boxes=("*",)),
                order("restart", id=f"o{number}", key="operator-1", tenant="other"),
                order("keys.revoke", {"epochs": [1]}, "owner-1", id=f"r{number}"),
            ]
            bad += len(made)
            await at.send(raw, *made)
        await at.heard("before")
        at.shop.clocks = Clocks((NOW - 365 * 86_400) * 1000, False, 60)
        old = [order("restart", id=f"y{n}", issued=NOW - 900, expires=NOW - 1) for n in range(len(genuine))]
        await at.send(*old)
        return await _judged("commands expired, early, for others, too high", at, len(genuine), bad + len(old))


async def _bundles(folder: Path, port: int, cloud: Collector, scale: Scale) -> Row:
    """Each revision in force for a while, and then all older ones again, others of its number, forged ones."""
    total, back, bad = scale.times(40), 0, 0
    kind, made = BundleKind.LEXICON, list[bytes]()
    content: dict[str, Any] = {"words": {"kind": {"training": ["staff meal"]}}}
    done = Counter[str]()
    async with scene(folder, port, cloud, done) as at:
        bundles = at.shop.orders.bundles

        def revision_now() -> int:
            return bundles.report()[kind.value].revision if kind.value in bundles.report() else 0

        for revision in range(1, total + 1):
            made.append(signed(bundle(kind, revision, content)))
            await at.send(made[-1], topic="desired")
            await until(lambda revision=revision: revision_now() == revision)  # type: ignore[misc]
            other: dict[str, Any] = {"words": {}}
            wrong = [
                *scale.chance.sample(made[:-1], min(5, len(made) - 1)),
                signed(bundle(kind, revision, other)),
                signed(bundle(kind, revision + 9, other), "stranger"),
                signed(bundle(kind, revision + 9, other), purpose=Purpose.COMMAND),
                signed(bundle(kind, revision + 9, other, boxes=("b2",))),
                signed(bundle(kind, revision + 9, other), "operator-1"),
            ]
            bad += len(wrong)
            await at.send(*wrong, topic="desired")
        await at.heard("before")
        back = revision_now() != total
        first = at.refused
    async with scene(folder, port, cloud, done) as at:
        await at.send(*made[:-1], topic="desired")
        await at.heard("last")
        now = at.shop.orders.bundles.report()[kind.value].revision
        found = (total, now, int(back or now != total), total - now, 0, bad + total - 1)
        unreported = bad + total - 1 - first - at.refused
        return Row("bundles forged, played again, rolled back", total, *found, unreported)
