"""`fleet verify`: has the cloud all that the boxes recorded?

Owns: whose words are listened to, for how long, and how the findings are told. Never: the comparison
(sync/fleet_verify.py), and never mends anything.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict

import msgspec
from rich.console import Console

from edgebox.errors import SyncError
from edgebox.fleet.desk import Desk
from sync.contract import Ack
from sync.fleet_book import Known
from sync.fleet_link import Heard
from sync.fleet_rollout import name_of
from sync.fleet_topics import Place
from sync.fleet_verify import Mark, compared, findings, ledger, mark_of

_acks = msgspec.json.Decoder(Ack)


async def verify(desk: Desk, options: argparse.Namespace, console: Console) -> int:
    """Findings, one a line. 0: nothing found; 1: something, or nothing that could be compared."""
    marks: dict[Place, dict[tuple[str, str], Mark]] = defaultdict(dict)
    exported = {}
    if options.ledger is not None:
        try:
            with options.ledger.open("rb") as lines:
                exported = ledger(lines, str(options.ledger), os.fstat(lines.fileno()).st_mtime)
        except OSError as fault:
            raise SyncError(f"{options.ledger}: {fault.strerror}", reason="ledger") from fault

    def hear(heard: Heard, _known: Known | None) -> None:
        if heard.rest == "ack":
            try:
                mark = mark_of(heard.place.box, _acks.decode(heard.payload), desk.now())
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return
            marks[heard.place][mark.epoch, mark.stream] = mark

    desk.chosen(options.where)
    desk.ears.append(hear)
    await desk.link.listen([desk.link.topics.everybody("ack")])
    await desk.gather(options.wait)
    boxes, now, streams = desk.chosen(options.where), desk.now(), 0
    found = []
    for one in boxes:
        # An ack that was just heard is newer than an export.
        known_marks = {**exported.get(one.box, {}), **marks.get(one.place, {})}
        streams += compared(one.state, known_marks) if one.state else 0
        found += findings(one, known_marks, now)
    for finding in found:
        if options.json:
            said = {"box": name_of(finding.place), "words": finding.words, "do": finding.do}
            print(json.dumps(said, ensure_ascii=False))
        else:
            console.print(f"{name_of(finding.place)}: {finding.words}", highlight=False, markup=False)
            if finding.do:
                command = f"    edgebox fleet {finding.do} --to {name_of(finding.place)}"
                console.print(command, style="dim", highlight=False, soft_wrap=True)  # it is copied
    if not options.json:
        words = f"{len(boxes):,} boxes, {streams:,} streams held against the cloud's word: {len(found):,} findings"
        console.print(words, style="dim", highlight=False)
        if not streams:
            console.print("the cloud said nothing while we listened: a longer --wait, or --ledger FILE", style="dim")
    return 1 if found or not streams else 0
