"""ARCHITECTURE.md names every module with its own first sentence. `python -m tests.test_architecture` writes it."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- parts: written by python -m tests.test_architecture -->\n", "<!-- end of parts -->\n"
PACKAGES = ("edgebox", "drivers", "sync", "hw_sim")


def parts() -> str:
    """The table: a heading for each folder, a row for each module."""
    out, folder = [], Path()
    for path in sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        if path.name == "__init__.py":
            continue
        if path.parent != folder:
            folder = path.parent
            out.append(f"\n### `{folder.relative_to(ROOT)}/`\n\n| module | one idea |\n|---|---|\n")
        sentence = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]
        out.append(f"| `{path.name}` | {sentence.replace('|', '∣')} |\n")
    return "".join(out) + "\n"


def split() -> tuple[str, str, str]:
    """The page before, between and after the marks."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    between, _, after = rest.partition(END)
    return before, between, after


def test_every_module_stands_in_the_architecture() -> None:
    assert split()[1] == parts(), "run: python -m tests.test_architecture"


if __name__ == "__main__":
    first, _, last = split()
    PAGE.write_text(first + BEGIN + parts() + END + last, "utf-8")
