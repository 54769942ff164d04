"""Visits on disk: known by tag, time and zone; counted by the hour without names; gone when nobody looks any more."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from edgebox.settings import StoreSettings
from edgebox.store import visits
from edgebox.store.budget import DAY_MS, Pressure, keep_ms
from edgebox.store.events import Stream, VisitRecord
from edgebox.store.migrations import migrate
from edgebox.store.store import Store
from edgebox.store.visits import COUNTS_DAYS, HOUR_S, Count, Open, Slot

HOUR = 1_795_003_200 - 1_795_003_200 % HOUR_S


def test_one_tag_in_two_zones_at_one_second_is_two_visits_and_each_end_finds_its_own(tmp_path: Path) -> None:
    def visit(zone: str, **more: object) -> VisitRecord:
        return VisitRecord(at=HOUR, tag="anna", zone=zone, role="staff", **more)  # type: ignore[arg-type]

    async def play() -> None:
        store = Store.open(tmp_path)
        await store.record(visit("till"), visit("shop"), visit("till", until=HOUR + 60, nearest_cm=80, why="left"))
        assert await store.read(visits.unfinished) == [Open("anna", HOUR, "shop", "staff", 0)]
        rows = await store.read(lambda db: db.execute("SELECT zone, until, why FROM visits ORDER BY zone").fetchall())
        assert rows == [("shop", 0, ""), ("till", HOUR + 60, "left")]
        await store.close()

    asyncio.run(play())


def test_counts_of_an_hour_add_up_and_go_after_two_years() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        till, shop = Slot(HOUR, "till", "staff"), Slot(HOUR + HOUR_S, "shop", "")
        visits.add(db, {till: Count(2, 1, 60), shop: Count(1, 1, 5)})
        visits.add(db, {till: Count(1, 0, 30)})
        assert visits.between(db, HOUR, HOUR + HOUR_S) == {till: Count(3, 1, 90)}
        assert visits.between(db, 0, 2**40) == {till: Count(3, 1, 90), shop: Count(1, 1, 5)}
        assert visits.forget_counts(db, HOUR + COUNTS_DAYS * 86_400 + 1) == 1
        assert list(visits.between(db, 0, 2**40)) == [shop]


def test_visits_go_sooner_than_receipts_and_sooner_still_when_room_is_short() -> None:
    settings = StoreSettings(keep_days=90, visits_days=30)
    assert keep_ms(Stream.VISITS, settings, Pressure.NONE) == 30 * DAY_MS
    assert keep_ms(Stream.SCANS, settings, Pressure.NONE) == 90 * DAY_MS
    assert keep_ms(Stream.VISITS, settings, Pressure.PRESSED) == 3 * DAY_MS
    assert keep_ms(Stream.VISITS, StoreSettings(keep_days=7), Pressure.NONE) == 7 * DAY_MS
