"""The box's connection to the system's message bus, for Bluetooth: who is there, and questions to them.

Owns: one connection, its match rules, its repair, and the picture that it draws (bluez_picture.py). Never: what is
advertised or heard. dbus-fast is loaded here, when the first connection is made: 4 MB that a box without beacons
does not pay.

Everything is heard by signals, so that waiting for an adapter costs nothing; only a bus that is away is tried again.
The rules name adapters one by one: a rule for all objects would wake the box for every phone that walks by.
DBUS_SYSTEM_BUS_ADDRESS names another bus, for dbus-fast and for bleak alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from drivers.bluez_picture import ADAPTER, ADAPTERS_MAX, ADVERTISING, PREFIX, Missing, Picture, Sketch
from edgebox.errors import DriverError
from sync.backoff import full_jitter

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

log = logging.getLogger("drivers.bluez")

BLUEZ = "org.bluez"
_DBUS = "org.freedesktop.DBus"
_DBUS_PATH = "/org/freedesktop/DBus"
_OBJECTS = "org.freedesktop.DBus.ObjectManager"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_DENIED = ("org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.AuthFailed")

RULES = (
    f"type='signal',sender='{_DBUS}',member='NameOwnerChanged',arg0='{BLUEZ}'",
    f"type='signal',sender='{BLUEZ}',interface='{_PROPERTIES}',member='PropertiesChanged',arg0='{ADAPTER}'",
    f"type='signal',sender='{BLUEZ}',interface='{_PROPERTIES}',member='PropertiesChanged',arg0='{ADVERTISING}'",
    *(f"type='signal',sender='{BLUEZ}',interface='{_OBJECTS}',arg0path='{PREFIX}hci{n}'" for n in range(ADAPTERS_MAX)),
)


class Patience(NamedTuple):
    """How long this waits; shorter in tests."""

    again_s: float = 10.0  # at most, until a lost bus is tried again: all losses are over within 30 s
    call_s: float = 10.0  # for an answer of bluetoothd; it asks the adapter, which takes some 100 ms
    # Before one that has just come is asked to advertise: it removes all that the kernel advertises of the one before,
    # and in the virtual machine a beacon registered at once was on its list and not on the air, once in ten.
    settle_s: float = 1.0
    # Behind that second everything is registered once more, should the removal have come later still: then a beacon is
    # silent for ten seconds and not for good. All losses are over within 30 s.
    sure_s: float = 8.0


class RefusedError(DriverError):
    """Somebody on the bus said no. `reason`: the name of the D-Bus error, or `no_answer`, `no_bus`."""


class Bluez:
    """One connection, made again for as long as `run` runs."""

    def __init__(
        self,
        adapter: str = "",
        *,
        patience: Patience = Patience(),  # noqa: B008 - immutable
        chance: random.Random | None = None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.picture = Picture()
        self.bus: MessageBus | None = None
        self._patience = patience
        self._chance = chance or random.Random()
        self._sketch = Sketch(adapter)
        self._listeners: list[Callable[[], None]] = []
        self._look_again = asyncio.Event()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Told whenever the picture has changed."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Until it is cancelled, or for good if dbus-fast is not installed."""
        attempt = 0
        while True:
            try:
                await self._live()
                attempt = 0
            except ImportError as fault:
                log.error("no Bluetooth: %s", fault)
                self._lost(Missing.NO_LIBRARY)
                return
            except RefusedError as fault:
                self._lost(Missing.NOT_ALLOWED if fault.reason in _DENIED else Missing.NO_BUS)
            except PermissionError:
                self._lost(Missing.NOT_ALLOWED)
            except OSError:
                self._lost(Missing.NO_BUS)
            await asyncio.sleep(full_jitter(self._chance, attempt, self._patience.again_s))
            attempt += 1

    # -- asking

    async def call(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> list[Any]:
        """bluetoothd's answer. RefusedError."""
        return await self._call(BLUEZ, path, interface, member, signature, body)

    async def _call(
        self, who: str, path: str, interface: str, member: str, signature: str, body: Sequence[Any]
    ) -> list[Any]:
        from dbus_fast import Message, MessageType

        if self.bus is None:
            raise RefusedError("no bus", reason="no_bus")
        message = Message(
            destination=who, path=path, interface=interface, member=member, signature=signature, body=list(body)
        )
        try:
            async with asyncio.timeout(self._patience.call_s):
                answer = await self.bus.call(message)
        except TimeoutError as fault:
            raise RefusedError(f"{member}: no answer", reason="no_answer") from fault
        except (OSError, EOFError) as fault:
            raise RefusedError(f"{member}: the bus is gone", reason="no_bus") from fault
        if answer is None:  # dbus-fast answers so when the bus goes while it waits
            raise RefusedError(f"{member}: the bus is gone", reason="no_bus")
        if answer.message_type is MessageType.ERROR:
            words = str(answer.body[0]) if answer.body else ""
            raise RefusedError(f"{member}: {words or answer.error_name}", reason=str(answer.error_name))
        return list(answer.body)

    # -- one connection

    async def _live(self) -> None:
        """From its beginning to its end. OSError, RefusedError, ImportError."""
        from dbus_fast import AuthError, BusType, DBusError, InvalidAddressError
        from dbus_fast.aio import MessageBus

        bus = MessageBus(bus_type=BusType.SYSTEM, auth_timeout=self._patience.call_s)
        try:
            try:
                async with asyncio.timeout(self._patience.call_s):
                    await bus.connect()
            except AuthError as fault:
                raise PermissionError(str(fault)) from fault
            except (DBusError, InvalidAddressError, EOFError) as fault:
                raise OSError(str(fault)) from fault
            self.bus = bus
            bus.add_message_handler(self._heard)
            for rule in RULES:
                await self._call(_DBUS, _DBUS_PATH, _DBUS, "AddMatch", "s", [rule])
            self._sketch.connected()
            self._sketch.owned(await self._owner())
            await self._watch(bus)
        finally:
            self.bus = None
            bus.disconnect()

    async def _watch(self, bus: MessageBus) -> None:
        """Looks at all objects once for each bluetoothd; the rest is told by signals. Ends with the bus."""
        gone = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]  # none in dbus-fast
        try:
            while not gone.done():
                self._look_again.clear()
                again = asyncio.create_task(self._look_again.wait())
                try:
                    wait_s = None if await self._look() else self._patience.again_s
                    await asyncio.wait({gone, again}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    again.cancel()
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, EOFError):
                await gone
        self.counters["lost_bus"] += 1
        self._lost(Missing.NO_BUS)

    async def _owner(self) -> str:
        try:
            (owner,) = await self._call(_DBUS, _DBUS_PATH, _DBUS, "GetNameOwner", "s", [BLUEZ])
        except RefusedError as fault:
            if fault.reason == "org.freedesktop.DBus.Error.NameHasNoOwner":
                return ""
            raise
        return str(owner)

    async def _look(self) -> bool:
        """False: bluetoothd would not say, and is asked again. Nobody is asked who is not there: D-Bus would start it,
        and whether bluetoothd runs is systemd's to say."""
        from dbus_fast import unpack_variants

        owner = self._sketch.owner
        if owner:
            objects, missing = None, Missing.NO_ANSWER
            try:
                (objects,) = await self.call("/", _OBJECTS, "GetManagedObjects")
            except RefusedError as fault:
                missing = Missing.NOT_ALLOWED if fault.reason in _DENIED else Missing.NO_ANSWER
            if self._sketch.owner == owner:  # else it is another's by now, and is asked
                self._sketch.answered(unpack_variants(objects), missing)
        self._changed()
        return not owner or self.picture.missing not in (Missing.NO_ANSWER, Missing.NOT_ALLOWED)

    # -- signals

    def _heard(self, message: Message) -> None:
        from dbus_fast import MessageType, unpack_variants

        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.sender == _DBUS and message.body[0] == BLUEZ:
            self.counters["lost_daemon"] += bool(self._sketch.owner)
            self._sketch.owned(message.body[2])
            self._look_again.set()
            self._changed()
        elif message.sender != self._sketch.owner or not self._sketch.owner:
            return  # anybody may send a signal to anybody
        elif message.member == "PropertiesChanged":
            self._sketch.changed(message.path or "", message.body[0], unpack_variants(message.body[1]))
            self._changed()
        elif message.member == "InterfacesAdded":
            self._sketch.added(message.body[0], unpack_variants(message.body[1]))
            self._changed()
        elif message.member == "InterfacesRemoved":
            self._sketch.removed(message.body[0], message.body[1])
            self._changed()

    def _lost(self, missing: Missing) -> None:
        self._sketch.lost(missing)
        self._changed()

    def _changed(self) -> None:
        before, self.picture = self.picture, self._sketch.picture
        if before != self.picture:
            if before.missing != self.picture.missing:
                log.info("Bluetooth: %s", self.picture.words or f"{self.picture.adapter and self.picture.adapter.name}")
            for listener in self._listeners:
                listener()
