"""The page that a customer's phone opens: a claim's URL, a button, and points.

Owns: HTTP on loopback, the member's cookie, the page's form. Never: collects on GET, for chat programs open links to
preview them, and never shows or logs a token. What becomes of a claim decides points.py.

A real cloud serves it at the address that the QR code has (HTTPS://M.EXAMPLE.CN/C/...); here the same path is served on
loopback, and `address` says where. Guessing is bounded: ATTEMPTS refused codes a minute from one address, then 429.
"""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections import OrderedDict
from html import escape
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from edgebox.model import format_minor
from hw_sim.cloud import nearby
from hw_sim.cloud.nearby import Nearby
from hw_sim.cloud.page_words import LANGUAGES, OTHERS, saying
from hw_sim.cloud.points import Points, Shown
from hw_sim.cloud.registry import Registry

ATTEMPTS = 20  # refused codes a minute; a customer scans one or two
ATTEMPTS_S = 60.0
ADDRESSES_MAX = 10_000  # remembered; then the oldest is forgotten
AT_ONCE = 32  # requests; more wait in the listen queue
BODY_MAX = 1024  # the form has no field
TIMEOUT_S = 10.0  # of a client that says nothing
COOKIE = "member"
COOKIE_S = 365 * 86400

STYLE = """
:root{--ink:#1c1f23;--soft:#6b7280;--paper:#fff;--ground:#f2f1ee;--good:#0a7d4f;--wait:#9a6700;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#f0f0ee;--soft:#a1a6ae;--paper:#23262b;--ground:#15171a;--good:#4cc38a;
--wait:#e2b340;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;justify-content:center;gap:1rem;
padding:1.25rem;background:var(--ground);color:var(--ink);
font:1.0625rem/1.55 system-ui,-apple-system,"PingFang SC","Noto Sans CJK SC","WenQuanYi Micro Hei",sans-serif}
main{position:relative;overflow:hidden;width:100%;max-width:24rem;background:var(--paper);border-radius:1rem;
padding:2.25rem 1.5rem 2rem;text-align:center}
main::before{content:"";position:absolute;inset:0 0 auto 0;height:.375rem;background:var(--tone)}
.good{--tone:var(--good)}.wait{--tone:var(--wait)}.bad{--tone:var(--bad)}
.shop{margin:0 0 1.25rem;color:var(--soft)}
h1{margin:0 0 .5rem;font-size:2.125rem;line-height:1.2;color:var(--tone)}
p{margin:.5rem 0}.balance{margin-top:1.25rem;padding-top:1.25rem;border-top:1px solid var(--ground);font-weight:600}
button{width:100%;margin-top:1.5rem;min-height:3.25rem;border:0;border-radius:.75rem;background:var(--good);color:#fff;
font:inherit;font-weight:600}
@media(prefers-color-scheme:dark){button{color:#0d1411}}
a{color:var(--soft)}
"""


class Attempts:
    """Refused codes by address within the last minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def are_too_many(self, address: str, now_s: float) -> bool:
        """No more for now."""
        with self._lock:
            began, count = self._refused.get(address, (now_s, 0))
            return now_s - began < ATTEMPTS_S and count >= ATTEMPTS

    def note(self, address: str, now_s: float) -> None:
        """One was refused."""
        with self._lock:
            began, count = self._refused.get(address, (now_s, 0))
            began, count = (began, count + 1) if now_s - began < ATTEMPTS_S else (now_s, 1)
            self._refused[address] = (began, count)
            self._refused.move_to_end(address)
            if len(self._refused) > ADDRESSES_MAX:
                self._refused.popitem(last=False)


class Page:
    """The server, on a thread of its own."""

    def __init__(self, points: Points, registry: Registry, port: int = 0, near: Nearby | None = None) -> None:
        self.points = points
        self.near = near
        self.registry = registry
        self.attempts = Attempts()
        self._server = _Server(("127.0.0.1", port), _Request)
        self._server.page = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="page", daemon=True)

    def start(self) -> None:
        """Serves."""
        self._thread.start()

    def stop(self) -> None:
        """Lets go of the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    @property
    def hosts(self) -> tuple[str, str]:
        """What a request's Host may be: another would be a foreign site whose name points here."""
        port = self._server.server_address[1]
        return f"127.0.0.1:{port}", f"localhost:{port}"

    def address(self, url: str = "") -> str:
        """Where the page of a printed URL is served here: the same path on loopback."""
        return f"http://{self.hosts[0]}{urlsplit(url).path or '/'}"

    def claim_url(self, path: str) -> str:
        """The printed URL whose page has this path; "" if no shop of ours prints such."""
        for prefix in dict.fromkeys(box.shop.prefix for box in self.registry.boxes.values()):
            where = urlsplit(prefix).path
            if path.startswith(where) and "/" not in path[len(where) :]:
                return prefix + path[len(where) :]
        return ""


class _Server(ThreadingHTTPServer):
    page: Page
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._free = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._free.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A phone that hangs up is no fault; anything else is one of ours, and is said."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = TIMEOUT_S
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "edgebox-stand-in", ""

    def do_GET(self) -> None:
        """Looks; changes nothing."""
        self._serve(take=False)

    def do_POST(self) -> None:
        """Collects."""
        self._serve(take=True)

    def log_message(self, *_: Any) -> None:
        """Not a word: paths are tokens."""

    # -- inside

    def _serve(self, *, take: bool) -> None:
        page = self.server.page
        if self.headers.get("Host") not in page.hosts or (take and not self._is_own_form()):
            self._send(HTTPStatus.FORBIDDEN, self._html("nothing_here"))
            return
        address = self.client_address[0]
        if page.attempts.are_too_many(address, time.monotonic()):
            self._send(HTTPStatus.TOO_MANY_REQUESTS, self._html("slow_down"))
            return
        if page.near is not None and self.path.startswith(nearby.PATH):
            self._serve_near(page.near, take=take)
            return
        url = page.claim_url(urlsplit(self.path).path)
        if not url:
            self._send(HTTPStatus.NOT_FOUND, self._html("nothing_here"))
            return
        member = self._member()
        joined = ""
        if take and not member:
            member = joined = page.points.join()
        shown = page.points.take(url, member) if take else page.points.look(url, member)
        if shown.state == "refused":
            page.attempts.note(address, time.monotonic())
        self._send(HTTPStatus.OK, self._html(_key(shown), shown, member), joined)

    def _serve_near(self, near: Nearby, *, take: bool) -> None:
        """What hangs at a beacon that the phone has heard."""
        path, member, joined = urlsplit(self.path).path, self._member(), ""
        if take and not member and near.look(path, "") is not None:
            member = joined = self.server.page.points.join()
        shown = near.take(path, member) if take and member else near.look(path, member)
        if shown is None:
            self.server.page.attempts.note(self.client_address[0], time.monotonic())
            self._send(HTTPStatus.NOT_FOUND, self._html("nothing_here"))
            return
        language = self._language()
        self._send(HTTPStatus.OK, self._document(language, *nearby.body(shown, language)), joined)

    def _is_own_form(self) -> bool:
        """The form of this very page, and read to its end: the next request on this connection begins behind it."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > BODY_MAX or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            return False
        self.rfile.read(int(length))
        origin = self.headers.get("Origin")
        return origin in (None, *(f"http://{host}" for host in self.server.page.hosts))

    def _member(self) -> str:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return cookie.value if cookie and self.server.page.points.is_member(cookie.value) else ""

    def _language(self) -> str:
        asked = parse_qs(urlsplit(self.path).query).get("lang", [""])[0]
        if asked in LANGUAGES:
            return asked
        accepted = self.headers.get("Accept-Language", "zh")
        first = accepted.split(",")[0].strip()[:2].lower()
        return first if first in LANGUAGES else "en"

    def _html(self, key: str, shown: Shown | None = None, member: str = "") -> str:
        language = self._language()
        others, said = OTHERS[language], saying(key, language)
        values = {"points": "0", "amount": ""}
        shop = ""
        if shown is not None and shown.box is not None:
            rules = shown.box.shop
            amount = format_minor(shown.amount_minor, rules.decimals)
            unit = "元" if (language, rules.currency) == ("zh", "CNY") else rules.currency
            values = {"points": f"{shown.points:,}", "amount": f"{amount} {unit}"}
            shop = rules.name
        parts = [f'<p class="shop">{escape(shop)}</p>'] if shop else []
        parts += [f"<h1>{escape(said.head.format(**values))}</h1>", f"<p>{escape(said.text.format(**values))}</p>"]
        if key.startswith("offered"):
            action = f"{quote(urlsplit(self.path).path)}?lang={language}"
            parts.append(f'<form method="post" action="{action}"><button>{others["collect"]}</button></form>')
        if key.startswith("credited") and member:
            balance = others["balance"].format(points=f"{self.server.page.points.balance(member):,}")
            parts.append(f'<p class="balance">{balance}</p>')
        other = next(one for one in LANGUAGES if one != language)
        link = f'<a href="?lang={other}" lang="{other}">{others["other"]}</a>'
        body = f'<main class="{said.look}">{"".join(parts)}</main>{link}'
        return self._document(language, others["title"], body)

    def _document(self, language: str, title: str, body: str) -> str:
        self._nonce = secrets.token_urlsafe(12)
        return (
            f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<title>{title}</title><style nonce="{self._nonce}">{STYLE}</style><body>{body}</body></html>'
        )

    def _send(self, status: HTTPStatus, html: str, joined: str = "") -> None:
        raw = html.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")  # the path is the token
        self.send_header("X-Content-Type-Options", "nosniff")
        policy = f"default-src 'none'; style-src 'nonce-{self._nonce}'; form-action 'self'; frame-ancestors 'none'"
        self.send_header("Content-Security-Policy", f"{policy}; base-uri 'none'")
        if joined:
            self.send_header("Set-Cookie", f"{COOKIE}={joined}; Path=/; Max-Age={COOKIE_S}; HttpOnly; SameSite=Lax")
        self.end_headers()
        self.wfile.write(raw)


def _key(shown: Shown) -> str:
    """Which words fit."""
    if shown.state == "refused":
        return shown.reason
    if shown.state == "offered":
        return "offered_pending" if shown.reason == "pending" else "offered"
    return f"{shown.state}_again" if shown.again and shown.state == "credited" else shown.state
