"""Logs: the newest lines of the engine, redacted as they came (edgebox/log_tail.py), the newest first.

An installer has to do with the box, not with the takings: of lines that tell of a receipt the numbers are left out,
but for times and lengths.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.log_tail import MASKED, TAIL_LINES, LogTail
from edgebox.model import DocumentKind
from edgebox.web.roles import INSTALLERS, Role
from edgebox.web.routes import Nav, api, page
from edgebox.web.visit import Visit

LEVELS = ("debug", "info", "warning", "error")
_of_receipt = re.compile(rf"\S+: ({'|'.join(kind.value for kind in DocumentKind)})\b").match  # books.py: describe
_figure = re.compile(r"(?<![\w.-])\d[\d.,]*(?![\w.,]| m[ms]\b)")
Level = Literal["debug", "info", "warning", "error"]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """`level`: these and worse."""

    level: Level = "info"
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: 2026-11-18T18:42:07Z."""

    at: str
    level: str
    words: str


class LogLines(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first; `kept`: how many lines the box keeps at most."""

    lines: list[LogLine]
    kept: int


@page("/logs", INSTALLERS, nav=Nav("logs", 78), takes=Query)
async def logs(visit: Visit, query: Query) -> Response:
    """A list, by level."""
    found = _lines(visit, query)
    return await visit.page("logs.html", lines=found.lines, level=query.level, levels=LEVELS[1:], kept=found.kept)


@api("GET", "/logs", INSTALLERS, takes=Query, gives=LogLines, summary="The engine's newest log lines, redacted")
async def api_logs(visit: Visit, query: Query) -> LogLines:
    """The same."""
    return _lines(visit, query)


def _lines(visit: Visit, query: Query) -> LogLines:
    tail = visit.office.part(LogTail)
    wanted = (*LEVELS[LEVELS.index(query.level) :], "critical")
    found: list[LogLine] = []
    for text in reversed(tail.newest(TAIL_LINES) if tail is not None else []):
        at, _, rest = text.partition(" ")
        level, _, words = rest.partition(" ")
        if level in wanted:
            if visit.role is Role.INSTALLER and _of_receipt(words):
                words = _figure.sub(MASKED, words)
            found.append(LogLine(at=at, level=level, words=words))
            if len(found) >= query.limit:
                break
    return LogLines(lines=found, kept=TAIL_LINES)
