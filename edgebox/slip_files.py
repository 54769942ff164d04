"""Slips as a shop writes them: `config/slips/*.toml` → Template; every fault at once, each with file, block and key.

Owns: reading the files and what is wrong in them: unknown fields, braces, a language that a text lacks. Never: which
keys there are (edgebox/slip_schema.py), or what they mean (edgebox/slips). A template with a fault is never used: the
shipped one of that name, or none, is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edgebox import slip_schema as schema
from edgebox.config import FOLDER
from edgebox.errors import ConfigError
from edgebox.escpos.blocks import Align
from edgebox.escpos.raster import Raster
from edgebox.loyalty.windows import DAYS, Window
from edgebox.rules_schema import Window as WindowTable
from edgebox.slips.facts import LINK_FIELDS, fields_of, rows_of
from edgebox.slips.template import (
    ANY,
    BarcodeBlock,
    ColumnsBlock,
    Conditions,
    FeedBlock,
    ImageBlock,
    Limits,
    Placement,
    Purpose,
    QrBesideBlock,
    QrBlock,
    RuleBlock,
    Template,
    TemplateBlock,
    TextBlock,
    Words,
)
from edgebox.slips.wording import fields_in

SHIPPED = FOLDER / "slips"
FILE_MAX = 256 << 10
PICTURE_DOTS = 4_000_000  # of a logo: 7 m of 80 mm paper
_ALIGNS = {"left": Align.LEFT, "center": Align.CENTER, "right": Align.RIGHT}
_CONDITION_FIELDS = frozenset({"member", "fiscal", "number", "staff", "table", "till", "amount"})  # known before codes
_BLOCK: type[Any] = schema.BlockTable  # type: ignore[assignment]  # a union is a type to msgspec
_T = TypeVar("_T")


def load_slips(folders: Iterable[Path] = (SHIPPED,)) -> dict[str, Template]:
    """All templates by name; those of later folders replace earlier ones. ConfigError `bad_slip` names every fault."""
    found: dict[str, Template] = {}
    faults: list[str] = []
    for folder in folders:
        good, bad = read_slips(folder)
        found |= good
        faults += bad
    if faults:
        raise ConfigError("\n".join(faults), reason="bad_slip")
    return found


def read_slips(folder: Path) -> tuple[dict[str, Template], list[str]]:
    """The good templates of a folder by name, and what is wrong with the others."""
    found: dict[str, Template] = {}
    faults: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            template = load_slip(path)
        except ConfigError as fault:
            faults.append(str(fault.args[0]))
        else:
            found[template.name] = template
    return found, faults


def load_slip(path: Path) -> Template:
    """One file's template. ConfigError `no_slip`, `bad_slip`."""
    try:
        raw = path.read_bytes()
        if len(raw) > FILE_MAX:
            raise ConfigError(f"{path}: over {FILE_MAX >> 10} KB", reason="bad_slip")
        table = tomllib.loads(raw.decode("utf-8"))
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", reason="no_slip") from fault
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise ConfigError(f"{path}: {fault}", reason="bad_slip") from fault
    return slip_from(table, str(path))


def slip_from(table: Mapping[str, Any], source: str) -> Template:
    """A template from its table: of a TOML file, or the JSON of a bundle. ConfigError `bad_slip` names every fault."""
    reader = _Reader()
    template = reader.template(dict(table))
    if reader.faults or template is None:
        raise ConfigError("\n".join(f"{source}: {fault}" for fault in reader.faults), reason="bad_slip")
    return template


def load_images(templates: Iterable[Template], folder: Path, dots: int) -> dict[str, Raster]:
    """The pictures that templates name, as dots: PNG files of `folder`, made narrower where wider than the paper.

    ConfigError `bad_picture`. Loads Pillow if there is any to load; never on the way of a receipt.
    """
    names = {name for template in templates for name in template.images}
    return {name: _picture(folder / name, dots) for name in sorted(names)}


def _picture(path: Path, dots: int) -> Raster:
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height > PICTURE_DOTS:
                raise ConfigError(f"{path}: {image.width} x {image.height} dots", reason="bad_picture")
            flat = Image.new("L", image.size, 255)
            flat.paste(image.convert("L"), mask=image.getchannel("A") if "A" in image.getbands() else None)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as fault:
        raise ConfigError(f"{path}: {fault}", reason="bad_picture", hint="a PNG file is wanted") from fault
    if flat.width > dots:
        flat = flat.resize((dots, max(1, flat.height * dots // flat.width)))
    width = -(-flat.width // 8) * 8
    black = Image.new("1", (width, flat.height), 0)
    black.paste(flat.point(lambda shade: 255 if shade < 128 else 0).convert("1"))
    return Raster(width // 8, flat.height, black.tobytes())


class _Reader:
    """Reads one table part by part and keeps what is wrong."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._purpose = Purpose.LINK
        self._languages: tuple[str, ...] = ()

    def template(self, table: dict[str, Any]) -> Template | None:
        blocks, when, limits = table.pop("block", []), table.pop("when", {}), table.pop("limits", {})
        top = self._as(schema.SlipTable, table, "slip")
        conditions = self._as(schema.WhenTable, when, "[when]")
        bounds = self._as(schema.LimitsTable, limits, "[limits]")
        if top is None:  # without a purpose no field can be judged; the blocks' own forms can
            for number, block in enumerate(blocks if isinstance(blocks, list) else [], 1):
                self._as(_BLOCK, block, f"block {number}")
            return None
        self._purpose, self._languages = top.purpose, top.languages
        if not isinstance(blocks, list) or not 0 < len(blocks) <= schema.BLOCKS_MAX:
            self.faults.append(f"[[block]]: expected 1 to {schema.BLOCKS_MAX} of them")
            blocks = []
        read = [self._block(block, number) for number, block in enumerate(blocks, 1)]
        made: tuple[TemplateBlock, ...] = tuple(block for block in read if block is not None)
        self._contradictions(top, made)
        return Template(
            top.name,
            top.purpose,
            made,
            languages=top.languages,
            placement=top.placement,
            priority=top.priority,
            conditions=self._conditions(conditions or schema.WhenTable()),
            limits=Limits(**msgspec.structs.asdict(bounds or schema.LimitsTable())),
            threshold_minor=top.threshold_minor,
            pool=top.pool,
            link=top.link,
            shadow=top.shadow,
            per_member_day=top.per_member_day,
            value_minor=top.value_minor,
            valid_days=top.valid_days,
            images=tuple(block.name for block in made if isinstance(block, ImageBlock)),
        )

    def _as(self, kind: type[_T], value: Any, where: str) -> _T | None:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as fault:
            self.faults.append(f"{where}: {fault}")
            return None

    def _contradictions(self, top: schema.SlipTable, made: tuple[TemplateBlock, ...]) -> None:
        if top.purpose is Purpose.CLAIM and not any("url" in fields_in(data) for data in _codes(made)):
            self.faults.append("slip: a claim without a code of {url} can't be claimed")
        if top.purpose is Purpose.PROMOTION and not top.threshold_minor:
            self.faults.append("slip: a promotion needs threshold_minor")
        if top.threshold_minor and top.purpose not in (Purpose.PROMOTION, Purpose.COMEBACK):
            self.faults.append("slip: threshold_minor belongs to a promotion or a comeback coupon")
        if (top.purpose is Purpose.COMEBACK) != bool(top.value_minor and top.valid_days):
            self.faults.append("slip: value_minor and valid_days belong to a comeback coupon, which needs both")
        if top.purpose is Purpose.CLAIM and top.placement is Placement.OWN_SLIP:
            self.faults.append("slip: a claim goes onto the receipt; for a slip of its own see placement in [[line]]")
        if (top.purpose in (Purpose.COUPON, Purpose.SOURCE)) != bool(top.pool):
            self.faults.append("slip: pool belongs to a coupon or source slip, and these need one")
        if top.link and top.purpose not in (Purpose.LINK, Purpose.INVOICE, Purpose.PAYMENT):
            self.faults.append("slip: link belongs to a link, invoice or payment slip")
        self._check_link(top.link)

    def _check_link(self, link: str) -> None:
        try:
            unknown = [name for name in fields_in(link) if name not in LINK_FIELDS]
        except ValueError as fault:
            self.faults.append(f"slip: link: {fault}")
            return
        self.faults += [f"slip: link: no field {name!r}, there are {_listed(LINK_FIELDS)}" for name in unknown]

    # -- conditions

    def _conditions(self, table: schema.WhenTable) -> Conditions:
        for field in (*table.needs, *table.unless):
            if field not in _CONDITION_FIELDS:
                self.faults.append(
                    f"[when]: no field {field!r} to ask for, expected one of {_listed(_CONDITION_FIELDS)}"
                )
        if table.max_minor is not None and table.max_minor < table.min_minor:
            self.faults.append("[when]: max_minor is below min_minor")
        plain = ("tenders", "not_tenders", "tiers", "segments", "staff", "tables", "lines", "needs", "unless", "kinds")
        sets = {name: frozenset(getattr(table, name)) for name in plain}
        return Conditions(
            **sets, min_minor=table.min_minor, max_minor=table.max_minor, window=self._window(table.window)
        )

    def _window(self, table: WindowTable) -> Window:
        if (table.from_ is None) != (table.to is None):
            self.faults.append("[when.window]: from and to belong together")
        if table.start and table.end and table.end < table.start:
            self.faults.append("[when.window]: end is before start")
        return Window(
            frozenset(DAYS.index(day) for day in table.days),
            _minute(table.from_),
            _minute(table.to),
            table.start,
            table.end,
        )

    # -- blocks

    def _block(self, table: Any, number: int) -> TemplateBlock | None:
        where = f"block {number}"
        block: Any = self._as(_BLOCK, table, where)
        if block is None:
            return None
        if block.given and block.given not in fields_of(self._purpose) | rows_of(self._purpose):
            self.faults.append(f"{where}: given: {self._no_field(block.given)}")
        make: Callable[[Any, str], TemplateBlock] = getattr(
            self, f"_{type(block).__name__.removesuffix('Table').lower()}"
        )
        return make(block, where)

    def _text(self, table: schema.TextTable, where: str) -> TextBlock:
        words = self._words(table.text, table.short, where, once=table.once)
        return TextBlock(words, _ALIGNS[table.align], table.bold, table.size, table.given)

    def _line(self, table: schema.LineTable, where: str) -> TextBlock:
        words = self._words(table.text, table.short, where, once=table.once)
        return TextBlock(words, _ALIGNS[table.align], table.bold, 1, table.given)

    def _qr(self, table: schema.QrTable, where: str) -> QrBlock:
        caption = self._line(table.caption, f"{where}, caption") if table.caption else None
        return QrBlock(self._named(table.data, f"{where}: data"), caption, table.level, table.given)

    def _qrbeside(self, table: schema.QrBesideTable, where: str) -> QrBesideBlock:
        beside = tuple(self._line(line, f"{where}, beside") for line in table.beside)
        above = tuple(self._line(line, f"{where}, above") for line in table.above)
        return QrBesideBlock(
            self._named(table.data, f"{where}: data"), beside, above or beside, table.level, table.given
        )

    def _barcode(self, table: schema.BarcodeTable, where: str) -> BarcodeBlock:
        return BarcodeBlock(self._named(table.data, f"{where}: data"), table.labelled, table.given)

    def _columns(self, table: schema.ColumnsTable, where: str) -> ColumnsBlock:
        if table.each and table.each not in rows_of(self._purpose):
            self.faults.append(f"{where}: each: no list {table.each!r} in a {self._purpose} slip")
        if bool(table.each) == bool(table.left or table.right):
            self.faults.append(f"{where}: either each, or left and right")
        left, right = (self._words(text, "", where) for text in (table.left, table.right))
        return ColumnsBlock(left, right, table.bold, table.each, table.given)

    def _image(self, table: schema.ImageTable, where: str) -> ImageBlock:
        return ImageBlock(table.file, table.given)

    def _rule(self, table: schema.RuleTable, where: str) -> RuleBlock:
        return RuleBlock(table.char, table.given)

    def _feed(self, table: schema.FeedTable, where: str) -> FeedBlock:
        return FeedBlock(table.lines, table.given)

    # -- words

    def _words(self, full: schema.Text, short: schema.Text, where: str, *, once: bool = False) -> Words:
        return Words(self._spoken(full, where), self._spoken(short, where), once)

    def _spoken(self, text: schema.Text, where: str) -> tuple[tuple[str, str], ...]:
        table: dict[str, str] = {ANY: text} if isinstance(text, str) else {str(key): said for key, said in text.items()}
        if isinstance(text, dict):
            missing = [language for language in self._languages if language not in table]
            if missing:
                self.faults.append(f"{where}: no words in {_listed(missing)}")
        return tuple((language, self._named(said, where)) for language, said in table.items() if said)

    def _named(self, text: str, where: str) -> str:
        """The text, if its fields are known."""
        try:
            unknown = [name for name in fields_in(text) if name not in fields_of(self._purpose)]
        except ValueError as fault:
            self.faults.append(f"{where}: {text!r}: {fault}")
            return ""
        self.faults += [f"{where}: {self._no_field(name)}" for name in unknown]
        return text

    def _no_field(self, name: str) -> str:
        return f"no field {name!r} in a {self._purpose} slip, there are {_listed(fields_of(self._purpose))}"


def _codes(blocks: Iterable[TemplateBlock]) -> Iterable[str]:
    return (block.data for block in blocks if isinstance(block, QrBlock | QrBesideBlock))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _minute(clock: str | None) -> int | None:
    if clock is None:
        return None
    if clock == "24:00":
        return 24 * 60
    at = datetime.strptime(clock, "%H:%M").replace(tzinfo=UTC)
    return at.hour * 60 + at.minute
