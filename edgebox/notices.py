"""What the engine records besides receipts: health, audit, proof of print. Nobody waits for it, nothing may get lost.

Owns: the queues, the attempts, and the states of parts as they change. Never: in the way of a receipt, and never more
than NOTICES_MAX in memory: with a full disk the oldest is given up, counted and said. Proofs of print wait in a queue
of their own: while room is short the store takes them and refuses the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from edgebox.errors import StoreError
from edgebox.escpos.status import PrinterStatus
from edgebox.line.frames import Status
from edgebox.store.events import ClaimRecord, Event, HealthRecord
from edgebox.store.store import Store

NOTICES_MAX = 256  # some hours of a box with a full disk and a printer that comes and goes
RETRY_S = 1.0  # as for receipts
SETTLE_S = 5.0  # a part's state is recorded at once, and its next one so much later: a loose cable flaps
PARTS_MAX = 64  # far more than a box has


_FAILED = PrinterStatus.OFFLINE | PrinterStatus.COVER_OPEN | PrinterStatus.PAPER_END | PrinterStatus.ERROR
_WORDS = {
    PrinterStatus.COVER_OPEN: "cover open",
    PrinterStatus.PAPER_END: "no paper",
    PrinterStatus.CUTTER_ERROR: "cutter jammed",
    PrinterStatus.UNRECOVERABLE: "broken",
    PrinterStatus.AUTO_RECOVERABLE: "too hot",
    PrinterStatus.ERROR: "error",
    PrinterStatus.OFFLINE: "off-line",
    PrinterStatus.PAPER_NEAR_END: "paper nearly at its end",
}


def printer_words(status: Status) -> tuple[str, str]:
    """A printer's state and the words for it, for `Health.note`. Its button and the drawer's level are no change."""
    if not status.connected:
        return "failed", "not there"
    bits, words = PrinterStatus(status.bits), printer_said(status)
    if bits & _FAILED:
        return "failed", words[0]
    return ("warning", words[0]) if words else ("ok", "")


def printer_said(status: Status) -> tuple[str, ...]:
    """All that it says of itself, in the words of `printer_words`."""
    if not status.connected:
        return ("not there",)
    return tuple(word for bit, word in _WORDS.items() if bit & PrinterStatus(status.bits))


class Notices:
    """The queues to one store. `on_fault`: told what can't be recorded."""

    def __init__(self, store: Store, on_fault: Callable[[str], None]) -> None:
        self.given_up = 0
        self._store = store
        self._on_fault = on_fault
        self._claims: deque[Event] = deque()
        self._rest: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._task = asyncio.create_task(self._run())

    def add(self, event: Event) -> None:
        """Records it as soon as possible."""
        if len(self._claims) + len(self._rest) >= NOTICES_MAX:
            (self._rest or self._claims).popleft()
            self.given_up += 1
            self._on_fault("too much waits to be recorded: the oldest news is given up")
        (self._claims if isinstance(event, ClaimRecord) else self._rest).append(event)
        self._empty.clear()
        self._wake.set()

    async def stop(self, within_s: float) -> None:
        """What waits is recorded, or given up after that time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), within_s)
        self.given_up += len(self._claims) + len(self._rest)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._claims or self._rest:
                gone = [await self._record(queue) for queue in (self._claims, self._rest) if queue]
                if not any(gone):
                    await asyncio.sleep(RETRY_S)
            self._empty.set()

    async def _record(self, queue: deque[Event]) -> bool:
        """The queue's first; false: it stays there, until it is recorded or refused for ever."""
        event = queue[0]
        try:
            await self._store.record(event)
        except StoreError as fault:
            self._on_fault(f"not recorded: {fault}")
            if fault.reason != "refused":
                return False
            self.given_up += 1
        if queue and queue[0] is event:
            queue.popleft()
        return True


class Health:
    """The states of the box's parts. A state that doesn't change is not recorded again."""

    def __init__(self, add: Callable[[Event], None], clock: Callable[[], float]) -> None:
        self._add = add
        self._clock = clock
        self._recorded: dict[str, tuple[str, str]] = {}
        self._waiting: dict[str, tuple[str, str]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.on_change: Callable[[], None] | None = None  # told when a state is on its way to the disk

    def note(self, part: str, state: str, words: str = "") -> None:
        """`state`: ok, warning or failed. Recorded now; if the part's last change was just now, a little later."""
        if part not in self._recorded and len(self._recorded) >= PARTS_MAX:
            return
        if part in self._timers:
            self._waiting[part] = state, words
        elif self._recorded.get(part) != (state, words):
            self._record(part, state, words)

    def over(self, part: str) -> None:
        """What was wrong with the part, if anything was, is over."""
        if part in self._recorded:
            self.note(part, "ok")

    def states(self) -> dict[str, str]:
        """The newest state of each part."""
        newest = {**self._recorded, **self._waiting}
        return {part: state for part, (state, _) in newest.items()}

    def stop(self) -> None:
        """Records what waits for its time."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for part, (state, words) in self._waiting.items():
            if self._recorded.get(part) != (state, words):
                self._add(HealthRecord(at=int(self._clock()), part=part, state=state, words=words))
        self._waiting.clear()

    def _record(self, part: str, state: str, words: str) -> None:
        self._recorded[part] = state, words
        self._add(HealthRecord(at=int(self._clock()), part=part, state=state, words=words))
        self._timers[part] = asyncio.get_running_loop().call_later(SETTLE_S, self._settle, part)
        if self.on_change is not None:
            self.on_change()

    def _settle(self, part: str) -> None:
        del self._timers[part]
        waiting = self._waiting.pop(part, None)
        if waiting is not None and waiting != self._recorded[part]:
            self._record(part, *waiting)
