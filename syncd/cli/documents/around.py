"""What the commands print around the work: check, connectors, auth, docs, db."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, UnsetType

from syncd.cli.documents.base import Doc, Value, says
from syncd.cli.documents.runs import Fault


class Finding(Doc):
    """What is to be said of an app."""

    level: Annotated[Literal["error", "warning", "note"], says("how much it matters")]
    field: Annotated[str | None, says("of which field")]
    message: Annotated[str, says("for people")]


class CheckedApp(Doc):
    """What was found out about an app."""

    connector: Annotated[str, says("its kind")]
    state: Annotated[str, says("in words: ok, not reached, refused ...")]
    findings: Annotated[list[Finding], says("what is to be said of it")]


class HubFinding(Doc):
    """What is to be said of the configuration as a whole."""

    level: Annotated[Literal["error", "warning", "note"], says("how much it matters")]
    message: Annotated[str, says("for people")]


class Checked(Doc):
    """What the check found; with exit code 2 nothing is printed here, all is on stderr."""

    apps: Annotated[dict[str, CheckedApp], says("app -> what was found out")]
    store: Annotated[list[str], says("what is wrong with the store")]
    findings: Annotated[list[HubFinding], says("what is to be said of the whole")]


class AccountField(Doc):
    """A field that an account has, or one that is in effect in an app that does not tell."""

    label: Annotated[str, says("what people there call it; empty where the app does not tell")]
    path: Annotated[str, says("where it lies")]
    type: Annotated[str, says("the vendor's word for its type; empty where the app does not tell")]
    read_only: Annotated[bool, says("nothing is ever written to it")]
    options: Annotated[list[str], says("what it may hold, as people see it; empty: anything")]
    field: Annotated[str | None, says("the field of syncd that lies there; null: none")]


class AccountFields(Doc):
    """The fields of one app's account."""

    app: Annotated[str, says("the app")]
    connector: Annotated[str, says("its kind")]
    tells: Annotated[bool, says("the account tells what it has; else only what is in effect is listed")]
    fields: Annotated[list[AccountField], says("its fields")]


class Made(Doc):
    """Where the configuration lies."""

    file: Annotated[str, says("the file that was written")]


class Docs(Doc):
    """Which pages are out of date."""

    stale: Annotated[list[str], says("the pages")]
    written: Annotated[bool, says("whether they were printed anew")]


class Upgraded(Doc, rename={"before": "from", "now": "to"}):
    """The version of the store."""

    before: Annotated[str, says("what it was")]
    now: Annotated[str, says("what it is")]


class Stopped(Doc):
    """The daemon's last word."""

    outcome: Annotated[Literal["stopped"], says("it was told to stop and did")]


class LoggedIn(Doc):
    """A login that was done."""

    app: Annotated[str, says("the app")]
    logged_in: Annotated[bool, says("true")]
    settings: Annotated[dict[str, str], says("settings that the login has told, such as a company's id; kept with it")]


class Setting(Doc):
    """A setting or a secret of a connector."""

    name: Annotated[str, says("its name")]
    help: Annotated[str, says("what it is for")]
    required: Annotated[bool, says("whether it must be there")]
    type: Annotated[str, says("of which type")]
    default: Annotated[Value, says("what holds without it")]


class MappedField(Doc):
    """A field of a connector's default map."""

    path: Annotated[str, says("where the app keeps it")]
    direction: Annotated[Literal["in", "out", "both", "none"], says("which way it travels")]
    required: Annotated[bool | UnsetType, says("the app demands it")] = UNSET
    max_length: Annotated[int | UnsetType, says("so many characters at most")] = UNSET


class InDoubt(Doc):
    """What happens after a create without an answer."""

    rung: Annotated[str, says("A to F")]
    means: Annotated[str, says("for people")]


class LostUpdate(Doc, rename={"kind": "class"}):
    """What happens to an edit that lands between our look and our write."""

    kind: Annotated[Literal["cas", "jump", "blind"], says("the class")]
    means: Annotated[str, says("for people")]


class Card(Doc):
    """What a connector states about itself. Texts are for people; their wording may change."""

    name: Annotated[str, says("its name")]
    summary: Annotated[str, says("what it is")]
    settings: Annotated[list[Setting], says("its settings")]
    secrets: Annotated[list[Setting], says("its secrets, by reference")]
    fields: Annotated[dict[str, MappedField], says("field -> where the app keeps it")]
    any_path: Annotated[bool, says("whether it takes fields that it does not list")]
    discovers: Annotated[bool, says("whether an account tells which fields it has")]
    capabilities: Annotated[dict[str, Value], says("capability -> what it states (docs/writing-a-connector.md)")]
    in_doubt: Annotated[InDoubt, says("a create without an answer")]
    lost_update: Annotated[LostUpdate, says("an edit between look and write")]
    lag_seconds: Annotated[float, says("how long the app may hide what was written")]
    deletion: Annotated[str, says("how a deletion is noticed")]
    webhooks: Annotated[str, says("what makes its webhooks genuine, and what they tell; none: it sends none")]
    made_of: Annotated[str, says("YAML or Python")]
    proven_on: Annotated[str, says("what the kit asks: a stand-in, or a running server")]
    consent: Annotated[str, says("how consent travels")]
    quirks: Annotated[list[str], says("what is peculiar")]
    reading: Annotated[Value | UnsetType, says("YAML: how it is read")] = UNSET
    writing: Annotated[Value | UnsetType, says("YAML: how it is written")] = UNSET
    limits: Annotated[Value | UnsetType, says("YAML: its rate limits")] = UNSET


class Cards(Doc):
    """All connectors."""

    connectors: Annotated[list[Card], says("one card each")]


class Why(Doc):
    """Why a question was not answered well, or not asked."""

    message: Annotated[str, says("what was expected and what was there")]
    asked: Annotated[str | None, says("what was asked of the app")]
    held: Annotated[dict[str, Value], says("what stood in memory")]
    place: Annotated[str | None, says("where in the kit")]


class Asked(Doc):
    """One question of the kit."""

    check: Annotated[str, says("its name")]
    world: Annotated[str | None, says("in which world of the stand-in")]
    verdict: Annotated[Literal["green", "failed", "not asked"], says("how it went")]
    why: Annotated[Why | None, says("null: green")]


class Tested(Doc):
    """What the kit found."""

    card: Annotated[Card, says("the connector's card")]
    checks: Annotated[list[Asked], says("every question")]
    failed: Annotated[int, says("how many failed; exit code 3 if any")]


class Started(Doc):
    """A connector that was begun."""

    folder: Annotated[str, says("where")]
    files: Annotated[list[str], says("what lies in it")]


class Failed(Doc):
    """Any command that could do nothing, with exit code 3, 4 or 5; sync, resync, apply and undo print a run with `error`."""

    error: Annotated[Fault, says("why")]
