"""`make run`: the box on simulated hardware, and what it does with each receipt, said in plain words.

Owns: the terminal. Never: the parts (scenario.py). With --receipts N it prints N, sums up and ends with 0; else it
goes on until Ctrl-C, and whoever sends ESC/POS to the port that it names sees the box at work too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from edgebox.errors import EdgeboxError
from edgebox.keys import load_keys
from edgebox.loyalty import claims
from hw_sim import layouts
from hw_sim.receipt_words import SHOPS, shop
from hw_sim.receipts import Stream
from hw_sim.scenario import Scenario

# The till's day: what a counter prints in turn. Every one is a habit of real tills (hw_sim/layouts.py).
DAY = ("crlf", "kitchen_then_receipt", "gs_v_65_feeds", "pre_bill", "drawer_before_cut", "own_qr", "refund", "esc_i")
PROFILES = {"zh-CN": "xprinter-xp-80", "zh-TW": "generic-80"}
PAUSE_S = 3.0  # between receipts when nobody said how many


def streams(language: str) -> Iterator[Stream]:
    """The till's prints, one after the other, for ever."""
    for seed, name in enumerate(cycle(DAY)):
        yield layouts.compose(name, shop(language), seed)


def money(record: dict[str, Any]) -> str:
    """`33.90 CNY`, or nothing where no total was read."""
    minor, decimals = record.get("amount_minor"), record.get("decimals", 2)
    if minor is None:
        return ""
    return f"{minor / 10**decimals:.{decimals}f} {record['currency']}"


def said(number: int, record: dict[str, Any], verified: str) -> str:
    """One document in one line."""
    kind = record["kind"].replace("_", "-")
    head = f"{number:4}  {kind:<9} {money(record):>10}  "
    held = f"held {record['hold_us'] / 1000:.2f} ms" if record.get("hold_us") else "not held"
    if record["result"] == "inserted":
        return head + f"{record['points']:>4} points, slip printed, {held}{verified}"
    return head + f"   0 points, no slip, {held}: {why_not(record)}"


def why_not(record: dict[str, Any]) -> str:
    """Why this document got no slip."""
    if record["kind"] != "sale":
        return f"a {record['kind'].replace('_', '-')} ticket earns nothing"
    if record.get("result_reason") not in ("", "engine_said_none"):
        return str(record["result_reason"]).replace("_", " ")
    return str(next(iter(record.get("reasons", ())), "not sure enough"))


def read_back(paper: Path, keys_file: Path, now: int) -> str:
    """What a customer's phone would find on the paper: the claim, verified."""
    import zxingcpp
    from PIL import Image

    with Image.open(paper) as image:
        for code in zxingcpp.read_barcodes(image.convert("L")):
            if code.text.startswith("HTTPS://M.EXAMPLE.CN/"):
                claims.verify(code.text, load_keys(keys_file), now)
                return ", QR on the paper verifies"
    return ""


def show(shown: int, scenario: Scenario, stream: Stream) -> tuple[int, list[dict[str, Any]], int]:
    """Prints one stream and says what became of it: documents so far, its records, faults."""
    printed = scenario.print(stream.raw, len(stream.documents))
    papers = [*printed.papers, *[None] * len(printed.records)]
    for record, paper in zip(printed.records, papers, strict=False):
        shown += 1
        verified = ""
        if record["result"] == "inserted" and paper is not None:
            verified = read_back(paper, scenario.keys_file, int(time.time()))
        print(said(shown, record, verified))
        if paper is not None:
            print(f"      {paper}")
    for fault in printed.faults:
        print(f"      printer: {fault}")
    return shown, printed.records, len(printed.faults)


def summary(records: list[dict[str, Any]], faults: int, seconds: float) -> str:
    """What it came to."""
    slips = [record for record in records if record["result"] == "inserted"]
    points = sum(record["points"] for record in slips)
    held = [record["hold_us"] / 1000 for record in records if record.get("hold_us")]
    lines = [
        f"{len(records)} documents in {seconds:.1f} s: {len(slips)} slips, {points} points.",
        f"The cut was held {statistics.median(held):.2f} ms in the middle, {max(held):.2f} ms at the most."
        if held
        else "No cut was held.",
        "The printer saw no cut through ink, nothing ignored and nothing lost."
        if not faults
        else f"The printer complained {faults} times.",
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Runs the shop."""
    parser = argparse.ArgumentParser(prog="python -m hw_sim", description="The box on simulated hardware.")
    parser.add_argument("--receipts", type=int, default=0, metavar="N", help="print N receipts, sum up, end")
    parser.add_argument("--language", default="zh-CN", choices=[one.language for one in SHOPS])
    parser.add_argument("--folder", type=Path, default=Path("var/demo"), help="emptied first; default var/demo")
    options = parser.parse_args(arguments)
    profile = PROFILES.get(options.language, "epson-tm-t20")
    try:
        with Scenario(options.folder, shop(options.language), profile) as scenario:
            return run(scenario, options.receipts, options.language, profile)
    except (EdgeboxError, OSError, RuntimeError, TimeoutError) as fault:
        print(f"hw_sim: {fault}", file=sys.stderr)
        return 1


def run(scenario: Scenario, receipts: int, language: str, profile: str) -> int:
    """Prints until it is enough."""
    host, port = scenario.till_address
    print(f"A till prints {language} receipts through the box to a simulated printer ({profile}).")
    print(f"The box's till end is tcp://{host}:{port}. Logs and keys: {scenario.folder}. Ctrl-C ends.\n")
    shown, faults, records, began = 0, 0, [], time.monotonic()
    endless = not receipts
    try:
        for stream in streams(language) if endless else islice(streams(language), receipts):
            shown, new, complaints = show(shown, scenario, stream)
            faults += complaints
            records += new
            if endless:
                time.sleep(PAUSE_S)
    except KeyboardInterrupt:
        print()
    print("\n" + summary(records, faults, time.monotonic() - began))
    return 1 if faults or not records else 0


if __name__ == "__main__":
    sys.exit(main())
