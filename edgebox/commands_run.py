"""`edgebox run`: the engine, until SIGTERM.

Owns: its arguments. Never: more than hand them to edgebox/process.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--config and --set."""
    parser.add_argument("--config", type=Path, metavar="F", help="edgebox.toml; the shipped one is the default")
    parser.add_argument(
        "--set", action="append", default=[], metavar="section.key=value", dest="overrides", help="override a setting"
    )


def run(options: argparse.Namespace) -> int:
    """Runs the engine."""
    from edgebox.process import serve

    return serve(options.config, options.overrides)
