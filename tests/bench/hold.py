"""How long a cut waits for its slip: from the line's own record of it, with the real engine minting and composing.

Owns: the receipts printed for it, alone and beside programs that take all CPU. The figure is `Outcome.hold_us`: cut
seen by the line → slip and cut handed on. From outside: the cut written by the till → slip and cut at the printer.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.bench.box import Broken, Ends, EngineProgram, Program, line_command, wait_for
from tests.bench.figures import Section, met
from tests.bench.receipts import LINES, long_receipt, print_at_once, print_by_line
from tests.bench.spread import percentile

TARGET_P50_MS, TARGET_P99_MS = 0.5, 2.0
BREAKER = "not_holding"  # three late answers in a row: nothing is held until the engine answers a ping
HOGS = 2
PROFILE = "gprinter-gp-l80"  # has Chinese letters and a native QR: nothing of the slip is drawn as a picture
PAUSE_S = 0.0005  # between lines: 40 bytes in 0.5 ms are 640,000 baud, far above any serial till
BREATH_S = 0.01  # between receipts: the engine records one in 2 ms, and no printer prints two in less than a second
WARM_UP = 20
Printing = Callable[[Ends, bytes], float]


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `hold`."""
    receipts = 50 if quick else 1000
    rows = []
    engine = EngineProgram(folder)
    ends = Ends("tcp", folder, "hold")
    urls = f"tcp://127.0.0.1:{ends.till_place}", f"tcp://127.0.0.1:{ends.printer_place}"
    line = Program("line", line_command(*urls, engine.socket, "--profile", PROFILE), folder)
    numbers = count(1)
    try:
        ends.join(line)
        printed(ends, engine, numbers, WARM_UP, print_at_once)
        for name, printing, of in (("line by line", by_line, receipts), ("in one write", print_at_once, receipts)):
            rows.append(_row(f"{name}, alone", *printed(ends, engine, numbers, of, printing)))
            with hogs(folder):
                rows.append(_row(f"{name}, {HOGS} CPU hogs", *printed(ends, engine, numbers, of, printing)))
        line.check()
    finally:
        ends.close()
        line.stop()
        engine.stop()
    notes = [
        f"{receipts} receipts of {LINES} lines ({len(long_receipt(1))} bytes) a row, each with a claim minted and a "
        "native QR composed; default settings (ten languages read)",
        f"line by line: {PAUSE_S * 1000:.1f} ms between lines; in one write: the engine has the whole receipt still to "
        "read when the cut is seen",
        f"{BREATH_S * 1000:.0f} ms between receipts: in one write and without a pause, one waits for the record of "
        "the one before",
    ]
    columns = (
        "how it is sent", "p50 ms", "≤ 0.5", "p99 ms", "≤ 2", "worst ms", "without slip", "from outside p50 ms",
        "p99 ms",
    )  # fmt: skip
    return [Section("hold", "Hold: cut seen → released, with its slip", columns, rows, notes)]


def by_line(ends: Ends, receipt: bytes) -> float:
    """A till that prints line by line; ms from outside."""
    return print_by_line(ends, receipt, PAUSE_S)


def printed(
    ends: Ends, engine: EngineProgram, numbers: Iterator[int], receipts: int, printing: Printing
) -> tuple[list[float], list[float], int]:
    """Holds in ms as the line saw them, the same from outside, and how many went out without a slip: late answers."""
    before = len(engine.receipts())
    outside = []
    for _ in range(receipts):
        receipt = long_receipt(next(numbers))
        time.sleep(BREATH_S)
        outside.append(printing(ends, receipt))
    wait_for(lambda: len(engine.receipts(before)) >= receipts, engine)
    records = [json.loads(record) for record in engine.receipts(before)]
    missed = [record for record in records if record["result"] != "inserted"]
    if other := [record for record in missed if record["result"] != "late" and record["result_reason"] != BREAKER]:
        raise Broken(f"a receipt got no slip: {other[0]}")
    asked = [record for record in records if record not in missed or record["result"] == "late"]
    return [record["hold_us"] / 1000 for record in asked], outside, len(missed)


def _row(name: str, holds: list[float], outside: list[float], late: int) -> list[str]:
    p50, p99 = percentile(holds, 0.5), percentile(holds, 0.99)
    return [
        name,
        f"{p50:.2f}",
        met(p50, TARGET_P50_MS),
        f"{p99:.2f}",
        met(p99, TARGET_P99_MS),
        f"{max(holds):.1f}",
        str(late),
        f"{percentile(outside, 0.5):.2f}",
        f"{percentile(outside, 0.99):.2f}",
    ]


@contextmanager
def hogs(folder: Path) -> Iterator[None]:
    """Programs that take all CPU they get, at ordinary priority."""
    busy = [Program(f"hog{at}", [sys.executable, "-ISc", "while True: pass"], folder) for at in range(HOGS)]
    try:
        yield
    finally:
        for program in busy:
            program.stop()
