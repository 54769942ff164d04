"""Receipts as the tests write them: text in, what the reader makes of it out."""

from functools import cache

from edgebox.config import load_lexicon
from edgebox.escpos.lines import Line
from edgebox.escpos.style import Style
from edgebox.escpos.typeset import Span
from edgebox.model import Receipt
from edgebox.receipt.lexicon import Lexicon
from edgebox.receipt.money import Convention
from edgebox.receipt.reader import ReceiptReader, Shop
from edgebox.receipt.totals import Rules

SHOP = Shop()
PAID_TILL = Shop(rules=Rules(prints_after_payment=True))
EURO = Shop(currency="EUR", convention=Convention(2, ",", "."), date_order="dmy")
YEN = Shop(currency="JPY", convention=Convention(0, ".", ","))


@cache
def lexicon(*languages: str) -> Lexicon:
    return load_lexicon(languages)


def line(text: str, *, loud: bool = False) -> Line:
    style = Style(width=2, height=2) if loud else Style()
    return Line(text, 0, 0, 0, (Span(text, 0, style),))


def lines(paper: str) -> list[Line]:
    """One line each; a leading `!` makes it double size. Blank lines are not printed lines."""
    return [line(row.removeprefix("!"), loud=row.startswith("!")) for row in paper.splitlines() if row.strip()]


def read(paper: str, shop: Shop = SHOP, *languages: str) -> Receipt:
    reader = ReceiptReader(shop, lexicon(*languages))
    reader.feed(lines(paper))
    return reader.finish()
