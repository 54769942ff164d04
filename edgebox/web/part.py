"""The managers' page as a part of the engine: opened with its store, served in its loop, stopped with it.

Owns: its life: certificate, listening, the first slip, what is tidied. Never: in the way of a receipt: what takes long
is done in threads, and what can't begin is said while the shop goes on. A box whose `[web] listen` is "" loads nothing
of this (edgebox/process.py imports this module only then).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from edgebox.errors import ConfigError, EdgeboxError, StoreError
from edgebox.reports.reports import Reports
from edgebox.scan_desk import ScanDesk
from edgebox.store.events import ReceiptRecord
from edgebox.store.store import Store
from edgebox.web import certificate, routes
from edgebox.web.accounts import Accounts
from edgebox.web.addresses import Neighbours, best_address, own_addresses, split
from edgebox.web.app import application
from edgebox.web.assets import Assets
from edgebox.web.guard import HEAD_BYTES, App
from edgebox.web.live import Hub
from edgebox.web.office import Host, Office
from edgebox.web.pairing import Pairing
from edgebox.web.passwords import Passwords
from edgebox.web.patience import PatientProtocol
from edgebox.web.redirect import Redirect
from edgebox.web.sessions import Sessions
from edgebox.web.slip import print_pairing_slip
from edgebox.web.words import Catalogue

log = logging.getLogger("edgebox.web")

CONNECTIONS_MAX = 128  # at once: six of each browser (RFC 9112 names no number; browsers take 6), some programs
IDLE_S = 20  # a connection without a request
STOP_S = 2  # for answers on their way
SWITCH_S = 0.0005  # Python's own 5 ms is how long a receipt would wait for a thread that sets a page
PAIR_AGAIN_S = 0.5  # until a line is there that can print the first slip: a look at a table


class ManagersPage:
    """`host`: the engine. `cost`: of passwords, smaller in tests."""

    def __init__(self, host: Host, cost: int | None = None) -> None:
        self.office: Office | None = None
        self.port = 0  # as bound; 0: not yet
        self._host = host
        self._settings = host.config.web
        self._passwords = Passwords() if cost is None else Passwords(cost)
        self._data = Path(host.config.engine.data) / "web"
        self._server: _Server | None = None
        self._redirect: Redirect | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._no_more_scans: Callable[[], None] = lambda: None

    async def open(self, store: Store) -> None:
        """Serves. EdgeboxError: it can't."""
        neighbours = Neighbours(self._settings.allow, self._settings.names)
        self.office = await make_office(self._host, store, self._passwords)
        office = self.office
        office.hub = Hub(self._settings.browsers_max)
        office.certificate = await asyncio.to_thread(self._certificate, neighbours)
        app = application(office, await asyncio.to_thread(routes.rows), neighbours)
        await self._serve(app, office.certificate)
        office.address = f"{_shown(self._settings.listen)}:{self.port}"
        self._host.listeners.append(self._recorded)
        self._host.health.on_change = self._changed
        if (scans := office.part(ScanDesk)) is not None:
            self._no_more_scans = scans.subscribe(lambda seen: office.hub.tell("scan", seen.answer))
        sys.setswitchinterval(SWITCH_S)
        if not office.accounts.has_users:
            self._tasks.append(asyncio.create_task(self._first_slip(office)))
        log.info("the managers' page: https://%s", office.address)

    async def look(self) -> None:
        """Ends sessions that are over; makes another certificate in time."""
        office = self.office
        if office is None or office.certificate is None:
            return
        await office.sessions.tidy(office.now)
        if office.certificate.is_due(self._host.clock()) and self._server is not None:
            made = await asyncio.to_thread(self._certificate, Neighbours(self._settings.allow, self._settings.names))
            certificate.load(self._server.tls, made)
            office.certificate = made

    async def use_certificate(self) -> None:
        """The one that is to be used now. ConfigError `bad_certificate`."""
        assert self.office is not None, "whoever asks was served"
        assert self._server is not None, "as above"
        made = await asyncio.to_thread(self._certificate, Neighbours(self._settings.allow, self._settings.names))
        certificate.load(self._server.tls, made)
        self.office.certificate = made

    async def stop(self) -> None:
        """No more connections; answers on their way have a moment."""
        with contextlib.suppress(ValueError):
            self._host.listeners.remove(self._recorded)
        self._host.health.on_change = None
        self._no_more_scans()
        if self.office is not None:
            self.office.hub.close()
        if self._redirect is not None:
            await self._redirect.stop()
        if self._server is not None:
            await self._server.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._passwords.close()
        if self.office is not None:
            self.office.render.shutdown(wait=False, cancel_futures=True)

    # -- inside

    def _certificate(self, neighbours: Neighbours) -> certificate.Certificate:
        names = [*neighbours.names, *map(str, own_addresses()), "127.0.0.1"]
        return certificate.certificate_for(self._data, self._settings.certificate, names, self._host.clock())

    async def _serve(self, app: App, found: certificate.Certificate) -> None:
        listener = _listener(self._settings.listen, "web.listen")
        self.port = int(listener.getsockname()[1])
        self._server = _Server(app, found, listener)
        await self._server.start()
        if self._settings.http:
            plain = _listener(self._settings.http, "web.http")
            self._redirect = Redirect(self.port, Neighbours(self._settings.allow, self._settings.names))
            await self._redirect.start(plain)

    def _recorded(self, receipt: ReceiptRecord) -> None:
        if self.office is not None:
            self.office.hub.tell("receipt", f"{receipt.session}-{receipt.document}")

    def _changed(self) -> None:
        if self.office is not None:
            self.office.part_changed()

    async def _first_slip(self, office: Office) -> None:
        """At the first start, once a printer is there. What it lacks is said once; the page's button prints again."""
        while not office.accounts.has_users and office.pairing.may_print(office.now, is_asked=False):
            if self._host.lines:
                try:
                    await print_pairing_slip(office, is_asked=False)
                except EdgeboxError as fault:
                    self._host.fault("page", f"no pairing slip: {fault}")
                return
            await asyncio.sleep(PAIR_AGAIN_S)


async def make_office(host: Host, store: Store, passwords: Passwords) -> Office:
    """All that pages work with. ConfigError `store`."""
    web = host.config.web
    try:
        return Office(
            host=host,
            store=store,
            reports=Reports(host),
            accounts=await Accounts.open(store),
            sessions=await Sessions.open(store, web.idle_min, web.session_days),
            passwords=passwords,
            pairing=await Pairing.open(store, passwords),
            catalogue=await asyncio.to_thread(Catalogue.read),
            assets=await asyncio.to_thread(Assets.read),
        )
    except StoreError as fault:
        raise ConfigError(f"no managers' page: {fault}", reason="store") from fault


class _Server:
    """uvicorn in the engine's loop, without its signals and its log."""

    def __init__(self, app: App, found: certificate.Certificate, listener: socket.socket) -> None:
        self.tls = certificate.context(found)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self._listener = listener
        config = uvicorn.Config(
            app,
            log_config=None, access_log=False, lifespan="off", ws="none", http=PatientProtocol, proxy_headers=False,
            server_header=False, limit_concurrency=CONNECTIONS_MAX, timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=STOP_S, h11_max_incomplete_event_size=HEAD_BYTES,
            ssl_certfile=found.certificate, ssl_keyfile=found.key,
            ssl_context_factory=lambda *_: self.tls,
        )  # fmt: skip
        self._uvicorn = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens."""
        self._task = asyncio.create_task(self._uvicorn.serve([self._listener]))
        while not self._uvicorn.started and not self._task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """All connections are gone."""
        self._uvicorn.should_exit = True
        if self._task is not None:
            await asyncio.wait([self._task], timeout=2 * STOP_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._listener.close()


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are the process's own (edgebox/process.py)."""
        yield


def _shown(listen: str) -> str:
    """The host that people type: the one that is bound, or of all of them the one that the shop's network knows."""
    host, _ = split(listen)
    host = best_address() if host in ("0.0.0.0", "::") else host
    return f"[{host}]" if ":" in host else host


def _listener(where: str, key: str) -> socket.socket:
    """Bound. ConfigError `bad_address`."""
    host, port = split(where)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio sets TCP_NODELAY on no other socket, and each page would take 40 ms [base_events].
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as fault:
        listener.close()
        raise ConfigError(f"{where}: {fault.strerror or fault}", reason="bad_address", hint=key) from fault
    return listener
