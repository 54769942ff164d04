"""Between store, session and connection: rows out, acknowledgements in.

Owns: reading the rows that the session wants, telling it how far the streams go, writing down what the cloud has.
Never: decides what goes next (session), and never keeps a row that is not on its way.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from edgebox.errors import StoreError, SyncError
from edgebox.store.events import Stream
from edgebox.store.store import Store
from sync.client import Client
from sync.contract import Ack
from sync.session.outgoing import NEVER, Outgoing
from sync.session.shelf import Ready
from sync.session.window import Read, Session
from sync.topics import Topics

ACK_EVERY_S = 1.0  # acknowledgements are written together: each is a write to a card that wears out


class Pump:
    """`trouble`: told of faults of the disk. `wake`: to be set when something may go out."""

    def __init__(
        self,
        store: Store,
        session: Session,
        topics: Topics,
        wake: asyncio.Event,
        *,
        trouble: Callable[[StoreError], None],
        by_broker: bool,
        ack_every_s: float = ACK_EVERY_S,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._store = store
        self._session = session
        self._topics = topics
        self._wake = wake
        self._trouble = trouble
        self._by_broker = by_broker
        self._ack_every_s = ack_every_s
        self._marks: dict[tuple[str, str], int] = {}  # through which row the store is to be marked
        self._ends: dict[tuple[str, str], int] = {}  # as the session knows them
        self._grown = True

    # -- rows out

    def committed(self, streams: frozenset[Stream]) -> None:
        """From the store, on the loop: there are more rows."""
        self._grown = self._grown or bool(streams)
        self._wake.set()

    async def look(self) -> None:
        """How far the streams go now."""
        self._grown = False
        for extent in await self._store.extents():
            key = (extent.stream.value, extent.epoch)
            lane = self._session.lanes[key[0]]
            if key not in self._ends:
                lane.begin(extent.epoch, extent.acknowledged, extent.end)
            elif self._ends[key] != extent.end:
                lane.grown(extent.epoch, extent.end)
            self._ends[key] = extent.end

    async def ask(self, stream: str, epoch: str, first: int, last: int) -> bool:
        """Rows that the cloud wants once more; False: there are none such, or too many ranges at once."""
        lane = self._session.lanes[stream]
        if lane.ask(epoch, first, last):
            return True
        try:
            found = await self._store.rows(Stream(stream), (epoch, first - 1), limit_rows=1, limit_bytes=1)
        except StoreError:
            return False
        if (stream, epoch) in self._ends or not found or found[0].epoch != epoch:
            return False
        lane.begin(epoch, last, last)  # an epoch that the cloud has all of, so the session knew nothing of it
        return lane.ask(epoch, first, last)

    async def send(self, client: Client) -> None:
        """All that may go out now. StoreError, SyncError."""
        while True:
            if self._grown:
                await self.look()
            now = time.monotonic()
            step = self._session.next(now)
            if step is None:
                return
            if isinstance(step, Read):
                await self._read(step)
            elif isinstance(step, Ready):
                mid = client.publish(self._topics.up(step.piece.stream), step.payload)
                self._session.sent(_sent(mid), step.piece)
            else:
                self._send_other(client, step, now)

    async def _read(self, read: Read) -> None:
        after = (read.gap.epoch, read.gap.first - 1)
        rows = await self._store.rows(Stream(read.stream), after, limit_rows=read.rows_max, limit_bytes=read.bytes_max)
        self._session.cut(read, rows, time.monotonic())

    def _send_other(self, client: Client, message: Outgoing, now: float) -> None:
        mid = client.publish(
            message.topic,
            message.payload,
            retain=message.retain,
            expiry_s=None if message.expires_at == NEVER else int(message.expires_at - now) + 1,
            response_topic=message.response_topic,
            correlation=message.correlation,
        )
        self._session.sent_other(_sent(mid), message)

    # -- acknowledgements in

    def on_ack(self, ack: Ack) -> None:
        """From the cloud, or whoever says so."""
        through = self._session.ack(ack, time.monotonic())
        if through:
            key = (ack.stream, ack.epoch)
            self._marks[key] = max(through, self._marks.get(key, 0))
        self._wake.set()

    async def mark(self) -> None:
        """Writes down what the cloud has, now and then, for ever."""
        while True:
            await asyncio.sleep(self._ack_every_s)
            await self.mark_now()

    async def mark_now(self) -> None:
        """Writes down what the cloud has, or with `ack = "broker"` what the broker has."""
        if self._by_broker:
            for lane in self._session.lanes.values():
                for epoch, through in lane.through_broker():
                    self._marks[lane.stream, epoch] = through
        marks, self._marks = self._marks, {}
        for (stream, epoch), through in marks.items():
            await self._mark(stream, epoch, through)

    async def _mark(self, stream: str, epoch: str, through: int) -> None:
        try:
            await self._store.acknowledge(Stream(stream), epoch, through)
        except StoreError as fault:
            self.counters[f"ack {fault.reason}"] += 1
            if fault.reason not in ("ack", "epoch"):  # the disk: the cloud may not say it again
                self._marks.setdefault((stream, epoch), through)
                self._trouble(fault)
            return
        self._session.lanes[stream].acknowledged(epoch, through, time.monotonic())
        self._wake.set()


def _sent(mid: int | None) -> int:
    if mid is None:
        raise SyncError("connection lost", reason="lost")
    return mid
