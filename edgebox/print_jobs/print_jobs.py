"""The print jobs of the cloud: kept on disk, handed to their lines one at a time, and told at every step.

Owns: the queue, its bound, and what becomes of a job across a kill, an end of paper and a lost line. Never: prints in
the middle of a receipt (the line sees to that), or prints one job twice without COPY on it.

A job is on disk before the cloud hears that it is queued, and that a line has it is on disk before the line does. A
line prints a name once, so with the same line process there a job is simply handed over again after a kill. With
another one nobody knows whether it was printed: it fails as `unknown`, or is printed again with COPY on it, as the
cloud wanted. A job that a line can't begin is taken back after some seconds, so that this is rare.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from edgebox.errors import EdgeboxError, OrderError, SlipError, StoreError
from edgebox.print_jobs import job as jobs
from edgebox.print_jobs.cover import Cover
from edgebox.print_jobs.handing import Fate, Handing, Told
from edgebox.print_jobs.job import PRIORITIES, PrintJob, State, What
from edgebox.print_jobs.press_room import PressRoom
from edgebox.print_jobs.sheets import Content, Mark, content_of, cuts
from edgebox.store import papers
from edgebox.store.store import Store
from sync.contract_print import OrderArgs

log = logging.getLogger("edgebox.print_jobs")

QUEUE_MAX = 64  # jobs that wait; more are refused as `busy`, the cloud keeps them
QUEUE_BYTES = 2 << 20  # and their contents: 1 % of the least disk that is set aside
REMEMBERED = 2000  # ids of jobs that are over, at least; all of the last month besides
REMEMBERED_S = 31 * 86_400  # as long as a command may be good for (sync/commands.py)
REMEMBERED_MAX = 20_000  # a job every two minutes for a month; 10 MB. Beyond it jobs are refused as `busy`
EXPIRES_MAX_S = 7 * 86_400  # nobody wants a paper that was ordered a week ago
POLL_S = 0.25  # between looks for a line, a quiet moment, and what has waited too long
AGAIN_S = 4.0  # before a job that came back is handed over again
TRIES = 3  # of a job that went wrong in the middle and may be printed again
LOST_S = 300  # behind its expiry, for a line that has gone with a job: then it is taken for lost
QUIET_ROUNDS = 8  # of POLL_S, for a receipt that is on its way
CANCEL_ROUNDS = 20  # of POLL_S, for a line to say whether it was in time
FORGET_EVERY = 100  # jobs between removals of old ids
_CANT = "this printer can't print it"
End = Callable[[str, PrintJob], Awaitable[None]]  # a command's id, and how its job stands: begun, or over


class New(NamedTuple):
    """A job as it is given. `key`: as PrintJob.job; `command`: who wants to hear of it."""

    key: str
    command: str
    content: Content
    expires: int


class PrintJobs:
    """`room`: where sheets are made; `now`: seconds since 1970; `told`: each step, also of jobs of an earlier run."""

    def __init__(
        self,
        room: PressRoom,
        secret: Callable[[], bytes],
        now: Callable[[], int],
        told: End,
        fault: Callable[[str, str], None],
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._room = room
        self._secret = secret
        self._now = now
        self._told = told
        self._fault = fault
        self._store: Store | None = None
        self._cover: Cover | None = None
        self._jobs: dict[str, PrintJob] = {}
        self._waiting: dict[str, PrintJob] = {}  # those that are not over
        self._bytes: dict[str, int] = {}  # of the contents that wait
        self._handings: dict[str, Handing] = {}
        self._runners: dict[str, asyncio.Task[None]] = {}
        self._lock = asyncio.Lock()  # one change of the queue at a time: taken, canceled, handed over
        self._writing = asyncio.Lock()  # one change of a job

    # -- life

    async def open(self, store: Store) -> None:
        """What waited is known again. EdgeboxError."""
        self._store = store
        self._cover = Cover(await asyncio.to_thread(self._secret))
        self._jobs = {job.job: job for job in await store.read(papers.every)}
        self._waiting = {name: job for name, job in self._jobs.items() if not job.is_over}
        self._bytes = await store.read(papers.sizes)
        await self._forget()

    def begin(self) -> None:
        """Lines get what waits for them; who is told is ready to hear."""
        for line in {job.line for job in self._waiting.values()}:
            self._run(line)

    async def stop(self) -> None:
        """Nothing more is handed over; what waits, waits on the disk."""
        runners = list(self._runners.values())
        for task in runners:
            task.cancel()
        for task in runners:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # -- what is asked of it

    def commands(self) -> dict[str, PrintJob]:
        """Every command that brought a job which is remembered."""
        return {command: job for job in self._jobs.values() for command in job.commands}

    def recent(self, limit: int = 50) -> list[PrintJob]:
        """The newest jobs, the last first; of what is on them nothing."""
        return sorted(self._jobs.values(), key=lambda job: -job.number)[:limit]

    def waiting(self) -> int:
        """How many are not over."""
        return len(self._waiting)

    async def submit(self, new: New) -> PrintJob:
        """Takes a job, or finds the one with its key; it may be over. OrderError: refused, and nothing is kept."""
        await self._quiet()
        async with self._lock:
            if self._cover is None:
                raise OrderError("the box has no secret to close papers with", reason="no_key_file")
            digest = _digest(new.content)
            known = self._jobs.get(new.key)
            if known is not None and (known.digest != digest or not known.is_untouched):
                return await self._joined(known, digest, new.command)
            job, raw = self._made(new, digest)
            if isinstance(new.content, OrderArgs):
                job = job._replace(changed=await self._replaces(new.content))
            if len(self._jobs) % FORGET_EVERY == 0:
                await self._forget()
            self._check_room(len(raw))
            job = await self._kept(job, known, self._cover.closed(job.job, raw))
            self._bytes[job.job] = len(raw)
        self.counters["queued"] += 1
        self._run(job.line)
        return job

    async def cancel(self, key: str) -> PrintJob:
        """Cancels a job; how it stands then: whoever prints it already goes on. OrderError `no_such_job`."""
        job = self._jobs.get(key)
        if job is None:
            raise OrderError("no such job is remembered here", reason="no_such_job")
        async with self._lock:
            handing = self._handings.get(key)
            if handing is None and self._jobs[key].state is State.QUEUED:
                await self._end(self._jobs[key], State.CANCELED, "canceled")
        if handing is not None:
            handing.unwanted()
            for _ in range(CANCEL_ROUNDS):
                if self._jobs[key].is_over or self._jobs[key].state is State.PRINTING:
                    break
                await asyncio.sleep(POLL_S)
        return self._jobs[key]

    def find(self, key: str) -> PrintJob | None:
        """A job by its key, if it is remembered."""
        return self._jobs.get(key)

    def of_order(self, order: str) -> list[PrintJob]:
        """Its tickets and notices."""
        return jobs.tickets_of(self._jobs.values(), order)

    # -- taking

    @property
    def _db(self) -> Store:
        assert self._store is not None, "opened first"
        return self._store

    async def _quiet(self) -> None:
        """A sheet is made when no document is on its way; but not later than soon."""
        for _ in range(QUIET_ROUNDS):
            if self._room.is_quiet:
                return
            await asyncio.sleep(POLL_S)

    async def _kept(self, job: PrintJob, known: PrintJob | None, closed: bytes) -> PrintJob:
        if known is None:
            job = await self._db.change(lambda db: papers.add(db, job, closed))
        else:
            job = job._replace(number=known.number)
            await self._db.change(lambda db: papers.renew(db, job, closed))
        self._jobs[job.job] = self._waiting[job.job] = job
        return job

    async def _joined(self, known: PrintJob, digest: str, command: str) -> PrintJob:
        if known.digest != digest:
            raise OrderError("another job had that id", reason="id_reused")
        self.counters["again"] += 1
        if command in known.commands:
            return known
        if len(known.commands) >= jobs.COMMANDS_MAX and not known.is_over:
            raise OrderError("too many commands wait for this job", reason="busy")
        return known if known.is_over else await self._change(known.job, commands=(*known.commands, command))

    def _made(self, new: New, digest: str) -> tuple[PrintJob, bytes]:
        content, now = new.content, self._now()
        expires = min(content.expires_at or new.expires, now + EXPIRES_MAX_S)
        line = self._room.line(content.line)
        try:
            self._room.sheet(line, content, Mark())  # refused now rather than when the paper is there
        except SlipError as fault:
            raise OrderError(_CANT, reason=fault.reason) from fault  # its own words may quote what is private
        job = PrintJob(
            number=0, job=new.key, token=os.urandom(8).hex(), digest=digest, line=line,
            priority=PRIORITIES[content.priority], copies=content.copies, again=content.again == "copy", changed=False,
            at=now, expires=expires, commands=(new.command,),
        )  # fmt: skip
        return job, msgspec.json.encode(content)

    def _check_room(self, size: int) -> None:
        waiting = len(self._waiting)
        full = waiting >= QUEUE_MAX or len(self._jobs) >= REMEMBERED_MAX
        if full or sum(self._bytes.values()) + size > QUEUE_BYTES:
            self.counters["refused busy"] += 1
            raise OrderError(f"{waiting} jobs wait for paper", reason="busy", hint="send it again later")

    async def _replaces(self, content: OrderArgs) -> bool:
        """Older tickets that wait are canceled; whether one is out, or may be. OrderError `old_revision`."""
        tickets = [job for job in self.of_order(content.order) if job.what is What.ORDER]
        if any(jobs.revision_of(job) > content.revision for job in tickets):
            raise OrderError("a later revision of this order was here already", reason="old_revision")
        for job in tickets:
            if job.state is State.QUEUED:
                await self._end(job, State.CANCELED, "replaced")
            elif job.job in self._handings:
                self._handings[job.job].unwanted()
        seen = (State.PRINTED, State.PRINTING, State.HANDED)
        return any(
            job.state in seen or job.reason == "unknown"
            for job in map(self._jobs.__getitem__, (t.job for t in tickets))
        )

    # -- printing

    def _run(self, line: str) -> None:
        task = self._runners.get(line)
        if task is None or task.done():
            self._runners[line] = asyncio.get_running_loop().create_task(self._runner(line))

    async def _runner(self, line: str) -> None:
        while True:
            try:
                await self._drop_overdue()
                job = jobs.next_of(self._waiting.values(), line)
                if job is None:
                    return
                if not self._room.is_free(line) or not await self._step(job):
                    await asyncio.sleep(POLL_S)
            except StoreError as fault:  # nothing is printed that can't be written down
                self._fault("print jobs", f"{fault.reason}: {fault}")
                await asyncio.sleep(AGAIN_S)
            except Exception as fault:  # a bug in here must not stop a line's papers for ever
                self.counters["faults"] += 1
                log.error("%s: a print job went wrong", line, exc_info=fault)
                await asyncio.sleep(AGAIN_S)

    async def _drop_overdue(self) -> None:
        now = self._now()
        async with self._lock:
            for job in jobs.overdue(self._waiting.values(), now):
                await self._end(job, State.EXPIRED, "expired")
        for job in list(self._waiting.values()):
            if job.may_be_out and job.job not in self._handings and now > job.expires + LOST_S:
                await self._unknown(job, "its line has not come back")

    async def _step(self, job: PrintJob) -> bool:
        """Hands the job over and follows it. False: it goes on waiting."""
        session = self._room.session(job.line)
        if session is None:
            return False
        if job.may_be_out and job.session != session:
            await self._unknown(job, "the line's process ended before it could say")
            return True
        if not job.may_be_out and self._now() >= job.expires:
            return True
        try:
            sheet = await self._sheet(job)
        except EdgeboxError as fault:
            if job.may_be_out:
                await self._unknown(job, fault.reason)
            elif not isinstance(fault, StoreError):
                await self._end(job, State.FAILED, fault.reason, _CANT if isinstance(fault, SlipError) else str(fault))
            else:
                raise
            return True
        content, body = sheet
        if not body:
            await self._end(job, State.FAILED, "no_slip", "the shop wants none of this kind")
            return True
        async with self._lock:
            if self._jobs[job.job] != job or self._room.session(job.line) != session:
                return True  # canceled, replaced, or its line has gone: begin anew
            if not job.may_be_out:
                job = await self._change(job.job, state=State.HANDED, session=session)
        if self._room.session(job.line) != session:
            return True
        told = await self._handed(job, content, body)
        return await self._settle(self._jobs[job.job], told)

    async def _sheet(self, job: PrintJob) -> tuple[Content, bytes]:
        raw = await self._db.read(lambda db: papers.body(db, job.number))
        assert self._cover is not None, "open"
        content = content_of(job.what, self._cover.opened(job.job, raw))
        return content, self._room.sheet(job.line, content, Mark(job.is_copy, job.changed))

    async def _handed(self, job: PrintJob, content: Content, body: bytes) -> Told:
        left_ms = max(1, (job.expires - self._now()) * 1000)
        states, cancel = self._room.hand_over(job, body, left_ms, cut=cuts(content))

        async def began() -> None:
            if self._jobs[job.job].state is not State.PRINTING:
                await self._tell(await self._change(job.job, state=State.PRINTING))

        handing = Handing(states, cancel, began, has_begun=job.state is State.PRINTING)
        self._handings[job.job] = handing
        try:
            return await handing.followed()
        finally:
            del self._handings[job.job]

    async def _settle(self, job: PrintJob, told: Told) -> bool:
        """What the line said, on disk and told. False: it waits."""
        fate = told.fate
        if fate is Fate.PRINTED:
            await self._end(job, State.PRINTED, phase=told.words)
        elif fate is Fate.MAYBE:
            await self._unknown(job, told.words)
        elif fate is Fate.NOT:
            await self._end(job, State.FAILED, "refused", told.words)
        elif fate in (Fate.EXPIRED, Fate.CANCELED):
            await self._end(job, State(fate.value), fate.value)
        elif fate is Fate.BACK:
            await self._change(job.job, state=State.QUEUED, session="", attempt=job.attempt + 1)
            await asyncio.sleep(AGAIN_S)
        return fate not in (Fate.BACK, Fate.GONE)

    async def _unknown(self, job: PrintJob, words: str) -> None:
        """Nobody knows whether it was printed."""
        if job.again and job.tries < TRIES and self._now() < job.expires:
            self.counters["printed again"] += 1
            await self._change(
                job.job, state=State.QUEUED, session="", attempt=job.attempt + 1, tries=job.tries + 1, is_copy=True,
                words=words,
            )  # fmt: skip
            return
        await self._end(job, State.FAILED, jobs.UNKNOWN, f"nobody knows whether it was printed: {words}")

    # -- on disk, and told

    async def _change(self, name: str, **fields: Any) -> PrintJob:
        """On disk, then in memory; one change at a time, each of the job as it stands then."""
        async with self._writing:
            job = self._jobs[name]._replace(**fields)
            await self._db.change(lambda db: papers.save(db, job))
            self._jobs[name] = job
            if job.is_over:
                self._waiting.pop(name, None)
                self._bytes.pop(name, None)
            else:
                self._waiting[name] = job
            return job

    async def _end(self, job: PrintJob, state: State, reason: str = "", words: str = "", phase: str = "") -> None:
        job = await self._change(job.job, state=state, reason=reason, words=words, phase=phase)
        self.counters[state.value] += 1
        await self._tell(job)

    async def _tell(self, job: PrintJob) -> None:
        for command in job.commands:
            try:
                await self._told(command, job)
            except EdgeboxError as fault:  # the job stands; the command hears of it at the next start
                self._fault("print jobs", f"{command}: {fault}")

    async def _forget(self) -> None:
        before = self._now() - REMEMBERED_S
        async with self._writing:
            await self._db.change(lambda db: papers.forget(db, REMEMBERED, before))
            known = {job.job for job in await self._db.read(papers.every)}
            for name in self._jobs.keys() - known:
                del self._jobs[name]


def _digest(content: Content) -> str:
    """Of what is to be printed: the same job again may have another expiry."""
    plain = msgspec.structs.replace(content, expires_at=0)
    return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()[:32]
