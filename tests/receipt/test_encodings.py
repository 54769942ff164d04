"""One receipt, one answer: whatever the encoding, the commands between the letters, or the chunks it comes in."""

from collections.abc import Callable

import pytest

from edgebox.captures import read_capture
from edgebox.escpos.paper import Paper
from edgebox.escpos.parser import Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.model import Receipt
from edgebox.receipt.reader import ReceiptReader
from tests.receipt.paper import SHOP, lexicon

SIMPLIFIED = """老街面馆
单号：20261118001
日期：2026-11-18 18:42:07
收银员：王芳
--------------------------------
品名         数量   单价    金额
牛肉面          2  22.00   44.00
酸梅汤          1   6.00    6.00
--------------------------------
合  计：                   50.00
优  惠：                    5.00
实  收：                   45.00
微信支付：                 45.00
备注：合计 9999 收您 10000 找零 1
--------------------------------
谢谢惠顾"""
TRADITIONAL = """阿嬤小館
單號：A0012345
日期：2026/11/18 18:42:07
--------------------------------
品名         數量   單價    金額
滷肉飯          2  45.00   90.00
貢丸湯          1  40.00   40.00
--------------------------------
小計                      130.00
折扣                       10.00
總計                      120.00
現金                      200.00
找零                       80.00
備註：作廢 總計 1.00
--------------------------------
謝謝光臨"""


def plain(text: str, codec: str) -> bytes:
    return text.encode(codec) + b"\n"


def with_styles(text: str, codec: str) -> bytes:
    """A library that sets everything again before each line."""
    rows = (b"\x1ba\x00\x1bE\x00\x1d!\x00\x1bM\x00" + row.encode(codec) + b"\n" for row in text.split("\n"))
    return b"".join(rows)


def with_crlf(text: str, codec: str) -> bytes:
    return text.replace("\n", "\r\n").encode(codec) + b"\r\n"


def with_bold_amounts(text: str, codec: str) -> bytes:
    """Attributes between a label and its amount."""
    out = b""
    for row in text.split("\n"):
        head, gap, tail = row.rpartition(" ")
        out += (head + gap).encode(codec) + b"\x1bE\x01" + tail.encode(codec) + b"\x1bE\x00\n"
    return out


Print = Callable[[str, str], bytes]
PRINTS: tuple[Print, ...] = (plain, with_styles, with_crlf, with_bold_amounts)
CODECS = {
    "simplified": (("gb18030", b"\x1c&"), ("gbk", b""), ("gbk", b"\x1c&"), ("utf-8", b""), ("utf-8", b"\x1c&")),
    "traditional": (("big5", b"\x1c&"), ("big5", b""), ("gb18030", b"\x1c&"), ("utf-8", b""), ("utf-8", b"\x1c&")),
}


def profile(codec: str) -> PrinterProfile:
    return PrinterProfile(cjk="big5") if codec == "big5" else PrinterProfile()


def answer(receipt: Receipt) -> tuple[object, ...]:
    return (
        receipt.kind, receipt.modifiers, receipt.qualifies, receipt.amount_minor, receipt.number,
        receipt.printed_date, receipt.printed_time, receipt.tenders,
    )  # fmt: skip


def whole(stream: bytes, codec: str) -> Receipt:
    (document,) = read_capture(stream, profile(codec), lambda: ReceiptReader(SHOP, lexicon()))
    return document.receipt


def in_chunks(stream: bytes, codec: str, size: int) -> Receipt:
    """As the engine does it: bytes as they come, lines as they are complete."""
    parser, paper, reader = Parser(), Paper(profile(codec)), ReceiptReader(SHOP, lexicon())
    for begin in range(0, len(stream), size):
        paper.feed(parser.feed(stream[begin : begin + size]))
        reader.feed(paper.take_lines())
    paper.feed(parser.finish())
    paper.finish()
    reader.feed(paper.take_lines())
    return reader.finish()


@pytest.mark.parametrize("script", ["simplified", "traditional"])
def test_the_answer_is_the_same_in_every_encoding_and_from_every_library(script: str) -> None:
    text, amount = (SIMPLIFIED, 4500) if script == "simplified" else (TRADITIONAL, 12000)
    answers = {}
    for codec, select in CODECS[script]:
        for prints in PRINTS:
            stream = b"\x1b@" + select + prints(text, codec) + b"\n\n\n\x1dV\x00"
            answers[codec, select, prints.__name__] = answer(whole(stream, codec))
    assert len(set(answers.values())) == 1, answers
    assert next(iter(answers.values()))[2:4] == (True, amount)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_chunks_make_no_difference(size: int) -> None:
    for codec, select in CODECS["simplified"]:
        stream = b"\x1b@" + select + with_bold_amounts(SIMPLIFIED, codec) + b"\n\n\n\x1dV\x00"
        assert answer(in_chunks(stream, codec, size)) == answer(whole(stream, codec))
