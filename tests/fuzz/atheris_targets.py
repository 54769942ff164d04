"""Coverage-guided fuzzing: `python -m tests.fuzz.atheris_targets parser --seconds 60 [--seed 1]`.

Owns: the targets, one for each reader of bytes, and how libFuzzer is run. What they check is in checks.py. A failure is
written to `--found DIR` and can be run again by giving the file's path instead of seconds. atheris has wheels for
x86-64 and Python 3.11 only; elsewhere this says so and ends with 3.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import atheris  # type: ignore[import-untyped]
except ImportError:
    print("atheris is not installed: it has wheels for x86-64 and Python 3.11 only", file=sys.stderr)
    sys.exit(3)

with atheris.instrument_imports(include=["edgebox"]):
    from edgebox.line.frames import Job, encode
    from tests.fuzz import checks
    from tests.fuzz.scene import EVERYTHING, Habit, Scene, Step
    from tests.fuzz.shrink import as_test, shrunk
    from tests.fuzz.streams import chunked, seeds

LONGEST = 4096
CHEAP_RUNS = 30  # the targets with examples of their own are so much faster than those that take whole receipts
_SETTINGS: tuple[dict[str, object], ...] = (
    {},
    {"placement": "own_slip"},
    {"hold_bytes": 64, "window_bytes": 64},
    {"end_signature": b"\n\n"},
    {"header_preprint": b"SHOP"},
)


def _split(data: bytes) -> tuple[random.Random, bytes]:
    """The first two bytes choose everything but the stream."""
    return random.Random(int.from_bytes(data[:2], "big")), data[2:]


def parser(data: bytes) -> None:
    """Chunking makes no difference."""
    chance, raw = _split(data)
    checks.parser(raw, chance)
    checks.eager_parser(raw, chance)


def scanner(data: bytes) -> None:
    """`follow` is `take`."""
    chance, raw = _split(data)
    checks.scanner(checks.parser(raw, chance), chance.choice(checks.PROFILES))


def line(data: bytes) -> None:
    """Output is input with blocks, and real-time commands further forward."""
    chance, raw = _split(data)
    scene = Scene(chance.getrandbits(16), chance.choice(checks.PROFILES), **chance.choice(_SETTINGS))
    try:
        with scene:
            for step in _steps(chance, raw, scene.settings.window_bytes):
                scene.play(step)
    except Exception:
        print("to see it again:\n" + as_test(scene.told, shrunk(scene.told, scene.story)), flush=True)
        raise


def _steps(chance: random.Random, raw: bytes, window: int) -> Iterator[Step]:
    yield "behave", (chance.choice(list(Habit)), chance.choice((EVERYTHING, EVERYTHING, 100, 5)))
    patience = chance.choice((0.0, 0.01, 0.3))
    for chunk in chunked(raw, chance, chance.choice((3, 30, window))):
        yield "send", (chunk[:window],)
        if patience and chance.random() < 0.2:
            yield "wait", (patience,)
    yield "rest", ()


def frames(data: bytes) -> None:
    """Frames or FrameError."""
    chance, raw = _split(data)
    checks.frames(raw, chance)


def replies(data: bytes) -> None:
    """Each byte in one reply."""
    chance, raw = _split(data)
    checks.replies(raw, chance.random() < 0.5, chance)


def claim(data: bytes) -> None:
    """One spelling."""
    checks.claim(data.decode("utf-8", "replace"))


def reader(data: bytes) -> None:
    """A receipt, whatever came."""
    chance, raw = _split(data)
    checks.paper_and_reader(raw, chance.choice(checks.PROFILES), chance)


def config(data: bytes) -> None:
    """Settings or ConfigError."""
    checks.configuration(data.decode("utf-8", "replace"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    found.__name__: found for found in (parser, scanner, line, frames, replies, claim, reader, config)
}
_EXAMPLES: dict[str, tuple[bytes, ...]] = {
    "claim": (
        b"HTTPS://E.EXAMPLE/C/" + b"A" * 57 + b"Q",
        b"HTTPS://E.EXAMPLE:80/A/B/" + b"AEAAAAJ5FM" * 5 + b"AAAAAAAA",
    ),
    "config": (b'[shop]\ncurrency = "EUR"\n[[line]]\nname = "a"\nallow = ["10.0.0.1"]\n[points]\nminimum = 5\n',),
    "frames": (b"\0\0\0\0\0\x0a\x01\x07\0\0\0\0\0\0\0\x05", b"\0\1" + encode(Job("a", b"b", True, 0))),
    "replies": (b"\0\0\x12\x10\0\0\0\x5fEPSON\0\x37\x221234\0", b"\0\7#\x86\0\0\0\0\0\0\0"),
}


def fuzz(target: str, options: argparse.Namespace) -> None:
    """Doesn't return: libFuzzer ends the process, with 0 when it has found nothing."""
    with tempfile.TemporaryDirectory(prefix="edgebox-fuzz-") as folder:
        for number, raw in enumerate(_EXAMPLES.get(target, tuple(b"\0\1" + raw for raw in seeds()[::7]))):
            Path(folder, f"seed{number}").write_bytes(raw[:LONGEST])
        until = (
            f"-runs={options.runs * (CHEAP_RUNS if target in _EXAMPLES else 1)}"
            if options.runs
            else f"-max_total_time={options.seconds}"
        )
        run = [str(options.again)] if options.again else [until, folder]
        libfuzzer = [
            f"-seed={options.seed}",
            f"-max_len={LONGEST}",
            f"-artifact_prefix={options.found}/",
            "-timeout=20",
        ]
        atheris.Setup([sys.argv[0], *libfuzzer, *run], TARGETS[target])
        atheris.Fuzz()


def fuzz_in_child(target: str, options: argparse.Namespace) -> bool:
    """Whether nothing was found. A child of its own, because libFuzzer ends its process."""
    child = os.fork()
    if not child:
        fuzz(target, options)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(f"{target}: {'nothing found' if not code else f'FOUND SOMETHING ({code})'}", flush=True)
    return not code


def main() -> int:
    """1 when something was found."""
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz.atheris_targets", description=__doc__)
    arguments.add_argument("target", choices=[*sorted(TARGETS), "all"])
    arguments.add_argument("--seconds", type=int, default=60, help="for each target")
    arguments.add_argument("--runs", type=int, default=0, help="instead of seconds")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--found", type=Path, default=Path("build/fuzz"), help="where failures are put")
    arguments.add_argument("--again", type=Path, help="a failure to run once more")
    options = arguments.parse_args()
    options.found.mkdir(parents=True, exist_ok=True)
    targets = list(TARGETS) if options.target == "all" else [options.target]
    found = [target for target in targets if not fuzz_in_child(target, options)]
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
