"""What counts for a commit-and-save card, and which step a refund takes back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.errors import ConfigError
from edgebox.loyalty import commit_card
from edgebox.loyalty.commit_card import CommitCard, Refund, Step, bill_of, counts, undone_by
from edgebox.loyalty.windows import When, Window
from edgebox.model import Details, DocumentKind, Item, Modifier, NumberScope, Receipt
from edgebox.rules_file import parse_rules

NOON = int(datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp())
LUNCH, COFFEE = CommitCard("lunch", 3000), CommitCard("coffee", match=("*latte*",), per_item=True)
LEAST = 'rev = 1\ncurrency = "CNY"\n[[tier]]\nid = "base"\nspend_per_point = 100\n'


def sale(amount: int | None, *items: Item, **changes: object) -> Receipt:
    plain = Receipt(DocumentKind.SALE, qualifies=True, amount_minor=amount, details=Details(items=items))
    return plain._replace(**changes)  # type: ignore[arg-type]


def counted(*cards: CommitCard, receipt: Receipt, trusted: bool = True) -> dict[str, int]:
    return dict(counts(cards, receipt, When(NOON, trusted), UTC))


def test_a_receipt_counts_from_the_least_spend_on() -> None:
    assert counted(LUNCH, receipt=sale(3000)) == {"lunch": 1}
    assert counted(LUNCH, receipt=sale(2999)) == {}
    assert counted(LUNCH, receipt=sale(None)) == {}


def test_each_piece_counts_where_the_card_says_so() -> None:
    items = (Item("Iced LATTE", 2000, 1500, 3000), Item("Latte beans", 350, None, 900), Item("Tea", 1000, 500, 500))
    assert counted(COFFEE, COFFEE._replace(id="once", per_item=False), receipt=sale(4400, *items)) == {
        "coffee": 3,
        "once": 1,
    }
    assert counted(COFFEE, receipt=sale(4400)) == {}, "items that were not read count for nothing"
    crate = Item("latte", 5_000_000, 100, 500_000)
    assert counted(COFFEE, receipt=sale(500_000, crate)) == {"coffee": commit_card.COUNT_MAX}


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": DocumentKind.PRE_BILL},
        {"kind": DocumentKind.REFUND},
        {"qualifies": False},
        {"modifiers": (Modifier.REPRINT,)},
        {"modifiers": (Modifier.COPY,)},
    ],
)
def test_what_is_no_paid_sale_counts_for_nothing(changes: dict[str, object]) -> None:
    assert counted(LUNCH, receipt=sale(9000, **changes)) == {}


def test_hours_need_a_clock_that_is_believed() -> None:
    card = LUNCH._replace(when=Window(from_minute=11 * 60, to_minute=14 * 60))
    assert counted(card, receipt=sale(9000)) == {"lunch": 1}
    assert counted(card, receipt=sale(9000), trusted=False) == {}


@given(st.text(max_size=40), st.text(max_size=12), st.integers(0, 10**6))
def test_a_serial_is_32_letters_and_each_bill_card_and_settlement_has_its_own(bill: str, card: str, store: int) -> None:
    found = [
        commit_card.increase_serial(store, card, bill, 0),
        commit_card.increase_serial(store, card, bill, 1),
        commit_card.increase_serial(store + 1, card, bill, 0),
        commit_card.increase_serial(store, card + "x", bill, 0),
        commit_card.increase_serial(store, card, bill + "x", 0),
    ]
    found.append(commit_card.decrease_serial(store, found[0]))
    assert len(set(found)) == len(found)
    assert all(len(one) == 32 and one.isalnum() and one.isascii() for one in found)
    assert found[0] == commit_card.increase_serial(store, card, bill, 0)


def test_a_bill_without_number_or_day_has_no_name() -> None:
    assert bill_of("417", "", "2", NumberScope.STORE) == bill_of("", "2026-11-18", "2", NumberScope.STORE) == ""
    assert bill_of("417", "2026-11-18", "2", NumberScope.STORE) == bill_of("417", "2026-11-18", "3", NumberScope.STORE)
    assert bill_of("417", "2026-11-18", "2", NumberScope.TILL) != bill_of("417", "2026-11-18", "3", NumberScope.TILL)


# -- refunds

STEP = Step("s1", "lunch", "anna", 1, 5000, "417/2026-11-18/", NOON)


@pytest.mark.parametrize(
    ("refund", "undone"),
    [
        (Refund("417", "2026-11-18", "", 5000), True),  # the sale's number, the same day
        (Refund("417", "2026-11-20", "", 5000), True),  # days later, of the same amount
        (Refund("417", "2026-11-20", "", 4000), False),  # perhaps its own number, of another day's counting
        (Refund("417", "2026-11-18", "", 2001), True),  # what remains is below the least spend
        (Refund("417", "2026-11-18", "", 2000), False),  # what remains still counts
        (Refund("417", "2026-11-18", "", 100, is_void=True), True),
        (Refund("417", "2026-11-18", "bert", 5000), False),  # another member's
        (Refund("417", "2026-11-18", "", 5001), False),  # more than was paid
        (Refund("900", "2026-11-18", "anna", 5000), True),  # its own number: by member and amount
        (Refund("900", "2026-11-18", "anna", 4999), False),
        (Refund("900", "2026-11-18", "", 5000), False),  # anybody's
        (Refund("", "2026-11-18", "anna", 5000), True),
    ],
)
def test_a_refund_takes_back_what_it_surely_belongs_to(refund: Refund, undone: bool) -> None:
    assert undone_by(refund, [STEP], [LUNCH]) == ([STEP] if undone else [])


def test_a_copy_of_a_refund_takes_nothing_of_another_sale() -> None:
    other = STEP._replace(serial="s2", bill="418/2026-11-18/", at=NOON + 60)
    assert undone_by(Refund("417", "2026-11-18", "anna", 5000), [STEP._replace(is_undone=True), other], [LUNCH]) == []


def test_a_refund_by_amount_takes_back_the_last_of_several() -> None:
    later = STEP._replace(serial="s2", bill="418/2026-11-18/", at=NOON + 60)
    assert undone_by(Refund("", "2026-11-18", "anna", 5000), [STEP, later], [LUNCH]) == [later]


def test_all_cards_of_one_bill_go_together() -> None:
    other = STEP._replace(serial="s2", card="coffee", times=3)
    found = undone_by(Refund("417", "2026-11-18", "", 5000), [STEP, other], [LUNCH])
    assert {step.serial for step in found} == {"s1", "s2"}


# -- the rules file


def test_cards_are_read_from_a_rules_file() -> None:
    text = LEAST + '[[commit_card]]\nid = "c"\nmatch = ["*Ｌatte*"]\ncount = "item"\nmin_spend = 5\n'
    assert parse_rules(text, "f").cards == (CommitCard("c", 5, ("*latte*",), per_item=True),)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('id = "c"', "commit_card[c]: every receipt would count: expected min_spend or match"),
        ('id = "c"\nmin_spend = 1\ncount = "item"', 'commit_card[c].match: missing: count = "item" needs'),
        ('id = "c"\nmin_spend = -1', "commit_card[c].min_spend"),
        ('id = "c"\nmin_spend = 1\ncount = "visit"', "commit_card[c].count: expected one of receipt, item"),
        ("min_spend = 1", "commit_card[1].id: missing"),
    ],
)
def test_a_fault_in_a_card_is_named(keys: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rules(f"{LEAST}[[commit_card]]\n{keys}\n", "f")
    assert said in str(caught.value.args[0])
