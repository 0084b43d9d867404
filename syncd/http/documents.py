"""The document of a write: the named fields at their paths, and nothing else.

Pure. Hard rule (PATCH-ONLY): what is not named is not sent, but for lists and members that the vendor replaces whole; those
are copied from the record as it is now.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from syncd.http.coding import KINDS
from syncd.http.consents import OUT, word_of
from syncd.http.paths import REMOVED, find, put, setter
from syncd.http.terms import Fill, Manifest
from syncd.model import Raw, Write

if TYPE_CHECKING:
    from syncd.http.mapping import Known


TEXT: Final = KINDS["text"].make


class BadValue(ValueError):
    """The app cannot hold this value; the text does not repeat it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Documents:
    """Makes documents for one app."""

    def __init__(self, known: Mapping[str, Known], manifest: Manifest) -> None:
        self._known, self._under = known, manifest.shape.under
        self._setters = {name: setter(each.field.path) for name, each in known.items() if not each.field.top}
        """Of the fields that lie in the document; of the others requests name the values."""
        self._names = {field.path.text: name for name, field in manifest.fields.items()}

    def listed(self, write: Write) -> bool:
        """Say whether this write goes through a list, which must be known then."""
        return any(self._known[name].field.path.listed for name in write.fields if name in self._known)

    def make(self, fields: Mapping[str, Raw], present: Any, *, create: bool, keep: Sequence[str]) -> dict[str, Any]:
        """Make the document; BadValue where a value cannot be sent."""
        there = find(present, self._under.steps) if present is not None else None
        doc: dict[str, Any] = {}
        for name in keep:
            if isinstance(there, dict) and name in there:
                doc[name] = copy.deepcopy(there[name])
        for name, raw in fields.items():
            field = self._known[name].field
            if (raw is None and create) or (field.consent is not None and not self._carried(name, raw)):
                continue
            value = None if raw is None else self._value(name, raw)
            if name in self._setters:
                self._setters[name](doc, value, there, field.item, field.blank)
        return doc

    def values(self, fields: Mapping[str, Raw], *, create: bool) -> dict[str, Any]:
        """Give the values for {names} of fields, as the wire holds them; consent is one only where a new record carries it.

        A name stands for what lies at the manifest's path of it, whatever the operator calls that.
        """
        found = {}
        for name, raw in fields.items():
            field = self._known[name].field
            consented = field.consent is None or (create and field.top and self._carried(name, raw))
            if consented and not (create and raw is None):
                called = self._names.get(field.path.text, name)
                blank = None if field.blank is REMOVED else field.blank
                found[called] = blank if raw is None else self._value(name, raw)
        return found

    def fill(self, doc: dict[str, Any], fields: Mapping[str, Raw], fill: Sequence[Fill]) -> None:
        """Add what a new record needs and no field has given; BadValue where there is nothing to make it of."""
        values = {name: raw for name, raw in fields.items() if raw is not None}
        for each in fill:
            if find(doc, each.path.steps) is not None:
                continue
            text = next((made for text in each.texts if (made := text.text(values))), None)
            if text is None:
                name = each.texts[-1].names[0] if each.texts[-1].names else ""
                raise BadValue(name, f"a new record needs {each.path.text}, and there is nothing to make it of")
            put(doc, each.path, text, None, item={}, blank=None)

    def _carried(self, name: str, raw: Raw) -> bool:
        """Say whether a new record carries this word of consent in its body: an opt-out only."""
        known = self._known[name]
        consent = known.field.consent
        return consent is not None and consent.with_create == "body" and word_of(known.map, raw) == OUT

    def _value(self, name: str, raw: Raw) -> Any:
        known = self._known[name]
        limit = known.map.max_length
        if limit is None and type(raw) is str and raw.isascii() and known.field.kind.make is TEXT:
            return raw  # nearly all are such
        try:
            value = known.field.kind.make(raw)
        except ValueError as error:
            raise BadValue(name, str(error)) from None
        if limit is not None and isinstance(value, str) and len(value) > limit:
            raise BadValue(name, f"longer than the {limit} characters that the app holds")
        return value
