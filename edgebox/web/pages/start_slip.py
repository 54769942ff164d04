"""First start, the slip: which ones go on the receipts, each as the paper it will be."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox import slip_shelf
from edgebox.config import FOLDER
from edgebox.errors import ConfigError, SlipError
from edgebox.escpos.compose import Press
from edgebox.paper.letters import text_raster
from edgebox.printers import find_printer
from edgebox.slip_files import load_images
from edgebox.slips import qr
from edgebox.slips.facts import sample_facts
from edgebox.slips.strip import Chosen, Means, composed
from edgebox.slips.template import Purpose, Template
from edgebox.web import first_start
from edgebox.web.first_start import Step, keyed, shown
from edgebox.web.refusals import refused
from edgebox.web.roles import INSTALLERS
from edgebox.web.routes import action, page
from edgebox.web.visit import Visit

READY = "points", "comeback"  # say what is right in any shop; others want words, links or codes of the shop's own
PAPERS = {"58": "generic-58", "80": "generic-80"}
PICTURES_MAX = 32  # kept: a picture takes 50 ms, and a phone asks for the same ones again
_KEPT = "slip pictures"
_CUT = b"\x1ba\x00\x1bE\x00\x1d!\x00\x1b2\x1bd\x04\x1dV\x00"  # as the line does behind a slip


class Show(msgspec.Struct, frozen=True, kw_only=True):
    """Names of slips."""

    show: Annotated[tuple[Annotated[str, Meta(max_length=32)], ...], Meta(max_length=16)] = ()


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """`paper`: mm of the roll; `languages`: as in `zh-en`."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    paper: Literal["58", "80"] = "80"
    languages: Literal["zh", "en", "zh-en"] = "zh"


class Slip(NamedTuple):
    """One to choose. `wants_keys`: it carries a signed code, for which head office sends keys."""

    name: str
    is_shown: bool
    wants_keys: bool


@page("/start/slip", INSTALLERS)
async def slip(visit: Visit) -> Response:
    """A choice."""
    return await _slip(visit)


@action("/start/slip", INSTALLERS, takes=Show)
async def take_slip(visit: Visit, form: Show) -> Response:
    """Chosen, in the order of the list."""
    names = [one.name for one in await asyncio.to_thread(_choice, form.show)]
    if unknown := set(form.show) - set(names):
        raise refused("bad_input", min(unknown))
    wanted = [name for name in names if name in form.show]
    if await first_start.answered(visit, Step.SLIP, keyed("slip", {"show": wanted})):
        return await _slip(visit, "answer")
    return visit.done(f"/start/{Step.SLIP.next.value}")


@page("/start/slip/{name}.png", INSTALLERS, takes=Picture)
async def picture(visit: Visit, query: Picture) -> Response:
    """A slip with sample values, drawn as a printer would. In the pages' thread: no receipt waits for it."""
    kept: dict[Picture, bytes] = visit.office.extras.setdefault(_KEPT, {})
    if query not in kept:
        loop = asyncio.get_running_loop()
        try:
            raw = await loop.run_in_executor(visit.office.render, _drawn, query)
        except (SlipError, ConfigError, KeyError) as fault:
            raise refused("not_found", query.name) from fault
        while len(kept) >= PICTURES_MAX:
            del kept[next(iter(kept))]
        kept[query] = raw
    return Response(kept[query], media_type="image/png", headers={"cache-control": "private, max-age=3600"})


async def _slip(visit: Visit, fault: str = "") -> Response:
    config = await first_start.would_be(visit, await first_start.read(visit.office.store))
    templates = await asyncio.to_thread(_choice, config.slip.show)
    slips = [Slip(one.name, one.name in config.slip.show, one.purpose is Purpose.CLAIM) for one in templates]
    return await shown(
        visit, Step.SLIP, status=422 if fault else 200, fault=fault, slips=slips, papers=tuple(PAPERS),
        spoken="-".join(config.slip.languages), has_keys=visit.office.host.awards.keys is not None,
        named={name for name in READY if any(one.name == name for one in slips)},
    )  # fmt: skip


def _choice(more: Iterable[str]) -> list[Template]:
    """Those that any shop may show, and those it shows already; by what is printed first. Blocks."""
    found = slip_shelf.filled(dict.fromkeys((*READY, *more))).shown
    return sorted(found, key=lambda one: (one.priority, one.name))


def _drawn(query: Picture) -> bytes:
    """PNG. SlipError, ConfigError; KeyError: there is none of that name."""
    from edgebox.paper.draw import draw  # Pillow: 6 MB that most boxes' pages never need

    template = {one.name: one for one in slip_shelf.filled([query.name]).shown}[query.name]
    printer = find_printer(PAPERS[query.paper], FOLDER / "printers")
    press = Press(printer, matrix=qr.matrix, text_raster=text_raster)
    images = load_images([template], slip_shelf.OWN_SLIPS, printer.dots)
    means = Means(tuple(query.languages.split("-")), images=images)
    body = composed(Chosen(template, sample_facts(template.purpose)), press, means)
    file = io.BytesIO()
    draw(b"\x1c." + body.raw + _CUT, printer).save(file, "PNG")
    return file.getvalue()
