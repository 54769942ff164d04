"""A bug of ours must not stop a scan.

Owns: what happens when the scanner's own code fails over a code: all that waits goes to the till in its order, and the
next code is tried anew. Never: hides the bug: it is counted, and said with its place. Never says its words either: they
may hold the code. Shape: ScanCore with a guard around everything that the relay calls.
"""

from __future__ import annotations

from collections.abc import Callable

from edgebox.scan.core import ScanCore
from edgebox.scan.frames import Frame
from edgebox.scan.settings import ScannerSettings


class GuardedScan(ScanCore):
    """A ScanCore that forwards what it fails over. `on_fault` hears what it was and where."""

    def __init__(self, settings: ScannerSettings, session: bytes) -> None:
        super().__init__(settings, session)
        self.on_fault: Callable[[str], None] = lambda text: None

    def heard(self, data: bytes, now: float) -> None:
        self._guard(lambda: super(GuardedScan, self).heard(data, now), now)

    def heard_code(self, data: bytes, symbology: str, now: float) -> None:
        self._guard(lambda: super(GuardedScan, self).heard_code(data, symbology, now), now)

    def tick(self, now: float) -> None:
        self._guard(lambda: super(GuardedScan, self).tick(now), now)

    def frame(self, frame: Frame, now: float) -> None:
        self._guard(lambda: super(GuardedScan, self).frame(frame, now), now)

    def engine_lost(self, now: float) -> None:
        self._guard(lambda: super(GuardedScan, self).engine_lost(now), now)

    def _guard(self, call: Callable[[], None], now: float) -> None:
        try:
            call()
        except Exception as fault:  # whatever it is
            self._fall_back(now)
            self.counters["faults"] += 1
            self.on_fault(f"a bug: {type(fault).__name__} at {_place(fault)}; what waited went to the till")

    def _fall_back(self, now: float) -> None:
        """In the order they came: codes behind a question, codes that are complete, the one under way."""
        for waiting in self._queue:
            if not waiting.settled or not waiting.keep:
                self.outbox.push(waiting.raw, True, now)
        self._queue.clear()
        for cut in self._cuts:
            self.outbox.push(cut.raw[cut.gone :], True, now)
        self._cuts.clear()
        begun = self._cutter.end()
        if begun is not None:
            self.outbox.push(begun.raw[begun.gone :], True, now)
        self._armed = None


def _place(fault: BaseException) -> str:
    """Module and line of the innermost call. The traceback module would cost 1 MB."""
    at = fault.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else "nowhere"
