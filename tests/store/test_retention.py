"""Retention: what goes first, what never goes, and who is told."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.errors import StoreFull
from edgebox.settings import StoreSettings
from edgebox.store import budget, retention
from edgebox.store.budget import MB, Importance, Pressure, Usage
from edgebox.store.clock import Reading
from edgebox.store.events import RedemptionRecord, RedemptionState, Stream
from edgebox.store.retention import Retention
from edgebox.store.store import Store
from tests.faults.ledger import AT, Ledger, audit, claim, health, receipt, sighting, visit

DAY_MS = budget.DAY_MS
SETTINGS = StoreSettings(max_mb=64, reserve_mb=8, keep_days=30, audit_days=400)


class Shop(NamedTuple):
    """A clock to be set, and a store on it."""

    clock: "Hands"
    store: Store
    retention: Retention

    async def idle(self) -> None:
        """Retention goes on until there is nothing to do."""
        for _ in range(1000):
            if not await self.retention.step():
                return
        raise AssertionError("there is no end to it")

    async def count(self, table: str) -> int:
        """Rows of a table."""
        return await self.store.read(lambda db: int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]))


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self) -> None:
        self.at_ms = AT * 1000
        self.mono_ms = 0
        self.synced = True

    def now(self) -> Reading:
        self.mono_ms += 1
        return Reading("boot", self.mono_ms, self.at_ms, self.synced)

    def pass_days(self, days: int) -> None:
        """Time goes by."""
        self.at_ms += days * DAY_MS
        self.mono_ms += days * DAY_MS


def opened(folder: Path, settings: StoreSettings = SETTINGS, *, consumer: bool = True) -> Shop:
    clock = Hands()
    store = Store.open(folder, settings, clock=clock)
    return Shop(clock, store, Retention(store, consumer=consumer))


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> list[Usage]:
    """The size of the database as a test says it is."""
    said = [Usage(0, 0, 1 << 40)]
    monkeypatch.setattr(retention, "usage", lambda connection, folder: said[0])
    return said


# -- age


def test_old_rows_that_the_cloud_has_go_and_no_others(tmp_path: Path) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        for number in range(1, 301):
            await shop.store.record(receipt(number), claim(number))
        await shop.store.acknowledge(Stream.RECEIPTS, shop.store.epoch, 200)
        shop.clock.pass_days(31)
        await shop.store.record(receipt(301), claim(301))
        await shop.idle()
        assert await shop.count("receipts") == 101
        assert await shop.count("claims") == 301  # not acknowledged
        rows = await shop.store.rows(Stream.RECEIPTS, (shop.store.epoch, 200), limit_rows=9999, limit_bytes=1 << 30)
        assert [row.seq for row in rows] == list(range(201, 302))
        assert shop.retention.removed.pruned == 200
        await shop.store.close()

    asyncio.run(play())


def test_numbers_go_on_behind_what_was_removed(tmp_path: Path) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        await shop.store.record(receipt(1))
        await shop.store.acknowledge(Stream.RECEIPTS, shop.store.epoch, 1)
        shop.clock.pass_days(31)
        await shop.store.record(visit(1))  # a row that says what time it is
        await shop.idle()
        assert await shop.count("receipts") == 0
        await shop.store.close()
        store = Store.open(tmp_path, SETTINGS, clock=shop.clock)
        assert [place.seq for place in await store.record(receipt(2))] == [2]
        await store.close()

    asyncio.run(play())


def test_audit_is_kept_for_its_own_time(tmp_path: Path) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        await shop.store.record(audit(1))
        await shop.store.acknowledge(Stream.AUDIT, shop.store.epoch, 1)
        for days, left in ((399, 1), (2, 0)):
            shop.clock.pass_days(days)
            await shop.store.record(visit(days))
            await shop.idle()
            assert await shop.count("audit") == left
        await shop.store.close()

    asyncio.run(play())


def test_what_was_redeemed_stays_for_ever(tmp_path: Path) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        await shop.store.record(RedemptionRecord(at=AT, request="r", code="c", state=RedemptionState.REDEEMED))
        await shop.store.acknowledge(Stream.REDEMPTIONS, shop.store.epoch, 1)
        shop.clock.pass_days(5000)
        await shop.store.record(visit(1))
        await shop.idle()
        assert (await shop.count("redemptions"), await shop.count("journal")) == (1, 1)
        await shop.store.close()

    asyncio.run(play())


@pytest.mark.parametrize("years", [1, 50])
def test_a_clock_that_jumps_ahead_removes_nothing(tmp_path: Path, years: int) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        await shop.store.record(receipt(1))
        await shop.store.acknowledge(Stream.RECEIPTS, shop.store.epoch, 1)
        shop.clock.at_ms += years * 365 * DAY_MS
        shop.clock.synced = False  # somebody has set it by hand
        await shop.store.record(receipt(2))
        await shop.idle()
        assert await shop.count("receipts") == 2
        await shop.store.close()

    asyncio.run(play())


def test_rows_of_a_box_without_a_clock_are_not_taken_for_old(tmp_path: Path) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        shop.clock.at_ms, shop.clock.synced = 0, False
        await shop.store.record(receipt(1))
        await shop.store.acknowledge(Stream.RECEIPTS, shop.store.epoch, 1)
        shop.clock.at_ms, shop.clock.synced = AT * 1000, True
        await shop.store.record(receipt(2))
        await shop.idle()
        assert await shop.count("receipts") == 2
        await shop.store.close()

    asyncio.run(play())


def test_a_shop_without_a_cloud_forgets_old_rows_and_a_later_cloud_is_told(tmp_path: Path) -> None:
    async def play() -> None:
        shop = opened(tmp_path, consumer=False)
        for number in range(1, 301):
            await shop.store.record(receipt(number))
        shop.clock.pass_days(31)
        await shop.store.record(receipt(301))
        await shop.idle()
        rows = await shop.store.rows(Stream.RECEIPTS, None, limit_rows=10, limit_bytes=1 << 20)
        assert [(row.seq, row.lost_to, row.lost) for row in rows] == [(1, 300, "expired"), (301, 0, "")]
        await shop.store.close()

    asyncio.run(play())


# -- room


def test_sightings_go_first_and_leave_their_numbers(tmp_path: Path, pressed: list[Usage]) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        ledger = Ledger()
        for number in range(1, 101):
            events = [sighting(number * 10 + n) for n in range(5)]
            for event in events:
                await shop.store.record(event)
            await shop.store.record(visit(number))
            ledger.accept(visit(number))
            if number == 5:
                await ledger.consume(shop.store)
        pressed[0] = Usage(int(48 * MB), 0, 1 << 40)
        await shop.idle()
        assert shop.retention.removed.thinned == 500
        await ledger.consume(shop.store)
        row = ledger.row("thinned")
        assert (row.lost, row.delivered, row.given_up, ledger.holes) == (0, 100, 475, [])
        assert shop.retention.pressure is Pressure.PRESSED
        await shop.store.close()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("used_mb", "taken"),
    [
        (40, "receipt claim audit visit health sighting"),
        (51, "receipt claim audit visit health"),
        (54, "receipt claim audit"),
        (57, "receipt claim"),
        (64, ""),
    ],
)
def test_what_matters_least_is_refused_first(tmp_path: Path, pressed: list[Usage], used_mb: int, taken: str) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        pressed[0] = Usage(used_mb * MB, 0, 1 << 40)
        shop.retention.gate.look()
        kinds = {
            "receipt": receipt(1),
            "claim": claim(1),
            "audit": audit(1),
            "visit": visit(1),
            "health": health(1),
            "sighting": sighting(1),
        }
        accepted, reasons = [], set()
        for name, event in kinds.items():
            try:
                await shop.store.record(event)
                accepted.append(name)
            except StoreFull as fault:
                reasons.add(fault.reason)
        assert " ".join(accepted) == taken
        assert reasons <= {"budget"}
        assert sum(shop.retention.gate.refused.values()) == len(kinds) - len(accepted)
        await shop.store.close()

    asyncio.run(play())


def test_old_receipts_that_the_cloud_has_give_way_to_new_ones(tmp_path: Path, pressed: list[Usage]) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        for number in range(1, 11):
            await shop.store.record(receipt(number))
        await shop.store.acknowledge(Stream.RECEIPTS, shop.store.epoch, 5)
        shop.clock.pass_days(4)
        await shop.store.record(receipt(11))
        await shop.idle()
        assert await shop.count("receipts") == 11
        pressed[0] = Usage(57 * MB, 0, 1 << 40)
        await shop.idle()
        assert await shop.count("receipts") == 6
        await shop.store.close()

    asyncio.run(play())


def test_a_change_of_room_is_recorded_once(tmp_path: Path, pressed: list[Usage]) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        for used_mb in (49, 49, 10, 10):
            pressed[0] = Usage(used_mb * MB, 0, 1 << 40)
            await shop.idle()
        bodies = await shop.store.rows(Stream.HEALTH, None, limit_rows=10, limit_bytes=1 << 20)
        assert [b"warning" in row.body for row in bodies] == [True, False]
        await shop.store.close()

    asyncio.run(play())


def test_space_is_given_back_in_small_steps(tmp_path: Path) -> None:
    async def play() -> None:
        shop = opened(tmp_path)
        for start in range(0, 20_000, 100):
            for number in range(start, start + 100):
                shop.store.record_soon(sighting(number))
            await shop.store.flush()
        await shop.store.acknowledge(Stream.VISITS, shop.store.epoch, 20_000)
        shop.clock.pass_days(31)
        await shop.store.record(receipt(1))
        before = await shop.store.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        retention_steps = 0
        while await shop.retention.step():
            retention_steps += 1
        await shop.store.close()
        after = (tmp_path / "edgebox.db").stat().st_size // 4096
        assert shop.retention.removed.pruned == 20_000
        assert after < before
        assert retention_steps > 20_000 / retention.PRUNE_ROWS

    patched = pytest.MonkeyPatch()
    patched.setattr(retention, "SPARE_PAGES", 16)
    try:
        asyncio.run(play())
    finally:
        patched.undo()


@given(
    used=st.integers(0, 1 << 40),
    free=st.integers(0, 1 << 30),
    disk=st.integers(0, 1 << 40),
    mb=st.integers(16, 1 << 20),
)
def test_money_is_refused_last_and_limits_rise(used: int, free: int, disk: int, mb: int) -> None:
    settings = StoreSettings(max_mb=mb)
    usage = Usage(used, free, disk)
    refused = [budget.refused(importance, settings, usage) for importance in Importance]
    assert refused == sorted(refused, reverse=True)
    found = budget.limits(settings, usage)
    assert sorted(found) == list(found)
    assert found.capacity <= mb * MB


def test_a_small_database_has_room_for_more_than_receipts() -> None:
    settings = StoreSettings(max_mb=16)  # the reserve alone is 64 by default
    assert not budget.refused(Importance.SIGHTING, settings, Usage(MB, 0, 1 << 40))
    assert budget.refused(Importance.DUTY, settings, Usage(9 * MB, 0, 1 << 40))
    assert not budget.refused(Importance.MONEY, settings, Usage(15 * MB, 0, 1 << 40))
