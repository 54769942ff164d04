"""One connection to the broker, on the asyncio loop: paho without its threads, its queue and its memory.

Owns: the socket's readiness, CONNECT and its refusals, paho's callbacks turned into calls of `Listener`. Never: decides
what is sent or when to try again (session, uplink); outlives its connection.

Each connection has a paho client of its own. paho keeps unacknowledged messages in memory and sends them again by
itself; here they are read from the disk again, so there is nothing of it to keep. Only the connecting itself (name
look-up, TCP, TLS) blocks; it runs in a thread, one at a time, and is the only one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edgebox.errors import SyncError
from sync.address import Address
from sync.arrivals import Incoming
from sync.credentials import Credentials
from sync.session.verdicts import words as reason_words
from sync.throttle import Throttle
from sync.wire import PACKET_BYTES, Wire, words

log = logging.getLogger("edgebox.sync")

RECEIVE_MAXIMUM = 32  # commands, acks and answers that we have not answered yet: then the broker waits
CONNECT_S = 10.0  # for each of TCP, TLS and WebSocket, as a shop's ADSL line at its worst needs
CONNACK_S = 20.0
MISC_S = 1.0  # how often keep alive is looked after
RETAIN_NOT_SUPPORTED = 0x9A  # MQTT 5, 3.2.2.2: of a will that is to be retained
_READS = 128  # packets in one turn of the loop: two windows of PUBACKs
_TURN_S = 0.002  # and so long: a cut that waits for its answer needs some turns
_CLOCK_FAULT = 9  # X509_V_ERR_CERT_NOT_YET_VALID: here it is the box's clock that is wrong, far more often
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED


class Will(NamedTuple):
    """What the broker says for us when we are gone without a word. `delay_s`: only if we are not back by then."""

    topic: str
    payload: bytes
    retain: bool
    delay_s: int


class Hello(NamedTuple):
    """What a connection begins with."""

    client_id: str
    user: str
    keepalive_s: int
    session_expiry_s: int
    will: Will | None


class Welcome(NamedTuple):
    """What the broker grants. `server_expires`: of its certificate, seconds since 1970, 0 without TLS."""

    session_present: bool
    receive_maximum: int
    packet_bytes: int
    retain: bool
    server_expires: int


class Listener(Protocol):
    """Who is told; all on the loop, none may raise."""

    def on_puback(self, mid: int, reason: int) -> None: ...
    def on_message(self, message: Incoming) -> None: ...
    def on_subscribed(self, reasons: list[int]) -> None: ...
    def on_lost(self, reason: int, why: str) -> None: ...


class Client:
    """A connection: `connect`, then the others until `on_lost`. `throttle`: None reads all that comes."""

    def __init__(
        self,
        hello: Hello,
        address: Address,
        credentials: Credentials,
        listener: Listener,
        throttle: Throttle | None = None,
    ) -> None:
        self._address = address
        self._throttle = throttle
        self._resuming: asyncio.TimerHandle | None = None
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._welcome: asyncio.Future[Welcome] = self._loop.create_future()
        self._fd = -1
        self._misc: asyncio.TimerHandle | None = None
        self._flushing = False
        self._server_expires = 0
        self._over = False
        self._is_in = False
        self._hello = hello
        self._paho = _paho(hello, address, credentials)

    # -- life

    async def connect(self) -> Welcome:
        """Until the broker has let us in. SyncError says why not."""
        try:
            await _in_thread(self._loop, self._dial, self._forget)
        except OSError as fault:
            raise self._refusal(fault) from fault
        except ValueError as fault:  # an IP address or a name that TLS can't check
            raise SyncError(str(fault), reason="url", hint="[sync] url") from fault
        self._attach()
        try:
            async with asyncio.timeout(CONNACK_S):
                return await self._welcome
        except TimeoutError as fault:
            raise SyncError("the broker says nothing", reason="unreachable") from fault
        finally:
            if not self._welcome.done() or self._welcome.cancelled() or self._welcome.exception():
                self._end(0, "", tell=False)

    def _dial(self) -> None:
        """In the thread."""
        try:
            self._dial_at_once()
        except BaseException:
            self._paho.hang_up()
            raise

    def _dial_at_once(self) -> None:
        properties = _properties(
            PacketTypes.CONNECT,
            SessionExpiryInterval=self._hello.session_expiry_s,
            ReceiveMaximum=RECEIVE_MAXIMUM,
            MaximumPacketSize=PACKET_BYTES,
        )
        address = self._address
        if self._paho.connect(
            address.host, address.port, self._hello.keepalive_s, clean_start=False, properties=properties
        ):
            raise ConnectionError(self._paho.fault or "lost at once")
        raw: Any = self._paho.socket()
        plain = raw._socket.raw if self._address.websocket else raw
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if isinstance(plain, ssl.SSLSocket):
            self._server_expires = int(ssl.cert_time_to_seconds(str((plain.getpeercert() or {})["notAfter"])))

    def _forget(self) -> None:
        """In the thread: nobody waits for the connection any more."""
        self._paho.hang_up()

    def _attach(self) -> None:
        paho, raw = self._paho, self._paho.socket()
        paho.on_connect = self._on_connect
        paho.on_answer = self._listener.on_puback
        paho.on_incoming = self._listener.on_message
        if self._throttle is not None:
            paho.on_unasked = self._throttle.pay
        paho.on_subscribe = self._on_subscribe
        paho.on_disconnect = self._on_disconnect
        paho.on_socket_register_write = self._on_want_write
        assert raw is not None, "connected"
        self._fd = raw.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._tick()
        self._readable()

    async def close(self, *, silent: bool = False) -> None:
        """Says goodbye, so that the broker forgets the will; `silent`: only hangs up, and the will is sent."""
        if not self._over:
            self._paho.on_disconnect = None
            if not silent:
                self._paho.disconnect()
                self._flush()
            self._end(0, "closed", tell=False)
        await asyncio.sleep(0)

    # -- what is sent

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        response_topic: str = "",
        correlation: bytes = b"",
    ) -> int | None:
        """Hands a QoS 1 message over; its packet id, or None when the connection has just gone."""
        properties = None
        if expiry_s is not None or response_topic or correlation:
            properties = _properties(
                PacketTypes.PUBLISH,
                MessageExpiryInterval=None if expiry_s is None else max(1, expiry_s),
                ResponseTopic=response_topic,
                CorrelationData=correlation,
            )
        return None if self._over else self._paho.send(topic, payload, retain=retain, properties=properties)

    def subscribe(self, topics: Sequence[str]) -> None:
        """QoS 1 for each; what is retained comes again each time."""
        self._paho.subscribe([(topic, SubscribeOptions(qos=1, noLocal=True)) for topic in topics])

    def taken(self, message: Incoming) -> None:
        """The message is dealt with: the broker may forget it."""
        if message.mid and not self._over:
            self._paho.ack(message.mid, 1)

    # -- the socket

    def _readable(self) -> None:
        ends = self._loop.time() + _TURN_S
        for _ in range(_READS):
            if self._over:
                return
            try:
                self._paho.loop_read()
            except Exception as fault:  # paho trips over malformed packets in many ways
                log.warning("sync: the connection ends at what came in", exc_info=fault)
                self._end(0, f"the broker sends what is not MQTT: {type(fault).__name__}")
                return
            if self._is_paused():
                return
            if not self._paho.has_more:
                return
            if self._loop.time() >= ends:
                break
        self._loop.call_soon(self._readable)

    def _is_paused(self) -> bool:
        """The broker sends more than we care to read now."""
        wait_s = self._throttle.wait_s(time.monotonic()) if self._throttle is not None else 0.0
        if not wait_s or self._over:
            return False
        self._loop.remove_reader(self._fd)
        self._resuming = self._loop.call_later(wait_s, self._resume)
        return True

    def _resume(self) -> None:
        if not self._over:
            self._loop.add_reader(self._fd, self._readable)
            self._readable()

    def _on_want_write(self, *_: object) -> None:
        """What is published in one turn of the loop goes out together."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._over:
            return
        self._paho.loop_write()  # it may end the connection
        if self._paho.socket() is None:
            return
        if self._paho.want_write():
            self._loop.add_writer(self._fd, self._flush)
        else:
            self._loop.remove_writer(self._fd)

    def _tick(self) -> None:
        if not self._over:
            self._paho.loop_misc()
            self._misc = self._loop.call_later(MISC_S, self._tick)

    def _end(self, reason: int, why: str, *, tell: bool = True) -> None:
        """Once."""
        if self._over:
            return
        self._over = True
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        for timer in (self._misc, self._resuming):
            if timer is not None:
                timer.cancel()
        self._paho.on_disconnect = None
        if (raw := self._paho.socket()) is not None:
            with contextlib.suppress(OSError):
                raw.close()
        if not self._welcome.done():
            self._welcome.set_exception(SyncError(why or reason_words(reason), reason="refused"))
            self._welcome.exception()  # whoever waited may have been cancelled
        elif tell and self._is_in:
            self._listener.on_lost(reason, why)

    # -- paho's callbacks

    def _on_connect(
        self, _c: object, _u: object, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            hint = "[sync] user, box and credentials, and the broker's rules" if reason.value in _REJECTED else ""
            word = "retain" if reason.value == RETAIN_NOT_SUPPORTED else "refused"
            self._refuse(SyncError(f"the broker refuses: {reason}", reason=word, hint=hint))
            return
        if getattr(properties, "MaximumQoS", 1) < 1:
            self._refuse(SyncError("the broker takes only messages that it does not answer (QoS 0)", reason="refused"))
            return
        maximum = int(getattr(properties, "ReceiveMaximum", 65_535))
        welcome = Welcome(
            session_present=bool(flags.session_present),
            receive_maximum=maximum,
            packet_bytes=int(getattr(properties, "MaximumPacketSize", 1 << 28)),
            retain=bool(getattr(properties, "RetainAvailable", 1)),
            server_expires=self._server_expires,
        )
        if not self._welcome.done():
            self._is_in = True
            self._welcome.set_result(welcome)

    def _refuse(self, fault: SyncError) -> None:
        if not self._welcome.done():
            self._welcome.set_exception(fault)

    def _on_subscribe(self, _c: object, _u: object, _mid: int, reasons: list[ReasonCode], _properties: object) -> None:
        self._listener.on_subscribed([reason.value for reason in reasons])

    def _on_disconnect(self, _c: object, _u: object, flags: Any, reason: ReasonCode, _properties: object) -> None:
        told = bool(flags.is_disconnect_packet_from_server)
        code = reason.value if told else 0
        self._end(code, reason_words(code) if told else self._paho.fault or "connection lost")

    def _refusal(self, fault: OSError) -> SyncError:
        """Why there is no connection."""
        address, text = self._address, words(fault)
        where = f"{address.host}:{address.port}"
        if isinstance(fault, ssl.SSLCertVerificationError):
            if fault.verify_code == _CLOCK_FAULT:
                return SyncError(f"{where}: {text}", reason="clock", hint="is the box's clock right?")
            expired = "; is the box's clock right?" if fault.verify_code == _EXPIRED else ""
            return SyncError(f"{where}: {text}", reason="certificate", hint=f"the broker's certificate{expired}")
        if isinstance(fault, ssl.SSLError):
            return SyncError(f"{where}: {text}", reason="tls", hint=_TLS_HINT)
        if isinstance(fault, socket.gaierror):
            return SyncError(f"{address.host}: {text}", reason="dns", hint="is the shop's network there?")
        is_hung_up = self._address.tls and isinstance(fault, ConnectionResetError)
        return SyncError(f"{where}: {text}", reason="unreachable", hint=_TLS_HINT if is_hung_up else "")


_TLS_HINT = "does the broker speak TLS 1.2 at this port?"
_REJECTED = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})


def _paho(hello: Hello, address: Address, credentials: Credentials) -> Wire:
    paho = Wire(hello.client_id, websocket=address.websocket)
    paho.connect_timeout = CONNECT_S
    if address.websocket:
        paho.ws_set_options(path=address.path)
    if credentials.context is not None:
        paho.tls_set_context(credentials.context)
    if hello.user:
        paho.username_pw_set(hello.user, credentials.password)
    if hello.will is not None:
        delay = _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=hello.will.delay_s)
        paho.will_set(hello.will.topic, hello.will.payload, 1, hello.will.retain, delay)
    return paho


def _properties(kind: int, **values: object) -> Properties:
    """Those that are something."""
    made = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        if value not in (None, "", b""):
            setattr(made, name, value)
    return made


async def _in_thread(loop: asyncio.AbstractEventLoop, work: Any, forget: Any) -> None:
    """`work` in a thread that does not keep the process alive; when nobody waits any more, `forget` follows it."""
    done: asyncio.Future[None] = loop.create_future()

    def settle(fault: BaseException | None) -> None:
        if done.done():
            return
        if fault is None:
            done.set_result(None)
        else:
            done.set_exception(fault)

    def run() -> None:
        fault: BaseException | None = None
        try:
            work()
        except Exception as error:  # handed over, whatever it is
            fault = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, fault)
        if abandoned.is_set():
            forget()

    abandoned = threading.Event()
    threading.Thread(target=run, name="sync-connect", daemon=True).start()
    try:
        await done
    except asyncio.CancelledError:
        abandoned.set()
        if done.done():
            forget()
        raise
