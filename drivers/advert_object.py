"""An advertisement as an object on the message bus, for BlueZ to read: org.bluez.LEAdvertisement1.

Owns: its properties. Never: decides when there is one. Loaded with dbus-fast, so only by beacon_advertiser.py and only
when something is to be advertised.

Source: BlueZ doc/org.bluez.LEAdvertisement.rst. A property that is there but empty is not the same as none, so that
the one with an interval is a class of its own. dbus-fast reads the annotations, so they are not put off here.
"""

from collections.abc import Callable
from typing import Annotated

from dbus_fast import PropertyAccess, Variant
from dbus_fast.annotations import DBusBool, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from drivers.advert_plan import Advert
from edgebox.beacons.frames import APPLE

INTERFACE = "org.bluez.LEAdvertisement1"
INTERVAL_MAX_MS = 10_240  # Core specification, Vol 4 Part E 7.8.5: 0x4000 times 0.625 ms
ManufacturerData = Annotated[dict[int, Variant], DBusSignature("a{qv}")]


class AdvertObject(ServiceInterface):
    """Sent to nobody in particular, and nobody can connect to it."""

    def __init__(self, advert: Advert, released: Callable[[], None]) -> None:
        self._advert = advert
        self._released = released
        super().__init__(INTERFACE)

    @dbus_method(name="Release")
    def release(self) -> None:
        """BlueZ has let go of it."""
        self._released()

    @dbus_property(access=PropertyAccess.READ, name="Type")
    def kind(self) -> DBusStr:
        """ADV_NONCONN_IND."""
        return "broadcast"

    @dbus_property(access=PropertyAccess.READ, name="ManufacturerData")
    def manufacturer_data(self) -> ManufacturerData:
        """The frame."""
        return {APPLE: Variant("ay", self._advert.data)}


class FlaggedObject(AdvertObject):
    """With flags in front, which BlueZ adds only where a device may be found and connected to."""

    @dbus_property(access=PropertyAccess.READ, name="Type")
    def kind(self) -> DBusStr:
        """ADV_IND."""
        return "peripheral"

    @dbus_property(access=PropertyAccess.READ, name="Discoverable")
    def discoverable(self) -> DBusBool:
        """General discoverable mode."""
        return True


class _Paced:
    """How often. MinInterval and MaxInterval need BlueZ 5.55; some versions want `bluetoothd --experimental`."""

    _advert: Advert

    @dbus_property(access=PropertyAccess.READ, name="MinInterval")
    def min_interval(self) -> DBusUInt32:
        """Milliseconds."""
        return self._advert.interval_ms

    @dbus_property(access=PropertyAccess.READ, name="MaxInterval")
    def max_interval(self) -> DBusUInt32:
        """Milliseconds; somewhat more, as controllers want room between the two."""
        return min(self._advert.interval_ms + self._advert.interval_ms // 10, INTERVAL_MAX_MS)


class PacedObject(_Paced, AdvertObject):
    """At an interval of ours."""


class PacedFlaggedObject(_Paced, FlaggedObject):
    """Both."""


_KINDS: dict[tuple[bool, bool], type[AdvertObject]] = {
    (False, False): AdvertObject,
    (True, False): PacedObject,
    (False, True): FlaggedObject,
    (True, True): PacedFlaggedObject,
}


def advert_object(advert: Advert, with_interval: bool, released: Callable[[], None]) -> AdvertObject:
    """The object for an advertisement."""
    return _KINDS[with_interval, advert.flags](advert, released)
