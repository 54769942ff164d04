"""Signing in and out, and the page's language."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import RedirectResponse, Response

from edgebox.errors import PageError
from edgebox.store.events import AuditRecord
from edgebox.web.refusals import refused, status_of
from edgebox.web.roles import PUBLIC, SIGNED_IN
from edgebox.web.routes import action, page
from edgebox.web.visit import COOKIE, LANGUAGE_COOKIE, YEAR_S, Visit, local_path, set_cookie
from edgebox.web.words import LANGUAGES

Text = Annotated[str, Meta(max_length=256)]
DAY_S = 86_400


class To(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go afterwards: a path on this box."""

    to: Annotated[str, Meta(max_length=512)] = "/"


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Who says to be whom."""

    name: Text = ""
    password: Text = ""
    to: Annotated[str, Meta(max_length=512)] = "/"


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """zh or en."""

    language: Annotated[str, Meta(max_length=8)] = ""


@page("/sign-in", PUBLIC, takes=To)
async def sign_in_page(visit: Visit, query: To) -> Response:
    """The form; on a box without users, the way to pair."""
    if not visit.office.accounts.has_users:
        return RedirectResponse("/pair", 303)
    if visit.user is not None:
        return RedirectResponse(local_path(query.to), 303)
    return await visit.page("sign_in.html", to=local_path(query.to), name="", fault="")


@action("/sign-in", PUBLIC, takes=SignIn)
async def sign_in(visit: Visit, form: SignIn) -> Response:
    """A session, or the form again with one sentence. Which of name and password was wrong is not said."""
    try:
        name = await checked(visit, form.name, form.password)
    except PageError as fault:
        if fault.reason == "wrong_password":
            visit.office.counters["sign-ins failed"] += 1
        status = status_of(fault)
        return await visit.page(
            "sign_in.html", status=status, to=local_path(form.to), name=form.name[:64], fault=fault.reason
        )
    return await signed_in(visit, name, local_path(form.to))


@action("/sign-out", SIGNED_IN)
async def sign_out(visit: Visit) -> Response:
    """This browser only."""
    if visit.session is not None:
        await visit.office.sessions.end(visit.session.id)
    answer = visit.done("/sign-in")
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return answer


@action("/language", PUBLIC, takes=Language)
async def language(visit: Visit, form: Language) -> Response:
    """Kept with the user, and in the browser for the time before signing in."""
    if form.language not in LANGUAGES:
        raise refused("bad_input", "language")
    if visit.user is not None:
        await visit.office.accounts.change(visit.user._replace(language=form.language))
    answer = visit.done(visit.came_from())
    set_cookie(answer, LANGUAGE_COOKIE, form.language, YEAR_S)
    return answer


async def checked(visit: Visit, said_name: str, password: str) -> str:
    """The user's name. PageError `locked`, `wrong_password`, `busy`; failures are counted by name and by address."""
    office, now = visit.office, time.monotonic()
    name, client = said_name.strip().casefold(), visit.client
    if office.by_address.wait_s(client, now) or office.by_name.wait_s(name, now):
        raise refused("locked")
    # Counted before it is looked at: tries that are sent at once must not all be free.
    office.by_address.failed(client, now)
    office.by_name.failed(name, now)
    user = office.accounts.user(name)
    try:
        is_right = await office.passwords.is_right(password, user.password if user is not None else "")
    except PageError:  # `busy`: others' many tries must not lock out who comes with the right password
        office.by_address.not_looked_at(client)
        office.by_name.not_looked_at(name)
        raise
    if not is_right:
        if user is not None and office.by_name.wait_s(name, now):
            await office.store.record(
                AuditRecord(at=office.now, who=client, what="sign-in locked", target=name, reason="wrong passwords")
            )
        raise refused("wrong_password")
    if office.accounts.user(name) != user:  # removed or given another password while it was looked at
        raise refused("wrong_password")
    office.by_address.succeeded(client)
    office.by_name.succeeded(name)
    return name


async def signed_in(visit: Visit, name: str, to: str) -> Response:
    """A new session, whatever the browser had before; on to a page."""
    office = visit.office
    if visit.session is not None:
        await office.sessions.end(visit.session.id)
    said = await office.sessions.begin(name, visit.client, office.now)
    await office.store.record(AuditRecord(at=office.now, who=name, what="signed in", target=visit.client))
    answer = RedirectResponse(to, 303)
    set_cookie(answer, COOKIE, said, office.config.web.session_days * DAY_S)
    return answer
