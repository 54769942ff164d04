"""Scripts, styles and icons."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.web.refusals import refused
from edgebox.web.roles import PUBLIC
from edgebox.web.routes import page
from edgebox.web.visit import Visit

FOR_EVER = "public, max-age=31536000, immutable"  # the address changes with the content


class File(msgspec.Struct, frozen=True, kw_only=True):
    """An address of assets.py."""

    mark: Annotated[str, Meta(max_length=64)]
    name: Annotated[str, Meta(max_length=64)]


@page("/assets/{mark}/{name}", PUBLIC, takes=File)
async def asset(visit: Visit, query: File) -> Response:
    """Of what is in the package, by a table: no path is ever opened."""
    found = visit.office.assets.at(f"/assets/{query.mark}/{query.name}")
    if found is None:
        raise refused("not_found")
    return Response(found.raw, media_type=found.kind, headers={"cache-control": FOR_EVER})
