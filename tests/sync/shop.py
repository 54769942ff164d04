"""Some boxes on a real broker, and an operator's command line beside them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edgebox import cli
from sync.fleet_keys import load_key
from tests.bench.light_boxes import TENANT, LightBox, start_all
from tests.sync.broker import Collector, mosquitto, until

BOXES = 12


class Shop:
    """A broker, boxes, and an operator's command line. Boxes are numbered from 0; `b0003` is of `s000`."""

    def __init__(self, url: str, boxes: list[LightBox]) -> None:
        self.url = url
        self.boxes = boxes

    def cloud(self, box: LightBox) -> Collector:
        """Somebody who takes rows, so that the broker has a subscriber, and says nothing."""
        return Collector(int(self.url.rpartition(":")[2]), acks=False, box=box.name)

    async def fleet(self, *arguments: str) -> int:
        """`edgebox fleet …` as a person types it, beside the boxes' loop."""
        verb, *rest = arguments
        return await asyncio.to_thread(cli.main, ["fleet", verb, "--url", self.url, "--tenant", TENANT, *rest])


@asynccontextmanager
async def shop(
    home: Path, count: int = BOXES, sick: tuple[int, ...] = (), keys: tuple[str, ...] = ("owner-anna",)
) -> AsyncIterator[Shop]:
    """`keys`: of the operator, which the boxes obey."""
    public = tuple(load_key(home / "config" / "edgebox" / "keys" / f"{name}.key").public for name in keys)
    with mosquitto(home / "broker") as broker:
        boxes = [
            LightBox(home, broker.url, n, public, sick=n in sick, heartbeat_s=1, keepalive_s=5) for n in range(count)
        ]
        await start_all(boxes)
        try:
            await until(lambda: all(box.beats for box in boxes), "all boxes are there")
            yield Shop(broker.url, boxes)
        finally:
            for box in boxes:
                await box.stop()


def run(story: Callable[[], Any]) -> None:
    asyncio.run(story())
