"""What the cashier hears and sees of an answer besides its slip: the printer's buzzer, lamps on the box.

Owns: the patterns and their timing. Never: the answer, or a slip's way to the printer. A sound is no news after
BUZZ_MS: then it would be taken for the next code's. What can't sound or shine is said once, and costs nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from drivers.base import parse_url
from drivers.led import Lamp
from edgebox.desk.answers import Beep
from edgebox.desk.desk import Desk
from edgebox.desk.paper import Printers
from edgebox.errors import ConfigError, DriverError
from edgebox.escpos import buzzer
from edgebox.line.frames import JobState
from edgebox.settings import Config
from edgebox.store.store import Store

BUZZ_MS = 2000  # a line waits a second for a quiet till
SOUNDS_MAX = 8  # that a line has said nothing to; more are left out and counted: it hangs


class Pattern(NamedTuple):
    """How an answer sounds, and for how long its lamps are on and off in turn, in seconds."""

    beeps: int
    is_long: bool
    lit_s: tuple[float, ...]


PATTERNS: Mapping[Beep, Pattern] = {  # docs/desk.md
    Beep.GOOD: Pattern(1, False, (1.0,)),
    Beep.BAD: Pattern(2, True, (0.8, 0.2, 0.8)),
    Beep.AGAIN: Pattern(3, False, (0.15, 0.15, 0.15, 0.15, 0.15)),
}


class Host(Printers, Protocol):
    """The engine."""

    config: Config
    desk: Desk

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Counted, and logged once for each cause."""


class Feedback:
    """A part of the engine. `[desk] buzzer` and `leds` say what there is."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lamps: list[Lamp] = []
        self._shining: asyncio.Task[None] | None = None
        self.unheard = 0  # sounds that were left out
        self._sounds: dict[str, list[asyncio.Queue[JobState]]] = {}  # by line

    async def open(self, store: Store) -> None:
        """All lamps off: whatever the last run left on. DriverError: a lamp's URL is wrong."""
        self._lamps = [Lamp(parse_url(url)) for url in self._host.config.desk.leds]
        self._light(self._lamps, on=False)

    async def look(self) -> None:
        """Nothing grows old here."""

    async def stop(self) -> None:
        """All lamps off."""
        await self._dark()

    def said(self, beep: Beep, line: str) -> None:
        """An answer was given. `line`: whose printer gives its slip, "" the desk's."""
        pattern = PATTERNS[beep]
        if self._host.config.desk.buzzer:
            self._buzz(pattern, line or self._host.desk.line)
        lamps = [one for one in self._lamps if beep.value in one.purposes]
        before, self._shining = self._shining, None
        if before is not None:
            before.cancel()
        if lamps or before is not None:
            self._shining = asyncio.get_running_loop().create_task(self._shine(lamps, pattern.lit_s))

    def _buzz(self, pattern: Pattern, line: str) -> None:
        session = self._host.lines.get(line)
        if session is None or session.hello is None:
            return
        try:
            command = bytes.fromhex(self._host.profile(session.hello.profile).buzzer)
        except ConfigError as fault:
            self._host.fault(line, f"no sound: {fault}")
            return
        body = buzzer.sound(command, pattern.beeps, is_long=pattern.is_long)
        waiting = [states for states in self._sounds.get(line, []) if states.empty()]
        if body and len(waiting) < SOUNDS_MAX:
            waiting.append(self._host.print_job(line, body, cut=False, expires_ms=BUZZ_MS))
        elif body:
            self.unheard += 1
        self._sounds[line] = waiting

    async def _shine(self, lamps: list[Lamp], lit_s: tuple[float, ...]) -> None:
        self._light(self._lamps, on=False)
        for turn, for_s in enumerate(lit_s):
            self._light(lamps, on=turn % 2 == 0)
            await asyncio.sleep(for_s)
        self._light(lamps, on=False)

    async def _dark(self) -> None:
        if self._shining is not None:
            self._shining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._shining
        self._light(self._lamps, on=False)

    def _light(self, lamps: list[Lamp], *, on: bool) -> None:
        for one in lamps:
            try:
                one.light(on=on)
            except DriverError as fault:
                self._host.fault("led", str(fault))
