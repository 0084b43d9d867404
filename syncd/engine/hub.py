"""What a pass works with: the open apps, the rules, the limits, and the report that grows while it works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from syncd.connector import App
from syncd.core.plan import Held, Limit
from syncd.core.rules import AppRule, Rules
from syncd.engine.seam import World
from syncd.engine.texts import storable
from syncd.errors import AccessError, ConfigError, SyncdError
from syncd.model import Record

PAGE: Final = 500
COUNTS = ("read", "created", "updated", "cleared", "archived", "consents", "parked", "failed")
RARE: Final = ("unlinked", "unreadable_consents")


@dataclass(slots=True, kw_only=True)
class OpenApp:
    """One app in a pass. `app` is None when it could not be opened; then its last known fields still count."""

    index: int
    rule: AppRule
    app: App | None
    paused: bool = False
    error: SyncdError | None = None
    held: bool = False
    """A guard stopped it in this run: nothing of it is merged and nothing is written to it."""
    guarded: bool = False
    """It is held for what is planned for it. An opt-out goes out all the same, unless that is what there is too much of."""
    pulled: bool = False
    sweep: bool = False
    """Its sweep is due: all that it holds is compared."""
    hooked: bool = False
    """It tells of changes by webhooks."""
    hint_ms: int | None = None
    """When the next of its hints is to be followed, if that is not now."""
    lost: tuple[str, ...] = ()
    """Fields that it offered before and does not any more."""
    account: str = ""
    """The account, as the app names it."""
    fingerprint: str = ""
    """The account, as it is remembered."""
    struck: bool = False
    """A write found that a record is not there: to be looked at before the run ends."""
    reread: bool = False
    """An answer of this run left something that only the next read can tell."""
    missed: set[str] = field(default_factory=set)
    """Records that a write did not find in this run, although the app was read and showed them."""
    moved: str = ""
    """Why it is held for being another account than before."""
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def usable(self) -> bool:
        """It may be read and written in this run."""
        return self.told_noes and not self.held

    @property
    def told_noes(self) -> bool:
        """An opt-out may be written to it in this run."""
        reached = self.app is not None and not self.paused and self.error is None
        return reached and (self.guarded or not self.held)


@dataclass(slots=True, kw_only=True)
class Hub:
    """Everything a pass needs. Made once per run."""

    world: World
    rules: Rules
    apps: dict[int, OpenApp]
    limits: Mapping[str, Limit]
    run: int = 0
    approved: dict[tuple[str, str], int] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    waiting: frozenset[tuple[int, int]] = frozenset()
    """(app, kind number) of which the plan, as it was counted last, has something to send."""
    covered: bool = False
    """Every app that takes part was listed completely, so that a missing record is known to be missing."""
    absent: tuple[int, ...] = ()
    """Apps that the store knows and the configuration does not, any more."""
    unseen: frozenset[str] = frozenset()
    """Apps that could not be read when the first run was approved, nor since (`first`)."""
    narrowed: bool = False
    """Some fields or directions do not take part: whatever is decided now is decided again, in full, by the next run."""
    restless: bool = False
    """So many passes were not enough: something is still to be done."""
    restored: set[int] = field(default_factory=set)
    """Apps that went back in time, as a person has agreed: they are brought up to date (`restored`)."""
    believed: frozenset[str] = frozenset()
    """Apps whose values count in this run, earlier ones as well: a person has said so."""
    undone: dict[tuple[int, str], str] = field(default_factory=dict)
    """(contact, field) that an undo took back in this run -> what a write of it says of that."""
    whole: Rules | None = None
    """The rules with all fields, where only some take part."""
    part: frozenset[str] | None = None
    """The only fields that take part, if not all; nobody is matched, created or archived then."""
    matched: Counter[str] = field(default_factory=Counter)
    """linked, new, review, disagreeing: what the preview of a first run shows."""

    def fail(self, app: OpenApp, error: SyncdError) -> None:
        """Set one app aside for this run; the others go on."""
        app.error = error
        now_ms, why = self.world.now_ms(), storable(str(error))
        kind = (
            "access" if isinstance(error, AccessError) else "config" if isinstance(error, ConfigError) else "transient"
        )
        self.world.transact(
            "app failed", lambda tx: tx.save_app(app.index, error=why, error_kind=kind, failed_ms=now_ms)
        )

    def hold(self, held: Held, app: OpenApp) -> None:
        """Stop one app for this run because a guard refused."""
        app.held = True
        self.held.append(held)

    def skip_apps(self) -> list[int]:
        """Name the apps whose observations must not be merged now, and those of which nobody could say what they mean."""
        return [*(app.index for app in self.apps.values() if app.held), *self.absent]

    def partly(self, record: Record) -> Record:
        """Leave out of a record what does not take part: unknown, not blank."""
        if self.part is None:
            return record
        return replace(record, fields={name: raw for name, raw in record.fields.items() if name in self.part})

    def allowed(self, app: str, verb: str) -> int:
        return self.approved.get((app, verb), 0)


def counted(app: OpenApp) -> dict[str, int]:
    """Count what happened in an app; the rare things are there only where they did."""
    counts = {name: app.counts[name] for name in COUNTS}
    return {**counts, **{name: app.counts[name] for name in RARE if app.counts[name]}}


def report(hub: Hub, outcome: str, inbox: int) -> dict[str, Any]:
    """Make the document that `sync --json` prints."""
    return {
        "run": hub.run,
        "outcome": outcome,
        "apps": {app.name: counted(app) for app in hub.apps.values()},
        "held": [{"app": h.app, "verb": h.verb, "count": h.count, "limit": h.limit} for h in hub.held],
        "inbox": inbox,
    }
