"""Bundles that change what a receipt is worth and what is printed with it: from the command to the next paper."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.engine import Engine
from edgebox.loyalty.members import Members, pack
from edgebox.orders.uses import users
from sync.bundles import Kept
from sync.contract import BundleKind
from sync.contract_commands import Role
from tests.box_of_orders import Box, box
from tests.line_of_engine import KEYS, NOW, RECEIPT, recorded, settings
from tests.sync.fleet import NOW as THEN
from tests.sync.fleet import b64

TEN = {"rev": 7, "currency": "CNY", "tier": [{"id": "base", "spend_per_point": 10}]}
HELLO = {"name": "hello", "purpose": "link", "block": [{"type": "text", "text": "hello from the fleet"}]}
WIFI = {**HELLO, "name": "wifi"}
LOGO = {**WIFI, "block": [{"type": "image", "file": "logo.png"}]}
MEMBERS_MAX = 15_600  # as many as one message may hold


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


async def body_of(shop: Box, number: int, raw: bytes = RECEIPT) -> bytes:
    line = await shop.line()
    answer = await line.print_receipt(number, raw.replace(b"000417", b"%06d" % number))
    await line.leave(shop.engine)
    return answer.body


def rejected(shop: Box, kind: str) -> dict[str, str]:
    return dict(shop.way.reported[-1].bundles[kind].rejected)


# --- Rules -------------------------------------------------------------------------------------------------------


def test_the_fleets_rules_hold_for_the_next_receipt_and_for_the_first_after_a_restart(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await body_of(shop, 1)
            reply = await shop.give("rules.set", {"revision": 1, "content": TEN}, "owner-1")
            assert reply.result["in_force"] is True
            await body_of(shop, 2)
        async with box(folder) as later:
            await body_of(later, 3)

    asyncio.run(play())
    assert [record.points for record in recorded(folder)] == [33, 339, 339]


def test_rules_in_another_currency_are_rejected_by_key_and_change_nothing(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            reply = await shop.give("rules.set", {"revision": 1, "content": {**TEN, "currency": "EUR"}}, "owner-1")
            assert (reply.state.value, reply.reason) == ("failed", "bad_content")
            assert rejected(shop, "rules") == {"currency": "rules in EUR, but the shop's currency is CNY"}
            await body_of(shop, 1)

    asyncio.run(play())
    assert recorded(folder)[0].points == 33


def test_rules_that_the_shop_has_grown_out_of_earn_nothing_instead_of_something_else(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await shop.give("rules.set", {"revision": 1, "content": TEN}, "owner-1")
        async with box(folder, "shop.currency=EUR") as later:
            assert later.orders.bundles.report()["rules"].state == "stored"
            await body_of(later, 1)
            assert later.engine.health.states()["rules"] == "failed"
            await later.give("rules.set", {"revision": 2, "content": {**TEN, "currency": "EUR"}}, "owner-1")
            await body_of(later, 2)
            assert later.engine.health.states()["rules"] == "ok"

    asyncio.run(play())
    assert [(record.claim != "", record.points) for record in recorded(folder)] == [(False, 0), (True, 339)]


# --- Slips -------------------------------------------------------------------------------------------------------


def test_the_fleet_says_which_slips_are_printed_and_what_they_say(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            content = {"slips": {"hello": HELLO}, "show": ["points", "hello"]}
            assert (await shop.give("slips.set", {"revision": 1, "content": content}, "owner-1")).reason == ""
            assert b"hello from the fleet" in await body_of(shop, 1)
        async with box(folder) as later:
            assert b"hello from the fleet" in await body_of(later, 2)
            await later.give("slips.set", {"revision": 2, "content": {}}, "owner-1")
            assert b"hello" not in await body_of(later, 3)

    asyncio.run(play())
    assert [record.slips for record in recorded(folder)] == [("points", "hello"), ("points", "hello"), ("points",)]


def test_a_slip_of_the_fleet_goes_before_a_file_of_its_name(folder: Path) -> None:
    async def play() -> None:
        async with box(folder, "slip.show=points,wifi") as shop:
            await shop.give("slips.set", {"revision": 1, "content": {"slips": {"wifi": WIFI}}}, "owner-1")
            assert b"hello from the fleet" in await body_of(shop, 1)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("content", "key", "why"),
    [
        ({"show": ["points", "ponits"]}, "show.ponits", "no slip of that name"),
        ({"slips": {"wifi": LOGO}}, "wifi.image", "No such file"),
        ({"slips": {"wifi": HELLO}}, "wifi.name", "it calls itself hello"),
        ({"slips": {"wifi": {**WIFI, "colour": "red"}}}, "wifi.slip", "colour"),
        ({"show": ["Points!"]}, "content", "regex"),
    ],
)
def test_slips_that_cant_be_had_are_rejected_by_key(folder: Path, content: Any, key: str, why: str) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            await shop.give("slips.set", {"revision": 1, "content": content}, "owner-1")
            found = rejected(shop, "slips")
            assert list(found) == [key]
            assert why in found[key]
            assert b"HTTPS://M.EXAMPLE.CN/C/" in await body_of(shop, 1)

    asyncio.run(play())


def test_a_member_gets_no_second_slip_a_day_because_slips_were_changed(folder: Path) -> None:
    once = {**HELLO, "per_member_day": 1}
    with_member = RECEIPT.replace(b"CORNER SHOP\n", b"CORNER SHOP\nMember No: 80001234\n")

    async def play() -> list[bool]:
        async with box(folder) as shop:
            content = {"slips": {"hello": once}, "show": ["points", "hello"]}
            await shop.give("slips.set", {"revision": 1, "content": content}, "owner-1")
            first = await body_of(shop, 1, with_member)
            await shop.give("slips.set", {"revision": 2, "content": content}, "owner-1")
            return [b"hello" in body for body in (first, await body_of(shop, 2, with_member))]

    assert asyncio.run(play()) == [True, False]


# --- Members -----------------------------------------------------------------------------------------------------


def members(*rows: tuple[str, int, int, int], as_of: int = NOW) -> dict[str, Any]:
    return {"tiers": ["base", "gold"], "as_of": as_of, "max_age_s": 86_400, "table": b64(pack(rows))}


def test_members_of_the_fleet_are_known_at_the_next_receipt_and_after_a_restart(folder: Path) -> None:
    tiers = {**TEN, "tier": [{"id": "base", "spend_per_point": 100}, {"id": "gold", "spend_per_point": 50}]}
    agreeing = RECEIPT.replace(b"18:42:07", b"19:06:40")  # so that the box believes its clock, and the table's age
    raw = agreeing.replace(b"CORNER SHOP\n", b"CORNER SHOP\nMember No: 80001234\n")

    async def play() -> None:
        async with box(folder, now=NOW) as shop:
            shop.clocks = shop.clocks._replace(at_ms=THEN * 1000)
            gold = members((shop.engine._pseudonyms.of("member", "80001234"), 1, 255, 0))
            await shop.give("rules.set", {"revision": 1, "content": tiers}, "owner-1")
            await body_of(shop, 1, raw)
            assert (await shop.give("members.set", {"revision": 1, "content": gold}, "owner-1")).reason == ""
            await body_of(shop, 2, raw)
        async with box(folder, now=NOW) as later:
            await body_of(later, 3, raw)

    asyncio.run(play())
    assert [record.points for record in recorded(folder)] == [33, 67, 67]


def test_a_full_table_of_members_holds_up_no_receipt(folder: Path) -> None:
    rows = [(number.to_bytes(8, "big").hex(), 1, 255, number) for number in range(MEMBERS_MAX)]
    content = msgspec.json.encode(members(*rows))
    engine = Engine(settings(folder), KEYS)
    user = users(engine)[BundleKind.MEMBERS]
    longest = 0.0

    async def play() -> None:
        nonlocal longest
        taking = asyncio.create_task(asyncio.to_thread(user.check, content, Role.OWNER))
        last = time.perf_counter()
        while not taking.done():
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        assert (await taking).rejected == {}
        await user.take(Kept(revision=1, content=msgspec.Raw(content), activate_at=0, by="o", role=Role.OWNER))

    asyncio.run(play())
    assert len(engine.decisions.members or ()) == MEMBERS_MAX
    assert longest < 0.1, "4 ms of checks in a thread; the rest is a slow machine"


@pytest.mark.parametrize(("row", "column", "value"), [(3, 8, 2), (4, 9, 0), (5, 0, 0)])
def test_a_table_with_one_bad_row_is_refused_and_names_it(row: int, column: int, value: int) -> None:
    raw = bytearray(pack([((n + 1 << 56).to_bytes(8, "big").hex(), 1, 255, 0) for n in range(9)]))
    raw[row * 12 + column] = value
    with pytest.raises(Exception, match=f"row {row + 1} "):
        Members(bytes(raw), ("base", "gold"), (), 0, 1)


# --- The start ---------------------------------------------------------------------------------------------------


def test_what_the_fleet_set_is_in_force_before_any_line_may_connect(folder: Path) -> None:
    async def play() -> None:
        engine = Engine(settings(folder), KEYS, clock=lambda: NOW)
        seen: list[bool] = []

        async def before_lines() -> None:
            assert engine.store is not None
            assert await engine.store.get("bundle.rules") is None
            seen.append(engine._doorway._server is None)

        await engine.start(before_lines)
        assert seen == [True]
        await engine.stop()

    asyncio.run(play())
