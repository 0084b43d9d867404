"""What the commands print that look: status, explain, history, inbox."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, UnsetType

from syncd.cli.documents.base import Doc, Value, says
from syncd.cli.documents.runs import Counts, Held


class Hooks(Doc):
    """How the webhooks of an app do."""

    seen: Annotated[int, says("how many came")]
    last_age_seconds: Annotated[float | None, says("when the last one came; null: none")]
    waiting: Annotated[int, says("records that were named and not fetched yet")]
    missed: Annotated[int, says("changes that a poll found and no webhook named")]
    silent: Annotated[bool, says("the last changes were all missed")]


class AppStatus(Doc):
    """How an app does."""

    linked: Annotated[int, says("records that belong to a contact")]
    in_sync: Annotated[int, says("of these: nothing to do")]
    pending: Annotated[int, says("contacts with something planned, or sent and not confirmed")]
    parked: Annotated[int, says("records that are set aside with a reason")]
    excluded: Annotated[int, says("contacts without a record here, on purpose")]
    failed: Annotated[int, says("contacts that the app refused to create")]
    conflicts: Annotated[int, says("contacts with a field that waits for a decision")]
    cursor_age_seconds: Annotated[float | None, says("when it was read last; null: never")]
    last_error: Annotated[str | None, says("why it could not be read or written the last time")]
    unreadable: Annotated[int | UnsetType, says("records with a cell that holds no value of its type")] = UNSET
    unreadable_consents: Annotated[int | UnsetType, says("as in a run")] = UNSET
    hooks: Annotated[Hooks | UnsetType, says("where the app says `hooks: true`")] = UNSET


class Daemon(Doc):
    """Who keeps the store in sync."""

    on_duty: Annotated[str | None, says("pid, since when, host; null: none runs, or it was stopped")]
    age_seconds: Annotated[float | None, says("when it was heard of last")]
    standing_by: Annotated[list[str], says("daemons that wait for its end")]


class HeldRun(Doc):
    """A run that waits for an approval."""

    run: Annotated[int, says("its number, for `syncd approve`")]
    since: Annotated[str, says("since when")]
    held: Annotated[list[Held], says("what guards held")]


class Status(Doc):
    """How everything does."""

    contacts: Annotated[int, says("how many there are")]
    inbox: Annotated[int, says("open cases")]
    held: Annotated[list[HeldRun], says("the newest run, if it waits for an approval")]
    apps: Annotated[dict[str, AppStatus], says("app -> how it does")]
    daemon: Annotated[Daemon, says("the daemon of this store")]


class ListedRecord(Doc):
    """A record that is in a state, or a contact that has none in an app."""

    app: Annotated[str, says("in which app")]
    record: Annotated[str | None, says("its id; null: there is no record")]
    contact: Annotated[str | None, says("whose it is; null: not decided")]
    who: Annotated[str | None, says("an address, name or number of that contact")]
    why: Annotated[str, says("the reason, in words")]


class StatusList(Doc):
    """Which records are in a state."""

    records: Annotated[list[ListedRecord], says("by app, in the order of the configuration")]


class Alive(Doc):
    """Whether the daemon lives."""

    alive: Annotated[bool, says("exit code 0 if so, else 3")]
    age_seconds: Annotated[float | None, says("when it was heard of last; null: never, or it was stopped")]


class Entry(Doc, rename={"old": "from", "new": "to"}):
    """One line of the journal."""

    run: Annotated[int, says("in which run")]
    at: Annotated[str, says("when, ISO 8601 in UTC")]
    app: Annotated[str | None, says("in which app; null: the contact's own value")]
    contact: Annotated[str, says("of which contact")]
    field: Annotated[str | None, says("of which field; null: the whole record")]
    old: Annotated[Value, says("what was there")]
    new: Annotated[Value, says("what took its place")]
    reason: Annotated[str, says("why, for people")]


class ExplainedField(Doc, rename={"source": "from"}):
    """One field of a contact."""

    value: Annotated[Value, says("the contact's value")]
    source: Annotated[str | None, says("the app it comes from, or operator")]
    at: Annotated[str | None, says("since when at the latest")]
    rule: Annotated[str, says("how it is merged, for people")]


class ExplainedRecord(Doc):
    """A contact in one app."""

    id: Annotated[str | None, says("the record; null: it has none here")]
    state: Annotated[
        Literal["in_sync", "pending", "parked", "excluded", "failed", "conflict", "absent"], says("how it does")
    ]
    fields: Annotated[dict[str, Value], says("field -> what the app shows, as it spells it")]
    others: Annotated[list[str], says("other records of this app with the same match key")]
    unreadable: Annotated[dict[str, str] | UnsetType, says("field -> why its cell is no value of its type")] = UNSET


class Explained(Doc):
    """One contact everywhere."""

    contact: Annotated[str | None, says("the contact; null: a record that belongs to nobody yet")]
    fields: Annotated[dict[str, ExplainedField], says("field -> the contact's value and where it is from")]
    records: Annotated[dict[str, ExplainedRecord], says("app -> the contact there")]
    history: Annotated[list[Entry], says("its journal, newest first, at most 100 lines")]


class PastRun(Doc):
    """One run."""

    run: Annotated[int, says("its number")]
    at: Annotated[str, says("when it began")]
    kind: Annotated[str, says("sync, resync, apply, undo, resolve")]
    apps: Annotated[dict[str, Counts], says("app -> what happened in it")]


class History(Doc):
    """Runs and the journal, newest first."""

    runs: Annotated[list[PastRun], says("the runs")]
    entries: Annotated[list[Entry], says("the lines of the journal")]


class Case(Doc):
    """What waits for a decision."""

    case: Annotated[int, says("its number")]
    kind: Annotated[Literal["match", "conflict", "deletion"], says("what has to be decided")]
    contact: Annotated[str, says("of which contact")]
    app: Annotated[str | None, says("in which app")]
    field: Annotated[str | None, says("of which field")]
    since: Annotated[str, says("since when")]
    reason: Annotated[str | None, says("why, for people")]


class Inbox(Doc):
    """What waits for somebody."""

    cases: Annotated[list[Case], says("open cases, oldest first, without values")]
    held: Annotated[list[HeldRun], says("the newest run, if it waits for an approval")]


class CaseRecord(Doc):
    """A record that a case is about."""

    app: Annotated[str, says("in which app")]
    record: Annotated[str, says("its id")]
    contact: Annotated[str | None, says("whose it is now")]
    fields: Annotated[dict[str, Value], says("field -> what the app shows")]


class ShownCase(Case):
    """One case, with its values."""

    who: Annotated[str | None, says("an address, name or number of that contact")]
    run: Annotated[int, says("the run that opened it")]
    decisions: Annotated[list[str], says("options of `syncd inbox resolve` that fit")]
    values: Annotated[dict[str, Value] | UnsetType, says("conflict: app -> its value")] = UNSET
    record: Annotated[str | UnsetType, says("match, deletion: the record")] = UNSET
    candidates: Annotated[list[Any] | UnsetType, says("match: [app, record, contact's number] that it may be the same as")] = UNSET  # fmt: skip
    records: Annotated[list[CaseRecord] | UnsetType, says("match: these records side by side")] = UNSET


class Resolved(Doc):
    """What was decided; the next sync carries it out."""

    case: Annotated[int, says("the case")]
    kind: Annotated[Literal["match", "conflict", "deletion"], says("what it was")]
    contact: Annotated[str, says("of which contact")]
