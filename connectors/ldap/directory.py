"""One branch of a directory as an app: entries as records by entryUUID, changes by modifyTimestamp, deletions by listing.

Knows fields, entries and settings. Hard rule: a search that did not end well raises; only one that did says who is there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from syncd.connector import Opening
from syncd.errors import ConfigError
from syncd.model import FieldMap, Finding, Page, Record, Result, Spec, Write

from . import filters, names
from .check import NO_IDS, findings
from .layout import Layout, Root, layout_of, root_of
from .messages import Entry
from .places import LABELED, BadValue, read, written
from .session import Session
from .writing import Writing

IDS_AT_ONCE: Final = 100
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STAMP: Final = re.compile(rb"(\d{14})(?:[.,]\d+)?Z")
_CURSOR: Final = re.compile(r"1:([0-9a-f]{12}):(\d{1,11})")


def open_directory(spec: Spec, opening: Opening) -> Directory:
    """Log in, and ask what the server can; nothing is written."""
    session = Session(opening)
    try:
        root = root_of(session)
        layout = layout_of(opening, root.schema)
    except BaseException:
        session.close()
        raise
    return Directory(spec, opening, session, root, layout)


class Directory:
    """One branch."""

    spec: Spec
    fields: Mapping[str, FieldMap]

    def __init__(self, spec: Spec, opening: Opening, session: Session, root: Root, layout: Layout) -> None:
        self.spec = replace(
            spec,
            create=not layout.unfilled(),
            archive=layout.mark is not None or bool(layout.archive_branch),
            lost_update="cas" if root.compares else "blind",
        )
        self.fields = layout.fields
        self._session, self._root, self._layout = session, root, layout
        self._time, self._overlap = opening.time, int(opening.settings.get("overlap") or 0)
        told = repr((layout.base.lower(), layout.scope, layout.people, sorted(layout.places.items())))
        self._signature = hashlib.blake2b(told.encode(), digest_size=6).hexdigest()

    def check(self) -> list[Finding]:
        return findings(self._session, self._root, self._layout, self.spec)

    def fingerprint(self) -> str:
        origin = self._session.address.origin
        return f"ldap:{origin.host}:{origin.port}/{','.join(names.folded(self._layout.base))}"

    def read(self, cursor: str | None) -> Iterator[Page]:
        if cursor is None:
            yield from self._pages(self._layout.people, 0, listing=True)
            return
        match = _CURSOR.fullmatch(cursor)
        if match is None or match[1] != self._signature:
            yield Page(records=[], expired=True)
            return
        since = int(match[2])
        stamp = datetime.fromtimestamp(max(since - self._overlap, 0), UTC).strftime("%Y%m%d%H%M%SZ")
        wanted = filters.all_of(self._layout.people, filters.at_least("modifyTimestamp", stamp))
        yield from self._pages(wanted, since, listing=False)

    def get(self, ids: Sequence[str]) -> dict[str, Record]:
        return {id_: self.record(entry)[1] for id_, entry in self.entries(ids).items()}

    def write(self, writes: Sequence[Write]) -> list[Result]:
        return Writing(self, self._session, self._root, self._layout).run(writes)

    def new_id(self, token: str) -> str:
        return ""

    def find(self, field: str, value: Any) -> list[Record]:
        place = self._layout.places.get(field)
        texts = value if isinstance(value, list) else [value]
        try:
            told = [each for text in texts for each in written(text, field)]
        except BadValue:
            return []
        if place is None or not told:
            return []
        asked = [filters.equal(place.attribute, each) for each in told]
        if place.attribute == LABELED or not self._root.schema.compares(place.attribute):
            asked = [filters.present(place.attribute)]
        wanted = filters.all_of(self._layout.people, *asked)
        found = [self.record(entry)[1] for entry in self._found(wanted)]
        return [record for record in found if record.problem is None and record.fields.get(field) == value]

    def close(self) -> None:
        self._session.close()

    def entries(self, ids: Sequence[str]) -> dict[str, Entry]:
        """Give the entries with these ids, as far as they are there and are people."""
        found: dict[str, Entry] = {}
        sound = [id_ for id_ in dict.fromkeys(ids) if _UUID.fullmatch(id_)]
        for start in range(0, len(sound), IDS_AT_ONCE):
            some = sound[start : start + IDS_AT_ONCE]
            one_of = filters.any_of(*(filters.equal("entryUUID", id_) for id_ in some))
            for entry in self._found(filters.all_of(self._layout.people, one_of)):
                id_, _ = self.record(entry)
                found[id_] = entry
        return found

    def record(self, entry: Entry) -> tuple[str, Record]:
        """Give an entry's id, and what it shows."""
        held = entry.attributes
        id_ = _first(held, "entryuuid").lower()
        if not id_:  # to leave it out would look as if it were deleted
            raise ConfigError(f"{self._session.place}: {NO_IDS}")
        try:
            fields = read(held, self._layout.places, self._layout.named)
            problem = None
        except BadValue as error:
            fields, problem = {}, str(error)
        version = _first(held, "entrycsn") or self._digest(entry)
        return id_, Record(id=id_, fields=fields, version=version, problem=problem)

    def _digest(self, entry: Entry) -> str:
        """Stand in for entryCSN: a whole second alone would not tell two edits apart."""
        told = repr(sorted((name, list(values)) for name, values in entry.attributes.items()))
        return hashlib.blake2b(told.encode(), digest_size=12).hexdigest()

    def _found(self, wanted: bytes) -> list[Entry]:
        layout = self._layout
        return self._session.found(layout.base, layout.scope, wanted, layout.asked)

    def _pages(self, wanted: bytes, since: int, *, listing: bool) -> Iterator[Page]:
        """Read what is wanted; the cursor is the newest stamp of the server, less the time that the reading took.

        Whatever changes meanwhile is stamped later than that, so that the next read tells it; both times are the server's, or
        a length of ours, and no two clocks are compared. A stamp of the future is not believed.
        """
        layout, began = self._layout, self._time.clock()
        newest = 0
        last: Page | None = None
        for entries in self._session.search(layout.base, layout.scope, wanted, layout.asked):
            if last is not None:
                yield last
            newest = max(newest, *map(_stamp, entries), 0)
            records = [record for _, record in map(self.record, entries)]
            last = Page(records=records)
        assert last is not None, "a search has a page, or raises"
        took = int(self._time.clock() - began) + 1
        mark = max(since, min(newest, int(self._time.now())) - took)
        yield replace(last, cursor=f"1:{self._signature}:{mark}", complete=listing)


def _first(held: Mapping[str, Sequence[bytes]], name: str) -> str:
    values = held.get(name, ())
    return values[0].decode("ascii", "replace") if values else ""


def _stamp(entry: Entry) -> int:
    """Read the time of the last change, in whole seconds; 0 where there is none."""
    values = entry.attributes.get("modifytimestamp", ())
    match = _STAMP.fullmatch(values[0]) if values else None
    if match is None:
        return 0
    try:
        moment = datetime.strptime(f"{match[1].decode()}+0000", "%Y%m%d%H%M%S%z")
    except ValueError:
        return 0
    return int(moment.timestamp())
