"""Commands that only look. They exit 0 when they could read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from syncd.cli import everyday, show
from syncd.cli.explaining import brief
from syncd.cli.opening import opened
from syncd.cli.options import AsJson, ConfigFile, Debug, Key, Since, key_from, known, since_ms
from syncd.cli.telling import LOOK_ANEW, held_word, next_command
from syncd.cli.writing import Contact, Field, Run, inbox_resolve
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from syncd.engine.runs import Session
    from syncd.ops.history import Run as HistoryRun

ENTRIES_SHOWN: Final = 50
EXPLAINED_ENTRIES: Final = 100
WITHOUT_COUNTS: Final = {
    "in_sync": "nothing to do",
    "partial": "nothing written; not everything could be done",
    "held": "nothing written; a case waits in the inbox",
}
"""Outcome of a run that did nothing in any app -> what is to be said of it."""


def status(
    alive: Annotated[
        bool, typer.Option("--alive", help="Only say whether the daemon is alive; exit 3 if not.")
    ] = False,
    state: Annotated[
        str | None,
        typer.Option(
            "--list",
            metavar="STATE",
            help="Which records these are, and why: parked, unreadable, pending, excluded, failed, conflict or missing.",
        ),
    ] = None,
    app: Annotated[str | None, typer.Option("--app", metavar="A", help="With --list: only this app.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Say per app what is linked, in sync, pending, parked, excluded, failed or in conflict."""
    if state is None and app is None:
        return everyday.status(alive=alive, config=config, as_json=as_json)
    if state is None or alive:
        raise ConfigError("--app goes with --list, and --alive goes alone")
    return _list(state, app, config, as_json=as_json)


def _list(state: str, app: str | None, config: Path | None, *, as_json: bool) -> int:
    """List the records that are in a state."""
    from syncd.ops.listed import WORDS, listed

    known([state], WORDS, "state")
    with opened(config) as session:
        names = [each.name for each in session.config.apps]
        known([app] if app else None, names, "app")
        chosen, rules = [app] if app else names, everyday.rules_of(session)
        found = session.store.read(lambda tx: list(listed(tx, state, chosen, rules)))
    if as_json:
        show.document({"records": [each.doc() for each in found]})
    elif found:
        rows = [[each.app, each.record or "-", each.contact or "-", each.who or "", each.why] for each in found]
        show.table(["app", "record", "contact", "who", "why"], rows)
    else:
        show.line(f"{state}: none")
    return 0


def explain(
    key: Key,
    field: Annotated[str | None, typer.Argument(metavar="[FIELD]", help="Only this field.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also the fields that are blank everywhere.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Show one contact in every app: each field's value, where it comes from, since when, by which rule."""
    from syncd.cli.explaining import tell_explained
    from syncd.ops.explain import explain as explained
    from syncd.ops.find import find
    from syncd.ops.history import iterate

    wanted = key_from(key)
    with opened(config) as session:
        known([field] if field else None, [*session.config.fields, *session.config.groups], "field")
        names, rules = [app.name for app in session.config.apps], everyday.rules_of(session)
        found = session.store.read(lambda tx: explained(tx, find(tx, session.config, wanted), field, names, rules))
        history: list[dict[str, Any]] = []
        if found.contact is not None:
            chosen = _selection(session, contact=found.contact, field=field)
            history = list(iterate(session.store.read, chosen, EXPLAINED_ENTRIES))
    if as_json:
        show.document(found.doc(history))
    else:
        tell_explained(found, history, exact=field is not None, blanks=everything or field is not None)
    return 0


def _selection(
    session: Session, *, run: int | None = None, contact: int | None, field: str | None, since: int | None = None
) -> Any:
    """Select journal entries; a field is journalled under its group's name where it is merged with others."""
    from syncd.ops.history import Selection

    fields = None
    if field is not None:
        group = session.config.fields[field].group if field in session.config.fields else None
        fields = frozenset({field, *session.config.groups.get(field, ()), *([group] if group else ())})
    return Selection(run=run, contact=contact, fields=fields, since_ms=since)


def _tell_entries(entries: list[dict[str, Any]]) -> None:
    names = ("run", "at", "contact", "app", "field", "from", "to", "reason")
    show.table([*names[:-1], "why"], [[brief(each, name) for name in names] for each in entries])


def history(
    run: Run = None,
    contact: Contact = None,
    field: Field = None,
    since: Since = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="At most N runs and N entries.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Show runs and the journal, newest first; selectors combine."""
    from syncd.engine.first import was_looked_at
    from syncd.ops.find import contact_of
    from syncd.ops.history import iterate, iterate_runs

    moment = since_ms(since)
    with opened(config) as session:
        known([field] if field else None, [*session.config.fields, *session.config.groups], "field")
        who = None
        if contact is not None:
            key = key_from(contact)
            who = session.store.read(lambda tx: contact_of(tx, session.config, key))
        chosen = _selection(session, run=run, contact=who, field=field, since=moment)
        read = session.store.read
        if as_json:
            docs = (each.doc for each in iterate_runs(read, chosen, limit))
            _stream({"runs": docs, "entries": iterate(read, chosen, limit)})
            return 0
        runs = list(iterate_runs(read, chosen, limit or ENTRIES_SHOWN))
        entries = list(iterate(read, chosen, limit or ENTRIES_SHOWN))
        waits = not read(was_looked_at)
    rows = [[each.doc["run"], each.doc["at"], each.doc["kind"], _did(each, waits=waits)] for each in runs]
    show.table(["run", "at", "kind", "did"], rows)
    if entries:
        show.line()
        _tell_entries(entries)
        if len(entries) == (limit or ENTRIES_SHOWN):
            show.line("there may be more: --limit N, or narrow it by --run, --contact, --field, --since")
    return 0


def _did(each: HistoryRun, *, waits: bool) -> str:
    """Say what a run did. `waits`: the first run is not approved yet."""
    if each.first:
        return f"first look: {'waits for approval' if waits else 'nothing was written'}"
    parts = []
    for app, counts in each.doc["apps"].items():
        done = [f"{count} {name}" for name, count in counts.items() if count and name != "read"]
        if done:
            parts.append(f"{app}: {', '.join(done)}")
    if each.decided is not None:
        parts.append(f"decided case {each.decided} of the inbox")
    if each.held:
        parts.append(f"held: {', '.join(held_word(held) for held in each.held)}")
    if each.why:
        parts = [*(parts or ["nothing written"]), *(show.plain(why) for why in each.why)]
    return "; ".join(parts) or WITHOUT_COUNTS.get(each.outcome or "", "not ended")


def _stream(lists: dict[str, Iterator[dict[str, Any]]]) -> None:
    """Print a document of lists without holding them in memory."""
    import orjson

    for place, (name, each) in enumerate(lists.items()):
        show.raw(b'%s"%s":[' % (b"," if place else b"{", name.encode()))
        first = True
        while chunk := list(islice(each, 500)):
            show.raw((b"" if first else b",") + b",".join(orjson.dumps(one) for one in chunk))
            first = False
        show.raw(b"]")
    show.raw(b"}\n")


def inbox_list(config: ConfigFile = None, as_json: AsJson = False, debug: Debug = False) -> int:
    """List what waits for a decision, oldest first."""
    from syncd.ops.holds import held_run
    from syncd.ops.inbox import iterate

    with opened(config) as session:
        cases = list(iterate(session.store.read))
        apps = [app.name for app in session.config.apps]
        held = session.store.read(lambda tx: held_run(tx, apps))
    if as_json:
        show.document({"cases": cases, "held": [held] if held else []})
        return 0
    if cases:
        names = ("case", "kind", "contact", "app", "field", "since", "reason")
        show.table(
            ["case", "what", "contact", "app", "field", "since", "why"], [[each[n] for n in names] for each in cases]
        )
        for app in dict.fromkeys(each["app"] for each in cases if each["app"] not in (None, *apps)):
            show.line(f"{app} is not in the configuration any more: --new or --keep closes a case of it")
        show.line(f"{next_command('inbox show CASE', config)} shows the values")
        show.line(f"{next_command('inbox resolve CASE', config)} decides")
    if held:
        what = ", ".join(held_word(each) for each in held["held"])
        number = held["run"]
        show.line(f"run {number} was held, as it found: {what}: {next_command(f'approve {number}', config)}")
        show.line(LOOK_ANEW)
    if not cases and not held:
        show.line("the inbox is empty")
    return 0


def inbox_show(
    case: Annotated[int, typer.Argument(metavar="CASE", help="The number of the case.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Show one case with its values, and the decisions that fit."""
    from syncd.engine.meetings import SHARED
    from syncd.ops.inbox import show as show_case

    with opened(config) as session:
        doc = session.store.read(lambda tx: show_case(tx, case))
    if as_json:
        show.document(doc)
        return 0
    about = f" ({doc['who']})" if doc["who"] else ""
    show.line(show.plain(f"case {doc['case']}: {doc['kind']}, contact {doc['contact']}{about}, since {doc['since']}"))
    for name in ("app", "record", "field", "reason"):
        if doc.get(name):
            show.line(show.plain(f"  {name}: {doc[name]}"))
    values = doc.get("values") or {}
    show.table(["", "value"], [[app, value] for app, value in values.items()], indent="  ") if values else None
    if doc.get("records"):
        _tell_side_by_side(doc["records"])
    apps = [each["app"] for each in doc.get("records", ())]
    for app in sorted({app for app in apps if apps.count(app) > 1}):
        show.line(
            f"where records of {app} are one person: merge them in the app; "
            "syncd links what is left by itself at the next sync"
        )
    if doc.get("reason") == SHARED:
        show.line(
            "if it is a slip: put it right in that record, whichever of these it is; the next sync closes the case by itself "
            "(--new says that it is right, and lets it go into every app)"
        )
    show.line(f"decide: {next_command(f'inbox resolve {case}', config)} {' | '.join(doc['decisions'])}")
    return 0


def _tell_side_by_side(records: list[dict[str, Any]]) -> None:
    """Show what the records of a case hold, those fields that any of them has."""
    names = sorted({name for each in records for name, raw in each["fields"].items() if raw not in (None, "")})
    rows = [["contact", *(each["contact"] for each in records)]]
    rows += [[name, *(each["fields"].get(name) for each in records)] for name in names]
    show.table(["", *(f"{each['app']}:{each['record']}" for each in records)], rows, indent="  ")


def fields(
    app: Annotated[str, typer.Argument(metavar="APP", help="The app whose fields are asked for.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """List the fields that an app's account has, its own as well: what they are called, where they lie, what they may hold."""
    from syncd.ops.check import opening
    from syncd.ops.offered import fields_of

    with opened(config) as session:
        known([app], [each.name for each in session.config.apps], "app")
        settings = session.config.app(app)
        doc = fields_of(
            settings, session.load(settings), opening(session.config, settings, session.keeper(settings.name))
        )
    if as_json:
        show.document(doc)
        return 0
    rows = [
        [
            *(each["label"], each["path"], each["type"], "read" if each["read_only"] else ""),
            *(each["field"] or "-", ", ".join(each["options"])),
        ]
        for each in doc["fields"]
    ]
    show.table(["called", "path", "type", "only", "field", "options"], rows)
    if not doc["tells"]:
        show.line(f"{doc['connector']} does not tell of other fields; these are in effect")
    return 0


COMMANDS = (status, explain, history, fields)
GROUPS = (("inbox", "What waits for a decision.", (inbox_list, inbox_show, inbox_resolve)),)
