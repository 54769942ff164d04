"""The cloud's own connection to the broker: MQTT 5 by paho-mqtt, in paho's thread.

Owns: connecting, subscribing anew at every connect (a broker killed without persistence has forgotten it), the inbox.
Never: acknowledges a message to the broker before the consumer has committed it (`manual_ack`): what was on its way
when the cloud died comes again. Decides nothing.
"""

from __future__ import annotations

import queue
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from hw_sim.cloud.consumer import Message, Out

RECEIVE_MAX = 200  # messages that the broker may have on their way to us; the inbox can't hold more unacknowledged ones
INBOX_MAX = 4096  # more than RECEIVE_MAX even across reconnects; a full inbox blocks paho, and TCP the broker
SESSION_S = 3600  # the broker keeps what comes while the cloud is away
RECONNECT_S = (1, 2)  # paho's backoff: the stand-in's broker is on this machine


class Arrived(NamedTuple):
    """A message and what is needed to acknowledge it."""

    message: Message
    mid: int
    qos: int


class Wire:
    """One client. `url` as in Broker; TLS with `credentials` (ca.crt, client.crt, client.key)."""

    def __init__(
        self, port: int, filters: Iterable[str], *, user: str = "", password: str = "", credentials: Path | None = None
    ) -> None:
        self.inbox: queue.Queue[Arrived] = queue.Queue(INBOX_MAX)
        self.connects = 0
        self._port = port
        self._host = "localhost" if credentials else "127.0.0.1"
        self._filters = list(filters)
        self._user = user or "cloud"
        self._password = password
        self._credentials = credentials
        self._client: Client | None = None

    @property
    def is_connected(self) -> bool:
        """The broker has said yes, and subscriptions are on their way."""
        return self._client is not None and self._client.is_connected()

    def connect(self) -> None:
        """Dials; OSError when nobody listens. From then on it comes back by itself until `hang_up`."""
        client = Client(
            CallbackAPIVersion.VERSION2, client_id="cloud", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
        )
        client.reconnect_delay_set(*RECONNECT_S)
        if self._password:
            client.username_pw_set(self._user, self._password)
        if self._credentials is not None:
            tls = ssl.create_default_context(cafile=self._credentials / "ca.crt")
            tls.load_cert_chain(self._credentials / "client.crt", self._credentials / "client.key")
            client.tls_set_context(tls)
        client.on_connect = self._connected
        client.on_message = self._arrived
        client.connect(self._host, self._port, keepalive=30, clean_start=False, properties=_connecting())
        self._client = client
        client.loop_start()

    def hang_up(self, *, forget: bool) -> None:
        """Leaves, and stays away until `connect`. `forget`: subscriptions end too, and the broker tells the boxes that
        nobody listens; else it keeps what comes, for SESSION_S."""
        client, self._client = self._client, None
        if client is None:
            return
        for one in self._filters if forget else ():
            client.unsubscribe(one)
        client.disconnect()
        client.loop_stop()

    def acknowledge(self, arrived: Arrived) -> None:
        """Tells the broker that it need not send this again."""
        if self._client is not None and arrived.qos:
            self._client.ack(arrived.mid, arrived.qos)

    def publish(self, out: Out, *, retain: bool = False, expires_s: int = 0, response: str = "") -> None:
        """Sends at QoS 1; while the broker is away paho keeps it. Nothing here is lost for good: acks come again."""
        if self._client is None:
            return
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if out.correlation:
            properties.CorrelationData = out.correlation
        if expires_s:
            properties.MessageExpiryInterval = expires_s
        if response:
            properties.ResponseTopic = response
        self._client.publish(out.topic, out.payload, qos=1, retain=retain, properties=properties)

    # -- paho's thread

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            return
        self.connects += 1
        options = SubscribeOptions(qos=1, noLocal=True)
        code, _ = client.subscribe([(one, options) for one in self._filters])
        assert code is MQTTErrorCode.MQTT_ERR_SUCCESS, "just connected"

    def _arrived(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        properties = message.properties
        response = getattr(properties, "ResponseTopic", "") if properties else ""
        correlation = getattr(properties, "CorrelationData", b"") if properties else b""
        taken = Message(message.topic, bytes(message.payload), response, correlation)
        self.inbox.put(Arrived(taken, message.mid, message.qos))


def _connecting() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    properties.ReceiveMaximum = RECEIVE_MAX
    return properties
