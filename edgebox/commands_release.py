"""`edgebox release`: a release as an update file, for whoever makes releases; not for a box.

Owns: its arguments and words. Never: packs or signs (edgebox/appliance/update/release.py).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from edgebox.appliance.update.manifest import Manifest, read_head, release_keys
from edgebox.appliance.update.release import make
from sync.fleet_keys import new_key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """make TREE FILE --key K --version V --arch A | key NAME --in DIR | show FILE --keys DIR."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    one = verbs.add_parser("make", help="pack a slot's tree and sign it")
    one.add_argument("tree", type=Path)
    one.add_argument("file", type=Path)
    one.add_argument("--key", type=Path, required=True, help="the release key's file")
    one.add_argument("--version", required=True)
    one.add_argument("--arch", required=True, choices=("amd64", "arm64"))
    one.add_argument("--replaces", default="0.0.0", metavar="V", help="the oldest version that it may replace")
    one.add_argument("--downgrade", action="store_true", help="it may replace a newer version")
    key = verbs.add_parser("key", help="make a release key; its public half goes onto boxes")
    key.add_argument("name")
    key.add_argument("--in", type=Path, required=True, metavar="DIR", dest="folder")
    show = verbs.add_parser("show", help="what an update file says of itself, if its signature holds")
    show.add_argument("file", type=Path)
    show.add_argument("--keys", type=Path, required=True, metavar="DIR", help="folder with NAME.pub")


def run(options: argparse.Namespace) -> int:
    """0 done. EdgeboxError."""
    if options.verb == "key":
        made = new_key(options.folder, options.name)
        public = options.folder / f"{made.name}.pub"
        public.write_text(f"{made.public}\n", "ascii")
        public.chmod(0o644)
        print(f"{public}: onto boxes, in /etc/edgebox/release-keys; the other file stays in a safe")
        return 0
    if options.verb == "show":
        with options.file.open("rb") as file:
            head = read_head(file, release_keys((options.keys,)))
        print(f"{_words(head.manifest)}; signed by {head.key}")
        return 0
    about = Manifest(
        version=options.version, arch=options.arch, python="3.11", replaces=options.replaces,
        downgrade=options.downgrade, made=int(os.environ.get("SOURCE_DATE_EPOCH", time.time())),
        size=1, sha256="0" * 64, unpacked=1, files=1,
    )  # fmt: skip
    print(f"{options.file}: {_words(make(options.tree, options.file, options.key, about))}")
    return 0


def _words(manifest: Manifest) -> str:
    size = f"{manifest.size / 1e6:.1f} MB, {manifest.unpacked / 1e6:.0f} MB unpacked"
    return f"{manifest.version} for {manifest.arch}, {size}, replaces {manifest.replaces} and newer"
