"""A bundle to a fleet in waves: which boxes next, when to go on, when to stop.

Owns: waves, the stop rules, and the state that a rollout is taken up again from. Pure: messages, receipts and a clock
go in; what to publish, or why it stopped, comes out. Never: publishes or keeps a file (sync/fleet_rollout.py).

    plan ─▶ wave: staged with activate_at ─▶ all ready? ─▶ in force ─▶ watched ─▶ next wave … ─▶ done
                        └──────── rejected, not ready, rolled back, or a stop rule ────────▶ stopped

A box that refuses the bundle, isn't ready in time or rolls it back has failed; more than `failures_max` failures stop
the rollout, whatever rules were asked for. The rules compare boxes with the new revision with the same fleet's receipts
without it, before and at the same time, so that a busy evening stops nothing. With too few receipts nothing can be
judged; then the wave is watched longer, and in the end the rollout stops and a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from sync.contract import BundleState
from sync.fleet_book import Known, troubles

SETTLE_S = 30  # after activate_at: applying a bundle takes a second, its health check some more
MORE_PCT = 10  # points of a hundred: what chance makes of twenty receipts, twice over
RECEIPTS_MIN = 20
RECEIPTS_MAX = 1_000_000  # counted on each side; then the picture is clear


class StopRule(StrEnum):
    """What stops a rollout besides failures."""

    ABSTAIN = "abstain"  # the boxes are sure of fewer receipts than before
    MISS = "miss"  # more slips come too late or are refused
    HEALTH = "health"  # a box goes offline, or has a trouble that it had not


class Phase(StrEnum):
    """Where the rollout stands."""

    PLANNED = "planned"  # the next wave may begin
    STAGING = "staging"  # the wave has the bundle, and waits for its time
    WATCHING = "watching"  # it is in force, and looked at
    STOPPED = "stopped"
    DONE = "done"


class At(StrEnum):
    """Where one box stands."""

    WAITING = "waiting"  # for its wave
    SENT = "sent"
    READY = "ready"
    RUNNING = "running"  # with the new revision
    FAILED = "failed"
    AWAY = "away"  # offline when its wave began: it gets nothing from this rollout


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided at the beginning. `waves`: boxes as STORE/BOX. Times in seconds."""

    id: str
    tenant: str
    kind: str
    revision: int
    waves: tuple[tuple[str, ...], ...]
    stop_on: tuple[StopRule, ...] = tuple(StopRule)
    lead_s: int = 60
    watch_s: int = 600
    patience_s: int = 2400
    receipts_min: int = RECEIPTS_MIN
    more_pct: int = MORE_PCT
    failures_max: int = 0


class Tally(msgspec.Struct, kw_only=True):
    """Receipts on one side of the comparison."""

    receipts: int = 0
    abstained: int = 0
    missed: int = 0


class Box(msgspec.Struct, kw_only=True):
    """One box. `troubles`: parts that were not well before."""

    at: At = At.WAITING
    why: str = ""
    troubles: tuple[str, ...] = ()
    revision_before: int = 0


class Saved(msgspec.Struct, kw_only=True):
    """All that is kept of a rollout."""

    plan: Plan
    phase: Phase = Phase.PLANNED
    wave: int = 0
    began: int = 0
    activate_at: int = 0
    why: tuple[str, ...] = ()
    boxes: dict[str, Box] = {}
    without: Tally = msgspec.field(default_factory=Tally)
    with_it: Tally = msgspec.field(default_factory=Tally)


class Publish(NamedTuple):
    """The bundle goes to these boxes, in force from `activate_at`."""

    boxes: tuple[str, ...]
    activate_at: int


class Seen(NamedTuple):
    """What one receipt says about its box."""

    abstained: bool
    missed: bool


Look = Callable[[str], Known | None]


def cut(boxes: Sequence[str], sizes: Iterable[int]) -> tuple[tuple[str, ...], ...]:
    """Boxes in waves of these sizes; the last size again and again for who is left. ValueError: a size below 1."""
    wanted = list(sizes)
    if not wanted or min(wanted) < 1:
        raise ValueError("expected sizes of 1 and more")
    waves: list[tuple[str, ...]] = []
    first = 0
    while first < len(boxes):
        size = wanted[min(len(waves), len(wanted) - 1)]
        waves.append(tuple(boxes[first : first + size]))
        first += size
    return tuple(waves)


def begin(plan: Plan) -> Saved:
    """A rollout of which nothing has happened."""
    return Saved(plan=plan, boxes={name: Box() for wave in plan.waves for name in wave})


class Rollout:
    """A rollout under way. `saved` is what to keep; it is changed in place."""

    def __init__(self, saved: Saved) -> None:
        self.saved = saved

    @property
    def plan(self) -> Plan:
        return self.saved.plan

    @property
    def wave(self) -> tuple[str, ...]:
        """The boxes of the wave that is on."""
        waves = self.plan.waves
        return waves[self.saved.wave] if self.saved.wave < len(waves) else ()

    @property
    def is_over(self) -> bool:
        return self.saved.phase in (Phase.STOPPED, Phase.DONE)

    def those(self, *at: At) -> list[str]:
        """All boxes that stand there."""
        return [name for name, box in self.saved.boxes.items() if box.at in at]

    # -- what comes in

    def heard(self, name: str, known: Known) -> None:
        """A box has said something."""
        box = self.saved.boxes.get(name)
        if box is None or self.is_over or box.at not in (At.SENT, At.READY, At.RUNNING):
            return
        self._stands(box, known.bundle(self.plan.kind))

    def receipt(self, name: str, seen: Seen, at: int) -> None:
        """A receipt of a box, recorded at `at` (seconds since 1970)."""
        box = self.saved.boxes.get(name)
        if box is None or self.is_over:
            return
        has_it = box.at is At.RUNNING and at >= self.saved.activate_at
        tally = self.saved.with_it if has_it else self.saved.without
        if tally.receipts < RECEIPTS_MAX:
            tally.receipts += 1
            tally.abstained += seen.abstained
            tally.missed += seen.missed

    def next(self, now: int, look: Look) -> Publish | None:
        """Goes on as far as it can now."""
        saved = self.saved
        if saved.phase is Phase.PLANNED:
            return self._begin_wave(now, look)
        if saved.phase is Phase.STAGING and now >= saved.activate_at:
            self._end_staging()
        if saved.phase is Phase.WATCHING:
            self._watch(now, look)
        self._check_failures()
        return None

    def go_on(self) -> None:
        """A person has looked at why it stopped, and wants the next wave all the same."""
        saved = self.saved
        if saved.phase is Phase.STOPPED:
            saved.why = ()
            saved.plan = msgspec.structs.replace(saved.plan, failures_max=len(self.those(At.FAILED)))
            self._end_wave()

    def not_taken(self, name: str, words: str) -> None:
        """The broker did not take the bundle for this box."""
        box = self.saved.boxes[name]
        box.at, box.why = At.FAILED, words

    def again(self) -> Publish | None:
        """After an interruption: what may not have gone out. A bundle that comes twice is one."""
        if self.saved.phase is not Phase.STAGING:
            return None
        waiting = tuple(name for name in self.wave if self.saved.boxes[name].at is At.SENT)
        return Publish(waiting, self.saved.activate_at) if waiting else None

    # -- steps

    def _begin_wave(self, now: int, look: Look) -> Publish | None:
        saved = self.saved
        there = []
        for name in self.wave:
            known, box = look(name), saved.boxes[name]
            if known is None or known.state is None or not known.is_online(now):
                box.at, box.why = At.AWAY, "offline when its wave began"
                continue
            box.at = At.SENT
            box.troubles = tuple(troubles(known.state))
            box.revision_before = known.bundle(self.plan.kind).revision
            there.append(name)
        if not there:
            self._stop(f"nobody of wave {saved.wave + 1} is online")
            return None
        saved.phase, saved.began, saved.activate_at = Phase.STAGING, now, now + self.plan.lead_s
        return Publish(tuple(there), saved.activate_at)

    def _end_staging(self) -> None:
        self.saved.phase = Phase.WATCHING
        for name in self.wave:
            box = self.saved.boxes[name]
            if box.at is At.SENT:
                box.at, box.why = At.FAILED, "was not ready in time"

    def _watch(self, now: int, look: Look) -> None:
        saved, plan = self.saved, self.plan
        after_s = now - saved.activate_at
        for name in self.wave:
            self._look_at(saved.boxes[name], look(name), now, after_s)
        self._check_failures()
        settling = any(saved.boxes[name].at is At.READY for name in self.wave)
        if self.is_over or settling or after_s < plan.watch_s:
            return
        judged = self._judge()
        if judged:
            self._stop(*judged)
        elif self._is_judged:
            self._end_wave()
        elif after_s >= plan.patience_s:
            self._stop(f"only {saved.with_it.receipts} receipts with the new revision: too few to judge")

    def _look_at(self, box: Box, known: Known | None, now: int, after_s: int) -> None:
        if box.at is At.READY and after_s > SETTLE_S:
            box.at, box.why = At.FAILED, "is not in force in time"
        if box.at is not At.RUNNING or StopRule.HEALTH not in self.plan.stop_on:
            return
        if known is None or known.state is None or not known.is_online(now):
            box.at, box.why = At.FAILED, "is offline"
            return
        new = {part: words for part, words in troubles(known.state).items() if part not in box.troubles}
        if new:
            box.at, box.why = At.FAILED, "; ".join(f"{part}: {words}" for part, words in new.items())

    def _stands(self, box: Box, bundle: BundleState) -> None:
        """What the box says of the bundle. Words of an earlier revision say nothing.

        A report that came while nobody listened is lost; then a sign of life says what is in force, and no more.
        """
        if not bundle.desired and bundle.revision == self.plan.revision:
            box.at = At.RUNNING
        if bundle.desired != self.plan.revision:
            return
        if bundle.state in ("rejected", "rolled_back"):
            keys = "; ".join(f"{key}: {why}" for key, why in list(bundle.rejected.items())[:3])
            words = ": ".join(part for part in (bundle.reason, keys) if part)
            box.at, box.why = At.FAILED, f"{bundle.state.replace('_', ' ')}{': ' if words else ''}{words}"
        elif bundle.state in ("in_force", "stored"):
            box.at = At.RUNNING
        elif bundle.state in ("staged", "trial") and box.at is At.SENT:
            box.at = At.READY

    # -- stopping

    def _check_failures(self) -> None:
        failed = self.those(At.FAILED)
        if len(failed) > self.plan.failures_max and not self.is_over:
            words = [f"{name}: {self.saved.boxes[name].why}" for name in failed[:10]]
            self._stop(*words, *([f"and {len(failed) - 10} more"] if len(failed) > 10 else []))

    @property
    def _is_judged(self) -> bool:
        rates = {StopRule.ABSTAIN, StopRule.MISS} & set(self.plan.stop_on)
        return not rates or self.saved.with_it.receipts >= self.plan.receipts_min

    def _judge(self) -> list[str]:
        """Which rules say stop. Without receipts of before, a rate is held against nought."""
        saved, plan = self.saved, self.plan
        new, old = saved.with_it, saved.without
        if new.receipts < max(1, plan.receipts_min):
            return []
        pairs = (
            (StopRule.ABSTAIN, "not sure of", new.abstained, old.abstained),
            (StopRule.MISS, "no slip in time on", new.missed, old.missed),
        )
        found = []
        for rule, words, count, before in pairs:
            base = max(1, old.receipts)
            if (
                rule in plan.stop_on
                and 100 * (count * base - before * new.receipts) > plan.more_pct * new.receipts * base
            ):
                found.append(f"{words} {_pct(count, new.receipts)} of receipts, before {_pct(before, old.receipts)}")
        return found

    def _end_wave(self) -> None:
        self.saved.wave += 1
        self.saved.phase = Phase.PLANNED if self.saved.wave < len(self.plan.waves) else Phase.DONE

    def _stop(self, *why: str) -> None:
        self.saved.phase, self.saved.why = Phase.STOPPED, why


def _pct(count: int, of: int) -> str:
    return f"{100 * count / of:.0f} %" if of else "none seen"
