"""One box in one process: the engine as it is, a line in a process of its own, a till, and a printer that is a file.

Owns: where its files lie, and how long what takes. Never: anything that a shop's box has not; the clock counts as set,
because a guest has nobody to set it, and without that no comeback coupon is printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from edgebox import config
from edgebox.engine import Engine
from edgebox.keys import load_keys
from edgebox.loyalty.comeback import Terms, long_code
from edgebox.store.events import ReceiptRecord

CUT = b"\x1dV\x00"
PATIENCE_S = 60.0  # for anything that another process does; emulated, a start of Python takes two
ANSWER_MS = 2000  # the longest that the settings take: emulated, an answer takes 20 times as long as on a box
LOOK_S = 0.01
SETTINGS = """
[shop]
name = "cut shop"
[slip]
languages = ["en"]
show = ["points", "comeback"]
[claims]
keys = "{keys}"
[engine]
socket = "{run}/engine.sock"
scan_socket = ""
data = "{data}"
[[line]]
name = "line1"
till = "tcp://127.0.0.1:{port}"
printer = "file:{run}/paper"
profile = "generic-80"
engine = "{run}/engine.sock"
answer_ms = {answer_ms}
"""


class Places(NamedTuple):
    """`data`: on the disk whose power is cut; `run`: for sockets and paper, in memory; `keys`: the claim keys."""

    data: Path
    run: Path
    keys: Path


class Paper(NamedTuple):
    """A receipt that came out. `raw`: what the printer got for it, `record`: what was recorded of it."""

    raw: bytes
    record: ReceiptRecord


class Box:
    """A running one."""

    def __init__(self, engine: Engine, places: Places, port: int) -> None:
        self.engine = engine
        self._paper = places.run / "paper"
        self._port = port
        self._till: asyncio.StreamWriter | None = None
        self._recorded: asyncio.Queue[ReceiptRecord] = asyncio.Queue()
        engine.listeners.append(self._recorded.put_nowait)

    async def prints(self, number: int, head: bytes = b"") -> Paper:
        """The till prints receipt `number`; recorded when this returns."""
        begin = self._paper.stat().st_size if self._paper.exists() else 0
        if self._till is None:
            _, self._till = await asyncio.open_connection("127.0.0.1", self._port)
        self._till.write(head + receipt(number) + CUT)
        async with asyncio.timeout(PATIENCE_S):
            record = await self._recorded.get()
        assert record.number == f"{number:06d}", record
        return Paper(self._paper.read_bytes()[begin:], record)

    async def coupon(self) -> str:
        """The code of the newest comeback coupon, as it stands on its slip."""
        store, maker = self.engine.store, self.engine.decisions.stock.maker
        assert store is not None
        assert maker is not None
        asked = "SELECT serial, value_minor, threshold_minor, last_day FROM comebacks ORDER BY serial DESC LIMIT 1"
        terms = Terms(maker.device, *await store.read(lambda db: db.execute(asked).fetchone()))
        return long_code(maker.key, maker.prefix, terms)

    async def stop(self) -> None:
        """The till goes home."""
        if self._till is not None:
            self._till.close()
            with contextlib.suppress(OSError):
                await self._till.wait_closed()


def receipt(number: int) -> bytes:
    """What a till sends, before the cut."""
    return (
        b"CORNER SHOP\nReceipt No: %06d\n%b\nMILK  2 x 8.00   16.00\nBREAD           17.90\n"
        b"TOTAL           33.90\nCASH            50.00\nCHANGE          16.10\n\n\n"
        % (number, time.strftime("%Y-%m-%d 18:42:07", time.gmtime()).encode())
    )


@contextlib.asynccontextmanager
async def at_work(places: Places) -> AsyncIterator[Box]:
    """Engine and line, started; both end with it."""
    places.run.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    file = places.run / "edgebox.toml"
    file.write_text(SETTINGS.format(**places._asdict(), port=port, answer_ms=ANSWER_MS), "utf-8")
    engine = Engine(config.load(file, []), load_keys(places.keys), synced=lambda: True)
    await engine.start()
    try:
        async with _line(file, places.run):
            box = Box(engine, places, port)
            await _until_there(engine, port)
            try:
                yield box
            finally:
                await box.stop()
    finally:
        await engine.stop()


@contextlib.asynccontextmanager
async def _line(file: Path, run: Path) -> AsyncIterator[None]:
    words = [sys.executable, "-m", "edgebox.line.daemon", "--config", str(file), "--name", "line1"]
    with (run / "line.log").open("wb") as log:
        line = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: ASYNC220 (the guest waits for it anyway)
    try:
        yield
    finally:
        line.terminate()
        await asyncio.to_thread(line.wait, PATIENCE_S)


async def _until_there(engine: Engine, port: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while "line1" not in engine.lines or not _listens(port):
        if time.monotonic() > end:
            raise TimeoutError("the line did not come")
        await asyncio.sleep(LOOK_S)


def _listens(port: int) -> bool:
    """Asked without a connection, which would be a till's."""
    return any(f":{port:04X} 00000000:0000 0A" in row for row in Path("/proc/net/tcp").read_text("ascii").splitlines())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
