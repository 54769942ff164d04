"""The engine's end of a scanner's socket: codes in, verdicts out.

Owns: one connection's state (scans that wait for their outcome). Never: decides what a code is worth (the desk does),
and never lets anything slow happen between Scan and Verdict: the till waits for it.

Shape: the desk is asked inside one `data_received`, and acts when the scanner has said that the code did not go to the
till: until then both could still get it. Whatever goes wrong with a code, an exception included, ends in "not mine" at
once, and a counted fault. No code is ever in a log line.
"""

from __future__ import annotations

from typing import Protocol

from edgebox.peer import Peer
from edgebox.scan.frames import (
    Arm,
    Armed,
    Decoder,
    Ends,
    Frame,
    FrameError,
    Hello,
    Lost,
    Outcome,
    Passed,
    Ping,
    Pong,
    Result,
    Scan,
    Verdict,
    encode,
)

PENDING_MAX = 256  # scans between Verdict and Outcome; a scanner has a few


class Desk(Protocol):
    """The engine as a scanner's connection sees it. Nothing here may wait: the work is done in tasks of the desk's."""

    def wants(self, scanner: ScannerSession, scan: Scan) -> bool:
        """True: the code is the engine's, if it is still in time. Nothing is done about it yet."""

    def scanned(self, scanner: ScannerSession, scan: Scan) -> None:
        """The code is the engine's: the till doesn't get it."""

    def missed(self, scanner: ScannerSession, scan: Scan, result: Result) -> None:
        """A code that was wanted: the verdict came too late, or the scanner went before it had said that it had not."""

    def passed(self, scanner: ScannerSession, passed: Passed) -> None:
        """Codes went to the till; only their kind is known."""

    def armed(self, scanner: ScannerSession, armed: Armed) -> None:
        """A mode key was scanned, used, or its time is over."""

    def ends(self, scanner: ScannerSession, ends: Ends) -> None:
        """Scanner or till were plugged in or out."""

    def lost(self, scanner: ScannerSession, lost: Lost) -> None:
        """Codes reached nobody."""

    def fault(self, scanner: str, what: str, error: BaseException | None = None) -> None:
        """Something went wrong: counted, and logged once for each cause. An exception's words may hold a code."""

    def joined(self, scanner: ScannerSession) -> None:
        """The scanner has said who it is."""

    def left(self, scanner: ScannerSession) -> None:
        """The connection is gone."""


class ScannerSession(Peer[Frame, Pong]):
    """One connection of a scanner."""

    def __init__(self, desk: Desk) -> None:
        super().__init__("scanner", Decoder(), FrameError, encode)
        self.hello: Hello | None = None
        self.last_ends: Ends | None = None
        self._desk = desk
        self._wanted: dict[int, Scan] = {}

    # -- asyncio

    def connection_lost(self, exc: Exception | None) -> None:
        """The scanner has gone; what it had not settled went to the till, as far as anybody knows."""
        self._gone()
        wanted, self._wanted = self._wanted, {}
        for scan in wanted.values():
            self._safely("the end", lambda scan: self._desk.missed(self, scan, Result.LATE), scan)
        self._desk.left(self)

    # -- what the engine asks of it

    @property
    def name(self) -> str:
        """The scanner's name; before its Hello, a dash."""
        return self.hello.scanner if self.hello else "-"

    @property
    def session(self) -> str:
        """The process's random name, in hex; with a scan's number it names a scan once and for all."""
        return self.hello.session.hex() if self.hello else ""

    def arm(self, mode: str, for_ms: int = 0) -> None:
        """The page's mode key; no mode: disarm."""
        self._send(Arm(mode, for_ms))

    async def ping(self, nonce: int) -> Pong:
        """Asks whether the scanner is there; its answer holds its counters. CancelledError when it goes."""
        return await self._asked(nonce, Ping(nonce))

    # -- frames

    def _fault(self, what: str, error: BaseException | None = None) -> None:
        self._desk.fault(self.name, what, error)

    def _take(self, frame: Frame) -> None:
        desk = self._desk
        if isinstance(frame, Scan):
            self._scan(frame)
        elif isinstance(frame, Outcome):
            self._outcome(frame)
        elif isinstance(frame, Passed):
            desk.passed(self, frame)
        elif isinstance(frame, Ping):
            self._send(Pong(frame.nonce, ""))
        elif isinstance(frame, Pong):
            self._ponged(frame.nonce, frame)
        else:
            self._take_rare(frame)

    def _take_rare(self, frame: Frame) -> None:
        desk = self._desk
        if isinstance(frame, Armed):
            desk.armed(self, frame)
        elif isinstance(frame, Ends):
            self.last_ends = frame
            desk.ends(self, frame)
        elif isinstance(frame, Lost):
            desk.lost(self, frame)
        elif isinstance(frame, Hello):
            self.hello = frame
            desk.joined(self)
        else:
            desk.fault(self.name, f"{type(frame).__name__} is not for the engine")

    def _scan(self, scan: Scan) -> None:
        wanted = False
        try:
            wanted = len(self._wanted) < PENDING_MAX and self._desk.wants(self, scan)
        finally:
            self._send(Verdict(scan.number, wanted))
        if wanted:
            self._wanted[scan.number] = scan

    def _outcome(self, outcome: Outcome) -> None:
        scan = self._wanted.pop(outcome.number, None)
        if scan is None:
            return
        if outcome.result == Result.KEPT:
            self._desk.scanned(self, scan)
        else:
            self._desk.missed(self, scan, Result(outcome.result))
