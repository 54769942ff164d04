"""The first sign-in: a code on paper, good once and not for long."""

import asyncio
import re
from typing import Any

import pytest

from edgebox.desk import paper
from edgebox.desk.paper import Sheet
from edgebox.escpos.compose import Press
from edgebox.slips.template import Purpose
from edgebox.web import slip
from edgebox.web.accounts import Accounts
from edgebox.web.pairing import MINUTES, PRINT_EVERY_S, TRIES_MAX, UNASKED_MAX, Pairing, plain
from edgebox.web.roles import Role
from edgebox.web.slip import print_pairing_slip
from tests.line_of_engine import NOW, FakeLine
from tests.web.office import PASSWORD, Shop, play

CODE = rb"[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}"


class Printed:
    """A printer that says what came out of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sheet: Sheet = Sheet.OUT) -> None:
        self.papers: list[bytes] = []

        async def print_(_: Any, line: str, job: str, body: bytes, *, expires_ms: int = 0) -> Sheet:
            self.papers.append(body)
            return sheet

        monkeypatch.setattr(paper.Paper, "print", print_)

    @property
    def code(self) -> str:
        found = re.findall(CODE, self.papers[-1])
        assert found
        return str(found[0].decode())


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    return Printed(monkeypatch)


async def with_line(shop: Shop) -> None:
    await FakeLine.connect(shop.engine)
    for _ in range(200):
        if shop.engine.lines:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("no line")


def test_whoever_has_the_paper_becomes_the_owner(printed: Printed) -> None:
    async def story(shop: Shop) -> None:
        await with_line(shop)
        browser = shop.browser()
        assert (await browser.get("/")).headers["location"] == "/pair"
        assert "/pair" in (await browser.get("/sign-in")).headers["location"]
        await print_pairing_slip(shop.office, is_asked=False)
        wrong = await browser.send_form("/pair", code="2222-2222", name="Wang", password=PASSWORD)
        assert wrong.status_code == 403
        right = await browser.send_form(
            "/pair", code=printed.code.lower().replace("-", " "), name="Wang", password=PASSWORD
        )
        assert (right.status_code, right.headers["location"]) == (303, "/start")
        owner = shop.office.accounts.user("wang")
        assert owner
        assert owner.role is Role.OWNER
        again = await shop.browser().send_form("/pair", code=printed.code, name="mallory", password=PASSWORD)
        assert again.headers["location"] == "/sign-in"
        assert shop.office.accounts.user("mallory") is None
        assert [row[3] for row in await shop.rows_of("audit")] == ["paired", "signed in"]

    play(story, users=False)


def test_the_code_is_nowhere_but_on_the_paper(printed: Printed, caplog: pytest.LogCaptureFixture) -> None:
    async def story(shop: Shop) -> None:
        await with_line(shop)
        await print_pairing_slip(shop.office, is_asked=False)
        code = plain(printed.code)
        raw = b"".join(path.read_bytes() for path in shop.office.store.path.parent.glob("*") if path.is_file())
        assert code.encode() not in raw
        assert printed.code.encode() not in raw
        page = (await shop.browser().get("/pair")).text
        assert code not in page
        assert printed.code not in caplog.text

    play(story, users=False)


def test_two_phones_with_one_slip_make_one_owner(printed: Printed) -> None:
    async def story(shop: Shop) -> None:
        await with_line(shop)
        await print_pairing_slip(shop.office, is_asked=False)
        phones = [shop.browser(peer=f"192.168.1.{n}") for n in (31, 32, 33)]
        await asyncio.gather(
            *(
                phone.send_form("/pair", code=printed.code, name=f"p{number}", password=PASSWORD)
                for number, phone in enumerate(phones)
            )
        )
        assert len(shop.office.accounts.users()) == 1

    play(story, users=False)


def test_a_code_is_over_after_its_time_after_few_tries_and_after_another_slip(printed: Printed) -> None:
    now = [float(NOW)]

    async def story(shop: Shop) -> None:
        shop.engine.clock = lambda: now[0]
        await with_line(shop)
        await print_pairing_slip(shop.office, is_asked=False)
        first = printed.code
        now[0] += MINUTES * 60
        late = await shop.browser().send_form("/pair", code=first, name="wang", password=PASSWORD)
        assert late.status_code == 410
        assert (await shop.browser().send_form("/pair/print")).status_code == 200
        second = printed.code
        for number in range(TRIES_MAX):
            browser = shop.browser(peer=f"192.168.1.{number + 10}")
            assert (await browser.send_form("/pair", code=first, name="w", password=PASSWORD)).status_code == 403
        over = await shop.browser().send_form("/pair", code=second, name="wang", password=PASSWORD)
        assert over.status_code == 410
        assert not shop.office.accounts.has_users

    play(story, users=False)


def test_tries_are_counted_over_a_restart(printed: Printed) -> None:
    async def story(shop: Shop) -> None:
        await with_line(shop)
        await print_pairing_slip(shop.office, is_asked=False)
        for number in range(TRIES_MAX):
            shop.office.pairing = await Pairing.open(shop.office.store, shop.office.passwords)
            await shop.browser(peer=f"10.0.0.{number}").send_form("/pair", code="x", name="w", password=PASSWORD)
        answer = await shop.browser().send_form("/pair", code=printed.code, name="w", password=PASSWORD)
        assert answer.status_code == 410

    play(story, users=False)


def test_slips_are_not_printed_without_end(printed: Printed) -> None:
    now = [float(NOW)]

    async def story(shop: Shop) -> None:
        shop.engine.clock = lambda: now[0]
        await with_line(shop)
        for _ in range(3 * UNASKED_MAX):  # a box that nobody sets up, switched on every morning
            if shop.office.pairing.may_print(shop.office.now, is_asked=False):
                await print_pairing_slip(shop.office, is_asked=False)
            now[0] += 86_400
        assert len(printed.papers) == UNASKED_MAX
        codes = [(await shop.browser().send_form("/pair/print")).status_code for _ in range(5)]
        assert codes == [200] + [429] * 4
        now[0] += PRINT_EVERY_S
        assert (await shop.browser().send_form("/pair/print")).status_code == 200
        assert len(printed.papers) == UNASKED_MAX + 2

    play(story, users=False)


def test_the_button_pressed_by_many_at_once_prints_one_slip(printed: Printed) -> None:
    async def story(shop: Shop) -> None:
        await with_line(shop)
        phones = [shop.browser(peer=f"192.168.1.{n}") for n in range(31, 37)]
        answers = await asyncio.gather(*(phone.send_form("/pair/print") for phone in phones))
        assert sorted(answer.status_code for answer in answers) == [200] + [429] * 5
        assert len(printed.papers) == 1

    play(story, users=False)


def test_a_box_with_users_prints_no_codes(printed: Printed) -> None:
    async def story(shop: Shop) -> None:
        await with_line(shop)
        assert (await shop.browser().send_form("/pair/print")).status_code == 410
        assert printed.papers == []

    play(story)


def test_without_a_printer_the_page_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(shop: Shop) -> None:
        assert "connected yet" in (await shop.browser(headers={"accept-language": "en"}).get("/pair")).text
        assert (await shop.browser().send_form("/pair/print")).status_code == 503
        await with_line(shop)
        Printed(monkeypatch, Sheet.NOT)
        assert (await shop.browser().send_form("/pair/print")).status_code == 503

    play(story, users=False)


def test_a_weak_password_costs_no_try(printed: Printed) -> None:
    async def story(shop: Shop) -> None:
        await with_line(shop)
        await print_pairing_slip(shop.office, is_asked=False)
        for _ in range(TRIES_MAX + 1):
            answer = await shop.browser().send_form("/pair", code=printed.code, name="wang", password="12345678")
            assert answer.status_code == 422
        good = await shop.browser().send_form("/pair", code=printed.code, name="wang", password=PASSWORD)
        assert good.status_code == 303
        assert (await Accounts.open(shop.office.store)).has_users

    play(story, users=False)


@pytest.mark.parametrize("profile", ["generic-58", "generic-80"])
def test_the_slip_says_where_what_and_for_how_long(profile: str) -> None:
    async def story(shop: Shop) -> None:
        shop.office.address = "192.168.1.20:8443"
        said = slip._said(shop.office, "7KQ4-M2XW", MINUTES)
        assert said.text("url", "zh") == "https://192.168.1.20:8443/pair#7KQ4M2XW"
        press = Press(shop.engine.profile(profile))
        body = shop.engine.decisions.desk_slip(Purpose.PAIRING, lambda _: said, press)
        assert body
        assert said.text("minutes", "zh") == str(MINUTES)
        assert b"https://192.168.1.20:8443" in body.raw
        assert b"7KQ4-M2XW" in body.raw
        assert body.module_dots >= 4  # an old phone reads it

    play(story, users=False)
