"""Paper that no till prints: the reader abstains with a reason, and takes no longer than the line may wait."""

import time

import pytest

from edgebox.captures import read_capture
from edgebox.escpos.profile import PrinterProfile
from edgebox.receipt.reader import ReceiptReader
from tests.receipt.paper import PAID_TILL, lexicon, line

ANSWER_S = 0.15  # what the line waits for an answer by default ([[line]] answer_ms)
NUMBERS = range(2000)
PAPERS = {
    "totals": [f"TOTAL {n}.37" for n in NUMBERS],
    "tenders": [f"CASH {n}.37" for n in NUMBERS],
    "cash and change": [row for n in range(667) for row in (f"CASH {n * 7}.37", f"CHANGE {n * 3}.01", "TOTAL 1.05")],
    "totals that follow from each other": [
        row for n in range(500) for row in (f"SUBTOTAL {n}.37", f"TAX {n}.11", f"TOTAL {2 * n}.48", f"TIP {n % 9}.48")
    ],
    "labels without amounts": [row for n in range(667) for row in ("TOTAL", "CASH", f"{n}.11")],
    "rows of taxes": [f"{n % 30}.00% {n}.00 {n * (n % 30) / 100:.2f}" for n in NUMBERS],
    "discounts behind totals": [row for n in range(1000) for row in (f"TOTAL {n}.37", f"DISCOUNT {n}.02")],
    "items": ["TOTAL 5.00", *(f"CHANGE {n}.01" for n in range(60)), *(f"BREAD {n}.07" for n in range(1900))],
    "Chinese": [f"合计:{n}.3 优惠:{n % 9}.1 应付:{n}.1 现金:{n + 1}.0 找零:0.9" for n in NUMBERS],
    "amounts of forty digits": ["TOTAL " + "9" * 40 + ".00"] * 1000 + ["CASH " + "9" * 40 + ".00"] * 1000,
}


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_two_thousand_lines_are_answered_in_time(paper: list[str]) -> None:
    reader = ReceiptReader(PAID_TILL, lexicon())
    reader.feed([line(text) for text in paper])
    began = time.process_time()
    receipt = reader.finish()
    assert time.process_time() - began < ANSWER_S
    assert not receipt.qualifies
    assert receipt.reasons


@pytest.mark.parametrize(
    "stream",
    [
        "TOTAL 33.90\n现金 33.90\n".encode("gb18030") + "合计 12.00\n".encode() + "合計 9.00\n".encode("big5"),
        bytes(range(32, 256)) * 40,
        b"\x1b@" + "合计 33.90".encode("utf-16") * 20,
        b"\x1bt\x10" + "合计:33.90\n".encode("gb18030") * 4,  # two-byte text in a code page of one byte
        b"TOTAL \xff\xfe33.90\nCASH \x80\x81.00\n",
    ],
)
def test_mixed_encodings_end_in_no_fault(stream: bytes) -> None:
    for document in read_capture(stream, PrinterProfile(), lambda: ReceiptReader(PAID_TILL, lexicon())):
        assert document.receipt.reasons
