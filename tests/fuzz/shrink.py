"""A story in which a promise was broken, made short.

Owns: `shrunk` and the story's form as a test. Whole steps go first, then bytes out of what the till sent. What is left
must still break something, not the same thing: a shorter bug found on the way is as good.
"""

from __future__ import annotations

import time
from typing import Any

from edgebox.escpos.profile import PrinterProfile
from tests.fuzz.scene import Habit, Scene, Step

SECONDS = 60.0  # then whatever has been reached is good enough

Told = tuple[int, PrinterProfile, dict[str, Any]]


def breaks(told: Told, story: list[Step]) -> str:
    """What goes wrong when it is played; empty: nothing."""
    seed, profile, settings = told
    with Scene(seed, profile, **settings) as scene:
        try:
            for step in (*story, ("rest", ())):
                scene.play(step)
        except Exception as fault:  # whatever it is, it is what we look for
            return f"{type(fault).__name__}: {fault}"
    return ""


def shrunk(told: Told, story: list[Step]) -> list[Step]:
    """The shortest story found that still breaks something."""
    until = time.monotonic() + SECONDS
    story = _without_parts(told, list(story), until)
    for at, (what, arguments) in enumerate(story):
        if what == "send":
            raw = _without_bytes(told, story, at, arguments[0], until)
            story[at] = (what, (raw,))
    return _without_parts(told, story, until)


def _without_parts(told: Told, story: list[Step], until: float) -> list[Step]:
    size = max(len(story) // 2, 1)
    while size and time.monotonic() < until:
        at = 0
        while at < len(story) and time.monotonic() < until:
            shorter = story[:at] + story[at + size :]
            if breaks(told, shorter):
                story = shorter
            else:
                at += size
        size //= 2
    return story


def _without_bytes(told: Told, story: list[Step], place: int, raw: bytes, until: float) -> bytes:
    size = max(len(raw) // 2, 1)
    while size and time.monotonic() < until:
        at = 0
        while at < len(raw) and len(raw) > 1 and time.monotonic() < until:
            shorter = raw[:at] + raw[at + size :]
            if shorter and breaks(told, [*story[:place], ("send", (shorter,)), *story[place + 1 :]]):
                raw = shorter
            else:
                at += size
        size //= 2
    return raw


def as_test(told: Told, story: list[Step]) -> str:
    """Python that plays it again."""
    seed, profile, settings = told
    model = ", ".join(
        f"{name}={value!r}"
        for name, value in profile._asdict().items()
        if value != PrinterProfile._field_defaults[name]
    )
    given = "".join(f", {name}={value!r}" for name, value in settings.items())
    lines = [f"with Scene({seed}, PrinterProfile({model}){given}) as scene:  # {breaks(told, story)}"]
    for what, arguments in (*story, ("rest", ())):
        words = ", ".join(f"Habit.{one.name}" if isinstance(one, Habit) else repr(one) for one in arguments)
        lines.append(f"    scene.{what}({words})")
    return "\n".join(lines)
