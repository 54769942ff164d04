"""One shop on simulated hardware: till, scanner, line, engine, printer, and the cloud with its broker.

Owns: the parts as real processes on loopback, their folder, and what one printed stream came to. Never: talks to a
person (hw_sim/__main__.py does). Line, scanner and engine are the very commands that run in a shop. Where mosquitto is
not installed there is no cloud, and all else runs.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

from edgebox.config import FOLDER
from edgebox.printers import find_printer
from edgebox.store.events import Stream
from edgebox.store.peek import bodies
from hw_sim.cloud.broker import Broker, find_mosquitto, free_port
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.registry import Place
from hw_sim.cloud.registry import Shop as Rules
from hw_sim.counter import DemoCounter
from hw_sim.drawing import TicketDrawer
from hw_sim.ink import Ticket
from hw_sim.printer import Printer, Settings
from hw_sim.receipt_words import Shop
from hw_sim.said import SPEND_PER_POINT
from hw_sim.served import TcpPrinter
from hw_sim.till import Till

START_S = 15.0  # engine and line together need about one second; a loaded machine more
RECORD_S = 10.0  # a document is recorded within milliseconds of its cut; without a cut it ends after 5 s of silence
STORE, DEVICE = 1, 1
BACKOFF_MAX_S = 1  # so that nobody waits for a box that waits
PREFIX = "HTTPS://M.EXAMPLE.CN/C/"
# What runs leave behind: a folder with anything else in it is never emptied.
OWN = frozenset(
    {"broker", "cloud", "credentials", "data", "edgebox.toml", "engine.log", "engine.sock", "keys.toml", "line.log"}
    | {"papers", "scan.log", "scan.sock"}
)
BOX = Place("demo", "shop-1", "box-1")
_LANGUAGE_OF = {"zh-CN": "zh", "zh-TW": "zh"}


class Printed(NamedTuple):
    """What became of one stream: the engine's records of its documents, and its tickets drawn."""

    records: list[dict[str, Any]]
    papers: list[Path]
    faults: list[str]


class Scenario:
    """The shop, running while the context is open. `folder` is emptied first, if all in it is a demo's.

    `page`: with the managers' page, and then `pairing` is the picture of the slip that lets its owner in.
    """

    def __init__(self, folder: Path, shop: Shop, profile: str, *, page: bool = False) -> None:
        self.folder = folder
        self.till_address = ("127.0.0.1", free_port())
        self.keys_file = folder / "keys.toml"
        self.papers = folder / "papers"
        self.page = f"127.0.0.1:{free_port()}" if page else ""
        self.pairing: Path | None = None
        self._shop = shop
        self._profile_name = profile
        self._profile = find_printer(profile, FOLDER / "printers")
        self._printer: TcpPrinter | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._drawer = TicketDrawer(self._profile)
        self._drawn = 0
        self._read = 0
        self._parts = contextlib.ExitStack()
        self._sync = ""
        self.broker: Broker | None = None
        self.cloud: Cloud | None = None
        self.counter = DemoCounter(folder / "data", self._slip)

    def __enter__(self) -> Self:
        if self.folder.exists():
            foreign = {path.name for path in self.folder.iterdir()} - OWN
            if foreign:
                raise FileExistsError(f"{self.folder} holds {min(foreign)}, which no demo made: name an empty folder")
            shutil.rmtree(self.folder)
        self.papers.mkdir(parents=True)
        try:
            self._printer = TcpPrinter(Printer(self._profile, Settings()))
            self._printer.start()
            self._start_cloud()
            config = self.folder / "edgebox.toml"
            config.write_text(self._config(), "utf-8")
            self._start("engine", "edgebox.cli", "run", "--config", str(config))
            self._wait_for(self.folder / "engine.sock")
            self._start("line", "edgebox.line.daemon", "--config", str(config))
            self._start("scan", "edgebox.scan.daemon", "--config", str(config))
            self._wait_for_port()
            if self.page:
                self.pairing = self._slip()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            process.wait(10.0)
        if self._printer is not None:
            self._printer.stop()
        self._parts.close()
        self.counter.close()

    def _start_cloud(self) -> None:
        """Broker and cloud; without mosquitto only the keys that a cloud would have sent."""
        if find_mosquitto() is not None:
            self.broker = self._parts.enter_context(Broker(self.folder / "broker", persistence=False))
        cloud = self._parts.enter_context(Cloud(self.folder / "cloud", self.broker))
        shop = self._shop
        rules = Rules(STORE, shop.name, shop.currency, shop.decimals, SPEND_PER_POINT, prefix=PREFIX)
        box = cloud.enroll(BOX, rules, DEVICE)
        cloud.furnish(box, self.folder / "credentials", self.keys_file)
        self.cloud = cloud if self.broker is not None else None
        if self.broker is not None:
            self._sync = cloud.sync_section(box, self.folder / "credentials") + f"backoff_max_s = {BACKOFF_MAX_S}\n"

    def print(self, raw: bytes, documents: int) -> Printed:
        """The till prints a stream of so many cut documents; waits until they are recorded and out of the printer."""
        before = len(self._printer_report().faults)
        till = Till(self.till_address)
        try:
            till.send(raw)
        finally:
            till.close()
        records = self._records(documents)
        papers = self._draw(documents)
        return Printed(records, papers, self._printer_report().faults[before:])

    # -- inside

    def _printer_report(self) -> Any:
        assert self._printer is not None
        return self._printer.report()

    def _config(self) -> str:
        assert self._printer is not None
        shop, host, port = self._shop, *self._printer.address
        return f"""# Written by the demo for this run; the settings are explained in config/edgebox.toml.
[shop]
currency = "{shop.currency}"
decimals = {shop.decimals}
decimal_mark = "{shop.mark}"
group_marks = "{shop.group}"
date_order = "{_date_order(shop.date)}"

[slip]
languages = ["{_LANGUAGE_OF.get(shop.language, "en")}"]
show = ["points", "comeback"]

[claims]
keys = "{self.keys_file}"

[points]
spend_per_point = {SPEND_PER_POINT}

[engine]
socket = "{self.folder / "engine.sock"}"
scan_socket = "{self.folder / "scan.sock"}"
data = "{self.folder / "data"}"

[web]
listen = "{self.page}"
language = "{_LANGUAGE_OF.get(shop.language, "en")}"

{self._sync}
[[line]]
name = "till-1"
till = "tcp://{self.till_address[0]}:{self.till_address[1]}"
printer = "tcp://{host}:{port}"
profile = "{self._profile_name}"
engine = "{self.folder / "engine.sock"}"

[[scanner]]
name = "scanner-1"
scanner = "{self.counter.scanner.url}"
till = "{self.counter.till.url}"
engine = "{self.folder / "scan.sock"}"
"""

    def _start(self, name: str, module: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            command = [sys.executable, "-m", module, *arguments]
            # A session of its own: Ctrl-C in a terminal is for the demo, which sums up and then ends them in order.
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
            self._processes.append(process)

    def _wait_for(self, path: Path) -> None:
        until = time.monotonic() + START_S
        while not path.exists():
            self._check_alive()
            if time.monotonic() > until:
                raise TimeoutError(f"{path} did not appear in {START_S:.0f} s; see {self.folder}/*.log")
            time.sleep(0.01)

    def _wait_for_port(self) -> None:
        until = time.monotonic() + START_S
        while True:
            self._check_alive()
            try:
                socket.create_connection(self.till_address, 1.0).close()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)
        for words in (b"connected, printer", b"scanner connected"):
            while words not in (self.folder / "engine.log").read_bytes():
                self._check_alive()
                if time.monotonic() > until:
                    raise TimeoutError(f"not all found the engine in {START_S:.0f} s; see {self.folder}/*.log")
                time.sleep(0.01)

    def _check_alive(self) -> None:
        for process in self._processes:
            if process.poll() is not None:
                words = "\n".join(log.read_text("utf-8", "replace") for log in sorted(self.folder.glob("*.log")))
                raise RuntimeError(f"{process.args!r} ended with {process.returncode}:\n{words}")

    def _records(self, documents: int) -> list[dict[str, Any]]:
        """The next receipts that the engine has recorded, as many as the stream has documents."""
        until = time.monotonic() + RECORD_S
        while True:
            found = bodies(self.folder / "data", Stream.RECEIPTS, skip=self._read)
            if len(found) >= documents or time.monotonic() > until:
                self._read += len(found)
                return [json.loads(body) for body in found]
            self._check_alive()
            time.sleep(0.005)

    def _slip(self) -> Path | None:
        """The desk's next slip, drawn; None: it did not come."""
        return next(iter(self._draw(1)), None)

    def _draw(self, documents: int) -> list[Path]:
        """Pictures of the tickets that have come out since the last time."""
        assert self._printer is not None
        self._printer.wait_until(lambda report: report.cuts >= self._drawn + documents)
        with self._printer.printer() as (printer, _):
            stream = bytes(printer.received)
            tickets: tuple[Ticket, ...] = printer.report().tickets[self._drawn :]
        papers = []
        for ticket in tickets:
            self._drawn += 1
            path = self.papers / f"{self._drawn:03d}.png"
            self._drawer.save(stream, ticket, path)
            papers.append(path)
        return papers


def _date_order(form: str) -> str:
    """How the shop writes dates: strftime's `%d/%m/%Y` → `dmy`."""
    return "".join(sorted("ymd", key=form.lower().index))
