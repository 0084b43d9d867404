"""Which call of an app fails: the nth of all, or the nth of a kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.sim.scenario import Fault


@dataclass(slots=True)
class Calls:
    """The calls of one round."""

    counted: Counter[tuple[int, str]] = field(default_factory=Counter)
    """(app, name of the call, or "" for all of them) -> how many there were."""

    def struck(self, faults: Sequence[Fault], round_: int, app: int, what: str, *, after: bool) -> Fault | None:
        """Name the fault that strikes a call before it is made, or `after` it; counts it once it is over."""
        found = None
        for fault in faults:
            mine = (fault.round, fault.kind, fault.app) == (round_, "call", app) and fault.what in ("", what)
            if mine and fault.at == self.counted[app, fault.what] and (fault.how == "lost") == after:
                found = fault
                break
        if after or found is not None:
            self.counted.update([(app, ""), (app, what)])
        return found
