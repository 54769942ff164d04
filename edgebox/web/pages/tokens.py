"""Tokens: which programs may use the API, and as what."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import PageError
from edgebox.web.refusals import refused, status_of
from edgebox.web.roles import OWNERS, PEOPLE, Role
from edgebox.web.routes import Nav, action, page
from edgebox.web.visit import Visit

Name = Annotated[str, Meta(max_length=32)]


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """A program. `writes`: it may change things, too."""

    name: Name = ""
    role: Annotated[str, Meta(max_length=16)] = Role.MANAGER.value
    writes: bool = False


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    name: Name


@page("/tokens", OWNERS, nav=Nav("tokens", 85))
async def tokens(visit: Visit) -> Response:
    """All of them, and a form for one more."""
    return await _list(visit)


@action("/tokens/add", OWNERS, takes=NewToken)
async def add(visit: Visit, form: NewToken) -> Response:
    """One more. It is shown on this answer and never again."""
    name = form.name.strip()
    try:
        if not name.isprintable() or "/" in name or name in ("", ".", "..") or form.role not in PEOPLE:
            raise refused("bad_input", "name")
        made = await visit.office.accounts.make_token(name, Role(form.role), form.writes, visit.office.now, visit.who)
    except PageError as fault:
        return await _list(visit, form, fault)
    await visit.audit("token made", name, after=form.role + (" writes" if form.writes else " reads"))
    return await _list(visit, made=made)


@action("/tokens/{name}/end", OWNERS, takes=Named)
async def end(visit: Visit, form: Named) -> Response:
    """It is good no more."""
    await visit.office.accounts.end_token(form.name)
    await visit.audit("token ended", form.name)
    return visit.done("/tokens", "tokens.ended", name=form.name)


async def _list(
    visit: Visit, form: NewToken | None = None, fault: PageError | None = None, *, made: str = ""
) -> Response:
    return await visit.page(
        "tokens.html",
        status=status_of(fault) if fault else 200,
        tokens=visit.office.accounts.tokens(),
        roles=[role.value for role in PEOPLE],
        form=form or NewToken(),
        fault=fault.reason if fault else "",
        made=made,
    )
