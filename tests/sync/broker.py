"""What the tests of sync run against: a real mosquitto, and a cloud that collects what comes.

Owns: `Collector`, an own paho client in the test's own loop's time. The broker itself is the stand-in cloud's
(hw_sim/cloud/broker.py): started on a free port of loopback, ended by its process id.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hw_sim.cloud.broker import Access, Broker, find_mosquitto
from sync.contract import Ack, Batch, State

PREFIX = "edgebox/v1/acme/store1/"
PATIENCE_S = 10.0  # a loaded machine's second

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


@contextmanager
def mosquitto(folder: Path, *extra: str, persistence: bool = False, port: int = 0) -> Iterator[Broker]:
    """A broker that lets anybody in, with more lines for its configuration."""
    with Broker(folder, access=Access.ANYBODY, persistence=persistence, port=port, extra=extra) as broker:
        try:
            yield broker
        finally:
            if broker.process is not None and broker.process.poll() is not None:
                broker.process = None


class Collector:
    """A consumer: keeps rows by (epoch, stream, seq), counts repeats, and acknowledges where `acks` says so.

    It has a session of its own that outlives its connection, so that nothing is lost while it is away, unless the
    broker loses it.
    """

    def __init__(self, port: int, *, acks: bool = True, box: str = "box1", session_s: int = 0) -> None:
        self.acks = acks
        self.box = box
        self.rows: dict[tuple[str, str], dict[int, bytes]] = defaultdict(dict)
        self.order: list[tuple[str, int]] = []
        self.lost: list[tuple[int, int, str]] = []
        self.repeats = 0
        self.batches = 0
        self.states: list[State] = []
        self.others: list[tuple[str, bytes, Any]] = []
        self.through: dict[tuple[str, str], int] = defaultdict(int)
        self.on_batch: Callable[[Batch], None] | None = None
        self._port = port
        self._lock = threading.Lock()
        self._ready = threading.Event()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"cloud-{box}-{id(self)}", protocol=MQTTProtocolVersion.MQTTv5
        )
        client.on_connect = lambda c, *_: c.subscribe("edgebox/#", qos=1)
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = self._on_message
        self._client = client
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = session_s
        client.connect("127.0.0.1", port, keepalive=60, clean_start=not session_s, properties=properties)
        client.loop_start()
        assert self._ready.wait(PATIENCE_S)

    @property
    def asks(self) -> list[tuple[str, bytes, Any]]:
        """The questions among the other messages."""
        return [found for found in self.others if found[0].endswith("/ask")]

    def close(self) -> None:
        """Hangs up."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, **properties: object) -> None:
        """Sends a message to the box."""
        made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        for name, value in properties.items():
            setattr(made, name, value)
        self._client.publish(topic, payload, qos=1, properties=made).wait_for_publish(PATIENCE_S)

    def publish_soon(self, topic: str, payload: bytes) -> None:
        """As `publish`, and doesn't wait: for callbacks."""
        self._client.publish(topic, payload, qos=1)

    def ack(self, ack: Ack) -> None:
        """Says how far it has a stream."""
        self._client.publish(PREFIX.replace("box1", self.box) + f"{self.box}/ack", msgspec.json.encode(ack), qos=1)

    def count(self, stream: str) -> int:
        """How many rows of a stream it has, of all epochs."""
        with self._lock:
            return sum(len(rows) for (_, name), rows in self.rows.items() if name == stream)

    def seqs(self, stream: str) -> list[int]:
        """Their numbers."""
        with self._lock:
            return sorted(seq for (_, name), rows in self.rows.items() if name == stream for seq in rows)

    def _on_message(self, _c: object, _u: object, message: mqtt.MQTTMessage) -> None:
        if message.topic.startswith(f"{PREFIX}{self.box}/up/"):
            self._take(msgspec.json.decode(message.payload, type=Batch))
        elif message.topic == f"{PREFIX}{self.box}/state":
            self.states.append(msgspec.json.decode(message.payload, type=State))
        else:
            self.others.append((message.topic, message.payload, message.properties))

    def _take(self, batch: Batch) -> None:
        key = (batch.epoch, batch.stream)
        with self._lock:
            self.batches += 1
            rows = self.rows[key]
            for row in batch.rows:
                if row.lost:
                    self.lost.append((row.seq, row.to, row.lost))
                    continue
                self.repeats += row.seq in rows
                rows[row.seq] = bytes(row.event)
                self.order.append((batch.stream, row.seq))
            through = self.through[key]
            while through + 1 in rows:
                through += 1
            self.through[key] = through
        if self.on_batch is not None:
            self.on_batch(batch)
        if self.acks and through:
            self.ack(Ack(stream=batch.stream, epoch=batch.epoch, through=through))


async def until(what: Callable[[], bool], why: str = "") -> None:
    """Waits for something that another process does."""
    import asyncio

    ends = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < ends, f"never came: {why}"
        await asyncio.sleep(0.005)
