"""Pairing: whoever holds the slip becomes the owner of a box without users."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import RedirectResponse, Response

from edgebox.errors import PageError
from edgebox.store.events import AuditRecord
from edgebox.web import first_start
from edgebox.web.accounts import User
from edgebox.web.first_start import Progress
from edgebox.web.pages.sign_in import signed_in
from edgebox.web.passwords import check_strength
from edgebox.web.refusals import refused, status_of
from edgebox.web.roles import PUBLIC, Role
from edgebox.web.routes import action, page
from edgebox.web.slip import print_pairing_slip
from edgebox.web.visit import Visit

Text = Annotated[str, Meta(max_length=256)]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What the slip says, and who the owner wants to be."""

    code: Text = ""
    name: Text = ""
    password: Text = ""


@page("/pair", PUBLIC)
async def pair_page(visit: Visit) -> Response:
    """The form; on a box with users there is nothing to pair."""
    if visit.office.accounts.has_users:
        return RedirectResponse("/sign-in", 303)
    return await _form(visit, Pair())


@action("/pair", PUBLIC, takes=Pair)
async def pair(visit: Visit, form: Pair) -> Response:
    """The first owner, signed in."""
    office = visit.office
    async with office.pairing.one_at_a_time:
        if office.accounts.has_users:
            return RedirectResponse("/sign-in", 303)
        try:
            name = await _paired(visit, form)
        except PageError as fault:
            return await _form(visit, form, fault.reason, status_of(fault))
    return await signed_in(visit, name, "/start")


@action("/pair/print", PUBLIC)
async def print_again(visit: Visit) -> Response:
    """Another slip, with another code: anybody in the shop's network may ask, but only the paper tells it."""
    if visit.office.accounts.has_users:
        raise refused("pairing_over")
    try:
        await print_pairing_slip(visit.office, is_asked=True)
    except PageError as fault:
        return await _form(visit, Pair(), fault.reason, status_of(fault))
    return await _form(visit, Pair(), said="pair.printed")


async def _paired(visit: Visit, form: Pair) -> str:
    """PageError: what is wrong with it."""
    office, now, client = visit.office, time.monotonic(), visit.client
    if office.by_address.wait_s(client, now):
        raise refused("locked")
    name = user_name(form.name)
    check_strength(form.password, name)
    office.by_address.failed(client, now)
    await office.pairing.check(form.code, office.now)
    office.by_address.succeeded(client)
    kept = await office.passwords.made(form.password)
    user = User(name, Role.OWNER, kept, "", office.now)
    await office.accounts.add(user)
    await office.pairing.over()
    await first_start.keep(office.store, Progress())
    await office.store.record(AuditRecord(at=office.now, who=user.name, what="paired", target=client))
    return user.name


def user_name(said: str) -> str:
    """As it is kept. PageError `bad_input`: people can't type it again, or an address can't hold it."""
    name = said.strip().casefold()
    if not name.isprintable() or not 1 <= len(name) <= 32 or any(char in "/?#%\\" or char.isspace() for char in name):
        raise refused("bad_input", "name")
    if name in (".", ".."):  # browsers take these out of an address, and nobody could be removed again
        raise refused("bad_input", "name")
    return name


async def _form(visit: Visit, form: Pair, fault: str = "", status: int = 200, *, said: str = "") -> Response:
    office = visit.office
    shown = office.certificate
    return await visit.page(
        "pair.html",
        status=status,
        fault=fault,
        said=said,
        code=form.code[:16],
        name=form.name[:32],
        is_in_force=office.pairing.is_in_force(office.now),
        has_printer=bool(office.host.lines),
        fingerprint=shown.short if shown is not None and shown.is_own else "",
    )
