"""Desk, figures, campaigns, presence and staff in a real Chromium: readable, drawn, live, and usable by keyboard."""

import time
from itertools import islice

import pytest
from playwright.sync_api import Browser

from hw_sim.__main__ import streams
from tests.web.browser import Visitor
from tests.web.shop import Paired

PLACES = ("/desk", "/desk/shift", "/figures", "/campaigns", "/campaigns/edit", "/presence", "/staff")
SOON_S = 1.0  # from the trigger to the page
SMALL = ("/desk/shifts", "/desk/conflicts", "/figures/z-checks")  # a list each: on a phone alone


@pytest.fixture(scope="module")
def filled(paired: Paired) -> Paired:
    """With some sales of today."""
    for stream in islice(streams("zh-CN"), 4):
        paired.shop.print(stream.raw, 1)
    return paired


@pytest.mark.parametrize(("language", "wide"), [("zh", False), ("en", True)], ids=["zh-phone", "en-desk"])
def test_each_page_is_readable_in_each_language_and_width(
    filled: Paired, chromium: Browser, language: str, wide: bool
) -> None:
    with Visitor(chromium, filled.shop.url, language, wide=wide) as visitor:
        visitor.sign_in(filled.name, filled.password)
        for path in PLACES if wide else (*PLACES, *SMALL):
            visitor.page.goto(path)
            visitor.shot(path.strip("/").replace("/", "-"))
            visitor.check(with_axe=not wide)  # the same markup has the same faults


def test_charts_are_drawn_from_the_api_and_nothing_of_it_is_inline(filled: Paired, chromium: Browser) -> None:
    with Visitor(chromium, filled.shop.url, "zh") as visitor:
        visitor.sign_in(filled.name, filled.password)
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(request.url))
        visitor.page.goto("/figures?span=day")
        visitor.page.locator(".chart canvas").nth(1).wait_for()
        assert sum("/api/v1/figures" in url for url in asked) == 1, "two charts share one answer"
        drawn = visitor.page.evaluate("document.querySelector('.chart canvas').toDataURL().length")
        assert drawn > 2000
        visitor.check(with_axe=False)


def test_the_desk_hears_of_a_code_that_another_has_typed(filled: Paired, chromium: Browser) -> None:
    with (
        Visitor(chromium, filled.shop.url, "zh", wide=True) as watching,
        Visitor(chromium, filled.shop.url, "zh") as typing,
    ):
        for visitor in (watching, typing):
            visitor.sign_in(filled.name, filled.password)
            visitor.page.goto("/desk")
        with watching.page.expect_response("**/desk/now"):
            page = typing.page
            page.focus("#code")
            page.keyboard.type("CB:NO-SUCH-CODE")
            page.keyboard.press("Enter")
        typing.page.locator(".answer.bad").wait_for()
        typing.shot("desk-answer")
        typing.check()
        watching.check(with_axe=False)


def test_a_scan_stands_on_the_open_desk_within_a_second(filled: Paired, chromium: Browser) -> None:
    with Visitor(chromium, filled.shop.url, "zh") as visitor:
        visitor.sign_in(filled.name, filled.password)
        visitor.page.goto("/desk")
        rows = visitor.page.locator("#scans ~ .rows li")
        assert rows.count() == 0
        visitor.page.wait_for_function("!document.body.classList.contains('is-deaf')")
        filled.shop.counter._source.scan(b"SC:ABCDEFGH")
        begun = time.monotonic()
        rows.first.wait_for()
        assert time.monotonic() - begun < SOON_S
        assert "SC:" not in visitor.page.content()
        visitor.check(with_axe=False)
