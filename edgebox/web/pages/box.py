"""The box: how each of its parts is, for whoever looks after it; and the same for programs that watch it."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import msgspec
from starlette.responses import PlainTextResponse, Response

from edgebox.web.frame import Trouble, said_troubles
from edgebox.web.metrics import exposition
from edgebox.web.openapi import document
from edgebox.web.roles import INSTALLERS, OFFICE, PUBLIC, SIGNED_IN
from edgebox.web.routes import Nav, api, page, rows
from edgebox.web.visit import Visit

WELL = "ok"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part's state: ok, warning or failed; `at`: since when, seconds since 1970."""

    part: str
    state: str
    words: str
    at: int


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    parts: list[Part]


class Shown(NamedTuple):
    """A part as the page shows it."""

    name: str
    part: Part
    trouble: Trouble | None


@page("/box", OFFICE, nav=Nav("box", 50))
async def box(visit: Visit) -> Response:
    """A list of parts, those with trouble first."""
    found = (await _parts(visit)).parts
    wrong = {one.part: one for one in await visit.office.troubles()}
    shown = []
    for part in sorted(found, key=lambda part: (part.state == WELL, part.part)):
        mine = [wrong[part.part]] if part.part in wrong else []
        said = said_troubles(visit.office.catalogue, visit.language, mine)
        shown.append(Shown(_named(visit, part.part), part, next(iter(said), None)))
    return await visit.page("box.html", parts=shown, certificate=visit.office.certificate)


@api("GET", "/health", OFFICE, gives=Parts, summary="How each part of the box is")
async def api_health(visit: Visit) -> Parts:
    """The same."""
    return await _parts(visit)


@page("/healthz", PUBLIC)
async def healthz(visit: Visit) -> Response:
    """200 while the engine lives and can record, else 503. Says no more: anybody may ask."""
    states = visit.office.host.health.states()
    is_well = states.get("recording") != "failed" and states.get("store") != "failed"
    return PlainTextResponse("ok\n" if is_well else "failed\n", 200 if is_well else 503)


@page("/metrics", INSTALLERS)
async def metrics(visit: Visit) -> Response:
    """Prometheus' text format."""
    text = await exposition(visit.office)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@page("/api/v1/openapi.json", SIGNED_IN)
async def openapi(visit: Visit) -> Response:
    """What the API takes and gives."""
    return Response(document(rows()), media_type="application/json")


def _named(visit: Visit, part: str) -> str:
    kind, _, name = part.partition(" ")
    return visit.t(f"parts.{kind}", name=name) if visit.office.catalogue.has(f"parts.{kind}") else part


async def _parts(visit: Visit) -> Parts:
    def read(db: sqlite3.Connection) -> list[Part]:
        found = db.execute("SELECT part, state, words, at FROM health ORDER BY part").fetchall()
        return [Part(part=part, state=state, words=words, at=at) for part, state, words, at in found]

    return Parts(parts=await visit.office.store.read(read))
