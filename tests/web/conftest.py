"""A shop with its page for each worker, and a Chromium for each module of tests that want one.

The browser is no longer there than its module: Playwright's own loop stays open as long as it is, and no other test in
this process could call asyncio.run. A module that uses `chromium` plays nothing in memory. Starting one takes 0.5 s.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.web.browser import CHROMIUM, launched
from tests.web.shop import Paired, ShopWithPage


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser; each Visitor has a profile of its own in it."""
    if not CHROMIUM:
        pytest.skip("chromium is not installed (debian-packages.txt names it)")
    yield from launched()


@pytest.fixture(scope="session")
def paired() -> Iterator[Paired]:
    """A shop that was set up by its slip. Its tests share it: what one changes, the next one sees."""
    with tempfile.TemporaryDirectory(prefix="eb") as folder, ShopWithPage(Path(folder) / "shop") as shop:
        yield Paired.pair(shop)
