"""Real receipts: no wrong total, no false award, and most of them answered.

The corpus lies beside the repository and is not part of it; without it these tests skip. Shares are those of this
reader on this corpus, a little below what is measured, so that a change for the worse is seen.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from edgebox.captures import read_capture
from edgebox.config import load, load_lexicon
from edgebox.escpos.profile import PrinterProfile
from edgebox.receipt.reader import ReceiptReader
from edgebox.settings import Config

CORPUS = Path(__file__).parents[2] / "../shared/corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no receipt corpus at {CORPUS}")
LEXICON = load_lexicon()
EVERY = 5  # of the Chinese streams, so many to one: all layouts, a second of time

SHOPS = {
    "sroie": ("shop.currency=MYR", "shop.date_order=dmy"),
    "zenodo_pt": ("shop.currency=EUR", "shop.date_order=dmy", "shop.decimal_mark=,.", "till.prints_after_payment=true"),
    "express_us": ("shop.currency=USD", "shop.date_order=mdy", "till.prints_after_payment=true"),
    "zh_handmade": (),
}


def totals(stream: bytes, config: Config) -> list[int | None]:
    """What each document of a stream earns."""
    shop, lexicon = config.shop_of_reader(), LEXICON
    documents = read_capture(stream, PrinterProfile(), lambda: ReceiptReader(shop, lexicon))
    return [found.receipt.amount_minor if found.receipt.qualifies else None for found in documents]


def verdict(wanted: int | None, found: int | None) -> str:
    if wanted is None:
        return "false award" if found is not None else "rightly nothing"
    return "abstained" if found is None else "right" if found == wanted else "wrong"


@needs_corpus
def test_streams_of_many_printers_and_libraries() -> None:
    score: Counter[str] = Counter()
    for row in map(json.loads, (CORPUS / "streams/truth.jsonl").read_text("utf-8").splitlines()):
        raw, settings = (CORPUS / "streams" / row["file"]).read_bytes(), SHOPS[row["source"]]
        found = totals(raw, load(None, settings))
        for number, document in enumerate(row["docs"]):
            wanted = round(document["total"] * 100) if document["qualifies"] and document["total"] else None
            said = verdict(wanted, found[number] if number < len(found) else None)
            if said == "wrong":  # some truths leave cash rounding out
                exact = totals(raw, load(None, (*settings, "shop.round_to_cash=false")))
                said = "policy" if exact[number] == wanted else said
            score[said] += 1
    assert score["wrong"] == score["false award"] == 0, score
    assert score["right"] >= 105, score  # of 152, 24 of them pictures


@needs_corpus
def test_chinese_layouts_with_hostile_remarks() -> None:
    score: Counter[str] = Counter()
    rows = list(map(json.loads, (CORPUS / "zh/truth.jsonl").read_text("utf-8").splitlines()))[::EVERY]
    config = load(None, ())
    for row in rows:
        if row["qualifies"] is not None:  # a question of policy
            wanted = row["net_minor"] if row["qualifies"] else None
            found = totals((CORPUS / "zh" / row["file"]).read_bytes(), config)
            score[verdict(wanted, next((minor for minor in found if minor is not None), None))] += 1
    assert score["wrong"] == score["false award"] == 0, score
    assert score["right"] >= 0.9 * (score["right"] + score["abstained"]), score
