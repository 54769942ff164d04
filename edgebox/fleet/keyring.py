"""`fleet keys`: an operator's own keys, and the line by which boxes obey them.

Owns: what is told of keys. Never: shows a private half.
"""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from edgebox.errors import SyncError
from edgebox.fleet.settings import FleetSettings, keys_folder
from sync.fleet_keys import OperatorKey, keys_in, new_key


def keys(settings: FleetSettings, options: argparse.Namespace, console: Console) -> int:
    """`list`, or `new NAME`."""
    if options.action == "new":
        if not options.name:
            raise SyncError("which name?", reason="key", hint="keys new operator-anna: its role stands in it")
        _tell(new_key(keys_folder(), options.name), options, console)
        if not options.json:
            console.print(
                f"in {keys_folder()}; boxes obey it with that line in [sync] fleet_keys", style="dim", soft_wrap=True
            )
        return 0
    found = keys_in(keys_folder())
    for _path, key in found:
        if isinstance(key, OperatorKey):
            _tell(key, options, console)
        else:
            console.print(str(key), style="red", soft_wrap=True)
    if not found and not options.json:
        console.print(f"no key in {keys_folder()}: edgebox fleet keys new NAME", soft_wrap=True)
    return 0 if found and all(isinstance(key, OperatorKey) for _, key in found) else 1


def _tell(key: OperatorKey, options: argparse.Namespace, console: Console) -> None:
    role = key.role.name.lower()
    if options.json:
        print(json.dumps({"name": key.name, "role": role, "public": key.public}))
    else:
        console.print(f"{key.name}  {role}\n    {key.public}", soft_wrap=True)
