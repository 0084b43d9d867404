"""Records: what each app shows, what was agreed with it, and what waits to be merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam, select

from syncd.core.state import Link
from syncd.store import codec
from syncd.store import schema as s
from syncd.store.asking import Query
from syncd.store.base import Base
from syncd.store.bulk import Keyed, inserting, updating

FLAWED: Final = (1, 4)
"""A field cannot be written there."""
UNREAD: Final = (2,)
"""A cell holds no value of its type."""
UNHEARD: Final = (3, 4)
"""A consent cell holds no word that is known."""


class Mark(NamedTuple):
    """What is known of a record without opening its documents."""

    version: str | None
    digest: bytes | None
    contact: int | None
    problem: str | None
    misses: int
    at_ms: int
    seen: bytes | None
    """What was read and is not merged yet."""


_R = s.record.c
_LINK_COLUMNS = (_R.app, _R.id, _R.contact, _R.version, _R.at_ms, _R.doc, _R.seen)
_VERSIONS = Keyed(
    select(_R.id, _R.version).where(
        _R.app == bindparam("app"), _R.problem.is_(None), sa.literal_column("length(record.digest) > 0")
    ),
    _R.id,
)
_MARKS = Keyed(
    select(_R.id, _R.version, _R.digest, _R.contact, _R.problem, _R.misses, _R.at_ms, _R.seen).where(
        _R.app == bindparam("app")
    ),
    _R.id,
)
_INSERT_RECORD = inserting(s.record, "app id contact version digest at_ms problem doc seen")
_SEE = updating(s.record, "app id", "digest problem seen")
_TOUCH = updating(s.record, "app id", "version")
_ATTACH = updating(s.record, "app id", "contact")
_SET_DIGEST = updating(s.record, "app id", "digest problem")
_UNLINKED = Query(
    select(_R.app, _R.id, _R.version, _R.at_ms, _R.doc, _R.seen)
    .where(_R.app == bindparam("app"), _R.contact.is_(None), _R.seen.is_not(None), _R.id > bindparam("after"))
    .order_by(_R.id)
    .limit(bindparam("count"))
)
_LINKS_OF = Keyed(select(*_LINK_COLUMNS).order_by(_R.contact, _R.app), _R.contact)
_LINKS_IN = Keyed(select(*_LINK_COLUMNS).where(_R.app == bindparam("app")).order_by(_R.contact), _R.contact)
_LINK_APPS = Keyed(select(_R.contact, _R.app), _R.contact)
_LINK = Query(
    select(_R.contact, _R.version, _R.at_ms, _R.doc, _R.seen).where(
        _R.app == bindparam("app"), _R.id == bindparam("id")
    )
)


def _one_of(numbers: Iterable[int]) -> sa.ColumnElement[bool]:
    """Find records whose `flawed` is one of these."""
    return _R.flawed.in_([sa.literal_column(str(number)) for number in numbers])


_WAITING = (_R.contact.is_not(None), _R.seen.is_not(None), _R.contact > bindparam("after"))
"""What the index `record_to_merge` holds."""
_app = _R.app + sa.literal_column("0")
"""A sum, so that SQLite does not think that an index by app would be better."""
_WAITING_COUNTS = Query(select(_app, sa.func.count()).where(*_WAITING).group_by(_app).order_by(_app))
_WAITING_PAGE = Query(
    select(_R.contact).where(*_WAITING, _app == bindparam("app")).order_by(_R.contact).limit(bindparam("count"))
)
_ODD = sa.text("(record.problem IS NOT NULL OR record.flawed IN (1, 3, 4))")
"""What the index `record_parked` holds."""
_OF_APP = select(sa.func.count()).where(_R.app == bindparam("app"))
_COUNT = Query(_OF_APP)
_LINKED_COUNT = (
    Query(  # by `record_one_link`, which holds all that is asked for: without the + SQLite opens every record
        select(sa.func.count()).where(sa.literal_column("+record.app") == bindparam("app"), _R.contact.is_not(None))
    )
)
_PARKED_COUNT = Query(_OF_APP.where(_ODD, _R.problem.is_not(None) | _one_of(FLAWED)))
_UNHEARD_COUNT = Query(_OF_APP.where(_ODD, _one_of(UNHEARD)))
_SAVE_LINK = updating(s.record, "app id", "contact version at_ms flawed doc seen")


class Records(Base):
    """What a transaction does with records."""

    def versions(self, app: int, ids: Sequence[str]) -> dict[str, str | None]:
        """Tell the versions of those that were read in full and without a problem."""
        return {row[0]: row[1] for row in _VERSIONS.find(self._c, ids, app=app)}

    def marks(self, app: int, ids: Sequence[str]) -> dict[str, Mark]:
        return {row[0]: Mark(*row[1:]) for row in _MARKS.find(self._c, ids, app=app)}

    def insert_records(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add records: app, id, contact, version, digest, at_ms, problem, doc, seen."""
        _INSERT_RECORD.run(self._c, rows)

    def see(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store unconsumed observations: k_app, k_id, digest, problem, seen."""
        _SEE.run(self._c, rows)

    def touch_versions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store new versions of records whose content is the same: k_app, k_id, version."""
        _TOUCH.run(self._c, rows)

    def set_digests(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store what a write left behind: k_app, k_id, digest, problem (what was wrong with it may be mended)."""
        _SET_DIGEST.run(self._c, rows)

    def forget_reading(self, app: int, ids: Sequence[str]) -> None:
        """Let these records be looked at in full by the next read, whatever was read of them now."""
        self._c.execute(
            sa.update(s.record)
            .where(s.record.c.app == app, s.record.c.id.in_(bindparam("ids", expanding=True)))
            .values(digest=b"", version=None),
            {"ids": list(ids)},
        )

    def forget_record(self, app: int, id_: str) -> None:
        self._c.execute(sa.delete(s.record).where(s.record.c.app == app, s.record.c.id == id_))

    def set_problem(self, app: int, id_: str, problem: str | None) -> None:
        self._c.execute(sa.update(s.record).where(s.record.c.app == app, s.record.c.id == id_).values(problem=problem))

    def record_count(self, app: int) -> int:
        return int(_COUNT.value(self._c, app=app))

    def linked_count(self, app: int) -> int:
        return int(_LINKED_COUNT.value(self._c, app=app))

    def parked(self, app: int, count_max: int) -> list[tuple[str, str]]:
        """List records that are set aside, with the cause."""
        r = s.record.c
        query = select(r.id, r.problem).where(r.app == app, _ODD, r.problem.is_not(None) | r.flawed.in_(FLAWED))
        rows = self._c.execute(query.order_by(r.id).limit(count_max))
        return [(row[0], row[1] or "a field that cannot be written there; `syncd explain` names it") for row in rows]

    def parked_count(self, app: int) -> int:
        return int(_PARKED_COUNT.value(self._c, app=app))

    def unheard_count(self, app: int) -> int:
        """Count records with a consent cell that cannot be read."""
        return int(_UNHEARD_COUNT.value(self._c, app=app))

    def unlinked(self, app: int, after: str, count_max: int) -> list[Link]:
        rows = _UNLINKED.rows(self._c, app=app, after=after, count=count_max)
        return [codec.read_link(r[0], r[1], 0, r[2], r[3], r[4], r[5]) for r in rows]

    def waiting_counts(self) -> dict[int, int]:
        """Count linked records with an observation that is not merged yet, app by app."""
        return {row[0]: row[1] for row in _WAITING_COUNTS.rows(self._c, after=0)}

    def waiting(self, app: int, after: int, count_max: int) -> list[int]:
        """List the contacts of such records, in order of number."""
        return [row[0] for row in _WAITING_PAGE.rows(self._c, app=app, after=after, count=count_max)]

    def links_of(self, contacts: Iterable[int]) -> dict[int, list[Link]]:
        wanted = list(contacts)
        found: dict[int, list[Link]] = {contact: [] for contact in wanted}
        for app, id_, contact, version, at_ms, doc, seen in _LINKS_OF.find(self._c, wanted):
            found[contact].append(codec.read_link(app, id_, contact, version, at_ms, doc, seen))
        return found

    def links_in(self, app: int, contacts: Iterable[int]) -> dict[int, Link]:
        """Load the records that these contacts have in one app: contact -> link."""
        return {row[2]: codec.read_link(*row) for row in _LINKS_IN.find(self._c, list(contacts), app=app)}

    def link_apps(self, contacts: Iterable[int]) -> dict[int, set[int]]:
        """Tell in which apps these contacts have a record."""
        found: dict[int, set[int]] = {}
        for contact, app in _LINK_APPS.find(self._c, list(contacts)):
            found.setdefault(contact, set()).add(app)
        return found

    def link(self, app: int, id_: str) -> Link | None:
        row = _LINK.row(self._c, app=app, id=id_)
        return None if row is None else codec.read_link(app, id_, row[0] or 0, row[1], row[2], row[3], row[4])

    def save_links(self, links: Iterable[Link]) -> None:
        """Write links back: their base, and whatever observation is still unconsumed."""
        rows = [
            {
                "k_app": link.app,
                "k_id": link.id,
                "contact": link.contact or None,
                "version": link.version,
                "at_ms": link.at_ms,
                "flawed": _flawed(link),
                "doc": codec.link_doc(link),
                "seen": codec.seen_doc(link.seen) if link.seen else None,
            }
            for link in links
        ]
        _SAVE_LINK.run(self._c, rows)

    def attach(self, links: Iterable[Link]) -> None:
        """Give records their contact and leave everything else of them as it is."""
        rows = [{"k_app": link.app, "k_id": link.id, "contact": link.contact} for link in links]
        _ATTACH.run(self._c, rows)


def _flawed(link: Link) -> int:
    if link.unheard:
        return 4 if link.flaws else 3
    return 1 if link.flaws else 2 if link.unread else 0
