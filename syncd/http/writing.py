"""Writing: what the hub asks for, as requests of the manifest; one result each, and nothing raised.

Knows kinds of writes and what their answers mean. Hard rules: a body holds the named fields and what the manifest says must
be kept, nothing else; what nobody answered for is Unknown; consent is written by its own requests, an opt-out first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from syncd.errors import AccessError, ConfigError, OutcomeUnknown, SyncdError, TransientError
from syncd.http.answers import Pending, batch_results, fault_result
from syncd.http.consents import Consents
from syncd.http.documents import BadValue, Documents
from syncd.http.faults import Answer, Fault
from syncd.http.jobs import Unfinished, ended
from syncd.http.paths import find, shown
from syncd.http.terms import Batch, Call, Guard, Writing
from syncd.http.texts import fill, names_in
from syncd.model import Applied, Record, Rejected, Result, Unknown, Write

if TYPE_CHECKING:
    from syncd.http.app import HttpApp

UNKNOWNS_MAX: Final = 3
COMMON: Final = frozenset({"id", "version", "record", "key", "items"})
"""What a request names of a write, beside its fields."""


class _Halt(Exception):
    """Nothing more is sent: the app refuses us, is busy, or is out of reach."""


class Writer:
    """The writes of one app."""

    def __init__(self, app: HttpApp) -> None:
        self._app = app
        self._manifest = app.manifest
        self._docs = Documents(app.known, app.manifest)
        self._consents = Consents(app)
        self._required = [name for name, known in app.known.items() if known.map.required]
        self._ids: dict[int, str] = {}
        """The ids that answers gave to what was made."""

    def write(self, writes: Sequence[Write]) -> list[Result]:
        results: list[Result | None] = [None] * len(writes)
        self._ids = {}
        try:
            for kind, places in _groups(writes):
                self._group(kind, [(place, writes[place]) for place in places], results)
        except _Halt as halt:
            message = f"not sent any more: {halt}"
            return [Rejected(why="busy", message=message) if result is None else result for result in results]
        return self._read_back(writes, results)

    def _group(self, kind: str, asked: Sequence[tuple[int, Write]], results: list[Result | None]) -> None:
        """Do the writes of one kind."""
        how = {
            "create": self._manifest.create,
            "update": self._manifest.update,
            "consent": self._manifest.update,
            "archive": self._manifest.archive,
        }[kind]
        ready: list[Pending] = []
        for place, write in asked:
            refused = self._refused(write, how)
            if refused is not None:
                results[place] = refused
            else:
                ready.append(Pending(place=place, write=write))
        if how is None or not ready:
            return
        ready = self._with_present(how, ready, results)
        if kind == "consent":
            ready = [each for each in ready if self._consented(each, results)]
        with _halting():
            ready = [each for each in ready if self._documented(how, each, results)]
        self._send(how, ready, results)

    def _refused(self, write: Write, how: Writing | None) -> Rejected | None:
        """Say what is wrong with a write before anything is sent."""
        if how is None:
            return Rejected(why="readonly", message=f"this connector does not {write.kind} records")
        if write.kind != "create" and not self._app.is_id(write.id):
            return Rejected(why="gone", message="no id of this app")
        for name, value in write.fields.items():
            known = self._app.known.get(name)
            if known is None:
                return Rejected(why="invalid", field=name, message="no such field here")
            if known.map.direction == "in":
                return Rejected(why="readonly", field=name, message="is only read here")
            if known.field.consent is not None and write.kind == "update":
                return Rejected(why="readonly", field=name, message="consent is no part of an ordinary change")
            if known.map.required and value is None and known.field.consent is None:
                return Rejected(why="invalid", field=name, message="is required")
        if write.kind == "create":
            for name in self._required:
                if write.fields.get(name) is None:
                    return Rejected(why="invalid", field=name, message="is required")
        return None

    def _with_present(self, how: Writing, ready: Sequence[Pending], results: list[Result | None]) -> list[Pending]:
        """Fetch the records as they are, where a write needs them; compare what was expected."""
        conditional = "version" in how.names
        needy = [each for each in ready if self._needs_present(how, each.write, conditional)]
        if not needy:
            return list(ready)
        ids = [each.write.id for each in needy]
        try:
            guard = self._manifest.guard if conditional else None
            marks = self._marks(guard, ids) if guard is not None else {}
            there = self._app.present(ids) if guard is None else self._app.items(list(marks))
        except SyncdError as error:
            raise _Halt(str(error)) from error
        kept = []
        places = {each.place for each in needy}
        for each in ready:
            if each.place not in places:
                kept.append(each)
                continue
            item = there.get(each.write.id)
            result = self._moved(each.write, item, conditional)
            if result is not None:
                results[each.place] = result
                continue
            each.present = item
            each.version = marks.get(each.write.id, self._app.record(item).version)
            kept.append(each)
        return kept

    def _marks(self, guard: Guard, ids: Sequence[str]) -> dict[str, str]:
        """Ask for what makes the writes conditional: before the records are looked at, so that an edit between is noticed."""
        marks = {}
        for id_ in ids:
            answer = self._app.session.read(guard.call, {"id": id_}, gone=True)
            if not 200 <= answer.status < 300:
                continue
            marks[id_] = shown(find(answer.doc, guard.version.steps))
            if not marks[id_]:
                raise TransientError(f"{self._app.session.app}: an answer without {guard.version.text}")
        return marks

    def _needs_present(self, how: Writing, write: Write, conditional: bool) -> bool:
        if write.kind == "create":
            return False
        if conditional and (write.version is None or self._manifest.guard is not None):
            return True
        if how.look_first:
            return True
        if write.kind == "archive":
            return False
        return bool(how.keep) or self._docs.listed(write) or (write.kind == "consent" and self._consents.needs(write))

    def _moved(self, write: Write, item: Any, conditional: bool) -> Rejected | None:
        if item is None:
            return Rejected(why="gone")
        if not conditional:
            return None
        record = self._app.record(item)
        if write.version is not None and write.version != record.version:
            return Rejected(why="moved", message="the record has changed")
        for name, old in write.expect.items():
            if record.fields.get(name) != old:
                return Rejected(why="moved", message="the record has changed", field=name)
        return None

    def _consented(self, each: Pending, results: list[Result | None]) -> bool:
        """Do the requests of consent; say whether other fields are left to be written."""
        with _halting():
            result, rest = self._consents.write(each.write, each.present)
        if result is not None and not isinstance(result, Applied):
            results[each.place] = result
            return False
        if not rest and result is not None:
            results[each.place] = result
            return False
        each.fields = rest
        return True

    def _documented(self, how: Writing, each: Pending, results: list[Result | None]) -> bool:
        """Make the document of a write; say whether there is something to send."""
        write = each.write
        if write.kind == "archive":
            return True
        fields: Mapping[str, Any] = write.fields if each.fields is None else each.fields
        if write.kind != "create" and not fields:
            results[each.place] = Applied(record=None)
            return False
        try:
            each.doc = self._docs.make(fields, each.present, create=write.kind == "create", keep=how.keep)
            if write.kind == "create":
                self._docs.fill(each.doc, fields, how.fill)
        except BadValue as bad:
            results[each.place] = Rejected(why="invalid", field=bad.field, message=str(bad))
            return False
        if write.kind == "create":
            refused = self._consents.before_create(write)
            if refused is not None:
                results[each.place] = refused
                return False
        return True

    def _found(self, how: Writing, write: Write) -> Rejected | None:
        """Look for who is there already, where the app would not tell but change them."""
        name = how.unless_found
        if name is None or write.fields.get(name) is None:
            return None
        there = self._app.find(name, write.fields[name])
        return Rejected(why="exists", field=name, existing=there[0].id, message="is there already") if there else None

    # Sending --------------------------------------------------------------------------------------------------------

    def _send(self, how: Writing, ready: Sequence[Pending], results: list[Result | None]) -> None:
        if how.batch is None or (len(ready) == 1 and how.call is not None):
            self._singly(how, ready, results)
            return
        for wave in _waves(ready, how.unless_found):
            some = [wave[start : start + how.batch.size] for start in range(0, len(wave), how.batch.size)]
            self._app.session.crew.each(partial(self._batch, how, how.batch, results=results), some)

    def _singly(self, how: Writing, ready: Sequence[Pending], results: list[Result | None]) -> None:
        """Do them one by one, several at once where the app allows that; never two of one record at once."""
        unknown = 0

        def one(each: Pending) -> None:
            nonlocal unknown
            with _halting():
                results[each.place] = self._one(how, each)
            unknown = unknown + 1 if isinstance(results[each.place], Unknown) else 0
            if unknown >= UNKNOWNS_MAX:
                raise _Halt("several answers were lost or not understood")

        for wave in _waves(ready, how.unless_found):
            self._app.session.crew.each(one, wave)

    def _one(self, how: Writing, each: Pending) -> Result:
        assert how.call is not None
        found = self._found(how, each.write)
        if found is not None:
            return found
        values = self._values(each, named=not COMMON.issuperset(how.call.names))
        try:
            answer, fault = self._app.send(how.call, values, repeatable=how.repeatable)
        except OutcomeUnknown as error:
            return Unknown(message=str(error))
        if fault is not None:
            return self._faulty(each, fault)
        if each.write.kind == "archive":
            return Applied(record=None)
        return self._applied(how, how.call, each, answer)

    def _applied(self, how: Writing, call: Call, each: Pending, answer: Answer) -> Result:
        """Read a success: the record in it, or its id."""
        item = find(answer.doc, how.answer.steps) if how.answer is not None else None
        if isinstance(item, list):
            item = item[0] if len(item) == 1 else None
        if item is None and how.answer is not None and answer.status not in call.empty:
            return Unknown(message=f"the app answers {answer.status} without the record")
        if item is None and each.write.kind != "create":
            return Applied(record=None)
        return self._made(each, item, _id_in(how, answer))

    def _made(self, each: Pending, item: Any, id_: str) -> Result:
        """Read what was made or changed: the record, or its id only."""
        self._app.feed.wrote(item)
        try:
            record = self._app.record(item) if item is not None else None
        except TransientError:
            return Unknown(message="the app answers with something that is no record")
        id_ = id_ if record is None else record.id
        if not id_:
            return Unknown(message="the app answers without the id of what it made")
        if each.write.kind != "create" and id_ != each.write.id:
            return Unknown(message="the app answers with another record")
        self._ids[each.place] = id_
        return self._consents.after_create(each.write, id_, record)

    def _faulty(self, each: Pending, fault: Fault) -> Result:
        if fault.then == "access":
            raise _Halt(fault.text())
        if each.write.kind == "create" and fault.then == "gone":
            return Rejected(why="busy", message=f"{fault.text()}; check the app's settings")
        return fault_result(self._app, each, fault)

    def _batch(self, how: Writing, batch: Batch, some: Sequence[Pending], results: list[Result | None]) -> None:
        named = not COMMON.issuperset(batch.call.names) or not COMMON.issuperset(names_in(batch.item))
        items = [fill(batch.item, self._values(each, named=named)) for each in some]
        values = {"items": items, "key": os.urandom(16).hex()}
        try:
            with _halting():
                answer, fault = self._app.session.write(batch.call, values, repeatable=how.repeatable)
        except OutcomeUnknown as error:
            for each in some:
                results[each.place] = Unknown(message=str(error))
            raise _Halt("the answer to a batch was lost") from error
        if fault is None:
            self._told(batch, some, answer, results)
            return
        if fault.then == "access":
            raise _Halt(fault.text())
        if fault.then in {"unknown", "later", "busy"} or (how.call is None and len(some) == 1):
            for each in some:
                results[each.place] = fault_result(self._app, each, fault)
            if fault.then in {"unknown", "later", "busy"}:
                raise _Halt(fault.text())
        elif how.call is not None:
            self._singly(how, some, results)  # all or nothing, and it was nothing: alone each finds out what is wrong
        else:
            for each in some:
                self._batch(how, batch, [each], results)

    def _told(self, batch: Batch, some: Sequence[Pending], answer: Answer, results: list[Result | None]) -> None:
        """Take down what an answer tells of each; that of a job when it has ended."""
        try:
            answer = answer if batch.job is None else ended(self._app, batch.job, answer)
        except Unfinished as error:
            for each in some:
                results[each.place] = Unknown(message=str(error))
            raise _Halt("a batch was taken and is not done") from error
        for each, result in zip(some, batch_results(self._app, batch, some, answer, self._made), strict=True):
            results[each.place] = result

    def _values(self, each: Pending, *, named: bool) -> dict[str, Any]:
        """Give what a request may name; `named`: it names fields, too."""
        write = each.write
        each.key = os.urandom(16).hex()
        fields = write.fields if each.fields is None else each.fields
        return {
            "id": write.id or None,
            "version": write.version if write.version is not None else each.version,
            "record": each.doc,
            "key": each.key,
            **(self._docs.values(fields, create=write.kind == "create") if named else {}),
        }

    def _read_back(self, writes: Sequence[Write], results: Sequence[Result | None]) -> list[Result]:
        """Ask what the app now holds, where its answers did not say; a failure leaves it to the hub."""
        found: list[Result] = [Unknown(message="not asked for") if each is None else each for each in results]
        wanted = {
            place: self._ids.get(place) or writes[place].id
            for place, result in enumerate(found)
            if isinstance(result, Applied) and result.record is None and writes[place].kind != "archive"
        }
        if not wanted:
            return found
        try:
            records: Mapping[str, Record] = self._app.get(list(wanted.values()))
        except SyncdError:
            return found
        for place, id_ in wanted.items():
            if id_ in records:
                found[place] = Applied(record=records[id_])
        return found


def _id_in(how: Writing, answer: Answer) -> str:
    """Read the id of what was made, where the answer has no record."""
    if how.location is not None:
        match = how.location.search(answer.reply.header(b"location"))
        return match[1] if match else ""
    return shown(find(answer.doc, how.id.steps)) if how.id is not None else ""


@contextmanager
def _halting() -> Iterator[None]:
    """Turn what was raised before anything left into the end of this write."""
    try:
        yield
    except (TransientError, AccessError, ConfigError) as error:
        raise _Halt(str(error)) from error


def _groups(writes: Sequence[Write]) -> Iterator[tuple[str, list[int]]]:
    """Take writes of one kind together; consent comes first, as everywhere."""
    for kind in ("consent", "create", "update", "archive"):
        places = [place for place, write in enumerate(writes) if write.kind == kind]
        if places:
            yield kind, places


def _waves(ready: Sequence[Pending], looked_up: str | None) -> Iterator[list[Pending]]:
    """Cut into what may be under way at once: one record, and who is looked up first by one value, is in a wave once."""
    wave: list[Pending] = []
    names: set[str] = set()
    for each in ready:
        value = each.write.fields.get(looked_up) if looked_up is not None and each.write.kind == "create" else None
        name = each.write.id or ("" if value is None else f"={shown(value).casefold()}")
        if name in names:
            yield wave
            wave, names = [], set()
        wave.append(each)
        if name:
            names.add(name)
    if wave:
        yield wave
