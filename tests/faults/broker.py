"""The broker dies, drops, refuses, lies, hangs up: what a cloud has in the end of what a box has recorded.

Real store, real uplink, real mosquitto on loopback; only refusals come from a scripted broker, because mosquitto can't
be made to refuse on demand. `twice` counts receipts that are there under two keys, behind the consumer's dedupe.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from edgebox.store.events import Stream
from hw_sim.cloud.broker import find_mosquitto
from sync.contract import Ack, Batch
from sync.session.lane import Patience
from sync.session.window import Limits
from tests.faults import Row, Scale
from tests.sync.box import Box, running
from tests.sync.broker import PREFIX, Collector, mosquitto
from tests.sync.certificates import Authority
from tests.sync.proxy import proxied
from tests.sync.scripted import Published, ScriptedBroker, listening

WITHIN_S = 120.0
SMALL = Limits(batch_rows=25)  # many messages, so that there is something to lose
QUICK = Patience(ack_s=0.5, young_s=0.1)
REASONS = (0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
Story = Callable[[Path, Scale], Awaitable[Row]]


def why_not() -> str:
    """Why none of this can be tried here."""
    return "" if find_mosquitto() else "mosquitto is not installed"


def rows(scale: Scale) -> Iterator[Row]:
    """A row for each fault."""
    for story in STORIES:
        with scale.folder() as folder:
            yield asyncio.run(story(folder, scale))


async def _arrived(what: Callable[[], bool]) -> None:
    ends = time.monotonic() + WITHIN_S
    while not what() and time.monotonic() < ends:  # noqa: ASYNC110 - what is missing then shows in the row
        await asyncio.sleep(0.01)


async def _count(fault: str, boxes: tuple[Box, ...], cloud: Collector, accepted: int, words: str = "") -> Row:
    """Waits until the cloud has all, or for too long, and counts."""
    await _arrived(lambda: cloud.count("receipts") >= accepted)
    stored = 0
    for box in boxes:
        stored += len(await box.store.rows(Stream.RECEIPTS, None, limit_rows=1 << 20, limit_bytes=1 << 30))
    kept = [found for (_, stream), found in cloud.rows.items() if stream == "receipts"]
    bodies = [json.loads(body) for found in kept for body in found.values()]
    distinct = {(body["session"], body["document"]) for body in bodies}
    repeats = f"{cloud.repeats} repeats known by their key"
    cloud.close()
    lost, given_up = accepted - len(distinct), sum(to - first + 1 for first, to, _ in cloud.lost)
    return Row(
        *(fault, accepted, stored, len(distinct), len(bodies) - len(distinct), lost, given_up, 0, 0),
        "; ".join(filter(None, [words, repeats])),
    )


def _killed(persistence: bool) -> Story:
    async def story(folder: Path, scale: Scale) -> Row:
        kills, number = scale.times(50), 0
        with mosquitto(folder / "broker", "max_queued_messages 0", persistence=persistence) as broker:
            cloud = Collector(broker.port)
            async with running(broker.url, folder, limits=SMALL, patience=QUICK) as box:
                for _ in range(kills):
                    more = scale.chance.randint(1, 60)
                    await box.receipts(more, first=number)
                    broker.kill()
                    await box.receipts(5, first=number + more)
                    number += more + 5
                    broker.start()
                    await asyncio.sleep(scale.chance.uniform(0, 0.3))
                name = f"broker killed, {'with' if persistence else 'without'} persistence"
                return await _count(name, (box,), cloud, number, f"{kills} times")

    return story


async def _weeks(folder: Path, scale: Scale) -> Row:
    total = scale.times(1_000_000)
    with mosquitto(folder / "broker", "max_queued_messages 0", "max_inflight_messages 64") as broker:
        broker.kill()
        async with running(broker.url, folder) as box:
            await box.sightings(total)
            broker.start()
            command = [sys.executable, "-m", "tests.bench.consumer", str(broker.port), str(total), "acks"]
            consumer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - takes a blink
            out, _ = await asyncio.to_thread(consumer.communicate)
            seconds, found, repeats, _ = out.split()[1:]
            await box.marks(total, Stream.VISITS)
    words = f"drained in {float(seconds):.1f} s, {repeats} repeats known by their key"
    lost = total - int(found)
    return Row("broker away while so many were recorded", total, total, int(found), 0, lost, 0, 0, 0, words)


async def _overflow(folder: Path, scale: Scale) -> Row:
    total = scale.times(2000)
    with mosquitto(folder / "broker", "max_queued_messages 20", "max_inflight_messages 20") as broker:
        away = Collector(broker.port, session_s=3600)
        away.close()
        async with running(broker.url, folder, limits=Limits(batch_rows=1), patience=QUICK) as box:
            await box.receipts(total)
            lane = box.uplink.session.lanes["receipts"]
            await _arrived(lambda: lane.counters["messages"] >= total)
            return await _count("broker acknowledged and dropped", (box,), Collector(broker.port), total)


async def _cut(folder: Path, scale: Scale) -> Row:
    total, cuts = scale.times(5000), scale.times(100)
    with mosquitto(folder / "broker", "max_queued_messages 0") as broker:
        cloud = Collector(broker.port)
        async with (
            proxied(broker.port, cut_after=5000) as proxy,
            running(f"mqtt://127.0.0.1:{proxy.port}", folder, limits=Limits(batch_bytes=4096), patience=QUICK) as box,
        ):
            await box.receipts(total)
            while proxy.cuts < cuts and cloud.count("receipts") < total:
                proxy.cut_after = scale.chance.randint(800, 20_000)
                await asyncio.sleep(0.05)
            proxy.cut_after = 0
            proxy.cut()
            return await _count("connection cut within packets", (box,), cloud, total, f"{proxy.cuts} cuts")


async def _refused(folder: Path, scale: Scale) -> Row:
    total, refusals, taken = scale.times(3000), 0, set[int]()

    def answer(sent: Published) -> int:
        nonlocal refusals
        if "/up/" not in sent.topic:
            return 0
        if scale.chance.random() < 0.3:
            refusals += 1
            return scale.chance.choice(REASONS)
        taken.update(row.seq for row in sent.batch.rows if "receipts" in sent.topic)
        return 0

    async with (
        listening(ScriptedBroker(answer)) as broker,
        running(f"mqtt://127.0.0.1:{broker.port}", folder, limits=SMALL, ack="broker") as box,
    ):
        await box.receipts(total)
        lane = box.uplink.session.lanes["receipts"]
        await _arrived(lambda: len(taken) + lane.quarantined >= total)
        aside = lane.quarantined
        told = sum(count for name, count in box.uplink.refused().items() if not name.endswith("set aside"))
        words = f"{aside} set aside and shown" if aside else ""
    lost = total - len(taken) - aside
    return Row(
        *("PUBACK refused, one in three", total, total, len(taken), 0, lost, 0, refusals, refusals - told), words
    )


async def _unheard(folder: Path, scale: Scale) -> Row:
    total = scale.times(500)
    with mosquitto(folder / "broker") as broker:
        async with running(broker.url, folder, patience=QUICK) as box:
            await box.receipts(total)
            await _arrived(lambda: "sync receipts" in box.uplink.health())
            return await _count("nobody subscribes (0x10)", (box,), Collector(broker.port), total)


async def _lying_acks(folder: Path, scale: Scale) -> Row:
    total = scale.times(3000)
    with mosquitto(folder / "broker", "max_queued_messages 0") as broker:
        cloud = Collector(broker.port, acks=False)

        def lie(batch: Batch) -> None:
            through = cloud.through[batch.epoch, batch.stream]
            for value in (through, through, scale.chance.randint(0, through), through + total, 1 << 40):
                if scale.chance.random() < 0.5:
                    cloud.ack(Ack(stream=batch.stream, epoch=batch.epoch, through=value))
            cloud.publish_soon(f"{PREFIX}box1/ack", scale.chance.randbytes(40))

        cloud.on_batch = lie
        async with running(broker.url, folder, limits=SMALL, patience=QUICK) as box:
            await box.receipts(total)
            row = await _count("acks twice, late, forged, lost, no JSON", (box,), cloud, total)
            beyond = await box.marked() > total
            return row._replace(lost=row.lost + beyond)


async def _two_boxes(folder: Path, scale: Scale) -> Row:
    each = scale.times(300)
    with mosquitto(folder / "broker", "max_queued_messages 0") as broker:
        cloud = Collector(broker.port)
        quick: dict[str, Any] = {"patience": QUICK, "limits": SMALL}
        async with running(broker.url, folder / "1", **quick) as one, running(broker.url, folder / "2", **quick) as two:
            await one.receipts(each)
            await two.receipts(each, first=each)
            return await _count("two boxes with one client id", (one, two), cloud, 2 * each)


async def _expired(folder: Path, scale: Scale) -> Row:
    total, authority = scale.times(500), Authority()
    for where, name in ((folder / "broker", "server"), (folder / "credentials", "client")):
        authority.issue(where, name, **({"first_day": -9, "last_day": -1} if name == "client" else {}))
        (where / "ca.crt").write_bytes(authority.certificate)
    own = folder / "broker"
    tls = [f"cafile {own}/ca.crt", f"certfile {own}/server.crt", f"keyfile {own}/server.key"]
    tls.append("require_certificate true")
    with mosquitto(folder / "plain") as plain:
        bridge = ["connection up", f"address 127.0.0.1:{plain.port}", "topic # both 1"]
        with mosquitto(own, *tls, *bridge) as broker:
            async with running(f"mqtts://localhost:{broker.port}", folder, patience=QUICK) as box:
                await box.receipts(total)
                await _arrived(lambda: box.uplink.health().get("client certificate") == "expired")
                cloud = Collector(plain.port)
                authority.issue(folder / "credentials", "client")
                return await _count("certificate expired, then renewed", (box,), cloud, total)


STORIES: tuple[Story, ...] = (
    *(_killed(persistence=False), _killed(persistence=True)),
    *(_weeks, _overflow, _cut, _refused, _unheard, _lying_acks, _two_boxes, _expired),
)
