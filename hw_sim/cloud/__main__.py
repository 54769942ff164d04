"""`python -m hw_sim.cloud`: the cloud stand-in by hand, for a box that one has at hand.

Owns: its arguments, and the words on the terminal. It enrolls the boxes that are named, writes for each what it needs
(a folder with password or certificate, claim keys, the [sync] section), and then says what comes, until Ctrl-C.

    python -m hw_sim.cloud --folder var/cloud --box box-1 --box box-2 --port 1883
    python -m hw_sim.cloud --folder var/cloud --box box-1 --misbehave delay --share 0.5
    python -m hw_sim.cloud --folder var/cloud --box box-1 --access certificate --claim batch-1
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from edgebox.errors import EdgeboxError
from hw_sim.cloud.broker import Access, Broker, BrokerMissingError
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.misbehaviour import Mode
from hw_sim.cloud.registry import Box, Place, Shop
from sync.contract import Row

SHOWN_CHARS = 100  # of an event, so that a line is a line
LOOK_S = 1.0  # between looks for boxes that come and go


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All of them."""
    parser.add_argument(
        "--folder", type=Path, default=Path("var/cloud"), help="database, keys, broker; default var/cloud"
    )
    parser.add_argument("--box", action="append", metavar="NAME", help="enroll a box; again for more. Default box-1")
    parser.add_argument("--tenant", default="demo")
    parser.add_argument("--store", default="shop-1", help="the shop's name in topics")
    parser.add_argument("--shop", type=int, default=1, metavar="N", help="the shop's number in claims")
    parser.add_argument("--name", default="Demo shop", help="the shop's name on the phone's page")
    parser.add_argument("--port", type=int, default=0, help="of the broker; default: a free one")
    parser.add_argument("--page-port", type=int, default=0, help="of the phone's page; default: a free one")
    parser.add_argument("--access", choices=list(Access), type=Access, default=Access.PASSWORD)
    parser.add_argument("--claim", metavar="BATCH", help="with --access certificate: a claim for new boxes")
    parser.add_argument("--misbehave", choices=list(Mode), type=Mode, default=Mode.NOTHING)
    parser.add_argument("--share", type=float, default=1.0, help="how often, 0 to 1")
    parser.add_argument("--delay-ms", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the misbehaviour")
    parser.add_argument(
        "--for", type=float, default=0.0, dest="seconds", metavar="S", help="end by itself after S seconds"
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs the cloud."""
    parser = argparse.ArgumentParser(prog="python -m hw_sim.cloud", description="A stand-in for the merchant's cloud.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        with (
            Broker(options.folder / "broker", access=options.access, port=options.port) as broker,
            Cloud(options.folder, broker, seed=options.seed, page_port=options.page_port) as cloud,
        ):
            enroll(cloud, options)
            if options.claim:
                give_claim(cloud, options)
            cloud.misbehave(options.misbehave, share=options.share, delay_ms=options.delay_ms)
            watch(cloud, options.seconds)
    except (BrokerMissingError, EdgeboxError, OSError, ValueError) as fault:
        print(f"cloud: {fault}", file=sys.stderr)
        return 1
    return 0


def give_claim(cloud: Cloud, options: argparse.Namespace) -> None:
    """What boxes out of the carton ask with for a certificate of their own. ValueError: the broker wants none."""
    if cloud.enrolment is None:
        raise ValueError("--claim wants --access certificate")
    folder = (options.folder / "claim").resolve()
    cloud.batch(options.claim, folder)
    fleet_keys = ", ".join(f'"{key}"' for key in cloud.signer.fleet_keys)
    print(f'{options.claim}: claim = "{folder}", fleet_keys = [{fleet_keys}] in [cloud] of the answers', flush=True)


def enroll(cloud: Cloud, options: argparse.Namespace) -> None:
    """Takes the boxes in and says what each needs."""
    assert cloud.page is not None, "asked for"
    for device, name in enumerate(options.box or ["box-1"], 1):
        box = cloud.enroll(Place(options.tenant, options.store, name), Shop(options.shop, options.name), device)
        folder = (options.folder / "boxes" / name).resolve()
        cloud.furnish(box, folder, folder / "keys.toml")
        section = cloud.sync_section(box, folder) + f'\n[claims]\nkeys = "{folder / "keys.toml"}"\n'
        (folder / "edgebox.part.toml").write_text(section, "utf-8")
        print(f"{name}: put {folder / 'edgebox.part.toml'} into its edgebox.toml")
    print(
        f"Broker {cloud.broker.url if cloud.broker else ''}, page {cloud.page.address()}C/…. Ctrl-C ends.", flush=True
    )


def watch(cloud: Cloud, seconds: float) -> None:
    """Says what comes, until Ctrl-C or for so long."""
    talking = threading.Lock()

    def say(words: str) -> None:
        with talking:
            print(time.strftime("%H:%M:%S"), words, flush=True)

    def came(box: Box, stream: str, row: Row) -> None:
        text = bytes(row.event).decode("utf-8", "replace")
        say(f"{box.name} {stream} {row.seq} {text[:SHOWN_CHARS]}{'…' if len(text) > SHOWN_CHARS else ''}")

    cloud.consumer.on_row = came
    until = time.monotonic() + seconds if seconds else float("inf")
    there: set[str] = set()
    alarms = len(cloud.ledger.alarms())
    try:
        while time.monotonic() < until:
            cloud.wait(lambda: False, min(LOOK_S, max(0.0, until - time.monotonic())))
            now = {name for name in cloud.registry.boxes if cloud.fleet.is_online(name)}
            for name in sorted(now ^ there):
                say(f"{name} is {'online' if name in now else 'gone'}")
            there = now
            for alarm in cloud.ledger.alarms()[alarms:]:
                alarms += 1
                say(f"{alarm.box} ALARM {alarm.kind}: {alarm.words}")
    except KeyboardInterrupt:
        print()
    for mark in cloud.ledger.marks():
        gaps = f", missing {mark.missing}" if mark.missing else ""
        print(f"{mark.box} {mark.epoch} {mark.stream}: through {mark.through}{gaps}, {mark.duplicates} came twice")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the broker must not stay behind
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    sys.exit(main())
