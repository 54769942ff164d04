"""The demo's sentences: a document, its way to the cloud, its points, and the sum of all, in plain words.

Owns: the words. Pure: records and figures in, text out. Never: prints (hw_sim/__main__.py).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from hw_sim.counter import ScanSeen
from hw_sim.loop import Balance
from hw_sim.phone import PageSeen
from sync.contract import Reply

SPEND_PER_POINT = 100  # minor units that earn a point in the demo's shop, and the least that earns
Record = dict[str, Any]


def money(record: Record) -> str:
    """`33.90 CNY`, or nothing where no total was read."""
    minor, decimals = record.get("amount_minor"), record.get("decimals", 2)
    if minor is None:
        return ""
    return f"{minor / 10**decimals:.{decimals}f} {record['currency']}"


def document(number: int, record: Record, is_verified: bool) -> str:
    """One document in one line."""
    kind = record["kind"].replace("_", "-")
    head = f"{number:4}  {kind:<9} {money(record):>10}  "
    held = f"cut held {record['hold_us'] / 1000:.2f} ms" if record.get("hold_us") else "cut not held"
    if record["result"] == "inserted":
        verified = ", QR on the paper verifies" if is_verified else ""
        return head + f"{record['points']:>4} points, slip printed, {held}{verified}"
    return head + f"   0 points, no slip, {held}: {why_not(record)}"


def why_not(record: Record) -> str:
    """Why this document got no slip."""
    if record["kind"] != "sale":
        return f"a {record['kind'].replace('_', '-')} ticket earns nothing"
    if record.get("result_reason") not in ("", None, "engine_said_none"):
        return str(record["result_reason"]).replace("_", " ")
    if record.get("qualifies") and not (record.get("number") and record.get("printed_date")):
        return "no printed number or date, so nothing could tell a copy from it"
    if record.get("qualifies") and (record.get("amount_minor") or 0) < SPEND_PER_POINT:
        return "below the least amount that earns"
    return str(next(iter(record.get("reasons", ())), "not sure enough"))


def arrival(milliseconds: float | None) -> str:
    """Its way to the cloud."""
    if milliseconds is None:
        return "cloud: has not got it"
    return f"cloud: has it, {milliseconds:.0f} ms after it was recorded"


def answered(reply: Reply | None, key: str, milliseconds: float) -> str:
    """What came of a command of the fleet."""
    if reply is None:
        return f"The fleet pings the box, signed by {key}: no answer."
    return f"The fleet pings the box, signed by {key}: {reply.state.value} after {milliseconds:.0f} ms."


def page(address: str, seen: PageSeen) -> str:
    """What the customer's phone showed."""
    balance = f" ({seen.balance})" if seen.balance else ""
    return f"phone: {seen.head}{balance}, {seen.ms:.0f} ms: {address}"


def scanned(what: str, seen: ScanSeen) -> str:
    """What became of a code at the counter."""
    head = f"scan: {what}: "
    if seen.passed:
        return head + f"the till has it after {seen.ms:.0f} ms"
    one = seen.redemption
    if not one:
        return head + f"nothing happened within {seen.ms / 1000:.0f} s"
    if one["state"] == "redeemed":
        return head + f"redeemed, recorded as number {one['number']} after {seen.ms:.0f} ms"
    return head + f"{one['state']}, {one['reason'].replace('_', ' ')}"


def counted(scans: Sequence[ScanSeen]) -> str:
    """The counter's sum; "" where nothing was scanned."""
    states = [seen.redemption.get("state") for seen in scans]
    passed = sum(seen.passed for seen in scans)
    return (
        f"{len(scans)} codes scanned: {states.count('redeemed')} redeemed, {states.count('refused')} refused, {passed}"
        " for the till."
    )


def summary(records: Sequence[Record], faults: int, seconds: float) -> str:
    """What came out of the printer."""
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


def balance(found: Balance, collected: int, ways_ms: Sequence[float]) -> str:
    """What came to the cloud."""
    whole = "all of it" if not found.lost and not found.doubled else "NOT all of it"
    heard = "the box has its word for all" if not found.waiting else f"{found.waiting} rows still wait at the box"
    lines = [
        f"The cloud has {whole}: {found.recorded} rows recorded, lost {found.lost}, duplicates after dedupe"
        f" {found.doubled}; {heard}."
    ]
    if found.thrown_away:
        lines.append(f"{found.thrown_away} rows came twice and were taken once.")
    if ways_ms:
        lines.append(f"A receipt was there {statistics.median(ways_ms):.0f} ms after it was recorded, in the middle.")
    lines.append(f"The phone has collected {collected} points.")
    return "\n".join(lines)
