"""The page's questions, asked of an engine at work."""

import asyncio
from datetime import date
from pathlib import Path

import pytest

from edgebox.errors import ReportError
from edgebox.reports import reasons
from edgebox.reports.days import Span
from edgebox.reports.house import AuditWanted
from edgebox.reports.search import Wanted
from edgebox.store.events import HealthRecord, ReceiptRecord, VisitRecord
from tests.line_of_engine import NOW, PRE_BILL, RECEIPT, REPRINT, RESETTLED, SESSION, FakeLine
from tests.reports.shop import A_DAY, fill, reported
from tests.reports.shop import SESSION as FILLED

NAME = SESSION.hex()


def test_the_owners_screen_counts_what_was_printed(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            line = await FakeLine.connect(engine)
            assert (await reports.today()).sums.documents == 0
            await line.print_receipt(1)
            await line.print_receipt(2, REPRINT)
            await line.print_receipt(3, PRE_BILL)
            await reports.store.record(VisitRecord(at=NOW, tag="t1"))
            found = await reports.today()
            assert (found.sums.receipts, found.sums.sales_minor, found.sums.offered) == (1, 3390, 1)
            assert (found.sums.repeated, found.sums.documents, found.visits) == (1, 3, 1)
            assert [row.kind for row in found.last] == ["pre_bill", "sale", "sale"]
            assert sum(found.claims.values()) == 1
            chart = await reports.chart(Span.DAY)
            assert (len(chart.bars), chart.total) == (24, found.sums)
            assert [bar.sums.receipts for bar in chart.bars if bar.begin <= NOW < bar.end] == [1]
            await line.print_receipt(4, RESETTLED)
            assert (await reports.today()).sums.sales_minor == 2390, "the bill counts once"

    asyncio.run(play())


def test_one_receipt_has_its_claim_its_reasons_and_its_paper(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            line = await FakeLine.connect(engine)
            answer = await line.print_receipt(1)
            whole = await reports.receipt(NAME, 1)
            assert whole.claim is not None
            assert (whole.claim.url, whole.is_own, whole.has_paper) == (answer.ref.decode(), True, True)
            told = reasons.explain(whole)
            assert {reason.key for reason in told} <= reasons.KEYS
            first = told[0]
            assert (first.topic, first.key, first.grade) == ("total", "tendered_less_change", "good")
            assert dict(first.values) == {"paid": "50.00", "change": "16.10", "total": "33.90"}
            sheet = await reports.paper(NAME, 1)
            assert sheet.slip is not None
            assert (sheet.slip.url, sheet.slip.qr_size >= 33) == (whole.claim.url, True)

    asyncio.run(play())


@pytest.mark.parametrize(("session", "document"), [(NAME, 99), ("'", 1), ("", 0)])
def test_a_receipt_that_is_not_there_is_told(tmp_path: Path, session: str, document: int) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (_, reports):
            for ask in (reports.receipt, reports.paper):
                with pytest.raises(ReportError) as caught:
                    await ask(session, document)
                assert caught.value.reason == "no_receipt"

    asyncio.run(play())


def test_what_is_wrong_is_told_with_what_the_till_and_the_cloud_say(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (_, reports):
            await reports.store.record(
                HealthRecord(at=NOW, part="printer till-1", state="failed", words="no paper"),
                HealthRecord(at=NOW, part="store", state="ok"),
            )
            report = ReceiptRecord(
                at=NOW, session="aa", document=1, line="till-1", kind="report", z_check="the till reports +2 receipts"
            )
            await reports.store.record(report)
            found = [one.key for one in await reports.troubles()]
            assert found.index("printer_no_paper") < found.index("z_differs")
            assert [check.is_equal for check in await reports.z_checks()] == [False]

    asyncio.run(play())


def test_three_months_of_a_shop_are_answered(tmp_path: Path) -> None:
    fill(tmp_path / "data", 3 * A_DAY, papers=50)

    async def play() -> None:
        async with reported(tmp_path) as (_, reports):
            month = await reports.chart(Span.MONTH)
            week = await reports.chart(Span.WEEK)
            assert month.total.documents == 3 * A_DAY
            assert sum(bar.sums.offered for bar in month.bars) == month.total.offered > 2500
            assert len(month.bars) == 30
            assert week.total.documents == 3 * A_DAY
            assert (await reports.chart(Span.MONTH)) == month, "kept days say the same"
            counts = await reports.staff_counts(7)
            assert sum(found.get("receipts", 0) for found in counts.values()) == month.total.receipts
            assert await reports.staff(7) == ()
            cost = await reports.paper_cost("2026-11")
            assert cost.total.mm == 60 * cost.receipts > 0
            with pytest.raises(ReportError):
                await reports.paper_cost("2026-13")
            state = await reports.sync()
            assert (state.is_on, state.waiting["receipts"]) == (False, 3 * A_DAY)
            disk = await reports.disk()
            assert disk.pressure == 0
            assert disk.paper_bytes > 0
            shift, tally = await reports.shift_tally()
            assert shift.number >= 1
            assert tally.slips[0] <= tally.slips[1]

    asyncio.run(play())


def test_the_audit_and_the_desk_go_page_by_page(tmp_path: Path) -> None:
    fill(tmp_path / "data", 400, papers=0)

    async def play() -> None:
        async with reported(tmp_path) as (_, reports):
            seen, wanted = [], AuditWanted(who="owner", what="config")
            while True:
                page = await reports.audit(wanted, 3)
                seen += page.rows
                if not page.next:
                    break
                wanted = wanted._replace(before=page.next)
            assert [row.place for row in seen] == sorted({row.place for row in seen}, reverse=True)
            assert len(seen) == 10
            assert (await reports.audit(AuditWanted(who="nobody"))).rows == ()
            first = await reports.redemptions(limit=15)
            rest = await reports.redemptions(first[-1].place, 15)
            assert len({row.place for row in (*first, *rest)}) == 20
            assert len(await reports.visits(limit=7)) == 7

    asyncio.run(play())


def test_days_to_come_and_days_before_the_box_are_empty(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (_, reports):
            for name in (date(2030, 1, 1), date(1990, 1, 1), date.max, date.min):
                assert (await reports.chart(Span.MONTH, name)).total.documents == 0
                assert (await reports.today(name)).sums.documents == 0

    asyncio.run(play())


def test_a_paper_whose_bits_have_turned_is_no_500(tmp_path: Path) -> None:
    fill(tmp_path / "data", 30, papers=30)

    async def play() -> None:
        async with reported(tmp_path) as (_, reports):
            await reports.store.change(lambda db: db.execute("UPDATE receipt_papers SET body = x'00'"))
            with pytest.raises(Exception, match="bits have turned") as caught:
                await reports.paper(FILLED, 3)
            assert getattr(caught.value, "reason", "") == "damaged"
            assert (await reports.search(Wanted(text="TOTAL"))).rows == ()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("by its label; an amount is printed as paid", ["by_label", "paid_amount"]),
        ("RKSV code says 33.90, the paper 35.90", ["code_contradicts"]),
        ("rival totals 12.00, 15.00", ["rival_totals"]),
        ("raster: only pictures", ["picture"]),
        ("something that nobody listed", ["said"]),
    ],
)
def test_a_reason_is_taken_apart_and_one_that_is_not_known_is_said_as_it_is(words: str, keys: list[str]) -> None:
    found = list(reasons.read("total", words))
    assert [reason.key for reason in found] == keys
    assert {reason.key for reason in found} <= reasons.KEYS


def test_the_readers_own_words_are_known(tmp_path: Path) -> None:
    raws = (
        RECEIPT,
        PRE_BILL,
        REPRINT,
        RECEIPT.replace(b"TOTAL", b"BLAH"),
        b"HELLO\n",
        RECEIPT.replace(b"50.00", b"5.00"),
    )

    async def play() -> list[str]:
        async with reported(tmp_path) as (engine, reports):
            line = await FakeLine.connect(engine)
            out = []
            for number, raw in enumerate(raws):
                await line.print_receipt(number, raw)
                whole = await reports.receipt(NAME, number)
                out += [reason.values["words"] for reason in reasons.explain(whole) if reason.key == "said"]
            return out

    assert asyncio.run(play()) == []
