"""A bluetoothd that isn't: org.bluez on a message bus of one's own (message_bus.py), with faults on demand.

Owns: adapters, the devices that they hear, who scans, who advertises, and what the real one says about all that.
The real bleak and the real dbus-fast talk to it. Modelled on bluetoothd 5.66, as tried out with a virtual controller:

- Any client that has set a discovery filter (bleak always has) gets the RSSI of every advertisement.
- A crash takes the name off the bus and says nothing else: no InterfacesRemoved, no Release.
- Power off ends all discoveries without a word to those who had begun them, and power on does not begin them again.
- A scan that ends takes the RSSI of every device back, which bleak calls an advertisement of -127 dBm.
- RegisterAdvertisement reads the client's object before it answers.

Everything happens on the caller's loop: `settle()` waits until all that was said has been heard.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dbus_fast import Message, MessageType, NameFlag, Variant, unpack_variants
from dbus_fast.aio import MessageBus

OBJECTS = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
ADVERTISING = "org.bluez.LEAdvertisingManager1"
ADVERTISEMENT = "org.bluez.LEAdvertisement1"
INSTANCES = 5  # what the kernel gives a controller without advertising sets (HCI_MAX_ADV_INSTANCES)
ADVERT_BYTES_MAX = 31
MIN_INTERVAL_MS, MAX_INTERVAL_MS = 20, 10_485  # what bluetoothd takes (org.bluez.LEAdvertisement.rst)

Properties = dict[str, Variant]


class OnAir(NamedTuple):
    """An advertisement as bluetoothd takes it. `interval_ms` 0: at the kernel's own (1280 ms).

    Not modelled: Linux 6.1 sends what nobody can connect to at 100 to 150 ms, on a chip without advertising sets,
    whatever was asked; and it goes on sending while bluetoothd is dead (tests/vm/test_bluetooth.py).
    """

    data: bytes
    connectable: bool
    interval_ms: int


class Bluetoothd:
    """`supported`: advertisements that its adapters carry. `takes_intervals` False: BlueZ without its experiments."""

    def __init__(self, address: str, *, supported: int = INSTANCES, takes_intervals: bool = True) -> None:
        self.calls: Counter[str] = Counter()
        self.refuses: dict[str, tuple[str, str]] = {}  # a method's name → what it answers
        self.hangs = False  # answers nobody any more
        self.is_deaf = False  # hears nothing, and says nothing of it: until a scan begins anew
        self.window_s: tuple[float, float] | None = None  # scans so long, pauses so long
        self.scanners: dict[str, dict[str, Any]] = {}  # who discovers → with which filter
        self.adverts: dict[tuple[str, str], OnAir] = {}  # (who, path) → what is sent
        self._address = address
        self._supported = supported
        self._takes_intervals = takes_intervals
        self._objects: dict[str, dict[str, Properties]] = {}
        self._filters: dict[str, dict[str, Any]] = {}
        self._bus: MessageBus | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # -- life

    async def start(self) -> None:
        """Takes the name."""
        bus = self._bus = await MessageBus(bus_address=self._address).connect()
        bus.add_message_handler(self._heard)
        rule = "type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged'"
        await bus.call(_to_bus("AddMatch", "s", rule))
        await bus.request_name("org.bluez", NameFlag.REPLACE_EXISTING)

    async def crash(self) -> None:
        """The name goes; nothing is said."""
        bus, self._bus = self._bus, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if bus is not None:
            bus.disconnect()
        self._objects.clear()
        self.scanners.clear()
        self.adverts.clear()

    @property
    def is_running(self) -> bool:
        """It has the name."""
        return self._bus is not None

    async def settle(self) -> None:
        """What was said so far has reached the bus, and everybody's socket."""
        if self._bus is not None:
            await self._bus.call(_to_bus("GetId", ""))

    async def others(self) -> int:
        """Connections to the bus besides this one."""
        assert self._bus is not None, "started"
        answer = await self._bus.call(_to_bus("ListNames", ""))
        assert answer is not None, "the bus lives"
        return len([name for name in answer.body[0] if name.startswith(":")]) - 1

    # -- adapters

    def plug(
        self, name: str = "hci0", *, powered: bool = True, roles: Sequence[str] = ("central", "peripheral")
    ) -> str:
        """An adapter; its path."""
        path = f"/org/bluez/{name}"
        adapter = {
            "Address": Variant("s", "00:1A:7D:DA:71:13"), "AddressType": Variant("s", "public"),
            "Name": Variant("s", "box"), "Alias": Variant("s", "box"), "Powered": Variant("b", powered),
            "PowerState": Variant("s", "on" if powered else "off"), "Discovering": Variant("b", False),
            "UUIDs": Variant("as", []), "Roles": Variant("as", list(roles)),
        }  # fmt: skip
        adverts = {
            "ActiveInstances": Variant("y", 0),
            "SupportedInstances": Variant("y", self._supported),
            "SupportedIncludes": Variant("as", ["tx-power"]),
        }
        self._appear(path, {ADAPTER: adapter, ADVERTISING: adverts})
        return path

    def unplug(self, path: str) -> None:
        """Out of the socket: everything on it goes, and every client's advertisement is let go of."""
        self.scanners.clear()
        self.release()
        for device in [other for other in self._objects if other.startswith(f"{path}/")]:
            self._vanish(device)
        self._vanish(path)

    def power(self, path: str, on: bool, *, blocked: bool = False) -> None:
        """bluetoothctl power on|off; rfkill block."""
        state = "on" if on else "off-blocked" if blocked else "off"
        if not on:
            self._end_scans(path)
            self.adverts.clear()
        self._set(path, ADAPTER, Powered=Variant("b", on), PowerState=Variant("s", state))
        self._count(path)

    def release(self) -> None:
        """Lets go of all advertisements."""
        for who, path in self.adverts:
            self._send(Message(destination=who, path=path, interface=ADVERTISEMENT, member="Release"))
        self.adverts.clear()
        self._count_all()

    def forget_adverts(self) -> None:
        """They are gone, and only their number says so."""
        self.adverts.clear()
        self._count_all()

    def toggle(self, path: str, discovering: bool) -> None:
        """What Discovering says, whoever scans."""
        self._set(path, ADAPTER, Discovering=Variant("b", discovering))

    def end_scans(self, path: str) -> None:
        """All discoveries are over, as after a controller's reset."""
        self._end_scans(path)

    # -- the air

    def report(
        self,
        path: str,
        address: str,
        rssi_dbm: int,
        manufacturer: Mapping[int, bytes] | None = None,
        service: Mapping[str, bytes] | None = None,
    ) -> bool:
        """The adapter hears one advertisement; False: nobody is told."""
        if not self._hears(path):
            return False
        device = f"{path}/dev_{address.replace(':', '_')}"
        data: Properties = {}
        if manufacturer:
            data["ManufacturerData"] = Variant("a{qv}", {k: Variant("ay", v) for k, v in manufacturer.items()})
        if service:
            data["ServiceData"] = Variant("a{sv}", {k: Variant("ay", v) for k, v in service.items()})
        rssi = Variant("n", rssi_dbm)
        if device in self._objects:
            known = self._objects[device][DEVICE]
            self._set(device, DEVICE, RSSI=rssi, **{k: v for k, v in data.items() if known.get(k) != v})
        else:
            self._appear(device, {DEVICE: _device(path, address) | {"RSSI": rssi} | data})
        return True

    def forget(self, path: str, address: str) -> None:
        """A device that was not heard for 30 s (TemporaryTimeout) is forgotten."""
        self._vanish(f"{path}/dev_{address.replace(':', '_')}")

    def _hears(self, path: str) -> bool:
        powered = self._objects.get(path, {}).get(ADAPTER, {}).get("Powered")
        if powered is None or not powered.value or not self.scanners or self.is_deaf:
            return False
        if self.window_s is None:
            return True
        on_s, off_s = self.window_s
        return asyncio.get_running_loop().time() % (on_s + off_s) < on_s

    def _end_scans(self, path: str) -> None:
        self.scanners.clear()
        self._set(path, ADAPTER, Discovering=Variant("b", False))
        self._take_rssi_back(path)

    def _take_rssi_back(self, path: str) -> None:
        for device in [other for other in self._objects if other.startswith(f"{path}/")]:
            if self._objects[device][DEVICE].pop("RSSI", None) is not None:
                self._signal(device, PROPERTIES, "PropertiesChanged", "sa{sv}as", DEVICE, {}, ["RSSI"])

    # -- objects

    def _appear(self, path: str, interfaces: dict[str, Properties]) -> None:
        self._objects[path] = interfaces
        self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", path, interfaces)

    def _vanish(self, path: str) -> None:
        interfaces = self._objects.pop(path, None)
        if interfaces is not None:
            self._signal("/", OBJECTS, "InterfacesRemoved", "oas", path, list(interfaces))

    def _set(self, path: str, interface: str, **values: Variant) -> None:
        self._objects[path][interface].update(values)
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", interface, values, [])

    def _count(self, path: str) -> None:
        active = len(self.adverts)
        free = Variant("y", max(0, self._supported - active))
        self._set(path, ADVERTISING, ActiveInstances=Variant("y", active), SupportedInstances=free)

    def _count_all(self) -> None:
        for path, interfaces in self._objects.items():
            if ADVERTISING in interfaces:
                self._count(path)

    # -- the bus

    def _signal(self, path: str, interface: str, member: str, signature: str, *body: Any) -> None:
        self._send(Message.new_signal(path, interface, member, signature, list(body)))

    def _send(self, message: Message) -> None:
        if self._bus is not None:
            self._bus.send(message)

    def _heard(self, message: Message) -> Message | bool | None:
        if message.message_type is MessageType.SIGNAL:
            if message.member == "NameOwnerChanged" and not message.body[2]:
                self._client_left(message.body[0])
            return None
        if message.message_type is not MessageType.METHOD_CALL or message.interface == "org.freedesktop.DBus.Peer":
            return None
        self.calls[message.member or ""] += 1
        if self.hangs:
            return True
        if message.member in self.refuses:
            return _error(message, *self.refuses[message.member])
        if message.interface == OBJECTS:
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects])
        interfaces = self._objects.get(message.path or "", {})
        if message.interface not in interfaces:
            return _error(message, "org.freedesktop.DBus.Error.UnknownObject", "no such object")
        return self._on_adapter(message) if message.interface == ADAPTER else self._on_advertising(message)

    def _client_left(self, who: str) -> None:
        if self.scanners.pop(who, None) is not None and not self.scanners:
            for path in [path for path, interfaces in self._objects.items() if ADAPTER in interfaces]:
                self._end_scans(path)
        gone = [key for key in self.adverts if key[0] == who]
        for key in gone:
            del self.adverts[key]
        if gone:
            self._count_all()

    def _on_adapter(self, message: Message) -> Message:
        path, who = message.path or "", message.sender or ""
        powered = self._objects[path][ADAPTER]["Powered"].value
        if message.member == "SetDiscoveryFilter":
            self._filters[who] = unpack_variants(message.body[0])
            return Message.new_method_return(message)
        if not powered:
            return _error(message, "org.bluez.Error.NotReady", "Resource Not Ready")
        if message.member == "StartDiscovery":
            if who in self.scanners:
                return _error(message, "org.bluez.Error.InProgress", "Operation already in progress")
            self.scanners[who] = self._filters.get(who, {})
            self.is_deaf = False
            self._set(path, ADAPTER, Discovering=Variant("b", True))
            return Message.new_method_return(message)
        if message.member == "StopDiscovery":
            if self.scanners.pop(who, None) is None:
                return _error(message, "org.bluez.Error.Failed", "No discovery started")
            if not self.scanners:
                self._end_scans(path)
            return Message.new_method_return(message)
        return _error(message, "org.freedesktop.DBus.Error.UnknownMethod", str(message.member))

    def _on_advertising(self, message: Message) -> Message | bool:
        if message.member == "RegisterAdvertisement":
            task = asyncio.ensure_future(self._register(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return True  # answered once the client's object is read
        if message.member == "UnregisterAdvertisement":
            if self.adverts.pop((message.sender or "", message.body[0]), None) is None:
                return _error(message, "org.bluez.Error.DoesNotExist", "Does Not Exist")
            self._count(message.path or "")
            return Message.new_method_return(message)
        return _error(message, "org.freedesktop.DBus.Error.UnknownMethod", str(message.member))

    async def _register(self, message: Message) -> None:
        assert self._bus is not None, "it was called"
        who, path = message.sender or "", message.body[0]
        if (who, path) in self.adverts:
            self._send(_error(message, "org.bluez.Error.AlreadyExists", "Already Exists"))
        elif len(self.adverts) >= self._supported:
            self._send(_error(message, "org.bluez.Error.NotPermitted", "Maximum advertisements reached"))
        else:
            ask = Message(destination=who, path=path, interface=PROPERTIES, member="GetAll", signature="s")
            ask.body = [ADVERTISEMENT]
            self._send(self._judged(message, await self._bus.call(ask)))

    def _judged(self, message: Message, answer: Message | None) -> Message:
        """The answer to a registration, with the client's object read."""
        if answer is None or answer.message_type is not MessageType.METHOD_RETURN:
            return _error(message, "org.bluez.Error.Failed", "Failed to parse advertisement.")
        said: dict[str, Any] = unpack_variants(answer.body[0])
        data = on_air(said)
        interval_ms = int(said.get("MinInterval", 0))
        if "Type" not in said or data is None or (interval_ms and not self._takes_intervals):
            return _error(message, "org.bluez.Error.Failed", "Failed to parse advertisement.")
        if interval_ms and not MIN_INTERVAL_MS <= interval_ms <= said.get("MaxInterval", 0) <= MAX_INTERVAL_MS:
            return _error(message, "org.bluez.Error.InvalidArguments", "Invalid arguments in method call")
        if len(data) > ADVERT_BYTES_MAX:
            return _error(message, "org.bluez.Error.InvalidLength", "Invalid Length")
        key = message.sender or "", message.body[0]
        self.adverts[key] = OnAir(data, said["Type"] == "peripheral", interval_ms)
        self._count(message.path or "")
        return Message.new_method_return(message)


def on_air(said: Mapping[str, Any]) -> bytes | None:
    """The advertisement's data out of its object's properties, as bluetoothd (src/shared/ad.c) puts it together.

    None: it refuses to. Flags: general discoverable, and no BR/EDR on an adapter that is for low energy alone.
    """
    if said.get("Discoverable") and said.get("Type") == "broadcast":
        return None
    data = b"\x02\x01\x06" if said.get("Discoverable") else b""
    for company, payload in said.get("ManufacturerData", {}).items():
        body = int(company).to_bytes(2, "little") + bytes(payload)
        data += bytes([len(body) + 1 & 0xFF, 0xFF]) + body
    return data


def _device(adapter: str, address: str) -> Properties:
    return {
        "Address": Variant("s", address), "AddressType": Variant("s", "random"),
        "Alias": Variant("s", address.replace(":", "-")), "Paired": Variant("b", False),
        "Connected": Variant("b", False), "UUIDs": Variant("as", []), "Adapter": Variant("o", adapter),
    }  # fmt: skip


def _to_bus(member: str, signature: str, *body: str) -> Message:
    name, path = "org.freedesktop.DBus", "/org/freedesktop/DBus"
    return Message(destination=name, path=path, interface=name, member=member, signature=signature, body=list(body))


def _error(message: Message, name: str, words: str) -> Message:
    full = name if name.startswith("org.") else f"org.bluez.Error.{name}"
    return Message.new_error(message, full, words)
