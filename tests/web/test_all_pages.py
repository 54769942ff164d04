"""Every place of the navigation in a real Chromium: both languages, phone and desk; pictures, and nothing serious."""

from collections.abc import Iterator
from itertools import islice

import pytest
from playwright.sync_api import Browser

from hw_sim.__main__ import streams
from tests.web.browser import Visitor
from tests.web.shop import Paired

BESIDES = ("/certificate", "/more", "/no-such-page")  # in no navigation
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


@pytest.mark.parametrize(("language", "wide"), [("zh", False), ("en", True)], ids=["zh-phone", "en-desk"])
def test_each_place_is_readable_and_reachable_in_each_language_and_width(
    paired: Paired, places: list[str], chromium: Browser, language: str, wide: bool
) -> None:
    assert len(places) > 12
    wrong: dict[str, str] = {}
    with Visitor(chromium, paired.shop.url, language, wide=wide) as visitor:
        visitor.sign_in(paired.name, paired.password)
        for path in places:
            visitor.page.goto(path)
            assert visitor.page.get_attribute("html", "lang") == ("zh-CN" if language == "zh" else "en")
            visitor.page.locator("main").wait_for()
            visitor.shot(path.strip("/").replace("/", "-") or "today")
            try:
                visitor.check(with_axe=(language, wide) in WITH_AXE)
            except AssertionError as fault:  # the walk goes on: one place's fault hides no other's
                wrong[path] = f"{fault} {visitor.complaints} {visitor.elsewhere}"
                visitor.complaints.clear()
                visitor.elsewhere.clear()
    assert wrong == {}


def test_an_installer_looks_the_box_over_and_changes_a_setting(paired: Paired, chromium: Browser) -> None:
    """Self-test, slips off and on, a backup, the log; then a change that restarts the engine, and the page is back."""
    with Visitor(chromium, paired.shop.url, "en") as visitor:
        visitor.sign_in(paired.name, paired.password)
        page = visitor.page
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto("/devices")
        page.locator(".findings li").first.wait_for()
        papers = paired.shop.slips()
        page.click("form[action$='/test'] button")
        page.locator(".note").wait_for()
        assert paired.shop.slips() == papers + 1
        page.click("button.danger")
        page.get_by_text("Turn slips on").wait_for()
        visitor.shot("devices-slips-off")
        page.click("form[action$='/slips'] button")
        page.get_by_text("Turn slips off").wait_for()
        page.goto("/backup")
        page.click("form[action='/backup/make'] button")
        page.locator("a[download]").wait_for()
        visitor.shot("backup-made")
        with page.expect_download() as fetched:
            page.click("a[download]")
        assert fetched.value.suggested_filename.endswith(".backup")
        page.goto("/settings")
        page.locator("summary").first.click()
        page.fill("details[open] input[name=value]", "Corner Shop")
        visitor.shot("settings-open")
        visitor.check()
        page.click("details[open] button")
        page.locator("main[id=main] section[hx-get^='/settings/over']").wait_for()
        visitor.shot("settings-wait")
        page.locator(".note", has_text="on trial").wait_for()
        assert "Corner Shop" in page.inner_text("main")
        visitor.shot("settings-on-trial")
        assert visitor.elsewhere == []
