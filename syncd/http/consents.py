"""Consent, written by its own requests. Hard rules: an opt-out may always be told, and told again; an opt-in is sent only by
the request that the manifest names for it, for a write of kind consent (the hub makes such only with evidence); a new record
is never made subscribed because something was left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from syncd.errors import OutcomeUnknown, SyncdError
from syncd.http.faults import result_of
from syncd.http.terms import Call
from syncd.model import Applied, FieldMap, Raw, Record, Rejected, Result, Unknown, Write, words_of

if TYPE_CHECKING:
    from syncd.http.app import HttpApp
    from syncd.http.mapping import Known

OUT, IN = "opted_out", "opted_in"


def word_of(where: FieldMap, raw: Raw) -> str:
    """Say what an app's word for consent means: opted out, opted in, or neither (an empty text)."""
    said = str(raw).strip().casefold()
    for meaning in (OUT, IN):
        if said in (str(word).strip().casefold() for word in words_of((where.values or {}).get(meaning, meaning))):
            return meaning
    return ""


class Consents:
    """The consent requests of one app."""

    def __init__(self, app: HttpApp) -> None:
        self._app = app
        self._none = all(known.field.consent is None for known in app.known.values())
        """This app has no consent: nothing is looked for, record by record."""

    def needs(self, write: Write) -> bool:
        """Say whether a request needs fields of the record that the write does not name."""
        return any(self._wanted(call) - write.fields.keys() for _, _, call in self._calls(write) if call is not None)

    def write(self, write: Write, present: Any) -> tuple[Result | None, dict[str, Raw]]:
        """Do the requests of consent; give the result (None: there were none) and the fields that are left."""
        rest = {name: raw for name, raw in write.fields.items() if self._app.known[name].field.consent is None}
        held = {} if present is None else self._app.record(present).fields
        values = {**{k: v for k, v in held.items() if v is not None}, **rest, "id": write.id}
        result: Result | None = None
        for name, word, call in self._calls(write):
            if call is None:
                text = (
                    "opting in is not possible here" if word == IN else "no word for consent that can be written here"
                )
                return Rejected(why="readonly", field=name, message=text), rest
            missing = sorted(self._wanted(call) - values.keys())
            if missing:
                return Rejected(why="invalid", field=name, message=f"needs {', '.join(missing)}"), rest
            result = self._ask(call, values, out=word == OUT)
            if not isinstance(result, Applied):
                return result, rest
        return result, rest

    def before_create(self, write: Write) -> Result | None:
        """Opt out first, where the new record cannot carry it: what goes wrong later does no harm then."""
        return None if self._none else self._around(write, "before", {})

    def after_create(self, write: Write, id_: str, record: Record | None) -> Result:
        """Opt out of the record that was made, and in where there is a request for it; what was not told is read back.

        Where opting out fails nobody may take it for done. A person who was not opted in is not written to: no harm.
        """
        if write.kind != "create" or self._none:
            return Applied(record=record)
        failed = self._around(write, "after", {"id": id_})
        if failed is not None:
            return Unknown(message="the record was made, but not opted out")
        values = {**{name: raw for name, raw in write.fields.items() if raw is not None}, "id": id_}
        told = any(self._with(name) == "after" for name in write.fields)
        for _, word, call in self._calls(write):
            if word == IN and call is not None and not self._wanted(call) - values.keys():
                self._ask(call, values, out=False)
                told = True
        return Applied(record=None if told else record)

    def _around(self, write: Write, when: str, more: Mapping[str, Any]) -> Result | None:
        values = {**{name: raw for name, raw in write.fields.items() if raw is not None}, **more}
        for name, word, call in self._calls(write):
            if self._with(name) != when or word != OUT or call is None or self._wanted(call) - values.keys():
                continue  # without an address nobody is written to
            result = self._ask(call, values, out=True)
            if not isinstance(result, Applied):
                return result
        return None

    def _with(self, name: str) -> str:
        consent = self._app.known[name].field.consent
        return consent.with_create if consent is not None else ""

    def _calls(self, write: Write) -> list[tuple[str, str, Call | None]]:
        """List the requests: field, meaning of the word, and how it is said (None: it cannot be)."""
        found: list[tuple[str, str, Call | None]] = []
        if self._none:
            return found
        for name, raw in write.fields.items():
            known: Known = self._app.known[name]
            consent = known.field.consent
            if consent is not None:
                word = word_of(known.map, raw)
                found.append((name, word, {OUT: consent.opt_out, IN: consent.opt_in}.get(word)))
        return found

    def _wanted(self, call: Call) -> set[str]:
        return {name for name in call.names if name in self._app.manifest.fields}

    def _ask(self, call: Call, values: Mapping[str, Any], *, out: bool) -> Result:
        try:
            _, fault = self._app.send(call, values, repeatable=out)
        except OutcomeUnknown as error:
            return Unknown(message=str(error))
        except SyncdError as error:
            return Rejected(why="busy", message=str(error))
        return Applied(record=None) if fault is None else result_of(fault)
