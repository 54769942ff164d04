"""The soak in one picture: memory, handles, disk and hold time over time, with what went wrong meanwhile.

Owns: how it looks. Never: a figure of its own but what it draws, or a verdict: its words are in the title.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # no display
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tests.bench.spread import percentile
from tests.soak.measures import Told
from tests.soak.plan import What
from tests.soak.seen import Depth, Paper, Sample, Seen, Trouble
from tests.soak.verdict import ENOUGH, Verdict

MB = 1 << 20
BOX = {"engine": "#1f4e79", "line1": "#2e8b57", "line2": "#8fbc3f", "scan": "#c07c1e"}
NAMES = {"engine": "engine", "line1": "line 1", "line2": "line 2", "scan": "scanner"}
SLIP, PLAIN, TROUBLED = "#1f4e79", "#7fb6dd", "#e08a1e"
BROKER_AWAY = "#e9e4f2"
# What is marked: colour, sign, and its name in the legend.
MARKS = {
    What.ENGINE_KILL.value: ("#b3261e", "v", "engine killed"),
    What.ENGINE_RESTART.value: ("#b3261e", "^", "engine restarted"),
    What.LINE_KILL.value: ("#2e8b57", "v", "line killed"),
    "out of paper": ("#5c5c5c", "s", "printer out of paper"),
    "cover open": ("#5c5c5c", "D", "cover open"),
    "printer without power": ("#5c5c5c", "x", "printer unplugged"),
}


def draw(seen: Sequence[Seen], verdict: Verdict, path: Path) -> None:
    """A PNG."""
    told = Told(seen)
    with pyplot.rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = pyplot.subplots(
            6, 1, figsize=(12.0, 13.0), sharex=True, gridspec_kw={"height_ratios": [0.5, 1.7, 1, 1.1, 0.9, 2]}
        )
        _happenings(axes[0], told)
        for axis, draws in zip(axes[1:], (_memory, _handles, _disk, _waiting, _hold), strict=True):
            _away(axis, told)
            axis.grid(axis="y", color="#e6e6e6", linewidth=0.7)
            axis.set_axisbelow(True)
            draws(axis, told)
        axes[-1].set_xlabel("minutes")
        axes[-1].set_xlim(0, told.setting.minutes)
        _title(figure, told, verdict)
        figure.align_ylabels(axes)
        figure.subplots_adjust(left=0.085, right=0.985, top=0.905, bottom=0.05, hspace=0.14)
        figure.savefig(path, dpi=110)
        pyplot.close(figure)


def _title(figure: Any, told: Told, verdict: Verdict) -> None:
    sure = sum(one.sure for one in told.papers)
    slips = sum(bool(one.claims) for one in told.papers)
    words = f"{len(verdict.wrong)} promises broken" if verdict.wrong else "every promise kept"
    figure.text(0.085, 0.968, f"A busy shop for {told.setting.minutes:g} min: {words}", fontsize=16, weight="bold")
    figure.text(
        0.085, 0.947,
        f"{sure:,} of {len(told.papers):,} documents on paper byte for byte, {slips:,} with a slip. Two tills and "
        "printers, scanner, beacons, an open page; every process a real one.",
        color="#444444",
    )  # fmt: skip


def _minutes(told: Told, at_s: float) -> float:
    return (at_s - told.setting.at_s) / 60


def _series(told: Told, name: str, value: Callable[[Sample], float]) -> tuple[list[float], list[float]]:
    """With a gap between two lives of a process."""
    xs: list[float] = []
    ys: list[float] = []
    pid = 0
    for one in told.only(Sample):
        if one.name == name:
            if pid and one.pid != pid:
                xs.append(_minutes(told, one.at_s))
                ys.append(float("nan"))
            pid = one.pid
            xs.append(_minutes(told, one.at_s))
            ys.append(value(one))
    return xs, ys


def _away(axis: Any, told: Told) -> None:
    """The time without a broker, behind everything."""
    for one in told.troubles:
        if one.what == What.BROKER:
            axis.axvspan(_minutes(told, one.at_s), _minutes(told, one.until_s), color=BROKER_AWAY, linewidth=0)
        elif one.what in (What.ENGINE_KILL, What.ENGINE_RESTART):
            axis.axvline(_minutes(told, one.at_s), color=MARKS[one.what][0], linewidth=0.8, alpha=0.6)


def _happenings(axis: Any, told: Told) -> None:
    """A row of signs, and what they mean."""
    axis.bar([-10], [0], color=BROKER_AWAY, label="broker killed, away")
    _away(axis, told)
    for what, (colour, sign, name) in MARKS.items():
        found = [one for one in told.troubles if one.what == what]
        heights = [_row(one) for one in found]
        axis.plot(
            [_minutes(told, one.at_s) for one in found], heights, sign, color=colour, markersize=6, label=name,
            clip_on=False,
        )  # fmt: skip
    axis.set_ylim(-0.6, 2.6)
    axis.set_yticks([2, 1, 0], ["engine", "line 1", "line 2"])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=7, frameon=False, fontsize=9, handletextpad=0.4,
                columnspacing=1.4, borderaxespad=0.1)  # fmt: skip


def _row(one: Trouble) -> float:
    return {"line1": 1.0, "line2": 0.0}.get(one.where, 2.0)


def _memory(axis: Any, told: Told) -> None:
    for name, colour in BOX.items():
        xs, ys = _series(told, name, lambda one: one.rss / MB)
        axis.plot(xs, ys, color=colour, linewidth=1.4, label=NAMES[name])
    axis.set_ylim(0, None)
    axis.set_ylabel("memory, MB")
    axis.legend(loc="center right", ncols=4, frameon=False, fontsize=9, bbox_to_anchor=(1.0, 0.52))


def _handles(axis: Any, told: Told) -> None:
    for name, colour in BOX.items():
        xs, ys = _series(told, name, lambda one: one.handles)
        axis.plot(xs, ys, color=colour, linewidth=1.2)
    axis.set_ylim(0, None)
    axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.set_ylabel("open\nhandles")


def _disk(axis: Any, told: Told) -> None:
    """What all of the box has written so far; and what waits for the broker."""
    points = list(told.written(tuple(BOX), 0.0, float("inf")))
    xs, ys = [_minutes(told, one.at_s) for one in points], [one.value / MB for one in points]
    axis.plot(xs, ys, color=BOX["engine"], linewidth=1.4)
    axis.fill_between(xs, ys, color=BOX["engine"], alpha=0.08, linewidth=0)
    axis.set_ylim(0, None)
    axis.set_ylabel("written to\nthe disk, MB")


def _waiting(axis: Any, told: Told) -> None:
    """Queues: for the cloud, and in the lines' spools."""
    depths = told.only(Depth)
    xs = [_minutes(told, one.at_s) for one in depths]
    axis.plot(xs, [one.unsent for one in depths], color="#7a5ea8", linewidth=1.3, label="events, for the cloud")
    axis.plot(xs, [one.unrecorded for one in depths], color="#b3261e", linewidth=1.3, label="receipts, for the engine")
    axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.set_ylim(0, None)
    axis.set_ylabel("waiting")
    axis.legend(loc="upper left", ncols=2, frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)


def _hold(axis: Any, told: Told) -> None:
    """From the till's cut to the printer's: milliseconds, and now and then somebody who looks for a roll."""
    shown = [one for one in told.papers if one.hold_ms > 0 and one.at_s >= told.setting.at_s]
    calm = [one for one in shown if one.sure and not told.disturbed(one)]
    alone = [one for one in calm if told.is_alone(one)]
    groups: tuple[tuple[str, str, list[Paper]], ...] = (
        ("printer, line or engine in trouble", TROUBLED, [one for one in shown if told.disturbed(one)]),
        ("without a slip", PLAIN, [one for one in calm if not one.claims]),
        ("with a slip", SLIP, [one for one in calm if one.claims]),
    )
    for name, colour, papers in groups:
        axis.plot(
            [_minutes(told, one.at_s) for one in papers], [one.hold_ms for one in papers], ".", color=colour,
            markersize=4, alpha=0.75, label=name, markeredgewidth=0,
        )  # fmt: skip
    if calm:
        judged, words = (alone, "") if len(alone) >= ENOUGH else (calm, ", others using the machine")
        p99 = percentile([one.hold_ms for one in judged], 0.99)
        axis.axhline(p99, color="#b3261e", linewidth=1.0, linestyle="--", label=f"99 of 100 within {p99:.0f} ms{words}")
    axis.set_yscale("log")
    axis.set_ylim(0.8, max(200.0, *(8.0 * one.hold_ms for one in shown)) if shown else 200.0)
    axis.yaxis.set_major_formatter(FuncFormatter(_milliseconds))
    axis.set_ylabel("till's cut →\nprinter")
    axis.legend(
        loc="upper right",
        ncols=4,
        frameon=True,
        framealpha=0.9,
        edgecolor="none",
        fontsize=9,
        markerscale=2.5,
        columnspacing=1.2,
    )


def _milliseconds(value: float, _: int) -> str:
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"
