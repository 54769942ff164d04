"""An update file over a bad line: every byte once, whatever happens in between, and never another than was meant."""

import errno
import hashlib
import os
import random
import ssl
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.appliance.update import fetching, inbox
from edgebox.appliance.update.fetching import Fetch, Interrupted, Pace, Source, tls_of
from edgebox.errors import UpdateError
from hw_sim.cloud.certificates import Authority
from tests.appliance.update.server import Files

CONTENT = random.Random(7).randbytes(200_000)
QUICK = Pace(bytes_per_s=1 << 40)


def source(files: Files, content: bytes = CONTENT) -> Source:
    return Source(url=files.url, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def fetched(fetch: Fetch, tries: int = 12) -> Path:
    for _ in range(tries):
        try:
            return fetch.attempt()
        except Interrupted:
            pass
    raise AssertionError("it never came")


def test_a_file_comes_in_one_piece(tmp_path: Path) -> None:
    with Files(CONTENT) as files:
        path = Fetch(tmp_path, source(files), pace=QUICK).attempt()
    assert path.read_bytes() == CONTENT
    assert sorted(one.name for one in tmp_path.iterdir()) == [inbox.NEXT]


def test_what_was_fetched_is_not_fetched_again_not_even_behind_a_restart(tmp_path: Path) -> None:
    with Files(CONTENT) as files:
        files.cuts = [70_000, 50_000]
        for _ in range(2):
            with pytest.raises(Interrupted):
                Fetch(tmp_path, source(files), pace=QUICK).attempt()  # each of another run of the engine
        path = Fetch(tmp_path, source(files), pace=QUICK).attempt()
    assert path.read_bytes() == CONTENT
    assert files.asked == ["", "bytes=70000-", "bytes=120000-"]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_cuts_anywhere_and_busy_servers_cost_only_time(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("f")
    with Files(CONTENT[:5000]) as files:
        files.cuts = data.draw(st.lists(st.integers(0, 5000), max_size=4))
        files.says = data.draw(st.lists(st.sampled_from([408, 429, 500, 502, 503, 504]), max_size=3))
        files.ranges = data.draw(st.booleans())
        assert fetched(Fetch(folder, source(files, CONTENT[:5000]), pace=QUICK)).read_bytes() == CONTENT[:5000]


def test_a_file_that_became_another_in_the_middle_is_fetched_from_the_start(tmp_path: Path) -> None:
    with Files(bytes(200_000)) as files:
        files.cuts = [70_000]
        fetch = Fetch(tmp_path, source(files), pace=QUICK)
        with pytest.raises(Interrupted):
            fetch.attempt()
        files.content, files.etag = CONTENT, '"two"'
        assert fetched(fetch).read_bytes() == CONTENT


def test_a_weak_name_is_no_promise_and_nothing_is_resumed_by_it(tmp_path: Path) -> None:
    with Files(CONTENT) as files:
        files.etag, files.cuts = 'W/"one"', [70_000]
        assert fetched(Fetch(tmp_path, source(files), pace=QUICK)).read_bytes() == CONTENT
        assert files.asked == ["", ""]


def test_a_file_that_is_not_the_commanded_one_is_given_up_after_the_second_time(tmp_path: Path) -> None:
    with Files(bytes(200_000)) as files:
        fetch = Fetch(tmp_path, source(files), pace=QUICK)
        with pytest.raises(Interrupted):
            fetch.attempt()
        with pytest.raises(UpdateError) as fault:
            fetch.attempt()
    assert fault.value.reason == "bad_digest"
    assert not (tmp_path / inbox.NEXT).exists()


@pytest.mark.parametrize(("status", "reason"), [(404, "http_404"), (403, "http_403"), (410, "http_410")])
def test_a_server_that_will_never_have_it_ends_it(tmp_path: Path, status: int, reason: str) -> None:
    with Files(CONTENT) as files:
        files.says = [status]
        with pytest.raises(UpdateError) as fault:
            Fetch(tmp_path, source(files), pace=QUICK).attempt()
    assert fault.value.reason == reason


def test_another_length_than_commanded_is_refused_before_it_fills_the_card(tmp_path: Path) -> None:
    with Files(CONTENT * 2) as files, pytest.raises(UpdateError) as fault:
        Fetch(tmp_path, source(files), pace=QUICK).attempt()
    assert fault.value.reason == "bad_size"
    assert not (tmp_path / inbox.PART).exists()


def test_a_redirection_is_followed_but_not_away_from_the_scheme_that_was_signed(tmp_path: Path) -> None:
    with Files(CONTENT) as there, Files(CONTENT) as files:
        files.redirect = there.url
        assert Fetch(tmp_path, source(files), pace=QUICK).attempt().read_bytes() == CONTENT
        files.redirect = "file:///etc/passwd"
        with pytest.raises(UpdateError) as fault:
            Fetch(tmp_path, source(files), pace=QUICK).attempt()
        assert fault.value.reason == "bad_url"


def test_without_room_it_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "ROOM_BYTES", 1 << 60)
    with Files(CONTENT) as files, pytest.raises(UpdateError) as fault:
        Fetch(tmp_path, source(files), pace=QUICK).attempt()
    assert fault.value.reason == "no_room"
    assert files.asked == []


def test_the_shops_line_is_not_filled(tmp_path: Path) -> None:
    clock = [0.0]

    def rest(seconds: float) -> None:
        clock[0] += seconds

    with Files(CONTENT) as files:
        Fetch(tmp_path, source(files), pace=Pace(50_000, lambda: clock[0], rest)).attempt()
    assert clock[0] == pytest.approx(4.0)


def test_it_ends_when_the_engine_does_and_keeps_what_it_has(tmp_path: Path) -> None:
    stop = threading.Event()

    def rest(seconds: float) -> None:
        stop.set()

    with Files(CONTENT) as files, pytest.raises(Interrupted):
        Fetch(tmp_path, source(files), pace=Pace(1, rest=rest), stop=stop).attempt()
    assert 0 < (tmp_path / inbox.PART).stat().st_size < len(CONTENT)


def test_nobody_there_is_an_interruption(tmp_path: Path) -> None:
    with Files(CONTENT) as files:
        wanted = source(files)
    with pytest.raises(Interrupted):
        Fetch(tmp_path, wanted, pace=QUICK).attempt()


def test_only_the_fleets_own_authority_vouches_for_the_fleets_server(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    issued = authority.issue("127.0.0.1", server=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    with Files(CONTENT, context) as files:
        own = tls_of(tmp_path / "ca")
        assert Fetch(tmp_path / "in", source(files), tls=own, pace=QUICK).attempt().read_bytes() == CONTENT
        with pytest.raises(UpdateError) as fault:
            Fetch(tmp_path / "in", source(files), tls=tls_of(tmp_path), pace=QUICK).attempt()
    assert fault.value.reason == "tls"


@given(st.binary(max_size=120))
def test_whatever_stands_beside_a_part_it_is_begun_anew_or_gone_on_with(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("f")
    (folder / fetching.FACTS).write_bytes(raw)
    (folder / inbox.PART).write_bytes(b"part")
    fetch = Fetch(folder, Source(url="https://x.example/", sha256="0" * 64, size=9), pace=QUICK)
    assert fetch._kept_etag() == ""
    assert fetch.done_bytes == 0
    assert msgspec.json.decode((folder / fetching.FACTS).read_bytes(), type=Source).size == 9


class Dripping:
    """A server's answer of one byte at a time, and then a network that is gone."""

    def __init__(self, fault: OSError) -> None:
        self.fault = fault
        self.bytes = 0

    def read1(self, most: int) -> bytes:
        self.bytes += 1
        if self.bytes > 5000:
            raise self.fault
        return b"x"


def test_a_server_that_drips_holds_nobody_for_days(tmp_path: Path) -> None:
    clock = iter(range(0, 10**9, 29))
    fetch = Fetch(tmp_path, Source(url="https://x", sha256="", size=10**6), pace=Pace(1 << 40, lambda: next(clock)))
    with pytest.raises(Interrupted, match="within 3600 s"):
        fetch._write(Dripping(OSError()))  # type: ignore[arg-type]
    assert fetch.done_bytes > 10, "what has come stays"


@pytest.mark.parametrize(
    "number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ETIMEDOUT, errno.EPIPE]
)
def test_a_network_that_is_gone_is_not_taken_for_a_broken_disk(tmp_path: Path, number: int) -> None:
    fetch = Fetch(tmp_path, Source(url="https://x", sha256="", size=10**6), pace=QUICK)
    with pytest.raises(Interrupted):
        fetch._write(Dripping(OSError(number, os.strerror(number))))  # type: ignore[arg-type]
    assert fetch.done_bytes == 5000


def test_a_box_whose_clock_is_behind_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = ssl.SSLCertVerificationError()
    fault.verify_code, fault.verify_message = fetching.NOT_YET_VALID, "certificate is not yet valid"

    def connect(_: object) -> None:
        raise fault

    monkeypatch.setattr("http.client.HTTPSConnection.connect", connect)
    fetch = Fetch(tmp_path, Source(url="https://x.example/e", sha256="", size=10), pace=QUICK)
    with pytest.raises(Interrupted, match="is the clock right"):
        fetch.attempt()
