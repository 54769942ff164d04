"""The engine's process: settings, log, signals, memory; and how it begins anew when the fleet wants it to.

Owns: what surrounds the engine. Never: does an engine's work. A restart is an exec: same process id, so whoever started
it (systemd, `make run`) sees no end; the lines keep their documents for that second and print on.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgebox import overlay
from edgebox.alive import Alive
from edgebox.beacons.radio import Radio
from edgebox.bypass import Bypass
from edgebox.campaign_book import CampaignBook
from edgebox.cards import Cards
from edgebox.cloud import CloudLink
from edgebox.config import DEFAULT, load, parse, text_of
from edgebox.desk.invoice_titles import InvoiceTitles
from edgebox.engine import Engine
from edgebox.errors import ConfigError, EdgeboxError, StoreError
from edgebox.feedback import Feedback
from edgebox.keys import load_keys
from edgebox.line.daemon import become_urgent
from edgebox.log_tail import LogTail
from edgebox.loyalty.keyring import Keyring
from edgebox.pulse import Pulse
from edgebox.scan.codes import Kind
from edgebox.scan_desk import ScanDesk
from edgebox.settings import Config
from edgebox.slip_book import SlipBook

if TYPE_CHECKING:
    from edgebox.beacons.watch import BeaconWatch
    from edgebox.orders.orders import Orders

log = logging.getLogger("edgebox")

PASSING = ("disk", "io", "corrupt")  # reasons why the store can't be opened that end without another installation
AGAIN_S = 2.0  # until the store is tried again; twice as long each time,
AGAIN_MAX_S = 60.0  # up to this: a look at a database takes 3 s of a card at most (edgebox/store/checkup.py)
PRIORITY = -5  # behind the lines (-10), before all else: a customer waits for its answer


def serve(path: Path | None, overrides: Sequence[str]) -> int:
    """Until it is told to stop, or to begin anew. EdgeboxError when it can't start."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    _count_trial(path, overrides)
    config = load(path, overrides)
    logging.getLogger().setLevel(config.log.level.upper())
    become_urgent(PRIORITY)
    if asyncio.run(run(config, path, overrides)):
        log.info("beginning anew")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    return 0


def checked(path: Path | None, overrides: Sequence[str]) -> str:
    """What a start would come to: configuration, libraries, rules, slips, profiles. EdgeboxError: to nothing.

    Opens neither store nor socket: an engine may be running. Missing claim keys are no fault: it runs without slips.
    """
    config = load(path, overrides)
    engine = Engine(config, load_keyring(config))
    furnish(engine)
    engine.warm()
    lines = ", ".join(line.name for line in config.line) or "none"
    slips = "with slips" if engine.decisions.awards.keys is not None else "without slips"
    return f"ready: lines {lines}, {slips}"


async def run(config: Config, path: Path | None = None, overrides: Sequence[str] = ()) -> bool:
    """Until SIGTERM or SIGINT: false; or until the fleet wants another run: true."""
    engine = Engine(config, load_keyring(config))
    furnish(engine)
    orders: Orders | None = None
    cloud: CloudLink | None = None
    stop, wants_another = asyncio.Event(), asyncio.Event()

    def restart() -> None:
        wants_another.set()
        stop.set()

    async def obey() -> None:
        """Rules and slips of the fleet are there before the first receipt is."""
        nonlocal orders
        orders = await take_orders(engine, path, overrides, restart)

    told = Told(engine)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        if not await started(engine, obey, stop):
            return False
        assert engine.store is not None, "just opened"
        cloud = _cloud(engine, orders)
        cloud.start(engine.store)
        if engine.config.sync.url:
            engine.desk.use_cloud(cloud)
        log.info("listening on %s, recording in %s", config.engine.socket, config.engine.data)
        gc.collect()
        gc.freeze()  # what is here now stays
        gc.disable()  # the rest is collected by the engine itself, when no receipt is on its way
        await stop.wait()
    finally:
        told.stop()
        if engine.settings is not None:
            await engine.settings.close()
        if orders is not None:
            await orders.close()
        if cloud is not None:
            await cloud.stop()
        await engine.stop()
    return wants_another.is_set()


def furnish(engine: Engine) -> None:
    """Gives the engine the parts that live in it besides the lines and the desk."""
    if engine.config.web.listen or engine.config.sync.url:
        engine.parts.append(LogTail())
    engine.parts.append(Bypass(engine))
    scans = ScanDesk(engine)
    scans.handlers.update(engine.desk.services.handlers)
    engine.listeners.append(scans.receipt)
    titles = InvoiceTitles(engine)
    engine.parts.append(titles)
    scans.handlers[Kind.INVOICE_TITLE] = titles.scanned
    feedback = Feedback(engine)
    engine.parts.append(feedback)
    scans.on_said = feedback.said
    engine.parts.append(scans)  # behind those who work for it: it ends before they do
    engine.parts.append(CampaignBook(engine))
    engine.parts.append(SlipBook(engine))
    cards = Cards(engine)
    engine.parts.append(cards)
    engine.listeners.append(cards.recorded)
    radio = Radio(engine)
    if engine.config.beacons.scan:
        watch_beacons(engine, radio)
    engine.parts.append(radio)
    engine.parts.append(Pulse(engine))
    if engine.config.web.listen:
        from edgebox.web.part import ManagersPage  # 12 MB that a box without a page doesn't pay for

        engine.parts.append(ManagersPage(engine))


class Told:
    """Tells systemd that the loop turns and the store answers. A disk that refuses does answer; one that hangs doesn't.

    Ready from the start: a store that can't be opened yet is waited for (`started`), and nobody waits for us. While it
    is being opened, which may take minutes behind an unclean stop, the loop's turning is enough.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._alive = Alive()
        self._alive.ready()
        self._task = asyncio.get_running_loop().create_task(self._tell())

    def stop(self) -> None:
        """The end has begun."""
        self._task.cancel()
        self._alive.stopping()
        self._alive.close()

    async def _tell(self) -> None:
        while self._alive.every_s:
            await asyncio.sleep(self._alive.every_s)
            if self._engine.store is not None:
                with contextlib.suppress(StoreError):
                    await self._engine.store.read(lambda db: db.execute("SELECT 1").fetchone())
            self._alive.worked(time.monotonic())


async def started(engine: Engine, obey: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
    """The engine runs; false: it was told to stop before. `obey`: as Engine.start. EdgeboxError.

    A store that can't be opened now, on a full disk or a card that fails, is tried again: the lines print on without
    slips, and keep their last documents until the engine is there. Ending would help nobody: who starts it again does
    so a few times in a row, and then no more (systemd.unit(5), StartLimitBurst).
    """
    wait_s = AGAIN_S
    while True:
        try:
            await engine.start(obey)
        except StoreError as fault:
            if engine.store is not None or fault.reason not in PASSING:
                raise
            log.error("nothing can be recorded, the shop prints without slips: %s: %s", fault.reason, fault)
        else:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
            return False
        wait_s = min(2 * wait_s, AGAIN_MAX_S)


async def take_orders(
    engine: Engine, path: Path | None, overrides: Sequence[str], restart: Callable[[], None]
) -> Orders | None:
    """What the fleet has set is in force, and what it commands is done. None: no cloud, or a fault, which is said.

    Without a cloud nothing of it is loaded: the ciphers alone cost 5 MB.
    """
    if not engine.config.sync.url:
        await _take_settings(engine, path, overrides, restart)
        return None
    from edgebox.orders.box import system_clocks
    from edgebox.orders.changes import Source
    from edgebox.orders.orders import Orders

    assert engine.store is not None, "started"
    tail = next((part for part in engine.parts if isinstance(part, LogTail)), LogTail())
    try:
        source = Source(path, overrides)
        orders = Orders(engine, engine.store, source, clocks=system_clocks(), restart=restart, tail=tail)
        await orders.open()
    except EdgeboxError as fault:  # the shop goes on without them
        engine.fault("orders", f"{fault.reason}: {fault}")
        return None
    except Exception as fault:  # and with a bug in them
        engine.fault("orders", f"not taken: {type(fault).__name__}", fault)
        return None
    engine.settings, engine.orders = orders.settings, orders
    return orders


async def _take_settings(
    engine: Engine, path: Path | None, overrides: Sequence[str], restart: Callable[[], None]
) -> None:
    """Settings that the page may change. A box without cloud and page has nobody to change any."""
    if not engine.config.web.listen:
        return
    from edgebox.orders.alone import begin
    from edgebox.orders.changes import Source

    try:
        engine.settings = await begin(engine, Source(path, overrides), restart)
    except EdgeboxError as fault:
        engine.fault("settings", f"{fault.reason}: {fault}")


def load_keyring(config: Config) -> Keyring | None:
    """The box's keys, or None with a word in the log: without keys it reads and records, but prints no slips."""
    try:
        return load_keys(Path(config.claims.keys))
    except ConfigError as fault:
        log.error("no slips: %s", fault)
        return None


def _cloud(engine: Engine, orders: Orders | None) -> CloudLink:
    def lines() -> Mapping[str, str]:
        return dict.fromkeys(engine.lines, "connected")

    def revisions() -> Mapping[str, int]:
        return orders.bundles.revisions() if orders is not None else {}

    return CloudLink(
        engine.config.sync, engine.fault, health=engine.health, lines=lines, revisions=revisions, orders=orders
    )


def _count_trial(path: Path | None, overrides: Sequence[str]) -> None:
    """Settings on trial get one start; the second goes back to those before. A fault here is `load`'s to tell."""
    source = path or DEFAULT
    data = Path(parse(text_of(source), str(source), overrides).engine.data)
    try:
        overlay.start(data)
    except ConfigError as fault:
        log.error("%s", fault)
    except OSError as fault:
        log.error("a start on trial could not be counted: %s", fault.strerror)


def watch_beacons(engine: Engine, radio: Radio) -> BeaconWatch:
    """What the radio hears becomes visits, a table for people, and who is at the till."""
    from edgebox.beacons.watch import BeaconWatch
    from edgebox.beacons.window import Window

    watch = BeaconWatch(engine, engine.decisions.at_till)
    watch.on_spaces = radio.listen
    radio.listeners.append(watch)
    window = Window(Path(engine.config.engine.socket), watch, group=engine.config.engine.group)
    window.state = lambda: "" if radio.listening_stands()[0] == "ok" else radio.listening_stands()[1]
    engine.parts += [watch, window]
    return watch
