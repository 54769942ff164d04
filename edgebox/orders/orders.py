"""What each command of the fleet does on this box: the table, and the desks that do it.

Owns: which command goes to which desk, and the order in which the desks open and close. Never: believes a message
(sync/commands.py), keeps a step (sync/jobs.py), or does anything by itself. docs/commands.md says what each does.

`Orders.jobs` is what the uplink hands messages to; `link` is the uplink, set once it is there. A box without a cloud
has orders too: what was set before is in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from edgebox import sealed
from edgebox.desk.desk import Desk
from edgebox.envelope import Envelopes
from edgebox.errors import ConfigError
from edgebox.log_tail import LogTail
from edgebox.loyalty.keyring import Keyring
from edgebox.orders import contents, tags, uses
from edgebox.orders.box import BoxDesk, Clocks
from edgebox.orders.bundles import Bundles
from edgebox.orders.changes import Source
from edgebox.orders.config import Patience, Settings, Vitals
from edgebox.orders.coupons import CouponDesk, Pools
from edgebox.orders.diag import DiagDesk
from edgebox.orders.keys import KeyDesk
from edgebox.orders.paper import PaperDesk, Printers
from edgebox.orders.prints import PrintDesk
from edgebox.orders.updates import Means, UpdateDesk
from edgebox.orders.uses import Reads
from edgebox.own_secret import own_secret
from edgebox.parts import Part
from edgebox.print_jobs.job import PrintJob
from edgebox.print_jobs.press_room import PressRoom
from edgebox.print_jobs.print_jobs import PrintJobs
from edgebox.store.events import HealthRecord, Stream
from edgebox.store.places import EPOCH_MAX, span
from edgebox.store.store import Store
from sync.bundles import Held
from sync.commands import Address, Moment
from sync.contract import BundleKind, Reply, Reported
from sync.contract_commands import RollbackArgs
from sync.jobs import Doing, Handler, Jobs
from sync.signing import FleetKey, fleet_keys
from sync.steps import Ended

log = logging.getLogger("edgebox.orders")

UNSENT_MAX = 64  # replies that wait for the uplink at the start; the oldest goes, its step is in the stream of jobs
_NEWEST = "SELECT body FROM journal WHERE place BETWEEN ? AND ? AND body IS NOT NULL ORDER BY place DESC LIMIT ?"


class Box(Printers, Reads, Protocol):
    """The engine, as far as the fleet can ask something of it."""

    counters: Any
    desk: Desk
    parts: list[Part]

    def warm(self) -> None:
        """A receipt read, a claim minted, a slip composed."""

    def fault(self, line: str, what: str) -> None:
        """Counted, and said."""


class Link(Protocol):
    """The uplink. `envelopes`: what questions are closed with."""

    envelopes: Any

    @property
    def is_connected(self) -> bool:
        """The broker has let us in."""

    @property
    def is_heard(self) -> bool:
        """And it refuses neither what we say nor to let us listen."""

    def reply(self, reply: Reply, response_topic: str | None = None, correlation: bytes | None = None) -> None:
        """Sends a step of a command."""

    def report(self, reported: Reported) -> None:
        """Sends which bundles are in force."""

    async def resend(self, stream: str, epoch: str, first: int, last: int) -> bool:
        """Rows once more."""


class Orders:
    """All desks of one box. `restart` ends this process so that another begins; `clocks`: what time it is."""

    def __init__(
        self,
        engine: Box,
        store: Store,
        source: Source,
        *,
        clocks: Callable[[], Clocks],
        restart: Callable[[], None],
        tail: LogTail | None = None,
        patience: Patience = Patience(),  # noqa: B008 - immutable
    ) -> None:
        """ConfigError: the box's own key can't be read or made; blocks for it."""
        config = engine.config
        self._link: Link | None = None
        self._unsent: deque[tuple[Reply, str | None, bytes | None]] = deque(maxlen=UNSENT_MAX)
        self._engine = engine
        self._store = store
        self._clocks = clocks
        self._restart = restart
        self._box = config.sync.box
        self._seal = sealed.SealKey.load(Path(config.engine.data))
        here = Address(config.sync.tenant, config.sync.store, config.sync.box)
        self.jobs = Jobs(here, _keys(config.sync.fleet_keys), store, self._reply, self._moment)
        data = Path(config.engine.data)
        self.settings = Settings(data, source, self, restart, patience)
        self.bundles = Bundles(store, contents.rejected, lambda: self.jobs.now)
        pools = Pools(self._seal, self._box, engine.decisions.stock, self._now)
        self.coupons = CouponDesk(store, pools, lambda: engine.desk.settlement, lambda: engine.desk.shifts)
        engine.desk.coupon_title, engine.desk.is_revoked = self.coupons.title, self.coupons.is_revoked
        self.paper = PaperDesk(engine, store, self._now)
        room = PressRoom(engine, self._now)
        self.print_jobs = PrintJobs(
            room, lambda: own_secret(data), lambda: self.jobs.now, self._paper_told, engine.fault
        )
        self._prints = PrintDesk(self.print_jobs, lambda: self.jobs)
        self._keys = KeyDesk(config, self._box, self._seal, self.settings, self._use_keys, self._now)
        self._own = BoxDesk(
            version=importlib.metadata.version("edgebox"),
            data=data,
            clocks=clocks,
            seal=self.seal,
            resend=self._resend,
            restart=restart,
        )
        self.updates = UpdateDesk(
            Means(
                facts=store,
                data=data,
                version=importlib.metadata.version("edgebox"),
                credentials=Path(config.sync.credentials),
                now=self._now,
                finish=self.jobs.finish,
            )
        )
        self._diag = DiagDesk(tail or LogTail(), self._about, self._counters, self._configured, self._health)
        self._task: asyncio.Task[None] | None = None
        self._wire()

    # -- life

    async def open(self) -> None:
        """What was set is in force again; what was open is ended; then commands are taken. StoreError."""
        await self.paper.open()
        await self.coupons.open()
        await asyncio.to_thread(self.settings.open)
        ended: dict[str, Ended | None] = {}

        def how(held: Held) -> Held:
            ended.update(self.settings.ends(held))
            return self.settings.after_restart(held)

        await self.bundles.open(how, self.settings.at_least)
        ended = {**self.settings.ends(Held()), **ended, **await self.updates.open()}
        try:
            await self.print_jobs.open(self._store)
            ended |= self._prints.open_commands()
        except ConfigError as fault:  # no secret to close papers with: all else is obeyed
            self._engine.fault("print jobs", str(fault))
        await self.jobs.open(ended, self._store.epoch)
        await self.settings.told()
        self.settings.begin()
        self.bundles.on_change = self.report
        self._task = asyncio.create_task(self.bundles.run())
        self.print_jobs.begin()
        self.updates.begin()
        self.report()

    async def close(self) -> None:
        """Lets go; a command in the middle is told as interrupted at the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.print_jobs.stop()
        await self.updates.close()
        await self.settings.close()
        await self.jobs.close()
        self._own.close()

    # -- what is told

    @property
    def link(self) -> Link | None:
        """The way to the cloud."""
        return self._link

    @link.setter
    def link(self, link: Link | None) -> None:
        self._link = link
        if link is not None:
            link.envelopes = Envelopes(self._box, lambda: self._engine.awards.keys)

    def report(self) -> None:
        """Which bundles are in force, to the cloud; and what ended before there was a way to it."""
        if self.link is not None:
            while self._unsent:
                self.link.reply(*self._unsent.popleft())
            seal, proof = self.seal()
            bundles = self.bundles.report()
            self.link.report(Reported(box=self._box, at=self._now(), bundles=bundles, seal=seal, seal_proof=proof))

    async def _resend(self, stream: str, epoch: str, first: int, last: int) -> bool:
        return self.link is not None and await self.link.resend(stream, epoch, first, last)

    def seal(self) -> tuple[str, str]:
        """The box's public key, and the proof that it is."""
        return self._seal.public, sealed.proof(self._seal.public, self._box, self._engine.awards.keys)

    def vitals(self) -> Vitals:
        """What is well now."""
        link = self.link
        return Vitals(
            frozenset(self._engine.lines),
            cloud=link is not None and link.is_connected,
            heard=link is not None and link.is_heard,
        )

    def warm(self) -> None:
        """A receipt read, a claim minted, a slip composed."""
        self._engine.warm()

    # -- the table

    def _wire(self) -> None:
        self.jobs.handlers = self._handlers()
        self.jobs.take_bundle = self.bundles.offer
        self.bundles.finish = self.jobs.finish
        hearing = tags.users(self._engine.parts, self._store)
        sending = uses.senders(self._engine.parts)
        self.bundles.users = {**uses.users(self._engine), **hearing, **sending, BundleKind.CONFIG: self.settings}
        self.settings.settle = lambda fault: self.bundles.settle(BundleKind.CONFIG, fault)
        self.settings.finish = self.jobs.finish
        self.settings.use_level = self._own.configure

    def _handlers(self) -> Mapping[str, Handler]:
        bundle = self.bundles.set
        return {
            "ping": self._own.ping,
            "config.get": self.settings.get,
            "config.set": bundle,
            "config.rollback": self._roll_back,
            "rules.set": bundle,
            "slips.set": bundle,
            "profiles.set": bundle,
            "lexicon.set": bundle,
            "members.set": bundle,
            "beacon.set": bundle,
            "tags.set": bundle,
            "pick_ups.set": bundle,
            "coupons.add": self.coupons.add,
            "coupons.revoke": self.coupons.revoke,
            "coupons.settle": self.coupons.settle,
            "desk.tally": self.coupons.tally,
            "keys.add": self._keys.add,
            "keys.revoke": self._keys.revoke,
            "tls.set": self._keys.set_tls,
            "print": self._prints.print,
            "print.cancel": self._prints.cancel_print,
            "order": self._prints.order,
            "order.paid": self._prints.paid,
            "cancel": self._prints.cancel,
            "receipt.reprint": self.paper.reprint,
            "line.bypass": self.paper.bypass,
            "diag.bundle": self._diag.bundle,
            "log.level": self._own.log_level,
            "restart": self._own.restart,
            "time.check": self._own.time_check,
            "resend": self._own.resend,
            "backup": self._own.backup,
            "update": self.updates.update,
        }

    async def _roll_back(self, doing: Doing) -> Ended | None:
        args = doing.order.args
        assert isinstance(args, RollbackArgs), "the table of commands says so"
        return await self.bundles.step_back(BundleKind.CONFIG, doing, args.revision)

    async def _paper_told(self, command: str, job: PrintJob) -> None:
        await self._prints.told(command, job)

    # -- what the desks ask for

    def _reply(self, reply: Reply, to: str | None, correlation: bytes | None) -> None:
        if self.link is not None:
            self.link.reply(reply, to, correlation)
        else:
            self._unsent.append((reply, to, correlation))

    def _moment(self) -> Moment:
        clocks = self._clocks()
        return Moment(clocks.at_ms // 1000, clocks.trusted)

    def _now(self) -> int:
        return self._clocks().at_ms // 1000

    def _use_keys(self, keys: Keyring) -> None:
        """At once where there were keys; the first ones also hash members' numbers, which a new start sets up."""
        had_keys = self._engine.awards.keys is not None
        self._engine.awards.keys = keys
        self.report()
        if not had_keys:
            asyncio.get_running_loop().call_later(1.0, self._restart)

    def _about(self) -> Mapping[str, Any]:
        clocks = self._clocks()
        return {
            "version": importlib.metadata.version("edgebox"), "box": self._box, "epoch": self._store.epoch,
            "at_ms": clocks.at_ms, "trusted": clocks.trusted, "up_s": clocks.up_s, "lines": sorted(self._engine.lines),
            "slips_off": sorted(self._engine.bypassed), "bundles": self.bundles.revisions(),
        }  # fmt: skip

    def _counters(self) -> Mapping[str, int]:
        more = {"commands": self.jobs.counters, "papers": self.print_jobs.counters}
        return {
            **self._engine.counters,
            **{f"{of}: {name}": n for of, ones in more.items() for name, n in ones.items()},
        }

    def _configured(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = msgspec.to_builtins(self._engine.config)
        return found

    async def _health(self, rows: int) -> list[HealthRecord]:
        """The newest, oldest first."""
        low, high = span(Stream.HEALTH, 0)[0], span(Stream.HEALTH, EPOCH_MAX)[1]
        found = await self._store.read(lambda connection: connection.execute(_NEWEST, (low, high, rows)).fetchall())
        return [msgspec.json.decode(body, type=HealthRecord) for (body,) in reversed(found)]


def _keys(settings: tuple[str, ...]) -> Mapping[str, FleetKey]:
    """The keys that are obeyed; one that can't be read must not cost the others, nor the start."""
    found: dict[str, FleetKey] = {}
    for text in settings:
        try:
            found |= fleet_keys((text,))
        except ValueError as fault:
            log.error("a key of [sync] fleet_keys is not obeyed: %s", fault)
    return found
