"""Conflicts: redemptions that the cloud does not agree with, for a person to look at.

Owns: the list, and "seen". Never: takes back what a customer has had (edgebox/desk/settlement.py says why).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.desk.answers import SAID, Answer
from edgebox.store.redemptions import Conflict
from edgebox.web.refusals import refused
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import action, api, page
from edgebox.web.visit import Visit


class OfSlip(msgspec.Struct, frozen=True, kw_only=True):
    """By the number of its slip."""

    number: Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]


class ConflictSeen(msgspec.Struct, frozen=True, kw_only=True):
    """`reason`: the cloud's word; `other`, `other_at`: where and when the code was used before; `seen_at` 0: by nobody
    yet."""

    number: int
    at: int
    state: str
    coupon: str
    value_minor: int
    points: int
    cashier: str
    reason: str
    other: str
    other_at: int
    seen_at: int
    seen_by: str


class ConflictsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    conflicts: list[ConflictSeen]


@page("/desk/conflicts", MANAGERS)
async def conflicts(visit: Visit) -> Response:
    """All of them, those that nobody has looked at first."""
    found = sorted((await _found(visit)).conflicts, key=lambda one: bool(one.seen_at))
    return await visit.page("conflicts.html", conflicts=[(one, _words(visit, one.reason)) for one in found])


@action("/desk/conflicts/{number}/seen", MANAGERS, takes=OfSlip)
async def seen(visit: Visit, form: OfSlip) -> Response:
    """A person has looked at it."""
    await _seen(visit, form.number)
    return visit.done("/desk/conflicts", "conflicts.noted")


@api("GET", "/desk/conflicts", MANAGERS, gives=ConflictsSeen, summary="Redemptions that the cloud does not agree with")
async def api_conflicts(visit: Visit) -> ConflictsSeen:
    """The same."""
    return await _found(visit)


@api("POST", "/desk/conflicts/{number}/seen", MANAGERS, takes=OfSlip, summary="A person has looked at a conflict")
async def api_seen(visit: Visit, form: OfSlip) -> None:
    """The same."""
    await _seen(visit, form.number)


async def _seen(visit: Visit, number: int) -> None:
    """The settlement's own row of the audit names who."""
    settlement = visit.office.host.desk.settlement
    if settlement is None or not await settlement.seen(number, visit.who):
        raise refused("not_found", "conflict")
    visit.office.part_changed()


async def _found(visit: Visit) -> ConflictsSeen:
    return ConflictsSeen(conflicts=[_conflict(one) for one in await visit.office.reports.conflicts()])


def _conflict(one: Conflict) -> ConflictSeen:
    entry = one.entry
    return ConflictSeen(
        number=entry.number, at=entry.at, state=entry.state, coupon=entry.coupon or entry.source,
        value_minor=entry.value_minor, points=entry.points, cashier=entry.cashier, reason=one.reason, other=one.other,
        other_at=one.other_at, seen_at=one.seen_at, seen_by=one.seen_by,
    )  # fmt: skip


def _words(visit: Visit, reason: str) -> str:
    """A reason that is one of the desk's answers is said as on its slips; any other is the cloud's own."""
    return SAID[Answer(reason)].words(visit.language) if reason in {one.value for one in Answer} else reason
