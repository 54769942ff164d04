"""The beacons' desk: what the radio hears becomes visits on disk, people at the till, and beacons that are alive.

Owns: the tags in force, the queue of records, the clock's tick, and what is said of the shop's own beacons. Never: the
radio (radio.py hands in what it hears), who is near (presence.py), or what a visit is (visits.py).

The disk is met once a second, in one commit for all that has happened, and by a task of its own: a card that thinks
for ten seconds stops no clock. While it refuses, records wait, QUEUE_MAX of them; then the oldest is given up and
counted. What happens between two looks of a loop that stood still is no silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol

import msgspec

from edgebox.beacons import tags as tag_list
from edgebox.beacons.heard import Battery, Deaf, Heard, TagKey
from edgebox.beacons.own import OwnBeacons
from edgebox.beacons.presence import Moved, Presence, Seen, Zone
from edgebox.beacons.tags import Role, Tag, Tags
from edgebox.beacons.visits import RESTART, STOPPED, Moment, Visits
from edgebox.errors import ConfigError, StoreError
from edgebox.member_at_till import AtTill, Tagged
from edgebox.notices import Health
from edgebox.settings import BeaconsSettings, Config
from edgebox.store import visits as visit_table
from edgebox.store.events import SightingRecord, VisitRecord
from edgebox.store.store import Store

log = logging.getLogger("edgebox.beacons")

TICK_S = 1.0  # as sightings are grouped [house plan §9]
STALL_S = 5.0  # a tick so late: the loop stood still, and heard nothing. Less than LOST_S by far
GROUP_MAX = 100  # records of one commit [house plan §9]
QUEUE_MAX = 2000  # records that wait for the disk: some hours of a shop
ALIVE_S = 300.0  # how often it is noted when tags in the shop were last heard: 12 KB an hour to the card
COUNTS_S = 60.0  # and how often the hour's counts are
SLOTS_MAX = 2000  # counts that wait for the disk: three days of hours
TIDY_S = 86_400.0  # old counts are looked for
LISTENERS_MAX = 8  # who calibrates or watches at once
ALIVE_FACT = "beacons.alive"
TILL = "till"
OWN = "shop beacons"  # their name in health
STOP_S = 5.0  # for a card that is writing when the box stops
STAFF_S = 10.0  # a cashier's tag was heard so lately: who left through a steel door is lost after 45 s only


class Host(Protocol):
    """The engine."""

    config: Config
    clock: Callable[[], float]
    health: Health
    counters: Counter[str]

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Counted and logged."""


class _Alive(msgspec.Struct, frozen=True, array_like=True):
    """A visit that went on when it was last heard: seconds since 1970."""

    tag: str
    at: int
    zone: str
    heard: int


class Row(NamedTuple):
    """A tag as people see it. `state`: the zones it is in. `ago_s`: since it was heard, -1: never."""

    tag: str
    role: str
    beacon: str
    state: str
    distance_m: float
    rssi_dbm: int
    ago_s: float
    millivolts: int


class BeaconWatch:
    """A part of the engine. `mono_s`: the steady clock that `Heard` carries. `on_spaces`: told what to listen for."""

    def __init__(self, host: Host, at_till: AtTill, mono_s: Callable[[], float] = time.monotonic) -> None:
        settings = host.config.beacons
        self.counters: Counter[str] = Counter()
        self.on_spaces: Callable[[frozenset[str]], None] = lambda spaces: None
        self.listeners: list[Callable[[Heard], None]] = []
        self._host = host
        self._settings = settings
        self._mono_s = mono_s
        self._own_tags: list[Tag] = []
        self._wanted: Counter[str] = Counter()  # spaces that somebody calibrates in
        self.tags = Tags()
        self.presence = Presence(reach_m=settings.reach_m)
        self._strangers: Presence | None = None
        self.visits = Visits(settings.visits_day, mono_s())
        self.own = OwnBeacons(mono_s())
        self._sighted: dict[TagKey, float] = {}
        self._queue: deque[VisitRecord] = deque()
        self._store: Store | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._writing = asyncio.Lock()
        self._ticked_s = mono_s()
        self._alive_s = self._counted_s = mono_s()
        self._tidied_s = -TIDY_S
        self._held: dict[visit_table.Slot, visit_table.Count] = {}
        self._line = settings.line or (host.config.line[0].name if len(host.config.line) == 1 else "")
        at_till.tags = self.at_till

    # -- life

    async def open(self, store: Store) -> None:
        """Visits of a run that was killed get their end; then it listens. StoreError; ConfigError `bad_tag`,
        `bad_zone`."""
        self.begin()
        self._store = store
        await self._end_old(store)
        self._ticked_s = self._mono_s()
        self._tasks = [asyncio.create_task(self._each_second(do)) for do in (self._tick_on, self._write_down)]

    def begin(self) -> None:
        """The tags and zones of the settings are in force. ConfigError `bad_tag`, `bad_zone`."""
        self._own_tags = tag_list.of_settings(self._settings.tags)
        zones = zones_of(self._settings)
        self.presence = Presence(zones, reach_m=self._settings.reach_m)
        self._strangers = Presence(zones) if self._settings.count_unlisted else None
        self.use_tags(())

    async def look(self) -> None:
        """Every ten seconds: are the shop's own beacons alive?"""
        found = self.own.judged(self.tags, self._mono_s(), is_deaf=self.presence.is_deaf)
        if found is not None:
            self._host.health.note(OWN, *found)
        elif all(tag.role is not Role.BEACON for tag in self.tags):
            self._host.health.over(OWN)  # the last of them was taken off the list
        for counted in (self.counters, self.presence.counters, self.visits.counters):
            for name, count in counted.items():
                self._host.counters[f"beacons: {name}"] = count

    async def stop(self) -> None:
        """Visits end as of their last word, and are written down."""
        if not self._tasks:
            return
        tasks, self._tasks = self._tasks, []
        with contextlib.suppress(TimeoutError):  # what is half written would be written twice
            async with asyncio.timeout(STOP_S), self._writing:
                pass
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for heard in filter(None, (self.presence, self._strangers)):
            for key in [seen.key for seen in heard.seen()]:
                self._moved(heard.drop(key), STOPPED)
        while self._queue and await self._flush():
            pass
        await self._write_counts()

    async def _each_second(self, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await do()
            except Exception as fault:  # a bug here costs visits, not the listening
                self._host.fault("beacons", "fault while visits were written", fault)

    async def _tick_on(self) -> None:
        self.tick()

    async def _write_down(self) -> None:
        async with self._writing:
            await self._write()

    # -- what the radio says

    def heard(self, heard: Heard) -> None:
        """One advertisement of a UUID that is listened for. Does not wait."""
        if heard.mono_s - self._ticked_s > STALL_S:
            self.tick()  # which says that nothing could be heard
        for listener in self.listeners:
            listener(heard)
        tag = self.tags.of(heard.key)
        if tag is None:
            self.counters["unlisted"] += 1
            if self._strangers is not None:
                self._moved(self._strangers.hear(heard))
            return
        self.own.heard(heard)
        moved = self.presence.hear(heard, tag.offset_db)
        if moved:
            self._moved(moved)
        if self._settings.sighting_s:
            self._sight(heard, tag)

    def deaf(self, deaf: Deaf) -> None:
        """Nothing could be heard: nobody has gone because of it."""
        self.presence.deaf(deaf)
        if self._strangers is not None:
            self._strangers.deaf(deaf)
        self.own.deaf(deaf)

    def battery(self, battery: Battery) -> None:
        """What a tag says of its own."""
        if self.tags.of(battery.key) is not None:
            self.own.battery(battery)

    def tick(self) -> None:
        """Once a second: who has not been heard for long is gone."""
        now = self._mono_s()
        before, self._ticked_s = self._ticked_s, now
        if now - before > STALL_S:
            self.counters["stalls"] += 1
            if not self.presence.is_deaf:  # else it is a part of what the radio will tell the end of
                self.deaf(Deaf(before, now))
        self._moved(self.presence.look(now))
        if self._strangers is not None:
            self._moved(self._strangers.look(now))

    # -- what others ask

    def at_till(self, line: str) -> Tagged:
        """Whose tags are at a line's till, beyond doubt. Nobody at tills that the box does not stand at.

        A member: the only one within reach, with no other member's tag in the till's zone. A cashier: the only staff
        tag in it. Two tags of one person are one person.
        """
        if line != self._line:
            return Tagged()
        here = [tag for key in self.presence.inside(TILL) if (tag := self.tags.of(key)) is not None]
        member = cashier = ""
        if self._settings.attach_members:
            keys = self.presence.within_reach(self._mono_s())
            near = {tag.member for key in keys if (tag := self.tags.of(key)) is not None and tag.member}
            around = near | {tag.member for tag in here if tag.member}
            member = next(iter(near)) if len(near) == 1 and len(around) == 1 else ""
        if self._settings.attach_staff and not self.presence.is_deaf:
            staff = [tag for tag in here if tag.role is Role.STAFF]
            if len({tag.cashier for tag in staff}) == 1:
                is_fresh = any(self.presence.is_fresh(tag.key, self._mono_s(), STAFF_S) for tag in staff)
                cashier = staff[0].cashier if is_fresh else ""
        return Tagged(member, cashier)

    def rows(self) -> list[Row]:
        """All listed tags: those that are heard, by distance, then the rest."""
        now = self._mono_s()
        seen = {one.key: one for one in self.presence.seen()}
        rows = [self._row(tag, seen.get(tag.key), now) for tag in self.tags]
        return sorted(rows, key=lambda row: (row.ago_s < 0, row.distance_m, row.tag))

    def use_tags(self, tags: Iterable[Tag]) -> None:
        """The fleet's tags from now on, besides those of the file. Visits of tags that are no longer there end."""
        before, self.tags = self.tags, Tags(tags, self._own_tags)
        for tag in before:
            now = self.tags.of(tag.key)
            if now is None or now._replace(offset_db=tag.offset_db) != tag:  # calibrated is still the same
                self._moved(self.presence.drop(tag.key))
                self.own.forget(tag.key)
                self._sighted.pop(tag.key, None)
        for tag in self.tags:
            self.own.listed(tag.key, self._mono_s())
        self.visits.forget(key for tag in before if self.tags.of(key := tag.key) is None)
        self._tell_spaces()

    def want(self, key: TagKey, *, wanted: bool) -> None:
        """Somebody calibrates this one, listed or not; or has done so."""
        self._wanted[key.space] += 1 if wanted else -1
        self._wanted = +self._wanted  # without those that nobody wants any more
        self._tell_spaces()

    # -- inside

    def _tell_spaces(self) -> None:
        self.on_spaces(self.tags.spaces() | set(self._wanted))

    def _now(self) -> Moment:
        return Moment(self._mono_s(), self._host.clock())

    def _row(self, tag: Tag, seen: Seen | None, now: float) -> Row:
        role, beacon, volts = tag.role.value, str(tag.key), self.own.millivolts(tag.key)
        if seen is None:
            last = self.own.last_s(tag.key)
            return Row(tag.shown, role, beacon, "", 0.0, 0, -1.0 if last is None else now - last, volts)
        state = " ".join(seen.zones) or "around"
        rssi = round(seen.rssi_dbm)
        return Row(tag.shown, role, beacon, state, round(seen.distance_m, 1), rssi, now - seen.last_s, volts)

    def _moved(self, moved: list[Moved], why: str = "") -> None:
        for one in moved:
            record = self.visits.moved(one, self.tags.of(one.key), self._now(), why)
            if record is not None:
                self._keep(record)

    def _keep(self, record: VisitRecord) -> None:
        if len(self._queue) >= QUEUE_MAX:
            self._queue.popleft()
            self.counters["given_up"] += 1
        self._queue.append(record)

    def _sight(self, heard: Heard, tag: Tag) -> None:
        last = self._sighted.get(heard.key)
        if self._store is None or (last is not None and heard.mono_s - last < self._settings.sighting_s):
            return
        self._sighted[heard.key] = heard.mono_s
        self._store.record_soon(SightingRecord(at=int(self._host.clock()), tag=tag.shown, rssi_dbm=heard.rssi_dbm))

    async def _write(self) -> None:
        while self._queue and await self._flush():
            pass
        now = self._mono_s()
        if now - self._alive_s >= ALIVE_S:
            self._alive_s = now
            await self._note_alive()
        if now - self._counted_s >= COUNTS_S:
            self._counted_s = now
            await self._write_counts()

    async def _flush(self) -> bool:
        """The first of the queue, in one commit; false: they stay there."""
        assert self._store is not None, "opened"
        group = [self._queue[at] for at in range(min(len(self._queue), GROUP_MAX))]
        try:
            await self._store.record(*group)
        except StoreError as fault:
            self._host.fault("beacons", f"visits not recorded: {fault}")
            if fault.reason != "refused":
                return False
            self.counters["given_up"] += len(group)
        for record in group:
            if self._queue and self._queue[0] is record:
                self._queue.popleft()
        return True

    async def _note_alive(self) -> None:
        """So that visits of a box that is killed have an end that is not far from the truth."""
        assert self._store is not None, "opened"
        now = self._now()
        last = {seen.key: seen.last_s for seen in self.presence.seen()}
        alive = [
            _Alive(going.tag, going.at, going.zone, int(now.at - (now.mono_s - last[key])))
            for key, going in self.visits.going()
            if going.is_recorded and key in last
        ]
        with contextlib.suppress(StoreError):  # said by the records that are refused, too
            await self._store.put(ALIVE_FACT, msgspec.json.encode(alive))

    async def _write_counts(self) -> None:
        for slot, count in self.visits.take_counts().items():
            self._held[slot] = self._held.get(slot, visit_table.Count()).plus(*count)
        while len(self._held) > SLOTS_MAX:
            del self._held[next(iter(self._held))]
            self.counters["counts_given_up"] += 1
        assert self._store is not None, "opened"
        counts, now = dict(self._held), self._mono_s()
        try:
            if counts:
                await self._store.change(lambda db: visit_table.add(db, counts))
                self._held.clear()
            if now - self._tidied_s >= TIDY_S:
                at = int(self._host.clock())
                await self._store.change(lambda db: visit_table.forget_counts(db, at))
                self._tidied_s = now
        except StoreError as fault:
            self._host.fault("beacons", f"visits not counted: {fault}")

    async def _end_old(self, store: Store) -> None:
        """The last run did not see how these ended: as of when it last noted that they were heard."""
        raw = await store.get(ALIVE_FACT)
        noted: list[_Alive] = []
        with contextlib.suppress(msgspec.MsgspecError):
            noted = msgspec.json.decode(raw, type=list[_Alive]) if raw else []
        heard = {(one.tag, one.at, one.zone): one.heard for one in noted}
        left = await store.read(visit_table.unfinished)
        for one in left:
            until = max(one.at + 1, heard.get((one.tag, one.at, one.zone), 0))
            self._keep(
                VisitRecord(
                    at=one.at, until=until, tag=one.tag, zone=one.zone, role=one.role, nearest_cm=one.nearest_cm,
                    why=RESTART,
                )
            )  # fmt: skip
        if left:
            log.info("beacons: %d visits of the last run have ended while nobody listened", len(left))


def zones_of(settings: BeaconsSettings) -> list[Zone]:
    """ConfigError `bad_zone`: one that is left nearer than it is entered, or is there twice."""
    found: list[Zone] = []
    for text in settings.zones:
        name, _, distances = text.partition("=")
        enter, _, leave = distances.partition("/")
        zone = Zone(name, float(enter), float(leave))
        if not 0 < zone.enter_m < zone.exit_m or name in {one.name for one in found}:
            raise ConfigError(f"[beacons] zones: {text}", reason="bad_zone", hint="NAME=IN/OUT, IN less than OUT")
        found.append(zone)
    return found
