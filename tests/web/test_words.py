"""Every sentence of the page, in every language; none that nobody says, none beside the catalogue."""

import re
import string
from pathlib import Path

import pytest
from jinja2 import Environment

from edgebox.appliance.plugged import Use
from edgebox.beacons.tags import Role as TagRole
from edgebox.desk.redemption import Source
from edgebox.loyalty.windows import DAYS
from edgebox.model import Confidence, DocumentKind
from edgebox.print_jobs.job import State
from edgebox.print_jobs.job import What as PaperKind
from edgebox.reports import lessons, reasons
from edgebox.reports.correct import WHAT, Effect
from edgebox.reports.days import Span
from edgebox.reports.staff import MEASURES
from edgebox.scan.codes import Kind
from edgebox.settings import SECTIONS
from edgebox.slips.template import Purpose
from edgebox.store.events import ClaimState, Stream
from edgebox.web import frame, slip_form
from edgebox.web.first_start import Step
from edgebox.web.pages.campaigns import FAULTS
from edgebox.web.pages.desk import What
from edgebox.web.pages.logs import LEVELS
from edgebox.web.pages.start_cloud import CloudForm
from edgebox.web.pages.start_printer import CODE_OF
from edgebox.web.pages.start_shop import SPEAKS, TRADES
from edgebox.web.pages.start_slip import READY
from edgebox.web.pages.start_till import ASKED
from edgebox.web.pages.teach import SHOWN
from edgebox.web.refusals import STATUS
from edgebox.web.roles import PEOPLE
from edgebox.web.routes import rows
from edgebox.web.words import LANGUAGES, Catalogue
from sync.contract import BundleKind

CATALOGUE = Catalogue.read()
WEB = Path(frame.__file__).parent
TEMPLATES = sorted(frame.FOLDER.glob("*.html"))
SOURCES = "".join(path.read_text("utf-8") for path in sorted(WEB.rglob("*.py")) + TEMPLATES)
NAMES = {"edgebox", "SHA", "api", "v", "openapi", "json"}  # what no language translates
# Tables whose keys are made from a value, and the values there are.
MADE = {
    "refusals": set(STATUS),
    "roles": {role.value for role in PEOPLE},
    "kinds": {kind.value for kind in DocumentKind},
    "devices_use": {use.value for use in Use},
    "start_steps": {step.value for step in Step},
    "start_trades": {trade or "none" for trade in TRADES},
    "start_speaks": set(SPEAKS),
    "start_uses": {use.value for use in Use} - {Use.TILL.value},
    "start_codes": {*CODE_OF, "none"},
    "start_tenders": {kind.value for kind in ASKED},
    "start_slips": set(READY),
    "start_slips_more": set(READY),
    "start_cloud": {name for name in CloudForm.__struct_fields__ if name != "kind"},
    "streams": {stream.value for stream in Stream},
    "bundles": {kind.value for kind in BundleKind},
    "job_kinds": {what.value for what in PaperKind},
    "job_states": {state.value for state in State},
    "profile_qr": {"native", "gs_v_0", "esc_star", "none"},  # as of edgebox/escpos/profile.py
    "setting": {f"{section}_{name}" for section, kind in SECTIONS.items() for name in kind.__struct_fields__},
    "setting_effects": {"live", "restart"},  # one that is fixed has no change to take effect
    "certificate_origins": {"box", "page", "file"},
    "setting_sections": set(SECTIONS),
    "setting_origins": {"default", "file", "page", "cloud", "box"},
    "log_levels": set(LEVELS[1:]),
    "nav": {row.nav.name for row in rows() if row.nav} | {"more"},
    "codes": {kind.value for kind in (*Kind, *What)},
    "sources": {source.value for source in Source},
    "campaign_faults": FAULTS,
    "weekdays": set(DAYS),
    "measures": set(MEASURES),
    "reasons_for": set(MEASURES),
    "spans": {span.value for span in Span},
    "tag_roles": {role.value or "other" for role in TagRole},
    "reasons": set(reasons.KEYS),
    "confidence": {one.value for one in Confidence},
    "claim_states": {state.value for state in ClaimState},
    "correct_effects": {effect.value for effect in Effect},
    "teach_asks": set(SHOWN),
    "teach_shows": set(SHOWN),
    "teach_changes": {change.value for change in lessons.Change},
    "purposes": {purpose.value for purpose in Purpose},
    "slip_kinds": set(slip_form.FIELDS),
    "slip_fields": {name for fields in slip_form.FIELDS.values() for name, _ in fields},
    "slip_faults": {key for key, _ in slip_form._KNOWN} | {"other"},
    "slip_languages": {"zh", "en", "zh_en"},
    "slip_aligns": {"left", "center", "right"},
    "slip_sizes": {"1", "2"},
    "scan_ends": {"late", "refused"},  # of edgebox/scan_desk.Seen
}
LOOKED_UP = {
    "correct_faults",
    "line_words",
    "teach_faults",
    "slip_settings",
    "slip_unfit",
    "start_settings",
    "start_faults",
    "trouble",
    "trouble_do",
    "trouble_words",
    "parts",
    "changes",
    "device_words",
    "job_reasons",
    "backup_faults",
    "doctor",
    "doctor_why",
    "doctor_mend",
    "doctor_part",
    "zones",
}  # used where there is one, else the value


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(CATALOGUE.keys()))
def test_each_sentence_is_there_in_each_language_with_the_same_values(key: str) -> None:
    said = CATALOGUE._sentences[key]
    assert set(said) == set(LANGUAGES)
    assert all(text.strip() for text in said.values())
    assert len({frozenset(fields(text)) for text in said.values()}) == 1
    assert not re.search(r"[\u4e00-\u9fff]", said["en"])


@pytest.mark.parametrize("table", MADE)
def test_each_word_of_the_box_has_its_sentence(table: str) -> None:
    assert {key.partition(".")[2] for key in CATALOGUE.keys() if key.startswith(f"{table}.")} == MADE[table]  # noqa: SIM118


def test_each_key_that_is_said_stands_in_the_catalogue_and_the_other_way_round() -> None:
    said = set(re.findall(r"""["']([a-z_]+\.[a-z_0-9]+)["']""", SOURCES))
    tables = {key.partition(".")[0] for key in CATALOGUE.keys()}  # noqa: SIM118
    files = {"html", "css", "js", "svg", "toml", "py", "key", "crt", "local"}
    wanted = {key for key in said if key.partition(".")[0] in tables and key.partition(".")[2] not in files}
    assert wanted - CATALOGUE.keys() == set()
    unused = {key for key in CATALOGUE.keys() - wanted if key.partition(".")[0] not in {*MADE, *LOOKED_UP}}
    assert unused == set()


def test_each_change_that_the_page_records_has_its_sentence() -> None:
    recorded = {*re.findall(r"""audit\(\s*"([a-z' -]+)\"""", SOURCES), *(f"{WHAT}: {effect}" for effect in Effect)}
    recorded -= {"paper printed"}  # the example in routes.py
    assert len(recorded) > 20
    keys = {"changes." + re.sub(r"[^a-z]+", "_", what).strip("_") for what in recorded}
    assert keys - CATALOGUE.keys() == set()


def test_what_is_to_be_done_is_said_of_each_trouble() -> None:
    kinds = {key.partition(".")[2] for key in CATALOGUE.keys() if key.startswith("trouble.")}  # noqa: SIM118
    assert kinds == {key.partition(".")[2] for key in CATALOGUE.keys() if key.startswith("trouble_do.")}  # noqa: SIM118


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_words_of_its_own(template: Path) -> None:
    text = template.read_text("utf-8")
    without_code = "".join(value for _, kind, value in Environment().lex(text) if kind == "data")
    said = re.sub(r"<[^>]*>|&\w+;", " ", re.sub(r"<(script|style)\b.*?</\1>", " ", without_code, flags=re.DOTALL))
    # Attributes are torn apart by code inside them: what is left of a tag ends with >, or begins with <.
    said = re.sub(r"^[^<>]*>|<[^<>]*$", " ", said, flags=re.MULTILINE)
    attributes = re.findall(r"""(?:title|alt|placeholder|aria-label)="([^"{]+)\"""", text)
    words = set(re.findall(r"[^\W\d_]+", said + " ".join(attributes)))
    assert words - NAMES == set()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_wants_what_the_policy_forbids(template: Path) -> None:
    text = template.read_text("utf-8")
    assert not re.search(r"""\son\w+=|\sstyle=|<style|hx-on|javascript:|js:|hx-vars|<script(?![^>]*\ssrc=)""", text)
    assert not re.search(r"""hx-trigger="[^"]*\[""", text)
    assert not re.search(r"""(?:src|href|action)="(?:https?:)?//""", text)
    assert "| safe" not in text
    for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", text, re.DOTALL):
        assert "csrf.html" in form, "a form without its token"
