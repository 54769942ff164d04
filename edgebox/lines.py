"""The engine's end of a line's socket: frames in, answers out, each document recorded before it is Done.

Owns: one connection's state (its open document, the ones that wait for their outcome, its jobs). Never: decides what a
receipt is or earns (the desk does), and never lets anything but an answer happen between End and Answer.

Shape: an asyncio.Protocol. Bytes, reading, minting and the answer happen inside one `data_received`. Behind the answer
nothing is done: the line must wake to print it, perhaps on the CPU that we would go on to take. What only the record
needs is read at the outcome; the disk is met after that, in a task. While the till pauses, the answer is prepared.
Whatever goes wrong with a document, an exception included, ends in an empty Answer at once and a counted fault.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping

from edgebox.awards import Award
from edgebox.errors import EdgeboxError, StoreError
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import (
    PROOF_ASKED,
    TORN,
    Answer,
    Begin,
    Data,
    Decoder,
    Done,
    End,
    Frame,
    FrameError,
    Gap,
    Hello,
    Job,
    JobCancel,
    JobPhase,
    JobState,
    Outcome,
    Ping,
    Pong,
    Printed,
    Restart,
    Result,
    Status,
    WhoIs,
    encode,
)
from edgebox.line_desk import Decided, Desk, Pending, Settled
from edgebox.model import DocumentKind, Receipt
from edgebox.peer import Peer
from edgebox.reading import OpenDocument
from edgebox.receipt.familiar import FamiliarLines
from edgebox.receipt.preprint import Outline, PreprintWatch
from edgebox.stored_paper import sealed

log = logging.getLogger("edgebox.line")

PENDING_MAX = 256  # documents between End and Outcome; the line's spool holds 64
RETRY_S = 1.0  # between attempts to record while the disk is full
WHO_S = 7.0  # a line waits 5 s for a quiet moment, and 1 s for its printer's answer (edgebox/line/identity.py)
UNKNOWN = 0  # an outcome that no line told: it ended between answer and outcome, and the slip may be on paper
OVER = (JobPhase.SENT, JobPhase.PRINTED, JobPhase.FAILED, JobPhase.EXPIRED, JobPhase.CANCELED)


class LineSession(Peer[Frame, Pong]):
    """One connection of a line."""

    def __init__(self, desk: Desk, clock: Callable[[], float]) -> None:
        super().__init__("line", Decoder(), FrameError, encode)
        self._desk = desk
        self._clock = clock
        self.hello: Hello | None = None
        self.status: Status | None = None
        self._profile: PrinterProfile | None = None
        self._open: OpenDocument | None = None
        self._number = -1  # of the open document
        self._broken = ""  # why the open document can't be read
        self._gaps: set[int] = set()  # documents that come with bytes missing
        self._pending: dict[int, Pending] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._preprint = PreprintWatch()
        self._familiar = FamiliarLines()
        self._press: Press | None = None  # of the last question: the next is likely to be the same
        self._jobs: dict[str, asyncio.Queue[JobState]] = {}

    # -- asyncio

    def connection_lost(self, exc: Exception | None) -> None:
        """The line has gone; what it had not heard Done for comes again."""
        self._gone()
        for job, states in self._jobs.items():
            states.put_nowait(JobState(job, JobPhase.FAILED, "the line has gone"))
        self._jobs.clear()
        self._pending = {number: self._completed(pending) for number, pending in self._pending.items()}
        self._desk.left(self)  # records on their way to the disk go on

    def abandon(self) -> None:
        """Nobody will say what became of these documents: records them as they were answered."""
        for number, pending in list(self._pending.items()):
            ref = pending.decided.award.url.encode("ascii")
            self._outcome(Outcome(number, UNKNOWN, "the line ended before it could say", 0, 0, ref))

    async def settled(self) -> None:
        """All documents that ended are recorded, or given up."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    # -- what the engine asks of it

    @property
    def name(self) -> str:
        """The line's name; before its Hello, a dash."""
        return self.hello.line if self.hello else "-"

    @property
    def session(self) -> str:
        """The connection's random name, in hex."""
        return self.hello.session.hex() if self.hello else ""

    @property
    def is_reading(self) -> bool:
        """A document is on its way: no time for anything that can wait."""
        return self._open is not None or bool(self._pending)

    @property
    def is_unsettled(self) -> bool:
        """Something that ended is not recorded."""
        return bool(self._pending or self._tasks)

    def send_job(self, job: Job) -> asyncio.Queue[JobState]:
        """Prints something between documents; its states come in the queue."""
        states: asyncio.Queue[JobState] = asyncio.Queue()
        self._jobs[job.job] = states
        self._send(job)
        return states

    def cancel_job(self, job: str) -> None:
        """Forgets a queued job."""
        self._send(JobCancel(job))

    def restart(self) -> None:
        """Has its process begin anew between two documents: it reads its settings then."""
        self._send(Restart())

    async def ping(self, nonce: int) -> Pong:
        """Asks whether the line is there; its answer holds its counters."""
        return await self._asked(nonce, Ping(nonce))

    async def ask_printer(self, nonce: int) -> Pong:
        """Has the printer asked who it is; the answer holds what it said, and the line's counters. As `ping`."""
        return await self._asked(nonce, WhoIs(nonce, self.name))

    # -- frames

    def _fault(self, what: str, error: BaseException | None = None) -> None:
        self._desk.fault(self.name, what, error)

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, Data):
            self._data(frame)
        elif isinstance(frame, Begin):
            self._begin(frame)
        elif isinstance(frame, End):
            self._end(frame)
        elif isinstance(frame, Outcome):
            self._outcome(frame)
        elif isinstance(frame, Ping):
            self._send(Pong(frame.nonce, ""))
        elif isinstance(frame, Pong):
            self._ponged(frame.nonce, frame)
        elif isinstance(frame, Hello):
            self._greet(frame)
        elif isinstance(frame, JobState):
            self._job_state(frame)
        elif isinstance(frame, Status):
            self._printer_state(frame)
        else:
            self._take_rare(frame)

    def _take_rare(self, frame: Frame) -> None:
        if isinstance(frame, Gap):
            self._gap(frame)
        elif isinstance(frame, Printed):
            self._desk.printed(self, frame.document)
        elif isinstance(frame, WhoIs):
            self._keep(self._tell_who_is(frame))
        else:
            self._desk.fault(self.name, f"{type(frame).__name__} is not for the engine")

    def _greet(self, hello: Hello) -> None:
        self.hello = hello
        try:
            self._profile = self._desk.profile(hello.profile)
        except EdgeboxError as fault:
            self._desk.fault(self.name, f"no slips: {fault}")
        self._desk.joined(self)

    def _begin(self, begin: Begin) -> None:
        self._number, self._broken = begin.document, ""
        profile = self._profile or PrinterProfile()
        try:
            self._open = self._desk.open_document(profile, begin.prelude)
        except Exception as fault:  # a bug in the reader must not stop the engine; the document goes out plain
            self._fail("begin", fault)

    def _data(self, data: Data) -> None:
        reading = self._open
        if reading is None or data.document != self._number or self._broken:
            return
        if data.offset != reading.size:
            self._broken = "bytes are missing"
            return
        try:
            reading.feed(data.raw)
        except Exception as fault:  # as above
            self._fail("reading", fault)
        if reading.may_prepare:
            # Not at once: an End in the same bytes goes first.
            asyncio.get_running_loop().call_soon(self._safely, "a pause", self._prepare, reading)

    def _prepare(self, reading: OpenDocument) -> None:
        """The till pauses behind its last line: the answer is made ready before it is asked for."""
        if reading is self._open and not self._broken and reading.prepare():
            receipt = self._read(reading)
            if receipt.qualifies and self._press is not None:
                self._desk.decide_ahead(receipt, self._name_of(self._number), self._press)

    def _fail(self, where: str, fault: Exception) -> None:
        self._broken = f"fault while {where}" if where == "reading" else f"fault at {where}"
        self._desk.fault(self.name, self._broken, fault)

    def _end(self, end: End) -> None:
        reading, self._open = self._open, None
        try:
            decided = self._decided(reading, end)
        except Exception as fault:  # as above
            self._fail("the end", fault)
            decided = _unread(self._broken)
        if end.ask:
            self._send(Answer(end.document, decided.award.url.encode("ascii"), decided.body))
        if len(self._pending) >= PENDING_MAX:
            self._desk.fault(self.name, "too many documents without an outcome")
            self._pending.pop(next(iter(self._pending)))
        is_read = end.document == self._number and not self._broken
        self._pending[end.document] = Pending(decided, end, int(self._clock()), reading if is_read else None)

    def _decided(self, reading: OpenDocument | None, end: End) -> Decided:
        if reading is None or end.document != self._number:
            return _unread("it began before the engine was there")
        if not self._broken and end.document in self._gaps:
            self._broken = "bytes are missing"
        self._gaps.discard(end.document)
        if self._broken:
            return _unread(self._broken)
        self._press = self._press_at(end) if end.ask else None
        return self._desk.decide(self._read(reading), self._name_of(end.document), self._press, is_past=end.replay)

    def _read(self, reading: OpenDocument) -> Receipt:
        receipt = reading.answer()
        return reading.completed(receipt) if self._desk.needs_items else receipt

    def _completed(self, pending: Pending) -> Pending:
        """With what only the record needs; of the paper's text nothing but what may be kept stays behind this."""
        reading, decided, paper = pending.reading, pending.decided, pending.paper
        if reading is not None:
            try:
                self._watch_header(reading.outline)
                decided = decided._replace(receipt=reading.completed(decided.receipt))
                paper = reading.kept_paper(decided.receipt, self._familiar)
            except Exception as fault:  # as above; the claim is recorded all the same
                self._desk.fault(self.name, "fault while reading for the record", fault)
        return pending._replace(decided=decided, reading=None, paper=paper)

    def _watch_header(self, outline: Outline) -> None:
        header = self._preprint.ended(outline)
        if header:
            log.warning(
                "%s: this till seems to print the next receipt's header before the cut. Slips would go to the next"
                " customer: set header_preprint in [[line]] to the header's first words",
                self.name,
            )

    def _name_of(self, document: int) -> bytes:
        return bytes.fromhex(self.session) + document.to_bytes(8, "big", signed=True)

    def _press_at(self, end: End) -> Press | None:
        if self._profile is None or self.hello is None:
            return None
        return Press(self._profile, end.symbol_ok, end.code_page, self.hello.bytes_per_s)

    def _outcome(self, outcome: Outcome) -> None:
        pending = self._pending.pop(outcome.document, None)
        if pending is None:
            if outcome.result == TORN:
                self._desk.fault(
                    self.name, f"document {outcome.document}: {outcome.reason}: it may be torn, or missing"
                )
            if self._desk.is_recorded(self.session, outcome.document):
                self._send(Done(outcome.document))
            return
        pending = self._completed(pending)
        try:
            settled = self._desk.settle(self, pending, outcome)
        except Exception as fault:  # as above; recorded all the same, with its claim
            self._desk.fault(self.name, "fault at the outcome", fault)
            unread = pending.decided._replace(receipt=_unread("fault at the outcome").receipt)
            settled = self._desk.settle(self, pending._replace(decided=unread), outcome)
        if pending.paper is not None:
            insert_at = pending.end.insert_at if outcome.result == Result.INSERTED else -1
            settled = settled._replace(paper=sealed(pending.paper, insert_at))
        self._keep(self._record(settled))

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_who_is(self, asked: WhoIs) -> None:
        """The doctor asks."""
        self._send(Pong(asked.nonce, await who_is(self._desk.lines, asked.line)))

    async def _record(self, settled: Settled) -> None:
        """On disk, then Done. While the disk refuses, the line's spool keeps the document and we try again."""
        record = settled.receipt
        while True:
            try:
                await self._desk.record(settled)
            except StoreError as fault:
                self._desk.fault(self.name, f"not recorded: {fault}")
                if fault.reason == "closed":
                    return
                await asyncio.sleep(RETRY_S)
            except Exception as fault:  # as above; the line keeps what is not on disk
                self._desk.fault(self.name, "fault while recording", fault)
                if self._desk.is_recorded(record.session, record.document):
                    self._send(Done(record.document))
                return
            else:
                self._send(Done(record.document))
                return

    def _job_state(self, state: JobState) -> None:
        states = self._jobs.get(state.job)
        if states is None:
            return
        states.put_nowait(state)
        if state.phase in OVER and state.reason != PROOF_ASKED:
            del self._jobs[state.job]

    def _printer_state(self, status: Status) -> None:
        if self.status is None or (self.status.connected, self.status.bits) != (status.connected, status.bits):
            log.info("%s: printer %s, state %#x", self.name, ("not there", "connected")[status.connected], status.bits)
            self._desk.printer_state(self, status)
        self.status = status

    def _gap(self, gap: Gap) -> None:
        if gap.document >= 0:
            if len(self._gaps) >= PENDING_MAX:
                self._gaps.clear()
            self._gaps.add(gap.document)
            return
        self._desk.fault(self.name, f"{gap.documents} documents were lost before the engine could read them")


async def who_is(lines: Mapping[str, LineSession], name: str) -> str:
    """What a line's printer says it is, and the line's counters, `name value` a line; "": the line isn't there."""
    session = lines.get(name)
    if session is None:
        return ""
    asking = asyncio.ensure_future(session.ask_printer(secrets.randbits(62) + 1))
    await asyncio.wait({asking}, timeout=WHO_S)
    if not asking.done():
        asking.cancel()
    if asking.cancelled() or not asking.done() or asking.exception() is not None:
        return ""  # the line has gone meanwhile, or hangs
    return asking.result().text


def _unread(why: str) -> Decided:
    return Decided(Receipt(DocumentKind.OTHER, reasons=(why,)), Award(why=why), b"")


def result_name(result: int) -> str:
    """`inserted`, `plain`, `late`, `refused` or `unknown`; a newer line's result as its number."""
    if result == UNKNOWN:
        return "unknown"
    try:
        return Result(result).name.lower()
    except ValueError:
        return str(result)
