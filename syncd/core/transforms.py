"""Lenses: what an app holds <-> the canonical value, one lens per app and field.

Knows field types and the app's own words; knows nothing of apps' connections. Hard rule (property-tested):
`parse(render(v))` is `v` as far as this app can hold it, and reading never invents a value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from syncd.core.fields import FieldType, Invalid
from syncd.core.values import Certainty, nothing_assumed, same
from syncd.model import FieldMap, Raw, Value, words_of

LIST_JOINER: Final = "; "
JOINED: Final = frozenset({"set", "emails", "map"})
"""Types that a flat app holds as one text."""
CUTTABLE: Final = frozenset({"text", "name", "notes", "street", "set", "emails"})
"""Types of which a part is still true; half a phone number is another person's."""

Parse: TypeAlias = Callable[[Raw], Value | Invalid]
Render: TypeAlias = Callable[[Value], Raw]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """Read and write one field of one app. `reads`/`writes` say in which directions it travels."""

    field: str
    parse: Parse
    render: Render
    reads: bool
    writes: bool
    required: bool = False
    defaulted: bool = False
    """The app has a value of its own for a new record that says nothing of the field."""
    placeholder: Raw = None
    """Written into a new record where the field is required and blank; read back it is blank (never data)."""
    max_length: int | None = None
    truncate: bool = False
    plain: bool = False
    """The app has no words of its own: a raw value that equals a canonical value means that value."""
    opts_in: bool = True
    """Consent: an opt-in can be told; False: it is never planned."""
    lossy: bool = False
    """What is read back may be less than what was written (cut, joined)."""
    certainty: Callable[[Raw], Certainty] = nothing_assumed
    """Say whether part of what is read is assumed."""
    reading: str = ""
    """Names how raw values are read: a lens with another one may read other values."""

    def blocked(self, raw: Raw) -> str | None:
        """Say why the app cannot hold this raw value; None if it can."""
        if self.max_length is not None and isinstance(raw, str) and len(raw) > self.max_length:
            return f"longer than the {self.max_length} characters that the app holds"
        return None


def make_lens(field: str, where: FieldMap, kind: FieldType, *, flat: bool) -> Lens:
    """Build the lens of one field. `flat`: the app holds single texts only, so lists are joined."""
    parse, render = kind.parse, kind.render if kind.render is same else _blank_or(kind.render)
    cut = where.max_length if where.options.get("overflow") == "truncate" and kind.name in CUTTABLE else None
    if cut is not None:
        render = _cut(cut, render, joined=flat)
    if where.values:
        parse, render = _with_words(where.values, kind, render)
    if flat:
        render = _flattened(render)
    placeholder = where.options.get("placeholder")
    if placeholder is not None:
        parse = _without(placeholder, cut, parse)
    return Lens(
        field=field,
        parse=parse,
        render=render,
        reads=where.direction in ("in", "both"),
        writes=where.direction in ("out", "both"),
        required=where.required,
        defaulted=where.defaulted,
        placeholder=placeholder,
        max_length=where.max_length,
        truncate=cut is not None,
        plain=not where.values and placeholder is None,
        opts_in=where.opts_in,
        lossy=cut is not None or (flat and kind.name in JOINED),
        certainty=kind.certainty,
    )


def _blank_or(render: Render) -> Render:
    """Keep a blank blank: types are not asked about it."""
    return lambda value: None if value is None else render(value)


def _flattened(render: Render) -> Render:
    as_it_is = render is same

    def flat(value: Value) -> Raw:
        if as_it_is and type(value) is str:
            return value
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


def _with_words(given: Mapping[str, Raw], kind: FieldType, render: Render) -> tuple[Parse, Render]:
    """Translate the app's words; those of a set element by element."""
    words: dict[Any, Raw] = {}
    meanings: dict[str, Value] = {}
    for name, its in given.items():
        value = kind.parse(name)
        if value is None or type(value) is Invalid:
            continue  # no value of this type: there is nothing to translate
        words[kind.key(value)] = words_of(its)[0]
        meanings.update((_spelling(word), value) for word in words_of(its))
    if kind.name == "set":
        return _with_element_words(words, meanings, kind, render)

    def parse(raw: Raw) -> Value | Invalid:
        if raw is None:
            return None
        spelling = _spelling(raw)
        return meanings[spelling] if spelling in meanings else kind.parse(raw)

    def spell(value: Value) -> Raw:
        if value is None:
            return None
        word = words.get(kind.key(value))
        return render(value) if word is None else word

    return parse, spell


def _with_element_words(
    words: dict[Any, Raw], meanings: dict[str, Value], kind: FieldType, render: Render
) -> tuple[Parse, Render]:
    def parse(raw: Raw) -> Value | Invalid:
        value = kind.parse(raw)
        if value is None or isinstance(value, Invalid):
            return value
        return kind.parse([one for element in value for one in meanings.get(_spelling(element), [element])])

    def spell(value: Value) -> Raw:
        return render(value and [words.get(kind.key([element]), element) for element in value])

    return parse, spell


def _spelling(word: Raw) -> str:
    return str(word).strip().casefold()


def _without(placeholder: Raw, cut: int | None, parse: Parse) -> Parse:
    """Read the placeholder as blank, however the app spells it: it never becomes data."""
    whole = _spelling(placeholder)
    spellings = {whole} if cut is None else {whole, whole[:cut].rstrip()}
    value = parse(placeholder)

    def read(raw: Raw) -> Value | Invalid:
        if isinstance(raw, str) and " ".join(_spelling(raw).split()) in spellings:
            return None
        found = parse(raw)
        return None if type(found) is type(value) and type(found) is not Invalid and found == value else found

    return read


def _cut(length_max: int, render: Render, *, joined: bool) -> Render:
    """Cut a text at the end; of a list that is joined, leave out the last elements."""

    def cut(value: Value) -> Raw:
        raw = render(value)
        if isinstance(raw, str):
            return raw[:length_max].rstrip()
        if joined and isinstance(raw, (list, tuple)):
            kept = list(raw)
            while kept and len(LIST_JOINER.join(map(str, kept))) > length_max:
                kept.pop()
            return kept
        return raw

    return cut


__all__ = ["Lens", "make_lens"]
