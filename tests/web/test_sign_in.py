"""Signing in: passwords, sessions, waits after wrong tries, and what a browser must say with every change."""

import asyncio
import re

import pytest

from edgebox.store.events import Stream
from edgebox.web.passwords import WAITING_MAX, Passwords, check_strength
from edgebox.web.roles import Role
from edgebox.web.sessions import DAY_S, MINUTE_S
from edgebox.web.tries import FORGET_S, KEYS_MAX, OF_ADDRESS, OF_NAME, Patience, Tries
from edgebox.web.visit import COOKIE, local_path
from tests.line_of_engine import NOW
from tests.web.office import CHEAP, ORIGIN, PASSWORD, Shop, cookie_of, play


def test_a_password_opens_the_page_and_a_wrong_one_does_not() -> None:
    async def story(shop: Shop) -> None:
        browser = shop.browser()
        assert (await browser.get("/users")).headers["location"] == "/sign-in?to=/users"
        wrong = await browser.send_form("/sign-in", name="owner", password="another pass")
        assert wrong.status_code == 403
        assert "name or the password" in wrong.text or "用户名或密码" in wrong.text
        right = await browser.send_form("/sign-in", name=" Owner ", password=PASSWORD, to="/users")
        assert (right.status_code, right.headers["location"]) == (303, "/users")
        assert (await browser.get("/users")).status_code == 200

    play(story)


def test_a_name_that_does_not_exist_is_told_the_same_as_a_wrong_password() -> None:
    async def story(shop: Shop) -> None:
        browser = shop.browser()
        one = await browser.send_form("/sign-in", name="owner", password="x" * 9)
        other = await browser.send_form("/sign-in", name="nobody", password="x" * 9)
        assert one.status_code == other.status_code
        assert one.text.replace('"owner"', '"nobody"') == other.text

    play(story)


def test_the_cookie_is_for_this_host_over_tls_and_no_script() -> None:
    async def story(shop: Shop) -> None:
        answer = await shop.browser().send_form("/sign-in", name="owner", password=PASSWORD)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie

    play(story)


def test_no_cookie_token_or_password_is_on_the_disk() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        program = await shop.token()
        said = cookie_of(browser)
        token = program.headers["authorization"].partition(" ")[2]
        shop.office.store.connection  # noqa: B018 - there is one: what is committed is in the files
        raw = b"".join(path.read_bytes() for path in shop.office.store.path.parent.glob("*") if path.is_file())
        for secret in (said, token, PASSWORD, browser.csrf):
            assert len(secret) > 8
            assert secret.encode() not in raw

    play(story)


def test_signing_in_gives_another_cookie_and_ends_the_one_before() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody(Role.CASHIER)
        before = cookie_of(browser)
        await browser.sign_in("manager")
        assert cookie_of(browser) != before
        thief = shop.browser(cookies={COOKIE: before})
        assert (await thief.get("/")).status_code == 303

    play(story)


def test_who_is_away_too_long_is_signed_out_and_so_is_who_stays_for_ever() -> None:
    now = [float(NOW)]

    async def story(shop: Shop) -> None:
        shop.engine.clock = lambda: now[0]
        browser = await shop.somebody()
        for _ in range(13):
            now[0] += 11 * 3600
            assert (await browser.get("/more")).status_code == 200
        now[0] += 12 * 3600 + MINUTE_S
        assert (await browser.get("/more")).status_code == 303
        again = await shop.somebody()
        for _ in range(7 * 24):
            now[0] += 2 * 3600
            last = await again.get("/more")
        assert last.status_code == 200
        now[0] += 14 * DAY_S - 7 * 24 * 2 * 3600 + 1
        assert (await again.get("/more")).status_code == 303
        await shop.office.sessions.tidy(shop.office.now)
        assert await shop.rows_of("web_sessions") == []

    play(story)


def test_sessions_and_users_outlive_a_restart() -> None:
    async def story(shop: Shop) -> None:
        from edgebox.web.accounts import Accounts
        from edgebox.web.sessions import Sessions

        browser = await shop.somebody()
        shop.office.accounts = await Accounts.open(shop.office.store)
        shop.office.sessions = await Sessions.open(shop.office.store, 720, 14)
        assert (await browser.get("/more")).status_code == 200
        assert await browser.send_form("/sign-out")
        shop.office.sessions = await Sessions.open(shop.office.store, 720, 14)
        assert (await browser.get("/more")).status_code == 303

    play(story)


def test_a_change_of_password_signs_out_everywhere_else() -> None:
    async def story(shop: Shop) -> None:
        here, there = await shop.somebody(), await shop.somebody()
        weak = await here.send_form("/more/password", before=PASSWORD, password="12345678")
        assert weak.status_code == 422
        wrong = await here.send_form("/more/password", before="not mine", password="another pass 8")
        assert wrong.status_code == 403
        assert (await here.send_form("/more/password", before=PASSWORD, password="another pass 8")).status_code == 303
        assert "password was changed" in (await here.get("/more")).text
        assert (await there.get("/more")).status_code == 303
        await there.sign_in("owner", "another pass 8")

    play(story)


def test_a_user_who_is_removed_or_gets_another_role_is_signed_out_at_once() -> None:
    async def story(shop: Shop) -> None:
        owner, cashier = await shop.somebody(), await shop.somebody(Role.CASHIER)
        assert (await owner.send_form("/users/cashier/change", role="manager")).status_code == 303
        assert (await cashier.get("/")).status_code == 303
        await cashier.sign_in("cashier")
        assert (await owner.send_form("/users/cashier/remove")).status_code == 303
        assert (await cashier.get("/")).status_code == 303
        assert (await owner.send_form("/users/owner/change", role="cashier")).status_code == 409
        assert (await owner.send_form("/users/owner/remove")).status_code == 409
        audit = [(row[2], row[3], row[4]) for row in await shop.rows_of("audit")]
        assert ("owner", "user changed", "cashier") in audit
        assert ("owner", "user removed", "cashier") in audit

    play(story)


def test_each_change_leaves_a_row_without_a_secret() -> None:
    async def story(shop: Shop) -> None:
        owner = await shop.somebody()
        await owner.send_form("/users/add", name="Li", password="her own pass 5", role="manager")
        await owner.send_form("/users/li/change", password="her own pass 6")
        made = await owner.send_form("/tokens/add", name="till system", role="manager", writes="true")
        token = re.search(r"ebt_[\w-]+", made.text)
        assert token
        await owner.send_form("/tokens/till system/end")
        rows = await shop.office.store.rows(Stream.AUDIT, None, limit_rows=100, limit_bytes=1 << 20)
        text = b"".join(row.body for row in rows).decode()
        for what in ("user added", "user changed and password", "token made", "token ended"):
            assert what in text
        for secret in ("her own pass", token[0], PASSWORD):
            assert secret not in text
        assert token[0] not in (await owner.get("/tokens")).text

    play(story)


# -- wrong tries


def test_after_some_wrong_tries_an_address_waits_and_the_right_password_waits_with_it() -> None:
    async def story(shop: Shop) -> None:
        thief = shop.browser(peer="192.168.1.66")
        codes = [
            (await thief.send_form("/sign-in", name="owner", password=f"guess {n} xyz")).status_code for n in range(7)
        ]
        assert codes == [403] * 5 + [429] * 2
        assert (await thief.send_form("/sign-in", name="owner", password=PASSWORD)).status_code == 429
        await shop.somebody()  # the owner, from another address, is not kept out

    play(story)


def test_tries_that_are_sent_at_once_are_not_all_free() -> None:
    async def story(shop: Shop) -> None:
        thief = shop.browser(peer="192.168.1.66")
        tries = [thief.send_form("/sign-in", name="owner", password=f"guess {n} xyz") for n in range(40)]
        codes = [answer.status_code for answer in await asyncio.gather(*tries)]
        assert codes.count(403) <= OF_ADDRESS.free

    play(story)


@pytest.mark.parametrize("patience", [OF_NAME, OF_ADDRESS])
def test_waits_double_up_to_a_limit_and_end(patience: Patience) -> None:
    tries, now, waits = Tries(patience), 0.0, []
    for _ in range(patience.free + 12):
        waits.append(tries.wait_s("key", now))
        now += waits[-1]
        tries.failed("key", now)
    assert waits[: patience.free] == [0.0] * patience.free
    assert waits[patience.free : patience.free + 2] == [patience.first_s, 2 * patience.first_s]
    assert waits[-1] == patience.longest_s
    assert tries.wait_s("key", now + FORGET_S + 1) == 0.0


def test_a_success_forgets_and_only_so_many_keys_are_remembered() -> None:
    tries = Tries(OF_ADDRESS)
    for number in range(3 * KEYS_MAX):
        tries.failed(f"10.0.0.{number}", 0.0)
    assert len(tries._failed) == KEYS_MAX
    for _ in range(9):
        tries.failed("key", 0.0)
    assert tries.wait_s("key", 0.0) > 0
    tries.succeeded("key")
    assert tries.wait_s("key", 0.0) == 0


# -- passwords


def test_a_password_is_known_again_and_kept_so_that_two_of_one_kind_differ() -> None:
    async def story() -> None:
        passwords = Passwords(CHEAP)
        one, other = await passwords.made(PASSWORD), await passwords.made(PASSWORD)
        assert one != other
        assert one.startswith("scrypt$")
        assert await passwords.is_right(PASSWORD, one)
        assert not await passwords.is_right(PASSWORD + "x", one)
        assert not await passwords.is_right(PASSWORD, "")
        passwords.close()

    asyncio.run(story())


@pytest.mark.parametrize("weak", ["", "short1!", "12345678", "Password", "aaaaaaaaaa", "shopowner", "x" * 129])
def test_what_is_guessed_first_is_no_password(weak: str) -> None:
    with pytest.raises(Exception, match="weak_password"):
        check_strength(weak, "ShopOwner")


def test_nobody_is_sent_elsewhere_after_signing_in() -> None:
    elsewhere = ("//evil.example", "/\\evil", "https://evil.example/", "javascript:x", "evil", "/a\r\nb", "//[")
    assert [local_path(path) for path in elsewhere] == ["/"] * len(elsewhere)
    assert local_path("/users?page=2") == "/users?page=2"

    async def story(shop: Shop) -> None:
        for path in elsewhere:
            answer = await shop.browser().send_form("/sign-in", name="owner", password=PASSWORD, to=path)
            assert answer.headers["location"] == "/"
        owner = await shop.somebody()
        headers = {"origin": ORIGIN, "referer": "https://["}
        answer = await owner.post("/language", data={"csrf": owner.csrf, "language": "en"}, headers=headers)
        assert answer.headers["location"] == "/"

    play(story)


def test_a_language_is_chosen_before_and_after_signing_in() -> None:
    async def story(shop: Shop) -> None:
        browser = shop.browser(headers={"accept-language": "zh-CN,zh;q=0.9"})
        assert 'lang="zh-CN"' in (await browser.get("/sign-in")).text
        headers = {"origin": ORIGIN, "referer": f"{ORIGIN}/sign-in"}
        answer = await browser.post("/language", data={"language": "en"}, headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert 'lang="en"' in (await browser.get("/sign-in")).text
        await browser.sign_in("owner")
        await browser.send_form("/language", language="zh")
        assert "操作记录" in (await browser.get("/more")).text
        assert (await browser.send_form("/language", language="xx")).status_code == 422

    play(story)


def test_a_try_that_nobody_had_time_for_is_none() -> None:
    async def story(shop: Shop) -> None:
        passwords, browser = shop.office.passwords, shop.browser()
        passwords._waiting = WAITING_MAX
        for _ in range(20):
            assert (await browser.send_form("/sign-in", name="owner", password=PASSWORD)).status_code == 503
        passwords._waiting = 0
        await browser.sign_in("owner")

    play(story)


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_no_address_holds_is_no_name(name: str) -> None:
    """Browsers take dots out of `/tokens/../end`: nobody could end that token again."""

    async def story(shop: Shop) -> None:
        owner = await shop.somebody()
        assert (await owner.send_form("/tokens/add", name=name, role="owner")).status_code == 422
        assert (await owner.send_form("/users/add", name=name, password=PASSWORD)).status_code == 422
        assert not shop.office.accounts.tokens()
        assert shop.office.accounts.user(name) is None

    play(story)
