"""Scanned codes of the counter's services: from the scanner's socket to the slip, and none of them kept in clear."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edgebox.engine import Engine
from edgebox.process import furnish
from edgebox.scan.codes import Kind
from edgebox.scan_desk import ScanDesk
from tests.desk.fake_scanner import FakeScanner, scan_desk, scans_in
from tests.desk.shop import FakeLine, on_disk, recorded, settings, shop, slip, until
from tests.desk.test_mall import MallOfTest, yes_for
from tests.desk.test_member_codes import ANNA, hashed, receipt, with_table
from tests.desk.test_pick_ups import CODES, ME, TZ, digest, ten

RECEIPT = b"SHOP\nNO: 000001\n2026-11-18 18:42:07\nCASHIER: 07\nTEA 6.00\nTOTAL 6.00\nCASH 6.00\n\n"
Story = Callable[[Engine, ScanDesk, FakeScanner, FakeLine], Awaitable[None]]


def play(folder: Path, story: Story) -> None:
    async def run() -> None:
        async with shop(folder, ME, TZ) as engine, scan_desk(engine) as desk:
            desk.handlers.update(engine.desk.services.handlers)
            engine.listeners.append(desk.receipt)
            line = await with_table(engine)
            scanner = await FakeScanner.connect(engine)
            try:
                await story(engine, desk, scanner, line)
            finally:
                await scanner.leave()

    asyncio.run(run())


def test_a_scanned_order_is_handed_out_by_the_cashier_who_is_at_the_till(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    code_hash: list[str] = []

    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner, line: FakeLine) -> None:
        await ten(engine)
        code_hash.append(digest(engine, CODES[7]))
        await line.print_receipt(1, RECEIPT)
        assert await scanner.scan(CODES[7], Kind.PICK_UP)
        _, words = await slip(line)
        assert "shelf B7" in words
        assert "cashier 07" in words
        assert await scanner.scan(CODES[7], Kind.PICK_UP)
        assert "Already picked up" in (await slip(line))[1]
        await until(lambda: len(desk.last_scans) == 2)
        assert [(one.answer, one.number) for one in desk.last_scans] == [("redeemed", 1), ("used", 0)]

    play(tmp_path, story)
    assert recorded(tmp_path)[0].cashier == "07"
    assert scans_in(tmp_path).count(code_hash[0].encode()) == 2, "a scan has the hash of its order"
    assert CODES[7].encode() not in on_disk(tmp_path)
    assert CODES[7] not in caplog.text


def test_a_scanned_member_is_on_the_next_receipt_and_nowhere_in_clear(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner, line: FakeLine) -> None:
        assert await scanner.scan(ANNA, Kind.MEMBER)
        assert "Gold" in (await slip(line))[1]
        await until(lambda: len(desk.last_scans) == 1)
        await line.print_receipt(1, receipt(1))
        assert desk.last_scans[0].answer == "member"

    play(tmp_path, story)
    assert scans_in(tmp_path).count(hashed(ANNA).encode()) == 1
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert b"13800138000" not in path.read_bytes(), path
    assert "13800138000" not in caplog.text


def test_a_scanned_mall_code_is_asked_about_as_one(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner, line: FakeLine) -> None:
        engine.desk.use_cloud(MallOfTest(M1=yes_for("MUG", 900)))
        assert await scanner.scan("M1", Kind.MALL)
        _, words = await slip(line)
        assert "Points mall 1" in words
        assert "points 900" in words

    play(tmp_path, story)
    assert [(one.source, one.coupon, one.points) for one in recorded(tmp_path)] == [("mall", "MUG", 900)]


def test_the_process_gives_each_kind_to_its_service(tmp_path: Path) -> None:
    engine = Engine(settings(tmp_path), None)
    furnish(engine)
    (scans,) = [part for part in engine.parts if isinstance(part, ScanDesk)]
    assert {Kind.PICK_UP, Kind.MALL, Kind.MEMBER} <= set(scans.handlers)
