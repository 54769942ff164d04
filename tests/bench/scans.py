"""How long a scanned code is on its way to the till: from the scanner's write, its suffix included, to the first byte.

Owns: the states of the engine and the rounds. Method: this process writes a code with its suffix to the scanner's cable
and blocks reading the till's (one clock, one code at a time), after a random pause; payment codes and goods in turn,
and in a row of its own codes that the engine is asked about and does not want (no text). A hung engine is one that is
stopped (SIGSTOP), with the misses that open the scanner's breaker behind it.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from hw_sim.cables import Cable
from tests.bench.box import Broken, EngineProgram, Program, first_in_line, wait_for
from tests.bench.figures import Section, met
from tests.bench.spread import percentile

SCANS, SCANS_QUICK = 3000, 300
TARGET_MS = 5.0  # issue 6: p99
PAUSE_S = 0.002  # on average; a counter has 20 ms at 50 codes a second, in which nothing happens
MISSES = 4  # the breaker opens at three
AWAY, WELL, HUNG, ASKED = "no engine", "engine there", "engine hung", "asked about, not wanted"
OURS = b"CPN:\xff%06d"  # looks like a coupon, and is none: no coupon has such a byte


_JOINED = "scanner connected"


class Wire(NamedTuple):
    """Both cables, and the program between them."""

    scanner: Cable
    till: Cable
    program: Program

    def code(self, code: bytes) -> float:
        """Milliseconds to the first byte. Broken: something else came out."""
        before = len(self.till.heard)
        begun = time.perf_counter()
        os.write(self.scanner.master, code + b"\r")
        if not select.select([self.till.master], [], [], 2.0)[0]:
            raise Broken(f"a code did not come out within 2 s of {self.program.name}")
        spent = time.perf_counter() - begun
        until = time.monotonic() + 2.0
        while len(self.till.listen()) < before + len(code) + 1:
            if time.monotonic() > until:
                raise Broken("a code came out in part")
        if self.till.heard[before:] != code + b"\r":
            raise Broken("other bytes came out than went in")
        return spent * 1000


def codes(count: int, dice: random.Random) -> list[bytes]:
    """Payment codes and goods in turn."""
    return [
        b"13%016d" % dice.randrange(10**16) if number % 2 else b"690%010d" % dice.randrange(10**10)
        for number in range(count)
    ]


def measure(wire: Wire, scans: list[bytes], dice: random.Random) -> list[float]:
    """Milliseconds of each, in order of size."""
    spent = []
    for code in scans:
        time.sleep(dice.uniform(0, 2 * PAUSE_S))
        spent.append(wire.code(code))
    return sorted(spent)


def run(folder: Path, *, quick: bool = False) -> list[Section]:
    """Section `scan`."""
    count = SCANS_QUICK if quick else SCANS
    dice, rows = random.Random(6), []
    engine = EngineProgram(folder)
    try:
        with first_in_line():
            for state in (AWAY, WELL, HUNG, ASKED):
                with Cable() as scanner, Cable() as till:
                    wire = _joined(state, engine, scanner, till, folder)
                    try:
                        scans = codes(count, dice) if state != ASKED else [OURS % number for number in range(count)]
                        rows.append(_row(state, measure(wire, scans, dice)))
                    finally:
                        os.kill(engine.pid, signal.SIGCONT)
                        wire.program.stop()
    finally:
        engine.stop()
    title = "Scanner to till: from a code's terminator to its first byte out, ms"
    columns = ("what", "p50", "p99", "slowest", f"p99 at most {TARGET_MS:g}")
    return [Section("scan", title, columns, rows, [f"{count} codes a row, ptys for serial cables"])]


def _joined(state: str, engine: EngineProgram, scanner: Cable, till: Cable, folder: Path) -> Wire:
    joined = engine.said.read_text().count(_JOINED)
    command = [str(Path(sys.executable).with_name("edgebox-scan")), "--scanner", scanner.url, "--till", till.url]
    ours = ["--set", f"coupons={OURS[:4].decode()}"]
    program = Program("scan", [*command, "--engine", "" if state == AWAY else engine.scan_socket, *ours], folder)
    wait_for(lambda: "there" in program.said.read_text(), program)
    if state != AWAY:
        wait_for(lambda: engine.said.read_text().count(_JOINED) > joined, program)
    wire = Wire(scanner, till, program)
    if state == HUNG:
        os.kill(engine.pid, signal.SIGSTOP)
        for number in range(MISSES):
            wire.code(OURS % number)
    return wire


def _row(state: str, spent: list[float]) -> list[str]:
    p99 = percentile(spent, 0.99)
    return [state, f"{percentile(spent, 0.5):.2f}", f"{p99:.2f}", f"{spent[-1]:.2f}", met(p99, TARGET_MS)]
