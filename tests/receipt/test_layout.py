"""Layout fingerprints: the same under changing content, different across layouts; a till that changes is noticed."""

import itertools
import json
from pathlib import Path

import pytest

from edgebox.captures import read_capture
from edgebox.escpos.profile import PrinterProfile
from edgebox.receipt.layout import ALARM_RATE, ALIKE, LayoutMarks, LayoutWatch, likeness, marks_of
from edgebox.receipt.reader import ReceiptReader
from tests.receipt.paper import SHOP, lexicon, lines

CORPUS = Path(__file__).parents[2] / "../shared/corpus/zh"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no receipt corpus at {CORPUS}")
EACH = 6  # papers of each layout
LEARN = 5

PAPER = "SHOP\n单号:{}\n时间:2026-11-18 18:4{}\n----------------\n{}\n----------------\n合计:{}\n实收:{}\n找零:0.00"


def fingerprint(paper: str) -> str:
    reader = ReceiptReader(SHOP, lexicon())
    reader.feed(lines(paper))
    return reader.finish().details.layout


ONE = fingerprint(PAPER.format("1", 2, "牛肉面  16.00", "16.00", "16.00"))
OTHER = fingerprint("CAFE\nReceipt: 7\nDate: 2026-11-18\nServer: 4\nLatte  4.00\nSubtotal: 4.00\nTotal: 4.00\nVisa: 4")


def test_content_does_not_change_it() -> None:
    assert fingerprint(PAPER.format("99", 7, "茶  1.00\n面  2.00\n饭  3.00", "6.00", "6.00")) == ONE
    assert ONE


def test_a_fingerprint_holds_no_text() -> None:
    assert set(ONE) <= set("0123456789abcdef")
    assert len(ONE) % 4 == 0


def test_an_optional_line_leaves_it_alike_and_another_till_does_not() -> None:
    discount = fingerprint(PAPER.format("1", 2, "牛肉面  16.00", "16.00\n优惠:1.00", "15.00"))
    assert ALIKE <= likeness(marks_of(ONE), marks_of(discount)) < 1
    assert likeness(marks_of(ONE), marks_of(OTHER)) < ALIKE


def test_a_customers_text_is_no_mark() -> None:
    assert fingerprint(PAPER.format("1", 2, "牛肉面  16.00", "16.00", "16.00") + "\n备注：甲\n乙:丙\n丁:戊") == ONE


def test_a_paper_with_too_few_labels_has_none() -> None:
    assert fingerprint("THANK YOU\nTOTAL 1.00") == ""


def test_marks_are_bounded() -> None:
    marks = LayoutMarks()
    for number in range(10_000):
        marks.add(f"{chr(0x4E00 + number)}:")
    assert len(marks.fingerprint()) <= 4 * 48


def test_a_new_till_learns_and_then_notices_another_layout() -> None:
    watch = LayoutWatch(LEARN)
    assert [watch.add(ONE).novel for _ in range(LEARN)] == [False] * LEARN
    assert watch.judge(OTHER).novel
    assert not watch.judge(ONE).novel
    seen = watch.add(OTHER)
    assert (seen.novel, seen.alarm) == (True, True)
    assert 0 < seen.rate < 1


def test_an_updated_till_alarms_with_a_rate_and_is_learned_again() -> None:
    watch = LayoutWatch(LEARN)
    for _ in range(20):
        watch.add(ONE)
    seen = [watch.add(OTHER) for _ in range(LEARN + 1)]
    assert [one.novel for one in seen] == [True] * LEARN + [False]
    assert sum(one.alarm for one in seen) == 2  # the first of it, and when the rate passed the limit
    assert max(one.rate for one in seen) >= ALARM_RATE


def test_a_watch_that_is_off_says_nothing() -> None:
    watch = LayoutWatch(0)
    for paper in [ONE] * 50 + [OTHER]:
        assert not watch.add(paper).novel


def test_it_is_relearned_from_what_was_recorded() -> None:
    watch = LayoutWatch(LEARN)
    watch.learn([ONE] * LEARN)
    assert watch.judge(OTHER).novel


def test_hostile_layouts_are_bounded() -> None:
    watch = LayoutWatch(LEARN)
    for number in range(500):
        watch.add("".join(f"{(number * 31 + place * 7) % 65536:04x}" for place in range(10)))
    assert len(watch._forms) <= 32


@needs_corpus
def test_layouts_of_the_corpus_are_told_apart() -> None:
    forms: dict[str, list[frozenset[str]]] = {}
    for row in map(json.loads, (CORPUS / "truth.jsonl").read_text("utf-8").splitlines()):
        listed = forms.setdefault(row["layout"], [])
        if len(listed) < EACH:
            raw = (CORPUS / row["file"]).read_bytes()
            found = read_capture(raw, PrinterProfile(), lambda: ReceiptReader(SHOP, lexicon()))
            if found and found[0].receipt.details.layout:
                listed.append(marks_of(found[0].receipt.details.layout))
    same = [likeness(a, b) >= ALIKE for listed in forms.values() for a, b in itertools.combinations(listed, 2)]
    across = [
        likeness(a, b) >= ALIKE
        for one, other in itertools.combinations(forms.values(), 2)
        for a, b in zip(one, other, strict=False)
    ]
    assert sum(same) / len(same) > 0.97  # 0.991 measured over 30 papers of each
    assert sum(across) / len(across) < 0.03  # 0.016: variants of one till's software
