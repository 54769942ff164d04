"""Settings on the page: shown whole, changed on trial, refused with a word; what isn't the page's stays as it is."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.line.frames import Restart
from edgebox.orders import alone
from edgebox.orders.changes import CHANGES, LINE_KEYS, Source
from edgebox.orders.config import Patience, Settings
from edgebox.overlay import Layers
from edgebox.settings import SECTIONS, Config, LineSettings, ScannerSettings, SyncSettings
from edgebox.web.roles import Role
from edgebox.web.setting_book import groups, typed
from tests.line_of_engine import FakeLine
from tests.web.office import Shop, play

FLEET_KEY = "keymaster:" + "A" * 43 + "="


async def may_change(shop: Shop, **layers: Any) -> list[str]:
    """The engine's own way to change them, and no other engine; what it asks of whoever starts one."""
    restarts: list[str] = []
    path = Path(shop.engine.config.engine.data).parent / "edgebox.toml"
    engine = f'[engine]\ndata = "{shop.engine.config.engine.data}"\n'
    path.write_text(engine + '[web]\nlisten = "0.0.0.0:8443"\n[[line]]\nname = "line1"\n', "utf-8")
    book = await alone.begin(shop.engine, Source(path), lambda: restarts.append("restart"), Patience(settle_s=600.0))
    if layers:
        await book.lay(Layers(**layers))
    shop.engine.settings = book
    return restarts


async def end(shop: Shop) -> None:
    assert isinstance(shop.engine.settings, Settings)
    await shop.engine.settings.close()


def test_every_setting_is_shown_with_its_value_and_where_it_came_from() -> None:
    config = Config(line=(LineSettings(name="till-1"),), scanner=(ScannerSettings(),))
    found = groups(config, Layers(page={"shop.name": "x"}, cloud={"log.level": "info"}), is_open=True)
    shown = {one.key: one for group in found for one in group.settings}
    assert set(CHANGES) - set(shown) == {key for key in CHANGES if key.startswith(("line.", "scanner."))}
    assert len(shown) == sum(len(msgspec.structs.fields(kind)) for kind in SECTIONS.values())
    assert (shown["shop.name"].origin, shown["log.level"].origin) == ("page", "cloud")
    assert not shown["log.level"].can_change
    assert shown["shop.decimals"].can_change
    assert (shown["shop.decimals"].least, shown["shop.decimals"].most) == ("0", "3")
    assert shown["log.level"].choices == sorted(("debug", "info", "warning", "error"))
    changeable = {one.key for one in shown.values() if one.key.startswith("line.") and one.can_change}
    assert changeable == {f"line.till-1.{key}" for key in LINE_KEYS}
    assert not any(one.can_change for one in shown.values() if one.kind == "table")


def test_whose_the_box_is_can_be_changed_here_only_while_it_is_nobodys() -> None:
    owned = Config(sync=SyncSettings(fleet_keys=(FLEET_KEY,)))
    for config, may in ((Config(), True), (owned, False)):
        (url,) = [
            one for group in groups(config, Layers(), is_open=True) for one in group.settings if one.key == "sync.url"
        ]
        assert url.can_change is may


@pytest.mark.parametrize(
    ("key", "texts", "value"),
    [
        ("shop.decimals", ["2"], 2),
        ("shop.round_to_cash", ["false"], False),
        ("store.sightings_s", ["0.5"], 0.5),
        ("shop.name", ["  面馆 "], "面馆"),
        ("shop.decimal_mark", [""], ""),
        ("slip.show", ["points\n\n comeback \n"], ["points", "comeback"]),
        ("slip.languages", ["zh", "en"], ["zh", "en"]),
        ("beacons.listen", [], []),
        ("line.till-1.profile", ["epson-tm-t88"], "epson-tm-t88"),
    ],
)
def test_what_is_typed_becomes_the_settings_own_type(key: str, texts: list[str], value: object) -> None:
    assert typed(key, texts) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [("shop.decimals", "two"), ("shop.round_to_cash", "maybe"), ("beacons.tags", "x"), ("store.sightings_s", "")],
)
def test_what_is_typed_wrong_is_refused(key: str, text: str) -> None:
    with pytest.raises(Exception, match="bad_input"):
        typed(key, [text])


def test_a_change_goes_on_trial_and_the_page_waits_for_the_next_run() -> None:
    async def story(shop: Shop) -> None:
        restarts = await may_change(shop)
        browser = await shop.somebody(Role.INSTALLER)
        answer = await browser.send_form("/settings/change", key="shop.name", value="Corner Shop")
        assert answer.status_code == 200
        assert "restarting" in answer.text
        assert 'id="wrong"' not in answer.text, "its own restart is no trouble"
        assert 'id="wrong"' in (await browser.get("/more")).text
        assert restarts == ["restart"]
        assert shop.engine.settings is not None
        assert shop.engine.settings.layers.page == {"shop.name": "Corner Shop"}
        again = await browser.send_form("/settings/change", key="shop.name", value="Other")
        assert again.status_code == 409
        assert "on trial" in (await browser.get("/settings")).text
        (row,) = [row for row in await shop.rows_of("audit") if row[3] == "setting changed"]
        assert row[4] == "shop.name"
        await end(shop)

    play(story)


def test_a_change_that_needs_no_restart_is_in_force_at_once() -> None:
    async def story(shop: Shop) -> None:
        restarts = await may_change(shop)
        program = await shop.token(Role.OWNER, writes=True)
        answer = await program.put("/api/v1/settings/log.level", json={"value": ["error"]})
        assert answer.json() == {"effect": "live"}
        assert restarts == []
        await end(shop)

    play(story)


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("shop.decimals", "9", 422),
        ("shop.tz", "Moon/Base", 422),
        ("shop.currency", "<script>alert(1)</script>", 422),
        ("engine.data", "/tmp", 422),
        ("line.line1.till", "tcp://0.0.0.0:9100", 422),
        ("web.listen", "", 422),
        ("web.listen", "127.0.0.1:8443", 422),
        ("web.listen", "0.0.0.0:99999", 422),
        ("web.listen", "203.0.113.9:8443", 422),
        ("no.such", "1", 404),
        ("../../etc/passwd", "1", 404),
    ],
)
def test_what_can_not_be_had_is_refused_in_words_and_changes_nothing(key: str, value: str, status: int) -> None:
    async def story(shop: Shop) -> None:
        restarts = await may_change(shop)
        browser = await shop.somebody(Role.INSTALLER)
        answer = await browser.send_form("/settings/change", key=key, value=value)
        assert answer.status_code == status, answer.text
        assert "<script>alert" not in answer.text
        assert restarts == []
        assert shop.engine.settings is not None
        assert shop.engine.settings.layers == Layers()
        await end(shop)

    play(story)


def test_another_printer_profile_is_for_the_line_too_and_must_be_one() -> None:
    async def story(shop: Shop) -> None:
        await may_change(shop)
        line = await FakeLine.connect(shop.engine, "line1")
        while "line1" not in shop.engine.lines:  # noqa: ASYNC110 - the engine has no event for it
            await asyncio.sleep(0.001)
        program = await shop.token(Role.OWNER, writes=True)
        answer = await program.put("/api/v1/settings/line.line1.profile", json={"value": ["no-such-model"]})
        assert (answer.status_code, answer.json()["reason"]) == (422, "setting")
        answer = await program.put("/api/v1/settings/line.line1.profile", json={"value": ["generic-58"]})
        assert answer.json() == {"effect": "restart"}
        assert isinstance(await line.next(), Restart)
        browser = await shop.somebody(Role.INSTALLER)
        assert (await browser.send_form("/devices/line1/restart")).status_code == 303
        assert isinstance(await line.next(), Restart)
        assert (await browser.send_form("/devices/line9/restart")).status_code == 404
        await end(shop)

    play(story)


def test_what_head_office_has_set_is_not_changed_on_the_page() -> None:
    async def story(shop: Shop) -> None:
        await may_change(shop, cloud={"shop.name": "Head Office's"}, revision=3)
        program = await shop.token(Role.OWNER, writes=True)
        answer = await program.put("/api/v1/settings/shop.name", json={"value": ["mine"]})
        assert (answer.status_code, answer.json()["reason"]) == (422, "setting")
        assert "head office" in answer.json()["hint"]
        await end(shop)

    play(story)


def test_a_setting_goes_back_to_what_the_file_says() -> None:
    async def story(shop: Shop) -> None:
        await may_change(shop, page={"log.level": "error"})
        program = await shop.token(Role.OWNER, writes=True)
        assert (await program.delete("/api/v1/settings/log.level")).json() == {"effect": "live"}
        assert shop.engine.settings is not None
        assert shop.engine.settings.layers.page == {}
        await end(shop)

    play(story)


def test_managers_and_cashiers_see_none_of_it() -> None:
    async def story(shop: Shop) -> None:
        for role in (Role.MANAGER, Role.CASHIER):
            browser = await shop.somebody(role)
            assert (await browser.get("/settings")).status_code == 403

    play(story)
