"""`edgebox fleet`: the operator's command line, for all boxes of one merchant.

Owns: verbs, arguments, exit codes. Never: what a verb does (edgebox/fleet). docs/fleet.md tells people the same.

Exit codes: 0 done, and all is well; 1 something is not (a box refused, a rollout stopped, verify found something);
2 it could not be tried (no broker, no key, a bad argument); 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgebox.store.events import Stream
from sync.contract import BundleKind
from sync.rollout import MORE_PCT, RECEIPTS_MIN, StopRule

WAIT_S = 2.0  # a broker that keeps messages has told all of them by then
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_span = re.compile(r"([0-9]{1,9})([smhd]?)").fullmatch
Parser = argparse.ArgumentParser


def add_arguments(parser: Parser) -> None:
    """The verbs."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _ls(_verb(verbs, "ls", "the boxes and how they are"))
    _watch(_verb(verbs, "watch", "the same, as it changes"))
    _verb(verbs, "show", "all that is known of one box").add_argument("box", metavar="BOX")
    _tail(_verb(verbs, "tail", "rows of a box as they come"))
    _send(_verb(verbs, "send", "a command to boxes", signs=True))
    _rollout(_verb(verbs, "rollout", "a bundle in waves", signs=True))
    _verb(verbs, "rollouts", "the rollouts there are")
    _verify(_verb(verbs, "verify", "has the cloud all that the boxes recorded?"))
    _keys(_verb(verbs, "keys", "your signing keys, and which ones boxes obey", signs=True))


def run(options: argparse.Namespace) -> int:
    """One verb. SyncError."""
    from rich.console import Console

    from edgebox.fleet import settings

    console = Console(highlight=False, markup=False)  # "[sync]" is a word, and what boxes say is only text
    names = ("url", "tenant", "topics", "user", "credentials", "client", "key", "by")
    flags = {name: getattr(options, name, None) for name in names}
    found = settings.load(flags, os.environ, options.config)
    if options.verb == "keys" and options.action in ("list", "new"):
        from edgebox.fleet import keyring

        return keyring.keys(found, options, console)
    if options.verb == "rollouts":
        from edgebox.fleet import rolling

        return rolling.listed(console, as_json=options.json)
    return asyncio.run(_on_the_broker(found, options, console))


async def _on_the_broker(found: Any, options: argparse.Namespace, console: Any) -> int:
    from edgebox.fleet import checking, looking, ordering, rolling, tailored
    from edgebox.fleet.desk import Desk

    verbs: dict[str, Callable[..., Any]] = {
        "ls": looking.ls,
        "watch": looking.watch,
        "show": looking.show,
        "tail": looking.tail,
        "send": ordering.order,
        "rollout": rolling.rollout,
        "verify": checking.verify,
        "keys": tailored.change_keys,
    }
    key = (found.signing_key(),) if options.verb in ("send", "rollout", "keys") else ()
    async with Desk(found) as desk:
        code: int = await verbs[options.verb](desk, options, console, *key)
        return code


# -- arguments


def seconds(text: str) -> int:
    """`90`, `90s`, `10m`, `2h`, `1d`."""
    match = _span(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a span like 90s, 10m, 2h or 1d")
    return int(match[1]) * _UNITS[match[2]]


def _sizes(text: str) -> list[int]:
    """`1,10,100`."""
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = [0]
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers of boxes like 1,10,100")
    return sizes


def _rules(text: str) -> list[str]:
    """`abstain,miss,health`, or `none`."""
    rules = [] if text == "none" else text.split(",")
    if unknown := [rule for rule in rules if rule not in list(StopRule)]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: expected some of {', '.join(StopRule)}, or none")
    return rules


def _verb(verbs: Any, name: str, words: str, *, signs: bool = False) -> Parser:
    parser: Parser = verbs.add_parser(name, help=words, description=words, allow_abbrev=False)
    parser.set_defaults(verb=name)
    where = parser.add_argument_group("the fleet; else EDGEBOX_FLEET_URL, …, or ~/.config/edgebox/fleet.toml")
    where.add_argument("--config", type=Path, metavar="F", help="another fleet.toml")
    where.add_argument("--url", help="the broker: mqtts://host:8883")
    where.add_argument("--tenant", help="the merchant")
    where.add_argument("--topics", help="what every topic begins with")
    where.add_argument("--user", help="for brokers that want a name")
    where.add_argument("--credentials", metavar="DIR", help="folder with ca.crt, client.crt, client.key, password")
    where.add_argument("--client", metavar="ID", help="MQTT client id, where the broker wants a certain one")
    where.add_argument("--wait", type=seconds, default=WAIT_S, metavar="S", help="listen for boxes so long (2s)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    if signs:
        where.add_argument("--key", help="key file, or a key's name: what to sign with")
        where.add_argument("--by", help="who you are, for the audit")
        parser.add_argument("--yes", action="store_true", help="don't ask")
    return parser


def _ls(parser: Parser) -> None:
    parser.add_argument("--where", default="", metavar="EXPR", help="as 'online and backlog > 100'")


def _watch(parser: Parser) -> None:
    _ls(parser)
    parser.add_argument("--for", dest="seconds", type=seconds, default=0, metavar="S", help="then end")


def _tail(parser: Parser) -> None:
    parser.add_argument("box", metavar="BOX")
    parser.add_argument("stream", nargs="?", default="receipts", choices=[stream.value for stream in Stream])
    parser.add_argument("--for", dest="seconds", type=seconds, default=0, metavar="S", help="then end")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="end after so many rows")


def _send(parser: Parser) -> None:
    parser.add_argument("name", metavar="COMMAND", help="as ping; docs/commands.md lists them")
    parser.add_argument("args", nargs="*", metavar="KEY=VALUE", help="its arguments; @FILE: from JSON")
    parser.set_defaults(rest="args")  # also behind the options
    _whom(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to put what comes in pieces (diag.bundle)")


def _whom(parser: Parser) -> None:
    whom = parser.add_mutually_exclusive_group()
    whom.add_argument("--to", metavar="BOX,…", help="BOX or STORE/BOX")
    whom.add_argument("--where", metavar="EXPR", help="as 'version ~ 1.2.*'")
    parser.add_argument("--expires", type=seconds, default=600, metavar="S", help="not done afterwards (10m)")
    parser.add_argument("--answers", type=seconds, default=30, metavar="S", help="wait for them so long (30s)")


def _rollout(parser: Parser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="TOML, or the bundle's content as JSON")
    parser.add_argument("--kind", choices=[kind.value for kind in BundleKind], default="rules")
    parser.add_argument("--revision", type=int, default=0, metavar="N", help="the rules' rev, else the day's next")
    parser.add_argument("--where", default="online", metavar="EXPR", help="which boxes (online)")
    parser.add_argument("--waves", type=_sizes, default=[1, 10, 100], metavar="N,…", help="boxes in each (1,10,100)")
    rules = list(StopRule)
    parser.add_argument("--stop-on", type=_rules, default=rules, metavar="RULE,…", help="abstain,miss,health or none")
    parser.add_argument("--lead", type=seconds, default=60, metavar="S", help="from sending to being in force (60s)")
    parser.add_argument("--watch", type=seconds, default=600, metavar="S", help="look at each wave so long (10m)")
    parser.add_argument("--patience", type=seconds, default=2400, metavar="S", help="at most, with few receipts (40m)")
    parser.add_argument("--receipts", type=int, default=RECEIPTS_MIN, metavar="N", help="enough to judge by (20)")
    parser.add_argument("--more", type=int, default=MORE_PCT, metavar="PCT", help="points of a hundred that stop (10)")
    parser.add_argument("--failures", type=int, default=0, metavar="N", help="boxes that may fail (0)")
    parser.add_argument("--on-stop", choices=("ask", "leave", "rollback"), default="ask", help="boxes that run it then")
    parser.add_argument(
        "--previous", type=Path, metavar="FILE", help="what to go back to, if it was not sent from here"
    )
    parser.add_argument("--resume", default="", metavar="ID", help="one that was interrupted, as rules-43")
    parser.add_argument("--go-on", action="store_true", help="with --resume: next wave, though it stopped")


def _verify(parser: Parser) -> None:
    _ls(parser)
    parser.add_argument("--ledger", type=Path, metavar="F", help="the cloud's export, a JSON object a line")


def _keys(parser: Parser) -> None:
    parser.add_argument("action", choices=("list", "new", "add", "revoke"), nargs="?", default="list")
    words = "new: its role stands in it, as operator-anna; add: NAME:BASE64 as list shows it; revoke: NAME"
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help=words)
    _whom(parser)
