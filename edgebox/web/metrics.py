"""What a monitoring system may know of the box: Prometheus' text format.

Owns: which numbers there are, their names and help. Never: a customer's or cashier's anything: counts and states alone.
[https://prometheus.io/docs/instrumenting/exposition_formats/]
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edgebox.web.office import Office

Labels = tuple[tuple[str, str], ...]
_STARTED = time.monotonic()
_KB = 1024  # getrusage(2) counts in these


class Family(NamedTuple):
    """One metric: its samples by labels."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[Labels, float], ...]


async def exposition(office: Office) -> str:
    """All families as text. StoreError."""
    backlog = await office.store.backlog()
    host, store = office.host, office.store
    connected = [(line.name, line.name in host.lines) for line in office.config.line]
    states = [(part, _STATE.get(state, 2.0)) for part, state in host.health.states().items()]
    rows = [(stream.value, found.rows) for stream, found in backlog.items()]
    families = (
        _one("edgebox_up_seconds", "Since the engine started.", time.monotonic() - _STARTED),
        _one("edgebox_memory_bytes", "Most that the engine has had at once.", _memory()),
        _many("edgebox_events_total", "What the engine counts: documents by kind and result, faults.", "event",
              host.counters.items()),
        _many("edgebox_line_connected", "1: the line's process is there.", "line", connected),
        _many("edgebox_part_state", "0 ok, 1 warning, 2 failed.", "part", states),
        _many("edgebox_sync_backlog_rows", "Rows that the cloud has not acknowledged.", "stream", rows),
        _one("edgebox_store_bytes", "Size of the database.", store.path.stat().st_size),
        _many("edgebox_store_unrecorded_total", "Events that could not be recorded, each attempt.", "stream",
              store.unrecorded().items()),
        _many("edgebox_page_events_total", "What the page counts: requests, refusals.", "event",
              office.counters.items()),
        _one("edgebox_page_listeners", "Open pages that are told what is new.", len(office.hub)),
    )  # fmt: skip
    return "".join(_text(family) for family in families)


_STATE = {"ok": 0.0, "warning": 1.0, "failed": 2.0}


def _one(name: str, words: str, value: float) -> Family:
    return Family(name, "gauge", words, (((), value),))


def _many(name: str, words: str, label: str, found: Iterable[tuple[str, float]]) -> Family:
    """A name that ends in `_total` only ever counts up."""
    kind = "counter" if name.endswith("_total") else "gauge"
    return Family(name, kind, words, tuple((((label, what),), value) for what, value in sorted(found)))


def _memory() -> float:
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KB)


def _text(family: Family) -> str:
    head = f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"
    return head + "".join(_samples(family))


def _samples(family: Family) -> Iterator[str]:
    for labels, value in family.samples:
        said = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
        yield f"{family.name}{'{' + said + '}' if said else ''} {value:.15g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
