"""The counter of the demo's shop: a scanner on a cable, the till that its codes go to, and what the desk says to one.

Owns: one scan, from the trigger to its end. Never: judges: what the box recorded, and what the till got, is told.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from edgebox.store.events import Stream
from edgebox.store.peek import bodies
from hw_sim.cables import Cable
from hw_sim.scanner import SerialScanner

SCAN_S = 10.0  # the cloud has 2 s, the paper another


class ScanSeen(NamedTuple):
    """What became of a code. `redemption`: as recorded, {} none; `passed`: the till has it; `paper`: its slip's."""

    redemption: dict[str, Any]
    passed: bool
    ms: float
    paper: Path | None = None


class DemoCounter:
    """`data`: the box's folder; `slip`: waits for the next slip of the desk, and says where it is drawn."""

    def __init__(self, data: Path, slip: Callable[[], Path | None]) -> None:
        self.scanner, self.till = Cable(), Cable()
        self._data = data
        self._slip = slip
        self._source = SerialScanner(self.scanner.master)

    def scan(self, code: str) -> ScanSeen:
        """The cashier scans it; waits for its end, SCAN_S at most."""
        known, heard = len(self._redemptions()), len(self.till.listen())
        began = time.monotonic()
        self._source.scan(code.encode())
        while time.monotonic() - began < SCAN_S:
            passed = self.till.listen()[heard:] == code.encode() + b"\r"
            found = [] if passed else self._redemptions()[known:]
            if passed or found:
                ms = (time.monotonic() - began) * 1000
                return ScanSeen(found[0], False, ms, self._slip()) if found else ScanSeen({}, True, ms)
            time.sleep(0.001)
        return ScanSeen({}, False, SCAN_S * 1000)

    def close(self) -> None:
        """Pulls the cables out."""
        self.scanner.__exit__()
        self.till.__exit__()

    def _redemptions(self) -> list[dict[str, Any]]:
        found = [json.loads(body) for body in bodies(self._data, Stream.REDEMPTIONS)]
        return [one for one in found if one["type"] == "redemption"]
