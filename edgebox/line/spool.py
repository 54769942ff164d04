"""Documents that the engine has not yet recorded.

Owns: the bytes of the document now passing and of those that wait for the engine's Done; what of them was already
sent over this connection; the limits, and what is lost when they are reached. Never: sockets, or the wire itself:
whatever happens here, the paper has long gone on.

Shape: a queue of documents and a cursor. `pump` gives the next frames' bytes from the cursor on; a new connection
sets the cursor back to the oldest document that is not Done, so an engine that was killed gets everything again.
Limits: documents and bytes of the design (64, 1 MB); the oldest ended document is dropped first, and counted in Gap.
"""

from __future__ import annotations

from collections import deque

from edgebox.escpos.documents import Ending
from edgebox.line.frames import Begin, Data, End, Frame, Gap, Outcome, Result, Why, encode

PIECE = 4096  # bytes of one Data frame


class Document:
    """One document in the spool."""

    __slots__ = ("begin", "end", "missing", "number", "outcome", "raw", "size")

    def __init__(self, number: int, prelude: bytes) -> None:
        self.number = number
        self.begin = Begin(number, prelude)
        self.raw = bytearray()
        self.size = 0  # bytes that passed; more than len(raw) when some were not kept
        self.missing = 0
        self.end: End | None = None
        self.outcome: Outcome | None = None


class Spool:
    """The queue. `first` numbers the first document of this process."""

    def __init__(self, first: int, max_documents: int = 64, max_bytes: int = 1 << 20) -> None:
        self._next = first
        self._max_documents = max_documents
        self._max_bytes = max_bytes
        self._queue: deque[Document] = deque()
        self._bytes = 0
        self._notes: list[Frame] = []  # frames that belong to no place in the queue: gaps, status, job states
        self._cursor = 0  # index of the document being sent
        self._sent = 0  # bytes of it sent
        self._begun = self._ended = False  # its Begin, its End sent; behind its Outcome the cursor goes on
        self._replayed = -1  # documents up to this number ended before this connection
        self.dropped = 0  # documents lost, since the start
        self._untold = 0  # of them, those that the engine has not heard of
        self.open: Document | None = None

    @property
    def pending(self) -> int:
        """Bytes that the pump has not yet sent, of the document now passing."""
        document = self.open
        if document is None:
            return 0
        at_it = self._cursor == len(self._queue) - 1
        return len(document.raw) - (self._sent if at_it else 0)

    @property
    def documents(self) -> int:
        """Documents in the spool."""
        return len(self._queue)

    @property
    def eager(self) -> bool:
        """Something other than bytes of the document now passing is to be sent."""
        if self._notes or self._untold:
            return True
        if self._cursor >= len(self._queue):
            return False
        document = self._queue[self._cursor]
        if document is self.open:
            return False
        return not self._ended or document.outcome is not None

    # -- filling

    def begin(self, prelude: bytes) -> int:
        """A new document; its number."""
        document = Document(self._next, prelude)
        self._next += 1
        self._queue.append(document)
        self.open = document
        self._shrink()
        return document.number

    def add(self, raw: bytes) -> None:
        """Bytes of the open document."""
        document = self.open
        if document is None or not raw:
            return
        document.size += len(raw)
        room = self._max_bytes // 2 - len(document.raw)  # one document alone may not push out all others
        if document.missing or room < len(raw):
            document.missing += len(raw)
            return
        document.raw += raw
        self._bytes += len(raw)
        if self._bytes > self._max_bytes:
            self._shrink()

    def close(self, ending: Ending, why: Why, reason: str, code_page: int, answer_ms: int) -> int:
        """The open document is complete; its number. `reason`: why the engine is not asked (empty: it is)."""
        if self.open is None:
            self.begin(b"")
        document, self.open = self.open, None
        assert document is not None
        start = ending.start
        document.end = End(
            document=document.number,
            why=why,
            ask=not reason,
            reason=reason,
            ink_end=max(ending.ink_end - start, 0),
            insert_at=ending.insert_at - start if ending.insert_at >= 0 else -1,
            cut_at=ending.cut_at - start if ending.cut_at >= 0 else -1,
            symbol_ok=ending.modes.symbol_ok,
            code_page=code_page,
            answer_ms=answer_ms,
            replay=False,
            ref=b"",
        )
        if document.missing:
            self._notes.append(Gap(document.number, 0, document.missing))
        return document.number

    def restart(self, prelude: bytes) -> None:
        """Nothing of the open document has printed so far: forgets its bytes. The engine hears its Begin again."""
        document = self.open
        if document is None:
            return
        if self._queue[min(self._cursor, len(self._queue) - 1)] is document:
            self._rewind_document()
        self._bytes -= len(document.raw)
        document.raw.clear()
        document.size = document.missing = 0
        document.begin = Begin(document.number, prelude)

    def outcome(self, outcome: Outcome) -> None:
        """What became of a document's slip."""
        for document in reversed(self._queue):
            if document.number == outcome.document:
                document.outcome = outcome
                return

    def give_up(self, reason: str) -> None:
        """Nobody will say what became of the documents that have ended: they went out plain, for this reason."""
        for document in self._queue:
            if document.end is not None and document.outcome is None:
                document.outcome = Outcome(document.number, Result.PLAIN, reason, 0, 0, b"")

    def done(self, number: int) -> None:
        """The engine has recorded it."""
        for index, document in enumerate(self._queue):
            if document.number == number and document.outcome is not None:
                self._remove(index)
                return

    def note(self, frame: Frame) -> None:
        """A frame that belongs to no document; dropped when nobody is there to hear it for long."""
        self._notes.append(frame)
        if len(self._notes) > 256:
            del self._notes[:128]

    def _remove(self, index: int) -> None:
        self._bytes -= len(self._queue[index].raw)
        del self._queue[index]
        if index < self._cursor:
            self._cursor -= 1
        elif index == self._cursor:
            self._rewind_document()

    def _shrink(self) -> None:
        """Drops the oldest ended documents until the limits hold."""
        lost = 0
        while self._bytes > self._max_bytes or len(self._queue) > self._max_documents:
            index = next((i for i, d in enumerate(self._queue) if d.outcome is not None), -1)
            if index < 0:
                break
            self._remove(index)
            lost += 1
        if lost:
            self.dropped += lost
            self._untold += lost

    # -- sending

    def rewind(self) -> None:
        """A new connection: everything that is not Done is to be sent (again)."""
        self._cursor = 0
        self._rewind_document()
        ended = [d.number for d in self._queue if d.end is not None]
        self._replayed = ended[-1] if ended else -1
        told = {note.document for note in self._notes if isinstance(note, Gap)}
        for document in self._queue:
            if document.missing and document.end is not None and document.number not in told:
                self.note(Gap(document.number, 0, document.missing))

    def pump(self, limit: int = 65536) -> bytes:
        """Bytes of the next frames, at most about `limit`; empty when all is sent."""
        if self._untold:
            self._notes.append(Gap(-1, self._untold, 0))
            self._untold = 0
        out = [encode(note) for note in self._notes]
        self._notes.clear()
        size = sum(map(len, out))
        while size < limit:
            frame = self._next_frame()
            if frame is None:
                break
            raw = encode(frame)
            size += len(raw)
            out.append(raw)
        return b"".join(out)

    def _next_frame(self) -> Frame | None:
        if self._cursor < len(self._queue):
            document = self._queue[self._cursor]
            frame = self._frame_of(document)
            if isinstance(frame, Outcome):
                self._cursor += 1
                self._rewind_document()
            return frame  # None: this document isn't complete yet
        return None

    def _rewind_document(self) -> None:
        self._sent = 0
        self._begun = self._ended = False

    def _frame_of(self, document: Document) -> Frame | None:
        if not self._begun:
            self._begun = True
            return document.begin
        if self._sent < len(document.raw):
            at = self._sent
            piece = bytes(document.raw[at : at + PIECE])
            self._sent += len(piece)
            return Data(document.number, at, piece)
        if document.end is not None and not self._ended:
            self._ended = True
            return self._ending(document, document.end)
        return document.outcome if self._ended else None

    def _ending(self, document: Document, end: End) -> End:
        if document.number > self._replayed:
            return end
        ref = document.outcome.ref if document.outcome is not None else b""
        return end._replace(ask=False, replay=True, ref=ref)
