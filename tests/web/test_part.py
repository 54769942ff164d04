"""The page as a part of the engine: there when it is asked for, gone without a trace, and no burden when it is off."""

import asyncio
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from edgebox.engine import Engine
from edgebox.web import part
from edgebox.web.part import ManagersPage
from hw_sim.cloud.broker import free_port
from tests.line_of_engine import FakeLine, running
from tests.web.office import CHEAP


def play(story: Callable[[Engine, ManagersPage], Awaitable[None]], *overrides: str) -> None:
    """With the page served on loopback."""

    async def told() -> None:
        with tempfile.TemporaryDirectory(prefix="eb") as folder:
            async with running(Path(folder), "web.listen=127.0.0.1:0", *overrides) as engine:
                page = ManagersPage(engine, CHEAP)
                assert engine.store
                engine.parts.append(page)
                await page.open(engine.store)
                await story(engine, page)

    asyncio.run(told())


def test_a_box_without_a_page_loads_nothing_of_it() -> None:
    code = (
        "import sys, edgebox.process, edgebox.cli; "
        "loaded = {name.split('.')[0] for name in sys.modules} | set(sys.modules); "
        "print(sorted(loaded & {'starlette', 'uvicorn', 'jinja2', 'edgebox.web', 'multipart'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_it_is_served_over_tls_and_gone_when_the_engine_stops() -> None:
    port = []

    async def story(engine: Engine, page: ManagersPage) -> None:
        port.append(page.port)
        async with httpx.AsyncClient(verify=False) as browser:
            answer = await browser.get(f"https://127.0.0.1:{page.port}/healthz")
            assert answer.text == "ok\n"
            assert "server" not in answer.headers
            with pytest.raises(httpx.HTTPError):
                await browser.get(f"http://127.0.0.1:{page.port}/healthz")

    play(story)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port[0]), 1)


def test_an_open_page_does_not_hold_up_the_end() -> None:
    async def story(engine: Engine, page: ManagersPage) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", page.port, ssl=_any())
        writer.write(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n")  # and never the rest
        await writer.drain()
        await asyncio.wait_for(page.stop(), 5)
        writer.close()

    play(story)


def test_plain_http_is_only_sent_on() -> None:
    plain = free_port()

    async def story(engine: Engine, page: ManagersPage) -> None:
        async with httpx.AsyncClient() as browser:
            answer = await browser.get(f"http://127.0.0.1:{plain}/users?x=1")
            assert answer.status_code == 308
            assert answer.headers["location"] == f"https://127.0.0.1:{page.port}/users?x=1"
            for headers in ({"host": "evil.example"}, {"host": "evil.example\tx"}):
                assert (await browser.get(f"http://127.0.0.1:{plain}/", headers=headers)).status_code == 400
            assert (await browser.post(f"http://127.0.0.1:{plain}/pair")).status_code == 400
        for raw in (
            b"\x16\x03\x01\x02\x00",
            b"GET " + b"/" * 9000,
            b"\r\n\r\n",
            b"GET //evil.example HTTP/1.1\r\n\r\n",
            b"GET /\nSet-Cookie:a=b HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: [::1%x@evil.example]\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", plain)
            writer.write(raw)
            writer.write_eof()
            said = await asyncio.wait_for(reader.read(), 5)
            assert said.startswith((b"HTTP/1.1 400", b"")), said
            assert b"Location" not in said
            writer.close()

    play(story, f"web.http=127.0.0.1:{plain}")


def test_a_port_that_is_taken_is_said_and_the_shop_goes_on() -> None:
    async def told() -> None:
        with tempfile.TemporaryDirectory(prefix="eb") as folder, socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            where = f"web.listen=127.0.0.1:{other.getsockname()[1]}"
            async with running(Path(folder), where) as engine:
                assert engine.store
                page = ManagersPage(engine, CHEAP)
                with pytest.raises(Exception, match="Address already in use"):
                    await page.open(engine.store)
                await page.stop()
                line = await FakeLine.connect(engine)
                assert (await line.print_receipt(1)).body

    asyncio.run(told())


def test_a_certificate_that_ends_is_replaced_while_it_runs() -> None:
    async def story(engine: Engine, page: ManagersPage) -> None:
        office = page.office
        assert office
        assert office.certificate
        before = office.certificate.fingerprint
        engine.clock = lambda: office.certificate.ends - 86_400  # type: ignore[union-attr]
        await page.look()
        assert office.certificate.fingerprint != before
        seen = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", page.port))
        import hashlib

        assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(seen)).hexdigest() == office.certificate.fingerprint

    play(story)


def test_a_receipt_and_a_change_of_health_are_told_to_open_pages() -> None:
    async def story(engine: Engine, page: ManagersPage) -> None:
        office = page.office
        assert office
        told: list[str] = []
        office.hub.tell = lambda event, value="": told.append(event)  # type: ignore[method-assign]
        line = await FakeLine.connect(engine)
        await line.print_receipt(1)
        assert "receipt" in told
        engine.health.note("printer line1", "failed", "no paper")
        assert told[-1] == "health"
        count = len(told)
        engine.health.note("printer line1", "failed", "no paper")
        assert len(told) == count

    play(story)


def test_a_slip_is_printed_at_the_first_start_as_soon_as_a_line_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "PAIR_AGAIN_S", 0.01)
    asked: list[bool] = []

    async def printed(office: object, *, is_asked: bool) -> None:
        asked.append(is_asked)

    monkeypatch.setattr(part, "print_pairing_slip", printed)

    async def story(engine: Engine, page: ManagersPage) -> None:
        await asyncio.sleep(0.05)
        assert asked == []
        await FakeLine.connect(engine)
        for _ in range(100):
            if asked:
                break
            await asyncio.sleep(0.01)
        assert asked == [False]

    play(story)


def test_the_shown_address_is_one_that_people_can_type() -> None:
    assert part._shown("192.168.1.20:8443") == "192.168.1.20"
    assert part._shown("[fd00::20]:8443") == "[fd00::20]"
    assert part._shown("0.0.0.0:8443") not in ("0.0.0.0", "")


def _any() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
