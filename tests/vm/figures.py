"""What the kernel tier measured: kept in artefacts/vm-figures.json as it comes, printed at the end."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

FILE = Path(__file__).parents[2] / "artefacts" / "vm-figures.json"


def note(name: str, value: float | str, unit: str = "") -> None:
    """One figure; a later one of the same name takes its place. Two tests may come at once."""
    text = f"{value:g}" if isinstance(value, float | int) else value
    FILE.parent.mkdir(exist_ok=True)
    with FILE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = {**all_of_them(), name: f"{text} {unit}".strip()}
        FILE.write_text(json.dumps(held, indent=1, ensure_ascii=False), "utf-8")


def all_of_them() -> dict[str, str]:
    """Name → figure with its unit."""
    return dict(json.loads(FILE.read_text("utf-8"))) if FILE.exists() else {}
