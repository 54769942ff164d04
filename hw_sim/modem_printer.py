"""The simulated printer behind a serial port with modem lines: BUSY on DSR and CTS, as a TM-T88III wires it.

Owns: `ModemPrinter`. Never: the modem lines themselves (ttysim.py). Nothing holds
the sender back but BUSY: one that does not look loses bytes, and the report says how many.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from hw_sim.printer import Printer
from hw_sim.served import Served, Wire
from hw_sim.ttysim import Line, ModemTty

_READY = Line.CTS | Line.DSR | Line.DCD


class _ModemWire:
    def __init__(self, port: ModemTty) -> None:
        self._port = port

    def fileno(self) -> int:
        return self._port.master

    def read(self, size: int) -> bytes:
        data = self._port.take(size)
        if not data:
            raise BlockingIOError
        return data

    def write(self, data: bytes) -> int:
        return os.write(self._port.master, data)

    def close(self) -> None:
        self._port.close()


class ModemPrinter(Served):
    """`port.path` is what the program opens, started with `port.environment()`; `bytes_per_s`: a tenth of the bauds."""

    pushes_back = False

    def __init__(
        self,
        printer: Printer,
        folder: Path,
        *,
        bytes_per_s: float = 3840.0,  # 38400 baud, a TM-T88III's fastest
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(printer, bytes_per_s=bytes_per_s, clock=clock)
        self.port = ModemTty(folder)
        self._modem = _ModemWire(self.port)
        self.busy_times = 0

    def _wire(self) -> Wire | None:
        return self._modem

    def _flow_control(self) -> bytes:
        ready = not self._printer.busy
        if ready != (Line.DSR in self.port.shown):
            self.port.show(_READY if ready else Line.DCD)
            self.busy_times += not ready
        return b""

    def _close(self) -> None:
        self._modem.close()
