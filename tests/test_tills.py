"""What the engine remembers of its tills: layouts that are new are believed less, reports are checked."""

import asyncio
import logging
import tempfile
from pathlib import Path

import msgspec
import pytest

from edgebox.line.frames import Result
from edgebox.model import Confidence, Details, DocumentKind, Receipt
from edgebox.store.events import ReceiptRecord, ShiftRecord
from edgebox.tills import Tills
from tests.line_of_engine import RECEIPT, FakeLine, on_disk, recorded, running, verified

KNOWN = "0001000200030004"
NEW = "1001100210031004"
LEARN = 3
REPORT = b"Z REPORT\n2026-11-18 20:00\nTransactions: 2\nTotal sales: 50.00\n\n\n"


def record(document: int, **changes: object) -> ReceiptRecord:
    sale = ReceiptRecord(
        session="00",
        document=document,
        line="line1",
        at=0,
        kind="sale",
        number=str(document),
        amount_minor=1600,
        layout=KNOWN,
    )
    return msgspec.structs.replace(sale, **changes)


def receipt(layout: str, confidence: Confidence, amount: int = 1600) -> Receipt:
    return Receipt(
        DocumentKind.SALE, qualifies=True, amount_minor=amount, confidence=confidence, details=Details(layout=layout)
    )


def learned(medium_max: int = 0) -> Tills:
    tills = Tills(LEARN, medium_max)
    for number in range(LEARN):
        assert not tills.note(record(number)).drift
    return tills


def test_a_receipt_in_a_known_layout_is_believed_as_it_is() -> None:
    one = receipt(KNOWN, Confidence.HIGH)
    assert learned().believed("line1", one) == one


def test_a_receipt_in_a_new_layout_is_believed_less() -> None:
    tills = learned()
    medium = tills.believed("line1", receipt(NEW, Confidence.HIGH))
    assert (medium.qualifies, medium.confidence) == (True, Confidence.MEDIUM)
    low = tills.believed("line1", receipt(NEW, Confidence.MEDIUM))
    assert (low.qualifies, low.confidence) == (False, Confidence.LOW)
    assert "layout" in low.reasons[0]


def test_what_may_not_earn_at_medium_confidence_does_not() -> None:
    assert not learned(1000).believed("line1", receipt(NEW, Confidence.HIGH, 1600)).qualifies


def test_another_till_has_its_own_layouts() -> None:
    assert learned().believed("line2", receipt(NEW, Confidence.HIGH)).confidence is Confidence.HIGH


def test_a_new_layout_raises_an_alarm_with_a_rate() -> None:
    drift = learned().note(record(9, layout=NEW)).drift
    assert "line1" in drift
    assert "25%" in drift


def test_a_report_is_checked_against_the_receipts_since_the_last_one() -> None:
    tills = learned()
    check = tills.checked(record(10, kind="report", report=ShiftRecord(receipts=LEARN, sum_minor=4800)))
    assert check.z_equal
    tills.note(check)
    later = tills.checked(record(11, kind="report", report=ShiftRecord(receipts=1, sum_minor=100)))
    assert not later.z_equal
    assert "+1 receipts" in later.z_check


def test_a_void_that_the_till_counted_is_named() -> None:
    tills = learned()
    tills.note(record(7, kind="void", amount_minor=900, number="V7"))
    check = tills.checked(record(10, kind="report", report=ShiftRecord(receipts=LEARN + 1, sum_minor=5700)))
    assert "V7" in check.z_check


def test_copies_and_reprints_count_once() -> None:
    tills = learned()
    tills.note(record(0))
    tills.note(record(1, modifiers=("reprint",)))
    assert tills.checked(record(10, kind="report", report=ShiftRecord(receipts=LEARN, sum_minor=4800))).z_equal


def test_the_engine_records_the_check_of_a_report(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def play(folder: Path) -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            verified(await line.print_receipt(1))
            await line.answer(2, REPORT)
            await line.done(2, Result.PLAIN)
            sale, report = recorded(folder)
            assert (sale.kind, report.kind) == ("sale", "report")
            assert report.report == ShiftRecord(receipts=2, sum_minor=5000)
            assert "+1 receipts, +16.10" in report.z_check

    with tempfile.TemporaryDirectory(prefix="eb") as path:
        asyncio.run(play(Path(path)))
    assert "report:" in caplog.text


def test_what_is_personal_never_reaches_the_journal() -> None:
    paper = RECEIPT + b"Member No: 13800138000\nAuth code: 134567890123456789\nCard: 6222021234567890123\n"
    paper += b"Customer: Jane Roe\n"

    async def play(folder: Path) -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            await line.answer(1, paper)
            await line.done(1, Result.PLAIN)
            (one,) = recorded(folder)
            assert len(one.member) == len(one.transaction) == 32
            disk = on_disk(folder)
            assert b"000417" in disk
            for secret in (b"13800138000", b"134567890123456789", b"6222021234567890123", b"Jane", b"Roe"):
                assert secret not in disk

    with tempfile.TemporaryDirectory(prefix="eb") as path:
        asyncio.run(play(Path(path)))
