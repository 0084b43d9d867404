"""Streams: what records have many of, folded into one value for each field that an operator asked for.

Nothing of a stream is kept: a complete reading goes through all of it, and what changed is asked for record by record. Hard
rules: nothing is ever written; a record of which nothing was asked has no such value, which is not the same as none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from syncd.config import expressions
from syncd.config.rollups import one_of
from syncd.errors import ConfigError
from syncd.http.besideterms import Column, Stream
from syncd.http.cursors import Mark
from syncd.http.marks import marked
from syncd.http.paths import find, shown
from syncd.http.stamps import read_iso
from syncd.model import FieldMap, Raw

if TYPE_CHECKING:
    from syncd.http.app import HttpApp

IDS_AT_ONCE: Final = 100
Told = dict[str, Raw]
"""Field -> what is folded for one record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One field: what is taken of the items of a stream for which `counts` says yes."""

    field: str
    take: str
    column: Column | None
    counts: Callable[[Mapping[str, Any]], bool] | None

    def nothing(self) -> Raw:
        """Give the value of a record that has none."""
        return 0 if self.take in ("count", "sum") else None

    def add(self, held: Raw, item: Any, values: Mapping[str, Any]) -> Raw:
        """Give what is held after one more item."""
        if self.counts is not None and not self.counts(values):
            return held
        if self.column is None:
            return held + 1
        value = self.column.kind.read(find(item, self.column.path.steps))
        if value is None or isinstance(value, dict | list | bool):
            return held
        if self.column.means == "number":
            return self._numbers(held, value)
        there, here = (_ordered(self.column, each) for each in (held, value))
        return value if there is None or (here is not None and (here > there) == (self.take == "max")) else held

    def _numbers(self, held: Raw, value: Raw) -> Raw:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            return held
        if not number.is_finite():
            return held
        if self.take == "sum":
            return plain(Decimal(str(held)) + number)
        return plain(number) if held is None or (number > Decimal(str(held))) == (self.take == "max") else held


def _ordered(column: Column, value: Raw) -> Any:
    """Give what is compared: times by when they are, texts as they are."""
    return read_iso(value) if column.means == "time" and isinstance(value, str) else value


def plain(number: Decimal) -> int | float:
    """Give a number as JSON spells it: whole where it is."""
    return int(number) if number == number.to_integral_value() else float(number)


class Streams:
    """The streams of one app that somebody folds."""

    def __init__(self, app: HttpApp, folds: Mapping[str, FieldMap]) -> None:
        self._app = app
        self._folds: dict[str, list[Fold]] = {}
        self._held: dict[str, Told] = {}
        self._nothing: Told = {}
        """What the reading under way tells of a record that is not in `_held`; empty where it says nothing of others."""
        for name, where in folds.items():
            assert where.fold is not None
            stream = app.manifest.streams.get(where.fold["stream"])
            if stream is None:
                raise ConfigError(f"{app.session.app}: field {name}: there is no stream {where.fold['stream']}")
            self._folds.setdefault(stream.name, []).append(_fold(name, where.fold, stream))

    @property
    def used(self) -> list[Stream]:
        return [self._app.manifest.streams[name] for name in self._folds]

    @property
    def followed(self) -> list[Stream]:
        """Those of which it is told what changed."""
        return [each for each in self.used if each.changes is not None]

    def prove(self) -> None:
        """Read a page of each. Raises the reaction where that is not allowed."""
        for stream in self.used:
            next(self._app.session.pages(stream.list, {}))

    def told(self, id_: str) -> Told:
        """Give what the reading under way has folded for a record; nothing where it does not know.

        A record that the hub asks for meanwhile shows it too, or it would be taken back as soon as it is told.
        """
        return self._held.get(id_, self._nothing)

    def forget(self) -> None:
        """End the reading: from now on nothing is known."""
        self._held, self._nothing = {}, {}

    def everything(self) -> dict[str, Mark]:
        """Read all of them, so that it can be told of every record; give where each stream is read on from."""
        nothing = self._none(self._folds)
        marks: dict[str, Mark] = {}
        session = self._app.session
        for stream in self.used:
            for sheet in session.pages(stream.list, {}):
                if stream.changes is not None and stream.name not in marks:
                    marks[stream.name] = Mark(since_us=session.now_us(sheet.answer) or session.now_us() or 0)
                self._take(stream, sheet.items, lambda id_: self._held.setdefault(id_, dict(nothing)))
        self._nothing = nothing
        return marks

    def ask(self, ids: Iterable[str]) -> None:
        """Ask what these records have, in every stream that can be asked, so that it can be told."""
        for id_ in ids:
            told = {id_: self._none([each.name for each in self.followed])}
            for stream in self.followed:
                assert stream.of is not None
                for sheet in self._app.session.pages(stream.of, {"id": id_}):
                    self._take(stream, sheet.items, told.get)
            self._held |= told

    def touched(self, stream: Stream, items: Iterable[Any]) -> list[str]:
        """Name the records of these items, also of those that do not count any more."""
        return list(dict.fromkeys(id_ for item in items for id_ in _records(stream, item) if self._app.is_id(id_)))

    def _none(self, streams: Iterable[str]) -> Told:
        return {fold.field: fold.nothing() for name in streams for fold in self._folds[name]}

    def _take(self, stream: Stream, items: Iterable[Any], held: Callable[[str], Told | None]) -> None:
        for item in items:
            if marked(item, stream.leave_out):
                continue
            values = {name: each.kind.read(find(item, each.path.steps)) for name, each in stream.columns.items()}
            for id_ in _records(stream, item):
                told = held(id_)
                if told is not None:
                    for fold in self._folds[stream.name]:
                        told[fold.field] = fold.add(told[fold.field], item, values)


def _fold(name: str, said: Mapping[str, str], stream: Stream) -> Fold:
    where = said["where"]
    counts = expressions.predicate(where, stream.columns, name=one_of(stream.name)) if where else None
    return Fold(field=name, take=said["take"], column=stream.columns[said["of"]] if said["of"] else None, counts=counts)


def _records(stream: Stream, item: Any) -> list[str]:
    found = find(item, stream.record.steps)
    return [shown(each) for each in (found if isinstance(found, list) else [found]) if each not in (None, "")]
