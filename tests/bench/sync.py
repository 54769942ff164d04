"""From the disk to a subscriber: how fast a backlog drains, what it costs in memory, how soon a receipt arrives.

Owns: section `sync`. Real store, real mosquitto on loopback, a real subscriber in a process of its own that decodes
every row and acknowledges; all of them share this machine's cores. The uplink runs in this process, so that its memory
is this process's.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from edgebox.store.events import SightingRecord, Stream
from edgebox.store.store import Store
from hw_sim.cloud.broker import Access, Broker, find_mosquitto
from sync.session.window import Limits
from sync.uplink import Uplink
from tests.bench.box import Broken
from tests.bench.figures import Section, met
from tests.bench.machine import rss_bytes
from tests.bench.spread import interval, percentile
from tests.sync.box import receipt, settings
from tests.sync.broker import Collector

DRAIN_ROWS_S, RATIO, RSS_MB, ARRIVAL_MS = 50_000, 0.90, 5.0, 50.0
MB = 1 << 20
GROUP = 5000  # rows of one transaction while the backlog is made
WINDOW = 64
# mosquitto's own limits would be measured otherwise: 20 messages out at once, 1000 waiting, then silence
CONF = (f"max_inflight_messages {WINDOW}", "max_queued_messages 0", "set_tcp_nodelay true")


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `sync`."""
    if find_mosquitto() is None:
        raise Broken("mosquitto is not installed: apt-get install mosquitto")
    drained, single, rounds, receipts = (100_000, 5_000, 3, 100) if quick else (1_000_000, 10_000, 15, 500)
    with Broker(folder / "broker", access=Access.ANYBODY, persistence=False, extra=CONF) as broker:
        rows_s, growth_mb, repeats = asyncio.run(_drain(folder / "drain", broker, drained))
        ratios, ours = _unbatched(folder, broker, single, rounds)
        arrivals = asyncio.run(_arrivals(folder / "live", broker, receipts))
    ratio = interval(ratios)
    median, p99 = statistics.median(arrivals), percentile(arrivals, 0.99)
    rows = [
        [
            f"drain of {drained:,} rows, batched",
            f"{rows_s:,.0f} rows/s",
            f"≥ {DRAIN_ROWS_S:,}",
            met(rows_s, DRAIN_ROWS_S, at_least=True),
        ],
        ["memory while draining", f"{growth_mb:+.1f} MB", f"± {RSS_MB:g} MB", met(abs(growth_mb), RSS_MB)],
        ["rows that came twice", str(repeats), "", ""],
        ["one row a message", f"{statistics.median(ours):,.0f} rows/s", "", ""],
        ["the same ÷ plain paho", str(ratio), f"≥ {RATIO:.2f}", met(ratio.median, RATIO, at_least=True)],
        ["recorded to subscriber, p50", f"{median:.1f} ms", f"≤ {ARRIVAL_MS:g} ms", met(median, ARRIVAL_MS)],
        ["recorded to subscriber, p99", f"{p99:.1f} ms", "", ""],
    ]
    notes = [
        f"mosquitto without TLS on loopback, window {WINDOW}; one row a message: {rounds} rounds of {single:,} rows",
        "plain paho has its messages ready in memory; the uplink reads them from SQLite and marks what is acknowledged",
    ]
    return [Section("sync", "From the disk to a subscriber", ("what", "measured", "target", ""), rows, notes)]


@asynccontextmanager
async def _uplink(folder: Path, broker: Broker, rows: int, limits: Limits) -> AsyncIterator[tuple[Store, Uplink]]:
    """A store with so many sightings, and an uplink that is not yet running."""
    store = Store.open(folder)
    for first in range(0, rows, GROUP):
        await store.record(
            *(
                SightingRecord(at=1_795_000_000 + at, tag=f"t{at % 7}", rssi_dbm=-60, distance_cm=at % 500)
                for at in range(first, min(rows, first + GROUP))
            )
        )
    try:
        yield store, Uplink(settings(broker.url, folder), store, limits=limits)
    finally:
        await store.close()


async def _watch(uplink: Uplink, consumer: subprocess.Popen[str]) -> list[int]:
    """Runs the uplink until the consumer has all; the memory every fifth of a second."""
    task, sizes = asyncio.ensure_future(uplink.run()), []
    while consumer.poll() is None:
        await asyncio.sleep(0.2)
        sizes.append(rss_bytes(_own_pid())[0])
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return sizes


def _own_pid() -> int:
    return int(Path("/proc/self").resolve().name)


def _consumer(broker: Broker, rows: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.consumer", str(broker.port), str(rows), "acks"]
    consumer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert consumer.stdout is not None
    if consumer.stdout.readline() != "ready\n":
        raise Broken("the subscriber did not start")
    return consumer


def _result(consumer: subprocess.Popen[str]) -> tuple[float, int]:
    """Seconds and repeats."""
    assert consumer.stdout is not None
    seconds, _, repeats, _ = consumer.stdout.read().split()
    consumer.stdout.close()
    return float(seconds), int(repeats)


async def _drain(folder: Path, broker: Broker, rows: int) -> tuple[float, float, int]:
    async with _uplink(folder, broker, rows, Limits(window=WINDOW)) as (store, uplink):
        consumer = _consumer(broker, rows)
        sizes = await _watch(uplink, consumer)
        seconds, repeats = _result(consumer)
        if (await store.acknowledged())[Stream.VISITS][1] < rows * 0.9:
            raise Broken("the cloud's acknowledgements were not written down")
    settled = sizes[1 : len(sizes) - 5] or sizes  # the first holds what the interpreter grows by in any case
    return rows / seconds, (max(settled) - settled[0]) / MB, repeats


def _unbatched(folder: Path, broker: Broker, rows: int, rounds: int) -> tuple[list[float], list[float]]:
    """Our speed ÷ plain paho's in each round, and ours."""
    ratios, ours = [], []
    for at in range(rounds):
        mine = theirs = 0.0
        for turn in (0, 1) if at % 2 else (1, 0):  # whoever comes second finds the machine warmer
            if turn:
                theirs = _plain(broker, rows)
            else:
                mine = asyncio.run(_single(folder / f"single{at}", broker, rows))
        ours.append(rows / mine)
        ratios.append(theirs / mine)
    return ratios, ours


def _plain(broker: Broker, rows: int) -> float:
    """Seconds that plain paho takes."""
    consumer = _consumer(broker, rows)
    plain = [sys.executable, "-m", "tests.bench.plain_paho", str(broker.port), str(rows), str(WINDOW)]
    subprocess.run(plain, check=True)
    consumer.wait(60)
    return _result(consumer)[0]


async def _single(folder: Path, broker: Broker, rows: int) -> float:
    async with _uplink(folder, broker, rows, Limits(window=WINDOW, batch_rows=1)) as (_, uplink):
        consumer = _consumer(broker, rows)
        await _watch(uplink, consumer)
        return _result(consumer)[0]


async def _arrivals(folder: Path, broker: Broker, receipts: int) -> list[float]:
    """Milliseconds from before `record` until the subscriber has it, for each receipt."""
    cloud, times = Collector(broker.port), []
    async with _uplink(folder, broker, 0, Limits()) as (store, uplink):
        task = asyncio.ensure_future(uplink.run())
        while not uplink.is_connected:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)
        for number in range(receipts):
            arrived: asyncio.Event = asyncio.Event()
            loop = asyncio.get_running_loop()
            cloud.on_batch = lambda _, loop=loop, arrived=arrived: loop.call_soon_threadsafe(arrived.set)  # type: ignore[misc]
            began = time.perf_counter()
            await store.record(receipt(number))
            await asyncio.wait_for(arrived.wait(), 10)
            times.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    cloud.close()
    return times
