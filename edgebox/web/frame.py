"""The frame around every page: navigation by role, what is wrong now, messages; and the thread's work of setting it.

Owns: the template engine and what every template may use. Never: what a page says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from edgebox.reports import wrong as reports
from edgebox.web.routes import Row
from edgebox.web.words import HTML_LANG, LANGUAGES, OWN_NAMES, Catalogue
from edgebox.web.z_words import z_said

if TYPE_CHECKING:
    from edgebox.web.office import Office
    from edgebox.web.visit import Visit

FOLDER = Path(__file__).parent / "templates"
THUMB = 4  # places at the foot of a phone's screen; the rest is under "more"


class Place(NamedTuple):
    """A place in the navigation."""

    name: str
    path: str
    is_here: bool


class Trouble(NamedTuple):
    """One thing that is wrong: a sentence, and what to do about it."""

    state: str
    said: str
    todo: str


class Frame:
    """`rows`: all routes."""

    def __init__(self, office: Office, rows: Sequence[Row]) -> None:
        self._office = office
        placed = [row for row in rows if row.nav is not None]
        self._placed = sorted(placed, key=lambda row: row.nav.order if row.nav else 0)
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER, encoding="utf-8"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def set(self, template: str, values: dict[str, Any]) -> str:
        """The text. Runs in the office's thread."""
        return self._templates.get_template(template).render(values)

    def around(self, visit: Visit, wrong: Iterable[reports.Trouble], *, with_notes: bool) -> dict[str, Any]:
        """What every template may use."""
        t = visit.t
        notes: list[str] = []
        if with_notes and visit.session is not None:
            notes, visit.session.notes = [t(key, **values) for key, values in visit.session.notes], []
        path = visit.request.url.path
        return {
            "t": t,
            "write": visit.write,
            "has_lines": len(self._office.config.line) > 1,
            "today": visit.write.local(self._office.now).date(),
            "language": visit.language,
            "html_lang": HTML_LANG[visit.language],
            "languages": [(one, OWN_NAMES[one]) for one in LANGUAGES],
            "me": visit.user,
            "role": visit.role.value,
            "path": path,
            "csrf": visit.csrf,
            "asset": self._office.assets.address,
            "shop": self._office.config.shop.name,
            "places": self.places(visit, path),
            "thumb": THUMB,
            "notes": notes,
            "troubles": said_troubles(self._office.catalogue, visit.language, wrong),
            "icon": self._icon,
            "has": self._office.catalogue.has,
        }

    def places(self, visit: Visit, path: str) -> list[Place]:
        """The navigation of a role; the place where one is: the longest path that the address begins with."""
        mine = [row for row in self._placed if visit.role in row.roles]
        within = [row.path for row in mine if path == row.path or path.startswith(row.path + "/")]
        here = max(within, key=len, default="")
        return [Place(row.nav.name, row.path, row.path == here) for row in mine if row.nav is not None]

    def _icon(self, name: str) -> Markup:
        """A drawing from our own package, in the colour of the text around it; of what has none a plain ring."""
        name = f"icon-{name}.svg"
        raw = self._office.assets.raw(name if name in self._office.assets.names() else "icon-other.svg")
        return Markup(raw.decode("utf-8"))


def said_troubles(catalogue: Catalogue, language: str, wrong: Iterable[reports.Trouble]) -> list[Trouble]:
    """What is wrong now, in sentences: that of its key, else that of its kind, else a general one."""
    found = []
    for one in wrong:
        kind = one.key.rpartition("_")[0]
        key = next((key for key in (one.key, kind) if catalogue.has(f"trouble.{key}")), "other")
        slug = "trouble_words." + re.sub(r"[^a-z]+", "_", one.words.lower()).strip("_")
        words = catalogue.said(language, slug) if catalogue.has(slug) else one.words
        if one.key == "z_differs":
            words = z_said(catalogue.in_language(language), one.words)
        name = one.part if key == "other" else one.name
        said = catalogue.said(language, f"trouble.{key}", name=name, words=words)
        state = "failed" if one.is_serious else "warning"
        found.append(Trouble(state, said, catalogue.said(language, f"trouble_do.{key}")))
    return found
