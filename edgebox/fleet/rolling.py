"""`fleet rollout`: a bundle in waves, watched, stopped when something is wrong, taken up again, taken back.

Owns: the plan as an operator asks for it, signing, what is shown, and the way back. Never: decides when to stop
(sync/rollout.py).

The way back: a configuration goes back by the command `config.rollback`; other kinds get their former content again,
from the archive or `--previous`, with the next higher revision, for revisions only go up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

import msgspec
from rich.console import Console, Group
from rich.live import Live

from edgebox.errors import SyncError
from edgebox.fleet import bundles, tables
from edgebox.fleet.desk import Desk
from edgebox.fleet.ordering import agreed
from edgebox.fleet.settings import state_folder
from sync.contract import Bundle, BundleKind
from sync.contract_commands import ROLE_OF_BUNDLE
from sync.fleet_keys import OperatorKey
from sync.fleet_rollout import Runner, Sign, name_of, place_of, read
from sync.fleet_send import Order, Sending, send
from sync.fleet_topics import Place
from sync.rollout import At, Phase, Plan, Rollout, Saved, StopRule, begin, cut
from sync.signing import Purpose, sign

BACK_LEAD_S = 10  # for a way back: as soon as all can have it
BACK_WATCH_S = 10  # it ran before; only whether it is in force
BACK_ANSWERS_S = 60.0


async def rollout(desk: Desk, options: argparse.Namespace, console: Console, key: OperatorKey) -> int:
    """A new one, or one that was interrupted."""
    if options.resume:
        saved = read(_file(options.resume))
        content = bundles.archived(BundleKind(saved.plan.kind), saved.plan.revision)
        if content is None:
            raise SyncError(f"{options.resume}: its content is no longer there", reason="rollout")
        if saved.plan.tenant != desk.settings.tenant:
            raise SyncError(f"{options.resume} is {saved.plan.tenant}'s", reason="rollout", hint="--tenant")
        await desk.gather(options.wait)
    else:
        saved, content = await _planned(desk, options, key)
        if not agreed(
            options, f"Roll out {saved.plan.id} to {len(saved.boxes):,} boxes in {len(saved.plan.waves)} waves?"
        ):
            return 1
    going = Rollout(saved)
    if options.go_on:
        going.go_on()
    await _run(desk, going, _signer(key, saved.plan, content, desk, options), options, console)
    if saved.phase is Phase.STOPPED:
        await _after_stop(desk, going, options, console, key)
    return 0 if saved.phase is Phase.DONE else 1


def listed(console: Console, *, as_json: bool) -> int:
    """The rollouts there are files of."""
    for path in sorted((state_folder() / "rollouts").glob("*.json")):
        saved = read(path)
        if as_json:
            print(json.dumps({"id": saved.plan.id, "phase": saved.phase, "wave": saved.wave + 1, "why": saved.why}))
        else:
            where = f"wave {min(saved.wave + 1, len(saved.plan.waves))} of {len(saved.plan.waves)}"
            console.print("  ".join((saved.plan.id, saved.phase.value, where, *saved.why)), highlight=False)
    return 0


# -- the plan


async def _planned(desk: Desk, options: argparse.Namespace, key: OperatorKey) -> tuple[Saved, bytes]:
    kind = BundleKind(options.kind)
    if key.role < ROLE_OF_BUNDLE[kind]:
        words = f"{kind} wants the role {ROLE_OF_BUNDLE[kind].name.lower()}, and {key.name} has {key.role.name.lower()}"
        raise SyncError(words, reason="authority", hint="another --key")
    if not options.files:
        raise SyncError("which file?", reason="args", hint="rollout FILE --kind …, or --resume ID")
    content = bundles.content(kind, options.files)
    desk.chosen(options.where)
    await desk.gather(options.wait)
    now = desk.now()
    chosen = [one for one in desk.chosen(options.where) if one.is_online(now)]
    if not chosen:
        raise SyncError("no box that is meant is online", reason="rollout", hint="edgebox fleet ls")
    number = options.revision or bundles.revision(kind, content, desk.book.boxes.values(), now)
    plan = Plan(
        id=f"{kind}-{number}",
        tenant=desk.settings.tenant,
        kind=kind.value,
        revision=number,
        waves=cut([name_of(one.place) for one in chosen], options.waves),
        stop_on=tuple(StopRule(rule) for rule in options.stop_on),
        lead_s=options.lead,
        watch_s=options.watch,
        patience_s=max(options.watch, options.patience),
        receipts_min=options.receipts,
        more_pct=options.more,
        failures_max=options.failures,
    )
    if _file(plan.id).exists():
        raise SyncError(f"there is a rollout {plan.id}", reason="rollout", hint=f"--resume {plan.id}, or --revision")
    bundles.keep(kind, number, content)
    return begin(plan), content


def _file(name: str) -> Path:
    if "/" in name or name.startswith("."):
        raise SyncError(f"{name!r} is no rollout", reason="rollout")
    return state_folder() / "rollouts" / f"{name}.json"


def _signer(key: OperatorKey, plan: Plan, content: bytes, desk: Desk, options: argparse.Namespace) -> Sign:
    def signed(place: Place, activate_at: int) -> bytes:
        bundle = Bundle(
            kind=BundleKind(plan.kind),
            revision=plan.revision,
            content=msgspec.Raw(content),
            tenant=plan.tenant,
            stores=(place.store,) if place.store else (),
            boxes=(place.box,),
            by=options.by or desk.settings.by,
            issued=int(desk.now()),
            activate_at=activate_at,
        )
        return sign(key.private, key.name, Purpose.BUNDLE, bundle)

    return signed


# -- under way


async def _run(desk: Desk, going: Rollout, signer: Sign, options: argparse.Namespace, console: Console) -> None:
    """With a table that moves for a person, a line at each step in a pipe."""

    def picture() -> Group:
        return Group(tables.rollout_table(going), *tables.rollout_words(going))

    shown: list[tuple[object, ...]] = []

    def tell() -> None:
        saved = going.saved
        step = (saved.wave, saved.phase, len(going.those(At.READY)), len(going.those(At.RUNNING)))
        if live is None and not options.json and shown[-1:] != [step]:
            shown.append(step)
            words = f"{saved.phase.value}: {step[2]} ready, {step[3]} running, {len(going.those(At.FAILED))} failed"
            wave = min(saved.wave + 1, len(saved.plan.waves))
            print(f"{saved.plan.id}  wave {wave}  {words}", flush=True)

    live = Live(console=console, get_renderable=picture, refresh_per_second=2) if console.is_terminal else None
    runner = Runner(going, desk.book, signer, _file(going.plan.id), desk.now, tell)
    desk.ears.append(runner.heard)
    runner.keep()
    try:
        if live is None:
            await runner.run(desk.link)
        else:
            with live:
                await runner.run(desk.link)
    except asyncio.CancelledError:
        words = "interrupted; what the boxes were sent stays in force or comes into force"
        print(f"{words}. Go on: edgebox fleet rollout --resume {going.plan.id}", file=sys.stderr)
        raise
    finally:
        desk.ears.remove(runner.heard)
    if options.json:
        print(msgspec.json.encode(going.saved).decode())
    elif live is None:
        console.print(picture())


async def _after_stop(
    desk: Desk, going: Rollout, options: argparse.Namespace, console: Console, key: OperatorKey
) -> None:
    """Those who run the new revision keep it, unless a person or `--on-stop` says otherwise."""
    running = going.those(At.RUNNING)
    name = going.plan.id
    if not running:
        return
    back = options.on_stop == "rollback"
    if options.on_stop == "ask" and console.is_terminal:
        back = agreed(options, f"Take {name} back at the {len(running):,} boxes that run it?")
    if not back:
        console.print(f"{len(running):,} boxes keep {name}; go on: rollout --resume {name} --go-on", style="dim")
        return
    if going.plan.kind == BundleKind.CONFIG:
        await _back_by_command(desk, running, going.plan, options, console, key)
    else:
        await _back_by_content(desk, going, running, options, console, key)


async def _back_by_command(
    desk: Desk, running: list[str], plan: Plan, options: argparse.Namespace, console: Console, key: OperatorKey
) -> None:
    now = int(desk.now())
    args = msgspec.json.encode({"revision": plan.revision})
    who = options.by or desk.settings.by
    ordered = Order(f"back-{plan.id}-{now}", "config.rollback", args, plan.tenant, who, now, now + 86_400)
    sending = Sending(ordered, [place_of(name) for name in running])
    desk.ears.append(lambda heard, _known: sending.heard(heard))
    await send(desk.link, key, sending, BACK_ANSWERS_S, desk.now, lambda: None)
    tables.show(console, tables.sending_table(sending))
    console.print(f"taken back: {tables.sending_words(sending)}", style="dim")


async def _back_by_content(
    desk: Desk, going: Rollout, running: list[str], options: argparse.Namespace, console: Console, key: OperatorKey
) -> None:
    plan, kind = going.plan, BundleKind(going.plan.kind)
    before = Counter(going.saved.boxes[name].revision_before for name in running)
    ((former, count),) = before.most_common(1)
    if options.previous is not None:
        content = bundles.content(kind, [options.previous])
        names = running
    else:
        found = bundles.archived(kind, former) if former else None
        if found is None:
            why = f"{kind} {former} was not sent from here" if former else f"no {kind} were in force before"
            console.print(f"{why}; rollout --resume {plan.id} --previous FILE says what to go back to")
            return
        content = found
        names = [name for name in running if going.saved.boxes[name].revision_before == former]
    number = max(bundles.kept(kind)) + 1
    content = bundles.renumbered(kind, content, number)
    bundles.keep(kind, number, content)
    watch_s = min(BACK_WATCH_S, plan.watch_s)
    back = Plan(
        id=f"{kind}-{number}", tenant=plan.tenant, kind=plan.kind, revision=number, waves=(tuple(names),), stop_on=(),
        lead_s=min(BACK_LEAD_S, plan.lead_s), watch_s=watch_s, patience_s=watch_s, failures_max=len(names),
    )  # fmt: skip
    console.print(f"{kind} {former} again, as {number}, to {len(names):,} boxes")
    if count < len(running) and options.previous is None:
        console.print(f"{len(running) - count:,} boxes had another revision before; they keep {plan.revision}")
    await _run(desk, Rollout(begin(back)), _signer(key, back, content, desk, options), options, console)
