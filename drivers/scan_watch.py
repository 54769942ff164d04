"""Is the box still hearing? When the scan has to begin or end, and from when until when nobody could be heard.

Owns: the decisions of a scan's life, and `Deaf`. Never: scans (beacon_scanner.py), or reads a clock.

Every loss is silent: a scan whose adapter, daemon or power has gone gives no error and no more advertisements, and does
not begin again by itself (tried on bluetoothd 5.66). So a scan ends with its place, with a Discovering that stays off,
and with a silence; and a fresh one begins.

Is silence a loss? Where three senders and more were heard a moment ago and all of them fall silent at once, it is the
radio. Where there was one, it may have left. A loss is told when it is seen (`until` None), and again when it is over:
with the first advertisement, or when a fresh scan was silent as well and there was no crowd to be missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from drivers.bluez_picture import Picture, Place
from edgebox.beacons.heard import Deaf

CROWD = 3  # senders that do not all leave within one silence
CROWD_S = 10.0  # in which they are counted
CROWD_MAX = 64  # counted at most
QUIET_S = 600.0  # a crowd that is silent for so long has gone home, whatever was the matter
STALL_S = 2.0  # what is heard so soon after a fresh scan could have been heard before


class ScanPatience(NamedTuple):
    """How long this waits; shorter in tests."""

    silence_s: float = 15.0  # bluetoothd scans 10 s and pauses 5 s: longer than a pause, twice in 30 s
    pause_s: float = 8.0  # Discovering may be off in that pause


class Do(Enum):
    """What to ask of bleak."""

    START = "start"
    STOP = "stop"


class _State(Enum):
    IDLE = "idle"
    SCANNING = "scanning"


class ScanWatch:
    """One scan's. `wait_s`: how long to wait after the nth failure in a row, n from 0. Times: one monotonic clock."""

    def __init__(
        self,
        now: float,
        wait_s: Callable[[int], float],
        patience: ScanPatience = ScanPatience(),  # noqa: B008
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.news: list[Deaf] = []  # to be told; whoever tells them takes them out
        self.words = ""  # why there is no scan
        self._wait_s = wait_s
        self._patience = patience
        self._picture = Picture()
        self._state = _State.IDLE
        self._place: Place | None = None
        self.is_lost = False  # the place of the scan was gone, if only for a moment
        self._began = now
        self._last = now  # somebody was heard; or the beginning
        self._not_before = now
        self._attempt = 0
        self._idle_since: float | None = None  # Discovering is off
        self._deaf_since: float | None = None
        self._renews = False  # it is idle for the moment between two scans, since nobody was heard
        self._restarted = False  # the scan is a fresh one after a silence,
        self._silent_from = now  # which began here
        self._crowd: tuple[set[str], set[str]] = set(), set()
        self._crowd_until = now + CROWD_S
        self._lose(now)

    # -- what is seen

    def see(self, picture: Picture, now: float) -> None:
        """Bluetooth has changed."""
        self._picture = picture
        adapter = picture.adapter
        self.is_lost = self.is_lost or (self._state is _State.SCANNING and self._usable != self._place)
        if adapter is None or adapter.discovering or self._state is _State.IDLE:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now

    def advert(self, source: str, now: float) -> None:
        """Somebody was heard, whoever it is. A hundred times a second."""
        self._last = now
        if now >= self._crowd_until:
            self._crowd = set(), self._crowd[0]
            self._crowd_until = now + CROWD_S
        if len(self._crowd[0]) < CROWD_MAX:
            self._crowd[0].add(source)
        if self._deaf_since is not None:
            self._hear_again(now)
        elif self._restarted:
            self._restarted = False
            if now - self._began <= STALL_S:
                self.counters["stalls"] += 1
                self.news.append(Deaf(self._silent_from, now))

    # -- what to do

    def next(self, now: float) -> Do | None:
        """The next step, if it is time for one; `started` or `stopped` has to follow."""
        place = self._usable
        if self._state is _State.IDLE:
            if place is None or now < self._not_before:
                return None
            self._place = place
            return Do.START
        if self.is_lost:
            self._loss("lost_place", now)
        elif self._idle_since is not None and now >= self._idle_since + self._patience.pause_s:
            self._loss("ended", now)
        elif now >= max(self._last, self._began) + self._patience.silence_s:
            self._silence(now)
        else:
            return None
        return Do.STOP

    @property
    def _usable(self) -> Place | None:
        adapter = self._picture.adapter
        if adapter is not None and not adapter.hears:
            return None
        return self._picture.place

    def started(self, fault: str, now: float) -> None:
        """`fault`: what bleak said; "": it scans."""
        self._began = now
        self._idle_since = None
        self._renews = False
        if not fault:
            self._state, self._attempt, self.words = _State.SCANNING, 0, ""
            self.is_lost = self._usable != self._place  # while it was begun
            return
        self.counters["refused"] += 1
        self.words = fault
        self._not_before = now + self._wait_s(self._attempt)
        self._attempt += 1

    def stopped(self, now: float) -> None:
        """Whatever was said about it, that scan is over."""
        self._state, self._place, self.is_lost = _State.IDLE, None, False
        self._not_before = now

    def due_s(self, now: float) -> float | None:
        """How long until `next` may say something new by itself; None: only a change will do."""
        if self._state is _State.IDLE:
            return max(0.0, self._not_before - now) if self._usable is not None else None
        due = max(self._last, self._began) + self._patience.silence_s
        if self._idle_since is not None:
            due = min(due, self._idle_since + self._patience.pause_s)
        return max(0.0, due - now)

    # -- deaf, or quiet

    def _loss(self, kind: str, now: float) -> None:
        self.counters[kind] += 1
        self._restarted = False
        if self._deaf_since is None:
            self._lose(max(self._last, now - self._patience.silence_s))  # before that it was quiet, and not deaf

    def _lose(self, since: float) -> None:
        self._deaf_since = since
        self.news.append(Deaf(since, None))

    def _silence(self, now: float) -> None:
        """Nothing since the last advertisement, or since the scan began."""
        self.counters["silences"] += 1
        missed = len(self._crowd[0] | self._crowd[1]) >= CROWD and now - self._last < QUIET_S
        if missed and self._deaf_since is None:
            self._lose(self._last)
        elif not missed and self._deaf_since is not None:
            self._hear_again(self._began)
        if not self._restarted:
            self._silent_from = self._last
        self._restarted = self._deaf_since is None
        self._renews = True

    def _hear_again(self, now: float) -> None:
        assert self._deaf_since is not None, "it was deaf"
        self.news.append(Deaf(self._deaf_since, max(now, self._deaf_since)))
        self._deaf_since = None
        self._restarted = False

    # -- what is told

    @property
    def is_scanning(self) -> bool:
        """A scan is on, as far as anybody knows; or is just being renewed: an empty shop's is, four times a minute."""
        return self._state is _State.SCANNING or self._renews

    def state(self) -> str:
        """What it waits for; "": nothing."""
        adapter = self._picture.adapter
        if self._picture.missing is not None:
            return self._picture.words
        if adapter is not None and not adapter.hears:
            return f"{adapter.name} can't listen: it is no Bluetooth Low Energy adapter"
        return self.words if self._state is _State.IDLE else ""
