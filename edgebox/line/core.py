"""The wire's decisions: what goes on, what waits, when the slip goes in, when to give up.

Owns: held bytes, the question to the engine and its deadline, and the order of what comes meanwhile. Never: sockets,
files, clocks. The relay tells what happened and when (`now`, monotonic seconds), then writes what `outbox` and `pump`
give and sleeps until `next_deadline()`.

The one rule above all others: whenever anything is in doubt, this is a plain wire. Output is the input, with whole
blocks put in, and with real-time and drawer commands overtaking held feed; nothing else.
"""

from __future__ import annotations

from collections import deque

from edgebox.breaker import Breaker
from edgebox.escpos.documents import Verdict
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.state import Buffer
from edgebox.line.between import Between
from edgebox.line.frames import TORN, Answer, Done, Frame, Hello, Outcome, Ping, Pong, Result, Why, encode
from edgebox.line.held import Held
from edgebox.line.insertion import insert
from edgebox.line.outbox import Outbox
from edgebox.line.pace import Pace
from edgebox.line.replies import Replies
from edgebox.line.settings import LineSettings
from edgebox.line.spool import Spool
from edgebox.line.stream import Ask, Piece, TillStream

TEE_BYTES = 256  # the tee is pumped when this much waits: some lines, which the engine reads in 0.2 ms,
STALLED_S = 0.05  # a printer that takes no bytes for so long is busy or out of paper
TEE_S = 0.005  # or this long after its first byte, or when feed is held; saves 4 of 5 system calls at 9600 baud


class LineCore:
    """One line. All times are seconds of one monotonic clock."""

    def __init__(self, profile: PrinterProfile, settings: LineSettings, session: bytes, first: int = 1) -> None:
        self.profile = profile
        self.settings = settings
        self.session = session
        self.outbox = Outbox()
        self.engine_up = False
        self.printer_up = False
        self.bypass = False
        self.engine_reads = True  # False: its socket is full, nothing can be sent before it reads on
        self.replies = Replies(profile.dialect == "star")
        self.spool = Spool(first, settings.spool_documents, settings.spool_bytes)
        self.breaker = Breaker()
        self.stream = TillStream(profile, settings, self.spool, self.replies)
        self.counters = self.stream.counters
        self._between = Between(profile, settings, self.replies, self.spool)
        self._held = Held()
        self._ask: Ask | None = None
        self._behind: deque[Piece] = deque()  # what came after an open question
        self._behind_bytes = 0
        self._last_till = -1.0  # -1: nothing since the last silence
        self._till_gone = True
        self._dispatching = self._draining = False  # new bytes, or what waited behind a question, are being dealt with
        self._printer_slow = False
        self._stalled_at = -1.0  # since when the printer has left something in the outbox

    # -- asking

    @property
    def holding(self) -> bool:
        """May anything be held at all?"""
        return self.engine_up and not self.breaker.is_open and not self.bypass

    def _mind_holding(self) -> None:
        self.stream.holding = self.holding

    @property
    def pace(self) -> Pace:
        """How to treat the till's next bytes."""
        if self._ask is not None or self._held or self._behind or self.outbox.size or not self.printer_up:
            return Pace.PARSE
        if self.stream.unsent or not self.stream.scanner.state.to_printer:
            return Pace.PARSE  # an incomplete command is held; text for the customer display is no ink
        if not self.holding:
            return Pace.PLAIN
        settings = self.settings  # what ends a document there may itself be ink
        return Pace.PARSE if settings.end_signature or settings.header_preprint else Pace.GLANCE

    @property
    def wants_till(self) -> bool:
        """Read on from the till? Else let it feel the printer."""
        return self.outbox.size + self._behind_bytes + self._held.size < self.settings.window_bytes

    @property
    def wants_printer(self) -> bool:
        """Something is to be printed, or is being asked, or a document may still get its slip."""
        if self.outbox.size or self._ask or self._held or self._behind or self._between.ready:
            return True
        proof = self.replies.awaits_proof and self.printer_up
        return proof or (self.stream.scanner.has_ink and self._last_till >= 0)

    @property
    def between_documents(self) -> bool:
        """Nothing of a document is on the way: another client or a job may have the line."""
        at_rest = not (self._ask or self._behind or self._held)
        return at_rest and self.stream.at_boundary and self.stream.scanner.between

    @property
    def silent(self) -> bool:
        """Nothing came for as long as ends a document, even in the middle of a line."""
        return self._last_till < 0 and not (self._ask or self._behind or self._held)

    def hello(self, bytes_per_s: int) -> bytes:
        """The frame that opens a connection to the engine; `bytes_per_s` is the printer end's speed, 0 no limit."""
        name, profile = self.settings.name, self.profile
        return encode(Hello(self.session, name, profile.name, bytes_per_s, round(profile.head_to_cutter_mm * 10)))

    # -- the till's bytes

    def passed(self, data: bytes, now: float) -> None:
        """These bytes have been written already (pace PLAIN, or GLANCE and `ends_on_ink`): only follow them."""
        self._last_till = now
        self.stream.passed(data, now)
        self.outbox.inside = not self.stream.at_boundary

    def till_bytes(self, data: bytes, now: float) -> None:
        """Bytes from the till that may have to wait: parsed first."""
        self._last_till = now
        self._mind_holding()
        self._dispatching = True
        self._printer_slow = self.outbox.size > 0  # only then is there something to jump over besides what is held
        for piece in self.stream.pieces(data, now):
            self._dispatch(piece)
        self._dispatching = False
        self._hold_partial(now)

    def till_opened(self, now: float) -> None:
        """A client has the line."""
        self._till_gone = False
        if self._last_till >= 0:
            self._last_till = now

    def till_closed(self, now: float) -> None:
        """The client hung up; its document goes on with the next one, or ends after `close_ms`."""
        self._till_gone = True
        self.stream.catch_up(now)
        if self._last_till >= 0:
            self._last_till = now

    # -- the printer's bytes

    def printer_bytes(self, data: bytes, now: float) -> bytes:
        """Bytes from the printer; what the till gets of them now."""
        out = self.replies.feed(data, now)
        self.counters["printer_xoffs"] = self.replies.xoffs
        self._tell_status()
        for printed in self.replies.take_printed():
            self.counters["slips_proven"] += 1
            self.spool.note(printed)
        return out

    def printer_late(self, now: float) -> bytes:
        """Bytes that were kept for an answer of ours that never came whole."""
        return self.replies.give_up(now)

    def printer_connected(self) -> None:
        """The printer's link stands."""
        self.printer_up = True
        self.replies.reset()
        self._tell_status(link_changed=True)

    def printer_released(self) -> None:
        """The link was let go in good order."""
        self.printer_up = False

    def printer_lost(self, now: float) -> None:
        """The printer's link broke: what it had not taken is gone, as on a bare wire."""
        self.printer_up = False
        self._tell_status(link_changed=True)
        for document in self.outbox.slips:  # told as inserted; on paper in part, or not
            self.spool.note(Outcome(document, TORN, "the printer was lost under the slip", 0, 0, b""))
        cut = len(self._ask.cut) if self._ask is not None else 0
        lost = self.outbox.clear() + self._held.size + cut + self._behind_bytes + len(self.stream.unsent)
        self.counters["printer_lost_bytes"] += lost
        for ask in [piece.ask for piece in self._behind] + [self._ask]:
            if ask is not None:
                self.spool.outcome(Outcome(ask.document, Result.PLAIN, "printer_gone", 0, 0, b""))
        self._ask = None
        self._behind.clear()
        self._behind_bytes = 0
        self._held.take()
        self._between.printer_lost()
        self.stream.broken(now)

    def _tell_status(self, *, link_changed: bool = False) -> None:
        if link_changed or self.replies.changed:
            self.spool.note(self.replies.tell(self.printer_up))

    # -- the engine

    def engine_connected(self) -> None:
        """A new connection: send everything that is not recorded."""
        self.engine_up = self.engine_reads = True
        self.breaker.reset()
        self.spool.rewind()
        self._mind_holding()

    def engine_lost(self, now: float) -> None:
        """The engine is gone: let go of everything at once."""
        self.engine_up = False
        self._mind_holding()
        self._let_go("engine_gone", now)

    def stop(self, now: float) -> None:
        """Shutting down: nothing may stay held."""
        self.bypass = True
        self._mind_holding()
        self._let_go("stopping", now)

    def _let_go(self, reason: str, now: float) -> None:
        if self._ask is not None:
            self._settle(Result.PLAIN, reason, b"", now)
        self._release()

    def frame(self, frame: Frame, now: float) -> None:
        """A frame from the engine."""
        if isinstance(frame, Answer):
            self._answered(frame, now)
        elif isinstance(frame, Done):
            self.spool.done(frame.document)
        elif isinstance(frame, Ping):
            self.spool.note(Pong(frame.nonce, self.stream.counters_text()))
        elif isinstance(frame, Pong):
            self.breaker.pong(frame.nonce)
        else:
            self._between.take(frame, now)

    def pump(self, now: float, room: int = 65536) -> bytes:
        """Bytes for the engine, when it is time for them."""
        due = self.stream.tee_since >= 0 and now >= self.stream.tee_since + TEE_S
        if not (due or self._held or self.spool.pending >= TEE_BYTES or self.spool.eager):
            return b""
        self.stream.tee_since = -1.0
        return self.spool.pump(room)

    # -- time

    def next_deadline(self) -> float | None:
        """When `tick` has something to do; None: not before something happens."""
        times = self._between.deadlines(free=self._free)
        if self._ask is not None:
            times.append(self._ask.deadline)
        else:
            if self._held.since >= 0:
                times.append(self._hold_until())
            if self._last_till >= 0 and not self.outbox.size:
                times.append(self._idle_at())
        if self.engine_up and self.engine_reads and self.stream.tee_since >= 0:
            times.append(self.stream.tee_since + TEE_S)
        if self.engine_up and self.breaker.ping_at is not None:
            times.append(self.breaker.ping_at)
        if self.replies.deadline is not None:
            times.append(self.replies.deadline)
        return min(times) if times else None

    def _hold_until(self) -> float:
        """How long the held feed waits. Without a cutter the silence that ends the document comes about then too."""
        hold_ms = self.settings.feed_hold_ms
        if not self.profile.cutter and self._last_till >= 0:
            hold_ms += self.settings.idle_after_ms(cutter=False)
        return self._held.since + hold_ms / 1000

    def _idle_at(self) -> float:
        """When silence ends the document. An unflushed line or an open command is no end: the till is only slow."""
        flushed = self.stream.scanner.state.buffer is Buffer.EMPTY and self.stream.at_boundary
        idle_ms = self.settings.idle_after_ms(self.profile.cutter or not flushed)
        if self._till_gone:
            idle_ms = min(idle_ms, self.settings.close_ms)
        return self._last_till + idle_ms / 1000

    def tick(self, now: float) -> None:
        """Deadlines that have passed."""
        self.stream.catch_up(now)
        self.stream.forget_blank()
        if self.outbox.size and self._stalled_at < 0:
            self._stalled_at = now
        ask = self._ask
        if ask is not None and now >= ask.deadline:
            self._missed(now)
        if self._ask is None and self._last_till >= 0 and not self.outbox.size and now >= self._idle_at():
            self._idle(now)
        if self._ask is None and self._held.since >= 0 and now >= self._hold_until():
            self.counters["feed_hold_expired"] += 1
            self._release()
        nonce = self.breaker.ping(now) if self.engine_up else 0
        if nonce:
            self.spool.note(Ping(nonce))
        self._between.tick(now, self.stream, self.outbox, free=self._free)

    @property
    def _free(self) -> bool:
        """Bytes of our own may go out now."""
        clear = not self.outbox.size and not self.stream.scanner.transparent
        return self.printer_up and clear and self.between_documents

    # -- holding and releasing

    def _dispatch(self, piece: Piece) -> None:
        verdict, raw = piece.verdict, piece.raw
        while verdict is Verdict.CLEAR and self._ask is not None:
            self._settle(Result.PLAIN, "buffer_cleared", b"", self._last_till)  # it acts at once: so must we
        if self._ask is not None and verdict is not Verdict.OVERTAKE:
            self._wait_behind(piece)
        elif verdict is Verdict.OVERTAKE:
            self._overtake(raw)
        elif verdict is Verdict.WAIT:
            self._hold(raw)
        elif verdict is Verdict.END:
            self._at_end(raw, piece.ask)
        else:
            self.outbox.push(self._held.take())
            self.outbox.push(raw, piece.boundary)

    def _wait_behind(self, piece: Piece) -> None:
        self._behind.append(piece)
        self._behind_bytes += len(piece.raw)

    def _overtake(self, raw: bytes) -> None:
        """Real time jumps every queue. A drawer kick stays behind a cut that waits: order on paper is kept."""
        if self._held or self._ask is not None:
            self.counters["overtakes"] += 1
        if raw[:1] == b"\x10" and not any(piece.raw[:1] == b"\x10" for piece in self._behind):
            (self.outbox.push_urgent if self._printer_slow else self.outbox.push)(raw)
        elif self._ask is not None and (self._ask.cut or self._behind):
            self._wait_behind(Piece(Verdict.PASS, raw, None, True))
        else:
            self.outbox.push(raw)

    def _hold(self, raw: bytes) -> None:
        if not self.holding:
            self.stream.scanner.released()
            self.outbox.push(raw)
            return
        self._held.add(raw, self._last_till)
        if self._held.size > self.settings.hold_bytes and not self._draining:
            self.counters["held_too_much"] += 1
            self._release()

    def _hold_partial(self, now: float) -> None:
        """An incomplete command waits too where it could be the end's; elsewhere it goes out early."""
        if not self.stream.unsent or self._ask is not None or self._behind:
            return
        if self.holding and self.stream.scanner.has_ink and not self.stream.in_payload:
            self._held.start(now)
        else:
            self._send_partial()

    def _send_partial(self) -> None:
        partial = self.stream.unsent
        self.outbox.push(partial, False)
        self.stream.sent(len(partial))

    def _release(self) -> None:
        """Everything held goes out now; a slip would come behind it."""
        self.outbox.push(self._held.take())
        self.stream.scanner.released()
        if self._ask is None and not self._behind and not self._dispatching:
            self._send_partial()

    # -- the end of a document

    def _at_end(self, cut: bytes, ask: Ask | None) -> None:
        """The cut comes up: ask, or let it go."""
        if ask is not None and self.holding:
            self._ask = ask
            return
        if ask is not None:
            self.spool.outcome(Outcome(ask.document, Result.PLAIN, "not_holding", 0, 0, b""))
        self.outbox.push(self._held.take())
        self.outbox.push(cut)

    def _idle(self, now: float) -> None:
        """Silence: the document is over if anything of it was printed."""
        self._last_till = -1.0
        self._mind_holding()
        self._ask = self.stream.silent(Why.CLOSE if self._till_gone else Why.IDLE, now, gone=self._till_gone)
        if self._ask is None:
            self._release()

    # -- the answer

    def _answered(self, answer: Answer, now: float) -> None:
        ask = self._ask
        if ask is None or ask.document != answer.document:
            self.counters["answers_too_late"] += 1
            return
        self.breaker.hit()
        if not answer.body:
            self._settle(Result.PLAIN, "engine_said_none", answer.ref, now)
            return
        ask_proof = self.settings.proof_of_print and self.profile.gs_h
        proof = self.replies.proof(ask.document, now) if ask_proof else b""
        own = self.settings.placement == "own_slip" and bool(ask.cut)
        placed = insert(answer.body, ask.ending, ask.cut if own else b"", self.profile, proof)
        result = Result.REFUSED if placed.fault else Result.INSERTED
        self._settle(result, placed.fault, answer.ref, now, placed.before, placed.behind)

    def _settle(
        self, result: Result, reason: str, ref: bytes, now: float, before: bytes = b"", behind: bytes = b""
    ) -> None:
        """Closes the question: slip, held feed, cut; then what came in the meantime."""
        ask, self._ask = self._ask, None
        assert ask is not None
        self.outbox.push(before, slip_of=ask.document)
        self.outbox.push(self._held.take())
        self.outbox.push(ask.cut)
        self.outbox.push(behind, slip_of=ask.document)
        hold_us = round((now - ask.since) * 1e6)
        self.spool.outcome(Outcome(ask.document, result, reason, len(before) + len(behind), hold_us, ref))
        self.counters[result.name.lower()] += 1
        if not self._draining:
            self._drain(now)

    def _drain(self, now: float) -> None:
        """What came behind a question goes on, up to the next question."""
        self._draining = True
        while self._behind and self._ask is None:
            piece = self._behind.popleft()
            self._behind_bytes -= len(piece.raw)
            if piece.ask is not None:
                asked = piece.ask._replace(since=now, deadline=now + self.settings.answer_ms / 1000)
                piece = piece._replace(ask=asked)
            self._dispatch(piece)
        self._draining = False
        if self._ask is None and not self._dispatching:
            self._hold_partial(now)

    def _missed(self, now: float) -> None:
        if self.breaker.miss(now):
            self.counters["breaker_opened"] += 1
            self._mind_holding()
        self._settle(Result.LATE, "no answer in time", b"", now)

    def written(self, now: float = -1.0) -> None:
        """The printer's end has taken all of the outbox. Was it busy, the till could not go on: silence begins anew."""
        stalled_at, self._stalled_at = self._stalled_at, -1.0
        if 0 <= stalled_at < now - STALLED_S and self._last_till >= 0:
            self._last_till = now
        self._between.written(now)

    def close(self, now: float) -> None:
        """The line ends: so does the document on its way; the engine gets all of it."""
        if self.stream.scanner.printed:
            self.stream.finish(b"", Why.STOP, now, obstacle="stopping")
