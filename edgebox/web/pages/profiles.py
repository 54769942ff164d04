"""Profiles: how each line's printer prints, how its till's receipts are read, and tills whose layout has changed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import ConfigError
from edgebox.taught import load_taught
from edgebox.web.refusals import refused
from edgebox.web.roles import OFFICE
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.visit import Visit


class OnLine(msgspec.Struct, frozen=True, kw_only=True):
    """Which line."""

    line: Annotated[str, Meta(max_length=64)]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A taught profile."""

    name: Annotated[str, Meta(max_length=48)]


class PrinterUsed(msgspec.Struct, frozen=True, kw_only=True):
    """A line's printer profile. `fault`: it can't be used; `qr`: native, gs_v_0, esc_star or none; `receipts`: the
    till's receipt profile that the settings name, "": by its layout; `drift`: the till prints a new layout since then,
    0: it doesn't."""

    line: str
    profile: str
    title: str
    fault: str
    mm: int
    columns: int
    cutter: bool
    qr: str
    inserts: bool
    receipts: str
    drift: int
    drift_words: str


class ReceiptProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One in force. `taught`: on this box's page; `layouts`: fingerprints of papers that it knows."""

    name: str
    taught: bool
    layouts: int


class Profiles(msgspec.Struct, frozen=True, kw_only=True):
    """All. `faults`: taught ones that can't be used, in the box's own words."""

    lines: list[PrinterUsed]
    receipts: list[ReceiptProfile]
    faults: list[str]


@page("/profiles", OFFICE, nav=Nav("profiles", 68))
async def profiles(visit: Visit) -> Response:
    """All of them; alarms first."""
    return await visit.page("profiles.html", found=await _profiles(visit))


@action("/profiles/{line}/known", OFFICE, takes=OnLine)
async def known(visit: Visit, form: OnLine) -> Response:
    """Somebody has looked at the new layout."""
    await _known(visit, form.line)
    return visit.done("/profiles", "profiles.now_known", line=form.line)


@action("/profiles/{name}/forget", OFFICE, takes=Named)
async def forget(visit: Visit, form: Named) -> Response:
    """A taught one."""
    await _forget(visit, form.name)
    return visit.done("/profiles", "profiles.forgotten", name=form.name)


@api("GET", "/profiles", OFFICE, gives=Profiles, summary="Printer and receipt profiles in use, and drift alarms")
async def api_profiles(visit: Visit) -> Profiles:
    """The same."""
    return await _profiles(visit)


@api("POST", "/lines/{line}/known-layout", OFFICE, takes=OnLine, summary="A till's new layout was looked at")
async def api_known(visit: Visit, form: OnLine) -> None:
    """The same."""
    await _known(visit, form.line)


@api("DELETE", "/profiles/{name}", OFFICE, takes=Named, summary="Forget a taught receipt profile")
async def api_forget(visit: Visit, form: Named) -> None:
    """The same."""
    await _forget(visit, form.name)


async def _known(visit: Visit, line: str) -> None:
    if not any(one.name == line for one in await visit.office.reports.drift()):
        raise refused("not_found")
    await visit.office.reports.known_layout(line)
    await visit.audit("new layout seen", line)


async def _forget(visit: Visit, name: str) -> None:
    """The audit's row is written with the change."""
    if not await visit.office.reports.unlearn(name, visit.who):
        raise refused("not_found")


async def _profiles(visit: Visit) -> Profiles:
    office = visit.office
    drift = {one.name: one for one in await office.reports.drift()}
    taught = await asyncio.to_thread(load_taught, Path(office.config.engine.data))
    names = {one.name for one in taught.profiles}
    shop, *_ = office.host.read_with
    lines = []
    for row in office.config.line:
        session = office.host.lines.get(row.name)
        name = session.hello.profile if session is not None and session.hello is not None else row.profile
        alarm = drift.get(row.name)
        lines.append(
            msgspec.structs.replace(
                _printer(visit, row.name, name),
                receipts=row.receipts,
                drift=alarm.at if alarm else 0,
                drift_words=alarm.words if alarm else "",
            )
        )
    receipts = [
        ReceiptProfile(name=one.name, taught=one.name in names, layouts=len(one.layouts)) for one in shop.profiles
    ]
    return Profiles(lines=lines, receipts=receipts, faults=list(taught.faults))


def _printer(visit: Visit, line: str, name: str) -> PrinterUsed:
    blank = PrinterUsed(
        line=line, profile=name, title="", fault="", mm=0, columns=0, cutter=False, qr="none", inserts=False,
        receipts="", drift=0, drift_words="",
    )  # fmt: skip
    try:
        found = visit.office.host.profile(name)
    except ConfigError as fault:
        return msgspec.structs.replace(blank, fault=str(fault))
    return msgspec.structs.replace(
        blank, title=found.title, mm=round(found.dots / found.dots_per_mm), columns=found.columns, cutter=found.cutter,
        qr="native" if found.qr_native else found.raster, inserts=found.insert,
    )  # fmt: skip
