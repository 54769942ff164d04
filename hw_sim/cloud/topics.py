"""Topics as the cloud sees them: every box's, from one template.

Owns: the template's placeholders to names and back. Never: less than whole levels: `{box}` must be a level of its own,
or a broker could not filter by it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hw_sim.cloud.registry import Place

DEFAULT = "edgebox/v1/{tenant}/{store}/{box}"
_LEVEL = "[^/+#]*"


class Heard(NamedTuple):
    """A topic taken apart: whose it is, and what comes behind the box's prefix."""

    place: Place
    rest: str


class Topics:
    """One template. ValueError: a placeholder is missing or isn't a level of its own."""

    def __init__(self, template: str = DEFAULT) -> None:
        self._template = template
        levels = template.split("/")
        for name in Place._fields:
            if levels.count(f"{{{name}}}") != 1:
                raise ValueError(f"{template}: {{{name}}} must be one whole level")
        pattern = "/".join(f"(?P<{level[1:-1]}>{_LEVEL})" if level[:1] == "{" else re.escape(level) for level in levels)
        self._pattern = re.compile(f"{pattern}/(?P<rest>.+)")

    def prefix(self, place: Place) -> str:
        """What the box's topics begin with."""
        return self._template.format(**place._asdict())

    def everything(self) -> str:
        """The filter of all that any box may say or hear."""
        return f"{self.boxes()}/#"

    def boxes(self) -> str:
        """The filter of all boxes' prefixes."""
        return re.sub(r"\{[a-z]+\}", "+", self._template)

    def filters(self) -> tuple[str, ...]:
        """What the cloud subscribes to."""
        return tuple(f"{self.boxes()}/{rest}" for rest in ("up/#", "state", "ask", "reply", "reported", "csr"))

    def read(self, topic: str) -> Heard | None:
        """Whose topic it is; None: no box's."""
        match = self._pattern.fullmatch(topic)
        if match is None:
            return None
        return Heard(Place(match["tenant"], match["store"], match["box"]), match["rest"])
