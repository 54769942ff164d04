"""The page in a real Chromium, with the real engine and line and a simulated printer: first start, live, looks."""

import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from hw_sim.__main__ import streams
from hw_sim.phone import codes_on
from tests.web.browser import Visitor
from tests.web.shop import Paired, ShopWithPage

SOON_S = 1.0  # from the cut to the page


def raw_receipts(count: int) -> Iterator[bytes]:
    for stream in islice(streams("zh-CN"), count):
        yield stream.raw


def test_from_the_first_start_to_the_first_receipt_without_a_terminal(chromium: Browser) -> None:
    with tempfile.TemporaryDirectory(prefix="eb") as folder, ShopWithPage(Path(folder) / "shop") as shop:
        code = shop.pairing_code()
        paper = Path(folder) / "paper.png"
        shop.draw_last(paper)
        (address,) = codes_on(paper)
        assert address == f"{shop.url}/pair#{code.replace('-', '')}"
        with Visitor(chromium, shop.url, "zh") as owner:
            owner.page.goto(address)
            assert owner.page.input_value("#code") == code.replace("-", "")
            assert "#" not in owner.page.url
            owner.shot("pair")
            owner.check()
            owner.page.fill("#name", "Wang")
            owner.page.fill("#password", "a good pass 7")
            owner.page.keyboard.press("Enter")
            owner.page.wait_for_url("**/start/shop")  # tests/web/test_first_walk.py goes on there
            owner.page.goto("/")
            owner.page.locator("#now").wait_for()
            owner.shot("today-empty")
            owner.check()
            for number, raw in enumerate(raw_receipts(2)):
                shop.print(raw, 1)
                begun = time.monotonic()
                owner.page.locator("#now .rows li").nth(number).wait_for()
                assert time.monotonic() - begun < SOON_S
            owner.check()


@pytest.fixture(scope="module")
def filled(paired: Paired) -> Paired:
    """With a day's beginning."""
    for raw in raw_receipts(6):
        paired.shop.print(raw, 1)
    return paired


def test_signing_in_is_readable_before_anybody_is_known(filled: Paired, chromium: Browser) -> None:
    """tests/web/test_all_pages.py walks through the places behind it."""
    with Visitor(chromium, filled.shop.url, "en") as visitor:
        visitor.page.goto("/sign-in")
        visitor.shot("sign-in")
        visitor.check()


def test_the_page_is_calm_in_the_dark(filled: Paired, chromium: Browser) -> None:
    with Visitor(chromium, filled.shop.url, "zh", dark=True) as visitor:
        visitor.sign_in(filled.name, filled.password)
        for path in ("/", "/users"):
            visitor.page.goto(path)
            visitor.shot((path.strip("/") or "today") + "-dark")
            visitor.check()


def test_the_page_is_used_by_keyboard_alone(filled: Paired, chromium: Browser) -> None:
    with Visitor(chromium, filled.shop.url, "en", wide=True) as visitor:
        page = visitor.page
        page.goto("/sign-in")
        page.keyboard.type(filled.name)  # the field has the focus
        page.keyboard.press("Tab")
        page.keyboard.type(filled.password)
        page.keyboard.press("Enter")
        page.locator("#now").wait_for()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.getAttribute('href')"))
        assert {"/", "/box", "/users", "/audit", "/more"} <= reached


LOOKED_AFTER_MS = 40_000  # the engine looks every ten seconds; a busy machine adds to that


def test_what_goes_wrong_is_said_on_the_open_page(filled: Paired, chromium: Browser) -> None:
    with Visitor(chromium, filled.shop.url, "zh") as visitor:
        visitor.sign_in(filled.name, filled.password)
        visitor.page.locator("#now").wait_for()
        trouble = visitor.page.locator(".trouble.failed").first
        filled.shop.stop_line()
        try:
            trouble.wait_for(timeout=LOOKED_AFTER_MS)
            visitor.shot("trouble")
            visitor.check()
        finally:
            filled.shop.start_line()  # other tests print in this shop
        trouble.wait_for(state="detached", timeout=LOOKED_AFTER_MS)
