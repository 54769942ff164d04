"""What a fleet costs one broker and one operator: many boxes on one mosquitto, seen, commanded, and rolled out to.

Owns: starting boxes in a few processes, an operator's link that counts, and a rollout in which one box fails its health
check. Never: lines or tills; how fast receipts are read or recorded stands in other sections.

The boxes are whole ones but for their lines (light_boxes.py): a store, an uplink, commands, bundles. What is measured
is what the broker and the operator's tool do, so the boxes share two processes; their memory is not a box's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hw_sim.cloud.broker import Access, Broker, BrokerMissingError
from sync.contract import Bundle, BundleKind
from sync.fleet_book import Book, Known
from sync.fleet_keys import OperatorKey
from sync.fleet_link import Broker as Where
from sync.fleet_link import FleetLink, Heard
from sync.fleet_rollout import Runner, name_of
from sync.fleet_send import Order, Sending, send
from sync.fleet_topics import Place
from sync.rollout import At, Phase, Plan, Rollout, StopRule, begin, cut
from sync.signing import Purpose, sign
from tests.bench.box import ROOT, Broken
from tests.bench.figures import Section, met
from tests.bench.light_boxes import TENANT, rss_mb

PROCESSES = 2
RATE = 100.0  # receipts a second, of all boxes: 500 shops at 700 in their busiest hour
TRADE_S = 10.0
SICK_SHARE = 0.5  # which box of the fleet is sick: in the middle, so in the last wave
CONTENT = b'{"schema":1,"rev":7,"currency":"CNY","tier":[{"id":"base","spend_per_point":100}]}'
START_S = 60.0


class Found(NamedTuple):
    """What one run measured. MB are resident; `held`: boxes that run the new revision at the end."""

    boxes: int
    start_s: float
    seen_s: float
    ping_s: float
    rate: float
    broker_mb: float
    broker_idle_mb: float
    broker_cpu_pct: float
    operator_mb: float
    boxes_mb: float
    rollout_s: float
    back_s: float
    stopped: tuple[str, ...]
    held: int
    failed: int
    back: bool


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `fleet`."""
    try:
        found = measure(folder, 60 if quick else 500, trade_s=3.0 if quick else TRADE_S)
    except BrokerMissingError as fault:
        raise Broken(str(fault)) from fault
    per_box_kb = (found.broker_mb - found.broker_idle_mb) * 1024 / found.boxes
    one_stopped = found.failed == 1 and found.back and len(found.stopped) == 1
    rows = [
        ("all connected and told of themselves, s", f"{found.start_s:.1f}", "", ""),
        ("an operator sees all of them, s", f"{found.seen_s:.2f}", "≤ 2", met(found.seen_s, 2.0)),
        ("a signed ping to all and all answers, s", f"{found.ping_s:.2f}", "≤ 5", met(found.ping_s, 5.0)),
        ("receipts through the broker to a subscriber, a second", f"{found.rate:.0f}", f"≥ {0.95 * RATE:.0f}",
         met(found.rate, 0.95 * RATE, at_least=True)),
        ("the broker's memory a box, KB", f"{per_box_kb:.0f}", "", ""),
        ("the broker's processor then, %", f"{found.broker_cpu_pct:.1f}", "", ""),
        ("the operator's tool, MB", f"{found.operator_mb:.0f}", "", ""),
        ("a light box, MB", f"{found.boxes_mb / found.boxes:.1f}", "", ""),
        ("rollout in waves of 1, 10 and the rest: until it stopped, s", f"{found.rollout_s:.0f}", "", ""),
        ("all are back when the broker was restarted, s", f"{found.back_s:.1f}", "", ""),
        ("boxes that failed, that went back by themselves", f"{found.failed}, {int(found.back)}", "1, 1",
         met(one_stopped, 1, at_least=True)),
        ("boxes that run the new revision", f"{found.held}", f"{found.boxes - 1}", met(found.held, found.boxes - 1,
         at_least=True)),
    ]  # fmt: skip
    notes = [
        f"{found.boxes} boxes: real stores, uplinks, commands and bundles, in {PROCESSES} processes beside mosquitto",
        "the sick box is in the last wave; it rolled back by itself, the others keep what they have",
        f"stopped: {'; '.join(found.stopped)}",
        "the rollout's time is mostly waiting: 5 s of lead and 2 s of watching a wave",
    ]
    return [Section("fleet", f"{found.boxes} boxes on one broker", ("", "found", "aim", ""), rows, notes)]


def measure(folder: Path, boxes: int, *, trade_s: float) -> Found:
    """Starts broker and boxes, then does what an operator does. Broken, BrokerMissingError."""
    _many_files()
    private = OperatorKey("owner-bench", Ed25519PrivateKey.generate())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fleet_keys").write_text(private.public, "ascii")
    with Broker(folder / "broker", access=Access.ANYBODY, extra=("max_connections -1",)) as broker:
        assert broker.process is not None
        idle_mb = _rss_mb(broker.process.pid)
        began = time.monotonic()
        sick = int(boxes * SICK_SHARE)
        with _processes(folder, broker.url, boxes, sick) as processes:
            return asyncio.run(_operate(folder, broker, processes, boxes, sick, private, began, idle_mb, trade_s))


# -- what an operator does


class _Operator:
    """An operator's link, with a count of what it heard."""

    def __init__(self) -> None:
        self.book = Book()
        self.receipts = 0
        self.sending: Sending | None = None
        self.runner: Runner | None = None

    def heard(self, heard: Heard) -> None:
        known: Known | None = None
        if heard.rest in ("state", "reported"):
            known = self.book.heard(heard.place, heard.rest, heard.payload, int(time.time()), kept=heard.kept)
        elif heard.rest == "up/receipts":
            self.receipts += heard.payload.count(b'"seq":')
        if self.sending is not None:
            self.sending.heard(heard)
        if self.runner is not None:
            self.runner.heard(heard, known)

    def online(self) -> list[Place]:
        now = time.time()
        return sorted(place for place, known in self.book.boxes.items() if known.is_online(now))


async def _operate(
    folder: Path,
    broker: Broker,
    processes: list[subprocess.Popen[str]],
    boxes: int,
    sick: int,
    key: OperatorKey,
    began: float,
    idle_mb: float,
    trade_s: float,
) -> Found:
    assert broker.process is not None
    where = Where(broker.url, TENANT, "edgebox/v1/{tenant}/{store}/{box}", credentials=folder)
    first = _Operator()
    async with FleetLink(where, first.heard) as link:
        await link.listen([link.topics.everybody("state")])
        await _until(lambda: len(first.online()) == boxes, START_S, "all boxes are online")
        start_s = time.monotonic() - began
    boxes_mb = sum(_rss_mb(process.pid) for process in processes)
    operator = _Operator()
    seen_at = time.monotonic()
    async with FleetLink(where, operator.heard) as link:
        await link.listen([link.topics.everybody(rest) for rest in ("state", "reported", "up/#")])
        await _until(lambda: len(operator.online()) == boxes, START_S, "the operator sees all")
        seen_s = time.monotonic() - seen_at
        rate, cpu_pct = await _trade(operator, processes, broker.process.pid, trade_s)
        ping_s = await _ping(operator, link, key)
        broker_mb = _rss_mb(broker.process.pid)
        rollout, rollout_s = await _roll_out(operator, link, key, folder / "rollout.json", boxes)
        with contextlib.suppress(Broken):  # the last wave's others were about to begin when it stopped
            await _until(lambda: _held(operator) == boxes - 1, 10.0, "all others run it")
        place = Place(f"s{sick // 10:03d}", f"b{sick:04d}")
        bundle, held = operator.book.boxes[place].bundle("rules"), _held(operator)
        return Found(
            *(boxes, start_s, seen_s, ping_s, rate, broker_mb, idle_mb, cpu_pct, rss_mb(), boxes_mb, rollout_s),
            *(await _restarted(operator, broker, boxes), rollout.saved.why, held, len(rollout.those(At.FAILED))),
            bundle.state == "rolled_back" and bundle.revision == 0 and rollout.saved.phase is Phase.STOPPED,
        )


async def _trade(
    operator: _Operator, processes: list[subprocess.Popen[str]], broker: int, trade_s: float
) -> tuple[float, float]:
    """Receipts a second at a subscriber, and the broker's processor meanwhile in per cent of one."""
    for process in processes:
        _say(process, "trade")
    await asyncio.sleep(1.0)
    before, cpu, began = operator.receipts, _cpu_s(broker), time.monotonic()
    await asyncio.sleep(trade_s)
    took = time.monotonic() - began
    rate, cpu_pct = (operator.receipts - before) / took, 100 * (_cpu_s(broker) - cpu) / took
    for process in processes:
        _say(process, "rest")
    return rate, cpu_pct


async def _ping(operator: _Operator, link: FleetLink, key: OperatorKey) -> float:
    now = int(time.time())
    order = Order("bench-ping", "ping", b'{"text":"bench"}', TENANT, "bench", now, now + 60)
    operator.sending = Sending(order, operator.online())
    began = time.monotonic()
    await send(link, key, operator.sending, 60.0, time.time, lambda: None)
    if not operator.sending.is_good:
        raise Broken(f"pings: {dict(operator.sending.counts())}")
    return time.monotonic() - began


async def _roll_out(
    operator: _Operator, link: FleetLink, key: OperatorKey, file: Path, boxes: int
) -> tuple[Rollout, float]:
    names = [name_of(place) for place in operator.online()]
    plan = Plan(
        id="rules-7", tenant=TENANT, kind="rules", revision=7, waves=cut(names, [1, 10, boxes]),
        stop_on=(StopRule.HEALTH,), lead_s=5, watch_s=2, patience_s=2, receipts_min=0,
    )  # fmt: skip

    def signed(place: Place, activate_at: int) -> bytes:
        bundle = Bundle(
            kind=BundleKind.RULES, revision=7, content=msgspec.Raw(CONTENT), tenant=TENANT, stores=(place.store,),
            boxes=(place.box,), issued=int(time.time()), activate_at=activate_at,
        )  # fmt: skip
        return sign(key.private, key.name, Purpose.BUNDLE, bundle)

    rollout = Rollout(begin(plan))
    operator.runner = Runner(rollout, operator.book, signed, file, time.time, lambda: None)
    began = time.monotonic()
    await operator.runner.run(link)
    return rollout, time.monotonic() - began


async def _restarted(operator: _Operator, broker: Broker, boxes: int) -> float:
    """How long until all boxes have told of themselves again, when the broker was restarted."""
    await asyncio.to_thread(broker.stop)
    await asyncio.sleep(1 - time.time() % 1)  # boxes tell their time in whole seconds
    began = time.time()
    await asyncio.to_thread(broker.start)
    await _until(
        lambda: sum(known.heard >= int(began) for known in operator.book.boxes.values()) == boxes, START_S, "all back"
    )
    return time.time() - began


def _held(operator: _Operator) -> int:
    return sum(known.bundle("rules").revision == 7 for known in operator.book.boxes.values())


# -- processes


@contextmanager
def _processes(folder: Path, url: str, boxes: int, sick: int) -> Iterator[list[subprocess.Popen[str]]]:
    """The boxes, in processes that end with this block."""
    share = -(-boxes // PROCESSES)
    started: list[subprocess.Popen[str]] = []
    try:
        for first in range(0, boxes, share):
            count = min(share, boxes - first)
            command = [
                *(sys.executable, "-m", "tests.bench.light_boxes", str(folder), url, str(first), str(count)),
                *(str(sick), str(RATE * count / boxes)),
            ]
            with (folder / f"boxes-{first}.log").open("wb") as log:
                started.append(
                    subprocess.Popen(
                        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, text=True
                    )
                )
        yield started
    finally:
        for process in started:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
        for process in started:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _say(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()


async def _until(holds: Callable[[], bool], patience_s: float, what: str) -> None:
    ends = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > ends:
            raise Broken(f"not within {patience_s:.0f} s: {what}")
        await asyncio.sleep(0.02)


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _many_files() -> None:
    """A connection is a file, for the broker too, which inherits this."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
