"""docs/consumer.py, the 50 lines that cloud developers begin with, does what docs/cloud.md asks of a cloud."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from edgebox.store.events import Stream
from hw_sim.cloud.broker import Broker
from sync.contract import Ack, Backlog, State
from sync.fleet_verify import ledger
from tests.sync.box import running
from tests.sync.broker import PATIENCE_S, PREFIX, Collector, mosquitto, needs_mosquitto, until

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "docs" / "consumer.py"
LINES_MAX = 50
SEED = 20261122
UP = f"{PREFIX}box1/up/"


class Cloud:
    """The program beside us, with its database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.db = folder / "rows.db"
        self.log = folder / "consumer.log"
        self._url = url
        self.process = self._begin()

    def _begin(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen([sys.executable, str(PROGRAM), str(self.db), self._url], stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.process = self._begin()

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()

    def has(self) -> list[dict[str, object]]:
        """What it prints when it is asked nothing else."""
        done = subprocess.run([sys.executable, str(PROGRAM), str(self.db)], capture_output=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def cloud(folder: Path, url: str) -> Iterator[Cloud]:
    made = Cloud(folder, url)
    try:
        yield made
    finally:
        made.kill()


class Shop:
    """A box in a process of its own, killed and begun anew; `accepted`: the receipts it said were recorded."""

    def __init__(self, folder: Path, url: str) -> None:
        self.accepted: list[int] = []
        self._folder, self._url = folder, url

    def live(self, receipts: int, harm: Callable[[], None], more: int) -> None:
        """Until it has recorded so many, and more behind the harm; then kill -9, with whatever is on its way."""
        first = self.accepted[-1] + 2 if self.accepted else 0  # the next one may have been recorded unheard
        command = [sys.executable, "-m", "tests.sync.recording", self._url, str(self._folder), str(first)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            self.accepted += [int(process.stdout.readline()) for _ in range(receipts)]
            harm()
            self.accepted += [int(process.stdout.readline()) for _ in range(more)]
            process.kill()
            self.accepted += [int(line) for line in process.stdout]


def test_it_is_as_short_as_it_is_said_to_be() -> None:
    assert len(PROGRAM.read_text("utf-8").splitlines()) <= LINES_MAX


@needs_mosquitto
def test_kills_of_box_broker_and_consumer_leave_every_event_there_once(tmp_path: Path) -> None:
    chance = random.Random(SEED)

    async def story(broker: Broker, made: Cloud, accepted: list[int]) -> None:
        async with running(broker.url, tmp_path) as box:
            stored = await box.store.rows(Stream.RECEIPTS, None, limit_rows=1 << 20, limit_bytes=1 << 30)
            await box.marks(stored[-1].seq)
            had = {(row.epoch, row.seq): json.loads(row.body) for row in stored}
        assert set(accepted) <= {event["document"] for event in had.values()}
        got = made.ask("SELECT epoch, seq, row FROM rows WHERE why = '' AND topic LIKE '%/up/receipts'")
        assert len(got) == len(had)
        assert {(epoch, seq): json.loads(str(row))["event"] for epoch, seq, row in got} == had
        (mark,) = [one for one in made.has() if one["stream"] == "receipts"]
        assert (mark["through"], mark["missing"]) == (len(had), [])
        assert ledger([json.dumps(mark).encode()], "export")["box1"]

    with mosquitto(tmp_path / "broker") as broker, cloud(tmp_path, broker.url) as made:

        def restarted() -> None:  # without persistence: what it has acknowledged is gone
            broker.kill()
            broker.start()

        shop = Shop(tmp_path, broker.url)
        harms = [made.restart, restarted, made.restart, restarted]
        chance.shuffle(harms)
        for harm in harms:
            shop.live(chance.randint(20, 90), harm, chance.randint(5, 60))
        asyncio.run(story(broker, made, shop.accepted))


@needs_mosquitto
def test_gaps_are_named_lost_rows_count_as_come_and_nonsense_stops_nothing(tmp_path: Path) -> None:
    def sent(*rows: dict[str, object], stream: str = "visits") -> None:
        batch = {"box": "box1", "epoch": "0001-aa", "stream": stream, "rows": rows}
        box.publish(UP + stream, json.dumps(batch).encode())

    def acked(through: int, newest: int, *missing: tuple[int, int]) -> bool:
        wanted = Ack(stream="visits", epoch="0001-aa", through=through, newest=newest, missing=missing)
        return any(
            msgspec.json.decode(raw, type=Ack) == wanted for topic, raw, _ in box.others if topic.endswith("ack")
        )

    async def story() -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not acked(2, 2):  # until it listens
                sent({"seq": 1, "event": {}}, {"seq": 2, "event": {}})
                await asyncio.sleep(0.02)
        sent({"seq": 5, "event": {}}, {"seq": 9, "event": {}})
        await until(lambda: acked(2, 9, (3, 4), (6, 8)), "two gaps")
        sent({"seq": 3, "to": 8, "lost": "damaged"})
        await until(lambda: acked(9, 9), "given up")
        sent({"seq": 4, "event": {"late": True}}, {"seq": 4, "event": {"late": True}})
        for text in (b"", b"[]", b"[" * 5000, b'{"epoch": {}, "rows": [{}]}', b'{"epoch": "e", "rows": [{"seq": "x"}]}',
                     b'{"epoch": "e", "rows": [{"seq": 99999999999999999999999}]}', b'{"epoch": "\\ud800", "rows": 7}',
                     b'{"epoch": "e", "rows": [{"seq": 1, "lost": {"a": 1}, "to": "b"}]}', b"\xff\x00"):  # fmt: skip
            box.publish(UP + "visits", text)
            box.publish(f"{PREFIX}box1/state", text)
        box.others.clear()
        state = State(box="box1", epoch="0002-bb", boot="new", backlog={"visits": Backlog(rows=1)})
        box.publish(f"{PREFIX}box1/state", msgspec.json.encode(state))
        await until(lambda: acked(9, 9), "a box that is back hears how far the cloud has it")
        assert made.ask("SELECT count(*) FROM rows WHERE epoch = '0001-aa' AND why = ''") == [(5,)]
        assert made.process.poll() is None

    with mosquitto(tmp_path / "broker") as broker, cloud(tmp_path, broker.url) as made:
        box = Collector(broker.port, acks=False, box="watcher")
        asyncio.run(story())
        box.close()
