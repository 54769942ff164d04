"""Presence: how many came in which hour, the last visits, and the tags and beacons that the box listens for.

Owns: this page. Never: who is near (edgebox/beacons), or a name of a member: visits show what the record has.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.beacons.own import LOW_MV, SILENT_S
from edgebox.beacons.radio import Radio
from edgebox.beacons.tags import Role as TagRole
from edgebox.beacons.watch import BeaconWatch, Row
from edgebox.reports.days import Day
from edgebox.store import visits as visit_table
from edgebox.web.pages.figures import day_of
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import Nav, api, page
from edgebox.web.visit import Visit

VISITS = 50  # of a page
OURS = (TagRole.STAFF.value, TagRole.ASSET.value, TagRole.BEACON.value)  # who is no customer


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`date`: ISO; "": today. `zone` "": the widest."""

    date: Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
    zone: Annotated[str, Meta(max_length=16)] = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Visits that began before that time; 0: the newest."""

    before: Annotated[int, Meta(ge=0, le=1 << 53)] = 0
    limit: Annotated[int, Meta(ge=1, le=200)] = VISITS


class HourSeen(msgspec.Struct, frozen=True, kw_only=True):
    """`people`: different tags in that hour; `stay_s`: of a visit, on average. Neither staff nor things."""

    label: str
    begin: int
    visits: int
    people: int
    stay_s: int


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One that the box listens for. `state`: the zones it is in; `ago_s` -1: never heard; `is_well`: of the shop's own
    beacons, that it is heard and its battery is good."""

    tag: str
    role: str
    beacon: str
    state: str
    distance_m: float
    ago_s: int
    millivolts: int
    is_well: bool


class VisitSeen(msgspec.Struct, frozen=True, kw_only=True):
    """`until` 0: still there. Of a member, `tag` is the beginning of a keyed hash."""

    tag: str
    at: int
    until: int
    zone: str
    role: str
    nearest_cm: int


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """`is_on`: visits are counted; `state`, `words`: how the listening stands. `before`, `after`: dates beside it."""

    is_on: bool
    state: str
    words: str
    date: str
    before: str
    after: str
    zone: str
    zones: list[str]
    bars: list[HourSeen]
    tags: list[Tag]


class Visits(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first. `next`: for `before`, 0 at the end."""

    visits: list[VisitSeen]
    next: int


@page("/presence", MANAGERS, nav=Nav("presence", 42), takes=Wanted)
async def presence(visit: Visit, query: Wanted) -> Response:
    """Hours, tags, visits."""
    found = await _presence(visit, query)
    seen = await _visits(visit, Page()) if found.is_on else Visits(visits=[], next=0)
    day = date.fromisoformat(found.date)
    return await visit.page("presence.html", presence=found, visits=seen, day=day, low_mv=LOW_MV, zones=_zones(visit))


@page("/presence/visits", MANAGERS, takes=Page)
async def visits(visit: Visit, query: Page) -> Response:
    """All of them, page by page."""
    return await visit.page("visits.html", visits=await _visits(visit, query), zones=_zones(visit))


@api("GET", "/presence", MANAGERS, takes=Wanted, gives=Presence, summary="Visits by hour, and the shop's tags")
async def api_presence(visit: Visit, query: Wanted) -> Presence:
    """The same."""
    return await _presence(visit, query)


@api("GET", "/visits", MANAGERS, takes=Page, gives=Visits, summary="Visits, the newest first")
async def api_visits(visit: Visit, query: Page) -> Visits:
    """The same."""
    return await _visits(visit, query)


# -- inside


def _zones(visit: Visit) -> Callable[[str], str]:
    """A zone's name in the visitor's language; the shop's own names as they are."""
    has = visit.office.catalogue.has
    return lambda zone: visit.t(f"zones.{zone}") if has(f"zones.{zone}") else zone


async def _presence(visit: Visit, query: Wanted) -> Presence:
    office = visit.office
    watch, radio = office.part(BeaconWatch), office.part(Radio)
    today = office.reports.calendar.day_at(office.now).date
    day = office.reports.calendar.day(day_of(query.date) or today)
    zones = [text.partition("=")[0] for text in office.config.beacons.zones]
    zone = query.zone if query.zone in zones else next(reversed(zones), "")
    state, words = radio.listening_stands() if radio is not None and watch is not None else ("ok", "")
    return Presence(
        is_on=watch is not None, state=state, words=words, date=day.date.isoformat(),
        before=(day.date - timedelta(1)).isoformat(),
        after=(day.date + timedelta(1)).isoformat() if day.date < today else "", zone=zone, zones=zones,
        bars=await _hours(visit, day, zone), tags=[_tag(row) for row in watch.rows()] if watch is not None else [],
    )  # fmt: skip


async def _hours(visit: Visit, day: Day, zone: str) -> list[HourSeen]:
    counts = await visit.office.store.read(lambda db: visit_table.between(db, day.begin, day.end))
    found: dict[int, visit_table.Count] = {}
    for slot, count in counts.items():
        if slot.zone == zone and slot.role not in OURS:
            found[slot.hour] = found.get(slot.hour, visit_table.Count()).plus(*count)
    return [
        _hour(hour.label, hour.begin, found.get(hour.begin, visit_table.Count()))
        for hour in visit.office.reports.calendar.hours(day)
    ]


def _hour(label: str, begin: int, count: visit_table.Count) -> HourSeen:
    stay_s = count.dwell_s // count.visits if count.visits else 0
    return HourSeen(label=label, begin=begin, visits=count.visits, people=count.people, stay_s=stay_s)


def _tag(row: Row) -> Tag:
    is_silent = row.ago_s < 0 or row.ago_s > SILENT_S
    is_low = 0 < row.millivolts < LOW_MV
    return Tag(
        tag=row.tag, role=row.role, beacon=row.beacon, state=row.state, distance_m=row.distance_m,
        ago_s=int(row.ago_s), millivolts=row.millivolts,
        is_well=row.role != TagRole.BEACON.value or not (is_silent or is_low),
    )  # fmt: skip


async def _visits(visit: Visit, query: Page) -> Visits:
    rows = await visit.office.reports.visits(query.before, query.limit)
    found = [
        VisitSeen(
            tag=one.tag, at=one.at, until=one.until, zone=one.zone, role=one.role, nearest_cm=one.nearest_cm
        )
        for one in rows
    ]  # fmt: skip
    return Visits(visits=found, next=rows[-1].at if len(rows) == query.limit else 0)
