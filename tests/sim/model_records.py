"""A transaction of the model: runs, apps, records and listings. Each class answers in place of its namesake in syncd/store.

What a statement leaves open (an order without ORDER BY) comes here in the order in which it was asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

import orjson
import sqlalchemy as sa

from syncd.core.state import Link
from syncd.store import codec
from syncd.store.base import Base
from syncd.store.codec import Sealer
from syncd.store.hints import HINTS_MAX, SOMETHING, Hint, Hints, HookState
from syncd.store.listings import Listings
from syncd.store.records import Mark, Records
from syncd.store.runs import AppState, Runs
from tests.sim.model_tables import RecordRow, RunRow, Tables, refusal

_NEW_APP: Final = dict.fromkeys(AppState.__slots__) | dict.fromkeys(
    ("covered", "read_ms", "listed_ms", "failed_ms", "paused"), 0
)
_FLAWED: Final = "a field that cannot be written there; `syncd explain` names it"


class ModelBase(Base):
    """A transaction that is under way."""

    def __init__(self, tables: Tables, sealer: Sealer) -> None:
        self._t = tables
        self._sealer = sealer

    @property
    def connection(self) -> NoReturn:
        raise AssertionError("the model of the store knows no SQL: what asks for it belongs into a method of Tx")

    def meta(self, name: str) -> str | None:
        return self._t.meta.get(name)

    def set_meta(self, name: str, value: str) -> None:
        self._t.put(self._t.meta, name, value)


class ModelRuns(ModelBase, Runs):
    """Runs and apps."""

    def begin_run(self, kind: str, now_ms: int) -> int:
        number = max(self._t.run, default=0) + 1
        self._t.put(self._t.run, number, RunRow(kind, now_ms, None, None, None))
        return number

    def end_run(self, run: int, now_ms: int, outcome: str, doc: Any) -> None:
        row = self._t.run.get(run)
        if row is not None:
            self._t.put(self._t.run, run, RunRow(row.kind, row.at_ms, now_ms, outcome, codec.dump(doc)))

    def forget_run(self, run: int) -> None:
        self._t.drop(self._t.run, run)

    def left_traces(self, run: int) -> bool:
        return any(row.run == run for row in self._t.journal) or any(row.run == run for row in self._t.inbox.values())

    def run(self, run: int) -> tuple[str, str | None, Any] | None:
        row = self._t.run.get(run)
        return None if row is None else (row.kind, row.outcome, orjson.loads(row.doc) if row.doc else {})

    def last_number(self) -> int:
        return max(self._t.run, default=0)

    def last_run(self, outcome: str) -> int | None:
        return max((number for number, row in self._t.run.items() if row.outcome == outcome), default=None)

    def apps(self) -> dict[str, AppState]:
        return {row["name"]: AppState(**row) for _, row in sorted(self._t.app.items())}

    def add_app(self, name: str) -> None:
        if any(row["name"] == name for row in self._t.app.values()):
            raise refusal("app.name")
        number = max(self._t.app, default=0) + 1
        self._t.put(self._t.app, number, {**_NEW_APP, "id": number, "name": name})

    def save_app(self, app: int, **values: Any) -> None:
        unknown = sorted(values.keys() - _NEW_APP.keys())
        if unknown:
            raise sa.exc.CompileError(f"Unconsumed column names: {', '.join(unknown)}")
        if app in self._t.app:
            self._t.put(self._t.app, app, {**self._t.app[app], **values})

    def login(self, app: str) -> bytes | None:
        return self._t.login.get(app)

    def keep_login(self, app: str, doc: bytes) -> None:
        self._t.put(self._t.login, app, doc)


class ModelRecords(ModelBase, Records):
    """Records."""

    def versions(self, app: int, ids: Sequence[str]) -> dict[str, str | None]:
        rows = self._t.record[app]
        return {id_: row.version for id_ in ids if (row := rows.get(id_)) and row.problem is None and row.digest}

    def marks(self, app: int, ids: Sequence[str]) -> dict[str, Mark]:
        rows = self._t.record[app]
        return {
            id_: Mark(row.version, row.digest, row.contact, row.problem, row.misses, row.at_ms, row.seen)
            for id_ in ids
            if (row := rows.get(id_))
        }

    def insert_records(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            app, id_, contact = row["app"], row["id"], row["contact"]
            if id_ in self._t.record[app]:
                raise refusal("record.app, record.id")
            made = RecordRow(
                contact=None,
                version=row["version"],
                digest=row["digest"],
                at_ms=row["at_ms"],
                misses=0,
                missed_run=0,
                problem=row["problem"],
                flawed=False,
                unheard=False,
                doc=row["doc"],
                seen=row["seen"],
            )
            self._store(app, id_, made, contact)

    def see(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._change(row, digest=row["digest"], problem=row["problem"], seen=row["seen"])

    def touch_versions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._change(row, version=row["version"])

    def set_digests(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._change(row, digest=row["digest"], problem=row["problem"])

    def forget_reading(self, app: int, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._change({"k_app": app, "k_id": id_}, digest=b"", version=None)

    def forget_record(self, app: int, id_: str) -> None:
        row = self._t.record[app].get(id_)
        if row is not None:
            if row.contact is not None:
                self._t.drop(self._t.link[row.contact], app)
            self._t.drop(self._t.record[app], id_)

    def set_problem(self, app: int, id_: str, problem: str | None) -> None:
        self._change({"k_app": app, "k_id": id_}, problem=problem)

    def record_count(self, app: int) -> int:
        return len(self._t.record[app])

    def linked_count(self, app: int) -> int:
        return sum(row.contact is not None for row in self._t.record[app].values())

    def parked(self, app: int, count_max: int) -> list[tuple[str, str]]:
        rows = sorted((id_, row) for id_, row in self._t.record[app].items() if row.problem is not None or row.flawed)
        return [(id_, row.problem or _FLAWED) for id_, row in rows[:count_max]]

    def parked_count(self, app: int) -> int:
        return sum(row.problem is not None or row.flawed for row in self._t.record[app].values())

    def unheard_count(self, app: int) -> int:
        return sum(row.unheard for row in self._t.record[app].values())

    def unlinked(self, app: int, after: str, count_max: int) -> list[Link]:
        rows = self._t.record[app]
        ids = sorted(i for i, row in rows.items() if row.seen is not None and row.contact is None and i > after)
        return [self._link(app, id_, rows[id_]) for id_ in ids[:count_max]]

    def waiting_counts(self) -> dict[int, int]:
        rows = [(app, row) for app, mine in self._t.record.items() for row in mine.values()]
        return dict(Counter(app for app, row in rows if row.seen is not None and row.contact is not None))

    def waiting(self, app: int, after: int, count_max: int) -> list[int]:
        rows = self._t.record[app].values()
        found = sorted(r.contact for r in rows if r.seen is not None and r.contact is not None and r.contact > after)
        return found[:count_max]

    def links_of(self, contacts: Iterable[int]) -> dict[int, list[Link]]:
        links, records = self._t.link, self._t.record
        return {
            contact: [self._link(app, id_, records[app][id_]) for app, id_ in sorted(links[contact].items())]
            if contact in links
            else []
            for contact in contacts
        }

    def links_in(self, app: int, contacts: Iterable[int]) -> dict[int, Link]:
        links, rows = self._t.link, self._t.record[app]
        return {
            contact: self._link(app, id_, rows[id_])
            for contact in contacts
            if contact in links and (id_ := links[contact].get(app)) is not None
        }

    def link_apps(self, contacts: Iterable[int]) -> dict[int, set[int]]:
        return {contact: {*apps} for contact in contacts if (apps := self._t.link.get(contact))}

    def link(self, app: int, id_: str) -> Link | None:
        row = self._t.record[app].get(id_)
        return None if row is None else self._link(app, id_, row)

    def save_links(self, links: Iterable[Link]) -> None:
        for link in links:
            row = self._t.record[link.app].get(link.id)
            if row is None:
                continue
            made = row._replace(
                version=link.version,
                at_ms=link.at_ms,
                flawed=bool(link.flaws),
                unheard=bool(link.unheard),
                doc=codec.link_doc(link),
                seen=codec.seen_doc(link.seen) if link.seen else None,
            )
            self._store(link.app, link.id, made, link.contact or None)

    def attach(self, links: Iterable[Link]) -> None:
        for link in links:
            row = self._t.record[link.app].get(link.id)
            if row is not None:
                self._store(link.app, link.id, row, link.contact)

    def _change(self, key: Mapping[str, Any], **values: Any) -> None:
        rows = self._t.record[key["k_app"]]
        row = rows.get(key["k_id"])
        if row is not None:
            self._t.put(rows, key["k_id"], row._replace(**values))

    def _store(self, app: int, id_: str, row: RecordRow, contact: int | None) -> None:
        """Set a row and the contact it belongs to, unless that one has another record in this app."""
        if row.contact != contact:
            if contact is not None and app in self._t.link[contact]:
                raise refusal("record.contact, record.app")
            if row.contact is not None:
                self._t.drop(self._t.link[row.contact], app)
            if contact is not None:
                self._t.put(self._t.link[contact], app, id_)
            row = row._replace(contact=contact)
        self._t.put(self._t.record[app], id_, row)

    def _link(self, app: int, id_: str, row: RecordRow) -> Link:
        return codec.read_link(app, id_, row.contact or 0, row.version, row.at_ms, row.doc, row.seen)


class ModelListings(ModelBase, Listings):
    """Listings and misses."""

    def begin_listing(self, app: int) -> None:
        self._t.clear(self._t.listed[app])

    def list_ids(self, app: int, ids: Iterable[str]) -> None:
        listed = self._t.listed[app]
        for id_ in ids:
            if id_ not in listed:
                self._t.put(listed, id_, None)

    def confirmed(self, app: int, since_ms: int, until_ms: int) -> list[str]:
        rows = [(i, row) for i, row in self._t.record[app].items() if row.contact is not None and not row.misses]
        return sorted(i for i, row in rows if since_ms <= row.at_ms <= until_ms)

    def end_listing(self, app: int) -> None:
        self._t.clear(self._t.listed[app])

    def forget_strangers(self, app: int, *, shown: bool) -> None:
        rows, listed = self._t.record[app], self._t.listed[app]
        strangers = {
            id_
            for id_, row in rows.items()
            if row.contact is None
            and (id_ in listed and row.doc is None if shown else row.problem is not None and id_ not in listed)
        }
        for id_ in strangers:
            self._t.drop(rows, id_)
        for holders in self._t.identity.values():
            for holder in [holder for holder in holders if holder[0] == app and holder[1] in strangers]:
                self._t.drop(holders, holder)

    def missing_count(self, app: int) -> int:
        return len(self._missing(app))

    def missing(self, app: int, count_max: int) -> list[tuple[str, int, int, int | None]]:
        rows = self._t.record[app]
        found = [(id_, rows[id_]) for id_ in sorted(self._missing(app))[:count_max]]
        return [(id_, row.misses, row.missed_run, row.contact) for id_, row in found]

    def count_misses(self, app: int, run: int) -> None:
        rows, shown = self._t.record[app], self._t.listed[app]
        self._set_misses(app, [id_ for id_, row in rows.items() if row.misses > 0 and id_ in shown], 0)
        for id_ in self._missing(app):
            if rows[id_].missed_run < run:
                self._t.put(rows, id_, rows[id_]._replace(misses=rows[id_].misses + 1, missed_run=run))

    def found_again(self, app: int) -> list[int]:
        rows, shown = self._t.record[app], self._t.listed[app]
        return sorted(
            row.contact for id_, row in rows.items() if row.misses > 0 and row.contact is not None and id_ in shown
        )

    def strike_missing(self, app: int, strikes: int) -> None:
        self._set_misses(app, self._missing(app), strikes)

    def any_missed(self, app: int) -> bool:
        return any(row.misses > 0 for row in self._t.record[app].values())

    def struck(self, app: int, strikes: int, count_max: int) -> list[str]:
        rows = self._t.record[app].items()
        return sorted(id_ for id_, row in rows if row.misses > 0 and row.misses >= strikes)[:count_max]

    def strike(self, app: int, ids: Iterable[str], strikes: int) -> None:
        self._set_misses(app, ids, strikes)

    def clear_misses(self, app: int, ids: Iterable[str]) -> None:
        self._set_misses(app, ids, 0)

    def _missing(self, app: int) -> list[str]:
        shown = self._t.listed[app]
        rows = self._t.record[app].items()
        return [id_ for id_, row in rows if row.contact is not None and row.problem is None and id_ not in shown]

    def _set_misses(self, app: int, ids: Iterable[str], misses: int) -> None:
        rows = self._t.record[app]
        for id_ in ids:
            if id_ in rows:
                self._t.put(rows, id_, rows[id_]._replace(misses=misses))


class ModelHints(ModelBase, Hints):
    """Hints of webhooks."""

    def hear(self, app: int, ids: Sequence[str], now_ms: int, due_ms: int) -> None:
        number = self._next()
        if ids:
            for id_ in ids:
                self._t.put(self._t.hint, (app, id_), (number, now_ms, now_ms, 0))
            if len(self.hints(app, HINTS_MAX + 1)) > HINTS_MAX:
                self._drop(app, 0, 1)
                self._t.put(self._t.hint, (app, SOMETHING), (number, now_ms, now_ms, 0))
        else:
            before = self._t.hint.get((app, SOMETHING))
            due_ms = due_ms if before is None else min(before[2], due_ms)
            self._t.put(self._t.hint, (app, SOMETHING), (number, now_ms, due_ms, 0))
            self._drop(app, 1)
        state = self._t.hook.get(app, HookState(0, 0, 0, 0))
        self._t.put(self._t.hook, app, HookState(max(now_ms, state.last_ms), state.seen + 1, state.missed, 0))

    def hints(self, app: int, count_max: int) -> list[Hint]:
        found = sorted((row[0], id_, *row[1:3]) for (of, id_), row in self._t.hint.items() if of == app and not row[3])
        return [Hint(id_, number, at_ms, due_ms) for number, id_, at_ms, due_ms in found[:count_max]]

    def forget_hints(self, app: int, hints: Iterable[Hint]) -> None:
        for each in hints:
            if (row := self._t.hint.get((app, each.id))) and row[0] == each.number:
                self._t.drop(self._t.hint, (app, each.id))

    def put_off_hint(self, app: int, id_: str, due_ms: int) -> None:
        if row := self._t.hint.get((app, id_)):
            self._t.put(self._t.hint, (app, id_), (*row[:2], due_ms, row[3]))

    def note_found(self, app: int, ids: Sequence[str], now_ms: int) -> None:
        if self._t.hint.get((app, SOMETHING), (0, 0, 0, 1))[3] == 0:
            return
        number = self._next()
        for id_ in ids:
            if (app, id_) not in self._t.hint:
                self._t.put(self._t.hint, (app, id_), (number, now_ms, now_ms, 1))

    def count_missed(self, app: int, before_ms: int) -> int:
        late = [key for key, row in self._t.hint.items() if key[0] == app and row[3] and row[1] < before_ms]
        for key in late:
            self._t.drop(self._t.hint, key)
        if late:
            was = self._t.hook.get(app, HookState(0, 0, 0, 0))
            more = HookState(was.last_ms, was.seen, was.missed + len(late), was.silent + len(late))
            self._t.put(self._t.hook, app, more)
        return len(late)

    def hooks(self) -> dict[int, HookState]:
        return dict(sorted(self._t.hook.items()))

    def _next(self) -> int:
        return max((row[0] for row in self._t.hint.values()), default=0) + 1

    def _drop(self, app: int, *found: int) -> None:
        for key in [key for key, row in self._t.hint.items() if key[0] == app and row[3] in found]:
            self._t.drop(self._t.hint, key)
