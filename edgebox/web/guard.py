"""What every request passes first, and every answer last: who may come in, and what browsers may do.

Owns: the checks that need no user, and the security headers. Never: reads a body (app.py does, with a limit).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from edgebox.errors import PageError
from edgebox.web.addresses import Neighbours, host_in
from edgebox.web.refusals import refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Refuse = Callable[[Scope, Receive, Send, PageError], Awaitable[None]]

SAFE = frozenset({"GET", "HEAD"})
PATH_MAX, QUERY_MAX = 512, 4096  # characters; our longest path has 60
HEAD_BYTES = 16 << 10  # of a request's head; browsers send 1 KB, and a QUERY_MAX besides
HEADERS_MAX = 100  # of a request; browsers send 20. uvicorn bounds a head only while it is not whole
# No inline script or style, nothing from elsewhere, nobody frames the page [CSP level 3].
POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("font-src 'self'", "manifest-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"),
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)
# Not sent: Strict-Transport-Security. A browser that has it lets nobody past the warning about the box's own
# certificate (RFC 6797, section 8.4), and on an address it means nothing.


class Guard:
    """`refuse` answers for it."""

    def __init__(self, app: App, neighbours: Neighbours, refuse: Refuse) -> None:
        self._app = app
        self._neighbours = neighbours
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        secured = _with_headers(send)
        try:
            self._check(scope)
        except PageError as fault:
            await self._refuse(scope, receive, secured, fault)
            return
        await self._app(scope, receive, secured)

    def _check(self, scope: Scope) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        peer = scope.get("client") or ("", 0)
        if not self._neighbours.is_near(peer[0]):
            raise refused("peer")
        host = headers.get(b"host", "")
        if not self._neighbours.is_ours(host):
            raise refused("host")
        head_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > HEADERS_MAX or head_bytes > HEAD_BYTES:
            raise refused("too_large")
        if len(scope["path"]) > PATH_MAX or len(scope["query_string"]) > QUERY_MAX:
            raise refused("too_large")
        if scope["method"] not in SAFE:
            _check_origin(headers, host)


def _check_origin(headers: dict[bytes, str], host: str) -> None:
    """A change must come from a page of ours. A program without a browser says a token instead, and no cookie."""
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    if origin is not None:
        is_ours = _authority(origin) == host.lower()
    elif site is not None:
        is_ours = site in ("same-origin", "none")
    else:
        is_ours = b"cookie" not in headers
    if not is_ours:
        raise refused("origin")


def _authority(origin: str) -> str:
    """`https://192.168.1.20:8443` → `192.168.1.20:8443`; "": it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # half a bracket
        return ""


def _with_headers(send: Send) -> Send:
    async def secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = message.setdefault("headers", [])
            names = {name for name, _ in own}
            own += [(name, value) for name, value in HEADERS if name not in names]
            if b"cache-control" not in names:
                own.append((b"cache-control", b"no-store"))
        await send(message)

    return secured


def redirect_address(host: str, port: int) -> str:
    """Where plain HTTP is sent on to."""
    name = host_in(host)
    name = f"[{name}]" if ":" in name else name
    return f"https://{name}" + ("" if port == 443 else f":{port}")
