"""A simulated ESC/POS receipt printer: receive buffer, motor, sensors, drawer and replies, with the clock handed in.

Owns: what has arrived and not been printed yet, BUSY, on-line and off-line, when a reply is due. Never: sockets or the
real clock (served.py), or what a command does to paper (mechanism.py).

    printer = Printer(profile)          # speed 0: prints at once
    printer.feed(b"...", now=0.0)       # bytes from the wire; as many as `room`, or the rest is lost
    printer.tick(now)                   # time goes by
    printer.take_replies()              # bytes for the wire
    printer.report().faults             # what a shop would complain about

Numbers with a source: TM-T88III specification for buffer and BUSY; see `Settings`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import NamedTuple

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Event, Parser, raw_of
from edgebox.escpos.profile import PrinterProfile
from hw_sim import answers
from hw_sim.answers import Condition
from hw_sim.ink import Kick, RealTime, Report
from hw_sim.mechanism import Mechanism
from hw_sim.real_time import Receiver

_FIRMWARE = (b"\x1b[}", b"\x1d\x0e", b"\x1d\xff", b"\x1f\x08")  # opcodes that write it: CognitiveTPG A760 manual


class Settings(NamedTuple):
    """How this printer is built. Times in seconds; lengths in mm or bytes."""

    buffer_bytes: int = 4096  # TM-T88III: 4 KB, or 45 bytes by DIP switch
    busy_left: int = 128  # BUSY when no more than this is free (45-byte buffer: 16)
    ready_left: int = 256  # until this much is free again (45-byte buffer: 26)
    mm_per_s: float = 0.0  # TM-T88III: 150; 0: no time passes
    cut_s: float = 0.0  # how long the cutter takes
    tear_after_s: float | None = None  # a customer tears so long after the paper stops; None: nobody does
    paper_mm: float | None = None  # left on the roll; None: endless
    near_end_mm: float = 1500.0  # TM-T88III: the near-end sensor leaves about this much, by roll core
    keep: int = 10_000  # tickets, marks and faults kept; counts go on
    keep_received: bool = True  # false: only count and hash (fuzzing)


class Printer:
    """One printer, powered on at `now`."""

    def __init__(self, profile: PrinterProfile | None = None, settings: Settings | None = None) -> None:
        self.profile = profile or PrinterProfile()
        self.settings = settings or Settings()
        self.condition = Condition()
        self.mechanism = Mechanism(self.profile, keep=self.settings.keep)
        self.received = bytearray()  # every byte that arrived, lost ones too
        self.received_bytes = 0
        self.lost_bytes = 0
        self.cleared_bytes = 0
        self._hash = hashlib.sha256()
        self._receiver = Receiver()
        self._between = True  # the last DLE stood between commands
        self._unknown = b""  # an opcode nobody knows, until the byte behind it tells more
        self._parser = Parser()
        self._queue: deque[Event] = deque()
        self._queued_bytes = 0
        self._busy = False
        self._free_at = 0.0  # when the motor is done with what it does
        self._replies = bytearray()
        self._asb = 0  # GS a n
        self._asb_sent = b""
        self._kicks: deque[Kick] = deque(maxlen=self.settings.keep)
        self._real_time: deque[RealTime] = deque(maxlen=self.settings.keep)
        self._violations: deque[str] = deque(maxlen=self.settings.keep)
        self._printed_mm = 0.0

    # -- the wire

    @property
    def room(self) -> int:
        """Free bytes in the receive buffer. A sender that minds BUSY never sends more."""
        return max(self.settings.buffer_bytes - self._used, 0)

    @property
    def busy(self) -> bool:
        """The BUSY line, as the host sees it: nearly full, or off-line."""
        free = self.room
        self._busy = free <= self.settings.busy_left or (self._busy and free < self.settings.ready_left)
        return self._busy or self.condition.offline

    @property
    def idle(self) -> bool:
        """Nothing is waiting to be printed."""
        return not self._queue

    @property
    def sha256(self) -> str:
        """Of every byte received, for runs that don't keep them."""
        return self._hash.hexdigest()

    def feed(self, data: bytes, now: float = 0.0) -> None:
        """Bytes from the wire. Real-time commands act at once; what does not fit in the buffer is lost and counted."""
        if not data:
            return
        self.received_bytes += len(data)
        self._hash.update(data)
        if self.settings.keep_received:
            self.received += data
        for piece, real_time in self._receiver.split(data):
            if piece[0] == 0x10:
                self._between = self._parser.at_boundary
            self._take(piece, now)
            if real_time:
                self._at_once(real_time, now)

    def tick(self, now: float) -> None:
        """Time goes by: the motor prints on, sensors report, a customer tears."""
        self._run(now)
        tear_after_s = self.settings.tear_after_s
        paper = self.mechanism.paper
        if tear_after_s is not None and not self._queue and paper.ink and now >= self._free_at + tear_after_s:
            self.mechanism.tear(now)

    @property
    def wakes_at(self) -> float | None:
        """When the next `tick` has something to do; None: not before bytes come or somebody touches the printer."""
        if self._queue:
            return None if self.condition.offline else self._free_at
        if self.settings.tear_after_s is not None and self.mechanism.paper.ink:
            return self._free_at + self.settings.tear_after_s
        return None

    def take_replies(self) -> bytes:
        """Bytes for the till, in order; empties the printer's sending buffer."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def report(self) -> Report:
        """All that happened since power-on."""
        made = self.mechanism
        paper = made.paper
        return Report(
            tickets=tuple(paper.tickets),
            open=made.open_ticket,
            cuts=paper.cuts,
            tears=paper.tears,
            cuts_through=tuple(paper.cuts_through),
            ignored_cuts=made.ignored_cuts,
            refused=tuple(made.refused),
            discarded=tuple(made.discarded),
            unprinted=made.unprinted,
            display=bytes(made.display),
            kicks=tuple(self._kicks),
            real_time=tuple(self._real_time),
            violations=tuple(self._violations),
            received_bytes=self.received_bytes,
            processed_bytes=made.processed_bytes,
            lost_bytes=self.lost_bytes,
            cleared_bytes=self.cleared_bytes,
        )

    # -- what people do to it

    def open_cover(self, now: float = 0.0) -> None:
        """Off-line until shut."""
        self._change(now, cover_open=True)

    def close_cover(self, now: float = 0.0) -> None:
        """On-line again, when there is paper."""
        self._change(now, cover_open=False)

    def remove_paper(self, now: float = 0.0) -> None:
        """Paper out: off-line."""
        self._change(now, paper_end=True)

    def load_paper(self, now: float = 0.0, mm: float | None = None) -> None:
        """A new roll, `mm` long (None: endless)."""
        self._printed_mm = 0.0
        self.settings = self.settings._replace(paper_mm=mm)
        self._change(now, paper_end=False, near_end=False)

    def jam(self, now: float = 0.0) -> None:
        """A recoverable error: the cutter is stuck. DLE ENQ 1 or 2 recovers."""
        self._change(now, error=True)

    def press_feed(self, now: float = 0.0, *, held: bool = True) -> None:
        """The FEED button: off-line while it is held."""
        self._change(now, feeding=held)

    def open_drawer(self, now: float = 0.0, *, opened: bool = True) -> None:
        """The drawer's switch."""
        self._change(now, drawer_open=opened)

    def power_cycle(self, now: float = 0.0) -> None:
        """Off and on: buffers, modes and unsent replies are gone; paper and counts stay."""
        self._clear()
        self.mechanism.power_cycle()
        self._replies.clear()
        self._asb, self._asb_sent = 0, b""
        self._change(now, error=False, fatal=False, feeding=False)

    # -- inside

    @property
    def _used(self) -> int:
        return self._queued_bytes + len(self._parser.partial)

    def _take(self, piece: bytes, now: float) -> None:
        room = self.room
        if len(piece) > room and (self.condition.offline or self.settings.mm_per_s):
            self.lost_bytes += len(piece) - room
            piece = piece[:room]
        if not self._queue:
            self._free_at = max(self._free_at, now)
        for event in (*self._parser.feed(piece), *self._parser.take_open()):
            self._enqueue(event)
        self._run(now)

    def _enqueue(self, event: Event) -> None:
        self._queued_bytes += len(raw_of(event))
        by_line = self.settings.mm_per_s or self.settings.paper_mm is not None
        if by_line and isinstance(event, bytes) and b"\n" in event:
            *lines, rest = event.split(b"\n")  # each line takes its own time and paper
            self._queue.extend(line + b"\n" for line in lines)
            if rest:
                self._queue.append(rest)
        else:
            self._queue.append(event)

    def _run(self, now: float) -> None:
        queue, made = self._queue, self.mechanism
        while queue and self._free_at <= now and not self.condition.offline:
            event = queue.popleft()
            self._queued_bytes -= len(raw_of(event))
            before, cuts = made.paper.travel, made.paper.cuts
            made.handle(event, self._free_at if self.settings.mm_per_s else now)
            if made.paper.travel != before:
                self._pass_time((made.paper.travel - before) / self.profile.dots_per_mm)
            self._free_at += (made.paper.cuts - cuts) * self.settings.cut_s
            self._mind(event)
            if made.orders:
                self._obey(self._free_at if self.settings.mm_per_s else now)

    def _pass_time(self, mm: float) -> None:
        if self.settings.mm_per_s:
            self._free_at += mm / self.settings.mm_per_s
        roll = self.settings.paper_mm
        if roll is not None:
            self._printed_mm += mm
            left = roll - self._printed_mm
            self._change(self._free_at, near_end=left <= self.settings.near_end_mm, paper_end=left <= 0)

    def _mind(self, event: Event) -> None:
        """Looks for what must never reach a printer. An unknown opcode is judged with the byte behind it."""
        if self._unknown:
            self._judge(self._unknown + raw_of(event)[:1])
        self._unknown = b""
        if isinstance(event, Command) and event.effect is Effect.UNKNOWN:
            self._unknown = event.raw
            if event.raw in _FIRMWARE:
                self._judge(event.raw)
                self._unknown = b""
        elif isinstance(event, Command) and event.effect is Effect.SERVICE:
            self._violations.append(f"{event.name}: memory or service")

    def _judge(self, raw: bytes) -> None:
        if raw in _FIRMWARE:
            self._violations.append(f"{raw.hex(' ')}: firmware")

    def _obey(self, now: float) -> None:
        for command in self.mechanism.orders:
            if command.effect is Effect.DRAWER:
                self._kicks.append(Kick(now, command.raw[2] & 1, False))
            elif command.effect is Effect.INIT:
                self._asb = 0
            elif command.name == "GS a":
                self._asb = command.raw[2]
                self._send_asb(always=self._asb != 0)
            else:
                self._replies += answers.in_order(command.raw, self.condition)
                if self.profile.gs_h:
                    self._replies += answers.process_id(command.raw)
        self.mechanism.orders.clear()

    def _at_once(self, raw: bytes, now: float) -> None:
        """A real-time command, on reception."""
        self._real_time.append(RealTime(raw, self._between))
        if raw[1] == 0x04:
            if self.profile.status:
                self._replies += answers.dle_eot(raw[2], self.condition)
        elif raw[1] == 0x05:
            if self.condition.error and raw[2] in (1, 2):
                if raw[2] == 2:
                    self._clear()
                self._change(now, error=False)
        elif raw[2] == 1:
            self._kicks.append(Kick(now, raw[3] & 1, True))
        elif raw[2] == 2 and raw[3:] == b"\x01\x08":
            self._violations.append("DLE DC4 2: power off")
        elif raw == b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08":
            self._clear()
            self._replies += answers.CLEARED

    def _clear(self) -> None:
        self.cleared_bytes += self._used
        self._queue.clear()
        self._queued_bytes = 0
        self._parser = Parser()
        self.mechanism.clear()

    def _change(self, now: float, **bits: bool) -> None:
        was_offline = self.condition.offline
        for name, value in bits.items():
            setattr(self.condition, name, value)
        self._send_asb(always=False)
        if was_offline and not self.condition.offline:
            self._free_at = max(self._free_at, now)
            self._run(now)

    def _send_asb(self, *, always: bool) -> None:
        """Sends status when it is asked for (GS a) and has changed."""
        status = answers.asb(self.condition)
        if self._asb and (always or status != self._asb_sent):
            self._replies += status
        self._asb_sent = status
