"""The cloud stand-in as a whole: broker's client, ledger, desk, keys, fleet and the page for phones.

Owns: how its parts hang together, and the thread that consumes. Never: a rule of its own. It is what tests, `make run`
and `python -m hw_sim.cloud` talk to; a real cloud does the same with more machines.

    with Broker(folder / "broker") as broker, Cloud(folder, broker) as cloud:
        box = cloud.enroll(Place("demo", "shop-1", "box-1"), Shop(1), device=1)
        cloud.furnish(box, credentials, keys)      # what a box gets: password or certificate, claim keys
        cloud.send("ping", {}, [box.name])
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from hw_sim.cloud.broker import Access, Broker
from hw_sim.cloud.consumer import Consumer, Out
from hw_sim.cloud.desk import Desk
from hw_sim.cloud.enrolment import Enrolment
from hw_sim.cloud.fleet import EXPIRES_S, Fleet
from hw_sim.cloud.key_post import COMMAND, sealed_keys
from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.misbehaviour import Mode, Trouble, Way
from hw_sim.cloud.nearby import Nearby
from hw_sim.cloud.page import Page
from hw_sim.cloud.points import Points
from hw_sim.cloud.registry import Box, Place, Registry, Shop
from hw_sim.cloud.settlement import COMMAND as SETTLE
from hw_sim.cloud.settlement import Settlement
from hw_sim.cloud.signer import Signer
from hw_sim.cloud.topics import DEFAULT, Topics
from hw_sim.cloud.wire import Arrived, Wire
from hw_sim.cloud_keys import DAYS_AHEAD, keyring, master, provision, write_private
from sync.contract import Bundle, BundleKind, Command, Reply
from sync.contract_commands import COMMANDS, RESEND_MAX, Role

TURN_S = 0.1  # the consumer looks for gaps so often
TOGETHER_MAX = 256  # messages of one commit
CONNECT_S = 10.0
TIDY_S = 3600.0  # between looks for claims whose event can't come any more


class Cloud:
    """Running while the context is open; without a broker it has its page and its desk only."""

    def __init__(
        self,
        folder: Path,
        broker: Broker | None = None,
        *,
        topics: str = DEFAULT,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        page_port: int | None = 0,
    ) -> None:
        self.folder = folder
        self.broker = broker
        self.topics = Topics(topics)
        self.clock = clock
        self.registry = Registry(folder)
        self.ledger = Ledger(folder / "cloud.db")
        self.points = Points(self.ledger, self.registry, clock)
        self.settlement = Settlement(self.ledger, self.registry)
        self.desk = Desk(self.ledger, self.settlement, clock)
        self.fleet = Fleet(self.ledger, clock)
        self.signer = Signer(folder)
        authority = broker.authority if broker is not None else None
        self.enrolment = Enrolment(self.ledger, authority, clock) if authority is not None else None
        self.consumer = Consumer(
            *(self.ledger, self.registry, self.topics, self.points, self.desk, self.fleet),
            lambda: int(clock() * 1000),
            self.enrolment,
        )
        self.near = Nearby(self.ledger, self.desk, clock)
        self.page = Page(self.points, self.registry, page_port, self.near) if page_port is not None else None
        self.failed: BaseException | None = None  # why the consumer ended
        self._inward: Way[Arrived] = Way(Trouble(), seed)
        self._outward: Way[Out] = Way(Trouble(), seed + 1)
        self._wire: Wire | None = None
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        if broker is not None:
            account = broker.admit_cloud(self.topics.everything())
            credentials = None
            if broker.authority is not None:
                credentials = folder / "credentials"
                broker.authority.furnish(account.user, credentials)
            password = account.password if broker.access is Access.PASSWORD else ""
            self._wire = Wire(
                broker.port, self.topics.filters(), user=account.user, password=password, credentials=credentials
            )

    def __enter__(self) -> Self:
        if self.page is not None:
            self.page.start()
        if self._wire is not None:
            self._wire.connect()
            self._thread = threading.Thread(target=self._consume, name="cloud", daemon=True)
            self._thread.start()
            self._await_connection()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._wire is not None:
            self._wire.hang_up(forget=False)
        if self._thread is not None:
            self._thread.join()
        if self.page is not None:
            self.page.stop()
        self.ledger.close()

    # -- boxes

    def enroll(self, place: Place, shop: Shop, device: int) -> Box:
        """Takes a box in, and gives it its rights at the broker."""
        box = self.registry.enroll(place, shop, device)
        if self.broker is not None:
            self.broker.admit_box(box.name, self.topics.prefix(place))
        return box

    def batch(self, name: str, folder: Path, *, days: int = 7) -> None:
        """A claim certificate for new boxes, as the answers' `[cloud] claim` wants it, and its rights at the broker."""
        assert self.broker is not None, "without a broker nobody can ask"
        assert self.enrolment is not None, "certificates are for a broker that wants them"
        self.broker.admit_claim(name, self.topics.boxes())
        self.enrolment.batch(name, folder, days=days)

    def furnish(self, box: Box, credentials: Path, keys: Path) -> None:
        """Writes what the box gets: its folder of credentials and its key file."""
        shop = box.shop
        now = int(self.clock())
        provision(self.folder, keys, store=shop.number, device=box.device, now=now, prefix=shop.prefix)
        if self.broker is None:
            return
        if self.broker.authority is not None:
            self.broker.authority.furnish(box.name, credentials)
        account = self.broker.admit_box(box.name, self.topics.prefix(box.place))
        if self.broker.access is Access.PASSWORD:
            credentials.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(credentials / "password", account.password + "\n")

    def sync_section(self, box: Box, credentials: Path) -> str:
        """The [sync] section of the box's edgebox.toml."""
        assert self.broker is not None, "without a broker there is nothing to sync with"
        fleet_keys = ", ".join(f'"{key}"' for key in self.signer.fleet_keys)
        user = f'user = "{box.name}"\n' if self.broker.access is Access.PASSWORD else ""
        return (
            f'[sync]\nurl = "{self.broker.url}"\ntenant = "{box.place.tenant}"\nstore = "{box.place.store}"\n'
            f'box = "{box.name}"\n{user}credentials = "{credentials}"\nfleet_keys = [{fleet_keys}]\n'
        )

    # -- steering

    def send(
        self,
        command: str,
        args: Mapping[str, Any],
        boxes: Iterable[str],
        *,
        wait_s: float = 10.0,
        expires_s: int = EXPIRES_S,
        role: Role | None = None,
        by: str = "",
    ) -> dict[str, Reply | None]:
        """Commands these boxes and waits for their final replies; None where none came within `wait_s`.

        `role`: whose key signs; by default the lowest that may give this command. KeyError: no such box.
        """
        meant = tuple(self.registry.boxes[name] for name in boxes)
        made = self.fleet.command(command, args, meant, expires_s=expires_s, by=by)
        known = COMMANDS.get(command)
        self.publish(made, role or (known.role if known else Role.KEYMASTER))
        names = [box.name for box in meant]
        self.fleet.wait(lambda: all(self.fleet.outcome(name, made.id) for name in names), wait_s)
        return {name: self.fleet.outcome(name, made.id) for name in names}

    def desire(
        self,
        kind: BundleKind,
        content: Mapping[str, Any],
        boxes: Iterable[str],
        *,
        revision: int = 0,
        at: int = 0,
        role: Role = Role.OWNER,
    ) -> Bundle:
        """Wants the whole of one kind at these boxes, in force from `at` on. `fleet.reported` says what came of it."""
        meant = tuple(self.registry.boxes[name] for name in boxes)
        bundle = self.fleet.bundle(kind, content, meant, revision=revision, at=at)
        self.publish(bundle, role)
        return bundle

    def send_keys(self, name: str, *, days: int = DAYS_AHEAD, wait_s: float = 10.0) -> Reply | None:
        """Claim keys for `days` ahead, sealed to this box; its final reply. UnprovenError: whose key is that?"""
        box = self.registry.boxes[name]
        secret = master(self.folder, box.shop.number)
        keys = keyring(secret, box.shop.number, box.device, int(self.clock()), prefix=box.shop.prefix, days=days)
        proven = self.enrolment.seals.get(name, "") if self.enrolment is not None else ""
        args = {"sealed": sealed_keys(box, keys, self.fleet.reported(name), secret, proven)}
        return self.send(COMMAND, args, [name], wait_s=wait_s)[name]

    def publish(self, message: Command | Bundle, role: Role) -> None:
        """Signs and sends a command or bundle to each of its boxes."""
        raw = self.signer.sign(message, role)
        for name in message.boxes:
            prefix = self.topics.prefix(self.registry.boxes[name].place)
            if isinstance(message, Command):
                out = Out(f"{prefix}/cmd", raw, message.id.encode("ascii"))
                expires_s = max(1, message.expires - int(self.clock()))
                self._publish(out, expires_s=expires_s, response=f"{prefix}/reply")
            else:
                self._publish(Out(f"{prefix}/desired", raw), retain=True)

    def _publish(self, out: Out, **options: Any) -> None:
        if self._wire is not None:
            self._wire.publish(out, **options)

    # -- waiting and misbehaving

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Until it is true of what the cloud has; looks often. The consumer's failure is raised here."""
        until = time.monotonic() + timeout_s
        while not condition():
            if self.failed is not None:
                raise RuntimeError("the cloud's consumer has ended") from self.failed
            if time.monotonic() > until:
                return False
            time.sleep(0.002)
        return True

    def misbehave(self, mode: Mode, *, share: float = 1.0, delay_ms: int = 200) -> None:
        """From now on; Mode.NOTHING ends it."""
        trouble = Trouble(mode, share, delay_ms)
        gone = self._inward.trouble.mode is Mode.DISAPPEAR
        self._inward.trouble = trouble
        self._outward.trouble = Trouble() if mode is Mode.REFUSE else trouble
        if self._wire is None:
            return
        if mode is Mode.DISAPPEAR:
            self._wire.hang_up(forget=True)
        elif gone:
            self._wire.connect()
            self._await_connection()

    @property
    def dropped(self) -> int:
        """Messages that a misbehaving cloud has refused."""
        return self._inward.dropped

    @property
    def connects(self) -> int:
        """How often it has reached its broker."""
        return self._wire.connects if self._wire is not None else 0

    def _await_connection(self) -> None:
        assert self._wire is not None
        wire = self._wire
        if not self.wait(lambda: wire.is_connected and wire.connects > 0, CONNECT_S):
            raise TimeoutError(f"the cloud did not reach its broker within {CONNECT_S:.0f} s")

    # -- the consumer's thread

    def _consume(self) -> None:
        try:
            tidied = time.monotonic()
            while not self._ending.is_set():
                self._collect()
                self._turn()
                if time.monotonic() - tidied > TIDY_S:
                    tidied = time.monotonic()
                    self.points.give_up_pending()
        except BaseException as fault:
            self.failed = fault
            raise

    def _collect(self) -> None:
        """What is in the inbox, and waits for it if nothing is."""
        assert self._wire is not None
        due = min((one for one in (self._inward.next_due_ms(), self._outward.next_due_ms()) if one), default=None)
        wait_s = TURN_S if due is None else min(TURN_S, max(0.001, due / 1000 - time.monotonic()))
        try:
            arrived = self._wire.inbox.get(timeout=wait_s)
            for _ in range(TOGETHER_MAX):
                self._inward.put(arrived, time.monotonic() * 1000)
                arrived = self._wire.inbox.get_nowait()
        except queue.Empty:
            return

    def _turn(self) -> None:
        assert self._wire is not None
        now_ms = time.monotonic() * 1000
        arrived = list(self._inward.due(now_ms))
        out = self.consumer.take([one.message for one in arrived], now_ms) if arrived else []
        for one in dict.fromkeys(arrived):  # a duplicated one is acknowledged once
            self._wire.acknowledge(one)
        for message in (*out, *self.consumer.tick(now_ms)):
            if message.is_ack:
                self._outward.put(message, now_ms)
            else:
                self._publish(message)
        for message in self._outward.due(now_ms):
            self._publish(message)
        self._ask_again()
        self._settle(now_ms)

    def _settle(self, now_ms: float) -> None:
        """What boxes have redeemed alone or taken back gets its verdict."""
        for name, verdicts in self.settlement.due(now_ms).items():
            box = self.registry.boxes[name]
            command = self.fleet.command(SETTLE, {"verdicts": verdicts}, (box,), by="cloud")
            self.publish(command, COMMANDS[SETTLE].role)

    def _ask_again(self) -> None:
        """Rows that a box took for acknowledged, by an ack that was not ours: it sends them again."""
        while self.consumer.forged:
            (name, epoch, stream), (first, last) = self.consumer.forged.popitem()
            args = {"stream": stream, "epoch": epoch, "first": first, "last": min(last, first + RESEND_MAX - 1)}
            command = self.fleet.command("resend", args, (self.registry.boxes[name],), by="cloud")
            self.publish(command, COMMANDS["resend"].role)
