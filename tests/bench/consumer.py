"""A subscriber in a process of its own: counts rows, remembers each number once, says when it has all.

Owns: the other end of the bench of sync. `python -m tests.bench.consumer PORT ROWS ACKS` prints a line `ready`, then
one line with seconds from the first message to the last row, rows, repeats and messages. Never: part of what is
measured, except that it takes its share of the two cores.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from sync.contract import Ack

ACK_EVERY = 20_000  # rows: as a consumer that commits to a database does


class _Row(msgspec.Struct):
    seq: int


class _Batch(msgspec.Struct):
    epoch: str
    stream: str
    rows: list[_Row]


class Consumer:
    """Counts."""

    def __init__(self, port: int, rows: int, acks: bool) -> None:
        self.wanted, self.acks = rows, acks
        self.seen = bytearray(rows + 1)
        self.rows = self.repeats = self.messages = self.through = self.told = 0
        self.began = self.ended = 0.0
        self.decode = msgspec.json.Decoder(_Batch).decode
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="bench-consumer", protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.on_message = self.take
        self.client.connect("127.0.0.1", port, keepalive=60)
        self.client.subscribe("+/v1/acme/store1/box1/up/#", qos=1)
        self.client.on_subscribe = lambda *_: print("ready", flush=True)

    def take(self, _c: object, _u: object, message: Any) -> None:
        """One message."""
        if not self.began:
            self.began = time.perf_counter()
        self.messages += 1
        batch = self.decode(message.payload)
        seen = self.seen
        for row in batch.rows:
            if seen[row.seq]:
                self.repeats += 1
            else:
                seen[row.seq] = 1
                self.rows += 1
        if self.rows >= self.wanted:
            self.ended = time.perf_counter()
        if self.acks and (self.rows - self.told >= ACK_EVERY or self.ended):
            self.told = self.rows
            hole = seen.find(b"\0", self.through + 1)
            self.through = (hole if hole > 0 else self.wanted + 1) - 1
            topic = message.topic.partition("/up/")[0] + "/ack"
            ack = Ack(stream=batch.stream, epoch=batch.epoch, through=self.through)
            self.client.publish(topic, msgspec.json.encode(ack), qos=1)

    def run(self) -> None:
        """Until it has all rows, and a second of nothing more."""
        while not self.ended or time.perf_counter() - self.ended < 1.0:
            self.client.loop(0.2)
        print(self.ended - self.began, self.rows, self.repeats, self.messages, flush=True)


if __name__ == "__main__":
    Consumer(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "acks").run()
