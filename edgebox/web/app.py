"""The table of routes as an application: who is it, may they, what did they send; then the handler.

Owns: the way of a request, and how refusals look. Never: a route of its own, or a page's content.
"""

from __future__ import annotations

import asyncio
import hmac
import types
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from edgebox.errors import EdgeboxError, PageError, ReportError, StoreError
from edgebox.web.addresses import Neighbours
from edgebox.web.frame import Frame
from edgebox.web.guard import App, Guard, Receive, Scope, Send
from edgebox.web.office import Office
from edgebox.web.patience import BODY_S
from edgebox.web.refusals import refused, status_of
from edgebox.web.roles import Role
from edgebox.web.routes import API, Row
from edgebox.web.sessions import csrf_of
from edgebox.web.visit import Visit

FIELDS_MAX = 200  # of a form
ANSWER = Callable[[Request], Awaitable[Response]]
_MISSING = frozenset({"no_receipt", "no_paper", "no_profile"})  # of ReportError: what was asked for is not there
_PLAIN = "/healthz", "/metrics"  # for programs: their refusals are JSON, too


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What the API says when it refuses. `reason`: a stable word; `message`: for people; `hint`: what exactly."""

    reason: str
    message: str
    hint: str = ""


def application(office: Office, rows: Sequence[Row], neighbours: Neighbours) -> App:
    """The page and the API."""
    frame = Frame(office, rows)
    routes = [Route(row.path, _endpoint(office, frame, row), methods=[row.method]) for row in rows]

    async def missing(request: Request, fault: Exception) -> Response:
        assert isinstance(fault, HTTPException), "registered for these"
        return await _refuse(office, frame, request, refused("method" if fault.status_code == 405 else "not_found"))

    async def refuse(scope: Scope, receive: Receive, send: Send, fault: PageError) -> None:
        office.counters[f"refused {fault.reason}"] += 1
        request = Request(scope, receive)
        answer = _json_refusal(office, request, fault) if _is_for_programs(request) else _bare_refusal(office, fault)
        await answer(scope, receive, send)

    app = Starlette(routes=routes, exception_handlers={404: missing, 405: missing})
    app.router.redirect_slashes = False
    return Guard(app, neighbours, refuse)


def _endpoint(office: Office, frame: Frame, row: Row) -> ANSWER:
    async def endpoint(request: Request) -> Response:
        office.counters["requests"] += 1
        try:
            raw = await _body(request, row.body_bytes) if row.changes else b""
            await office.quiet_moment()
            visit = Visit(office, frame, request)  # once all is there: what is sent slowly outlives no sign-out
            form = _form(request, raw) if row.changes and not row.is_api else {}
            _check(visit, row, form)
            taken = _taken(row, request, raw, form)
            given = await (row.handler(visit) if taken is None else row.handler(visit, taken))
        except ClientDisconnect:
            return Response(status_code=400)
        except PageError as fault:
            return await _refuse(office, frame, request, fault)
        except StoreError as fault:
            office.host.fault("page", f"{row.path}: {fault}")
            return await _refuse(office, frame, request, refused("store", fault.reason))
        except ReportError as fault:
            reason = "not_found" if fault.reason in _MISSING else "bad_input"
            return await _refuse(office, frame, request, refused(reason, fault.reason))
        except EdgeboxError as fault:
            office.host.fault("page", f"{row.path}: {fault}", fault)
            return await _refuse(office, frame, request, refused("fault", fault.reason))
        except Exception as fault:
            office.host.fault("page", f"{row.method} {row.path}", fault)
            return await _refuse(office, frame, request, refused("fault"))
        return given if isinstance(given, Response) else _json(given)

    return endpoint


# -- may they


def _check(visit: Visit, row: Row, form: Mapping[str, Any]) -> None:
    """PageError `token`, `role`, `signed_out`, `read_only`, `csrf`."""
    if "authorization" in visit.request.headers and visit.token is None:
        raise refused("token")
    if visit.token is not None and not (row.is_api or row.path in _PLAIN):
        raise refused("role", "tokens are for the API")
    if visit.role not in row.roles:
        raise refused("signed_out" if visit.role is Role.NOBODY else "role")
    if not row.changes:
        return
    if visit.token is not None:
        if not visit.token.writes:
            raise refused("read_only")
    elif visit.session is not None:
        said = visit.request.headers.get("x-csrf") or form.get("csrf", "")
        if not isinstance(said, str) or not hmac.compare_digest(said.encode(), csrf_of(visit.said).encode()):
            raise refused("csrf")


# -- what did they send


async def _body(request: Request, limit: int) -> bytes:
    """All of it. PageError `too_large`, `slow`."""
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or len(said) > 12 or int(said) > limit:
        raise refused("too_large")
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > limit:
                    raise refused("too_large")
    except TimeoutError as fault:
        raise refused("slow") from fault
    return bytes(raw)


def _form(request: Request, raw: bytes) -> dict[str, Any]:
    """A form's fields; of a field that stands in it more than once, all of its values. PageError `bad_input`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if raw and kind != "application/x-www-form-urlencoded":
        raise refused("bad_input", "application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as fault:
        raise refused("bad_input", "not a form") from fault
    return _grouped(pairs)


def _grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found | {name: values[0] for name, values in found.items() if len(values) == 1}


def _taken(row: Row, request: Request, raw: bytes, form: Mapping[str, Any]) -> msgspec.Struct | None:
    """What the handler takes. PageError `bad_input`."""
    if row.takes is None:
        return None
    sent: Mapping[str, Any] = form
    if row.method == "GET" or (row.is_api and row.method == "DELETE"):
        sent = _grouped(request.query_params.multi_items()[:FIELDS_MAX])
    elif row.is_api:
        sent = _object(raw)
    try:
        values = {**_fitting(row.takes, sent), **_in_path(row.takes, request.path_params)}
        # Texts of forms and queries may be numbers; JSON has its own.
        return msgspec.convert(values, type=row.takes, strict=row.is_api and row.method in ("POST", "PUT"))
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise refused("bad_input", str(fault)[:200]) from fault


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(raw or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise refused("bad_input", str(fault)[:200]) from fault


def _fitting(kind: type[msgspec.Struct], sent: Mapping[str, Any]) -> dict[str, Any]:
    """One value where a list is meant is a list of one; of several where one is meant, the last."""
    lists = {field.encode_name for field in msgspec.structs.fields(kind) if _is_list(field.type)}
    fitting = {}
    for name, value in sent.items():
        is_several = isinstance(value, list)
        if name in lists:
            fitting[name] = value if is_several else [value]
        else:
            fitting[name] = value[-1] if is_several and value and isinstance(value[0], str) else value
    return fitting


def _in_path(kind: type[msgspec.Struct], said: Mapping[str, str]) -> dict[str, Any]:
    """What stands in an address is text, also of a number. msgspec.ValidationError."""
    types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    return {name: msgspec.convert(value, type=types[name], strict=False) for name, value in said.items()}


def _is_list(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    if origin in (typing.Annotated, typing.Union, types.UnionType):
        return any(_is_list(part) for part in typing.get_args(kind))
    return kind in (tuple, list) or origin in (tuple, list)


# -- refusals


async def _refuse(office: Office, frame: Frame, request: Request, fault: PageError) -> Response:
    """As who asked can read it: JSON for programs, a page for people; who isn't signed in is sent there first."""
    office.counters[f"refused {fault.reason}"] += 1
    if _is_for_programs(request):
        return _json_refusal(office, request, fault)
    visit = Visit(office, frame, request)
    if fault.reason == "signed_out":
        return _to_sign_in(office, visit)
    status = status_of(fault)
    if visit.is_htmx:
        return await visit.part("refused_part.html", status=status, reason=fault.reason)
    return await visit.page("refused.html", status=status, reason=fault.reason)


def _to_sign_in(office: Office, visit: Visit) -> Response:
    path = visit.request.url.path
    where = "/sign-in" if office.accounts.has_users else "/pair"
    if visit.is_htmx:
        return Response(status_code=401, headers={"HX-Redirect": where})
    if visit.request.method == "GET" and path != "/":
        where += f"?to={quote(path, safe='/')}"
    return RedirectResponse(where, 303)


def _is_for_programs(request: Request) -> bool:
    path = request.scope["path"]
    return path.startswith(API) or path in _PLAIN


def _json_refusal(office: Office, request: Request, fault: PageError) -> Response:
    said = office.catalogue.said("en", f"refusals.{fault.reason}")
    return _json(Refusal(reason=fault.reason, message=said, hint=fault.hint), status_of(fault))


def _bare_refusal(office: Office, fault: PageError) -> Response:
    """For who is not even let in: one sentence in each language, no page."""
    said = " / ".join(office.catalogue.said(language, f"refusals.{fault.reason}") for language in ("zh", "en"))
    return HTMLResponse(f"<!doctype html><meta charset=utf-8><title>edgebox</title><p>{said}</p>", status_of(fault))


def _json(given: Any, status: int = 200) -> Response:
    if given is None:
        return Response(status_code=204)
    return Response(msgspec.json.encode(given), status, media_type="application/json")
