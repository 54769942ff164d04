"""Codes for slips: each is handed out at most once, also across a kill; a comeback coupon is known again."""

import asyncio
from pathlib import Path

from edgebox.store import offers
from edgebox.store.events import OfferRecord, OfferState, Stream
from edgebox.store.offers import PoolCode
from tests.store.test_store import opened

TODAY = "2026-11-18"
CODES = [
    PoolCode(0, "coupon", f"C{n}", f"HTTPS://M.EXAMPLE.CN/K/C{n}", "Tea", 500, f"2026-12-{n:02}", "tea")
    for n in (3, 1, 2)
]


def printed(code: PoolCode, state: OfferState = OfferState.PRINTED) -> OfferRecord:
    return OfferRecord(at=1, slip="coupon", purpose="coupon", state=state, ref=code.ref, pool=code.pool)


def test_three_coupons_are_reserved_once_the_one_that_ends_first_first(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            assert await store.change(lambda db: offers.add_codes(db, CODES)) == 3
            assert await store.change(lambda db: offers.add_codes(db, CODES)) == 0, "the same delivery again"
            first = await store.change(lambda db: offers.reserve(db, "coupon", 2, TODAY))
            rest = await store.change(lambda db: offers.reserve(db, "coupon", 2, TODAY))
            assert [code.code for code in (*first, *rest)] == ["C1", "C2", "C3"]
            assert await store.change(lambda db: offers.reserve(db, "coupon", 2, TODAY)) == []

    asyncio.run(play())


def test_what_a_run_left_reserved_is_burnt_and_the_cloud_is_told(tmp_path: Path) -> None:
    async def first() -> None:
        async with opened(tmp_path) as store:
            await store.change(lambda db: offers.add_codes(db, CODES))
            used, *_ = await store.change(lambda db: offers.reserve(db, "coupon", 2, TODAY))
            await store.record(printed(used))

    async def second() -> None:
        async with opened(tmp_path) as store:
            left = await store.read(offers.left_reserved)
            assert [code.code for code in left] == ["C2"]
            await store.record(*[printed(code, OfferState.BURNT) for code in left])
            assert await store.read(offers.left_reserved) == []
            assert await store.read(offers.free_codes) == {"coupon": 1}
            rows = await store.rows(Stream.REDEMPTIONS, None, limit_rows=9, limit_bytes=9999)
            assert [b'"burnt"' in row.body for row in rows] == [False, True]

    asyncio.run(first())
    asyncio.run(second())


def test_codes_that_are_over_or_revoked_are_not_handed_out(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            other = PoolCode(0, "coupon", "X", "HTTPS://X/", stock="cake")
            await store.change(lambda db: offers.add_codes(db, [*CODES, other]))
            assert await store.change(lambda db: offers.revoke(db, "cake")) == 1
            left = await store.change(lambda db: offers.reserve(db, "coupon", 9, "2026-12-02"))
            assert [code.code for code in left] == ["C2", "C3"]

    asyncio.run(play())


def test_serials_are_never_given_out_twice(tmp_path: Path) -> None:
    async def take(count: int) -> int:
        async with opened(tmp_path) as store:
            return await store.change(lambda db: offers.take_serials(db, count))

    assert [asyncio.run(take(10)), asyncio.run(take(5)), asyncio.run(take(1))] == [1, 11, 16]


def test_a_comeback_coupon_that_may_be_on_paper_is_known_by_its_serial(tmp_path: Path) -> None:
    def given(serial: int, state: OfferState) -> OfferRecord:
        return OfferRecord(
            at=9, slip="comeback", purpose="comeback", state=state, ref=serial, value_minor=500, last_day=20_500
        )

    async def play() -> None:
        async with opened(tmp_path) as store:
            await store.record(given(7, OfferState.PRINTED), given(8, OfferState.UNKNOWN), given(9, OfferState.BURNT))
            await store.record(given(1030, OfferState.PRINTED))
            found = await store.read(lambda db: [offers.find_comeback(db, serial) for serial in (7, 8, 9)])
            assert [one.serial if one else None for one in found] == [7, 8, None]
            assert await store.read(lambda db: offers.find_comeback(db, 6, 1024)) == offers.Comeback(
                1030, 500, 0, 20_500, 9, 0
            )
            assert await store.change(lambda db: offers.take_serials(db, 1)) == 1031, "behind what is known"

    asyncio.run(play())
