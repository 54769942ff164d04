"""`edgebox setup`: from a box out of the carton to a shop that prints, by five answers or a file of them.

Owns: its arguments. Never: asks (edgebox/appliance/setup.py) or writes (edgebox/appliance/installing.py).
"""

from __future__ import annotations

import argparse
import subprocess
import time
from pathlib import Path

from edgebox.appliance import identity
from edgebox.appliance.answers import read
from edgebox.appliance.answers import text as configuration
from edgebox.appliance.installing import install
from edgebox.appliance.plugged import plugged
from edgebox.appliance.setup import Talk
from edgebox.errors import ConfigError

COMMAND_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--answers F] [--root DIR] [--dry-run] [--replace BACKUP]."""
    parser.add_argument(
        "--answers", type=Path, metavar="F", help="answers from a TOML file, for many boxes; nobody is asked"
    )
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="of an image in the making")
    parser.add_argument("--dry-run", action="store_true", help="show the configuration, write nothing")
    parser.add_argument(
        "--replace", type=Path, metavar="BACKUP", help="take over a dead box: its records and spent coupons come first"
    )


def run(options: argparse.Namespace) -> int:
    """0 done; 2 answers that can't be used."""
    answers = read(options.answers) if options.answers else Talk(_asked, print, plugged()).answers()
    if options.dry_run:
        print(configuration(answers), end="")
        return 0
    if options.replace is not None:
        for words in take_over(options.replace, options.root):
            print(words)
    for words in install(answers, _command, options.root):
        print(words)
    if options.root == Path("/"):
        print("Now: edgebox doctor")
    return 0


def take_over(backup: Path, root: Path) -> list[str]:
    """The dead box's records in place of ours, before a desk is open; and its USB identity, if it lies beside them.

    ConfigError, StoreError. A restored database begins a new life: coupons that the dead box may have used since the
    backup are not in its list, and a comeback coupon of an earlier life that is in no list counts as used.
    """
    from edgebox.store.backup import restore

    data = root / "var/lib/edgebox"
    if not backup.is_file():
        raise ConfigError(f"{backup}: no such backup", reason="bad_answers", hint="edgebox backup F makes one")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if root == Path("/"):
        _command(["systemctl", "stop", "edgebox.service"])
    done = [restore(data, backup, int(time.time() * 1000))]
    card = backup.with_name(identity.FILE)
    if card.is_file():
        before = identity.kept(backup.parent)
        assert before is not None, "just seen"
        identity.keep(data, before)
        done.append("the till goes on knowing the box: its USB identity is the dead one's")
    return done


def _asked(prompt: str) -> str:
    try:
        return input(prompt)
    except EOFError as end:
        raise ConfigError("nobody answers", reason="no_answers", hint="edgebox setup --answers FILE") from end


def _command(words: list[str]) -> bool:
    try:
        return subprocess.run(words, check=False, timeout=COMMAND_S).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
