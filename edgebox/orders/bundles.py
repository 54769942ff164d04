"""The box's bundles: kept on disk by kind, put in force when their time has come, reported.

Owns: the facts `bundle.KIND`, their timer, and who uses a kind. Never: decides a step (sync/bundles.py does), judges
content (contents.py, and each user) or believes a sender (sync/commands.py).

A kind that no part of this box uses is kept for the day when one does, and said to be `stored`, not in force.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

import msgspec

from edgebox.errors import EdgeboxError, OrderError, StoreError
from sync import bundles
from sync.bundles import BundlePhase, Held, Kept
from sync.commands import Offer, Refusal
from sync.contract import BundleKind, BundleState, JobPhase
from sync.contract_commands import WORDS, Refused, Role, SetArgs, SetResult
from sync.jobs import Doing, Ledger
from sync.steps import Ended

log = logging.getLogger("edgebox.bundles")

TICK_S = 1.0  # a wave begins within so much of its time
INTERRUPTED = "interrupted"
BUG = "fault"  # as of commands (sync/jobs.py)


class Checked(NamedTuple):
    """What is wrong with a content. `partial`: the rest is wanted all the same."""

    rejected: dict[str, str]
    partial: bool = False


class User(Protocol):
    """The part of the box that uses a kind."""

    def check(self, content: bytes, role: Role) -> Checked:
        """Every key that can't be had. Called in a thread: it may read files."""

    async def take(self, kept: Kept | None) -> bool:
        """In force from now; None: nothing is. False: on trial, `Bundles.settle` will be told. EdgeboxError: no."""


class Bundles:
    """All kinds. `checks`: who judges a kind that has no user. `now`: seconds since 1970."""

    def __init__(
        self, ledger: Ledger, checks: Callable[[BundleKind, bytes], dict[str, str]], now: Callable[[], int]
    ) -> None:
        self.users: dict[BundleKind, User] = {}
        self.on_change: Callable[[], None] = lambda: None
        self.finish: Callable[[str, Ended], Awaitable[None]] | None = None
        self._ledger = ledger
        self._checks = checks
        self._now = now
        self._held: dict[BundleKind, Held] = {}
        self._later: dict[BundleKind, Kept] = {}  # came while another was on trial
        self._lock = asyncio.Lock()

    # -- life

    async def open(self, config: Callable[[Held], Held], known: Callable[[Held], Held] = lambda held: held) -> None:
        """What was in force is so again; a trial in the middle of which the box died is over. StoreError.

        `config`: how the trial of a configuration ended, which outlives restarts; `known`: what else says how far the
        configuration is.
        """
        for kind in BundleKind:
            raw = await self._ledger.get(_fact(kind))
            held = msgspec.json.decode(raw, type=Held) if raw else Held()
            if held.phase is BundlePhase.TRIAL:
                now = config(held) if kind is BundleKind.CONFIG else bundles.fail(held, INTERRUPTED)
                held = await self._keep(kind, now)
            if kind is BundleKind.CONFIG:
                held = known(held)
            self._held[kind] = held
            if held.force is not None and kind is not BundleKind.CONFIG:
                await self._use_again(kind, held)

    async def run(self) -> None:
        """Puts in force what is due, for ever."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.tick()
            except Exception:  # a bug with one kind must not keep the others from their time
                log.exception("a bundle is not put in force")

    async def tick(self) -> None:
        """Puts in force what is due."""
        for kind in BundleKind:
            async with self._lock:
                if not bundles.is_due(self._held[kind], self._now()):
                    continue
                try:
                    await self._activate(kind)
                except StoreError as fault:
                    log.error("%s: not put in force yet: %s", kind, fault)

    # -- what comes

    async def offer(self, offer: Offer) -> Refusal | None:
        """A bundle from the topic. What becomes of it stands in the report; a Refusal: it changed nothing."""
        bundle = offer.bundle
        kept = Kept(
            revision=bundle.revision, content=bundle.content, activate_at=bundle.activate_at, by=offer.key.name,
            role=offer.key.role,
        )  # fmt: skip
        name = f"{bundle.kind} {bundle.revision}"
        try:
            refused = await self._desire(bundle.kind, kept)
        except StoreError as fault:
            return Refusal(Refused.NO_STORE, str(fault), True, command=name, by=offer.key.name)
        if refused is Refused.BUSY:
            self._later[bundle.kind] = kept
            return None
        return Refusal(refused, WORDS[refused], True, command=name, by=offer.key.name) if refused else None

    async def set(self, doing: Doing) -> Ended | None:
        """The same, as a command: `rules.set` and the like."""
        args, kind = doing.order.args, doing.order.kind.bundle
        assert isinstance(args, SetArgs), "the table of commands says so"
        assert kind is not None, "as above"
        kept = Kept(
            revision=args.revision, content=args.content, activate_at=args.activate_at, by=doing.by,
            job=doing.order.command.id, role=doing.order.key.role,
        )  # fmt: skip
        refused = await self._desire(kind, kept)
        if refused is not None:
            return Ended(JobPhase.FAILED, refused.value, WORDS[refused], self._result(kind))
        return self._ended(kind)

    async def step_back(self, kind: BundleKind, doing: Doing, revision: int) -> Ended | None:
        """`config.rollback`: what was in force before, on trial."""
        async with self._lock:
            held = self._held[kind]
            if revision and (held.force is None or held.force.revision != revision):
                raise OrderError("another revision is in force", reason="other_revision")
            back = bundles.step_back(held, doing.order.command.id)
            if back is None:
                raise OrderError("there is nothing to go back to", reason="nothing_before")
            await self._try(kind, back)
        return self._ended(kind)

    async def settle(self, kind: BundleKind, fault: str) -> None:
        """A trial is over; `fault` "": it went well."""
        async with self._lock:
            held = self._held[kind]
            if held.phase is not BundlePhase.TRIAL:
                return
            job = held.force.job if held.force else ""
            await self._keep(kind, bundles.fail(held, fault) if fault else bundles.confirm(held))
        if job and self.finish is not None:
            ended = self._ended(kind)
            assert ended is not None, "it is settled"
            await self.finish(job, ended)
        later = self._later.get(kind)
        if later is not None:
            await self._desire(kind, later)
            self._later.pop(kind, None)

    # -- what is told

    def report(self) -> dict[str, BundleState]:
        """Each kind that ever came."""
        return {kind.value: bundles.state_of(held) for kind, held in self._held.items() if held.seen}

    def revisions(self) -> dict[str, int]:
        """What is in force, for the sign of life."""
        return {kind: state.revision for kind, state in self.report().items() if state.revision}

    def in_force(self, kind: BundleKind) -> Kept | None:
        """The content in force."""
        return self._held[kind].force

    # -- inside

    async def _desire(self, kind: BundleKind, kept: Kept) -> Refused | None:
        async with self._lock:
            checked = await asyncio.to_thread(self._check, kind, bytes(kept.content), Role(kept.role))
            held, refused, is_new = bundles.desire(
                self._held[kind], kept, checked.rejected, self._now(), partial=checked.partial
            )
            if is_new:
                await self._keep(kind, held)
            if is_new and bundles.is_due(held, self._now()):
                await self._activate(kind)
        return refused

    def _check(self, kind: BundleKind, content: bytes, role: Role) -> Checked:
        user = self.users.get(kind)
        return user.check(content, role) if user else Checked(self._checks(kind, content))

    async def _activate(self, kind: BundleKind) -> None:
        await self._try(kind, bundles.activate(self._held[kind]))

    async def _try(self, kind: BundleKind, held: Held) -> None:
        """On disk first, so that a box that dies of it knows what it died of."""
        await self._keep(kind, held)
        user = self.users.get(kind)
        if user is None:
            await self._keep(kind, bundles.confirm(held, is_used=False))
            return
        try:
            if not await user.take(held.force):
                return
        except Exception as fault:  # whatever it is, what was in force before has to be so again
            await self._undo(kind, held, user, fault)
            return
        await self._keep(kind, bundles.confirm(held))

    async def _undo(self, kind: BundleKind, held: Held, user: User, fault: Exception) -> None:
        reason = reason_of(fault)
        bug = fault if reason == BUG else None
        log.error("%s %d: %s", kind, held.force.revision if held.force else 0, fault, exc_info=bug)
        failed = await self._keep(kind, bundles.fail(held, reason))
        if kind is not BundleKind.CONFIG:  # which was never applied if taking it failed
            await user.take(failed.force)

    async def _use_again(self, kind: BundleKind, held: Held) -> None:
        user = self.users.get(kind)
        if user is None:
            return
        try:
            await user.take(held.force)
            if held.phase is BundlePhase.STORED:  # the part that uses it has come with an update
                self._held[kind] = await self._keep(kind, bundles.confirm(held))
        except Exception as fault:  # a bundle that once was good must not keep the box from starting
            log.error("%s is not in force: %s", kind, fault, exc_info=fault if reason_of(fault) == BUG else None)
            self._held[kind] = msgspec.structs.replace(held, phase=BundlePhase.STORED, reason=reason_of(fault))

    async def _keep(self, kind: BundleKind, held: Held) -> Held:
        await self._ledger.put(_fact(kind), msgspec.json.encode(held))
        self._held[kind] = held
        self.on_change()
        return held

    def _ended(self, kind: BundleKind) -> Ended | None:
        """How the command ends that brought what is there now; None: it is on trial."""
        held, result = self._held[kind], self._result(kind)
        if held.phase is BundlePhase.TRIAL:
            return None
        if held.phase is BundlePhase.REJECTED:
            return Ended(JobPhase.FAILED, held.reason, WORDS[Refused.BAD_CONTENT], result)
        if held.phase is BundlePhase.ROLLED_BACK:
            return Ended(JobPhase.FAILED, "rolled_back", held.reason, result)
        if held.phase is BundlePhase.STORED:
            words = "it is kept; no part of this box uses it yet"
            return Ended(JobPhase.SUCCEEDED, held.reason or "no_consumer_yet", words, result)
        return Ended(JobPhase.SUCCEEDED, "staged" if held.phase is BundlePhase.STAGED else "", "", result)

    def _result(self, kind: BundleKind) -> SetResult:
        held = self._held[kind]
        return SetResult(
            kind=kind.value,
            revision=held.seen,
            in_force=held.phase is BundlePhase.IN_FORCE,
            state=held.phase.value,
            rejected=dict(held.rejected),
        )


def reason_of(fault: Exception) -> str:
    """A stable word for what went wrong."""
    if isinstance(fault, EdgeboxError):
        return fault.reason
    return "io" if isinstance(fault, OSError) else BUG


def _fact(kind: BundleKind) -> str:
    return f"bundle.{kind.value}"
