"""Any bytes at all, found by hypothesis: the same checks as the seeded fuzzer's, on what it thinks of."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.escpos.commands import TABLE
from edgebox.escpos.profile import PrinterProfile
from tests.fuzz import checks
from tests.fuzz.scene import EVERYTHING, Habit, Scene

_COMMANDS = st.sampled_from([row.prefix for row in TABLE])
_PIECES = st.one_of(
    st.binary(max_size=12),
    _COMMANDS,
    st.sampled_from(
        [b"TOTAL 12.00\n", b"\n\n\n\n", b"\x1dV\x00", b"\x1b@", b"\x10\x04\x01", b"\x1bp\x00\x19\xfa", b"a"]
    ),
)
STREAMS = st.lists(_PIECES, max_size=30).map(b"".join)
CHUNKS = st.lists(STREAMS.filter(bool), min_size=1, max_size=12)
PROFILES = st.sampled_from(checks.PROFILES)
SEEDS = st.integers(0, 1000)
_SETTINGS = st.sampled_from(
    ({}, {"placement": "own_slip"}, {"hold_bytes": 64, "window_bytes": 64}, {"end_signature": b"\n\n"}, {"idle_ms": 50})
)
FEW = settings(max_examples=60, deadline=None)
MANY = settings(max_examples=200, deadline=None)


@MANY
@given(STREAMS, SEEDS)
def test_any_chunking_gives_the_same_events(raw: bytes, seed: int) -> None:
    checks.parser(raw, random.Random(seed))
    checks.eager_parser(raw, random.Random(seed))


@MANY
@given(STREAMS, PROFILES, SEEDS)
def test_following_finds_the_same_documents_as_holding(raw: bytes, profile: PrinterProfile, seed: int) -> None:
    checks.scanner(checks.parser(raw, random.Random(seed)), profile)


@FEW
@given(CHUNKS, PROFILES, _SETTINGS, st.sampled_from(Habit), st.sampled_from((EVERYTHING, 1, 5, 60)), SEEDS)
def test_the_line_is_transparent_to_any_bytes(
    chunks: list[bytes],
    profile: PrinterProfile,
    options: dict[str, object],
    habit: Habit,
    takes: int,
    seed: int,
) -> None:
    chance = random.Random(seed)
    with Scene(seed, profile, **options) as scene:
        scene.behave(habit, takes)
        for chunk in chunks:
            scene.send(chunk[: scene.settings.window_bytes])
            if chance.random() < 0.3:
                scene.wait(chance.choice((0.001, 0.21, 6.0)))
        scene.rest()


@FEW
@given(STREAMS, PROFILES, SEEDS)
def test_any_bytes_can_be_read_and_earn_nothing_by_chance(raw: bytes, profile: PrinterProfile, seed: int) -> None:
    checks.paper_and_reader(raw, profile, random.Random(seed))
    checks.printer(raw, random.Random(seed))


@MANY
@given(st.binary(max_size=200), st.booleans(), SEEDS)
def test_every_reply_byte_is_in_one_reply(raw: bytes, star: bool, seed: int) -> None:
    checks.replies(raw, star, random.Random(seed))


@MANY
@given(st.binary(max_size=200), SEEDS)
def test_any_bytes_are_frames_or_a_frame_error(raw: bytes, seed: int) -> None:
    checks.frames(raw, random.Random(seed))


@MANY
@given(st.one_of(st.text(max_size=100), st.text("ABC234=HTPS:/.", min_size=80, max_size=90)))
def test_any_text_is_a_claim_in_its_only_spelling_or_none(text: str) -> None:
    checks.claim(text)


@FEW
@given(st.text(max_size=80), st.sampled_from(("[shop]\n", "[[line]]\n", "line = ", "[points]\nminimum = ", "")))
def test_any_text_is_settings_or_a_named_fault(text: str, before: str) -> None:
    checks.configuration(before + text)
