"""Rows in, acks out: `consumer.py rows.db mqtts://user:password@host`. First it says what it has (`fleet verify`)."""

import json
import sqlite3
import sys
from urllib.parse import urlsplit

from paho.mqtt import client as mqtt
from paho.mqtt.properties import PacketTypes, Properties

db = sqlite3.connect(sys.argv[1])  # as it comes, SQLite syncs each commit
db.execute("CREATE TABLE IF NOT EXISTS rows (topic, epoch, last, seq, why, row, UNIQUE (topic, epoch, last, seq, why))")
through = {}  # (topic, epoch) → no number up to this one is missing; the topic names box and stream


def ack(key):  # looks at what came behind `through`; a row that the box gave up (lost) stands for seq to last
    end, gaps, where = through.get(key, 0), [], "topic = ? AND epoch = ? AND last > ?"
    for seq, last in db.execute(f"SELECT seq, last FROM rows WHERE {where} ORDER BY seq", (*key, end)):
        gaps += [(end + 1, seq - 1)] if seq > end + 1 else []
        end = max(end, last) if len(gaps) <= 64 else end  # an Ack names 64 gaps at most, and nothing behind them
    through[key], stream = gaps[0][0] - 1 if gaps else end, key[0].split("/")[-1]
    return {"stream": stream, "epoch": key[1], "through": through[key], "newest": end, "missing": gaps[:64]}


def take(client, _, message):  # whatever fails here: without a commit there is no ack, and the box sends it again
    box, is_rows, _ = message.topic.removesuffix("/state").partition("/up/")
    body = json.loads(message.payload)
    keys = [(message.topic, str(body["epoch"]))] if is_rows else [k for k in through if k[0].startswith(box + "/")]
    with db:  # one commit for a message's rows; a row that comes twice is there already
        for row in body.get("rows", ()):
            seq, last, why = int(row["seq"]), int(row.get("to") or row["seq"]), str(row.get("lost", ""))
            db.execute("INSERT OR IGNORE INTO rows VALUES (?,?,?,?,?,?)", (*keys[0], last, seq, why, json.dumps(row)))
    for key in keys:
        client.publish(f"{box}/ack", json.dumps(ack(key)), qos=1)


for known in db.execute("SELECT DISTINCT topic, epoch FROM rows").fetchall():
    print(json.dumps({"box": known[0].split("/")[-3]} | ack(known)))
for url in map(urlsplit, sys.argv[2:]):
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = 86400  # the broker keeps rows for us so long
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "rows", protocol=mqtt.MQTTv5)
    client.enable_logger()
    client.suppress_exceptions = True  # the logger says them
    client.username_pw_set(url.username, url.password)
    client.tls_set() if url.scheme == "mqtts" else None
    client.on_connect = lambda c, *_: c.subscribe([("edgebox/v1/+/+/+/up/+", 1), ("edgebox/v1/+/+/+/state", 1)])
    client.on_message = take
    client.connect_async(url.hostname, url.port or 8883, clean_start=False, properties=session)
    client.loop_forever(retry_first_connection=True)
