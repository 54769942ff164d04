"""docs/slips.md and docs/points.md say what the code does: each key, field and reason; the example is a good slip.

.venv/bin/python -m tests.test_slip_docs    # brings the table of fields up to date
"""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from edgebox import slip_schema as schema
from edgebox.loyalty.claims import _HINTS
from edgebox.slip_files import slip_from
from edgebox.slips.facts import FIELDS, LINK_FIELDS, ROWS
from edgebox.slips.template import Purpose
from tests.loyalty.test_vectors import PUBLISHED

DOCS = Path(__file__).parents[1] / "docs"
SLIPS, POINTS = (DOCS / "slips.md").read_text("utf-8"), (DOCS / "points.md").read_text("utf-8")
BLOCKS = schema.BlockTable.__args__


def section(title: str) -> str:
    return SLIPS.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def keys_of(table: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(table)]


def rows() -> list[str]:
    """The table of fields."""
    return [
        f"| `{name}` | {field.meaning} | {', '.join(one.value for one in field.purposes) or 'all'} |"
        for name, field in FIELDS.items()
    ]


def test_the_table_of_fields_is_the_codes_own() -> None:
    assert re.findall(r"^\| `.*$", section("Fields"), re.MULTILINE) == rows(), "run python -m tests.test_slip_docs"
    for name, purposes in ROWS.items():
        assert f"`{name}` in {' and '.join(purpose.value for purpose in purposes)} slips" in section("Fields")


@pytest.mark.parametrize("key", keys_of(schema.SlipTable))
def test_each_key_of_a_file_is_explained(key: str) -> None:
    assert re.search(rf"^\| `{key}` \|", section("A file"), re.MULTILINE)


@pytest.mark.parametrize("key", keys_of(schema.WhenTable))
def test_each_condition_is_explained(key: str) -> None:
    assert re.search(rf"^\|[^|]*`{key}`[^|]*\|", section("Conditions: `[when]`"), re.MULTILINE)


@pytest.mark.parametrize("key", keys_of(schema.LimitsTable))
def test_each_limit_is_explained(key: str) -> None:
    assert f"`{key}`" in section("Budgets")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__struct_config__.tag)
def test_each_block_is_listed_with_its_keys(block: type[msgspec.Struct]) -> None:
    row = re.search(rf"^\| `{block.__struct_config__.tag}` \|(.*)$", section("Blocks"), re.MULTILINE)
    assert row
    assert set(keys_of(block)) <= set(re.findall(r"`(\w+)`", row[1]))


def test_each_purpose_and_link_field_is_named() -> None:
    assert all(f"`{purpose.value}`" in section("Which slips are printed") for purpose in Purpose)
    assert all(f"`{name}`" in section("A file") for name in LINK_FIELDS)


def test_the_example_is_a_good_slip() -> None:
    lines = [line[4:] for line in section("A file").splitlines() if line.startswith("    ") or not line]
    template = slip_from(tomllib.loads("\n".join(lines)), "docs/slips.md")
    assert (template.name, template.purpose, len(template.blocks)) == ("guests", Purpose.LINK, 2)


def test_each_reason_for_a_refused_claim_is_explained_and_has_a_case() -> None:
    told = set(re.findall(r"`(\w+)`", POINTS.split("| refused as |")[1].split("\n\n")[0]))
    assert told == set(_HINTS) == {case["reason"] for case in PUBLISHED["refused"]}


if __name__ == "__main__":
    old = section("Fields")
    new = re.sub(r"(?:^\| `.*\n)+", lambda found: "\n".join(rows()) + "\n", old, count=1, flags=re.MULTILINE)
    (DOCS / "slips.md").write_text(SLIPS.replace(old, new), "utf-8")
