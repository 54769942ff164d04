"""Is the new version well? What the box's services do in the minutes behind the switch, and what follows from it.

Owns: the judgement, and which service is told to begin anew next. Never: asks systemd (units.py) or moves a slot
(slots.py). Pure; standard library only.

The engine goes first: without it the shop prints. Then the lines and scanners, one at a time, each when it is between
two documents. A service that falls over, or is not ready in time, ends the trial at once: systemd is starting it again
and again, and after the switch back it starts the old one.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from .trial import Phase, Trial

ENGINE: Final = "edgebox.service"
FALLS_MAX = 1  # restarts of one service in a trial: systemd counts the one that was asked of a line as one, too
STEADY_S = 60.0  # all new, all well, none restarted: what crashes later than this, crashes rarely
ENGINE_READY_S = 120.0  # a check of the database behind an unclean stop takes minutes; a switch is a clean one
PULSE_S = 30.0  # no older word of the engine counts; it speaks every ten seconds
ASK_AGAIN_S = 60.0  # a line that was asked and did not begin anew is asked again
FORCE_S = 20.0  # on the way back a line of the new slot that does not end by itself is ended
HANGS = 0.8  # of the time that a line may take to be ready, and it is not: it hangs
TRIAL_S = 900.0  # a till that prints without a pause for so long, or a cloud that does not come back: another day


class Unit(NamedTuple):
    """A service. `begun_us`: its process, on the monotonic clock; `falls`: how often systemd started it unasked.
    `slot`: whose code it runs, "" where that can't be told (yet)."""

    name: str
    pid: int
    ready: bool
    begun_us: int
    falls: int = 0
    slot: str = ""


class Pulse(NamedTuple):
    """What the engine says of itself. `at`: when, on the monotonic clock, in seconds."""

    pid: int
    version: str
    at: float
    recording: bool
    cloud: bool
    lines: tuple[str, ...] = ()


class Seen(NamedTuple):
    """All at one moment. `now`: monotonic seconds."""

    now: float
    units: tuple[Unit, ...]
    pulse: Pulse | None = None


class Do(Enum):
    """What to do."""

    WAIT = "wait"
    ANEW = "anew"  # `unit` begins anew by itself, between two documents
    RESTART = "restart"  # `unit` is ended and started
    KILL = "kill"  # `unit` is ended at once, and systemd starts it: nothing can be asked of it
    GOOD = "good"
    BACK = "back"


class Step(NamedTuple):
    """`reason`, `words`: why back."""

    do: Do
    unit: str = ""
    reason: str = ""
    words: str = ""


_WAIT = Step(Do.WAIT)


class Gate:
    """One trial, from the moment that somebody watches it."""

    def __init__(self, trial: Trial, now: float) -> None:
        self._trial = trial
        self._begun = now
        self._steady_since: float | None = None
        self._pids: dict[str, int] = {}
        self._falls: dict[str, int] = {}
        self._asked: dict[str, float] = {}
        self._waits_since: dict[str, float] = {}
        self._known = {ENGINE}

    def look(self, seen: Seen) -> Step:
        """What follows from what is seen."""
        seen = self._with_the_missing(seen)
        step = self._fallen(seen) or self._next_anew(seen) or self._unready(seen)
        if step is None:
            step = self._steady(seen)
        if step.do is not Do.GOOD and self._trial.phase is Phase.TRYING and seen.now - self._begun > TRIAL_S:
            return _back("no_verdict", f"not all new and well within {TRIAL_S / 60:.0f} minutes: {self._words(seen)}")
        return step

    def _with_the_missing(self, seen: Seen) -> Seen:
        """A service that was there and has been given up is one that isn't ready. Who ailed before doesn't count."""
        seen = seen._replace(units=tuple(unit for unit in seen.units if unit.name not in self._trial.ailing))
        self._known |= {unit.name for unit in seen.units}
        missing = sorted(self._known - {unit.name for unit in seen.units})
        return seen._replace(units=(*seen.units, *(Unit(name, 0, False, 0) for name in missing)))

    # -- a service that falls over

    def _fallen(self, seen: Seen) -> Step | None:
        for unit in seen.units:
            first = self._falls.setdefault(unit.name, unit.falls)
            if unit.falls < first:  # systemd counts from nothing behind a restart that was asked for
                self._falls[unit.name] = first = unit.falls
            if self._trial.phase is Phase.TRYING and self._is_right(unit) and unit.falls - first > FALLS_MAX:
                return _back("crash", f"{unit.name} fell {unit.falls - first} times")
        return None

    # -- who is next

    def _next_anew(self, seen: Seen) -> Step | None:
        if self._trial.phase is Phase.GOING_BACK:
            return self._next_back(seen)
        old = sorted((unit for unit in seen.units if not self._is_right(unit)), key=lambda unit: unit.name != ENGINE)
        if not old:
            return None
        unit = old[0]
        asked = self._asked.get(unit.name)
        if asked is not None and seen.now - asked < ASK_AGAIN_S:
            return _WAIT
        if self._unready(seen):
            return None  # one at a time
        return self._ask(unit, Do.RESTART if unit.name == ENGINE else Do.ANEW, seen.now)

    def _next_back(self, seen: Seen) -> Step | None:
        """The lines first, and all at once; the engine when they print, for it takes the processor from them."""
        for unit in seen.units:
            if unit.name == ENGINE or (unit.ready and self._is_right(unit)):
                continue
            asked = self._asked.get(unit.name)
            if asked is None and unit.ready:
                return self._ask(unit, Do.ANEW, seen.now)
            if unit.pid and self._hangs(unit, asked, seen.now):
                return self._ask(unit, Do.KILL, seen.now)
        lines_print = all(unit.ready and self._is_right(unit) for unit in seen.units if unit.name != ENGINE)
        engine = next(unit for unit in seen.units if unit.name == ENGINE)
        has_to = not engine.pid or not self._is_right(engine)
        asked = self._asked.get(ENGINE)
        was_asked = asked is not None and seen.now - asked < ASK_AGAIN_S  # systemd may not have had the time
        if has_to and not was_asked and (lines_print or seen.now - self._begun > FORCE_S):
            return self._ask(engine, Do.RESTART, seen.now)
        return None if lines_print and self._is_right(engine) else _WAIT

    def _hangs(self, unit: Unit, asked: float | None, now: float) -> bool:
        """One that falls again and again ends by itself; killed too late, its good successor would be hit."""
        age_s = now - unit.begun_us / 1e6
        if self._is_right(unit):  # it gets its time anew, whenever it was asked for
            return age_s > FORCE_S
        if asked is not None:
            return now - asked > FORCE_S
        return not unit.ready and age_s > HANGS * self._trial.ready_s

    def _ask(self, unit: Unit, do: Do, now: float) -> Step:
        self._asked[unit.name] = now
        self._falls.pop(unit.name, None)
        return Step(do, unit.name)

    def _is_right(self, unit: Unit) -> bool:
        """Its process is of the slot that is to run. One without a process will be; of one that does not say so yet,
        its time must do."""
        if unit.slot:
            return unit.slot == self._trial.slot
        never_left = self._trial.phase is Phase.GOING_BACK and unit.begun_us < self._trial.tried_us
        return not unit.pid or never_left or unit.begun_us > self._trial.since_us

    # -- not ready

    def _unready(self, seen: Seen) -> Step | None:
        for unit in seen.units:
            if not self._is_right(unit):
                continue
            if unit.ready and (unit.name != ENGINE or self._speaks(seen, unit)):
                self._waits_since.pop(unit.name, None)
                continue
            since = self._waits_since.setdefault(unit.name, seen.now)
            limit_s = ENGINE_READY_S if unit.name == ENGINE else self._trial.ready_s
            if self._trial.phase is Phase.TRYING and seen.now - since > limit_s:
                return _back("not_ready", f"{unit.name} was not ready within {limit_s:.0f} s")
            return _WAIT
        return None

    def _speaks(self, seen: Seen, unit: Unit) -> bool:
        """The engine records. (Of the old version, on the way back, no more is asked than that it runs.)"""
        if self._trial.phase is Phase.GOING_BACK:
            return True
        pulse = seen.pulse
        fresh = pulse is not None and pulse.pid == unit.pid and seen.now - pulse.at < PULSE_S
        return pulse is not None and fresh and pulse.recording and pulse.version == self._trial.version

    # -- all new, all ready

    def _steady(self, seen: Seen) -> Step:
        if self._trial.phase is Phase.GOING_BACK:
            return Step(Do.GOOD)
        pids = {unit.name: unit.pid for unit in seen.units}
        pulse = seen.pulse
        as_before = pulse is not None and set(self._trial.lines) <= set(pulse.lines)
        as_before = as_before and pulse is not None and (pulse.cloud or not self._trial.cloud)
        if not pids or not as_before or pids != self._pids or self._steady_since is None:
            self._pids, self._steady_since = pids, seen.now
            return _WAIT
        return Step(Do.GOOD) if seen.now - self._steady_since >= STEADY_S else _WAIT

    def _words(self, seen: Seen) -> str:
        old = [unit.name for unit in seen.units if not self._is_right(unit)]
        if old:
            return f"{', '.join(old)} never stood between two documents"
        pulse = seen.pulse
        if pulse is None:
            return "the engine says nothing"
        missing = sorted(set(self._trial.lines) - set(pulse.lines))
        return f"missing: {', '.join(missing)}" if missing else "the cloud is not reached any more"


def _back(reason: str, words: str) -> Step:
    return Step(Do.BACK, reason=reason, words=words)
