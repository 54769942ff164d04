"""What the writer's thread has to say, told where somebody waits for it.

Owns: the way from the thread to the loops. Never: waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple, TypeAlias

Done: TypeAlias = "asyncio.Future[Any] | Future[Any]"


class Outcome(NamedTuple):
    """What is to be told to who waits."""

    done: Done
    result: object
    fault: BaseException | None = None


def settle(
    outcomes: list[Outcome], home: asyncio.AbstractEventLoop | None, listener: Callable[[], None] | None
) -> None:
    """Tells everybody, and the `listener` on the loop `home`: one call for each loop, as each costs a system call."""
    loops: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        if isinstance(outcome.done, asyncio.Future):
            loops.setdefault(outcome.done.get_loop(), []).append(outcome)
        else:
            _tell([outcome])
    for loop, mine in loops.items():
        if listener is not None and loop is home:
            call(loop, partial(_tell, mine, listener))
            listener = None
        else:
            call(loop, partial(_tell, mine))
    if listener is not None and home is not None:
        call(home, listener)


def call(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """On the loop, soon."""
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        return  # the loop has ended, and who waited with it; what is on disk stays there


def _tell(outcomes: list[Outcome], listener: Callable[[], None] | None = None) -> None:
    """On the loop: who waits goes on in the loop's next turn, so the listener hears of it before they do."""
    for done, result, fault in outcomes:
        if done.done():
            continue  # who waited was canceled
        if fault is None:
            done.set_result(result)
        else:
            done.set_exception(fault)
    if listener is not None:
        listener()
