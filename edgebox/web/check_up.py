"""The doctor's visit, as pages show it: everything looked at once, in a thread, with a limit.

Owns: that two people who look make one visit of it, how long a page waits, and a finding's sentences. Never: looks at
anything itself (edgebox/appliance/doctor), and never holds a receipt up: nothing of it runs on the engine's loop.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgebox.appliance.asked import ENGINE_S, words_of
from edgebox.appliance.doctor import cables
from edgebox.appliance.doctor.finding import Finding, Machine
from edgebox.appliance.doctor.rounds import rounds, told
from edgebox.lines import who_is
from edgebox.web.office import Office
from edgebox.web.refusals import refused
from edgebox.web.visit import Visit
from edgebox.web.words import slug

WAIT_S = (
    20.0  # of a page: a broker behind a dead router takes 5 s (world.py), a printer 2 s (wires.py), systemd the rest
)
FRESH_S = 10.0  # a second look within so much shows the same findings
_SLOT = "doctor"


class Said(NamedTuple):
    """A finding in the visitor's language. `part`: what it is about; `mend`: a command, or a handgrip."""

    grade: str
    part: str
    what: str
    why: str
    mend: str


class CheckUp:
    """Of one office."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._task: asyncio.Task[list[Finding]] | None = None
        self._at = 0.0

    async def findings(self) -> list[Finding]:
        """The gravest first. PageError `busy`: it is still looking; the next one who asks gets it."""
        if self._task is None or (self._task.done() and time.monotonic() - self._at > FRESH_S):
            self._task = asyncio.create_task(self._look())
        try:
            return await asyncio.wait_for(asyncio.shield(self._task), WAIT_S)
        except TimeoutError as fault:
            raise refused("busy", "the doctor is still looking") from fault

    async def _look(self) -> list[Finding]:
        loop, lines = asyncio.get_running_loop(), self._office.host.lines

        @functools.cache
        def who(line: str) -> dict[str, str] | None:
            """Asked from the doctor's thread."""
            return words_of(asyncio.run_coroutine_threadsafe(who_is(lines, line), loop).result(ENGINE_S)) or None

        machine = Machine(
            self._office.config, Path.cwd(), run=told, held=_held(self._office), who=who, cable=cables.seen
        )
        try:
            return await asyncio.to_thread(rounds, machine)
        finally:
            self._at = time.monotonic()


def check_up(office: Office) -> CheckUp:
    """The office's own."""
    found: CheckUp = office.extras.setdefault(_SLOT, CheckUp(office))
    return found


def said(visit: Visit, found: Sequence[Finding]) -> list[Said]:
    """In the visitor's language; what the catalogue doesn't know, in the doctor's own words."""
    return [_said(visit, one) for one in found]


def _said(visit: Visit, one: Finding) -> Said:
    group = one.key.partition("_")[0]
    return Said(
        one.grade.value,
        _part(visit, one.part),
        _sentence(visit, (f"doctor.{one.key}",), one.what, one.value),
        _sentence(visit, (f"doctor_why.{one.key}", f"doctor_why.{group}"), one.why) if one.why else "",
        _sentence(visit, (f"doctor_mend.{one.key}",), one.mend) if one.mend else "",
    )


def _sentence(visit: Visit, keys: tuple[str, ...], own: str, value: str = "") -> str:
    key = next((key for key in keys if visit.office.catalogue.has(key)), "")
    return visit.t(key, value=value) if key else own


def _part(visit: Visit, part: str) -> str:
    """`line till-1, printer` is the printer's end of the line till-1."""
    named, _, end = part.partition(", ")
    kind, _, name = named.partition(" ")
    if kind in ("line", "scanner") and name:
        key = f"doctor_part.{kind}_{end}" if end else f"doctor_part.{kind}"
    else:
        key = f"doctor_part.{slug(part)}"
    return visit.t(key, name=name) if visit.office.catalogue.has(key) else part


def _held(office: Office) -> frozenset[str]:
    """What a line or the uplink is connected to: a printer serves one at a time."""
    lines = office.host.lines
    held = {
        row.printer
        for row in office.config.line
        if (session := lines.get(row.name)) is not None and session.status is not None and session.status.connected
    }
    link = office.host.orders.link if office.host.orders is not None else None
    if link is not None and link.is_connected:
        held.add(office.config.sync.url)
    return frozenset(held)
