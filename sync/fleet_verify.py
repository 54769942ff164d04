"""Is anything missing between boxes and cloud? What a box says, held against what the cloud says it has.

Owns: the comparison. Pure. Never: repairs; it names the command that would.

A box says how far it believes the cloud to be (`State.acknowledged`) and what waits. The cloud says it in its acks, and
in an export of its ledger, one JSON object a line: box, epoch, stream, through, and missing where there are gaps. The
dedupe key is (box, epoch, stream, seq), so a stream is whole when `through` has reached its end and nothing is missing.

A busy shop records and is acknowledged all the time. So each word has its time, and a box's is held against the cloud's
only where the later one could have known of the earlier; else every busy box would look like two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from edgebox.errors import SyncError
from sync.contract import Ack, State
from sync.fleet_book import Known, backlog, refusals
from sync.fleet_topics import Place

OLD_S = 3600  # a row that waits so long waits for a reason
LINE_BYTES = 1 << 16  # of the ledger's export


class Finding(NamedTuple):
    """Something that isn't as it should be. `do`: what mends it, "": a person must look."""

    place: Place
    words: str
    do: str = ""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far the cloud has one stream: a line of its export. True `since` and `until` (seconds since 1970)."""

    box: str
    epoch: str
    stream: str
    through: int
    store: str = ""
    missing: tuple[tuple[int, int], ...] = ()
    since: float = 0.0
    until: float = math.inf


Marks = Mapping[tuple[str, str], Mark]
"""(epoch, stream) → mark, of one box."""
_marks = msgspec.json.Decoder(Mark)


def mark_of(box: str, ack: Ack, now: float) -> Mark:
    """An ack as a mark. Who listens on hears the next one, too: until then it holds."""
    return Mark(box=box, epoch=ack.epoch, stream=ack.stream, through=ack.through, missing=ack.missing, since=now)


def ledger(lines: Iterable[bytes], source: str, written: float | None = None) -> dict[str, dict[tuple[str, str], Mark]]:
    """An export by box, true when it was `written`. SyncError `ledger` names the line."""
    found: dict[str, dict[tuple[str, str], Mark]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            if len(line) > LINE_BYTES:
                raise msgspec.ValidationError("too long")
            mark = _marks.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
            raise SyncError(f"{source}:{number}: {fault}", reason="ledger") from fault
        if written is not None:
            mark = msgspec.structs.replace(mark, since=written, until=written)
        found.setdefault(mark.box, {})[mark.epoch, mark.stream] = mark
    return found


def compared(state: State, marks: Marks) -> int:
    """How many streams of the box could be held against the cloud's word."""
    return sum(epoch == state.epoch for epoch, _ in marks)


def findings(known: Known, marks: Marks, now: float) -> list[Finding]:
    """What is wrong with one box."""
    place, state = known.place, known.state
    found = [_gap(place, mark) for mark in marks.values() if mark.missing]
    if state is None:
        return [Finding(place, "the cloud knows it, and it was never heard"), *found] if marks else found
    for stream, believed in sorted(state.acknowledged.items()):
        mark = marks.get((state.epoch, stream))
        if mark is not None and believed > mark.through and known.heard <= mark.until:
            found.append(_believes_too_much(place, mark, believed))
    for (epoch, stream), mark in sorted(marks.items()):
        waiting = state.backlog.get(stream)
        end = state.acknowledged.get(stream, 0) + (waiting.rows if waiting else 0)
        # Without a word of what was acknowledged (a box that has just started), the end isn't known.
        # And what it has recorded since its last word, it could not say.
        is_later = mark.since > known.heard or (not state.trusted and mark.until < math.inf)
        if epoch == state.epoch and stream in state.acknowledged and mark.through > end and not is_later:
            words = (
                f"the cloud has {stream} through {mark.through:,}, the box only made {end:,}: two boxes of one name?"
            )
            found.append(Finding(place, words))
    rows, oldest_s = backlog(state, now)
    if oldest_s > OLD_S:
        found.append(Finding(place, f"{rows:,} rows wait, the oldest for {oldest_s // 3600} h"))
    return found + [Finding(place, words) for words in refusals(state)]


def _gap(place: Place, mark: Mark) -> Finding:
    ranges = ", ".join(f"{first:,} to {last:,}" for first, last in mark.missing[:5])
    more = f" and {len(mark.missing) - 5} more gaps" if len(mark.missing) > 5 else ""
    first, last = mark.missing[0]
    do = _resend(mark, first, last)
    return Finding(place, f"{mark.stream} {mark.epoch}: the cloud misses {ranges}{more}", do)


def _believes_too_much(place: Place, mark: Mark, believed: int) -> Finding:
    words = (
        f"{mark.stream} {mark.epoch}: the box believes that the cloud has it through {believed:,}, "
        f"it has {mark.through:,}: a forged ack, or a cloud that forgot"
    )
    return Finding(place, words, _resend(mark, mark.through + 1, believed))


def _resend(mark: Mark, first: int, last: int) -> str:
    return f"send resend stream={mark.stream} epoch={mark.epoch} first={first} last={last}"
