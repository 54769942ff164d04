"""The disk that forgets: what it may lose in a power cut, and what never."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vm.disk import SECTOR, Cache, Disk, Entry, Flush, How, Mark, Write, cuts, moments

SECTORS = 6
EMPTY = bytes(SECTORS * SECTOR)


def sectors(*values: int) -> bytes:
    return b"".join(bytes([value]) * SECTOR for value in values)


def values_of(image: bytes) -> list[int]:
    """One number a sector; a torn one fails."""
    found = [image[at : at + SECTOR] for at in range(0, len(image), SECTOR)]
    assert all(len(set(sector)) == 1 for sector in found), "a sector is whole"
    return [sector[0] for sector in found]


@st.composite
def writes(draw: st.DrawFn) -> Write:
    first = draw(st.integers(0, SECTORS - 1))
    content = draw(st.lists(st.integers(1, 255), min_size=1, max_size=SECTORS - first))
    return Write(first * SECTOR, sectors(*content), draw(st.booleans()))


LOGS = st.lists(st.one_of(writes(), st.just(Flush())), max_size=12)
HOWS = st.sampled_from(How)


@given(LOGS, HOWS, st.integers())
def test_a_cut_leaves_of_every_sector_what_was_certain_or_came_later(log: list[Entry], how: How, seed: int) -> None:
    cache = Cache(EMPTY)
    may_be: list[set[int]] = [{0} for _ in range(SECTORS)]
    newest = [0] * SECTORS
    for entry in log:
        cache.take(entry)
        if isinstance(entry, Flush):
            may_be = [{value} for value in newest]
        elif isinstance(entry, Write):
            for at, value in enumerate(values_of(entry.data), entry.offset // SECTOR):
                newest[at] = value
                may_be[at] = {value} if entry.is_certain else may_be[at] | {value}
    left = values_of(cache.left(how, Random(seed)))
    assert all(value in allowed for value, allowed in zip(left, may_be, strict=True))
    if how is How.ALL:
        assert left == newest
    assert cache.unflushed >= sum(len(allowed) > 1 for allowed in may_be)


@given(LOGS, HOWS, st.integers())
def test_what_was_flushed_survives_every_cut(log: list[Entry], how: How, seed: int) -> None:
    disk = Disk(EMPTY)
    for entry in log:
        if isinstance(entry, Write):
            disk.write(entry.offset, entry.data, is_certain=entry.is_certain)
        else:
            disk.flush()
    disk.flush()
    seen = disk.read(0, disk.size)
    assert disk.cut(how, Random(seed)) == (seen, 0)


@given(LOGS, st.integers())
def test_a_recorded_disk_is_cut_anywhere_as_the_live_one_would_be(log: list[Entry], seed: int) -> None:
    disk = Disk(EMPTY, logs=True)
    for entry in log:
        if isinstance(entry, Write):
            disk.write(entry.offset, entry.data, is_certain=entry.is_certain)
        else:
            disk.flush()
    disk.mark(7)
    assert disk.log == [*log, Mark(7)]
    for cut in cuts(EMPTY, disk.log, range(1, len(disk.log) + 1), Random(seed)):
        live = Cache(EMPTY)
        for entry in disk.log[: cut.at]:
            live.take(entry)
        assert cut.unflushed == live.unflushed
        if cut.how in (How.NOTHING, How.ALL):
            assert cut.image == live.left(cut.how, Random(0))
    assert cut.accepted == 7


def test_unflushed_writes_are_lost_torn_and_reordered() -> None:
    """A harness that never lost anything would find nothing."""
    cache = Cache(EMPTY)
    cache.take(Write(0, sectors(1, 1, 1, 1)))
    cache.take(Write(0, sectors(2, 2)))
    left = {tuple(values_of(cache.left(How.SECTORS, Random(seed)))[:4]) for seed in range(300)}
    assert (0, 0, 0, 0) in left, "all lost"
    assert any(one[0] == 1 and one[1] == 2 for one in left), "an old sector beside a new one"
    assert any(one[0] == 2 and one[2] == 0 for one in left), "the later write came first"
    whole = {tuple(values_of(cache.left(How.WRITES, Random(seed)))[:4]) for seed in range(100)}
    assert whole == {(0, 0, 0, 0), (1, 1, 1, 1), (2, 2, 0, 0), (2, 2, 1, 1)}


def test_a_certain_write_is_not_undone_by_one_that_waited() -> None:
    cache = Cache(EMPTY)
    cache.take(Write(0, sectors(1, 1)))
    cache.take(Write(0, sectors(2), is_certain=True))
    for seed in range(50):
        assert values_of(cache.left(How.SECTORS, Random(seed)))[0] == 2
    assert cache.unflushed == 1


def test_a_lying_disk_loses_what_it_has_flushed() -> None:
    disk = Disk(EMPTY, obeys=False)
    disk.write(0, sectors(9), is_certain=True)
    disk.flush()
    assert disk.read(0, SECTOR) == sectors(9)
    assert disk.cut(How.NOTHING, Random(0)) == (EMPTY, 1)


def test_a_dead_disk_does_nothing() -> None:
    disk = Disk(EMPTY)
    disk.cut(How.NOTHING, Random(0))
    with pytest.raises(OSError, match="power"):
        disk.write(0, sectors(1))
    with pytest.raises(OSError, match="power"):
        disk.flush()


@pytest.mark.parametrize(("offset", "length"), [(-SECTOR, SECTOR), (0, len(EMPTY) + 1), (len(EMPTY), SECTOR)])
def test_what_is_beyond_the_end_is_refused(offset: int, length: int) -> None:
    disk = Disk(EMPTY)
    with pytest.raises(OSError, match="beyond"):
        disk.read(offset, length)
    with pytest.raises(OSError, match="beyond"):
        disk.write(offset, bytes(length))


def test_no_sector_is_written_in_part() -> None:
    with pytest.raises(OSError, match="whole sectors"):
        Disk(EMPTY).write(1, bytes(SECTOR))


def test_another_platter_takes_the_old_ones_place() -> None:
    disk = Disk(EMPTY)
    disk.write(0, sectors(1))
    disk.exchange(sectors(*range(SECTORS)))
    assert values_of(disk.read(0, disk.size)) == list(range(SECTORS))
    assert disk.cut(How.SECTORS, Random(0))[1] == 0, "nothing of the old one waits"


def test_most_moments_are_in_the_middle_of_something() -> None:
    log: list[Entry] = [Write(0, sectors(1)), Flush(), Mark(1), Flush(), Flush(), Flush(), Flush(), Flush()] * 20
    picked = moments(log, 200, Random(1))
    assert picked == sorted(picked)
    assert sum(isinstance(log[at - 1], Write) for at in picked) > 120
    assert any(not isinstance(log[at - 1], Write) for at in picked)
