"""`edgebox render`: a captured stream as a picture of its paper.

Owns: its arguments. Never: draws (edgebox/paper does).
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The capture, the picture, the printer."""
    parser.add_argument("file", type=Path, metavar="FILE", help="captured bytes from the till")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PNG", help="where the picture goes")
    parser.add_argument("--profile", default="generic-80", metavar="P", help="the printer (default: generic-80)")


def run(options: argparse.Namespace) -> int:
    """Draws it."""
    from edgebox.captures import capture_bytes
    from edgebox.config import FOLDER
    from edgebox.paper.draw import render_png
    from edgebox.printers import find_printer

    profile = find_printer(options.profile, FOLDER / "printers")
    render_png(capture_bytes(options.file), profile, options.output)
    return 0
