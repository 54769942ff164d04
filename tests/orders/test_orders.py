"""What each command does on the box, from the signed message to the effect."""

import asyncio
import logging
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.orders.bundles import Checked
from edgebox.store.backup import read_manifest
from edgebox.store.events import AuditRecord, Stream
from sync.bundles import Kept
from sync.contract import BundleKind, JobPhase, Reply
from sync.contract_commands import COMMANDS, Refused, Role
from tests.box_of_orders import Box, box
from tests.line_of_engine import RECEIPT
from tests.sync.fleet import NOW, b64, order

DOCS = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def shown(reply: Reply) -> tuple[str, str]:
    return reply.state.value, reply.reason


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_stands_in_the_manual_with_its_role(name: str) -> None:
    found = re.search(rf"^\| `{re.escape(name)}` \|[^|]*\| (\w+) \|", DOCS, re.MULTILINE)
    assert found, name
    assert found[1] == COMMANDS[name].role.name.lower()


@pytest.mark.parametrize("reason", Refused)
def test_each_reason_stands_in_the_manual(reason: Refused) -> None:
    assert f"`{reason.value}`" in DOCS


def test_each_command_is_done_by_somebody(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            assert set(shop.orders.jobs.handlers) == set(COMMANDS)

    asyncio.run(play())


def test_ping_says_who_is_there_and_which_key_is_its_own(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            reply = await shop.give("ping", {"text": "hello"}, "operator-1")
            assert shown(reply) == ("succeeded", "")
            assert (reply.result["text"], reply.result["up_s"]) == ("hello", 60)
            assert (reply.result["seal"], reply.result["seal_proof"]) == shop.orders.seal()
            assert shop.way.reported[0].seal == reply.result["seal"]

    asyncio.run(play())


def test_the_clock_is_compared_and_said_to_be_trusted_or_not(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            reply = await shop.give("time.check", {"at_ms": NOW * 1000 - 250})
            assert reply.result == {"at_ms": NOW * 1000, "offset_ms": 250, "trusted": True}

    asyncio.run(play())


def test_the_log_is_louder_for_a_while(folder: Path) -> None:
    async def play() -> None:
        before = logging.getLogger().level
        async with box(folder) as shop:
            await shop.give("log.level", {"level": "error", "minutes": 5})
            await shop.give("log.level", {"level": "debug", "minutes": 5})
            assert logging.getLogger().level == logging.DEBUG
            shop.orders._own._level_back()
            assert logging.getLogger().level == before
            await shop.give("log.level", {"level": "error"})
        assert logging.getLogger().level == before

    asyncio.run(play())


def test_a_level_that_was_set_for_good_meanwhile_is_what_it_comes_back_to(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await shop.give("log.level", {"level": "debug", "minutes": 5})
            shop.orders._own.configure("error")
            assert logging.getLogger().level == logging.DEBUG
            shop.orders._own._level_back()
            assert logging.getLogger().level == logging.ERROR

    before = logging.getLogger().level
    try:
        asyncio.run(play())
    finally:
        logging.getLogger().setLevel(before)


def test_a_bundle_that_a_bug_trips_over_is_taken_back_and_does_not_keep_the_box_from_starting(folder: Path) -> None:
    class Clumsy:
        taken = 0

        def check(self, content: bytes, role: Role) -> Checked:
            return Checked({})

        async def take(self, kept: Kept | None) -> bool:
            self.taken += 1
            if kept is not None and b"bad" in bytes(kept.content):
                raise ZeroDivisionError
            return True

    async def play() -> None:
        async with box(folder) as shop:
            user = shop.orders.bundles.users[BundleKind.TAGS] = Clumsy()
            reply = await shop.give("tags.set", {"revision": 1, "content": ["bad"]})
            assert (shown(reply), reply.words, user.taken) == (("failed", "rolled_back"), "fault", 2)
            assert shown(await shop.give("tags.set", {"revision": 2, "content": ["good"]})) == ("succeeded", "")
        async with box(folder) as later:
            bundles = later.orders.bundles
            bundles.users[BundleKind.TAGS] = Clumsy()
            held = bundles._held[BundleKind.TAGS]
            assert held.force is not None
            bad = msgspec.structs.replace(held.force, content=msgspec.Raw(b'["bad"]'))
            await bundles._keep(BundleKind.TAGS, msgspec.structs.replace(held, force=bad))
            await bundles.open(lambda held: held)
            state = bundles.report()["tags"]
            assert (state.state, state.reason) == ("stored", "fault")

    asyncio.run(play())


def test_rows_are_sent_again_if_there_are_any(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            rows = {"stream": "receipts", "epoch": shop.store.epoch, "first": 3, "last": 9}
            assert (await shop.give("resend", rows)).result["count"] == 7
            assert shop.way.resent == [("receipts", shop.store.epoch, 3, 9)]
            assert shown(await shop.give("resend", {**rows, "stream": "none"})) == ("failed", "no_such_rows")

    asyncio.run(play())


def test_a_backup_is_one_file_that_can_be_put_back(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            reply = await shop.give("backup")
            path = folder / "data" / reply.result["file"]
            assert path.stat().st_size == reply.result["size"]
            assert read_manifest(path).epoch == shop.store.epoch
            assert shown(await shop.give("backup")) == ("succeeded", "")

    asyncio.run(play())


def test_an_update_is_turned_down_honestly_where_there_are_no_slots(folder: Path) -> None:
    manifest = {"version": "1.2.3", "url": "https://x.example/edgebox.tar", "sha256": "0" * 64, "size": 5}

    async def play() -> None:
        async with box(folder) as shop:
            assert shown(await shop.give("update", manifest)) == ("rejected", "no_slots")

    asyncio.run(play())


def test_a_restart_ends_this_run_and_has_succeeded_in_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgebox.orders.box.RESTART_IN_S", 0.0)

    async def play() -> None:
        async with box(folder) as shop:
            await shop.begin("restart", {"why": "test"}, id="r1")
            await shop.until(lambda: shop.restarts == 1)
        async with box(folder) as later:
            assert [shown(reply) for reply in later.way.replies] == [("succeeded", "")]
            await later.orders.jobs.command(order("restart", {"why": "test"}, id="r1"))
            assert later.restarts == 0

    asyncio.run(play())


# -- bundles as commands


NOBODY = "no_consumer_yet"
TAG = {"uuid": "00000000-0000-0000-0000-000000000001", "major": 1, "minor": 2}
GOOD: dict[str, tuple[str, Any]] = {
    "members.set": (
        "",
        {"as_of": NOW, "max_age_s": 86400, "tiers": ["gold"], "table": b64(b"\x01" * 8 + b"\x00\xff\x00\x00")},
    ),
    "beacon.set": (NOBODY, {"frames": [TAG], "hours": ["mon-fri 10:00-22:00"]}),
    "tags.set": (NOBODY, {"tags": {"t1": TAG}}),
    "rules.set": ("", {"schema": 1, "rev": 1, "currency": "CNY", "tier": [{"id": "b", "spend_per_point": 1800}]}),
    "slips.set": ("", {"slips": {}}),
    "profiles.set": ("", {"profiles": {"corner": {"total": {"label": "GESAMT"}}}}),
    "lexicon.set": ("", {"words": {"tender": {"cash": ["clams"]}}}),
}
BAD: dict[str, Any] = {
    "members.set": {"as_of": NOW, "max_age_s": 86400, "table": "AAAA"},
    "beacon.set": {"frames": [TAG], "hours": ["10:00-10:00"]},
    "tags.set": {"tags": {"t1": {"uuid": "x"}}},
    "rules.set": {"schema": 1, "rev": 1, "currency": "euro"},
    "slips.set": {"slips": {"points": {"blocks": "none"}}},
    "profiles.set": {"profiles": {"corner": {"totall": {"label": "GESAMT"}}}},
    "lexicon.set": {"words": {"tender": {"shells": ["clams"]}}},
}


def test_a_bundle_is_checked_kept_and_said_to_be_in_force_only_if_it_is(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            for name, (reason, content) in GOOD.items():
                reply = await shop.give(name, {"revision": 5, "content": content}, "owner-1")
                assert shown(reply) == ("succeeded", reason), name
                assert reply.result["in_force"] is (reason == "")
                reply = await shop.give(name, {"revision": 6, "content": BAD[name]}, "owner-1")
                assert shown(reply) == ("failed", "bad_content"), name
                assert reply.result["rejected"]
                reply = await shop.give(name, {"revision": 4, "content": content}, "owner-1")
                assert shown(reply) == ("failed", "old_revision")
                state = shop.way.reported[-1].bundles[str(COMMANDS[name].bundle)]
                assert (state.revision, state.desired, state.state) == (5, 6, "rejected")
        async with box(folder) as later:
            for name, (_, content) in GOOD.items():
                kind = COMMANDS[name].bundle
                assert kind is not None
                kept = later.orders.bundles.in_force(kind)
                assert kept is not None
                assert msgspec.json.decode(kept.content) == content

    asyncio.run(play())


def test_words_of_the_fleet_are_read_on_the_next_receipt_and_after_a_restart(folder: Path) -> None:
    raw = b"*** STAFF MEAL ***\n" + RECEIPT

    async def earns(shop: Box, number: int) -> bool:
        line = await shop.line()
        body = (await line.answer(number, raw)).body
        await line.leave(shop.engine)
        return bool(body)

    async def play() -> None:
        async with box(folder) as shop:
            assert await earns(shop, 1)
            await shop.give(
                "lexicon.set", {"revision": 1, "content": {"words": {"kind": {"training": ["staff meal"]}}}}
            )
            assert not await earns(shop, 2)
        async with box(folder) as later:
            assert not await earns(later, 3)
            await later.give("lexicon.set", {"revision": 2, "content": {"words": {}}})
            assert await earns(later, 4)

    asyncio.run(play())


def test_a_wave_is_ready_and_waits_for_its_time(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            args = {"revision": 1, "content": {"profiles": {}}, "activate_at": NOW + 60}
            reply = await shop.give("profiles.set", args)
            assert shown(reply) == ("succeeded", "staged")
            assert reply.result["in_force"] is False
            assert shop.way.reported[-1].bundles["profiles"].ready == NOW
        async with box(folder, now=NOW + 59) as shop:
            await shop.orders.bundles.tick()
            assert shop.orders.bundles.report()["profiles"].state == "staged"
            shop.clocks = shop.clocks._replace(at_ms=(NOW + 60) * 1000)
            await shop.orders.bundles.tick()
            state = shop.way.reported[-1].bundles["profiles"]
            assert (state.state, state.revision, state.ready) == ("in_force", 1, 0)

    asyncio.run(play())


def test_coupons_are_kept_and_what_was_revoked_stays_so(folder: Path) -> None:
    c20 = {"id": "C20", "kind": "amount_off", "value": 2000}

    async def play() -> None:
        async with box(folder) as shop:
            reply = await shop.give("coupons.add", {"coupons": [c20, {**c20, "id": "C30"}]}, "owner-1")
            assert shown(reply) == ("succeeded", "")
            assert (reply.result["count"], reply.result.get("in_force", True)) == (2, True)
            reply = await shop.give("coupons.revoke", {"coupons": ["C20"], "codes": ["ab" * 16]}, "owner-1")
            assert (reply.result["count"], reply.result["changed"]) == (1, 2)
            assert shop.orders.coupons.is_revoked("C20")
            assert shop.orders.coupons.is_revoked("ab" * 16)
        async with box(folder) as later:
            assert shown(await later.give("coupons.add", {"coupons": [c20]})) == ("failed", "revoked")
            assert set(later.orders.coupons.known.coupons) == {"C30"}

    asyncio.run(play())


def test_what_was_changed_and_by_whom_stands_in_the_audit(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await shop.give("coupons.revoke", {"coupons": ["C1"]}, "owner-1")
            rows = await shop.store.rows(Stream.AUDIT, None, limit_rows=9, limit_bytes=1 << 20)
            (row,) = [msgspec.json.decode(row.body, type=AuditRecord) for row in rows]
            assert (row.who, row.what, row.after) == ("owner-1 (alice)", "coupons.revoke", JobPhase.SUCCEEDED.value)

    asyncio.run(play())
