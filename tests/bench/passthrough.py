"""How much later a byte comes out of the line than out of a wire, beside socat and a bare Python relay.

Owns: the candidates and the rounds. Method: this process writes at the till's end and blocks reading at the printer's
end (one clock, no ping-pong; it goes before the candidates when it may), after a random pause. All candidates stay up
through the run; a round measures each of them at one size, in random order. *Added* latency is a row's p50 less that of
the direct wire in the same round, and the figure is the median over rounds of the ratio of two added latencies.
Documents are ended, unmeasured, every some KB, as a till would.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tests.bench import machine
from tests.bench.box import Broken, Ends, EngineProgram, Program, first_in_line, line_command
from tests.bench.figures import Section, met
from tests.bench.spread import Interval, interval, percentile

SIZES = (1, 64, 4096)
TARGETS = {1: 1.2, 64: 1.2, 4096: 1.4}  # added p50, times socat's
PAUSE_S = 200e-6  # on average: longer than any candidate needs, so that no two messages queue
DOCUMENT_BYTES = 4096  # a long receipt; one of them is also one message of the largest size
DIRECT, SOCAT, RELAY, LINE, HOLDING = (
    "direct wire",
    "socat",
    "bare Python relay",
    "edgebox-line",
    "edgebox-line, engine",
)
WAITS = "without the right to run first the reader may wait for the CPU behind the program it measures"
AFTERMATH_S = 0.002  # parsing, outcome, journal, Done: till the next customer's receipt all that is long over
SECTIONS = {  # (kind of wire, all on one core) -> name and title
    ("tcp", False): ("passthrough-tcp", "Pass-through, TCP"),
    ("tcp", True): ("passthrough-one-core", "Pass-through, TCP, all programs on one core"),
    ("pty", False): ("passthrough-pty", "Pass-through, pty"),
}
NAMES = (DIRECT, SOCAT, RELAY, LINE, HOLDING)
_CUT = b"\x1dV\x00"


def payload(size: int) -> bytes:
    """`size` bytes of a receipt: item lines, bold now and then, ink at the end and no cut."""
    names = (b"Bread wholemeal 800g", b"Full cream milk 2L", b"Cheddar 500 g", b"Apples")
    lines = [
        b"%-26s %3d x %6.2f %8.2f\r\n%s"
        % (names[at % 4], at % 9, at / 7, at * 1.7, b"" if at % 8 else b"\x1bE\x01\x1bE\x00")
        for at in range(size // 40 + 1)
    ]
    return b"".join(lines)[: size - 1] + b"."


class Cell(NamedTuple):
    """One candidate, one size, one round. µs."""

    p50: float
    p99: float
    cpu: float  # of the candidate, per message


class Candidate:
    """A program between two ends; `program` None: the direct wire."""

    def __init__(self, name: str, kind: str, folder: Path, engine: EngineProgram | None) -> None:
        self.name = name
        place = f"{kind}-{NAMES.index(name)}"
        self.ends = Ends(kind, folder, place)
        self.program: Program | None = None
        if name != DIRECT:
            self.program = Program(place, _command(name, self.ends, engine), folder, own_session=False)
        try:
            self.ends.join(self.program)
            self._pass(b".")
        except BaseException:
            self.close()
            raise
        self._since_cut = 1

    def measure(self, data: bytes, count: int) -> Cell:
        """Sends `count` messages."""
        pid = self.program.pid if self.program else 0
        times, spent = [], 0
        before = machine.cpu_ns(pid) if pid else 0
        for _ in range(count):
            if self._since_cut and self._since_cut + len(data) > DOCUMENT_BYTES:
                time.sleep(AFTERMATH_S)  # it parses what it has written
                spent += machine.cpu_ns(pid) - before if pid else 0
                self._end_document()
                before = machine.cpu_ns(pid) if pid else 0
            time.sleep(random.random() * 2 * PAUSE_S)
            times.append(self._pass(data))
            self._since_cut += len(data)
        time.sleep(AFTERMATH_S)
        spent += machine.cpu_ns(pid) - before if pid else 0
        return Cell(percentile(times, 0.5), percentile(times, 0.99), spent / 1000 / count)

    def _end_document(self) -> None:
        os.write(self.ends.till, b"\n\n\n\n" + _CUT)
        self.ends.read_until(_CUT)
        time.sleep(AFTERMATH_S)
        self._pass(b".")  # so that a message's figure is no program's first steps after a rest
        self._since_cut = 0

    def _pass(self, data: bytes) -> float:
        """Writes it and reads it back at the other end; µs."""
        till, printer, size, parts, got = self.ends.till, self.ends.printer, len(data), [], 0
        start = time.perf_counter_ns()
        os.write(till, data)
        while got < size:
            if not select.select([printer], [], [], 5)[0]:
                raise Broken(f"{self.name}: {got} of {size} bytes came")
            part = os.read(printer, 65536)
            if not part:
                raise Broken(f"{self.name}: closed")
            parts.append(part)
            got += len(part)
        taken = time.perf_counter_ns() - start
        if b"".join(parts) != data:
            raise Broken(f"{self.name}: other bytes came out than went in")
        return taken / 1000

    def close(self) -> None:
        """Program and ends."""
        if self.program is not None:
            self.program.stop()
        self.ends.close()


def _command(name: str, ends: Ends, engine: EngineProgram | None) -> list[str]:
    till, printer = ends.till_place, ends.printer_place
    is_tcp = ends.kind == "tcp"
    if name == SOCAT:
        if is_tcp:
            return [
                "socat",
                f"TCP-LISTEN:{till},bind=127.0.0.1,reuseaddr,nodelay",
                f"TCP:127.0.0.1:{printer},nodelay",
            ]
        return ["socat", f"PTY,link={till},raw,echo=0", f"PTY,link={printer},raw,echo=0"]
    if name == RELAY:
        own = Path(__file__).with_name("relay.py")
        return [sys.executable, "-IS", str(own), f"{ends.kind}:{till}", f"{ends.kind}:{printer}"]
    urls = (f"tcp://127.0.0.1:{till}", f"tcp://127.0.0.1:{printer}") if is_tcp else (f"pty:{till}", f"pty:{printer}")
    return line_command(*urls, engine.socket if engine else "")


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Sections `passthrough-tcp`, `passthrough-one-core` (TCP too) and `passthrough-pty`."""
    rounds, count = (3, 40) if quick else (15, 200)
    return [_run(kind, folder, rounds=rounds, count=count, one_core=one_core) for kind, one_core in SECTIONS]


def _gather(candidates: list[Candidate], engine: EngineProgram) -> None:
    """All on one core, and the engine elsewhere: no wake-up has to travel, nor depends on who else is busy."""
    here, *others = sorted(os.sched_getaffinity(0), reverse=True)
    for pid in (0, *(candidate.program.pid for candidate in candidates if candidate.program)):
        os.sched_setaffinity(pid, {here})
    os.sched_setaffinity(engine.pid, others or {here})


def _run(kind: str, folder: Path, *, rounds: int, count: int, one_core: bool) -> Section:
    cores = os.sched_getaffinity(0)
    names = [name for name in NAMES if name != SOCAT or shutil.which("socat")]
    engine = EngineProgram(folder, own_session=False)
    candidates: list[Candidate] = []
    try:
        for name in names:  # one by one: those that are there already must be ended when the next can't be made
            candidates.append(Candidate(name, kind, folder, engine if name == HOLDING else None))  # noqa: PERF401
        with first_in_line() as is_first:
            if one_core:
                _gather(candidates, engine)
            cells = _rounds(candidates, rounds, count)
        ended = _ended(engine)
    finally:
        for candidate in candidates:
            candidate.close()
        engine.stop()
        os.sched_setaffinity(0, cores)
    return _section(SECTIONS[kind, one_core], cells, rounds, count, ended if is_first else f"{ended}; {WAITS}")


Cells = dict[tuple[str, int], list[Cell]]


def _rounds(candidates: list[Candidate], rounds: int, count: int) -> Cells:
    cells: Cells = defaultdict(list)
    for number in range(rounds + 1):
        for size in SIZES:
            data = payload(size)
            for candidate in random.sample(candidates, len(candidates)):
                cell = candidate.measure(data, count if size < DOCUMENT_BYTES else count // 4)
                if number:  # the first round warms up
                    cells[candidate.name, size].append(cell)
    return cells


def _ended(engine: EngineProgram) -> str:
    """The engine was asked at each end, and answered: else this was no measurement of a line that holds."""
    records = engine.receipts()
    late = sum(b'"result":"late"' in record for record in records)
    if not records or late > len(records) // 10:
        raise Broken(f"the engine answered {len(records) - late} of {len(records)} documents in time")
    return f"with engine: {len(records)} documents were asked about and recorded meanwhile, {late} answers were late"


def ratios(cells: Cells, name: str, to: str, size: int) -> Interval | None:
    """Added p50 of `name`, times that of `to`, over the rounds; None: `to` was not measured."""
    if (to, size) not in cells:
        return None
    rows = zip(cells[name, size], cells[to, size], cells[DIRECT, size], strict=True)
    found = [(own.p50 - direct.p50) / (other.p50 - direct.p50) for own, other, direct in rows if other.p50 > direct.p50]
    return interval(found) if found else None


def _section(named: tuple[str, str], cells: Cells, rounds: int, count: int, ended: str) -> Section:
    rows = [_row(cells, name, size) for size in SIZES for name in NAMES if (name, size) in cells]
    notes = [
        f"{rounds} rounds of {count} messages ({count // 4} at {SIZES[-1]} B); one way, µs; medians over the rounds",
        "times socat: added p50 over added p50, median of the rounds' ratios [95 % bootstrap interval]",
        ended,
    ]
    if not shutil.which("socat"):
        notes.insert(0, "SOCAT IS NOT INSTALLED (apt-get install socat): no ratio to it, and no target was checked")
    columns = ("bytes, program", "p50", "p99", "added p50", "times socat", "target", "", "CPU µs/message")
    return Section(*named, columns, rows, notes)


def _row(cells: Cells, name: str, size: int) -> list[str]:
    own = cells[name, size]
    p50, p99, cpu = (statistics.median(cell[at] for cell in own) for at in range(3))
    added = statistics.median(cell.p50 - direct.p50 for cell, direct in zip(own, cells[DIRECT, size], strict=True))
    row = [f"{size} B, {name}", f"{p50:.1f}", f"{p99:.0f}"]
    if name == DIRECT:
        return [*row, "", "", "", "", ""]
    ratio = ratios(cells, name, SOCAT, size)
    target = name in (LINE, HOLDING) and ratio is not None
    judged = [f"≤ {TARGETS[size]}", met(ratio.median, TARGETS[size])] if target and ratio else ["", ""]
    return [*row, f"{added:.1f}", str(ratio) if ratio and name != SOCAT else "", *judged, f"{cpu:.1f}"]
