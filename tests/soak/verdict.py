"""What a soak comes to: each promise, what was found, and whether that is wrong.

Owns: promises and limits. Never: measures anything itself. Pure. What was printed, recorded and sent is judged in every
run; what depends on time or needs an hour to show (growth, hold, wear) only in a long one: a minute on a machine that
others use says nothing about them, and is printed for information.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.bench.figures import Section, as_text
from tests.bench.spread import percentile
from tests.soak.measures import HOUR_S, Point, Told, overlaps, repeated, slope_an_hour, years
from tests.soak.plan import BOX_OWN, DRAIN_S, HISTORY, LONG_MIN, What
from tests.soak.seen import Air, Books, Ending, Page, Paper, Recorded, Seen, Slip

MB, KB = 1 << 20, 1 << 10
GROWTH_MB_H = 1.0
# The engine remembers documents, up to stated limits (docs/scale.md). They are full from the start where it has a
# history; else it may grow by so much with each document.
ENGINE_MB_H, KB_REMEMBERED = 2.0, 8.0
HANDLES_H = 2.0  # a descriptor lost each time that the broker or a printer comes back would be twenty
HOLD_P99_MS, HOLD_WORST_MS = (
    20.0,
    500.0,
)  # till's write to printer's read; alone 4 ms. Worst: answer_ms and feed_hold_ms
WITHOUT_SLIP = 0.01  # of sales that nothing disturbed: late answers on a busy machine
RECORD_P99_MS = 500.0
KB_A_RECEIPT = 150.0  # BENCHMARKS.md has 80 for receipt and claim; coupon, visits, scans, health and every ack besides
YEARS = 10.0  # a box's life; an hour of this pace is six days of a shop
DAY_S = 86_400.0
SLOW_PAGES = 0.02
ENOUGH = 100  # cuts, for a p99
DESK = ("Redeemed", "Already used", "Not in the table", "COPY", "Tally", "Z-check")
_NUMBER = re.compile(r"Redeemed (\d+)")


class Check(NamedTuple):
    """One promise. `limit` "": for information."""

    what: str
    found: str
    limit: str = ""
    wrong: bool = False
    words: str = ""


class Verdict(NamedTuple):
    """All of them."""

    checks: list[Check]
    text: str

    @property
    def wrong(self) -> list[Check]:
        """What must not be."""
        return [one for one in self.checks if one.wrong]


def judge(seen: Sequence[Seen]) -> Verdict:
    """What was seen, whole."""
    told = Told(seen)
    is_long = told.setting.minutes >= LONG_MIN
    checks = [*_paper(told), *_books(told), *_counter(told)]
    timed = [*_times(told), *_growth(told), *_wear(told)]
    checks += timed if is_long else [one._replace(limit="", wrong=False) for one in timed]
    rows = [(one.what, one.found, one.limit, ("met", "WRONG")[one.wrong] if one.limit else "") for one in checks]
    notes = [f"{one.what}: {one.words}" for one in checks if one.words and one.wrong]
    notes.append(f"{told.setting.minutes:g} minutes, seed {told.setting.seed}; {_happened(told)}")
    if not is_long:
        notes.append(f"shorter than {LONG_MIN:g} minutes: times, growth and wear are for information")
    notes.append(told.setting.machine)
    return Verdict(
        checks, as_text(Section("soak", "A soak of the whole shop", ("", "found", "limit", ""), rows, notes))
    )


def _none(what: str, found: Sequence[object], words: str = "") -> Check:
    """There must be none."""
    return Check(what, str(len(found)), "0", bool(found), words or ", ".join(map(str, found[:5])))


def _happened(told: Told) -> str:
    counts: dict[str, int] = {}
    for one in told.troubles:
        counts[one.what] = counts.get(one.what, 0) + 1
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


# -- paper


def _paper(told: Told) -> Iterator[Check]:
    papers = told.papers
    slips = [paper for paper in papers if paper.claims]
    again = [paper for paper in papers if paper.sure and paper.tries > 1]
    yield Check("documents printed by the tills", str(len(papers)), "> 0", not papers)
    yield Check("slips on them", str(len(slips)), "> 0", not slips)
    yield _none("documents that did not come out byte for byte", [_name(one) for one in papers if not one.sure])
    yield Check("printed again after a kill or a plug pulled", str(len(again)))
    yield _none(
        "printed again without a cause",
        [_name(one) for one in again if not told.torn_by(one.line, one.began_s, one.at_s)],
    )
    codes = [code for paper in papers for code in set(paper.claims)]
    yield _none("slips with the same claim on two receipts", repeated(codes))
    yield _none("receipts with two slips", [_name(one) for one in papers if len(one.claims) > 1])
    yield _none("papers that nobody sent", [repr(one.text[:60]) for one in _strange(told)])


def _name(paper: Paper) -> str:
    return f"{paper.line} {paper.kind} {paper.number}"


def _strange(told: Told) -> list[Slip]:
    """Neither the desk's nor torn."""
    return [
        one
        for one in told.only(Slip)
        if not any(words in one.text for words in DESK) and not told.torn_by(one.line, one.at_s - 30, one.at_s)
    ]


# -- books


def _books(told: Told) -> Iterator[Check]:
    books, recorded = told.only(Books), told.only(Recorded)
    by_number = {(one.line, one.number): one for one in recorded if one.kind == "sale"}
    sales = [paper for paper in told.papers if paper.wants_slip and paper.sure]
    lost = [one for one in sales if (one.line, one.number) not in by_number]
    lost = [one for one in lost if not told.spool_lost(one)]
    yield _none("receipts on paper that are not recorded", [_name(one) for one in lost])
    pairs = [(paper, by_number[key]) for paper in sales if (key := (paper.line, paper.number)) in by_number]
    wrong = [f"{_name(paper)}: {row.amount_minor}" for paper, row in pairs if row.amount_minor != paper.total_minor]
    yield _none("receipts recorded with another amount", wrong)
    yield _none(
        "slips whose claim is not recorded", [_name(paper) for paper, row in pairs if paper.claims and not row.claim]
    )
    total = sum(one.recorded for one in books)
    missing = [f"{one.stream} {one.missing}" for one in books if one.missing]
    yield Check("events accepted", str(total), "> 0", not total)
    yield _none("streams with events missing in the cloud", missing)
    yield _none("streams with events that the box has not, or twice", [one.stream for one in books if one.foreign])
    yield _none("streams with numbers given up", [one.stream for one in books if one.given_up])
    for end in told.only(Ending):
        late = end.drained_s >= DRAIN_S
        yield Check("all of it there after the end, s", f"{end.drained_s:.1f}", f"< {DRAIN_S:g}", late)
        yield Check("messages that came again and were known", str(end.repeats))
        yield _none("the cloud's alarms", end.alarms)
        yield _none("exceptions in a log", end.engine_faults)
    yield _none("processes that ended by themselves", [one.where for one in told.troubles if "by itself" in one.what])


# -- the counter


def _counter(told: Told) -> Iterator[Check]:
    for end in told.only(Ending):
        yield Check("scanned codes that are the till's", str(end.till_codes), "> 0", not end.till_codes)
        yield _none("of them lost, changed or out of order", [end.till_codes_wrong] if end.till_codes_wrong else [])
        first = [int(n) for one in told.only(Slip) for n in _NUMBER.findall(one.text) if "COPY" not in one.text]
        copies = [int(n) for one in told.only(Slip) for n in _NUMBER.findall(one.text) if "COPY" in one.text]
        yield Check("coupons redeemed", str(len(end.redeemed)), "> 0", not end.redeemed)
        yield _none("redemption slips printed twice", repeated(map(str, first)))
        yield _none("redeemed without a slip", [n for n in end.redeemed if n not in {*first, *copies}])
        yield Check("visits recorded", str(end.visits), "> 0", not end.visits)
    pages, air = told.only(Page)[-1:], told.only(Air)[-1:]
    for page in pages:
        yield Check("events that the open page heard", str(page.events), "> 0", not page.events)
        yield _none("pages that failed", page.faults)
    for one in air:
        yield Check("advertisements heard", str(one.adverts), "> 0", not one.adverts)


# -- what depends on time


def _times(told: Told) -> Iterator[Check]:
    calm = told.calm()
    alone = [one for one in calm if told.is_alone(one)]
    holds, all_holds = [one.hold_ms for one in alone if one.hold_ms], [one.hold_ms for one in calm if one.hold_ms]
    if holds:
        p50, p99, worst = percentile(holds, 0.5), percentile(holds, 0.99), max(holds)
        is_enough = len(holds) >= ENOUGH
        yield Check(f"hold of {len(holds):,} cuts that nothing disturbed: p50, ms", f"{p50:.1f}")
        yield Check("p99, ms", f"{p99:.1f}", f"≤ {HOLD_P99_MS:g}" * is_enough, is_enough and p99 > HOLD_P99_MS)
        yield Check("worst, ms", f"{worst:.0f}", f"≤ {HOLD_WORST_MS:g}", worst > HOLD_WORST_MS)
    if all_holds:
        others, p99 = len(all_holds) - len(holds), percentile(all_holds, 0.99)
        yield Check(f"p99 with the {others:,} while others used the machine, ms", f"{p99:.1f}")
    hit = [one.hold_ms for one in told.papers if one.hold_ms and _only_engine(told, one)]
    if hit:
        yield Check("hold while the engine was killed, worst, ms", f"{max(hit):.1f}", f"≤ {HOLD_WORST_MS:g}",
                    max(hit) > HOLD_WORST_MS)  # fmt: skip
    sales = [one for one in alone if one.wants_slip]
    if sales:
        share = sum(not one.claims for one in sales) / len(sales)
        yield Check("sales without a slip, nothing disturbed, %", f"{share * 100:.2f}", f"≤ {WITHOUT_SLIP * 100:g}",
                    share > WITHOUT_SLIP)  # fmt: skip
    waits = latencies(told)
    if waits:
        p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
        yield Check("on paper → recorded: p50, ms", f"{p50:.1f}")
        yield Check("recorded: p99, ms", f"{p99:.1f}", f"≤ {RECORD_P99_MS:g}", p99 > RECORD_P99_MS)
    for page in told.only(Page)[-1:]:
        share = page.slow / max(1, page.answers)
        yield Check("page answers slower than a second, %", f"{share * 100:.2f}", f"≤ {SLOW_PAGES * 100:g}",
                    share > SLOW_PAGES)  # fmt: skip


def _only_engine(told: Told, paper: Paper) -> bool:
    """The engine was killed meanwhile, and the line and its printer were well."""
    here = [one for one in told.troubles if one.where in ("", paper.line) and one.what != What.BROKER]
    near = [one for one in here if overlaps(one, paper.began_s - 1.0, paper.at_s)]
    return bool(near) and all(one.what in (What.ENGINE_KILL, What.ENGINE_RESTART) for one in near)


def latencies(told: Told) -> list[float]:
    """Milliseconds from a sale's cut at the printer to its row, of those that nothing disturbed."""
    offset = told.setting.boot_offset_s
    rows = {(one.line, one.number): one.at_s - offset for one in told.only(Recorded) if one.kind == "sale"}
    calm = [one for one in told.calm() if one.wants_slip and told.is_alone(one)]
    return [max(0.0, rows[key] - paper.at_s) * 1000 for paper in calm if (key := (paper.line, paper.number)) in rows]


def _growth(told: Told) -> Iterator[Check]:
    for name, samples in told.lives().items():
        rss = [Point(one.at_s, one.rss / MB) for one in samples]
        grows, allowed = slope_an_hour(rss), _allowed(told, name)
        most = max(one.value for one in rss)
        yield Check(f"{name}: memory, most, MB", f"{most:.1f}")
        yield Check(f"{name}: grows, MB/h", f"{grows:+.2f}", f"≤ {allowed:.1f}", grows > allowed)
        handles = slope_an_hour([Point(one.at_s, one.handles) for one in samples])
        threads = slope_an_hour([Point(one.at_s, one.threads) for one in samples])
        most_open = max(one.handles for one in samples)
        yield Check(f"{name}: handles grow, 1/h", f"{handles:+.1f} (most {most_open})", f"≤ {HANDLES_H:g}",
                    max(handles, threads) > HANDLES_H)  # fmt: skip


def _allowed(told: Told, name: str) -> float:
    """MB an hour."""
    if name != "engine":
        return GROWTH_MB_H
    if told.setting.history >= HISTORY:
        return ENGINE_MB_H
    since, until = told.quiet
    documents = sum(since <= one.at_s <= until for one in told.papers)
    return ENGINE_MB_H + documents * KB_REMEMBERED / KB / ((until - since) / HOUR_S)


def _wear(told: Told) -> Iterator[Check]:
    since, until = told.quiet
    receipts = sum(since <= one.at_s - told.setting.boot_offset_s <= until for one in told.only(Recorded))
    points = list(told.written(BOX_OWN, since, until))
    if receipts and points:
        each = points[-1].value / receipts
        yield Check("written to the disk, KB a receipt", f"{each / KB:.1f}", f"≤ {KB_A_RECEIPT:g}",
                    each > KB_A_RECEIPT * KB)  # fmt: skip
        a_day = points[-1].value / (until - since) * DAY_S
        yield Check("a 32 GB eMMC, as busy as this day and night, years", f"{years(a_day):.0f}", f"≥ {YEARS:g}",
                    years(a_day) < YEARS)  # fmt: skip
