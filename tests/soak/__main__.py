"""`make soak`: a busy shop for an hour, what became of everything, and a picture of it.

Owns: the order: plan, shop, books, verdict, picture. Never: a rule. Exit codes: 0 nothing found; 1 something was; 2 it
can't run here.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from hw_sim.cloud.broker import PACKAGE, find_mosquitto
from hw_sim.message_bus import MessageBus
from tests.soak.plan import HISTORY, LONG_MIN, plan
from tests.soak.run import Run
from tests.soak.seen import read
from tests.soak.verdict import judge

FOLDER, PICTURE = Path("build/soak"), Path("artefacts/soak.png")


def main() -> int:
    """Runs it, or looks again at what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="of everything that happens by chance")
    parser.add_argument("--history", type=int, metavar="N", help=f"receipts before; default {HISTORY}, short 0")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"emptied first; default {FOLDER}")
    parser.add_argument("--again", type=Path, metavar="SEEN", help="runs nothing: judges and draws this file")
    parser.add_argument("--picture", type=Path, default=PICTURE, help=f"default {PICTURE}")
    given = parser.parse_args()
    seen = given.again or given.folder / "seen.jsonl"
    if given.again is None:
        if find_mosquitto() is None or not MessageBus.is_installed():
            print(f"soak: needs mosquitto and dbus-daemon: apt-get install {PACKAGE} dbus", file=sys.stderr)
            return 2
        history = given.history if given.history is not None else HISTORY if given.minutes >= LONG_MIN else 0
        Run(given.folder, given.minutes, given.seed, history).until_closing(plan(given.minutes, given.seed))
    found = judge(read(seen))
    print(found.text)
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    from tests.soak.picture import draw  # here: half a second, and nobody but this needs it

    draw(read(seen), found, given.picture)
    print(f"picture: {given.picture}; what was seen: {seen}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: nothing of ours must stay behind
        signal.signal(ending, signal.default_int_handler)
    sys.exit(main())
