"""What was seen in a soak: one frozen type for each thing, a line of JSON each.

Owns: the types, and reading and writing them. Never: judges. `at_s` is CLOCK_MONOTONIC, which all processes of one
machine share; sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec


class _Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="saw"):
    """`at_s`: when."""

    at_s: float


class Setting(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="setting"):
    """The run itself: the first thing seen. `boot_offset_s`: what CLOCK_BOOTTIME is ahead; `cores`: of
    the machine; `history`: receipts that the box had recorded before."""

    minutes: float
    seed: int
    boot_offset_s: float
    machine: str
    cores: int = 2
    history: int = 0


class Paper(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="paper"):
    """One document that a till has printed, and what came out.

    `at_s`: its cut was at the printer (or it was given up); `began_s`: the till's first byte of its first try. `sure`:
    came out byte for byte, slips aside. `hold_ms`: the till's cut written → at the printer. `claims`, `coupon`: codes
    in the slip. `torn`: ink of an earlier try stood above it.
    """

    began_s: float
    line: str
    number: str
    kind: str
    wants_slip: bool
    sure: bool
    total_minor: int | None = None
    tries: int = 1
    hold_ms: float = 0.0
    claims: tuple[str, ...] = ()
    coupon: str = ""
    slip_bytes: int = 0
    torn: bool = False


class Slip(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="slip"):
    """A paper that no till has sent: the desk's."""

    line: str
    text: str


class Trouble(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="trouble"):
    """Something was done to the shop. `until_s`: its end; `spares`: documents on their way may be torn by it."""

    what: str
    where: str = ""
    until_s: float = 0.0
    destroys: bool = False


class Sample(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="sample"):
    """One process at one moment. `written`: to the block layer since its start."""

    name: str
    pid: int
    rss: int
    pss: int
    handles: int
    threads: int
    written: int


class Depth(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="depth"):
    """What waits. `unsent`: rows without the cloud's ack; `unrecorded`: on paper and not in the store. `load`: of
    the machine, which others may use, too."""

    database: int
    log: int
    unsent: int
    unrecorded: int
    load: float = 0.0


class Scanned(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="scanned"):
    """A code was held before the scanner."""

    what: str


class Page(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="page"):
    """What an open page has had so far: events, answers, answers slower than a second, connections lost."""

    events: int
    answers: int
    slow: int
    lost: int
    faults: tuple[str, ...] = ()


class Air(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="air"):
    """Advertisements sent so far, and walkers that have come and gone."""

    adverts: int
    walkers: int


class Books(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="books"):
    """One stream at the end: here, of them not in the cloud, there and not here; gaps that the box calls lost."""

    stream: str
    recorded: int
    missing: int
    foreign: int
    given_up: int


class Recorded(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="recorded"):
    """One receipt in the box's own books. `at_s`: when its row was written."""

    line: str
    number: str
    kind: str
    claim: str
    amount_minor: int | None
    result: str
    hold_us: int


class Ending(_Seen, frozen=True, kw_only=True, omit_defaults=True, tag="ending"):
    """The rest, at the end. `till_codes_wrong`: the till's codes are not what was scanned for it."""

    drained_s: float
    redeemed: tuple[int, ...]
    till_codes: int
    till_codes_wrong: str
    repeats: int
    alarms: tuple[str, ...]
    engine_faults: tuple[str, ...]
    visits: int


Seen: TypeAlias = Setting | Paper | Slip | Trouble | Sample | Depth | Scanned | Page | Air | Books | Recorded | Ending
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Seen).decode


def to_line(seen: Seen) -> bytes:
    """JSON and a line end."""
    return _encode(seen) + b"\n"


def from_lines(lines: Iterable[bytes]) -> Iterator[Seen]:
    """The other way. msgspec.DecodeError: none of ours."""
    return (_decode(line) for line in lines if line.strip())


def read(path: Path) -> list[Seen]:
    """A whole soak."""
    with path.open("rb") as lines:
        return list(from_lines(lines))
