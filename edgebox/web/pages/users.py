"""Users: who may use the page, and as what."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import PageError
from edgebox.web.accounts import User
from edgebox.web.pages.pair import user_name
from edgebox.web.passwords import check_strength
from edgebox.web.refusals import refused, status_of
from edgebox.web.roles import OWNERS, PEOPLE, Role
from edgebox.web.routes import Nav, action, page
from edgebox.web.visit import Visit

Text = Annotated[str, Meta(max_length=256)]


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may use the page from now on."""

    name: Text = ""
    password: Text = ""
    role: Text = Role.CASHIER.value


class ChangedUser(msgspec.Struct, frozen=True, kw_only=True):
    """`password` "": as before."""

    name: Text
    role: Text = ""
    password: Text = ""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    name: Text


@page("/users", OWNERS, nav=Nav("users", 80))
async def users(visit: Visit) -> Response:
    """All of them, and a form for one more."""
    return await _list(visit)


@action("/users/add", OWNERS, takes=NewUser)
async def add(visit: Visit, form: NewUser) -> Response:
    """One more."""
    office = visit.office
    try:
        name = user_name(form.name)
        check_strength(form.password, name)
        user = await office.accounts.add(
            User(name, _role(form.role), await office.passwords.made(form.password), "", office.now)
        )
    except PageError as fault:
        return await _list(visit, form, fault)
    await visit.audit("user added", user.name, after=user.role.value)
    return visit.done("/users", "users.added", name=user.name)


@action("/users/{name}/change", OWNERS, takes=ChangedUser)
async def change(visit: Visit, form: ChangedUser) -> Response:
    """Another role or password; with either, the user signs in anew."""
    office = visit.office
    name = _known(visit, form.name).name
    try:
        if form.password:
            check_strength(form.password, name)
        password = await office.passwords.made(form.password) if form.password else ""
        before = _known(visit, name)  # as it is now: somebody else may have changed it meanwhile
        role = _role(form.role) if form.role else before.role
        await office.accounts.change(before._replace(role=role, password=password or before.password))
    except PageError as fault:
        return await _list(visit, fault=fault)
    await office.sessions.end_all(before.name, visit.session.id if visit.session else "")
    changed = " and password" if form.password else ""
    await visit.audit("user changed" + changed, before.name, before=before.role.value, after=role.value)
    return visit.done("/users", "users.changed", name=before.name)


@action("/users/{name}/remove", OWNERS, takes=Named)
async def remove(visit: Visit, form: Named) -> Response:
    """They are signed out at once."""
    user = _known(visit, form.name)
    try:
        await visit.office.accounts.remove(user.name)
    except PageError as fault:
        return await _list(visit, fault=fault)
    await visit.office.sessions.end_all(user.name)
    await visit.audit("user removed", user.name, before=user.role.value)
    return visit.done("/users", "users.removed", name=user.name)


def _known(visit: Visit, name: str) -> User:
    user = visit.office.accounts.user(name)
    if user is None:
        raise refused("not_found")
    return user


def _role(said: str) -> Role:
    if said not in PEOPLE:
        raise refused("bad_input", "role")
    return Role(said)


async def _list(visit: Visit, form: NewUser | None = None, fault: PageError | None = None) -> Response:
    sessions = visit.office.sessions
    return await visit.page(
        "users.html",
        status=status_of(fault) if fault else 200,
        users=[(user, sessions.of(user.name)) for user in visit.office.accounts.users()],
        roles=[role.value for role in PEOPLE],
        form=form or NewUser(),
        fault=fault.reason if fault else "",
    )
