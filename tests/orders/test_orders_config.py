"""Settings from afar: judged key by key, tried, and taken back when the box is not as well as before."""

import asyncio
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox import overlay
from edgebox.errors import StoreFull
from edgebox.orders.changes import CHANGES, Effect, Source, judge
from edgebox.overlay import Layers
from edgebox.settings import SECTIONS
from sync.contract import BundleKind, Reply
from sync.contract_commands import Role
from sync.signing import public_text
from tests.box_of_orders import Box, box
from tests.sync.fleet import KEYS, NOW, PRIVATE, bundle, signed


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def values(**changed: Any) -> dict[str, Any]:
    """`shop__tz="…"` → the content of a configuration."""
    return {"values": {key.replace("__", "."): value for key, value in changed.items()}}


def args(revision: int, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"revision": revision, "content": content, **more}


def shown(reply: Reply) -> tuple[str, str]:
    return reply.state.value, reply.reason


def state(shop: Box) -> tuple[str, int]:
    found = shop.orders.bundles.report()["config"]
    return found.state, found.revision


def test_every_setting_has_a_row_in_the_table() -> None:
    known = {f"{name}.{field.name}" for name, kind in SECTIONS.items() for field in msgspec.structs.fields(kind)}
    assert set(CHANGES) == known
    assert {key for key, change in CHANGES.items() if change.effect is Effect.LIVE} == {"log.level"}
    fixed = {key for key, change in CHANGES.items() if change.effect is Effect.FIXED}
    assert {"engine.data", "claims.keys", "sync.credentials", "line.printer"} <= fixed
    assert CHANGES["sync.fleet_keys"].role is Role.KEYMASTER


def test_a_change_is_tried_over_a_restart_and_confirmed(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await shop.line()
            await shop.begin("config.set", args(1, values(points__spend_per_point=1800)), id="s1")
            await shop.until(lambda: shop.restarts == 1)
            assert state(shop) == ("trial", 1)
        async with box(folder) as later:
            assert later.engine.config.points.spend_per_point == 1800
            assert later.way.replies == []
            await later.line()
            assert shown(await later.end("s1")) == ("succeeded", "")
            assert state(later) == ("in_force", 1)
        async with box(folder) as third:
            assert third.engine.config.points.spend_per_point == 1800
            assert third.restarts == 0

    asyncio.run(play())


@pytest.mark.parametrize("ill", ["line", "cloud", "deaf", "engine"])
def test_a_box_that_is_not_as_well_as_before_goes_back(folder: Path, ill: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> None:
        raise ZeroDivisionError

    async def play() -> None:
        async with box(folder) as shop:
            await shop.line()
            await shop.begin("config.set", args(1, values(shop__decimals=0)), id="s1")
            await shop.until(lambda: shop.restarts == 1)
        async with box(folder) as trial:
            assert trial.engine.config.shop.decimals == 0
            trial.way.is_connected = ill != "cloud"
            trial.way.is_heard = ill not in ("cloud", "deaf")
            if ill != "line":
                await trial.line()
            if ill == "engine":
                monkeypatch.setattr("edgebox.engine.Engine.warm", broken)
            await trial.until(lambda: trial.restarts == 1)
            assert trial.way.replies == []
        monkeypatch.undo()
        async with box(folder) as after:
            assert after.engine.config.shop.decimals == 2
            reply = await after.end("s1")
            assert shown(reply) == ("failed", "rolled_back")
            words = {"line": "line1: not connected", "cloud": "cloud can't be reached", "engine": "ZeroDivisionError"}
            words["deaf"] = "speak or listen"
            assert words[ill] in reply.words
            assert state(after) == ("rolled_back", 0)
            assert shown(await after.give("config.set", args(1, values(shop__decimals=0)))) == ("failed", "rolled_back")
        async with box(folder) as last:
            assert (last.restarts, last.way.replies) == (0, [])

    asyncio.run(play())


def test_settings_that_kill_the_engine_are_gone_at_the_second_start(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await shop.begin("config.set", args(1, values(slip__max_bytes=1)), id="s1")
            await shop.until(lambda: shop.restarts == 1)
        overlay.start(folder / "data")  # this start dies before it can say anything
        async with box(folder) as after:
            assert after.engine.config.slip.max_bytes == 16384
            assert shown(await after.end("s1")) == ("failed", "rolled_back")
            assert state(after) == ("rolled_back", 0)

    asyncio.run(play())


def test_a_power_cut_between_store_and_overlay_leaves_what_was_there(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await shop.begin("config.set", args(1, values(shop__name="new")), id="s1")
            await shop.until(lambda: shop.restarts == 1)
        (folder / "data" / overlay.FILE).unlink()  # as if the cut had come before it was written
        async with box(folder) as after:
            assert after.engine.config.shop.name == ""
            assert shown(await after.end("s1")) == ("failed", "interrupted")
            assert state(after) == ("rolled_back", 0)

    asyncio.run(play())


def test_what_needs_no_restart_is_in_force_at_once(folder: Path) -> None:
    async def play() -> None:
        before = logging.getLogger().level
        try:
            async with box(folder) as shop:
                assert shown(await shop.give("config.set", args(1, values(log__level="error")))) == ("succeeded", "")
                assert logging.getLogger().level == logging.ERROR
                assert shop.restarts == 0
                assert overlay.read(folder / "data").trial is None
        finally:
            logging.getLogger().setLevel(before)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("key", "value", "signer", "why"),
    [
        ("shop.curency", "CNY", "owner-1", "no such setting"),
        ("shop.decimals", 9, "owner-1", "<= 3"),
        ("shop.tz", "Mars/Base", "owner-1", "no time zone"),
        ("engine.data", "/tmp", "keymaster-1", "fixed"),
        ("line.printer", "tcp://1.2.3.4:9100", "keymaster-1", "fixed"),
        ("claims.keys", "/etc/passwd", "keymaster-1", "fixed"),
        ("sync.url", "mqtts://evil.example", "owner-1", "keymaster"),
        ("sync.url", "", "keymaster-1", "nobody could ever"),
        ("sync.fleet_keys", [], "keymaster-1", "no keymaster"),
        ("sync.fleet_keys", [public_text(PRIVATE["owner-1"], "owner-9")], "keymaster-1", "no keymaster"),
        ("sync.fleet_keys", ["x"], "keymaster-1", ""),
        ("nonsense", 1, "keymaster-1", "no such setting"),
    ],
)
def test_each_setting_that_cannot_be_had_is_named(key: str, value: Any, signer: str, why: str) -> None:
    content = msgspec.json.encode({"values": {key: value, "shop.name": "good"}})
    judged = judge(content, KEYS[signer].role, Layers(), Source())
    assert list(judged.rejected) == [key]
    assert why in judged.rejected[key]
    assert judged.good == {"shop.name": "good"}


def test_a_bundle_of_the_owner_takes_back_nothing_that_a_keymaster_has_set() -> None:
    keys = [public_text(PRIVATE["keymaster-1"], "keymaster-2")]
    before = Layers(cloud={"sync.fleet_keys": keys, "sync.user": "box-7", "shop.name": "old"})
    content = msgspec.json.encode({"values": {"slip.max_mm": 60}})
    assert judge(content, Role.OWNER, before, Source()).good == {
        "sync.fleet_keys": keys,
        "sync.user": "box-7",
        "slip.max_mm": 60,
    }
    assert judge(content, Role.KEYMASTER, before, Source()).good == {"slip.max_mm": 60}


def test_one_bad_setting_keeps_all_out_unless_the_rest_is_wanted_all_the_same(folder: Path) -> None:
    content = {"values": {"sync.url": "mqtts://evil.example", "shop.name": "good"}}

    async def play() -> None:
        async with box(folder) as shop:
            assert shown(await shop.give("config.set", args(1, content), "owner-1")) == ("failed", "bad_content")
            assert (shop.restarts, overlay.read(folder / "data").layers.cloud) == (0, {})
            await shop.begin("config.set", args(2, {**content, "partial": True}), key="owner-1", id="p1")
            await shop.until(lambda: shop.restarts == 1)
            assert overlay.read(folder / "data").layers.cloud == {"shop.name": "good"}
            assert "keymaster" in shop.way.reported[-1].bundles["config"].rejected["sync.url"]

    asyncio.run(play())


def test_settings_that_are_wrong_only_together_are_rejected() -> None:
    content = msgspec.json.encode({"values": {"shop.decimal_mark": "", "shop.name": "x"}, "partial": True})
    judged = judge(content, Role.OWNER, Layers(), Source())
    assert set(judged.rejected) == {"shop.decimal_mark"}


def test_content_that_is_no_configuration_is_rejected(folder: Path) -> None:
    contents: list[Any] = [[], {}, {"values": 1}, {"values": {}, "more": 1}, "x"]

    async def play() -> None:
        async with box(folder) as shop:
            for revision, content in enumerate(contents, 1):
                reply = await shop.give("config.set", args(revision, content))
                assert shown(reply) == ("failed", "bad_content")

    asyncio.run(play())


def test_going_back_brings_the_settings_before_on_trial(folder: Path) -> None:
    async def play() -> None:
        for revision, name in ((1, "first"), (2, "second")):
            async with box(folder) as shop:
                await shop.begin("config.set", args(revision, values(shop__name=name)), id=name)
                await shop.until(lambda shop=shop: shop.restarts == 1)  # type: ignore[misc]
            async with box(folder) as shop:
                await shop.end(name)
        async with box(folder) as shop:
            assert shown(await shop.give("config.rollback", {"revision": 1})) == ("failed", "other_revision")
            await shop.begin("config.rollback", {"revision": 2}, id="back")
            await shop.until(lambda: shop.restarts == 1)
        async with box(folder) as shop:
            assert shop.engine.config.shop.name == "first"
            assert shown(await shop.end("back")) == ("succeeded", "")
            assert state(shop) == ("in_force", 1)
            old = args(2, values(shop__name="third"))
            assert shown(await shop.give("config.set", old)) == ("failed", "revision_reused")

    asyncio.run(play())


def test_a_store_that_was_lost_lets_nobody_bring_back_settings_from_before(folder: Path) -> None:
    """Whoever owns the broker has all bundles that were ever signed, also those with keys that were taken away."""

    async def play() -> None:
        for revision, name in ((1, "old"), (5, "new")):
            async with box(folder) as shop:
                await shop.begin("config.set", args(revision, values(shop__name=name)), id=name)
                await shop.until(lambda shop=shop: shop.restarts == 1)  # type: ignore[misc]
            async with box(folder) as shop:
                await shop.end(name)
        lost = list((folder / "data").glob("edgebox.db*"))
        assert lost
        for path in lost:
            path.unlink()
        async with box(folder) as shop:
            assert state(shop) == ("in_force", 5)
            await shop.orders.jobs.desired(signed(bundle(BundleKind.CONFIG, 1, values(shop__name="old"))))
            await shop.orders.jobs.desired(signed(bundle(BundleKind.CONFIG, 5, values(shop__name="new"))))
            assert (shop.restarts, shop.engine.config.shop.name) == (0, "new")
            refused = shop.orders.jobs.counters
            assert (refused["refused old_revision"], refused["refused revision_reused"]) == (1, 0)
        async with box(folder) as shop:
            assert (shop.engine.config.shop.name, state(shop)) == ("new", ("in_force", 5))

    asyncio.run(play())


def test_a_trials_end_is_written_down_when_the_disk_takes_it_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgebox.orders.config.TELL_AGAIN_S", 0.01)
    before, faults = logging.getLogger().level, [StoreFull("full", reason="full")] * 3

    async def play() -> None:
        async with box(folder) as shop:
            keep = shop.orders.bundles.settle

            async def settle(kind: BundleKind, fault: str) -> None:
                if faults:
                    raise faults.pop()
                await keep(kind, fault)

            shop.orders.bundles.settle = settle  # type: ignore[method-assign]
            reply = await shop.give("config.set", args(1, values(log__level="warning")))
            assert (shown(reply), state(shop), faults) == (("succeeded", ""), ("in_force", 1), [])

    try:
        asyncio.run(play())
    finally:
        logging.getLogger().setLevel(before)


def test_with_nothing_before_there_is_no_way_back(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            assert shown(await shop.give("config.rollback")) == ("failed", "nothing_before")

    asyncio.run(play())


def test_a_bundle_that_comes_while_another_is_on_trial_waits_for_its_end(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await shop.orders.jobs.desired(signed(bundle(BundleKind.CONFIG, 1, values(log__level="warning"))))
            await shop.orders.jobs.desired(signed(bundle(BundleKind.CONFIG, 2, values(log__level="info"))))
            assert state(shop) == ("trial", 1)
            await shop.until(lambda: state(shop) == ("in_force", 2))

    before = logging.getLogger().level
    try:
        asyncio.run(play())
    finally:
        logging.getLogger().setLevel(before)


def test_what_is_in_force_is_told_with_who_set_it(folder: Path) -> None:
    overlay.write(folder / "data", overlay.Overlay(layers=overlay.Layers(page={"shop.name": "Corner"})))

    async def play() -> None:
        async with box(folder) as shop:
            reply = await shop.give("config.get", {"keys": ["shop.name", "points"]}, "operator-1")
            assert reply.result["values"]["shop.name"] == "Corner"
            assert "points.minimum" in reply.result["values"]
            assert "shop.tz" not in reply.result["values"]
            assert reply.result["set_here"] == {"shop.name": "page"}
            assert "engine.data" in (await shop.give("config.get")).result["values"]

    asyncio.run(play())


def test_a_bundle_for_the_configuration_waits_for_its_time(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            content = values(shop__name="later")
            await shop.orders.jobs.desired(signed(bundle(BundleKind.CONFIG, 1, content, activate_at=NOW + 5)))
            assert shop.way.reported[-1].bundles["config"].state == "staged"
            shop.clocks = shop.clocks._replace(at_ms=(NOW + 5) * 1000)
            await shop.orders.bundles.tick()
            assert shop.restarts == 1
        async with box(folder) as later:
            assert later.engine.config.shop.name == "later"
            await later.until(lambda: state(later) == ("in_force", 1))

    asyncio.run(play())
