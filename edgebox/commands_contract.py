"""`edgebox contract --asyncapi`: what box and cloud say to each other, written for machines.

Owns: its arguments and the files. Never: what stands in them (sync/asyncapi.py).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

FOLDER = Path("docs/contract")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--asyncapi [--out FOLDER]."""
    parser.add_argument("--asyncapi", action="store_true", required=True, help="write asyncapi.json and schemas/*.json")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help=f"where to (default: {FOLDER})")


def run(options: argparse.Namespace) -> int:
    """Writes the files, and removes schemas of types that are no more."""
    wanted = files()
    folder: Path = options.out
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for old in (folder / "schemas").glob("*.json"):
        if f"schemas/{old.name}" not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, "utf-8")
    print(f"{len(wanted)} files in {folder}")
    return 0


def files() -> dict[str, str]:
    """Name → text of each file."""
    from sync import asyncapi

    made = {f"schemas/{name}.json": _text(schema) for name, schema in asyncapi.schemas().items()}
    return {"asyncapi.json": _text(asyncapi.document()), **made}


def _text(value: dict[str, Any]) -> str:
    import json

    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
