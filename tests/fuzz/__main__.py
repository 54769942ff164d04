"""The seeded fuzzer: `python -m tests.fuzz --mb 100 --seed 1`.

Owns: the run. Each stream goes through the parser's checks, and through a line's core that lives on from stream to
stream; some also through paper, reader, printer, replies, frames, claims and settings. A failure prints what to run
again. The process must not grow.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from edgebox.line.frames import Answer, Begin, Data, End, Frame, Hello, Job, Outcome, encode
from hw_sim.cloud_keys import DEFAULT_PREFIX
from tests.bench.machine import rss_bytes
from tests.fuzz import checks
from tests.fuzz.scene import EVERYTHING, Habit, Scene, Step
from tests.fuzz.shrink import as_test, shrunk
from tests.fuzz.streams import STREAM_BYTES, Streams, chunked, seeds

GROWTH_MB = 4.0  # resident memory, from a tenth of the run to its end
SCENE_STREAMS = 40  # a line lives so long, then another with other settings begins
_TOML = Path(__file__).parents[2] / "config" / "edgebox.toml"
_SETTINGS: tuple[dict[str, object], ...] = (
    {},
    {"placement": "own_slip"},
    {"hold_bytes": 64, "window_bytes": 64, "spool_documents": 2, "spool_bytes": 8192},
    {"header_preprint": b"THE COPPER KETTLE"},
    {"end_signature": b"\n\n\n"},
    {"proof_of_print": True, "idle_ms": 300, "close_ms": 50},
)


class Run:
    """One run: the same seed and number of streams give the same run."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(f"run {seed}")
        self.counts: Counter[str] = Counter()
        self._streams = Streams(seed)
        self._scenes = 0
        self._scene: Scene | None = None
        self._left = 0

    def step(self) -> int:
        """One stream through everything; its bytes."""
        raw, chance = self._streams.next(), self.chance
        self.counts["streams"] += 1
        events = checks.parser(raw, chance)
        self._through_line(raw)
        turn = self.counts["streams"] % 8
        profile = chance.choice(checks.PROFILES)
        if turn in (0, 4):
            checks.scanner(events, profile)
            checks.eager_parser(raw, chance)
        elif turn == 2:
            checks.paper_and_reader(raw, profile, chance)
        elif turn == 5:
            checks.printer(raw, chance)
        elif turn == 6:
            self._small_ones(raw)
        return len(raw)

    def close(self) -> None:
        """The last scene ends."""
        if self._scene is not None:
            self._finish(self._scene)
            self._scene = None
            checks.forget_words()

    # -- the line

    def _through_line(self, raw: bytes) -> None:
        scene = self._scene
        if scene is None or not self._left:
            self.close()
            self._scenes += 1
            self._left = SCENE_STREAMS
            settings = self.chance.choice(_SETTINGS)
            scene = self._scene = Scene(self._scenes, self.chance.choice(checks.PROFILES), **settings)
        self._left -= 1
        try:
            with scene:
                for step in self._steps(scene, raw):
                    scene.play(step)
        except Exception:
            print("to see it again:\n" + as_test(scene.told, shrunk(scene.told, scene.story)), flush=True)
            raise

    def _steps(self, scene: Scene, raw: bytes) -> Iterator[Step]:
        """What happens while this stream is sent."""
        chance = self.chance
        yield (
            "behave",
            (
                chance.choice((*Habit, Habit.ANSWERS, Habit.ANSWERS, Habit.ANSWERS)),
                chance.choice((EVERYTHING, EVERYTHING, 3000, 200, 7)),
            ),
        )
        patience = chance.choice((0.0, 0.0, 0.001, 0.03, 0.3))
        most = min(chance.choice((4, 60, 500, 4096, 4096)), scene.settings.window_bytes)
        slowly = raw[: chance.choice((0, 0, 0, 500))]  # byte by byte
        for chunk in [*chunked(slowly, chance, 1), *chunked(raw[len(slowly) :], chance, most)]:
            yield "send", (chunk,)
            if patience and chance.random() < 0.2:
                yield "wait", (patience * chance.random() * 2,)
            if chance.random() < 0.01:
                yield chance.choice((
                    ("engine_leaves", ()),
                    ("engine_comes", ()),
                    ("till_hangs_up", ()),
                    ("printer_says", (chance.randbytes(9),)),
                    ("job", (b"\x1ba\x01",)),
                    ("wait", (chance.choice((0.2, 1.5, 6.0)),)),
                    ("printer_leaves", ()),
                ))  # fmt: skip
        yield "engine_comes", ()
        yield "rest", ()

    def _finish(self, scene: Scene) -> None:
        self.counts["scenes"] += 1
        self.counts["blocks"] += scene.blocks
        self.counts["outcomes"] += scene.outcomes
        for name in ("inserted", "late", "refused", "overtakes", "breaker_opened", "feed_hold_expired"):
            self.counts[name] += scene.core.counters[name]

    # -- small readers

    def _small_ones(self, raw: bytes) -> None:
        chance = self.chance
        checks.replies(raw[:3000], chance.random() < 0.5, chance)
        checks.frames(self._framed(raw), chance)
        checks.frames(raw[:500], chance)
        checks.claim(self._claim())
        if self.counts["streams"] % 80 == 6:
            checks.configuration(self._toml(raw))

    def _framed(self, raw: bytes) -> bytes:
        chance = self.chance
        number = chance.getrandbits(60)
        frames: tuple[Frame, ...] = (
            Hello(raw[:8], "line1", "generic-80", 960, 130),
            Begin(number, raw[:40]),
            Data(number, chance.getrandbits(40), raw[:900]),
            End(number, 1, True, "", 3, -1, 9, True, -1, 150, False, raw[:9]),
            Answer(number, raw[:20], raw[:200]),
            Outcome(number, 1, "late", 40, 900, b""),
            Job("a" * 9, raw[:80], True, 0),
        )
        out = bytearray(b"".join(encode(frame) for frame in chance.sample(frames, 4)))
        for _ in range(chance.choice((0, 0, 1, 3))):
            out[chance.randrange(len(out))] = chance.getrandbits(8)
        return bytes(out)

    def _claim(self) -> str:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        token = "AE" + "".join(self.chance.choices(letters, k=56))
        url = list(DEFAULT_PREFIX + token)
        for _ in range(self.chance.choice((0, 0, 1, 2))):
            url[self.chance.randrange(len(url))] = chr(self.chance.randrange(0x110000 - 0x2000))
        return "".join(url)

    def _toml(self, raw: bytes) -> str:
        lines = _TOML.read_text("utf-8").splitlines()
        for _ in range(self.chance.randint(1, 6)):
            at = self.chance.randrange(len(lines))
            key, equals, _ = lines[at].partition("=")
            values = ("-1", '"x"', "[]", "9" * 30, "true", "{}", "1e9", raw[:12].decode("latin-1"), '""', "[[")
            lines[at] = key + equals + self.chance.choice(values)
        return "\n".join(lines)


def fuzz(megabytes: float, seed: int, told: Callable[[str], None] = print) -> Run:
    """Runs until so many MB have gone through. Broken (or any exception) where something is wrong."""
    run, total, started, first_rss = Run(seed), 0, time.monotonic(), 0
    seeds()
    wanted, next_word = megabytes * 1e6, 1
    while total < wanted:
        try:
            total += run.step()
        except BaseException:
            told(f"failed in stream {run.counts['streams']} of --seed {seed}")
            raise
        if not first_rss and total >= wanted / 10:
            gc.collect()
            first_rss = rss_bytes_here()
        if total >= wanted * next_word / 10:
            told(f"{total / 1e6:6.1f} MB, {total / 1e6 / (time.monotonic() - started):.2f} MB/s")
            next_word += 1
    run.close()
    gc.collect()
    grown = (rss_bytes_here() - first_rss) / 1e6
    taken = time.monotonic() - started
    words = ", ".join(f"{name} {count:,}" for name, count in sorted(run.counts.items()))
    told(f"{total / 1e6:.1f} MB in {taken:.0f} s ({total / 1e6 / taken:.2f} MB/s), seed {seed}: {words}")
    told(f"resident memory grew by {grown:.1f} MB after the first tenth")
    checks.expect(grown <= GROWTH_MB, f"resident memory grew by {grown:.1f} MB")
    return run


def rss_bytes_here() -> int:
    """Of this process."""
    import os

    return rss_bytes(os.getpid())[0]


def main() -> int:
    """0: nothing found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--mb", type=float, default=10.0, help="how much, default 10")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{len(seeds())} seeds, streams of up to {STREAM_BYTES} bytes", flush=True)
    fuzz(options.mb, options.seed, lambda text: print(text, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
