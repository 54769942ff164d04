"""What a broken or evil thing in the shop's network may send: the page refuses or hangs up, and serves the next one."""

import asyncio
import ssl
import time
from collections.abc import Callable

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebox.engine import Engine
from edgebox.web import app, patience
from edgebox.web.guard import HEAD_BYTES
from edgebox.web.part import ManagersPage
from edgebox.web.roles import Role
from edgebox.web.routes import rows
from tests.web.office import ORIGIN, Browser, Shop, play, shop
from tests.web.test_part import _any
from tests.web.test_part import play as serve

FORM = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n"


async def answer(page: ManagersPage, raw: bytes, within_s: float = 5.0) -> bytes:
    """The status line, or b"" where the page hangs up; over TLS, byte for byte as given."""
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port, ssl=_any())
    try:
        writer.write(raw)
        await writer.drain()
        return await asyncio.wait_for(reader.readline(), within_s)
    except (ConnectionError, ssl.SSLError):
        return b""
    finally:
        writer.close()


async def is_well(page: ManagersPage) -> bool:
    return await answer(page, GET + b"\r\n") == b"HTTP/1.1 200 OK\r\n"


def many(count: int, header: Callable[[int], bytes]) -> bytes:
    return GET + b"".join(header(number) for number in range(count)) + b"\r\n"


def test_heads_of_any_size_and_kind_are_refused_and_the_next_one_is_served() -> None:
    async def story(engine: Engine, page: ManagersPage) -> None:
        evil = {
            "headers": many(5000, lambda n: b"x-%d: y\r\n" % n),
            "cookies": many(5000, lambda n: b"cookie: a%d=b\r\n" % n),
            "one cookie": GET + b"cookie: a=" + b"x" * (2 * HEAD_BYTES) + b"\r\n\r\n",
            "a line without end": b"GET /" + b"a" * (4 * HEAD_BYTES),
            "two hosts": GET + b"Host: evil.example\r\n\r\n",
            "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 9\r\n\r\na",
            "length and chunks": POST + b"Content-Length: 4\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /backup/download HTTP/1.1\r\n\r\n",
            "no http": b"\x00\x01\x02\xff" * 64 + b"\r\n\r\n",
            "a proxy's request": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "an address of elsewhere": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            "a negative length": POST + b"Content-Length: -1\r\n\r\n",
        }
        for name, raw in evil.items():
            line = await answer(page, raw)
            assert line == b"" or 400 <= int(line.split()[1]) < 500, f"{name}: {line!r}"
            assert await is_well(page), name
        assert engine.counters["faults"] == 0

    serve(story)


def test_who_sends_a_byte_a_minute_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_S", 0.05)
    monkeypatch.setattr(app, "BODY_S", 0.05)

    async def story(engine: Engine, page: ManagersPage) -> None:
        for beginning in (b"", b"GET /hea", GET):
            begun = time.monotonic()
            assert await answer(page, beginning) == b""
            assert time.monotonic() - begun < 2.0
        slow_body = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90\r\n"
        slow_body += b"Origin: https://localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nname=a"
        assert (await answer(page, slow_body)).split()[1] == b"408"
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port, ssl=_any())
        writer.write(GET + b"\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.write(b"GET /he")  # a second head on the same connection
        assert b"ok" in await asyncio.wait_for(reader.read(-1), 2.0)
        writer.close()
        assert await is_well(page)

    serve(story)


def test_an_answer_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_S", 0.05)

    async def story(engine: Engine, page: ManagersPage) -> None:
        async with httpx.AsyncClient(verify=False, base_url=f"https://127.0.0.1:{page.port}") as browser:
            for _ in range(3):
                assert (await browser.get("/healthz")).status_code == 200
                await asyncio.sleep(0.07)  # between two requests uvicorn's own patience holds
            assert page.office is not None
            assert page.office.counters["requests"] == 3

    serve(story)


EVIL = (
    *(
        "<script>alert(1)</script>",
        "{{7*7}}",
        "{% include 'base.html' %}",
        "../../etc/passwd",
        "\x00",
        "'; DROP TABLE x",
    ),
    *("${jndi:ldap://x}", "%00", "\u202e", "\ud7ff", "9" * 400, "-1", "1e400", "NaN", "true", "[]", "😀" * 30),
)
TEXTS = st.one_of(st.text(max_size=60), st.sampled_from(EVIL))


@pytest.mark.parametrize("role", [Role.OWNER, Role.INSTALLER])
def test_whatever_a_form_says_no_page_breaks_and_nothing_is_executed(role: Role) -> None:
    """Every action and every page, with fields as its type names them, and whatever texts in them."""
    table = [row for row in rows() if role in row.roles and not row.is_api and row.path not in ("/live", "/sign-out")]

    async def ask(browser: Browser, place: int, texts: list[str]) -> None:
        row = table[place % len(table)]
        names = list(row.takes.__struct_fields__) if row.takes is not None else []
        values = {name: texts[number % len(texts)] for number, name in enumerate(names)}
        path = row.path
        for name in row.places:
            path = path.replace("{" + name + "}", httpx.QueryParams({"x": values.pop(name)}).__str__()[2:] or "x")
        if row.changes:
            found = await browser.send_form(path, **values)
        else:
            found = await browser.get(path, params=values)
        assert found.status_code < 500 or found.status_code == 503, f"{row.method} {path} {values}: {found.text[:300]}"
        assert "<script>alert" not in found.text
        assert "root:x:" not in found.text
        if found.status_code == 401 or "/sign-in" in found.headers.get("location", ""):
            await browser.sign_in(role.value)

    async def all_of_it() -> None:
        cases: list[tuple[int, list[str]]] = []

        @given(st.lists(TEXTS, min_size=1, max_size=4))
        @settings(max_examples=len(table) * 4, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        def collect(texts: list[str]) -> None:
            cases.append((len(cases), texts))

        await asyncio.to_thread(collect)
        async with shop() as found:
            browser = await found.somebody(role)
            for place, texts in cases:
                await ask(browser, place, texts)
            assert found.engine.counters["faults"] == 0

    asyncio.run(all_of_it())


def test_bodies_in_any_encoding_are_forms_or_refused() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        headers = FORM | {"x-csrf": browser.csrf}
        texts = (
            "name=é".encode("latin-1"),
            "name=王".encode("utf-16"),
            b"name=%ED%A0%80",
            b"name=%C0%AF",
            b"name=%u0041",
        )
        others = (b"\xef\xbb\xbfname=x", b"&" * 300, b"=" * 5000, b"name=a;role=owner", b"a" * 60_000, b"[" * 60_000)
        for body in texts + others:
            found = await browser.post("/tokens/add", content=body, headers=headers)
            assert found.status_code in (200, 422), body[:40]
        program = await shop.token(Role.OWNER, writes=True)
        for body in (
            b"[" * 60_000,
            b'{"value":' * 5000,
            b"\xff\xfe{\x00}\x00",
            b'{"value": 1e999}',
            b'{"value":[null]}',
            b"null",
        ):
            found = await program.put("/api/v1/settings/log.level", content=body)
            assert found.status_code == 422, body[:40]
        assert shop.engine.counters["faults"] == 0

    play(story)
