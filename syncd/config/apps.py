"""The `apps:` section: each app checked against what its connector states about itself.

Knows connectors by their spec only. Hard rule: no connector is opened and no network touched here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from syncd.config import expressions, stores
from syncd.config.near import choose_from, did_you_mean
from syncd.config.secrets import Secret, by_reference, secret
from syncd.config.settings import AppConfig, FieldConfig, FileName
from syncd.config.shapes import INVALID, Key, Keys, MapOf, Spot
from syncd.config.vocabulary import APP, FIELD_MAP, PLAIN, SECRET, SETTING_TYPES, WRITES
from syncd.core.fields import Invalid, field_type
from syncd.errors import ConfigError
from syncd.model import FieldMap, Spec, words_of

Specs = Callable[[str, tuple[Path, ...]], Spec]
"""Connector name or absolute path, folders of the operator's own -> spec. Raises ConfigError for the operator."""

_TYPE_OPTIONS: Final = ("region", "order", "separator")
_LENS_OPTIONS: Final = ("placeholder", "overflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What apps are checked against."""

    folder: Path
    """Relative paths count from here."""
    specs: Specs
    environ: Mapping[str, str]
    resolve: bool
    connector_folders: tuple[Path, ...] = ()
    fields: Mapping[str, FieldConfig] = field(default_factory=dict)
    """Every field of a contact, by name."""


def read_app(name: str, spot: Spot, around: Surroundings) -> AppConfig | None:
    """Check one app. None where not even its connector is known; every problem has been noted then."""
    at, spec = _connector(spot, around)
    values = APP.filled(replace(APP, elsewhere=_belongs(spec)).read(spot))
    scope = values.get("scope")
    if scope is not None and (wrong := expressions.problem(scope, around.fields)):
        spot.down("scope").problem(wrong)
    if spec is None:
        return None
    settings, files = _settings(spot, spec, around)
    secrets = _secrets(spot, spec, around)
    if values["hooks"]:
        _check_hooks(spot, spec, secrets)
    return AppConfig(
        name=name,
        place=str(spot.place),
        connector=spec.name,
        connector_at=at,
        settings=settings,
        files=files,
        secrets=secrets,
        hook_secret=spec.hooking.path if spec.hooking is not None else None,
        poll_seconds=values["poll"],
        sweep=values["sweep"],
        **WRITES.filled(values["writes"]),
        scope=scope,
        **{key: values[key] for key in ("on_leave", "on_delete", "trust", "network", "hooks")},
        fields=_fields(spot, spec, around) | _folds(name, spot, around),
    )


def _connector(spot: Spot, around: Surroundings) -> tuple[str, Spec | None]:
    """Return what the registry calls the connector, and its spec."""
    child = spot.child("connector")
    text = PLAIN.read(Spot(child.node, child.path, child.place, [])) if child else INVALID  # APP reports what is wrong
    if child is None or text is INVALID:
        return "", None
    at = str(stores.anchored(around.folder, text)) if "/" in text or text.startswith(".") else text
    try:
        return at, around.specs(at, around.connector_folders)
    except ConfigError as error:
        child.problem(str(error))
        return at, None


def streams_of(spots: Mapping[str, Spot], around: Surroundings) -> dict[str, Mapping[str, Mapping[str, str]]]:
    """List the streams of each app; none of one whose connector is not known, which `read_app` reports."""
    found = {}
    for name, spot in spots.items():
        _, spec = _connector(Spot(spot.node, spot.path, spot.place, []), around)
        found[name] = spec.streams if spec is not None else {}
    return found


def _belongs(spec: Spec | None) -> dict[str, str]:
    """Explain keys of an app that belong one level deeper."""
    if spec is None:
        return {}
    return {
        **dict.fromkeys(("path", "direction"), "belongs to a field: fields: <field>:"),
        **{setting.name: f"belongs under settings: (settings: {{{setting.name}: ...}})" for setting in spec.settings},
        **{
            word.name: f"belongs under secrets:, by reference (secrets: {{{word.name}: env:NAME}})"
            for word in spec.secrets
        },
        **dict.fromkeys(("create", "update"), "belongs under writes:"),
    }


def setting_keys(spec: Spec) -> Keys:
    """Return the shape of a connector's settings."""
    return Keys(
        keys={
            each.name: Key(
                shape=SETTING_TYPES[each.type],
                help=each.help,
                default=INVALID if each.default is None else each.default,
                required=each.required,
            )
            for each in spec.settings
        },
        elsewhere={each.name: "is a secret: it belongs under secrets:, by reference" for each in spec.secrets},
    )


def secret_keys(spec: Spec) -> Keys:
    """Return the shape of a connector's secrets."""
    return Keys(
        keys={each.name: Key(shape=SECRET, help=each.help, required=each.required) for each in spec.secrets},
        elsewhere={each.name: "is no secret: it belongs under settings:" for each in spec.settings},
    )


def _settings(spot: Spot, spec: Spec, around: Surroundings) -> tuple[dict[str, Any], dict[str, FileName]]:
    """Return the settings with every path absolute, and the files among them as they are seen from here."""
    keys = setting_keys(spec)
    child = spot.child_or_empty("settings")
    given = keys.read(child)
    files: dict[str, FileName] = {}
    if given is INVALID:
        return {}, files
    values = {**dict.fromkeys(keys.keys), **keys.filled(given)}
    for setting in spec.settings:
        value = values[setting.name]
        file = None
        if setting.type == "path" and value is not None:
            values[setting.name], file = str(stores.anchored(around.folder, value)), value
        elif setting.type == "url" and value is not None:
            values[setting.name], file = stores.absolute(value, around.folder), stores.sqlite_file(value)
        if file is not None:
            absolute, relative, moves = stores.seen_from(around.folder, str(file))
            files[absolute] = FileName(relative=relative, moves=moves)
    return values, files


def _secrets(spot: Spot, spec: Spec, around: Surroundings) -> dict[str, Secret]:
    """Return the app's secrets; where they are to be resolved now, what cannot be is noted."""
    child = spot.child_or_empty("secrets")
    values = secret_keys(spec).read(child)
    if values is INVALID:
        return {}
    secrets = {}
    for name, value in values.items():
        where = by_reference(value)
        secrets[name] = secret(f"apps.{spot.path[-1]}.secrets.{name}", where, around.folder, around.environ)
        if around.resolve and where.target:
            reveal(secrets[name], child.down(name))
    return secrets


def _check_hooks(spot: Spot, spec: Spec, secrets: Mapping[str, Secret]) -> None:
    """Note an app that cannot tell by webhooks, or by none that could be believed."""
    at = spot.down("hooks")
    if spec.hooking is None:
        at.problem(f"{spec.name} takes no webhooks in this version; it is polled")
        return
    for name in spec.hooking.needs:
        if name not in secrets:
            at.problem(f"needs secrets: {{{name}: ...}}, or nobody could tell a webhook from a forged one")


def reveal(hidden: Secret, spot: Spot) -> None:
    """Resolve a secret now; note the places looked at if it is not there."""
    try:
        hidden.reveal()
    except ConfigError as error:
        spot.problem(error.problems[0].message)


def _fields(spot: Spot, spec: Spec, around: Surroundings) -> dict[str, FieldMap]:
    """Lay the operator's map over the connector's."""
    fields = {name: where for name, where in spec.fields.items() if name in around.fields}
    child = spot.child("fields")
    given = MapOf(item=FIELD_MAP).read(child) if child else {}
    if child is None or given is INVALID:
        return fields
    moved: dict[str, str] = {}
    for name, changes in given.items():
        at = child.down(name)
        if name not in around.fields:
            near = did_you_mean(name, around.fields)
            child.key_problem(
                name, f"no such field{near or '; a field of your own is declared under fields: at the top'}"
            )
            continue
        where = _field(name, changes, spec, at)
        if where is None:
            continue
        _check_values(where, around.fields[name], at)
        if changes.keys() & {"path", "label"} and where.direction != "none":
            place, key = (where.label, "label") if where.label else (where.path, "path")
            if place in moved:
                at.down(key).problem(f'the same {key} as that of the field "{moved[place]}"')
            moved[place] = name
        fields[name] = where
    # A path that the operator gave to a field is taken from the field that has it by default.
    return {name: where for name, where in fields.items() if moved.get(where.path, name) == name or name in given}


def _folds(app: str, spot: Spot, around: Surroundings) -> dict[str, FieldMap]:
    """Return the map of what is folded out of this app's streams; note what would lie elsewhere as well."""
    found = {}
    given = spot.child_or_empty("fields")
    rollups = {name: field.rollup for name, field in around.fields.items() if field.rollup is not None}
    for name, rollup in rollups.items():
        if rollup.app != app:
            continue
        if given.child(name) is not None:
            given.key_problem(name, f"is folded out of {app}.{rollup.stream}; it lies nowhere else in this app")
        fold = {key: getattr(rollup, key) for key in ("stream", "take", "of", "where")}
        found[name] = FieldMap(path=rollup.stream, direction="in", fold=fold)
    return found


def _field(name: str, changes: Mapping[str, Any], spec: Spec, at: Spot) -> FieldMap | None:
    """Return one entry of the map, or None after saying why it cannot be."""
    base = spec.fields.get(name)
    if "label" in changes:
        return _labelled(changes, base or FieldMap(path=""), spec, at)
    path = changes.get("path") or (base.path if base else name if spec.any_path else None)
    known = {where.path for where in spec.fields.values()}
    if path is None:
        if changes.get("direction") != "none":
            at.problem(f"{spec.name} has no place of its own for this field: give its path ({choose_from(known)})")
        return None
    if not spec.any_path and path not in known:
        at.down("path").problem(
            f"{spec.name} has no such path{did_you_mean(path, known) or f'; known: {choose_from(known)}'}"
        )
        return None
    return _changed(changes, base or FieldMap(path=path), path)


def _labelled(changes: Mapping[str, Any], base: FieldMap, spec: Spec, at: Spot) -> FieldMap | None:
    """Return the entry of a field that goes by what people there call it, or None after saying why it cannot."""
    if "path" in changes:
        at.down("label").problem("says the same as `path`: give one of both")
        return None
    if not spec.discovers:
        at.down("label").problem(f"{spec.name} does not tell what its fields are called: give the path")
        return None
    return replace(_changed(changes, base, ""), label=changes["label"])


def _changed(changes: Mapping[str, Any], base: FieldMap, path: str) -> FieldMap:
    options = {key: changes[key] for key in (*_TYPE_OPTIONS, *_LENS_OPTIONS) if key in changes}
    plain = {key: changes[key] for key in ("direction", "values", "required", "max_length") if key in changes}
    return replace(base, path=path, options={**base.options, **options}, **plain)


def _check_values(where: FieldMap, field: FieldConfig, at: Spot) -> None:
    """Note options that the field's type does not have, values that are none, and words that stand for two values."""
    options = {name: where.options[name] for name in _TYPE_OPTIONS if name in where.options}
    try:
        kind = field_type(field.type, **{**field.options, **options})
    except ValueError as error:
        at.problem(str(error))
        return
    spellings: set[str] = set()
    meanings = set()
    for value, words in (where.values or {}).items():
        place = at.down("values", value)
        parsed = kind.parse(value)
        if parsed is None or isinstance(parsed, Invalid):
            place.problem(f"no value of type {field.type}: {'blank' if parsed is None else parsed.reason}")
            continue
        meaning = kind.key(parsed)
        if meaning in meanings:
            place.problem("the same value as one above, in another spelling")
        meanings.add(meaning)
        own = [str(word).strip().casefold() for word in words_of(words)]
        for spelling, spot in zip(own, place.items() if isinstance(words, list) else [place], strict=False):
            if spelling in spellings:
                spot.problem("the same word stands for another value above; it could not be read back")
        spellings.update(own)
