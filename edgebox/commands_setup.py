"""`edgebox setup`: from a box out of the carton to a shop that prints, by five answers or a file of them.

Owns: its arguments. Never: asks (edgebox/appliance/setup.py) or writes (edgebox/appliance/installing.py).
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from edgebox.appliance.answers import configuration as box_of
from edgebox.appliance.answers import read
from edgebox.appliance.answers import text as configuration
from edgebox.appliance.former import lost
from edgebox.appliance.installing import REFUSED, install, zone_of
from edgebox.appliance.plugged import plugged
from edgebox.appliance.replacing import open_desk, take_over
from edgebox.appliance.setup import Talk
from edgebox.errors import ConfigError

COMMAND_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--answers F] [--root DIR] [--dry-run] [--replace BACKUP [--code-file F] [--without-keys] [--open-desk NAME]]."""
    parser.add_argument(
        "--answers", type=Path, metavar="F", help="answers from a TOML file, for many boxes; nobody is asked"
    )
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="of an image in the making")
    parser.add_argument("--dry-run", action="store_true", help="show the configuration, write nothing")
    parser.add_argument(
        "--replace", type=Path, metavar="BACKUP", help="take over a dead box: its records, keys and spent coupons"
    )
    parser.add_argument("--code-file", type=Path, metavar="F", help="the backup's recovery code; left out: it is asked")
    parser.add_argument("--without-keys", action="store_true", help="the code is lost: leave the keys in the backup")
    parser.add_argument(
        "--open-desk", default="", metavar="NAME", help="this person answers for coupons that may be taken twice"
    )


def run(options: argparse.Namespace) -> int:
    """0 done; 1 a person said no, or a service didn't start; 2 answers that can't be used."""
    if options.root == Path("/") and not options.dry_run and os.geteuid():
        raise ConfigError("only root may", reason="not_root", hint="sudo edgebox setup; --dry-run only shows")
    talk = Talk(_asked, print, plugged())
    answers = read(options.answers) if options.answers else talk.answers()
    if not answers.tz:
        answers = msgspec.structs.replace(answers, tz=zone_of(options.root))
    if options.dry_run:
        print(configuration(answers), end="")
        return 0
    gone = lost(options.root / "etc/edgebox/edgebox.toml", box_of(answers))
    if not options.answers and not talk.may_go(gone):
        print("nothing was changed")
        return 1
    if gone:
        print(f"not in these answers, and so no longer set: {', '.join(gone)}")
    with _replacing(options):
        if options.replace is not None:
            for words in _replaced(options, box_of(answers).sync.whole_name):
                print(words)
        done = install(answers, _command, options.root)
    print("\n".join(done))
    if options.root == Path("/"):
        print("Now: sudo edgebox doctor --user edgebox")
    return 1 if any(REFUSED in words for words in done) else 0


@contextmanager
def _replacing(options: argparse.Namespace) -> Iterator[None]:
    """Nobody writes to the records that are replaced; and a code mistyped leaves no shop without its engine."""
    ran = options.replace is not None and options.root == Path("/")
    ran = ran and _command(["systemctl", "is-active", "--quiet", "edgebox.service"])
    if ran:
        _command(["systemctl", "stop", "edgebox.service"])
    try:
        yield
    except BaseException:
        if ran:
            _command(["systemctl", "start", "edgebox.service"])
        raise


def _replaced(options: argparse.Namespace, box: str) -> list[str]:
    """The dead box's place is taken before a desk is open."""
    code = None if options.without_keys else lambda: _code(options.code_file)
    done = take_over(options.replace, options.root, code, box)
    return [*done, *(open_desk(options.root, options.open_desk) if options.open_desk else [])]


def _code(file: Path | None) -> str:
    if file is None:
        return _asked("The backup's recovery code: ")
    try:
        return file.read_text("ascii")
    except OSError as fault:
        raise ConfigError(f"{file}: {fault.strerror}", reason="recovery_code") from fault
    except UnicodeDecodeError as fault:
        raise ConfigError(f"{file}: no recovery code", reason="recovery_code") from fault


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
