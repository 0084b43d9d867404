"""Which fields are in effect in one account: the manifest's, with what the operator says of them, and the account's own.

Hard rule: what lies at a path that the manifest knows is read and written as the manifest says, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from syncd.connector import Opening
from syncd.errors import ConfigError
from syncd.http.coding import KINDS
from syncd.http.discovery import Catalogue, Told
from syncd.http.paths import compile_field_path, reader, shown
from syncd.http.terms import Field, Manifest
from syncd.model import FieldMap, Raw

TEXT: Final = KINDS["text"].read


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One field in effect: the manifest's, with what the operator says of it."""

    field: Field
    map: FieldMap
    read: Callable[[dict[str, Any]], Raw]


def fields_in_effect(manifest: Manifest, opening: Opening, told: Callable[[], Sequence[Told]]) -> dict[str, Known]:
    """Lay the operator's map over the manifest's. `told` asks the account, where a field lies where only that knows.

    Raises ConfigError, or one of the reactions to what was asked.
    """
    said = {name: where for name, where in opening.fields.items() if where.direction != "none" and where.fold is None}
    by_path = {field.path.text: field for field in manifest.fields.values()}
    catalogue = None
    if any(_is_told(manifest, where, by_path) for where in said.values()):
        assert manifest.discover is not None
        catalogue = Catalogue(opening.app, manifest.discover, told())
        said = {name: catalogue.placed(name, where) for name, where in said.items()}
        _check_once(said, opening.app)
    maps = {name: field.map for name, field in manifest.fields.items() if name in (opening.known or manifest.fields)}
    taken = {where.path for where in said.values()}
    maps = {name: where for name, where in maps.items() if name not in opening.fields and where.path not in taken}
    found = {}
    for name, given in (maps | said).items():
        listed = by_path.get(given.path)
        field, where = (listed, given) if listed else _unlisted(manifest, given, catalogue, opening.app, name)
        if field.top and field.map.direction == "in":  # no request has a place for it
            where = replace(where, direction="in")
        if field.consent is not None and field.consent.opt_in is None:
            where = replace(where, opts_in=False)
        found[name] = Known(field=field, map=where, read=reading(field))
    return found


def _check_once(said: Mapping[str, FieldMap], app: str) -> None:
    """Raise ConfigError where two fields lie at one path, by whatever they are called."""
    first: dict[str, str] = {}
    for name, where in said.items():
        if first.setdefault(where.path, name) != name:
            raise ConfigError(
                f"{app}: {first[where.path]} and {name} both lie at {where.path}: say of one of them `direction: none`"
            )


def _is_told(manifest: Manifest, where: FieldMap, by_path: Mapping[str, Field]) -> bool:
    """Say whether the account has to be asked what is meant."""
    if manifest.discover is None:
        return False
    return bool(where.label) or (where.path not in by_path and where.path.startswith(manifest.discover.before))


def _unlisted(
    manifest: Manifest, where: FieldMap, catalogue: Catalogue | None, app: str, name: str
) -> tuple[Field, FieldMap]:
    """Make a field that the manifest does not know: as the account tells of it, else a text."""
    try:
        path = compile_field_path(where.path)
    except ValueError as error:
        raise ConfigError(f"{app}: field {name}: {error}") from None
    if catalogue is not None and catalogue.covers(path.text):
        return catalogue.field(name, where, path, manifest.shape.blank)
    return Field(map=where, path=path, kind=KINDS["text"], blank=manifest.shape.blank), where


def reading(field: Field) -> Callable[[dict[str, Any]], Raw]:
    """Make the function that reads a field of a record: the hot path, so the most common kind has one of its own."""
    raw, steps = field.kind.read, field.path.steps
    if field.also:
        plainly = reading(replace(field, also={}))
        return lambda doc: field.also.get(shown(word := plainly(doc)), word)
    text = raw is TEXT
    if len(steps) > 1 or not isinstance(steps[0], str):
        lies = reader(field.path)

        def look(doc: dict[str, Any]) -> Raw:
            value = lies(doc)
            return value if text and type(value) is str and value else raw(value)

        return look
    key = steps[0]

    def read(doc: dict[str, Any]) -> Raw:
        value = doc.get(key)
        return value if text and type(value) is str and value else raw(value)

    return read
