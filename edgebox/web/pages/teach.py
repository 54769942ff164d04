"""Teaching: a person taps total, number or kind on a drawn paper; a profile comes of it, tried before it is kept.

Owns: the way through. Never: learns anything by itself (edgebox/reports/lessons.py). Each tap is a link with all of the
taps before it, so that it goes on after a phone was put away, and nothing is kept of what nobody finished.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import ReportError
from edgebox.model import DocumentKind
from edgebox.reports.lessons import SAMPLES_MAX, Lesson, Tap
from edgebox.reports.search import Wanted
from edgebox.taught import load_taught
from edgebox.web.drawn import drawn
from edgebox.web.frame import said_troubles
from edgebox.web.pages.receipt import Document, Session
from edgebox.web.pages.receipts import listed
from edgebox.web.refusals import refused
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.visit import Visit

PAPERS = 30  # to choose from
SHOWN = ("total", "number", "kind")
NAME = r"^[a-z0-9][a-z0-9-]{0,47}$"
LineNumber = Annotated[int, Meta(ge=-1, le=10_000)]
Name = Annotated[str, Meta(pattern=NAME)]
Said = Annotated[
    str, Meta(max_length=160, pattern=r"^[0-9a-f]{1,64}:\d{1,18}:-?\d{1,5}:-?\d{1,5}:-?\d{1,5}:[a-z_]{0,24}$")
]
Kind = Annotated[str, Meta(pattern=r"^[a-z_]{0,24}$")]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was tapped on this paper: lines, -1 none; `show`: what the next tap is; `tap`: the line of this one; `also`:
    papers before this one."""

    session: Session
    document: Document
    show: Literal["total", "number", "kind"] = "total"
    tap: LineNumber = -1
    total: LineNumber = -1
    number: LineNumber = -1
    kind_at: LineNumber = -1
    kind: Kind = DocumentKind.SALE.value
    also: Annotated[tuple[Said, ...], Meta(max_length=SAMPLES_MAX)] = ()


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Papers that were shown before."""

    also: Annotated[tuple[Said, ...], Meta(max_length=SAMPLES_MAX)] = ()


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A lesson as a form sends it. `sure`: although it changes what was right."""

    taps: Annotated[tuple[Said, ...], Meta(max_length=SAMPLES_MAX)] = ()
    name: Annotated[str, Meta(max_length=64)] = ""
    after_payment: bool = False
    sure: bool = False


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """A profile that was taught."""

    name: Name


class TapOn(msgspec.Struct, frozen=True, kw_only=True):
    """What a person shows on one paper: lines of it (-1 none), or values as they stand there."""

    session: Session
    document: Document
    total_line: LineNumber = -1
    total_minor: Annotated[int, Meta(ge=0, le=10**12)] = 0
    number_line: LineNumber = -1
    number: Annotated[str, Meta(max_length=64)] = ""
    kind_line: LineNumber = -1
    kind: Kind = ""


class LessonAsked(msgspec.Struct, frozen=True, kw_only=True):
    """`prints_after_payment`: whatever this layout prints is paid. `sure`: although it changes what was right."""

    name: Name
    taps: Annotated[tuple[TapOn, ...], Meta(min_length=1, max_length=SAMPLES_MAX)]
    prints_after_payment: bool = False
    sure: bool = False


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One paper before and after. `change`: same, gained, lost, other, wrong, kind."""

    session: str
    document: int
    before_minor: int | None
    after_minor: int | None
    before_kind: str
    after_kind: str
    change: str


class Taught(msgspec.Struct, frozen=True, kw_only=True):
    """`is_made`: a profile came of it, else `ambiguous` says why not; `is_safe`: it changes nothing that was right."""

    name: str
    is_made: bool
    is_safe: bool
    ambiguous: list[str]
    toml: str
    trials: list[Tried]
    of: int


class Layouts(msgspec.Struct, frozen=True, kw_only=True):
    """`taught`: names of profiles; `new_layouts`: lines whose till prints another layout than before."""

    taught: list[str]
    new_layouts: list[str]


@page("/teach", MANAGERS, nav=Nav("teach", 35), takes=Chosen)
async def teach(visit: Visit, query: Chosen) -> Response:
    """What was taught, what is new, and papers to begin with."""
    reports = visit.office.reports
    line = ""
    if query.also:
        tap = _tap(query.also[0])
        line = (await reports.receipt(tap.session, tap.document)).record.line
    recent = (await reports.search(Wanted(line=line), PAPERS)).rows
    drift = said_troubles(visit.office.catalogue, visit.language, await reports.drift())
    return await visit.page(
        "teach.html", receipts=[listed(row) for row in recent], drift=drift, taught=await _names(visit),
        also=query.also, query=urlencode([("also", one) for one in query.also]),
    )  # fmt: skip


@page("/teach/{session}/{document}", MANAGERS, takes=Asked)
async def tapping(visit: Visit, query: Asked) -> Response:
    """The paper, each line of it to be tapped."""
    reports = visit.office.reports
    whole = await reports.receipt(query.session, query.document)
    sheet = drawn(await reports.paper(query.session, query.document))
    asked = _tapped(query)
    there = {line.number for line in (*sheet.above, *sheet.below)}
    if {asked.total, asked.number, asked.kind_at} - there - {-1}:
        raise refused("bad_input", "no such line")
    taps = (*asked.also, _said(asked)) if asked.total >= 0 or asked.kind_at >= 0 else asked.also
    return await visit.page(
        "teach_paper.html", asked=asked, sheet=sheet, record=whole.record, shown=SHOWN, taps=taps,
        name=whole.record.profile if re.match(NAME, whole.record.profile) else _named(whole.record.line),
        links={show: _address(asked, show) for show in SHOWN}, kinds=[kind.value for kind in DocumentKind],
        another=urlencode([("also", one) for one in taps]) if len(taps) < SAMPLES_MAX else "",
    )  # fmt: skip


@action("/teach/try", MANAGERS, takes=Shown)
async def try_it(visit: Visit, form: Shown) -> Response:
    """The profile, run on the last papers; nothing is kept."""
    return await _tried_page(visit, form)


@action("/teach/learn", MANAGERS, takes=Shown)
async def learn(visit: Visit, form: Shown) -> Response:
    """Kept, and in force for the next receipt. Tried once more: papers may have come."""
    lesson = await _lesson(visit, form)
    if isinstance(lesson, str) or lesson.profile is None or not (lesson.is_safe or form.sure):
        return await _tried_page(visit, form, lesson)
    await visit.office.reports.learn(lesson, visit.who)
    return visit.done("/teach", "teach.learned", name=lesson.name)


@action("/teach/forget", MANAGERS, takes=Forgotten)
async def forget(visit: Visit, form: Forgotten) -> Response:
    """As if it had never been taught."""
    if not await visit.office.reports.unlearn(form.name, visit.who):
        raise refused("not_found")
    return visit.done("/teach", "teach.forgotten", name=form.name)


@api("GET", "/layouts", MANAGERS, gives=Layouts, summary="What tills print: taught layouts, and new ones")
async def api_layouts(visit: Visit) -> Layouts:
    """The same."""
    drift = await visit.office.reports.drift()
    return Layouts(taught=await _names(visit), new_layouts=[one.name for one in drift])


@api("POST", "/layouts/try", MANAGERS, takes=LessonAsked, gives=Taught, summary="Try a lesson on the last 100 papers")
async def api_try(visit: Visit, form: LessonAsked) -> Taught:
    """Nothing is kept."""
    return _given(await _asked_lesson(visit, form))


@api("POST", "/layouts", MANAGERS, takes=LessonAsked, gives=Taught, summary="Keep what a lesson taught")
async def api_learn(visit: Visit, form: LessonAsked) -> Taught:
    """422 without a profile, or where it changes what was right and nobody is sure."""
    lesson = await _asked_lesson(visit, form)
    if lesson.profile is None:
        raise refused("bad_input", "; ".join(lesson.ambiguous))
    if not lesson.is_safe and not form.sure:
        raise refused("bad_input", "it changes what was right: sure")
    await visit.office.reports.learn(lesson, visit.who)
    return _given(lesson)


@api("DELETE", "/layouts/{name}", MANAGERS, takes=Forgotten, summary="Forget what was taught")
async def api_forget(visit: Visit, form: Forgotten) -> None:
    """The same."""
    if not await visit.office.reports.unlearn(form.name, visit.who):
        raise refused("not_found")


# -- taps


def _tapped(asked: Asked) -> Asked:
    """With this tap among those before it; a line that is tapped again is shown no more."""
    if asked.tap < 0:
        return asked
    field = {"total": "total", "number": "number", "kind": "kind_at"}[asked.show]
    line = -1 if getattr(asked, field) == asked.tap else asked.tap
    following = SHOWN[min(SHOWN.index(asked.show) + 1, len(SHOWN) - 1)] if line >= 0 else asked.show
    changed: dict[str, Any] = {field: line, "show": following, "tap": -1}
    return msgspec.structs.replace(asked, **changed)


def _address(asked: Asked, show: str) -> str:
    fields = msgspec.structs.asdict(asked) | {"show": show}
    kept = ("show", "total", "number", "kind_at", "kind", "also")
    return f"/teach/{asked.session}/{asked.document}?" + urlencode({key: fields[key] for key in kept}, doseq=True)


def _said(asked: Asked) -> str:
    kind = asked.kind if asked.kind_at >= 0 else ""
    return f"{asked.session}:{asked.document}:{asked.total}:{asked.number}:{asked.kind_at}:{kind}"


def _tap(said: str) -> Tap:
    session, document, total, number, kind_at, kind = said.split(":")
    return Tap(session, int(document), int(total), 0, int(number), "", int(kind_at), kind)


def _named(line: str) -> str:
    """A profile's name for a line's till."""
    return re.sub(r"[^a-z0-9-]+", "-", line.lower()).strip("-")[:40] or "till"


# -- lessons


async def _lesson(visit: Visit, form: Shown) -> Lesson | str:
    """Or why there is none: a reason of ReportError, or `name`."""
    name = form.name.strip().lower()
    if not re.match(NAME, name):
        return "name"
    if not form.taps:
        return "taps"
    taps = [_tap(said) for said in form.taps]
    try:
        return await visit.office.reports.lesson(name, taps, prints_after_payment=form.after_payment)
    except ReportError as fault:
        return fault.reason


async def _asked_lesson(visit: Visit, form: LessonAsked) -> Lesson:
    taps = [Tap(**msgspec.structs.asdict(tap)) for tap in form.taps]
    return await visit.office.reports.lesson(form.name, taps, prints_after_payment=form.prints_after_payment)


async def _tried_page(visit: Visit, form: Shown, lesson: Lesson | str | None = None) -> Response:
    found = await _lesson(visit, form) if lesson is None else lesson
    fault = found if isinstance(found, str) else ""
    known = visit.office.catalogue.has(f"teach_faults.{fault}")
    first = _tap(form.taps[0]) if form.taps else None
    return await visit.page(
        "teach_tried.html", status=422 if fault else 200, form=form, lesson=found if not fault else None,
        fault=(fault if known else "taps") if fault else "", first=first,
        counts=Counter(trial.change.value for trial in found.trials) if isinstance(found, Lesson) else {},
        is_known=form.name in await _names(visit),
    )  # fmt: skip


async def _names(visit: Visit) -> list[str]:
    data = Path(visit.office.config.engine.data)
    return [one.name for one in (await asyncio.to_thread(load_taught, data)).profiles]


def _given(lesson: Lesson) -> Taught:
    trials = [
        Tried(
            session=one.row.session, document=one.row.document, before_minor=one.before_minor,
            after_minor=one.after_minor, before_kind=one.before_kind, after_kind=one.after_kind,
            change=one.change.value,
        )
        for one in lesson.trials
    ]  # fmt: skip
    return Taught(
        name=lesson.name, is_made=lesson.profile is not None, is_safe=lesson.is_safe, toml=lesson.toml,
        ambiguous=list(lesson.ambiguous), trials=trials, of=lesson.of,
    )  # fmt: skip
