"""Commands on their way: each heard, judged, written down, done once, and answered at every step.

Owns: the lanes in which commands wait, their steps on disk, the replies, and what is told of messages that were turned
down. Never: decides whether a command may be done (commands.py) or what it does (edgebox/orders/orders.py).

A command is written down before the broker hears that we have it, and again before it begins. If the box dies in
between, it is not begun a second time: it ends as `failed`, `interrupted`, and who sent it may send another. The few
commands that restart the box themselves say at the next start how they ended (`open`).

Whoever owns the broker can send any number of bad messages. All are counted; so many an hour are written to the audit
and answered, and the next one written says how many were not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol

import msgspec

from edgebox.errors import EdgeboxError, OrderError, StoreError
from edgebox.store.events import AuditRecord, Event, JobRecord
from sync import commands
from sync.commands import Address, Again, Known, Memory, Moment, Offer, Order, Refusal, may_follow
from sync.contract import JobPhase, Reply
from sync.contract_commands import Lane, Refused
from sync.signing import FleetKey
from sync.steps import (
    CORRELATION_BYTES,
    TOPIC_CHARS,
    Allowance,
    Ended,
    interrupted,
    kept_result,
    known_of,
    plain,
    record_of,
    refused,
    reply_of,
    who,
)

log = logging.getLogger("edgebox.jobs")

LANE_MAX = 64  # commands that wait in one lane; more are refused, the sender keeps them
HEARING_MAX = 64  # messages at once that the disk takes long to write down; twice what the broker may have out
CLOSE_S = 10.0  # for those at the end, as much as the broker's messages get (inbox.py)
REFUSALS_PER_HOUR = 60  # written down and answered; a fleet's own mistakes are far fewer
FACT = "commands"
_LIMIT_S = {Lane.ASK: 30.0, Lane.CHANGE: 300.0, Lane.PAPER: 3600.0, Lane.BULK: 1800.0}
_WORKERS = {Lane.PAPER: 8}  # a line without paper holds up no other; each line prints in order by itself
# Judged by what the command itself says, so the same id will never fare better: remembered, unlike the others.
_FOR_EVER = frozenset((Refused.UNKNOWN_COMMAND, Refused.AUTHORITY, Refused.BAD_ARGS, Refused.TOO_DEEP))


class Ledger(Protocol):
    """The store, as far as commands need it."""

    async def record(self, *events: Event) -> object:
        """Committed when it returns. StoreError."""

    async def put(self, key: str, value: bytes) -> None:
        """Keeps a fact. StoreError."""

    async def get(self, key: str) -> bytes | None:
        """A fact, or None."""

    async def job(self, job: str) -> JobRecord | None:
        """The newest step of a command."""


Send = Callable[[Reply, str | None, bytes | None], None]
"""(reply, response topic, correlation data): as Uplink.reply, which keeps what can't be sent now."""


class Doing:
    """A command that is being carried out."""

    def __init__(self, order: Order, tell: Callable[[Reply, bool], Awaitable[None]], box: str) -> None:
        self.order = order
        self.by = who(order)
        self._tell = tell
        self._box = box

    async def tell(self, progress: float, words: str = "", result: msgspec.Struct | None = None) -> None:
        """How far it is, from 0 to 1. With a `result` (a chunk), it is sent but not written down."""
        command = self.order.command
        reply = Reply(
            id=command.id,
            box=self._box,
            command=command.command,
            state=JobPhase.RUNNING,
            progress=progress,
            words=words,
            result=plain(result),
        )
        await self._tell(reply, result is None)


Handler = Callable[[Doing], Awaitable[Ended | None]]
"""Carries a command out; None: it goes on, and `Jobs.finish` will be told."""
TakeBundle = Callable[[Offer], Awaitable[Refusal | None]]


class Jobs:
    """All commands of one box."""

    def __init__(
        self,
        here: Address,
        keys: Mapping[str, FleetKey],
        ledger: Ledger,
        send: Send,
        moment: Callable[[], Moment],
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.handlers: Mapping[str, Handler] = {}
        self.take_bundle: TakeBundle | None = None
        self._here = here
        self._keys = keys
        self._ledger = ledger
        self._send = send
        self._moment = moment
        self._memory = Memory()
        self._lock = asyncio.Lock()  # one message is judged and written down at a time
        self._lanes: dict[Lane, asyncio.Queue[Order]] = {lane: asyncio.Queue(LANE_MAX) for lane in Lane}
        self._allowance = Allowance(REFUSALS_PER_HOUR)
        self._tasks: list[asyncio.Task[None]] = []
        self._hearing: set[asyncio.Task[None]] = set()

    # -- life

    async def open(self, ends: Mapping[str, Ended | None] | None = None, epoch: str = "") -> None:
        """Ends what the last run of the box left open, then takes commands. StoreError. `epoch`: the store's.

        `ends`: how commands ended that went on over the restart; None: they still go on.
        """
        raw = await self._ledger.get(FACT)
        self._memory = commands.begun(msgspec.json.decode(raw, type=Memory) if raw else Memory(), epoch, self._moment())
        await self._keep()
        for name, known in commands.open_ids(self._memory).items():
            ended = (ends or {}).get(name, interrupted(known))
            if ended is not None:
                await self.finish(name, ended)
        self._tasks = [asyncio.create_task(self._work(lane)) for lane in Lane for _ in range(_WORKERS.get(lane, 1))]

    async def close(self) -> None:
        """Lets go. A command in the middle will be told as interrupted at the next start."""
        if self._hearing:
            await asyncio.wait(self._hearing, timeout=CLOSE_S)
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def now(self) -> int:
        """The time to decide by: the clock's, or the newest signed if the clock isn't trusted and behind that."""
        return commands.now(self._moment(), self._memory)

    # -- what comes in

    async def command(self, raw: bytes, response_topic: str | None = None, correlation: bytes | None = None) -> None:
        """A message on the topic of commands. When this returns, the broker may forget it.

        Who waits for it may give up; what has begun to be written down is written down all the same.
        """
        await self._whole(self._hear(raw, response_topic or "", correlation or b""))

    async def _whole(self, hearing: Coroutine[Any, Any, None]) -> None:
        if len(self._hearing) >= HEARING_MAX:
            hearing.close()
            self.counters["not heard"] += 1
            raise OrderError("the disk does not keep up with what is commanded", reason=Refused.BUSY)
        task = asyncio.create_task(hearing)
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)
        await asyncio.shield(task)

    async def _hear(self, raw: bytes, response_topic: str, correlation: bytes) -> None:
        async with self._lock:
            self._memory = commands.begun(self._memory, self._memory.epoch, self._moment())
            verdict = commands.decide(raw, self._keys, self._here, self._moment(), self._memory)
            if isinstance(verdict, Again):
                await self._answer_again(verdict, response_topic, correlation)
            elif isinstance(verdict, Order):
                await self._accept(verdict, response_topic, correlation)
            else:
                await self._refuse(verdict, response_topic, correlation)

    async def desired(self, raw: bytes) -> None:
        """A message on the topic of bundles. What becomes of it stands in `reported`."""
        await self._whole(self._hear_bundle(raw))

    async def _hear_bundle(self, raw: bytes) -> None:
        verdict = commands.decide_bundle(raw, self._keys, self._here, self._moment())
        if isinstance(verdict, Offer):
            assert self.take_bundle is not None, "wired before the broker is"
            async with self._lock:
                self._memory = commands.heard(self._memory, verdict.bundle.issued)  # kept with the next command
            refusal = await self.take_bundle(verdict)
            if refusal is None:
                return
            verdict = refusal
        async with self._lock:
            await self._refuse(verdict, "", b"")

    async def finish(self, name: str, ended: Ended) -> None:
        """A command that went on has ended, or has come a step further (RUNNING)."""
        known = self._memory.ids.get(name)
        if known is None or not may_follow(known.phase, ended.phase):
            return
        reply = reply_of(name, known.command, ended, self._here.box)
        audit = AuditRecord(
            at=self._at(), who="fleet", what=known.command, target=name, after=ended.phase.value, reason=ended.reason
        )
        await self._step(reply, audit if ended.phase in commands.FINAL else None)

    def known(self, name: str) -> Known | None:
        """What is remembered of a command."""
        return self._memory.ids.get(name)

    # -- judging

    async def _accept(self, order: Order, to: str, correlation: bytes) -> None:
        command, lane = order.command, self._lanes[order.kind.lane]
        before = self._memory
        memory = commands.forget(commands.heard(before, command.issued), self._moment())
        if commands.is_full(memory) or lane.full():
            await self._refuse(refused(order, Refused.BUSY), to, correlation)
            return
        known = Known(
            digest=order.digest,
            command=command.command,
            expires=command.expires,
            phase=JobPhase.QUEUED,
            to=to if len(to) <= TOPIC_CHARS else "",
            correlation=correlation.hex() if len(correlation) <= CORRELATION_BYTES else "",
        )
        self._memory = commands.remember(memory, command.id, known)
        try:
            await self._ledger.record(record_of(order, self._at()))
            await self._keep()
        except StoreError as fault:
            self._memory = before
            log.error("%s %s: %s", command.command, command.id, fault)
            await self._refuse(refused(order, Refused.NO_STORE), to, correlation)
            return
        lane.put_nowait(order)
        if not order.kind.waits:
            self._say_queued(command.id, known)

    def _say_queued(self, name: str, known: Known) -> None:
        queued = reply_of(name, known.command, Ended(JobPhase.QUEUED), self._here.box)
        self._reply(queued, known.to, bytes.fromhex(known.correlation))

    async def _answer_again(self, again: Again, to: str, correlation: bytes) -> None:
        """What came of it, from the job's own row where that is still there."""
        self.counters["again"] += 1
        known = again.known
        row = await self._ledger.job(again.id)
        result = msgspec.json.decode(row.result) if row is not None and row.result else {}
        reply = Reply(
            id=again.id,
            box=self._here.box,
            command=known.command,
            state=known.phase,
            progress=row.progress if row else 0.0,
            reason=known.reason,
            words=known.words,
            result=result,
        )
        self._reply(reply, to, correlation)

    async def _refuse(self, refusal: Refusal, to: str, correlation: bytes) -> None:
        """Counted always; written down and answered as often as the allowance has it."""
        self.counters[f"refused {refusal.reason}"] += 1
        phase = JobPhase.EXPIRED if refusal.reason is Refused.EXPIRED else JobPhase.REJECTED
        remembers = refusal.signed and refusal.reason in _FOR_EVER and not commands.is_full(self._memory)
        if not remembers and not self._allowance.take(asyncio.get_running_loop().time()):
            return
        left_out, self._allowance.left_out = self._allowance.left_out, 0
        told = f", and {left_out} more before it" if left_out else ""
        who_else = refusal.by or "nobody we know"
        events: list[Event] = [
            AuditRecord(
                at=self._at(), who=who_else, what=refusal.command[:64] or "message", target=refusal.id,
                after=phase.value, reason=f"{refusal.reason}{told}",
            )
        ]  # fmt: skip
        if remembers:
            self._memory = commands.remember(self._memory, refusal.id, known_of(refusal))
            events.append(
                JobRecord(
                    at=self._at(), job=refusal.id, command=refusal.command[:64], state=phase.value,
                    reason=refusal.reason.value, by=refusal.by, expires=refusal.expires,
                )
            )  # fmt: skip
        try:
            await self._ledger.record(*events)
            if remembers:
                await self._keep()
        except StoreError as fault:
            log.error("a refusal (%s) is not written down: %s", refusal.reason, fault)
        log.warning("refused %s %s: %s%s", refusal.command[:64] or "a message", refusal.id, refusal.reason, told)
        told_ended = Ended(phase, refusal.reason.value, refusal.words + told)
        reply = reply_of(refusal.id, refusal.command, told_ended, self._here.box)
        # An unsigned message names no topic to answer on: the box publishes only where its own people ask it to.
        self._reply(reply, to if refusal.signed else "", correlation if refusal.signed else b"")

    # -- doing

    async def _work(self, lane: Lane) -> None:
        queue = self._lanes[lane]
        while True:
            order = await queue.get()
            try:
                await self._do(order, _LIMIT_S[lane])
            except Exception as fault:  # a bug in here must not stop a lane for ever
                self.counters["faults"] += 1
                log.error("%s: fault", order.command.command, exc_info=fault)

    async def _do(self, order: Order, limit_s: float) -> None:
        command = order.command
        if self._memory.ids[command.id].phase in commands.FINAL:
            return  # canceled while it waited
        if command.expires <= self.now:
            await self._end(order, Ended(JobPhase.EXPIRED, Refused.EXPIRED.value, "it waited too long"))
            return
        try:
            if not order.kind.waits:
                await self._step(reply_of(command.id, command.command, Ended(JobPhase.RUNNING), self._here.box))
        except StoreError as fault:
            await self._end(order, Ended(JobPhase.FAILED, Refused.NO_STORE.value, str(fault)))
            return
        doing = Doing(order, self._tell, self._here.box)
        ended = await self._carried_out(doing, limit_s)
        if ended is not None:
            await self._end(order, ended)
        elif order.kind.waits:  # its handler has it on disk: only now it is told that it waits
            known = self._memory.ids[command.id]
            if known.phase is JobPhase.QUEUED:
                self._say_queued(command.id, known)

    async def _carried_out(self, doing: Doing, limit_s: float) -> Ended | None:
        command = doing.order.command.command
        try:
            async with asyncio.timeout(limit_s):
                return await self.handlers[command](doing)
        except TimeoutError:
            return Ended(JobPhase.FAILED, "timeout", f"not done within {limit_s:.0f} s")
        except EdgeboxError as fault:
            return Ended(JobPhase.FAILED, fault.reason, str(fault)[:400])
        except Exception as fault:
            self.counters["faults"] += 1
            # Whatever a secret's command stumbled over may quote the secret.
            log.error("%s: %s", command, type(fault).__name__, exc_info=fault if doing.order.kind.keeps_args else None)
            return Ended(JobPhase.FAILED, "fault", f"a fault in the box: {type(fault).__name__}")

    async def _end(self, order: Order, ended: Ended) -> None:
        command = order.command
        audit = AuditRecord(
            at=self._at(), who=who(order), what=command.command, target=command.id, after=ended.phase.value,
            reason=ended.reason,
        )  # fmt: skip
        reply = reply_of(command.id, command.command, ended, self._here.box)
        await self._step(reply, None if order.kind.lane is Lane.ASK else audit)

    async def _tell(self, reply: Reply, keep: bool) -> None:
        known = self._memory.ids.get(reply.id)
        if known is None or not may_follow(known.phase, reply.state):
            return
        if keep:
            await self._step(reply)
        else:
            self._reply(reply, known.to, bytes.fromhex(known.correlation))

    async def _step(self, reply: Reply, audit: AuditRecord | None = None) -> None:
        """Written down, then told. A last step that can't be written down is told all the same: it is true."""
        async with self._lock:
            known = self._memory.ids[reply.id]
            assert may_follow(known.phase, reply.state), f"{known.phase} to {reply.state}"
            to, correlation = known.to, bytes.fromhex(known.correlation)
            row = await self._ledger.job(reply.id)
            row = row or JobRecord(at=self._at(), job=reply.id, command=known.command, state="", expires=known.expires)
            kept = msgspec.structs.replace(
                row, at=self._at(), state=reply.state.value, progress=reply.progress, reason=reply.reason,
                result=kept_result(reply.result),
            )  # fmt: skip
            is_last = reply.state in commands.FINAL
            changes: dict[str, Any] = {"phase": reply.state, "reason": reply.reason, "words": reply.words}
            changes |= {"to": "", "correlation": ""} if is_last else {}
            before = self._memory
            new = msgspec.structs.replace(known, **changes)
            self._memory = commands.remember(before, reply.id, new)
            try:
                await self._ledger.record(kept, *([audit] if audit is not None else ()))
                if new.phase is not known.phase:
                    await self._keep()
            except StoreError as fault:
                if not is_last:
                    self._memory = before
                    raise
                log.error("%s %s %s: not written down: %s", known.command, reply.id, reply.state, fault)
        self.counters[reply.state.value] += reply.state in commands.FINAL
        self._reply(reply, to, correlation)

    # -- small things

    async def _keep(self) -> None:
        await self._ledger.put(FACT, msgspec.json.encode(self._memory))

    def _reply(self, reply: Reply, to: str, correlation: bytes) -> None:
        """Best effort: the step is on disk and goes up with the jobs in any case."""
        self._send(msgspec.structs.replace(reply, at=self._at()), to or None, correlation or None)

    def _at(self) -> int:
        return self._moment().at
