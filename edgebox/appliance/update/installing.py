"""From an update file to a trial: taken, unpacked into the idle slot, checked there, and switched to.

Owns: the order, and what is told when it ends before the switch. Never: judges the trial (edgebox/appliance/keeper), or
touches the slot that runs. Runs as root, from the slot that runs, and only while no trial is on.

A power cut at any of the steps leaves the running slot as it was: the idle one is not whole until it is sealed, and not
started before the trial is written down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from edgebox.appliance.keeper.gate import Pulse, Unit
from edgebox.appliance.keeper.slots import Slots
from edgebox.appliance.keeper.trial import Keep, Outcome, Tell, Trial, begun, unbegun
from edgebox.appliance.update.archive import Size, unpack
from edgebox.appliance.update.inbox import Taken, room, take
from edgebox.appliance.update.manifest import Here, Manifest
from edgebox.errors import UpdateError
from sync.signing import FleetKey

log = logging.getLogger("edgebox.update")

INCOMING = ".incoming"  # in /opt/edgebox: the copy that is checked and installed
READY_LEAST_S, READY_MOST_S = 1.0, 30.0  # a line's start takes 0.1 s; a machine that needs 10 is an emulated one
YOUNG_US = 30_000_000  # a service that fell and is back for less than this will fall again
READY_TIMES = 3  # as long as the check's start took: the shop's other services start at the same time


class Checked(NamedTuple):
    """What the new slot said of itself. `line_s`: how long its line took to pass the first byte."""

    line_s: float


class Machine(NamedTuple):
    """What an installation asks of the box. `check`: runs the new slot's own check, UpdateError `check_failed`;
    `services`: as they are; `watch`: starts the keeper beside the trial; `monotonic`: seconds; `boot`: the kernel's id
    of this one."""

    check: Callable[[str], Checked]
    pulse: Callable[[], Pulse | None]
    services: Callable[[], tuple[Unit, ...] | None]
    watch: Callable[[], bool]
    monotonic: Callable[[], float]
    boot: str


def install(
    source: Path, slots: Slots, keys: Mapping[str, FleetKey], here: Here, machine: Machine, job: str = ""
) -> Manifest:
    """The trial is on when this returns. UpdateError, which is also written down for who asked."""
    try:
        with slots.alone() as is_alone:
            if not is_alone or slots.trial() is not None:
                fault = UpdateError("another version comes in", reason="busy", hint="edgebox update says how it stands")
                refuse(slots, "", job, fault)
                raise fault
            return _alone(source, slots, keys, here, machine, job)
    except OSError as unlocked:  # all others are told where they happen
        raise _disk(slots, unlocked) from unlocked


def _alone(
    source: Path, slots: Slots, keys: Mapping[str, FleetKey], here: Here, machine: Machine, job: str
) -> Manifest:
    version, runs = "", (slots.current, slots.version(slots.current))
    try:
        taken = take(source, slots.home / INCOMING, keys, here)
        version = taken.head.manifest.version
        log.info("%s, signed by %s: unpacking into slot %s", version, taken.head.key, slots.idle)
        slot = unpacked(slots, taken)
        checked = machine.check(slot)
        log.info("%s has checked itself: its line is ready within %.2f s", version, checked.line_s)
        if (slots.current, slots.version(slots.current)) != runs:
            raise UpdateError("a package was installed meanwhile", reason="busy", hint="again, if it is still wanted")
        switch(slots, slot, taken.head.manifest, checked, machine, job)
    except UpdateError as fault:
        refuse(slots, version, job, fault)
        raise
    except OSError as fault:
        told = _disk(slots, fault)
        refuse(slots, version, job, told)
        raise told from fault
    finally:
        (slots.home / INCOMING).unlink(missing_ok=True)
    return taken.head.manifest


def _disk(slots: Slots, fault: OSError) -> UpdateError:
    return UpdateError(f"{fault.filename or slots.home}: {fault.strerror}", reason="disk", hint="edgebox doctor")


def refuse(slots: Slots, version: str, job: str, fault: UpdateError) -> None:
    """Told to who asked, if a full disk leaves room for it; the caller says it in any case."""
    try:
        slots.do([Tell(Outcome.REFUSED, version, job, fault.reason, str(fault)[:200])])
    except OSError as unwritten:
        log.error("%s: %s: who asked is not told: %s", slots.home, unwritten.strerror, fault)


def unpacked(slots: Slots, taken: Taken) -> str:
    """The slot it is in, whole and on disk. UpdateError `no_room`, `bad_archive`; OSError."""
    manifest, slot = taken.head.manifest, slots.idle
    folder = slots.clear(slot)
    room(folder, manifest.unpacked)
    with taken.path.open("rb") as archive:
        unpack(archive, folder, Size(manifest.unpacked, manifest.files))
    slots.seal(slot, {"version": manifest.version, "sha256": manifest.sha256, "key": taken.head.key})
    return slot


def switch(slots: Slots, slot: str, manifest: Manifest, checked: Checked, machine: Machine, job: str) -> None:
    """The trial begins. Services that run go on with the old slot until the keeper asks them to begin anew."""
    before = machine.pulse()
    now_us = int(machine.monotonic() * 1e6)
    trial = Trial(
        new=slot,
        old=slots.current,
        version=manifest.version,
        before=slots.version(slots.current),
        job=job,
        boot=machine.boot,
        tried_us=now_us,
        since_us=now_us,
        ready_s=min(READY_MOST_S, max(READY_LEAST_S, READY_TIMES * checked.line_s)),
        cloud=before is not None and before.cloud,
        lines=before.lines if before is not None else (),
        ailing=tuple(unit.name for unit in machine.services() or () if _ails(unit, now_us)),
    )
    try:
        slots.do(begun(trial))
        # Whatever begins from now on is the new one; a service that began between the two writes is asked once more.
        slots.do([Keep(trial._replace(since_us=int(machine.monotonic() * 1e6)))])
        if not machine.watch():
            raise UpdateError("the keeper could not be started: nobody would judge", reason="no_keeper")
    except (OSError, UpdateError):
        # Nothing runs the new one yet; a link and a removal find room on a full disk, too.
        slots.do(unbegun(trial, slots.current))
        raise


def _ails(unit: Unit, now_us: int) -> bool:
    """It was not well before, as a scanner that is unplugged: the new version may even be the cure."""
    return not unit.ready or (unit.falls > 0 and now_us - unit.begun_us < YOUNG_US)
