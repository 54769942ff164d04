"""A page in memory for tests: the real engine, store and application, and browsers that are httpx over ASGI."""

import asyncio
import contextlib
import re
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from edgebox.engine import Engine
from edgebox.store.events import ReceiptRecord
from edgebox.web.accounts import User
from edgebox.web.addresses import Neighbours
from edgebox.web.app import application
from edgebox.web.office import Office
from edgebox.web.part import make_office
from edgebox.web.passwords import Passwords
from edgebox.web.roles import Role
from edgebox.web.routes import rows
from edgebox.web.visit import COOKIE
from tests.line_of_engine import NOW, running

ORIGIN = "https://192.168.1.20:8443"
PEER = "192.168.1.77"
CHEAP = 2  # scrypt's N in tests
PASSWORD = "a good pass 7"


class Browser(httpx.AsyncClient):
    """One browser in the shop. `send_form` is what a person who fills in a form does."""

    def __init__(self, app: Any, peer: str = PEER, **more: Any) -> None:
        transport = httpx.ASGITransport(app, client=(peer, 50_000))
        super().__init__(transport=transport, base_url=ORIGIN, **more)
        self.csrf = ""

    async def send_form(self, path: str, **fields: str) -> httpx.Response:
        """With the token and the headers that a browser adds."""
        headers = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
        return await self.post(path, data={"csrf": self.csrf, **fields}, headers=headers)

    async def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """And the token of its forms is known."""
        answer = await self.send_form("/sign-in", name=name, password=password)
        assert answer.status_code == 303, answer.text
        page = await self.get("/more")
        found = re.search(r'name="csrf" value="(\w+)"', page.text)
        assert found
        self.csrf = found[1]


class Shop:
    """`office` and `app`; a user of each role has the role's name."""

    def __init__(self, engine: Engine, office: Office, app: Any) -> None:
        self.engine, self.office, self.app = engine, office, app
        self._browsers: list[Browser] = []

    def browser(self, peer: str = PEER, **more: Any) -> Browser:
        found = Browser(self.app, peer, **more)
        self._browsers.append(found)
        return found

    async def somebody(self, role: Role = Role.OWNER) -> Browser:
        """Signed in."""
        found = self.browser()
        if role is not Role.NOBODY:
            await found.sign_in(role.value)
        return found

    async def token(self, role: Role = Role.OWNER, *, writes: bool = False) -> Browser:
        """A program."""
        name = f"{role.value} {'writes' if writes else 'reads'}"
        said = await self.office.accounts.make_token(name, role, writes, NOW, "owner")
        return self.browser(headers={"authorization": f"Bearer {said}"})

    async def rows_of(self, table: str) -> list[tuple[Any, ...]]:
        def read(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return db.execute(f"SELECT * FROM {table}").fetchall()

        return await self.office.store.read(read)

    async def record(self, **more: Any) -> None:
        """A sale."""
        number = len(await self.rows_of("receipts")) + 1
        given = {"at": NOW, "session": "ab" * 8, "document": number, "line": "line1", "kind": "sale"}
        await self.office.store.record(ReceiptRecord(**(given | {"amount_minor": 3390, "currency": "CNY"} | more)))

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.aclose()
        self.office.passwords.close()
        self.office.render.shutdown()


@contextlib.asynccontextmanager
async def shop(*overrides: str, users: bool = True, now: int = NOW) -> AsyncIterator[Shop]:
    """Open while the context is."""
    with tempfile.TemporaryDirectory(prefix="eb") as folder:
        async with running(Path(folder), *overrides, now=now) as engine:
            assert engine.store is not None
            office = await make_office(engine, engine.store, Passwords(CHEAP))
            found = Shop(engine, office, application(office, rows(), Neighbours()))
            if users:
                kept = await office.passwords.made(PASSWORD)
                for role in (Role.OWNER, Role.MANAGER, Role.CASHIER, Role.INSTALLER):
                    await office.accounts.add(User(role.value, role, kept, "en", NOW))
            try:
                yield found
            finally:
                await found.close()


def play(story: Callable[[Shop], Awaitable[None]], *overrides: str, users: bool = True, now: int = NOW) -> None:
    """A test's story in a shop of its own."""

    async def told() -> None:
        async with shop(*overrides, users=users, now=now) as found:
            await story(found)

    asyncio.run(told())


def cookie_of(browser: Browser) -> str:
    """What the browser would send."""
    return browser.cookies.get(COOKIE, "")
