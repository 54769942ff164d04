"""The rules as a shop writes them: the shipped example, every fault at once, and nothing but faults for nonsense."""

import json
import tomllib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox import rules_schema as schema
from edgebox.errors import ConfigError
from edgebox.loyalty.campaigns import Stack
from edgebox.loyalty.rules import Rules, Tier
from edgebox.loyalty.windows import ALWAYS, Window
from edgebox.model import TenderKind
from edgebox.rules_file import FAULTS_MAX, load_rules, parse_rules, rules_from

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "rules" / "example.toml"
LEAST = 'rev = 1\ncurrency = "CNY"\n[[tier]]\nid = "base"\nspend_per_point = 100\n'


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_rules(text, "f.toml")
    assert caught.value.reason in ("bad_rules", "bad_toml")
    return [line.removeprefix("f.toml: ") for line in caught.value.args[0].splitlines()]


def test_the_shipped_example_loads_and_shows_every_key() -> None:
    rules = load_rules(EXAMPLE)
    assert rules.tier("gold") == Tier("gold", 1400)
    assert rules.zone == ZoneInfo("Asia/Shanghai")
    assert rules.claim.lifetime_s("noodles") == 7200
    assert rules.qualify.skip_tender == {TenderKind.WECHAT}
    shown = tomllib.loads(EXAMPLE.read_text("utf-8"))
    types = (schema.Basis, schema.Qualify, schema.RoundingTable, schema.Tier, schema.Campaign, schema.ItemRule)
    others = (schema.Caps, schema.Claim, schema.Coupon, schema.OfflineRedeem, schema.MallItem, schema.CommitCard)
    sections: dict[str, Any] = dict(zip(schema.TABLES, (*types, *others), strict=True))
    assert {field.name for field in msgspec.structs.fields(schema.Top)} <= set(shown)
    for name, kind in sections.items():
        rows = shown[name] if isinstance(shown[name], list) else [shown[name]]
        assert {key for row in rows for key in row} == {field.name for field in msgspec.structs.fields(kind)}, name


def test_the_domains_own_rules_load() -> None:
    path = ROOT.parent / "shared" / "domain" / "rules.toml"
    if not path.exists():
        pytest.skip("the domain notes are not here")
    assert load_rules(path).rev == 42


def test_rules_may_be_short() -> None:
    rules = parse_rules(LEAST, "f.toml")
    assert rules == Rules(1, "CNY", (Tier("base", 100),), ZoneInfo("Asia/Shanghai"))


def test_json_of_a_bundle_reads_like_the_file() -> None:
    table = tomllib.loads(EXAMPLE.read_text("utf-8"))
    assert rules_from(json.loads(json.dumps(table, default=str)), "bundle") == load_rules(EXAMPLE)


def test_all_faults_come_at_once_with_table_and_key() -> None:
    text = """
rev = 0
currency = "cny"
tz = "Asia"
curency = 1
[qualify]
kinds = ["sale", "zzz"]
min_spend = 5
max_spend = 2
skip_tender = "wechat"
low_confidence = "maybe"
[rounding]
mode = "flor"
[basis]
tender_less = false
[[tier]]
id = "base"
[[tier]]
id = "gold"
spend_per_point = 0.5
[[campaign]]
id = "a"
when = { days = ["mon"], from = "25:00", end = 2026-11-01T10:00:00 }
multiply_pct = 50
[[campaign]]
id = "a"
bonus = 3
when = { from = "14:00", to = "14:00", start = "2026-02-30", till = 1 }
[[campaign]]
id = "b"
when = { from = "14:00", start = "2026-03-01", end = "2026-02-01" }
[[item_rule]]
match = []
[[item_rule]]
match = ["x"]
[[item_rule]]
match = ["x"]
earn = "exclude"
multiply_pct = 10
[claim]
mac = "ed25519"
ttl = "3 days"
[[coupon]]
id = "p"
kind = "percent_off"
value = 101
[[coupon]]
id = "q"
kind = "amount_off"
value = 101
threshold = 100
[[mall]]
sku = "x"
price_points = { base = 3 }
price_points_in_window = { base = 3 }
"""
    assert faults(text) == [
        "rev: expected `int` >= 1, got 0",
        "currency: expected three letters like \"CNY\", got 'cny'",
        "curency: no such key, did you mean currency?",
        "basis.tender_less: expected one of True, got False",
        "qualify.kinds: expected one of sale, refund, void, kitchen, pre_bill, report, stored_value, deposit, "
        "card_slip, merchant_copy, delivery_platform, pick_up, quote, training, other, got ['sale', 'zzz']",
        "qualify.skip_tender: expected one of cash, card, wechat, alipay, wallet, stored, points, voucher, "
        "credit, other, wechat_pay, stored_value, got 'wechat'",
        "qualify.low_confidence: expected one of no_qr, qr_pending, got 'maybe'",
        "rounding.mode: expected one of floor, half_up, ceil, got 'flor'",
        "claim.mac: expected one of hmac-sha256-96, got 'ed25519'",
        'claim.ttl: expected a span like "72h", "90m" or "3d", got \'3 days\'',
        "tier[base].spend_per_point: missing",
        "tier[gold].spend_per_point: expected `int`, got 0.5",
        "campaign[a].multiply_pct: expected `int` >= 100, got 50",
        "campaign[a]: gives nothing: expected multiply_pct over 100, or bonus",
        "campaign[a].when.from: expected a time like \"14:00\", got '25:00'",
        "campaign[a].when.end: expected `date | null`, got datetime.datetime(2026, 11, 1, 10, 0)",
        "campaign[a]: comes twice",
        "campaign[a].when.start: invalid RFC3339 encoded date, got '2026-02-30'",
        "campaign[a].when.till: no such key",
        "campaign[a].when.to: the same as from; leave both out for all day",
        "campaign[b]: gives nothing: expected multiply_pct over 100, or bonus",
        "campaign[b].when.to: missing: hours need both",
        "campaign[b].when.end: before start",
        "item_rule[1].match: expected `array` of length >= 1, got []",
        'item_rule[2]: expected either earn = "exclude" or multiply_pct',
        'item_rule[3]: expected either earn = "exclude" or multiply_pct',
        "coupon[p].value: expected 1 to 100 percent, got 101",
        "coupon[q].value: more than the threshold of 100",
        "mall[x].when: missing: price_points_in_window needs it",
        "tz: no time zone 'Asia', e.g. Asia/Shanghai",
        "qualify.max_spend: less than min_spend, 5",
    ]


def test_what_is_missing_is_said() -> None:
    assert faults("") == [
        "rev: missing",
        "currency: missing",
        "tier: missing: at least one [[tier]] with id and spend_per_point",
    ]
    assert "tier: expected tables [[tier]]" in faults('rev = 1\ncurrency = "CNY"\ntier = 3')
    assert "basis: expected a table" in faults(f"basis = 3\n{LEAST}")
    assert "campaign[1]: expected a table" in faults(f"campaign = [3]\n{LEAST}")


def test_two_campaigns_of_one_name_and_too_many_are_refused() -> None:
    row = '[[campaign]]\nid = "{}"\nbonus = 1\n'
    assert faults(LEAST + row.format("a") * 2) == ["campaign[a]: comes twice"]
    many = "".join(row.format(n) for n in range(schema.TABLES_MAX + 1))
    assert faults(LEAST + many) == ["campaign: expected at most 200 tables, got 201"]


def test_a_flood_of_faults_is_cut_short() -> None:
    told = faults(LEAST + "[caps]\n" + "".join(f"x{n} = 1\n" for n in range(FAULTS_MAX + 7)))
    assert len(told) == FAULTS_MAX + 1
    assert told[-1] == "and 7 more"


def test_a_campaigns_group_follows_what_it_gives() -> None:
    rows = '[[campaign]]\nid = "m"\nmultiply_pct = 200\n[[campaign]]\nid = "b"\nbonus = 1\nstack = "add"\n'
    double, bonus = parse_rules(LEAST + rows, "f.toml").campaigns
    assert (double.group, double.stack, double.when) == ("multiplier", Stack.MAX, ALWAYS)
    assert (bonus.group, bonus.stack) == ("bonus", Stack.ADD)


def test_hours_and_days_become_a_window() -> None:
    row = '[[campaign]]\nid = "n"\nbonus = 1\nwhen = { days = ["fri"], from = "22:00", to = "24:00" }\n'
    (night,) = parse_rules(LEAST + row, "f.toml").campaigns
    assert night.when == Window(frozenset({4}), 22 * 60, 24 * 60)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    for content, reason in (
        (None, "no_rules"),
        (b"\xff", "no_rules"),
        (b"x =", "bad_toml"),
        (b"#" * 2**21, "bad_rules"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"rules\.toml") as caught:
            load_rules(path)
        assert caught.value.reason == reason


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
junk = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))
keys = st.sampled_from([*schema.TABLES, "rev", "currency", "tz", "when", "id", "match", "from", "days"])


@settings(deadline=None)
@given(st.dictionaries(keys, junk | st.lists(st.dictionaries(keys, junk), max_size=3)))
def test_any_table_gives_rules_or_faults(table: dict[str, Any]) -> None:
    assert outcome(table) in ("rules", "bad_rules")


def outcome(table: dict[str, Any]) -> str:
    try:
        rules_from(table, "x")
    except ConfigError as fault:
        return fault.reason
    return "rules"


def test_a_price_for_a_tier_that_is_not_there_is_refused() -> None:
    row = '[[mall]]\nsku = "x"\nprice_points = { nix = 3 }\n'
    assert faults(LEAST + row) == ["mall[x].price_points.nix: no such tier, expected one of base"]
