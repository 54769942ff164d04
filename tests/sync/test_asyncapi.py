"""The contract that machines read is the one that the code speaks."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.cli import main
from edgebox.commands_contract import FOLDER, files
from edgebox.store.events import ReceiptRecord
from sync import asyncapi, contract
from sync.contract import Batch, Row
from sync.topics import Topics

ROOT = Path(__file__).parents[2]


def test_the_written_contract_is_not_stale(tmp_path: Path) -> None:
    assert main(["contract", "--asyncapi", "--out", str(tmp_path)]) == 0
    for folder in (tmp_path, ROOT / FOLDER):
        written = [path for path in folder.rglob("*.json") if path.name != "vectors.json"]  # tests/sync/test_vectors.py
        found = {str(path.relative_to(folder)): path.read_text("utf-8") for path in written}
        assert found == files(), "run: edgebox contract --asyncapi"


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi.document()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [ref for inner in value.values() for ref in references(inner)]
        return [ref for inner in value for ref in references(inner)] if isinstance(value, list) else []

    for reference in references(document):
        node = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in node, reference
            node = node[step]


def test_the_channels_are_the_topics_of_a_box() -> None:
    topics = Topics(asyncapi.PREFIX, tenant="acme", store="s1", box="b1")
    spoken = {getattr(topics, name) for name in vars(topics) if not name.startswith("_") and name != "prefix"}
    filled = {"tenant": "acme", "store": "s1", "box": "b1", "stream": "receipts"}
    addresses = {channel["address"].format_map(filled) for channel in asyncapi.document()["channels"].values()}
    assert addresses == spoken | {topics.up("receipts")}
    told = set(re.findall(r"^    (\S+) +(?:box → cloud|cloud → box)", contract.__doc__ or "", re.MULTILINE))
    assert told == {channel.topic for channel in asyncapi.CHANNELS.values()}


@pytest.mark.parametrize("name", ["Batch", "Ack", "State", "ReceiptRecord", "Command"])
def test_a_schema_names_every_field_of_its_type(name: str) -> None:
    schema = asyncapi.schemas()[name]
    kind = getattr(contract, name, None) or ReceiptRecord
    assert set(schema["properties"]) >= {field.encode_name for field in msgspec.structs.fields(kind)}


def test_what_the_box_sends_has_the_fields_that_the_schema_demands() -> None:
    sent = json.loads(msgspec.json.encode(Batch(box="b", epoch="e", stream="receipts", rows=(Row(seq=1),))))
    assert set(asyncapi.schemas()["Batch"]["required"]) <= set(sent)
