"""Certificate: the merchant's own in the place of the box's, brought in on the page and in force at once.

The key goes one way: in. It is never shown, logged or backed up; its file is the engine's alone.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import ConfigError, StoreError
from edgebox.web import certificate
from edgebox.web.refusals import refused
from edgebox.web.roles import OWNERS
from edgebox.web.routes import action, api, page
from edgebox.web.visit import Visit

Pem = Annotated[str, Meta(max_length=30_000)]  # a chain of four has 8 KB, and twice that as a form


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """PEM, the chain behind the certificate; the key without a password."""

    certificate: Pem = ""
    key: Pem = ""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The one in use. `origin`: box (made by itself), page (brought in on it) or file ([web] certificate, or a systemd
    credential); `fingerprint`: SHA-256 in hex; `ends`: seconds since 1970."""

    origin: str
    fingerprint: str
    ends: int


@page("/certificate", OWNERS)
async def certificate_page(visit: Visit) -> Response:
    """Which one it is, and a form for another."""
    return await _shown(visit)


@action("/certificate", OWNERS, takes=Brought)
async def bring(visit: Visit, form: Brought) -> Response:
    """Another one. The key is not shown again, not even to who sent it."""
    try:
        await _bring(visit, form)
    except ConfigError:
        return await _shown(visit, is_bad=True)
    return visit.done("/certificate", "certificate.brought")


@action("/certificate/remove", OWNERS)
async def remove(visit: Visit) -> Response:
    """The box's own again."""
    await _remove(visit)
    return visit.done("/certificate", "certificate.removed")


@api("GET", "/certificate", OWNERS, gives=Certificate, summary="The page's certificate")
async def api_certificate(visit: Visit) -> Certificate:
    """The same."""
    return _stands(visit)


@api("PUT", "/certificate", OWNERS, takes=Brought, gives=Certificate, summary="Bring in a certificate and its key")
async def api_bring(visit: Visit, form: Brought) -> Certificate:
    """The one in use then."""
    try:
        await _bring(visit, form)
    except ConfigError as fault:
        raise refused("bad_input", str(fault.args[0])[:200]) from fault
    return _stands(visit)


@api("DELETE", "/certificate", OWNERS, gives=Certificate, summary="Back to the box's own certificate")
async def api_remove(visit: Visit) -> Certificate:
    """The one in use then."""
    await _remove(visit)
    return _stands(visit)


async def _bring(visit: Visit, form: Brought) -> None:
    """ConfigError: it can't be used. PageError `conflict`: a file says which one is used."""
    if _is_of_file(visit):
        raise refused("conflict", "[web] certificate")
    try:
        made = await asyncio.to_thread(
            certificate.bring_in, _folder(visit), form.certificate, form.key, visit.office.host.clock()
        )
    except OSError as fault:
        raise StoreError(f"certificate: {fault.strerror}", reason="io") from fault
    await _use(visit)
    await visit.audit("certificate brought in", made.short)


async def _remove(visit: Visit) -> None:
    """PageError `not_found`: none had been brought in."""
    if not await asyncio.to_thread(certificate.take_out, _folder(visit)):
        raise refused("not_found")
    await _use(visit)
    await visit.audit("certificate removed")


async def _use(visit: Visit) -> None:
    from edgebox.web.part import ManagersPage  # it imports us, by the table of routes

    served = visit.office.part(ManagersPage)
    if served is not None:
        await served.use_certificate()


def _folder(visit: Visit) -> Path:
    return Path(visit.office.config.engine.data) / "web"


def _is_of_file(visit: Visit) -> bool:
    places = filter(None, (visit.office.config.web.certificate, os.environ.get("CREDENTIALS_DIRECTORY", "")))
    return any((Path(place) / certificate.CERTIFICATE).is_file() for place in places)


def _stands(visit: Visit) -> Certificate:
    now = visit.office.certificate
    if now is None:  # a page without TLS, as in tests
        raise refused("not_found")
    origin = "box" if now.is_own else "file" if _is_of_file(visit) else "page"
    return Certificate(origin=origin, fingerprint=now.fingerprint, ends=int(now.ends))


async def _shown(visit: Visit, *, is_bad: bool = False) -> Response:
    found = _stands(visit) if visit.office.certificate is not None else None
    return await visit.page("certificate.html", status=422 if is_bad else 200, found=found, is_bad=is_bad)
