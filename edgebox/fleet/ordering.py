"""`fleet send`: one command to boxes by name or by `--where`, and what each of them says to it.

Owns: arguments as an operator types them, asking before many boxes are told something, progress. Never: sends what no
box would carry out: command, arguments and role are checked here first.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import secrets
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edgebox.errors import SyncError
from edgebox.fleet import tables, tailored
from edgebox.fleet.desk import Desk
from sync.commands import VALID_MAX_S
from sync.contract_commands import COMMANDS, SealedArgs
from sync.fleet_book import Known
from sync.fleet_keys import OperatorKey
from sync.fleet_link import Heard
from sync.fleet_rollout import name_of
from sync.fleet_send import Order, Sending, checked_args, send, told
from sync.fleet_topics import Place

SEALED = frozenset(name for name, kind in COMMANDS.items() if kind.args is SealedArgs)
CODES = "codes"  # of `coupons.add`: a list goes out sealed
_NOT_YET_SEALED = "A" * 40  # in its place while the arguments are checked
MANY = 10  # boxes; for more a person is asked
ARGS_FILE_BYTES = 192 << 10  # signed and in JSON again, it must fit a message of 256 KB


def typed_args(pairs: Sequence[str]) -> dict[str, Any]:
    """`key=value` pairs, values as TOML has them where that says something; `@FILE`: a JSON file of arguments.

    SyncError `args`.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        if pair.startswith("@"):
            found |= _from_file(Path(pair[1:]))
            continue
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise SyncError(f"{pair!r}: expected key=value", reason="args")
        try:
            found[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[key] = text
    return found


async def order(desk: Desk, options: argparse.Namespace, console: Console, key: OperatorKey) -> int:
    """`send`: to all the same, or, where the broker must not read it, sealed to each."""
    given = typed_args(options.args)
    secret = _secret(options.name, given)
    clear = {name: value for name, value in given.items() if secret is None or name not in secret.names}
    args = checked_args(options.name, {**clear, **({secret.field: _NOT_YET_SEALED} if secret else {})}, key)
    places = await targets(desk, options)
    if not places:
        console.print("no box is meant")
        return 1
    if secret is not None and secret.field == CODES and len(places) > 1:
        raise SyncError("codes are for one box: printed by two, a customer's would be refused", reason="args")
    if len(places) > MANY and not agreed(options, f"Send {options.name} to {len(places):,} boxes?"):
        return 1
    each: Mapping[Place, bytes] = {}
    if secret is not None:
        each = await tailored.sealed(desk, options, console, key, places, secret, clear)
    sending = await deliver(desk, options, console, key, options.name, args, list(each) or places, each)
    if options.out is not None:
        _save_chunks(sending, options.out, console)
    return 0 if sending.is_good else 1


def _secret(name: str, given: Mapping[str, Any]) -> tailored.Secret | None:
    """What of the arguments the broker must not read, where it isn't sealed yet."""
    if name in SEALED and "sealed" not in given:
        return tailored.Secret("sealed", given, frozenset(given))
    if name == "coupons.add" and isinstance(given.get(CODES), list):
        return tailored.Secret(CODES, given[CODES], frozenset({CODES}))
    return None


async def deliver(
    desk: Desk,
    options: argparse.Namespace,
    console: Console,
    key: OperatorKey,
    name: str,
    args: bytes,
    places: Sequence[Place],
    each: Mapping[Place, bytes] | None = None,
    *,
    quietly: bool = False,
) -> Sending:
    """Sends it, waits for answers, and tells of them unless `quietly`."""
    if not 0 < options.expires <= VALID_MAX_S:
        raise SyncError(f"--expires: at most {VALID_MAX_S // 86_400} days", reason="args")
    now = int(desk.now())
    who = options.by or desk.settings.by
    tenant, expires = desk.settings.tenant, now + options.expires
    sending = Sending(Order(secrets.token_hex(8), name, args, tenant, who, now, expires, each or {}), places)

    def hear(heard: Heard, _known: Known | None) -> None:
        sending.heard(heard)

    desk.ears.append(hear)
    with _progress(console) as progress:
        task = progress.add_task(name, total=len(places))

        def tell() -> None:
            progress.update(task, completed=len(places) - sending.open)

        await send(desk.link, key, sending, options.answers, desk.now, tell)
    desk.ears.remove(hear)
    if not quietly:
        _print(sending, options, console)
    return sending


async def targets(desk: Desk, options: argparse.Namespace) -> list[Place]:
    """The boxes of `--to` or `--where`."""
    if options.to is None and options.where is None:
        raise SyncError("which boxes?", reason="args", hint="--to BOX,BOX or --where EXPRESSION, as --where online")
    if options.where is not None:
        desk.chosen(options.where)
        await desk.gather(options.wait)
        return [one.place for one in desk.chosen(options.where)]
    names = [name for name in options.to.split(",") if name]
    if not all("/" in name for name in names):
        await desk.gather(options.wait)
    return desk.named(names)


def agreed(options: argparse.Namespace, question: str) -> bool:
    """A person says yes, or `--yes` did."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise SyncError(question, reason="ask", hint="--yes says so")
    print(question, "[y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


# -- inside


def _progress(console: Console) -> Progress:
    """On standard error and only for a person."""
    bars = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=bars,
        transient=True,
        disable=not bars.is_terminal or not console.is_terminal,
    )


def _print(sending: Sending, options: argparse.Namespace, console: Console) -> None:
    if options.json:
        for place, outcome in sending.outcomes.items():
            said = {
                "box": name_of(place),
                "state": told(outcome),
                "words": outcome.words,
                "result": dict(outcome.result),
            }
            print(json.dumps({"id": sending.order.id, **said}, ensure_ascii=False))
        return
    tables.show(console, tables.sending_table(sending))
    console.print(f"{sending.order.command} {sending.order.id}: {tables.sending_words(sending)}", style="dim")
    if sending.open:
        minutes = max(0, sending.order.expires - sending.order.issued) // 60
        console.print(
            f"who did not answer may still do it until it expires, {minutes} minutes after it was sent", style="dim"
        )


def _save_chunks(sending: Sending, folder: Path, console: Console) -> None:
    """What came in pieces (diag.bundle), as a file for each box."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, chunks in sending.chunks.items():
        wanted = sending.outcomes[place].result.get("chunks", 0)
        name = name_of(place).replace("/", "-")
        if sorted(chunks) != list(range(wanted)):
            console.print(f"{name}: {len(chunks)} of {wanted} pieces came: not written")
            continue
        try:
            data = b"".join(base64.b64decode(chunks[number], validate=True) for number in range(wanted))
        except binascii.Error:
            console.print(f"{name}: the pieces are not base64: not written")
            continue
        path = folder / f"{name}-{sending.order.id}.tar.gz"
        path.write_bytes(data)
        console.print(f"{path}: {len(data):,} bytes")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
        table = json.loads(raw)
    except OSError as fault:
        raise SyncError(f"{path}: {fault.strerror}", reason="args") from fault
    except (ValueError, RecursionError) as fault:
        raise SyncError(f"{path}: {fault}", reason="args") from fault
    if not isinstance(table, dict) or len(raw) > ARGS_FILE_BYTES:
        raise SyncError(f"{path}: expected a JSON object of at most {ARGS_FILE_BYTES >> 10} KB", reason="args")
    return table
