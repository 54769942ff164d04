"""A scanner's core on a bench with injected time: scanner, till and engine are lists of bytes and frames.

`Counter` does what the relay does, no more. `wants(scan)` is asked for each Scan: True keeps, False forwards, None:
the engine stays silent.
"""

from __future__ import annotations

from collections.abc import Callable

from edgebox.scan.core import ScanCore
from edgebox.scan.frames import Decoder, Frame, Lost, Outcome, Passed, Ping, Pong, Result, Scan, Verdict
from edgebox.scan.guard import GuardedScan
from edgebox.scan.settings import ScannerSettings

COUPON = "CPN:7F3K-22"


class Counter:
    def __init__(
        self,
        wants: Callable[[Scan], bool | None] = lambda scan: True,
        engine: bool = True,
        takes: Callable[[int], int] = lambda size: size,
        **settings: object,
    ) -> None:
        settings = {"coupons": ("CPN:",), "members": ("VIP:",), **settings}
        self.core: ScanCore = GuardedScan(ScannerSettings()._replace(**settings), b"session1")  # type: ignore[arg-type]
        self.now = 100.0
        self.till = bytearray()
        self.frames: list[Frame] = []
        self.faults: list[str] = []
        self.wants = wants
        self.takes = takes
        self.hears = True  # False: the engine reads and does nothing
        self._decoder = Decoder()
        assert isinstance(self.core, GuardedScan)
        self.core.on_fault = self.faults.append
        if engine:
            self.core.engine_connected()
        self.turn()

    def scans(self, *chunks: bytes | str) -> Counter:
        for chunk in chunks:
            self.core.heard(chunk.encode() if isinstance(chunk, str) else chunk, self.now)
            self.turn()
        return self

    def scans_whole(self, data: bytes, symbology: str = "") -> Counter:
        self.core.heard_code(data, symbology, self.now)
        self.turn()
        return self

    def says(self, frame: Frame) -> Counter:
        self.core.frame(frame, self.now)
        self.turn()
        return self

    def wait(self, seconds: float) -> Counter:
        """Time passes; every deadline on the way is kept."""
        until = self.now + seconds
        while (deadline := self.core.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.turn()
        self.now = until
        self.turn()
        return self

    def turn(self) -> None:
        self.core.tick(self.now)
        self._write()
        while raw := self.core.pull():
            for frame in self._decoder.feed(raw):
                self.frames.append(frame)
                self._answer(frame)
        self._write()

    def _answer(self, frame: Frame) -> None:
        if not self.hears:
            return
        if isinstance(frame, Scan):
            wanted = self.wants(frame)
            if wanted is not None:
                self.core.frame(Verdict(frame.number, wanted), self.now)
        elif isinstance(frame, Ping):
            self.core.frame(Pong(frame.nonce, ""), self.now)

    def _write(self) -> None:
        outbox = self.core.outbox
        while outbox.size:
            data = outbox.peek()
            taken = self.takes(len(data))
            if not taken:
                return
            self.till += data[:taken]
            outbox.taken(taken, self.now)

    # -- what was seen

    @property
    def scanned(self) -> list[Scan]:
        return [frame for frame in self.frames if isinstance(frame, Scan)]

    @property
    def results(self) -> list[Result]:
        return [Result(frame.result) for frame in self.frames if isinstance(frame, Outcome)]

    @property
    def passed(self) -> list[tuple[str, int]]:
        return [(frame.kind, frame.codes) for frame in self.frames if isinstance(frame, Passed)]

    @property
    def lost(self) -> int:
        return sum(frame.codes for frame in self.frames if isinstance(frame, Lost))
