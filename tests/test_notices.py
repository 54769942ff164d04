"""What the engine records besides receipts: nothing gets lost, nothing floods."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from edgebox import notices as notices_module
from edgebox.errors import StoreFull
from edgebox.escpos.status import PrinterStatus
from edgebox.line.frames import Status
from edgebox.notices import Health, Notices, printer_words
from edgebox.store.events import ClaimRecord, Event, HealthRecord, Stream
from edgebox.store.peek import bodies
from tests.store.filled import NOW, claim
from tests.store.test_store import opened


def health(number: int) -> HealthRecord:
    return HealthRecord(at=NOW, part=f"part {number}", state="ok")


def recorded(folder: Path) -> list[HealthRecord]:
    return [msgspec.json.decode(body, type=HealthRecord) for body in bodies(folder, Stream.HEALTH)]


def test_notices_wait_for_room_and_come_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices_module, "RETRY_S", 0.001)
    full, faults = True, []

    async def play() -> None:
        nonlocal full
        async with opened(tmp_path) as store:
            store.guard(lambda event, size: StoreFull("no room", reason="budget") if full else None)
            notices = Notices(store, faults.append)
            for number in range(5):
                notices.add(health(number))
            await asyncio.sleep(0.02)
            assert recorded(tmp_path) == []
            full = False
            await notices.stop(5)
            assert notices.given_up == 0

    asyncio.run(play())
    assert recorded(tmp_path) == [health(number) for number in range(5)]
    assert faults


def test_a_disk_that_stays_full_costs_the_oldest_and_they_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices_module, "NOTICES_MAX", 10)

    async def play() -> None:
        async with opened(tmp_path) as store:
            store.guard(lambda event, size: StoreFull("no room", reason="budget"))
            notices = Notices(store, lambda what: None)
            for number in range(25):
                notices.add(health(number))
            assert notices.given_up == 15
            await notices.stop(0.01)
            assert notices.given_up == 25

    asyncio.run(play())


def test_an_event_that_can_never_be_recorded_blocks_no_other(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            notices = Notices(store, lambda what: None)
            notices.add(HealthRecord(at=1 << 70, part="a", state="ok"))
            notices.add(health(1))
            await notices.stop(5)
            assert notices.given_up == 1

    asyncio.run(play())
    assert recorded(tmp_path) == [health(1)]


def test_a_state_is_recorded_when_it_changes_and_a_loose_cable_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices_module, "SETTLE_S", 0.05)
    events: list[Event] = []

    async def play() -> None:
        health = Health(events.append, lambda: NOW)
        for _ in range(50):
            health.note("printer", "failed", "not there")
            health.note("printer", "ok")
        health.note("line", "ok")
        health.note("line", "ok")
        assert [(event.part, event.state) for event in _health(events)] == [("printer", "failed"), ("line", "ok")]
        assert health.states() == {"printer": "ok", "line": "ok"}
        await asyncio.sleep(0.08)
        assert [event.state for event in _health(events)] == ["failed", "ok", "ok"], "its last state is never missed"
        health.note("line", "failed", "gone")
        health.note("line", "ok", "back")
        health.stop()
        assert _health(events)[-1].words == "back"

    asyncio.run(play())


def _health(events: list[Event]) -> list[HealthRecord]:
    return [event for event in events if isinstance(event, HealthRecord)]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status(True, 0, b""), ("ok", "")),
        (Status(True, PrinterStatus.FEEDING | PrinterStatus.DRAWER_HIGH, b""), ("ok", "")),
        (Status(True, PrinterStatus.PAPER_NEAR_END, b""), ("warning", "paper nearly at its end")),
        (Status(True, PrinterStatus.OFFLINE | PrinterStatus.PAPER_END, b""), ("failed", "no paper")),
        (Status(True, PrinterStatus.OFFLINE | PrinterStatus.COVER_OPEN, b""), ("failed", "cover open")),
        (Status(True, PrinterStatus.ERROR | PrinterStatus.CUTTER_ERROR, b""), ("failed", "cutter jammed")),
        (Status(True, PrinterStatus.OFFLINE, b""), ("failed", "off-line")),
        (Status(False, 0, b""), ("failed", "not there")),
    ],
)
def test_a_printers_bits_are_put_into_words(status: Status, words: tuple[str, str]) -> None:
    assert printer_words(status) == words


def test_proofs_of_print_are_recorded_while_there_is_no_room_for_the_rest(tmp_path: Path) -> None:
    def money_only(event: Event, size: int) -> StoreFull | None:
        return None if isinstance(event, ClaimRecord) else StoreFull("no room", reason="budget")

    async def play() -> None:
        async with opened(tmp_path) as store:
            store.guard(money_only)
            notices = Notices(store, lambda what: None)
            notices.add(health(1))
            notices.add(claim(1))
            notices.add(claim(2))
            async with asyncio.timeout(5):
                while len(bodies(tmp_path, Stream.CLAIMS)) < 2:  # noqa: ASYNC110 - on the disk, not in here
                    await asyncio.sleep(0.01)
            await notices.stop(0)
            assert notices.given_up == 1
            assert store.unrecorded()["health"] >= 1

    asyncio.run(play())
    assert recorded(tmp_path) == []
