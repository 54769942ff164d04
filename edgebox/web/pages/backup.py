"""Backup: everything that is recorded as one file, to be kept elsewhere. For the owner alone, and only over TLS."""

from __future__ import annotations

import re

import msgspec
from starlette.responses import FileResponse, Response

from edgebox.web.backup_room import backup_room
from edgebox.web.refusals import refused
from edgebox.web.roles import OWNERS
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.visit import Visit


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands. `at`: when the one that is there was made, seconds since 1970, 0: there is none; `size`: its
    bytes; `percent`: of the one that is being made, if `busy`; `fault`: why the last one went wrong, a stable word;
    `database`: bytes of what is recorded now."""

    busy: bool
    percent: int
    at: int
    size: int
    fault: str
    database: int


@page("/backup", OWNERS, nav=Nav("backup", 76))
async def backup_page(visit: Visit) -> Response:
    """What is there, and a button for another."""
    return await visit.page("backup.html", found=await _stands(visit))


@page("/backup/now", OWNERS)
async def now(visit: Visit) -> Response:
    """How far it is: fetched while one is being made."""
    return await visit.part("backup_now.html", found=await _stands(visit))


@action("/backup/make", OWNERS)
async def make(visit: Visit) -> Response:
    """Begins."""
    await _make(visit)
    return visit.done("/backup")


@action("/backup/remove", OWNERS)
async def remove(visit: Visit) -> Response:
    """Takes the file off the card."""
    if not await backup_room(visit.office).remove():
        raise refused("not_found")
    await visit.audit("backup removed")
    return visit.done("/backup", "backup.removed")


@page("/backup/download", OWNERS)
async def download(visit: Visit) -> Response:
    """The file."""
    return await _file(visit)


@api("GET", "/backup", OWNERS, gives=Backup, summary="Whether there is a backup to fetch, or one is being made")
async def api_backup(visit: Visit) -> Backup:
    """The same."""
    return await _stands(visit)


@api("POST", "/backup", OWNERS, gives=Backup, summary="Begin to make a backup")
async def api_make(visit: Visit) -> Backup:
    """How it stands then."""
    await _make(visit)
    return await _stands(visit)


async def _make(visit: Visit) -> None:
    backup_room(visit.office).make()
    await visit.audit("backup made")


async def _file(visit: Visit) -> Response:
    room = backup_room(visit.office)
    if visit.request.url.scheme != "https":  # the page has no other way in; all that a shop knows must not find one
        raise refused("host", "only over TLS")
    found = await room.found()
    if found is None:
        raise refused("not_found")
    await visit.audit("backup downloaded")
    box = re.sub(r"[^A-Za-z0-9_-]+", "", visit.office.config.sync.box) or "box"
    day = visit.write.local(found.at).strftime("%Y-%m-%d")
    return FileResponse(room.path, media_type="application/octet-stream", filename=f"edgebox-{box}-{day}.backup")


async def _stands(visit: Visit) -> Backup:
    room, disk = backup_room(visit.office), await visit.office.reports.disk()
    found = await room.found()
    return Backup(
        busy=room.is_busy, percent=room.percent, at=found.at if found else 0, size=found.size if found else 0,
        fault=room.fault, database=disk.usage.used + disk.usage.free,
    )  # fmt: skip
