"""The doctor's rounds: all checks, one after the other, and one that fails itself is a finding too.

Owns: the list of checks and the order in which findings are told. Never: what they look at.
"""

from __future__ import annotations

import functools
import pwd
import subprocess
from collections.abc import Iterator, Sequence
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
        return [_unreadable(path, fault)]
    nobody = list(_nobody(user))
    folder = path.resolve().parent
    engine = folder / config.engine.socket
    who = functools.cache(lambda line: told_by_line(engine, line))
    machine = Machine(config, folder, run=told, user=user, who=who, ask=told_by_printer, cable=cables.seen)
    return [*nobody, *rounds(machine)]


def _unreadable(path: Path, fault: ConfigError) -> Finding:
    """The file is not there, may not be read, or has faults."""
    mend = f"edgebox config check --config {path}"
    if fault.reason == "no_config":
        mend = "sudo edgebox setup" if not path.exists() else "the same with sudo"
    why = "nothing starts with it, at the next start at the latest" if fault.reason != "no_config" else ""
    return Finding(Grade.FAILED, "configuration", str(fault.args[0]), why, mend, key="configuration")


def _nobody(user: str) -> Iterator[Finding]:
    """Rights are looked at as somebody's who isn't there: it would be said of ourselves."""
    try:
        pwd.getpwnam(user or "root")
    except KeyError:
        yield Finding(
            Grade.FAILED, "user", f"there is no user {user}", "the services run as that user, and rights are its own",
            "install the .deb, or sudo make install; or leave --user out", key="user_missing", value=user,
        )  # fmt: skip


def told(command: list[str]) -> str | None:
    """A command's output; None if there is no such command, or it doesn't answer."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None
