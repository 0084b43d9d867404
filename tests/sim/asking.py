"""What an operator asks for in a history: a run, a full one, or a plan, which must leave no trace (DRY-RUN-PURE)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from syncd.engine import runs
from syncd.engine.runs import Session
from tests.sim.fingerprint import fingerprint
from tests.sim.model_store import ModelStore

if TYPE_CHECKING:
    from tests.sim.play import Play


def _planned(play: Play, session: Session) -> Any:
    """Let the operator look at a plan; nothing is sent, and nothing that is stored changes."""
    sends, before, owner = play.sends, _stored(play), play.owner
    outcome = runs.plan(session)
    if play.owner != owner:
        return outcome  # another process took over meanwhile, and did what it does
    if play.sends > sends:
        play.monitors.blame("DRY-RUN-PURE", "a plan sent something")
    if not play.nested and _stored(play) != before:
        play.monitors.blame("DRY-RUN-PURE", "a plan left something in the store")
    return outcome


def _stored(play: Play) -> bytes:
    """Name what the store holds; nothing where it is no model of one."""
    store = play.kept.store
    if not isinstance(store, ModelStore):
        return b""
    return fingerprint(0, {name: getattr(store.tables, name) for name in store.tables.__slots__ if name not in HEARD})


HEARD: Final = ("hint", "hook")
"""What webhooks leave in the store meanwhile."""
RUNS: Final[dict[str, Callable[[Play, Session], Any]]] = {
    "sync": lambda play, session: runs.sync(session),
    "sweep": lambda play, session: runs.resync(session),
    "plan": _planned,
}
