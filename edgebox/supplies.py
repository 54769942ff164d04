"""What the shop lives on and may run out of: good rules, good slips, claim keys, codes; how each of them stands.

Owns: when which is worth a word, and the words. Never: notes them (edgebox/notices.py), or does anything about them:
the cloud sends more keys and codes when it reads this, and a person mends a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from edgebox.decisions import Decisions

KEY_DAYS = 30  # a box without network must be able to sign for so long [house plan §8]
FAULTS_SAID = 5  # of slips; the log has them all
WORDS_CHARS = 400


class Standing(NamedTuple):
    """One part. `state`: ok, warning or failed, as in a HealthRecord."""

    part: str
    state: str
    words: str = ""


def stands(decisions: Decisions, now: int) -> Iterator[Standing]:
    """All of them. `now`: seconds since 1970."""
    fault = decisions.rules_fault
    yield Standing("rules", "failed" if fault else "ok", f"no points: {fault}"[:WORDS_CHARS] if fault else "")
    faults = decisions.slip_faults
    told = "; ".join(fault.replace("\n", "; ") for fault in faults[:FAULTS_SAID])
    more = f"; and {len(faults) - FAULTS_SAID} more" if len(faults) > FAULTS_SAID else ""
    yield Standing("slips", "warning" if faults else "ok", told[:WORDS_CHARS] + more)
    yield _keys(decisions, now)
    low = "; ".join(f"pool {one.pool}: {one.waiting} codes left" for one in decisions.stock.low)
    yield Standing("codes", "warning" if low else "ok", low[:WORDS_CHARS])


def _keys(decisions: Decisions, now: int) -> Standing:
    keys = decisions.awards.keys
    if keys is None:
        return Standing("keys", "failed", "no claim keys: no points are printed")
    days = keys.days_left(now)
    if now >= keys.until:
        return Standing("keys", "failed", "the claim keys are used up: no points are printed")
    return Standing("keys", "warning" if days < KEY_DAYS else "ok", f"for {days} days" if days < KEY_DAYS else "")
