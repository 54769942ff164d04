"""The box's own beacons on the air: frames in, advertisements that BlueZ sends, through every loss.

Owns: the objects on the bus and the calls. Never: what is to be sent when (edgebox/beacons/radio.py), nor the next step
(advert_plan.py). Whatever is lost comes back by itself: the picture of bluez.py says when there is somebody to ask.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from drivers.advert_plan import Action, Advert, Plan, Shown, Step
from drivers.bluez import Bluez, Patience, RefusedError
from drivers.bluez_picture import ADVERTISING
from sync.backoff import full_jitter

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus


class BeaconAdvertiser:
    """One box's. `changed`: told when an advertisement's state has changed."""

    def __init__(
        self,
        bluez: Bluez,
        changed: Callable[[], None] = lambda: None,
        *,
        patience: Patience = Patience(),  # noqa: B008 - immutable
        chance: random.Random | None = None,
    ) -> None:
        self._bluez = bluez
        self._changed = changed
        wait_s = partial(_wait_s, chance or random.Random(), patience)
        self._plan = Plan(wait_s, patience.settle_s, patience.sure_s)
        self._wake = asyncio.Event()
        self._exported: tuple[MessageBus | None, set[str]] = None, set()
        bluez.on_change(self._look)

    def want(self, adverts: Iterable[Advert]) -> None:
        """These are to be on the air, and no others. ValueError: one can't be; nothing has changed."""
        self._plan.want(adverts)
        self._wake.set()

    def shown(self) -> Sequence[Shown]:
        """How each of them stands, as BlueZ says."""
        return self._plan.shown()

    @property
    def counters(self) -> Counter[str]:
        """What was registered, released, refused and lost."""
        return self._plan.counters

    async def run(self) -> None:
        """Until it is cancelled. BlueZ ends all advertisements with the connection (bluez.py)."""
        clock = asyncio.get_running_loop().time
        self._look()
        while True:
            self._wake.clear()
            while action := self._plan.next(clock()):
                await self._do(action)
                self._changed()
            self._take_down_rest()
            try:
                async with asyncio.timeout(self._plan.due_s(clock())):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _look(self) -> None:
        self._plan.see(self._bluez.picture, asyncio.get_running_loop().time())
        self._wake.set()
        self._changed()

    async def _do(self, action: Action) -> None:
        """Asks BlueZ, which reads the object before it answers."""
        place, bus = self._bluez.picture.place, self._bluez.bus
        refusal = words = ""
        try:
            if bus is None or place is None:
                raise RefusedError("no bus", reason="no_bus")
            if action.step is Step.REGISTER:
                self._export(bus, action)
                await self._bluez.call(place.path, ADVERTISING, action.step.value, "oa{sv}", action.path, {})
            else:
                await self._bluez.call(place.path, ADVERTISING, action.step.value, "o", action.path)
        except RefusedError as fault:
            refusal, words = fault.reason, str(fault)
        self._plan.done(action, refusal, words, asyncio.get_running_loop().time(), place)

    def _export(self, bus: MessageBus, action: Action) -> None:
        from drivers.advert_object import advert_object

        if self._exported[0] is not bus:
            self._exported = bus, set()  # the old one has taken its objects with it
        bus.unexport(action.path)  # of an attempt before
        bus.export(
            action.path, advert_object(action.advert, action.with_interval, partial(self._released, action.path))
        )
        self._exported[1].add(action.path)

    def _take_down_rest(self) -> None:
        """Objects that nobody reads any more."""
        bus, paths = self._exported
        for path in paths - self._plan.paths():
            if bus is not None and bus is self._bluez.bus:
                bus.unexport(path)
            paths.discard(path)

    def _released(self, path: str) -> None:
        self._plan.released(path, asyncio.get_running_loop().time())
        self._wake.set()
        self._changed()


def _wait_s(chance: random.Random, patience: Patience, attempt: int) -> float:
    return full_jitter(chance, attempt, patience.again_s)
