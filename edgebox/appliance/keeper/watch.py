"""The keeper at work: at a boot, and beside a trial until its end.

Owns: the loop between what is seen and what is done. Never: decides (trial.py, gate.py). Standard library only: it is
installed outside the slots, in /usr/lib/edgebox, and is never replaced by an update, only by a package.

    edgebox-keeper boot     before anything of a slot is started (edgebox-slots.service)
    edgebox-keeper watch    from the switch, or the boot, to the verdict (edgebox-trial.service)
    edgebox-keeper back     a person has seen enough: the old version again
    edgebox-keeper package  behind `apt install`: the packaged slot is current (postinst)
    edgebox-keeper busy     0: a trial runs (preinst: a package is not unpacked into one)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import units
from .gate import Do, Gate, Pulse, Seen, Step, Unit
from .slots import Slots
from .trial import PACKAGED, Keep, Phase, Switch, at_boot, going_back, good, over

LOOK_S = 0.25  # how soon a fall is seen: printing stands still for no longer than this and a start
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BACK_S = 300.0  # on the way back; the link points to the old slot from the first moment
BLIND_S = 300.0  # that systemd says nothing: a version under which that happens is not a good one


class World:
    """Services, engine and clock, as systemd and the kernel have them."""

    def services(self) -> tuple[Unit, ...] | None:
        """As units.services."""
        return units.services()

    def pulse(self) -> Pulse | None:
        """As units.pulse."""
        return units.pulse()

    def begin_anew(self, unit: str) -> bool:
        """As units.begin_anew."""
        return units.begin_anew(unit)

    def restart(self, unit: str) -> bool:
        """As units.restart."""
        return units.restart(unit)

    def kill(self, unit: str) -> bool:
        """As units.kill."""
        return units.kill(unit)

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def rest(self) -> None:
        """Until the next look."""
        time.sleep(LOOK_S)


def boot(slots: Slots, boot_id: str) -> str:
    """What was done, in words."""
    actions = at_boot(slots.trial(), slots.current, slots.whole(), boot_id)
    slots.do(actions)
    return "; ".join(type(action).__name__.lower() for action in actions) or "nothing to do"


def watch(slots: Slots, world: World, boot_id: str, say: Callable[[str], None]) -> bool:
    """Until the verdict; true: the new version stays."""
    trial = slots.trial()
    if trial is None:
        say("no trial")
        return True
    if trial.boot != boot_id:  # begun in an earlier boot, and nobody has counted this one
        boot(slots, boot_id)
        return watch(slots, world, boot_id, say) if slots.trial() is not None else False
    if trial.phase is Phase.TRYING:
        gate = Gate(trial, world.now())
        say(f"{trial.version} on trial in slot {trial.new}, {trial.before} waits in slot {trial.old}")
        step = _followed(gate, world, say, until=None)
        if step.do is Do.GOOD:
            slots.do(good(trial))
            say(f"{trial.version} is good")
            return True
        say(f"back to {trial.before}: {step.reason}: {step.words}")
        back(slots, world, step.reason, step.words)
    _gone_back(slots, world, say)
    return False


def back(slots: Slots, world: World, reason: str, words: str) -> None:
    """The old slot is the one that is started, from now on."""
    trial = slots.trial()
    if trial is None:
        return
    # What begins from now on is the old one; what falls in the moment before the switch is begun again by itself.
    back_again = going_back(trial, reason, words)._replace(since_us=microseconds(world))
    slots.do([Keep(back_again), *([Switch(trial.old)] if trial.old in slots.whole() else [])])


def _gone_back(slots: Slots, world: World, say: Callable[[str], None]) -> None:
    """Every service runs the old version again, as far as that can be had; then the trial is over."""
    trial = slots.trial()
    if trial is None:
        return
    step = _followed(Gate(trial, world.now()), world, say, until=world.now() + BACK_S)
    if step.do is not Do.GOOD:
        say("not every service has begun anew")
    slots.do(over(trial))
    say(f"{trial.before} again")


def microseconds(world: World) -> int:
    """As systemd stamps a process."""
    return int(world.now() * 1e6)


def _followed(gate: Gate, world: World, say: Callable[[str], None], until: float | None) -> Step:
    seen_at = world.now()
    while True:
        now, found = world.now(), world.services()
        if found is None:
            if now - seen_at > BLIND_S:
                return Step(Do.BACK, reason="blind", words=f"systemd said nothing for {BLIND_S:.0f} s")
            world.rest()
            continue
        seen_at = now
        step = gate.look(Seen(now, found, world.pulse()))
        match step.do:
            case Do.GOOD | Do.BACK:
                return step
            case Do.ANEW | Do.RESTART | Do.KILL:
                say(f"{step.unit}: {step.do.value}")
                {Do.ANEW: world.begin_anew, Do.RESTART: world.restart, Do.KILL: world.kill}[step.do](step.unit)
        if until is not None and world.now() > until:
            return step
        world.rest()


def package(slots: Slots) -> str:
    """The package's own slot is current, and no trial is on."""
    slots.do([Switch(PACKAGED)] if slots.current != PACKAGED else [])
    return f"slot {PACKAGED} is current"


def main(argv: Sequence[str] | None = None) -> int:
    """0 done; 1 not so; 2 what is that?"""
    words = list(sys.argv[1:] if argv is None else argv)
    slots = Slots(at=int(time.time()))

    def say(text: str) -> None:
        print(f"edgebox-keeper: {text}", file=sys.stderr, flush=True)

    match words:
        case ["boot"]:
            say(boot(slots, BOOT_ID.read_text("ascii").strip()))
        case ["watch"]:
            watch(slots, World(), BOOT_ID.read_text("ascii").strip(), say)
        case ["back"]:
            if slots.trial() is None:
                say("no trial: nothing to go back from")
                return 1
            back(slots, World(), "asked", "a person wanted the old version back")
            return 0 if units.restart("edgebox-trial.service") else 1
        case ["package"]:
            say(package(slots))
        case ["busy"]:
            return 0 if slots.trial() is not None else 1
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0
