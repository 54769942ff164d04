"""Which advertisements should be on the air, which are, and what is to be done next about the difference.

Owns: the steps from wanted to registered, refusals and their waits, and the honest state. Never: talks to BlueZ
(beacon_advertiser.py does), or knows opening hours.

BlueZ names (doc/org.bluez.LEAdvertisingManager.rst): an advertisement is an object of ours that BlueZ reads while
RegisterAdvertisement runs, and lets go of with Release. It forgets ours without a word when it ends, when its adapter
goes, and on some versions when the adapter was off; so a new place (bluez_picture.Place) means: all of it again.
One step at a time: BlueZ answers NotPermitted to the second of two registrations under way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from drivers.bluez_picture import Picture, Place
from edgebox.beacons.frames import ibeacon, on_air
from edgebox.beacons.heard import TagKey

PATH = "/org/edgebox/advert"
ADVERTS_MAX = 8  # controllers carry 5 to 16 at once; with more BlueZ takes turns, and each is seldom on the air
COUNT_S = 2.0  # BlueZ's own count may lag behind its answers so long

_ERROR = "org.bluez.Error."
FULL = _ERROR + "NotPermitted"
EXISTS = _ERROR + "AlreadyExists"
NO_ANSWER = "no_answer"  # as drivers/bluez.py says it
_SAYS = {
    FULL: "the adapter carries no more advertisements",
    _ERROR + "InvalidLength": "BlueZ finds it too long",
    _ERROR + "NotReady": "the adapter is not ready",
    NO_ANSWER: "bluetoothd does not answer",
}


class Advert(NamedTuple):
    """One iBeacon to be sent. `interval_ms` 0: as often as BlueZ likes (1280 ms). `flags`: Apple's 30 bytes exactly,
    for which BlueZ wants an advertisement that can be connected to; without them nobody can connect."""

    key: TagKey
    power_dbm: int
    interval_ms: int = 0
    flags: bool = False

    @property
    def data(self) -> bytes:
        """Manufacturer data. ValueError: no such frame, or too long for the air."""
        data = ibeacon(self.key, self.power_dbm)
        on_air(data, flags=self.flags)
        return data


class Shown(NamedTuple):
    """How one advertisement stands. `words`: what it waits for; or, on the air, what BlueZ would not do."""

    advert: Advert
    registered: bool
    words: str


class Step(Enum):
    """What to ask of BlueZ."""

    REGISTER = "RegisterAdvertisement"
    UNREGISTER = "UnregisterAdvertisement"


class Action(NamedTuple):
    """`with_interval` False: leave MinInterval and MaxInterval out."""

    step: Step
    path: str
    advert: Advert
    with_interval: bool


@dataclass(slots=True)
class _Slot:
    path: str
    advert: Advert
    wanted: bool = True
    registered: bool = False
    asked: bool = False  # BlueZ is being asked to register it
    in_the_way: bool = False  # BlueZ holds one under this path that is not as we want it
    with_interval: bool = True
    not_before: float = 0.0
    attempt: int = 0
    words: str = ""


@dataclass(slots=True)
class Plan:
    """`wait_s`: how long to wait after the nth refusal in a row, n from 0. All times are of one monotonic clock."""

    wait_s: Callable[[int], float]
    settle_s: float = 0.0  # a bluetoothd that has just come is given so long
    sure_s: float = 0.0  # and so long after that all is registered once more; 0.0: it isn't
    counters: Counter[str] = field(default_factory=Counter)
    _slots: list[_Slot] = field(default_factory=list)
    _place: Place | None = None
    _words: str = "not looked yet"
    _made: int = 0
    _low_since: float | None = None
    _sure_at: float | None = None

    # -- what is wanted, and what is there

    def want(self, adverts: Iterable[Advert]) -> None:
        """These, and no others. ValueError: one of them can't be sent, or there are too many; nothing has changed."""
        wanted = list(dict.fromkeys(adverts))
        if len(wanted) > ADVERTS_MAX:
            raise ValueError(f"{len(wanted)} frames, and {ADVERTS_MAX} are the most")
        for advert in wanted:
            advert.data  # noqa: B018 - ValueError
        there = {slot.advert for slot in self._slots if slot.wanted}
        for slot in self._slots:
            slot.wanted = slot.wanted and slot.advert in wanted
        for advert in wanted:
            if advert not in there:
                self._made += 1
                self._slots.append(_Slot(f"{PATH}{self._made}", advert, with_interval=bool(advert.interval_ms)))
        self._forget_idle()

    def see(self, picture: Picture, now: float) -> None:
        """Bluetooth has changed."""
        adapter, place = picture.adapter, picture.place
        if place is not None and adapter is not None and not adapter.advertises:
            place, self._words = None, f"{adapter.name} can't advertise"
        else:
            self._words = picture.words
        if place != self._place:
            self._leave(place, now)
        registered = sum(slot.registered for slot in self._slots)
        if place is None or adapter is None or adapter.active >= registered:
            self._low_since = None
        elif self._low_since is None:
            self._low_since = now

    def _leave(self, place: Place | None, now: float) -> None:
        for slot in self._slots:
            self.counters["lost"] += slot.registered
            slot.asked = slot.registered = slot.in_the_way = False
            slot.not_before, slot.attempt, slot.words = now + self.settle_s, 0, ""
        self._place = place
        self._sure_at = now + self.settle_s + self.sure_s if place is not None and self.sure_s else None
        self._forget_idle()

    def released(self, path: str, now: float) -> None:
        """BlueZ has let go of one."""
        for slot in self._slots:
            if slot.path == path and slot.registered:
                self.counters["released"] += 1
                slot.registered = False
                self._again_later(slot, "BlueZ has let go of it", now)
        self._forget_idle()

    # -- what to do

    def next(self, now: float) -> Action | None:
        """The next step, if it is time for one. `done` has to follow."""
        if self._low_since is not None and now >= self._low_since + COUNT_S:
            self._count_again()
        if self._place is None:
            return None
        if self._sure_at is not None and now >= self._sure_at:
            self._make_sure()
        for slot in self._slots:
            if slot.in_the_way or (slot.registered and not slot.wanted):
                return self._action(Step.UNREGISTER, slot)
        for slot in self._slots:
            if slot.wanted and not slot.registered and now >= slot.not_before:
                slot.asked = True
                return self._action(Step.REGISTER, slot)
        return None

    def _action(self, step: Step, slot: _Slot) -> Action:
        return Action(step, slot.path, slot.advert, slot.with_interval)

    def _count_again(self) -> None:
        """BlueZ carries fewer than it has said yes to: which, it doesn't tell."""
        self._low_since = None
        for slot in self._slots:
            self.counters["lost"] += slot.registered
            slot.in_the_way, slot.registered = slot.registered, False

    def _make_sure(self) -> None:
        """A bluetoothd that has come removes what the kernel advertises of the one before, late on a busy machine, and
        ours with it: it stays on its list and is not on the air. Once more, when all that must be over."""
        self._sure_at = None
        for slot in self._slots:
            slot.in_the_way, slot.registered = slot.in_the_way or slot.registered, False

    def done(self, action: Action, refusal: str, words: str, now: float, place: Place | None) -> None:
        """`refusal`: the D-Bus error's name, "": BlueZ said yes. `place`: where it was asked."""
        slot = next((slot for slot in self._slots if slot.path == action.path), None)
        if slot is None:
            return
        slot.asked = False
        if place != self._place:  # what was said about a place that is gone counts for nothing
            self._forget_idle()
            return
        if action.step is Step.UNREGISTER:
            slot.registered = slot.in_the_way = False
        elif not refusal:
            self.counters["registered"] += 1
            slot.registered, slot.attempt = True, 0
            slot.words = "" if slot.with_interval or not slot.advert.interval_ms else "at BlueZ's own interval"
        else:
            self._refused(slot, refusal, words, now)
        self._forget_idle()

    def _refused(self, slot: _Slot, refusal: str, words: str, now: float) -> None:
        self.counters["refused"] += 1
        if refusal in (EXISTS, NO_ANSWER):  # who is slow to answer may have done it, and do it yet
            slot.in_the_way = True
        elif slot.with_interval and refusal.startswith(_ERROR) and refusal != FULL:
            slot.with_interval = False  # BlueZ before 5.55, or without its experimental parts: once more, without
            return
        self._again_later(slot, _SAYS.get(refusal, words or refusal), now)

    def _again_later(self, slot: _Slot, words: str, now: float) -> None:
        slot.words = words
        slot.not_before = now + self.wait_s(slot.attempt)
        slot.attempt += 1

    def _forget_idle(self) -> None:
        self._slots = [one for one in self._slots if one.wanted or one.asked or one.registered or one.in_the_way]

    # -- what is told

    def due_s(self, now: float) -> float | None:
        """How long until `next` may say something new by itself; None: only a change will do."""
        if self._place is None:
            return None
        times = [slot.not_before for slot in self._slots if slot.wanted and not slot.registered]
        if self._low_since is not None:
            times.append(self._low_since + COUNT_S)
        if self._sure_at is not None:
            times.append(self._sure_at)
        return max(0.0, min(times) - now) if times else None

    def paths(self) -> frozenset[str]:
        """Objects that BlueZ may still read."""
        return frozenset(slot.path for slot in self._slots)

    def shown(self) -> Sequence[Shown]:
        """How each that is wanted stands."""
        return [
            Shown(slot.advert, slot.registered, slot.words if self._place else self._words)
            for slot in self._slots
            if slot.wanted
        ]
