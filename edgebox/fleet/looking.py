"""`fleet ls`, `watch`, `show` and `tail`: looking at boxes without touching them.

Owns: what is printed when. Never: publishes anything. With `--json` there is one object a line, for other programs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from collections.abc import Callable

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from edgebox.fleet import tables
from edgebox.fleet.desk import Desk
from sync.contract import Batch
from sync.fleet_book import Known, fields, troubles
from sync.fleet_link import Heard

_batches = msgspec.json.Decoder(Batch)


def plain(one: Known, now: float) -> dict[str, object]:
    """A box as JSON has it: what `--where` may ask about, and its troubles."""
    return {**fields(one, now), "troubles": troubles(one.state) if one.state else {}}


async def ls(desk: Desk, options: argparse.Namespace, console: Console) -> int:
    """All boxes, or those of `--where`."""
    desk.chosen(options.where)  # a fault in it is told before anybody waits
    await desk.gather(options.wait)
    boxes, now = desk.chosen(options.where), desk.now()
    if options.json:
        for one in boxes:
            print(json.dumps(plain(one, now), ensure_ascii=False))
        return 0
    tables.show(console, tables.boxes_table(boxes, now))
    for line in tables.trouble_lines(boxes):
        console.print(line)
    if not desk.book.boxes:
        console.print("nobody was heard; without retained messages: --wait longer than a heartbeat")
        return 1
    console.print(tables.summary(boxes, now), style="dim")
    return 0


async def show(desk: Desk, options: argparse.Namespace, console: Console) -> int:
    """One box, all of it."""
    await desk.gather(options.wait)
    (place,) = desk.named([options.box])
    one = desk.known(place)
    if one is None:
        console.print(f"{options.box} was never heard")
        return 1
    if options.json:
        print(msgspec.json.encode(one).decode())
    else:
        console.print(tables.box_table(one, desk.now()))
    return 0


async def watch(desk: Desk, options: argparse.Namespace, console: Console) -> int:
    """The list, as it changes; in a pipe or as JSON: the changes, a line each."""
    desk.chosen(options.where)
    seconds = options.seconds or math.inf
    if console.is_terminal and not options.json:
        await _watch_live(desk, options, console, seconds)
    else:
        await _watch_lines(desk, options, seconds)
    return 0


async def _watch_live(desk: Desk, options: argparse.Namespace, console: Console, seconds: float) -> None:
    def picture() -> Group:
        boxes, now = desk.chosen(options.where), desk.now()
        worst = sorted(boxes, key=lambda one: (one.is_online(now), not (one.state and troubles(one.state))))
        room = max(5, console.height - 4)
        words = tables.summary(boxes, now) + (f"; {len(boxes) - room} more below" if len(boxes) > room else "")
        lost = Text(f"no broker: {desk.link.why}", "red") if desk.link.why else Text()
        troubled = tables.trouble_lines(worst[:room])[: room // 2]
        return Group(Text(words, "dim"), lost, *troubled, tables.boxes_table(worst[: room - len(troubled)], now))

    with Live(console=console, get_renderable=picture, refresh_per_second=2, screen=True):
        await desk.gather(options.wait)
        async for _ in desk.link.changes(1.0, seconds):
            pass  # the picture is drawn by itself


async def _watch_lines(desk: Desk, options: argparse.Namespace, seconds: float) -> None:
    before: dict[object, tuple[object, ...]] = {}
    await desk.gather(options.wait)
    ends = time.monotonic() + seconds
    while True:
        now = desk.now()
        for one in desk.chosen(options.where):
            new = _noteworthy(one, now)
            if before.get(one.place) != new:
                _print_change(one, now, as_json=options.json)
            before[one.place] = new
        if time.monotonic() >= ends:
            return
        async for _ in desk.link.changes(1.0, min(1.0, ends - time.monotonic())):
            pass


def _noteworthy(one: Known, now: float) -> tuple[object, ...]:
    """What a person wants to be told when it changes."""
    trouble = tuple(troubles(one.state).items()) if one.state else ()
    bundles = tuple((kind, one.bundle(kind).revision, one.bundle(kind).state) for kind in one.kinds())
    return (one.is_online(now), trouble, bundles, one.state.version if one.state else "")


def _print_change(one: Known, now: float, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"at": int(now), **plain(one, now)}, ensure_ascii=False), flush=True)
        return
    online = "online" if one.is_online(now) else "offline"
    words = "; ".join(f"{part}: {said}" for part, said in (troubles(one.state) if one.state else {}).items())
    bundles = " ".join(f"{kind} {one.bundle(kind).revision}" for kind in one.kinds())
    when = time.strftime("%H:%M:%S", time.localtime(now))
    print("  ".join(part for part in (when, f"{one.store}/{one.box}", online, bundles, words) if part), flush=True)


async def tail(desk: Desk, options: argparse.Namespace, console: Console) -> int:
    """Rows of one stream of a box as they come. What waited is shown too; numbers may come twice."""
    if not options.box.rpartition("/")[0]:
        await desk.gather(options.wait)
    (place,) = desk.named([options.box])
    left = [options.count or math.inf]
    done = asyncio.Event()

    def hear(heard: Heard, _known: Known | None) -> None:
        if heard.place != place or heard.rest != f"up/{options.stream}" or done.is_set():
            return
        for line in rows_in(heard.payload, as_json=options.json):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
            left[0] -= 1
        if left[0] <= 0:
            done.set()

    desk.ears.append(hear)
    await desk.link.listen([desk.link.topics.one(place, f"up/{options.stream}")])
    try:
        async with asyncio.timeout(options.seconds or None):
            await done.wait()
    except TimeoutError:
        return 0
    return 0


def rows_in(payload: bytes, *, as_json: bool) -> list[str]:
    """The rows of a batch as lines for a person, or as JSON with their numbers."""
    try:
        batch = _batches.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        return [f"unreadable: {fault}"]
    if as_json:
        return [
            json.dumps({"epoch": batch.epoch, "seq": row.seq, **_event(row.event)}, ensure_ascii=False)
            for row in batch.rows
        ]
    return [
        _lost(row.seq, row.to, row.lost) if row.lost else f"{row.seq:>8}  {_line(_event(row.event))}"
        for row in batch.rows
    ]


def _lost(first: int, last: int, why: str) -> str:
    return f"{first:>8}  to {last} given up: {why}"


def _event(raw: msgspec.Raw) -> dict[str, object]:
    try:
        event = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {"type": "unreadable"}
    return event if isinstance(event, dict) else {"type": "unreadable"}


def _line(event: dict[str, object]) -> str:
    """A receipt in one line; other events as they are."""
    at = event.get("at")
    when = time.strftime("%m-%d %H:%M:%S", time.localtime(at)) if isinstance(at, int) else ""
    if event.get("type") != "receipt":
        return f"{when}  {json.dumps({k: v for k, v in event.items() if k != 'at'}, ensure_ascii=False)}"
    show: Callable[[str], str] = lambda key: str(event.get(key) or "")  # noqa: E731  # one word for one thing
    amount, decimals = event.get("amount_minor"), event.get("decimals", 2)
    money = ""
    if isinstance(amount, int) and isinstance(decimals, int):
        money = f"{amount / 10**decimals:,.{decimals}f} {show('currency')}"
    points = f"{show('points')} points" if event.get("points") else ""
    reasons = event.get("reasons")
    why = str(reasons[0]) if isinstance(reasons, list) and reasons and not points else ""
    parts = (when, show("line"), show("kind"), show("number"), money, show("result"), points, why)
    return "  ".join(part for part in parts if part)
