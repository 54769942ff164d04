"""Changing the box's settings from afar: on trial first, and back if the box is not well.

Owns: the trial. What was well before (lines connected, cloud reachable, the engine reading and printing) must be well
again within three minutes, else the settings that were there before come back, by a restart if need be. The trial is
on disk before anything is applied (edgebox/overlay.py), so it outlives whatever the new settings do to the engine.
Never: says what may be changed (changes.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from edgebox import overlay
from edgebox.errors import ConfigError, OrderError, StoreError
from edgebox.orders import changes
from edgebox.orders.bundles import Checked
from edgebox.orders.changes import Effect, Source
from edgebox.overlay import Layers, Overlay, Trial
from edgebox.settings import Config
from sync import bundles
from sync.bundles import BundlePhase, Held, Kept
from sync.contract import JobPhase
from sync.contract_commands import ConfigGetArgs, ConfigResult, Role
from sync.jobs import Doing
from sync.steps import Ended

log = logging.getLogger("edgebox.config")

TELL_AGAIN_S = 5.0  # a full disk gets room within seconds or not at all


class Patience(NamedTuple):
    """How long a trial may take, how long it lasts at least, and how often we look. Seconds."""

    trial_s: float = 180.0  # a broker that sheds load lets a box back in within two minutes ([sync] backoff_max_s)
    settle_s: float = 20.0  # lines are back within a second; what breaks slowly is to show
    check_s: float = 1.0


class Vitals(NamedTuple):
    """What is well now. `heard`: the broker refuses neither what the box says nor to let it listen."""

    lines: frozenset[str]
    cloud: bool
    heard: bool


class Patient(Protocol):
    """The box, as far as its health goes."""

    def vitals(self) -> Vitals:
        """Which lines are connected, and whether the cloud is and hears us."""

    def warm(self) -> None:
        """Reads a receipt, mints a claim, composes a slip; raises what goes wrong."""


class Settings:
    """The overlay, and the trial it is on. `restart` ends this process so that another begins."""

    def __init__(
        self,
        folder: Path,
        source: Source,
        patient: Patient,
        restart: Callable[[], None],
        patience: Patience = Patience(),  # noqa: B008 - immutable
    ) -> None:
        self.settle: Callable[[str], Awaitable[None]] | None = None  # told how a bundle's trial ended: "" well
        self.finish: Callable[[str, Ended], Awaitable[None]] | None = None  # told how any other's did
        self.use_level: Callable[[str], None] = lambda level: logging.getLogger().setLevel(level.upper())
        self._folder = folder
        self._source = source
        self._patient = patient
        self._restart = restart
        self._patience = patience
        self.taken_back = ""  # why the last change was, if this run or its start did that
        self._now = Overlay()
        self._watch: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()  # page and fleet at once: the second hears of the first's trial

    # -- life

    def open(self) -> None:
        """Reads the overlay; one that can't be read is none. Blocks."""
        try:
            self._now = overlay.read(self._folder)
        except ConfigError as fault:
            log.error("%s", fault)
        self.taken_back = self._now.undone.reason if self._now.undone is not None else ""

    def begin(self) -> None:
        """Watches a trial that a restart has brought us into."""
        if self._now.trial is not None:
            self._watch = asyncio.create_task(self._try())

    async def close(self) -> None:
        """A trial goes on at the next start."""
        if self._watch is not None and self._watch is not asyncio.current_task():
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    @property
    def layers(self) -> Layers:
        """What is laid over the file."""
        return self._now.layers

    @property
    def is_on_trial(self) -> bool:
        """A change has to prove itself; no other one is taken until it has."""
        return self._now.trial is not None

    def at_least(self, held: Held) -> Held:
        """What the store knows of the bundle, and not less than the overlay does: a store that was lost or restored
        from a backup must not take settings that others have followed already."""
        revision = self.layers.revision
        if revision <= held.seen:
            return held
        content = msgspec.Raw(msgspec.json.encode({"values": self.layers.cloud}))
        is_tried = self._now.trial is not None and self._now.trial.of_bundle
        return Held(
            seen=revision,
            phase=BundlePhase.TRIAL if is_tried else BundlePhase.IN_FORCE,
            force=Kept(revision=revision, content=content),
        )

    def after_restart(self, held: Held) -> Held:
        """How the trial stands of a bundle that was on trial when the box went down."""
        revision = held.force.revision if held.force else 0
        if self._now.trial is not None and self._now.layers.revision == revision:
            return held
        if self._now.undone is not None and self._now.undone.revision == revision:
            return bundles.fail(held, self._now.undone.reason)
        if self._now.layers.revision == revision:
            return bundles.confirm(held)
        return bundles.fail(held, "interrupted")  # before it was applied

    def ends(self, held: Held) -> dict[str, Ended | None]:
        """How the command that began a trial ended, if this start or the one before decided it."""
        trial, undone = self._now.trial, self._now.undone
        if trial is not None:
            return {trial.job: None} if trial.job else {}
        if undone is not None and undone.job:
            return {undone.job: Ended(JobPhase.FAILED, "rolled_back", undone.reason)}
        job = held.force.job if held.force is not None and held.force.revision == self.layers.revision else ""
        return {job: Ended(JobPhase.SUCCEEDED)} if job else {}

    async def told(self) -> None:
        """What was undone is known by now to who has to."""
        if self._now.undone is not None:
            await self._write(overlay.reported(self._now))

    # -- as the user of the bundle

    def check(self, content: bytes, role: Role) -> Checked:
        """Every setting that can't be had."""
        try:
            judged = changes.judge(content, role, self.layers, self._source)
        except RecursionError:
            return Checked({"values": "nested too deep"})
        except (msgspec.MsgspecError, ConfigError, UnicodeDecodeError) as fault:
            return Checked({"values": str(fault)})
        return Checked(judged.rejected, judged.partial and bool(judged.good))

    async def take(self, kept: Kept | None) -> bool:
        """Puts it on trial; False: `settle` will be told. OrderError: another trial is on."""
        values: dict[str, Any] = {}
        if kept is not None:
            judged = changes.judge(bytes(kept.content), Role(kept.role), self.layers, self._source)
            if judged.rejected and not judged.partial:  # the file has changed since it was found good
                raise OrderError(f"{min(judged.rejected)} can't be had any more", reason="values")
            values = judged.good
        revision = kept.revision if kept else 0
        layers = msgspec.structs.replace(self.layers, revision=revision, cloud=values)
        return await self.change(layers, kept.job if kept else "", of_bundle=True)

    async def change(self, layers: Layers, job: str, *, of_bundle: bool = False) -> bool:
        """Puts layers on trial; True: there was nothing to change. OrderError `trial`, `values`."""
        async with self._one_at_a_time:
            return await self._change(layers, job, of_bundle=of_bundle)

    async def _change(self, layers: Layers, job: str, *, of_bundle: bool) -> bool:
        if self._now.trial is not None:
            raise OrderError("another change is on trial", reason="trial")
        faults = self._source.faults(layers)
        if faults:
            raise OrderError("; ".join(f"{key}: {why}" for key, why in faults.items())[:400], reason="values")
        before, after = self.layers.merged(), layers.merged()
        if before == after:
            await self._write(msgspec.structs.replace(self._now, layers=layers))
            return True
        vitals = self._patient.vitals()
        effect = changes.effect_of(before, after)
        # What is applied to the running engine counts as the first start: if it dies of it, the next one goes back.
        starts = 1 if effect is Effect.LIVE else 0
        trial = Trial(
            lines=tuple(sorted(vitals.lines)),
            cloud=vitals.cloud,
            heard=vitals.heard,
            starts=starts,
            job=job,
            of_bundle=of_bundle,
        )
        await self._write(overlay.begun(self._now, layers, trial))
        if effect is Effect.LIVE:
            self._apply()
            self._watch = asyncio.create_task(self._try())
        else:
            log.info("settings changed, on trial: the engine restarts")
            self._restart()
        return False

    def rejected_here(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Key → why it can't be set on the box's own page; empty: all can. Blocks."""
        try:
            return changes.rejected_here(values, self.layers, self._source)
        except ConfigError as fault:
            return {"values": str(fault)}

    def would_be(self, values: Mapping[str, Any]) -> Config | None:
        """The settings with these of the page's; None: they can't be had. Blocks."""
        page = {**self.layers.page, **values}
        try:
            return self._source.load(msgspec.structs.replace(self.layers, page=page))
        except ConfigError:
            return None

    async def change_here(self, values: Mapping[str, Any]) -> bool:
        """As somebody at the box's page wants it: `section.key` → value, on trial as any change.

        True: there was nothing to change. OrderError `values`, `trial`, `io`.
        """
        rejected = await asyncio.to_thread(self.rejected_here, values)
        if rejected:
            words = "; ".join(f"{key}: {why}" for key, why in rejected.items())[:400]
            raise OrderError(words, reason="values")
        self.taken_back = ""
        page = {**self.layers.page, **values}
        return await self.change(msgspec.structs.replace(self.layers, page=page), "")

    async def lay(self, layers: Layers) -> None:
        """Lays layers over the file from the next start on, without a trial. OrderError `trial`, `io`."""
        if self._now.trial is not None:
            raise OrderError("another change is on trial", reason="trial")
        await self._write(msgspec.structs.replace(self._now, layers=layers))

    # -- the trial

    async def _try(self) -> None:
        trial = self._now.trial
        assert trial is not None, "there is one"
        try:
            fault = await self._verdict(trial)
            if fault:
                await self._go_back(fault)
            else:
                await self._confirm(trial)
        except OrderError as unwritten:  # the next start goes back
            log.error("the trial's end is not written down: %s", unwritten)

    async def _verdict(self, trial: Trial) -> str:
        began = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(self._patience.check_s)
            passed_s = asyncio.get_running_loop().time() - began
            if passed_s < self._patience.settle_s:
                continue
            fault = self._fault(trial)
            if not fault or passed_s >= self._patience.trial_s:
                return fault

    def _fault(self, trial: Trial) -> str:
        """What is not as well as before; "": all is."""
        vitals = self._patient.vitals()
        missing = sorted(set(trial.lines) - vitals.lines)
        if missing:
            return f"{', '.join(missing)}: not connected any more"
        if trial.cloud and not vitals.cloud:
            return "the cloud can't be reached any more"
        if trial.heard and not vitals.heard:
            return "the broker does not let this box speak or listen any more"
        try:
            self._patient.warm()
        except Exception as fault:  # whatever it is, it would happen to a receipt
            return f"the engine does not read: {type(fault).__name__}"
        return ""

    async def _confirm(self, trial: Trial) -> None:
        await self._write(overlay.confirmed(self._now))
        log.info("settings are good")
        await self._tell(trial, "")

    async def _go_back(self, fault: str) -> None:
        """If the engine has to restart, the next start tells; it must not do so twice."""
        trial = self._now.trial
        assert trial is not None, "it is on trial"
        log.error("settings are taken back: %s", fault)
        self.taken_back = fault
        bad = self.layers.merged()
        await self._write(overlay.undone(self._now, fault))
        if changes.effect_of(bad, self.layers.merged()) is Effect.RESTART:
            self._restart()
            return
        self._apply()
        await self._tell(trial, fault)
        await self.told()

    async def _tell(self, trial: Trial, fault: str) -> None:
        """Who waits for the end; again until it is written down."""
        while True:
            try:
                await self._tell_once(trial, fault)
                return
            except StoreError as unwritten:
                log.error("the trial's end is not written down yet: %s", unwritten)
                await asyncio.sleep(TELL_AGAIN_S)

    async def _tell_once(self, trial: Trial, fault: str) -> None:
        if trial.of_bundle and self.settle is not None:
            await self.settle(fault)
        elif trial.job and self.finish is not None:
            ended = Ended(JobPhase.FAILED, "rolled_back", fault) if fault else Ended(JobPhase.SUCCEEDED)
            await self.finish(trial.job, ended)

    def _apply(self) -> None:
        """What is in force without a restart."""
        self.use_level(self._source.load(self.layers).log.level)

    async def _write(self, new: Overlay) -> None:
        try:
            await asyncio.to_thread(overlay.write, self._folder, new)
        except OSError as fault:
            raise OrderError(f"settings can't be written: {fault.strerror}", reason="io") from fault
        self._now = new

    # -- telling

    async def get(self, doing: Doing) -> Ended:
        """`config.get`: what is in force. Nothing in the settings is a secret; keys and passwords are in files."""
        args = doing.order.args
        assert isinstance(args, ConfigGetArgs), "the table of commands says so"
        config = msgspec.to_builtins(self._source.load(self.layers))
        wanted = {key.partition(".")[0] for key in args.keys} or set(config)
        values: dict[str, Any] = {}
        for section in wanted & set(config):
            found = config[section]
            if isinstance(found, dict):
                values |= {f"{section}.{key}": value for key, value in found.items()}
            else:
                values[section] = found
        if args.keys:
            exact = {key for key in args.keys if "." in key}
            whole = set(args.keys) - exact
            values = {key: v for key, v in values.items() if key in exact or key.partition(".")[0] in whole}
        return Ended(
            JobPhase.SUCCEEDED,
            result=ConfigResult(values=values, revision=self.layers.revision, set_here=self.layers.owners()),
        )
