"""Ranges hold exactly the numbers that were put in, like a set would."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sync.session.ranges import RANGES_MAX, Ranges

STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 40), st.integers(-1, 8)), max_size=40)


@given(STEPS, st.integers(0, 45), st.integers(0, 45))
def test_ranges_are_a_set_of_numbers(steps: list[tuple[bool, int, int]], low: int, high: int) -> None:
    ranges, model = Ranges(), set[int]()
    for add, first, more in steps:
        numbers = set(range(first, first + more + 1))
        ranges.add(first, first + more) if add else ranges.remove(first, first + more)
        model = model | numbers if add else model - numbers
    assert {number for first, last in ranges for number in range(first, last + 1)} == model
    assert ranges.count == len(model)
    assert ranges.last == max(model, default=0)
    assert all(number in ranges for number in model)
    pairs = list(ranges)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(pairs)), "they must be merged"
    absent = [number for number in range(low, high + 1) if number not in model]
    gap = ranges.gap(low, high)
    assert (gap is None) == (not absent)
    if gap is not None:
        assert gap[0] == absent[0]
        assert set(range(gap[0], gap[1] + 1)) <= set(absent)
        assert gap[1] == high or gap[1] + 1 in model
    through = low
    while through + 1 in model:
        through += 1
    assert ranges.through(low) == through


def test_what_does_not_fit_is_refused_and_nothing_grows() -> None:
    ranges = Ranges()
    for number in range(RANGES_MAX):
        assert ranges.add(3 * number, 3 * number + 1)
    assert not ranges.add(10**9, 10**9)
    assert ranges.add(2, 2), "what touches a range needs no new one"
    ranges.add(10, 10 + 3000)
    ranges.add(10**9, 10**9 + 10)
    while len(ranges) < RANGES_MAX:
        ranges.add(ranges.last + 2, ranges.last + 4)
    before = ranges.last
    ranges.remove(before - 1, before - 1)
    assert len(ranges) == RANGES_MAX
    assert before not in ranges, "the right half is forgotten: it will be sent twice, not lost"
