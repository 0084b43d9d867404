"""The memory connector: for tests and simulation. Every setting but `store` is a peculiarity of some real app."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from syncd.connector import Connector, Opening
from syncd.errors import ConfigError, TransientError
from syncd.model import Applied, FieldMap, Finding, Hooking, Page, Record, Rejected, Result, Setting, Spec, Write

from .store import STORES, MemoryStore, Person

SPEC: Final = Spec(
    name="memory",
    summary="records in this process, for tests and simulation, with the peculiarities of real apps as settings",
    settings=(
        Setting(name="store", required=True, help="the name of the data, as a test registered it"),
        Setting(name="own_ids", type="boolean", default=False, help="the app counts its own ids (rung E)"),
        Setting(name="cas", type="boolean", default=True, help="a write is compared with what was read (else: jump)"),
        Setting(name="feed", type="boolean", default=True, help="tells what changed since a cursor"),
        Setting(name="gone", type="boolean", default=True, help="reads name deleted records"),
        Setting(name="archive", type="boolean", default=True, help="records can be archived"),
        Setting(name="flat", type="boolean", default=False, help="takes texts only: no lists, numbers or booleans"),
        Setting(name="columns", type="list", default=[], help="the properties it has; none named: every known field"),
        Setting(name="upper", type="list", default=[], help="properties that it writes in capitals"),
        Setting(name="lower", type="list", default=[], help="properties that it writes in small letters"),
        Setting(name="trim", type="list", default=[], help="properties whose outer spaces it drops"),
        Setting(name="truncate", type="list", default=[], help="name:length, properties that it cuts"),
        Setting(name="required", type="list", default=[], help="properties that may not be blank"),
        Setting(name="unique", type="list", default=[], help="properties of which it takes each value once"),
        Setting(
            name="upserts", default="", help="a property by which a create finds, and changes, who is there already"
        ),
        Setting(name="on_create", type="list", default=[], help="name=value, what it fills in on a create"),
        Setting(name="readonly", type="list", default=[], help="properties that it does not let others write"),
        Setting(name="failing", type="list", default=[], help="ids whose writes it refuses"),
        Setting(name="lag", type="number", default=0, help="reads until a change shows; `lag_seconds` says the same"),
        Setting(name="page", type="number", default=100, help="records in a page"),
        Setting(name="batch", type="number", default=100, help="writes in a call"),
    ),
    any_path=True,
    create=True,
    update=True,
    archive=True,
    incremental=True,
    proven_listing=True,
    versions="ordered",
    lost_update="cas",
    rung="A",
    reports_gone=True,
    hooking=Hooking(),  # nothing is sent: a test stores what a webhook would have
)


class MemoryApp:
    """One connection to a store."""

    spec: Spec
    fields: Mapping[str, FieldMap]

    def __init__(self, opening: Opening) -> None:
        defaults = {setting.name: setting.default for setting in SPEC.settings}
        self._set = {**defaults, **opening.settings}
        self._store_name = str(self._set["store"])
        self._truncate = {name: int(length) for name, length in _pairs("truncate", self._set["truncate"], ":")}
        self._on_create = dict(_pairs("on_create", self._set["on_create"], "="))
        self.fields = self._fields(opening)
        self._names = {field.path: name for name, field in self.fields.items()}
        self.spec = self._narrowed()
        _ = self._store

    def check(self) -> list[Finding]:
        _ = self._store
        return []

    def fingerprint(self) -> str:
        return f"memory:{self._store_name}"

    def read(self, cursor: str | None) -> Iterator[Page]:
        store = self._store
        upto = store.look(int(self._set["lag"]))
        since = 0
        if cursor is not None and self._set["feed"]:
            epoch, _, number = cursor.partition(".")
            if epoch != str(store.epoch) or not number.isdigit() or int(number) > upto:
                yield Page(records=[], expired=True)
                return
            since = int(number)
        complete = cursor is None or not self._set["feed"]
        # One event at a time as they happened: a page that is lost takes no later one with it.
        seen = sorted((number, id_, person) for id_, (number, person) in store.seen.items() if number > since)
        records = [self._record(id_, person) for _, id_, person in seen if person is not None]
        gone = tuple(id_ for _, id_, person in seen if person is None) if self._set["gone"] and not complete else ()
        size = max(int(self._set["page"]), 1)
        pages = [records[start : start + size] for start in range(0, len(records), size)] or [[]]
        for page in pages[:-1]:
            yield Page(records=page)
        yield Page(records=pages[-1], gone=gone, cursor=f"{store.epoch}.{upto}", complete=complete)

    def get(self, ids: Sequence[str]) -> dict[str, Record]:
        people = self._store.people
        return {id_: self._record(id_, people[id_]) for id_ in ids if id_ in people}

    def write(self, writes: Sequence[Write]) -> list[Result]:
        try:
            store = self._store
        except TransientError as error:
            return [Rejected(why="busy", message=str(error)) for _ in writes]
        store.log.extend(writes)
        return [self._write(store, write) for write in writes]

    def new_id(self, token: str) -> str:
        return "" if self._set["own_ids"] else token

    def find(self, field: str, value: Any) -> list[Record]:
        records = (self._record(id_, person) for id_, person in self._store.people.items())
        return [record for record in records if record.fields.get(field) == value]

    def close(self) -> None:
        """Nothing is held."""

    @property
    def _store(self) -> MemoryStore:
        store = STORES.get(self._store_name)
        if store is None or store.down:
            raise TransientError(f"memory: store {self._store_name!r} cannot be reached")
        return store

    def _fields(self, opening: Opening) -> dict[str, FieldMap]:
        columns = self._set["columns"] or [*opening.known, *(field.path for field in opening.fields.values())]
        taken = {field.path for field in opening.fields.values()}
        mine = {name: FieldMap(path=name) for name in columns if name in opening.known and name not in taken}
        mine |= {name: field for name, field in opening.fields.items() if field.path in columns}
        fields = {}
        for name, field in mine.items():
            if field.direction == "none":
                continue
            direction = "in" if field.path in self._set["readonly"] else field.direction
            required = field.required or field.path in self._set["required"]
            fields[name] = replace(field, direction=direction, required=required)
        return fields

    def _narrowed(self) -> Spec:
        asked = self._set
        return replace(
            SPEC,
            flat=bool(asked["flat"]),
            archive=bool(asked["archive"]),
            incremental=bool(asked["feed"]),
            lost_update="cas" if asked["cas"] else "jump",
            rung="E" if asked["own_ids"] else "A",
            reports_gone=bool(asked["gone"] and asked["feed"]),
            lag_seconds=float(asked["lag"]),
            unique=tuple(self._names[path] for path in asked["unique"] if path in self._names),
            write_batch=int(asked["batch"]),
        )

    def _record(self, id_: str, person: Person) -> Record:
        held = person.properties
        hidden = self._store.hidden
        shown = {name: field.path for name, field in self.fields.items() if field.path not in hidden}
        fields = {name: deepcopy(held.get(path)) for name, path in shown.items()}
        return Record(id=id_, fields=fields, version=f"{person.version:012}")

    def _write(self, store: MemoryStore, write: Write) -> Result:
        if write.id in self._set["failing"]:
            return Rejected(why="invalid", message="this record is set to fail")
        now = store.people.get(write.id) if write.id else None
        if write.kind == "create":
            if now is not None:
                return Rejected(why="exists", message="a record has this id", existing=write.id)
        elif now is None:
            return Rejected(why="gone", message="no such record")
        elif self._has_moved(write, self._record(write.id, now)):
            return Rejected(why="moved", message="the record has changed")
        if write.kind == "archive":
            if not self._set["archive"]:
                return Rejected(why="readonly", message="records cannot be archived")
            store.delete(write.id)
            return Applied(record=None)
        return self._store_fields(store, write, dict(now.properties) if now is not None else None)

    def _has_moved(self, write: Write, now: Record) -> bool:
        if not self._set["cas"]:
            return False
        return any(name not in now.fields or now.fields[name] != value for name, value in write.expect.items())

    def _store_fields(self, store: MemoryStore, write: Write, held: dict[str, Any] | None) -> Result:
        properties = held if held is not None else dict(self._on_create)
        for name, value in write.fields.items():
            field = self.fields.get(name)
            if field is None:
                return Rejected(why="invalid", message="no such property", field=name)
            if field.direction == "in":
                return Rejected(why="readonly", message="the property is only read", field=name)
            if self._set["flat"] and not isinstance(value, str | None):
                return Rejected(why="invalid", message="takes a text", field=name)
            properties[field.path] = self._spelled(field.path, deepcopy(value))
        refused = self._refusal(store, write.id, properties)
        if refused is not None:
            return refused
        known = write.id if held is not None else self._there(store, properties)
        id_ = store.put(known or (store.next_id() if self._set["own_ids"] else write.id), properties)
        return Applied(record=self._record(id_, store.people[id_]))

    def _there(self, store: MemoryStore, properties: Mapping[str, Any]) -> str:
        """Name the record that a create changes instead of making one."""
        path = self._set["upserts"]
        mine = properties.get(path) if path else None
        return next((id_ for id_, p in store.people.items() if mine and p.properties.get(path) == mine), "")

    def _spelled(self, path: str, value: Any) -> Any:
        """Write a value as this app does."""
        if isinstance(value, list):
            return [self._spelled(path, part) for part in value]
        if not isinstance(value, str):
            return value
        value = value.upper() if path in self._set["upper"] else value
        value = value.lower() if path in self._set["lower"] else value
        value = value.strip() if path in self._set["trim"] else value
        return value[: self._truncate[path]] if path in self._truncate else value

    def _refusal(self, store: MemoryStore, id_: str, properties: Mapping[str, Any]) -> Rejected | None:
        for path in self._set["required"]:
            if properties.get(path) in (None, "", []):
                return Rejected(why="invalid", message="may not be blank", field=self._names.get(path))
        for path in self._set["unique"]:
            value = properties.get(path)
            for other, person in store.people.items():
                if value not in (None, "") and other != id_ and person.properties.get(path) == value:
                    name = self._names.get(path)
                    return Rejected(why="exists", message="the value is taken", field=name, existing=other)
        return None


def _pairs(setting: str, texts: Sequence[str], mark: str) -> list[tuple[str, str]]:
    parted = [text.partition(mark) for text in texts]
    if any(not found or (mark == ":" and not right.isdigit()) for _, found, right in parted):
        raise ConfigError(f"{setting}: expected a list of name{mark}value")
    return [(left, right) for left, _, right in parted]


CONNECTOR: Final = Connector(spec=SPEC, open=MemoryApp)
