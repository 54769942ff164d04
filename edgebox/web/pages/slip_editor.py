"""The editor of a slip: its blocks, one of them open, and beside them the paper as it will be.

Owns: the walk of the form. Each change posts the whole form and the picture is drawn anew; with htmx the picture alone,
without it the page. Never: what fields a block has (edgebox/web/slip_form.py), or keeps anything before "save".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import ConfigError, PageError
from edgebox.slip_files import slip_from
from edgebox.slip_schema import Name as SlipName
from edgebox.slips.facts import FIELDS as FACTS
from edgebox.slips.facts import fields_of, rows_of
from edgebox.slips.template import Purpose, Template
from edgebox.web.pages.slips import album, book, cost, keep_draft, print_sample
from edgebox.web.refusals import refused
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import action, page
from edgebox.web.slip_form import (
    FIELDS,
    SETTINGS,
    Fault,
    Form,
    caption_said,
    done,
    faults_of,
    filled_in,
    lines_said,
    said,
    settings_of,
)
from edgebox.web.slip_picture import PAPERS, Picture
from edgebox.web.visit import Visit

# What a shop may begin with; each is a copy of the shipped slip of that purpose.
BEGINNINGS = {"link": "share", "claim": "points", "comeback": "comeback", "promotion": "promotion", "coupon": "coupon"}


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """Which slip."""

    name: SlipName


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A name for the new one, and what it is for."""

    name: Annotated[str, Meta(max_length=64)] = ""
    purpose: Literal["link", "claim", "comeback", "promotion", "coupon"] = "link"


class Shown(NamedTuple):
    """A block on the page. `words`: what its line says; `values`: for its inputs."""

    number: int
    kind: str
    words: str
    is_open: bool
    values: Mapping[str, Any]
    faults: Sequence[Fault]


class Looked(NamedTuple):
    """What the slip comes to. `metres`: of paper a month at this month's rate, None: not known yet."""

    template: Template | None
    faults: Sequence[Fault]
    picture: Picture
    metres: float | None


@page("/slips/new", MANAGERS, takes=New)
async def new(visit: Visit, query: New) -> Response:
    """A name first."""
    name = query.name.strip().lower()
    try:
        msgspec.convert(name, SlipName)
    except msgspec.ValidationError:
        return await visit.page(
            "slip_new.html", status=422 if name else 200, query=query, fault="name" if name else "",
            purposes=list(BEGINNINGS),
        )  # fmt: skip
    known = book(visit.office)
    if await asyncio.to_thread(known.table, name) is not None:
        return await visit.page("slip_new.html", status=409, query=query, fault="taken", purposes=list(BEGINNINGS))
    table = await asyncio.to_thread(known.table, BEGINNINGS[query.purpose]) or {}
    return await _editor(visit, _carried(visit, table | {"name": name}))


@page("/slips/{name}/edit", MANAGERS, takes=Edited)
async def edit(visit: Visit, query: Edited) -> Response:
    """As it is now; nothing is kept before somebody saves."""
    table = await asyncio.to_thread(book(visit.office).table, query.name)
    if table is None:
        raise refused("not_found")
    return await _editor(visit, _carried(visit, table))


@action("/slips/edit", MANAGERS, takes=Form)
async def step(visit: Visit, form: Form) -> Response:
    """A button of the form."""
    table = filled_in(form, visit.office.config.shop.decimals)
    if form.do == "save":
        return await _save(visit, form, table)
    if form.do == "print":
        return await _print(visit, form, table)
    table, opened = done(table, form)
    return await _editor(visit, _with(form, table, opened), moved=form.do)


@action("/slips/preview", MANAGERS, takes=Form)
async def preview(visit: Visit, form: Form) -> Response:
    """The paper and the faults alone, while somebody types."""
    table = filled_in(form, visit.office.config.shop.decimals)
    look = await _look(visit, form, table)
    blocks = _blocks(_with(form, table, form.open), table, look.faults)
    return await visit.part("slip_preview.html", form=form, look=look, blocks=blocks, papers=list(PAPERS), is_part=True)


async def _save(visit: Visit, form: Form, table: dict[str, Any]) -> Response:
    look = await _look(visit, form, table)
    if look.faults:
        return await _editor(visit, _with(form, table, form.open), said_key="slips.not_saved")
    try:
        one = await keep_draft(visit, table, form.revision)
    except PageError as fault:
        key = "slips.changed_meanwhile" if fault.reason == "conflict" else "slips.not_saved"
        return await _editor(visit, _with(form, table, form.open), said_key=key)
    return visit.done("/slips", "slips.saved", name=one.name)


async def _print(visit: Visit, form: Form, table: dict[str, Any]) -> Response:
    look = await _look(visit, form, table)
    key = "slips.not_saved"
    if look.template is not None:
        try:
            await print_sample(visit, look.template, form.line)
            key = "slips.printed"
        except PageError as fault:
            key = f"refusals.{fault.reason}"
    return await _editor(visit, _with(form, table, form.open), said_key=key, is_well=key == "slips.printed")


# -- the page


def _carried(visit: Visit, table: dict[str, Any]) -> Form:
    return Form(slip=msgspec.json.encode(table).decode(), revision=book(visit.office).book.revision)


def _with(form: Form, table: Mapping[str, Any], opened: int) -> Form:
    return msgspec.structs.replace(
        form, slip=msgspec.json.encode(table).decode(), open=opened, do="", turn=form.turn + 1
    )


async def _editor(visit: Visit, form: Form, *, said_key: str = "", is_well: bool = False, moved: str = "") -> Response:
    decimals = visit.office.config.shop.decimals
    table = msgspec.json.decode(form.slip, type=dict[str, Any])
    look = await _look(visit, form, table)
    purpose = _purpose(table)
    make = visit.part if visit.is_htmx else visit.page
    return await make(
        "slip_form.html" if visit.is_htmx else "slip_editor.html",
        form=form, name=str(table.get("name", ""))[:40], purpose=purpose.value,
        is_own_paper=table.get("placement") == "own_slip",
        look=look, blocks=_blocks(form, table, look.faults), papers=list(PAPERS),
        settings=settings_of(table, decimals), shown_settings=[key for key, of in SETTINGS.items() if purpose in of],
        languages=_languages(table), kinds=list(FIELDS), said=visit.t(said_key) if said_key else "", is_well=is_well,
        lines=sorted(visit.office.host.lines), samples={name: FACTS[name].sample for name in fields_of(purpose)},
        facts=sorted(fields_of(purpose)), rows=sorted(rows_of(purpose)), is_part=False,
        focus=_focus(len(table.get("block", ())), moved),
        is_fleets=book(visit.office).is_fleets or str(table.get("name")) in book(visit.office).fleets(),
    )  # fmt: skip


async def _look(visit: Visit, form: Form, table: dict[str, Any]) -> Looked:
    office = visit.office
    try:
        template = slip_from(table, "slip")
    except ConfigError as fault:
        return Looked(None, faults_of(fault), Picture(), None)
    speak = tuple(form.speak.split("-")) if form.speak else ()
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(office.render, album(office).of, template, form.paper, office.config.slip, speak)
    paper = await cost(visit)
    row = next((one for one in paper.slips if one.name == template.name), None)
    share = paper.total.mm_a_month / paper.total.mm if paper.total.mm else 0
    count = (row.printed if row is not None else paper.receipts) * share
    return Looked(template, (), found, found.mm * count / 1000 if count else None)


def _blocks(form: Form, table: Mapping[str, Any], faults: Sequence[Fault]) -> list[Shown]:
    found = []
    for number, block in enumerate(table["block"] if isinstance(table.get("block"), list) else []):
        kind = str(block.get("type", "")) if isinstance(block, dict) else ""
        mine = [fault for fault in faults if fault.block == number]
        found.append(
            Shown(
                number, kind if kind in FIELDS else "text", _summary(block), number == form.open, _values(block), mine
            )
        )
    return found


def _values(block: Any) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name, how in FIELDS.get(str(block.get("type")), ()):
        value = block.get(name)
        if how == "words":
            found[name] = caption_said(value) if name == "caption" else said(value)
        elif how == "lines":
            found[name] = lines_said(value)
        elif how == "check":
            found[name] = bool(value) if name in block else name == "labelled"
        else:
            found[name] = "" if value is None else str(value)
    return found


def _summary(block: Any) -> str:
    """What a closed block shows of itself."""
    for name in ("text", "left", "data", "file", "char", "lines", "beside"):
        value = block.get(name)
        if name == "beside" and isinstance(value, list) and value and isinstance(value[0], dict):
            value = value[0].get("text")
        if isinstance(value, dict):
            value = next((one for one in value.values() if one), "")
        if value not in (None, "", [], {}):
            return str(value)[:60]
    return ""


def _purpose(table: Mapping[str, Any]) -> Purpose:
    known = str(table.get("purpose"))
    return Purpose(known) if known in set(Purpose) else Purpose.LINK


def _languages(table: Mapping[str, Any]) -> list[str]:
    known = table.get("languages")
    return [one for one in known if isinstance(one, str)] if isinstance(known, list | tuple) else []


def _focus(blocks: int, moved: str) -> str:
    """What has the keyboard after a button: the block that was moved or added keeps it. A button that is switched off
    can't have it."""
    what, _, number = moved.partition(":")
    at = int(number or 0)
    if what == "add":
        return f"open-{blocks - 1}"
    if what == "remove":
        return f"open-{min(at, blocks - 1)}"
    to = at + {"up": -1, "down": 1}.get(what, 0)
    return f"{what}-{to}" if what in ("up", "down") and 0 < to < blocks - 1 else f"open-{to}" if number else ""
