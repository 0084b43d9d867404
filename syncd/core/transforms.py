"""Lenses: what an app holds <-> the canonical value, one lens per app and field.

Knows field types and the app's own words; knows nothing of apps' connections. Hard rule (property-tested):
`parse(render(v))` is `v` as far as this app can hold it, and reading never invents a value.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from syncd.core.fields import FieldType, Invalid
from syncd.model import FieldMap, Raw, Value

LIST_JOINER = "; "


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """Read and write one field of one app. `reads`/`writes` say in which directions it travels."""

    field: str
    parse: Callable[[Raw], Value | Invalid]
    render: Callable[[Value], Raw]
    reads: bool
    writes: bool
    required: bool = False
    placeholder: Raw = None
    """Written into a new record where the field is required and blank; read back it is blank (never data)."""
    max_length: int | None = None
    truncate: bool = False

    def blocked(self, raw: Raw) -> str | None:
        """Say why the app cannot hold this raw value; None if it can."""
        if self.max_length is not None and isinstance(raw, str) and len(raw) > self.max_length:
            return f"longer than the {self.max_length} characters that the app holds"
        return None


def make_lens(field: str, where: FieldMap, kind: FieldType, *, flat: bool, writable: bool = True) -> Lens:
    """Build the lens of one field. `flat`: the app holds single texts only, so lists are joined."""
    parse, render = kind.parse, kind.render
    if flat:
        render = _flattened(render)
    if where.values is not None:
        parse, render = _with_words(where, kind, render)
    placeholder = where.options.get("placeholder")
    if placeholder is not None:
        parse = _without(placeholder, parse)
    truncate = where.options.get("overflow") == "truncate"
    if truncate and where.max_length is not None:
        render = _cut(where.max_length, render)
    return Lens(
        field=field,
        parse=parse,
        render=render,
        reads=where.direction in ("in", "both"),
        writes=writable and where.direction in ("out", "both"),
        required=where.required,
        placeholder=placeholder,
        max_length=where.max_length,
        truncate=truncate,
    )


def _flattened(render: Callable[[Value], Raw]) -> Callable[[Value], Raw]:
    def flat(value: Value) -> Raw:
        raw = render(value)
        if isinstance(raw, str) or raw is None:
            return raw
        if isinstance(raw, bool):
            return "true" if raw else "false"
        if isinstance(raw, (list, tuple)):
            return LIST_JOINER.join(map(str, raw))
        if isinstance(raw, dict):
            return json.dumps(raw, sort_keys=True, ensure_ascii=False)
        return str(raw)

    return flat


def _with_words(
    where: FieldMap, kind: FieldType, render: Callable[[Value], Raw]
) -> tuple[Callable[[Raw], Value | Invalid], Callable[[Value], Raw]]:
    assert where.values is not None
    words: dict[Any, Raw] = {}
    meanings: dict[str, Value] = {}
    for name, word in where.values.items():
        value = kind.parse(name)
        if type(value) is Invalid:
            value = name
        words[kind.key(value)] = word
        meanings[str(word).casefold()] = value

    def parse(raw: Raw) -> Value | Invalid:
        if raw is None:
            return None
        meaning = meanings.get(str(raw).strip().casefold())
        return kind.parse(raw) if meaning is None else meaning

    def spell(value: Value) -> Raw:
        if value is None:
            return None
        word = words.get(kind.key(value))
        return render(value) if word is None else word

    return parse, spell


def _without(placeholder: Raw, parse: Callable[[Raw], Value | Invalid]) -> Callable[[Raw], Value | Invalid]:
    return lambda raw: None if raw == placeholder else parse(raw)


def _cut(length_max: int, render: Callable[[Value], Raw]) -> Callable[[Value], Raw]:
    def cut(value: Value) -> Raw:
        raw = render(value)
        return raw[:length_max].rstrip() if isinstance(raw, str) else raw

    return cut


__all__ = ["Lens", "make_lens"]
