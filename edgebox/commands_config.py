"""`edgebox config check`: every fault of the configuration, with its line.

Owns: which files belong to a configuration: edgebox.toml, the printers it names, the words. Never: changes one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from edgebox.config import DEFAULT, FOLDER, load, load_lexicon
from edgebox.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """check [--config F] [--set …]."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    check = verbs.add_parser("check", help="name every fault with its line (exit code 2)")
    check.add_argument("--config", type=Path, metavar="F", help="edgebox.toml; the shipped one is the default")
    check.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="overrides")


def run(options: argparse.Namespace) -> int:
    """ConfigError with all faults, or one line that says it is good."""
    from edgebox.printers import find_printer
    from edgebox.receipt_profiles import load_profiles

    config = load(options.config, options.overrides)
    load_lexicon(config.shop.languages)
    load_profiles()
    faults = []
    for line in config.line:
        try:
            find_printer(line.profile, FOLDER / "printers")
        except ConfigError as fault:
            faults.append(f"line {line.name}: {fault}")
    if faults:
        raise ConfigError("\n".join(faults), reason="bad_config")
    count = len(config.line)
    print(f"{options.config or DEFAULT}: good, {count} line{'' if count == 1 else 's'}")
    return 0
