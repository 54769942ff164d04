"""What Bluetooth there is: the message bus, bluetoothd on it, and its adapters, folded out of what they say.

Owns: which adapter is ours, and in plain words what is missing if none can be used. Never: talks to anybody
(drivers/bluez.py does).

Names are BlueZ's (doc/org.bluez.Adapter.rst, doc/org.bluez.LEAdvertisingManager.rst). A lost bluetoothd takes back
nothing: its name goes, and whatever it had said is void.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

ADAPTER = "org.bluez.Adapter1"
ADVERTISING = "org.bluez.LEAdvertisingManager1"
PREFIX = "/org/bluez/"
ADAPTERS_MAX = 8  # hci0 to hci7; a box has one, and a spare dongle

Objects = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Missing(StrEnum):
    """What there is not. A stable word."""

    NOT_ASKED = "not_asked"
    NO_LIBRARY = "no_library"
    NO_BUS = "no_bus"
    NOT_ALLOWED = "not_allowed"
    NO_DAEMON = "no_daemon"
    NO_ANSWER = "no_answer"
    NO_ADAPTER = "no_adapter"
    BLOCKED = "blocked"
    OFF = "off"


WORDS = {
    Missing.NOT_ASKED: "not looked yet",
    Missing.NO_LIBRARY: "bleak or dbus-fast is not installed: run make setup",
    Missing.NO_BUS: "no D-Bus: is dbus running?",
    Missing.NOT_ALLOWED: "D-Bus does not let this user speak to Bluetooth: add it to the group bluetooth",
    Missing.NO_DAEMON: "bluetoothd is not running: systemctl status bluetooth",
    Missing.NO_ANSWER: "bluetoothd does not answer: systemctl restart bluetooth",
    Missing.NO_ADAPTER: "no Bluetooth adapter: is it plugged in?",
    Missing.BLOCKED: "the Bluetooth adapter is blocked: rfkill unblock bluetooth",
    Missing.OFF: "the Bluetooth adapter is off: bluetoothctl power on",
}


class Adapter(NamedTuple):
    """One adapter. `active`: advertisements that it carries, of anybody; `free`: how many more it could."""

    path: str
    powered: bool = False
    blocked: bool = False
    discovering: bool = False
    hears: bool = True  # has the role "central"
    active: int = 0
    free: int = 0
    advertises: bool = False

    @property
    def name(self) -> str:
        """`hci0`."""
        return self.path.removeprefix(PREFIX)


class Place(NamedTuple):
    """Where something was begun; in another place it has to be begun again."""

    bus: int
    owner: str
    path: str


class Picture(NamedTuple):
    """How it is now. `adapter` may be there and still be of no use: then `missing` says why."""

    missing: Missing | None = Missing.NOT_ASKED
    adapter: Adapter | None = None
    place: Place | None = None  # None while something is missing

    @property
    def words(self) -> str:
        """For a person."""
        return WORDS[self.missing] if self.missing is not None else ""


class Sketch:
    """The picture as it is drawn. `wanted`: an adapter's name; "": the first that is on."""

    def __init__(self, wanted: str = "") -> None:
        self._wanted = wanted
        self._missing: Missing | None = Missing.NOT_ASKED
        self._bus = 0
        self.owner = ""
        self._adapters: dict[str, dict[str, dict[str, Any]]] = {}

    # -- what is told

    def connected(self) -> None:
        """To the bus; nothing is known of anybody on it yet."""
        self._bus += 1
        self._missing = None
        self.owned("")

    def lost(self, missing: Missing) -> None:
        """The bus, or the leave to use it."""
        self._missing = missing
        self.owned("")

    def owned(self, owner: str) -> None:
        """bluetoothd's own name on the bus; "": it is not there. A new one knows nothing of the old one's."""
        self.owner = owner
        self._adapters = {}

    def answered(self, objects: Objects | None, missing: Missing = Missing.NO_ANSWER) -> None:
        """All objects of bluetoothd; None: it did not say, `missing` is why."""
        self._missing = missing if objects is None else None
        self._adapters = {}
        for path, interfaces in (objects or {}).items():
            self.added(path, interfaces)

    def added(self, path: str, interfaces: Mapping[str, Mapping[str, Any]]) -> None:
        """An object, or more interfaces of one."""
        ours = {name: dict(interfaces[name]) for name in (ADAPTER, ADVERTISING) if name in interfaces}
        if ours and (path in self._adapters or len(self._adapters) < ADAPTERS_MAX):
            self._adapters.setdefault(path, {}).update(ours)

    def removed(self, path: str, interfaces: Sequence[str]) -> None:
        """Interfaces of an object."""
        kept = {name: values for name, values in self._adapters.get(path, {}).items() if name not in interfaces}
        if kept:
            self._adapters[path] = kept
        else:
            self._adapters.pop(path, None)

    def changed(self, path: str, interface: str, values: Mapping[str, Any]) -> None:
        """Properties of an object."""
        known = self._adapters.get(path, {}).get(interface)
        if known is not None:
            known.update(values)

    # -- what it comes to

    @property
    def picture(self) -> Picture:
        """How it is now."""
        if self._missing is not None:
            return Picture(self._missing)
        if not self.owner:
            return Picture(Missing.NO_DAEMON)
        adapter = self._ours()
        if adapter is None:
            return Picture(Missing.NO_ADAPTER)
        if not adapter.powered:
            return Picture(Missing.BLOCKED if adapter.blocked else Missing.OFF, adapter)
        return Picture(None, adapter, Place(self._bus, self.owner, adapter.path))

    def _ours(self) -> Adapter | None:
        found = [_adapter(path, self._adapters[path]) for path in sorted(self._adapters)]
        found = [one for one in found if one is not None and self._wanted in ("", one.name)]
        return next((one for one in found if one and one.powered), found[0] if found else None)


def _adapter(path: str, interfaces: Mapping[str, Mapping[str, Any]]) -> Adapter | None:
    """None: it is no adapter (yet). What is not said is taken for the best: old BlueZ says less."""
    values = interfaces.get(ADAPTER)
    if values is None:
        return None
    adverts = interfaces.get(ADVERTISING)
    return Adapter(
        path,
        powered=bool(values.get("Powered", False)),
        blocked=values.get("PowerState") == "off-blocked",
        discovering=bool(values.get("Discovering", False)),
        hears="central" in values.get("Roles", ("central",)),
        active=int((adverts or {}).get("ActiveInstances", 0)),
        free=int((adverts or {}).get("SupportedInstances", 0)),
        advertises=adverts is not None,
    )
