"""The command `update`: another version is fetched, handed to root, tried; and what came of it is told.

Owns: the job's steps, on disk before each is done, over restarts and power cuts. Never: installs or judges: that is
root's (edgebox/appliance/update) and the keeper's (edgebox/appliance/keeper), who write down how it ended. The engine
that tells it may be the new one, or the old one again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from edgebox.appliance.keeper.slots import HOME, Last, Slots
from edgebox.appliance.keeper.trial import Outcome
from edgebox.appliance.update.fetching import Fetch, Interrupted, Pace, Source, tls_of
from edgebox.appliance.update.inbox import FILE_MAX, FOLDER, NEXT, REQUEST, Request, ask, room
from edgebox.errors import EdgeboxError, OrderError, StoreError
from sync.backoff import full_jitter
from sync.contract import JobPhase
from sync.contract_commands import UpdateArgs
from sync.jobs import Doing
from sync.steps import Ended

log = logging.getLogger("edgebox.update")

FACT = "update"
FETCH_MAX_S = 86_400  # a shop whose line is down for a day gets its update another day
OUTCOME_MAX_S = 7200.0  # of one run of the engine: root's part takes minutes, a trial fifteen at most
BACKOFF_MAX_S = 600.0
PERIOD_S = 2.0  # how often it is looked for an outcome


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The command in work. `begun`: seconds since 1970; `handed`: when root was asked, 0: not yet."""

    id: str
    version: str
    source: Source
    begun: int
    handed: int = 0


class Facts(Protocol):
    """The store, as far as the job needs it."""

    async def put(self, key: str, value: bytes) -> None:
        """Keeps a fact. StoreError."""

    async def get(self, key: str) -> bytes | None:
        """A fact, or None."""


class Means(NamedTuple):
    """What an update has to work with. `finish`: the job's end or step; `now`: seconds since 1970."""

    facts: Facts
    data: Path
    version: str
    credentials: Path
    now: Callable[[], int]
    finish: Callable[[str, Ended], Awaitable[None]]
    home: Path = HOME
    pace: Pace = Pace()
    period_s: float = PERIOD_S


class UpdateDesk:
    """One update at a time."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._folder = means.data / FOLDER
        self._slots = Slots(means.home)
        self._job: Job | None = None
        self._is_told = False
        self._task: asyncio.Task[None] | None = None
        self._stop = threading.Event()
        self._chance = random.Random()

    # -- life

    async def open(self) -> dict[str, Ended | None]:
        """What the last run of the engine left open: ended meanwhile, or still going on. StoreError."""
        raw = await self._means.facts.get(FACT)
        try:
            self._job = msgspec.json.decode(raw, type=Job) if raw else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            log.error("an update that was going on can't be read any more")
            self._job = None
        if self._job is None:
            return {}
        ended = self._outcome(self._job)
        self._is_told = ended is not None
        return {self._job.id: ended}

    def begin(self) -> None:
        """Goes on with what was open; what was told by now is forgotten."""
        if self._job is not None:
            work = self._tidied() if self._is_told else self._work(self._job)
            self._task = asyncio.create_task(work, name="update")

    async def close(self) -> None:
        """Lets go; what is fetched so far stays."""
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    # -- the command

    async def update(self, doing: Doing) -> Ended | None:
        """`update`: taken up, if it can be; how it ended is told by `finish`, maybe by another version."""
        args = doing.order.args
        assert isinstance(args, UpdateArgs), "the table of commands says so"
        if not (self._slots.home / "slots").is_dir():
            return Ended(JobPhase.REJECTED, "no_slots", "this box was installed without slots: docs/updates.md")
        if self._job is not None or self._slots.trial() is not None:
            raise OrderError("another update is going on", reason="busy")
        if args.version == self._means.version:
            return Ended(JobPhase.SUCCEEDED, words="it runs already")
        if args.size > FILE_MAX:
            raise OrderError(f"at most {FILE_MAX >> 20} MB", reason="bad_size")
        await asyncio.to_thread(self._folder.mkdir, 0o700, True, True)
        await asyncio.to_thread(room, self._folder, args.size)
        source = Source(url=args.url, sha256=args.sha256, size=args.size)
        job = Job(id=doing.order.command.id, version=args.version, source=source, begun=self._means.now())
        await self._keep(job)
        self.begin()
        return None

    # -- the work

    async def _work(self, job: Job) -> None:
        try:
            if not job.handed:
                await self._fetched(job)
                job = msgspec.structs.replace(job, handed=self._means.now())
                await self._keep(job)
                await self._means.finish(job.id, Ended(JobPhase.RUNNING, words="fetched; root has it now"))
            # Again at each start: a power cut may have come between our word and root's ear.
            if self._outcome(job) is None and self._slots.trial() is None:
                await asyncio.to_thread(ask, self._folder, Request(job=job.id, at=job.handed))
            ended = await self._awaited(job)
        except EdgeboxError as fault:
            ended = Ended(JobPhase.FAILED, fault.reason, str(fault)[:400])
        except OSError as fault:
            ended = Ended(JobPhase.FAILED, "disk", f"{fault.filename}: {fault.strerror}"[:400])
        try:
            # Root's word stays on the disk and may be told twice; ours goes with the job, which must not begin anew.
            if self._outcome(job) is None:
                await self._forget()
            await self._means.finish(job.id, ended)
        except StoreError as fault:  # at the next start it is looked at again, and then told
            log.error("update %s %s: %s", job.version, ended.reason or "done", fault)
            return
        if self._job is not None:
            await self._tidied()

    async def _tidied(self) -> None:
        try:
            await self._forget()
        except StoreError as fault:  # the next start forgets it
            log.error("update: %s", fault)

    async def _fetched(self, job: Job) -> None:
        """The whole file, or UpdateError, OrderError, OSError."""
        tls = await asyncio.to_thread(_tls, self._means.credentials)
        fetch = Fetch(self._folder, job.source, tls=tls, pace=self._means.pace, stop=self._stop)
        attempt = 0
        while True:
            before = fetch.done_bytes
            try:
                await _beside(fetch.attempt)
                return
            except Interrupted as fault:
                if self._means.now() - job.begun > FETCH_MAX_S:
                    raise OrderError(f"not fetched within a day: {fault}", reason="timeout") from fault
                log.info("update: %s; %d of %d bytes", fault, fetch.done_bytes, job.source.size)
            attempt = 0 if fetch.done_bytes > before else attempt + 1
            await asyncio.sleep(full_jitter(self._chance, attempt, BACKOFF_MAX_S) * self._means.period_s / PERIOD_S)

    async def _awaited(self, job: Job) -> Ended:
        """How it ended, as root or the keeper wrote it down. This engine may be restarted meanwhile."""
        clock = (
            asyncio.get_running_loop().time
        )  # a night without power, or a clock that is set, is no time to have waited
        since = clock()
        while True:
            ended = self._outcome(job)
            if ended is not None:
                return ended
            if clock() - since > OUTCOME_MAX_S and self._slots.trial() is None:
                raise OrderError("nothing was heard of it", reason="no_outcome")
            await asyncio.sleep(self._means.period_s)

    def _outcome(self, job: Job) -> Ended | None:
        last = self._slots.last()
        if last is None or last.job != job.id or self._slots.trial() is not None:
            return None
        return _told(last)

    # -- small things

    async def _keep(self, job: Job) -> None:
        await self._means.facts.put(FACT, msgspec.json.encode(job))
        self._job = job

    async def _forget(self) -> None:
        await self._means.facts.put(FACT, b"")
        self._job, self._is_told = None, False
        for name in (REQUEST, NEXT):
            with contextlib.suppress(OSError):  # it is in nobody's way
                await asyncio.to_thread((self._folder / name).unlink, missing_ok=True)


def _told(last: Last) -> Ended:
    match last.outcome:
        case Outcome.COMMITTED:
            return Ended(JobPhase.SUCCEEDED, words=f"{last.version} runs")
        case Outcome.ROLLED_BACK:
            return Ended(JobPhase.FAILED, "rolled_back", f"{last.reason}: {last.words}"[:400])
        case Outcome.REFUSED:
            return Ended(JobPhase.FAILED, last.reason or "refused", last.words[:400])
    raise AssertionError(f"{last.outcome} is none")


def _tls(credentials: Path) -> ssl.SSLContext:
    try:
        return tls_of(credentials)
    except ssl.SSLError as fault:
        raise OrderError(f"{credentials}: ca.crt is none: {fault}", reason="tls") from fault


async def _beside(work: Callable[[], object]) -> None:
    """In a thread that the engine's end does not wait for: a server may be silent for longer than systemd waits."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def tell(fault: BaseException | None) -> None:
        if not over.done():
            over.set_result(None) if fault is None else over.set_exception(fault)

    def run() -> None:
        fault: BaseException | None = None
        try:
            work()
        except BaseException as caught:  # handed to whoever waits
            fault = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, fault)

    threading.Thread(target=run, name="update", daemon=True).start()
    await over
