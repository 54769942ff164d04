"""A day's sums are those of the till's own books: each bill once."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from edgebox.reports.sums import DayBook, Row, Sums

numbers = itertools.count(1)


def row(**fields: object) -> Row:
    given = {
        "place": next(numbers), "at": 100, "kind": "sale", "modifiers": "", "amount_minor": 3390, "currency": "CNY",
        "till": "", "number": "", "printed_date": "2026-11-18", "qualifies": 1, "claim": "", "voided": 0, "points": 0,
        "result": "inserted", "cashier": "03",
    }  # fmt: skip
    return Row(**{**given, **fields})  # type: ignore[arg-type]


def sums(*rows: Row) -> Sums:
    book = DayBook(0, 24, "CNY")
    for one in rows:
        book.add(one)
    return book.total


def test_sales_refunds_and_voids_are_told_apart() -> None:
    found = sums(row(), row(kind="refund", amount_minor=-500), row(kind="void"), row(kind="kitchen"))
    assert (found.receipts, found.sales_minor, found.refunds, found.refunds_minor) == (1, 3390, 1, 500)
    assert (found.voids, found.documents, found.net_minor) == (1, 4, 2890)


def test_a_reprint_counts_nothing_and_a_bill_settled_anew_counts_its_last_amount() -> None:
    found = sums(row(number="7"), row(number="7", modifiers="reprint"), row(number="7", amount_minor=2390))
    assert (found.receipts, found.sales_minor, found.again) == (1, 2390, 2)


def test_a_total_that_was_not_read_and_another_currency_are_counted_apart() -> None:
    found = sums(row(amount_minor=None), row(currency="EUR"))
    assert (found.receipts, found.sales_minor, found.unread, found.foreign) == (0, 0, 1, 1)


def test_a_code_counts_as_offered_once_and_not_if_it_was_not_printed() -> None:
    found = sums(row(claim="aa", points=33), row(claim="aa", points=33, modifiers="reprint"), row(claim="bb", voided=1))
    assert (found.offered, found.repeated, found.void, found.points) == (1, 1, 1, 33)


def test_cashiers_have_their_own_counts_and_no_till_fills_the_memory_with_names() -> None:
    book = DayBook(0, 24, "CNY")
    for number in range(500):
        book.add(row(cashier=f"c{number}"))
    assert len(book.cashiers) <= 201
    assert sum(found["receipts"] for found in book.cashiers.values()) == 500


@given(
    st.lists(st.tuples(st.integers(0, 86_399), st.integers(1, 10**6), st.booleans())), st.randoms(use_true_random=False)
)
def test_the_hours_add_up_to_the_day_in_whatever_order(
    rows: list[tuple[int, int, bool]], chance: random.Random
) -> None:
    listed = [row(at=at, amount_minor=minor, kind="sale" if sale else "refund") for at, minor, sale in rows]
    before = sums(*listed)
    chance.shuffle(listed)
    assert sums(*listed) == before
    assert before.sales_minor == sum(minor for _, minor, sale in rows if sale)
    assert before.net_minor == sum(minor if sale else -minor for _, minor, sale in rows)
