"""paho as most people use it: a thread of its own, a window, one row a message; the yardstick for the uplink.

Owns: `python -m tests.bench.plain_paho PORT ROWS WINDOW`. It has all messages ready in memory, and no store.
"""

from __future__ import annotations

import sys

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edgebox.store.events import SightingRecord
from sync.contract import Batch, Row


def main() -> None:
    """Publishes and waits for the last PUBACK."""
    port, rows, window = map(int, sys.argv[1:4])
    event = msgspec.json.encode(SightingRecord(at=1_795_000_000, tag="t1", rssi_dbm=-60, distance_cm=100))
    payloads = [
        msgspec.json.encode(
            Batch(
                box="box1",
                epoch="0001-00c0ffee",
                stream="visits",
                rows=(Row(seq=seq, boot="b" * 36, mono_ms=1, at_ms=1_795_000_000_000, event=msgspec.Raw(event)),),
            )
        )
        for seq in range(1, rows + 1)
    ]
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="paho", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(window)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port, keepalive=60)
    client.loop_start()
    last = None
    for payload in payloads:
        last = client.publish("bench/v1/acme/store1/box1/up/visits", payload, qos=1)
    assert last is not None
    last.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
