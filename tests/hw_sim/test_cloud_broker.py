"""The stand-in on a real mosquitto: rights per box, rows and acks on the wire, a cloud that misbehaves, commands."""

from __future__ import annotations

import queue
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edgebox.store.events import HealthRecord, Stream
from hw_sim.cloud.broker import PACKAGE, Access, Account, Broker, find_mosquitto
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.misbehaviour import Mode
from sync import signing
from sync.contract import Ack, BundleKind, Command, JobPhase, Reply, State
from sync.contract_commands import Role
from tests.hw_sim.boxes import NOW, PaperBox, Wall

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason=f"Debian's {PACKAGE} is not installed")
WAIT_S = 10.0


class WireBox(PaperBox):
    """A paper box with a real connection of its own."""

    def __init__(self, cloud: Cloud, name: str = "box-1", device: int = 1, *, as_user: Account | None = None) -> None:
        super().__init__(cloud, name, device)
        assert cloud.broker is not None
        self.prefix = cloud.topics.prefix(self.box.place)
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.reasons: dict[int, str] = {}
        self._said = threading.Condition()
        account = as_user or cloud.broker.admit_box(name, self.prefix)
        self.client = Client(CallbackAPIVersion.VERSION2, account.user, protocol=MQTTProtocolVersion.MQTTv5)
        if cloud.broker.access is Access.PASSWORD:
            self.client.username_pw_set(account.user, account.password)
        if cloud.broker.authority is not None:
            cloud.furnish(self.box, cloud.folder / name, cloud.folder / f"{name}.toml")
            self.client.tls_set_context(_tls(cloud.folder / name))
        self.client.on_message = lambda _c, _d, message: self.heard.put((message.topic, message.payload))
        self.client.on_publish = self._published
        self.client.on_subscribe = lambda *_: self.heard.put(("subscribed", b""))
        self.client.connect("localhost", cloud.broker.port)
        self.client.loop_start()
        self.client.subscribe(f"{self.prefix}/#", qos=1)
        assert self.heard.get(timeout=WAIT_S)[0] == "subscribed"

    def _published(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        with self._said:
            self.reasons[mid] = str(reason)
            self._said.notify_all()

    def publish(self, topic: str, payload: bytes) -> str:
        """What the broker says to it (PUBACK's reason)."""
        mid = self.client.publish(topic, payload, qos=1).mid
        with self._said:
            assert self._said.wait_for(lambda: mid in self.reasons, WAIT_S)
        return self.reasons[mid]

    def record(self, count: int) -> str:
        rows = [self.row(Stream.HEALTH, HealthRecord(at=NOW, part=f"p{n}", state="ok")) for n in range(count)]
        message = self.batch(Stream.HEALTH, rows)
        return self.publish(message.topic, message.payload)

    def next(self, kind: str) -> bytes:
        """The next message on that topic."""
        while True:
            topic, payload = self.heard.get(timeout=WAIT_S)
            if topic == f"{self.prefix}/{kind}":
                return payload

    def ack(self) -> Ack:
        return msgspec.json.decode(self.next("ack"), type=Ack)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def _tls(folder: Path) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=folder / "ca.crt")
    tls.load_cert_chain(folder / "client.crt", folder / "client.key")
    return tls


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", persistence=False) as running:
        yield running


@pytest.fixture
def head(tmp_path: Path, broker: Broker) -> Iterator[Cloud]:
    with Cloud(tmp_path / "cloud", broker, clock=Wall(), page_port=None) as running:
        yield running


@pytest.fixture
def box(head: Cloud) -> Iterator[WireBox]:
    one = WireBox(head)
    yield one
    one.close()


def test_rows_are_acknowledged_over_the_wire(head: Cloud, box: WireBox) -> None:
    assert box.record(3) == "Success"
    assert box.ack().through == 3
    assert len(head.ledger.events("box-1", "health")) == 3


def test_a_box_may_speak_for_itself_only(head: Cloud, box: WireBox) -> None:
    other = WireBox(head, "box-2", 2)
    for topic in ("up/health", "cmd", "ack"):
        assert box.publish(f"{other.prefix}/{topic}", b"{}") == "Not authorized"
    assert box.publish(f"{box.prefix}/cmd", b"{}") == "Not authorized", "nobody commands himself"
    other.close()


def test_a_wrong_password_does_not_get_in(head: Cloud, broker: Broker) -> None:
    client = Client(CallbackAPIVersion.VERSION2, "box-1", protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set("box-1", "guess")
    said: queue.Queue[str] = queue.Queue()
    client.on_connect = lambda _c, _d, _f, reason, _p: said.put(str(reason))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert said.get(timeout=WAIT_S) == "Not authorized"
    client.disconnect()
    client.loop_stop()


def test_the_passwords_are_for_their_owner_only(head: Cloud, box: WireBox, broker: Broker, tmp_path: Path) -> None:
    head.furnish(box.box, tmp_path / "credentials", tmp_path / "keys.toml")
    for private in (tmp_path / "credentials" / "password", broker.folder / "accounts", tmp_path / "keys.toml"):
        assert private.stat().st_mode & 0o077 == 0
    word = (tmp_path / "credentials" / "password").read_text().strip()
    assert word not in (broker.folder / "accounts").read_text(), "the broker keeps hashes"


def test_a_refused_publish_is_refused_by_the_broker_itself(head: Cloud, box: WireBox, broker: Broker) -> None:
    broker.deny("box-1")
    assert head.wait(lambda: box.record(0) == "Not authorized", WAIT_S)
    broker.allow("box-1")
    assert head.wait(lambda: box.record(1) == "Success", WAIT_S)


def test_when_the_cloud_disappears_the_broker_says_that_nobody_listens(head: Cloud, box: WireBox) -> None:
    head.misbehave(Mode.DISAPPEAR)
    box.client.unsubscribe(f"{box.prefix}/#")
    assert head.wait(lambda: box.record(1) == "No matching subscribers", WAIT_S)
    head.misbehave(Mode.NOTHING)
    box.client.subscribe(f"{box.prefix}/ack", qos=1)
    before = box.batch(Stream.HEALTH, [box.row(Stream.HEALTH, HealthRecord(at=NOW, part="x", state="ok"))])
    box.publish(before.topic, before.payload)
    ack = box.ack()
    assert ack.through == 0
    assert head.wait(lambda: box.ack().missing != (), WAIT_S), "what nobody heard is asked for"


def test_a_refusing_cloud_acknowledges_nothing_and_a_doubling_one_twice(head: Cloud, box: WireBox) -> None:
    head.misbehave(Mode.REFUSE)
    box.record(2)
    assert head.wait(lambda: head.dropped == 1, WAIT_S)
    head.misbehave(Mode.DUPLICATE)
    box.record(2)
    first, second = box.ack(), box.ack()
    assert first == second
    assert first.through == 0
    assert head.consumer.duplicates == 2


def test_a_broker_that_was_killed_has_forgotten_and_the_cloud_listens_again(
    head: Cloud, box: WireBox, broker: Broker
) -> None:
    box.record(1)
    box.ack()
    box.client.on_connect = lambda client, *_: client.subscribe(f"{box.prefix}/#", qos=1)
    broker.kill()
    broker.start()
    assert head.wait(lambda: head.connects == 2, WAIT_S)
    assert box.heard.get(timeout=WAIT_S)[0] == "subscribed"
    assert head.wait(lambda: box.record(1) == "Success", WAIT_S)
    assert box.ack().through >= 2


def test_a_command_is_signed_and_its_replies_come_back(head: Cloud, box: WireBox) -> None:
    answer: list[Any] = []
    asking = threading.Thread(target=lambda: answer.append(head.send("ping", {"text": "hi"}, ["box-1"], wait_s=WAIT_S)))
    asking.start()
    raw = box.next("cmd")
    opened = signing.open_signed(raw, signing.fleet_keys(head.signer.fleet_keys), signing.Purpose.COMMAND)
    command = msgspec.json.decode(opened.body, type=Command)
    assert opened.key.role is Role.OPERATOR
    assert (command.command, bytes(command.args), command.boxes) == ("ping", b'{"text":"hi"}', ("box-1",))
    for state in (JobPhase.QUEUED, JobPhase.RUNNING, JobPhase.SUCCEEDED, JobPhase.SUCCEEDED):
        reply = Reply(id=command.id, box="box-1", command="ping", state=state)
        box.publish(f"{box.prefix}/reply", msgspec.json.encode(reply))
    asking.join(WAIT_S)
    assert answer[0]["box-1"].state is JobPhase.SUCCEEDED
    assert [reply.state.value for reply in head.fleet.replies("box-1", command.id)] == [
        "queued",
        "running",
        "succeeded",
    ]


def test_a_box_that_does_not_answer_is_named(head: Cloud, box: WireBox) -> None:
    assert head.send("ping", {}, ["box-1"], wait_s=0.01) == {"box-1": None}
    with pytest.raises(KeyError):
        head.send("ping", {}, ["box-77"])


def test_bundles_have_revisions_that_only_go_up(head: Cloud, box: WireBox) -> None:
    first = head.desire(BundleKind.RULES, {"a": 1}, ["box-1"])
    second = head.desire(BundleKind.RULES, {"a": 2}, ["box-1"], at=NOW + 60)
    other = head.desire(BundleKind.SLIPS, {"a": 3}, ["box-1"])
    assert (first.revision, second.revision, other.revision) == (1, 2, 1)
    opened = signing.open_signed(
        box.next("desired"), signing.fleet_keys(head.signer.fleet_keys), signing.Purpose.BUNDLE
    )
    assert opened.key.role is Role.OWNER


def test_who_is_there_is_known_by_his_signs_of_life(head: Cloud, box: WireBox) -> None:
    assert not head.fleet.is_online("box-1")
    box.publish(f"{box.prefix}/state", msgspec.json.encode(State(box="box-1", epoch="e", expires_s=60)))
    assert head.wait(lambda: head.fleet.is_online("box-1"), WAIT_S)
    box.publish(f"{box.prefix}/state", msgspec.json.encode(State(box="box-1", online=False)))
    assert head.wait(lambda: not head.fleet.is_online("box-1"), WAIT_S)


def test_certificates_do_instead_of_passwords(tmp_path: Path) -> None:
    with (
        Broker(tmp_path / "broker", access=Access.CERTIFICATE) as broker,
        Cloud(tmp_path / "cloud", broker, clock=Wall(), page_port=None) as head,
    ):
        assert broker.url.startswith("mqtts://")
        box = WireBox(head)
        assert box.record(2) == "Success"
        assert box.ack().through == 2
        assert box.publish("edgebox/v1/demo/shop/box-2/up/health", b"{}") == "Not authorized"
        box.close()
