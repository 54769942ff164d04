"""Receipt profiles: what a person told the box wins over words, in bounded time, and never over arithmetic."""

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.errors import ConfigError
from edgebox.model import Confidence, DocumentKind, Receipt
from edgebox.receipt.profiles import FIELDS, LINE_MAX, Profile, bounded, pick, profile_from
from edgebox.receipt.reader import ReceiptReader
from edgebox.receipt_profiles import load_profile, load_profiles
from tests.receipt.paper import SHOP, lexicon, lines, read

HEAD = "面馆\n编码:A-77\n时间:2026-11-18 18:42\n----------------\n牛肉面  16.00\n----------------\n"
PAPER = f"{HEAD}金额:16.00\n折后金额:15.00\n现金:15.00"
BILL = f"{HEAD}本桌消费共:16.00\n谢谢:惠顾"


def with_profile(paper: str, **table: Any) -> Receipt:
    layout = read(paper).details.layout
    profile = profile_from("test", {"layouts": [layout], **table})
    reader = ReceiptReader(SHOP._replace(profiles=(profile,)), lexicon())
    reader.feed(lines(paper))
    return reader.finish()


def faults(table: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        profile_from("p", table)
    assert caught.value.reason == "bad_receipt_profile"
    return str(caught.value.args[0])


def test_the_shipped_example_shows_every_key_and_is_not_used() -> None:
    path = Path(__file__).parents[2] / "config/receipts/example.toml"
    profile = load_profile(path)
    assert {name for name, _ in profile.anchors} == set(FIELDS)
    assert profile.prints_after_payment
    assert "example" not in {one.name for one in load_profiles((path.parent,))}


def test_a_label_that_no_lexicon_knows_gives_the_total() -> None:
    assert not read(BILL).qualifies
    receipt = with_profile(BILL, total={"label": "本桌消费共"}, prints_after_payment=True)
    assert (receipt.qualifies, receipt.amount_minor, receipt.details.profile) == (True, 1600, "test")
    assert "profile" in receipt.reasons[0]


def test_a_profile_does_not_make_a_bill_paid() -> None:
    assert not with_profile(BILL, total={"label": "本桌消费共"}).qualifies


def test_fields_come_from_labels_and_patterns() -> None:
    receipt = with_profile(PAPER, number={"label": "编码"}, till={"pattern": r"编码:([a-z])-"})
    assert receipt.number == "A-77"
    assert receipt.till == ""  # no digit: no code
    receipt = with_profile(PAPER, number={"pattern": r"编码:[a-z]-(\d{1,4})"})
    assert receipt.number == "77"


def test_a_profile_shows_nothing_personal() -> None:
    table = {field: {"label": "桌"} for field in ("number", "table", "till", "cashier")}
    receipt = with_profile(PAPER + "\n桌:13800138000", **table)
    assert "13800138000" not in repr(receipt)
    assert receipt.number == ""


def test_a_value_may_stand_on_the_next_line() -> None:
    paper = BILL.replace("本桌消费共:16.00", "本桌消费共:\n  16.00")
    receipt = with_profile(paper, total={"label": "本桌消费共", "next_line": True}, prints_after_payment=True)
    assert receipt.amount_minor == 1600


def test_arithmetic_that_proves_another_total_leaves_nothing_known() -> None:
    receipt = with_profile(PAPER + "\n找零:5.00\n收您:20.00", total={"label": "金额"})
    assert (receipt.qualifies, receipt.confidence) == (False, Confidence.LOW)
    assert "arithmetic" in receipt.reasons[0]


def test_total_quantity_is_not_total() -> None:
    paper = "SHOP\nDATE: 2026-11-18\nCASHIER: 4\nSOUP  33.90\nTOTAL QUANTITY  3\nTOTAL  33.90\nNAME: -"
    receipt = with_profile(paper, total={"label": "total"}, prints_after_payment=True)
    assert receipt.amount_minor == 3390


def test_black_and_white_words_of_the_paper_decide_whether_it_earns() -> None:
    assert with_profile(PAPER, document={"white": ["牛肉面"], "black": ["员工餐"]}).qualifies
    assert not with_profile(PAPER, document={"black": ["牛肉面"]}).qualifies
    assert not with_profile(PAPER, document={"white": ["员工餐"]}).qualifies


def test_black_and_white_words_of_a_line_decide_whether_it_gives_the_total() -> None:
    paper = BILL.replace("本桌消费共:16.00", "共:99.00元卡\n共:16.00")
    receipt = with_profile(paper, total={"label": "共"}, line={"black": ["卡"]}, prints_after_payment=True)
    assert receipt.amount_minor == 1600


def test_a_profiles_kind_words_are_lines_of_their_own() -> None:
    assert with_profile(PAPER + "\n出品部", kind={"kitchen": ["出品部"]}).kind is DocumentKind.KITCHEN
    assert with_profile(PAPER + "\n出品部送礼", kind={"kitchen": ["出品部"]}).kind is DocumentKind.SALE


def test_a_customers_remark_is_not_asked() -> None:
    paper = BILL + "\n备注：好\n本桌消费共:9999.00"
    assert with_profile(paper, total={"label": "本桌消费共"}, prints_after_payment=True).amount_minor == 1600


def test_the_profile_most_like_the_paper_is_picked() -> None:
    near = Profile("near", (frozenset({"0001", "0002", "0003"}),))
    far = Profile("far", (frozenset({"0001", "0009", "000a"}),))
    assert pick((far, near), "000100020003") is near
    assert pick((far,), "000100020003") is None
    assert pick((near,), "") is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"totl": {"label": "x"}}, "p: totl: no such key"),
        ({"total": {}}, 'p: total: expected label = "…" or pattern'),
        ({"total": {"label": "a", "pattern": "b(c)"}}, "p: total: expected label"),
        ({"total": "x"}, "p: total: expected a table"),
        ({"total": {"label": "--"}}, "p: total.label: expected a word"),
        ({"total": {"pattern": "("}}, "p: total.pattern: no pattern"),
        ({"total": {"pattern": "abc"}}, "p: total.pattern: expected one group"),
        ({"total": {"pattern": "(a+)+"}}, "a repeat inside a repeat"),
        ({"total": {"pattern": r"(a)\1"}}, "a back reference"),
        ({"total": {"pattern": ".*.*.*(a)"}}, "may take long"),
        ({"total": {"pattern": "(" + "a" * 300 + ")"}}, "at most 200 characters"),
        ({"total": {"label": "x", "next_line": 1}}, "p: total.next_line: expected true or false"),
        ({"kind": {"sail": ["x"]}}, "p: kind.sail: no such key"),
        ({"kind": {"sale": "x"}}, "p: kind.sale: expected a list"),
        ({"document": {"grey": []}}, "p: document.grey: no such key"),
        ({"layouts": ["xyz"]}, "p: layouts: expected fingerprints"),
        ({"end_signature": "1B 6"}, "p: end_signature: expected pairs of hex"),
        ({"prints_after_payment": "yes"}, "p: prints_after_payment: expected true or false"),
        ({"header_preprint": 5}, "p: header_preprint: expected a text"),
    ],
)
def test_faults_are_named(table: dict[str, Any], said: str) -> None:
    assert said in faults(table)


def test_all_faults_come_at_once() -> None:
    assert len(faults({"a": 1, "b": 2, "layouts": 3}).splitlines()) == 3


def test_a_faulty_file_is_named(tmp_path: Path) -> None:
    for name, text, said in (
        ("a.toml", "[total\n", "a.toml"),
        ("b.toml", "x = 1\n", "b.toml"),
        ("Bad Name.toml", "", "expected a name"),
        ("c.toml", "#" * 100_000, "over 64 KB"),
    ):
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(ConfigError, match=said):
            load_profile(tmp_path / name)
    with pytest.raises(ConfigError, match="No such file"):
        load_profile(tmp_path / "none.toml")


def test_a_file_of_the_shop_replaces_the_shipped_one(tmp_path: Path) -> None:
    for folder, word in (("shipped", "甲"), ("own", "乙")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "till.toml").write_text(f'[total]\nlabel = "{word}"\n', "utf-8")
    (found,) = load_profiles((tmp_path / "shipped", tmp_path / "own"))
    assert found.anchors[0][1].label == ("乙",)


PIECES = st.sampled_from(
    ["a", ".", r"\s", r"\d", "[ab]", "{0,8}", "{1,20}", "*", "+", "?", "(", ")", "(?:", "|", "^", "$", r"\1", "{3}"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join), st.text("ab 1", min_size=50, max_size=LINE_MAX))
def test_no_pattern_that_is_taken_takes_long(source: str, line: str) -> None:
    try:
        pattern = bounded(source)
    except ValueError:
        return
    began = time.process_time()
    for text in (line, "a" * LINE_MAX, " " * LINE_MAX, "ab" * (LINE_MAX // 2)):
        pattern.search(text + "!")
    assert time.process_time() - began < 0.25


def test_a_white_word_as_a_line_of_its_own_says_that_the_paper_is_a_paid_receipt() -> None:
    bill = BILL.replace("本桌消费共:16.00", "合计:16.00")
    assert not with_profile(bill).qualifies
    paid = with_profile(bill + "\n客户留存", document={"white": ["客户留存"]})
    assert (paid.kind, paid.qualifies, paid.amount_minor) == (DocumentKind.SALE, True, 1600)
    inside = with_profile(bill + "\n请出示客户留存的单据", document={"white": ["客户留存"]})
    assert not inside.qualifies  # on the paper, and not a line of its own


def test_a_white_word_corrects_the_kind_but_makes_no_refund_a_sale() -> None:
    asked = PAPER.replace("面馆", "面馆\n结账清单\n预结单", 1)
    assert read(asked).kind is DocumentKind.PRE_BILL
    assert with_profile(asked, document={"white": ["结账清单"]}).qualifies
    refund = with_profile(PAPER.replace("面馆", "面馆\n结账清单\n退款单", 1), document={"white": ["结账清单"]})
    assert (refund.kind, refund.qualifies) == (DocumentKind.REFUND, False)


def test_a_white_word_that_a_customer_wrote_is_nothing() -> None:
    bill = BILL.replace("本桌消费共:16.00", "合计:16.00") + "\n备注:\n客户留存"
    assert not with_profile(bill, document={"white": ["客户留存"]}).qualifies


def test_a_black_line_never_counts_for_amount_or_kind() -> None:
    paper = PAPER + "\n会员合计:99.00\n退款单"
    assert read(paper).kind is DocumentKind.REFUND
    receipt = with_profile(paper, line={"black": ["会员合计", "退款单"]})
    assert (receipt.kind, receipt.qualifies, receipt.amount_minor) == (DocumentKind.SALE, True, 1500)
    assert receipt.lines == read(paper).lines
    assert receipt.details.layout == read(paper).details.layout
    assert [item.name for item in receipt.details.items] == ["牛肉面"]


def test_a_black_word_opens_no_customers_remark() -> None:
    paper = PAPER.replace("金额:16.00", "备注:\n合计 9999.00\n实收 9999.00\n----------------\n金额:16.00")
    receipt = with_profile(paper, line={"black": ["备注"]})
    assert receipt.amount_minor in (None, 1500)


def test_the_amount_on_a_white_line_is_the_total() -> None:
    paper = BILL.replace("本桌消费共:16.00", "★ 本桌 (2位) 消费 16.00 元 ★")
    assert not read(paper).qualifies
    receipt = with_profile(paper, line={"white": ["本桌"]}, prints_after_payment=True)
    assert (receipt.qualifies, receipt.amount_minor) == (True, 1600)
