"""Sync: the way to head office: broker, what waits, what was refused, and which bundles are in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from edgebox.web.roles import INSTALLERS
from edgebox.web.routes import Nav, api, page
from edgebox.web.visit import Visit

if TYPE_CHECKING:
    from sync.uplink import Uplink


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """One kind. `revision`: in force; `desired`: the highest that came; `state`, `reason`: of that one."""

    kind: str
    revision: int
    desired: int
    state: str
    reason: str
    rejected: dict[str, str]


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """`is_on`: there is a cloud; `since`: connected since then, 0: not connected; `why`: why not, the box's own words;
    `waiting`: rows by stream that it hasn't got; `oldest`: when the first of them was recorded, 0: none waits;
    `refused`: messages that the broker refused, by kind; `unrecorded`: what could not be recorded, by stream;
    `given_up`: rows that the cloud never got; `health`: what is wrong with the way, part by part. Seconds since 1970.
    """

    is_on: bool
    url: str
    box: str
    store: str
    connected: bool
    since: int
    why: str
    waiting: dict[str, int]
    oldest: int
    refused: dict[str, int]
    unrecorded: dict[str, int]
    given_up: int
    health: dict[str, str]
    bundles: list[Bundle]


@page("/sync", INSTALLERS, nav=Nav("sync", 64))
async def sync_page(visit: Visit) -> Response:
    """How it stands."""
    return await visit.page("sync.html", found=await _sync(visit))


@page("/sync/now", INSTALLERS)
async def now(visit: Visit) -> Response:
    """The same, alone: fetched when something has changed."""
    return await visit.part("sync_now.html", found=await _sync(visit))


@api("GET", "/sync", INSTALLERS, gives=Sync, summary="The way to the cloud: connection, backlog, refusals, bundles")
async def api_sync(visit: Visit) -> Sync:
    """The same."""
    return await _sync(visit)


async def _sync(visit: Visit) -> Sync:
    office = visit.office
    state, link, settings = await office.reports.sync(), _link(visit), office.config.sync
    return Sync(
        is_on=state.is_on, url=settings.url, box=settings.box, store=settings.store,
        connected=link is not None and link.is_connected,
        since=int(link.connected_at) if link is not None and link.is_connected else 0,
        why=link.why if link is not None else "",
        waiting={name: rows for name, rows in state.waiting.items() if rows},
        oldest=state.oldest_ms // 1000,
        refused=link.refused() if link is not None else {},
        unrecorded={name: count for name, count in state.refused.items() if count},
        given_up=state.given_up,
        health=link.health() if link is not None else {},
        bundles=_bundles(visit),
    )  # fmt: skip


def _link(visit: Visit) -> Uplink | None:
    orders = visit.office.host.orders
    if orders is None or orders.link is None:
        return None
    from sync.uplink import Uplink  # loaded already: it is what the link is

    return orders.link if isinstance(orders.link, Uplink) else None


def _bundles(visit: Visit) -> list[Bundle]:
    orders = visit.office.host.orders
    if orders is None:
        return []
    return [
        Bundle(
            kind=kind, revision=one.revision, desired=one.desired, state=one.state, reason=one.reason,
            rejected=dict(one.rejected),
        )
        for kind, one in sorted(orders.bundles.report().items())
    ]  # fmt: skip
