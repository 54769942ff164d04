"""`edgebox run`: the engine, until SIGTERM. `edgebox run --check`: whether it could, and nothing is started.

Owns: its arguments. Never: more than hand them to edgebox/process.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--config and --set."""
    parser.add_argument("--config", type=Path, metavar="F", help="edgebox.toml (the one in /etc/edgebox)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="section.key=value", dest="overrides", help="override a setting"
    )
    parser.add_argument("--check", action="store_true", help="only say whether all that it needs is there; exit 0 or 2")


def run(options: argparse.Namespace) -> int:
    """Runs the engine, or tries it."""
    from edgebox.process import checked, serve

    if options.check:
        print(checked(options.config, options.overrides))
        return 0
    return serve(options.config, options.overrides)
