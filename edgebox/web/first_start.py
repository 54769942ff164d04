"""The first start: which steps there are, what was answered, and what of it is not in force yet.

Owns: the walk and its memory (a fact of the store, so a phone that is put away goes on where it was). Never: puts a
setting in force by itself: answers are gathered and go the way of every change at the end, once, because most of them
want a restart of the engine (edgebox/orders/config.py tries them, and takes them back).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from starlette.responses import Response

from edgebox.orders.alone import in_force
from edgebox.settings import Config
from edgebox.store.store import Store
from edgebox.web.roles import INSTALLERS
from edgebox.web.visit import Visit

FACT = "first start"


class Step(StrEnum):
    """In their order."""

    SHOP = "shop"
    LINE = "line"
    PRINTER = "printer"
    TILL = "till"
    SLIP = "slip"
    CLOUD = "cloud"
    DONE = "done"

    @property
    def next(self) -> Step:
        """The one behind it; the last one's is itself."""
        steps = list(Step)
        return steps[min(steps.index(self) + 1, len(steps) - 1)]


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`values`: `section.key` → answer that is not in force yet; `tried`: those that were put in force last, in case
    they are taken back; `finished`: when that was, seconds since 1970, 0: never."""

    done: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    values: dict[str, Any] = {}
    tried: dict[str, Any] = {}
    finished: int = 0

    @property
    def here(self) -> Step:
        """Where it goes on."""
        return next((step for step in Step if step not in (*self.done, *self.skipped)), Step.DONE)

    def after(self, step: Step, values: Mapping[str, Any], config: Config) -> Progress:
        """A step was answered. What is so already is no change."""
        merged = {key: value for key, value in {**self.values, **values}.items() if not is_so(config, key, value)}
        return msgspec.structs.replace(
            self,
            done=tuple(dict.fromkeys((*self.done, step.value))),
            skipped=tuple(one for one in self.skipped if one != step),
            values=merged,
        )

    def without(self, step: Step) -> Progress:
        """A step was skipped; what had been answered there before stays."""
        if step in self.done:
            return self
        return msgspec.structs.replace(self, skipped=tuple(dict.fromkeys((*self.skipped, step.value))))

    def ended(self, now: int) -> Progress:
        """All answers are on their way into force."""
        return msgspec.structs.replace(self, values={}, tried=self.values, finished=now)


def keyed(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`name` → `section.name`."""
    return {f"{section}.{name}": value for name, value in values.items()}


def is_so(config: Config, key: str, value: Any) -> bool:
    """The configuration has this very value. Lists of the overlay are tuples there."""
    try:
        return msgspec.json.encode(in_force(config, key)) == msgspec.json.encode(value)
    except KeyError:
        return False


async def read(store: Store) -> Progress:
    """Where the walk is; one that can't be read begins anew. StoreError."""
    raw = await store.get(FACT)
    try:
        return msgspec.json.decode(raw, type=Progress) if raw else Progress()
    except msgspec.MsgspecError:
        return Progress()


async def is_open(visit: Visit) -> bool:
    """Somebody who may has begun and has not come to the end: a box that was set up by hand is not asked."""
    raw = await visit.office.store.get(FACT) if visit.role in INSTALLERS else None
    if raw is None:
        return False
    progress = await read(visit.office.store)
    return not progress.finished and progress.here is not Step.DONE


async def keep(store: Store, progress: Progress) -> None:
    """On disk when this returns. StoreError."""
    await store.put(FACT, msgspec.json.encode(progress))


async def answered(visit: Visit, step: Step, values: Mapping[str, Any]) -> str:
    """Keeps the answers, unless one can't be had: then the key that can't, else "". StoreError."""
    office = visit.office
    progress = (await read(office.store)).after(step, values, office.config)
    settings = office.host.settings
    if settings is not None and progress.values:
        rejected = await asyncio.to_thread(settings.rejected_here, progress.values)
        if bad := [key for key in rejected if key in values] or list(rejected):
            return bad[0]
    await keep(office.store, progress)
    return ""


async def would_be(visit: Visit, progress: Progress) -> Config:
    """The settings as they will be with what was answered so far; as they are, if those can't be had."""
    settings = visit.office.host.settings
    if settings is None or not progress.values:
        return visit.office.config
    return await asyncio.to_thread(settings.would_be, progress.values) or visit.office.config


async def shown(visit: Visit, step: Step, *, status: int = 200, fault: str = "", **values: Any) -> Response:
    """A step's page. `fault`: a word of `start_faults`."""
    progress = await read(visit.office.store)
    states = [
        (
            one,
            "here" if one is step else "done" if one in progress.done else "skipped" if one in progress.skipped else "",
        )
        for one in Step
    ]
    return await visit.page(
        f"start_{step.value}.html",
        status=status,
        step=step.value,
        states=states,
        number=list(Step).index(step) + 1,
        before=list(Step)[max(list(Step).index(step) - 1, 0)].value,
        fault=fault,
        can_change=visit.office.host.settings is not None,
        **values,
    )
