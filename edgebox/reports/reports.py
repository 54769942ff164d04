"""The managers' page's one way to the engine: every question it has, and the few things it changes.

Owns: `Reports`: which questions make an answer, and in which order a change happens. Never: a page, a role (edgebox/web
asks who may), or a statement (its neighbours have them). Never holds the lines up: questions go to the store's thread,
each by itself, and papers are read again one by one, when no document is on its way.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar
from zoneinfo import ZoneInfo

from edgebox.awards import Awards, Granted
from edgebox.desk.desk import Desk
from edgebox.desk.tally import Tally, tally
from edgebox.errors import ReportError, StoreError
from edgebox.lines import LineSession
from edgebox.notices import Health
from edgebox.paper_report import PaperReport, Printed, month_of, report
from edgebox.receipt.lexicon import Lexicon
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.profiles import Profile
from edgebox.receipt.reader import Shop
from edgebox.reports import correct, house, lessons, paper_view, search, staff, whole, wrong
from edgebox.reports.days import Calendar, Day, Span
from edgebox.reports.figures import Chart, Figures
from edgebox.reports.lessons import Lesson, School, Study, Tap, Trial
from edgebox.reports.search import Found, ReceiptRow, Wanted
from edgebox.reports.sums import Sums
from edgebox.reports.wrong import Trouble
from edgebox.settings import Config
from edgebox.store import budget, receipt_papers, redemptions
from edgebox.store.events import AuditRecord
from edgebox.store.redemptions import Conflict, Shift
from edgebox.store.retention import usage
from edgebox.store.store import Store
from edgebox.stored_paper import StoredPaper, opened
from edgebox.taught import remove_taught, save_taught

LAST = 20  # receipts on the owner's screen
TRY_S = 2.0  # of a lesson's trial, with all its waits
REST_S = 0.002  # between two papers that are read again: whoever waits goes first
BUSY_S = 0.02  # while a document is on its way
STAFF_DAYS_MAX = 92
REPORT_S = 600  # a month's paper is added up again so often, while it lasts
REPORTS_MAX = 24
T = TypeVar("T")


class Engine(Protocol):
    """What the page needs of it."""

    config: Config
    clock: Callable[[], float]
    store: Store | None
    awards: Awards
    health: Health
    desk: Desk
    lines: dict[str, LineSession]

    @property
    def read_with(self) -> tuple[Shop, Lexicon, AmountFinder]: ...
    def use_profiles(self, more: Sequence[Profile] | None = None) -> None: ...


class Today(NamedTuple):
    """`claims`: by their newest state (granted, on_paper, unknown, void, again); `redeemed`: coupons, and their value
    in minor units. `last`: newest first."""

    day: Day
    sums: Sums
    claims: dict[str, int]
    redeemed: tuple[int, int]
    visits: int
    last: tuple[ReceiptRow, ...]


class Reports:
    """Of one engine that has begun."""

    def __init__(self, engine: Engine) -> None:
        assert engine.store is not None, "parts are opened with the store"
        self.store: Store = engine.store
        shop = engine.config.shop
        self.calendar = Calendar(ZoneInfo(shop.tz), shop.day_begins)
        self.figures = Figures(self.store, self.calendar, shop.currency)
        self._engine = engine
        self._months: OrderedDict[str, tuple[float, PaperReport]] = OrderedDict()
        self._correcting = asyncio.Lock()  # a claim has one next revision

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._engine.clock())

    async def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        return await self.store.read(question)

    # -- the owner's screen

    async def today(self, name: date | None = None) -> Today:
        """The shop's day now, or that of a date. StoreError."""
        now = self.now
        day = self.calendar.day_at(now) if name is None else self.calendar.day(name)
        sums = await self.figures.day(day.date, now)
        claims = await self._ask(lambda db: house.claim_states(db, day.begin, day.end))
        redeemed = await self._ask(lambda db: house.redeemed(db, day.begin, day.end))
        visits = await self._ask(lambda db: house.visits_in(db, day.begin, day.end))
        last = await search.search(self.store, Wanted(since=day.begin, until=day.end), LAST)
        return Today(day, sums, claims, redeemed, visits, last.rows)

    async def chart(self, span: Span, name: date | None = None) -> Chart:
        """The day, week or month that holds the date. StoreError."""
        now = self.now
        return await self.figures.chart(span, name or self.calendar.day_at(now).date, now)

    async def troubles(self) -> tuple[Trouble, ...]:
        """What is wrong now, worst first. StoreError."""
        found = wrong.troubles(await self._ask(house.standings))
        more: list[Trouble] = []
        checks = await self.z_checks(1)
        if checks and not checks[0].is_equal and checks[0].at >= self.calendar.day_at(self.now).begin:
            more.append(wrong.check_trouble(checks[0].words, checks[0].line, checks[0].at))
        if self._engine.config.sync.url:
            waiting = wrong.sync_trouble((await self.sync()).oldest_ms, self.now)
            more += [waiting] if waiting else []
        conflicts = await self.conflicts(unseen=True)
        more += [wrong.conflict_trouble(len(conflicts), conflicts[0].at)] if conflicts else []
        return wrong.with_more(found, more)

    # -- receipts

    async def search(self, wanted: Wanted, limit: int = 50) -> Found:
        """A page of receipts. ReportError, StoreError."""
        return await search.search(self.store, wanted, limit)

    async def receipt(self, session: str, document: int) -> whole.Whole:
        """One receipt. ReportError `no_receipt`; StoreError."""
        search.checked(session)
        return await self._ask(lambda db: whole.find(db, session, document))

    async def paper(self, session: str, document: int) -> paper_view.Sheet:
        """Its paper, to be drawn. ReportError `no_receipt`, `no_paper`; StoreError `damaged`."""
        found = await self.receipt(session, document)
        record = found.record
        paper = await self._paper_at(found.place)
        url = found.claim.url if found.claim and record.claim and not record.voided else ""
        return paper_view.sheet(paper, record.slips, record.slip_mm, record.points, url)

    async def correct(self, session: str, document: int, amount_minor: int, who: str, reason: str) -> correct.Corrected:
        """Puts a misread total right, on disk when this returns; upward it is a request. `amount_minor`: unsigned.
        ReportError, StoreError."""
        async with self._correcting:
            found = await self.receipt(session, document)
            awards = self._engine.awards
            known = awards.granted(bytes.fromhex(found.record.claim)) if found.record.claim else None
            beside = correct.Known(awards.keys, self.now, known.revision if known else -1, awards.points)
            result = correct.judge(found, amount_minor, who, reason, beside)
            await self.store.record(*result.events())
            self.figures.forget(found.record.at)
            if (claim := result.claim) is not None:  # a copy prints this one from now on
                printed = result.effect is not correct.Effect.VOIDED
                granted = Granted(claim.url, claim.amount_minor, claim.revision, printed=printed, points=claim.points)
                awards.remember(bytes.fromhex(claim.claim), granted)
            return result

    async def z_checks(self, limit: int = 20) -> list[house.ZCheck]:
        """The tills' last reports. StoreError."""
        return await self._ask(lambda db: house.z_checks(db, limit))

    # -- teaching

    async def lesson(
        self, name: str, taps: Sequence[Tap], *, prints_after_payment: bool = False, school: School | None = None
    ) -> Lesson:
        """A profile of what was shown, tried on the last papers of that till. `school`: for a shop whose settings are
        about to change. ReportError, StoreError."""
        school = school or School(*self._engine.read_with)
        studies = [await self._study(tap) for tap in taps[: lessons.SAMPLES_MAX + 1]]
        found = lessons.learn(name, studies, school, prints_after_payment=prints_after_payment)
        if found.profile is None:
            return found
        line = studies[0].row.line
        papers = await self._ask(lambda db: receipt_papers.newest(db, lessons.TRIED, line))
        return found._replace(trials=tuple(await self._tried(papers, found, school)), of=len(papers))

    async def learn(self, lesson: Lesson, who: str) -> str:
        """Puts a lesson's profile in force, and keeps it; its name. ReportError `no_profile`; StoreError."""
        if lesson.profile is None:
            raise ReportError("; ".join(lesson.ambiguous), reason="no_profile")
        data = Path(self._engine.config.engine.data)
        await self.store.record(AuditRecord(at=self.now, who=who, what="profile taught", target=lesson.name))
        await asyncio.to_thread(save_taught, data, lesson.name, lesson.toml)
        self._engine.use_profiles()
        for line in {trial.row.line for trial in lesson.trials}:
            await self.known_layout(line)
        return lesson.name

    async def unlearn(self, name: str, who: str) -> bool:
        """Forgets a taught profile; whether there was one. StoreError."""
        data = Path(self._engine.config.engine.data)
        if not await asyncio.to_thread(remove_taught, data, name):
            return False
        await self.store.record(AuditRecord(at=self.now, who=who, what="profile removed", target=name))
        self._engine.use_profiles()
        return True

    async def drift(self) -> tuple[Trouble, ...]:
        """Tills that print a new layout. StoreError."""
        return tuple(one for one in wrong.troubles(await self._ask(house.standings)) if one.part.startswith("layout "))

    async def known_layout(self, line: str) -> None:
        """Somebody has looked at a till's new layout. StoreError."""
        if any(one.name == line for one in await self.drift()):
            self._engine.health.note(f"layout {line}", "ok")

    async def _study(self, tap: Tap) -> Study:
        found = await self.receipt(tap.session, tap.document)
        (row,) = await self._ask(lambda db: search.rows_at(db, [found.place]))
        return Study(tap, row, found.record.layout, await self._paper_at(found.place))

    async def _paper_at(self, place: int) -> StoredPaper:
        body = await self._ask(lambda db: receipt_papers.find(db, place))
        if body is None:
            hint = "papers are kept for [store] paper_days"
            raise ReportError("its paper is not kept", reason="no_paper", hint=hint)
        return opened(body)

    async def _tried(self, found: list[tuple[int, bytes]], lesson: Lesson, school: School) -> list[Trial]:
        """Papers before and after, newest first, as many as TRY_S allows."""
        rows = {row.place: row for row in await self._ask(lambda db: search.rows_at(db, [at for at, _ in found]))}
        until = time.monotonic() + TRY_S
        out: list[Trial] = []
        for place, body in found:
            while self._is_busy() and time.monotonic() < until:  # noqa: ASYNC110 - a line tells nobody that it rests
                await asyncio.sleep(BUSY_S)
            if time.monotonic() >= until:
                break
            try:
                paper = opened(body)
            except StoreError:  # a paper that the card has broken tells nothing
                continue
            if place in rows:
                out.append(lessons.compare(rows[place], paper, lesson, school))
            await asyncio.sleep(REST_S)
        return out

    def _is_busy(self) -> bool:
        """A document is on its way."""
        return any(line.is_reading for line in self._engine.lines.values())

    # -- desk and staff

    async def redemptions(self, before: int = 0, limit: int = 50) -> list[house.RedemptionRow]:
        """What came to the desk, newest first. StoreError."""
        return await self._ask(lambda db: house.redemptions(db, before, limit))

    async def shift_tally(self) -> tuple[Shift, Tally]:
        """The open shift and its sums so far. StoreError."""
        shift = await self._ask(redemptions.shift) or Shift()
        return shift, tally(await self._ask(lambda db: redemptions.of_shift(db, shift)))

    async def conflicts(self, *, unseen: bool = False) -> list[Conflict]:
        """Redemptions that the cloud does not agree with, newest first. StoreError."""
        settlement = self._engine.desk.settlement
        return await settlement.conflicts(unseen=unseen) if settlement is not None else []

    async def staff(self, days: int = 28) -> tuple[staff.Signal, ...]:
        """What looks odd in the last days. StoreError."""
        counts = await self.staff_counts(days)
        return staff.signals(counts)

    async def staff_counts(self, days: int = 28) -> dict[str, dict[str, int]]:
        """What each cashier did: receipts, and staff.MEASURES. StoreError."""
        now = self.now
        last = self.calendar.day_at(now)
        first = last.date.toordinal() - min(max(days, 1), STAFF_DAYS_MAX) + 1
        span = tuple(self.calendar.day(date.fromordinal(number)) for number in range(first, last.date.toordinal() + 1))
        counts = {name: dict(found) for name, found in (await self.figures.cashiers(span, now)).items()}
        for day in span:
            more = await self._ask(lambda db, day=day: house.by_cashier(db, day.begin, day.end))  # type: ignore[misc]
            for name, found in more.items():
                own = counts.setdefault(name, {})
                own.update({key: own.get(key, 0) + value for key, value in found.items()})
        return counts

    # -- the house

    async def paper_cost(self, month: str) -> PaperReport:
        """What slips take, `2026-11`. ReportError `month`; StoreError."""
        now = self.now
        try:
            wanted = month_of(month, self.calendar.zone)
        except ValueError as fault:
            raise ReportError(f"{month!r}: expected 2026-11", reason="month") from fault
        known = self._months.get(month)
        if known is not None and (known[0] >= wanted.end or now - known[0] < REPORT_S):
            return known[1]
        kinds: Counter[Printed] = Counter()  # alike but for their time
        after: tuple[int, int] | None = (wanted.begin, 0)
        while after is not None:
            ask = lambda db, after=after: house.printed(db, after, wanted.end)  # noqa: E731
            more, after = await self._ask(ask)
            kinds.update(more)
        found = report(wanted, kinds.elements(), await self._ask(house.first_at), now)
        self._months[month] = now, found
        if len(self._months) > REPORTS_MAX:
            self._months.popitem(last=False)
        return found

    async def sync(self) -> house.SyncState:
        """How far the cloud has it. StoreError."""
        backlog = await self.store.backlog()
        waiting = {stream.value: found.rows for stream, found in backlog.items()}
        oldest = min((found.oldest_ms for found in backlog.values() if found.oldest_ms), default=0)
        given_up = await self._ask(house.given_up)
        is_on = bool(self._engine.config.sync.url)
        return house.SyncState(is_on, waiting, oldest, self.store.unrecorded(), given_up)

    async def disk(self) -> house.DiskState:
        """Room, and what was written. StoreError."""
        settings, folder = self.store.settings, str(self.store.path.parent)
        now = await self._ask(lambda db: usage(db, folder))
        kept = await self._ask(house.paper_bytes)
        limits, pressure = budget.limits(settings, now), int(budget.pressure(settings, now))
        return house.DiskState(now, limits, pressure, kept, await self._ask(house.worn))

    async def audit(self, wanted: house.AuditWanted | None = None, limit: int = 50) -> house.AuditPage:
        """Who changed what. StoreError."""
        if wanted is not None:
            search.checked(wanted.who, wanted.what)
        return await self._ask(lambda db: house.audit(db, wanted or house.AuditWanted(), limit))

    async def visits(self, before: int = 0, limit: int = 50) -> list[house.VisitRow]:
        """Presences, newest first. StoreError."""
        return await self._ask(lambda db: house.visits(db, before, limit))
