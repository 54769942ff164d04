"""Receipts for the books: which day, which bill, which counts."""

import asyncio
import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.cli import main
from edgebox.store.events import ReceiptRecord
from edgebox.store.export import Book, Line, Period, written
from edgebox.store.store import Store
from tests.faults.ledger import AT, receipt

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVER = Period(None, None, SHANGHAI)


def bill(number: str = "000417", **fields: Any) -> ReceiptRecord:
    return msgspec.structs.replace(receipt(1), number=number, **fields)


def booked(*records: ReceiptRecord, period: Period = EVER) -> tuple[list[Line], Book]:
    book = Book("shop 7", period)
    return list(book.lines(records)), book


def net(book: Book) -> int:
    (found,) = book.totals()["currencies"]  # type: ignore[misc]
    return int(found["net_minor"])  # type: ignore[call-overload]


def test_sales_less_refunds_and_voids_are_the_sum() -> None:
    _lines, book = booked(
        bill("1", amount_minor=3390),
        bill("2", amount_minor=1000),
        bill("3", kind="refund", amount_minor=-500),
        bill("4", kind="void", amount_minor=1000),
        bill("5", kind="pre_bill", amount_minor=9999),
        bill("6", kind="training", amount_minor=9999),
    )
    assert net(book) == 3390 + 1000 - 500 - 1000
    assert "28.90 CNY" in book.words()


@pytest.mark.parametrize("again", [{"modifiers": ("reprint",)}, {"modifiers": ("copy",)}, {}])
def test_a_bill_counts_once_however_often_it_is_printed(again: dict[str, Any]) -> None:
    lines, book = booked(bill(), bill(**again), bill(**again))
    assert [line.counts for line in lines] == [True, False, False]
    assert "repeated" in lines[1].marks
    assert net(book) == 3390


def test_a_bill_settled_anew_counts_with_its_last_amount() -> None:
    lines, book = booked(bill(), bill(amount_minor=2390, revision=1))
    assert lines[1].marks == "resettled repeated"
    assert net(book) == 2390


def test_the_same_number_on_another_till_or_day_is_another_bill() -> None:
    _lines, book = booked(bill(), bill(till="2"), bill(printed_date="2026-11-19"))
    assert net(book) == 3 * 3390


def test_a_reprint_of_a_bill_that_the_box_never_saw_counts() -> None:
    lines, book = booked(bill(modifiers=("reprint",)))
    assert (lines[0].counts, net(book)) == (True, 3390)


def test_receipts_without_a_number_count_unless_they_say_they_are_copies() -> None:
    _lines, book = booked(bill(""), bill(""), bill("", modifiers=("copy",)))
    assert net(book) == 2 * 3390


def test_an_amount_that_was_not_read_is_told_and_not_guessed() -> None:
    lines, book = booked(bill(amount_minor=None))
    assert (lines[0].net, lines[0].counts) == ("", False)
    assert "1 whose amount could not be read" in book.words()


def test_a_period_goes_by_the_printed_day_and_else_by_the_shops_clock() -> None:
    midnight = 1_794_931_200  # 2026-11-18 00:00 in Shanghai
    period = Period(date(2026, 11, 18), date(2026, 11, 18), SHANGHAI)
    lines, _book = booked(
        bill("1", at=midnight + 90_000),  # printed on the 18th, recorded on the 19th
        bill("2", printed_date="2026-11-17", at=midnight),
        bill("3", printed_date="", at=midnight - 1),
        bill("4", printed_date="", at=midnight),
        bill("5", printed_date="no date", at=midnight + 86_399),
        period=period,
    )
    assert [line.number for line in lines] == ["1", "4", "5"]


def test_two_currencies_are_never_added() -> None:
    _lines, book = booked(bill("1"), bill("2", currency="JPY", decimals=0, amount_minor=3000))
    assert "3000 JPY" in book.words()
    assert "33.90 CNY" in book.words()


# -- files


def test_no_printed_text_becomes_a_formula() -> None:
    book = Book("shop", EVER)
    text = "".join(written(book.lines([bill("=1+1", till="@x", amount_minor=-500, kind="refund")]), book, "csv"))
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["number"], row["till"], row["net"]) == ("'=1+1", "'@x", "-5.00")


@given(
    number=st.text(max_size=20),
    till=st.text(max_size=20),
    amount=st.none() | st.integers(-(10**12), 10**12),
    kind=st.sampled_from(["sale", "refund", "void", "kitchen", "a kind of tomorrow"]),
    at=st.integers(0, 1 << 33),
    day=st.text(max_size=12),
)
def test_whatever_was_printed_can_be_exported(
    number: str, till: str, amount: int | None, kind: str, at: int, day: str
) -> None:
    record = bill(number, till=till, amount_minor=amount, kind=kind, at=at, printed_date=day)
    for form in ("csv", "json"):
        book = Book("shop", EVER)
        text = "".join(written(book.lines([record, record]), book, form))  # type: ignore[arg-type]
        if form == "json":
            assert len(json.loads(text)["receipts"]) == 2
        else:
            assert len(list(csv.reader(io.StringIO(text, newline="")))) == 3


def test_the_command_writes_lines_and_says_the_sums_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def fill() -> Store:
        store = Store.open(tmp_path)
        for number in range(1, 1202):
            await store.record(receipt(number, at=AT + number))
        return store

    async def play() -> None:
        store = await fill()
        flags = ["--set", f"engine.data={tmp_path}", "--set", "shop.name=Corner"]
        assert main(["export", *flags]) == 0  # while the engine runs
        said = capsys.readouterr()
        rows = list(csv.DictReader(io.StringIO(said.out)))
        assert [row["number"] for row in rows] == [f"{number:06d}" for number in range(1, 1202)]
        assert rows[0]["store"] == "Corner"
        assert "1201 receipts listed" in said.err
        assert main(["export", *flags, "-o", "json", "--since", "2026-11-19"]) == 0
        assert json.loads(capsys.readouterr().out)["totals"]["listed"] == 0
        await store.close()

    asyncio.run(play())
