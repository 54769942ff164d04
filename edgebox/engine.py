"""The engine: the control plane's process. Lines connect, documents are read, slips answered, receipts recorded.

Owns: the socket, the parts and how they hang together, and the log of receipts. Never: in the way of a byte: a line
whose engine is slow, hung or dead prints on. Never: Done before the store has committed.

`Engine` is made of a Config and runs in any asyncio loop; edgebox/process.py is the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgebox.awards import REMEMBERED_MAX, Award
from edgebox.books import describe, remember, settled
from edgebox.cards import with_cards
from edgebox.config import FOLDER, load_lexicon
from edgebox.decisions import Decisions, nothing
from edgebox.desk.desk import Desk
from edgebox.errors import ConfigError, StoreFull
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.keys import field_key
from edgebox.line.frames import Job, JobState, Outcome, Status
from edgebox.line_desk import Decided, Pending, Settled
from edgebox.lines import LineSession
from edgebox.loyalty.keyring import Keyring
from edgebox.model import Receipt
from edgebox.notices import Health, Notices, printer_words
from edgebox.own_secret import own_secret
from edgebox.parts import Part, look_at_all, open_all, stop_all
from edgebox.printers import find_printer
from edgebox.reading import OpenDocument
from edgebox.receipt.lexicon import Lexicon
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.profiles import Profile
from edgebox.receipt.reader import ReceiptReader, Shop
from edgebox.receipt.redact import Pseudonyms
from edgebox.settings import Config
from edgebox.slips import qr
from edgebox.sockets import Doorway
from edgebox.store.events import ClaimRecord, ClaimState, Event, HealthRecord, ReceiptRecord
from edgebox.store.retention import Retention
from edgebox.store.store import Store
from edgebox.supplies import stands
from edgebox.taught import in_force
from edgebox.tills import SINCE_REPORT_MAX, Tills

if TYPE_CHECKING:
    from edgebox.orders.config import Settings
    from edgebox.orders.orders import Orders

log = logging.getLogger("edgebox")

RECORDED_MAX = 8192  # names of documents kept, to know a replayed one; the spools hold 64 a line
FAULT_TEXTS_MAX = 256  # causes remembered as logged
TIDY_S = 10.0  # garbage is collected this often, when no document is on its way
SLIPS_MAX = 1024  # claims that the printer may yet confirm; it does within seconds
RECEIPTS_READ = 2 * SINCE_REPORT_MAX  # newest receipts, read at the start: reports and layouts are judged by them
CLAIMS_READ = 2 * REMEMBERED_MAX  # newest events of claims: one or two each
GONE_MAX = 64  # connections that ended with something unrecorded; more than there are lines
DOCUMENT_BYTES = 8  # of a document's name: its number, behind the session's name (edgebox/lines.py)
STOP_WITHIN_S = 5.0  # for records on their way to the disk


class Engine:
    """All parts, wired. `clock` gives seconds since 1970."""

    def __init__(
        self,
        config: Config,
        keys: Keyring | None,
        *,
        clock: Callable[[], float] = time.time,
        synced: Callable[[], bool] | None = None,
    ) -> None:
        self.config = config
        self.clock = clock
        self._faults: set[str] = set()
        self.counters: Counter[str] = Counter()
        self._stock_task: asyncio.Task[None] | None = None
        data = Path(config.engine.data)
        self.decisions = Decisions(config, keys, self.fault, synced=synced, secret=lambda: own_secret(data))
        self.awards = self.decisions.awards
        self.lines: dict[str, LineSession] = {}
        self.desk = Desk(self)
        self.parts: list[Part] = [self.desk]
        self.listeners: list[Callable[[ReceiptRecord], None]] = [self.desk.recorded]  # told every record, once on disk
        self.settings: Settings | None = None  # to be changed by the page or the fleet; None: nobody can
        self.orders: Orders | None = None  # what the fleet can have done; None: no cloud
        self.bypassed: frozenset[str] = frozenset()  # lines that print no slips, because somebody said so
        self._more: tuple[Profile, ...] = ()  # profiles of the fleet
        profiles = in_force(data, self._more, self.fault)
        self._shop = config.shop_of_reader()._replace(profiles=profiles)
        self._pseudonyms = Pseudonyms(field_key(keys))
        self._tills = Tills(config.till.learn_layouts, self._shop.rules.medium_max_minor)
        self._lexicon = load_lexicon(config.shop.languages)
        self._finder = AmountFinder(self._shop.convention)
        self._profiles: dict[str, PrinterProfile] = {}
        self._recorded: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._slips: OrderedDict[tuple[str, int], ClaimRecord] = OrderedDict()  # on their way to paper
        self._recording: dict[tuple[str, int], asyncio.Lock] = {}  # on their way to the disk
        self._sessions: set[LineSession] = set()  # connected
        self._gone: list[LineSession] = []  # no longer connected, with documents that are not recorded
        self.store: Store | None = None  # from start to stop
        self.notices: Notices | None = None  # likewise
        self.health = Health(self._notice, self.clock)
        socket = Path(config.engine.socket)
        self._doorway = Doorway(socket, group=config.engine.group, setting="[engine] socket")
        self._tasks: list[asyncio.Task[None]] = []
        self._jobs = count(1)
        self._run = os.urandom(8).hex()  # a line remembers jobs by name: none of another run's may come again

    # -- life

    async def start(self, before_lines: Callable[[], Awaitable[None]] | None = None) -> None:
        """Opens store and socket. EdgeboxError says what can't be.

        `before_lines`: what must be in force for the first receipt, with the store open and no line connected.
        """
        self.store = await asyncio.to_thread(Store.open, Path(self.config.engine.data), self.config.store)
        self.notices = Notices(self.store, lambda what: self.fault("store", what))
        await asyncio.to_thread(self._remember, self.store)
        await self.decisions.stock.open(self.store, int(self.clock()))
        await open_all(self.parts, self.store, self.fault)
        retention = Retention(self.store, consumer=bool(self.config.sync.url))
        if before_lines is not None:
            await before_lines()
        self.warm()
        await self._doorway.open(self._session)
        self._say_how_it_began(self.store)
        self._tasks = [asyncio.create_task(self._tidy_up()), asyncio.create_task(retention.run())]

    async def stop(self) -> None:
        """No new line; what ended is recorded; then everything is let go."""
        for task in self._tasks:
            task.cancel()
        self._doorway.close()
        for session in (*self._sessions, *self._gone):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(session.settled(), STOP_WITHIN_S)
            session.close()
        await self._doorway.closed()
        if self._stock_task is not None:
            await asyncio.wait([self._stock_task], timeout=STOP_WITHIN_S)
        await stop_all(self.parts, self.fault)
        if self.store is not None and self.notices is not None:
            self.health.stop()
            self._notice(HealthRecord(at=int(self.clock()), part="engine", state="ok", words="stopped"))
            await self.notices.stop(STOP_WITHIN_S)
            await self.store.close()

    def warm(self) -> None:
        """One receipt read, one claim minted, one slip composed, so that the first real one pays for nothing."""
        reading = self.open_document(PrinterProfile(), b"\x1b@")
        reading.feed(b"TOTAL 1.00\nCASH 2.00\nCHANGE 1.00\nNO: 1 2026-01-01 10:00\n")
        reading.finish()
        qr.warm()
        presses = []
        for profile in {line.profile for line in self.config.line}:
            with contextlib.suppress(ConfigError):  # an unknown name, which the line says itself
                presses += [Press(self.profile(profile), native) for native in (True, False)]
        self.decisions.warm(presses)

    def _session(self) -> LineSession:
        session = LineSession(self, self.clock)
        self._sessions.add(session)
        return session

    def _remember(self, store: Store) -> None:
        """The last claims, and which documents are recorded. By their order: after a restart the clock may be wrong."""
        for receipt in store.past_receipts(RECEIPTS_READ):
            self._note_recorded(receipt.session, receipt.document)
            self._tills.note(receipt)
            self.decisions.note(receipt)
        for claim in store.past_claims(CLAIMS_READ):
            remember(self.awards, claim)
        if store.unreadable:
            self.fault("store", f"{store.unreadable} events of the past can't be read")

    def _say_how_it_began(self, store: Store) -> None:
        if store.news:
            self._mended("; ".join(store.news))
        else:
            self.health.note("store", "ok")
        store.on_mended(self._mended)
        store.on_trouble = lambda fault: self.fault("store", f"sightings not recorded: {fault}")
        self.health.note("engine", "ok", "started")
        self.look_round()

    def look_round(self) -> None:
        """More codes where they run low; and how rules, slips, keys and codes stand, recorded where it has changed."""
        self._fill_stock()
        for part, state, words in stands(self.decisions, int(self.clock())):
            self.health.note(part, state, words)

    def _mended(self, news: str) -> None:
        """The database was damaged or lost: an alarm that stays until the next start."""
        log.error("store: %s", news)
        self.health.note("store", "failed", news)

    def _notice(self, event: Event) -> None:
        """Records what nobody waits for."""
        assert self.notices is not None, "nothing happens before start"
        self.notices.add(event)

    async def _tidy_up(self) -> None:
        """Collects garbage while nobody waits."""
        while True:
            await asyncio.sleep(TIDY_S)
            self.look_round()
            await look_at_all(self.parts, self.fault)
            if not any(line.is_reading for line in self.lines.values()):
                gc.collect()

    # -- jobs

    def print_job(
        self, line: str, body: bytes, *, cut: bool = True, expires_ms: int = 0, job: str = ""
    ) -> asyncio.Queue[JobState]:
        """Prints `body` between the documents of `line`; its states come in the queue. KeyError: no such line now.

        `job`: a name that outlives this run; a line prints one name once.
        """
        return self.lines[line].send_job(Job(job or f"{self._run}-{next(self._jobs)}", body, cut, expires_ms))

    # -- what the fleet may change while it runs

    def use_profiles(self, more: Sequence[Profile] | None = None) -> None:
        """Receipt profiles besides those in files; of two with one name these are used. None: files are read anew."""
        self._more = self._more if more is None else tuple(more)
        profiles = in_force(Path(self.config.engine.data), self._more, self.fault)
        self._shop = self._shop._replace(profiles=profiles)

    def use_words(self, lexicon: Lexicon) -> None:
        """Other words on receipts. Reading them from their files takes 40 ms: not here."""
        self._lexicon = lexicon

    # -- the desk of the lines

    def profile(self, name: str) -> PrinterProfile:
        """A printer's profile, loaded once."""
        if name not in self._profiles:
            own = Path("/etc/edgebox/printers")
            folder = own if (own / f"{name}.toml").is_file() else FOLDER / "printers"
            self._profiles[name] = find_printer(name, folder)
        return self._profiles[name]

    def open_document(self, profile: PrinterProfile, prelude: bytes) -> OpenDocument:
        """Begins to read a document."""
        return OpenDocument(profile, self._new_reader, prelude)

    @property
    def read_with(self) -> tuple[Shop, Lexicon, AmountFinder]:
        """What receipts are read with, for reading papers again."""
        return self._shop, self._lexicon, self._finder

    def _new_reader(self) -> ReceiptReader:
        return ReceiptReader(self._shop, self._lexicon, self._finder, self._pseudonyms)

    @property
    def needs_items(self) -> bool:
        """Points depend on what was sold."""
        return self.decisions.needs_items

    def decide(self, receipt: Receipt, name: bytes, press: Press | None, *, is_past: bool = False) -> Decided:
        """The award and the slips. No press: nothing is minted, for nothing can be printed. `is_past`: it comes again
        out of the line's spool, and who stands at the till now has nothing to do with it."""
        line = self._line_of(name)
        receipt = self._known(line, receipt, name, is_past=is_past)
        if press is None or line in self.bypassed or self.health.states().get("recording") == "failed":
            return nothing(receipt, "no slip may go in here" if press is None else "slips are off on this line")
        return self.decisions.decide(receipt, name, line, press, int(self.clock()))

    def decide_ahead(self, receipt: Receipt, name: bytes, press: Press) -> None:
        """As `decide`, in a till's pause: nothing is given out."""
        line = self._line_of(name)
        if line not in self.bypassed:
            self.decisions.decide_ahead(self._known(line, receipt), name, line, press, int(self.clock()))

    def _known(self, line: str, receipt: Receipt, name: bytes = b"", *, is_past: bool = False) -> Receipt:
        """With what is known of its till, and of who stands there."""
        return self.decisions.with_member(line, self._tills.believed(line, receipt), name, is_past=is_past)

    def _line_of(self, name: bytes) -> str:
        """The line that a document's name belongs to."""
        session = name[:-DOCUMENT_BYTES].hex()
        return next((line.name for line in self.lines.values() if line.session == session), "-")

    def is_recorded(self, session: str, document: int) -> bool:
        """It is in the store already."""
        return (session, document) in self._recorded

    def settle(self, line: LineSession, pending: Pending, outcome: Outcome) -> Settled:
        """What is to be recorded. A claim whose slip went out is known from here on, so that a copy prints it again."""
        found = settled(line, pending, outcome, self.decisions.awards)
        self._print_own(line, pending.decided.handed.own.body.raw)
        if found.claim is not None and found.claim.state in (ClaimState.GRANTED, ClaimState.AGAIN):
            self._slips[line.session, outcome.document] = found.claim
            if len(self._slips) > SLIPS_MAX:
                self._slips.popitem(last=False)
        return found._replace(receipt=with_cards(self._tills.checked(found.receipt), pending, self.decisions))

    async def record(self, settled: Settled) -> None:
        """Puts the document on disk, receipt and claim at once, and only once. StoreError when that fails."""
        assert self.store is not None, "lines connect after start"
        receipt, claim, award, offers, paper = settled
        name = (receipt.session, receipt.document)
        async with self._recording.setdefault(name, asyncio.Lock()):  # it may come again while the disk is slow
            if self.is_recorded(*name):
                return
            try:
                await self.store.record(receipt, *([claim] if claim else []), *offers, paper=paper)
            except StoreFull as fault:
                self.health.note("recording", "failed", f"no slips: {fault}")
                raise
            self.health.over("recording")
            self._fill_stock()
            self._note_recorded(*name)
            self._recording.pop(name, None)
        self.counters[f"{receipt.kind} {receipt.result}"] += 1
        if not any(line.is_reading for line in self.lines.values()):
            gc.collect(0)  # what this document leaves behind, in 0.1 ms; a thousand at once would take 100
        self._say(receipt, award)

    def _fill_stock(self) -> None:
        """More codes for slips, if they run low; in the background, one at a time."""
        stock, store = self.decisions.stock, self.store
        now = int(self.clock())
        if store is None or not stock.is_due(now) or (self._stock_task is not None and not self._stock_task.done()):
            return
        self._stock_task = asyncio.create_task(stock.fill(store, now))

    def _print_own(self, line: LineSession, body: bytes) -> None:
        """Slips that stand by themselves, behind the document; a line that has gone prints none."""
        if body and self.lines.get(line.name) is line:
            self.print_job(line.name, body)

    def _say(self, receipt: ReceiptRecord, award: Award) -> None:
        """What is recorded, to who reads the log or listens."""
        log.info("%s", describe(receipt, award))
        self.decisions.note(receipt)
        drift = self._tills.note(receipt).drift
        if drift:
            self.counters["drift"] += 1
            self.health.note(f"layout {receipt.line}", "warning", drift)
            log.warning("%s", drift)
        if receipt.z_check:
            level = logging.INFO if receipt.z_equal else logging.WARNING
            log.log(level, "%s: report: %s", receipt.line, receipt.z_check)
        for listener in self.listeners:
            try:
                listener(receipt)
            except Exception as fault:  # the receipt is on disk; who listens is on his own
                self.fault(receipt.line, "fault in who was told of a receipt", fault)

    def _note_recorded(self, session: str, document: int) -> None:
        self._recorded[session, document] = None
        if len(self._recorded) > RECORDED_MAX:
            self._recorded.popitem(last=False)

    def printed(self, line: LineSession, document: int) -> None:
        """The printer has confirmed a document's slip: counted, said, and recorded with its claim."""
        self.counters["slips on paper"] += 1
        log.info("%s: the printer says that the slip of document %d is on paper", line.name, document)
        claim = self._slips.pop((line.session, document), None)
        if claim is not None:
            self._notice(msgspec.structs.replace(claim, state=ClaimState.ON_PAPER, at=int(self.clock())))

    def printer_state(self, line: LineSession, status: Status) -> None:
        """The printer's state has changed: recorded, unless it flaps."""
        self.health.note(f"printer {line.name}", *printer_words(status))

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Counted; logged once for each cause."""
        self.counters["faults"] += 1
        text = f"{line}: {what}" + (f": {type(error).__name__}: {error}" if error else "")
        if text not in self._faults:
            if len(self._faults) >= FAULT_TEXTS_MAX:
                self._faults.clear()
            self._faults.add(text)
            log.error("%s", text, exc_info=error)

    def joined(self, line: LineSession) -> None:
        """A line is there."""
        assert line.hello is not None, "it says so after its Hello"
        self.lines[line.name] = line
        for other in [session for session in self._gone if session.name == line.name]:
            self._gone.remove(other)
            if other.session != line.session:
                other.abandon()  # another process has that wire now: nobody will tell what became of them
        log.info("%s: connected, printer %s", line.name, line.hello.profile)
        self.desk.line_joined()
        self.health.note(f"line {line.name}", "ok", "connected")

    def left(self, line: LineSession) -> None:
        """A line has gone."""
        self._sessions.discard(line)
        if line.is_unsettled:
            self._gone = [session for session in (*self._gone[-GONE_MAX:], line) if session.is_unsettled]
        if self.lines.get(line.name) is line:
            del self.lines[line.name]
            log.info("%s: disconnected", line.name)
            self.health.note(f"line {line.name}", "failed", "gone")


def main() -> int:
    """`python -m edgebox.engine …` is `edgebox run …`."""
    from edgebox.cli import main as edgebox

    return edgebox(["run", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
