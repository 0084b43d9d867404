"""Runs: what a command starts. Each opens a hub, does its passes, and says what happened in the words of the contract.

Knows nothing of terminals. Returns an `Outcome`: the JSON document that the command prints and its exit code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from syncd.config import AppConfig, Config
from syncd.connector import Connector, Keeper
from syncd.core.plan import VERBS, Held
from syncd.core.rules import EVIDENCE
from syncd.engine import passes
from syncd.engine.apply import apply_app
from syncd.engine.begin import begin
from syncd.engine.finish import WORDS, Outcome, errors_of, exit_code, finish, paused_of, why_of
from syncd.engine.first import LOOK, approve_first, looks, note_first, unread, was_looked_at
from syncd.engine.hub import Hub, OpenApp, report
from syncd.engine.matching import decide
from syncd.engine.plans import DONE, find_planned, list_intents
from syncd.engine.resolve import Decision
from syncd.engine.resolve import resolve as resolve_case
from syncd.engine.restored import RESTORED
from syncd.engine.seam import World
from syncd.engine.setup import make_hub
from syncd.engine.undo import Selection, restored_docs
from syncd.engine.undo import undo as take_back
from syncd.errors import ConfigError, SafetyStop
from syncd.store.copy import throwaway
from syncd.store.keeper import StoreKeeper
from syncd.store.store import Store
from syncd.store.tx import Tx

Direction: TypeAlias = Literal["both", "pull", "push"]
EVERYTHING: Final = 1 << 62
APPROVED_BY_FLAG: Final = ("creates", "updates", LOOK)
"""What `--approve` covers; the rest needs `approve RUN`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What every run needs: the configuration, the store, the world, and a way to load connectors."""

    config: Config
    store: Store
    world: World
    load: Callable[[AppConfig], Connector]
    throwaway: Callable[[Store], AbstractContextManager[Store]] = throwaway
    """Makes the copy of the store that a dry run may change."""

    def keeper(self, app: str) -> Keeper:
        """Give the place where the login of an app is kept: the store, also in a dry run."""
        return StoreKeeper(lambda: self.store, app)


def sync(session: Session, *, approve: bool = False) -> Outcome:
    """Run passes until quiescent. The first run on filled apps is a preview until somebody approves it."""
    preview, unseen = _first_look(session, approve=approve)
    if preview is not None:
        return preview
    with _run(session, "sync", approve=approve) as hub:
        note_first(hub, unseen)
        passes.sync(hub)
        return finish(hub, once=True, by_flag=approve)


def resync(
    session: Session,
    *,
    apps: Sequence[str] | None = None,
    contacts: Sequence[int] | None = None,
    fields: Sequence[str] | None = None,
    direction: Direction = "both",
    approve: bool = False,
) -> Outcome:
    """Reread everything selected and keep the bases. Changes outside the selection stay to be found by the next sync.

    `contacts`: only these; their records are asked for one by one. `fields`: only these are merged and written.
    pull: nothing is written into the selected apps. push: the contacts' values win over what the selected apps show.
    Where nobody has looked at the first run yet it is that preview, of everything, whatever is selected.
    """
    preview, unseen = _first_look(session, approve=approve)
    if preview is not None:
        preview.doc["skipped"] = []
        return preview
    with _run(session, "resync", approve=approve) as hub:
        note_first(hub, unseen)
        chosen = [app for app in hub.apps.values() if apps is None or app.name in apps]
        limited = fields is not None or contacts is not None
        _say_which(hub, apps or (), direction)
        if limited or direction != "both":
            passes.come_to_terms(hub, () if limited else [app.name for app in chosen])
        _narrow(hub, chosen, fields, direction)
        if not limited:
            if direction == "push":  # also into records that show nothing new
                hub.world.transact("pushed", Tx.mark_all_dirty)
            passes.sync(hub, apps=chosen, full=True)
        else:
            for app in (each for each in chosen if each.usable):
                passes.reread(hub, app, contacts)
            passes.settle_down(hub, chosen, contacts=contacts)
        outcome = finish(hub)
        outcome.doc["skipped"] = []
        return outcome


def plan(
    session: Session, *, apps: Sequence[str] | None = None, each: Callable[[dict[str, Any]], None] | None = None
) -> Outcome:
    """Read and decide on a throw-away copy of the store; list every intent. `each` gets them one by one, if given."""
    with _on_a_copy(session) as hub:
        world = hub.world
        first = not world.transact("first", was_looked_at)
        begin(hub, "plan", session.config.hash)
        unseen = {name for name in hub.unseen if not hub.allowed(name, LOOK)}
        hub.approved.update({(name, LOOK): EVERYTHING for name in sorted(unseen)})
        passes.sync(hub, write=False)
        names = {app.name for app in hub.apps.values() if apps is None or app.name in apps}
        intents: list[dict[str, Any]] = []
        counts: dict[str, dict[str, int]] = {name: {} for name in sorted(names)}
        for intent in list_intents(hub, names):
            kinds = counts[intent["app"]]
            kinds[intent["kind"]] = kinds.get(intent["kind"], 0) + 1
            (each or intents.append)(intent)
        held = [each for each in (*hub.held, *looks(hub, unseen)) if each.app in names]
        if first and _filled(hub) > 1:
            held = [*_first_holds(hub), *held]
        inbox = world.transact("inbox", lambda tx: tx.cases(limit=1000))
        paused = world.transact("paused", paused_of, hub)
        doc = {"intents": intents, "counts": counts, "held": _held_docs(held), "inbox": inbox, "paused": [*paused]}
        if missing := [name for name in unread(hub) if first or name in unseen]:
            doc["unread"] = missing
        doc |= why_of(hub)
        errors = errors_of(hub)
        code = exit_code(hub, inbox=len(inbox), stuck=False)
        code = 4 if held and not code else code
        known = session.world.transact("known", lambda tx: {case["id"] for case in tx.cases(limit=1000)})
        later = sum(case["id"] not in known for case in inbox)
        preview = _preview(hub) if first else {}
        return Outcome(doc=doc, code=code, errors=errors, preview=preview, later=later, paused=paused)


def apply(session: Session, planned: dict[str, Any]) -> Outcome:
    """Perform exactly the intents of a plan; those whose world has moved are skipped and listed."""
    with _run(session, "apply", approve=True) as hub:
        unseen = planned.get("unread", [])  # the plan shows nothing of these
        hub.unseen |= set(unseen)
        for name in unseen:
            hub.approved.pop((name, LOOK), None)
        passes.read_all(hub, list(hub.apps.values()))
        decide(hub)
        passes.guard(hub)
        passes.note_coverage(hub)
        wanted, skipped = find_planned(hub, planned)
        for app in sorted(hub.apps.values(), key=lambda a: a.rule.rank):
            if app.usable and app.index in wanted:
                apply_app(hub, app, only=frozenset(wanted[app.index]))
        left = [intent for intent in skipped if intent["skipped"] != DONE]
        if not left:
            note_first(hub, {*unseen, *unread(hub)})
        outcome = finish(hub)
        outcome.doc["skipped"] = skipped
        if left:
            outcome.fall_short(f"{len(left)} of the plan were skipped, as something has changed since")
        return outcome


def undo(session: Session, chosen: Selection, *, approve: bool = False) -> Outcome:
    """Take back what is selected. Without `approve`: a preview on a throw-away copy."""
    if not approve:
        with _on_a_copy(session) as hub:
            world = hub.world
            hub.run = world.transact("run", lambda tx: tx.begin_run("undo", world.now_ms()))
            passes.judge(hub)
            decide(hub)
            undone = take_back(hub, chosen, write=False)
            decide(hub)
            intents = [*list_intents(hub, None, undone.contacts), *restored_docs(undone)]
            code = 4 if intents else exit_code(hub, inbox=0, stuck=False)
            doc = report(hub, WORDS[code], world.transact("inbox", lambda tx: tx.open_cases()))
        doc |= {"skipped": undone.skipped, "intents": intents, **why_of(hub)}
        return Outcome(doc=doc, code=code, errors=errors_of(hub), given_back=undone.given_back)
    if not session.world.transact("first", was_looked_at):
        raise SafetyStop("nobody has looked at the first run yet, and nothing is written before; look: syncd sync")
    with _run(session, "undo") as hub:
        hub.approved.update({(app.name, verb): EVERYTHING for app in hub.apps.values() for verb in VERBS})
        passes.read_all(hub, list(hub.apps.values()))
        decide(hub)
        undone = take_back(hub, chosen, write=True)
        passes.settle_down(hub, list(hub.apps.values()), contacts=sorted(undone.contacts))
        outcome = finish(hub)
        outcome.doc["skipped"] = undone.skipped
        outcome.undone, outcome.given_back = undone.count, undone.given_back
        return outcome


def resolve(session: Session, case: int, decision: Decision) -> Outcome:
    """Carry a decision about a case of the inbox into the store; the next sync acts on it."""
    with _run(session, "resolve") as hub:
        try:
            doc = resolve_case(hub, case, decision)
        except ConfigError:
            hub.world.transact("refused", lambda tx: tx.forget_run(hub.run))  # nothing happened in it
            raise
        hub.world.transact("end", lambda tx: tx.end_run(hub.run, hub.world.now_ms(), "in_sync", doc))
        return Outcome(doc=doc, code=0)


def approve(session: Session, run: int) -> dict[str, Any]:
    """Release what held a run: the next sync may do as much, and no more. An approval counts once."""

    def step(tx: Tx) -> dict[str, Any]:
        found = tx.run(run)
        if found is None:
            raise ConfigError(f"there is no run {run}; `syncd history` lists them")
        doc = found[2]
        held_then = doc.get("held", [])
        if not held_then and not doc.get("first"):
            raise ConfigError(f"run {run} held nothing: there is nothing to approve")
        waiting = _still_waiting(tx, run, held_then)
        if held_then and not waiting:
            raise ConfigError(f"run {run} waits no more: what it held was approved and used up, or has gone by itself")
        if tx.meta(f"approved {run}") is not None:
            return {"run": run, "approved": []}
        tx.set_meta(f"approved {run}", "1")
        approvals = json.loads(tx.meta("approvals") or "{}")
        for held in waiting:
            key = f"{held['app']}:{held['verb']}"
            approvals[key] = max(approvals.get(key, 0), held["count"])
        if doc.get("first"):
            approve_first(tx, run, doc.get("unread", []))
        tx.set_meta("approvals", json.dumps(approvals, sort_keys=True))
        return {"run": run, "approved": waiting}

    return session.world.transact("approve", step)


def _still_waiting(tx: Tx, run: int, held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the apps into which a later run wrote; nothing waits any more where one ended in sync."""
    newest = max(tx.last_run(outcome) or 0 for outcome in ("in_sync", "partial", "held"))
    for number in range(newest, run, -1):
        kind, outcome, doc = tx.run(number) or ("", None, {})
        if kind not in ("sync", "resync"):
            continue
        if outcome == "in_sync":
            return []
        still = {each["app"] for each in doc.get("held", ())}
        held = [each for each in held if each["app"] in still or not _wrote(doc.get("apps", {}).get(each["app"], {}))]
    return held


def _wrote(counts: Mapping[str, int]) -> bool:
    return any(counts.get(name) for name in ("created", "updated", "consents", "archived"))


def pause(session: Session, app: str | None, *, paused: bool = True) -> dict[str, Any]:
    """Stop (or let go on) one app, or all of them, until told otherwise."""

    def step(tx: Tx) -> dict[str, Any]:
        states = tx.apps()
        names = [app] if app is not None else [settings.name for settings in session.config.apps]
        for name in names:
            if name not in states:
                tx.add_app(name)
                states = tx.apps()
            tx.save_app(states[name].id, paused=int(paused))
        return {"apps": names, "paused": paused}

    return session.world.transact("pause", step)


# -- the frame of every run


@contextmanager
def _run(session: Session, kind: str, *, approve: bool = False) -> Iterator[Hub]:
    hub = make_hub(session.world, session.config, session.load, keep=session.keeper)
    try:
        begin(hub, kind, session.config.hash)
        if approve:
            for app in hub.apps.values():
                hub.approved.update({(app.name, verb): EVERYTHING for verb in APPROVED_BY_FLAG})
        yield hub
    finally:
        close(hub)


@contextmanager
def _on_a_copy(session: Session) -> Iterator[Hub]:
    """Open the hub on a throw-away copy of the store."""
    with session.throwaway(session.store) as copy:
        hub = make_hub(session.world.over(copy), session.config, session.load, keep=session.keeper)
        try:
            yield hub
        finally:
            close(hub)


def close(hub: Hub) -> None:
    """Let go of every app."""
    for app in hub.apps.values():
        if app.app is not None:
            app.app.close()


# -- the first run


def _first_look(session: Session, *, approve: bool) -> tuple[Outcome | None, list[str]]:
    """Give the preview that waits for an approval, if there is one; and the apps that the approval of this run leaves out."""
    unseen = [app.name for app in session.config.apps]  # what is read of them in this run, its approval covers
    if approve or session.world.transact("first", was_looked_at):
        return None, unseen
    return _first_preview(session)


def _first_preview(session: Session) -> tuple[Outcome | None, list[str]]:
    """Do the first run on a copy; None when at most one app holds records, so that there is nothing to disagree about.
    Also name the apps that were not read.
    """
    with _on_a_copy(session) as hub:
        hub.run = hub.world.transact("run", lambda tx: tx.begin_run("preview", hub.world.now_ms()))
        passes.sync(hub, write=False)
        filled = _filled(hub)
        if filled > 1:
            hub.held = [*_first_holds(hub), *hub.held]
        inbox = hub.world.transact("inbox", lambda tx: tx.open_cases())
        preview, missing = _preview(hub), unread(hub)
    if filled < 2 and not any(app.error for app in hub.apps.values()):
        return None, missing
    world = session.world

    def step(tx: Tx) -> Outcome:
        hub.run = tx.begin_run("sync", world.now_ms())
        code = exit_code(hub, inbox=0, stuck=False)
        doc = {**report(hub, "held" if hub.held else "partial", inbox), "preview": preview, **why_of(hub)}
        tx.end_run(hub.run, world.now_ms(), doc["outcome"], {**doc, "first": True, "unread": missing})
        errors = errors_of(hub)
        return Outcome(doc=doc, code=code, errors=errors, preview=doc["preview"])

    return world.transact("preview", step), missing


def _filled(hub: Hub) -> int:
    return hub.world.transact("filled", lambda tx: sum(bool(tx.record_count(app)) for app in hub.apps))


def _first_holds(hub: Hub) -> list[Held]:
    """Hold whatever the first run would write: nothing leaves before somebody looked at it once."""
    counts, _ = hub.world.transact("count", lambda tx: passes.planned(tx, hub))
    known = {(held.app, held.verb) for held in hub.held}
    holds = [
        Held(app=app, verb=verb, count=count, limit=0)
        for (app, verb), count in sorted(counts.items())
        if (app, verb) not in known
    ]
    return holds or [Held(app=app.name, verb="first_run", count=0, limit=0) for app in list(hub.apps.values())[:1]]


def _preview(hub: Hub) -> dict[str, int]:
    both, one, unsure = hub.world.transact("spread", lambda tx: tx.spread())
    return {"matched": both, "unmatched": one, "ambiguous": unsure, "disagreeing": hub.matched["disagreeing"]}


def _held_docs(held: Sequence[Held]) -> list[dict[str, Any]]:
    return [{"app": h.app, "verb": h.verb, "count": h.count, "limit": h.limit} for h in held]


# -- resync


def _say_which(hub: Hub, apps: Sequence[str], direction: Direction) -> None:
    """An app that went back in time: who names it and says which side is right needs no other approval."""
    if direction == "pull":
        hub.believed = frozenset(apps)
    elif direction == "push":
        hub.approved.update({(name, RESTORED): EVERYTHING for name in apps})


def _narrow(hub: Hub, chosen: Sequence[OpenApp], fields: Collection[str] | None, direction: Direction) -> None:
    """Let only these fields take part, and the chosen apps in this direction only. Opt-outs are read all the same."""
    hub.narrowed = fields is not None or direction != "both"
    if fields is not None:
        atoms = hub.rules.atoms
        fields = {member for name in fields for member in (atoms[name].fields if name in atoms else (name,))}
        hub.part, hub.whole = frozenset(fields), hub.rules
    always = {*hub.rules.consents, *EVIDENCE}
    for app in hub.apps.values():
        lenses = {name: lens for name, lens in app.rule.lenses.items() if fields is None or name in fields}
        if app in chosen and direction == "pull":
            lenses = {name: replace(lens, writes=False) for name, lens in lenses.items()}
        elif app in chosen and direction == "push":
            lenses = {name: lens if name in always else replace(lens, reads=False) for name, lens in lenses.items()}
        app.rule = replace(app.rule, lenses=lenses, pushed=app in chosen and direction == "push")
    hub.rules = replace(hub.rules, apps={index: app.rule for index, app in hub.apps.items()})
