"""All settings as a page shows them: value, default, where it came from, limits, and whether it may be changed here.

Owns: the rows, and reading what somebody typed as a setting's own type. Never: changes one (edgebox/orders/config.py
does, on trial), and never shows a secret: none stands in the settings, keys and passwords are files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import inspect

from edgebox.orders.changes import Effect, change_of
from edgebox.overlay import Layers
from edgebox.settings import LISTS, SECTIONS, Config
from edgebox.web.refusals import refused
from sync.contract_commands import Role

ITEMS_MAX = 500  # of a list that is typed


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One. `key`: section.key, of a line line.NAME.key; `word`: its name in the catalogue; `value`, `default`: as they
    are typed, of a list one item a line; `origin`: default, file, page, cloud or box; `effect`: live, restart or
    fixed; `kind`: bool, int, float, text, choice, list, choices or table; `least`, `most`: "" no limit;
    `is_ours`: false: only the fleet's keys may change it, while there are any; `can_change`: on this box's page."""

    key: str
    word: str
    value: str
    default: str
    origin: str
    effect: str
    kind: str
    choices: list[str]
    least: str
    most: str
    is_ours: bool
    can_change: bool


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A section; of [[line]] and [[scanner]] one for each. `name`: of that one."""

    section: str
    name: str
    settings: list[Setting]


def groups(config: Config, layers: Layers, *, is_open: bool) -> list[Group]:
    """All of them, in the file's order. `is_open`: changes are taken now."""
    found = []
    for section in SECTIONS:
        if section in LISTS:
            found += [
                Group(section=section, name=row.name, settings=list(_rows(config, section, row, layers, is_open)))
                for row in getattr(config, section)
            ]
        else:
            rows = list(_rows(config, section, getattr(config, section), layers, is_open))
            found.append(Group(section=section, name="", settings=rows))
    return found


def typed(key: str, texts: Sequence[str]) -> Any:
    """What was typed, as the setting's type has it. PageError `not_found`: there is no such setting; `bad_input`."""
    kind = _type_of(key)
    if kind is None:
        raise refused("not_found", key)
    text = texts[-1] if texts else ""
    try:
        if isinstance(kind, inspect.BoolType):
            return {"true": True, "false": False}[text]
        if isinstance(kind, inspect.IntType):
            return int(text)
        if isinstance(kind, inspect.FloatType):
            return msgspec.convert(text, float, strict=False)
        if isinstance(kind, inspect.VarTupleType):
            return _items(kind, texts)
    except (KeyError, ValueError) as fault:  # msgspec's own is a ValueError
        raise refused("bad_input", key) from fault
    return text.strip() if isinstance(kind, inspect.StrType) else text


def _items(kind: inspect.VarTupleType, texts: Sequence[str]) -> list[str]:
    if _kind(kind) == "table":
        raise refused("bad_input", "tables are written in the file")
    items = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    if len(items) > ITEMS_MAX:
        raise refused("bad_input", "too many")
    return items


def _type_of(key: str) -> inspect.Type | None:
    section, _, rest = key.partition(".")
    if section not in SECTIONS:
        return None
    fields = _fields(section)
    return fields.get(rest.rpartition(".")[2])


def _fields(section: str) -> Mapping[str, inspect.Type]:
    info = inspect.type_info(SECTIONS[section])
    assert isinstance(info, inspect.StructType), "each section is one"
    return {field.name: field.type for field in info.fields}


def _rows(config: Config, section: str, row: Any, layers: Layers, is_open: bool) -> Iterator[Setting]:
    plain = SECTIONS[section]()
    owners = layers.owners()
    for name, kind in _fields(section).items():
        key = f"{section}.{row.name}.{name}" if section in LISTS else f"{section}.{name}"
        change = change_of(key)
        effect = change.effect if change is not None else Effect.FIXED
        value, default = getattr(row, name), getattr(plain, name)
        is_ours = change is None or change.role is not Role.KEYMASTER or not config.sync.fleet_keys
        origin = owners.get(key, "default" if value == default else "file")
        least, most = _limits(kind)
        yield Setting(
            key=key, word=f"{section}_{name}", value=_text(value), default=_text(default), origin=origin,
            effect=effect.value, kind=_kind(kind), choices=_choices(kind), least=least, most=most, is_ours=is_ours,
            can_change=is_open and effect is not Effect.FIXED and is_ours and origin not in ("cloud", "box")
            and _kind(kind) != "table",
        )  # fmt: skip


def _kind(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.VarTupleType):
        if isinstance(kind.item_type, inspect.StructType):
            return "table"
        return "choices" if _choices(kind) else "list"
    if _choices(kind):
        return "choice"
    names: dict[type[inspect.Type], str] = {
        inspect.BoolType: "bool", inspect.IntType: "int", inspect.FloatType: "float",
    }  # fmt: skip
    return names.get(type(kind), "text")


def _choices(kind: inspect.Type) -> list[str]:
    """In the order of their type; msgspec sorts those of a Literal."""
    if isinstance(kind, inspect.VarTupleType):
        return _choices(kind.item_type)
    if isinstance(kind, inspect.LiteralType):
        return [str(value) for value in kind.values]
    return [str(one.value) for one in kind.cls] if isinstance(kind, inspect.EnumType) else []


def _limits(kind: inspect.Type) -> tuple[str, str]:
    if not isinstance(kind, inspect.IntType | inspect.FloatType):
        return "", ""
    return ("" if kind.ge is None else f"{kind.ge:g}" if kind.ge < 1 else str(kind.ge)), (
        "" if kind.le is None else str(kind.le)
    )


def _text(value: Any) -> str:
    """As it is typed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "\n".join(_item(one) for one in value)
    return str(value)


def _item(one: Any) -> str:
    if isinstance(one, msgspec.Struct):
        return ", ".join(f"{name} = {value}" for name, value in msgspec.structs.asdict(one).items() if value != "")
    return str(one)
