"""Codes for slips from the fleet: sealed on their way, printed once each, taken back, and asked for before they end."""

import asyncio
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.orders.coupons import GIFT_MAX
from edgebox.sealed import seal
from edgebox.store import offers
from edgebox.store.events import HealthRecord, Stream
from edgebox.store.offers import PoolCode
from edgebox.store.peek import bodies, peek
from tests.box_of_orders import Box, box
from tests.line_of_engine import NOW, RECEIPT
from tests.sync.fleet import HERE

SHOWN = ("slip.show=points,coupon", "slip.languages=en")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def codes(count: int, *, first: int = 1, stock: str = "tea", pool: str = "coupon") -> list[dict[str, Any]]:
    return [
        {
            "pool": pool,
            "code": f"SECRET{number}",
            "url": f"HTTPS://M.EXAMPLE.CN/K/SECRET{number}",
            "title": "Tea",
            "value_minor": 500,
            "until": "2026-12-31",
            "stock": stock,
        }
        for number in range(first, first + count)
    ]


def sealed(shop: Box, gift: Any, to: str = HERE.box, purpose: str = "coupons.add") -> dict[str, str]:
    return {"codes": seal(msgspec.json.encode(gift), shop.orders.seal()[0], purpose, to)}


async def printed(shop: Box, count: int, first: int = 1) -> list[str]:
    """The codes on so many receipts."""
    found: list[bytes] = []
    line = await shop.line()
    for number in range(first, first + count):
        answer = await line.print_receipt(number, RECEIPT.replace(b"000417", b"%06d" % number))
        found += re.findall(rb"/K/(SECRET\d+)", answer.body)
    await line.leave(shop.engine)
    return [code.decode() for code in found]


def health_of_codes(folder: Path) -> list[tuple[str, str]]:
    records = [msgspec.json.decode(body, type=HealthRecord) for body in bodies(folder / "data", Stream.HEALTH)]
    return [(record.state, record.words) for record in records if record.part == "codes"]


def test_codes_come_sealed_and_are_printed_once_each(folder: Path) -> None:
    async def play() -> list[str]:
        async with box(folder, *SHOWN) as shop:
            reply = await shop.give("coupons.add", sealed(shop, codes(3)), "owner-1")
            assert (reply.state.value, reply.reason) == ("succeeded", "")
            assert reply.result == {"count": 0, "new": 3}
            return await printed(shop, 4)

    assert asyncio.run(play()) == ["SECRET1", "SECRET2", "SECRET3"]


def test_codes_sent_again_are_known_and_a_used_one_stays_used(folder: Path) -> None:
    async def play() -> None:
        async with box(folder, *SHOWN) as shop:
            await shop.give("coupons.add", sealed(shop, codes(2)))
            assert await printed(shop, 1) == ["SECRET1"]
            reply = await shop.give("coupons.add", sealed(shop, codes(3)))
            assert (reply.result["new"], reply.result["known"]) == (1, 2)
            assert await printed(shop, 3, first=2) == ["SECRET2", "SECRET3"]

    asyncio.run(play())


def test_no_code_ever_stands_in_a_job_the_audit_a_reply_or_the_log(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def play() -> bytes:
        async with box(folder, *SHOWN) as shop:
            await shop.give("coupons.add", sealed(shop, codes(3)))
            await shop.give("coupons.add", sealed(shop, [{**codes(1)[0], "colour": "SECRET1"}]))
            await shop.give("coupons.add", sealed(shop, codes(1), "another-box"))
            await shop.give("coupons.add", {"codes": "SECRET1"})
            await printed(shop, 1)
            await shop.give("coupons.revoke", {"coupons": ["tea"]})
            told = [*shop.way.replies, *shop.way.reported]
            return msgspec.json.encode(told)

    told = asyncio.run(play())
    data = folder / "data"
    rows = b"".join(body for stream in Stream for body in bodies(data, stream) if stream is not Stream.RECEIPTS)
    with closing(peek(data)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name != "pool_codes" and not name.startswith("sqlite_")
        ]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                assert b"SECRET" not in b"".join(
                    one if isinstance(one, bytes) else str(one).encode("utf-8") for one in row
                ), table
        assert connection.execute("SELECT count(*) FROM pool_codes WHERE code LIKE 'SECRET%'").fetchone() == (3,)
    assert b"SECRET" not in told + rows
    assert "SECRET" not in caplog.text
    beside = [path for path in data.rglob("*") if path.is_file() and not path.name.startswith("edgebox.db")]
    assert not any(b"SECRET" in path.read_bytes() for path in beside)


@pytest.mark.parametrize(
    ("gift", "reason"),
    [
        ([], "bad_sealed"),
        ({"pool": "coupon"}, "bad_sealed"),
        ([{**codes(1)[0], "code": "A\x1bB"}], "bad_sealed"),
        ([{**codes(1)[0], "until": "tomorrow"}], "bad_sealed"),
        ([{**codes(1)[0], "value_minor": -1}], "bad_sealed"),
        ([{"pool": "p", "code": str(n)} for n in range(GIFT_MAX + 1)], "bad_sealed"),
    ],
)
def test_what_is_no_list_of_codes_changes_nothing(folder: Path, gift: Any, reason: str) -> None:
    async def play() -> None:
        async with box(folder, *SHOWN) as shop:
            reply = await shop.give("coupons.add", sealed(shop, gift))
            assert (reply.state.value, reply.reason) == ("failed", reason)
            assert await shop.store.read(offers.free_codes) == {}

    asyncio.run(play())


def test_codes_sealed_to_another_box_or_for_another_purpose_are_refused(folder: Path) -> None:
    async def play() -> None:
        async with box(folder, *SHOWN) as shop:
            for args in (sealed(shop, codes(1), "box-2"), sealed(shop, codes(1), purpose="keys.add")):
                assert (await shop.give("coupons.add", args)).reason == "sealed"
            assert (await shop.give("coupons.add", {})).reason == "bad_args"

    asyncio.run(play())


def test_codes_for_a_slip_that_nobody_shows_are_kept_and_said_so(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            reply = await shop.give("coupons.add", sealed(shop, codes(3)))
            assert (reply.reason, reply.result["in_force"], reply.result["new"]) == ("no_consumer_yet", False, 3)
        async with box(folder, *SHOWN) as later:
            assert await printed(later, 1) == ["SECRET1"]

    asyncio.run(play())


def test_a_batch_that_was_revoked_is_printed_no_more_not_even_what_was_at_hand(folder: Path) -> None:
    async def play() -> None:
        async with box(folder, *SHOWN) as shop:
            await shop.give("coupons.add", sealed(shop, codes(30)))
            await shop.give("coupons.add", sealed(shop, codes(2, first=31, stock="cake")))
            assert await printed(shop, 1) == ["SECRET1"]
            reply = await shop.give("coupons.revoke", {"coupons": ["tea"]}, "owner-1")
            assert (reply.reason, reply.result["changed"]) == ("", 1 + 29)
            await shop.engine.decisions.stock.fill(shop.store, NOW)
            assert await printed(shop, 3, first=2) == ["SECRET31", "SECRET32"]
            again = await shop.give("coupons.add", sealed(shop, codes(1, first=40)))
            assert again.reason == "revoked"

    asyncio.run(play())


def test_a_pool_that_runs_low_is_said_until_there_are_more(folder: Path) -> None:
    async def play() -> None:
        async with box(folder, *SHOWN) as shop:
            await shop.give("coupons.add", sealed(shop, codes(20)))
            shop.engine.look_round()
            assert shop.engine.health.states()["codes"] == "ok"
            await printed(shop, 11)
            await shop.engine.decisions.stock.fill(shop.store, NOW)
            shop.engine.look_round()
            assert shop.engine.health.states()["codes"] == "warning"

    asyncio.run(play())
    assert health_of_codes(folder)[0] == ("warning", "pool coupon: 0 codes left")
    assert health_of_codes(folder)[-1] == ("warning", "pool coupon: 9 codes left")


@pytest.mark.parametrize(
    ("filled", "left", "is_low"),
    [(1000, 200, False), (1000, 199, True), (200, 50, False), (200, 49, True), (30, 15, False), (30, 14, True)],
)
def test_low_is_a_fifth_or_fifty_codes_or_half_of_a_small_pool(
    folder: Path, filled: int, left: int, is_low: bool
) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            given = [PoolCode(0, "p", f"C{number}", "") for number in range(filled)]
            await shop.store.change(lambda db: offers.add_codes(db, given))
            await shop.store.change(
                lambda db: db.execute("UPDATE pool_codes SET state = 'printed' WHERE ref > ?", (left,)).rowcount
            )
            found = await shop.store.read(lambda db: offers.level(db, "p", "2026-11-18"))
            assert found.is_low is is_low

    asyncio.run(play())


def test_a_pool_holds_so_many_and_not_one_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "POOL_MAX", 5)

    async def play() -> None:
        async with box(folder, *SHOWN) as shop:
            await shop.give("coupons.add", sealed(shop, codes(5)))
            reply = await shop.give("coupons.add", sealed(shop, codes(1, first=6)))
            assert (reply.state.value, reply.reason) == ("failed", "full")
            assert await printed(shop, 6) == [f"SECRET{number}" for number in range(1, 6)]

    asyncio.run(play())
