"""Before any page: who may come in, under which name, from which page, and how much they may send."""

import pytest

from edgebox.errors import ConfigError
from edgebox.web.addresses import Neighbours, as_address, best_address, host_in, own_addresses, split
from edgebox.web.app import application
from edgebox.web.guard import HEADERS
from edgebox.web.roles import Role
from edgebox.web.routes import rows
from edgebox.web.visit import COOKIE
from tests.web.office import ORIGIN, PASSWORD, Shop, cookie_of, play

NEAR = ["10.1.2.3", "172.16.0.9", "192.168.1.77", "169.254.7.7", "127.0.0.1", "fd00::7", "fe80::7%eth0", "::1"]
FAR = ["8.8.8.8", "172.32.0.1", "100.64.0.1", "192.0.2.1", "2001:4860::8888", "::ffff:8.8.8.8", "", "unix"]


@pytest.mark.parametrize("peer", [*NEAR, "::ffff:192.168.1.77"])
def test_the_shops_network_may_come_in(peer: str) -> None:
    assert Neighbours().is_near(peer)


@pytest.mark.parametrize("peer", FAR)
def test_nobody_else_may(peer: str) -> None:
    assert not Neighbours().is_near(peer)


def test_a_network_that_is_allowed_may_and_one_that_is_none_is_said() -> None:
    assert Neighbours(["203.0.113.0/24"]).is_near("203.0.113.7")
    with pytest.raises(ConfigError, match="the shop next door"):
        Neighbours(["the shop next door"])


def test_who_is_not_of_the_shops_network_sees_nothing_at_all() -> None:
    async def story(shop: Shop) -> None:
        for path in ("/", "/sign-in", "/healthz", "/api/v1/today", shop.office.assets.address("app.css")):
            answer = await shop.browser(peer="8.8.8.8").get(path)
            assert answer.status_code == 403
            assert len(answer.content) < 400

    play(story)


# What begins like an address of the box, and goes on as something else.
HALF_OURS = ("192.168.1.20%x@evil.example", "[fe80::1%x/evil]", "[::1]evil.example", "[::1]:1@evil", "localhost:x")


def test_a_foreign_name_for_the_box_is_refused() -> None:
    """DNS rebinding: a foreign page's own name comes to point at the box."""

    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        for host in ("evil.example", "192.168.1.20.evil.example", "", "edgebox.local.evil", "a@b", "[::1", *HALF_OURS):
            answer = await browser.get("/", headers={"host": host, "cookie": f"{COOKIE}={cookie_of(browser)}"})
            assert answer.status_code == 421, host

    play(story)


@pytest.mark.parametrize(
    "host", ["192.168.1.20:8443", "192.168.1.20", "[fd00::20]:8443", "edgebox.local:8443", "localhost"]
)
def test_the_boxes_own_names_and_addresses_are_good(host: str) -> None:
    assert Neighbours().is_ours(host)
    assert Neighbours(names=["shop.example.cn"]).is_ours("SHOP.example.cn:8443")


ELSEWHERE: tuple[dict[str, str], ...] = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "https://192.168.1.20"},  # another port is another page
    {"origin": "https://["},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {},  # a cookie, and no word of where it comes from
)


def test_another_page_can_change_nothing() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        form = {"csrf": browser.csrf, "name": "mallory", "password": PASSWORD, "role": "owner"}
        for headers in ELSEWHERE:
            assert (await browser.post("/users/add", data=form, headers=headers)).status_code == 403, headers
        assert shop.office.accounts.user("mallory") is None

    play(story)


def test_a_wrong_token_of_a_form_changes_nothing() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        for token in ("", "0" * 64, "ä", "["):
            answer = await browser.send_form("/users/add", csrf=token, name="li", password=PASSWORD, role="owner")
            assert answer.status_code == 403, token
        twice = f"csrf={browser.csrf}&csrf={browser.csrf}&name=li&password=a+good+pass+7&role=owner"
        kind = {"content-type": "application/x-www-form-urlencoded", "origin": ORIGIN}
        assert (await browser.post("/users/add", content=twice, headers=kind)).status_code == 403
        assert shop.office.accounts.user("li") is None

    play(story)


def test_every_answer_tells_browsers_what_they_may_not_do() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        for path in ("/", "/nothing", "/users", "/api/v1/today", "/healthz", shop.office.assets.address("app.js")):
            answer = await browser.get(path)
            for name, value in HEADERS:
                assert answer.headers[name.decode()] == value.decode(), path
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy
            assert policy.startswith("default-src 'none'")
        assert (await browser.get("/")).headers["cache-control"] == "no-store"

    play(story)


def test_a_huge_body_is_refused_before_it_is_read() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        big = {"csrf": browser.csrf, "name": "x" * (1 << 20)}
        assert (await browser.send_form("/users/add", **big)).status_code == 413

        async def endless():  # type: ignore[no-untyped-def]
            for _ in range(1 << 10):
                yield b"x" * (1 << 16)

        headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
        assert (await browser.post("/users/add", content=endless(), headers=headers)).status_code == 413
        assert (
            await browser.post("/users/add", content=b"x", headers=headers | {"content-length": "-1"})
        ).status_code == 413

    play(story)


def test_a_body_that_is_no_form_is_refused_and_breaks_nothing() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded", "x-csrf": browser.csrf}
        bodies = (b"\xff\xfe=1", b"name=" + b"&a=1" * 300, b"--x\r\n\r\n", b"name=%00%ff", b"=&=&=", b"%", b"name[]=1")
        for body in bodies:
            assert (await browser.post("/users/add", content=body, headers=headers)).status_code == 422, body
        plain = headers | {"content-type": "text/plain"}
        assert (await browser.post("/users/add", content=b"name=li", headers=plain)).status_code == 422
        assert shop.engine.counters["faults"] == 0

    play(story)


TRICKS = (
    *("/../etc/passwd", "/assets/../../part.py", "/%2e%2e/%2e%2e/etc/passwd", "//evil.example/", "/users/%00"),
    *("/users/", "/\\", "/assets/x/%2e%2e%2froutes.py"),
)


def test_a_path_with_a_trick_leads_nowhere() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        for path in TRICKS:
            answer = await browser.get(ORIGIN + path)
            assert answer.status_code in (404, 405), path
            assert "root:" not in answer.text
            assert "location" not in answer.headers

    play(story)


def test_a_path_or_question_without_end_is_refused() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        assert (await browser.get("/" + "a" * 5000)).status_code == 413
        assert (await browser.get("/audit", params={"who": "a" * 5000})).status_code == 413
        assert (await browser.get("/audit", params={"before": "9" * 30})).status_code == 422

    play(story)


def test_a_fault_of_ours_is_said_calmly_and_logged() -> None:
    async def story(shop: Shop) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("secret detail")

        browser = await shop.somebody()
        shop.office.store.read = broken  # type: ignore[method-assign,assignment]
        for path in ("/", "/api/v1/today"):
            answer = await browser.get(path)
            assert answer.status_code == 500
            assert "secret" not in answer.text
        assert shop.engine.counters["faults"] == 2

    play(story)


def test_addresses_are_read_as_people_and_kernels_write_them() -> None:
    assert split("0.0.0.0:8443") == ("0.0.0.0", 8443)
    assert split("[::]:8443") == ("::", 8443)
    assert host_in("[fe80::1]:8443") == "fe80::1"
    assert host_in("fe80::1") == "fe80::1"
    assert as_address("::ffff:10.0.0.1") == as_address("10.0.0.1")
    assert host_in("[fe80::1%eth0]") == "fe80::1%eth0"
    assert as_address("fe80::1%eth0.7") is not None
    assert as_address("edgebox") is None
    assert as_address(best_address())
    assert all(not address.is_loopback for address in own_addresses())


def test_script_in_what_tills_print_stays_text() -> None:
    async def story(shop: Shop) -> None:
        evil = "<script>alert(1)</script>"
        await shop.record(number=evil, line=f"'\"{evil}")
        await shop.office.accounts.add((await _user(shop))._replace(name="<b>li</b>"))
        await shop.office.accounts.make_token(evil[:32], Role.MANAGER, False, 0, evil)
        browser = await shop.somebody()
        for path in ("/", "/users", "/tokens", "/audit?who=%3Cscript%3E", "/today/now"):
            text = (await browser.get(path)).text
            assert "<script>alert" not in text
            assert "<b>li" not in text
        assert "&lt;script&gt;alert(1)" in (await browser.get("/")).text

    async def _user(shop: Shop):  # type: ignore[no-untyped-def]
        found = shop.office.accounts.user("cashier")
        assert found
        return found

    play(story)


def test_the_page_is_made_of_its_table_alone() -> None:
    async def story(shop: Shop) -> None:
        app = application(shop.office, rows()[:0], Neighbours())
        shop.app = app
        assert (await shop.browser().get("/")).status_code == 404

    play(story)
