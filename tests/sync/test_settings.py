"""Which brokers, topics and files a box accepts, and how long it waits."""

import contextlib
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.errors import SyncError
from sync import address, credentials
from sync.backoff import STEADY_S, TAKEN_OVER_S, Backoff
from sync.topics import Topics
from tests.sync.certificates import Authority


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mqtts://cloud.example", ("cloud.example", 8883, True, False, "/mqtt")),
        ("wss://cloud.example/broker", ("cloud.example", 443, True, True, "/broker")),
        ("mqtt://127.0.0.1:1884", ("127.0.0.1", 1884, False, False, "/mqtt")),
        ("mqtt://localhost", ("localhost", 1883, False, False, "/mqtt")),
        ("ws://[::1]:8080", ("::1", 8080, False, True, "/mqtt")),
    ],
)
def test_a_brokers_url_is_taken_apart(url: str, found: tuple[object, ...]) -> None:
    assert tuple(address.parse(url)) == found


@pytest.mark.parametrize(
    "url", ["mqtt://cloud.example", "mqtt://192.168.1.5", "ws://10.0.0.1", "mqtt://localhost.evil"]
)
def test_nothing_goes_out_in_clear(url: str) -> None:
    with pytest.raises(SyncError) as refused:
        address.parse(url)
    assert refused.value.reason == "plain"


@pytest.mark.parametrize(
    "url",
    [
        *("http://cloud.example", "mqtts://", "mqtts://host:70000", "cloud.example", "mqtts://[::1", "mqtts://host:0"),
        *("mqtts://host?x=1", "wss://host/mqtt#x", "mqtts://host:x"),
    ],
)
def test_what_is_no_broker_is_refused(url: str) -> None:
    with pytest.raises(SyncError) as refused:
        address.parse(url)
    assert refused.value.reason == "url"


@pytest.mark.parametrize("name", ["client.key", "password"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_can_read_is_not_used(tmp_path: Path, name: str, mode: int) -> None:
    Authority().issue(tmp_path, "client")
    (tmp_path / "password").write_text("pa55phrase\n")
    (tmp_path / "password").chmod(0o600)
    found = credentials.load(tmp_path, tls=True)
    assert (found.password, found.context is not None) == ("pa55phrase", True)
    (tmp_path / name).chmod(mode)
    with pytest.raises(SyncError) as refused:
        credentials.load(tmp_path, tls=True)
    assert refused.value.reason == "credentials"
    assert "pa55phrase" not in str(refused.value)


def test_files_that_others_can_write_or_that_are_no_files_are_not_used(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(Authority().certificate)
    (tmp_path / "ca.crt").chmod(0o646)
    with pytest.raises(SyncError):
        credentials.load(tmp_path, tls=True)
    (tmp_path / "ca.crt").unlink()
    os.mkfifo(tmp_path / "password", 0o600)
    with pytest.raises(SyncError):
        credentials.load(tmp_path, tls=True)


@pytest.mark.parametrize("text", [b"", b"not a certificate", b"\xff\xfe"])
def test_a_broken_certificate_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "client.crt").write_bytes(text)
    with pytest.raises(SyncError) as refused:
        credentials.load(tmp_path, tls=True)
    assert refused.value.reason == "credentials"


def test_a_certificate_without_its_key_is_named(tmp_path: Path) -> None:
    Authority().issue(tmp_path, "client")
    (tmp_path / "client.key").unlink()
    with pytest.raises(SyncError):
        credentials.load(tmp_path, tls=True)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SyncError, match="no user or password") as refused:
        address.parse("mqtts://box:s3cret@cloud.example")
    assert "s3cret" not in str(refused.value)


@given(url=st.text(max_size=40) | st.text("mqtsw:/[]@?#.%0189", max_size=30).map("mqtts://".__add__))
def test_any_text_is_a_brokers_url_or_refused(url: str) -> None:
    with contextlib.suppress(SyncError):
        assert address.parse(url).port > 0


@given(template=st.text("{}tenatsorbx/+ ", max_size=30).map("{box}".__add__))
def test_any_template_is_good_or_refused(template: str) -> None:
    with contextlib.suppress(SyncError):
        topics = Topics(template, tenant="acme", store="s1", box="b1")
        assert topics.reply_to(f"{topics.prefix}reply/1") == f"{topics.prefix}reply/1"


def test_topics_carry_the_boxs_names() -> None:
    topics = Topics("edgebox/v1/{tenant}/{store}/{box}", tenant="acme", store="s1", box="b1")
    assert topics.up("receipts") == "edgebox/v1/acme/s1/b1/up/receipts"
    assert topics.cmd == "edgebox/v1/acme/s1/b1/cmd"


@pytest.mark.parametrize("template", ["edgebox/{tenant}", "x/{box}/{shop}", "$SYS/{box}", "a/#/{box}", "a/+/{box}"])
def test_a_template_that_can_not_work_is_refused(template: str) -> None:
    with pytest.raises(SyncError) as refused:
        Topics(template, tenant="acme", store="s1", box="b1")
    assert refused.value.reason == "topics"


def test_a_name_that_is_missing_is_named() -> None:
    with pytest.raises(SyncError, match="store"):
        Topics("e/{tenant}/{store}/{box}", tenant="acme", store="", box="b1")


@pytest.mark.parametrize(
    ("template", "wanted", "goes"),
    [
        ("e/{tenant}/{store}/{box}", "e/acme/fleet/reply/7", True),
        ("e/{tenant}/{store}/{box}", "e/acme/s1/b1/reply", True),
        ("e/{tenant}/{store}/{box}", "e/acme/s1/b2/cmd", False),
        ("e/{tenant}/{store}/{box}", "e/acmee/reply/7", False),
        ("e/{tenant}/{store}/{box}", "e/other/reply/7", False),
        ("e/{tenant}/{store}/{box}", "e/acme/reply/#", False),
        ("e/{tenant}/{store}/{box}", "e/acme/reply/\0", False),
        ("e/{tenant}/{store}/{box}", "e/acme/reply/" + "x" * 300, False),
        ("e/{tenant}/{store}/{box}", None, False),
        ("devices/{box}", "devices/b1/reply/9", True),
        ("devices/{box}", "devices/b2/reply/9", False),
        ("{box}/{tenant}/{store}", "b2/acme/reply", False),
        ("e{x/{tenant}/{store}/{box}", "e{x/acme/reply", True),
        ("e/{tenant}{store}/{box}", "e/acmes2/reply", False),
        ("e/{store}/{tenant}/{box}", "e/s2/acme/reply", False),
    ],
)
def test_a_reply_goes_where_it_is_wanted_only_within_the_tenant(template: str, wanted: str | None, goes: bool) -> None:
    topics = Topics(template, tenant="acme", store="s1", box="b1")
    assert topics.reply_to(wanted) == (wanted if goes else topics.reply)


def test_waits_grow_to_their_limit_and_are_spread_over_all_of_it() -> None:
    backoff = Backoff(120, random.Random(7))
    waits = [backoff.next_s() for _ in range(200)]
    assert all(0 <= wait <= min(120, 2**attempt) for attempt, wait in enumerate(waits))
    late = sorted(waits[20:])
    assert late[10] < 15
    assert late[-10] > 105


def test_only_a_steady_connection_makes_the_next_attempt_the_first() -> None:
    backoff = Backoff(120, random.Random(7))
    for _ in range(10):
        backoff.next_s()
        backoff.lived(STEADY_S - 1, 0.0)
    assert max(backoff.next_s() for _ in range(20)) > 10
    backoff.lived(STEADY_S, 1.0)
    assert backoff.next_s() <= 1


def test_a_name_used_twice_makes_long_waits_until_it_is_long_ago() -> None:
    backoff = Backoff(100, random.Random(7))
    for second in range(3):
        backoff.taken_over(float(second))
    assert backoff.has_double
    assert all(50 <= backoff.next_s() <= 100 for _ in range(20))
    backoff.forget(TAKEN_OVER_S + 3)
    assert not backoff.has_double
