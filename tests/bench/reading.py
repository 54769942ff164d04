"""What reading costs: from a receipt's bytes to the answer that its cut waits for, and what follows for the record.

Owns: the receipts and the clock around the engine's own reader. No line, no socket, no claim: those are in `hold`.

Three ways of sending: line by line, as most tills do, where the cut finds all lines read but the last; in one write,
where all of it is left to the cut; and a receipt of 2,000 lines, which nobody prints. Garbage is not collected
meanwhile, as in the engine while a document is on its way (edgebox/engine.py).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from edgebox.config import FOLDER, load, load_lexicon
from edgebox.line.settings import LineSettings
from edgebox.printers import find_printer
from edgebox.reading import NewReader, OpenDocument
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.reader import ReceiptReader
from hw_sim.receipt_words import Shop
from tests.bench.figures import Section, met
from tests.bench.hold import PROFILE
from tests.bench.receipts import CHINESE, ENGLISH, LINES, long_receipt
from tests.bench.spread import percentile

P50_MS, P99_MS = 1.5, 5.0  # for 60 lines, both ways
LINE_US = 25.0  # a line, bytes to meaning
ENDLESS = 2000  # lines
WARM_UP = 20


class Cost(NamedTuple):
    """One receipt, ms. `lines`: all but the cut's share; `cut`: what the cut waits for; `record`: behind it."""

    lines: float
    cut: float
    record: float


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `reading`."""
    del folder
    many = 60 if quick else 600
    rows = []
    for shop, script in ((ENGLISH, "ASCII"), (CHINESE, "Chinese")):
        reader = _new_reader(shop)
        receipts = [long_receipt(number, shop) for number in range(many + WARM_UP)]
        endless = [long_receipt(number, shop, ENDLESS) for number in range(3 if quick else 12)]
        with _garbage_kept():
            by_line = [_by_line(receipt, reader) for receipt in receipts][WARM_UP:]
            at_once = [_at_once(receipt, reader) for receipt in receipts][WARM_UP:]
            long = [_at_once(receipt, reader) for receipt in endless]
        rows += [
            _row(f"{LINES} lines, {script}, line by line", LINES, by_line, P50_MS, P99_MS),
            _row(f"{LINES} lines, {script}, in one write", LINES, at_once, P50_MS, P99_MS),
            _row(f"{ENDLESS} lines, {script}, in one write", ENDLESS, long, LineSettings().answer_ms),
        ]
    columns = ("receipt", "at the cut p50 ms", "p99 ms", "target", "", "a line µs", f"≤ {LINE_US:g}", "record ms")
    notes = [
        f"{many} receipts a row, {len(endless)} of {ENDLESS} lines; ten languages read; no two receipts alike",
        "a line: parsing, layout of the paper and reading, over all lines; record: items, taxes and the like, read "
        "after the answer was sent",
    ]
    return [Section("reading", "Reading: bytes → what the cut waits for", columns, rows, notes)]


def _new_reader(shop: Shop) -> NewReader:
    config = load(None, [f"shop.currency={shop.currency}"])
    settings, lexicon = config.shop_of_reader(), load_lexicon(config.shop.languages)
    finder = AmountFinder(settings.convention)
    return lambda: ReceiptReader(settings, lexicon, finder)


_PRINTER = find_printer(PROFILE, FOLDER / "printers")


def _at_once(receipt: bytes, reader: NewReader) -> Cost:
    began = time.perf_counter()
    reading = OpenDocument(_PRINTER, reader)
    reading.feed(receipt)
    answer = reading.answer()
    answered = time.perf_counter()
    reading.completed(answer)
    took = (answered - began) * 1000
    return Cost(took, took, (time.perf_counter() - answered) * 1000)


def _by_line(receipt: bytes, reader: NewReader) -> Cost:
    began = time.perf_counter()
    reading = OpenDocument(_PRINTER, reader)
    for row in receipt.splitlines(keepends=True):
        reading.feed(row)
    cut = time.perf_counter()
    answer = reading.answer()
    answered = time.perf_counter()
    reading.completed(answer)
    done = time.perf_counter()
    return Cost((answered - began) * 1000, (answered - cut) * 1000, (done - answered) * 1000)


def _row(name: str, lines: int, costs: list[Cost], p50_ms: float, p99_ms: float = 0.0) -> list[str]:
    """`p99_ms` 0: the target is for the slowest of all."""
    p50, p99 = (percentile([cost.cut for cost in costs], share) for share in (0.5, 0.99))
    a_line = percentile([cost.lines for cost in costs], 0.5) * 1000 / lines
    is_met = p50 <= p50_ms and (p99 <= p99_ms if p99_ms else p99 <= p50_ms)
    target = f"≤ {p50_ms:g}, ≤ {p99_ms:g}" if p99_ms else f"≤ {p50_ms:g}"
    record = percentile([cost.record for cost in costs], 0.5)
    return [
        name, f"{p50:.2f}", f"{p99:.2f}", target, met(not is_met, 0), f"{a_line:.1f}", met(a_line, LINE_US),
        f"{record:.2f}",
    ]  # fmt: skip


@contextmanager
def _garbage_kept() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
