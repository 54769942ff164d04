"""A shop whose systemd, engine and clock are the test's: services begin anew as told, in the slot that is current."""

from __future__ import annotations

from collections.abc import Callable

from edgebox.appliance.keeper.gate import ENGINE, Pulse, Unit
from edgebox.appliance.keeper.slots import Slots
from edgebox.appliance.keeper.watch import LOOK_S, World

LINE, SCAN = "edgebox-line@line1.service", "edgebox-scan@counter.service"
START_S = {ENGINE: 2.0, LINE: 0.15, SCAN: 0.15}  # as on a box
DOCUMENT_S = 3.0  # until the till is between two


class Process:
    """One service's. `slot`: whose code it runs."""

    def __init__(self, pid: int, slot: str, now: float, ready_at: float) -> None:
        self.pid = pid
        self.slot = slot
        self.begun = now
        self.ready_at = ready_at


class Shop(World):
    """Everything well until a test says otherwise. `bad`: service → what ails it in slot b: falls, hangs, mute."""

    def __init__(self, slots: Slots, bad: dict[str, str] | None = None) -> None:
        self.slots = slots
        self.bad = bad or {}
        self.clock = 1000.0
        self.pid = 100
        self.falls = dict.fromkeys(START_S, 0)
        self.told: list[tuple[str, str]] = []
        self.ends_at: dict[str, float] = {}
        self.dark_s = 0.0  # how long nobody could print, at the longest
        self._dark_since: float | None = None
        self.cloud = True
        self.is_mute = False  # systemd
        self.at_each_look: Callable[[], None] = lambda: None
        self.processes = {name: self._begun(name, at=1.0) for name in START_S}

    # -- what the keeper asks

    def services(self) -> tuple[Unit, ...] | None:
        self.at_each_look()
        if self.is_mute:
            return None
        self._go_on()
        found = []
        for name, process in self.processes.items():
            ready = process.ready_at <= self.clock
            found.append(Unit(name, process.pid, ready, int(process.begun * 1e6), self.falls[name]))
        return tuple(found)

    def pulse(self) -> Pulse | None:
        engine = self.processes[ENGINE]
        if engine.ready_at > self.clock or self._ails(ENGINE) == "mute":
            return None
        version = self.slots.version(engine.slot)
        line = self.processes[LINE]
        lines = ("line1",) if line.ready_at <= self.clock else ()
        return Pulse(engine.pid, version, self.clock, True, self.cloud, lines)

    def begin_anew(self, unit: str) -> bool:
        self.told.append(("anew", unit))
        self.ends_at[unit] = self.clock + DOCUMENT_S
        return True

    def restart(self, unit: str) -> bool:
        self.told.append(("restart", unit))
        self.falls[unit] = 0
        self.processes[unit] = self._begun(unit)
        return True

    def kill(self, unit: str) -> bool:
        self.told.append(("kill", unit))
        self.falls[unit] += 1
        self.processes[unit] = self._begun(unit)
        return True

    def now(self) -> float:
        return self.clock

    def rest(self) -> None:
        self.clock += LOOK_S

    # -- inside

    def _ails(self, name: str) -> str:
        return self.bad.get(name, "") if self.processes[name].slot == "b" else ""

    def _begun(self, name: str, at: float | None = None) -> Process:
        self.pid += 1
        self.clock += 0.001
        now = self.clock if at is None else at
        slot = self.slots.current
        hangs = slot == "b" and self.bad.get(name) in ("hangs", "falls")
        return Process(self.pid, slot, now, now + (1e9 if hangs else START_S[name]))

    def _go_on(self) -> None:
        for name, at in list(self.ends_at.items()):
            if at <= self.clock:
                del self.ends_at[name]
                self.falls[name] += 1  # systemd counts each start that it was not asked for
                self.processes[name] = self._begun(name)
        for name in self.processes:
            if self._ails(name) == "falls":
                self.falls[name] += 1
                self.processes[name] = self._begun(name)
        self._count_dark()

    def _count_dark(self) -> None:
        if self.processes[LINE].ready_at <= self.clock:
            self._dark_since = None
            return
        self._dark_since = self._dark_since if self._dark_since is not None else self.clock - LOOK_S
        self.dark_s = max(self.dark_s, self.clock - self._dark_since)
