"""`edgebox update`: another version of edgebox into the idle slot, on trial; and how that stands.

Owns: its arguments and words. Never: decides (edgebox/appliance/update, edgebox/appliance/keeper).
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from edgebox.appliance.keeper.slots import HOME, Slots
from edgebox.appliance.keeper.trial import SLOTS, Outcome
from edgebox.appliance.update import box, inbox
from edgebox.appliance.update.installing import install, refuse
from edgebox.appliance.update.manifest import Manifest, release_keys
from edgebox.appliance.update.self_check import check
from edgebox.config import DEFAULT, load
from edgebox.errors import EdgeboxError, UpdateError

KEEPER = "/usr/lib/edgebox/edgebox-keeper"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE | --inbox | --check | --back] [--config F]."""
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="an update file; none: how the slots stand")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--back", action="store_true", help="end a trial: the version before it again")
    ways.add_argument("--inbox", action="store_true", help="install what the engine fetched (edgebox-update.service)")
    ways.add_argument("--check", action="store_true", help="would this slot do? (edgebox-check@.service)")
    parser.add_argument("--config", type=Path, default=DEFAULT, metavar="F", help="edgebox.toml")


def run(options: argparse.Namespace) -> int:
    """0 done; 1 no trial to go back from, or not fit; 2 refused."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    if options.check:
        return _check(options.config)
    if options.back:
        _as_root()
        return subprocess.run([KEEPER, "back"], check=False).returncode
    slots = Slots(at=int(datetime.now(UTC).timestamp()))
    if options.inbox:
        folder = Path(load(options.config, ()).engine.data) / inbox.FOLDER
        if not (folder / inbox.REQUEST).exists():  # it was taken away: that wakes us, too
            return 0
        return _installed(folder / inbox.NEXT, slots, inbox.asked(folder).job)
    if options.file is not None:
        return _installed(options.file, slots, "")
    print("\n".join(stand(slots)))
    return 0


def stand(slots: Slots) -> list[str]:
    """Which versions there are, which one runs, and how the last trial ended."""
    said = []
    for slot in SLOTS:
        version = slots.version(slot) or "nothing"
        said.append(f"slot {slot}: {version}{', in use' if slot == slots.current else ''}")
    trial = slots.trial()
    if trial is not None:
        said.append(f"on trial: {trial.version} ({trial.phase.value}), {trial.boots} boots since")
    last = slots.last()
    if last is not None:
        when = datetime.fromtimestamp(last.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        why = f": {last.reason}: {last.words}" if last.outcome is not Outcome.COMMITTED else ""
        said.append(f"last: {last.version or '?'} {last.outcome.value} {when}{why}")
    return said


def _as_root() -> None:
    if os.geteuid():
        raise UpdateError("only root may", reason="not_root", hint="sudo")


def _installed(source: Path, slots: Slots, job: str) -> int:
    _as_root()
    if not HOME.joinpath("slots").is_dir():
        raise UpdateError(f"{HOME} has no slots", reason="no_slots", hint="for a box with the package")
    try:
        keys = release_keys()
    except UpdateError as fault:
        refuse(slots, "", job, fault)
        raise
    manifest: Manifest = install(source, slots, keys, box.here(), box.machine(), job)
    print(f"{manifest.version} is on trial; edgebox update says how it stands")
    return 0


def _check(config: Path) -> int:
    try:
        words, line_s = check(config, Path(sys.argv[0]).with_name("edgebox-line"))
    except EdgeboxError as fault:
        box.say({"fault": f"{fault.reason}: {fault}"[:400]})
        raise
    except Exception as fault:  # a bug of the new version must have a name, too
        box.say({"fault": f"{type(fault).__name__}: {fault}"[:400]})
        raise
    box.say({"words": words, "line_s": line_s})
    print(words)
    return 0
