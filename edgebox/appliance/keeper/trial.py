"""A new version on trial: what is to be done at a boot, at a good end, and at a bad one.

Owns: the decisions, as lists of actions in the order in which they must reach the disk. Never: does one (slots.py), or
looks at a process (gate.py says whether the trial is good). Pure; standard library only, for it stands outside the
slots: what judges a new version must not be a part of it.

Every list may be cut anywhere by the mains. Whatever was done of it, `at_boot` finds its way from there: the trial is
written down before the switch, the verdict before the trial is forgotten, and a slot that isn't whole is never chosen.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

SLOTS: Final = ("a", "b", "c")
PACKAGED: Final = "a"  # dpkg's alone: its files and an update's must never mix. Updates take turns in the others
BOOTS_MAX = 3  # in one trial; a shop that is switched off at night during one still has two tries


class Phase(Enum):
    """How a trial stands."""

    TRYING = "trying"
    GOING_BACK = "going_back"


class Outcome(Enum):
    """How it ended."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"


class Trial(NamedTuple):
    """`boots`: since it began. Times are on the monotonic clock of the boot `boot`: processes begun later than
    `since_us` are of the slot that is to run, those begun before `tried_us` are of the old one. `ready_s`: as long a
    line may take to be ready. `cloud`, `lines`: what was well before. `ailing`: services that were not, and that a
    new version is not blamed for. `job`: who waits for it."""

    new: str
    old: str
    version: str
    before: str = ""
    job: str = ""
    phase: Phase = Phase.TRYING
    boots: int = 0
    boot: str = ""
    tried_us: int = 0
    since_us: int = 0
    ready_s: float = 5.0
    cloud: bool = False
    lines: tuple[str, ...] = ()
    ailing: tuple[str, ...] = ()
    reason: str = ""
    words: str = ""

    @property
    def slot(self) -> str:
        """Which is to run now."""
        return self.new if self.phase is Phase.TRYING else self.old


class Keep(NamedTuple):
    """Write the trial down."""

    trial: Trial


class Switch(NamedTuple):
    """Make this slot the one that is started."""

    slot: str


class Tell(NamedTuple):
    """Write down how it ended, for the engine to report."""

    outcome: Outcome
    version: str
    job: str = ""
    reason: str = ""
    words: str = ""


class Forget(NamedTuple):
    """There is no trial any more."""


Action = Keep | Switch | Tell | Forget


def begun(trial: Trial) -> list[Action]:
    """The new slot is whole and checked: from here on it is tried."""
    return [Keep(trial), Switch(trial.new)]


def unbegun(trial: Trial, current: str) -> list[Action]:
    """The trial could not be begun as a whole: it is none."""
    return [*([Switch(trial.old)] if current != trial.old else []), Forget()]


def at_boot(trial: Trial | None, current: str, whole: frozenset[str], boot: str) -> list[Action]:
    """Before anything of a slot is started. `current`: "" for none; `whole`: slots that were written to their end."""
    if trial is None:
        return _mended(current, whole)
    if trial.boot == boot:
        return []  # this boot is counted: somebody has started the unit by hand
    fresh = trial._replace(boots=trial.boots + 1, boot=boot, tried_us=0, since_us=0)
    if trial.phase is Phase.GOING_BACK:
        return [*_back(fresh, current, whole), *over(fresh)]
    if trial.new not in whole:
        return at_once(fresh, "not_whole", "what was written is not all there", current, whole)
    if trial.boots >= BOOTS_MAX:
        return at_once(fresh, "boot_loop", f"not well after {BOOTS_MAX} starts of the box", current, whole)
    return [Keep(fresh), *([Switch(trial.new)] if current != trial.new else [])]


def at_once(trial: Trial, reason: str, words: str, current: str, whole: frozenset[str]) -> list[Action]:
    """Back while nothing runs."""
    back = going_back(trial, reason, words)
    return [Keep(back), *_back(back, current, whole), *over(back)]


def good(trial: Trial) -> list[Action]:
    """The trial has ended well: its slot is the box's."""
    return [Tell(Outcome.COMMITTED, trial.version, trial.job), Forget()]


def going_back(trial: Trial, reason: str, words: str) -> Trial:
    """It has not: the old slot is to run again. The first reason is the one that is told."""
    if trial.phase is Phase.GOING_BACK:
        return trial
    return trial._replace(phase=Phase.GOING_BACK, reason=reason, words=words)


def packaged(trial: Trial | None, current: str) -> list[Action]:
    """The package's own slot is the box's; a trial that somebody has begun meanwhile is over."""
    switch: list[Action] = [Switch(PACKAGED)] if current != PACKAGED else []
    if trial is None:
        return switch
    return [*switch, *over(going_back(trial, "package", "a package was installed"))]


def over(trial: Trial) -> list[Action]:
    """The old slot runs again."""
    return [Tell(Outcome.ROLLED_BACK, trial.version, trial.job, trial.reason, trial.words), Forget()]


def _back(trial: Trial, current: str, whole: frozenset[str]) -> list[Action]:
    """To the old slot; with that one damaged, any that is whole is better than none."""
    if trial.old in whole or trial.new not in whole:
        return [Switch(trial.old)] if current != trial.old else []
    return [Switch(trial.new)] if current != trial.new else []


def _mended(current: str, whole: frozenset[str]) -> list[Action]:
    """A link that was lost, or leads to what isn't whole, leads to the other slot, if that one is."""
    if current in whole or not whole:
        return []
    slot = min(whole)
    return [Switch(slot), Tell(Outcome.ROLLED_BACK, "", reason="not_whole", words=f"slot {current or '?'} is damaged")]
