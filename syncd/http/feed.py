"""Reading: everything, or what changed since a cursor, and what is gone.

Knows streams and cursors; how a page is asked for is the session's business. Hard rules: a cursor never runs ahead of the
vendor's own clock; only the last page of a listing is complete, and only where every page came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from syncd.errors import TransientError
from syncd.http.besideterms import Stream
from syncd.http.cursors import Cursor, Mark, read_cursor
from syncd.http.pages import Sheet
from syncd.http.paths import find, shown
from syncd.http.stamps import FORMATS, SECOND, read_stamp
from syncd.http.terms import Changes, Listing, Since
from syncd.model import Page, Record

if TYPE_CHECKING:
    from syncd.http.app import HttpApp

IDS_AT_ONCE: Final = 100
EXPIRED: Final = Page(records=[], expired=True)


class Feed:
    """The reads of one app."""

    def __init__(self, app: HttpApp) -> None:
        self._app = app
        self._changes, self._deleted = app.manifest.changes, app.manifest.deleted
        self._own = _Own()

    def read(self, cursor: str | None) -> Iterator[Page]:
        self._own = _Own()
        try:
            yield from self._read(cursor)
        finally:
            self._app.streams.forget()

    def _read(self, cursor: str | None) -> Iterator[Page]:
        if cursor is None or self._changes is None:
            yield from self._everything()
            return
        mark = read_cursor(cursor)
        unread = mark is not None and any(each.name not in mark.streams for each in self._app.streams.followed)
        if mark is None or unread or self._forgotten(self._changes.since, mark):
            yield EXPIRED
            return
        yield from self._since(self._changes, mark)

    def wrote(self, item: Any) -> None:
        """Note what an answer shows of our own write; None where it shows nothing. Asked by several threads."""
        if self._changes is not None and self._changes.since.passes_own:
            self._own.note(_stamp_of(self._changes.since, item))

    def passed(self, cursor: str) -> str:
        """Give the cursor behind our own writes since the last read, where these are a page or more and all have told
        their stamps; else the same one.
        """
        mark = read_cursor(cursor)
        if mark is None or self._changes is None or self._own.count < self._changes.listing.page.size:
            return cursor
        since_us = max(mark.changes.since_us, self._own.last_us)
        return cursor if self._own.untold else replace(mark, changes=Mark(since_us=since_us)).text()

    def _everything(self) -> Iterator[Page]:
        began_us: int | None = None
        clocked = False
        first_us = last_us = 0
        streams = self._app.streams.everything()
        for number, sheet in enumerate(self._app.session.pages(self._app.manifest.list, {})):
            if not clocked:
                began_us, clocked = self._app.session.now_us(sheet.answer), True
            records, gone = self._split(sheet)
            for record in records:
                record.fields |= self._app.streams.told(record.id)
            cursor = None
            if self._changes is not None:
                last_us = max(last_us, self._latest(self._changes.since, sheet.items))
                first_us = last_us if number == 0 else first_us
                since_us = self._reached(self._changes.since, began_us, last_us, first_us if number else last_us)
                at_us = began_us or self._app.session.now_us() or 0
                mark = Mark(since_us=since_us)
                cursor = Cursor(changes=mark, deleted=mark, at_us=at_us, streams=streams).text()
            told = tuple(gone) if self._app.manifest.list.deleted else ()
            yield Page(records=records, gone=told, complete=sheet.last, cursor=cursor if sheet.last else None)

    def _reached(self, since: Since, began_us: int | None, last_us: int, first_us: int) -> int:
        """Say up to when a listing is complete.

        Where changes are ordered this is its last stamp; but what was deleted while it went on for some pages is not in it,
        unless it shows that.
        """
        if since.ordered and self._app.manifest.list.deleted:
            return last_us
        if not since.ordered:
            return last_us if began_us is None else began_us
        return min(last_us, first_us if began_us is None else max(first_us, began_us))

    def _since(self, changes: Changes, mark: Cursor) -> Iterator[Page]:
        walk = _Walk(self._app, changes.since, mark.changes)
        gone_walk = self._gone_walk(mark)
        held: Page | None = None
        for sheet in walk.sheets(changes.listing):
            if walk.cut:
                yield EXPIRED
                return
            if held is not None:
                yield held
            records, gone = self._fetched(changes, sheet.items) if changes.ids is not None else self._split(sheet)
            early = None
            if changes.since.ordered and walk.mark.since_us > mark.changes.since_us:
                early = self._cursor(mark, walk, None)
            held = Page(records=records, gone=tuple(gone), cursor=early)
        if gone_walk is not None:
            assert self._deleted is not None
            for sheet in gone_walk.sheets(self._deleted.listing):
                if held is not None:
                    yield held
                gone = [shown(find(item, self._deleted.id.steps)) for item in sheet.items]
                held = Page(records=[], gone=tuple(gone))
        assert held is not None, "a walk has a page"
        streams = dict(mark.streams)
        for stream in self._app.streams.followed:
            assert stream.changes is not None
            stream_walk = _Walk(self._app, stream.changes.since, mark.streams[stream.name])
            for records in self._retold(stream, stream_walk):
                yield held
                held = Page(records=records)
            streams[stream.name] = stream_walk.mark
        cursor = self._cursor(mark, walk, gone_walk, streams)
        yield Page(records=held.records, gone=held.gone, cursor=cursor)

    def _retold(self, stream: Stream, walk: _Walk) -> Iterator[list[Record]]:
        """Read the records again of which something changed in a stream, with what they have there now."""
        assert stream.changes is not None
        seen: set[str] = set()
        for sheet in walk.sheets(stream.changes.listing):
            ids = [id_ for id_ in self._app.streams.touched(stream, sheet.items) if id_ not in seen]
            seen |= set(ids)
            for start in range(0, len(ids), IDS_AT_ONCE):
                items = self._app.items(ids[start : start + IDS_AT_ONCE])
                self._app.streams.ask(items)  # of nobody who is not there
                records = [self._app.record(item) for item in items.values()]
                for record in records:
                    record.fields |= self._app.streams.told(record.id)
                yield records

    def _gone_walk(self, mark: Cursor) -> _Walk | None:
        """Begin to ask what was deleted, where it is time to."""
        if self._deleted is None:
            return None
        now_us = self._app.session.now_us() or 0
        if mark.deleted_at_us <= now_us < mark.deleted_at_us + self._deleted.every_us:
            return None
        return _Walk(self._app, self._deleted.since, mark.deleted)

    def _cursor(self, mark: Cursor, walk: _Walk, gone: _Walk | None, streams: Mapping[str, Mark] | None = None) -> str:
        asked_us = self._app.session.now_us() or 0
        return Cursor(
            changes=walk.mark,
            deleted=mark.deleted if gone is None else gone.mark,
            deleted_at_us=mark.deleted_at_us if gone is None else asked_us,
            at_us=walk.began_us or asked_us,
            streams=mark.streams if streams is None else streams,
        ).text()

    def _forgotten(self, since: Since, mark: Cursor) -> bool:
        now_us = self._app.session.now_us() or 0
        return since.forget_us is not None and now_us - mark.at_us > since.forget_us

    def _latest(self, since: Since, items: list[Any]) -> int:
        return max((_stamp_of(since, item) for item in items), default=0)

    def _split(self, sheet: Sheet) -> tuple[list[Record], list[str]]:
        """Read the items of a page; those that are deleted apart."""
        app, records, gone = self._app, [], []
        if not app.manifest.shape.gone:
            return [app.record(item) for item in sheet.items], []
        for item in sheet.items:
            if app.is_gone(item):
                gone.append(app.any_id(item))
            else:
                records.append(app.record(item))
        return records, gone

    def _fetched(self, changes: Changes, items: list[Any]) -> tuple[list[Record], list[str]]:
        """Fetch what is only named; who is not found is said to be gone (the hub asks once more)."""
        assert changes.ids is not None
        ids = list(dict.fromkeys(shown(find(item, changes.ids.steps)) for item in items))
        found: dict[str, Record] = {}
        for start in range(0, len(ids), IDS_AT_ONCE):
            found |= self._app.get(ids[start : start + IDS_AT_ONCE])
        return list(found.values()), [id_ for id_ in ids if id_ not in found]


class _Own:
    """What answers have told of our own writes since the last read began."""

    def __init__(self) -> None:
        self.count = self.last_us = 0
        self.untold = False
        self._lock = Lock()

    def note(self, stamp_us: int) -> None:
        with self._lock:
            self.count += 1
            self.last_us = max(self.last_us, stamp_us)
            self.untold = self.untold or not stamp_us


def _stamp_of(since: Since, item: Any) -> int:
    """Read when an item was changed last; 0 where it does not tell."""
    if since.stamp is None:
        return 0
    return read_stamp(find(item, since.stamp.steps), since.format) or 0


class _Walk:
    """One stream, read since its mark; afterwards `mark` is where the next read begins."""

    def __init__(self, app: HttpApp, since: Since | None, mark: Mark) -> None:
        self._app, self._since, self.mark = app, since, mark
        self._begin = mark
        self.began_us: int | None = None
        self.cut = False
        """The answer may have been cut by the vendor, and there is no way to ask for less."""

    def sheets(self, listing: Listing) -> Iterator[Sheet]:
        since = self._since
        if since is None:
            yield from self._app.session.pages(listing, {})
            return
        now_us = self._app.session.now_us() or 0
        from_us = max(0, self._begin.since_us - since.overlap_us)
        if since.cap is not None and "until" in listing.call.names:
            yield from self._window(listing, since, from_us, max(now_us, from_us + SECOND))
        else:
            yield from self._plain(listing, since, from_us, now_us)
        if since.stamp is not None and not since.ordered and self.began_us is not None:
            self.mark = Mark(since_us=max(self._begin.since_us, self.began_us), token=self.mark.token)

    def _plain(self, listing: Listing, since: Since, from_us: int, until_us: int) -> Iterator[Sheet]:
        spelled = FORMATS[since.format]
        values = {"until": spelled(until_us)}
        if self._begin.token:
            values["token"] = self._begin.token
        else:
            values["since"] = spelled(from_us)
        count = 0
        for sheet in self._app.session.pages(listing, values):
            count += len(sheet.items)
            self.cut = since.cap is not None and count >= since.cap
            self._learn(since, sheet)
            yield sheet

    def _window(self, listing: Listing, since: Since, from_us: int, until_us: int) -> Iterator[Sheet]:
        """Read a window; halve it where the answer may be cut."""
        spelled = FORMATS[since.format]
        count = 0
        for sheet in self._app.session.pages(listing, {"since": spelled(from_us), "until": spelled(until_us)}):
            count += len(sheet.items)
            self._learn(since, sheet)
            yield sheet
            if since.cap is not None and count >= since.cap:
                break
        else:
            return
        if until_us - from_us <= SECOND:
            raise TransientError(f"{self._app.session.app}: more changes in a second than the app tells")
        middle_us = (from_us + until_us) // 2
        yield from self._window(listing, since, from_us, middle_us)
        yield from self._window(listing, since, middle_us, until_us)

    def _learn(self, since: Since, sheet: Sheet) -> None:
        """Move the mark by what one answer says."""
        if self.began_us is None:
            self.began_us = self._app.session.now_us(sheet.answer)
        since_us, token = self.mark.since_us, self.mark.token
        if since.stamp is not None and (since.ordered or self.began_us is None):
            since_us = max(since_us, max((_stamp_of(since, item) for item in sheet.items), default=0))
        if since.token is not None:
            token = shown(find(sheet.answer.doc, since.token.steps)) or token
        if since.next is not None:
            since_us = read_stamp(find(sheet.answer.doc, since.next.steps), since.format) or since_us
        self.mark = Mark(since_us=since_us, token=token)
