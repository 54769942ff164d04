"""Print jobs: what head office had printed here, and what became of it. Of what is on a paper nothing is shown."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import OrderError
from edgebox.print_jobs.job import PrintJob, State
from edgebox.web.refusals import refused
from edgebox.web.roles import OFFICE
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.visit import Visit

WAITS = frozenset({State.QUEUED, State.HANDED})


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """How many."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """`job`: as in Job."""

    job: Annotated[str, Meta(max_length=256)]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One paper. `job`: its key; `what`: print, order or paid; `id`: as head office knows it; `state`: queued, handed,
    printing, printed, failed, expired or canceled; `reason`: a stable word; times in seconds since 1970."""

    job: str
    what: str
    id: str
    line: str
    state: str
    reason: str
    at: int
    expires: int
    copies: int
    is_copy: bool
    waits: bool


class Jobs(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first; `waiting`: how many are not over."""

    jobs: list[Job]
    waiting: int


@page("/jobs", OFFICE, nav=Nav("jobs", 56), takes=Query)
async def jobs(visit: Visit, query: Query) -> Response:
    """A list."""
    found = _jobs(visit, query)
    has_cloud = visit.office.host.orders is not None
    return await visit.page("jobs.html", jobs=found.jobs, waiting=found.waiting, has_cloud=has_cloud)


@action("/jobs/cancel", OFFICE, takes=Named)
async def cancel(visit: Visit, form: Named) -> Response:
    """One that has not begun."""
    over = await _cancel(visit, form.job)
    return visit.done("/jobs", "jobs.canceled" if over else "jobs.too_late")


@api("GET", "/jobs", OFFICE, takes=Query, gives=Jobs, summary="Papers that the cloud had printed, the newest first")
async def api_jobs(visit: Visit, query: Query) -> Jobs:
    """The same."""
    return _jobs(visit, query)


@api("POST", "/jobs/cancel", OFFICE, takes=Named, gives=Job, summary="Cancel a paper that has not begun")
async def api_cancel(visit: Visit, form: Named) -> Job:
    """How it stands then."""
    await _cancel(visit, form.job)
    orders = visit.office.host.orders
    found = orders.print_jobs.find(form.job) if orders is not None else None
    if found is None:
        raise refused("not_found")
    return _job(found)


async def _cancel(visit: Visit, key: str) -> bool:
    """Whether it is canceled. PageError `not_found`."""
    orders = visit.office.host.orders
    if orders is None:
        raise refused("not_found")
    try:
        found = await orders.print_jobs.cancel(key)
    except OrderError as fault:
        raise refused("not_found", fault.reason) from fault
    if found.state is State.CANCELED:
        await visit.audit("print job canceled", f"{found.what.value} {found.id}")
    return found.state is State.CANCELED


def _jobs(visit: Visit, query: Query) -> Jobs:
    orders = visit.office.host.orders
    if orders is None:
        return Jobs(jobs=[], waiting=0)
    return Jobs(jobs=[_job(one) for one in orders.print_jobs.recent(query.limit)], waiting=orders.print_jobs.waiting())


def _job(one: PrintJob) -> Job:
    return Job(
        job=one.job, what=one.what.value, id=one.id, line=one.line, state=one.state.value, reason=one.reason, at=one.at,
        expires=one.expires, copies=one.copies, is_copy=one.is_copy, waits=one.state in WAITS,
    )  # fmt: skip
