"""The till's stream as the line sees it: pieces with verdicts, documents with ends, a copy for the engine.

Owns: the parser, the scanner, the spool's boundaries, and how much of what the parser still keeps has already gone
out. Never: queues or clocks' consequences (core.py). Bytes come in one of two ways: `passed`, already written, only
to be followed; or `pieces`, to be written as the verdicts say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edgebox.escpos.commands import Effect
from edgebox.escpos.documents import DocumentScanner, Ending, Verdict
from edgebox.escpos.parser import Command, Event, Parser, raw_of
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.state import Buffer
from edgebox.line.frames import Outcome, Result, Why
from edgebox.line.replies import Replies
from edgebox.line.settings import LineSettings
from edgebox.line.spool import Spool

_ASKING = (Effect.REALTIME, Effect.QUERY, Effect.CLEAR)
BLANK_MAX = 4096  # bytes that printed nothing, before they are forgotten: a till may poll for days between receipts


class Ask(NamedTuple):
    """A question to the engine, open or about to be. `cut` is empty where the document ended without one."""

    document: int
    ending: Ending
    cut: bytes
    since: float
    deadline: float


class Piece(NamedTuple):
    """A piece of the stream and what is to be done with it. `boundary`: behind it stands a command's boundary."""

    verdict: Verdict
    raw: bytes
    ask: Ask | None
    boundary: bool


def _whole(event: Event) -> bool:
    """Behind this event stands a command's boundary."""
    if isinstance(event, bytes):
        return True
    if isinstance(event, Command):
        return event.total == len(event.raw) and event.effect is not Effect.DEFINE
    return event.last


class TillStream:
    """One till's stream. `holding` is kept up to date by the core: may a slip be asked for?"""

    def __init__(self, profile: PrinterProfile, settings: LineSettings, spool: Spool, replies: Replies) -> None:
        self.scanner = DocumentScanner(profile, settings.header_preprint)
        self.spool = spool
        self.holding = False
        self.counters: Counter[str] = Counter()
        self.tee_since = -1.0  # when the oldest byte came that the engine may not have yet
        self._profile = profile
        self._settings = settings
        self._replies = replies
        self._parser = Parser()
        self._in = 0  # bytes so far
        self._ahead = 0  # bytes the parser still keeps that have already gone out
        self._tail = b""  # compared with the till's end signature
        self.last_cut = b""  # the till's way of cutting

    # -- asking

    @property
    def at_boundary(self) -> bool:
        """The stream stands between commands."""
        return self._parser.at_boundary

    @property
    def in_payload(self) -> bool:
        """The stream stands inside a picture or the like."""
        return self._parser.in_payload

    @property
    def unsent(self) -> bytes:
        """The bytes of an incomplete command that have not gone out."""
        if self._parser.kept <= self._ahead:
            return b""
        return self._parser.partial[self._ahead :]

    def sent(self, count: int) -> None:
        """`count` bytes of `unsent` have gone out early."""
        self._ahead += count

    # -- taking

    def passed(self, data: bytes, now: float) -> None:
        """These bytes have been written already: only follow them."""
        start, self._in = self._in, self._in + len(data)
        events = self._parser.feed(data)
        taken = self._follow(events, data, start, now) if events else 0
        self._ahead = self._parser.kept
        self._tee(data[taken:] if taken else data, now)

    def catch_up(self, now: float) -> None:
        """Takes the text or payload that the parser still keeps and that has gone out."""
        if self._ahead:
            events = self._parser.take_open()
            self._follow(events, b"", self._in, now)
            self._ahead -= sum(len(raw_of(event)) for event in events)

    def _follow(self, events: Iterable[Event], data: bytes, start: int, now: float) -> int:
        """Takes events that have gone out; returns how many bytes of `data` were teed with documents that ended."""
        scanner, taken = self.scanner, 0
        follow = scanner.follow
        for event in self._parted(events) if self._settings.end_signature else events:
            if isinstance(event, Command) and event.effect in _ASKING:
                self._replies.till_asked(event, now)
            cut = follow(event)
            if cut or (self._settings.end_signature and self._signed(event)):
                end = max(scanner.offset + len(cut) - start, 0)
                self._tee(data[taken:end], now)
                taken = end
                self.finish(cut, Why.CUT if cut else Why.SIGNATURE, now, obstacle="not_holding")
        return taken

    def _parted(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events, with text divided behind each place where the till's end signature ends, however it was fed."""
        signature = self._settings.end_signature
        for event in events:
            rest = event
            while isinstance(rest, bytes):
                before = self._tail[-len(signature) + 1 :] if len(signature) > 1 else b""
                at = (before + rest).find(signature)
                end = at + len(signature) - len(before)
                if at < 0 or end >= len(rest):
                    break
                yield rest[:end]
                rest = rest[end:]
            yield rest

    def _signed(self, event: Event) -> bool:
        """With this event the bytes are the till's learned last bytes."""
        signature = self._settings.end_signature
        self._tail = (self._tail + raw_of(event))[-len(signature) :]
        return self._tail == signature and self.scanner.has_ink and _whole(event)

    def pieces(self, data: bytes, now: float) -> Iterator[Piece]:
        """Bytes that may have to wait, one piece after the other; each is to be dealt with before the next is asked."""
        self.catch_up(now)
        start, self._in = self._in, self._in + len(data)
        taken = 0
        events: Iterable[Event] = (*self._parser.feed(data), *self._parser.take_open())
        signature = self._settings.end_signature
        for event in self._parted(events) if signature else events:
            if isinstance(event, Command) and event.effect in _ASKING:
                self._replies.till_asked(event, now)
            # Nobody here knows where another device's commands end.
            whole = _whole(event) and not self.scanner.transparent and self.scanner.state.to_printer
            for verdict, raw in self.scanner.take(event):
                if verdict is Verdict.END:
                    end = self.scanner.offset + len(raw) - start
                    self._tee(data[taken:end], now)
                    taken = end
                yield self._piece(verdict, raw, whole, now)
            if signature and self._signed(event):
                end = max(self.scanner.offset - start, 0)
                self._tee(data[taken:end], now)
                taken = end
                yield Piece(Verdict.END, b"", self.finish(b"", Why.SIGNATURE, now), True)
        self._tee(data[taken:], now)

    def _piece(self, verdict: Verdict, raw: bytes, whole: bool, now: float) -> Piece:
        skip = min(self._ahead, len(raw))
        self._ahead -= skip
        if verdict is Verdict.END:
            return Piece(verdict, raw[skip:], self.finish(raw, Why.CUT, now, "cut_in_part" if skip else ""), True)
        if skip:
            self.scanner.released()
            verdict = Verdict.PASS
        return Piece(verdict, raw[skip:], None, whole)

    def broken(self, now: float) -> None:
        """The printer's link broke: what follows is read as a new stream.

        The printer may stand inside a command of which it will take what follows for the rest: no slip until ESC @
        or idle.
        """
        self.catch_up(now)
        self.scanner.offset += len(self._parser.partial)
        self._parser = Parser()
        self._ahead = 0
        if self.spool.open is not None:
            self.finish(b"", Why.CLOSE, now, obstacle="printer_gone")
            self.scanner.state.transparent = True

    def begin_anew(self) -> None:
        """What was known of the stream is no longer believed: its document ends here, unasked, and is not read on."""
        self._parser = Parser()
        self._ahead = 0
        self._tail = b""
        self.scanner = DocumentScanner(self._profile, self._settings.header_preprint)
        if self.spool.open is not None:
            self.spool.close(self.scanner.ending(), Why.CLOSE, "fault", -1, 0)
        self.spool.give_up("fault")
        self.scanner.state.forget()
        self.scanner.offset = self.scanner.start = self._in

    # -- ends

    def finish(self, cut: bytes, why: Why, now: float, obstacle: str = "") -> Ask | None:
        """Ends the document in the scanner and the spool; the question to ask, if there is one."""
        scanner, settings = self.scanner, self._settings
        ending = scanner.ending(cut)
        reason = ending.reason or obstacle or ("" if self.holding else "not_holding")
        if not reason and not cut and self._profile.cutter and why is not Why.SIGNATURE:
            reason = "no_cut"  # on a printer with a cutter silence is no proof of the end
        if not reason and self.spool.open is not None and self.spool.open.missing:
            reason = "too_long"  # the engine has not seen all of it
        number = self.spool.close(ending, why, reason, scanner.state.code_page, settings.answer_ms)
        scanner.next_document(cut)
        self.last_cut = cut or self.last_cut
        self._tail = b""
        self.counters[f"ended_{why.name.lower()}"] += 1
        if reason:
            self.spool.outcome(Outcome(number, Result.PLAIN, reason, 0, 0, b""))
            self.counters["plain"] += 1
            return None
        return Ask(number, ending, cut, now, now + settings.answer_ms / 1000)

    def silent(self, why: Why, now: float, *, gone: bool) -> Ask | None:
        """Nothing has come for a while: what printed is a document; what did not is no part of the next one.

        A command that stands open is not believed to go on (its till may have crashed), but neither is what follows
        it: no slip for that.
        """
        scanner = self.scanner
        scanner.idle()
        unsure = scanner.printed or (gone and scanner.state.buffer is not Buffer.EMPTY)
        if self.spool.open is None or not (unsure or not self.at_boundary):
            return None
        if self.at_boundary:
            return self.finish(b"", why, now)
        self.finish(b"", why, now, obstacle="inside_a_command")
        scanner.start = self._in  # the open command's first bytes are the old document's
        scanner.doubted = True
        return None

    def forget_blank(self) -> None:
        """Forgets the open document's bytes when there are many of them and nothing of it is on paper."""
        document, scanner = self.spool.open, self.scanner
        if document is None or document.size <= BLANK_MAX or self._parser.kept:
            return
        if scanner.between and not scanner.transparent:
            scanner.next_document()
            self.spool.restart(scanner.prelude)

    def _tee(self, raw: bytes, now: float) -> None:
        if not raw:
            return
        if self.spool.open is None:
            self.spool.begin(self.scanner.prelude)
        self.spool.add(raw)
        if self.tee_since < 0:
            self.tee_since = now

    def counters_text(self) -> str:
        """The counters, `name value` a line."""
        counters = {**self.counters, "spool_documents": self.spool.documents, "spool_dropped": self.spool.dropped}
        return "".join(f"{name} {value}\n" for name, value in sorted(counters.items()))
