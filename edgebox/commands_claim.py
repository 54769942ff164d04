"""`edgebox claim verify URL --keys F`: is this claim ours, and still good? And with `--data`: is it what was recorded?

Owns: its arguments, and finding the box's record. Never: the checks (edgebox/loyalty/claims.py), or a write.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgebox.errors import ClaimError, StoreError

if TYPE_CHECKING:
    from edgebox.loyalty.claims import Recorded

_CLAIM = "SELECT revision, amount_minor, state = 'void' FROM claims WHERE claim = ?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """verify URL --keys F."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    verify = verbs.add_parser("verify", help="say whether a claim is good, or why it is refused (exit code 1)")
    verify.add_argument("url", metavar="URL", help="what the QR code holds")
    verify.add_argument("--keys", type=Path, required=True, metavar="F", help="the key file of the box that printed it")
    verify.add_argument("--hours", type=int, default=72, help="how long a claim is good (default: 72)")
    verify.add_argument("--data", type=Path, metavar="D", help="the box's data folder: compare with what it recorded")


def run(options: argparse.Namespace) -> int:
    """Prints the claim, or why it is refused."""
    from edgebox.keys import load_keys
    from edgebox.loyalty.claims import explain

    keys, recorded = load_keys(options.keys), None
    if options.data is not None:
        recorded = _recorded(options.data, options.url)
    words, code = explain(options.url, keys, int(time.time()), options.hours * 3600, recorded)
    if not code and options.data is not None and recorded is None:
        words += "\nnot recorded   in this data folder"
    print(words, file=sys.stderr if code else sys.stdout)
    return code


def _recorded(folder: Path, url: str) -> Recorded | None:
    """What the box wrote down of this claim's id. StoreError `no_store`: nothing can be read there."""
    import sqlite3
    from contextlib import closing

    from edgebox.loyalty.claims import Recorded, parse
    from edgebox.store.peek import peek

    try:
        claim_id = parse(url).claim.claim_id.hex()
    except ClaimError:
        return None  # which `explain` says
    try:
        with closing(peek(folder)) as connection:
            row = connection.execute(_CLAIM, (claim_id,)).fetchone()
    except sqlite3.Error as fault:
        raise StoreError(f"{folder}: {fault}", reason="no_store", hint="[engine] data of the box's settings") from fault
    return Recorded(row[0], row[1], bool(row[2])) if row else None
