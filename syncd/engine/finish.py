"""Finish: what a run came to, for its row in the store, its document and its exit code (DESIGN 5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.core.settle import horizon_ms
from syncd.engine.hub import Hub, report
from syncd.engine.passes import DONE, planned
from syncd.engine.texts import storable
from syncd.errors import AccessError, ConfigError, SafetyStop
from syncd.store.tx import Tx

PARKED_SHOWN: Final = 5
EVERY: Final = 1 << 31
IDLE: Final = "idle run"
LATER: Final = "had no part in this run (left out, or found since); the next sync looks at what is to be done"
RESTLESS: Final = "so many passes were not enough: something is still to be done; sync again"
WORDS: Final = {0: "in_sync", 2: "partial", 3: "partial", 4: "held", 5: "partial"}
"""Exit code -> outcome of the run."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run says. `doc` is the JSON document; `code` the exit code (DESIGN 5)."""

    doc: dict[str, Any]
    code: int
    errors: dict[str, str] = field(default_factory=dict)
    """app -> why it was set aside, for the operator."""
    parked: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """app -> the first few records that are set aside, each with its cause."""
    preview: dict[str, int] = field(default_factory=dict)
    """First run on filled apps: matched, unmatched, ambiguous, disagreeing."""
    paused: dict[str, int] = field(default_factory=dict)
    """Apps that took no part because somebody paused them -> how many writes wait for them."""
    later: int = 0
    """Cases that a dry run found and the inbox cannot show yet."""
    undone: int | None = None
    """Of how many contacts an undo took something back."""
    given_back: int = 0
    """In how many contacts an undo gives apps back what each of them held, and these keep it."""
    doubt: dict[str, tuple[int, int]] = field(default_factory=dict)
    """app -> how many writes have no answer, and until when (ms) the last of them may still arrive."""
    missed: dict[str, int] = field(default_factory=dict)
    """app -> how many records are missing in it that are not believed to be gone yet."""
    left: list[str] = field(default_factory=list)
    """What is still to be done and by whom, where nothing else here says so."""

    def fall_short(self, why: str) -> None:
        """Say that not everything was done, and why."""
        self.doc["why"] = [*self.doc.get("why", ()), why]
        if self.code == 0:
            self.code, self.doc["outcome"] = 3, WORDS[3]


def errors_of(hub: Hub) -> dict[str, str]:
    """Say of each app that was set aside why."""
    errors = {app.name: storable(str(app.error)) for app in hub.apps.values() if app.error is not None}
    lost = {app.name: f"no longer there: {', '.join(app.lost)}" for app in hub.apps.values() if app.lost}
    moved = {app.name: app.moved for app in hub.apps.values() if app.moved}
    return {**lost, **moved, **errors}


def approvals_of(tx: Tx) -> dict[tuple[str, str], int]:
    stored = json.loads(tx.meta("approvals") or "{}")
    return {(key.partition(":")[0], key.partition(":")[2]): count for key, count in stored.items()}


def paused_of(tx: Tx, hub: Hub) -> dict[str, int]:
    """List the apps that are paused, and how many writes wait for each."""
    waiting = {app.name: 0 for app in hub.apps.values() if app.paused}
    if not waiting:
        return waiting
    for index, _, _, _, count in tx.intent_counts():
        app = hub.apps.get(index)
        if app is not None and app.paused:
            waiting[app.name] += count
    return waiting


def finish(hub: Hub, *, once: bool = False, by_flag: bool = False) -> Outcome:
    """Close a run: its outcome, its document, its exit code. `once`: of those that found nothing to do the last one is
    remembered, or a hub that is synced from cron would fill its store with them. `by_flag`: the whole plan was approved
    on the command line, and what could not be written of it stays so.
    """
    world = hub.world
    now_ms = world.now_ms()

    def step(tx: Tx) -> Outcome:
        inbox = tx.open_cases()
        aside = {app.index: tx.parked_count(app.index) for app in hub.apps.values()}
        for app in hub.apps.values():
            app.counts["parked"] = max(app.counts["parked"], aside[app.index])
            app.counts["unreadable_consents"] = tx.unheard_count(app.index)
        errors, doubt, left = errors_of(hub), _in_doubt(tx, hub), _outstanding(tx, hub)
        why = [*_told(errors), *_set_aside(hub, aside), *(_unanswered(app, doubt[app][0]) for app in doubt), *left]
        code = exit_code(hub, inbox=inbox, stuck=bool(why))
        paused = paused_of(tx, hub)
        doc = {**report(hub, WORDS[code], inbox), "paused": [*paused]}
        if why:
            doc["why"] = why
        tx.end_run(hub.run, now_ms, doc["outcome"], doc)
        approved = _still_approved(tx, hub, by_flag=by_flag)
        tx.set_meta("approvals", json.dumps(approved, sort_keys=True))
        if once and _is_idle(tx, hub):
            _keep_last(tx, hub.run)
        parked = {app.name: tx.parked(app.index, PARKED_SHOWN) for app in hub.apps.values() if aside[app.index]}
        missed = {app.name: missing for app in hub.apps.values() if (missing := len(tx.struck(app.index, 1, EVERY)))}
        return Outcome(
            doc=doc, code=code, errors=errors, parked=parked, missed=missed, paused=paused, doubt=doubt, left=left
        )

    return world.transact("finish", step)


def why_of(hub: Hub) -> dict[str, Any]:
    """Say in the document of a look which apps were set aside, and why; nothing where none was."""
    told = _told(errors_of(hub))
    return {"why": told} if told else {}


def _told(errors: Mapping[str, str]) -> list[str]:
    """Say which apps were set aside, and why, each with its name."""
    return [why if why.startswith(f"{app}:") else f"{app}: {why}" for app, why in errors.items()]


def _set_aside(hub: Hub, aside: Mapping[int, int]) -> list[str]:
    """Say in which apps records are set aside, or say nothing that can be understood about consent."""
    parked = [f"{app.name}: {_count(aside[app.index], 'record is', 'records are')} set aside (parked)"
              for app in hub.apps.values() if aside[app.index]]  # fmt: skip
    unheard = [f"{app.name}: {_count(count, 'record has', 'records have')} a word for consent that is not known"
               for app in hub.apps.values() if (count := app.counts["unreadable_consents"])]  # fmt: skip
    return parked + unheard


def _unanswered(app: str, count: int) -> str:
    return f"{app}: {_count(count, 'write has', 'writes have')} no answer yet"


def _outstanding(tx: Tx, hub: Hub) -> list[str]:
    """Say what waits to be done and was no part of this run, or could not be done in it."""
    waiting = dict.fromkeys((app.index for app in hub.apps.values() if app.usable), 0)
    nowhere = 0
    for index, _, sent, _, count in tx.intent_counts():
        nowhere += count if sent and index not in hub.apps else 0
        if index in waiting and not sent:
            waiting[index] += count
    found = [
        f"{hub.apps[index].name}: {_count(count, 'write waits', 'writes wait')} that {LATER}"
        for index, count in waiting.items()
        if count
    ]
    if nowhere:
        found.append(
            f"{_count(nowhere, 'write has', 'writes have')} no answer, in apps that are in the configuration no more"
        )
    if refused := tx.refused_count():
        found.append(
            f"{_count(refused, 'contact is', 'contacts are')} refused by an app (`syncd status --list failed`)"
        )
    return [*found, *([RESTLESS] if hub.restless else ())]


def _count(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _in_doubt(tx: Tx, hub: Hub) -> dict[str, tuple[int, int]]:
    """Say of how many writes nobody knows whether they happened, and how long they may still do."""
    unanswered = sorted({app for app, _, sent, _, _ in tx.intent_counts() if sent})
    found = {}
    for app in (hub.apps.get(index) for index in unanswered):
        if app is not None:
            sents = tx.sent(app.index)
            found[app.name] = (len(sents), max(sent.at_ms for sent in sents) + horizon_ms(app.rule))
    return found


def _still_approved(tx: Tx, hub: Hub, *, by_flag: bool) -> dict[str, int]:
    """List the approvals that outlive a run: of what could not be written yet, and, where a reading was held, of apps that it
    did not read.
    """
    asked = {(held.app, held.verb) for held in hub.held}
    approved = approvals_of(tx)
    if not approved and not by_flag:
        return {}
    unwritten = planned(tx, hub, unwritten=True)[0]
    read = {app.name for app in hub.apps.values() if app.pulled}
    asked |= {(app, verb) for app, verb in approved if verb not in DONE and verb != "opt_outs" and app not in read}
    if by_flag:
        approved.update({key: hub.approved[key] for key in unwritten if key in hub.approved})
    return {
        f"{app}:{verb}": count if (app, verb) in asked else min(count, unwritten[app, verb])
        for (app, verb), count in approved.items()
        if (app, verb) in asked or unwritten[app, verb]
    }


def exit_code(hub: Hub, *, inbox: int, stuck: bool) -> int:
    errors = [app.error for app in hub.apps.values() if app.error is not None]
    if any(isinstance(error, ConfigError) for error in errors):
        return 2
    if any(isinstance(error, AccessError) for error in errors):
        return 5
    if hub.held or inbox or any(isinstance(error, SafetyStop) for error in errors):
        return 4
    return 3 if errors or stuck else 0


def forget_idle(tx: Tx, hub: Hub) -> bool:
    """Forget a run that found nothing to do, or a quiet hub would fill its store with them."""
    idle = _is_idle(tx, hub)
    if idle:
        tx.forget_run(hub.run)
    return idle


def _keep_last(tx: Tx, run: int) -> None:
    """Forget the idle run before this one."""
    before = tx.meta(IDLE)
    if before is not None and int(before) != run:
        tx.forget_run(int(before))
    tx.set_meta(IDLE, str(run))


def _is_idle(tx: Tx, hub: Hub) -> bool:
    """Say whether a run left nothing that anybody would want to find again."""
    if hub.held or any(app.error for app in hub.apps.values()) or any(tx.any_missed(app) for app in hub.apps):
        return False
    return not tx.left_traces(hub.run)
