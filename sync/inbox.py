"""What the cloud sends down: read as hostile, handed to whom it is for, answered in order.

Owns: the bounds of what comes in, questions that wait for their answer. Never: believes a sender (commands carry
signatures, sync/commands.py checks them), and never does a command's work.

Messages are dealt with one after the other, as MQTT wants its PUBACKs, and each is acknowledged only then: a box that
loses its power before a command was written down gets it again.

Debian's mosquitto (2.0.11) sends a whole window more for each PUBACK, so more wait here than we said we would take.
What is beyond all bounds is dropped without an answer, and the connection ends when the rest is dealt with: a broker
sends again what was not answered, but only to a new connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from edgebox.errors import SyncError
from sync.arrivals import Incoming
from sync.contract import MESSAGE_BYTES, Ack, Answer, CertificateGift, Envelope
from sync.topics import Topics

log = logging.getLogger("edgebox.sync")

HANDLER_S = 10.0  # a handler writes the command down and returns; a card that is dying takes seconds for it
WAITING_MAX = 1024  # messages; mosquitto keeps 1000 for a box that is away
WAITING_BYTES = 4 << 20  # of them: 16 of the largest
ASKS_MAX = 64  # questions at once: more than a counter has scanners

_acks = msgspec.json.Decoder(Ack)
_envelopes = msgspec.json.Decoder(Envelope)
_answers = msgspec.json.Decoder(Answer)
_gifts = msgspec.json.Decoder(CertificateGift)
_M = TypeVar("_M", Ack, Envelope, Answer, CertificateGift)
Opens = Callable[[Envelope], bytes | None]
"""What is in an answer to one question; None: it is no answer to it."""


class Handlers(Protocol):
    """Who deals with commands and bundles; they return when it is on the disk. What they raise is counted."""

    async def command(self, raw: bytes, response_topic: str | None, correlation: bytes | None) -> None: ...
    async def desired(self, raw: bytes) -> None: ...


class _Waiting(NamedTuple):
    """Who asked."""

    opens: Opens
    future: asyncio.Future[Answer]


class Inbox:
    """Messages from the broker, in order. `on_ack`: told each Ack that can be read."""

    def __init__(self, topics: Topics, handlers: Handlers | None, on_ack: Callable[[Ack], None]) -> None:
        self.counters: Counter[str] = Counter()
        self.handlers = handlers
        self.on_certificate: Callable[[CertificateGift], Awaitable[None]] | None = None
        self._topics = topics
        self._on_ack = on_ack
        self._waiting: deque[Incoming] = deque()
        self._bytes = 0
        self._comes_again = False
        self._asked: dict[str, list[_Waiting]] = {}
        self._came = asyncio.Event()

    def put(self, message: Incoming) -> None:
        """From the connection."""
        if len(self._waiting) >= WAITING_MAX or self._bytes + len(message.payload) > WAITING_BYTES:
            self.counters["too many"] += 1
            self._comes_again = self._comes_again or message.mid > 0
            return
        if len(message.payload) > MESSAGE_BYTES:
            self.counters["too large"] += 1
            message = message._replace(payload=b"", topic="")
        self._waiting.append(message)
        self._bytes += len(message.payload)
        self._came.set()

    def clear(self) -> None:
        """The connection is gone: what was not answered comes again."""
        self._waiting.clear()
        self._bytes = 0
        self._comes_again = False

    async def serve(self, taken: Callable[[Incoming], None]) -> None:
        """Deals with them, for ever, and tells `taken` of each. SyncError: some have to come again."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                message = self._waiting.popleft()
                self._bytes -= len(message.payload)
                await self._handle(message)
                taken(message)
                await asyncio.sleep(0)  # a receipt may be waiting
            if self._comes_again:
                raise SyncError("more messages came at once than could be kept; they come again", reason="lost")

    async def _handle(self, message: Incoming) -> None:
        topics = self._topics
        if message.topic == topics.ack:
            if (ack := self._read(_acks, message.payload)) is not None:
                self._on_ack(ack)
        elif message.topic == topics.answer:
            if (envelope := self._read(_envelopes, message.payload)) is not None:
                self._answered(envelope)
        elif message.topic == topics.certificate and self.on_certificate is not None:
            if (gift := self._read(_gifts, message.payload)) is not None:
                await self.on_certificate(gift)
        elif message.topic in (topics.cmd, topics.desired):
            await self._hand_over(message)
        else:
            self.counters["unknown topic"] += 1

    def _read(self, decoder: msgspec.json.Decoder[_M], payload: bytes) -> _M | None:
        try:
            return decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.counters["unreadable"] += 1
            return None

    async def _hand_over(self, message: Incoming) -> None:
        if self.handlers is None:
            self.counters["nobody for it"] += 1
            return
        try:
            async with asyncio.timeout(HANDLER_S):
                if message.topic == self._topics.cmd:
                    await self.handlers.command(message.payload, message.response_topic, message.correlation)
                else:
                    await self.handlers.desired(message.payload)
        except Exception as fault:  # a bug in a handler must not stop the rows
            self.counters["handler failed"] += 1
            log.exception("sync: a message on %s was not dealt with: %s", message.topic, type(fault).__name__)

    # -- questions

    def expect(self, name: str, opens: Opens) -> asyncio.Future[Answer] | None:
        """Comes with the answer to the question of that id; None: too many questions wait."""
        if sum(map(len, self._asked.values())) >= ASKS_MAX:
            return None
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(name, []).append(_Waiting(opens, future))
        return future

    def give_up(self, name: str, future: asyncio.Future[Answer]) -> None:
        """Nobody waits for it any more; an answer that comes now is late."""
        waiting = [one for one in self._asked.pop(name, []) if one.future is not future]
        if waiting:
            self._asked[name] = waiting

    def _answered(self, envelope: Envelope) -> None:
        """Whoever waits for this very answer gets it. A forged one ends nobody's waiting."""
        waiting = self._asked.get(envelope.id, [])
        if not waiting:
            self.counters["late answers"] += 1
            return
        fits = False
        for one in waiting:
            text = one.opens(envelope)
            answer = self._read(_answers, text) if text is not None else None
            if answer is not None:
                fits = True
                if not one.future.done():
                    one.future.set_result(answer)
        self.counters["answers" if fits else "answers that fit no question"] += 1
