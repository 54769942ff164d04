"""A real Chromium for the page's tests: one for each worker, a fresh profile for each visit, only the box to reach.

`Visitor` is one person's browser: it keeps every request that left for elsewhere and every complaint of the browser,
and its `check` says both. `shot` keeps a picture in artefacts/screens.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = shutil.which("chromium") or ""
SCREENS = Path(__file__).resolve().parents[2] / "artefacts" / "screens"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed (debian-packages.txt names it)")


def launched() -> Iterator[Browser]:
    """For a session-scoped fixture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visitor:
    """One person with a browser at the box's page. `language`: zh or en."""

    def __init__(
        self, browser: Browser, url: str, language: str = "zh", *, wide: bool = False, dark: bool = False
    ) -> None:
        self.language, self.wide, self.url = language, wide, url
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.context: BrowserContext = browser.new_context(
            base_url=url,
            ignore_https_errors=True,
            locale=LOCALES[language],
            viewport=DESK if wide else PHONE,  # type: ignore[arg-type]  # a dict of two numbers
            has_touch=not wide,
            device_scale_factor=1 if wide else 2,
            color_scheme="dark" if dark else "light",
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("request", self._note)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def sign_in(self, name: str, password: str) -> None:
        """By hand."""
        self.page.goto("/sign-in")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("form[action='/sign-in'] button")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)

    def shot(self, name: str) -> Path:
        """A picture of the whole page, by name, language and width."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        path = SCREENS / f"{name}-{self.language}-{'desk' if self.wide else 'phone'}.png"
        self.page.screenshot(path=path, full_page=True)
        return path

    def check(self, *, with_axe: bool = True) -> None:
        """Nothing left the box, no complaint, nothing is wider than the screen, axe finds nothing serious."""
        assert self.elsewhere == []
        assert self.complaints == []
        width = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{self.page.url} is {width} px wider than the screen"
        if not with_axe:  # it takes most of a check's time, and the same markup has the same faults
            return
        found = Axe().run(self.page).response["violations"]
        serious = [
            f"{one['id']}: {node['html']}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert serious == [], self.page.url

    def _note(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.elsewhere.append(request.url)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "status of 4" not in message.text:
            self.complaints.append(message.text)
