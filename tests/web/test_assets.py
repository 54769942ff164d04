"""What the page ships of others: the files that were published, with their licences, and nothing unknown."""

import hashlib
import tomllib

import pytest

from edgebox.web.assets import FOLDER, Assets
from tests.web.office import Shop, play

SOURCES = tomllib.loads((FOLDER / "SOURCES.toml").read_text("utf-8"))["asset"]
OWN = {"app.css", "app.js", "logo.svg"}


@pytest.mark.parametrize("asset", SOURCES, ids=lambda asset: asset["file"])
def test_each_file_of_others_is_the_published_one_with_its_licence(asset: dict[str, str]) -> None:
    assert hashlib.sha256((FOLDER / asset["file"]).read_bytes()).hexdigest() == asset["sha256"]
    assert "permission" in (FOLDER / asset["licence_file"]).read_text("utf-8").lower()
    assert asset["licence"] in ("0BSD", "MIT")


def test_every_script_and_style_is_ours_or_named_with_its_source() -> None:
    served = {name for name in Assets.read().names() if not name.startswith("icon-")}
    ours = {name for name in served if name.startswith("app") or name in OWN}
    assert served == ours | {asset["file"] for asset in SOURCES}


def test_a_file_is_kept_by_browsers_for_ever_and_only_at_its_own_address() -> None:
    async def story(shop: Shop) -> None:
        browser = shop.browser()
        answer = await browser.get(shop.office.assets.address("app.css"))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].startswith("text/css")
        for path in ("/assets/0123456789ab/app.css", "/assets/x/../routes.py", "/assets/x/%2e%2e%2froutes.py"):
            assert (await browser.get(path)).status_code == 404

    play(story)
