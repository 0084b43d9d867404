"""The connector of a simulated app: right by the contract (syncd/connector.py), however vile the app behind it is.

It overlaps feeds that lag, moves its cursor only over what it has surely told, and calls nothing complete that it cannot
vouch for. What it cannot hide, the engine has to stand. `Connection.blunders` switches single virtues off, for tests that
prove that the monitors notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from syncd.connector import Connector, Opening
from syncd.errors import AccessError, TransientError
from syncd.model import Applied, FieldMap, Finding, Hooking, Page, Record, Rejected, Result, Spec, Unknown, Write
from tests.sim.vendor import FIELDS, LATE_MS, Change, Vendor

OVERLAP_MS: Final = 1_000
SLACK: Final = 2
"""How far back a feed that repeats rows goes."""


class Watcher(Protocol):
    """What the simulator wants to know of the conversation between syncd and an app."""

    def fate(self, app: int) -> str:
        """Decide what becomes of the next write."""

    def asked(self, app: int, write: Write, *, late: bool) -> None:
        """A request is about to be carried out."""

    def answered(self, app: int, write: Write, result: Result) -> None:
        """It was, with this result, whether or not syncd hears of it."""

    def silent(self, app: int, write: Write) -> None:
        """Syncd is not told what became of this."""

    def shown(self, app: int, records: Sequence[Record], how: str) -> None:
        """Syncd gets to see these."""

    def absent(self, app: int, ids: Sequence[str]) -> None:
        """Syncd is told that there are no such records."""

    def listed(self, app: int, ids: Sequence[str]) -> None:
        """Syncd is told that this is everything."""

    def met(self, what: str) -> None:
        """Something happened that is counted."""

    def trespassed(self, app: int) -> None:
        """Syncd reads or writes an account that is not the one it knows."""


@dataclass(slots=True)
class Connection:
    """One open connection."""

    vendor: Vendor
    watcher: Watcher
    spec: Spec
    fields: Mapping[str, FieldMap]
    blunders: frozenset[str] = frozenset()
    foreign: bool = False
    """It leads to another account: nothing may be asked of it but its name."""
    pages: int = field(default=0)

    def check(self) -> list[Finding]:
        return []

    def fingerprint(self) -> str:
        return f"sim:{self.vendor.name}{' (another account)' if self.foreign else ''}"

    def new_id(self, token: str) -> str:
        return "" if self.vendor.quirks.own_ids else token

    def close(self) -> None:
        """Nothing is held."""

    # -- reading

    def read(self, cursor: str | None) -> Iterator[Page]:
        self._reach()
        vendor, quirks = self.vendor, self.vendor.quirks
        if cursor is not None and quirks.expires and vendor.chance.random() < 0.2:
            vendor.epoch += 1
        epoch, _, since = (cursor or "").partition(":")
        if cursor is not None and epoch != str(vendor.epoch):
            yield Page(records=[], expired=True)
            return
        if cursor is None or not quirks.feed:
            yield from self._listing()
        else:
            yield from self._feed(int(since))

    def _listing(self) -> Iterator[Page]:
        """List everything: by id, or (drift) by position among rows that move."""
        vendor, size = self.vendor, max(self.vendor.quirks.page, 1)
        cursor, told, last, place = self._position(), [], "", 0
        while True:
            rows = self._view()
            ids = sorted(rows, key=lambda id_: (-rows[id_].stamp_ms, id_)) if vendor.quirks.drift else sorted(rows)
            chosen = ids[place : place + size] if vendor.quirks.drift else [i for i in ids if i > last][:size]
            place, last = place + size, chosen[-1] if chosen else last
            if "forgets people" in self.blunders:
                chosen = [id_ for id_ in chosen if self.vendor.chance.random() < 0.7]
            records = [self._record(rows[id_]) for id_ in chosen]
            told += chosen
            done = place >= len(ids) if vendor.quirks.drift else not any(i > last for i in ids)
            self.watcher.shown(vendor.index, records, "listing")
            if done:
                self.watcher.listed(vendor.index, told)
                yield Page(records=records, cursor=cursor, complete=True)
                return
            yield Page(records=records)
            self._reach()
            if self._loses_place():
                raise TransientError(f"{self.vendor.name}: the page token is not known any more")

    def _feed(self, since: int) -> Iterator[Page]:
        vendor, quirks = self.vendor, self.vendor.quirks
        upto, changes = self._position(), self._since(since)
        if quirks.window and not quirks.stamped:
            upto, changes = self._window(since, upto, changes)
        latest = {change.id: change for change in changes}
        view = self._view() if "snapshots" not in self.blunders else {}
        rows = [view.get(id_, change) if change.props is not None else change for id_, change in latest.items()]
        gone = [row.id for row in rows if row.props is None and row.id not in view]
        told = [self._record(row) for row in rows if row.props is not None]
        told = self._vexed(told, changes)
        size = max(quirks.page, 1)
        pages = [told[start : start + size] for start in range(0, len(told), size)] or [[]]
        for place, page in enumerate(pages):
            self.watcher.shown(vendor.index, page, "feed")
            last = place == len(pages) - 1
            yield Page(
                records=page,
                gone=tuple(gone) if last and quirks.deletes == "told" else (),
                cursor=upto if last else None,
            )
            self._reach()
            if not last and self._loses_place():
                yield Page(records=[], expired=True)
                return

    def _loses_place(self) -> bool:
        vendor = self.vendor
        lost = vendor.quirks.loses_place and not vendor.calm and vendor.chance.random() < 0.2
        if lost:
            self.watcher.met("a page token was forgotten")
        return lost

    def _window(self, since: int, upto: str, changes: list[Change]) -> tuple[str, list[Change]]:
        """Leave out what is beyond the window; the next read begins there."""
        new = sorted(c.seq for c in changes if c.seq > since)
        if len(new) <= self.vendor.quirks.window:
            return upto, changes
        last = new[self.vendor.quirks.window - 1]
        return f"{self.vendor.epoch}:{min(last, int(upto.partition(':')[2]))}", [c for c in changes if c.seq <= last]

    def _vexed(self, records: list[Record], changes: Sequence[Change]) -> list[Record]:
        """Bring older states of what is told as well, as some feeds do."""
        quirks, chance = self.vendor.quirks, self.vendor.chance
        older = [c for c in changes if c.props is not None and any(c.id == r.id for r in records)]
        if quirks.stale and older:
            records = [*records, self._record(chance.choice(older))]
        if quirks.twice and older:
            place = chance.randrange(len(records) + 1)
            records = [*records[:place], self._record(chance.choice(older)), *records[place:]]
        return records

    def _since(self, since: int) -> list[Change]:
        vendor, now_ms = self.vendor, self.vendor.now_ms()
        visible = [c for c in vendor.changes if c.visible_ms <= now_ms and c.told and c.id not in vendor.out_of_sight]
        if vendor.quirks.stamped:
            overlap = 0 if "no overlap" in self.blunders else vendor.quirks.lag_ms + OVERLAP_MS
            found = [c for c in visible if c.stamp_ms >= since - overlap]
        else:
            slack = SLACK if vendor.quirks.repeats else 0
            found = [c for c in visible if c.seq > since - slack]
        if vendor.quirks.unordered:
            found.sort(key=lambda c: (c.visible_ms, c.seq))
        return found

    def _position(self) -> str:
        """Name the point up to which everything is visible now."""
        vendor, now_ms = self.vendor, self.vendor.now_ms()
        if vendor.quirks.stamped:
            stamp = (now_ms + vendor.quirks.skew_ms) // 1000 * 1000
            if "follows stamps" in self.blunders:
                stamp = max([stamp, *(change.stamp_ms for change in vendor.changes)])
            return f"{vendor.epoch}:{stamp}"
        if "ahead" in self.blunders:
            return f"{vendor.epoch}:{len(vendor.changes)}"
        hidden = next((c.seq for c in vendor.changes if c.visible_ms > now_ms), len(vendor.changes) + 1)
        return f"{vendor.epoch}:{hidden - 1}"

    def _view(self) -> dict[str, Change]:
        """Give the last visible state of every record."""
        now_ms = self.vendor.now_ms()
        seen: dict[str, Change] = {}
        for change in self.vendor.changes:
            if change.visible_ms <= now_ms and (change.id not in seen or change.seq > seen[change.id].seq):
                seen[change.id] = change
        hidden = self.vendor.out_of_sight
        return {id_: change for id_, change in seen.items() if change.props is not None and id_ not in hidden}

    def _record(self, change: Change) -> Record:
        assert change.props is not None
        return self.vendor.record(change.id, change.props, change.version, self.vendor.hidden())

    def get(self, ids: Sequence[str]) -> dict[str, Record]:
        self._reach()
        people = self.vendor.people
        there = {id_: self.vendor.shown(id_) for id_ in self._seen(ids) if id_ in people and people[id_].live}
        if "forgets people" in self.blunders and self.vendor.chance.random() < 0.5:
            there = {}
        if "wrong reply" in self.blunders:
            there = {id_: _without_company(record) for id_, record in there.items()}
        self.watcher.shown(self.vendor.index, list(there.values()), "get")
        self.watcher.absent(self.vendor.index, [id_ for id_ in ids if id_ not in there])
        return there

    def _seen(self, ids: Sequence[str]) -> list[str]:
        return [id_ for id_ in ids if id_ not in self.vendor.out_of_sight]

    def find(self, field: str, value: Any) -> list[Record]:
        self._reach()
        found = [self._record(change) for change in self._view().values()]
        found = [record for record in found if record.fields.get(field) == self.vendor.spelled(field, value)]
        self.watcher.shown(self.vendor.index, found, "find")
        return found

    # -- writing

    def write(self, writes: Sequence[Write]) -> list[Result]:
        if self.vendor.down:
            return [Rejected(why="busy", message="no answer") for _ in writes]
        if self.vendor.is_spent():
            self.watcher.met("over quota: write")
            return [Rejected(why="busy", message="too many requests") for _ in writes]
        results = [self._write(write) for write in writes]
        told = [result for result in results if not (isinstance(result, Unknown) and result.message == "short")]
        for write, result in zip(writes, results, strict=True):
            if not isinstance(result, Applied) or result.record is None:
                continue
            if len(told) < len(writes):  # nobody can tell which answer is whose
                self.watcher.silent(self.vendor.index, write)
            else:
                self.watcher.shown(self.vendor.index, [result.record], "reply")
        return told

    def _write(self, write: Write) -> Result:
        self.vendor.tick()
        if self.foreign:
            self.watcher.trespassed(self.vendor.index)
        fate = self.watcher.fate(self.vendor.index)
        if fate == "busy":
            return Rejected(why="busy", message="too many requests")
        if fate == "invalid":
            return Rejected(why="invalid", message="the app does not like it")
        if fate == "never":
            self.watcher.silent(self.vendor.index, write)
            return Unknown(message="no answer")
        if fate == "late":
            self.watcher.silent(self.vendor.index, write)
            self.vendor.after(LATE_MS, lambda: self._carry_out(write, late=True))
            return Unknown(message="no answer in time")
        result = self._carry_out(write, late=False)
        if fate in ("lost", "short"):
            self.watcher.silent(self.vendor.index, write)
            return Unknown(message="short" if fate == "short" else "the answer was lost")
        if isinstance(result, Applied) and result.record is not None and "wrong reply" in self.blunders:
            return Applied(
                record=_without_company(result.record)
            )  # here and in `get`: one of them alone is mended by the next read
        return result

    def _carry_out(self, write: Write, *, late: bool) -> Result:
        self.watcher.asked(self.vendor.index, write, late=late)
        asked = write
        if write.kind == "create" and self.vendor.quirks.subscribes and "vendor default" not in self.blunders:
            asked = replace(write, fields={"email_consent": "unknown", **write.fields})  # said, lest the app decides
        if self.vendor.quirks.replaces and write.kind in ("update", "consent") and "patch as put" not in self.blunders:
            there = self.vendor.people.get(write.id)
            asked = replace(asked, fields={**(there.props if there is not None else {}), **asked.fields})
        result = self.vendor.apply(asked)
        self.watcher.answered(self.vendor.index, write, result)
        return result

    def _reach(self) -> None:
        self.vendor.tick()
        if self.foreign:
            self.watcher.trespassed(self.vendor.index)
        if self.vendor.down == "access":
            raise AccessError(f"{self.vendor.name}: the key is refused")
        if self.vendor.down:
            raise TransientError(f"{self.vendor.name}: cannot be reached", retry_after_seconds=30.0)
        if self.vendor.is_spent():
            self.watcher.met("over quota: read")
            raise TransientError(f"{self.vendor.name}: too many requests", retry_after_seconds=30.0)


def _without_company(record: Record) -> Record:
    return replace(record, fields={**record.fields, "company": None})


def connector(
    vendor: Vendor, watcher: Watcher, blunders: frozenset[str] = frozenset(), *, foreign: bool = False
) -> Connector:
    """Make the connector of one simulated app; what it states is true of that app. `foreign`: of another account of it."""
    q = vendor.quirks
    late = q.lag_ms > 0
    spec = Spec(
        name=vendor.name,
        summary="a simulated app",
        create=True,
        update=True,
        archive=True,
        incremental=q.feed,
        proven_listing=not q.drift and not late,
        versions=q.versions,
        lost_update=q.guard,
        rung="E" if q.own_ids else "A",
        reports_gone=q.deletes == "told" and q.feed,
        lag_seconds=q.lag_ms / 1000,
        unique=("email",) if q.unique_email else (),
        write_batch=q.batch,
        network=True,
        hooking=Hooking() if q.hooks else None,
    )

    def opened(opening: Opening) -> Connection:
        if vendor.down:
            raise TransientError(f"{vendor.name}: cannot be reached")
        fields = {name: field for name, field in opening.fields.items() if name in FIELDS}
        return Connection(vendor, watcher, spec, fields, blunders, foreign)

    return Connector(spec=spec, open=opened)
