"""The shop of the soak: every process that runs in a real one, between simulated hardware.

Owns: starting, killing and ending them, their settings, the cloud and its broker, the scanner's cables. Never: decides
what happens (plan.py) or what it comes to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Self

from hw_sim.cables import Cable
from hw_sim.cloud.broker import Broker, free_port
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.registry import Shop as Rules
from hw_sim.message_bus import MessageBus
from hw_sim.receipt_words import shop
from hw_sim.scanner import SerialScanner
from hw_sim.scenario import BOX, DEVICE, PREFIX, STORE
from tests.bench.page import _add_owner as add_owner
from tests.reports.shop import fill
from tests.soak.air import UUID, tags
from tests.soak.lane import LANGUAGE, PROFILE
from tests.soak.plan import BOX_OWN, LINES
from tests.soak.seen import Seen, from_lines

ROOT = Path(__file__).resolve().parents[2]
START_S, STOP_S = 20.0, 25.0  # a busy machine's; alone it is one second. A lane's last document may take 20
ENGINE, SCANNER, AIR, BROWSER = "engine", "scan", "air", "browser"
SPEND_PER_POINT = 100


class Shop:
    """Running while the context is open. `said`: what lanes, browser and air have seen. `folder` is emptied first."""

    def __init__(self, folder: Path, seed: int, gap_s: float, history: int) -> None:
        """`history`: receipts of the weeks before, so that what the engine keeps to know a copy by is full."""
        self.folder = folder
        self.data = folder / "data"
        self.said: SimpleQueue[Seen] = SimpleQueue()
        self.till, self.scanner = Cable(), Cable()
        self.scans = SerialScanner(self.scanner.master)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._seed = seed
        self._gap_s = gap_s
        self._history = history
        self._till_ports = {line: free_port() for line in LINES}
        self._printer_ports = {line: free_port() for line in LINES}
        self._page = f"127.0.0.1:{free_port()}"
        self._parts = contextlib.ExitStack()
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        self.bus = MessageBus(self.folder)
        self.bus.start()
        self._parts.callback(self.bus.stop)
        self.broker = self._parts.enter_context(Broker(self.folder / "broker", persistence=False))
        self.cloud = self._parts.enter_context(Cloud(self.folder / "cloud", self.broker))
        its = shop(LANGUAGE)
        box = self.cloud.enroll(
            BOX, Rules(STORE, its.name, its.currency, its.decimals, SPEND_PER_POINT, prefix=PREFIX), DEVICE
        )
        self.cloud.furnish(box, self.folder / "credentials", self.folder / "keys.toml")
        sync = self.cloud.sync_section(box, self.folder / "credentials") + "backoff_max_s = 3\n"
        (self.folder / "edgebox.toml").write_text(self._settings(sync), "utf-8")
        if self._history:
            fill(self.data, self._history)
        asyncio.run(add_owner(self.data))
        self.start(AIR, "tests.soak.air", self.bus.address, str(self._seed))
        for number, line in enumerate(LINES):
            ports = (str(self._till_ports[line]), str(self._printer_ports[line]))
            self.start(f"{line} ends", "tests.soak.lane", line, *ports, str(number), str(self._seed), str(self._gap_s))
        for name in BOX_OWN:
            self.start_own(name)
        self._wait_said(ENGINE, b"scanner connected")
        for line in LINES:
            self._wait_said(ENGINE, line.encode() + b": connected")
        self.start(BROWSER, "tests.soak.browser", f"https://{self._page}")

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.running.values()):
            process.terminate()
        for process in reversed(self.running.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            process.kill()
        self._parts.close()
        for cable in (self.till, self.scanner):
            cable.__exit__()
        for reader in self._readers:
            reader.join(STOP_S)

    # -- processes

    def start_own(self, name: str) -> None:
        """One of the box's processes, as its unit starts it."""
        config = ("--config", str(self.folder / "edgebox.toml"))
        if name == ENGINE:
            self.start(name, "edgebox.cli", "run", *config)
        elif name == SCANNER:
            self.start(name, "edgebox.scan.daemon", *config, "--name", "scanner1")
        else:
            self.start(name, "edgebox.line.daemon", *config, "--name", name)

    def start(self, name: str, module: str, *words: str) -> None:
        """A process in a session of its own; what it says on stdout is seen, its stderr is its log."""
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.bus.address}
        own = name in BOX_OWN
        with (self.folder / f"{name.replace(' ', '-')}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words], cwd=ROOT, env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL if own else subprocess.PIPE,
                stdout=log if own else subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.running[name] = process
        if not own:
            reader = threading.Thread(target=self._read, args=(process,), name=name, daemon=True)
            reader.start()
            self._readers.append(reader)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None, "piped"
        with process.stdout:
            for seen in from_lines(process.stdout):
                self.said.put(seen)

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends one of the box's processes; `start_own` is for the caller."""
        process = self.running[name]
        process.send_signal(how)
        process.wait(STOP_S)

    def order(self, line: str, words: str) -> None:
        """To a lane's ends: what happens to its printer, or `end`."""
        stdin = self.running[f"{line} ends"].stdin
        assert stdin is not None, "piped"
        stdin.write(words.encode("ascii") + b"\n")
        stdin.flush()

    def closing_time(self) -> None:
        """The tills print no more; returns when the last paper is out."""
        for line in LINES:
            self.order(line, "end")
        for line in LINES:
            self.running.pop(f"{line} ends").wait(2 * STOP_S)

    def ended(self) -> Iterator[str]:
        """Processes that have ended without being told to."""
        return (name for name, process in list(self.running.items()) if process.poll() is not None)

    def pids(self) -> dict[str, int]:
        """Of what runs on a box, and of broker and bus."""
        found = {name: self.running[name].pid for name in BOX_OWN}
        if self.broker.process is not None:
            found["mosquitto"] = self.broker.process.pid
        return found | {"dbus-daemon": self.bus.pid}

    def _wait_said(self, name: str, words: bytes) -> None:
        until = time.monotonic() + START_S
        log = self.folder / f"{name}.log"
        while words not in log.read_bytes():
            gone = list(self.ended())
            if gone or time.monotonic() > until:
                raise TimeoutError(f"{words!r} not in {log}; ended: {gone}")
            time.sleep(0.02)

    def _settings(self, sync: str) -> str:
        its, folder = shop(LANGUAGE), self.folder
        lines = "".join(
            f'[[line]]\nname = "{name}"\ntill = "tcp://127.0.0.1:{self._till_ports[name]}"\n'
            f'printer = "tcp://127.0.0.1:{self._printer_ports[name]}"\nprofile = "{PROFILE}"\n'
            f'engine = "{folder}/engine.sock"\n'
            for name in LINES
        )
        return f"""
[shop]
name = "SOAK"
currency = "{its.currency}"
decimals = {its.decimals}
decimal_mark = "{its.mark}"
group_marks = "{its.group}"
[slip]
languages = ["en"]
show = ["points", "comeback"]
[claims]
keys = "{folder}/keys.toml"
[points]
spend_per_point = {SPEND_PER_POINT}
[engine]
socket = "{folder}/engine.sock"
scan_socket = "{folder}/scan.sock"
data = "{folder}/data"
[web]
listen = "{self._page}"
language = "en"
[beacons]
scan = true
send = [{{ uuid = "{UUID}", major = 10001, minor = 1 }}]
tags = {tags()}
line = "line1"
{sync}
{lines}
[[scanner]]
name = "scanner1"
scanner = "{self.scanner.url}"
till = "{self.till.url}"
engine = "{folder}/scan.sock"
members = ["VIP:"]
"""
