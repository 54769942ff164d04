"""What a sale is worth: the vectors for the cloud's side, every threshold and its neighbours, and why nothing earns."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edgebox.loyalty.campaigns import Campaign, Stack
from edgebox.loyalty.item_rules import ItemRule
from edgebox.loyalty.rules import Caps, ClaimTerms, Points, Qualify, Refusal, Rounding, Rules, Tier, Unsure, evaluate
from edgebox.loyalty.sales import Amount, Basis, Part, Sale, sale_of
from edgebox.loyalty.windows import When, Window
from edgebox.model import Confidence, Details, DocumentKind, Item, Receipt, Tax, Tender, TenderKind
from edgebox.rules_file import rules_from

VECTORS = json.loads(Path(__file__).with_name("points_vectors.json").read_text("utf-8"))
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = When(int(datetime(2026, 10, 5, 12, tzinfo=SHANGHAI).timestamp()))
CASH = (Tender(TenderKind.CASH, None),)
PLAIN = Rules(1, "CNY", (Tier("base", 100),), SHANGHAI)


def sale(net: int | None, **fields: Any) -> Sale:
    return Sale(DocumentKind.SALE, net, **{"tenders": CASH, **fields})


def points(rules: Rules, net: int | None, **fields: Any) -> Points:
    return evaluate(rules, sale(net, **fields), NOON)


def test_the_cloud_and_the_box_agree_on_every_vector() -> None:
    rules = rules_from(VECTORS["rules"], "vectors")
    for row in VECTORS["sales"]:
        at = datetime.fromisoformat(row["at"]).replace(tzinfo=SHANGHAI)
        tenders = (Tender(TenderKind(row["tender"]), row["amount_minor"]),)
        sold = Sale(DocumentKind(row["kind"]), row["amount_minor"], tenders=tenders)
        assert evaluate(rules, sold, When(int(at.timestamp())), row["tier"]).points == row["points"], row


def test_points_are_counted_in_integers() -> None:
    """floor(100 * 1.15 / 115) is 0 with floats: 114.99999999999999."""
    rules = PLAIN._replace(tiers=(Tier("base", 115),), campaigns=(Campaign("c", multiply_pct=115),))
    assert evaluate(rules, sale(100), NOON).points == 1
    assert evaluate(rules, sale(99), NOON).points == 0


@pytest.mark.parametrize(
    ("rounding", "amounts"),
    [
        (Rounding.FLOOR, {99: 0, 100: 1, 149: 1, 150: 1, 199: 1, 200: 2}),
        (Rounding.HALF_UP, {49: 0, 50: 1, 149: 1, 150: 2, 151: 2}),
        (Rounding.CEIL, {1: 1, 100: 1, 101: 2, 200: 2, 201: 3}),
    ],
)
def test_parts_of_a_point_go_the_way_the_rules_say(rounding: Rounding, amounts: dict[int, int]) -> None:
    rules = PLAIN._replace(rounding=rounding)
    assert {amount: points(rules, amount).points for amount in amounts} == amounts


def test_the_least_and_the_largest_spend_are_exact_to_one_minor_unit() -> None:
    rules = PLAIN._replace(qualify=Qualify(min_spend=500, max_spend=1000))
    below, least, largest, above = (points(rules, net) for net in (499, 500, 1000, 1001))
    assert (below.refusal, below.flagged) == (Refusal.MINIMUM, False)
    assert (least.points, largest.points) == (5, 10)
    assert (above.refusal, above.points, above.flagged) == (Refusal.MAXIMUM, 0, True)
    assert above.steps == ("10.01 CNY is above the maximum of 10.00 CNY",)


@pytest.mark.parametrize(
    ("sold", "refusal"),
    [
        (sale(500)._replace(kind=DocumentKind.REFUND), Refusal.KIND),
        (sale(500)._replace(kind=DocumentKind.STORED_VALUE), Refusal.KIND),
        (sale(500, qualifies=False, why="no proof of payment"), Refusal.UNPROVEN),
        (sale(500, confidence=Confidence.LOW), Refusal.UNSURE),
        (sale(500, tenders=(Tender(TenderKind.CASH, 400), Tender(TenderKind.WECHAT, 100))), Refusal.TENDER),
        (sale(None), Refusal.AMOUNT),
        (sale(0), Refusal.MINIMUM),
        (sale(-500), Refusal.MINIMUM),
        (sale(99), Refusal.NO_POINTS),
    ],
)
def test_what_earns_nothing_says_why(sold: Sale, refusal: Refusal) -> None:
    rules = PLAIN._replace(qualify=Qualify(skip_tender=frozenset({TenderKind.WECHAT})))
    got = evaluate(rules, sold, NOON)
    assert (got.points, got.refusal, got.pending) == (0, refusal, False)
    assert got.steps[0]


@pytest.mark.parametrize("tenders", [(), (Tender(TenderKind.OTHER, 500),)])
def test_an_unknown_tender_is_pending_unless_the_shop_says_otherwise(tenders: tuple[Tender, ...]) -> None:
    pending = points(PLAIN, 500, tenders=tenders)
    assert (pending.points, pending.pending) == (5, True)
    earns = points(PLAIN._replace(qualify=Qualify(unknown_tender=Unsure.EARN)), 500, tenders=tenders)
    assert (earns.points, earns.pending) == (5, False)
    none = points(PLAIN._replace(qualify=Qualify(unknown_tender=Unsure.NO_QR)), 500, tenders=tenders)
    assert none.refusal is Refusal.UNKNOWN_TENDER


def test_a_total_that_is_not_sure_earns_only_if_the_cloud_confirms_it() -> None:
    rules = PLAIN._replace(qualify=Qualify(low_confidence=Unsure.QR_PENDING))
    got = points(rules, 500, confidence=Confidence.LOW, qualifies=False)
    assert (got.points, got.pending) == (5, True)


def test_an_unknown_or_vanished_tier_gets_what_the_lowest_gets() -> None:
    rules = PLAIN._replace(tiers=(Tier("gold", 50), Tier("base", 100), Tier("silver", 80)))
    assert evaluate(rules, sale(400), NOON).tier == "base"
    assert evaluate(rules, sale(400), NOON, "diamond").points == 4
    assert evaluate(rules, sale(400), NOON, "gold").points == 8


def test_a_receipt_is_capped_and_says_so() -> None:
    rules = PLAIN._replace(caps=Caps(points_per_receipt=10))
    assert [points(rules, net).points for net in (999, 1000, 1100)] == [9, 10, 10]
    assert "capped at 10 points a receipt" in points(rules, 1100).steps
    assert points(rules, 1000).pending is False


def test_what_the_box_promises_in_a_day_is_capped_and_the_cloud_asked() -> None:
    rules = PLAIN._replace(caps=Caps(points_per_receipt=50, points_per_device_day=100))
    last = evaluate(rules, sale(2000), NOON, day_points=80)
    over = evaluate(rules, sale(2000), NOON, day_points=81)
    none = evaluate(rules, sale(2000), NOON, day_points=100)
    assert (last.points, last.pending, last.steps[-1]) == (20, False, "20 points")
    assert (over.points, over.pending, over.flagged) == (19, True, True)
    assert (none.points, none.refusal, none.flagged) == (0, Refusal.DAY_CAP, True)


def test_a_refund_after_the_cap_never_gives_points_back_below_nought() -> None:
    rules = PLAIN._replace(caps=Caps(points_per_device_day=100))
    assert evaluate(rules, sale(2000), NOON, day_points=5000).points == 0


# -- which amount earns


def earns(net: int, basis: Basis, **fields: Any) -> int | Refusal | None:
    got = points(PLAIN._replace(basis=basis), net, **fields)
    return got.earning_minor if got.refusal is not Refusal.AMOUNT else got.refusal


def test_what_is_printed_on_its_own_line_is_taken_off() -> None:
    basis = Basis(subtract=frozenset(Part))
    parts = {Part.TIP: 100, Part.DELIVERY: 250}
    assert earns(1000, basis, parts=parts) == 650
    assert earns(1000, basis) == 1000
    assert earns(1000, Basis(), parts=parts) == 1000


def test_what_was_paid_with_stored_value_or_points_does_not_earn_twice() -> None:
    basis = Basis(subtract=frozenset({Part.STORED_VALUE_TENDER, Part.POINTS_TENDER}))
    stored, cash = Tender(TenderKind.STORED, 300), Tender(TenderKind.CASH, 700)
    assert earns(1000, basis, tenders=(stored, cash)) == 700
    assert earns(1000, basis, tenders=(stored, cash, Tender(TenderKind.POINTS, 200))) == 500
    assert points(PLAIN._replace(basis=basis), 1000, tenders=(stored,)).refusal is Refusal.MINIMUM
    nameless = Tender(TenderKind.STORED, None)
    assert earns(1000, basis, tenders=(nameless, cash)) is Refusal.AMOUNT
    assert points(PLAIN._replace(basis=basis), 1000, tenders=(nameless,)).refusal is Refusal.MINIMUM


def test_an_amount_that_the_receipt_does_not_say_is_not_guessed() -> None:
    assert earns(1000, Basis(with_tax=False), tax_minor=60) == 940
    assert earns(1000, Basis(with_tax=False)) is Refusal.AMOUNT
    assert earns(1000, Basis(Amount.GROSS), gross_minor=1200) == 1200
    assert earns(1000, Basis(Amount.SUBTOTAL)) is Refusal.AMOUNT
    assert "no_gross" in points(PLAIN._replace(basis=Basis(Amount.GROSS)), 1000).steps[0]


def test_a_read_receipt_becomes_a_sale() -> None:
    details = Details(items=(Item("茶", 1000, 500, 500),), taxes=(Tax("6", 28), Tax("13", 2)))
    read = Receipt(
        DocumentKind.SALE, (), True, 500, "CNY", 2, Confidence.HIGH, ("paid", "more"), tenders=CASH, details=details
    )
    assert sale_of(read) == sale(500, items=details.items, tax_minor=30, why="paid")
    assert sale_of(Receipt(DocumentKind.KITCHEN)).tax_minor is None


# -- items

SMOKE, TEA = Item("中华香烟", 1000, 4000, 4000), Item("红茶", 1000, 1000, 1000)
NO_SMOKE = PLAIN._replace(item_rules=(ItemRule(("*香烟*",)),))


def test_excluded_items_earn_nothing_and_without_items_nothing_changes() -> None:
    assert points(NO_SMOKE, 5000, items=(SMOKE, TEA)).points == 10
    assert points(NO_SMOKE, 5000).points == 50
    assert points(NO_SMOKE, 5000, items=(TEA,)).points == 50
    assert points(NO_SMOKE, 4000, items=(SMOKE,)).refusal is Refusal.NO_POINTS


def test_a_discount_on_the_receipt_never_lets_an_excluded_item_earn() -> None:
    assert points(NO_SMOKE, 4500, items=(SMOKE, TEA)).points == 5
    assert points(NO_SMOKE, 3000, items=(SMOKE, TEA)).points == 0


def test_items_may_earn_more_and_exclusion_wins_whatever_the_order() -> None:
    rules = (ItemRule(("*茶*",), 200), ItemRule(("红*",), 150), ItemRule(("*绿*", "*香烟*")))
    for order in (rules, rules[::-1]):
        shop = PLAIN._replace(item_rules=order)
        assert points(shop, 1000, items=(TEA,)).points == 20
        assert points(shop, 1500, items=(TEA,)).points == 25
        assert points(shop, 500, items=(TEA,)).points == 10
        assert points(shop, 1000, items=(TEA._replace(name="绿茶"),)).points == 0


def test_full_width_letters_and_capitals_make_no_difference() -> None:
    shop = PLAIN._replace(item_rules=(ItemRule(("*tobacco*",)),))
    assert points(shop, 1000, items=(TEA._replace(name="ＴＯＢＡＣＣＯ 20"),)).points == 0


def test_rounding_line_by_line_needs_items_that_add_up() -> None:
    shop = PLAIN._replace(by_line=True, rounding=Rounding.FLOOR)
    three = tuple(Item("a", 1000, 150, 150) for _ in range(3))
    assert points(shop, 450, items=three).points == 3
    assert points(shop, 440, items=three).points == 4  # a discount: of the receipt as a whole
    assert points(shop, 450).points == 4
    back = Item("b", 1000, -50, -50)
    assert points(shop, 400, items=(*three, back)).points == 4


# -- campaigns


def boosted(*campaigns: Campaign, net: int = 1000) -> Points:
    return points(PLAIN._replace(campaigns=campaigns), net)


@pytest.mark.parametrize(
    ("stack", "expected"), [(Stack.MAX, 20), (Stack.MULTIPLY, 30), (Stack.ADD, 25), (Stack.EXCLUSIVE, 15)]
)
def test_within_a_group_campaigns_stack_as_they_say(stack: Stack, expected: int) -> None:
    first = Campaign("a", multiply_pct=200, priority=1)
    second = Campaign("b", multiply_pct=150, stack=stack, priority=2)
    assert boosted(first, second).points == expected


def test_groups_multiply_each_other_and_bonuses_add_up() -> None:
    campaigns = (
        Campaign("a", multiply_pct=200, group="x"),
        Campaign("b", multiply_pct=150, group="y"),
        Campaign("c", bonus=7, group="z"),
        Campaign("d", bonus=2, group="x"),
    )
    got = boosted(*campaigns)
    assert (got.points, got.applied) == (39, ("a", "b", "c", "d"))
    assert "campaigns a, b, c, d: 300 %, 9 on top" in got.steps


def test_bonuses_of_one_group_add_up_only_if_they_say_so() -> None:
    assert boosted(Campaign("a", bonus=5), Campaign("b", bonus=7)).points == 17
    assert boosted(Campaign("a", bonus=5), Campaign("b", bonus=7, stack=Stack.ADD)).points == 22


def test_a_campaign_that_made_no_difference_is_not_counted_as_applied() -> None:
    assert boosted(Campaign("a", multiply_pct=300, priority=1), Campaign("b", multiply_pct=200)).applied == ("a",)
    assert boosted(Campaign("a", multiply_pct=200), Campaign("b", multiply_pct=200)).applied == ("a",)


def test_the_first_exclusive_one_stands_alone_in_its_group() -> None:
    best = Campaign("a", multiply_pct=900, priority=1)
    alone = Campaign("b", multiply_pct=150, bonus=3, stack=Stack.EXCLUSIVE, priority=2)
    other = Campaign("c", multiply_pct=800, stack=Stack.EXCLUSIVE, priority=3)
    elsewhere = Campaign("d", bonus=4, group="bonus", priority=4)
    got = boosted(best, alone, other, elsewhere)
    assert (got.points, got.applied) == (22, ("b", "d"))


def test_stop_ends_the_list_and_ties_go_by_id() -> None:
    stop = Campaign("a", multiply_pct=200, priority=5, stop=True)
    later = Campaign("b", multiply_pct=900, priority=5)
    assert boosted(later, stop).points == 20
    assert boosted(later._replace(id="0"), stop).points == 90
    assert boosted(later._replace(priority=4), stop).points == 90
    shut_out = stop._replace(id="z", priority=9)
    alone = Campaign("x", multiply_pct=300, stack=Stack.EXCLUSIVE, priority=1)
    assert boosted(alone, shut_out, Campaign("y", bonus=1, group="b", priority=10)).points == 31


def test_a_minimum_spend_that_would_cost_points_counts_as_not_reached() -> None:
    always = Campaign("a", multiply_pct=300, priority=2)
    big = Campaign("b", multiply_pct=120, min_spend=1000, stack=Stack.EXCLUSIVE, priority=1, stop=True)
    assert [boosted(always, big, net=net).points for net in (999, 1000, 1001)] == [29, 30, 30]
    big_bonus = big._replace(bonus=100)
    assert [boosted(always, big_bonus, net=net).points for net in (999, 1000)] == [29, 112]


def test_a_threshold_is_reached_exactly() -> None:
    big = Campaign("b", min_spend=20000, bonus=10)
    assert [boosted(big, net=net).points for net in (19_999, 20_000, 20_001)] == [199, 210, 210]


def test_without_a_trusted_clock_no_campaign_with_hours_or_dates_counts() -> None:
    rules = PLAIN._replace(
        campaigns=(
            Campaign("hours", Window(days=frozenset({0})), multiply_pct=200),
            Campaign("any", bonus=3, group="b"),
        )
    )
    assert evaluate(rules, sale(1000), NOON).points == 23
    unsure = evaluate(rules, sale(1000), NOON._replace(trusted=False))
    assert (unsure.points, unsure.applied) == (13, ("any",))
    assert "the clock is not sure: campaigns with hours or dates don't count" in unsure.steps


def test_each_trade_has_its_lifetime() -> None:
    terms = ClaimTerms(72 * 3600, (("noodles", 7200),))
    assert (terms.lifetime_s("noodles"), terms.lifetime_s("books"), terms.lifetime_s("")) == (7200, 259_200, 259_200)


def test_the_words_tell_the_whole_story() -> None:
    rules = NO_SMOKE._replace(
        basis=Basis(subtract=frozenset({Part.TIP})),
        campaigns=(Campaign("x", multiply_pct=150),),
        caps=Caps(points_per_receipt=12),
    )
    got = points(rules, 5200, items=(SMOKE, TEA), parts={Part.TIP: 200})
    assert got.steps == (
        "net_paid earns: 50.00 CNY",
        "without 2.00 CNY tip",
        "40.00 CNY of it earns nothing",
        "1.00 CNY a point (base)",
        "campaigns x: 150 %",
        "15 points",
        "capped at 12 points a receipt",
    )
