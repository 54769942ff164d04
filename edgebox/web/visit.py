"""One visit: who asks, in which language, and how a handler answers.

Owns: what a handler is given. Never: decides whether the visitor may (app.py did before the handler ran).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from edgebox.errors import StoreError
from edgebox.reports.wrong import Trouble
from edgebox.store.events import AuditRecord
from edgebox.web.accounts import Token, User
from edgebox.web.frame import Frame
from edgebox.web.office import Office
from edgebox.web.roles import Role
from edgebox.web.sessions import Session, csrf_of
from edgebox.web.words import LANGUAGES, Say, preferred
from edgebox.web.written import Written

COOKIE = "__Host-edgebox"  # only over TLS, only this host, only "/" (RFC 6265bis, section 4.1.3.2)
LANGUAGE_COOKIE = "__Host-language"
YEAR_S = 365 * 86_400


class Visit:
    """`user` and `session`: of who is signed in; `token`: of a program. `language`: zh or en."""

    def __init__(self, office: Office, frame: Frame, request: Request) -> None:
        self.office = office
        self.request = request
        self.said = request.cookies.get(COOKIE, "")
        self.session: Session | None = None
        self.user: User | None = None
        self.token: Token | None = None
        self._frame = frame
        self._find_out_who()
        self.language = self._language()

    # -- who

    @property
    def role(self) -> Role:
        """Of who asks."""
        if self.user is not None:
            return self.user.role
        return self.token.role if self.token is not None else Role.NOBODY

    @property
    def who(self) -> str:
        """As the audit names them."""
        if self.user is not None:
            return self.user.name
        return f"token {self.token.name}" if self.token is not None else ""

    @property
    def client(self) -> str:
        """The address that asks."""
        return self.request.client.host if self.request.client is not None else ""

    @property
    def csrf(self) -> str:
        """What this session's forms carry; "": nobody is signed in."""
        return csrf_of(self.said) if self.session is not None else ""

    @property
    def is_htmx(self) -> bool:
        """It wants a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    def is_signed_in(self) -> bool:
        """Still, with the same role: for what goes on for long."""
        if self.session is None or self.user is None:
            return False
        now = self.office.accounts.user(self.user.name)
        return (
            now is not None and now.role is self.role and self.office.sessions.is_alive(self.session, self.office.now)
        )

    # -- answers

    @property
    def t(self) -> Say:
        """The catalogue in the visitor's language."""
        return self.office.catalogue.in_language(self.language)

    @property
    def write(self) -> Written:
        """Amounts and times in the visitor's language."""
        return self.office.written(self.language)

    async def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A whole page. Set in a thread: a page takes 10 ms of a small box, and no receipt waits for it."""
        return await self._set(template, status, await self._around(with_notes=True) | values)

    async def part(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A part of a page, for htmx."""
        return await self._set(template, status, await self._around(with_notes=False) | values)

    def done(self, path: str, key: str = "", /, **values: str) -> Response:
        """What a form did: on to a page, with a sentence on top."""
        if key and self.session is not None:
            self.session.notes = [*self.session.notes[-3:], (key, values)]
        if self.is_htmx:
            return Response(status_code=204, headers={"HX-Redirect": path})
        return RedirectResponse(path, 303)

    async def audit(self, what: str, target: str = "", *, before: str = "", after: str = "", reason: str = "") -> None:
        """A row for a change that was made. Never with a secret. StoreError."""
        await self.office.store.record(
            AuditRecord(
                at=self.office.now, who=self.who, what=what, target=target, before=before, after=after, reason=reason
            )
        )

    def came_from(self, fallback: str = "/") -> str:
        """The path of the page that the form was on."""
        try:
            parts = urlsplit(self.request.headers.get("referer", ""))
        except ValueError:  # half a bracket
            return fallback
        return local_path(parts.path + (f"?{parts.query}" if parts.query else ""), fallback)

    # -- inside

    async def _around(self, *, with_notes: bool) -> dict[str, Any]:
        wrong: tuple[Trouble, ...] = ()
        if self.user is not None:
            with contextlib.suppress(StoreError):  # then the page itself says that records can't be read
                wrong = await self.office.troubles()
        return self._frame.around(self, wrong, with_notes=with_notes)

    async def _set(self, template: str, status: int, values: dict[str, Any]) -> Response:
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(self.office.render, self._frame.set, template, values)
        return HTMLResponse(text, status)

    def _find_out_who(self) -> None:
        authorization = self.request.headers.get("authorization", "")
        if authorization:
            scheme, _, said = authorization.partition(" ")
            self.token = self.office.accounts.token(said.strip()) if scheme.lower() == "bearer" else None
            return
        session = self.office.sessions.find(self.said, self.office.now)
        user = self.office.accounts.user(session.name) if session is not None else None
        if user is not None:
            self.session, self.user = session, user

    def _language(self) -> str:
        chosen = (self.user.language if self.user else "") or self.request.cookies.get(LANGUAGE_COOKIE, "")
        if chosen in LANGUAGES:
            return chosen
        return preferred(self.request.headers.get("accept-language", ""), self.office.config.web.language)


def local_path(text: str, fallback: str = "/") -> str:
    """A path on this box; what leads elsewhere (`//evil`, `/\\evil`, `https:`) is the fallback."""
    is_local = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if is_local and text.isprintable() and len(text) <= 512 else fallback


def set_cookie(response: Response, name: str, value: str, max_age_s: int) -> None:
    """Only over TLS, only for requests from our own pages, not for scripts."""
    response.set_cookie(name, value, max_age=max_age_s, path="/", secure=True, httponly=True, samesite="strict")
