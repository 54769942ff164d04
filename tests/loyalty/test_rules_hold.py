"""What holds for any rules: more spend never earns less, nothing is negative, and the order of writing is nothing."""

from datetime import date
from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.loyalty.campaigns import Campaign, Stack, combine, in_force
from edgebox.loyalty.item_rules import ItemRule, weigh
from edgebox.loyalty.rules import Caps, Qualify, Refusal, Rounding, Rules, Tier, Unsure, divide, evaluate
from edgebox.loyalty.sales import Sale
from edgebox.loyalty.windows import ALWAYS, When, Window
from edgebox.model import Confidence, DocumentKind, Item, Tender, TenderKind

amounts = st.integers(0, 5_000_000)
names = st.sampled_from(["红茶", "香烟", "tea", "TEA 2", "*", ""])
items = st.builds(Item, names, st.just(1000), st.none(), st.integers(-5000, 100_000))
item_rules = st.builds(
    ItemRule,
    st.lists(st.sampled_from(["*茶*", "*香烟*", "tea*", "?"]), min_size=1, max_size=2).map(tuple),
    st.sampled_from([0, 1, 50, 150, 300]),
)
minutes = st.sampled_from([0, 90, 840, 1020, 1320])
windows = st.one_of(
    st.just(ALWAYS),
    st.builds(
        Window,
        st.frozensets(st.integers(0, 6), max_size=3),
        minutes,
        minutes,
        st.none() | st.just(date(2026, 10, 1)),
        st.none() | st.just(date(2026, 10, 20)),
    ),
)
campaigns = st.lists(
    st.builds(
        Campaign,
        st.sampled_from("abcdefgh"),
        windows,
        st.sampled_from([0, 100, 1000, 20_000, 3_000_000]),
        st.sampled_from([100, 115, 150, 300]),
        st.sampled_from([0, 1, 10]),
        st.sampled_from(Stack),
        st.sampled_from(["", "x"]),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=5,
    unique_by=lambda campaign: campaign.id,
).map(tuple)
tiers = st.lists(st.builds(Tier, st.sampled_from("abc"), st.integers(1, 3000)), min_size=1, unique_by=lambda t: t.id)
shops = st.builds(
    Rules,
    rev=st.just(1),
    currency=st.just("CNY"),
    tiers=tiers.map(tuple),
    rounding=st.sampled_from(Rounding),
    qualify=st.builds(Qualify, min_spend=st.sampled_from([0, 100]), unknown_tender=st.sampled_from(Unsure)),
    campaigns=campaigns,
    item_rules=st.lists(item_rules, max_size=3).map(tuple),
    caps=st.builds(Caps, st.sampled_from([0, 5, 500]), st.sampled_from([0, 50])),
)
whens = st.builds(When, st.integers(1_790_000_000, 1_792_000_000), st.booleans())


def sold(net: int, lines: tuple[Item, ...]) -> Sale:
    return Sale(DocumentKind.SALE, net, tenders=(Tender(TenderKind.CASH, net),), items=lines)


@settings(deadline=None)
@given(shops, amounts, st.integers(0, 100_000), st.lists(items, max_size=5), whens, st.sampled_from(["", "a", "zz"]))
def test_spending_more_never_earns_less(
    rules: Rules, net: int, more: int, lines: list[Item], when: When, tier: str
) -> None:
    less = evaluate(rules, sold(net, tuple(lines)), when, tier)
    most = evaluate(rules, sold(net + more, tuple(lines)), when, tier)
    assert most.points >= less.points or most.refusal is Refusal.MAXIMUM  # which a person looks at
    assert most.flagged or most.refusal is not Refusal.MAXIMUM


@settings(deadline=None)
@given(shops, st.integers(-1000, 5_000_000), st.lists(items, max_size=5), whens, st.integers(0, 200))
def test_points_are_never_negative_and_never_above_a_cap(
    rules: Rules, net: int, lines: list[Item], when: When, promised: int
) -> None:
    got = evaluate(rules, sold(net, tuple(lines)), when, day_points=promised)
    assert got.points >= 0
    assert (got.refusal is not None) == (got.points == 0)
    assert not rules.caps.points_per_receipt or got.points <= rules.caps.points_per_receipt
    assert not rules.caps.points_per_device_day or got.points + promised <= max(promised, 50)
    assert got.steps


@settings(deadline=None)
@given(shops, amounts, st.lists(items, max_size=5), whens, st.randoms(use_true_random=False))
def test_the_order_in_which_rules_are_written_means_nothing(
    rules: Rules, net: int, lines: list[Item], when: When, random: object
) -> None:
    shuffled = rules._replace(
        tiers=rules.tiers[::-1], campaigns=rules.campaigns[::-1], item_rules=rules.item_rules[::-1]
    )
    mixed = list(rules.campaigns)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    one = evaluate(rules, sold(net, tuple(lines)), when)
    assert evaluate(shuffled, sold(net, tuple(lines)), when) == one
    assert evaluate(rules._replace(campaigns=tuple(mixed)), sold(net, tuple(lines)), when) == one


@settings(deadline=None)
@given(st.integers(0, 10**12), st.integers(1, 10**9), st.lists(st.integers(100, 500), max_size=4))
def test_multipliers_lose_nothing_on_the_way(net: int, spend: int, rates: list[int]) -> None:
    """As with fractions of any size: one rounding, at the end."""
    chain = [Campaign(str(n), multiply_pct=pct, stack=Stack.MULTIPLY) for n, pct in enumerate(rates)]
    exact = Fraction(net, spend)
    for pct in rates:
        exact *= Fraction(pct, 100)
    rules = Rules(1, "CNY", (Tier("base", spend),), campaigns=tuple(chain))
    assert evaluate(rules, sold(net, ()), When(0)).points == (floor(exact) if net else 0)


@settings(deadline=None)
@given(campaigns, amounts)
def test_campaigns_never_take_points_away(some: tuple[Campaign, ...], net: int) -> None:
    boost = combine(in_force(some, When(1_791_000_000).local(Rules(1, "", ()).zone), True), net)
    assert boost.numerator >= boost.denominator > 0
    assert boost.bonus >= 0


@settings(deadline=None)
@given(amounts, st.lists(items, max_size=6), st.lists(item_rules, max_size=3))
def test_items_weigh_between_nothing_and_their_best_rate(net: int, lines: list[Item], rules: list[ItemRule]) -> None:
    got = weigh(net, lines, rules)
    assert 0 <= got.weight <= net * max([100, *(rule.multiply_pct for rule in rules)])
    assert 0 <= got.excluded_minor <= net


@settings(deadline=None)
@given(st.integers(0, 10**15), st.integers(1, 10**12))
def test_each_rounding_is_the_nearest_whole_number_its_way(numerator: int, denominator: int) -> None:
    low, near, high = (divide(numerator, denominator, mode) for mode in Rounding)
    exact = Fraction(numerator, denominator)
    assert low <= exact < low + 1
    assert exact <= high < exact + 1
    assert abs(near - exact) <= Fraction(1, 2)
    assert near in (low, high)


@settings(deadline=None)
@given(st.sampled_from(Confidence), st.booleans(), amounts, whens)
def test_nothing_unproven_earns_without_the_clouds_word(
    confidence: Confidence, qualifies: bool, net: int, when: When
) -> None:
    for policy in (Unsure.NO_QR, Unsure.QR_PENDING):
        rules = Rules(1, "CNY", (Tier("base", 1),), qualify=Qualify(low_confidence=policy))
        sale = sold(net, ())._replace(confidence=confidence, qualifies=qualifies)
        got = evaluate(rules, sale, when)
        if got.points:
            assert got.pending or (qualifies and confidence is not Confidence.LOW)
