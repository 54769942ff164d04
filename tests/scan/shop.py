"""A whole shop on simulated hardware: till, line, printer, scanner, engine, each the real process where it is one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from edgebox.config import FOLDER
from edgebox.printers import find_printer
from edgebox.store.events import Stream
from edgebox.store.peek import bodies
from hw_sim.cloud_keys import provision
from hw_sim.drawing import TicketDrawer
from hw_sim.ink import Ticket
from hw_sim.phone import codes_on
from hw_sim.printer import Printer, Settings
from hw_sim.served import TcpPrinter
from hw_sim.till import Till
from tests.line.box import free_port
from tests.scan.box import until

PROFILE = "xprinter-xp-80"
PREFIX = "CB:"
START_S = 15.0
# The engine with a hole in it: argv[1] names where it dies by kill -9, the rest is `edgebox`'s own.
DIES = """
import os, signal, sys
from edgebox.desk.owed import OwedSlips
from edgebox.desk.paper import Paper
from edgebox.scan_desk import ScanDesk

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

where = sys.argv.pop(1)
if where == "kept":
    ScanDesk.scanned = die
elif where == "committed":
    OwedSlips.due = die
elif where == "printed":
    printed = Paper.print
    async def print_and_die(*args, **more):
        await printed(*args, **more)
        die()
    Paper.print = print_and_die
from edgebox.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Shop:
    """`scanner`, `till`: ends for the scanner's process; `env`: its environment. Its `till`: where the line listens."""

    def __init__(self, folder: Path, scanner: str, till: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.printer = TcpPrinter(Printer(find_printer(PROFILE, FOLDER / "printers"), Settings()))
        self.till = ("127.0.0.1", free_port())
        self._ends = (scanner, till)
        self._env = env
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._number = 0

    def __enter__(self) -> Self:
        provision(self.folder / "cloud", self.folder / "keys.toml", store=1, device=1, now=int(time.time()))
        self.printer.start()
        try:
            (self.folder / "edgebox.toml").write_text(self._config(), "utf-8")
            self.start_engine()
            self.start_line()
            self._start("scan", "-m", "edgebox.scan.daemon", env=self._env)
            self.wait_said("engine", "scanner connected")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running.values()):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._running.values():
            process.wait(START_S)
        self.printer.stop()

    # -- processes

    def start_engine(self, dies: str = "") -> None:
        """`dies`: where, see DIES. An engine of before must be dead."""
        self._forget_words("engine")
        before = ["-c", DIES, dies] if dies else ["-m", "edgebox.cli"]
        self._start("engine", *before, "run")
        self.wait_said("engine", "listening on")

    def start_line(self) -> None:
        """The line, connected to the engine."""
        self._start("line", "-m", "edgebox.line.daemon")
        self.wait_said("engine", "connected, printer")

    def restart_engine(self, dies: str = "") -> None:
        """Ends it in order, and begins another one that line and scanner have found."""
        self.stop("engine", signal.SIGTERM)
        self.start_engine(dies)
        self.found_again()

    def found_again(self) -> None:
        """Line and scanner are connected to the engine."""
        self.wait_said("engine", "connected, printer")
        self.wait_said("engine", "scanner connected")

    def stop(self, name: str, number: int = signal.SIGKILL) -> None:
        """Ends a process."""
        process = self._running[name]
        process.send_signal(number)
        process.wait(START_S)

    def freeze(self, *, thaw: bool = False) -> None:
        """The engine hangs, or goes on."""
        self._running["engine"].send_signal(signal.SIGCONT if thaw else signal.SIGSTOP)

    def died(self) -> None:
        """The engine has killed itself."""
        assert self._running["engine"].wait(START_S) == -signal.SIGKILL

    def wait_said(self, name: str, words: str) -> None:
        """Words in a process's log."""
        log = self.folder / f"{name}.log"
        until(lambda: words.encode() in log.read_bytes(), f"{words!r} of {name}", START_S)

    def _forget_words(self, name: str) -> None:
        log = self.folder / f"{name}.log"
        if log.exists():
            with (self.folder / "all.log").open("ab") as everything:
                everything.write(log.read_bytes())
            os.truncate(log, 0)

    def _start(self, name: str, *words: str, env: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *words, "--config", str(self.folder / "edgebox.toml")],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env,
            )  # fmt: skip

    # -- what happens in a shop

    def coupon(self) -> str:
        """The till prints a receipt; the comeback coupon that a camera reads off its paper."""
        self._number += 1
        now = datetime.now(ZoneInfo("Asia/Shanghai"))  # a till's clock that agrees is what the box's is believed by
        raw = b"SHOP\nNO: %06d\n%s\nTEA 60.00\nTOTAL 60.00\nCASH 60.00\n\n\n\x1dV\x00"
        raw %= (self._number, now.strftime("%Y-%m-%d %H:%M:%S").encode())
        till = Till(self.till)
        till.send(b"\x1b@" + raw)
        till.close()
        number = b"NO: %06d" % self._number
        until(lambda: self._ticket(number) is not None, "the receipt")
        stream, ticket = self._ticket(number) or (b"", None)
        assert ticket is not None
        picture = self.folder / "receipt.png"
        TicketDrawer(find_printer(PROFILE, FOLDER / "printers")).save(stream, ticket, picture)
        (code,) = [text for text in codes_on(picture) if text.startswith(PREFIX)]
        return code

    def _ticket(self, words: bytes) -> tuple[bytes, Ticket] | None:
        """The paper with these words, once it is cut off; and all bytes so far."""
        with self.printer.printer() as (printer, _):
            stream, tickets = bytes(printer.received), printer.report().tickets
        found = [one for one in tickets if words in stream[one.first_byte : one.end_byte]]
        return (stream, found[0]) if found else None

    @property
    def paper(self) -> str:
        """All that was printed, as letters."""
        with self.printer.printer() as (printer, _):
            return bytes(printer.received).decode("ascii", "replace")

    def printed(self, words: str, times: int = 1) -> None:
        """Waits until the words stand on paper so often."""
        until(lambda: self.paper.count(words) >= times, f"{words!r} on paper")
        assert self.paper.count(words) == times

    @property
    def redemptions(self) -> list[dict[str, Any]]:
        found = [json.loads(body) for body in bodies(self.folder / "data", Stream.REDEMPTIONS)]
        return [one for one in found if one["type"] == "redemption"]

    @property
    def everywhere(self) -> bytes:
        """All that any of the processes has written, and the database, but for what was printed."""
        files = [*self.folder.glob("*.log"), *(self.folder / "data").rglob("*")]
        return b"".join(path.read_bytes() for path in files if path.is_file())

    def _config(self) -> str:
        host, port = self.printer.address
        folder = self.folder
        return f"""
[shop]
name = "SHOP"
[slip]
languages = ["en"]
show = ["points", "comeback"]
[claims]
keys = "{folder}/keys.toml"
[engine]
socket = "{folder}/engine.sock"
scan_socket = "{folder}/scan.sock"
data = "{folder}/data"
[[line]]
name = "line1"
till = "tcp://{self.till[0]}:{self.till[1]}"
printer = "tcp://{host}:{port}"
profile = "{PROFILE}"
engine = "{folder}/engine.sock"
job_quiet_ms = 20
[[scanner]]
name = "scanner1"
scanner = "{self._ends[0]}"
till = "{self._ends[1]}"
engine = "{folder}/scan.sock"
coupons = ["SC:", "CPN:"]
modes = ["EDGEBOX+COUPON=coupon", "EDGEBOX+MEMBER=member", "EDGEBOX+PICKUP=pick_up"]
answer_ms = 400
"""
