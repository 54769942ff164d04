"""paho's client with some seams in it: bounds on what a broker may send, no queue of its own, and few system calls.

Owns: reading ahead, writing together, PUBLISH out and in, PUBACK in. Never: policy, reconnecting.

paho reads a packet's head byte by byte, takes as long a packet as the head says (256 MB), writes each packet by itself
and keeps all that it was given until a PUBACK comes; a SUBACK or a message's properties of 250 KB keep it busy for
seconds. Its methods for one read and one write of the socket, for one packet, one PUBLISH and one PUBACK are the place
to change that. They are not public: tests/sync/test_hostile.py and test_uplink.py hold them to it, and the lock file
holds the version.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from sync import arrivals
from sync.arrivals import Incoming
from sync.contract import MESSAGE_BYTES
from sync.frames import WholeFrames

PACKET_BYTES = MESSAGE_BYTES + 4096  # and what MQTT puts around a message: topics, properties, correlation data
_CONTROL_BYTES = 8 << 10  # of any packet but a message: AWS IoT's longest CONNACK has a tenth of it
_PUBLISH, _PUBACK = 0x30, 0x40
_AHEAD_BYTES = 64 << 10  # four TLS records
_TOGETHER_BYTES = 64 << 10


class Wire(mqtt.Client):
    """One connection's MQTT 5 client. `fault`: the last error of the socket in words."""

    def __init__(self, client_id: str, *, websocket: bool) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            transport="websockets" if websocket else "tcp",
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self.fault = ""
        self.on_answer: Callable[[int, int], None] = lambda _mid, _reason: None  # packet id and reason of a PUBACK
        self.on_incoming: Callable[[Incoming], None] = lambda _: None
        self.on_unasked: Callable[[int], None] = lambda _: None  # bytes of a packet that is no answer to ours
        self._unanswered: set[int] = set()
        self._ahead = b""
        self._at = 0
        self._together = bytearray()
        self._latest: socket.socket | None = None

    @property
    def has_more(self) -> bool:
        """Something was read that is not yet handled; the socket won't say so again."""
        pending = getattr(self._sock, "pending", None)
        return self._at < len(self._ahead) or (pending is not None and pending() > 0)

    def send(self, topic: str, payload: bytes, *, retain: bool, properties: Properties | None) -> int | None:
        """Puts a QoS 1 PUBLISH on the way; its packet id, or None when there is no connection.

        paho's own `publish` would keep the message, to send it again by itself.
        """
        mid = self._mid_generate()
        found = self._send_publish(mid, topic.encode(), payload, 1, retain, False, None, properties)
        if found is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            return None
        self._unanswered.add(mid)
        return mid

    def _packet_handle(self) -> MQTTErrorCode:
        """As paho's, within bounds."""
        packet = self._in_packet
        size = len(packet["packet"])
        kind = packet["command"] & 0xF0
        if kind != _PUBLISH and size > _CONTROL_BYTES:
            self.fault = "the broker sends a packet that is too large"
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        if kind != _PUBACK or int.from_bytes(packet["packet"][:2], "big") not in self._unanswered:
            self.on_unasked(size)
        return super()._packet_handle()

    def _handle_publish(self) -> MQTTErrorCode:
        """A message's parts, without the objects that paho makes of its properties."""
        try:
            found = arrivals.incoming(self._in_packet["command"], self._in_packet["packet"])
        except ValueError as fault:
            self.fault = f"the broker sends what is not MQTT: {fault}"
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self.on_incoming(found)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_pubackcomp(self, cmd: str) -> MQTTErrorCode:
        """A PUBACK's reason, without the objects that paho makes of its two or three bytes."""
        packet = self._in_packet["packet"]
        if cmd != "PUBACK" or len(packet) < 2:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        mid = packet[0] << 8 | packet[1]
        self._unanswered.discard(mid)
        self.on_answer(mid, packet[2] if len(packet) > 2 else 0)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def want_write(self) -> bool:
        """Bytes wait for the socket."""
        return bool(self._together) or super().want_write()

    def _packet_write(self) -> MQTTErrorCode:
        """As paho's, and then what it wrote goes out in one piece."""
        found = super()._packet_write()
        if found is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            return found
        try:
            self._write_together()
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        return found

    def hang_up(self) -> None:
        """Closes what a failed attempt left open."""
        if self._latest is not None:
            self._latest.close()

    def _create_socket(self) -> mqtt.SocketLike:
        made = super()._create_socket()
        if self._transport == "websockets":
            websocket: Any = made
            websocket._socket = WholeFrames(websocket._socket, websocket)
        return made

    def _create_socket_connection(self) -> socket.socket:
        self._latest = super()._create_socket_connection()
        return self._latest

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """As paho's, without its way round a host name that can't be checked."""
        assert self._ssl_context is not None, "TLS was asked for"
        made = self._ssl_context.wrap_socket(tcp_sock, server_hostname=self._host, do_handshake_on_connect=False)
        self._latest = made
        made.settimeout(self._connect_timeout)
        made.do_handshake()
        return made

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > PACKET_BYTES or len(getattr(self._sock, "_readbuffer", b"")) > 2 * PACKET_BYTES:
            self.fault = "the broker sends a packet that is too large"
            raise ConnectionError(self.fault)
        if self._at >= len(self._ahead):
            try:
                self._ahead, self._at = super()._sock_recv(max(bufsize, _AHEAD_BYTES)), 0
            except BlockingIOError:
                raise
            except OSError as fault:
                self.fault = words(fault)
                raise
        data = self._ahead[self._at : self._at + bufsize]
        self._at += len(data)
        return data

    def _sock_send(self, buf: bytes | bytearray) -> int:
        if self._together and len(self._together) + len(buf) > _TOGETHER_BYTES:
            self._write_together()
        self._together += buf
        return len(buf)

    def _sock_close(self) -> None:
        try:
            self._write_together()  # a DISCONNECT, after which paho closes at once
        except OSError:
            self._together.clear()
        super()._sock_close()

    def _write_together(self) -> None:
        while self._together and self._sock is not None:
            try:
                taken = super()._sock_send(self._together)
            except BlockingIOError:
                raise
            except OSError as fault:
                self.fault = words(fault)
                self._together.clear()
                raise
            if taken == 0:
                raise BlockingIOError
            del self._together[:taken]


def words(fault: BaseException) -> str:
    """An error of the network in words."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return fault.verify_message
    if isinstance(fault, ssl.SSLError):
        return (fault.reason or str(fault)).lower().replace("_", " ")
    return getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
