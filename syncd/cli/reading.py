"""Commands that only look. They exit 0 when they could read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from syncd.cli import everyday, show
from syncd.cli.opening import opened
from syncd.cli.options import AsJson, ConfigFile, Debug, Key, Since, key_from, known, since_ms
from syncd.cli.writing import Contact, Field, Run, inbox_resolve

if TYPE_CHECKING:
    from syncd.engine.runs import Session
    from syncd.ops.explain import Explained

ENTRIES_SHOWN: Final = 50
EXPLAINED_ENTRIES: Final = 100


def status(
    alive: Annotated[
        bool, typer.Option("--alive", help="Only say whether the daemon is alive; exit 3 if not.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Say per app what is linked, in sync, pending, parked, excluded, failed or in conflict."""
    return everyday.status(alive=alive, config=config, as_json=as_json)


def explain(
    key: Key,
    field: Annotated[str | None, typer.Argument(metavar="[FIELD]", help="Only this field.", show_default=False)] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Show one contact in every app: each field's value, where it comes from, since when, by which rule."""
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
        _tell_explained(found, history)
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


def _tell_explained(found: Explained, history: list[dict[str, Any]]) -> None:
    show.line(f"contact c{found.contact}" if found.contact is not None else "this record belongs to no contact yet")
    show.table(
        ["app", "record", "state", "why", "others with this key"],
        [[view.name, view.id or "-", view.state.word, view.state.why, ", ".join(view.others)] for view in found.apps],
    )
    if found.fields or any(view.fields for view in found.apps):
        show.line()
        names = list(dict.fromkeys([*found.fields, *(name for view in found.apps for name in view.fields)]))
        rows = []
        for name in sorted(names):
            field = found.fields.get(name, {})
            cells = [_cell(view.fields, name, linked=view.id is not None) for view in found.apps]
            rows.append([name, field.get("value"), *cells, field.get("from"), field.get("at")])
        show.table(["field", "contact", *(view.name for view in found.apps), "from", "at"], rows)
    rules: dict[str, list[str]] = {}
    for name, field in found.fields.items():
        rules.setdefault(field["rule"], []).append(name)
    if rules:
        show.line()
        show.table(["fields", "rule"], [[", ".join(names), rule] for rule, names in rules.items()])
    if history:
        show.line()
        _tell_entries(history)


def _cell(fields: dict[str, Any], name: str, *, linked: bool) -> str:
    """Spell what an app holds; "not offered" and "blank" are two things."""
    if name not in fields:
        return "-" if linked else ""
    return '""' if fields[name] in (None, "") else show.plain(fields[name])


def _tell_entries(entries: list[dict[str, Any]], *, contacts: bool = False) -> None:
    head = ["run", "at", *(["contact"] if contacts else []), "app", "field", "from", "to", "why"]
    rows = []
    for each in entries:
        who = [each["contact"]] if contacts else []
        rows.append([each["run"], each["at"], *who, *(each[name] for name in ("app", "field", "from", "to", "reason"))])
    show.table(head, rows)


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
            _stream({"runs": iterate_runs(read, chosen, limit), "entries": iterate(read, chosen, limit)})
            return 0
        runs = list(iterate_runs(read, chosen, limit or ENTRIES_SHOWN))
        entries = list(iterate(read, chosen, limit or ENTRIES_SHOWN))
    show.table(
        ["run", "at", "kind", "did"], [[each["run"], each["at"], each["kind"], _did(each["apps"])] for each in runs]
    )
    if entries:
        show.line()
        _tell_entries(entries, contacts=True)
        if len(entries) == (limit or ENTRIES_SHOWN):
            show.line("there may be more: --limit N, or narrow it by --run, --contact, --field, --since")
    return 0


def _did(apps: dict[str, dict[str, int]]) -> str:
    parts = []
    for app, counts in apps.items():
        done = [f"{count} {name}" for name, count in counts.items() if count and name != "read"]
        if done:
            parts.append(f"{app}: {', '.join(done)}")
    return "; ".join(parts) or "nothing to do"


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
    from syncd.ops.inbox import held_run, iterate

    with opened(config) as session:
        cases = list(iterate(session.store.read))
        held = session.store.read(held_run)
    if as_json:
        show.document({"cases": cases, "held": [held] if held else []})
        return 0
    if cases:
        names = ("case", "kind", "contact", "app", "field", "since", "reason")
        show.table(
            ["case", "what", "contact", "app", "field", "since", "why"], [[each[n] for n in names] for each in cases]
        )
        show.line("syncd inbox show CASE shows the values; syncd inbox resolve CASE decides")
    if held:
        what = ", ".join(f"{each['app']} {each['count']} {each['verb']}" for each in held["held"])
        show.line(f"run {held['run']} is held ({what}): syncd approve {held['run']}")
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
    from syncd.ops.inbox import show as show_case

    with opened(config) as session:
        doc = session.store.read(lambda tx: show_case(tx, case))
    if as_json:
        show.document(doc)
        return 0
    show.line(f"case {doc['case']}: {doc['kind']}, contact {doc['contact']}, since {doc['since']}")
    for name in ("app", "record", "field", "reason"):
        if doc.get(name):
            show.line(show.plain(f"  {name}: {doc[name]}"))
    values = doc.get("values") or {}
    show.table(["", "value"], [[app, value] for app, value in values.items()], indent="  ") if values else None
    if doc.get("candidates"):
        show.table(
            ["app", "record", "contact"], [[a, r, f"c{c}" if c else ""] for a, r, c in doc["candidates"]], indent="  "
        )
    show.line(f"decide: syncd inbox resolve {case} {' | '.join(doc['decisions'])}")
    return 0


COMMANDS = (status, explain, history)
GROUPS = (("inbox", "What waits for a decision.", (inbox_list, inbox_show, inbox_resolve)),)
