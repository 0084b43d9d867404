"""A manifest as an app: what any connector does, done by what the manifest says.

Knows records and fields; requests are made by `Session`, writes by `Writer`. A connector in Python may be a class of this
one that does single steps otherwise. Hard rules: what cannot be read is never left out; an id is proven gone only by an
answer that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path as File
from typing import Any, Final

from syncd.connector import App, Authorization, Connector, Opening
from syncd.errors import AccessError, TransientError
from syncd.http.auth import Source
from syncd.http.compiling import load_manifest
from syncd.http.discovery import Told, lies_in, tell
from syncd.http.faults import Answer, Fault
from syncd.http.feed import Feed
from syncd.http.hooks import HookEar, subscribe, subscribed
from syncd.http.learning import learnt
from syncd.http.mapping import fields_in_effect
from syncd.http.marks import marked
from syncd.http.pages import items_of
from syncd.http.paths import Path, find, is_shown, reader, shown
from syncd.http.session import Session
from syncd.http.streams import Streams
from syncd.http.terms import Call, GetBatch, Manifest
from syncd.http.texts import fill
from syncd.http.writing import Writer
from syncd.model import FieldMap, Finding, Offered, Page, Raw, Record, Result, Write

ID_MAX: Final = 500
FRESH_SECONDS: Final = 1.0


class HttpApp:
    """One account."""

    def __init__(self, manifest: Manifest, opening: Opening) -> None:
        opening, time = learnt(manifest.auth, opening), opening.time
        self.spec, self.manifest = manifest.spec, manifest
        own = self.login(opening)
        self.session = Session(manifest, opening, sleep=time.sleep, now=time.now, clock=time.clock, own=own)
        self._told: tuple[Told, ...] | None = None
        folds = {name: where for name, where in opening.fields.items() if where.fold is not None}
        try:
            self.known = fields_in_effect(manifest, opening, self.told)
            self.streams = Streams(self, folds)
        except BaseException:
            self.session.close()
            raise
        self.fields: Mapping[str, FieldMap] = {name: known.map for name, known in self.known.items()} | folds
        self.session.values["names"] = list(dict.fromkeys(known.field.path.top for known in self.known.values()))
        self._under = reader(manifest.shape.under)
        self._id = reader(manifest.shape.id)
        self._version = reader(manifest.shape.version) if manifest.shape.version is not None else None
        self._whole = not manifest.shape.under.steps
        self._readers = [(name, known.read) for name, known in self.known.items() if not known.field.top]
        self._outside = [(name, known.read) for name, known in self.known.items() if known.field.top]
        self.secrets = opening.secrets
        self.feed = Feed(self)
        self.writer = Writer(self)
        self._account: str | None = None
        self._clock, self.pause = time.clock, time.sleep
        self._looked: tuple[float, frozenset[str], dict[str, Any]] = (0.0, frozenset(), {})

    # What the hub asks ----------------------------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        answer = self.session.read(self.manifest.check, {})
        if answer.status not in self.manifest.check.empty and not answer.is_json:
            raise TransientError(f"{self.session.app}: the check got no JSON; a login page or a proxy in between?")
        self.streams.prove()
        return self._unfit()

    def _unfit(self) -> list[Finding]:
        """Say which of the manifest's own fields this account does not have."""
        discover = self.manifest.discover
        if discover is None:
            return []
        try:
            there = {each.path for each in self.offered()}
        except AccessError as error:
            text = f"{error}: it does not show which fields it has, so that fields of its own cannot be mapped"
            return [Finding(level="warning", message=text)]
        text = "there is nothing at {} in this account: map it to a field of yours, or say `direction: none`"
        return [
            Finding(level="warning", field=name, message=text.format(known.field.path.text))
            for name, known in self.known.items()
            if not known.field.top and lies_in(discover, known.field.path) and known.field.path.text not in there
        ]

    def fingerprint(self) -> str:
        address = f"{self.spec.name}:{self.session.origin}{self.session.client.path}"
        if self.manifest.account is None:
            return address
        if self._account is None:
            call, path = self.manifest.account
            found = find(self.session.read(call, {}).doc, path.steps)
            if found is None or isinstance(found, dict | list):
                raise TransientError(f"{self.session.app}: the app does not say which account this is")
            named = shown(found)  # it stands in messages, so an address stands there as its digest
            self._account = sha256(named.encode()).hexdigest()[:16] if "@" in named else named
        return f"{address}#{self._account}"

    def read(self, cursor: str | None) -> Iterator[Page]:
        return self.feed.read(cursor)

    def get(self, ids: Sequence[str]) -> dict[str, Record]:
        found = self.items(ids)
        self._looked = (self._clock(), frozenset(ids), found)
        records = {id_: self.record(item) for id_, item in found.items()}
        for id_, record in records.items():
            record.fields |= self.streams.told(id_)
        return records

    def write(self, writes: Sequence[Write]) -> list[Result]:
        try:
            return self.writer.write(writes)
        finally:
            self._looked = (0.0, frozenset(), {})

    def passed(self, cursor: str) -> str:
        return self.feed.passed(cursor)

    def login(self, opening: Opening) -> Source | None:
        """Give what logs in, where a connector in Python does it: the manifest says nothing under `auth` then."""
        return None

    def send(self, call: Call, values: Mapping[str, Any], *, repeatable: bool = False) -> tuple[Answer, Fault | None]:
        """Ask for one change of one record. A connector in Python makes several requests of it where the app needs that."""
        return self.session.write(call, values, repeatable=repeatable)

    def new_id(self, token: str) -> str:
        return ""

    def find(self, field: str, value: Any) -> list[Record]:
        """Look it up by the app's own search where it has one, else in the listing; what is found is read again."""
        there = self.manifest.find
        if there is not None and field in there.fields:
            found: Iterable[Any] = self._search(field, value)
        else:
            found = (item for page in self.session.pages(self.manifest.list, {}) for item in page.items)
        ids = [id_ for item in found if (id_ := self.id_of(item)) is not None]
        return [record for record in self.get(ids).values() if _same(record.fields.get(field), value)]

    def subscribed(self, url: str) -> bool:
        """Say whether webhooks go to this address already; also where nobody but the operator can have them sent."""
        hooks = self.manifest.hooks
        return hooks is None or hooks.subscribe is None or subscribed(self.session, hooks.subscribe, url)

    def subscribe(self, url: str) -> None:
        """Have webhooks sent to this address."""
        hooks = self.manifest.hooks
        assert hooks is not None
        assert hooks.subscribe is not None, "asked only where `subscribed` said no"
        subscribe(self.session, hooks.subscribe, url, self.secrets)

    def close(self) -> None:
        self.session.close()

    def told(self) -> tuple[Told, ...]:
        """Ask the account what fields it has; once."""
        if self._told is None:
            discover = self.manifest.discover
            self._told = () if discover is None else tell(self.session, discover)
        return self._told

    def offered(self) -> list[Offered]:
        """List the fields that the account has; consent is written by requests of its own, though the app calculates it."""
        written = {
            known.field.path.text
            for known in self.known.values()
            if known.field.consent is not None and known.map.direction != "in"
        }
        there = [each.offered for each in self.told()]
        return [replace(each, read_only=False) if each.path in written else each for each in there]

    # What reading and writing share ---------------------------------------------------------------------------------

    def items(self, ids: Sequence[str]) -> dict[str, Any]:
        """Fetch records as the app shows them. An id that is not in the answer is gone."""
        wanted = [id_ for id_ in dict.fromkeys(ids) if self.is_id(id_)]
        batch = self.manifest.get.batch
        found: dict[str, Any] = {}
        if batch is not None and (len(wanted) > 1 or self.manifest.get.call is None):
            some = [wanted[start : start + batch.size] for start in range(0, len(wanted), batch.size)]
            parts = self.session.crew.each(partial(self._some, batch), some)
        else:
            parts = self.session.crew.each(self._one, wanted)
        for part in parts:
            found |= part
        return found

    def _some(self, batch: GetBatch, ids: Sequence[str]) -> dict[str, Any]:
        """Fetch a batch."""
        values = {"ids": ids, "items": [fill(batch.item, {"id": id_}) for id_ in ids], "size": len(ids)}
        answer = self.session.read(batch.call, values)
        return self._taken(self._list(answer, batch.items), batch.answer, frozenset(ids))

    def _one(self, id_: str) -> dict[str, Any]:
        """Fetch one; nothing where it is gone."""
        call = self.manifest.get.call
        assert call is not None, "the compiler asks for one of both"
        answer = self.session.read(call, {"id": id_}, gone=True)
        if not 200 <= answer.status < 300 or answer.status in call.empty:
            return {}
        if not answer.is_json:
            raise TransientError(f"{self.session.app}: a record came as no JSON; a proxy in between?")
        return self._taken([answer.doc], self.manifest.get.answer, frozenset({id_}))

    def present(self, ids: Sequence[str]) -> dict[str, Any]:
        """Give records as they are now; what was looked at a moment ago (the hub does, right before it writes) counts."""
        at, asked, found = self._looked
        if asked >= set(ids) and self._clock() - at < FRESH_SECONDS:
            return {id_: found[id_] for id_ in ids if id_ in found}
        return self.items(ids)

    def id_of(self, item: Any) -> str | None:
        """Give the id of an item; None for one that is deleted."""
        if self.is_gone(item):
            return None
        return self.any_id(item)

    def any_id(self, item: Any) -> str:
        """Give the id of an item, be it deleted."""
        found = self._id(item)
        if found is None or isinstance(found, dict | list | bool) or found == "":
            raise TransientError(f"{self.session.app}: an item without {self.manifest.shape.id.text}")
        return shown(found)

    def is_gone(self, item: Any) -> bool:
        return marked(item, self.manifest.shape.gone)

    def is_id(self, id_: str) -> bool:
        """Say whether this can be an id at all; what cannot is never sent."""
        pattern = self.manifest.shape.id_pattern
        if pattern is not None:
            return pattern.fullmatch(id_) is not None
        sound = 0 < len(id_) <= ID_MAX and id_.isprintable() and id_ not in {".", ".."}
        return sound and not any("\ud800" <= letter <= "\udfff" for letter in id_)

    def record(self, item: Any) -> Record:
        """Read one item."""
        id_ = self.any_id(item)
        doc = item if self._whole else self._under(item)
        if not isinstance(doc, dict):
            return Record(id=id_, fields={}, problem=f"it holds no {self.manifest.shape.under.text}")
        version = self._version(item) if self._version is not None else None
        fields = {name: read(doc) for name, read in self._readers}
        for name, read in self._outside:
            fields[name] = read(item)
        if self.manifest.shape.complete:
            fields = {name: raw for name, raw in fields.items() if raw is not None or self._is_shown(name, doc, item)}
        return Record(
            id=id_,
            fields=fields,
            version=None if version is None else shown(version),
        )

    def _is_shown(self, name: str, doc: Any, item: Any) -> bool:
        field = self.known[name].field
        return is_shown(item if field.top else doc, field.path)

    def _search(self, field: str, value: Any) -> Iterator[Any]:
        there = self.manifest.find
        assert there is not None
        values = {"value": shown(value), "field": self.known[field].field.path.text if field in self.known else field}
        call = there.listing.call
        if not there.listing.page.by:
            answer = self.session.read(call, {**values, "size": there.listing.page.size}, gone=True)
            if answer.status in call.empty or not 200 <= answer.status < 300:
                return
            items = items_of(there.listing, answer, f"{self.session.app}: {call.name}")
            yield from (find(item, there.answer.steps) for item in items)
            return
        for page in self.session.pages(there.listing, values):
            yield from (find(item, there.answer.steps) for item in page.items)

    def _list(self, answer: Answer, where: Path) -> list[Any]:
        found = find(answer.doc, where.steps)
        if isinstance(found, dict):
            return list(found.values()) if where.steps else [found]
        if isinstance(found, list):
            return found
        raise TransientError(f"{self.session.app}: an answer without the list {where.text}")

    def _taken(self, items: Iterable[Any], where: Path, wanted: frozenset[str]) -> dict[str, Any]:
        found = {}
        for each in items:
            item = find(each, where.steps)
            if item is None:
                continue
            id_ = self.id_of(item)
            if id_ in wanted:  # another id: what was asked for has been merged into it
                found[id_] = item
        return found


def _same(held: Raw, value: Raw) -> bool:
    if isinstance(held, str) and isinstance(value, str):
        return held.casefold() == value.casefold()
    return bool(held == value)


def connector(file: File, name: str, app: Callable[[Manifest, Opening], App] = HttpApp) -> Connector:
    """Make a connector of a manifest; `app` is a class of HttpApp's that does single steps in Python."""
    manifest = load_manifest(file, name)
    authorize = None
    if any(auth.authorize is not None for auth in manifest.auth):

        def authorize(opening: Opening) -> Authorization:
            from syncd.http.authorizing import begin

            return begin(manifest.auth, opening)

    hooks = manifest.hooks
    listen = None if hooks is None else lambda opening: HookEar(hooks, manifest.shape.id_pattern, opening)
    return Connector(
        spec=manifest.spec, open=lambda opening: app(manifest, opening), authorize=authorize, listen=listen
    )
