"""Carries a rollout out: publishes what `rollout.py` says, tells it what the boxes say, and keeps its file.

Owns: the subscriptions that a rollout needs, what a receipt counts as, the file. Never: decides to go on or to stop.

A wave is written down before it is published, so that a tool that dies in the middle publishes it again and not
something else. Bundles are not retained: a box that was away when its wave began is named at the end, and gets the
revision from a rollout of its own, watched like any other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edgebox.errors import SyncError
from edgebox.store.events import ReceiptRecord
from sync.contract import Batch
from sync.fleet_book import Book, Known
from sync.fleet_link import NOBODY, WINDOW_MAX, FleetLink, Heard
from sync.fleet_topics import Place
from sync.rollout import Publish, Rollout, Saved, Seen
from sync.session.verdicts import words as reason_words

EVERY_S = 0.25  # how often it looks whether to go on
ONE_BY_ONE = 200  # boxes that are subscribed by name; with more, everybody's messages are heard
_batches = msgspec.json.Decoder(Batch)
_receipts = msgspec.json.Decoder(ReceiptRecord)
_saved = msgspec.json.Decoder(Saved)

Sign = Callable[[Place, int], bytes]
"""(box, activate_at) → the signed bundle for it."""


class Runner:
    """One rollout on one connection. `heard` is to be called with what the link hears."""

    def __init__(
        self, rollout: Rollout, book: Book, sign: Sign, file: Path, now: Callable[[], float], told: Callable[[], None]
    ) -> None:
        self.rollout = rollout
        self._book = book
        self._sign = sign
        self._file = file
        self._now = now
        self._told = told
        self._written = b""

    def heard(self, heard: Heard, known: Known | None) -> None:
        """A message of a box, and what is known of the box then."""
        name = name_of(heard.place)
        if known is not None:
            self.rollout.heard(name, known)
        elif heard.rest == "up/receipts":
            for at, seen in receipts_in(heard.payload):
                self.rollout.receipt(name, seen, at)

    async def run(self, link: FleetLink) -> None:
        """Until it is done or stopped. SyncError, OSError from its file; then it can be taken up again."""
        await link.listen(self._filters(link, self._all(), ("state", "reported")))
        again = self.rollout.again()
        if again is not None:
            await self._publish(link, again)
        while not self.rollout.is_over:
            step = self.rollout.next(int(self._now()), self._look)
            self.keep()
            self._told()
            if step is not None:
                await link.listen(self._filters(link, self._watched(), ("up/receipts",)))
                await self._publish(link, step)
                continue
            await asyncio.sleep(EVERY_S)
        self.keep()
        self._told()

    def keep(self) -> None:
        """Writes the file, if anything has changed."""
        new = msgspec.json.format(msgspec.json.encode(self.rollout.saved), indent=1)
        if new != self._written:
            write(self._file, new)
            self._written = new

    # -- inside

    async def _publish(self, link: FleetLink, step: Publish) -> None:
        queue = iter(step.boxes)

        async def work() -> None:
            for name in queue:
                place = place_of(name)
                reason = await link.publish(link.topics.one(place, "desired"), self._sign(place, step.activate_at))
                if reason == NOBODY:
                    self.rollout.not_taken(name, "the broker knows no such box")
                elif reason >= 0x80:
                    self.rollout.not_taken(name, f"the broker refuses: {reason_words(reason)}")
                self._told()

        async with asyncio.TaskGroup() as group:
            for _ in range(min(WINDOW_MAX, len(step.boxes))):
                group.create_task(work())

    def _all(self) -> list[str]:
        return [name for wave in self.rollout.plan.waves for name in wave]

    def _watched(self) -> list[str]:
        """This wave, and the next one to compare it with."""
        saved = self.rollout.saved
        return [name for wave in self.rollout.plan.waves[saved.wave : saved.wave + 2] for name in wave]

    def _filters(self, link: FleetLink, names: Sequence[str], rests: Sequence[str]) -> list[str]:
        if len(names) > ONE_BY_ONE:
            return [link.topics.everybody(rest) for rest in rests]
        return [link.topics.one(place_of(name), rest) for rest in rests for name in names]

    def _look(self, name: str) -> Known | None:
        return self._book.boxes.get(place_of(name))


def receipts_in(payload: bytes) -> list[tuple[int, Seen]]:
    """The receipts of a batch and when they were recorded; rows that can't be read count for nothing."""
    try:
        batch = _batches.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    found = []
    for row in batch.rows:
        try:
            receipt = _receipts.decode(row.event)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        found.append((row.at_ms // 1000, seen_of(receipt)))
    return found


def seen_of(receipt: ReceiptRecord) -> Seen:
    """Abstained: the box could not make out what it is, or how much. Missed: a slip was asked for and came too late."""
    unsure = receipt.kind == "other" or (receipt.kind == "sale" and receipt.confidence == "low")
    return Seen(unsure, receipt.result in ("late", "refused"))


def name_of(place: Place) -> str:
    """STORE/BOX, or BOX without stores."""
    return f"{place.store}/{place.box}" if place.store else place.box


def place_of(name: str) -> Place:
    """From STORE/BOX or BOX."""
    store, _, box = name.rpartition("/")
    return Place(store, box)


def write(path: Path, data: bytes) -> None:
    """Whole or not at all, its owner's alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(path.name + ".part")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)


def read(path: Path) -> Saved:
    """A rollout's file. SyncError `rollout`."""
    try:
        return _saved.decode(path.read_bytes())
    except OSError as fault:
        raise SyncError(f"{path}: {fault.strerror}", reason="rollout") from fault
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise SyncError(f"{path}: {fault}", reason="rollout") from fault
