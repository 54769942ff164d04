"""A line's core on a bench with injected time: till, printer end and engine are lists of bytes and frames.

`Wire` does what the relay does, no more: writes first where the core's pace allows, takes as much as the printer's end
is said to take, pumps the tee, and turns the clock to the next deadline when asked to wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from edgebox.escpos.profile import PrinterProfile
from edgebox.line.core import LineCore
from edgebox.line.frames import Answer, Begin, Data, Decoder, Done, End, Frame, Outcome
from edgebox.line.pace import Pace, ends_on_ink
from edgebox.line.settings import LineSettings

CUTTER = PrinterProfile()
TEAR_OFF = PrinterProfile(name="tear-off", dots=384, columns=32, cutter=False)
BODY = b"\x1ba\x01*SLIP*\n\x1ba\x00"


class Wire:
    """`answer` is asked at every End(ask); None: the engine stays silent."""

    def __init__(
        self,
        profile: PrinterProfile = CUTTER,
        engine: bool = True,
        answer: Callable[[End], bytes | None] = lambda end: BODY,
        takes: Callable[[int], int] = lambda size: size,
        **settings: object,
    ) -> None:
        self.core = LineCore(profile, LineSettings(**settings), b"session1", 1)  # type: ignore[arg-type]
        self.now = 100.0
        self.printed = bytearray()
        self.frames: list[Frame] = []
        self.answer = answer
        self.takes = takes
        self.late = b""  # what the till heard of bytes that were kept for a moment
        self.hears = True  # False: the engine reads and does nothing
        self._decoder = Decoder()
        self.core.printer_connected()
        self.core.till_opened(self.now)
        if engine:
            self.core.engine_connected()

    # -- what people do

    def till(self, data: bytes, chunks: Iterable[bytes] | None = None) -> Wire:
        """The till sends, at once or in the given chunks."""
        for chunk in chunks if chunks is not None else [data]:
            self._till(chunk)
        return self

    def _till(self, chunk: bytes) -> None:
        if not chunk:
            return
        pace = self.core.pace
        if pace is Pace.PLAIN or (pace is Pace.GLANCE and ends_on_ink(chunk)):
            taken = self.takes(len(chunk))
            self.printed += chunk[:taken]
            self.core.passed(chunk, self.now)
            if taken < len(chunk):
                self.core.outbox.push_rest(chunk[taken:], self.core.stream.at_boundary)
        else:
            self.core.till_bytes(chunk, self.now)
        self.turn()

    def turn(self) -> None:
        """One turn of the relay."""
        self.core.tick(self.now)
        self.late += self.core.printer_late(self.now)
        self._write()
        if self.core.engine_up:
            self._engine()
        self._write()

    def wait(self, seconds: float) -> Wire:
        """Time passes; every deadline on the way is kept."""
        until = self.now + seconds
        while True:
            deadline = self.core.next_deadline()
            if deadline is None or deadline > until:
                break
            self.now = max(self.now, deadline)
            self.turn()
        self.now = until
        self.turn()
        return self

    def hangs_up(self) -> Wire:
        """The till closes its connection."""
        self.core.till_closed(self.now)
        self.turn()
        return self

    def says(self, data: bytes) -> bytes:
        """The printer sends; what the till hears of it at once."""
        heard = self.core.printer_bytes(data, self.now)
        self.turn()
        return heard

    def engine_dies(self) -> Wire:
        self.core.engine_lost(self.now)
        self.turn()
        return self

    def engine_returns(self) -> Wire:
        self._decoder = Decoder()
        self.core.engine_connected()
        self.turn()
        return self

    # -- what was seen

    @property
    def ends(self) -> list[End]:
        return [frame for frame in self.frames if isinstance(frame, End)]

    @property
    def outcomes(self) -> list[Outcome]:
        return [frame for frame in self.frames if isinstance(frame, Outcome)]

    def documents(self) -> dict[int, bytes]:
        """What the engine has been told, by document."""
        found: dict[int, bytes] = {}
        for frame in self.frames:
            if isinstance(frame, Begin):
                found[frame.document] = b""
            elif isinstance(frame, Data):
                found[frame.document] = found[frame.document][: frame.offset] + frame.raw
        return found

    # -- inside

    def _write(self) -> None:
        outbox = self.core.outbox
        while outbox.size:
            data = outbox.peek()
            taken = self.takes(len(data))
            if not taken:
                return
            self.printed += data[:taken]
            outbox.taken(taken)
        self.core.written(self.now)

    def _engine(self) -> None:
        for frame in self._decoder.feed(self.core.pump(self.now)):
            self.frames.append(frame)
            if not self.hears:
                continue
            if isinstance(frame, End) and frame.ask:
                body = self.answer(frame)
                if body is not None:
                    self.core.frame(Answer(frame.document, b"ref", body), self.now)
            elif isinstance(frame, Outcome):
                self.core.frame(Done(frame.document), self.now)
        if self.core.engine_up and self.core.spool.eager:
            self._engine()


def chunked(data: bytes, random: Random, most: int = 40) -> list[bytes]:
    """The data in random chunks."""
    out, at = [], 0
    while at < len(data):
        size = random.choice((1, 1, 2, 3, random.randint(1, most)))
        out.append(data[at : at + size])
        at += size
    return out
