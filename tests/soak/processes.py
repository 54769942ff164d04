"""What a process uses, at one moment, read from /proc.

Owns: the sample. Never: starts or ends a process. `written` is write_bytes of /proc/PID/io: what the process has given
to the block layer, SQLite's log and checkpoints included; what is written twice counts twice (proc(5)).
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench.machine import rss_bytes
from tests.soak.seen import Sample


def sample(name: str, pid: int, at_s: float) -> Sample:
    """FileNotFoundError or ProcessLookupError: it has ended."""
    proc = Path(f"/proc/{pid}")
    rss, pss = rss_bytes(pid)
    written = 0
    for line in (proc / "io").read_text(encoding="ascii").splitlines():
        key, _, value = line.partition(": ")
        if key == "write_bytes":
            written = int(value)
    return Sample(
        at_s=at_s, name=name, pid=pid, rss=rss, pss=pss, handles=len(os.listdir(proc / "fd")),
        threads=len(os.listdir(proc / "task")), written=written,
    )  # fmt: skip
