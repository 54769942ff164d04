"""Every kind in every language: a paper with that heading, and a paid total on it, earns nothing."""

import pytest

from edgebox.model import DocumentKind, Modifier
from edgebox.receipt.money import Convention
from edgebox.receipt.reader import Shop
from edgebox.receipt.totals import Rules
from tests.receipt.kinds_table import HEADINGS, PAID, REPRINTS
from tests.receipt.paper import read

COMMA = ("de", "fr", "es", "pt", "it")
WHOLE = {"ja": ",", "ko": ",", "id": ".", "zh-TW": ","}  # no decimals in use; what parts thousands
NAMES = {"ja": "喫茶さくら", "ko": "행복분식"}


def shop_of(language: str) -> Shop:
    if language in WHOLE:
        return Shop(convention=Convention(0, "", WHOLE[language]), rules=Rules(decimals=0))
    return Shop(convention=Convention(2, *((",", ".") if language in COMMA else (".", ","))))


def paper(language: str, heading: str) -> str:
    name = NAMES.get(language, "老街面馆" if language.startswith("zh") else "CORNER SHOP")
    return f"{name}\n{heading}\n------------------------\n{PAID[language]}"


ALL = [
    (language, kind, word) for language, kinds in HEADINGS.items() for kind, words in kinds.items() for word in words
]
AGAIN = [(language, word) for language, words in REPRINTS.items() for word in words]


@pytest.mark.parametrize("language", PAID)
def test_the_paper_without_a_heading_earns(language: str) -> None:
    receipt = read(paper(language, "---"), shop_of(language))
    assert (receipt.kind, receipt.qualifies) == (DocumentKind.SALE, True), receipt.reasons


@pytest.mark.parametrize(("language", "kind", "heading"), ALL)
def test_a_heading_names_the_kind_in_its_language(language: str, kind: DocumentKind, heading: str) -> None:
    receipt = read(paper(language, heading), shop_of(language))
    assert (receipt.kind, receipt.qualifies) == (kind, False), receipt.reasons


@pytest.mark.parametrize(("language", "word"), AGAIN)
def test_a_reprint_says_so_in_its_language(language: str, word: str) -> None:
    receipt = read(paper(language, word), shop_of(language))
    assert (receipt.kind, receipt.modifiers) == (DocumentKind.SALE, (Modifier.REPRINT,))
    assert not receipt.qualifies


INSIDE = {
    "en": "Bar stool note  5.00", "de": "Storno-Schlüssel Nr  5,00", "fr": "Note cuisine carnet  5,00",
    "es": "Cuenta nueva bolsa  5,00", "ja": "取消線ペン  500",
    "zh-CN": "取消订单请于当日办理", "zh-TW": "退換貨請憑發票",
}  # fmt: skip


@pytest.mark.parametrize("language", INSIDE)
def test_words_of_kinds_inside_other_lines_mean_nothing(language: str) -> None:
    head, _, rest = paper(language, "---").partition("------------------------\n")
    items = "\n".join(f"{PAID[language].splitlines()[0].split('  ')[0]} {n}" for n in "ABCDEFGH")
    receipt = read(f"{head}------------------------\n{items}\n{INSIDE[language]}\n{rest}", shop_of(language))
    assert receipt.kind is DocumentKind.SALE, receipt.reasons
