"""Devices: lines with their printers, scanners, radio, clock, disk and heat, for whoever stands on the ladder.

What the doctor finds and what is plugged in comes in a part of its own: it takes seconds, and the page doesn't wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.appliance.plugged import plugged
from edgebox.bypass import turn_slips
from edgebox.errors import OrderError
from edgebox.web.check_up import check_up, said
from edgebox.web.hardware import Devices, devices
from edgebox.web.refusals import refused
from edgebox.web.roles import INSTALLERS
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.self_test import print_self_test
from edgebox.web.visit import Visit
from edgebox.web.words import slug

LineName = Annotated[str, Meta(max_length=64)]


class OnLine(msgspec.Struct, frozen=True, kw_only=True):
    """Which line."""

    line: LineName


class Slips(msgspec.Struct, frozen=True, kw_only=True):
    """`on`: slips are printed; false: the till prints as on a bare wire."""

    line: LineName
    on: bool = False


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """As `edgebox doctor --json`: grade ok, unknown, warning or failed; `key`: a stable word for what is so."""

    grade: str
    part: str
    key: str
    what: str
    why: str
    mend: str


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The gravest first."""

    findings: list[Finding]


class PluggedIn(msgspec.Struct, frozen=True, kw_only=True):
    """`use`: printer, cable, scanner or till; `url`: for the configuration; `lasting`: it stays the same."""

    use: str
    url: str
    words: str
    lasting: bool


class AllPlugged(msgspec.Struct, frozen=True, kw_only=True):
    """What a line or a scanner could be wired to."""

    plugged: list[PluggedIn]


@page("/devices", INSTALLERS, nav=Nav("devices", 60))
async def devices_page(visit: Visit) -> Response:
    """All of it but the doctor's findings."""
    return await visit.page("devices.html", found=await devices(visit.office), word=_word(visit))


@page("/devices/doctor", INSTALLERS)
async def doctor(visit: Visit) -> Response:
    """The findings: a part for htmx; without JavaScript a page."""
    found = await check_up(visit.office).findings()
    values = {"findings": said(visit, found), "well": sum(one.grade == "ok" for one in found)}
    return await _part_or_page(visit, "devices_doctor", values)


@page("/devices/plugged", INSTALLERS)
async def plugged_in(visit: Visit) -> Response:
    """What is plugged in; as the doctor."""
    return await _part_or_page(visit, "devices_plugged", {"plugged": await asyncio.to_thread(plugged)})


@action("/devices/{line}/test", INSTALLERS, takes=OnLine)
async def test(visit: Visit, form: OnLine) -> Response:
    """The self-test slip."""
    await _test(visit, form.line)
    return visit.done("/devices", "devices.tested", line=form.line)


@action("/devices/{line}/slips", INSTALLERS, takes=Slips)
async def slips(visit: Visit, form: Slips) -> Response:
    """Slips on or off, on this line."""
    await _turn(visit, form)
    return visit.done("/devices", "devices.now_on" if form.on else "devices.now_off", line=form.line)


@action("/devices/{line}/restart", INSTALLERS, takes=OnLine)
async def restart(visit: Visit, form: OnLine) -> Response:
    """The line begins anew between two documents, with the settings as they stand."""
    session = visit.office.host.lines.get(form.line)
    if session is None:
        raise refused("not_found")
    await visit.audit("line restarted", form.line)
    session.restart()
    return visit.done("/devices", "devices.restarts", line=form.line)


@api("GET", "/devices", INSTALLERS, gives=Devices, summary="Lines, scanners, radio, clock, disk, temperature")
async def api_devices(visit: Visit) -> Devices:
    """The same."""
    return await devices(visit.office)


@api("GET", "/doctor", INSTALLERS, gives=Findings, summary="What is wrong with the box, why, and what mends it")
async def api_doctor(visit: Visit) -> Findings:
    """In the doctor's own words."""
    found = await check_up(visit.office).findings()
    return Findings(
        findings=[
            Finding(grade=one.grade.value, part=one.part, key=one.key, what=one.what, why=one.why, mend=one.mend)
            for one in found
        ]
    )


@api("GET", "/plugged", INSTALLERS, gives=AllPlugged, summary="What is plugged into the box")
async def api_plugged(visit: Visit) -> AllPlugged:
    """The same."""
    found = await asyncio.to_thread(plugged)
    return AllPlugged(
        plugged=[PluggedIn(use=one.use.value, url=one.url, words=one.words, lasting=one.lasting) for one in found]
    )


@api("POST", "/lines/{line}/self-test", INSTALLERS, takes=OnLine, summary="Print the self-test slip")
async def api_test(visit: Visit, form: OnLine) -> None:
    """The same."""
    await _test(visit, form.line)


@api("PUT", "/lines/{line}/slips", INSTALLERS, takes=Slips, summary="Slips on or off on a line")
async def api_slips(visit: Visit, form: Slips) -> None:
    """The same."""
    await _turn(visit, form)


async def _test(visit: Visit, line: str) -> None:
    await print_self_test(visit.office, line, visit.language)
    await visit.audit("self-test printed", line)


async def _turn(visit: Visit, form: Slips) -> None:
    """The audit's row is written with the change."""
    office = visit.office
    try:
        await turn_slips(office.host, office.store, form.line, visit.who, office.now, on=form.on)
    except OrderError as fault:
        raise refused("not_found" if fault.reason == "no_such_line" else "too_many", fault.reason) from fault


def _word(visit: Visit) -> Callable[[str], str]:
    """What a part of the box says, in the visitor's language where the catalogue knows it."""

    def word(text: str) -> str:
        for table in ("trouble_words", "device_words"):
            if visit.office.catalogue.has(key := f"{table}.{slug(text)}"):
                return visit.t(key)
        return text

    return word


async def _part_or_page(visit: Visit, name: str, values: dict[str, Any]) -> Response:
    if visit.is_htmx:
        return await visit.part(f"{name}.html", **values)
    return await visit.page("devices_one.html", inner=f"{name}.html", **values)
