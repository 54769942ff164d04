"""`make run`: the box on simulated hardware, and what it does with each receipt, said in plain words.

Owns: the terminal and the order of the show: receipts, their way to the cloud, their points, a coupon that is scanned,
a broker that is killed. Never: the parts (scenario.py) or the words (said.py). With --receipts N the till prints N
times, then the customer comes back with a coupon, then the broker dies for two more, then it sums up and ends with 0;
else it goes on until Ctrl-C, and whoever sends ESC/POS to the port that it names sees the box at work too.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from zoneinfo import ZoneInfo

from edgebox.errors import EdgeboxError
from edgebox.keys import load_keys
from edgebox.loyalty import claims
from edgebox.store.events import Stream as Kind
from hw_sim import layouts, said
from hw_sim.cloud.broker import PACKAGE
from hw_sim.counter import ScanSeen
from hw_sim.loop import SYNC_S, Arrivals, compare
from hw_sim.phone import Phone, codes_on
from hw_sim.receipt_words import SHOPS, Shop, shop
from hw_sim.receipts import Stream
from hw_sim.said import Record
from hw_sim.scenario import BOX, PREFIX, Scenario
from sync.contract import JobPhase
from sync.contract_commands import Role

# The till's day: what a counter prints in turn. Every one is a habit of real tills (hw_sim/layouts.py).
DAY = ("crlf", "kitchen_then_receipt", "gs_v_65_feeds", "pre_bill", "drawer_before_cut", "own_qr", "refund", "esc_i")
DURING_OUTAGE = ("crlf", "gs_v_65_feeds")
PROFILES = {"zh-CN": "xprinter-xp-80", "zh-TW": "generic-80"}
PAUSE_S = 3.0  # between receipts when nobody said how many
ONLINE_S = 5.0  # the box connects within a second of its start
COUPON_PREFIX = "CB:"  # [slip] coupon_prefix
PAYMENT = "134567890123456789"  # WeChat's form: money for a minute, and none of the box's business
TILL_ZONE = ZoneInfo("Asia/Shanghai")  # [shop] tz
OUTAGE_SEED = 1000  # receipts of their own: the same number and date would be a reprint


def streams(language: str) -> Iterator[Stream]:
    """The till's prints, one after the other, for ever."""
    for seed, name in enumerate(cycle(DAY)):
        yield printed_now(layouts.compose(name, shop(language), seed), shop(language))


def printed_now(stream: Stream, its: Shop) -> Stream:
    """With today's date: a box whose own clock nobody has set believes it if the till's says the same."""
    now = datetime.now(TILL_ZONE).strftime(its.date).encode("ascii")
    then = re.sub("%[dmHMS]", r"\\d\\d", its.date.replace("%Y", r"\d{4}")).encode("ascii")
    return stream._replace(raw=re.sub(then, now, stream.raw))


class Show:
    """What was shown so far."""

    def __init__(self, scenario: Scenario, language: str) -> None:
        self.scenario = scenario
        self.language = language
        self.records: list[Record] = []
        self.faults = 0
        self.failed = 0  # promises that were not kept
        self.ways_ms: list[float] = []
        self._began = time.monotonic()
        self._keys = load_keys(scenario.keys_file)
        self._cloud = scenario.cloud
        self._arrivals = Arrivals(self._cloud) if self._cloud is not None else None
        page = self._cloud.page if self._cloud is not None else None
        self.scans: list[ScanSeen] = []
        self._coupon = ""  # off the newest receipt that has one
        self._home = page.address if page is not None else str
        self._phone = Phone(self._home)

    def command(self) -> None:
        """The fleet asks whether the box is there: a signed command through the broker, and its reply."""
        cloud = self._cloud
        if cloud is None:
            return
        cloud.wait(lambda: cloud.fleet.is_online(BOX.box), ONLINE_S)
        began = time.monotonic()
        reply = cloud.send("ping", {}, [BOX.box], wait_s=ONLINE_S)[BOX.box]
        print(said.answered(reply, cloud.signer.name(Role.OPERATOR), (time.monotonic() - began) * 1000) + "\n")
        self.failed += reply is None or reply.state is not JobPhase.SUCCEEDED

    def receipt(self, stream: Stream, *, broker_is_there: bool = True) -> list[str]:
        """Prints one stream and says what became of it; the claims that came out of the printer."""
        printed = self.scenario.print(stream.raw, len(stream.documents))
        papers = [*printed.papers, *[None] * len(printed.records)]
        urls = []
        for record, paper in zip(printed.records, papers, strict=False):
            self.records.append(record)
            url = self._claim(paper) if record["result"] == "inserted" and paper is not None else ""
            print(said.document(len(self.records), record, bool(url)))
            if paper is not None:
                print(f"      {paper}")
            if broker_is_there:
                self._arrive(record)
            if url:
                urls.append(url)
                self._collect(url)
        for fault in printed.faults:
            print(f"      printer: {fault}")
        self.faults += len(printed.faults)
        return urls

    def returns(self) -> None:
        """The customer is back with the coupon off a receipt: it is scanned twice, and then a payment code."""
        if not self._coupon:
            return
        print("\nThe customer comes back with the coupon off the receipt. The cashier scans it:")
        first = self._scan("the coupon", self._coupon)
        again = self._scan("the same coupon again", self._coupon)
        payment = self._scan("the payment code on the customer's phone", PAYMENT)
        states = (first.redemption.get("state"), again.redemption.get("reason"), payment.passed)
        self.failed += states != ("redeemed", "used", True)

    def outage(self) -> None:
        """The broker dies as by a power cut; two receipts; it comes back."""
        broker, cloud = self.scenario.broker, self._cloud
        if broker is None or cloud is None:
            return
        print("\nNow something goes wrong on purpose: kill -9 for the broker. The till goes on:")
        broker.kill()
        urls, before = [], len(self.records)
        for number, name in enumerate(DURING_OUTAGE):
            stream = layouts.compose(name, shop(self.language), OUTAGE_SEED + number)
            urls += self.receipt(stream, broker_is_there=False)
        print("The broker is back.")
        broker.start()
        began = time.monotonic()
        missing = [record for record in self.records[before:] if self._way_of(record) is None]
        self.failed += len(missing)
        if missing:
            print(f"After {SYNC_S:.0f} s {len(missing)} receipts have not come to the cloud.")
            return
        print(f"The box came back by itself; the cloud had every receipt {time.monotonic() - began:.1f} s later.")
        for url in urls:
            print(f"      {said.page(self._home(url), self._phone.look(url, time.monotonic))}")

    def sum_up(self) -> int:
        """The last words; the exit code."""
        print("\n" + said.summary(self.records, self.faults, time.monotonic() - self._began))
        if self.scans:
            print(said.counted(self.scans))
        if self._cloud is not None:
            collected = self._cloud.points.total()
            found = compare(self.scenario.folder / "data", self._cloud, BOX.box)
            print(said.balance(found, collected, self.ways_ms))
            for alarm in self._cloud.ledger.alarms():
                print(f"The cloud's alarm: {alarm.kind}: {alarm.words}")
            slips = sum(record["points"] for record in self.records if record["result"] == "inserted")
            self.failed += found.lost + found.doubled + found.waiting + (collected != slips)
        return 1 if self.faults or self.failed or not self.records else 0

    # -- inside

    def _claim(self, paper: Path) -> str:
        """The claim that a phone's camera finds on the paper, verified; "" none. A coupon is kept for later."""
        found = codes_on(paper)
        self._coupon = next((text for text in found if text.startswith(COUPON_PREFIX)), self._coupon)
        for text in found:
            if text.startswith(PREFIX):
                claims.verify(text, self._keys, int(time.time()))
                return text
        return ""

    def _scan(self, what: str, code: str) -> ScanSeen:
        seen = self.scenario.counter.scan(code)
        self.scans.append(seen)
        print(f"      {said.scanned(what, seen)}")
        if seen.paper is not None:
            print(f"      {seen.paper}")
        return seen

    def _way_of(self, record: Record) -> float | None:
        """How long it took to the cloud: the receipt, and the claim if it has one."""
        if self._arrivals is None:
            return None
        kinds = (Kind.RECEIPTS, Kind.CLAIMS) if record.get("claim") else (Kind.RECEIPTS,)
        within_s = 0.0 if self.failed else SYNC_S  # one that never comes is enough to wait for
        ways = [self._arrivals.wait(kind, record["session"], record["document"], within_s) for kind in kinds]
        return None if None in ways else max(way for way in ways if way is not None)

    def _arrive(self, record: Record) -> None:
        if self._cloud is None:
            return
        way = self._way_of(record)
        print(f"      {said.arrival(way)}")
        if way is None:
            self.failed += 1
        else:
            self.ways_ms.append(way)

    def _collect(self, url: str) -> None:
        if self._cloud is not None:
            print(f"      {said.page(self._home(url), self._phone.collect(url, time.monotonic))}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the shop."""
    parser = argparse.ArgumentParser(prog="python -m hw_sim", description="The box on simulated hardware.")
    parser.add_argument("--receipts", type=int, default=0, metavar="N", help="print N times, sum up, end")
    parser.add_argument("--language", default="zh-CN", choices=[one.language for one in SHOPS])
    parser.add_argument("--folder", type=Path, default=Path("var/demo"), help="emptied first; default var/demo")
    options = parser.parse_args(arguments)
    profile = PROFILES.get(options.language, "epson-tm-t20")
    try:
        page = not options.receipts  # it costs a second, and a paper
        with Scenario(options.folder, shop(options.language), profile, page=page) as scenario:
            greet(scenario, options.language, profile)
            return run(Show(scenario, options.language), options.receipts)
    except KeyboardInterrupt:  # before the first receipt, or a second time
        return 130
    except (EdgeboxError, OSError, RuntimeError, TimeoutError) as fault:
        print(f"hw_sim: {fault}", file=sys.stderr)
        return 1


def greet(scenario: Scenario, language: str, profile: str) -> None:
    """What runs, and where."""
    host, port = scenario.till_address
    print(f"A till prints {language} receipts through the box to a simulated printer ({profile}).")
    print(f"The box's till end is tcp://{host}:{port}. Logs and keys: {scenario.folder}. Ctrl-C ends.")
    if scenario.page:
        print(f"The managers' page is https://{scenario.page}; the box has printed the way in: {scenario.pairing}")
    if scenario.cloud is None or scenario.broker is None or scenario.cloud.page is None:
        print(f"No cloud this time: mosquitto is not installed (sudo apt-get install {PACKAGE}).\n")
        return
    print(f"The box syncs with a cloud through a real mosquitto at {scenario.broker.url}.")
    print(f"Codes say {PREFIX.lower()}…; here the page behind them is {scenario.cloud.page.address(PREFIX)}….")


def run(show: Show, receipts: int) -> int:
    """Prints until it is enough."""
    endless = not receipts
    try:
        show.command()
        for number, stream in enumerate(
            streams(show.language) if endless else islice(streams(show.language), receipts)
        ):
            if endless and number == len(DAY):
                show.returns()
                show.outage()
            show.receipt(stream)
            if endless:
                time.sleep(PAUSE_S)
        show.returns()
        show.outage()
    except KeyboardInterrupt:
        print()
    return show.sum_up()


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: nothing of ours must stay behind
        signal.signal(ending, signal.default_int_handler)
    sys.exit(main())
