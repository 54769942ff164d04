"""Every place of the navigation in a real Chromium: both languages, phone and desk; pictures, and nothing serious."""

from collections.abc import Iterator
from itertools import islice

import pytest
from playwright.sync_api import Browser

from hw_sim.__main__ import streams
from tests.web.browser import Visitor
from tests.web.shop import Paired

BESIDES = ("/more", "/no-such-page")  # in no navigation
# axe takes most of a visit's time, and a language changes no markup: narrow in Chinese and wide in English see all.
WITH_AXE = {("zh", False), ("en", True)}


@pytest.fixture(scope="module")
def places(paired: Paired, chromium: Browser) -> Iterator[list[str]]:
    """Where an owner's navigation leads, of a shop with a day's beginning."""
    for stream in islice(streams("zh-CN"), 4):
        paired.shop.print(stream.raw, 1)
    with Visitor(chromium, paired.shop.url) as visitor:
        visitor.sign_in(paired.name, paired.password)
        visitor.page.goto("/more")
        links = visitor.page.locator("nav.nav a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
        yield [*dict.fromkeys(links), *BESIDES]


@pytest.mark.parametrize("wide", [False, True], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_place_is_readable_and_reachable_in_each_language_and_width(
    paired: Paired, places: list[str], chromium: Browser, language: str, wide: bool
) -> None:
    assert len(places) > 12
    with Visitor(chromium, paired.shop.url, language, wide=wide) as visitor:
        visitor.sign_in(paired.name, paired.password)
        for path in places:
            visitor.page.goto(path)
            assert visitor.page.get_attribute("html", "lang") == ("zh-CN" if language == "zh" else "en")
            visitor.page.locator("main").wait_for()
            visitor.shot(path.strip("/").replace("/", "-") or "today")
            visitor.check(with_axe=(language, wide) in WITH_AXE)
