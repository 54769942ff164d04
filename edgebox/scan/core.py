"""The scanner's core: what comes from the scanner goes to the till, but for the codes that the engine wants.

Owns: the order of codes, the questions that are open, the armed mode, and what the engine is told. Never: sockets,
devices or a clock: bytes, frames and a clock value in; bytes (`outbox`) and frames (`pull`) out.

What can't be ours goes on as it comes, key by key. What may be is kept to its end, and if it is, until the engine's
verdict; codes behind it wait too, so that the till gets all in order. No engine, one that is silent three times, or a
bug of ours (guard.py): everything goes to the till. The engine acts on Outcome(KEPT), not on its own verdict, so that a
code is never taken by both. Nothing here logs, and no repr shows a code.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from edgebox.breaker import Breaker
from edgebox.scan.classify import ARMABLE, Reading
from edgebox.scan.codes import AIM_CHARS, Kind, split_aim
from edgebox.scan.cutter import CODE_MAX, Cut, Cutter
from edgebox.scan.frames import (
    Arm,
    Armed,
    Ends,
    Frame,
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
from edgebox.scan.outbox import Outbox
from edgebox.scan.settings import SUFFIXES, ScannerSettings

WAITING_MAX = 256  # codes behind an open question; beyond it the scanner is not read until the question is settled
BACKLOG_BYTES = 1 << 16  # to the till: some thousand codes. Beyond it the scanner is not read
TOLD_MAX = 2048  # frames of one turn; beyond it news are forgotten and counted, questions and outcomes are not
ARM_MAX_MS = 600_000  # as long as a mode key may be set to
CONTROLS = bytes((*range(32), 127))


class Waiting:
    """A code in its place: asked about (`number` > 0), or behind one that is."""

    __slots__ = ("deadline", "keep", "number", "raw", "settled")

    def __init__(self, raw: bytes, number: int = 0, deadline: float = 0.0) -> None:
        self.raw = raw
        self.number = number
        self.deadline = deadline
        self.settled = not number
        self.keep = False

    def __repr__(self) -> str:
        return f"Waiting({self.number}, {len(self.raw)} bytes)"


class ScanCore:
    """One scanner, one till. `session`: random, names this process to the engine. Times: monotonic seconds."""

    def __init__(self, settings: ScannerSettings, session: bytes) -> None:
        self.outbox = Outbox()
        self.counters: Counter[str] = Counter()
        self.breaker = Breaker()
        self.on_loss: Callable[[int, str], None] = lambda codes, why: None  # says it aloud
        self._settings = settings
        self._session = session
        self._rules = settings.rules
        self._cutter = Cutter(SUFFIXES[settings.suffix])
        self._typed = settings.types_keys
        self._cuts: list[Cut] = []  # complete, not yet dealt with
        self._queue: deque[Waiting] = deque()
        self._number = 0
        self._heard_at = 0.0
        self._armed: Kind | None = None
        self._armed_until = 0.0
        self._engine = False
        self._frames: deque[Frame] = deque()
        self._ends = Ends(False, False, "")

    @property
    def wants_scanner(self) -> bool:
        """False: the till doesn't take what came before, or the engine is slow; for `answer_ms` at most."""
        return self.outbox.size + self._cutter.size < BACKLOG_BYTES and len(self._queue) < WAITING_MAX

    @property
    def is_idle(self) -> bool:
        """Nothing is under way."""
        return self._cutter.is_empty and not self._queue and not self.outbox.size

    # -- the scanner

    def heard(self, data: bytes, now: float) -> None:
        """Bytes as they come; a suffix or silence ends each code."""
        self._heard_at = now
        self._cuts += self._cutter.feed(data)
        while self._cuts:
            self._complete(self._cuts[0], now)
            del self._cuts[0]
        self._pass_early(now)

    def heard_code(self, data: bytes, symbology: str, now: float) -> None:
        """A whole code from a scanner that says where it ends; the till gets the suffix behind it."""
        self._complete(Cut(data, data + SUFFIXES[self._settings.suffix], 0, False), now, symbology)

    def spoiled(self, now: float, why: str) -> None:
        """The scanner broke off inside a code, if it was inside one: the rest would be another code."""
        if self._cutter.is_passing:
            self.outbox.push(b"", True, now)
        if self._cutter.forget():
            self._lose(1, why)

    def ends(self, scanner_up: bool, till_up: bool, words: str) -> None:
        """What is plugged in now."""
        ends = Ends(scanner_up, till_up, words)
        if ends != self._ends:
            self._ends = ends
            self._tell(ends)

    # -- the till

    def till_broke(self) -> int:
        """Its end failed: a code that was begun is given up. How many that were."""
        lost = self.outbox.give_up_begun()
        self._lose(lost, "the till's end broke inside it")
        return lost

    # -- the engine

    def engine_connected(self) -> None:
        """A new connection."""
        self._engine = True
        self.breaker.reset()
        self._frames.clear()
        self._tell(Hello(self._session, self._settings.name))
        self._tell(self._ends)

    def engine_lost(self, now: float) -> None:
        """Nobody will answer: all that waits goes to the till, and a mode key waits for nothing."""
        self._engine = False
        self._frames.clear()
        self._armed = None
        for waiting in self._queue:
            self.counters["late"] += not waiting.settled
            waiting.settled = True
        self._release(now)

    def frame(self, frame: Frame, now: float) -> None:
        """What the engine says."""
        if isinstance(frame, Verdict):
            self._verdict(frame, now)
        elif isinstance(frame, Arm):
            self._arm(frame.mode, min(max(frame.for_ms, 0), ARM_MAX_MS) or self._settings.arm_s * 1000, now)
        elif isinstance(frame, Ping):
            self._tell(Pong(frame.nonce, "".join(f"{name} {count}\n" for name, count in sorted(self.counters.items()))))
        elif isinstance(frame, Pong):
            self.breaker.pong(frame.nonce)
        else:
            self.counters["strange_frames"] += 1

    def pull(self) -> bytes:
        """Frames for the engine; nothing: all is said."""
        frames, self._frames = self._frames, deque()
        return b"".join(map(encode, frames))

    # -- the clock

    def tick(self, now: float) -> None:
        """Deadlines: silence, verdicts, the armed mode, codes that wait for a till."""
        if not self._cutter.is_empty and now >= self._silent_at:
            cut = self._cutter.end()
            if cut is not None:
                self._complete(cut, now)
        for waiting in self._queue:
            if not waiting.settled and now >= waiting.deadline:
                self._late(waiting, now)
        self._release(now)
        if self._armed is not None and now >= self._armed_until:
            self._disarm()
        nonce = self.breaker.ping(now) if self._engine else 0
        if nonce:
            self._tell(Ping(nonce))
        oldest = self.outbox.oldest
        if oldest is not None and now >= oldest + self._till_s:
            self._lose(self.outbox.give_up_older(now - self._till_s + 1e-6), "the till did not take it in time")

    def next_deadline(self) -> float | None:
        """When `tick` is due."""
        times = [waiting.deadline for waiting in self._queue if not waiting.settled]
        if not self._cutter.is_empty:
            times.append(self._silent_at)
        if self._armed is not None:
            times.append(self._armed_until)
        if self._engine and self.breaker.ping_at is not None:
            times.append(self.breaker.ping_at)
        if self.outbox.oldest is not None:
            times.append(self.outbox.oldest + self._till_s)
        return min(times, default=None)

    @property
    def _silent_at(self) -> float:
        return self._heard_at + self._settings.silence_ms / 1000

    @property
    def _till_s(self) -> float:
        return self._settings.till_ms / 1000

    # -- codes

    def _complete(self, cut: Cut, now: float, symbology: str = "") -> None:
        """A whole code: ours is asked about or arms, all others go on."""
        reading = self._read(cut, symbology)
        usable = self._engine and not self.breaker.is_open
        if not reading.is_ours or cut.gone or cut.overlong or not usable:
            self._forward(cut, now)
            self._passed(reading)
        elif reading.arms is not None:
            self._arm(reading.arms, self._settings.arm_s * 1000, now)
            return
        else:
            self._ask(cut, reading, now)
        if self._armed is not None and not cut.gone:  # one that had begun before it was armed doesn't use it up
            self._disarm()

    def _read(self, cut: Cut, symbology: str) -> Reading:
        """A bug in the rules must not stop a scan."""
        if cut.overlong:
            return Reading(Kind.OTHER)
        try:
            return self._rules.read(cut.body.decode("utf-8", "replace"), symbology, self._armed)
        except Exception:  # whatever it is: its words may hold the code
            self.counters["faults"] += 1
            return Reading(Kind.OTHER)

    def _pass_early(self, now: float) -> None:
        """What can't become ours needn't wait for its end; nor does what is longer than any code."""
        cutter = self._cutter
        if cutter.is_empty or self._queue:
            return
        if not cutter.is_passing and cutter.size <= CODE_MAX:
            usable = self._engine and not self.breaker.is_open
            if usable and self._may_become(cutter.begun):
                return
            if self._settings.strip_aim and cutter.begun[:1] == b"]" and cutter.size < AIM_CHARS:
                return
        gone = cutter.is_passing
        head = cutter.head()
        self.outbox.push(self._for_till(head, first=not gone), False, now)

    def _may_become(self, begun: bytes) -> bool:
        try:
            return self._rules.may_become(begun.decode("utf-8", "replace"), self._armed)
        except Exception:  # as above
            self.counters["faults"] += 1
            return False

    def _for_till(self, raw: bytes, *, first: bool) -> bytes:
        """The bytes of a code as the till gets them."""
        if first and self._settings.strip_aim:
            raw = raw[len(split_aim(raw[:AIM_CHARS].decode("latin-1"))[0]) :]
        if self._typed:
            kept = raw.translate(None, CONTROLS)
            if len(kept) < len(raw):
                self.counters["controls_dropped"] += len(raw) - len(kept)
            raw = kept
        return raw

    def _forward(self, cut: Cut, now: float) -> None:
        rest = self._rest_for_till(cut)
        if self._queue:
            self._queue.append(Waiting(rest))
        else:
            self.outbox.push(rest, True, now)

    def _rest_for_till(self, cut: Cut) -> bytes:
        """What of a whole code has not gone yet, and its suffix."""
        passing = bool(cut.gone) or cut.overlong
        body = self._for_till(cut.body[cut.gone :], first=not passing)
        suffix = cut.raw[len(cut.body) :]
        wanted = self._settings.till_suffix
        if wanted != "same":
            suffix = SUFFIXES[wanted]
        if self._typed:
            suffix = suffix[:1].replace(b"\n", b"\r")  # one key
        return body + suffix

    # -- questions

    def _ask(self, cut: Cut, reading: Reading, now: float) -> None:
        settings = self._settings
        self._number += 1
        self.counters["asked"] += 1
        self._queue.append(Waiting(self._rest_for_till(cut), self._number, now + settings.answer_ms / 1000))
        code = cut.body[len(split_aim(cut.body[:AIM_CHARS].decode("latin-1"))[0]) :]
        armed = self._armed is not None or self._rules.always is not None
        self._tell(Scan(self._number, reading.kind, reading.symbology, code, armed, settings.answer_ms))

    def _verdict(self, verdict: Verdict, now: float) -> None:
        for waiting in self._queue:
            if waiting.number == verdict.number and not waiting.settled:
                self.breaker.hit()
                waiting.settled, waiting.keep = True, verdict.keep
                self.counters["kept" if verdict.keep else "not_wanted"] += 1
                self._tell(Outcome(waiting.number, Result.KEPT if verdict.keep else Result.FORWARDED))
                self._release(now)
                return
        self.counters["late_verdicts"] += 1

    def _late(self, waiting: Waiting, now: float) -> None:
        """No verdict: the cashier must see something happen, so by default the till gets it."""
        refuse = self._settings.late == "refuse"
        waiting.settled, waiting.keep = True, refuse
        self.counters["refused" if refuse else "late"] += 1
        self._tell(Outcome(waiting.number, Result.DROPPED if refuse else Result.LATE))
        if refuse:
            self._lose(1, "the engine did not answer, and late = refuse")
        if self.breaker.miss(now):
            self.counters["breaker_opened"] += 1
            for other in self._queue:
                if not other.settled:
                    self._late(other, now)

    def _release(self, now: float) -> None:
        """All that stands before the first open question."""
        queue = self._queue
        while queue and queue[0].settled:
            waiting = queue.popleft()
            if not waiting.keep:
                self.outbox.push(waiting.raw, True, now)
        self._pass_early(now)

    # -- modes

    def _arm(self, mode: str, for_ms: int, now: float) -> None:
        if not mode:
            self._disarm()
        elif mode in ARMABLE:
            self._armed = Kind(mode)
            self._armed_until = now + for_ms / 1000
            self.counters["armed"] += 1
            self._tell(Armed(mode, for_ms))
        else:
            self.counters["strange_frames"] += 1

    def _disarm(self) -> None:
        """Used, or its time is over."""
        self._armed = None
        self._tell(Armed("", 0))

    # -- telling

    def _tell(self, frame: Frame) -> None:
        if not self._engine:
            return
        if len(self._frames) >= TOLD_MAX and not isinstance(frame, Scan | Outcome | Hello):
            self.counters["untold"] += 1
            return
        self._frames.append(frame)

    def _passed(self, reading: Reading) -> None:
        """The engine hears the kind, never the code."""
        self.counters[f"passed_{reading.kind}"] += 1
        last = self._frames[-1] if self._frames else None
        if isinstance(last, Passed) and last[:2] == (reading.kind, reading.symbology):
            self._frames[-1] = last._replace(codes=last.codes + 1)
        else:
            self._tell(Passed(reading.kind, reading.symbology, 1))

    def _lose(self, codes: int, why: str) -> None:
        if codes:
            self.counters["lost"] += codes
            self._tell(Lost(codes, why))
            self.on_loss(codes, why)
