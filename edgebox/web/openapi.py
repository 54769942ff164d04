"""The API as machines read it: OpenAPI 3.1, made from the table of routes and the types, and nothing else.

Owns: the document. Never: a route or a type of its own, so it can't say what isn't so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from edgebox.web.app import Refusal
from edgebox.web.roles import Role
from edgebox.web.routes import API, Row

_REF = "#/components/schemas/{name}"


def document(table: Iterable[Row]) -> bytes:
    """JSON."""
    served = [row for row in table if row.is_api and row.summary]
    kinds = [kind for row in served for kind in (row.gives,) if kind is not None] + [Refusal]
    bodies = [row.takes for row in served if row.takes is not None and not _is_in_address(row)]
    schemas, components = msgspec.json.schema_components([*kinds, *bodies], ref_template=_REF)
    of_kind = dict(zip(map(id, [*kinds, *bodies]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in served:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, of_kind)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "edgebox", "version": "1", "description": "The managers' page for programs: docs/page.md"},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(whole)


def _operation(row: Row, of_kind: Mapping[int, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": f"{row.method.lower()}{row.path.removeprefix(API).replace('/', '_')}".translate(_NO_BRACES),
        "summary": row.summary,
        "description": "For " + ", ".join(sorted(role.value for role in row.roles if role is not Role.NOBODY)) + ".",
        "parameters": _parameters(row),
        "responses": _responses(row, of_kind),
    }
    if row.takes is not None and not _is_in_address(row):
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": of_kind[id(row.takes)]}},
        }
    return found


_NO_BRACES = str.maketrans("", "", "{}")


def _is_in_address(row: Row) -> bool:
    """All that it takes stands in its path and query."""
    names = {field.encode_name for field in msgspec.structs.fields(row.takes)} if row.takes is not None else set()
    return row.method in ("GET", "DELETE") or names <= set(row.places)


def _parameters(row: Row) -> list[dict[str, Any]]:
    if row.takes is None:
        return []
    properties = msgspec.json.schema_components([row.takes], ref_template=_REF)[1][row.takes.__name__]["properties"]
    found = []
    for name, schema in properties.items():
        if name in row.places:
            found.append({"name": name, "in": "path", "required": True, "schema": schema})
        elif _is_in_address(row):
            is_required = "default" not in schema
            found.append({"name": name, "in": "query", "required": is_required, "schema": schema})
    return found


def _responses(row: Row, of_kind: Mapping[int, Any]) -> dict[str, Any]:
    refusal = {
        "description": "Refused; `reason` says why.",
        "content": {"application/json": {"schema": of_kind[id(Refusal)]}},
    }
    if row.gives is None:
        good: dict[str, Any] = {"204": {"description": "Done."}}
    else:
        said = {"application/json": {"schema": of_kind[id(row.gives)]}}
        good = {"200": {"description": row.summary, "content": said}}
    return {**good, "4XX": refusal, "503": refusal}
