"""The managers' page with 100,000 receipts and five browsers open: how soon a page is there, and what that costs.

Owns: a real engine with its page behind TLS, five signed-in browsers that each hold the live connection open, and how
long every page of the navigation takes; the engine's memory; and how soon an open page hears of a receipt. What the
page does to a held cut is measured against the same engine left alone, in turns, so that the machine's moods cancel.
"""

from __future__ import annotations

import asyncio
import re
import socket
import statistics
import sys
import time
from itertools import count
from pathlib import Path

import httpx

from edgebox.store.store import Store
from edgebox.web.accounts import Accounts, User
from edgebox.web.passwords import Passwords
from edgebox.web.roles import Role
from edgebox.web.routes import rows
from tests.bench import hold, machine
from tests.bench.box import Ends, EngineProgram, Program, line_command
from tests.bench.figures import Section, met
from tests.bench.hold import LINES, PROFILE
from tests.bench.receipts import long_receipt, print_at_once
from tests.bench.spread import percentile
from tests.reports.shop import fill

RECEIPTS, FEW = 100_000, 5_000
BROWSERS = 5
ROUNDS = 20
TURNS, A_TURN = 5, 100  # receipts
NAME, PASSWORD = "owner", "a good pass 7"
HTML_MS, RSS_MB, LIVE_S = 50.0, 64.0, 1.0
MB = 1 << 20


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `page`."""
    receipts = FEW if quick else RECEIPTS
    data = folder / "page-data"
    fill(data, receipts)
    asyncio.run(_add_owner(data))
    port = _free_port()
    engine = EngineProgram(folder, f"engine.data={data}", f"web.listen=127.0.0.1:{port}", "sync.url=")
    ends = Ends("tcp", folder, "page")
    urls = f"tcp://127.0.0.1:{ends.till_place}", f"tcp://127.0.0.1:{ends.printer_place}"
    line = Program("line", line_command(*urls, engine.socket, "--profile", PROFILE), folder)
    try:
        ends.join(line)
        found = asyncio.run(_visit(f"https://127.0.0.1:{port}", engine, ends))
    finally:
        ends.close()
        line.stop()
        engine.stop()
    found += _holds(folder, rounds=2 if quick else TURNS)
    notes = [
        f"{receipts:,} receipts in the store; {BROWSERS} browsers signed in, each with the live connection open; "
        f"{ROUNDS} rounds of every place in the navigation, TLS included, one request at a time",
        f"a receipt of {LINES} lines in one write; from the last byte's write to the browser's event",
        f"hold: receipts line by line, {TURNS} turns of {A_TURN} alone and {A_TURN} while a program fetches every page "
        "there is, one after the other, as fast as they come",
    ]
    return [Section("page", "The managers' page", ("what", "measured", "target", ""), found, notes)]


def _holds(folder: Path, rounds: int) -> list[list[str]]:
    """What the line's cuts wait while the page is idle, and while it is asked without a pause: in turns."""
    data = folder / "hold-data"
    fill(data, FEW)
    asyncio.run(_add_owner(data))
    port = _free_port()
    engine = EngineProgram(folder, f"engine.data={data}", f"web.listen=127.0.0.1:{port}", "sync.url=")
    engine.folder = data
    ends = Ends("tcp", folder, "page-hold")
    urls = f"tcp://127.0.0.1:{ends.till_place}", f"tcp://127.0.0.1:{ends.printer_place}"
    line = Program("line", line_command(*urls, engine.socket, "--profile", PROFILE), folder)
    numbers, alone, asked = count(1), [], []
    try:
        ends.join(line)
        hold.printed(ends, engine, numbers, hold.WARM_UP, hold.by_line)
        for _ in range(rounds):
            alone += hold.printed(ends, engine, numbers, A_TURN, hold.by_line)[0]
            hammer = Program("hammer", [sys.executable, "-m", "tests.bench.page", f"https://127.0.0.1:{port}"], folder)
            time.sleep(1.5)  # it signs in
            asked += hold.printed(ends, engine, numbers, A_TURN, hold.by_line)[0]
            hammer.check()
            hammer.stop()
    finally:
        ends.close()
        line.stop()
        engine.stop()
    return [
        _row("hold of a cut, page idle, p99", percentile(alone, 0.99), hold.TARGET_P99_MS, "ms"),
        _row("hold of a cut, page hammered, p50", percentile(asked, 0.5), hold.TARGET_P99_MS, "ms"),
        _row("hold of a cut, page hammered, p99", percentile(asked, 0.99), hold.TARGET_P99_MS, "ms"),
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _add_owner(data: Path) -> None:
    store = await asyncio.to_thread(Store.open, data)
    passwords = Passwords(2)
    try:
        accounts = await Accounts.open(store)
        await accounts.add(User(NAME, Role.OWNER, await passwords.made(PASSWORD), "en", int(time.time())))
    finally:
        passwords.close()
        await store.close()


async def _visit(address: str, engine: EngineProgram, ends: Ends) -> list[list[str]]:
    async with httpx.AsyncClient(base_url=address, verify=False, timeout=30) as first:
        await _sign_in(first)
        browsers = [first, *[await _another(address) for _ in range(BROWSERS - 1)]]
        lives = [_Live(browser) for browser in browsers]
        try:
            for live in lives:
                await live.begin()
            taken = await _pages(first)
            for browser in browsers[1:]:
                await _pages(browser, rounds=2)
            delays = [await _live_delay(lives, ends, number) for number in range(1, 11)]
            rss, pss = machine.rss_bytes(engine.pid)
        finally:
            for live in lives:
                await live.end()
            for browser in browsers[1:]:
                await browser.aclose()
    worst = max(taken, key=lambda path: _p95(taken[path]))
    together = [one for path in taken.values() for one in path]
    return [
        _row("a page, p50", statistics.median(together), HTML_MS, "ms"),
        _row("a page, p95", _p95(together), HTML_MS, "ms"),
        _row(f"the slowest page ({worst}), p95", _p95(taken[worst]), HTML_MS, "ms"),
        _row("a receipt on an open page, slowest of 50", max(max(one) for one in delays), LIVE_S, "s"),
        _row(f"engine's RSS with {BROWSERS} browsers", rss / MB, RSS_MB, "MB"),
        ["PSS", f"{pss / MB:.1f} MB", "", ""],
    ]


def _row(what: str, value: float, target: float, unit: str) -> list[str]:
    return [
        what,
        f"{value:.1f} {unit}" if unit != "s" else f"{value:.2f} s",
        f"≤ {target:g} {unit}",
        met(value, target),
    ]


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


async def _another(address: str) -> httpx.AsyncClient:
    found = httpx.AsyncClient(base_url=address, verify=False, timeout=30)
    await _sign_in(found)
    return found


async def _sign_in(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/sign-in")
    token = re.search(r'name="csrf" value="(\w+)"', page.text)
    fields = {"name": NAME, "password": PASSWORD, "csrf": token[1] if token else ""}
    headers = {"origin": str(browser.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
    answer = await browser.post("/sign-in", data=fields, headers=headers)
    if answer.status_code != 303:
        raise RuntimeError(f"not signed in: {answer.status_code} {answer.text[:200]}")


async def _pages(browser: httpx.AsyncClient, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Every place of the navigation: path → milliseconds."""
    paths = [row.path for row in rows() if row.nav is not None]
    taken: dict[str, list[float]] = {path: [] for path in paths}
    for path in paths:
        await browser.get(path)  # what is added up once and kept
    for _ in range(rounds):
        for path in paths:
            began = time.perf_counter()
            answer = await browser.get(path)
            if answer.status_code not in (200, 303):  # the first start is over here, and leads on
                raise RuntimeError(f"{path}: {answer.status_code}")
            taken[path].append((time.perf_counter() - began) * 1000)
    return taken


class _Live:
    """A browser's live connection: when each event came."""

    def __init__(self, browser: httpx.AsyncClient) -> None:
        self._browser = browser
        self.heard = asyncio.Event()
        self.at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._open = asyncio.Event()

    async def begin(self) -> None:
        self._task = asyncio.create_task(self._listen())
        await asyncio.wait_for(self._open.wait(), 10)

    async def _listen(self) -> None:
        async with self._browser.stream("GET", "/live", timeout=None) as answer:
            self._open.set()
            async for line in answer.aiter_lines():
                if line.startswith("event: receipt"):
                    self.at = time.monotonic()
                    self.heard.set()

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def _live_delay(lives: list[_Live], ends: Ends, number: int) -> list[float]:
    """A receipt is printed; seconds until each browser has heard of it."""
    for live in lives:
        live.heard.clear()
    began = time.monotonic()
    await asyncio.to_thread(print_at_once, ends, long_receipt(number))
    await asyncio.wait_for(asyncio.gather(*(live.heard.wait() for live in lives)), 10)
    return [live.at - began for live in lives]


async def _hammer(address: str) -> None:
    """One page after the other, until it is killed."""
    browser = await _another(address)
    while True:
        await _pages(browser, rounds=1)


if __name__ == "__main__":
    asyncio.run(_hammer(sys.argv[1]))
