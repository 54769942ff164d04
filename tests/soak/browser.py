"""A manager's open page, in a process of its own: signed in, listening, fetching what a page fetches.

Owns: one session over TLS, the live connection, what is fetched on each event (as the templates' hx-get say) and a
click on another place every few seconds. Never: judges. It comes back by itself, as browsers do: 3 s later.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import cycle

import httpx

from edgebox.web.routes import rows
from tests.bench.page import _sign_in as sign_in
from tests.soak.seen import Page, to_line

BACK_S = 3.0  # edgebox/web/live.py: "retry: 3000"
CLICK_S = 7.0
SLOW_S = 1.0
SAY_S = 5.0
ON_EVENT = {"health": ("/wrong",), "receipt": ("/today/now",)}


class Browser:
    """One."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._events = self._answers = self._slow = self._lost = 0
        self._faults: list[str] = []
        self._client = httpx.AsyncClient(base_url=address, verify=False, timeout=20)
        self._wants: set[str] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until it is killed."""
        await self._again(lambda: sign_in(self._client))
        async with asyncio.TaskGroup() as tasks:
            for work in (self._live, self._fetch, self._click, self._say):
                tasks.create_task(work())

    async def _again(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                return
            except (httpx.HTTPError, RuntimeError):
                self._lost += 1
                await asyncio.sleep(BACK_S)

    async def _live(self) -> None:
        while True:
            try:
                async with self._client.stream("GET", "/live", timeout=httpx.Timeout(20, read=40)) as answer:
                    if answer.status_code != 200:
                        self._faults.append(f"/live: {answer.status_code}")
                    async for line in answer.aiter_lines():
                        name = line.removeprefix("event: ")
                        if name != line:
                            self._events += 1
                            self._wants.update(ON_EVENT.get(name, ()))
                            self._wake.set()
            except httpx.HTTPError:
                pass
            self._lost += 1
            await asyncio.sleep(BACK_S)

    async def _fetch(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            wants, self._wants = self._wants, set()
            for path in wants:
                await self._get(path)

    async def _click(self) -> None:
        for path in cycle([row.path for row in rows() if row.nav is not None]):
            await asyncio.sleep(CLICK_S)
            await self._get(path)

    async def _get(self, path: str) -> None:
        began = time.monotonic()
        try:
            answer = await self._client.get(path)
        except httpx.HTTPError:
            self._lost += 1
            return
        self._answers += 1
        self._slow += time.monotonic() - began > SLOW_S
        if answer.status_code not in (200, 303) and len(self._faults) < 20:
            self._faults.append(f"{path}: {answer.status_code}")

    async def _say(self) -> None:
        while True:
            await asyncio.sleep(SAY_S)
            seen = Page(
                at_s=time.monotonic(), events=self._events, answers=self._answers, slow=self._slow, lost=self._lost,
                faults=tuple(self._faults),
            )  # fmt: skip
            sys.stdout.buffer.write(to_line(seen))
            sys.stdout.buffer.flush()


def main() -> None:
    """An open page at an address."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.browser")
    parser.add_argument("address", help="https://…")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(Browser(given.address).run())


if __name__ == "__main__":
    main()
