"""Writes: what was read is compared, what changes is sent under the condition that nobody was there since, and read back.

Knows one batch. Hard rule: with the assertion control a modification holds the entry's id and its entryCSN as they were read;
without it, only values that were read are taken away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from syncd.errors import OutcomeUnknown, SyncdError
from syncd.model import Applied, Rejected, Result, Unknown, Write

from . import filters, messages, names
from .ber import BadAnswer
from .codes import ASSERTION_FAILED, EXISTS, STOPS, SUCCESS, attribute_in, refusal
from .layout import STAMPS, Layout, Root
from .messages import Answer, Change, Control, Entry
from .places import BLANK, BadValue, changed
from .session import Session

if TYPE_CHECKING:
    from .directory import Directory

UNKNOWNS_MAX: Final = 3
NAME_MAX: Final = 200
"""OpenLDAP answers a longer one with an internal error."""
_STATE: Final = ("entryuuid", "entrycsn")
_NO_KIND: Final = {
    "create": "no entry can be created; `syncd check` says what is missing",
    "archive": "nothing says how an entry is archived; see `archive_mark` and `archive_branch`",
}


class Writing:
    """One batch."""

    def __init__(self, app: Directory, session: Session, root: Root, layout: Layout) -> None:
        self._app, self._session, self._root, self._layout = app, session, root, layout
        self._now: dict[str, Entry] = {}
        self._stopped = ""
        self._lost = 0

    def run(self, writes: Sequence[Write]) -> list[Result]:
        refused = [self._refused(write) for write in writes]
        wanted = [write.id for write, no in zip(writes, refused, strict=True) if no is None and write.kind != "create"]
        try:
            self._now = self._app.entries(wanted)
        except SyncdError as error:
            return [no or Rejected(why="busy", message=str(error)) for no in refused]
        return [no or self._next(write) for write, no in zip(writes, refused, strict=True)]

    def _next(self, write: Write) -> Result:
        if self._stopped:
            return Rejected(why="busy", message=f"not sent any more: {self._stopped}")
        try:
            return self._write(write)
        except OutcomeUnknown as error:
            self._lost += 1
            self._stopped = "several answers were lost" if self._lost == UNKNOWNS_MAX else ""
            return Unknown(message=str(error))
        except SyncdError as error:  # it never left
            self._stopped = str(error)
            return Rejected(why="busy", message=str(error))

    def _refused(self, write: Write) -> Rejected | None:
        if not getattr(self._app.spec, "update" if write.kind == "consent" else write.kind):
            return Rejected(why="readonly", message=_NO_KIND.get(write.kind, "entries are only read here"))
        for name, value in write.fields.items():
            where = self._app.fields.get(name)
            if where is None:
                return Rejected(why="invalid", message="no attribute is mapped to this field", field=name)
            if where.direction == "in":
                return Rejected(why="readonly", message="the attribute is only read here", field=name)
            if where.required and write.kind == "create" and value in (None, ""):
                return Rejected(why="invalid", message="is required", field=name)
        return None

    def _write(self, write: Write) -> Result:
        if write.kind == "create":
            return self._create(write)
        entry = self._now.get(write.id)
        if entry is None:
            return Rejected(why="gone", message="there is no such entry")
        moved = self._moved(write, entry)
        if moved is not None:
            return moved
        return self._archive(write, entry) if write.kind == "archive" else self._update(write, entry)

    def _moved(self, write: Write, entry: Entry) -> Rejected | None:
        """Compare what the hub last read with what is there now; the condition of the write holds it there."""
        _, record = self._app.record(entry)
        if record.problem is not None:
            return Rejected(why="moved", message=record.problem)
        for name, value in write.expect.items():
            if name not in record.fields or record.fields[name] != (value or None):
                return Rejected(why="moved", message="the entry has changed", field=name)
        if not write.expect and write.version is not None and write.version != record.version:
            return Rejected(why="moved", message="the entry has changed")
        return None

    # Changing -------------------------------------------------------------------------------------------------------

    def _update(self, write: Write, entry: Entry) -> Result:
        layout = self._layout
        try:
            attributes = changed(entry.attributes, write.fields, layout.places, self._root.schema, layout.named)
        except BadValue as error:
            return _unwritable(error)
        if not attributes:
            return Applied(record=self._app.record(entry)[1])
        return self._naming(write, entry, attributes) or self._modify(write, entry, attributes)

    def _naming(self, write: Write, entry: Entry, attributes: Mapping[str, Sequence[bytes]]) -> Rejected | None:
        """Refuse to take a value away that the entry is named by: servers do so in words of their own."""
        schema = self._root.schema
        for attribute, value in names.own(entry.dn):
            name = schema.name(attribute)
            if name in attributes and schema.key(name, value) not in {
                schema.key(name, each) for each in attributes[name]
            }:
                field = next(each for each in write.fields if self._layout.places[each].attribute == name)
                return Rejected(
                    why="readonly", message="this value names the entry; rename it in the directory", field=field
                )
        return None

    def _modify(self, write: Write, entry: Entry, attributes: Mapping[str, Sequence[bytes]]) -> Result:
        condition = self._condition(write.id, entry)
        if condition is None:
            return Rejected(
                why="readonly", message="the account may not see entryCSN; without it nothing is overwritten"
            )
        after = [messages.read_after(self._layout.asked)] if self._root.reads_after else []
        by_value = messages.modify(entry.dn, _by_value(entry, attributes))
        if condition:  # all values in one go: their order is kept
            whole: list[Change] = [("replace", name, values) for name, values in attributes.items()]
            answer = self._session.tell(messages.modify(entry.dn, whole), [*condition, *after])
            if answer.code == ASSERTION_FAILED and self._is_as_read(entry):
                answer = self._session.tell(by_value, after)
        else:
            answer = self._session.tell(by_value, after)
        return self._applied(write.id, entry.dn, answer) if answer.code == SUCCESS else self._no(write, answer)

    def _is_as_read(self, entry: Entry) -> bool:
        """Say whether it is the server that cannot compare: OpenLDAP's overlay `unique` lets every assertion fail."""
        now = self._session.one(entry.dn, STAMPS)
        return now is not None and all(now.attributes.get(name) == entry.attributes.get(name) for name in _STATE)

    def _condition(self, id_: str, entry: Entry) -> list[Control] | None:
        """Give what must still hold; nothing where the server does not compare; None where it would, but may not be asked."""
        if not self._root.compares:
            return []
        stamp = entry.attributes.get("entrycsn")
        if not stamp:
            return None
        return [messages.only_if(filters.all_of(filters.equal("entryUUID", id_), filters.equal("entryCSN", stamp[0])))]

    def _applied(self, id_: str, dn: str, answer: Answer) -> Result:
        """Give what the entry holds now."""
        try:
            after = messages.entry_after(answer.controls) or self._session.one(dn, self._layout.asked)
            record = None if after is None else self._app.record(after)[1]
        except (SyncdError, BadAnswer):  # it was written: whatever the look at it brings
            after = record = None
        if after is None:
            self._now.pop(id_, None)
        else:
            self._now[id_] = after
        return Applied(record=record)

    def _archive(self, write: Write, entry: Entry) -> Result:
        layout = self._layout
        if layout.mark is not None:
            name, value = layout.mark
            held = () if self._root.schema.is_single(name) else entry.attributes.get(name, ())
            result = self._modify(write, entry, {name: [*held, value]})
        else:
            condition = self._condition(write.id, entry)
            if condition is None:
                return Rejected(why="readonly", message="the account may not see entryCSN; without it nothing is moved")
            move = messages.move(entry.dn, names.split(entry.dn)[0], layout.archive_branch)
            answer = self._session.tell(move, condition)
            if condition and answer.code == ASSERTION_FAILED and self._is_as_read(entry):
                answer = self._session.tell(move)
            result = Applied(record=None) if answer.code == SUCCESS else self._no(write, answer)
        if isinstance(result, Applied):
            self._now.pop(write.id, None)
            return Applied(record=None)
        return result

    # Making ---------------------------------------------------------------------------------------------------------

    def _create(self, write: Write) -> Result:
        layout = self._layout
        try:
            made = changed({}, write.fields, layout.places, self._root.schema, frozenset())
        except BadValue as error:
            return _unwritable(error)
        for name, value in layout.new_values:
            held = made.setdefault(name, [])
            if value not in held and not (
                held and self._root.schema.is_single(name)
            ):  # what the contact says comes first
                held.append(value)
        naming = self._root.schema.name(layout.naming)
        name = made.setdefault(naming, [uuid4().hex.encode()])[0].decode()
        if len(name.encode()) > NAME_MAX:
            return Rejected(why="invalid", message=f"a name of an entry has at most {NAME_MAX} octets")
        _fill(made, layout.named)
        made["objectclass"] = [each.encode() for each in layout.classes]
        dn = names.below(layout.branch, layout.naming, name)
        answer = self._session.tell(messages.add(dn, made))
        if answer.code != SUCCESS:
            return self._no(write, answer, dn)
        return self._seen(dn)

    def _seen(self, dn: str) -> Result:
        """Look for the new entry as every read does: one that no read finds would be made again and again."""
        try:
            entry = self._session.one(dn, self._layout.asked)
            id_, record = self._app.record(entry) if entry is not None else ("", None)
            if entry is None or record is None:
                return Unknown(message="the new entry cannot be read; may the account see what it creates?")
            if id_ in self._app.entries([id_]):
                return Applied(record=record)
            self._session.tell(messages.delete(dn), self._condition(id_, entry) or [])
        except SyncdError as error:
            return Unknown(message=str(error))
        return Rejected(
            why="invalid", message="a new entry is none that `filter` asks for, and was taken back; see `new_values`"
        )

    def _no(self, write: Write, answer: Answer, dn: str = "") -> Result:
        """Say what a refusal means; the server's own words stay here."""
        refused = refusal(answer.code, answer.diagnostic, create=write.kind == "create")
        if refused is None:
            return Unknown(message=f"{self._session.place}: an answer that was not expected (result {answer.code})")
        why, message = refused
        if answer.code in STOPS:
            self._stopped = message
        attribute = attribute_in(answer.diagnostic)
        field = next((name for name in write.fields if self._layout.places[name].attribute == attribute), None)
        existing = self._in_the_way(dn) if answer.code == EXISTS and dn else None
        if why == "exists" and write.kind != "create":
            why = "invalid"
        return Rejected(why=why, message=f"{message} (result {answer.code})", field=field, existing=existing)

    def _in_the_way(self, dn: str) -> str | None:
        try:
            entry = self._session.one(dn, self._layout.asked)
        except SyncdError:
            return None
        return None if entry is None else self._app.record(entry)[0]


def _by_value(entry: Entry, attributes: Mapping[str, Sequence[bytes]]) -> list[Change]:
    """Take away what was read, and put what is wanted: refused where one of those values is not there any more."""
    changes: list[Change] = []
    for name, values in attributes.items():
        held = entry.attributes.get(name, ())
        changes += [("delete", name, held)] if held else []
        changes += [("add", name, values)] if values else []
    return changes


def _fill(made: dict[str, list[bytes]], named: frozenset[str]) -> None:
    """Put something where an entry must have a name: first and last name, else a dash, which reads as blank."""
    if "cn" in named and not made.get("cn"):
        known: list[Any] = [made[each][0] for each in ("givenname", "sn") if made.get(each)]
        made["cn"] = [b" ".join(known) or BLANK]
    if "sn" in named and not made.get("sn"):
        made["sn"] = [BLANK]
    for name in [name for name, values in made.items() if not values]:
        del made[name]


def _unwritable(error: BadValue) -> Rejected:
    name, _, why = str(error).partition(": ")
    return Rejected(why="invalid", message=why or name, field=name if why else None)
