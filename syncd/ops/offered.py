"""Offered: what fields an account has, which of them are mapped, and which of our options it does not have.

Knows apps by what they tell; reads only. Hard rule: names, types and options are told, never a value of a contact.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from syncd.config import AppConfig, Config
from syncd.config.near import choose_from
from syncd.connector import App, Connector, Discovers, Opening
from syncd.errors import AccessError
from syncd.model import FieldMap, Finding, Offered


def fields_of(app: AppConfig, connector: Connector, opening: Opening) -> dict[str, Any]:
    """Make the document of `syncd fields`. Raises one of the reactions.

    An app that tells of its fields is opened without the operator's map: it has to open where that map is wrong.
    """
    telling = connector.spec.discovers
    with closing(connector.open(replace(opening, fields={}) if telling else opening)) as opened:
        if not telling or not isinstance(opened, Discovers):
            rows = [_row(name, where) for name, where in opened.fields.items()]
            return {"app": app.name, "connector": app.connector, "tells": False, "fields": rows}
        there = opened.offered()
        maps = {**opened.fields, **app.fields}
    known = {each.path for each in there}
    rows = [_told(each, maps) for each in sorted(there, key=lambda each: (each.label.casefold(), each.path))]
    rows += [_row(name, where) for name, where in maps.items() if where.path and where.path not in known]
    return {"app": app.name, "connector": app.connector, "tells": True, "fields": rows}


def _told(each: Offered, maps: Mapping[str, FieldMap]) -> dict[str, Any]:
    return {
        "label": each.label,
        "path": each.path,
        "type": each.type,
        "read_only": each.read_only,
        "options": list(each.options),
        "field": next((name for name, where in maps.items() if _is(each, where)), None),
    }


def _is(each: Offered, where: FieldMap) -> bool:
    if where.direction == "none":
        return False
    same_label = where.label.strip().casefold() == each.label.strip().casefold()
    return same_label if where.label else where.path == each.path


def _row(name: str, where: FieldMap) -> dict[str, Any]:
    """Tell of a field that is mapped and that no account has to tell of."""
    only_read = where.direction == "in"
    return {"label": "", "path": where.path, "type": "", "read_only": only_read, "options": [], "field": name}


def findings(config: Config, app: AppConfig, opened: App) -> list[Finding]:
    """Say which fields are only read although the map says more, and which of our options an account does not have."""
    if not opened.spec.discovers or not isinstance(opened, Discovers):
        return []
    try:
        there = {each.path: each for each in opened.offered()}
    except AccessError:
        return []  # `check` of the app has said so
    found = []
    for name, where in sorted(opened.fields.items()):
        told = there.get(where.path)
        if told is None:
            continue
        said = app.fields.get(name)
        if told.read_only and said is not None and said.direction == "both":
            text = f'"{told.label}" ({told.type or "no type"}) is only read there: nothing is written to it'
            found.append(Finding(level="note", field=name, message=text))
        found += _options_missing(config, name, where, told)
    return found


def _options_missing(config: Config, name: str, where: FieldMap, told: Offered) -> list[Finding]:
    """Name the words of a choice that would be refused there."""
    rule = config.fields.get(name)
    if rule is None or rule.type != "choice" or not told.options or where.direction == "in":
        return []
    words = {str(word).strip().casefold() for word in told.options.values()}
    values = {choice.casefold(): word for choice, word in (where.values or {}).items()}
    missing = []
    for choice in rule.options.get("choices", ()):
        word = values.get(choice.casefold(), choice)
        first = word[0] if isinstance(word, list) else word
        if str(first).strip().casefold() not in words:
            missing.append(choice)
    if not missing:
        return []
    text = f'"{told.label}" has no option {", ".join(missing)}; it has {choose_from(told.options)}: add it there, or say `values:`'
    return [Finding(level="warning", field=name, message=text)]
