"""A line's core between a hostile till, a printer that takes what it likes and an engine that does what it likes.

Owns: `Scene`: does what the relay does with the core, with the clock handed in and every choice from one seed, keeps an
Account of all bytes, and looks at the bounds after each step. It is not tests/line/wire.py because here all sides
misbehave: the window is minded, links break, answers come late, twice, or are not fit to print.
"""

from __future__ import annotations

import gc
import random
import sys
from contextlib import ExitStack
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Self
from unittest import mock

from edgebox.escpos.profile import PrinterProfile
from edgebox.line import insertion
from edgebox.line.core import LineCore
from edgebox.line.frames import Answer, Decoder, Done, End, Frame, Job, JobCancel, Outcome, Ping, Pong
from edgebox.line.pace import Pace, ends_on_ink
from edgebox.line.replies import Replies
from edgebox.line.settings import LineSettings
from tests.fuzz.oracle import Account, Broken

NEVER_S = 30.0  # longer than any of the line's deadlines
DOCUMENT_BYTES = 4096  # of a spooled document besides its bytes: prelude, frames, modes
FIXED_BYTES = 1 << 20  # 2048 shared commands (0.4 MB), one text run, one block, tables, counters, 256 notes
_CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
_TURNS_MAX = 10_000  # of the clock within NEVER_S; the line's shortest interval is some ms


EVERYTHING = 1 << 30
Step = tuple[str, tuple[Any, ...]]  # a method of Scene and its arguments


class Habit(Enum):
    """What the engine does when it is asked."""

    ANSWERS = "answers"
    SILENT = "is silent"
    NONE = "has nothing to print"
    UNFIT = "sends something unfit to print"
    LATE = "answers too late"
    DIES = "dies"


class Scene:
    """One line's life."""

    def __init__(self, seed: int, profile: PrinterProfile | None = None, **settings: Any) -> None:
        self.told = (seed, profile or PrinterProfile(), settings)
        self.story: list[Step] = []  # all that has happened
        self.chance = random.Random(seed)
        self.profile = profile or PrinterProfile()
        self.settings = LineSettings(**settings)
        self.core = LineCore(self.profile, self.settings, b"fuzzfuzz", 1)
        self.account = Account()
        self.now = 1000.0
        self.habit = Habit.ANSWERS
        self.takes = EVERYTHING  # bytes that the printer's end takes at a time
        self.outcomes = self.blocks = 0
        self._marks = 0
        self._late: list[Answer] = []
        self._decoder = Decoder()
        self.core.printer_connected()
        self.core.till_opened(self.now)
        self.core.engine_connected()

    def __enter__(self) -> Self:
        """Notes every block that the core puts in. One scene at a time."""

        def noting(make: Any) -> Any:
            def made(*args: Any) -> Any:
                found = make(*args)
                for block in (found,) if isinstance(found, bytes) else (found.before, found.behind):
                    self.account.block(block)
                    self.blocks += bool(block)
                return found

            return made

        self._stack = ExitStack()
        ask_status = Replies.ask_status

        def asked(replies: Replies, now: float) -> bytes:
            question = ask_status(replies, now)
            if question:
                self.account.block(question)
            return question

        self._stack.enter_context(mock.patch.object(Replies, "ask_status", asked))
        for name in ("insert", "wrap", "wrap_own"):
            make = getattr(insertion, name)
            for module in list(sys.modules.values()):
                uses = module.__name__.startswith("edgebox.line.") and module is not insertion
                if uses and getattr(module, name, None) is make:
                    self._stack.enter_context(mock.patch.object(module, name, noting(make)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(self, step: Step) -> None:
        """One step, noted in the story."""
        self.story.append(step)
        getattr(self, step[0])(*step[1])

    # -- what happens

    def behave(self, habit: Habit, takes: int) -> None:
        """How engine and printer are from here on."""
        self.habit, self.takes = habit, takes

    def send(self, chunk: bytes) -> None:
        """The till sends, when it is read; a chunk is at most a window."""
        self._until_wanted()
        self._pass_on(chunk)
        self._turn()

    def wait(self, seconds: float) -> None:
        """Time passes, deadline after deadline."""
        until = self.now + seconds
        for _ in range(_TURNS_MAX):
            deadline = self.core.next_deadline()
            if deadline is None or deadline > until:
                break
            self.now = max(self.now, deadline)
            self._turn()
        else:
            raise Broken(f"the clock stands still: {deadline} again and again")
        self.now = until
        self._turn()

    def engine_leaves(self) -> None:
        """Killed."""
        if self.core.engine_up:
            self.core.engine_lost(self.now)
            self._turn()

    def engine_comes(self) -> None:
        """A new one."""
        if not self.core.engine_up:
            self._decoder = Decoder()
            self.core.engine_connected()
            self._turn()

    def till_hangs_up(self) -> None:
        """And another one comes."""
        self.core.till_closed(self.now)
        self._turn()
        self.core.till_opened(self.now)

    def printer_leaves(self) -> None:
        """The link breaks, with all that it had not taken; then it stands again."""
        core, account = self.core, self.account
        before = core.counters["printer_lost_bytes"]
        core.printer_lost(self.now)
        lost = core.counters["printer_lost_bytes"] - before
        put_in = account.block_bytes + account.pending_bytes
        if account.bytes_in + put_in != account.bytes_out + lost:
            raise Broken(f"{account.bytes_in} in, {put_in} added, {account.bytes_out} out, {lost} counted as lost")
        self.account = Account()
        self._turn()
        core.printer_connected()
        core.till_opened(self.now)
        self._turn()

    def job(self, body: bytes) -> None:
        """The engine wants something printed between documents."""
        if self.core.engine_up:
            self._marks += 1
            cut, expires_ms, copies = (
                self.chance.random() < 0.5,
                self.chance.choice((0, 2000)),
                self.chance.choice((1, 3)),
            )
            job = Job(f"job{self._marks}", self._marked(body), cut, expires_ms, copies)
            self.core.frame(job, self.now)
            if self.chance.random() < 0.1:
                self.core.frame(JobCancel(job.job), self.now)
            self._turn()

    def printer_says(self, data: bytes) -> None:
        """Bytes on the way back."""
        self.core.printer_bytes(data, self.now)
        self._turn()

    def rest(self) -> None:
        """Nobody does anything for long; then all bytes must be accounted for."""
        self.takes = EVERYTHING
        self.wait(NEVER_S)
        self._turn()
        core = self.core
        if core.outbox.size:
            raise Broken(f"{core.outbox.size} bytes stay in the outbox")
        if core.stream.unsent:
            raise Broken(f"an incomplete command stays: {core.stream.unsent.hex(' ')}")
        self.account.settle()
        self._check_bounds()

    # -- as the relay does it

    def _until_wanted(self) -> None:
        for _ in range(1000):
            if self.core.wants_till:
                return
            self.wait(0.05)
        raise Broken("the till is never read again")

    def _pass_on(self, chunk: bytes) -> None:
        core = self.core
        self.account.sent(chunk)
        pace = core.pace
        if pace is Pace.PLAIN or (pace is Pace.GLANCE and ends_on_ink(chunk)):
            taken = min(self.takes, len(chunk))
            self.account.printed(chunk[:taken])
            core.passed(chunk, self.now)
            if taken < len(chunk):
                core.outbox.push_rest(chunk[taken:], core.stream.at_boundary)
        else:
            core.till_bytes(chunk, self.now)

    def _turn(self) -> None:
        self.core.tick(self.now)
        self._write()
        if self.core.engine_up:
            self._engine()
        self._write()

    def _write(self) -> None:
        outbox = self.core.outbox
        budget = self.takes
        while outbox.size and budget > 0:
            data = outbox.peek()
            taken = min(budget, len(data))
            self.account.printed(data[:taken])
            outbox.taken(taken)
            budget -= taken
        if not outbox.size:
            self.core.written(self.now)

    def _engine(self) -> None:
        while self.core.engine_up:
            raw = self.core.pump(self.now)
            if not raw:
                return
            for frame in self._decoder.feed(raw):
                self._heard(frame)

    def _heard(self, frame: Frame) -> None:
        core, habit = self.core, self.habit
        if not core.engine_up:
            return
        if isinstance(frame, End) and frame.ask:
            if habit is Habit.DIES:
                core.engine_lost(self.now)
            elif habit is Habit.LATE:
                self._late.append(Answer(frame.document, b"late", self._body()))
            elif habit is not Habit.SILENT:
                core.frame(Answer(frame.document, b"ref", b"" if habit is Habit.NONE else self._body()), self.now)
        elif isinstance(frame, Outcome):
            self.outcomes += 1
            if self._late and habit is Habit.LATE:
                core.frame(self._late.pop(), self.now)
            core.frame(Done(frame.document), self.now)
        elif isinstance(frame, Ping) and habit is not Habit.SILENT:
            core.frame(Pong(frame.nonce, ""), self.now)

    def _body(self) -> bytes:
        """A slip with a mark of its own; or anything."""
        self._marks += 1
        if self.habit is Habit.UNFIT:
            return self._marked(self.chance.randbytes(self.chance.randint(0, 30)))
        return self._marked(self.chance.choice((b"", b"\x1ba\x01", b"\x1bE\x01\x1d!\x11", b"\x1d(k\x03\x001E1")))

    def _marked(self, before: bytes) -> bytes:
        return before + b"*MARK %d*\n" % self._marks

    # -- bounds

    def _check_bounds(self) -> None:
        """Everything that the core keeps has a limit, whatever it is called in there."""
        settings = self.settings
        spool = settings.spool_bytes * 3 // 2 + settings.spool_documents * DOCUMENT_BYTES
        limit = spool + 4 * settings.window_bytes + 4 * settings.hold_bytes + FIXED_BYTES
        kept = reachable_bytes(self.core)
        if kept > limit:
            raise Broken(f"the core keeps {kept} bytes, at most {limit} are allowed")


def reachable_bytes(root: object) -> int:
    """Bytes of all objects that only data leads to: no modules, classes or functions."""
    seen: set[int] = set()
    queue, size = [root], 0
    while queue:
        one = queue.pop()
        if id(one) in seen or isinstance(one, _CODE):
            continue
        seen.add(id(one))
        size += sys.getsizeof(one)
        queue += gc.get_referents(one)
    return size
