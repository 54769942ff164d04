"""Arguments made for each box: secrets sealed to it, and the list of keys that it obeys with one more or one less.

Owns: asking each box for what it takes, and what a person must compare. Never: sends a secret unsealed, or a whole
configuration that forgets what the cloud has set before.

A box's sealing key comes through the broker, which could put its own in the place of it. Whoever has the box's claim
keys can check the proof beside it (edgebox/sealed.py); an operator's tool has none, so a person compares.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from rich.console import Console

from edgebox.errors import SyncError
from edgebox.fleet import bundles, ordering
from edgebox.fleet.desk import Desk
from edgebox.sealed import seal
from sync.contract import BundleKind
from sync.contract_commands import Role
from sync.fleet_keys import OperatorKey
from sync.fleet_rollout import name_of
from sync.fleet_send import Outcome, told
from sync.fleet_topics import Place
from sync.signing import fleet_keys

KEYS = "sync.fleet_keys"


class Secret(NamedTuple):
    """What is sealed: as JSON, into the argument `field`, in the place of the arguments `names`."""

    field: str
    plain: Any
    names: frozenset[str]


async def sealed(
    desk: Desk,
    options: argparse.Namespace,
    console: Console,
    key: OperatorKey,
    places: Sequence[Place],
    secret: Secret,
    clear: Mapping[str, Any],
) -> dict[Place, bytes]:
    """The arguments, sealed where they must be, for each box that answers a ping; `clear` go as they are.

    SyncError `seal`: none answers, or a person said no.
    """
    ping = await ordering.deliver(desk, options, console, key, "ping", b"{}", places, quietly=True)
    public = {place: str(found.result.get("seal", "")) for place, found in ping.outcomes.items() if found.is_good}
    public = {place: text for place, text in public.items() if text}
    for place, text in public.items():
        console.print(f"{name_of(place)}  {text}", soft_wrap=True)
    left_out = len(places) - len(public)
    if left_out:
        console.print(f"{left_out} boxes did not tell their sealing key: nothing is sent to them")
    if not public or not ordering.agreed(options, "Are these the boxes' own sealing keys?"):
        raise SyncError("nothing was sent", reason="seal")
    plain = msgspec.json.encode(secret.plain)
    return {
        place: msgspec.json.encode({**clear, secret.field: seal(plain, theirs, options.name, place.box)})
        for place, theirs in public.items()
    }


async def change_keys(desk: Desk, options: argparse.Namespace, console: Console, key: OperatorKey) -> int:
    """`keys add LINE` and `keys revoke NAME`: at each box, with all else that the cloud has set there."""
    if key.role < Role.KEYMASTER:  # the boxes say the same (edgebox/orders/changes.py)
        words = f"whom boxes obey, a keymaster says, and {key.name} has {key.role.name.lower()}"
        raise SyncError(words, reason="authority", hint="another --key")
    if options.action == "add":
        _checked(options.name)
    places = await ordering.targets(desk, options)
    if not places:
        console.print("no box is meant")
        return 1
    got = await ordering.deliver(desk, options, console, key, "config.get", b"{}", places, quietly=True)
    each, untouched = {}, 0
    for place, outcome in got.outcomes.items():
        new, why = changed(outcome, options.action, options.name)
        if why:
            console.print(f"{name_of(place)}: {why}", markup=False)
            untouched += 1
        else:
            each[place] = _set_args(new, outcome, desk.now())
    if not each:
        return 1
    if not ordering.agreed(options, f"{options.action} {options.name.partition(':')[0]} at {len(each):,} boxes?"):
        return 1
    sent = await ordering.deliver(desk, options, console, key, "config.set", b"{}", list(each), each)
    if not sent.is_good and not options.json:
        console.print("what was changed is on trial; a box that can't be reached with it goes back", style="dim")
    return 0 if sent.is_good and not untouched else 1


def changed(outcome: Outcome, action: str, name: str) -> tuple[dict[str, Any], str]:
    """The settings that the cloud sets, with the list changed; or why there is nothing to do."""
    if not outcome.is_good:
        return {}, f"could not be asked: {told(outcome)} {outcome.words}".rstrip()
    values, owners = outcome.result.get("values", {}), outcome.result.get("set_here", {})
    keys = list(values.get(KEYS, ()))
    known = [line.partition(":")[0] for line in keys]
    if action == "add":
        if name in keys:
            return {}, "obeys it already"
        if name.partition(":")[0] in known:
            return {}, "obeys another key of that name"
        keys.append(name)
    else:
        if name not in known:
            return {}, "obeys no key of that name"
        keys = [line for line in keys if line.partition(":")[0] != name]
    ours = {setting: values[setting] for setting, owner in owners.items() if owner == "cloud" and setting in values}
    return {**ours, KEYS: keys}, ""


def _set_args(values: dict[str, Any], outcome: Outcome, now: float) -> bytes:
    content = msgspec.json.encode({"values": values})
    number = max(int(outcome.result.get("revision", 0)) + 1, bundles.revision(BundleKind.CONFIG, content, (), now))
    return msgspec.json.encode({"revision": number, "content": msgspec.Raw(content)})


def _checked(line: str) -> None:
    try:
        fleet_keys([line])
    except ValueError as fault:
        raise SyncError(f"{line!r}: expected NAME:BASE64, as keys list shows it", reason="key") from fault
