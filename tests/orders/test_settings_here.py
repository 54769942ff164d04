"""Settings that the box's own page changes, without any cloud: judged, tried over a restart, taken back."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from edgebox import overlay
from edgebox.config import load
from edgebox.engine import Engine
from edgebox.errors import OrderError
from edgebox.orders.alone import begin, in_force
from edgebox.orders.changes import Source, judge, rejected_here
from edgebox.orders.config import Settings
from edgebox.overlay import Layers
from sync.contract_commands import Role
from tests.box_of_orders import FLEET, PATIENCE
from tests.line_of_engine import FakeLine, running


class Here(NamedTuple):
    engine: Engine
    settings: Settings
    restarts: list[str]

    async def until(self, *, is_on_trial: bool) -> None:
        async with asyncio.timeout(5):
            while self.settings.is_on_trial is not is_on_trial:  # noqa: ASYNC110 - the trial tells nobody
                await asyncio.sleep(0.01)

    async def audited(self) -> list[tuple[str, str]]:
        assert self.engine.store is not None
        return await self.engine.store.read(lambda db: db.execute("SELECT what, reason FROM audit").fetchall())


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


@contextlib.asynccontextmanager
async def box(folder: Path, more: str = "") -> AsyncIterator[Here]:
    """One run of the engine."""
    file = folder / "edgebox.toml"
    file.write_text(f'[engine]\ndata = "{folder}/data"\n[[line]]\nname = "line1"\n{more}', "utf-8")
    if (folder / "data").exists():
        overlay.start(folder / "data")
    laid = overlay.read(folder / "data").layers.merged()
    async with running(folder, *(f"{key}={value}" for key, value in laid.items() if key.startswith("shop"))) as engine:
        restarts: list[str] = []
        settings = await begin(engine, Source(file), lambda: restarts.append("again"), PATIENCE)
        try:
            yield Here(engine, settings, restarts)
        finally:
            await settings.close()


def test_a_change_is_tried_over_a_restart_and_stays(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as here:
            await FakeLine.connect(here.engine)
            assert not await here.settings.change_here({"shop.name": "Wang", "line.line1.profile": "generic-58"})
            assert here.restarts == ["again"]
            with pytest.raises(OrderError, match="on trial"):
                await here.settings.change_here({"shop.name": "Li"})
        async with box(folder) as later:
            assert later.settings.is_on_trial
            await FakeLine.connect(later.engine)
            await later.until(is_on_trial=False)
            assert (later.restarts, later.settings.taken_back) == ([], "")
            found = Source(folder / "edgebox.toml").load(later.settings.layers)
            assert (found.shop.name, found.line[0].profile) == ("Wang", "generic-58")
            assert in_force(found, "line.line1.profile") == "generic-58"
            assert await later.settings.change_here({"shop.name": "Wang"})  # nothing to change
        assert load(folder / "edgebox.toml").shop.name == "Wang"

    asyncio.run(play())


def test_of_two_changes_at_once_one_is_told_and_none_is_lost(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as here:
            both = ({"shop.name": "Wang"}, {"shop.trade": "cafe"})
            ends = await asyncio.gather(*map(here.settings.change_here, both), return_exceptions=True)
            refused = [end.reason for end in ends if isinstance(end, OrderError)]
            assert (refused, here.restarts) == (["trial"], ["again"])
            assert here.settings.layers.page in both

    asyncio.run(play())


def test_a_line_that_does_not_come_back_takes_the_change_back_and_the_audit_says_why(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as here:
            line = await FakeLine.connect(here.engine)
            async with asyncio.timeout(5):
                while not here.engine.lines:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await here.settings.change_here({"shop.name": "Wang"})
            line.close()
        async with box(folder) as trial:
            async with asyncio.timeout(5):
                while not trial.restarts:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        async with box(folder) as after:
            assert after.settings.layers == Layers()
            assert "line1: not connected" in after.settings.taken_back
            assert [(what, "not connected" in why) for what, why in await after.audited()] == [
                ("settings taken back", True)
            ]
        async with box(folder) as third:  # said once
            assert third.settings.taken_back == ""

    asyncio.run(play())


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("shop.decimals", 9, "9"),
        ("shop.nothing", 1, "not changed on the page"),
        ("line.line1.printer", "tcp://1.2.3.4:9100", "not changed on the page"),
        ("line.line1.profile", "../../etc", "a file's name"),
        ("claims.keys", "/etc/passwd", "not changed on the page"),
        ("engine.data", "/", "not changed on the page"),
        ("shop.tz", "Mars/Here", "no time zone"),
    ],
)
def test_what_the_page_may_not_set_is_refused_with_its_reason(folder: Path, key: str, value: object, why: str) -> None:
    async def play() -> None:
        async with box(folder) as here:
            with pytest.raises(OrderError, match=why) as caught:
                await here.settings.change_here({key: value, "shop.name": "Wang"})
            assert caught.value.reason == "values"
            assert (here.restarts, here.settings.layers) == ([], Layers())

    asyncio.run(play())


def test_the_fleet_sets_a_lines_profile_and_nothing_else_of_it(folder: Path) -> None:
    file = folder / "edgebox.toml"
    file.write_text('[[line]]\nname = "bar.1"\n', "utf-8")
    content = {
        "values": {"line.bar.1.profile": "generic-58", "line.bar.1.till": "tcp://0.0.0.0:1", "line.profile": "x"}
    }
    judged = judge(msgspec.json.encode(content), Role.OWNER, Layers(), Source(file))
    assert judged.good == {"line.bar.1.profile": "generic-58"}
    assert set(judged.rejected) == {"line.bar.1.till", "line.profile"}
    laid = Source(file).load(Layers(cloud=judged.good))
    assert laid.line[0].profile == "generic-58"
    gone = Source(file).load(Layers(cloud={"line.another.profile": "generic-58"}))  # the installer has renamed it
    assert [line.profile for line in gone.line] == ["generic-80"]


def test_the_page_gives_the_box_to_a_fleet_and_takes_it_from_none(folder: Path) -> None:
    file = folder / "edgebox.toml"
    file.write_text("[[line]]\n", "utf-8")
    to_another = {"sync.url": "mqtts://other.example.com", "sync.tenant": "other"}
    assert rejected_here(to_another, Layers(), Source(file)) == {}
    keys = ", ".join(f'"{key}"' for key in FLEET.split(","))
    file.write_text(f"[sync]\nfleet_keys = [{keys}]\n[[line]]\n", "utf-8")
    assert set(rejected_here(to_another, Layers(), Source(file))) == {"sync.url", "sync.tenant"}
    of_fleet = Layers(cloud={"shop.name": "head office's"})
    assert set(rejected_here({"shop.name": "mine", "till.learn_layouts": 3}, of_fleet, Source(file))) == {"shop.name"}
