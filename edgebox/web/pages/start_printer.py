"""First start, line and printer: what is wired to what, and which code of the self-test slip a phone reads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.appliance.plugged import Plugged, Use, plugged
from edgebox.config import FOLDER
from edgebox.desk.paper import Paper
from edgebox.errors import ConfigError
from edgebox.escpos.profile import PrinterProfile
from edgebox.notices import printer_words
from edgebox.printers import load_printer
from edgebox.slips.self_test import CODES
from edgebox.slips.strip import NARROW_DOTS
from edgebox.web import first_start
from edgebox.web.first_start import Step, shown
from edgebox.web.refusals import refused
from edgebox.web.roles import INSTALLERS
from edgebox.web.routes import action, page
from edgebox.web.self_test import print_self_test
from edgebox.web.visit import Visit

OWN = Path("/etc/edgebox/printers")
CODE_OF = {"native": "EDGEBOX-NATIVE", "raster": "EDGEBOX-RASTER", "strips": "EDGEBOX-STRIPS"}
LineName = Annotated[str, Meta(max_length=32)]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`code`: which one the phone read; `paper`: mm of the roll; `model`: a profile's name, "": by the code."""

    line: LineName = ""
    code: Literal["native", "raster", "strips", "none"] = "none"
    paper: Literal["58", "80"] = "80"
    model: Annotated[str, Meta(max_length=48)] = ""


class Test(msgspec.Struct, frozen=True, kw_only=True):
    """Which line's printer."""

    line: LineName = ""


class Wire(NamedTuple):
    """A line as the page shows it. `state`, `words`: the printer's; "": the line is not there, or has not heard it."""

    name: str
    till: str
    printer: str
    profile: str
    is_there: bool
    state: str
    words: str


# -- the line


@page("/start/line", INSTALLERS)
async def line(visit: Visit) -> Response:
    """Till and printer of each line, what else is plugged in."""
    found = [one for one in await asyncio.to_thread(plugged) if one.use is not Use.TILL]
    return await shown(visit, Step.LINE, wires=_wires(visit), plugged=_grouped(found))


@page("/start/line/now", INSTALLERS)
async def line_now(visit: Visit) -> Response:
    """The lines alone: fetched when something has changed."""
    return await visit.part("start_line_now.html", wires=_wires(visit))


@action("/start/line", INSTALLERS)
async def take_line(visit: Visit) -> Response:
    """Seen."""
    await first_start.answered(visit, Step.LINE, {})
    return visit.done(f"/start/{Step.LINE.next.value}")


def _wires(visit: Visit) -> list[Wire]:
    host, found = visit.office.host, []
    for wire in visit.office.config.line:
        session = host.lines.get(wire.name)
        status = session.status if session is not None else None
        state, words = printer_words(status) if status is not None else ("", "")
        profile = session.hello.profile if session is not None and session.hello is not None else wire.profile
        found.append(Wire(wire.name, wire.till, wire.printer, profile, session is not None, state, words))
    return found


def _grouped(found: list[Plugged]) -> dict[str, list[Plugged]]:
    return {use.value: rows for use in Use if (rows := [one for one in found if one.use is use])}


# -- the printer


@page("/start/printer", INSTALLERS)
async def printer(visit: Visit) -> Response:
    """The self-test slip, and what came of it."""
    return await _printer(visit, Answer())


@action("/start/printer/print", INSTALLERS, takes=Test)
async def print_test(visit: Visit, form: Test) -> Response:
    """The slip, between two of the till's documents."""
    office = visit.office
    where = Paper(office.host, office.config.desk.line).where(form.line)
    if where is None:
        raise refused("no_printer")
    await print_self_test(office, where.line, visit.language)
    await visit.audit("self-test printed", where.line)
    return visit.done("/start/printer", "start.test_printed")


@action("/start/printer", INSTALLERS, takes=Answer)
async def take_printer(visit: Visit, form: Answer) -> Response:
    """The profile that goes with it."""
    wire = next((one for one in _wires(visit) if one.name == form.line), None)
    if wire is None:
        raise refused("not_found")
    profiles = await asyncio.to_thread(_profiles)
    name = chosen(profiles, wire.profile, form)
    if not name:
        return await _printer(visit, form, "no_code")
    if await first_start.answered(visit, Step.PRINTER, {f"line.{wire.name}.profile": name}):
        return await _printer(visit, form, "answer")
    return visit.done(f"/start/{Step.PRINTER.next.value}")


def chosen(profiles: Mapping[str, PrinterProfile], now: str, said: Answer) -> str:
    """The profile's name; "": nothing follows from what was said.

    A model that somebody names is believed unless a phone has read another code than that model is said to print. The
    profile in force stays if it prints that code. Else the plain one for this paper and this code.
    """
    if said.code == "none":
        return said.model if said.model in profiles else ""
    fitting = {name for name, one in profiles.items() if _prints(one, said)}
    if said.model:
        fitting_code = {name for name, one in profiles.items() if _has_code(one, said)}
        if said.model in fitting_code:
            return said.model
    elif now in fitting:
        return now
    return min((name for name in fitting if name.startswith("generic-")), default="")


def _prints(profile: PrinterProfile, said: Answer) -> bool:
    return _has_code(profile, said) and (profile.dots <= NARROW_DOTS) == (said.paper == "58")


def _has_code(profile: PrinterProfile, said: Answer) -> bool:
    wanted = CODES[CODE_OF[said.code]]
    return all(getattr(profile, key) == value for key, value in wanted.items())


def _profiles() -> dict[str, PrinterProfile]:
    """All there are, the machine's own first; one with a fault is none. Blocks."""
    found: dict[str, PrinterProfile] = {}
    for path in [*FOLDER.glob("printers/*.toml"), *OWN.glob("*.toml")]:
        try:
            found[path.stem] = load_printer(path)
        except ConfigError:  # `edgebox config check` says which
            found.pop(path.stem, None)
    return found


async def _printer(visit: Visit, form: Answer, fault: str = "") -> Response:
    profiles = await asyncio.to_thread(_profiles)
    progress = await first_start.read(visit.office.store)
    wires = _wires(visit)
    wire = next((one for one in wires if one.name == form.line), wires[0] if wires else None)
    name = progress.values.get(f"line.{wire.name}.profile", wire.profile) if wire is not None else ""
    known = profiles.get(name)
    return await shown(
        visit, Step.PRINTER, status=422 if fault else 200, fault=fault, form=form, wires=wires, wire=wire,
        known=known.title if known is not None else name,
        paper="58" if known is not None and known.dots <= NARROW_DOTS else "80",
        models=sorted((one.title, key) for key, one in profiles.items() if not key.startswith("generic-")),
    )  # fmt: skip
