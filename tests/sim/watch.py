"""Two things that can only be judged between a plan and its requests: was there a look right before, and was it counted.

NO-BLIND-OVERWRITE where an app has no conditional writes: what is overwritten unseen was typed after the look that precedes
the request. MASS-CHANGE: no more requests leave than the guards allow, or a person, until the plan is counted again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.core.plan import Limit
from syncd.engine.finish import approvals_of
from syncd.model import Record, Write
from tests.sim.ghost import OUT
from tests.sim.monitors import Monitors
from tests.sim.scenario import APPS


@dataclass(slots=True)
class Watch:
    """What one process did since its last plan."""

    monitors: Monitors
    limits: Mapping[str, Limit]
    looked: dict[tuple[int, str], Mapping[str, Any]] = field(default_factory=dict)
    """(app, id) -> what the app showed of it on being asked, since the requests were written down."""
    left: Counter[tuple[int, str]] = field(default_factory=Counter)
    """(app, verb) -> requests, since the plan was counted."""
    allowed: dict[tuple[int, str], int] = field(default_factory=dict)

    def begins(self) -> None:
        """Forget everything: another process."""
        self.looked.clear()
        self.left.clear()
        self.allowed.clear()

    def committed(self, what: str) -> None:
        if what == "sent":
            self.looked.clear()
        elif what == "count":
            self.left.clear()
            self.allowed.clear()

    def shown(self, app: int, records: Iterable[Record], how: str) -> None:
        if how == "get":
            self.looked.update({(app, record.id): record.fields for record in records})

    def asked(self, app: int, write: Write) -> None:
        """Judge a request that is about to be carried out."""
        for verb in _verbs(write):
            self._counted(app, verb)
        if write.kind in ("update", "consent") and self.monitors.vendors[app].quirks.guard != "cas":
            self._looked(app, write)
        if write.kind == "archive":
            self._put_away(app, write)

    def _counted(self, app: int, verb: str) -> None:
        limit = self.limits.get(verb)
        if limit is None:
            return
        if (app, verb) not in self.allowed:
            number = self.monitors.number(app)
            linked, approved = self.monitors.ask(lambda tx: (tx.linked_count(number), approvals_of(tx)))
            self.allowed[app, verb] = max(limit.of(linked), approved.get((APPS[app], verb), 0))
        self.left[app, verb] += 1
        if self.left[app, verb] == self.allowed[app, verb] + 1:
            self.monitors.blame(
                "MASS-CHANGE", f"more than {self.allowed[app, verb]} {verb} in {APPS[app]} left at once"
            )

    def _looked(self, app: int, write: Write) -> None:
        there = self.monitors.vendors[app].people.get(write.id)
        if there is None or not there.live:
            return
        look = self.looked.get((app, write.id))
        for name, new in write.fields.items():
            old = there.props.get(name)
            if old in (None, new) or self.monitors.ghost.knew(app, write.id, name, old):
                continue
            if look is None or look.get(name) == old:
                text = f"{name} of {write.id} in {APPS[app]} was written over without a look, or in spite of it"
                self.monitors.blame("NO-BLIND-OVERWRITE", text)

    def _put_away(self, app: int, write: Write) -> None:
        """NO-CASCADE-DELETE: what somebody has typed there, and nobody has seen, does not go with the record."""
        there = self.monitors.vendors[app].people.get(write.id)
        if there is None or not there.live or write.id in self.monitors.vendors[app].out_of_sight:
            return
        look = self.looked.get((app, write.id))
        for name, old in there.props.items():
            seen = self.monitors.ghost.knew(app, write.id, name, old)
            if not seen and (look is None or look.get(name) == old):
                text = (
                    f"{write.id} in {APPS[app]} was put away with a {name} that nobody had looked at, or in spite of it"
                )
                self.monitors.blame("NO-CASCADE-DELETE", text)


def _verbs(write: Write) -> list[str]:
    """Name what the guards count a request as."""
    match write.kind:
        case "consent":
            return ["opt_outs"] if OUT in write.fields.values() else []
        case "update":
            return ["updates", "clears"] if None in write.fields.values() else ["updates"]
        case "create":
            return ["creates"]
    return ["archives"]
