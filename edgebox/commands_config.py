"""`edgebox config check`: every fault of the configuration, with its line.

Owns: which files belong to a configuration: edgebox.toml, the printers it names, the words, the points rules, the slips
that it shows. Never: changes one. The engine itself does without a faulty rule or slip; here it is a fault.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import asdict

from edgebox.config import DEFAULT, FOLDER, load, load_lexicon
from edgebox.errors import ConfigError, EdgeboxError
from edgebox.point_rules import rules_of
from edgebox.receipt.profiles import Profile
from edgebox.scanner_check import unseen
from edgebox.settings import Config, LineSettings, SyncSettings
from edgebox.slip_shelf import filled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """check [--config F] [--set …]."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    check = verbs.add_parser("check", help="name every fault with its line (exit code 2)")
    check.add_argument("--config", type=Path, metavar="F", help="edgebox.toml (the one in /etc/edgebox)")
    check.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="overrides")


def run(options: argparse.Namespace) -> int:
    """ConfigError with all faults, or one line that says it is good."""
    from edgebox.receipt_profiles import load_profiles

    config = load(options.config, options.overrides)
    load_lexicon(config.shop.languages)
    receipts = load_profiles()
    faults = [fault for line in config.line for fault in _line_faults(line, receipts)]
    tills = Counter(line.till for line in config.line if not line.till.startswith("pty:"))
    faults += [f"two lines listen to {url}" for url, count in tills.items() if count > 1]
    faults += _scanner_faults(config)
    faults += _lamp_faults(config)
    faults += _beacon_faults(config)
    faults += _key_faults(Path(config.claims.keys))
    faults += _rule_faults(config)
    faults += _sync_faults(config.sync)
    faults += filled(config.slip.show).faults
    if faults:
        raise ConfigError("\n".join(faults), reason="bad_config")
    for warning in unseen(config):
        print(f"warning: {warning}")
    count = len(config.line)
    print(f"{options.config or DEFAULT}: good, {count} line{'' if count == 1 else 's'}")
    return 0


def _line_faults(line: LineSettings, receipts: Sequence[Profile]) -> list[str]:
    """What keeps one line from starting. Nothing is opened."""
    from drivers.registry import printer_end, till_end
    from edgebox.printers import find_printer
    from edgebox.receipt_profiles import line_needs

    faults = []
    own = Path("/etc/edgebox/printers")
    folder = own if (own / f"{line.profile}.toml").is_file() else FOLDER / "printers"
    for check in (
        lambda: find_printer(line.profile, folder),
        lambda: till_end(line.till, line.allow),
        lambda: printer_end(line.printer),
        lambda: line_needs(line, receipts),
    ):
        try:
            check()
        except EdgeboxError as fault:
            faults.append(f"line {line.name}: {fault}")
    return faults


def _rule_faults(config: Config) -> list[str]:
    try:
        rules_of(config)
    except ConfigError as fault:
        return [str(fault)]
    return []


def _scanner_faults(config: Config) -> list[str]:
    """What keeps a scanner from starting, and two that would share a device. One without ends is not used."""
    from drivers.registry import code_end, scanner_end
    from edgebox.scan.settings import ScannerSettings

    faults = []
    used = [ScannerSettings(**asdict(row)) for row in config.scanner if row.scanner or row.till]
    for row in used:
        for check in (
            lambda row=row: row.rules,
            lambda row=row: scanner_end(row.scanner),
            lambda row=row: code_end(row.till),
        ):
            try:
                check()
            except EdgeboxError as fault:
                faults.append(f"scanner {row.name}: {fault}")
    ends = Counter(end for row in used for end in (row.scanner, row.till) if not end.startswith(("pty:", "none:")))
    return faults + [f"two scanners use {url}" for url, count in ends.items() if count > 1]


def _lamp_faults(config: Config) -> list[str]:
    from drivers.base import parse_url
    from drivers.led import Lamp

    faults = []
    for url in config.desk.leds:
        try:
            Lamp(parse_url(url))
        except EdgeboxError as fault:
            faults.append(f"[desk] leds: {fault}")
    return faults


def _beacon_faults(config: Config) -> list[str]:
    """What can't be sent, and tags and zones that can't be."""
    from edgebox.beacons import sending, tags, watch

    faults = []
    for check in (
        lambda: sending.of_settings(config.beacons),
        lambda: tags.of_settings(config.beacons.tags),
        lambda: watch.zones_of(config.beacons),
    ):
        try:
            check()
        except EdgeboxError as fault:
            faults.append(str(fault))
    line = config.beacons.line
    if line and line not in {one.name for one in config.line}:
        faults.append(f"[beacons] line: there is no line {line}")
    zones = {text.partition("=")[0] for text in config.beacons.zones}
    faults += [
        f"[beacons] tags: {tag.name}: there is no zone {tag.zone}"
        for tag in config.beacons.tags
        if tag.zone and tag.zone not in zones
    ]
    if config.beacons.attach_members and watch.TILL not in zones:
        faults.append(f"[beacons] attach_members: wants a zone {watch.TILL}, to know who else stands there")
    return faults


def _sync_faults(sync: SyncSettings) -> list[str]:
    """What keeps the box from its cloud: the way there, its names, whom it obeys, and what lies in its credentials."""
    if not sync.url:
        return []
    from sync import address, credentials
    from sync.signing import fleet_keys
    from sync.topics import Topics

    faults = []
    for check in (
        lambda: credentials.load(Path(sync.credentials), tls=address.parse(sync.url).tls),
        lambda: Topics(sync.topics, tenant=sync.tenant, store=sync.store, box=sync.box),
        lambda: fleet_keys(sync.fleet_keys),
    ):
        try:
            check()
        except EdgeboxError as fault:
            faults.append(f"[sync]: {fault}")
        except ValueError as fault:
            faults.append(f"[sync] fleet_keys: {fault}")
    return faults


def _key_faults(path: Path) -> list[str]:
    """A key file that is there must be good; one that isn't there yet is no fault of the configuration."""
    from edgebox.keys import load_keys

    if not path.exists():
        return []
    try:
        load_keys(path)
    except EdgeboxError as fault:
        return [str(fault)]
    return []
