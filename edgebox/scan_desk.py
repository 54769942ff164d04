"""Where codes that a scanner keeps for us arrive: who takes which kind, and what was said to the last ones.

Owns: the scanners' socket, which kinds somebody can take now, the work under way, and the last scans for the page.
Never: judges a code (the coupon desk and the handlers do), holds up a till, or shows a code: not in a log, not on the
page, and on disk as a keyed hash only.

`wants` promises, `scanned` acts: only there has the till not got the code. A kind that nobody takes goes to the till.
The work is done in tasks of its own, WORK_MAX at once; beyond that the till gets the code, and is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from edgebox.desk import codes
from edgebox.desk.answers import Answer, Beep
from edgebox.desk.desk import Desk
from edgebox.desk.said import Handler, Said, Scanned
from edgebox.errors import StoreError
from edgebox.notices import Health
from edgebox.scan.codes import Kind
from edgebox.scan.frames import Armed, Ends, Lost, Passed, Result, Scan
from edgebox.scanners import ScannerSession
from edgebox.settings import Config
from edgebox.sockets import Doorway
from edgebox.store.events import ReceiptRecord, ScanRecord
from edgebox.store.store import Store

log = logging.getLogger("edgebox")

WORK_MAX = 32  # codes at once; a cashier has one in hand, and a cloud's answer takes 2 s at most
WORK_S = 30.0  # of one code; the desk's own waits end long before
LAST_MAX = 100  # scans that the page shows: a shift's coupons
LISTENERS_MAX = 64  # pages that watch; more see the last scans when they ask
CASHIERS_MAX = 64  # lines whose cashier is remembered; more than any shop has
STOP_S = 5.0  # for work under way at the end: a cloud's answer and a commit
COUPONS = (Kind.COUPON, Kind.COMEBACK, Kind.CLAIM)


class Seen(NamedTuple):
    """A scan, for the page. `answer`: an Answer's word, or `late`, `refused`: the desk had no hand in it."""

    at: int
    scanner: str
    kind: str
    answer: str
    line: str = ""
    number: int = 0
    detail: str = ""


class Host(Protocol):
    """The engine."""

    config: Config
    desk: Desk
    health: Health
    clock: Callable[[], float]

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Counted and logged."""


class ScanDesk:
    """A part of the engine, and the desk of its scanners. `on_said`: how an answer sounds and looks."""

    def __init__(self, host: Host) -> None:
        self.handlers: dict[Kind, Handler] = {}
        self.scanners: dict[str, ScannerSession] = {}  # connected, by name
        self.armed_for: dict[str, str] = {}  # scanner → the kind that its mode key waits for
        self.last_scans: deque[Seen] = deque(maxlen=LAST_MAX)  # the newest last
        self.counters: Counter[str] = Counter()
        self.on_said: Callable[[Beep, str], None] = lambda beep, line: None
        self._host = host
        self._lines = {row.name: row.line for row in host.config.scanner}
        self._cashiers: dict[str, str] = {}
        self._listeners: list[Callable[[Seen], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._promised = 0
        self._sessions: set[ScannerSession] = set()
        self._store: Store | None = None
        self._doorway: Doorway | None = None

    # -- life

    async def open(self, store: Store) -> None:
        """Listens. ConfigError `bad_socket`: then all codes go to the tills."""
        self._store = store
        engine = self._host.config.engine
        if engine.scan_socket:
            doorway = Doorway(Path(engine.scan_socket), group=engine.group, setting="[engine] scan_socket")
            await doorway.open(self._session)
            self._doorway = doorway

    async def look(self) -> None:
        """Nothing grows old here."""

    async def stop(self) -> None:
        """No new code; what is under way ends, or is given up after a while."""
        if self._doorway is not None:
            self._doorway.close()
        for session in list(self._sessions):
            session.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._doorway is not None:
            await self._doorway.closed()

    def _session(self) -> ScannerSession:
        session = ScannerSession(self)
        self._sessions.add(session)
        return session

    # -- who watches, and the page's mode keys

    def subscribe(self, listener: Callable[[Seen], None]) -> Callable[[], None]:
        """Told of each scan from now on; returns how to end that. RuntimeError: LISTENERS_MAX watch already."""
        if len(self._listeners) >= LISTENERS_MAX:
            raise RuntimeError("too many watch the scans")
        self._listeners.append(listener)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def arm(self, scanner: str, mode: str, for_ms: int = 0) -> bool:
        """The page's mode key: the scanner's next code is of that kind; "": no longer. False: no such scanner."""
        session = self.scanners.get(scanner)
        if session is not None:
            session.arm(mode, for_ms)
        return session is not None

    def receipt(self, receipt: ReceiptRecord) -> None:
        """A document is on disk: who is at the till now. Behind its own report nobody is."""
        if receipt.report is not None:
            self._cashiers.pop(receipt.line, None)
        elif receipt.cashier and not receipt.replayed:
            self._cashiers.pop(receipt.line, None)  # the newest last
            self._cashiers[receipt.line] = receipt.cashier
            while len(self._cashiers) > CASHIERS_MAX:
                del self._cashiers[next(iter(self._cashiers))]

    # -- the desk of the scanners

    def wants(self, scanner: ScannerSession, scan: Scan) -> bool:
        """Whether somebody takes it now. The promise is kept by `scanned`, or ended by `missed`."""
        if not self._takes(scan):
            self.counters["not_ours"] += 1
            return False
        if self._promised + len(self._tasks) >= WORK_MAX:
            self.counters["too_many"] += 1
            return False
        self._promised += 1
        return True

    def _takes(self, scan: Scan) -> bool:
        try:
            kind = Kind(scan.kind)
            scan.code.decode()
        except ValueError:  # a newer scanner's kind; or no text, as no code of ours is
            return False
        return self._host.desk.counter is not None if kind in COUPONS else kind in self.handlers

    def scanned(self, scanner: ScannerSession, scan: Scan) -> None:
        """The till did not get it: now it is acted upon."""
        self._promised -= 1
        line = self._lines.get(scanner.name, "")
        name = f"{scanner.session}-{scan.number}"
        one = Scanned(scan.code.decode(), Kind(scan.kind), scanner.name, line, name)
        one = one._replace(cashier=self._cashiers.get(self._line_of(one), ""))
        task = asyncio.get_running_loop().create_task(self._work(one))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def missed(self, scanner: ScannerSession, scan: Scan, result: Result) -> None:
        """The till got it, or nobody did."""
        self._promised -= 1
        word = "refused" if result is Result.DROPPED else "late"
        self.counters[word] += 1
        self._show(Seen(self._now(), scanner.name, scan.kind, word, self._lines.get(scanner.name, "")))

    def passed(self, scanner: ScannerSession, passed: Passed) -> None:
        """Counted by kind."""
        kind = passed.kind if passed.kind in set(Kind) else "other"
        self.counters[f"passed_{kind}"] += passed.codes

    def armed(self, scanner: ScannerSession, armed: Armed) -> None:
        """Kept for the page."""
        self.armed_for.pop(scanner.name, None)
        if armed.mode:
            self.armed_for[scanner.name] = armed.mode

    def ends(self, scanner: ScannerSession, ends: Ends) -> None:
        """Scanner or till were plugged in or out."""
        is_well = ends.scanner_up and ends.till_up
        if not is_well and not ends.words:  # being opened for the first time: what has failed says why
            return
        self._host.health.note(f"scanner {scanner.name}", "ok" if is_well else "failed", "" if is_well else ends.words)

    def lost(self, scanner: ScannerSession, lost: Lost) -> None:
        """Codes reached nobody."""
        self.counters["lost"] += lost.codes
        log.warning("%s: %d codes lost: %s", scanner.name, lost.codes, lost.why)

    def fault(self, scanner: str, what: str, error: BaseException | None = None) -> None:
        """Without the exception's words and its traceback: they may hold a code."""
        self.counters["faults"] += 1
        self._host.fault(scanner, what + (f": {type(error).__name__}{_place(error)}" if error else ""))

    def joined(self, scanner: ScannerSession) -> None:
        """Of two with one name the newer is it."""
        self.scanners[scanner.name] = scanner
        log.info("%s: scanner connected", scanner.name)

    def left(self, scanner: ScannerSession) -> None:
        """It is of no use any more."""
        self._sessions.discard(scanner)
        if self.scanners.get(scanner.name) is scanner:
            del self.scanners[scanner.name]
            self.armed_for.pop(scanner.name, None)
            log.info("%s: scanner disconnected", scanner.name)
            self._host.health.note(f"scanner {scanner.name}", "failed", "gone")

    # -- one code

    async def _work(self, one: Scanned) -> None:
        at = self._now()
        said = await self._said(one)
        self.counters[f"said_{said.answer}"] += 1
        self._show(Seen(at, one.scanner, one.kind.value, said.answer.value, one.line, said.number, said.detail))
        try:
            self.on_said(said.beep, one.line)
        except Exception as fault:  # a buzzer's bug costs a sound
            self.fault(one.scanner, "no sound", fault)
        await self._record(one, at)

    async def _said(self, one: Scanned) -> Said:
        try:
            async with asyncio.timeout(WORK_S):
                if one.kind in COUPONS:
                    scan = codes.Scan(one.code, one.cashier, line=one.line)
                    return await self._host.desk.redeem(scan)
                return await self.handlers[one.kind](one)
        except Exception as fault:  # whatever it is, the cashier hears that nothing was decided
            self.fault(one.scanner, f"a {one.kind.value} code was not dealt with", fault)
            return Said(Answer.FAILURE)

    def _line_of(self, one: Scanned) -> str:
        return one.line or self._host.desk.line

    async def _record(self, one: Scanned, at: int) -> None:
        """Nobody waits for it; with a full disk it is given up, and counted."""
        assert self._store is not None, "opened"
        record = ScanRecord(
            at=at, scanner=one.scanner, kind=one.kind.value, code=self._host.desk.hash_of(one.kind, one.code)
        )
        try:
            await self._store.record(record)
        except StoreError as fault:
            self.counters["unrecorded"] += 1
            self.fault(one.scanner, f"a scan was not recorded: {fault.reason}")

    def _show(self, seen: Seen) -> None:
        self.last_scans.append(seen)
        for listener in list(self._listeners):
            try:
                listener(seen)
            except Exception as fault:  # who watches is on his own
                self.fault(seen.scanner, "fault in who watches the scans", fault)

    def _now(self) -> int:
        return int(self._host.clock())


def _place(error: BaseException) -> str:
    """Where it was raised: file and line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else ""
