"""Receipt number, date and time as printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.model import NumberScope
from edgebox.receipt.fields import find_date, find_time
from edgebox.receipt.words import normalise
from tests.receipt.paper import SHOP, read


@pytest.mark.parametrize(
    ("text", "order", "date"),
    [
        ("2026-11-18 18:42:07", "ymd", "2026-11-18"),
        ("2026/1/8", "dmy", "2026-01-08"),
        ("2026年11月18日", "ymd", "2026-11-18"),
        ("民國115年11月18日", "ymd", "2026-11-18"),
        ("25/12/2018 8:13:39 PM", "dmy", "2018-12-25"),
        ("05-06-18", "dmy", "2018-06-05"),
        ("05-06-18", "mdy", "2018-05-06"),
        ("18-06-05", "ymd", "2018-06-05"),
        ("05/06/2018", "ymd", ""),  # nobody said which
        ("25/12/2018", "ymd", "2018-12-25"),  # only one way to read it
        ("12 Jan 2019", "ymd", "2019-01-12"),
        ("Jan 12, 2019", "ymd", "2019-01-12"),
        ("31.02.2026", "dmy", ""),
        ("TEL 03-3509405", "dmy", ""),
    ],
)
def test_dates_are_read_as_the_shop_writes_them(text: str, order: str, date: str) -> None:
    assert find_date(normalise(text), order) == date


@pytest.mark.parametrize(
    ("text", "time"),
    [("18:42:07", "18:42:07"), ("8:13:39 PM", "20:13:39"), ("12:05 AM", "00:05"), ("18时42分", "18:42"), ("25:61", "")],
)
def test_times_are_read(text: str, time: str) -> None:
    assert find_time(normalise(text)) == time


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("单号:20261118030178          2026-11-18 18:42:07", "20261118030178"),
        ("流水号 0007 1123", "00071123"),
        ("訂單編號：wx202606141903046140", "WX202606141903046140"),
        ("檯/單號         :B1/260912095103", "260912095103"),
        ("DOCUMENT NO : TD01167104", "TD01167104"),
        ("Receipt #: A-00417", "A-00417"),
        ("ORDER# 000141", "000141"),
        ("Order 378752", "378752"),
        ("订单编号            202604050852", "202604050852"),
        ("Bon-Nr: 4711", "4711"),
        ("DATE: 2026-11-18", ""),
    ],
)
def test_the_receipts_number_is_read(line: str, number: str) -> None:
    assert read(f"SHOP\n{line}\nTOTAL 1.00").number == number


def test_a_number_in_a_remark_is_not_the_receipts() -> None:
    assert read("SHOP\n备注: 单号:999999\n--------\n单号:4711\nTOTAL 1.00").number == "4711"


def test_the_till_is_read_and_the_shop_says_whose_the_numbers_are() -> None:
    receipt = read("SHOP\n机号:03\n流水号:0007\nTOTAL 1.00", SHOP._replace(number_scope="till"))
    assert (receipt.number, receipt.till, receipt.number_scope) == ("0007", "03", NumberScope.TILL)
    assert read("SHOP\n单号:0007\nTOTAL 1.00").number_scope is NumberScope.STORE


@given(st.text(max_size=200), st.sampled_from(["ymd", "dmy", "mdy"]))
def test_any_text_gives_a_real_date_or_none(text: str, order: str) -> None:
    import datetime

    text = normalise(text)
    date = find_date(text, order)
    assert date == "" or datetime.date.fromisoformat(date)
    time = find_time(text)
    assert time == "" or datetime.time.fromisoformat(time)
