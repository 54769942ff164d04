"""A code that a scanner keeps for us: acted upon by whoever takes its kind, and only once the till is out of it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from edgebox import scan_desk as module
from edgebox.desk.answers import Answer, Beep
from edgebox.desk.said import Said, Scanned
from edgebox.engine import Engine
from edgebox.scan.codes import Kind
from edgebox.scan.frames import Ends, Lost, Passed, Result
from edgebox.scan_desk import ScanDesk, Seen
from tests.desk.fake_scanner import FakeScanner, scan_desk, scans_in
from tests.desk.shop import FakeLine, coupon_on_paper, next_job, on_disk, recorded, shop, slip, until

RECEIPT_OF = b"SHOP\nNO: %06d\n2026-11-18 18:42:07\nCASHIER: %s\nTEA 6.00\nTOTAL 6.00\nCASH 6.00\n\n"  # number, cashier


async def waits_for(desk: ScanDesk, scans: int) -> list[Seen]:
    await until(lambda: len(desk.last_scans) >= scans and not desk._tasks)
    return list(desk.last_scans)


def play(folder: Path, story, *overrides: str) -> None:  # type: ignore[no-untyped-def]
    async def run() -> None:
        async with shop(folder, *overrides) as engine, scan_desk(engine) as desk:
            scanner = await FakeScanner.connect(engine)
            try:
                await story(engine, desk, scanner)
            finally:
                await scanner.leave()

    asyncio.run(run())


def test_a_scanned_coupon_is_redeemed_and_its_slip_printed(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        line = await FakeLine.connect(engine)
        code, _, _ = await coupon_on_paper(engine, line)
        beeps: list[tuple[Beep, str]] = []
        desk.on_said = lambda beep, where: beeps.append((beep, where))
        assert await scanner.scan(code, Kind.COMEBACK)
        _, said = await slip(line)
        assert "Redeemed 1" in said
        assert await scanner.scan(code, Kind.COMEBACK)
        _, said = await slip(line)
        assert "Already used" in said
        seen = await waits_for(desk, 2)
        assert [(one.answer, one.number, one.kind) for one in seen] == [
            ("redeemed", 1, "comeback"),
            ("used", 0, "comeback"),
        ]
        assert beeps == [(Beep.GOOD, ""), (Beep.BAD, "")]
        assert code.encode() not in on_disk(tmp_path)

    play(tmp_path, story)
    (redeemed, _) = recorded(tmp_path)
    assert scans_in(tmp_path).count(redeemed.code.encode()) == 2, "a scan has the hash of its redemption"


@pytest.mark.parametrize("result", [Result.LATE, Result.FORWARDED, Result.DROPPED])
def test_a_code_that_the_till_got_after_all_is_not_redeemed(result: Result, tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        code, _, _ = await coupon_on_paper(engine, await FakeLine.connect(engine))
        assert await scanner.ask(code, Kind.COMEBACK)
        scanner.tell(result)
        (seen,) = await waits_for(desk, 1)
        assert seen.answer == ("refused" if result is Result.DROPPED else "late")
        assert recorded(tmp_path) == []
        assert await scanner.scan(code, Kind.COMEBACK), "it can be scanned again"
        assert (await waits_for(desk, 2))[-1].answer == "redeemed"

    play(tmp_path, story)


def test_a_scanner_that_goes_before_it_has_said_so_gets_nothing_redeemed(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        code, _, _ = await coupon_on_paper(engine, await FakeLine.connect(engine))
        assert await scanner.ask(code, Kind.COMEBACK)
        await scanner.leave()
        assert [one.answer for one in await waits_for(desk, 1)] == ["late"]
        await until(lambda: not desk.scanners)
        assert recorded(tmp_path) == []
        assert desk._promised == 0

    play(tmp_path, story)


def test_a_kind_that_nobody_takes_goes_to_the_till(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        for kind in (Kind.MEMBER, Kind.PICK_UP, Kind.MALL, Kind.INVOICE_TITLE):
            assert not await scanner.scan("VIP:1", kind)
        assert not await scanner.scan(b"CB:\xff\xfe", Kind.COUPON), "no text, no coupon"
        assert desk.counters["not_ours"] == 5
        taken: list[Scanned] = []

        async def member(one: Scanned) -> Said:
            taken.append(one)
            return Said(Answer.REDEEMED, detail="gold")

        desk.handlers[Kind.MEMBER] = member
        assert await scanner.scan("VIP:1", Kind.MEMBER)
        (seen,) = await waits_for(desk, 1)
        assert (seen.answer, seen.detail) == ("redeemed", "gold")
        assert taken == [Scanned("VIP:1", Kind.MEMBER, "scanner1", "", "0707070707070707-6")]
        assert "VIP:1" not in repr(taken)

    play(tmp_path, story)
    assert b"VIP:1" not in scans_in(tmp_path)
    assert b'"kind":"member"' in scans_in(tmp_path)


def test_without_a_desk_coupons_go_to_the_till(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        engine.desk.counter = None
        assert not await scanner.scan("CB:X", Kind.COMEBACK)

    play(tmp_path, story)


def test_a_handler_that_breaks_or_hangs_costs_one_code_and_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WORK_S", 0.05)

    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        async def mall(one: Scanned) -> Said:
            raise ValueError(f"what is {one.code}?")

        async def member(one: Scanned) -> Said:
            await asyncio.sleep(60)
            return Said(Answer.REDEEMED)

        desk.handlers = {Kind.MALL: mall, Kind.MEMBER: member}
        with caplog.at_level(logging.INFO):
            assert await scanner.scan("M-SECRET", Kind.MALL)
            assert await scanner.scan("M-SECRET", Kind.MEMBER)
            seen = await waits_for(desk, 2)
        assert [one.answer for one in seen] == ["failure", "failure"]
        assert desk.counters["faults"] == 2
        assert "ValueError at test_scan_desk.py:" in caplog.text
        assert "M-SECRET" not in caplog.text + repr(seen)

    play(tmp_path, story)
    assert b"M-SECRET" not in on_disk(tmp_path)


def test_more_than_the_desk_can_do_at_once_goes_to_the_till(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        gate = asyncio.Event()

        async def member(one: Scanned) -> Said:
            await gate.wait()
            return Said(Answer.REDEEMED)

        desk.handlers[Kind.MEMBER] = member
        kept = [await scanner.scan(f"VIP:{number}", Kind.MEMBER) for number in range(module.WORK_MAX + 3)]
        assert kept == [True] * module.WORK_MAX + [False] * 3
        assert desk.counters["too_many"] == 3
        gate.set()
        await waits_for(desk, module.WORK_MAX)
        assert await scanner.scan("VIP:x", Kind.MEMBER)

    play(tmp_path, story)


def test_the_page_sees_the_last_scans_and_no_code(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        heard: list[Seen] = []
        end = desk.subscribe(heard.append)
        desk.subscribe(lambda seen: 1 / 0)  # type: ignore[arg-type,return-value]
        for number in range(module.LAST_MAX + 5):
            assert await scanner.scan(f"CB:NONE{number}", Kind.COMEBACK)
            if number % 16 == 15:
                await until(lambda: not desk._tasks)
        await until(lambda: not desk._tasks)
        assert len(heard) == module.LAST_MAX + 5
        assert len(desk.last_scans) == module.LAST_MAX
        assert {one.answer for one in heard} == {"unknown"}
        assert "NONE" not in repr(heard)
        end()
        end()
        assert await scanner.scan("CB:NONE", Kind.COMEBACK)
        await until(lambda: not desk._tasks)
        assert len(heard) == module.LAST_MAX + 5
        for _ in range(module.LISTENERS_MAX - 1):
            desk.subscribe(heard.append)
        with pytest.raises(RuntimeError):
            desk.subscribe(heard.append)

    play(tmp_path, story)


def test_the_page_arms_a_scanner_and_sees_it_armed(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        from edgebox.scan.frames import Arm, Armed

        await until(lambda: "scanner1" in desk.scanners)
        assert desk.arm("scanner1", "coupon", 9000)
        assert await scanner.armed() == Arm("coupon", 9000)
        scanner.say(Armed("coupon", 9000))
        await until(lambda: desk.armed_for == {"scanner1": "coupon"})
        scanner.say(Armed("", 0))
        await until(lambda: not desk.armed_for)
        assert not desk.arm("another", "coupon")

    play(tmp_path, story)


def test_what_passes_is_counted_by_kind_and_what_is_unplugged_shows_in_the_health(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        await until(lambda: engine.health.states().get("scanner scanner1") == "ok")
        scanner.say(Ends(True, False, ""))  # being opened: no fault yet
        scanner.say(Passed("payment", "", 3), Passed("from the future", "", 1), Lost(2, "the till did not take it"))
        await until(lambda: desk.counters["lost"] == 2)
        assert engine.health.states()["scanner scanner1"] == "ok"
        scanner.say(Ends(True, False, "the till has gone"))
        await until(lambda: engine.health.states().get("scanner scanner1") == "failed")
        assert (desk.counters["passed_payment"], desk.counters["passed_other"], desk.counters["lost"]) == (3, 1, 2)
        scanner.say(Ends(True, True, ""))
        await until(lambda: engine.health.states()["scanner scanner1"] == "ok")
        await scanner.leave()
        await until(lambda: engine.health.states()["scanner scanner1"] == "failed")

    play(tmp_path, story)


def test_the_slip_comes_from_the_scanners_own_line_with_the_cashier_of_its_last_receipt(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        own = await FakeLine.connect(engine, "line2", b"\x09" * 8)
        await until(lambda: "line2" in engine.lines)
        code, _, _ = await coupon_on_paper(engine, own)
        other = await FakeLine.connect(engine, "line1")
        assert desk._cashiers == {}
        await other.print_receipt(1, RECEIPT_OF % (9, b"12"))
        await own.print_receipt(2, RECEIPT_OF % (10, b"07"))
        await own.print_receipt(3, b"KITCHEN\nORDER 1\nTEA\n\n")
        await until(lambda: desk._cashiers == {"line1": "12", "line2": "07"})
        assert await scanner.scan(code, Kind.COMEBACK)
        job = await next_job(own)
        assert job.job.startswith("desk-1-")
        await waits_for(desk, 1)

    play(tmp_path, story, "scanner.line=line2")
    (one,) = recorded(tmp_path)
    assert (one.line, one.cashier) == ("line2", "07")


def test_with_a_full_disk_the_answer_is_given_and_the_scan_is_not_recorded(tmp_path: Path) -> None:
    async def story(engine: Engine, desk: ScanDesk, scanner: FakeScanner) -> None:
        from edgebox.errors import StoreFull

        async def full(*events: object) -> None:
            raise StoreFull("the disk is full", reason="full")

        async def member(one: Scanned) -> Said:
            return Said(Answer.REDEEMED)

        desk.handlers[Kind.MEMBER] = member
        assert desk._store is not None
        desk._store.record = full  # type: ignore[assignment,method-assign]
        assert await scanner.scan("VIP:1", Kind.MEMBER)
        assert [one.answer for one in await waits_for(desk, 1)] == ["redeemed"]
        assert desk.counters["unrecorded"] == 1
        del desk._store.record

    play(tmp_path, story)
