"""One soak as it runs: does what the plan says, looks at everything every few seconds, and at the end does the books.

Owns: the clock, the file of what is seen, the codes that are scanned. Never: judges (verdict.py). One thread; what the
other processes see comes through a queue.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from queue import Empty

from tests.bench import machine
from tests.soak.books import Books, waiting
from tests.soak.plan import DRAIN_S, LONG_MIN, PRINTER, Planned, What
from tests.soak.processes import sample
from tests.soak.seen import Paper, Scanned, Seen, Setting, Trouble, to_line
from tests.soak.shop import ENGINE, Shop

GAP_S = 5.0  # mean, between receipts on each of the two lines, besides bursts: 800 an hour each
SHORT_GAP_S = 1.0  # in a short run
EACH_S, SHORT_EACH_S = 5.0, 1.0  # between samples
TURN_S = 0.05
LOST_S = 8.0  # and what is not recorded by then is lost: an engine that comes back has its lines' spools in a second
SETTLED_S = 1.0  # nothing waits for so long: what the drain itself makes (health) is there, too
MEMBERS = 97
GOODS, PAYMENT = "6901234567892", "134567890123456789"


class Run:
    """Emptied and filled: `folder`."""

    def __init__(self, folder: Path, minutes: float, seed: int, history: int) -> None:
        is_long = minutes >= LONG_MIN
        self._history = history
        self._minutes, self._seed = minutes, seed
        self._each_s = EACH_S if is_long else SHORT_EACH_S
        self._shop = Shop(folder, seed, GAP_S if is_long else SHORT_GAP_S, history)
        self._coupons: list[str] = []
        self._coupon = ""  # the one that was scanned last
        self._ours: set[str] = set()  # codes that the till gets only with the engine away
        self._for_till: list[str] = []  # codes that are none of ours, in order
        self._broker_back_s = 0.0
        self._broker_went_s = 0.0
        self._began_s = 0.0

    def until_closing(self, plan: Sequence[Planned]) -> None:
        """The whole run; what was seen is in `folder`/seen.jsonl."""
        with self._shop as shop, (shop.folder / "seen.jsonl").open("wb", buffering=0) as self._out:
            self._books = Books(shop.data, shop.cloud, shop.folder)
            boot = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
            self._began_s = time.monotonic()
            self._say(
                Setting(
                    at_s=self._began_s, minutes=self._minutes, seed=self._seed, boot_offset_s=boot,
                    machine="; ".join(machine.describe()),
                    cores=os.cpu_count() or 1,
                    history=self._history,
                )
            )  # fmt: skip
            self._day(plan)
            self._close()

    def _day(self, plan: Sequence[Planned]) -> None:
        due, sampled_s = list(plan), 0.0
        ends_s = self._began_s + self._minutes * 60
        while (now := time.monotonic()) < ends_s:
            while due and now - self._began_s >= due[0].at_s:
                self._happens(due.pop(0), now)
            if self._broker_back_s and now >= self._broker_back_s:
                self._broker_back(now)
            if now - sampled_s >= self._each_s:
                sampled_s = now
                self._look(now)
            self._hear()
            self._mend(now)
            time.sleep(TURN_S)

    def _close(self) -> None:
        """Nothing is broken any more; what was printed is recorded and sent; the books."""
        shop = self._shop
        if self._broker_back_s:
            self._broker_back(time.monotonic())
        shop.closing_time()
        self._hear()
        began = time.monotonic()
        quiet_s, before = began, -1
        while (now := time.monotonic()) - began < DRAIN_S:
            unrecorded = self._books.unrecorded()
            if waiting(shop.data) or unrecorded != before:
                quiet_s, before = now, unrecorded
            if now - quiet_s > (LOST_S if unrecorded else SETTLED_S):
                break
            time.sleep(0.1)
        drained_s = time.monotonic() - began
        self._look(time.monotonic())
        heard = shop.till.listen().decode("ascii", "replace").split("\r")[:-1]
        for seen in self._books.closed(drained_s, heard, self._for_till, self._ours):
            self._say(seen)

    # -- what happens

    def _happens(self, one: Planned, now: float) -> None:
        if one.what is What.SCAN:
            self._scan(one.where, now)
        elif one.what in PRINTER:
            self._shop.order(one.where, f"{one.what.value} {one.for_s:.1f}")  # the lane says when it is over
        elif one.what is What.BROKER:
            if not self._broker_back_s:
                self._shop.broker.kill()
                self._broker_went_s, self._broker_back_s = now, now + one.for_s
        else:
            name = one.where or ENGINE
            self._shop.kill(name, signal.SIGTERM if one.what is What.ENGINE_RESTART else signal.SIGKILL)
            self._shop.start_own(name)
            self._say(
                Trouble(
                    at_s=now, what=one.what.value, where=one.where, until_s=time.monotonic(),
                    destroys=one.what is What.LINE_KILL,
                )
            )  # fmt: skip

    def _broker_back(self, now: float) -> None:
        self._shop.broker.start()
        self._say(Trouble(at_s=self._broker_went_s, what=What.BROKER.value, until_s=now))
        self._broker_back_s = 0.0

    def _mend(self, now: float) -> None:
        """Who has ended without being told to is started again, as systemd does, and it is written down."""
        for name in self._shop.ended():
            code = self._shop.running[name].returncode
            self._say(Trouble(at_s=now, what=f"ended by itself with {code}", where=name, until_s=now, destroys=True))
            if name in self._shop.pids():
                self._shop.start_own(name)
            else:
                raise RuntimeError(f"{name} ended with {code}: see {self._shop.folder}/*.log")

    def _scan(self, what: str, now: float) -> None:
        if what == "coupon" and self._coupons:
            code = self._coupon = self._coupons.pop(0)
            self._ours.add(code)
        elif what == "coupon again" and self._coupon:
            code = self._coupon
        elif what == "member":
            code = f"VIP:{int(now) % MEMBERS:04d}"
            self._ours.add(code)
        else:
            code = PAYMENT if what == "payment" else GOODS
            self._for_till.append(code)
        self._shop.scans.scan(code.encode("ascii"))
        self._say(Scanned(at_s=now, what=what))

    # -- what is seen

    def _look(self, now: float) -> None:
        for name, pid in self._shop.pids().items():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it is being started
                self._say(sample(name, pid, now))
        self._say(self._books.depth(now))

    def _hear(self) -> None:
        """What lanes, browser and air have said since the last turn."""
        self._shop.till.listen()
        with contextlib.suppress(Empty):
            while True:
                seen = self._shop.said.get_nowait()
                self._say(seen)
                if isinstance(seen, Paper):
                    self._books.printed(seen)
                    self._coupons += [seen.coupon] if seen.coupon else []
                    del self._coupons[:-50]

    def _say(self, *seen: Seen) -> None:
        for one in seen:
            self._out.write(to_line(one))
