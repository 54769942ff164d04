"""The bench's command line: which sections, how long, and whether BENCHMARKS.md is to be brought up to date."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    fleet,
    footprint,
    hold,
    machine,
    page,
    pages,
    parsing,
    passthrough,
    presence,
    radio,
    reading,
    scans,
    slips,
    store,
    sync,
)
from tests.bench.box import ROOT, Broken
from tests.bench.figures import MISSED, Section, as_text, write

SECTIONS: dict[str, Callable[..., list[Section]]] = {
    "passthrough": passthrough.run,
    "parser": parsing.run,
    "reading": reading.run,
    "slips": slips.run,
    "hold": hold.run,
    "scan": scans.run,
    "footprint": footprint.run,
    "sync": sync.run,
    "store": store.run,
    "presence": presence.run,
    "radio": radio.run,
    "fleet": fleet.run,
    "pages": pages.run,
    "page": page.run,
}


def main() -> int:
    """0 also where a target was missed: the table says so; 1 when something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a glance")
    parser.add_argument("--write", action="store_true", help="put the figures into BENCHMARKS.md")
    options = parser.parse_args()
    wanted = options.sections or list(SECTIONS)
    if unknown := sorted(set(wanted) - set(SECTIONS)):
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    about = machine.describe()
    print("\n".join(about), end="\n\n")
    started, broken = time.monotonic(), False
    for name in wanted:
        try:
            with tempfile.TemporaryDirectory(prefix="edgebox-bench-") as folder:
                for section in SECTIONS[name](Path(folder), quick=options.quick):
                    print(as_text(section), flush=True)
                    if options.write:
                        write(ROOT / "BENCHMARKS.md", section, about)
                    missed = sum(MISSED in row for row in section.rows)
                    print(f"{section.name}: {missed or 'no'} targets missed\n", flush=True)
        except Broken as fault:
            print(f"{name}: not measured: {fault}\n", file=sys.stderr, flush=True)
            broken = True
    print(f"{time.monotonic() - started:.0f} s")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
