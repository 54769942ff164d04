"""Teaching: a place that always holds becomes a profile; anything less is named, and a wrong one is refused."""

import tomllib

import pytest

from edgebox.receipt.ends import Ends, LineHints, line_hints
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.profiles import profile_from
from edgebox.receipt.reader import ReceiptReader
from edgebox.receipt.teach import Sample, Taught, teach
from tests.receipt.paper import SHOP, lexicon, lines

HEAD = "面馆\n编码:A-{n}\n时间:2026-11-18 18:42\n----------------\n牛肉面  {t}\n----------------\n"
SEVERAL = "面馆\n编码:A-1\n时间:2026-11-18 18:42\n----------------\n牛肉面  5.00\n茶  4.00\n----------------\n"
FINDER = AmountFinder(SHOP.convention)


def sample(paper: str, total_minor: int, number: str = "") -> Sample:
    reader = ReceiptReader(SHOP, lexicon())
    reader.feed(lines(paper))
    return Sample(reader.details.trusted(), reader.finish().details.layout, total_minor, number)


def taught(*samples: Sample, paid: bool = True, hints: LineHints | None = None) -> Taught:
    return teach("t", samples, FINDER, lexicon(), prints_after_payment=paid, hints=hints)


def papers(form: str, *totals: str) -> list[Sample]:
    return [
        sample(HEAD.format(n=n, t=total) + form.format(t=total, n=n), round(float(total) * 100))
        for n, total in enumerate(totals, 1)
    ]


def reads(found: Taught, paper: str) -> int | None:
    assert found.profile is not None, found.ambiguous
    reader = ReceiptReader(SHOP._replace(profiles=(found.profile,)), lexicon())
    reader.feed(lines(paper))
    receipt = reader.finish()
    assert receipt.details.profile == "t"
    return receipt.amount_minor if receipt.qualifies else None


@pytest.mark.parametrize(
    "form",
    [
        "本桌消费共:{t}\n谢谢:惠顾",  # at the beginning
        "★ 菜品3道  本桌消费共 {t} 元 ★\n谢谢:惠顾",  # in the middle of the line
        "本桌消费共\n   {t}\n谢谢:惠顾",  # alone on the line above
        "菜品: 3 | 本桌消费共: {t}\n谢谢:惠顾",
        "3道      本桌消费共          {t}\n谢谢:惠顾",
    ],
)
@pytest.mark.parametrize("totals", [("16.00",), ("16.00", "33.90"), ("16.00", "33.90", "128.00")])
def test_wherever_the_label_stands_it_is_learned(form: str, totals: tuple[str, ...]) -> None:
    found = taught(*papers(form, *totals))
    assert reads(found, HEAD.format(n=9, t="77.50") + form.format(t="77.50", n=9)) == 7750
    assert ("one paper only" in " ".join(found.ambiguous)) is (len(totals) == 1)


def test_the_toml_says_the_same_as_the_profile() -> None:
    for form in ('"共"\\消费共:{t}\n谢谢:惠顾', "★ 本桌消费共 {t} 元 ★\n谢谢:惠顾"):
        found = taught(*papers(form, "16.00", "33.90"), hints=LineHints("面馆", "0a0a0a"))
        again = profile_from("t", tomllib.loads(found.toml))
        assert again == found.profile
        assert (again.header_preprint, again.end_signature, again.prints_after_payment) == ("面馆", "0a0a0a", True)


def test_several_places_that_say_the_same_are_named() -> None:
    found = taught(*papers("本桌消费共:{t}\n其中 菜品 {t} 元\n谢谢:惠顾", "16.00", "33.90"))
    assert found.profile is not None
    (words,) = found.ambiguous
    assert words == "the total is taken from “本桌消费共”; “其中 菜品”, “牛肉面” always said the same"


def test_an_unknown_word_without_a_colon_may_be_what_was_sold_and_is_named() -> None:
    found = taught(*papers("谢谢:惠顾", "16.00", "33.90"))
    assert "牛肉面" in found.toml
    assert any("nothing that was sold?" in words for words in found.ambiguous)


def test_a_place_that_once_held_something_else_is_not_believed() -> None:
    one = sample(HEAD.format(n=1, t="16.00") + "甲:16.00\n乙:16.00\n谢谢:惠顾", 1600)
    two = sample(HEAD.format(n=2, t="20.00") + "甲:20.00\n乙:18.00\n谢谢:惠顾", 1800)
    found = taught(one, two)
    assert found.profile is not None
    assert dict(found.profile.anchors)["total"].label == ("乙",)


def test_without_a_place_that_always_holds_there_is_no_profile() -> None:
    one = sample(SEVERAL + "甲:16.00\n谢谢:惠顾", 1600)
    two = sample(SEVERAL + "乙:20.00\n谢谢:惠顾", 2000)
    found = taught(one, two)
    assert (found.toml, found.profile) == ("", None)
    assert "no label carries the total on all papers" in found.ambiguous


def test_change_and_cash_are_no_totals_though_they_are_equal_by_chance() -> None:
    found = taught(*papers("找零:{t}\n现金:{t}\n谢谢:惠顾", "16.00"))
    assert found.profile is None or "找零" not in found.toml


def test_what_would_be_wrong_on_its_own_paper_is_refused() -> None:
    """The amount stands further behind its label than any paper is wide."""
    found = taught(sample(SEVERAL + "1 本桌消费共" + " " * 60 + "16.00\n谢谢:惠顾", 1600))
    assert (found.toml, found.profile) == ("", None)
    assert "paper 1: the profile would find none, not 16.00" in found.ambiguous


def test_nothing_is_learned_from_a_customers_remark() -> None:
    remark = "备注:\n本桌消费共:16.00\n"
    one = sample(HEAD.format(n=1, t="16.00") + "消费:16.00\n" + remark, 1600)
    found = taught(one)
    assert found.profile is not None
    assert "本桌" not in found.toml
    only = sample(HEAD.format(n=1, t="9.00") + remark, 1600)
    assert taught(only).profile is None


def test_a_number_that_does_not_come_out_is_left_to_the_box() -> None:
    paper = HEAD.format(n=1, t="16.00") + "本桌消费共:16.00\n谢谢:惠顾"
    good = taught(sample(paper, 1600, "A-1"))
    assert good.profile is not None
    assert "number" in dict(good.profile.anchors)
    bad = taught(sample(paper, 1600, "1"))
    assert bad.profile is not None
    assert "number" not in dict(bad.profile.anchors)
    assert any("number" in words for words in bad.ambiguous)


# -- how papers end


def test_a_header_before_the_cut_is_found_where_all_papers_have_it() -> None:
    block = ("CORNER SHOP", "12 High Street")
    assert line_hints([Ends(block, "Receipt 1"), Ends(block, "Receipt 2")]).header_preprint == "CORNER SHOP"
    assert line_hints([Ends(block, "Receipt 1"), Ends((), "Receipt 2")]) == LineHints()
    assert line_hints([Ends(block, "CORNER SHOP"), Ends(block, "CORNER SHOP")]) == LineHints()  # a footer like its head
    assert line_hints([Ends(block, "Receipt 1")]) == LineHints()  # of one paper nothing is believed


def test_the_last_bytes_are_a_signature_where_they_stand_nowhere_else() -> None:
    def end(body: bytes, tail: bytes) -> Ends:
        return Ends((), "", body + tail, tail)

    tail = b"\n\n\n\x1b@"
    assert line_hints([end(b"A", tail), end(b"B", b"\n" + tail)]).end_signature == tail.hex()
    assert line_hints([end(b"A" + tail + b"A", tail), end(b"B", tail)]).end_signature == ""
    assert line_hints([end(b"A", b"\n\n"), end(b"B", b"\n\n")]).end_signature == ""
    assert line_hints([end(b"A", tail), end(b"B", b"\x1bd\x05")]).end_signature == ""
