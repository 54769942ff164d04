"""The box's radio: what it says on the air, what it hears there, and how both stand.

Owns: the tasks of Bluetooth, opening hours, and the words for health. Never: what a tag means (presence.py), nor what
to do about a loss (the drivers). A part of the engine: whatever happens to Bluetooth, receipts know nothing of it.

Nothing of it is loaded, and nothing runs, while the settings want neither sending nor listening.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar
from zoneinfo import ZoneInfo

from edgebox.beacons.ears import Ears
from edgebox.beacons.heard import Battery, Deaf, Heard
from edgebox.beacons.sending import Sending, of_settings
from edgebox.notices import Health
from edgebox.settings import Config
from edgebox.store.clock import SystemClock
from edgebox.store.store import Store

if TYPE_CHECKING:
    from drivers.advert_plan import Shown
    from drivers.beacon_advertiser import BeaconAdvertiser
    from drivers.beacon_scanner import BeaconScanner
    from drivers.bluez import Bluez, Patience
    from drivers.scan_watch import ScanPatience

_T = TypeVar("_T")

SENDS, HEARS = "beacons: sending", "beacons: listening"  # their names in health
STOP_S = 2.0  # for goodbyes to a bluetoothd that may hang
AGAIN_S = 5.0  # a task that ended by a bug is begun again so much later


class Box(Protocol):
    """The engine."""

    health: Health

    @property
    def config(self) -> Config:
        """The settings in force."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since 1970."""

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Counted, and logged once for each cause."""


class Listener(Protocol):
    """Who wants to know. Told on the loop, a hundred times a second: nothing here may wait."""

    def heard(self, heard: Heard) -> None:
        """One advertisement of a beacon that is listened for."""

    def battery(self, battery: Battery) -> None:
        """What such a beacon says of its battery."""

    def deaf(self, deaf: Deaf) -> None:
        """Nothing can be heard; or it could not, and can again."""


def _kernel_says() -> bool:
    return SystemClock().now().synced


class Radio:
    """A part of the engine. `synced`: the box's clock is right. The patiences are shorter in tests."""

    def __init__(
        self,
        box: Box,
        *,
        synced: Callable[[], bool] = _kernel_says,
        patience: Patience | None = None,
        scan_patience: ScanPatience | None = None,
    ) -> None:
        self.listeners: list[Listener] = []
        self.ears = Ears(self._heard, self._battery)
        self._box = box
        self._synced = synced
        self._patience = patience
        self._scan_patience = scan_patience
        self._zone = ZoneInfo(box.config.shop.tz)
        self._given: Sending | None = None  # by the fleet
        self._sending = Sending()
        self._spaces: frozenset[str] = frozenset()
        self._bluez: Bluez | None = None
        self._advertiser: BeaconAdvertiser | None = None
        self._scanner: BeaconScanner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_open = False
        self._deaf: Deaf | None = None

    # -- life

    async def open(self, store: Store) -> None:
        """Begins. ConfigError: the settings of what is sent can't be used; listening goes on."""
        self._is_open = True
        self.listen(self._spaces)
        if self._box.config.beacons.scan:
            self._listen()
        self._put_to_use()

    async def look(self) -> None:
        """Opening hours, and how it stands."""
        self._say_what_is_due()
        self._tell_health()

    async def stop(self) -> None:
        """Off the air: BlueZ ends what we have on it with our connection."""
        self._is_open = False
        tasks, self._tasks = self._tasks, []
        for _ in range(2):  # the second time it lets go in the middle of saying goodbye
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=STOP_S)

    # -- what is sent and listened for

    def use(self, sending: Sending | None) -> None:
        """What the fleet wants sent, at once; None: what the settings say. ConfigError: those can't be used."""
        self._given = sending
        if self._is_open:
            self._put_to_use()

    def listen(self, spaces: Iterable[str]) -> None:
        """UUIDs and namespaces to listen for, besides those of the settings."""
        self._spaces = frozenset(spaces)
        self.ears.allow({*self._spaces, *self._box.config.beacons.listen})

    def _put_to_use(self) -> None:
        self._sending = self._given if self._given is not None else of_settings(self._box.config.beacons)
        if self._sending.adverts and self._advertiser is None:
            self._send()
        self._say_what_is_due()
        self._tell_health()

    def _say_what_is_due(self) -> None:
        if self._advertiser is not None:
            self._advertiser.want(self._sending.adverts if self.is_due else ())

    @property
    def is_due(self) -> bool:
        """The shop is open; or nobody can know, and then a beacon too many does less harm than none."""
        if not self._sending.hours.windows or not self._synced():
            return True
        return self._sending.hours.covers(datetime.fromtimestamp(self._box.clock(), self._zone))

    # -- Bluetooth

    def _bus(self) -> Bluez:
        from drivers.bluez import Bluez, Patience

        if self._bluez is None:
            self._patience = self._patience or Patience()
            self._bluez = Bluez(self._box.config.beacons.adapter, patience=self._patience)
            self._begin("bluetooth", self._bluez.run)
        return self._bluez

    def _send(self) -> None:
        from drivers.beacon_advertiser import BeaconAdvertiser

        bluez = self._bus()
        assert self._patience is not None, "with the bus"
        self._advertiser = BeaconAdvertiser(bluez, self._tell_health, patience=self._patience)
        self._begin(SENDS, self._advertiser.run)

    def _listen(self) -> None:
        from drivers.beacon_scanner import BeaconScanner
        from drivers.scan_watch import ScanPatience

        bluez = self._bus()
        assert self._patience is not None, "with the bus"
        scan_patience = self._scan_patience or ScanPatience(silence_s=float(self._box.config.beacons.silence_s))
        self._scanner = BeaconScanner(
            bluez,
            self.ears.take,
            self._tell_deaf,
            self._tell_health,
            patience=self._patience,
            scan_patience=scan_patience,
        )
        self._begin(HEARS, self._scanner.run)

    def _begin(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._live(name, run), name=name))

    async def _live(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """A bug costs some seconds of the radio."""
        while True:
            try:
                await run()
                return
            except Exception as fault:
                self._box.fault("radio", name, fault)
                await asyncio.sleep(AGAIN_S)

    # -- what is told

    def _heard(self, heard: Heard) -> None:
        for listener in self.listeners:
            self._tell(listener.heard, heard)

    def _battery(self, battery: Battery) -> None:
        for listener in self.listeners:
            self._tell(listener.battery, battery)

    def _tell_deaf(self, deaf: Deaf) -> None:
        self._deaf = deaf if deaf.until is None else None
        for listener in self.listeners:
            self._tell(listener.deaf, deaf)

    def _tell(self, listener: Callable[[_T], None], what: _T) -> None:
        """A listener's bug is its own: whoever called us is bleak, which would stop telling anybody."""
        try:
            listener(what)
        except Exception as fault:
            self._box.fault("radio", "what was heard is not taken", fault)

    def _tell_health(self) -> None:
        if self._advertiser is not None:
            self._box.health.note(SENDS, *self.sending_stands())
        if self._scanner is not None:
            self._box.health.note(HEARS, *self.listening_stands())

    def sending_stands(self) -> tuple[str, str]:
        """State and words, as health takes them."""
        shown = self.shown()
        waiting = [one.words for one in shown if not one.registered and one.words]
        if not self._sending.adverts:
            return "ok", "nothing to send"
        if not self.is_due:
            return "ok", "closed: off the air"
        if waiting or not all(one.registered for one in shown):
            return "warning", waiting[0] if waiting else "not yet on the air"
        more = next((one.words for one in shown if one.words), "")
        return "ok", f"{len(shown)} on the air" + (f", {more}" if more else "")

    def listening_stands(self) -> tuple[str, str]:
        """State and words, as health takes them."""
        if self._scanner is None:
            return "ok", "off"
        words = self._scanner.state()
        if words or not self._scanner.is_scanning:
            return "warning", words or "not yet listening"
        return ("warning", "listens, and nobody is heard") if self._deaf is not None else ("ok", "listens")

    def shown(self) -> Sequence[Shown]:
        """Each advertisement that is wanted now, and whether BlueZ has it."""
        return self._advertiser.shown() if self._advertiser is not None else ()

    def counters(self) -> Counter[str]:
        """Losses, refusals and advertisements, by name."""
        found = Counter({f"ears: {name}": n for name, n in self.ears.counters.items()})
        for part, one in (("bus", self._bluez), ("sending", self._advertiser), ("listening", self._scanner)):
            found.update({f"{part}: {name}": n for name, n in (one.counters if one is not None else {}).items()})
        return found
