"""The keeper at work: at a boot, and beside a trial until its end.

Owns: the loop between what is seen and what is done. Never: decides (trial.py, gate.py). Standard library only: it is
installed outside the slots, in /usr/lib/edgebox, and is never replaced by an update, only by a package.

    edgebox-keeper boot     before anything of a slot is started (edgebox-slots.service)
    edgebox-keeper watch    from the switch, or the boot, to the verdict (edgebox-trial.service)
    edgebox-keeper back     a person has seen enough: the old version again
    edgebox-keeper package  behind `apt install`: the packaged slot is current (postinst)
    edgebox-keeper busy     0: a version is installed or tried (preinst: no package is unpacked meanwhile)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import units
from .gate import Do, Gate, Pulse, Seen, Step, Unit
from .slots import Slots
from .trial import PACKAGED, Forget, Keep, Phase, Switch, Trial, at_boot, going_back, good, over, packaged

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
    """What was done, in words. OSError: the boot could not be counted; then it is none to try a version in."""
    trial = slots.trial()
    actions = at_boot(trial, slots.current, slots.whole(), boot_id)
    try:
        slots.do(actions)
    except OSError:
        if trial is not None:
            _old_again(slots, trial)
        raise
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
    if trial.phase is Phase.TRYING and slots.current != trial.new:  # it was ended, and no word of that could be written
        trial = back(slots, world, "disk", "the trial's end could not be written down", say)
    elif trial.phase is Phase.TRYING:
        gate = Gate(trial, world.now())
        say(f"{trial.version} on trial in slot {trial.new}, {trial.before} waits in slot {trial.old}")
        step = _followed(gate, world, say, until=None)
        if step.do is Do.GOOD:
            slots.do(good(trial))
            say(f"{trial.version} is good")
            return True
        say(f"back to {trial.before}: {step.reason}: {step.words}")
        trial = back(slots, world, step.reason, step.words, say)
    if trial is not None:
        _gone_back(slots, world, trial, say)
    return False


def back(slots: Slots, world: World, reason: str, words: str, say: Callable[[str], None]) -> Trial | None:
    """The old slot is the one that is started, from now on. A full disk has room for a link, and maybe none for words:
    then it goes back all the same, and the trial lives on in memory."""
    trial = slots.trial()
    if trial is None:
        return None
    # What begins from now on is the old one; what falls in the moment before the switch is begun again by itself.
    back_again = going_back(trial, reason, words)._replace(since_us=microseconds(world))
    try:
        slots.do([Keep(back_again)])
    except OSError as fault:
        say(f"{slots.home}: {fault.strerror}: going back all the same")
    _old_again(slots, trial)
    return back_again


def _old_again(slots: Slots, trial: Trial) -> None:
    if trial.old in slots.whole() and slots.current != trial.old:
        slots.do([Switch(trial.old)])


def _gone_back(slots: Slots, world: World, trial: Trial, say: Callable[[str], None]) -> None:
    """Every service runs the old version again, as far as that can be had; then the trial is over."""
    step = _followed(Gate(trial, world.now()), world, say, until=world.now() + BACK_S)
    if step.do is not Do.GOOD:
        say("not every service has begun anew")
    try:
        slots.do(over(trial))
    except OSError as fault:  # told or not, nobody may find it on trial
        say(f"{slots.home}: {fault.strerror}: who asked is not told: {trial.reason}: {trial.words}")
        slots.do([Forget()])
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
    """The package's own slot is current, and no trial is on: who installs by hand means it."""
    slots.do(packaged(slots.trial(), slots.current))
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
            back(slots, World(), "asked", "a person wanted the old version back", say)
            return 0 if units.restart("edgebox-trial.service") else 1
        case ["package"]:
            say(package(slots))
        case ["busy"]:
            with slots.alone() as nobody_installs:
                return 0 if slots.trial() is not None or not nobody_installs else 1
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0
