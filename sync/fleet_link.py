"""An operator's connection to the broker: hears all boxes of one merchant, and speaks to some.

Owns: connecting again, what is subscribed, how many messages are on their way at once. Never: decides what to say, or
believes what it hears: a broker can forge any box's words, which is why commands are signed and rows are counted
elsewhere.

Its session ends with it: an operator who was away wants to know how things are, not what they were.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from edgebox.errors import SyncError
from sync import address, credentials
from sync.arrivals import Incoming
from sync.backoff import Backoff
from sync.client import Client, Hello
from sync.fleet_topics import FleetTopics, Place
from sync.session.verdicts import words as reason_words

KEEPALIVE_S = 30
WINDOW_MAX = 64  # messages on their way, as a box's
PUBACK_S = 20.0  # a broker that takes longer has lost it
SUBACK_S = 20.0
FILTERS_AT_ONCE = 8  # AWS IoT takes so many in one SUBSCRIBE
BACKOFF_MAX_S = 15.0  # somebody is waiting in front of it
NOBODY = 0x10  # MQTT 5: no matching subscribers


class Broker(NamedTuple):
    """Where and as whom. `credentials`: a folder as a box has it. `client` "": a name of its own each time."""

    url: str
    tenant: str
    topics: str
    user: str = ""
    credentials: Path = Path("credentials")
    client: str = ""


class Heard(NamedTuple):
    """A message of a box."""

    place: Place
    rest: str
    payload: bytes
    kept: bool


class FleetLink:
    """`async with FleetLink(broker) as link`. SyncError at the beginning; later losses are mended."""

    def __init__(self, broker: Broker, on_heard: Callable[[Heard], None]) -> None:
        self.topics = FleetTopics(broker.topics, broker.tenant)
        self.losses = 0
        self.why = ""  # not connected, and why
        self._broker = broker
        self._address = address.parse(broker.url)
        self._client_id = broker.client or f"fleet-{secrets.token_hex(6)}"
        self._on_heard = on_heard
        self._filters: list[str] = []
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._window = asyncio.Semaphore(WINDOW_MAX)
        self._out: dict[int, asyncio.Future[int]] = {}
        self._subacks: deque[asyncio.Future[list[int]]] = deque()
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._connect()
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._client is not None:
            await self._client.close()

    # -- listening

    async def listen(self, filters: Sequence[str]) -> None:
        """Hears these from now on, also after a lost connection. SyncError `refused`: the broker won't let us."""
        new = [topic for topic in dict.fromkeys(filters) if topic not in self._filters]
        self._filters += new
        await self._up.wait()
        await self._subscribe(new)

    async def changes(self, every_s: float, until_s: float) -> AsyncIterator[float]:
        """Comes back with the time left whenever something was heard, and at least every `every_s`; until it is up."""
        end = time.monotonic() + until_s
        while (left := end - time.monotonic()) > 0:
            yield left
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(every_s, left)):
                    await self._changed.wait()

    # -- speaking

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        """Sends it, again after a lost connection; the broker's reason code. SyncError: it can't be had.

        Everything that is sent here may come twice: commands have ids, bundles revisions.
        """
        async with self._window:
            for _ in range(3):
                await self._up.wait()
                client = self._client
                mid = client.publish(topic, payload, retain=retain, expiry_s=expiry_s) if client else None
                if mid is None:
                    await asyncio.sleep(0)
                    continue
                answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._out[mid] = answer
                try:
                    async with asyncio.timeout(PUBACK_S):
                        return await answer
                except TimeoutError:
                    continue
                except ConnectionError:
                    continue
                finally:
                    self._out.pop(mid, None)
        raise SyncError("the broker does not take it", reason="unreachable")

    # -- the connection

    async def _connect(self) -> None:
        broker = self._broker
        found = await asyncio.to_thread(credentials.load, broker.credentials, tls=self._address.tls)
        hello = Hello(self._client_id, broker.user, KEEPALIVE_S, 0, None)
        self._lost.clear()
        client = Client(hello, self._address, found, self)
        welcome = await client.connect()
        self._client = client
        self._window = asyncio.Semaphore(max(1, min(WINDOW_MAX, welcome.receive_maximum)))
        self.why = ""
        self._up.set()

    async def _keep(self) -> None:
        backoff = Backoff(BACKOFF_MAX_S, random.Random())
        since = time.monotonic()
        while True:
            await self._lost.wait()
            backoff.lived(time.monotonic() - since, time.monotonic())
            await asyncio.sleep(backoff.next_s())
            since = time.monotonic()
            try:
                await self._connect()
                await self._subscribe(self._filters)
            except SyncError as fault:
                await self._hang_up(str(fault))

    async def _hang_up(self, why: str) -> None:
        """As if the connection had been lost."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        self.on_lost(0, why)

    async def _subscribe(self, filters: Sequence[str]) -> None:
        for first in range(0, len(filters), FILTERS_AT_ONCE):
            some = filters[first : first + FILTERS_AT_ONCE]
            answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
            self._subacks.append(answer)
            if self._client is None:
                return  # all are subscribed with the next connection
            self._client.subscribe(some)
            try:
                async with asyncio.timeout(SUBACK_S):
                    reasons = await answer
            except ConnectionError:
                return
            except TimeoutError as fault:
                raise SyncError("the broker does not let us listen", reason="unreachable") from fault
            for topic, reason in zip(some, reasons, strict=False):
                if reason >= 0x80:
                    words = f"the broker does not let us hear {topic}: {reason_words(reason)}"
                    raise SyncError(words, reason="refused", hint="the broker's rules for this user")

    # -- the connection's listener

    def on_puback(self, mid: int, reason: int) -> None:
        """An answer to what we sent."""
        answer = self._out.get(mid)
        if answer is not None and not answer.done():
            answer.set_result(reason)

    def on_message(self, message: Incoming) -> None:
        """Something was said. Nothing is kept: who listens later asks again."""
        if self._client is not None:
            self._client.taken(message)
        found = self.topics.read(message.topic)
        if found is not None:
            self._on_heard(Heard(*found, message.payload, message.kept))
            self._changed.set()

    def on_subscribed(self, reasons: list[int]) -> None:
        """In the order of the asking."""
        if self._subacks and not self._subacks[0].done():
            self._subacks.popleft().set_result(reasons)

    def on_lost(self, reason: int, why: str) -> None:
        """It is mended by `_keep`; who waits for an answer is told."""
        self.losses += 1
        self.why = why or reason_words(reason)
        self._client = None
        self._up.clear()
        fault = ConnectionError(self.why)
        for puback in self._out.values():
            if not puback.done():
                puback.set_exception(fault)
        for suback in self._subacks:
            if not suback.done():
                suback.set_exception(fault)
        self._subacks.clear()
        self._lost.set()
