"""Receipts of a supermarket, as long as wanted, each with a number of its own.

Owns: `long_receipt` and the printing of many of them through a line. Never: measures.
"""

from __future__ import annotations

import os
import random
import time
from datetime import timedelta

from hw_sim import receipts
from hw_sim.receipt_words import SHOPS, Shop
from tests.bench.box import Ends

CUT = b"\x1dV\x00"
LINES = 60
_AROUND = 13  # lines of a receipt that are no goods
CHINESE = next(shop for shop in SHOPS if shop.currency == "CNY" and shop.codec.startswith("gb"))
ENGLISH = next(shop for shop in SHOPS if shop.language == "en")


def long_receipt(number: int, shop: Shop = CHINESE, lines: int = LINES) -> bytes:
    """A sale of `lines` printed lines, from ESC @ to the cut. `number` stands on it and chooses the goods."""
    chance = random.Random(number)
    goods = [chance.choice(shop.goods) for _ in range(lines - _AROUND)]
    bought = tuple((name, chance.choice((1, 1, 2, 3)), price) for name, price in goods)
    total = sum(quantity * price for _, quantity, price in bought)
    sale = receipts.basket(shop, chance)._replace(
        lines=bought,
        discount_minor=0,
        total_minor=total,
        tax_minor=total * shop.tax_percent // (100 + shop.tax_percent),
        tender="cash",
        given_minor=-(-total // 1000) * 1000,
        number=f"{number:06d}",
    )
    sale = sale._replace(at=sale.at + timedelta(minutes=number))
    page = receipts.Page(shop)
    page.control(b"\x1b@")
    receipts.receipt(page, sale)
    page.feed(6)
    page.cut(CUT, receipts.truth(shop, sale))
    return bytes(page.raw)


def print_at_once(ends: Ends, receipt: bytes) -> float:
    """One write, as a till on the network does. ms from the cut's write to its arrival at the printer."""
    start = time.perf_counter()
    os.write(ends.till, receipt)
    ends.read_until(CUT)
    return (time.perf_counter() - start) * 1000


def print_by_line(ends: Ends, receipt: bytes, pause_s: float) -> float:
    """A write and a pause for each line, and the cut last. ms from the cut's write to its arrival."""
    body = receipt.removesuffix(CUT)
    for line in body.splitlines(keepends=True):
        os.write(ends.till, line)
        time.sleep(pause_s)
    start = time.perf_counter()
    os.write(ends.till, CUT)
    ends.read_until(CUT)
    return (time.perf_counter() - start) * 1000
