"""What a line costs a small box: memory, CPU while nothing happens, and time until it works.

Owns: the three measurements. Memory is read after a thousand receipts with the engine there, and again with a full
spool, which is as large as a line gets.
"""

from __future__ import annotations

import os
import statistics
import time
from contextlib import closing
from pathlib import Path

from tests.bench import machine
from tests.bench.box import Ends, EngineProgram, Program, line_command, wait_for
from tests.bench.figures import Section, met
from tests.bench.receipts import long_receipt, print_at_once

RSS_MB, IDLE_PERCENT, START_MS = 16.0, 0.05, 100.0
MB = 1 << 20
STARTS = 10
_SPOOL_RECEIPTS = 600  # of 2 KB: more than its 1 MB


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `footprint`."""
    receipts, idle_s = (100, 3.0) if quick else (1000, 15.0)
    rows = _living(folder, receipts, idle_s)
    starts = sorted(_start_ms(folder, at) for at in range(STARTS))
    rows.append(_row(f"start to first byte, median of {STARTS}", statistics.median(starts), START_MS, "ms"))
    rows.append(["start to first byte, worst", f"{starts[-1]:.0f} ms", "", ""])
    notes = [
        "CPU from schedstat, memory from smaps_rollup; PSS counts a page shared by n processes as 1/n",
        f"idle: till, printer and engine connected, nothing sent, {idle_s:.0f} s",
    ]
    return [Section("footprint", "Footprint of a line", ("what", "measured", "target", ""), rows, notes)]


def _row(what: str, value: float, target: float, unit: str) -> list[str]:
    digits = 3 if unit == "%" else 1
    return [what, f"{value:.{digits}f} {unit}", f"≤ {target:g} {unit}", met(value, target)]


def _living(folder: Path, receipts: int, idle_s: float) -> list[list[str]]:
    engine = EngineProgram(folder)
    ends = Ends("tcp", folder, "footprint")
    line = _line(ends, engine, folder, "line")
    try:
        ends.join(line)
        for number in range(1, receipts + 1):
            print_at_once(ends, long_receipt(number))
        wait_for(lambda: len(engine.receipts()) >= receipts, engine)
        rss, pss = machine.rss_bytes(line.pid)
        idle, idle_engine = _idle_percent([line, engine], idle_s)
        engine_rss, _ = machine.rss_bytes(engine.pid)
        engine.stop()
        for number in range(1, _SPOOL_RECEIPTS + 1):
            print_at_once(ends, long_receipt(number))
        full, _ = machine.rss_bytes(line.pid)
    finally:
        ends.close()
        line.stop()
        engine.stop()
    return [
        _row(f"RSS after {receipts:,} receipts", rss / MB, RSS_MB, "MB"),
        ["PSS", f"{pss / MB:.1f} MB", "", ""],
        _row(f"RSS with a full spool ({_SPOOL_RECEIPTS} receipts, no engine)", full / MB, RSS_MB, "MB"),
        _row("idle CPU", idle, IDLE_PERCENT, "%"),
        ["the engine: RSS, idle CPU", f"{engine_rss / MB:.1f} MB, {idle_engine:.3f} %", "", ""],
    ]


def _line(ends: Ends, engine: EngineProgram | None, folder: Path, name: str) -> Program:
    urls = f"tcp://127.0.0.1:{ends.till_place}", f"tcp://127.0.0.1:{ends.printer_place}"
    return Program(name, line_command(*urls, engine.socket if engine else ""), folder)


def _idle_percent(programs: list[Program], seconds: float) -> list[float]:
    """CPU of each while nothing happens; after a moment, so that what the last receipt left behind is over."""
    time.sleep(2)
    before = [machine.cpu_ns(program.pid) for program in programs]
    start = time.perf_counter()
    time.sleep(seconds)
    taken = time.perf_counter() - start
    return [(machine.cpu_ns(p.pid) - was) / 1e7 / taken for p, was in zip(programs, before, strict=True)]


def _start_ms(folder: Path, number: int) -> float:
    """From the line's start to the first byte that came through it; the till dials until it is let in."""
    with closing(Ends("tcp", folder, "start")) as ends:
        start = time.perf_counter()
        line = _line(ends, None, folder, f"start{number}")
        try:
            ends.join(line, every_s=0.0005)
            os.write(ends.till, b".")
            ends.read_until(b".")
            return (time.perf_counter() - start) * 1000
        finally:
            line.kill()
