"""What the machine is, and what a process on it uses, read from /proc.

Owns: the parsing of those files. Never: starts or ends a process.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

_YARDSTICK_LOOPS = 300_000
KIB = 1024


def describe() -> list[str]:
    """Lines that say when and on what these figures were measured."""
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, {cpu_model()}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}, commit {_commit()}",
        f"load {os.getloadavg()[0]:.2f} before the run; {_YARDSTICK_LOOPS:,} turns of an empty Python loop "
        f"{yardstick_ms():.1f} ms",
    ]


def cpu_model() -> str:
    """The processor's name; the architecture where /proc doesn't say (arm64)."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def yardstick_ms() -> float:
    """The fastest of nine turns of a fixed piece of Python: how fast this machine is just now."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        for _ in range(_YARDSTICK_LOOPS):
            pass
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def _commit() -> str:
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def family(pid: int) -> list[int]:
    """The process and its children, and theirs."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += family(int(child))
    return found


def cpu_ns(pid: int) -> int:
    """CPU time of the process and its children since their start; schedstat counts ns, stat only ticks of 10 ms."""
    return sum(
        int((task / "schedstat").read_text(encoding="ascii").split()[0])
        for each in family(pid)
        for task in Path(f"/proc/{each}/task").iterdir()
    )


def rss_bytes(pid: int) -> tuple[int, int]:
    """Resident and proportional size: what stands in memory; the same with shared pages divided by their users."""
    sizes = {"Rss:": 0, "Pss:": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, size, *_ = line.split()
        if name in sizes:
            sizes[name] += int(size) * KIB
    return sizes["Rss:"], sizes["Pss:"]
