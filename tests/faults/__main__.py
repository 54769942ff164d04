"""`python -m tests.faults`: tries every fault and prints the matrix; exit code 1 if a promise was broken."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time
from collections.abc import Iterator

from tests.faults import MODULES, Row, Scale

HEADS = ("fault", "accepted", "stored", "delivered", "twice", "lost", "given up", "refused", "unreported")


def rows(modules: tuple[str, ...], scale: Scale) -> Iterator[Row]:
    """All rows of these modules."""
    for name in modules:
        yield from importlib.import_module(f"tests.faults.{name}").rows(scale)


def told(row: Row) -> str:
    """One line of the matrix."""
    delivered = "-" if row.delivered is None else str(row.delivered)
    figures = (row.accepted, row.stored, delivered, row.duplicated, row.lost, row.given_up, row.refused, row.unreported)
    return f"{row.fault:54}" + "".join(f"{figure:>11}" for figure in figures) + f"  {row.words}"


def main() -> int:
    """Prints as it goes."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[[], *MODULES], help="only these")
    parser.add_argument("--share", type=float, default=1.0, help="of the full number of trials")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.getLogger("edgebox").setLevel(logging.CRITICAL)  # what it says is counted here
    began = time.monotonic()
    print(f"{HEADS[0]:54}" + "".join(f"{head:>11}" for head in HEADS[1:]))
    broken = 0
    for row in rows(tuple(options.modules) or MODULES, Scale(options.share, options.seed)):
        print(told(row) + ("" if row.holds else "  BROKEN"), flush=True)
        broken += not row.holds
    print(f"{time.monotonic() - began:.0f} s, seed {options.seed}: " + (f"{broken} broken" if broken else "all hold"))
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
