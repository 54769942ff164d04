"""A till and its printer, in a process of their own: prints what a counter prints, and looks at every paper.

Owns: the pace, what the cashier does when no paper comes, what happens to the printer, and each paper's time. Never:
judges: it says what it saw (seen.py), a line of JSON each on stdout. Orders come on stdin: `cover 3`, `paper 4`,
`power 2`: what happens to the printer, for how many seconds; `end`.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import count, cycle
from typing import NamedTuple

from edgebox.config import FOLDER
from edgebox.printers import find_printer
from hw_sim import layouts
from hw_sim.__main__ import printed_now
from hw_sim.ink import Ticket
from hw_sim.printer import Printer, Settings
from hw_sim.receipt_words import shop
from hw_sim.receipts import Stream, Truth
from hw_sim.served import TcpPrinter
from hw_sim.till import Stuck, Till, by_lines
from tests.bench.box import first_in_line
from tests.soak.papers import Match, match
from tests.soak.seen import Paper, Seen, Slip, Trouble, to_line

# Every one is a habit of real tills, and has one slip at most (hw_sim/layouts.py).
DAY = ("crlf", "kitchen_then_receipt", "gs_v_65_feeds", "pre_bill", "drawer_before_cut", "own_qr", "refund", "esc_i",
       "gs_v_1", "esc_d_feed", "logo", "barcode_end")  # fmt: skip
PROFILE = "xprinter-xp-80"
LANGUAGE = "zh-CN"
LINE_S = 0.002  # between a till's writes: 40 bytes in 2 ms are 160,000 baud, a serial till's highest
LINGER_S = 0.02  # as hw_sim/till.py: closing with an answer unread would reset the connection
MM_PER_S = 250.0  # today's counter printers: TM-T88VI
PAPER_S = 20.0  # then the cashier prints again; the longest that somebody takes for a new roll is half of it
LOOK_S = 1.0  # a cashier looks for the paper of a till that showed an error
TRIES = 30  # a plug that is out for 8 s, and a line that dials its printer every second, are 10 s
BURST_EACH, BURST = 25, 8  # a tour group pays, each by himself
PIECE_BYTES = 60  # of a till's write, about a line
SAID_MAX = 200  # characters of a desk's paper


class NotingPrinter(Printer):
    """A printer that knows when each byte came."""

    def __init__(self) -> None:
        super().__init__(find_printer(PROFILE, FOLDER / "printers"), Settings(mm_per_s=MM_PER_S))
        self._came: deque[tuple[int, float]] = deque(maxlen=4096)  # some hundred documents in pieces

    def feed(self, data: bytes, now: float = 0.0) -> None:
        """Bytes from the wire."""
        super().feed(data, now)
        self._came.append((self.received_bytes, now))

    def came_at(self, end_byte: int) -> float:
        """When the byte before this place came."""
        return next(at for through, at in self._came if through >= end_byte)

    def power_cycle(self, now: float = 0.0) -> None:
        """What it had not printed is gone; places of later papers count all that came, as `received` does."""
        super().power_cycle(now)
        self.mechanism.processed_bytes = self.received_bytes


class Out(NamedTuple):
    """A ticket with its bytes, and when its last one came."""

    ticket: Ticket
    raw: bytes
    at_s: float


class Lane:
    """`parity`: numbers of receipts are even in one lane and odd in the other: none is printed twice in a shop."""

    def __init__(self, name: str, till: tuple[str, int], parity: int, seed: int, gap_s: float, printer: int) -> None:
        self.name = name
        self._printer = NotingPrinter()
        self._served = TcpPrinter(self._printer, port=printer)
        self._till = till
        self._parity = parity
        self._chance = random.Random(seed)
        self._gap_s = gap_s
        self._tickets = 0
        self._ends = threading.Event()
        self._saying = threading.Lock()

    def run(self) -> None:
        """Prints until somebody says `end`."""
        self._served.start()
        threading.Thread(target=self._obey, name="orders", daemon=True).start()
        for number, stream in enumerate(self._streams(), 1):
            if self._ends.wait(self._pause_s(number)):
                break
            self._print(stream)
        time.sleep(PAPER_S / 10)  # the desk's last papers
        for out in self._new():
            self._say(Slip(at_s=out.at_s, line=self.name, text=out.ticket.text[:SAID_MAX]))
        self._served.stop()

    # -- what is printed

    def _streams(self) -> Iterator[Stream]:
        """As a counter prints them; every receipt's number is its own."""
        its, known = shop(LANGUAGE), set[str]()
        for seed, layout in zip(count(self._chance.randrange(1 << 30)), cycle(DAY), strict=False):
            stream = printed_now(layouts.compose(layout, its, seed), its)
            numbers = {one.number for one in stream.documents}
            if all(int(number) % 2 == self._parity for number in numbers) and not numbers & known:
                known |= numbers
                yield stream

    def _pause_s(self, number: int) -> float:
        if number % BURST_EACH < BURST:
            return 0.0
        return 0.2 + self._chance.expovariate(1 / self._gap_s)

    def _print(self, stream: Stream) -> None:
        """As a cashier does: without a paper, once more."""
        began = time.monotonic()
        seen: list[Paper] = []
        for tries in range(1, TRIES + 1):
            for out in self._new():
                self._say(Slip(at_s=out.at_s, line=self.name, text=out.ticket.text[:SAID_MAX]))
            cut_s, went = self._send(stream)
            seen = self._papers(stream, began, cut_s, tries, PAPER_S if went else LOOK_S)
            if len(seen) == len(stream.documents):
                break
        found = {paper.kind for paper in seen}
        for one in stream.documents:
            if one.kind.value not in found:
                seen.append(self._missing(one.number, one.kind.value, began, tries))
        for paper in seen:
            self._say(paper)

    def _missing(self, number: str, kind: str, began: float, tries: int) -> Paper:
        return Paper(
            at_s=time.monotonic(), began_s=began, line=self.name, number=number, kind=kind,
            wants_slip=False, sure=False, tries=tries,
        )  # fmt: skip

    def _send(self, stream: Stream) -> tuple[float, bool]:
        """When its last piece, which holds the cut, was written; and whether the till thinks that all went well."""
        ink_end = stream.documents[-1].ink_end
        try:
            with Till(self._till, timeout_s=PAPER_S) as till:
                till.send(by_lines(stream.raw[:ink_end], PIECE_BYTES), pause_s=LINE_S)
                till.listen(LINE_S)
                cut_s = time.monotonic()
                till.send(stream.raw[ink_end:])
                till.listen(LINGER_S)
                return cut_s, not till.closed_by_peer
        except (OSError, Stuck):
            time.sleep(0.2)
            return time.monotonic(), False

    # -- what comes out

    def _papers(self, stream: Stream, began: float, cut_s: float, tries: int, wait_s: float) -> list[Paper]:
        """The papers of this stream's documents, in order; fewer when they don't come in time."""
        found: list[Paper] = []
        until = time.monotonic() + wait_s
        while len(found) < len(stream.documents) and time.monotonic() < until:
            for out in self._new():
                one = stream.documents[len(found)] if len(found) < len(stream.documents) else None
                matched = match(stream.raw[one.start : one.end], out.raw) if one is not None else None
                if one is None or matched is None:
                    self._say(Slip(at_s=out.at_s, line=self.name, text=out.ticket.text[:SAID_MAX]))
                    continue
                hold_ms = max(0.0, out.at_s - cut_s) * 1000 if one is stream.documents[-1] else 0.0
                found.append(self._paper(one, matched, out, began, tries, hold_ms))
            time.sleep(0.005)
        return found

    def _paper(self, one: Truth, matched: Match, out: Out, began: float, tries: int, hold_ms: float) -> Paper:
        return Paper(
            at_s=out.at_s, began_s=began, line=self.name, number=one.number, kind=one.kind.value, wants_slip=one.slip,
            sure=True, total_minor=one.total_minor, tries=tries, hold_ms=hold_ms, claims=matched.claims,
            coupon=matched.coupon, slip_bytes=len(matched.slip), torn=matched.torn,
        )  # fmt: skip

    def _new(self) -> list[Out]:
        """Tickets that have come out since the last time."""
        with self._served.printer() as (printer, _):
            tickets = printer.mechanism.paper.tickets
            fresh = list(tickets)[self._tickets :]
            self._tickets += len(fresh)
            return [
                Out(one, bytes(printer.received[one.first_byte : one.end_byte]), self._printer.came_at(one.end_byte))
                for one in fresh
            ]

    # -- what happens to the printer

    def _obey(self) -> None:
        for order in sys.stdin:
            what, _, seconds = order.strip().partition(" ")
            if what == "end":
                break
            self._happens(what, float(seconds))
        self._ends.set()

    def _happens(self, what: str, seconds: float) -> None:
        """Somebody opens the cover, looks for a roll, pulls the plug; and a while later it is well again."""
        began = time.monotonic()
        if what == "power":
            self._served.unplug()
        with self._served.printer() as (printer, now):
            {"cover": printer.open_cover, "paper": printer.remove_paper, "power": printer.power_cycle}[what](now)
        time.sleep(seconds)
        with self._served.printer() as (printer, now):
            {"cover": printer.close_cover, "paper": printer.load_paper, "power": printer.power_cycle}[what](now)
        if what == "power":
            self._served.plug()
        words = {"cover": "cover open", "paper": "out of paper", "power": "printer without power"}[what]
        self._say(Trouble(at_s=began, what=words, where=self.name, until_s=time.monotonic(), destroys=what == "power"))

    def _say(self, seen: Seen) -> None:
        with self._saying:
            sys.stdout.buffer.write(to_line(seen))
            sys.stdout.buffer.flush()


def main() -> None:
    """Runs the lane until it is told to end."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.lane")
    parser.add_argument("name")
    parser.add_argument("till", type=int, help="port of the line's till end")
    parser.add_argument("printer", type=int, help="port to print at")
    parser.add_argument("parity", type=int, choices=(0, 1))
    parser.add_argument("seed", type=int)
    parser.add_argument("gap", type=float, help="mean seconds between receipts")
    given = parser.parse_args()
    with first_in_line():  # threads inherit it: hardware doesn't wait for a core
        Lane(given.name, ("127.0.0.1", given.till), given.parity, given.seed, given.gap, given.printer).run()


if __name__ == "__main__":
    main()
