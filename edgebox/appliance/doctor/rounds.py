"""The doctor's rounds: all checks, one after the other, and one that fails itself is a finding too.

Owns: the list of checks and the order in which findings are told. Never: what they look at.
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgebox.appliance.asked import told_by_line, told_by_printer
from edgebox.appliance.doctor import box, cables, profiles, relay, wires, world
from edgebox.appliance.doctor.finding import GRAVENESS, Check, Finding, Grade, Machine
from edgebox.config import load
from edgebox.errors import ConfigError

COMMAND_S = 5.0
CHECKS: tuple[Check, ...] = (
    wires.wires,
    wires.own_port,
    cables.cables,
    relay.relays,
    profiles.profiles,
    box.services,
    box.engine,
    box.clock,
    box.disk,
    box.strain,
    world.keys,
    world.cloud,
    world.bluetooth,
)


def rounds(machine: Machine, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Everything that was found, the gravest first."""
    found: list[Finding] = []
    for check in checks:
        try:
            found += check(machine)
        except (
            Exception
        ) as fault:  # a bug of ours, or a machine nobody thought of: the other checks are made all the same
            what = f"could not be looked at: {type(fault).__name__}: {fault}"
            found.append(
                Finding(
                    Grade.UNKNOWN,
                    check.__name__,
                    what,
                    "",
                    "report this, with `edgebox doctor --json`",
                    key="check_failed",
                    value=type(fault).__name__,
                )
            )
    return sorted(found, key=lambda finding: GRAVENESS.index(finding.grade))


def examined(path: Path, user: str = "") -> list[Finding]:
    """This machine, by its configuration. A configuration that can't be read is all that is found."""
    try:
        config = load(path, [])
    except ConfigError as fault:
        why = "nothing starts with it, at the next start at the latest"
        return [
            Finding(
                Grade.FAILED,
                "configuration",
                str(fault.args[0]),
                why,
                f"edgebox config check {path}",
                key="configuration",
            )
        ]
    folder = path.resolve().parent
    engine = folder / config.engine.socket
    who = functools.cache(lambda line: told_by_line(engine, line))
    machine = Machine(config, folder, run=told, user=user, who=who, ask=told_by_printer, cable=cables.seen)
    return rounds(machine)


def told(command: list[str]) -> str | None:
    """A command's output; None if there is no such command, or it doesn't answer."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None
