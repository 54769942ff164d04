"""What an operator sees: boxes, one box, outcomes and rollouts as tables for 80 columns and more.

Owns: columns, words and colours. Never: asks anybody anything. A colour says nothing that words don't say too; on paper
and in pipes there is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sync.fleet_book import Known, backlog, refusals, troubles
from sync.fleet_rollout import name_of
from sync.fleet_send import Outcome, Sending, told
from sync.rollout import At, Phase, Rollout

GOOD, BAD, DIM = "green", "red", "dim"
NAME_COLUMNS = 36  # of 80; longer names are folded
ROWS_AT_MOST = 20  # of those who did as they were told; the others are all shown
_KINDS_SHORT = {"config": "cfg", "profiles": "prof", "lexicon": "lex", "members": "mem", "beacons": "bcn"}


def span(seconds: int) -> str:
    """`12s`, `5m`, `3h`, `2d`: one unit, rounded down."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"


def boxes_table(boxes: Sequence[Known], now: float) -> Table:
    """One box a row; what troubles it stands in `trouble_lines`."""
    table = _table("BOX", "SEEN", "VERSION", ">WAIT", ">OLDEST", "BUNDLES")
    table.columns[0].min_width = min(NAME_COLUMNS, max((len(name_of(one.place)) for one in boxes), default=0))
    for one in boxes:
        state = one.state
        rows, oldest = backlog(state, now) if state else (0, 0)
        table.add_row(
            name_of(one.place),
            _seen(one, now),
            state.version if state else "",
            f"{rows:,}" if rows else "",
            span(oldest) if oldest else "",
            _bundles(one),
        )
    return table


def trouble_lines(boxes: Iterable[Known]) -> list[Text]:
    """A line for each box that something troubles."""
    return [Text(f"{name_of(one.place)}  ").append(words, BAD) for one in boxes if (words := _trouble(one))]


def summary(boxes: Sequence[Known], now: float) -> str:
    """`498 boxes: 497 online, 1 offline; 2 with trouble; 1,204 rows wait`."""
    online = sum(one.is_online(now) for one in boxes)
    troubled = sum(bool(one.state and troubles(one.state)) for one in boxes)
    rows = sum(backlog(one.state, now)[0] for one in boxes if one.state)
    words = f"{_count(len(boxes), 'box', 'boxes')}: {online:,} online, {len(boxes) - online:,} offline"
    words += f"; {troubled:,} with trouble" if troubled else ""
    return words + (f"; {_count(rows, 'row waits', 'rows wait')}" if rows else "")


def box_table(one: Known, now: float) -> Table:
    """All that is known of one box."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=DIM, no_wrap=True)
    table.add_column(overflow="fold")
    state = one.state
    table.add_row("box", name_of(one.place))
    table.add_row("seen", _seen(one, now))
    if state is None:
        return table
    table.add_row("version", state.version)
    table.add_row("machine", f"up {span(state.up_s)}, boot {state.boot or '?'}")
    table.add_row("clock", "right" if state.trusted else "not to be trusted")
    table.add_row("epoch", state.epoch)
    for stream, waiting in sorted(state.backlog.items()):
        oldest = f", the oldest for {span(max(0, int(now) - waiting.oldest))}" if waiting.oldest else ""
        table.add_row(f"waits: {stream}", f"{waiting.rows:,} rows{oldest}")
    for stream, through in sorted(state.acknowledged.items()):
        table.add_row(f"the cloud has: {stream}", f"through {through:,}")
    for words in refusals(state):
        table.add_row("refused", Text(words, BAD))
    trouble = troubles(state)
    for part, words in sorted(state.health.items()):
        table.add_row(f"health: {part}", Text(words, BAD if part in trouble else ""))
    for line, words in sorted(state.lines.items()):
        table.add_row(f"line: {line}", words)
    for kind in one.kinds():
        table.add_row(f"bundle: {kind}", _bundle(one, kind))
    return table


def sending_table(sending: Sending) -> Table:
    """What came of a command: all who did not do it, and a few who did."""
    table = _table("BOX", "STATE", "WHAT IT SAYS")
    good = [(place, outcome) for place, outcome in sending.outcomes.items() if outcome.is_good]
    rest = [(place, outcome) for place, outcome in sending.outcomes.items() if not outcome.is_good]
    for place, outcome in [*rest, *(good if len(good) <= ROWS_AT_MOST else [])]:
        table.add_row(
            name_of(place), Text(told(outcome), GOOD if outcome.is_good else BAD), Text(_said(outcome), overflow="fold")
        )
    return table


def sending_words(sending: Sending) -> str:
    """`12 succeeded, 1 no answer`."""
    return ", ".join(f"{count:,} {words}" for words, count in sending.counts().most_common())


def rollout_table(rollout: Rollout) -> Table:
    """One wave a row, then the boxes that did not do it."""
    saved, plan = rollout.saved, rollout.plan
    table = _table("WAVE", ">BOXES", ">READY", ">RUNNING", ">FAILED", ">AWAY", "STATE")
    for number, wave in enumerate(plan.waves):
        at = [saved.boxes[name].at for name in wave]
        counts = [sum(one is wanted for one in at) for wanted in (At.READY, At.RUNNING, At.FAILED, At.AWAY)]
        cells = [str(count) if count else "" for count in counts]
        table.add_row(f"{number + 1} of {len(plan.waves)}", f"{len(wave):,}", *cells, _wave_words(rollout, number))
    return table


def rollout_words(rollout: Rollout) -> list[str]:
    """What there is to say besides the table."""
    saved = rollout.saved
    lines = []
    if saved.with_it.receipts:
        with_it, without = saved.with_it, saved.without
        lines.append(
            f"receipts with it {with_it.receipts:,}: unsure {with_it.abstained:,}, missed {with_it.missed:,}; "
            f"without {without.receipts:,}: unsure {without.abstained:,}, missed {without.missed:,}"
        )
    if saved.phase is Phase.STOPPED:
        lines += [f"stopped: {why}" for why in saved.why]
    away = rollout.those(At.AWAY)
    if away and rollout.is_over:
        lines.append(
            f"{_count(len(away), 'box was', 'boxes were')} away: {', '.join(away[:5])}{' …' if len(away) > 5 else ''}"
        )
    return lines


def show(console: Console, table: Table) -> None:
    """Prints it, unless it has no rows."""
    if table.row_count:
        console.print(table)


# -- inside


def _said(outcome: Outcome) -> str:
    """Why not, with the keys that can't be had; else the result, a line for each setting."""
    tables = {key: value for key, value in outcome.result.items() if isinstance(value, Mapping)}
    if outcome.words:
        return "\n".join([outcome.words, *_lines(tables.get("rejected", {}))])
    plain = [f"{key}={value}" for key, value in outcome.result.items() if key not in tables and value not in ("", None)]
    more = [line for key, table in tables.items() if table for line in (f"{key}:", *_lines(table))]
    return "\n".join([*([", ".join(plain)] if plain else []), *more])


def _lines(table: Mapping[str, Any]) -> list[str]:
    """Strings as they are, all else as JSON has it."""
    words = json.JSONEncoder(ensure_ascii=False, default=str).encode
    return [f"  {key}: {value if isinstance(value, str) else words(value)}" for key, value in sorted(table.items())]


def _table(*columns: str) -> Table:
    """`>` before a name: numbers, to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        right = column.startswith(">")
        wraps = column in ("WHAT IT SAYS", "BUNDLES", "BOX", "STATE")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", no_wrap=not wraps, overflow="fold")
    return table


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _seen(one: Known, now: float) -> Text:
    if one.is_online(now):
        return Text(f"{span(int(now - one.heard))} ago", GOOD)
    if one.state is None:
        return Text("never", DIM)
    since = one.gone or one.heard
    return Text(f"offline {span(int(now) - since)}" if since else "offline", BAD)


def _bundles(one: Known) -> str:
    """Revisions in force, a kind a line; what is on its way or failed is said."""
    return "\n".join(f"{_KINDS_SHORT.get(kind, kind)} {_short_state(one, kind)}" for kind in one.kinds())


def _short_state(one: Known, kind: str) -> str:
    bundle = one.bundle(kind)
    mark = {"rolled_back": "↶", "rejected": "✗", "staged": "…", "trial": "?"}.get(bundle.state, "")
    return f"{bundle.revision or '–'}{f' {mark}{bundle.desired}' if mark else ''}"


def _bundle(one: Known, kind: str) -> str:
    bundle = one.bundle(kind)
    words = f"{bundle.revision} in force" if bundle.revision else "none in force"
    if bundle.state not in ("", "in_force"):
        words += f"; {bundle.desired} {bundle.state.replace('_', ' ')}"
    words += f": {bundle.reason}" if bundle.reason else ""
    return words + "".join(f"\n{key}: {why}" for key, why in bundle.rejected.items())


def _trouble(one: Known) -> str:
    if one.state is None:
        return ""
    words = [f"{part}: {said}" for part, said in troubles(one.state).items()]
    return "; ".join([*words, *refusals(one.state)])


def _wave_words(rollout: Rollout, number: int) -> str:
    saved = rollout.saved
    if number < saved.wave:
        return "done"
    return saved.phase.value if number == saved.wave and saved.phase is not Phase.DONE else "waits"
