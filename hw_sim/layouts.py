"""The many ways in which tills print the same receipt: every trap of the wire as a stream with its truth.

Owns: the layouts, by name, and `compose`. Never: what stands on the paper (receipts.py). Each layout says in one line
which habit of real tills it stands for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from edgebox.model import DocumentKind
from hw_sim import receipts
from hw_sim.receipt_words import SHOPS, Shop
from hw_sim.receipts import Basket, Page, Stream, truth

Layout = Callable[[Shop, Basket, random.Random], Page]
LAYOUTS: dict[str, Layout] = {}
_CUT = b"\x1dV\x00"
_FEED = 6  # lines before a cut that doesn't feed by itself: 22 mm, the cutter sits 13 mm behind the head
_QR_LEVEL_M = b"\x1d(k\x03\x001E1"


def compose(name: str, shop: Shop, seed: int) -> Stream:
    """The layout `name` for this shop; KeyError when there is none. The same seed gives the same bytes."""
    chance = random.Random(f"{name} {shop.language} {seed}")
    return LAYOUTS[name](shop, receipts.basket(shop, chance), chance).stream(f"{name}-{shop.language}-{seed}")


def compose_all(seed: int = 0) -> Iterator[Stream]:
    """Every layout in every language that it is for."""
    for shop in SHOPS:
        for name in LAYOUTS:
            if not (name.startswith("gbk") and shop.language != "zh-CN"):
                yield compose(name, shop, seed)


def layout(make: Layout) -> Layout:
    """Enters a layout into the table under its own name."""
    LAYOUTS[make.__name__] = make
    return make


def qr(text: str, size: int = 4) -> bytes:
    """A native QR code as a till prints its own: model, size, level, data, print."""
    data = text.encode("ascii")
    store = b"\x1d(k" + (len(data) + 3).to_bytes(2, "little") + b"1P0" + data
    return b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C" + bytes([size]) + _QR_LEVEL_M + store + b"\x1d(k\x03\x001Q0"


def raster(chance: random.Random, wide_bytes: int = 16, high: int = 48) -> bytes:
    """A picture whose dots contain cuts, ESC @ and status queries."""
    rows = (b"\x1dV\x00", b"\x1bi", b"\x1b@", b"\x10\x04\x01", b"\x1dVB\x00", b"\xff\xff\xff")
    dots = b"".join(chance.choice(rows) for _ in range(wide_bytes * high))[: wide_bytes * high]
    return b"\x1dv0\x00" + wide_bytes.to_bytes(2, "little") + high.to_bytes(2, "little") + dots


def _plain(
    shop: Shop,
    sale: Basket,
    cut: bytes = _CUT,
    feed: int = _FEED,
    *,
    first: bytes = b"\x1b@",
    last: bytes = b"",
    behind: bytes = b"",
    page: Page | None = None,
    slip: bool = True,
) -> Page:
    """One receipt: `first`, the text, `last` (ink), feed, `behind` (no ink), cut."""
    page = page or Page(shop)
    page.control(first)
    receipts.receipt(page, sale)
    if last:
        page.ink(last)
    page.feed(feed)
    page.control(behind)
    page.cut(cut, truth(shop, sale)._replace(slip=slip))
    return page


def _of_kind(shop: Shop, sale: Basket, kind: DocumentKind, write: Callable[[Page, Basket], None]) -> Page:
    page = Page(shop)
    page.control(b"\x1b@")
    write(page, sale)
    page.feed(_FEED)
    page.cut(_CUT, truth(shop, sale, kind))
    return page


# -- ends


def _ends() -> None:
    """The cuts seen in real streams: GS V in all forms, ESC i, ESC m."""
    forms = {
        "gs_v_0": (b"\x1dV\x00", _FEED),
        "gs_v_1": (b"\x1dV\x01", _FEED),
        "gs_v_48": (b"\x1dV\x30", _FEED),
        "gs_v_49": (b"\x1dV\x31", _FEED),
        "gs_v_65_feeds": (b"\x1dV\x41\x03", 0),
        "gs_v_66_feeds": (b"\x1dV\x42\x00", 0),
        "gs_v_103": (b"\x1dV\x67\x00", 1),
        "gs_v_104": (b"\x1dV\x68\x08", 1),
        "esc_i": (b"\x1bi", _FEED),
        "esc_m": (b"\x1bm", _FEED),
    }
    for name, (cut, feed) in forms.items():
        LAYOUTS[name] = _ended_by(cut, feed)


def _ended_by(cut: bytes, feed: int) -> Layout:
    return lambda shop, sale, chance: _plain(shop, sale, cut, feed)


_ends()


@layout
def no_cut(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """58 mm printers: some feed, and the customer tears."""
    return _plain(shop, sale, b"")


@layout
def esc_d_feed(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The last feed is one ESC d, as python-escpos does it."""
    return _plain(shop, sale, feed=0, behind=b"\x1bd\x06")


@layout
def esc_d_flushes(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The feed itself is the line end of the last text: it is ink."""
    page = Page(shop)
    return _plain(shop, sale, b"\x1dV\x42\x00", 0, last=page.encode(sale.number) + b"\x1bd\x06", page=page)


@layout
def crlf(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """CR LF at every line end."""
    return _plain(shop, sale, b"\x1dV\x42\x00", 2, page=Page(shop, line_end=b"\r\n"))


@layout
def no_init(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """No ESC @ anywhere: modes stay from one receipt to the next."""
    page = Page(shop)
    for _ in range(2):
        receipts.receipt(page, sale)
        page.control(b"\x1ba\x00")
        page.feed(_FEED)
        page.cut(_CUT, truth(shop, sale))
    return page


@layout
def init_after_cut(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """ESC @ and a line end behind the cut belong to no document."""
    page = _plain(shop, sale, b"\x1dV\x42\x00", 0)
    page.control(b"\x1b@\n\r")
    return page


@layout
def unflushed_end(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """Text without a line end before the last cut: printers ignore the cut, and any slip would print that text."""
    page = Page(shop)
    page.control(b"\x1b@")
    receipts.receipt(page, sale)
    page.control(page.encode(sale.number) + _CUT)
    page.cut(b"", truth(shop, sale)._replace(slip=False))
    return page


@layout
def cut_in_mid_line(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """A cut in the middle of the last line, which printers ignore; the line goes on, and the real cut comes later."""
    page = Page(shop)
    page.control(b"\x1b@")
    receipts.receipt(page, sale)
    page.ink(page.encode(sale.number) + _CUT + page.encode(sale.cashier) + b"\n")
    page.feed(_FEED)
    page.cut(_CUT, truth(shop, sale))
    return page


@layout
def clear_before_cut(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """DLE ENQ 2 in the last feed: no slip into this document, and not one byte of feed lost."""
    return _plain(shop, sale, behind=b"\x10\x05\x02", slip=False)


# -- drawers, displays, queries


@layout
def drawer_before_cut(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The drawer opens while the last feed is held."""
    return _plain(shop, sale, behind=b"\x1bp\x00\x19\xfa")


@layout
def drawer_after_cut(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The drawer opens behind the cut, by a real-time pulse."""
    page = _plain(shop, sale)
    page.control(b"\x10\x14\x01\x00\x05")
    return page


@layout
def drawer_first(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The drawer opens before anything is printed."""
    return _plain(shop, sale, first=b"\x1b@\x1bp\x00\x19\xfa")


@layout
def display_text(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The total goes to the customer display too, and thanks in the middle of the last feed."""
    first = b"\x1b@\x1b=\x02\x0cTOTAL " + str(sale.total_minor).encode() + b"\x1b=\x01"
    return _plain(shop, sale, first=first, behind=b"\x1b=\x02\x0cTHANKS\x1b=\x01")


@layout
def status_polls(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """Status queries between lines and in the last feed."""
    page = Page(shop)
    page.control(b"\x1b@\x1b=\x01\x10\x04\x01")
    receipts.head(page)
    page.control(b"\x10\x04\x04")
    receipts.about(page, sale)
    receipts.items(page, sale)
    receipts.totals(page, sale)
    page.control(b"\x1dr\x01")
    receipts.payment(page, sale)
    receipts.thanks(page)
    page.feed(3)
    page.control(b"\x10\x04\x02")
    page.feed(3)
    page.cut(_CUT, truth(shop, sale))
    return page


# -- pictures, symbols, other ink


@layout
def logo(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """A picture at the top whose dots look like cuts."""
    page = Page(shop)
    page.ink(raster(chance))
    return _plain(shop, sale, page=page)


@layout
def logo_at_the_end(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The picture is the last ink."""
    return _plain(shop, sale, b"\x1dV\x42\x00", 0, last=raster(chance))


@layout
def own_qr(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The till prints an invoice link of its own, as the last ink."""
    return _plain(shop, sale, last=qr(f"https://invoice.example/{sale.number}?total=9999.99") + b"\n")


@layout
def stored_qr(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The symbol is stored once and printed on two receipts: whoever prints another must not overwrite it."""
    page = Page(shop)
    symbol = qr("https://shop.example/menu")
    page.control(symbol[: -len(b"\x1d(k\x03\x001Q0")])
    for _ in range(2):
        receipts.receipt(page, sale)
        page.ink(b"\x1d(k\x03\x001Q0\x1ba\x00\n")  # some printers print a symbol only at its line end
        page.feed(_FEED)
        page.cut(_CUT, truth(shop, sale))
    return page


@layout
def barcode_end(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The number as a bar code with its text, the last ink."""
    bars = b"\x1dh\x50\x1dw\x02\x1dH\x02\x1dk\x49\x08{B" + sale.number.encode("ascii")
    return _plain(shop, sale, b"\x1dV\x42\x00", 0, last=bars)


@layout
def black_bar(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """A bar of reversed spaces is the last ink, though it has no letter."""
    return _plain(shop, sale, last=b"\x1dB\x01" + b" " * 20 + b"\n", feed=0, behind=b"\x1dB\x00" + b"\n" * _FEED)


@layout
def page_mode(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """Total and payment are set in page mode; nothing may be put in there."""
    page = Page(shop)
    page.control(b"\x1b@")
    receipts.head(page)
    receipts.about(page, sale)
    receipts.items(page, sale)
    page.control(b"\x1bL\x1bW\x00\x00\x00\x00\x40\x02\xc8\x00")
    receipts.totals(page, sale)
    receipts.payment(page, sale)
    page.ink(b"\x0c")
    page.feed(_FEED)
    page.cut(_CUT, truth(shop, sale))
    return page


@layout
def amounts_by_position(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """Amounts are placed by ESC $ and framed by attributes; no space between label and amount."""
    page = Page(shop)
    page.control(b"\x1b@")
    receipts.head(page)
    receipts.about(page, sale)
    receipts.items(page, sale)
    amount = page.encode(shop.money(sale.total_minor))
    page.ink(page.encode(shop.total) + b"\x1bE\x01\x1b-\x00\x1b$\x40\x01" + amount + b"\x1bE\x00\n")
    receipts.payment(page, sale)
    receipts.thanks(page)
    page.feed(_FEED)
    page.cut(_CUT, truth(shop, sale))
    return page


# -- several papers in one job


@layout
def two_copies(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """For the customer and for the shop: the same number on both."""
    page = Page(shop)
    page.control(b"\x1b@")
    for _ in range(2):
        receipts.receipt(page, sale)
        page.feed(_FEED)
        page.cut(_CUT, truth(shop, sale))
    return page


@layout
def kitchen_then_receipt(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """One printer for the kitchen's ticket and the customer's receipt, in one job."""
    page = _of_kind(shop, sale, DocumentKind.KITCHEN, receipts.kitchen)
    receipts.receipt(page, sale)
    page.feed(_FEED)
    page.cut(b"\x1dV\x01", truth(shop, sale))
    return page


@layout
def fifteen_cuts(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """A whole table's orders in one job."""
    page = Page(shop)
    page.control(b"\x1b@")
    for _ in range(15):
        receipts.kitchen(page, sale)
        page.feed(_FEED)
        page.cut(_CUT, truth(shop, sale, DocumentKind.KITCHEN))
    return page


@layout
def header_preprinted(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The next receipt's header is printed before the cut, so that it comes out on top of the next paper."""
    page = Page(shop)
    page.control(b"\x1b@" + shop.select)
    for _ in range(2):
        receipts.about(page, sale)
        receipts.items(page, sale)
        receipts.totals(page, sale)
        receipts.payment(page, sale)
        ends = page.ink_end
        page.feed(4)
        page.text(shop.name)
        page.text(shop.address)
        page.cut(_CUT, truth(shop, sale), ink_end=ends)
    return page


# -- other papers


@layout
def refund(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """Money given back earns nothing."""
    return _of_kind(shop, sale, DocumentKind.REFUND, receipts.refund)


@layout
def pre_bill(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """Not paid yet."""
    return _of_kind(shop, sale, DocumentKind.PRE_BILL, receipts.pre_bill)


@layout
def report(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """The end of the day: large sums that earn nothing."""
    return _of_kind(shop, sale, DocumentKind.REPORT, receipts.report)


# -- printing libraries and encodings


@layout
def gbk_without_fs(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """GBK without FS &: the printer has it on from power-on."""
    return _plain(shop, sale, page=Page(shop, select=b""))


@layout
def python_escpos(shop: Shop, sale: Basket, chance: random.Random) -> Page:
    """Through a real printing library: a dozen attribute commands between label and amount."""
    from escpos.printer import Dummy  # here, because it takes 0.2 s to import

    printer = Dummy()

    def line(text: str, **style: object) -> None:
        printer.set_with_default(**style)
        printer._raw(page.encode(text) + b"\n")

    page = Page(shop)
    printer.hw("INIT")
    printer._raw(shop.select)
    line(shop.name, align="center", bold=True, double_width=True, double_height=True)
    line(f"{shop.number}: {sale.number}")
    line(sale.at.strftime(shop.date))
    line(f"{shop.cashier}: {sale.cashier}")
    for name, quantity, price in sale.lines:
        line(f"{quantity} x {name}  {shop.money(quantity * price)}")
    if sale.discount_minor:
        line(f"{shop.discount}  {shop.money(-sale.discount_minor)}")
    printer._raw(page.encode(shop.total))
    line(f"  {shop.money(sale.total_minor)}", bold=True)
    line(f"{shop.cash if sale.tender == 'cash' else shop.card}  {shop.money(sale.given_minor)}")
    if sale.tender == "cash":
        line(f"{shop.change}  {shop.money(sale.change_minor)}")
    line(shop.thanks, align="center")
    page.ink(printer.output)
    printer.clear()
    printer.cut()
    feed, cut = printer.output[:-3], printer.output[-3:]
    page.control(feed)
    page.cut(cut, truth(shop, sale))
    return page
