"""Settings: all of them with what they are and where that came from; changed on trial, and taken back if it harms."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import ConfigError, OrderError, PageError
from edgebox.lines import LineSession
from edgebox.overlay import Layers
from edgebox.settings import SECTIONS
from edgebox.web.addresses import as_address, own_addresses, split
from edgebox.web.refusals import refused, status_of
from edgebox.web.roles import INSTALLERS
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.setting_book import Group, Setting, groups, typed
from edgebox.web.visit import Visit

FIRST = "shop"
PORT_MAX = 65_535  # RFC 9293
Key = Annotated[str, Meta(max_length=80)]
Value = Annotated[str, Meta(max_length=32_768)]
Section = Literal[
    "shop", "till", "slip", "desk", "claims", "points", "engine", "store", "sync", "web", "beacons", "gadget", "log",
    "line", "scanner",
]  # fmt: skip
_RUN = "run of the settings"  # names this run of the engine: the page waits for another one


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which section."""

    section: Section = "shop"


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """`value`: as in Setting; several of one name are the items of a list."""

    key: Key
    value: Annotated[list[Value], Meta(max_length=64)] = []


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One setting."""

    key: Key


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's run that is to be over; and where to go on."""

    run: Annotated[str, Meta(max_length=32)] = ""
    section: Section = "shop"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All. `is_on_trial`: a change has to prove itself, no other one is taken; `taken_back`: why the last one was."""

    groups: list[Group]
    is_on_trial: bool
    taken_back: str


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a change: `same`: nothing had to be changed, `live`: in force, `restart`: in force in a second."""

    effect: Literal["same", "live", "restart"]


@page("/settings", INSTALLERS, nav=Nav("settings", 72), takes=Query)
async def settings(visit: Visit, query: Query) -> Response:
    """One section of them."""
    return await _shown(visit, query.section)


@action("/settings/change", INSTALLERS, takes=Changed)
async def change(visit: Visit, form: Changed) -> Response:
    """On trial."""
    section = _section_of(form.key)
    try:
        effect = await _change(visit, form)
    except PageError as fault:
        if fault.reason not in ("setting", "bad_input"):
            raise
        return await _shown(visit, section, fault=fault, key=form.key)
    return await _changed(visit, section, effect)


@action("/settings/reset", INSTALLERS, takes=Named)
async def reset(visit: Visit, form: Named) -> Response:
    """What the page has set is forgotten: the file's value is in force again."""
    return await _changed(visit, _section_of(form.key), await _reset(visit, form.key))


@page("/settings/over", INSTALLERS, takes=Run)
async def over(visit: Visit, query: Run) -> Response:
    """Asked until another run of the engine answers."""
    if query.run == _run(visit):
        return Response(status_code=204)
    return visit.done(f"/settings?section={query.section}")


@api("GET", "/settings", INSTALLERS, gives=Settings, summary="All settings: value, default, origin, limits")
async def api_settings(visit: Visit) -> Settings:
    """The same."""
    return _settings(visit)


@api("PUT", "/settings/{key}", INSTALLERS, takes=Changed, gives=Done, summary="Change a setting, on trial")
async def api_change(visit: Visit, form: Changed) -> Done:
    """The same."""
    return Done(effect=await _change(visit, form))


@api("DELETE", "/settings/{key}", INSTALLERS, takes=Named, gives=Done, summary="Back to what the file says")
async def api_reset(visit: Visit, form: Named) -> Done:
    """The same."""
    return Done(effect=await _reset(visit, form.key))


async def _change(visit: Visit, form: Changed) -> Literal["same", "live", "restart"]:
    """PageError `setting`: it can't be had, the hint says why; `conflict`: another one is on trial."""
    value, before = typed(form.key, form.value), _known(visit, form.key)
    book = visit.office.host.settings
    if book is None:
        raise refused("read_only_box")
    if (rejected := await _rejected(visit, form.key, value)) is not None:
        raise refused("setting", rejected)
    if form.key == "web.listen":
        _check_reachable(str(value))
    line = _line_of(visit, form.key, value)
    try:
        is_same = await book.change_here({form.key: value})
    except OrderError as fault:
        raise _of_order(fault) from fault
    if line is not None and not is_same:  # no await since the overlay is on disk: the engine still hears
        line.restart()
    if not is_same:
        said = _told("\n".join(form.value))
        await visit.audit("setting changed", form.key, before=_told(before.value), after=said)
    return "same" if is_same else "live" if before.effect == "live" else "restart"


async def _reset(visit: Visit, key: str) -> Literal["same", "live", "restart"]:
    """PageError `not_found`, `conflict`."""
    before, book = _known(visit, key), visit.office.host.settings
    if book is None:
        raise refused("read_only_box")
    if key not in book.layers.page:
        return "same"
    page = {name: value for name, value in book.layers.page.items() if name != key}
    try:
        is_same = await book.change(msgspec.structs.replace(book.layers, page=page), "")
    except OrderError as fault:
        raise _of_order(fault) from fault
    await visit.audit("setting changed", key, before=_told(before.value), after="")
    return "same" if is_same else "live" if before.effect == "live" else "restart"


def _check_reachable(listen: str) -> None:
    """PageError `setting`: nobody could open the page there to change it again, and no trial would notice."""
    name, port = split(listen) if listen else ("", 0)
    host = as_address(name)
    if host is None or not 0 < port <= PORT_MAX or not (host.is_unspecified or host in own_addresses()):
        raise refused("setting", "no address of this box: the page could not be opened there")


def _line_of(visit: Visit, key: str, profile: object) -> LineSession | None:
    """The line that has to begin anew with another profile, if it is there. PageError `setting`: no such profile."""
    if not key.startswith("line."):
        return None
    host = visit.office.host
    try:
        host.profile(str(profile))
    except ConfigError as fault:
        raise refused("setting", str(fault.args[0])[:200]) from fault
    return host.lines.get(key.removeprefix("line.").rpartition(".")[0])


async def _rejected(visit: Visit, key: str, value: object) -> str | None:
    book = visit.office.host.settings
    assert book is not None, "asked before"
    found = await asyncio.to_thread(book.rejected_here, {key: value})
    return "; ".join(found.values())[:300] if found else None


def _of_order(fault: OrderError) -> PageError:
    if fault.reason == "trial":
        return refused("on_trial")
    return refused("store" if fault.reason == "io" else "setting", str(fault)[:200])


def _told(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."


def _known(visit: Visit, key: str) -> Setting:
    for group in _settings(visit).groups:
        for one in group.settings:
            if one.key == key:
                return one
    raise refused("not_found", key)


def _section_of(key: str) -> str:
    section = key.partition(".")[0]
    return section if section in SECTIONS else FIRST


def _settings(visit: Visit) -> Settings:
    book = visit.office.host.settings
    layers = book.layers if book is not None else Layers()
    is_open = book is not None and not book.is_on_trial
    return Settings(
        groups=groups(visit.office.config, layers, is_open=is_open),
        is_on_trial=book is not None and book.is_on_trial,
        taken_back=book.taken_back if book is not None else "",
    )


def _run(visit: Visit) -> str:
    found: str = visit.office.extras.setdefault(_RUN, os.urandom(8).hex())
    return found


async def _changed(visit: Visit, section: str, effect: str) -> Response:
    """A restart takes a second, in which nobody would answer a browser that goes on at once."""
    if effect == "restart":
        return await visit.page("settings_wait.html", run=_run(visit), section=section)
    said = "settings.same" if effect == "same" else "settings.saved"
    return visit.done(f"/settings?section={section}", said)


async def _shown(visit: Visit, section: str, *, fault: PageError | None = None, key: str = "") -> Response:
    found = _settings(visit)
    return await visit.page(
        "settings.html",
        status=status_of(fault) if fault else 200,
        found=found,
        groups=[one for one in found.groups if one.section == section],
        section=section,
        sections=list(SECTIONS),
        is_open=visit.office.host.settings is not None,
        bad=key if fault else "",
        why=fault.hint if fault and fault.reason == "setting" else "",
    )
