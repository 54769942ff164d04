"""The lines of a lock that one kind of machine needs: `python3 packaging/lock_for.py box.lock aarch64`.

pip evaluates markers for the machine it runs on, also when it is told to install for another one; so they are
evaluated here. evdev without a wheel is left out: Debian has it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HEAD = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\]+?))? \\")
NO_WHEEL = frozenset({"evdev"})
ONLY_TO_INSTALL = frozenset({"pip", "setuptools"})


def lines_for(lock: str, machine: str) -> str:
    """The lock without markers, for CPython 3.11 on Linux on `machine`."""
    known = {
        "platform_machine": machine,
        "sys_platform": "linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_full_version": "3.11.2",
        "python_version": "3.11",
    }
    kept: list[str] = []
    is_wanted = False
    for line in lock.splitlines():
        head = HEAD.fullmatch(line)
        if head is not None:
            is_wanted = head["name"] not in NO_WHEEL | ONLY_TO_INSTALL and holds(head["marker"] or "", known)
        if is_wanted and not line.lstrip().startswith("#"):
            kept.append(f"{head['name']}=={head['version']} \\" if head is not None else line)
    return "\n".join(kept) + "\n"


def holds(marker: str, known: dict[str, str]) -> bool:
    """Whether a marker is true: comparisons joined by `and`, `or` [PEP 508], without parentheses."""
    if not marker:
        return True
    text = marker.replace("(", "").replace(")", "")
    return any(all(_compared(part.strip(), known) for part in one.split(" and ")) for one in text.split(" or "))


def _compared(part: str, known: dict[str, str]) -> bool:
    found = re.fullmatch(r"(\w+) (==|!=|<|<=|>|>=) '([^']*)'", part)
    if found is None:
        raise SystemExit(f"lock_for: cannot read the marker {part!r}")
    name, sign, wanted = found.groups()
    is_version = name.startswith("python_")
    left, right = (_numbers(known[name]), _numbers(wanted)) if is_version else (known[name], wanted)
    order = (left > right) - (left < right)  # type: ignore[operator]
    return {"==": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[
        sign
    ]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


if __name__ == "__main__":
    sys.stdout.write(lines_for(Path(sys.argv[1]).read_text("utf-8"), sys.argv[2]))
