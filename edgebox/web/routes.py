"""The table of routes: each with its path, who may use it, what it takes and what it gives. Pages and API alike.

Owns: the table, and the three ways to put a row in it. Never: a route without roles; never knows HTTP (app.py does).

How to add a page, say `edgebox/web/pages/papers.py` (it is found by being in that folder):

    class Query(msgspec.Struct, frozen=True, kw_only=True):
        number: Annotated[str, Meta(max_length=32)] = ""

    @page("/papers", MANAGERS, nav=Nav("papers", 30), takes=Query)
    async def papers(visit: Visit, query: Query) -> Response:
        rows = await visit.office.store.read(...)      # never anything slow on the loop: store.read, asyncio.to_thread
        return await visit.page("papers.html", rows=rows)

    @action("/papers/{id}/print", MANAGERS, takes=Print)
    async def print_paper(visit: Visit, form: Print) -> Response:
        await visit.audit("paper printed", form.id)    # each change leaves a row
        return visit.done("/papers", "papers.printed")  # back, with a sentence on top

    @api("GET", "/papers", MANAGERS, takes=Listed, gives=Papers, summary="Papers, the newest first")
    async def api_papers(visit: Visit, query: Listed) -> Papers: ...

1. `takes` is a frozen msgspec.Struct: the names in the path's braces, then the query (GET) or the form or JSON body.
   What doesn't fit is refused with 422 before the handler runs; its limits stand in the OpenAPI document.
2. `templates/papers.html` begins with `{% extends "frame.html" %}` and fills `title` and `main`. It may use
   `t("papers.x")`, `write.money(…)`, `write.moment(…)`, `write.number(…)`, `asset("x.svg")`, `me`, `path`; every form
   has `{% include "csrf.html" %}` in it. A part that htmx fetches is a route of its own that gives
   `visit.part("papers_rows.html", …)`. No inline script or style, no `hx-on`, no event filters: the
   Content-Security-Policy forbids them.
3. `words/papers.toml` has every sentence in Chinese and English (words.py). Nav("papers", …) shows `nav.papers` and
   `assets/icon-papers.svg`.
4. To refuse: `raise refused("not_found")` (refusals.py); a form that is to be shown again: `visit.page(…, status=422)`.
5. Live: an element with `hx-trigger="sse:receipt"` is fetched anew at each receipt (live.py: receipt, health, scan);
   whoever knows of more calls `office.hub.tell("name")`.
6. Tests: `tests/web/office.py` gives a page in memory with somebody signed in; `tests/web/browser.py` a real Chromium.
   The walks over all routes (roles, languages, limits) find the new rows by themselves.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from edgebox.web.roles import Role

Handler = Callable[..., Awaitable[Any]]
H = TypeVar("H", bound=Handler)
BODY_BYTES = 64 << 10  # of a form or a JSON body; a row that needs more says so
API = "/api/v1"


class Nav(NamedTuple):
    """A place in the navigation: `nav.<name>` is its word, `order` its place; the first four are a thumb away."""

    name: str
    order: int


class Row(NamedTuple):
    """One route. `takes`: a Struct, or None; `gives`: what the API answers with; `nav`: its place, if it has one."""

    method: str
    path: str
    roles: frozenset[Role]
    handler: Handler
    takes: type[msgspec.Struct] | None = None
    gives: Any = None
    nav: Nav | None = None
    summary: str = ""
    body_bytes: int = BODY_BYTES

    @property
    def changes(self) -> bool:
        """It is no mere question (RFC 9110, section 9.2.1: GET and HEAD are safe)."""
        return self.method != "GET"

    @property
    def is_api(self) -> bool:
        """It speaks JSON."""
        return self.path.startswith(API)

    @property
    def places(self) -> tuple[str, ...]:
        """The names in the path's braces."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))


_rows: dict[tuple[str, str], Row] = {}


def page(
    path: str, roles: frozenset[Role], *, nav: Nav | None = None, takes: type[msgspec.Struct] | None = None
) -> Callable[[H], H]:
    """A page, or a part of one: GET."""
    return _add(lambda handler: Row("GET", path, roles, handler, takes, nav=nav))


def action(
    path: str,
    roles: frozenset[Role],
    *,
    takes: type[msgspec.Struct] | None = None,
    body_bytes: int = BODY_BYTES,
) -> Callable[[H], H]:
    """What a form does: POST."""
    return _add(lambda handler: Row("POST", path, roles, handler, takes, body_bytes=body_bytes))


def api(
    method: str,
    path: str,
    roles: frozenset[Role],
    *,
    summary: str,
    takes: type[msgspec.Struct] | None = None,
    gives: Any = None,
    body_bytes: int = BODY_BYTES,
) -> Callable[[H], H]:
    """A route of the API, under /api/v1. `gives` None: 204."""
    return _add(lambda handler: Row(method, API + path, roles, handler, takes, gives, None, summary, body_bytes))


def _add(make: Callable[[Handler], Row]) -> Callable[[H], H]:
    def add(handler: H) -> H:
        row = make(handler)
        key = row.method, row.path
        if key in _rows and _rows[key].handler.__module__ != handler.__module__:
            raise ValueError(f"{row.method} {row.path} is {_rows[key].handler.__module__}'s")
        if not row.roles:
            raise ValueError(f"{row.method} {row.path} is for nobody")
        fields = {field.encode_name for field in msgspec.structs.fields(row.takes)} if row.takes else set()
        if missing := set(row.places) - fields:
            raise ValueError(f"{row.path}: nobody takes {missing}")
        _rows[key] = row
        return handler

    return add


def rows() -> list[Row]:
    """All routes, with every module of edgebox/web/pages loaded. Fixed paths stand before those with braces."""
    from edgebox.web import pages

    for found in pkgutil.iter_modules(pages.__path__):
        importlib.import_module(f"{pages.__name__}.{found.name}")
    return sorted(_rows.values(), key=lambda row: (bool(row.places), row.path, row.method))
