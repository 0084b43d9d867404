"""What the commands print that run, plan, or let a run go on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, UnsetType

from syncd.cli.documents.base import Doc, Value, says


class Counts(Doc):
    """What happened in one app."""

    read: Annotated[int, says("records read that were new or changed")]
    created: Annotated[int, says("records made")]
    updated: Annotated[int, says("records changed")]
    cleared: Annotated[int, says("values emptied")]
    archived: Annotated[int, says("records archived")]
    consents: Annotated[int, says("consents told")]
    parked: Annotated[int, says("records that are set aside with a reason")]
    failed: Annotated[int, says("records that the app refused to create")]
    unlinked: Annotated[int | UnsetType, says("records that were removed, and whose contacts stay elsewhere")] = UNSET
    unreadable_consents: Annotated[
        int | UnsetType, says("records of which nobody can tell whether these people opted out")
    ] = UNSET


class Held(Doc):
    """What a guard held."""

    app: Annotated[str, says("the app to which nothing is written")]
    verb: Annotated[
        str, says("creates, updates, clears, opt_outs, unlinks, archives; or account, fields, first_look, first_run, mixed_up, restored, unreadable")
    ]  # fmt: skip
    count: Annotated[int, says("how many there would be")]
    limit: Annotated[int, says("how many are allowed")]


class Preview(Doc):
    """What the first look at filled apps found."""

    matched: Annotated[int, says("contacts that several apps have")]
    unmatched: Annotated[int, says("records that are in one app only")]
    ambiguous: Annotated[int, says("records that will wait for a decision in the inbox")]
    disagreeing: Annotated[int, says("contacts on which the apps do not agree")]


class Change(Doc, rename={"old": "from", "new": "to"}):
    """One field of a write."""

    old: Annotated[Value, says("the app's value before, as the app spells it")]
    new: Annotated[Value, says("what is written")]
    reason: Annotated[str, says("why, for people")]


class Intent(Doc):
    """One write."""

    app: Annotated[str, says("into which app")]
    kind: Annotated[Literal["consent", "update", "create", "archive"], says("what is done")]
    contact: Annotated[str, says("of which contact, as c42")]
    who: Annotated[str | None, says("an address, name or number of that contact; null: none is known")]
    record: Annotated[str | None, says("into which record; null: it is made")]
    records: Annotated[dict[str, str], says("app -> id: the contact's records, by which it is found again")]
    fields: Annotated[dict[str, Change], says("field -> what changes")]


class Skipped(Doc):
    """What was not done. `apply`: the intent as it was planned and `skipped`; `undo`: contact, app, record, field, reason."""

    contact: Annotated[str, says("of which contact")]
    app: Annotated[str | None, says("in which app; null: the contact's own value")]
    record: Annotated[str | None, says("in which record")]
    field: Annotated[str | UnsetType | None, says("undo: of which field; null: the whole record")] = UNSET
    reason: Annotated[str | UnsetType, says("undo: why not")] = UNSET
    kind: Annotated[str | UnsetType, says("apply: as in an intent")] = UNSET
    who: Annotated[str | UnsetType | None, says("apply: as in an intent")] = UNSET
    records: Annotated[dict[str, str] | UnsetType, says("apply: as in an intent")] = UNSET
    fields: Annotated[dict[str, Change] | UnsetType, says("apply: as in an intent")] = UNSET
    skipped: Annotated[str | UnsetType, says("apply: why not")] = UNSET


class Fault(Doc):
    """Why a command could do nothing."""

    kind: Annotated[str, says("the reaction, by the name that docs/reference.md gives it")]
    message: Annotated[str, says("place, cause and remedy, for people; no contact's value")]


class Run(Doc):
    """What a run came to."""

    run: Annotated[int | None, says("its number in the history; null: none was begun")]
    outcome: Annotated[Literal["in_sync", "partial", "held"], says("in_sync: exit code 0; partial: 3 or 5; held: 4")]
    apps: Annotated[dict[str, Counts], says("app -> what happened in it")]
    held: Annotated[list[Held], says("what guards held")]
    inbox: Annotated[int | None, says("open cases in the inbox; null: nobody looked")]
    paused: Annotated[list[str] | UnsetType, says("apps that took no part")] = UNSET
    why: Annotated[list[str] | UnsetType, says("what keeps it from being in sync, guards and the inbox aside; for people")] = UNSET  # fmt: skip
    preview: Annotated[Preview | UnsetType, says("the first run on filled apps: it wrote nothing and waits for approval")] = UNSET  # fmt: skip
    intents: Annotated[list[Intent] | UnsetType, says("undo without --approve: what would be written")] = UNSET
    skipped: Annotated[list[Skipped] | UnsetType, says("resync, apply, undo: what was not done")] = UNSET
    error: Annotated[Fault | UnsetType, says("why nothing could be done")] = UNSET


class PlannedCase(Doc):
    """A case of the inbox, as it is or would be."""

    id: Annotated[int, says("its number")]
    kind: Annotated[Literal["match", "conflict", "deletion"], says("what has to be decided")]
    contact: Annotated[str, says("of which contact")]
    app: Annotated[str | None, says("in which app")]
    field: Annotated[str | None, says("of which field")]
    opened_ms: Annotated[int, says("since when, in milliseconds since 1970")]
    run: Annotated[int, says("the run that opened it")]
    record: Annotated[str | UnsetType, says("the record")] = UNSET
    reason: Annotated[str | UnsetType, says("why, for people")] = UNSET
    values: Annotated[dict[str, Value] | UnsetType, says("app -> its value")] = UNSET
    candidates: Annotated[list[Any] | UnsetType, says("[app, record, contact's number] that it may be the same as")] = (
        UNSET
    )
    keys: Annotated[list[str] | UnsetType, says("hashes of the match keys, where an address turned into another contact's")] = UNSET  # fmt: skip


class Plan(Doc):
    """What a run would do; `--out` writes the same document."""

    intents: Annotated[list[Intent], says("every write")]
    counts: Annotated[dict[str, dict[str, int]], says("app -> kind -> how many intents")]
    held: Annotated[list[Held], says("what guards would hold")]
    inbox: Annotated[list[PlannedCase], says("cases that are open then, at most 1000")]
    paused: Annotated[list[str], says("apps that take no part")]
    why: Annotated[list[str] | UnsetType, says("as in a run: which apps could not be asked, for people")] = UNSET
    unread: Annotated[
        list[str] | UnsetType, says("apps that were never looked at and cannot be read now: nothing is known of their people")
    ] = UNSET  # fmt: skip


class Approved(Doc):
    """What an approval lets through."""

    run: Annotated[int, says("the run")]
    approved: Annotated[list[Held], says("what it held; empty: it was approved before, or was the first look")]


class Paused(Doc):
    """Which apps stand still."""

    apps: Annotated[list[str], says("the apps that were named; resume without a name: those that had been paused")]
    paused: Annotated[bool, says("whether they stand still now")]
