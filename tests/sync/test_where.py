"""Which boxes are meant: the words of `--where`, their faults with a place, and nothing else that can happen."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.errors import SyncError
from sync.fleet_book import FIELDS
from sync.where import DEPTH_MAX, TEXT_MAX, Value, where

BOX: dict[str, Value] = {
    "box": "b0007",
    "store": "Main Street",
    "online": True,
    "healthy": False,
    "version": "1.10.0",
    "backlog": 120,
    "oldest": 7200,
    "health.sync": "no route to host",
    "bundle.rules": 42,
    "state.rules": "rolled_back",
}


@pytest.mark.parametrize(
    "text",
    [
        "online",
        "not healthy",
        "box = b0007",
        "box != b0008",
        'store = "main street"',
        "store ~ main*",
        "version ~ 1.10.*",
        "version > 1.9.0",
        "version <= 1.10.0",
        "backlog > 100 and backlog <= 120",
        "oldest >= 2h and oldest < 121m",
        "healthy or backlog > 100",
        "healthy and online or online",
        "not (healthy or backlog < 100)",
        "not not online",
        "bundle.rules < 43",
        "bundle.slips != 1",
        "bundle.slips !~ 1*",
        "state.rules = rolled_back",
        "health.sync ~ *route*",
        "online = true and healthy = no",
    ],
)
def test_the_box_is_meant(text: str) -> None:
    assert where(text, FIELDS)(BOX) is True


@pytest.mark.parametrize(
    "text",
    [
        "healthy",
        "not online",
        "box = b000",
        "version < 1.9.0",
        "backlog > 120",
        "oldest < 2h",
        "healthy and online or not online",
        "bundle.slips = 1",
        "bundle.slips < 99",
        "bundle.slips",
        "bundle.slips ~ *",
        "box = B0008 or (store ~ main* and healthy)",
    ],
)
def test_the_box_is_not_meant(text: str) -> None:
    assert where(text, FIELDS)(BOX) is False


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("", "expected a field", 1),
        ("online and", "expected a field", 11),
        ("backlog >", "expected a value", 10),
        ("backlog > >", "expected a value", 11),
        ("(online", "expected )", 8),
        ("online online", "expected and, or, or the end", 8),
        ("online )", "expected and, or, or the end", 8),
        ("__class__ = 1", "no field __class__; there are box, store", 1),
        ("bundle = 3", "no field bundle;", 1),
        ('box = "b', "unexpected character", 7),
        ("bundle. = 3", "no field bundle.", 1),
        ("and", "expected a field", 1),
        ("(" * 100 + "online" + ")" * 100, f"nested deeper than {DEPTH_MAX}", DEPTH_MAX + 1),
        ("not " * 100 + "online", f"nested deeper than {DEPTH_MAX}", 4 * DEPTH_MAX + 1),
    ],
)
def test_a_fault_says_where_it_is_and_what_was_expected(text: str, words: str, place: int) -> None:
    with pytest.raises(SyncError) as caught:
        where(text, FIELDS)
    assert caught.value.reason == "where"
    assert words in caught.value.args[0]
    assert f"at character {place} of" in caught.value.args[0]


def test_an_expression_has_an_end() -> None:
    with pytest.raises(SyncError, match="over 2000 characters"):
        where("online or " * TEXT_MAX, FIELDS)


words = st.sampled_from(
    [
        "online",
        "and",
        "or",
        "not",
        "(",
        ")",
        "=",
        "!=",
        "<",
        ">=",
        "~",
        "!~",
        "backlog",
        "7",
        "2h",
        "x*",
        '"a b"',
        "[",
        "bundle.x",
    ]
)


@settings(deadline=None)
@given(st.lists(words, max_size=12).map(" ".join) | st.text(max_size=40))
def test_any_text_is_a_test_or_a_fault(text: str) -> None:
    try:
        found = where(text, FIELDS)
    except SyncError as fault:
        reason = fault.reason
    else:
        reason = "where" if found(BOX) in (True, False) else ""
    assert reason == "where"


@settings(deadline=None)
@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_numbers_compare_as_numbers(have: int, wanted: int) -> None:
    box: dict[str, Value] = {"backlog": have}
    assert where(f"backlog < {wanted}", FIELDS)(box) is (have < wanted)
    assert where(f"backlog = {wanted}", FIELDS)(box) is (have == wanted)


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), min_size=3, max_size=3), st.lists(st.integers(0, 40), min_size=3, max_size=3))
def test_versions_compare_by_their_numbers(have: list[int], wanted: list[int]) -> None:
    one, other = ".".join(map(str, have)), ".".join(map(str, wanted))
    assert where(f"version < {other}", FIELDS)({"version": one}) is (have < wanted)
