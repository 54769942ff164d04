"""More: the rest of the navigation on a phone, one's own password, language, and signing out."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import PageError
from edgebox.web.pages.sign_in import checked
from edgebox.web.passwords import check_strength
from edgebox.web.refusals import status_of
from edgebox.web.roles import SIGNED_IN
from edgebox.web.routes import action, page
from edgebox.web.visit import Visit

Text = Annotated[str, Meta(max_length=256)]


class NewPassword(msgspec.Struct, frozen=True, kw_only=True):
    """The one before, so that an open phone on the counter is not enough; and the new one."""

    before: Text = ""
    password: Text = ""


@page("/more", SIGNED_IN)
async def more(visit: Visit) -> Response:
    """All places, and what is one's own."""
    return await _more(visit)


@action("/more/password", SIGNED_IN, takes=NewPassword)
async def password(visit: Visit, form: NewPassword) -> Response:
    """Another password; everywhere else one is signed out."""
    user, session, office = visit.user, visit.session, visit.office
    assert user is not None, "tokens use the API alone"
    assert session is not None, "signed in"
    try:
        check_strength(form.password, user.name)
        await checked(visit, user.name, form.before)
        await office.accounts.change(user._replace(password=await office.passwords.made(form.password)))
    except PageError as fault:
        return await _more(visit, fault)
    await office.sessions.end_all(user.name, session.id)
    await visit.audit("password changed", user.name)
    return visit.done("/more", "more.password_changed")


@action("/more/sign-out-everywhere", SIGNED_IN)
async def everywhere(visit: Visit) -> Response:
    """All browsers but this one."""
    assert visit.session is not None, "tokens use the API alone"
    await visit.office.sessions.end_all(visit.who, visit.session.id)
    await visit.audit("signed out everywhere", visit.who)
    return visit.done("/more", "more.others_signed_out")


async def _more(visit: Visit, fault: PageError | None = None) -> Response:
    return await visit.page(
        "more.html",
        status=status_of(fault) if fault else 200,
        sessions=visit.office.sessions.of(visit.who),
        here=visit.session,
        fault=fault.reason if fault else "",
    )
