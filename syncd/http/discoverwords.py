"""The words of a manifest for discovery: how an account tells what fields it has, and how that is compiled.

Closed as the rest of the vocabulary. Hard rule: what is told can be mapped, and lies where the manifest says such fields lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from syncd.config.shapes import Key, Keys, ListOf, MapOf, Spot, Word
from syncd.http import operations
from syncd.http.besideterms import Discover, Options
from syncd.http.coding import KINDS
from syncd.http.marks import MARK, read_marks
from syncd.http.paths import compile_field_path
from syncd.http.requests import LISTING, PATH, TEMPLATE
from syncd.http.texts import Template

_MARKS: Final = ListOf(item=MARK, hint="[{path: calculated, is: [true]}]")
OPTIONS: Final = Keys(
    keys={
        "items": Key(shape=PATH, help="where an item has the list of its options", required=True),
        "word": Key(shape=PATH, help="where an option has the word that travels", default="."),
        "label": Key(shape=PATH, help="where it has what people see; else that is the word"),
        "by": Key(
            shape=Word(("word", "label")),
            help="how syncd knows an option; label, where its word is a mere number",
            default="word",
        ),
    }
)
DISCOVER: Final = Keys(
    keys={
        **LISTING,
        "name": Key(
            shape=PATH, help="{name}: where an item has the name by which the API knows the field", required=True
        ),
        "drop": Key(
            shape=TEMPLATE, help="what that name begins with, and {name} does not, such as cf_; with {settings}"
        ),
        "path": Key(
            shape=replace(TEMPLATE, what="a path with {name} at its end, such as custom_fields.{name}"),
            help="where such a field lies, below record.under",
            default="{name}",
        ),
        "label": Key(shape=PATH, help="where an item has what people call it; else that is the name"),
        "type": Key(shape=PATH, help="where an item has the vendor's word for its type"),
        "types": Key(
            shape=MapOf(item=Word(tuple(KINDS))), help="that word -> what it is on the wire; else text", default={}
        ),
        "read_only": Key(shape=_MARKS, help="fields that say of themselves that they are only read", default=[]),
        "leave_out": Key(shape=_MARKS, help="items that are no field of a record, or lie elsewhere", default=[]),
        "options": Key(shape=OPTIONS, help="what a field may hold, where that is one or several of a list"),
    }
)


def read_discover(said: Mapping[str, Any] | None, scope: operations.Scope, *, any_path: bool) -> Discover | None:
    """Compile what a manifest says of discovery; problems are noted in the scope."""
    if said is None:
        return None
    spot, values = scope.top.down("discover"), DISCOVER.filled(said)
    if not any_path:
        spot.problem("finds fields that nobody may map: say `record.any_path: true`")
    if values["types"] and "type" not in values:
        spot.down("types").problem("says what the types mean, but not where they are: add `type`")
    if "drop" in values:
        scope.check(spot.down("drop"), values["drop"].names, ())
    return Discover(
        listing=operations.listing("discover", said, spot, scope, operations.PAGED),
        leave_out=read_marks(spot.down("leave_out")),
        name=values["name"],
        drop=values.get("drop"),
        path=_path(values["path"], spot),
        label=values.get("label", values["name"]),
        type=values.get("type"),
        types=values["types"],
        read_only=read_marks(spot.down("read_only")),
        options=_options(values.get("options")),
    )


def _path(text: Template, spot: Spot) -> Template:
    if text.names != ("name",) or text.parts[-1]:
        spot.down("path").problem("expected a path with {name} at its end, such as custom_fields.{name}")
        return text
    try:
        compile_field_path(f"{text.parts[0]}x")
    except ValueError as error:
        spot.down("path").problem(str(error))
    return text


def _options(said: Mapping[str, Any] | None) -> Options | None:
    if said is None:
        return None
    values = OPTIONS.filled(said)
    return Options(
        items=values["items"],
        word=values["word"],
        label=values.get("label", values["word"]),
        by_label=values["by"] == "label",
    )
