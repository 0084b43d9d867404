"""Invariants about what syncd itself did, judged in the end (SYNC-MODEL 1.4): BOUNDED-WRITES, EXPLAINABLE, SECRET-SILENT.

The other monitors judge each request as it comes; these need the whole history of requests, and the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from syncd.model import Applied, Result, Write
from syncd.store.tx import Tx
from tests.sim.monitors import CONSENT, Monitors
from tests.sim.scenario import APPS

Line: TypeAlias = tuple[int, str | None, str, str | None, str | None]
"""A line of the journal: (app, record, kind, field, new)."""
WORDS_MIN: Final = 5
"""Shorter texts may stand in a sentence by accident."""


class Told(NamedTuple):
    """A write that an app has confirmed, and whose answer syncd has stored."""

    app: int
    record: str
    kind: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class Deeds:
    """What syncd did in the apps, as far as it has been told."""

    monitors: Monitors
    answers: list[Told] = field(default_factory=list)
    """Answers that are not stored yet: a process that dies forgets them."""
    told: list[Told] = field(default_factory=list)
    deaf: set[int] = field(default_factory=set)
    """Apps of which an answer to the requests under way is missing."""

    def answered(self, app: int, write: Write, result: Result) -> None:
        if isinstance(result, Applied) and app not in self.deaf:
            id_ = result.record.id if result.record is not None else write.id  # an address may be the id
            self.answers.append(Told(app, id_, write.kind, write.fields))

    def committed(self, what: str) -> None:
        if what == "result":
            self.told += self.answers
            self.answers.clear()
            self._spelled()
        elif what == "sent":
            self.deaf.clear()

    def _spelled(self) -> None:
        """Tell what answers have shown, now that they are stored; of what is still in doubt syncd got none."""
        spelled = self.monitors.spelled
        numbers = {self.monitors.number(app): app for app, _, _ in spelled.idle}
        sent = self.monitors.ask(lambda tx: [each for number in numbers for each in tx.sent(number)]) if numbers else []
        spelled.stored({(numbers[each.app], each.record) for each in sent})

    def forgotten(self) -> None:
        self.answers.clear()

    def unheard(self, app: int) -> None:
        """Note that an answer is missing: those that came with it count for nothing either."""
        self.answers = [each for each in self.answers if each.app != app]
        self.deaf.add(app)

    # -- in the end

    def judge(self) -> None:
        """Judge everything that was told."""
        self._explained()
        self._bounded()

    def _explained(self) -> None:
        """EXPLAINABLE: each write that happened stands in the journal, with what was written."""
        numbers = {self.monitors.number(place): place for place in range(len(self.monitors.vendors))}
        lines = self.monitors.ask(lambda tx: _lines(tx, numbers))
        for deed in self.told:
            if self._went_undecided(deed, lines):
                self.monitors.seen[
                    "a record was removed before anybody had decided whose it was, and its journal with it"
                ] += 1
                continue
            where = f"of {deed.record} in {APPS[deed.app]}"
            if deed.kind in ("create", "archive"):
                if (deed.app, deed.record, deed.kind, None, None) not in lines:
                    self.monitors.blame("EXPLAINABLE", f"the {deed.kind} {where} is not in the journal")
                continue
            for name, new in sorted(deed.fields.items()):
                if (deed.app, deed.record, "write", name, repr(new)) not in lines:
                    self.monitors.blame("EXPLAINABLE", f"{name} {where} became {new!r}: not in the journal")

    def _went_undecided(self, deed: Told, lines: set[Line]) -> bool:
        """Say whether a record was removed, or went out of sight, before anybody had decided whose it was: nothing is left."""
        there = self.monitors.vendors[deed.app].people.get(deed.record)
        gone = (there is not None and not there.live) or (deed.app, deed.record) in self.monitors.out
        return gone and not any((deed.app, deed.record, "unlink") == line[:3] for line in lines)

    def _bounded(self) -> None:
        """BOUNDED-WRITES: no field is written more often than others gave a cause for it."""
        ghost, vendors = self.monitors.ghost, self.monitors.vendors
        for (app, person, name), count in sorted(self.monitors.writes.items()):
            if name in CONSENT:
                continue
            who = ghost.person(person)
            records = sum(ghost.person(p.person) == who for v in vendors for p in v.people.values())
            causes = len(ghost.deeds(person, name)) + records + ghost.approvals
            if count > causes:
                where = f"{name} of p{who} in {APPS[app]}"
                self.monitors.blame("BOUNDED-WRITES", f"{where} was written {count} times, for {causes} causes")

    def quiet(self, said: Iterable[str]) -> None:
        """SECRET-SILENT: what is said of a run names no value that anybody typed."""
        lines = [*said]
        if not lines:
            return
        typed = {str(deed.raw) for vendor in self.monitors.vendors for deed in vendor.deeds if deed.raw is not None}
        for text in sorted(typed):
            if len(text) >= WORDS_MIN and any(text in line for line in lines):
                self.monitors.blame("SECRET-SILENT", f"what a run says has {text!r} in it")


def _lines(tx: Tx, places: Mapping[int, int]) -> set[Line]:
    """List what the journal says of writes: (app, record, kind, field, new)."""
    numbers = list(range(1, tx.next_contact()))
    entries = [entry for mine in tx.journal_entries(numbers, None, None).values() for entry in mine]
    return {
        (places[e.app], e.record, e.kind, e.field, None if e.field is None else repr(e.new))
        for e in entries
        if e.app is not None and e.app in places
    }
