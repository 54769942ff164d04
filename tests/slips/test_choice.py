"""Which slips a document gets: every condition at its edge, in the order of priority."""

from datetime import UTC, datetime

import pytest

from edgebox.model import DocumentKind, TenderKind
from edgebox.slip_files import load_slips, slip_from
from edgebox.slips.choice import Occasion, choose, is_met, missing_minor
from edgebox.slips.template import Template

SLIPS = load_slips()
SALE = Occasion(DocumentKind.SALE, 12_000, frozenset({TenderKind.CASH}), datetime(2026, 11, 18, 15, 0, tzinfo=UTC))


def slip(name: str = "s", purpose: str = "link", **keys: object) -> Template:
    return slip_from({"name": name, "purpose": purpose, "block": [{"type": "rule"}], **keys}, "t.toml")


@pytest.mark.parametrize(
    ("when", "met", "not_met"),
    [
        ({"kinds": ["pre_bill"]}, {"kind": DocumentKind.PRE_BILL}, {}),
        ({"min_minor": 12_000}, {}, {"amount_minor": 11_999}),
        ({"max_minor": 12_000}, {}, {"amount_minor": 12_001}),
        ({"min_minor": 1}, {}, {"amount_minor": None}),
        ({"max_minor": 99_999}, {}, {"amount_minor": None}),
        ({"tenders": ["cash"]}, {}, {"tenders": frozenset({TenderKind.CARD})}),
        ({"not_tenders": ["wechat"]}, {}, {"tenders": frozenset({TenderKind.CASH, TenderKind.WECHAT})}),
        ({"tiers": ["gold"]}, {"tier": "gold"}, {}),
        ({"segments": ["at-risk"]}, {"segment": "at-risk"}, {"segment": "new"}),
        ({"staff": ["07"]}, {"staff": "07"}, {"staff": "7"}),
        ({"tables": ["A1"]}, {"table": "A1"}, {}),
        ({"lines": ["till-1"]}, {"line": "till-1"}, {"line": "till-2"}),
        ({"needs": ["number"]}, {"known": frozenset({"number"})}, {}),
        ({"unless": ["fiscal"]}, {}, {"known": frozenset({"fiscal"})}),
        (
            {"window": {"from": "14:00", "to": "15:01"}},
            {},
            {"local": datetime(2026, 11, 18, 15, 1, tzinfo=UTC)},
        ),
        ({"window": {"days": ["wed"]}}, {}, {"local": None}),
        ({"window": {"end": "2026-11-18"}}, {}, {"local": datetime(2026, 11, 19, tzinfo=UTC)}),
    ],
)
def test_a_condition_holds_up_to_its_edge(
    when: dict[str, object], met: dict[str, object], not_met: dict[str, object]
) -> None:
    one = slip(when=when)
    assert is_met(one, SALE._replace(**met))
    assert not is_met(one, SALE._replace(**not_met))


def test_an_unknown_clock_stops_only_slips_with_a_window() -> None:
    assert is_met(slip(), SALE._replace(local=None))


@pytest.mark.parametrize(("amount", "missing"), [(9_999, 1), (10_000, 0), (10_001, 0), (5_000, 5_000)])
def test_a_promotion_says_what_is_missing_to_its_threshold(amount: int, missing: int) -> None:
    promotion = SLIPS["promotion"]
    assert missing_minor(promotion, amount) == missing
    assert is_met(promotion, SALE._replace(amount_minor=amount)) == (missing > 0)


def test_a_promotion_is_for_those_not_too_far_from_it() -> None:
    assert not is_met(SLIPS["promotion"], SALE._replace(amount_minor=4_999))


def test_slips_come_by_priority_then_name_and_shadowed_ones_apart() -> None:
    slips = [slip("b"), slip("a"), slip("first", priority=1), slip("dark", shadow=True)]
    found = choose(slips, SALE)
    assert [one.name for one in found.printed] == ["first", "a", "b"]
    assert [one.name for one in found.shadowed] == ["dark"]


def test_a_member_gets_a_slip_so_often_a_day_and_strangers_always() -> None:
    capped = slip(per_member_day=2)
    had = {("m1", "s"): 1, ("m2", "s"): 2}
    served = lambda member, name: had.get((member, name), 0)  # noqa: E731
    assert choose([capped], SALE._replace(member="m1"), served).printed
    assert not choose([capped], SALE._replace(member="m2"), served).printed
    assert choose([capped], SALE, served).printed


@pytest.mark.parametrize("kind", [kind for kind in DocumentKind if kind is not DocumentKind.SALE])
def test_nothing_but_a_sale_gets_a_shipped_slip_except_a_pre_bill_its_payment_code(kind: DocumentKind) -> None:
    known = frozenset({"number", "amount", "staff", "table", "till"})
    found = choose(SLIPS.values(), Occasion(kind, 12_000, known=known))
    assert [one.name for one in found.printed] == (["payment"] if kind is DocumentKind.PRE_BILL else [])


def test_an_invoice_is_offered_unless_the_till_printed_its_own_code() -> None:
    known = frozenset({"number"})
    assert is_met(SLIPS["invoice"], SALE._replace(known=known))
    assert not is_met(SLIPS["invoice"], SALE._replace(known=known | {"fiscal"}))
    assert not is_met(SLIPS["invoice"], SALE)
