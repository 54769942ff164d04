"""Composes what tills print, with the truth beside it: bytes, and for each document what it is and where it ends.

Owns: the basket (its sums are right), the page of bytes being written, and the plain receipt, refund, kitchen ticket,
pre-bill and report. Never: the many odd ways of printing them (layouts.py), or a random number of its own: the same
seed gives the same bytes. No receipt here is of a real shop.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import NamedTuple

from edgebox.model import DocumentKind
from hw_sim.receipt_words import Shop

COLUMNS = 42  # of the composed receipts: fits the 48 of 80 mm paper
_FIRST_DAY = datetime(2026, 3, 2, 8, 0)  # noqa: DTZ001 - the till's wall clock, as printed: it knows no time zone


class Truth(NamedTuple):
    """What one document is. Offsets count from the stream's first byte.

    `ink_end`: after the last ink and the line end that flushed it; a slip goes there. `cut_at` / `end`: the cut command
    (cut_at -1: none, and `end` is where the document's last feed ends). `slip`: it is a sale, and nothing in its bytes
    forbids to insert. `total_minor`: what was paid (negative for a refund); None where the paper is no proof of it.
    `printed_at`: ISO date and time as printed, to the minute.
    """

    kind: DocumentKind
    total_minor: int | None
    currency: str
    decimals: int
    number: str
    printed_at: str
    cashier: str
    tender: str  # cash, card, or "" where nothing was paid
    start: int
    ink_end: int
    cut_at: int
    end: int
    slip: bool


class Stream(NamedTuple):
    """Bytes as a till sends them in one go."""

    name: str
    language: str
    cjk: str  # what the printer must have: PrinterProfile.cjk
    raw: bytes
    documents: tuple[Truth, ...]


class Basket(NamedTuple):
    """One sale; everything in minor units. lines: name, quantity, price of one."""

    lines: tuple[tuple[str, int, int], ...]
    discount_minor: int
    total_minor: int
    tax_minor: int
    tender: str
    given_minor: int
    number: str
    at: datetime
    cashier: str

    @property
    def subtotal_minor(self) -> int:
        """Before the discount."""
        return sum(quantity * price for _, quantity, price in self.lines)

    @property
    def change_minor(self) -> int:
        """Given back."""
        return self.given_minor - self.total_minor


def basket(shop: Shop, chance: random.Random) -> Basket:
    """A few things bought; a discount on some; paid in cash with the next round sum, or by card exactly."""
    goods = chance.sample(shop.goods, chance.randint(1, len(shop.goods)))
    lines = tuple((name, chance.choice((1, 1, 1, 2, 3)), price) for name, price in goods)
    subtotal = sum(quantity * price for _, quantity, price in lines)
    discount = subtotal // 10 if chance.random() < 0.3 else 0
    total = subtotal - discount
    tender = chance.choice(("cash", "card"))
    note = 1000
    return Basket(
        lines=lines,
        discount_minor=discount,
        total_minor=total,
        tax_minor=total * shop.tax_percent // (100 + shop.tax_percent),
        tender=tender,
        given_minor=-(-total // note) * note if tender == "cash" else total,
        number=f"{chance.randrange(1, 10**6):06d}",
        at=_FIRST_DAY + timedelta(minutes=chance.randrange(0, 60 * 24 * 300)),
        cashier=chance.choice(shop.cashiers),
    )


class Page:
    """Bytes being written. Notes where documents begin, where their ink ends and where they are cut."""

    def __init__(self, shop: Shop, *, line_end: bytes = b"\n", select: bytes | None = None) -> None:
        self.shop = shop
        self.raw = bytearray()
        self.documents: list[Truth] = []
        self.line_end = line_end
        self.select = shop.select if select is None else select
        self._start = 0
        self._ink_end = 0

    def control(self, raw: bytes) -> None:
        """A command that leaves no mark."""
        self.raw += raw

    def ink(self, raw: bytes) -> None:
        """Something that prints by itself: a picture, a symbol, a page."""
        self.raw += raw
        self._ink_end = len(self.raw)

    def text(self, text: str) -> None:
        """A line."""
        self.ink(self.encode(text) + self.line_end)

    def pair(self, left: str, right: str, width: int = COLUMNS) -> None:
        """A label at the left, an amount at the right; characters of two bytes are two columns wide."""
        gap = width - len(self.encode(left)) - len(self.encode(right))
        self.text(left + " " * max(gap, 1) + right)

    def encode(self, text: str) -> bytes:
        """In the shop's code page."""
        return text.encode(self.shop.codec)

    def feed(self, lines: int) -> None:
        """Blank lines."""
        self.raw += self.line_end * lines

    def cut(self, raw: bytes, truth: Truth, *, ink_end: int | None = None) -> None:
        """Ends the document; `raw` empty: without a cut. `ink_end`: where the caller knows better."""
        cut_at = len(self.raw) if raw else -1
        self.raw += raw
        ends = self._ink_end if ink_end is None else ink_end
        self.documents.append(truth._replace(start=self._start, ink_end=ends, cut_at=cut_at, end=len(self.raw)))
        self._start = len(self.raw)

    @property
    def ink_end(self) -> int:
        """After the last ink so far."""
        return self._ink_end

    def stream(self, name: str) -> Stream:
        """What has been written."""
        return Stream(name, self.shop.language, self.shop.cjk, bytes(self.raw), tuple(self.documents))


def truth(shop: Shop, sale: Basket, kind: DocumentKind = DocumentKind.SALE) -> Truth:
    """The truth of a document of this basket, still without offsets."""
    paid = kind in (DocumentKind.SALE, DocumentKind.REFUND)
    sign = -1 if kind is DocumentKind.REFUND else 1
    return Truth(
        kind=kind,
        total_minor=sign * sale.total_minor if paid else None,
        currency=shop.currency,
        decimals=shop.decimals,
        number=sale.number,
        printed_at=sale.at.isoformat(timespec="minutes"),
        cashier=sale.cashier,
        tender="cash" if kind is DocumentKind.REFUND else sale.tender if paid else "",
        start=0,
        ink_end=0,
        cut_at=-1,
        end=0,
        slip=kind is DocumentKind.SALE,
    )


# -- the parts of a paper


def head(page: Page, title: str = "") -> None:
    """Shop's name, large and in the middle; address; title."""
    shop = page.shop
    page.control(page.select + b"\x1ba\x01\x1b!\x30")
    page.text(shop.name)
    page.control(b"\x1b!\x00")
    page.text(shop.address)
    if title:
        page.control(b"\x1bE\x01")
        page.text(title)
        page.control(b"\x1bE\x00")
    page.control(b"\x1ba\x00")


def about(page: Page, sale: Basket) -> None:
    """Number, date, cashier."""
    shop = page.shop
    page.pair(f"{shop.number}: {sale.number}", sale.at.strftime(shop.date))
    page.text(f"{shop.cashier}: {sale.cashier}")
    page.text("-" * COLUMNS)


def items(page: Page, sale: Basket, sign: int = 1) -> None:
    """One line each."""
    for name, quantity, price in sale.lines:
        page.pair(f"{quantity} x {name}", page.shop.money(sign * quantity * price))
    page.text("-" * COLUMNS)


def totals(page: Page, sale: Basket, sign: int = 1) -> None:
    """Subtotal and discount where there is one; the total, emphasised."""
    shop = page.shop
    if sale.discount_minor:
        page.pair(shop.subtotal, shop.money(sign * sale.subtotal_minor))
        page.pair(shop.discount, shop.money(-sign * sale.discount_minor))
    page.control(b"\x1bE\x01\x1d!\x01")
    page.pair(shop.total, shop.money(sign * sale.total_minor))
    page.control(b"\x1d!\x00\x1bE\x00")


def payment(page: Page, sale: Basket) -> None:
    """How it was paid, the tax in it, thanks."""
    shop = page.shop
    if sale.tender == "cash":
        page.pair(shop.cash, shop.money(sale.given_minor))
        page.pair(shop.change, shop.money(sale.change_minor))
    else:
        page.pair(shop.card, shop.money(sale.total_minor))
    page.pair(f"{shop.tax} {shop.tax_percent}%", shop.money(sale.tax_minor))


def thanks(page: Page) -> None:
    """The last line of most."""
    page.control(b"\x1ba\x01")
    page.text(page.shop.thanks)


def receipt(page: Page, sale: Basket) -> None:
    """A whole receipt, up to its last ink."""
    head(page)
    about(page, sale)
    items(page, sale)
    totals(page, sale)
    payment(page, sale)
    thanks(page)


def refund(page: Page, sale: Basket) -> None:
    """Goods brought back."""
    head(page, page.shop.refund)
    about(page, sale)
    items(page, sale, -1)
    totals(page, sale, -1)
    page.pair(page.shop.cash, page.shop.money(-sale.total_minor))


def kitchen(page: Page, sale: Basket) -> None:
    """What to cook: no prices."""
    page.control(page.select)
    page.text(page.shop.kitchen)
    page.text(f"{sale.number}  {sale.at:%H:%M}")
    page.control(b"\x1b!\x10")
    for name, quantity, _ in sale.lines:
        page.text(f"{quantity} x {name}")
    page.control(b"\x1b!\x00")


def pre_bill(page: Page, sale: Basket) -> None:
    """What is owed, not what was paid."""
    head(page, page.shop.pre_bill)
    about(page, sale)
    items(page, sale)
    totals(page, sale)


def report(page: Page, sale: Basket) -> None:
    """The day's sums."""
    shop = page.shop
    head(page, shop.report)
    page.text(sale.at.strftime(shop.date))
    page.pair(shop.cash, shop.money(41 * sale.total_minor))
    page.pair(shop.card, shop.money(17 * sale.total_minor))
    page.pair(shop.total, shop.money(58 * sale.total_minor))
