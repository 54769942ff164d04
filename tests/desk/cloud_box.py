"""A box with a desk and the stand-in on a real broker: the engine's own cloud link, in this process or its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edgebox import config
from edgebox.engine import Engine
from edgebox.process import _cloud, load_keyring, take_orders
from edgebox.store import redemptions
from hw_sim.cloud.broker import Broker
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.registry import Box, Place, Shop
from tests.desk.shop import KEY_LINE, RULES
from tests.line_of_engine import CONNECTED, FakeLine

DEVICE, STORE = 1, 1
PATIENCE_S = 10.0  # for what takes milliseconds; a loaded machine's more
ASK_MS = 300  # where an answer is to come too late


class Town:
    """Broker, cloud and one box's files. `folder` is short: a socket's path has 100 letters."""

    def __init__(self, folder: Path, broker: Broker, head: Cloud) -> None:
        self.folder, self.broker, self.head = folder, broker, head
        self.box: Box = head.enroll(Place("demo", "shop-1", "box-1"), Shop(STORE, "Corner Shop"), DEVICE)
        head.furnish(self.box, folder / "credentials", folder / "keys.toml")
        (folder / "rules.toml").write_text(RULES, "utf-8")
        self.file = folder / "edgebox.toml"
        self.file.write_text(
            f'[slip]\nshow = ["points"]\nlanguages = ["en"]\n'
            f'[engine]\nsocket = "{folder}/engine.sock"\nscan_socket = "{folder}/scan.sock"\ndata = "{folder}/data"\n'
            f'[claims]\nkeys = "{folder}/keys.toml"\n[points]\nrules = "{folder}/rules.toml"\n'
            f'[desk]\nask_ms = 5000\ncoupon_keys = ["{KEY_LINE}"]\n'
            + head.sync_section(self.box, folder / "credentials")
            + "backoff_max_s = 1\n",
            "utf-8",
        )

    def requests(self) -> list[str]:
        """The ids of the questions that the cloud has answered, as often as it has."""
        return [request for _, request, _ in self.head.desk.log]

    @contextlib.asynccontextmanager
    async def open(self, *overrides: str) -> AsyncIterator[Engine]:
        """The engine in this process, with the cloud link that `edgebox run` gives it."""
        settings = config.load(self.file, list(overrides))
        engine = Engine(settings, load_keyring(settings), synced=lambda: True)
        orders: Any = None

        async def obey() -> None:
            nonlocal orders
            orders = await take_orders(engine, self.file, overrides, lambda: None)

        await engine.start(obey)
        assert engine.store is not None
        link = _cloud(engine, orders)
        link.start(engine.store)
        engine.desk.use_cloud(link)
        try:
            await until(lambda: link.is_connected)
            await engine.store.change(lambda db: redemptions.put_synced(db, int(time.time())))
            yield engine
        finally:
            await orders.close()
            await link.stop()
            await engine.stop()
            while CONNECTED:
                CONNECTED.pop().close()

    @contextlib.contextmanager
    def process(self) -> Iterator[subprocess.Popen[bytes]]:
        """`edgebox run`; killed at the end, if it is not dead by then."""
        (self.folder / "engine.sock").unlink(missing_ok=True)
        command = [sys.executable, "-m", "edgebox.cli", "run", "--config", str(self.file)]
        with (self.folder / "log").open("ab") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.kill(process.pid, signal.SIGKILL)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[subprocess.Popen[bytes]]:
        """As `process`, and whoever was connected hangs up."""
        with self.process() as process:
            try:
                yield process
            finally:
                while CONNECTED:
                    line = CONNECTED.pop()
                    line.close()
                    with contextlib.suppress(ConnectionError):
                        await line._writer.wait_closed()

    def sockets(self) -> Any:
        """What FakeLine and FakeScanner want of an engine."""
        paths = {"socket": f"{self.folder}/engine.sock", "scan_socket": f"{self.folder}/scan.sock"}
        return SimpleNamespace(config=SimpleNamespace(engine=SimpleNamespace(**paths)))

    async def line(self) -> FakeLine:
        """A line at the process."""
        await until((self.folder / "engine.sock").exists)
        found: list[FakeLine] = []
        deadline = time.monotonic() + PATIENCE_S
        while not found:
            try:
                found.append(await FakeLine.connect(self.sockets()))
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text("utf-8")
                await asyncio.sleep(0.02)
        return found[0]


@contextlib.contextmanager
def town() -> Iterator[Town]:
    with (
        tempfile.TemporaryDirectory(prefix="eb") as name,
        Broker(Path(name) / "broker", persistence=False) as broker,
        Cloud(Path(name) / "cloud", broker, page_port=None) as head,
    ):
        yield Town(Path(name), broker, head)


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        await asyncio.sleep(0.005)
