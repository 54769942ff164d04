"""Where a document ends, what of it is ink, and where a slip may go.

Owns: for every event of the till's stream, whether it must go on at once, may wait behind the last ink, must overtake
what waits, or ends the document. Never: queues, clocks or the engine (line/core.py). The same scanner reads captured
files (`edgebox read`) and drives the live line, so both agree on every offset.

Words: *ink* is anything that leaves a mark, with the line end that flushes it. Behind ink, blank feed and attributes
*wait*. The slip goes to the start of what waits: at the beginning of a line, after the last ink, before the feed.

Shape: `take(event)` returns pieces `(verdict, raw)`; their raw bytes joined are the event's.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Event, Parser, raw_of
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.state import Buffer, Modes, PrinterState


class Verdict(IntEnum):
    """What the line does with a piece of the stream."""

    PASS = 1  # goes on at once, and what waited before it goes first
    WAIT = 2  # may wait for the end of the document
    OVERTAKE = 3  # goes on at once, before what waits
    CLEAR = 4  # a buffer clear: what waits goes first, then this, and no slip into this document
    END = 5  # a cut the printer obeys


class Ending(NamedTuple):
    """The end of one document. Offsets count from the stream's start.

    `insert_at` is where a slip may go, or -1 with `reason`; `cut_at`/`end` frame the cut command (cut_at -1: none).
    `modes` are those in force at `insert_at`; `feed_dots` is the feed between there and the cut; `cut_feeds` when
    the cut itself moves the paper to the cutter.
    """

    start: int
    ink_end: int
    insert_at: int
    cut_at: int
    end: int
    reason: str
    modes: Modes
    modes_after: Modes  # in force behind the cut
    feed_dots: float
    cut_feeds: bool


Piece = tuple[Verdict, bytes]
_BLANK = b" \n\r\t\x00"
_BLANK_INKED = b"\n\r\t\x00"  # where blanks are underlined or reversed

_SYMBOLS = (b"\x1dk", b"\x1d(k")  # GS k, GS ( k: the line end behind them belongs to them

_ALWAYS = {
    Effect.REALTIME: Verdict.OVERTAKE,
    Effect.DRAWER: Verdict.OVERTAKE,
    Effect.CLEAR: Verdict.CLEAR,
}
_WAITING = (Effect.MODE, Effect.POSITION, Effect.SELECT, Effect.SOUND)
_UNHELD_FEEDS = (b"\x1bK", b"\x1be", b"\x1bj", b"\x1c(")  # backwards, or to a mark: nobody knows how far


class DocumentScanner:
    """Follows one till's stream. `header`: first text of the next receipt where the till prints it before the cut."""

    def __init__(self, profile: PrinterProfile, header: bytes = b"") -> None:
        self.profile = profile
        self.state = PrinterState(profile)
        self.header = header
        self.offset = 0  # of the next event
        self.inked_line = False  # what the print buffer holds will leave a mark
        self.open_symbol = False  # a bar code or symbol still wants its line end; some printers print it only then
        self._begin()

    def _begin(self) -> None:
        self.start = self.offset
        self.prelude = self.state.prelude()  # brings a fresh parser into the modes in force here
        self.ink_end = -1  # after the last ink's line end; -1: nothing printed yet
        self.waiting_at = -1  # where what waits begins; -1: nothing waits
        self.feed_dots = 0.0  # of what waits
        self.has_text = False  # a line of text is on paper: a header from here on is the next receipt's
        self.cleared = False
        self.doubted = False  # an unknown opcode went by in this document
        self._heading = b""  # the next receipt's header, as far as it has come
        self._modes: Modes | None = None

    # -- asking

    @property
    def has_ink(self) -> bool:
        """Something of this document is on paper."""
        return self.ink_end >= 0

    @property
    def printed(self) -> bool:
        """Something of this document is on paper, or may be: a till may end its lines with CR alone."""
        return self.has_ink or (self.inked_line and self.state.buffer is Buffer.UNSURE)

    @property
    def between(self) -> bool:
        """Between documents: nothing printed and nothing in the buffer. Foreign documents may go here."""
        state = self.state
        return not self.has_ink and state.buffer is Buffer.EMPTY and not state.in_page and not state.in_macro

    @property
    def transparent(self) -> bool:
        """An unknown opcode went by: everything passes until ESC @ or idle."""
        return self.state.transparent

    # -- taking

    def take(self, event: Event) -> list[Piece]:
        """The event's pieces with their verdicts. After END call `ending()` and then `next_document()`."""
        if isinstance(event, bytes):
            pieces = self._text(event)
        elif isinstance(event, Command):
            pieces = self._command(event)
        else:
            self.state.apply(event)
            pieces = self._pass(event.raw, ink=self._in_ink_payload)
        if not (pieces and pieces[-1][0] is Verdict.END):
            self.offset += len(raw_of(event))
        return pieces

    def follow(self, event: Event) -> bytes:
        """Like `take` for an event that has already gone out: nothing waits. Returns the cut if it ends the document.

        Text and modes, nearly all of a receipt, take a short way: this is what the line does behind every write.
        """
        state = self.state
        if not (state.in_page or state.in_macro or state.transparent) and state.to_printer:
            if isinstance(event, bytes):
                self._follow_text(event)
                return b""
            if isinstance(event, Command) and event.effect is Effect.MODE:
                state.mode(event)
                if self.waiting_at >= 0:
                    self.released()
                self._in_ink_payload = False
                self.offset += len(event.raw)
                return b""
        for verdict, raw in self.take(event):
            if verdict is Verdict.END:
                return raw
        if self.waiting_at >= 0:
            self.released()
        return b""

    def _follow_text(self, run: bytes) -> None:
        self._mark_ink(run)
        if self.waiting_at >= 0:
            self.released()
        self.state.text(run)
        self.offset += len(run)

    def _mark_ink(self, run: bytes) -> None:
        """Moves `ink_end` behind the line end that flushes the last whole line of `run`; before the state takes it."""
        blank, end = self._blank, run.rfind(b"\n") + 1
        if end:
            inked = len(run[:end].rstrip(blank))
            self.has_text = self.has_text or inked > 0 or self.inked_line
            if inked:
                self.ink_end = self.offset + run.find(b"\n", inked - 1) + 1
            elif (self.inked_line or self.open_symbol) and self.waiting_at < 0:
                self.ink_end = self.offset + run.find(b"\n") + 1
            self.inked_line = self.open_symbol = False
        self.inked_line = self.inked_line or end + len(run[end:].rstrip(blank)) > end

    @property
    def _blank(self) -> bytes:
        return _BLANK_INKED if self.state.space_is_ink else _BLANK

    _in_ink_payload = False

    def _pass(self, raw: bytes, *, ink: bool) -> list[Piece]:
        """Goes on now; what waited went with it, so the slip's place moves behind it."""
        self.released()
        if ink:
            self.ink_end = self.offset + len(raw)
        return [(Verdict.PASS, raw)]

    def _wait(self, raw: bytes) -> list[Piece]:
        """Waits if there is ink to wait behind."""
        if not self.has_ink:
            return self._pass(raw, ink=False)
        if self.waiting_at < 0:
            self.waiting_at = self.offset
            self.feed_dots = 0.0
            self._modes = self.state.modes()
        return [(Verdict.WAIT, raw)]

    def _text(self, run: bytes) -> list[Piece]:
        state = self.state
        if state.transparent or state.in_page or state.in_macro:
            state.apply(run)
            return self._pass(run, ink=not state.in_macro)
        if not state.to_printer:
            return self._wait(run) if self._may_wait else self._pass(run, ink=False)
        if self._heading and self._is_header(self._heading + run):
            return self._wait_heading(run)
        if self.header and not self._heading:
            at = self._header_at(run)
            if at >= 0:
                return self._before_header(run, at)
        return self._printing(run)

    def _printing(self, run: bytes) -> list[Piece]:
        """Splits a run behind the line end that flushes its last ink."""
        state = self.state
        inked = len(run.rstrip(self._blank))
        flushes = (state.buffer is not Buffer.EMPTY or self.open_symbol) and self.waiting_at < 0
        if inked:
            cut = run.find(b"\n", inked - 1) + 1 or len(run)
        elif flushes:
            cut = run.find(b"\n") + 1 or len(run)
        else:
            cut = 0
        pieces: list[Piece] = []
        if cut:
            head = run[:cut]
            self._mark_ink(head)
            state.apply(head)
            pieces = self._pass(head, ink=False)
            run = run[cut:]
        if run:
            self.offset += cut
            pieces += self._wait(run)
            self.offset -= cut
            self.feed_dots += run.count(b"\n") * state.line_dots
            state.apply(run)
        return pieces

    def _header_at(self, run: bytes) -> int:
        """Offset in `run` of the next receipt's header, or of its beginning, at the start of a line; -1: not there."""
        line = 0 if self.has_text and self.state.buffer is Buffer.EMPTY else run.find(b"\n") + 1
        while 0 < line < len(run) or (line == 0 and self.has_text and self.state.buffer is Buffer.EMPTY):
            if self._is_header(run[line:]) and (self.has_text or self.inked_line or run[:line].strip(self._blank)):
                return line
            line = run.find(b"\n", line) + 1 or len(run)
        return -1

    def _is_header(self, text: bytes) -> bool:
        return text.startswith(self.header) or (bool(text) and self.header.startswith(text))

    def _before_header(self, run: bytes, at: int) -> list[Piece]:
        pieces = self._printing(run[:at]) if at else []
        self.offset += at
        pieces += self._wait_heading(run[at:])
        self.offset -= at
        return pieces

    def _wait_heading(self, run: bytes) -> list[Piece]:
        pieces = self._wait(run)
        self._heading += run[: len(self.header)]
        self.inked_line = not run.endswith(b"\n")
        self.feed_dots += run.count(b"\n") * self.state.line_dots
        self.state.apply(run)
        return pieces

    @property
    def waits(self) -> bool:
        """Something waits behind the ink."""
        return self.waiting_at >= 0

    @property
    def _may_wait(self) -> bool:
        """Behind flushed ink, with nothing unflushed that already went out, and the printer addressed.

        What waits begins where a slip may go: never while the customer display is addressed (ESC = 2).
        """
        state = self.state
        ready = state.buffer is Buffer.EMPTY and state.to_printer and not self.open_symbol
        return self.has_ink and (self.waiting_at >= 0 or ready)

    def _command(self, command: Command) -> list[Piece]:
        state, effect, raw = self.state, command.effect, command.raw
        self._in_ink_payload = False
        if not state.to_printer and effect not in (Effect.SELECT, Effect.REALTIME, Effect.CLEAR):
            return self._wait(raw) if self._may_wait else self._pass(raw, ink=False)  # the display's own command
        always = _ALWAYS.get(effect)
        if always is not None and not state.transparent:
            return self._urgent(always, raw)
        if effect is Effect.CUT:
            return self._cut(raw)
        if state.transparent or state.in_page or state.in_macro:
            return self._unheld(command)
        if effect in _WAITING:
            return self._attribute(command)
        if effect is Effect.FEED:
            return self._feed(command)
        if effect is Effect.INIT and state.buffer is Buffer.EMPTY and self._may_wait:
            pieces = self._wait(raw)
            state.apply(command)
            return pieces
        return self._unheld(command)

    def _urgent(self, verdict: Verdict, raw: bytes) -> list[Piece]:
        if verdict is Verdict.CLEAR:
            self.cleared = self.cleared or self.has_ink or self.state.buffer is not Buffer.EMPTY
            self._pass(raw, ink=False)
        return [(verdict, raw)]

    def _attribute(self, command: Command) -> list[Piece]:
        pieces = self._wait(command.raw) if self._may_wait else self._pass(command.raw, ink=False)
        self.state.apply(command)
        return pieces

    def _feed(self, command: Command) -> list[Piece]:
        state, raw = self.state, command.raw
        unheld = raw[:2] in _UNHELD_FEEDS
        if unheld or ((state.buffer is not Buffer.EMPTY or self.open_symbol) and self.waiting_at < 0):
            ink, self.inked_line = unheld or self.inked_line or self.open_symbol, False
            state.apply(command)
            return self._pass(raw, ink=ink)
        pieces = self._wait(raw)
        self.feed_dots += raw[2] * (state.line_dots if raw[:2] == b"\x1bd" else state.unit_dots) if len(raw) > 2 else 0
        state.apply(command)
        return pieces

    def _unheld(self, command: Command) -> list[Piece]:
        """Everything that may not wait: ink, queries, definitions, page mode, macros, unknown opcodes."""
        state, effect = self.state, command.effect
        was_page = state.in_page
        state.apply(command)
        self.doubted = (self.doubted or state.transparent) and (self.has_ink or effect is not Effect.INIT)
        ink = effect is Effect.INK or (was_page and effect in (Effect.PAGE_PRINT, Effect.FEED))
        ink = ink or (effect is Effect.PAGE_PRINT and not was_page) or effect is Effect.MACRO
        self._in_ink_payload = ink
        self.open_symbol = effect is Effect.INK and command.raw.startswith(_SYMBOLS)
        self.inked_line = effect is Effect.BUFFER or (self.inked_line and state.buffer is not Buffer.EMPTY)
        return self._pass(command.raw, ink=ink)

    # -- endings

    def _cut(self, raw: bytes) -> list[Piece]:
        state = self.state
        if state.in_page or state.in_macro or not self.printed:
            return self._pass(raw, ink=False)
        if state.buffer is Buffer.FILLED and not state.transparent:
            return self._pass(raw, ink=False)  # printers ignore a cut in the middle of a line
        return [(Verdict.END, raw)]

    def ending(self, cut: bytes = b"") -> Ending:
        """How the document stands now; `cut` is the cut command that ends it, none for idle or close."""
        at = self.waiting_at if self.waiting_at >= 0 else self.offset
        reason = self._obstacle()
        modes = self._modes if self.waiting_at >= 0 and self._modes is not None else self.state.modes()
        if not reason and not modes.known:
            reason = "modes_unknown"
        return Ending(
            start=self.start,
            ink_end=self.ink_end,
            insert_at=-1 if reason else at,
            cut_at=self.offset if cut else -1,
            end=self.offset + len(cut),
            reason=reason,
            modes=modes,
            modes_after=self.state.modes(),
            feed_dots=self.feed_dots if self.waits else 0.0,  # feed in front of the ink moved the paper before it
            cut_feeds=self.profile.cut_feeds or (cut[:2] == b"\x1dV" and len(cut) == 4),
        )

    def _obstacle(self) -> str:
        """Why no slip may go in here; empty: it may."""
        state = self.state
        if not self.profile.insert:
            return "profile"
        if not self.has_ink:
            return "nothing_printed"
        if state.transparent or self.doubted:
            return "unknown_opcode"
        if state.in_page or state.in_macro:
            return "page_or_macro"
        if self.cleared:
            return "buffer_cleared"
        if state.buffer is not Buffer.EMPTY:
            return "unflushed"
        return "" if state.to_printer or self.waiting_at >= 0 else "other_device"

    def next_document(self, cut: bytes = b"") -> None:
        """Begins the next document behind `cut`."""
        self.offset += len(cut)
        if cut:
            self.state.buffer = Buffer.EMPTY
            self.inked_line = False
        self._begin()

    def released(self) -> None:
        """What waited has gone out (a deadline, too much of it): the slip's place is now behind it."""
        self.waiting_at = -1
        self.feed_dots = 0.0
        self._modes = None
        self._heading = b""

    def idle(self) -> None:
        """Nothing came for a while: an unknown opcode's reach is over."""
        self.state.forgive()


def scan(stream: bytes, profile: PrinterProfile, header: bytes = b"") -> list[Ending]:
    """The documents of a captured stream. One without a cut ends where the stream ends."""
    parser, scanner, endings = Parser(), DocumentScanner(profile, header), []
    for event in (*parser.feed(stream), *parser.finish()):
        for verdict, raw in scanner.take(event):
            if verdict is Verdict.END:
                endings.append(scanner.ending(raw))
                scanner.next_document(raw)
    if scanner.has_ink or scanner.state.buffer is not Buffer.EMPTY:
        endings.append(scanner.ending())
    return endings
