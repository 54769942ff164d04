"""The uplink: keeps the connection, and carries rows from the store to the cloud and acknowledgements back.

Owns: connecting again, the pump between store, session and client, marking what the cloud has. Never: decides what goes
next or what an answer means (session), knows paho (client) or keeps a row in memory that is not on its way.

It ends only when it is cancelled. Whatever fails, the network, the broker, the disk, is counted, shown in `health`, and
tried again; the till is none the wiser.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from edgebox.errors import EdgeboxError, StoreError, SyncError
from edgebox.settings import SyncSettings
from edgebox.store.events import Stream
from edgebox.store.store import Store
from sync import address, credentials, heartbeat
from sync.arrivals import Incoming
from sync.backoff import Backoff, full_jitter
from sync.client import Client, Hello, Welcome, Will
from sync.contract import Answer, Ask, Backlog, CertificateGift, Envelope, Reply, Reported
from sync.enrolment import Newcomer, enrol
from sync.heartbeat import About
from sync.inbox import Handlers, Inbox
from sync.pump import ACK_EVERY_S, Pump
from sync.renewal import Renewal
from sync.session.lane import Patience
from sync.session.outgoing import NEVER, Kind, Outgoing
from sync.session.window import Grant, Limits, Session
from sync.throttle import Throttle
from sync.topics import Topics

log = logging.getLogger("edgebox.sync")

TICK_S = 1.0
STORE_PAUSE_S = 5.0  # after a disk that could not be read
TAKEN_OVER = 0x8E
_CUT_SHORT = "(its result is larger than the broker's largest message)"
STREAMS = tuple(stream.value for stream in Stream)


class Envelopes(Protocol):
    """Closes questions to the cloud and opens its answers: edgebox/envelope.py."""

    def question(self, name: str, text: bytes) -> Envelope | None:
        """None: the box has no keys to close it with."""

    def answer(self, asked: Envelope, given: Envelope) -> bytes | None:
        """None: it is no answer to that question."""


class Uplink:
    """The box's way to its cloud. `about`: what the engine says of itself; `clock`: seconds since 1970."""

    def __init__(
        self,
        settings: SyncSettings,
        store: Store,
        *,
        about: Callable[[], About] = About,
        handlers: Handlers | None = None,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        patience: Patience | None = None,
        ack_every_s: float = ACK_EVERY_S,
    ) -> None:
        """SyncError (`url`, `plain`, `topics`) when the settings can't be used."""
        self.topics = Topics(settings.topics, tenant=settings.tenant, store=settings.store, box=settings.box)
        self.counters: Counter[str] = Counter()
        self.envelopes: Envelopes | None = None  # None: nothing can be asked
        self.why = "not connected yet"  # "": connected
        self.connected_at = 0.0
        self._address = address.parse(settings.url)
        self._settings = settings
        self._store = store
        self._about = about
        self._clock = clock
        chance = chance or random.Random()
        self._backoff = Backoff(settings.backoff_max_s, chance)
        self._session = Session(
            settings.box,
            STREAMS,
            limits or Limits(settings.window, settings.batch_bytes),
            by_broker=settings.ack == "broker",
            jitter=lambda attempt: full_jitter(chance, attempt, settings.backoff_max_s),
            patience=patience,
        )
        self._wake = asyncio.Event()
        self._pump = Pump(
            *(store, self._session, self.topics, self._wake),
            trouble=self._failed,
            by_broker=settings.ack == "broker",
            ack_every_s=ack_every_s,
        )
        self.inbox = Inbox(self.topics, handlers, self._pump.on_ack)
        self.inbox.on_certificate = self._on_certificate
        self._own = Renewal(Path(settings.credentials), settings.box, settings.renew_days, clock)
        self._client: Client | None = None
        self._lost: asyncio.Future[None] | None = None
        self._beat_at = 0.0
        self._throttle = Throttle()
        self._expires = (0, 0)  # of our certificate and the broker's
        self._subscription_refused = False
        self._retain = False
        self._retains_will = settings.retain
        self._reported: Reported | None = None
        self._state: Callable[..., bytes] | None = None

    # -- what others use

    @property
    def is_connected(self) -> bool:
        """The broker has let us in."""
        return self._session.is_connected

    @property
    def is_heard(self) -> bool:
        """The broker has let us in, and refuses neither what we say nor to let us listen."""
        return self.is_connected and not self._subscription_refused and not self._session.refused

    @property
    def session(self) -> Session:
        """For figures; nobody else changes it."""
        return self._session

    @property
    def _subscribed(self) -> tuple[str, ...]:
        """A box whose certificate others look after does not ask its broker for a right that it doesn't need."""
        return (*self.topics.subscribed, *((self.topics.certificate,) if self._own.is_ours else ()))

    def reply(self, reply: Reply, response_topic: str | None = None, correlation: bytes | None = None) -> None:
        """Sends a step of a command, to where it wants it if that is ours to speak at. Lost when the box restarts:
        the step itself is in the stream of jobs."""
        topic = self.topics.reply_to(response_topic)
        message = Outgoing(Kind.REPLY, topic, msgspec.json.encode(reply), correlation=correlation or b"")
        if reply.result and self._session.is_too_large(message):
            bare = msgspec.structs.replace(reply, result={}, words=f"{reply.words} {_CUT_SHORT}".strip())
            message = message._replace(payload=msgspec.json.encode(bare))
        self._say(message)

    def report(self, reported: Reported) -> None:
        """Sends which bundles are in force; again with each new connection."""
        self._reported = reported
        message = Outgoing(Kind.REPORTED, self.topics.reported, msgspec.json.encode(reported))
        if self._session.is_too_large(message):
            bare = {name: msgspec.structs.replace(kind, rejected={}) for name, kind in reported.bundles.items()}
            message = message._replace(payload=msgspec.json.encode(msgspec.structs.replace(reported, bundles=bare)))
        self._say(message)

    async def ask(self, what: str, args: Mapping[str, Any], name: str, timeout_s: float) -> Answer:
        """Asks the cloud; a person waits for it. The same question again has the same `name`.

        SyncError: `offline` and `no_keys` at once, `no_answer` after `timeout_s`, `busy` with too many questions.
        """
        if not self.is_connected:
            raise SyncError("the cloud is not there", reason="offline")
        question = msgspec.json.encode(Ask(id=name, what=what, args=dict(args), at=int(self._clock())))
        envelopes = self.envelopes
        envelope = envelopes.question(name, question) if envelopes is not None else None
        if envelopes is None or envelope is None:
            raise SyncError("without claim keys the cloud can't be asked anything", reason="no_keys")
        future = self.inbox.expect(name, lambda given: envelopes.answer(envelope, given))
        if future is None:
            raise SyncError("too many questions at once", reason="busy")
        self._say(
            Outgoing(
                *(Kind.ASK, self.topics.ask, msgspec.json.encode(envelope), time.monotonic() + timeout_s, False),
                *(self.topics.answer, name.encode()),
            )
        )
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError as fault:
            raise SyncError("the cloud does not answer", reason="no_answer") from fault
        finally:
            self.inbox.give_up(name, future)

    async def resend(self, stream: str, epoch: str, first: int, last: int) -> bool:
        """Rows go out again though the cloud had acknowledged them. False: there are none such, or too many at once.

        Those that are no longer on the disk go out as lost.
        """
        done = stream in self._session.lanes and await self._pump.ask(stream, epoch, first, last)
        self._wake.set()
        return done

    def beat(self) -> None:
        """A sign of life now: something has changed that the fleet should see."""
        self._beat_at = 0.0
        self._wake.set()

    def _say(self, message: Outgoing) -> None:
        self._session.queue.put(message)
        self._wake.set()

    # -- life

    async def run(self) -> None:
        """Until cancelled."""
        self._store.on_committed = self._pump.committed
        while True:
            try:
                await self._connection()
            except EdgeboxError as fault:  # the network, the broker, or a disk that can't be read
                self._failed(fault)
            wait_s = self._backoff.next_s()
            self.counters["waits"] += 1
            await asyncio.sleep(wait_s)

    async def _connection(self) -> None:
        settings = self._settings
        pair = await self._own.choose(self._enrol)
        try:
            found = await asyncio.to_thread(
                credentials.load, Path(settings.credentials), tls=self._address.tls, pair=pair
            )
        except SyncError:
            self._own.failed()
            raise
        self._expires = (found.expires, self._expires[1])
        will = Will(self.topics.state, heartbeat.will(settings.box), self._retains_will, heartbeat.WILL_DELAY_S)
        hello = Hello(
            *(settings.box, settings.user, settings.keepalive_s, settings.session_expiry_s),
            will if settings.will else None,
        )
        self._lost = asyncio.get_running_loop().create_future()
        client = Client(hello, self._address, found, self, self._throttle)
        try:
            try:
                welcome = await client.connect()
            except SyncError as fault:
                self._retains_will = self._retains_will and fault.reason != "retain"
                self._own.failed()
                raise
            self._expires = (found.expires, welcome.server_expires)
            await self._own.let_in(time.monotonic())
            await self._serve(client, welcome)
        finally:
            self._client = None
            self.inbox.clear()
            if self._session.is_connected:  # we hang up
                self._goodbye(client)
                self._session.disconnected(0, time.monotonic())
            await client.close()

    async def _enrol(self) -> None:
        folder = Path(self._settings.credentials)
        seal = self._reported.seal if self._reported is not None else ""
        await enrol(Newcomer(self._settings.box, self._settings.user, seal, folder, self.topics, self._address))

    async def _serve(self, client: Client, welcome: Welcome) -> None:
        started = time.monotonic()
        assert self._lost is not None, "made before"
        self._client = client
        self._retain = welcome.retain and self._settings.retain
        self.counters["connections"] += 1
        self.counters["sessions resumed"] += welcome.session_present
        log.info("sync: connected to %s:%d", self._address.host, self._address.port)
        client.subscribe(self._subscribed)
        self.why, self.connected_at, self._beat_at = "", self._clock(), 0.0
        await self._pump.look()
        self._session.connected(Grant(welcome.receive_maximum, welcome.packet_bytes))
        if self._reported is not None:
            self.report(self._reported)
        tasks = [
            asyncio.ensure_future(work)
            for work in (self._work(client), self.inbox.serve(client.taken), self._pump.mark(), self._lost_connection())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._backoff.lived(time.monotonic() - started, time.monotonic())
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for fault in ended:
            if isinstance(fault, Exception):
                raise fault

    async def _lost_connection(self) -> None:
        assert self._lost is not None, "made before"
        await asyncio.shield(self._lost)

    def _goodbye(self, client: Client) -> None:
        """The last State says that we go, so that nobody waits for the next one."""
        if self._session.out_count < self._session.window and self._state is not None:
            last = self._life(self._state(online=False), NEVER)
            if not self._session.is_too_large(last):
                client.publish(last.topic, last.payload, retain=last.retain)

    def _failed(self, fault: EdgeboxError) -> None:
        self.counters[f"failed {fault.reason}"] += 1
        if self.why != str(fault):
            log.warning("sync: %s", fault)
        self.why = str(fault)

    async def _work(self, client: Client) -> None:
        while True:
            self._wake.clear()
            now = time.monotonic()
            self._session.tick(now)
            if self._session.is_stuck(now):
                raise SyncError("the broker answers no message", reason="lost")
            self._backoff.forget(now)
            if self._own.is_change_due(now):
                raise SyncError("connecting again with the box's new certificate", reason="renewed")
            if now >= self._beat_at:
                await self._heartbeat(now)
            try:
                await self._pump.send(client)
                self.why = ""
            except StoreError as fault:
                self._failed(fault)
                await asyncio.sleep(STORE_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(TICK_S, self._session.wait_s(now))):
                    await self._wake.wait()

    # -- signs of life

    async def _heartbeat(self, now: float) -> None:
        self._beat_at = now + self._settings.heartbeat_s
        try:
            backlog = await self._store.backlog()
        except StoreError as fault:
            self._failed(fault)
            return
        session = self._session

        def state(*, online: bool) -> bytes:
            return heartbeat.state(
                *(self._settings.box, self._about()),
                at=int(self._clock()),
                heartbeat_s=self._settings.heartbeat_s,
                epoch=self._store.epoch,
                backlog={s.value: Backlog(rows=b.rows, oldest=b.oldest_ms // 1000) for s, b in backlog.items()},
                acknowledged={
                    name: lane.newest.acked for name, lane in session.lanes.items() if lane.newest and lane.newest.acked
                },
                refused=self.refused() | {f"{name} not recorded": n for name, n in self._store.unrecorded().items()},
                health=self.health(),
                online=online,
            )

        self._state = state
        await self._renew(now)
        self._say(self._life(state(online=True), now + heartbeat.expires_s(self._settings.heartbeat_s)))
        if self._subscription_refused and self._client is not None:
            self._client.subscribe(self._subscribed)

    async def _renew(self, now: float) -> None:
        """Asks for the next certificate, when its time has come."""
        ask = await self._own.wanted(now, self._reported.seal if self._reported is not None else "")
        if ask is not None:
            expires_at = now + self._settings.heartbeat_s
            self._say(Outgoing(Kind.ASK, self.topics.csr, msgspec.json.encode(ask), expires_at))

    async def _on_certificate(self, gift: CertificateGift) -> None:
        await self._own.given(gift, time.monotonic())
        self._wake.set()

    def _life(self, payload: bytes, expires_at: float) -> Outgoing:
        message = Outgoing(Kind.STATE, self.topics.state, payload, expires_at, self._retain)
        if self._session.is_too_large(message):
            message = message._replace(payload=heartbeat.short(payload))
        return message

    def refused(self) -> dict[str, int]:
        """For each stream or kind of message how many messages the broker has refused since the start."""
        found = {name[8:]: count for name, count in self._session.counters.items() if name.startswith("refused ")}
        for name, lane in self._session.lanes.items():
            if lane.quarantined:
                found[f"{name} set aside"] = lane.quarantined
        return found

    def health(self) -> dict[str, str]:
        """What is wrong with the way to the cloud, part by part; `sync` is always there."""
        found = {"sync": self.why or "ok"}
        for name, why in self._session.refused.items():
            found[f"sync {name}"] = why
        if self._backoff.has_double:
            found["sync name"] = "another box connects with this box's name"
        elif self._backoff.is_unsteady:
            found["sync connection"] = "ends as soon as it begins: a bad line, or another box with this box's name"
        if self._throttle.is_flooded(time.monotonic()):
            found["sync flood"] = "the broker sends more than this box cares to read"
        if self._subscription_refused:
            found["sync subscription"] = "the broker does not let this box listen"
        if self._own.why:
            found["sync renewal"] = self._own.why
        for name, expires in zip(("client certificate", "broker certificate"), self._expires, strict=True):
            if expires:
                found[name] = _good_for(expires - self._clock())
        return found

    # -- the connection's listener

    def on_puback(self, mid: int, reason: int) -> None:
        """An answer to what we sent."""
        self._session.puback(mid, reason, time.monotonic())
        self._wake.set()

    def on_message(self, message: Incoming) -> None:
        """Something for us."""
        self.inbox.put(message)

    def on_subscribed(self, reasons: list[int]) -> None:
        """Which of our subscriptions the broker grants."""
        self._subscription_refused = any(reason >= 0x80 for reason in reasons)
        self.counters["subscriptions refused"] += self._subscription_refused

    def on_lost(self, reason: int, why: str) -> None:
        """The connection has ended without us."""
        now = time.monotonic()
        if reason == TAKEN_OVER:
            self._backoff.taken_over(now)
            self.counters["taken over"] += 1
        self._session.disconnected(reason, now)
        if self._lost is not None and not self._lost.done():
            self._lost.set_exception(SyncError(why or "connection lost", reason="lost"))
            self._lost.exception()  # who waits for it may just be ending for another reason


def _good_for(seconds: float) -> str:
    """`good for 80 days`, or a word of warning."""
    days = int(seconds // 86_400)
    if seconds <= 0:
        return "expired"
    return f"good for {days} days" if days >= 30 else f"expires in {days} days"
