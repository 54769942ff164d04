"""The contract as machines read it: AsyncAPI 3 and JSON Schemas, made from the types and nothing else.

Owns: which channel carries which message, and in which direction. Never: says anything about a field that its type does
not say; `edgebox contract --asyncapi` writes what this returns, and a test fails when the written ones are stale.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import msgspec

from edgebox.store.events import Event, Stream
from sync import contract
from sync.contract_commands import COMMANDS
from sync.contract_content import (
    BeaconContent,
    ConfigContent,
    LexiconContent,
    MembersContent,
    PickUpsContent,
    ProfilesContent,
    SlipsContent,
    TagsContent,
)

ASYNCAPI = "3.0.0"
SCHEMA = "https://json-schema.org/draft/2020-12/schema"
PREFIX = "edgebox/v1/{tenant}/{store}/{box}"
CONTENT: dict[str, type[msgspec.Struct]] = {
    "config": ConfigContent,
    "slips": SlipsContent,
    "beacons": BeaconContent,
    "tags": TagsContent,
    "members": MembersContent,
    "profiles": ProfilesContent,
    "lexicon": LexiconContent,
    "pick_ups": PickUpsContent,
}


class Channel(NamedTuple):
    """A topic behind the prefix. `up`: from box to cloud. `reply`: the channel that answers."""

    topic: str
    message: type[msgspec.Struct]
    up: bool
    retain: bool = False
    reply: str = ""


CHANNELS = {
    "rows": Channel("up/{stream}", contract.Batch, up=True),
    "state": Channel("state", contract.State, up=True, retain=True),
    "ask": Channel("ask", contract.Envelope, up=True, reply="answer"),
    "reply": Channel("reply", contract.Reply, up=True),
    "reported": Channel("reported", contract.Reported, up=True),
    "ack": Channel("ack", contract.Ack, up=False),
    "cmd": Channel("cmd", contract.Signed, up=False, reply="reply"),
    "desired": Channel("desired", contract.Signed, up=False, retain=True),
    "answer": Channel("answer", contract.Envelope, up=False),
    "csr": Channel("csr", contract.CertificateAsk, up=True, reply="certificate"),
    "certificate": Channel("certificate", contract.CertificateGift, up=False),
}


def document() -> dict[str, Any]:
    """The AsyncAPI document, from the box's point of view: it sends what goes up."""
    about = (inspect.getdoc(contract) or "").split("\n\nTopics")[0]
    return {
        "asyncapi": ASYNCAPI,
        "info": {"title": "edgebox: box and cloud", "version": f"{contract.VERSION}.0.0", "description": about},
        "defaultContentType": "application/json",
        "channels": {name: _channel(channel) for name, channel in CHANNELS.items()},
        "operations": {name: _operation(name, channel) for name, channel in CHANNELS.items()},
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in _messages()},
            "schemas": _schemas("#/components/schemas/{name}"),
            "operationBindings": {"once": {"mqtt": {"qos": 1}}, "kept": {"mqtt": {"qos": 1, "retain": True}}},
        },
        "x-commands": {
            name: {
                "args": _ref(kind.args),
                "result": _ref(kind.result),
                "role": kind.role.name.lower(),
                "lane": kind.lane.value,
            }
            for name, kind in COMMANDS.items()
        },
        "x-bundles": {kind: _ref(content) for kind, content in CONTENT.items()},
    }


def schemas() -> dict[str, dict[str, Any]]:
    """Each type's JSON Schema by itself: name → schema with all that it refers to."""
    found = {}
    for kind in _types():
        (root,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        name = root["$ref"].rpartition("/")[2]
        own = parts.pop(name)
        found[name] = _clean({"$schema": SCHEMA, "title": name, **own, **({"$defs": parts} if parts else {})})
    return found


def _channel(channel: Channel) -> dict[str, Any]:
    parameters: dict[str, Any] = {"tenant": {}, "store": {}, "box": {"description": "also the MQTT client id"}}
    if "{stream}" in channel.topic:
        parameters["stream"] = {"enum": [stream.value for stream in Stream]}
    name = channel.message.__name__
    return {
        "address": f"{PREFIX}/{channel.topic}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": parameters,
    }


def _operation(name: str, channel: Channel) -> dict[str, Any]:
    bindings = "kept" if channel.retain else "once"
    made: dict[str, Any] = {
        "action": "send" if channel.up else "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        "bindings": {"$ref": f"#/components/operationBindings/{bindings}"},
    }
    if channel.reply:
        made["reply"] = {"channel": {"$ref": f"#/channels/{channel.reply}"}}
    return made


def _message(kind: type[msgspec.Struct]) -> dict[str, Any]:
    summary = (inspect.getdoc(kind) or "").split("\n")[0]
    return {"name": kind.__name__, "summary": summary, "payload": _ref(kind)}


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _schemas(template: str) -> dict[str, Any]:
    found: dict[str, Any] = _clean(msgspec.json.schema_components(_types(), ref_template=template)[1])
    return dict(sorted(found.items()))


def _clean(value: Any) -> Any:
    """The same with docstrings as paragraphs instead of indented lines."""
    if isinstance(value, dict):
        return {
            key: inspect.cleandoc(inner) if key == "description" and isinstance(inner, str) else _clean(inner)
            for key, inner in value.items()
        }
    return [_clean(inner) for inner in value] if isinstance(value, list) else value


def _messages() -> list[type[msgspec.Struct]]:
    return list(dict.fromkeys(channel.message for channel in CHANNELS.values()))


def _types() -> list[type[msgspec.Struct]]:
    """Everything that is spoken, each once."""
    inner = [contract.Command, contract.Bundle, contract.Ask, contract.Answer]
    spoken = [kind for command in COMMANDS.values() for kind in (command.args, command.result)]
    return list(dict.fromkeys([*_messages(), *inner, *spoken, *CONTENT.values(), *Event.__args__]))
