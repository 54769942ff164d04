"""Presence: people of a synthetic shop seen in time and nobody else, and what a day on the air costs.

The first table is a Monte Carlo over seeds that the tests do not use. The second is a box's whole way of an
advertisement, from bleak's callback to the disk, with a real store: the air of ten minutes, again and again.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from edgebox import config as settings
from edgebox.beacons.ears import Ears
from edgebox.beacons.frames import APPLE, ibeacon
from edgebox.beacons.heard import TagKey, TagKind
from edgebox.beacons.watch import BeaconWatch
from edgebox.member_at_till import AtTill
from edgebox.notices import Health
from edgebox.store.store import Store
from hw_sim.walkers import POWER_DBM, Kind, Walker, Walkers
from tests.beacons.shop_floor import UUID, Figures, figures
from tests.bench.box import Broken
from tests.bench.figures import Section, met

LAG_P95_S, FALSE = 6.0, 0.01  # targets
CPU_MS, GREW_MB = 0.15, 4.0
SCENE_S = 600.0
PER_S = 100
STRANGERS_PER_S = 20
HOUR_S, DAY_S = 3600, 86_400
PAGE = os.sysconf("SC_PAGE_SIZE")


class Air(NamedTuple):
    """Ten minutes of advertisements as bleak would tell them: (seconds, sender, manufacturer data, dBm)."""

    adverts: list[tuple[float, str, dict[int, bytes], int]]
    tags: list[str]
    strangers: int


class Cost(NamedTuple):
    """Of a simulated time. `grew_mb`: from the end of the first scene."""

    adverts: int
    cpu_ms: float
    grew_mb: float
    rows: int
    not_recorded: int


def air() -> Air:
    """Fifty listed tags, and phones that nobody asked for; PER_S together."""
    walkers = Walkers(3)
    every_s = 0.8 * 0.7 * 50 / (PER_S - STRANGERS_PER_S)  # 30 % are not heard, and customers are there half the time
    people: list[Walker] = []
    for number in range(50):
        kind = (Kind.STAFF, Kind.CUSTOMER, Kind.STAFF, Kind.QUEUE, Kind.STILL)[number % 5]
        begin = 25.0 * number % (SCENE_S - 90) if kind in (Kind.CUSTOMER, Kind.QUEUE) else 0.0
        one = walkers.walker(kind, begin, every_s=every_s, still_m=5.0 + number % 7)
        people.append(one._replace(who=number, end_s=SCENE_S))
    data = [{APPLE: ibeacon(key(number), POWER_DBM)} for number in range(50)]
    adverts = [(one.at_s, f"t{one.who}", data[one.who], one.rssi_dbm) for one in walkers.together(people)]
    stranger = {APPLE: b"\x10\x05\x0b\x1c" + bytes(4)}
    missing = int(PER_S * SCENE_S) - len(adverts)
    if not 0.7 < missing / (STRANGERS_PER_S * SCENE_S) < 1.4:
        raise Broken(f"{len(adverts)} adverts of tags in {SCENE_S:.0f} s")
    adverts += [(SCENE_S * number / missing, f"p{number % 40}", stranger, -70) for number in range(missing)]
    adverts.sort(key=lambda advert: advert[0])
    tags = [f'{{name="t{number}",beacon="{key(number)}",role="{_role(number)}"}}' for number in range(50)]
    return Air(adverts, tags, missing)


def key(number: int) -> TagKey:
    return TagKey(TagKind.IBEACON, UUID, 1, number)


def _role(number: int) -> str:
    return ("staff", "asset", "staff", "asset", "beacon")[number % 5]


class Host:
    """What the watch wants of an engine."""

    def __init__(self, folder: Path, tags: list[str]) -> None:
        self.config = settings.load(None, [f"engine.data={folder}", f"beacons.tags=[{','.join(tags)}]"])
        self.mono_s = 0.0
        self.clock = lambda: 1_795_000_000 + self.mono_s
        self.health = Health(lambda event: None, self.clock)
        self.counters: Counter[str] = Counter()

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        raise Broken(f"{what}: {error}")


async def day(folder: Path, scene: Air, seconds: int) -> Cost:
    """So long on the air, by a clock that runs as fast as it can."""
    host = Host(folder, scene.tags)
    store = Store.open(folder)
    watch = BeaconWatch(host, AtTill(), lambda: host.mono_s)
    ears = Ears(watch.heard, watch.battery)
    watch.on_spaces = ears.allow
    await watch.open(store)
    for task in watch._tasks:
        task.cancel()  # ticks come from here
    count, tick_s, before_mb = 0, 0.0, 0.0
    began = time.process_time()
    for base, adverts in _scenes(scene, seconds):
        for at_s, who, data, rssi in adverts:
            host.mono_s = now = base + at_s
            while tick_s <= now:
                watch.tick()
                await watch._write()
                tick_s += 1.0
            ears.take(who, data, {}, rssi, now)
            count += 1
        before_mb = before_mb or _rss_mb()
    cpu_s = time.process_time() - began
    grew = _rss_mb() - before_mb
    rows = await store.read(lambda db: db.execute("SELECT count(*) FROM journal").fetchone()[0])
    not_recorded = watch.visits.counters["not_recorded"]
    await watch.stop()
    await store.close()
    return Cost(count, cpu_s * 1000 / count, grew, rows, not_recorded)


def _scenes(scene: Air, seconds: int) -> Iterator[tuple[float, list[Any]]]:
    for number in range(max(1, int(seconds / SCENE_S))):
        yield number * SCENE_S, scene.adverts


def _rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE / (1 << 20)


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `presence`."""
    count = 300 if quick else 2000
    seeds = range(100_000, 100_000 + count)
    rows = [_row("without gaps", figures(seeds), True), _row("10 s of every 15 s", figures(seeds, gaps=True), False)]
    columns = (
        "adapter listens",
        "entry p50 s",
        "p95 s",
        "missed",
        "flapped",
        "false: passing",
        "false: queue",
        "target",
    )
    notes = [f"{count} customers, passers-by at 3.2 m and people who wait 90 s at 4 m, each with an own seed"]
    people = Section("presence", "Who is at the till", columns, rows, notes)
    hours = 1 if quick else 24
    scene = air()
    cost = asyncio.run(day(folder, scene, hours * HOUR_S))
    limit = 5000
    rows = [
        ("CPU an advert, ms", f"{cost.cpu_ms:.3f}", f"{CPU_MS}: {met(cost.cpu_ms, CPU_MS)}"),
        ("memory grew by, MB", f"{cost.grew_mb:.1f}", f"{GREW_MB:.0f}: {met(cost.grew_mb, GREW_MB)}"),
        ("rows in the database", f"{cost.rows}", f"{limit}: {met(cost.rows, limit)}"),
    ]
    notes = [
        f"{hours} simulated hours: ten minutes of air, {hours * HOUR_S / SCENE_S:.0f} times; {cost.adverts:,} adverts"
        f" ({PER_S} a second, {scene.strangers / SCENE_S:.0f} of them strangers')",
        "from bleak's callback to the disk, with fifty listed tags that come, stand and go",
        f"visits counted by the hour but not written down: {cost.not_recorded}",
    ]
    return [people, Section("presence-cost", "A day on the air", ("", "found", "target"), rows, notes)]


def _row(name: str, found: Figures, is_judged: bool) -> tuple[str, ...]:
    false = max(found.false_passers, found.false_queue)
    lag = f"{LAG_P95_S:.0f} s: {met(found.lag_p95_s, LAG_P95_S)}, " if is_judged else ""
    return (
        name, f"{found.lag_p50_s:.1f}", f"{found.lag_p95_s:.1f}", f"{found.missed:.2%}", f"{found.flapped:.2%}",
        f"{found.false_passers:.2%}", f"{found.false_queue:.2%}", f"{lag}1 %: {met(false, FALSE)}",
    )  # fmt: skip
