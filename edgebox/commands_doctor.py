"""`edgebox doctor`: what is wrong with this box, why it matters, and the command that mends it.

Owns: its arguments and the page of text. Never: looks at anything (edgebox/appliance/doctor).
"""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path

from edgebox.appliance.doctor.finding import Finding, Grade
from edgebox.appliance.doctor.rounds import examined
from edgebox.config import DEFAULT

WIDTH = 100
_MARKS = {Grade.FAILED: "FAILED ", Grade.WARNING: "warning", Grade.UNKNOWN: "unknown", Grade.OK: "ok     "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--json] [--all] [--config F] [--user U]."""
    parser.add_argument("--json", action="store_true", help="for programs: a list of objects")
    parser.add_argument("--all", action="store_true", help="what is well, too")
    parser.add_argument("--config", type=Path, default=DEFAULT, metavar="F", help="edgebox.toml")
    parser.add_argument("--user", default="", metavar="U", help="look at rights as this user has them (edgebox)")


def run(options: argparse.Namespace) -> int:
    """0: nothing failed; 1: something did."""
    found = examined(options.config, options.user)
    if options.json:
        print(json.dumps([one._asdict() for one in found], indent=1, ensure_ascii=False))
    else:
        print(written(found, everything=options.all))
    return 1 if any(one.grade is Grade.FAILED for one in found) else 0


def written(found: list[Finding], *, everything: bool = False) -> str:
    """For a person: the gravest first."""
    told = [one for one in found if everything or one.grade is not Grade.OK]
    lines = [line for one in told for line in _lines(one)]
    well = sum(one.grade is Grade.OK for one in found)
    if not told:
        lines.append(f"All is well: {well} things were looked at.")
    elif well and not everything:
        lines.append(f"{well} things are well (--all lists them).")
    return "\n".join(lines)


def _lines(one: Finding) -> list[str]:
    head = textwrap.wrap(f"{_MARKS[one.grade]}  {one.part}: {one.what}", WIDTH, subsequent_indent=" " * 9)
    why = textwrap.wrap(f"{one.why}.", WIDTH - 9, initial_indent=" " * 9, subsequent_indent=" " * 9) if one.why else []
    return [*head, *why, *([f"         -> {one.mend}"] if one.mend else [])]
