"""The cloud steers a real box: the engine that runs in shops, commanded over a real mosquitto."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from edgebox.keys import load_keys
from edgebox.sealed import seal
from hw_sim.cloud.broker import PACKAGE, find_mosquitto
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.key_post import UnprovenError
from hw_sim.receipt_words import shop
from hw_sim.scenario import BOX, Scenario
from sync.contract import JobPhase, Reply, Reported
from sync.contract_commands import Role

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason=f"Debian's {PACKAGE} is not installed")
WAIT_S = 15.0
NAME = BOX.box


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """One shop for all tests here: it takes a second to open."""
    with Scenario(tmp_path_factory.mktemp("shop") / "demo", shop("en"), "epson-tm-t20") as running:
        assert running.cloud is not None
        assert running.cloud.wait(lambda: running.cloud is not None and running.cloud.fleet.is_online(NAME), WAIT_S)
        yield running


@pytest.fixture
def head(scenario: Scenario) -> Cloud:
    assert scenario.cloud is not None
    return scenario.cloud


def only(replies: dict[str, Reply | None]) -> Reply:
    """The one box's final reply."""
    (reply,) = replies.values()
    assert reply is not None, "no reply came"
    return reply


def test_a_box_answers_and_its_job_is_recorded_and_synced(head: Cloud) -> None:
    reply = only(head.send("ping", {"text": "hello"}, [NAME], wait_s=WAIT_S))
    assert (reply.state, reply.result["text"]) == (JobPhase.SUCCEEDED, "hello")
    assert head.wait(lambda: any(reply.id.encode() in event for event in head.ledger.events(NAME, "jobs")), WAIT_S)


def test_a_key_of_too_low_a_role_commands_nothing(head: Cloud, scenario: Scenario) -> None:
    before = load_keys(scenario.keys_file)
    reply = only(
        head.send("keys.revoke", {"epochs": [before.epochs[0].index]}, [NAME], role=Role.OPERATOR, wait_s=WAIT_S)
    )
    assert reply.state is JobPhase.REJECTED
    assert load_keys(scenario.keys_file).epochs == before.epochs


def test_newer_claim_keys_reach_the_box_and_the_broker_cannot_read_them(head: Cloud, scenario: Scenario) -> None:
    assert head.fleet.wait(lambda: head.fleet.reported(NAME) is not None, WAIT_S)
    before = load_keys(scenario.keys_file)
    reply = head.send_keys(NAME, days=70, wait_s=WAIT_S)
    assert reply is not None
    assert reply.state is JobPhase.SUCCEEDED, reply
    (written,) = {path for path in scenario.folder.rglob("keys.toml") if load_keys(path).until > before.until}
    after = load_keys(written)
    assert {epoch.index: epoch.key for epoch in before.epochs}.items() <= {e.index: e.key for e in after.epochs}.items()
    secret = after.epochs[-1].key.hex().encode()
    for stream in ("jobs", "audit"):
        assert all(secret not in event for event in head.ledger.events(NAME, stream))


def test_keys_are_not_sealed_to_a_key_that_the_broker_put_there(head: Cloud) -> None:
    assert head.fleet.wait(lambda: head.fleet.reported(NAME) is not None, WAIT_S)
    honest = head.fleet.reported(NAME)
    assert honest is not None
    foreign = "A" * 43 + "="
    for reported in (
        msgspec.structs.replace(honest, seal=foreign),
        msgspec.structs.replace(honest, seal_proof=""),
        msgspec.structs.replace(honest, seal_proof="99999999999:00"),
        Reported(box=NAME),
    ):
        head.fleet.heard_reported(reported)
        with pytest.raises(UnprovenError):
            head.send_keys(NAME)
    head.fleet.heard_reported(honest)


def test_what_is_sealed_for_another_box_is_refused(head: Cloud) -> None:
    assert head.fleet.wait(lambda: head.fleet.reported(NAME) is not None, WAIT_S)
    honest = head.fleet.reported(NAME)
    assert honest is not None
    args = {"sealed": seal(b"{}", honest.seal, "keys.add", "box-2")}
    assert only(head.send("keys.add", args, [NAME], wait_s=WAIT_S)).reason == "sealed"
