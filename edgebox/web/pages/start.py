"""First start: the way from step to step, and the end that puts all answers in force."""

from __future__ import annotations

import contextlib
import secrets
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import RedirectResponse, Response

from edgebox.errors import OrderError
from edgebox.orders.alone import in_force
from edgebox.web import first_start
from edgebox.web.first_start import Progress, Step, shown
from edgebox.web.refusals import refused
from edgebox.web.roles import INSTALLERS
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.visit import Visit

_WORDS_OF = {
    "trade": "start_trades",
    "excluded_tenders": "start_tenders",
    "show": "start_slips",
    "languages": "start_speaks",
}
_RUN = "run of the page"  # names this run of the engine: the page waits for another one


class SkipStep(msgspec.Struct, frozen=True, kw_only=True):
    """Which."""

    step: Step


class Change(NamedTuple):
    """An answer that is not in force: what the setting is called, as it is and as it will be."""

    label: str
    now: str
    then: str


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """`run`: the one that was asked to end."""

    run: Annotated[str, Meta(max_length=16)] = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Of the first start. `here`: where it goes on; `pending`: answers that are not in force; `taken_back`: why the
    last change was."""

    here: str
    done: list[str]
    skipped: list[str]
    pending: dict[str, Any]
    finished: int
    is_on_trial: bool
    taken_back: str


# -- from step to step


@page("/start", INSTALLERS, nav=Nav("start", 95))
async def start(visit: Visit) -> Response:
    """Where it goes on."""
    progress = await first_start.read(visit.office.store)
    return RedirectResponse(f"/start/{progress.here.value}", 303)


@action("/start/{step}/skip", INSTALLERS, takes=SkipStep)
async def skip(visit: Visit, form: SkipStep) -> Response:
    """Not now."""
    store = visit.office.store
    await first_start.keep(store, (await first_start.read(store)).without(form.step))
    return visit.done(f"/start/{form.step.next.value}")


@api("GET", "/first-start", INSTALLERS, gives=State, summary="How far the first start is, and what is not in force yet")
async def api_state(visit: Visit) -> State:
    """The same."""
    progress, settings = await first_start.read(visit.office.store), visit.office.host.settings
    return State(
        here=progress.here.value, done=list(progress.done), skipped=list(progress.skipped), pending=progress.values,
        finished=progress.finished, is_on_trial=settings is not None and settings.is_on_trial,
        taken_back=settings.taken_back if settings is not None else "",
    )  # fmt: skip


# -- the end


@page("/start/done", INSTALLERS)
async def done(visit: Visit) -> Response:
    """What changes and what begins anew for it; afterwards how it went."""
    return await _done(visit)


@page("/start/done/now", INSTALLERS)
async def done_now(visit: Visit) -> Response:
    """How it stands, alone: fetched at each receipt and change."""
    return await visit.part("start_now.html", **await _stands(visit, await first_start.read(visit.office.store)))


@action("/start/finish", INSTALLERS)
async def finish(visit: Visit) -> Response:
    """Everything into force at once; the engine and, where it is wanted, lines begin anew."""
    office, settings = visit.office, visit.office.host.settings
    progress = await first_start.read(office.store)
    if settings is None:
        return await _done(visit, "no_settings")
    if settings.is_on_trial:
        return await _done(visit, "trial")
    then = await first_start.would_be(visit, progress)
    for key, value in progress.values.items():
        await visit.audit("settings changed", key, before=_written(visit, key), after=_text(value))
    await first_start.keep(office.store, progress.ended(office.now))  # before the restart: then nobody is here to do it
    try:
        is_all = await settings.change_here(progress.values)
    except OrderError as fault:
        await first_start.keep(office.store, progress)
        await visit.audit("settings not changed", reason=str(fault)[:200])
        return await _done(visit, "trial" if fault.reason == "trial" else "answer")
    wanted = {line.name: line.profile for line in then.line}
    for name, session in office.host.lines.items():  # no await since the overlay is on disk: the engine still hears
        if session.hello is not None and wanted.get(name, session.hello.profile) != session.hello.profile:
            session.restart()
    if is_all:
        return visit.done("/start/done")
    return await visit.page("start_wait.html", run=_run(visit))


@page("/start/over", INSTALLERS, takes=Wait)
async def over(visit: Visit, query: Wait) -> Response:
    """Whether the engine has begun anew: then on."""
    if query.run == _run(visit):
        return Response(status_code=204)
    return visit.done("/start/done")


@action("/start/again", INSTALLERS)
async def again(visit: Visit) -> Response:
    """Answers that were taken back are answers again, to be looked through."""
    store = visit.office.store
    progress = await first_start.read(store)
    values = {**progress.tried, **progress.values}
    await first_start.keep(store, msgspec.structs.replace(progress, values=values, tried={}, finished=0))
    if visit.office.host.settings is not None:
        visit.office.host.settings.taken_back = ""
    return visit.done("/start/shop")


class LineName(msgspec.Struct, frozen=True, kw_only=True):
    """Which."""

    name: Annotated[str, Meta(max_length=32)]


@action("/start/lines/{name}/restart", INSTALLERS, takes=LineName)
async def restart_line(visit: Visit, form: LineName) -> Response:
    """Between two documents."""
    session = visit.office.host.lines.get(form.name)
    if session is None:
        raise refused("not_found")
    await visit.audit("line restarted", form.name)
    session.restart()
    return visit.done("/start/done", "start.line_restarts")


async def _done(visit: Visit, fault: str = "") -> Response:
    progress = await first_start.read(visit.office.store)
    changes = [_change(visit, key, value) for key, value in sorted(progress.values.items())]
    return await shown(
        visit, Step.DONE, status=409 if fault else 200, fault=fault, changes=changes,
        restarts_line=any(key.startswith("line.") for key in progress.values),
        skipped=[step for step in Step if step in progress.skipped], **await _stands(visit, progress),
    )  # fmt: skip


async def _stands(visit: Visit, progress: Progress) -> dict[str, Any]:
    """How the change went, lines that work with other settings than those in force, and the first code since."""
    office, settings = visit.office, visit.office.host.settings
    profiles = {line.name: line.profile for line in office.config.line}
    other = [
        name
        for name, session in sorted(office.host.lines.items())
        if session.hello is not None and profiles.get(name, session.hello.profile) != session.hello.profile
    ]
    rows = (await office.reports.today()).last if progress.finished else ()
    first = next((row for row in reversed(rows) if row.claim and row.at >= progress.finished), None)
    return {
        "finished": progress.finished,
        "is_on_trial": settings is not None and settings.is_on_trial,
        "taken_back": settings.taken_back if settings is not None else "",
        "other_lines": other,
        "lines": sorted(office.host.lines),
        "first": first,
        "has_keys": office.host.awards.keys is not None,
    }


def _change(visit: Visit, key: str, value: Any) -> Change:
    """In the visitor's language, as far as the catalogue goes; in edgebox.toml's words beyond."""
    section, _, name = key.partition(".")
    line, _, name = name.rpartition(".")
    slug = f"start_settings.{section}_{name}"
    label = f"{visit.t(slug)} {line}".strip() if visit.office.catalogue.has(slug) else key
    try:
        now = _said(visit, name, in_force(visit.office.config, key))
    except KeyError:
        now = ""
    return Change(label, now, _said(visit, name, value))


def _said(visit: Visit, name: str, value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return visit.t("start.yes") if value else visit.t("start.no")
    if isinstance(value, list | tuple):
        return ", ".join(_said(visit, name, one) for one in value)
    if name.endswith(("_mark", "_marks")):
        return f"“{value}”"
    slug = f"{_WORDS_OF.get(name, '')}.{value}"
    return visit.t(slug) if visit.office.catalogue.has(slug) else str(value)


def _written(visit: Visit, key: str) -> str:
    with contextlib.suppress(KeyError):
        return _text(in_force(visit.office.config, key))
    return ""


def _text(value: Any) -> str:
    """For the audit."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _run(visit: Visit) -> str:
    return str(visit.office.extras.setdefault(_RUN, secrets.token_hex(4)))
