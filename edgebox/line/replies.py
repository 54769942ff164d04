"""Printer → till: whose answer is it?

Owns: one queue of askers per class of reply, our own questions, and the printer's state as heard. Never: answers for
the printer, and keeps nothing from the till but the answers to our own questions. While we have asked nothing, bytes
go to the till untouched and are only read beside it.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from edgebox.escpos.parser import Command
from edgebox.escpos.status import PrinterStatus, Reply, ReplyClass, ReplyParser, after_dle_eot, expects, from_asb
from edgebox.line.frames import Printed, Status

PATIENCE_S = 2.0  # an unanswered question is forgotten: clones stay silent; a real answer takes milliseconds
PROOF_S = 5.0  # a slip is on paper some 2 s after its bytes, a printer out of paper never says so
INCOMPLETE_S = 0.1  # while we wait for an answer of ours, a reply's missing bytes are waited for this long
XOFF = b"\x13"
QUEUE_MAX = 16  # questions remembered per class


class Question(NamedTuple):
    """Somebody asked. `n`: the status number of a DLE EOT."""

    ours: bool
    until: float
    n: int


class Replies:
    """The direction back."""

    def __init__(self, star: bool = False) -> None:
        self._parser = ReplyParser(star=star)
        self._asked: dict[ReplyClass, deque[Question]] = {}
        self._ours = 0
        self._kept = b""  # bytes of an incomplete reply that the till has not seen
        self._kept_until = -1.0
        self._given = 0  # bytes of an incomplete reply that the till has seen
        self._proofs: dict[
            bytes, int | str
        ] = {}  # a document's or a job's; matched for as long as the link stands: they can't be anybody else's
        self._proof_until = -1.0  # the link is kept so long for them
        self._proof_next = 0
        self.status = PrinterStatus(0)
        self._told = PrinterStatus(0)
        self.raw = b""  # the last status reply
        self._printed: list[Printed] = []  # until taken
        self._proven: list[str] = []  # jobs, likewise
        self._told_us: dict[int, bytes] = {}  # answers to our GS I, by its n
        self.xoffs = 0  # the printer said "wait" in the data: it is set to XON/XOFF

    def till_asked(self, command: Command, now: float) -> None:
        """The till has asked for something."""
        kind = expects(command)
        if kind is not None:
            n = command.raw[2] if command.raw[:2] == b"\x10\x04" else 0
            self._queue(kind).append(Question(False, now + PATIENCE_S, n))

    def may_ask(self, kind: ReplyClass, now: float) -> bool:
        """Nothing of the till's is awaited in this class: our answer could not be taken for the till's."""
        self._forget_old(now)
        return not self._queue(kind)

    def ask_status(self, now: float) -> bytes:
        """DLE EOT 2 and 4 (cover, paper): the command bytes, or empty when it is not the moment."""
        if not self.may_ask(ReplyClass.REAL_TIME, now):
            return b""
        for n in (2, 4):
            self._queue(ReplyClass.REAL_TIME).append(Question(True, now + PATIENCE_S, n))
        self._ours += 2
        return b"\x10\x04\x02\x10\x04\x04"

    def ask_identity(self, numbers: tuple[int, ...], now: float) -> bytes:
        """GS I with each of `numbers` (65 to 69: answered by a block), or empty when it is not the moment."""
        if not self.may_ask(ReplyClass.BLOCK, now):
            return b""
        self._told_us.clear()
        for n in numbers:
            self._queue(ReplyClass.BLOCK).append(Question(True, now + PATIENCE_S, n))
        self._ours += len(numbers)
        return b"".join(b"\x1dI" + bytes((n,)) for n in numbers)

    def take_told(self) -> dict[int, bytes]:
        """What was answered to the last of these, by number: blocks, whole."""
        told, self._told_us = self._told_us, {}
        return told

    @property
    def is_asked(self) -> bool:
        """A question of ours waits for its answer."""
        return self._ours > 0

    def proof(self, what: int | str, now: float, patience_s: float = PROOF_S) -> bytes:
        """GS ( H fn 48: the printer answers when everything before it is on paper. `what`: a document, or a job."""
        self._proof_next = (self._proof_next + 1) % 10000
        mark = b"%04d" % self._proof_next  # four printable characters, as the manual wants
        self._proofs[mark] = what
        self._proof_until = max(self._proof_until, now + patience_s)
        while len(self._proofs) > QUEUE_MAX:
            del self._proofs[next(iter(self._proofs))]
        return b"\x1d(H\x06\x00\x30\x30" + mark

    @property
    def awaits_proof(self) -> bool:
        """The printer has still to say that a slip is on paper: its link is to be kept."""
        return self._proof_until >= 0

    @property
    def deadline(self) -> float | None:
        """When kept bytes are given up on, or the link need no longer be kept for a proof."""
        times = [self._proof_until] if self._proof_until >= 0 else []
        if self._kept:
            times.append(self._kept_until)
        return min(times) if times else None

    def feed(self, data: bytes, now: float) -> bytes:
        """Printer bytes in; what the till gets of them now."""
        self._forget_old(now)
        mine = bool(self._ours or self._proofs or self._kept)
        theirs = []
        for reply in self._parser.feed(data):
            raw = reply.raw
            if reply.kind is not ReplyClass.FLOW:  # those come from within an incomplete reply too
                raw, self._given = raw[self._given :], 0
            elif raw == XOFF:
                self.xoffs += 1
            if not self._is_ours(reply):
                theirs.append(raw)
        pending = self._parser.pending
        if not mine:
            self._given = len(pending)
            return data
        self._kept, self._kept_until = pending[self._given :], now + INCOMPLETE_S
        return b"".join(theirs)

    def give_up(self, now: float) -> bytes:
        """Kept bytes that never became a whole reply go to the till."""
        if now >= self._proof_until:
            self._proof_until = -1.0
        if not self._kept or now < self._kept_until:
            return b""
        kept, self._kept, self._given = self._kept, b"", 0
        for reply in self._parser.give_up():
            self._is_ours(reply)
        return kept

    def reset(self) -> None:
        """The printer's link is new: nobody will answer what was asked before."""
        self._parser.give_up()
        self._asked.clear()
        self._proofs.clear()
        self._ours = 0
        self._kept = b""
        self._given = 0
        self._proof_until = -1.0

    @property
    def changed(self) -> bool:
        """The status is another one than was told last."""
        return self.status != self._told

    def take_printed(self) -> list[Printed]:
        """The slips that the printer has confirmed since the last time."""
        printed, self._printed = self._printed, []
        return printed

    def take_proven(self) -> list[str]:
        """The same of jobs."""
        proven, self._proven = self._proven, []
        return proven

    def tell(self, connected: bool) -> Status:
        """The status in a frame."""
        self._told = self.status
        return Status(connected, int(self.status), self.raw)

    def _queue(self, kind: ReplyClass) -> deque[Question]:
        queue = self._asked.get(kind)
        if queue is None:
            queue = self._asked[kind] = deque(maxlen=QUEUE_MAX)
        return queue

    def _forget_old(self, now: float) -> None:
        for queue in self._asked.values():
            while queue and queue[0].until < now:
                self._ours -= queue.popleft().ours

    def _is_ours(self, reply: Reply) -> bool:
        if reply.kind is ReplyClass.ASB:
            self._note(from_asb(reply.raw), reply.raw)
            return False
        if reply.kind is ReplyClass.BLOCK and reply.raw[:2] == b"\x37\x22":
            what = self._proofs.pop(reply.raw[2:6], None)
            if what is not None:
                self._proof_until = self._proof_until if self._proofs else -1.0
                if isinstance(what, str):
                    self._proven.append(what)
                else:
                    self._printed.append(Printed(what))
                return True
        queue = self._asked.get(reply.kind)
        if not queue:
            return False
        asked = queue.popleft()
        if reply.kind is ReplyClass.REAL_TIME and asked.n:
            self._note(after_dle_eot(self.status, asked.n, reply.raw[0]), reply.raw)
        if asked.ours:
            self._ours -= 1
            if reply.kind is ReplyClass.BLOCK:
                self._told_us[asked.n] = reply.raw
        return asked.ours

    def _note(self, status: PrinterStatus, raw: bytes) -> None:
        self.status, self.raw = status, raw
