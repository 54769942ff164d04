"""The whole way of a command: signed, through a real broker, to the real process, and what becomes of both."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from edgebox import overlay
from edgebox.orders.keys import key_text
from edgebox.private_file import write_private
from sync.commands import Address
from sync.contract import Command, Reply, Reported
from tests.line_of_engine import KEYS
from tests.sync.broker import PREFIX, Collector, mosquitto, needs_mosquitto
from tests.sync.fleet import PRIVATE, public_text, raw_args, signed

pytestmark = needs_mosquitto
HERE = Address("acme", "store1", "box1")
START_S = 20.0  # a start takes one second; a loaded machine's more


class Process:
    """`edgebox run`, and the fleet's side of its broker."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.cloud = Collector(port)
        self.file = folder / "edgebox.toml"
        fleet = [public_text(PRIVATE[name], name) for name in ("operator-1", "keymaster-1")]
        self.file.write_text(
            f'[engine]\nsocket = "{folder}/engine.sock"\nscan_socket = "{folder}/scan.sock"\ndata = "{folder}/data"\n'
            f'[claims]\nkeys = "{folder}/keys.toml"\n'
            f'[sync]\nurl = "mqtt://127.0.0.1:{port}"\ntenant = "{HERE.tenant}"\nstore = "{HERE.store}"\n'
            f'box = "{HERE.box}"\nfleet_keys = {msgspec.json.encode(fleet).decode()}\nbackoff_max_s = 1\n',
            "utf-8",
        )
        write_private(folder / "keys.toml", key_text(KEYS).encode("ascii"))
        self.log = (folder / "log").open("wb")
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "edgebox.cli", "run", "--config", str(self.file)]
        return subprocess.Popen(command, stderr=self.log)

    def close(self) -> None:
        self.process.terminate()
        assert self.process.wait(10) == 0, (self.folder / "log").read_text("utf-8")
        self.cloud.close()
        self.log.close()

    def messages(self, topic: str, kind: type[Any]) -> list[Any]:
        return [msgspec.json.decode(raw, type=kind) for name, raw, _ in self.cloud.others if name.endswith(topic)]

    def until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + START_S
        while not done():
            assert time.monotonic() < end, (self.folder / "log").read_text("utf-8")
            time.sleep(0.02)

    def replies(self, job: str) -> list[Reply]:
        return [reply for reply in self.messages("/reply", Reply) if reply.id == job]

    def send(self, job: str, name: str, args: Any = None, key: str = "keymaster-1") -> None:
        now = int(time.time())
        command = Command(
            id=job, command=name, args=raw_args(args or {}), tenant=HERE.tenant, boxes=(HERE.box,), issued=now,
            expires=now + 600,
        )  # fmt: skip
        self.cloud.publish(f"{PREFIX}{HERE.box}/cmd", signed(command, key))

    def ended(self, job: str) -> Reply:
        self.until(lambda: any(reply.state.value not in ("queued", "running") for reply in self.replies(job)))
        return self.replies(job)[-1]

    def executable_started(self) -> int:
        """When the process's present program began: its start time doesn't change with exec, its auxv does."""
        return hash((Path("/proc") / str(self.process.pid) / "auxv").read_bytes())


@contextlib.contextmanager
def running() -> Iterator[Process]:
    with tempfile.TemporaryDirectory(prefix="eb") as name, mosquitto(Path(name) / "broker") as broker:
        shop = Process(Path(name), broker.port)
        try:
            shop.until(lambda: bool(shop.messages("/reported", Reported)))
            yield shop
        finally:
            shop.close()


def test_the_process_obeys_begins_anew_and_goes_back_after_a_crash_on_trial() -> None:
    with running() as shop:
        shop.send("p1", "ping", {"text": "hello"}, "operator-1")
        reply = shop.ended("p1")
        assert (reply.state.value, reply.result["text"]) == ("succeeded", "hello")
        shop.send("p2", "restart", key="stranger")
        shop.until(lambda: any(r.reason == "unknown_key" for r in shop.messages("/reply", Reply)))

        pid, program = shop.process.pid, shop.executable_started()
        shop.send("r1", "restart")
        assert shop.ended("r1").state.value == "succeeded"
        assert (shop.process.poll(), shop.process.pid) == (None, pid)
        assert shop.executable_started() != program  # the same process, another program

        shop.send("s1", "config.set", {"revision": 1, "content": {"values": {"points.spend_per_point": 1800}}})
        shop.until(lambda: (found := overlay.read(shop.folder / "data").trial) is not None and found.starts == 1)
        shop.send("g1", "config.get", {"keys": ["points.spend_per_point"]})
        assert shop.ended("g1").result["values"] == {"points.spend_per_point": 1800}

        os.kill(pid, signal.SIGKILL)  # on trial: the settings did not live to be found good
        shop.process.wait(10)
        shop.process = shop.start()
        reply = shop.ended("s1")
        assert (reply.state.value, reply.reason) == ("failed", "rolled_back")
        shop.send("g2", "config.get", {"keys": ["points.spend_per_point"]})
        assert shop.ended("g2").result["values"] == {"points.spend_per_point": 100}
        state = shop.messages("/reported", Reported)[-1].bundles["config"]
        assert (state.state, state.revision, state.desired) == ("rolled_back", 0, 1)
