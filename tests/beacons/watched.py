"""A beacons' desk for tests: a real store, tags that stand where they are told to, and the test's clock."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from edgebox import config as settings
from edgebox.beacons.watch import BeaconWatch
from edgebox.member_at_till import AtTill
from edgebox.notices import Health
from edgebox.store.events import HealthRecord, Stream, VisitRecord
from edgebox.store.peek import bodies
from edgebox.store.store import Store
from tests.beacons.shop_floor import UUID, heard

NOON = 1_795_003_200
ANNA = f'{{name="anna",beacon="{UUID}:1:1",role="staff",cashier="07"}}'
LI = f'{{name="li",beacon="{UUID}:1:2",role="member",member="{"ab" * 16}"}}'
WU = f'{{name="wu",beacon="{UUID}:1:3",role="member",member="{"cd" * 16}"}}'
BOB = f'{{name="bob",beacon="{UUID}:1:4",role="staff"}}'
DOOR = f'{{name="door",beacon="{UUID}:1:5",role="beacon"}}'
ALL = f"beacons.tags=[{ANNA},{LI},{WU},{BOB},{DOOR}]"


class Host:
    """What the watch wants of an engine."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.config = settings.load(None, [f"engine.data={folder}", *overrides])
        self.mono_s = 1000.0
        self.clock: Callable[[], float] = lambda: NOON + self.mono_s
        self.noticed: list[HealthRecord] = []
        self.health = Health(self._notice, self.clock)
        self.faults: list[str] = []
        self.counters: Counter[str] = Counter()

    def _notice(self, event: Any) -> None:
        self.noticed.append(event)

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        self.faults.append(what)


class Box:
    """A watch with its store; time goes on as told."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.host = Host(folder, *overrides)
        self.store = Store.open(folder)
        self.till = AtTill()
        self.watch = BeaconWatch(self.host, self.till, lambda: self.host.mono_s)

    def stand(self, seconds: float, **metres: float) -> None:
        """Tags named `t1`, `t2` … at these distances for a while; a tick each second."""
        for _ in range(int(seconds)):
            for _ in range(4):
                self.host.mono_s += 0.25
                for name, distance in metres.items():
                    self.watch.heard(heard(distance, self.host.mono_s, int(name[1:])))
            self.watch.tick()

    async def written(self) -> None:
        await self.watch._write()

    def close(self) -> None:
        """As a kill does: nothing ends, nothing is written."""
        for task in self.watch._tasks:
            task.cancel()
        self.store.close_now()


@contextlib.asynccontextmanager
async def box(folder: Path, *overrides: str) -> AsyncIterator[Box]:
    one = Box(folder, *overrides)
    await one.watch.open(one.store)
    try:
        yield one
    finally:
        await one.watch.stop()
        one.host.health.stop()
        await one.store.close()


def visits(folder: Path) -> list[VisitRecord]:
    return [
        msgspec.json.decode(body, type=VisitRecord)
        for body in bodies(folder, Stream.VISITS)
        if body.startswith(b'{"type":"visit"')
    ]
