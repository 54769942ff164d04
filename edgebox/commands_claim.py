"""`edgebox claim verify URL --keys F`: is this claim ours, and still good?

Owns: its arguments. Never: the checks (edgebox/loyalty/claims.py).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """verify URL --keys F."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    verify = verbs.add_parser("verify", help="say whether a claim is good, or why it is refused (exit code 1)")
    verify.add_argument("url", metavar="URL", help="what the QR code holds")
    verify.add_argument("--keys", type=Path, required=True, metavar="F", help="the key file of the box that printed it")
    verify.add_argument("--hours", type=int, default=72, help="how long a claim is good (default: 72)")


def run(options: argparse.Namespace) -> int:
    """Prints the claim, or why it is refused."""
    from edgebox.keys import load_keys
    from edgebox.loyalty.claims import explain

    words, code = explain(options.url, load_keys(options.keys), int(time.time()), options.hours * 3600)
    print(words, file=sys.stderr if code else sys.stdout)
    return code
