"""A program of its own that runs the drivers, asked line by line: pyserial then sees a tty as it would on a box.

Owns: starting it, asking, stopping it. Never: the lines; those are hw_sim.ttysim's.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, sys, time
from drivers.registry import printer_end, till_end
from edgebox.errors import DriverError
def send(port, data):
    "All of it, as the line does: asked every ms while it would block."
    while data:
        taken = port.write(data)
        data = data[taken:]
        if not taken: time.sleep(0.001)
for line in sys.stdin:
    try: answer = eval(line)
    except SyntaxError: answer = exec(line)
    except DriverError as fault: answer = ('DriverError', str(fault.reason))
    except OSError as fault: answer = (type(fault).__name__, fault.args[0])
    if not isinstance(answer, (bytes, str, int, float, tuple, list, type(None))): answer = type(answer).__name__
    print(repr(answer), flush=True)
"""


class Program:
    """Use in a `with`: it is killed at the end."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=ROOT
        )

    def tell(self, line: str) -> None:
        """Start `line`; `answer` waits for it."""
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> object:
        """What the line told last came to."""
        assert self.process.stdout
        return ast.literal_eval(self.process.stdout.readline().decode())

    def ask(self, line: str) -> object:
        """The value of an expression; a statement is done, and None. An OSError or DriverError: its name and reason."""
        self.tell(line)
        return self.answer()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()
