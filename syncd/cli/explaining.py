"""`explain` for people: one contact in every app, what differs on purpose, by which rules, and what happened."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from syncd.cli import show
from syncd.cli.clock import now_ms

if TYPE_CHECKING:
    from syncd.ops.explain import AppView, Explained

BLANK: Final[tuple[Any, ...]] = (None, "", [], {})


def tell_explained(found: Explained, history: list[dict[str, Any]], *, exact: bool, blanks: bool) -> None:
    """Show it. `exact`: say when to the millisecond, not how long ago. `blanks`: also the fields that are blank everywhere."""
    show.line(f"contact c{found.contact}" if found.contact is not None else "this record belongs to no contact yet")
    others = ["others with this key"] if any(view.others for view in found.apps) else []
    rows = [
        [view.name, view.id or "-", view.state.word, *([", ".join(view.others)] if others else [])]
        for view in found.apps
    ]
    show.table(["app", "record", "state", *others], rows)
    for view in found.apps:
        if view.state.why:
            show.clauses(f"{view.name}: {view.state.word}: {view.state.why}".split("; "), "; ")
    names = [name for name in _names(found) if blanks or _filled(found, name)]
    if names:
        show.line()
        _tell_values(found, names, exact=exact)
        _tell_rules(found, names)
    if history:
        show.line()
        _tell_entries(history)


def _names(found: Explained) -> list[str]:
    return sorted({*found.fields, *(name for view in found.apps for name in view.fields)})


def _filled(found: Explained, name: str) -> bool:
    values = (found.fields.get(name, {}).get("value"), *(view.fields.get(name) for view in found.apps))
    return any(value not in BLANK for value in values)


def _tell_values(found: Explained, names: list[str], *, exact: bool) -> None:
    rows = []
    for name in names:
        field = found.fields.get(name, {})
        cells = [_cell(view, name) for view in found.apps]
        at = field.get("at")
        rows.append([name, field.get("value"), *cells, field.get("from"), at if exact else _ago(at)])
    show.table(["field", "contact", *(view.name for view in found.apps), "from", "at"], rows)
    for view in found.apps:
        for name in names:
            if name in view.unreadable:
                show.line(
                    f"{view.name}: {name} is unreadable: {view.unreadable[name]}; it stays there and goes nowhere"
                )
            if name in view.own:
                show.line(f"{view.name}: {name}: {view.own[name]}")


def _cell(view: AppView, name: str) -> str:
    """Spell what an app holds; "not offered" and "blank" are two things, and so are a value and what is none."""
    if name not in view.fields:
        return "-" if view.id is not None else ""
    raw = view.fields[name]
    text = '""' if raw in (None, "") else show.plain(raw)
    return f"(unreadable) {text}" if name in view.unreadable else text


def _ago(at: str | None) -> str:
    """Say how long ago it was, which takes less room than when."""
    if at is None:
        return ""
    return f"{show.age(max(0.0, now_ms() / 1000 - datetime.fromisoformat(at).timestamp()))} ago"


def _tell_rules(found: Explained, names: list[str]) -> None:
    """Show each rule once, with the fields that it is for."""
    rules: dict[str, list[str]] = {}
    for name in names:
        if name in found.fields:
            rules.setdefault(found.fields[name]["rule"], []).append(name)
    if rules:
        show.line()
    for rule, fields in rules.items():
        show.clauses(rule.split("; "), "; ")
        show.clauses(fields, ", ", indent="    ")


def _tell_entries(entries: list[dict[str, Any]]) -> None:
    names = ("run", "app", "field", "from", "to", "reason")
    show.table([*names[:-1], "why"], [[brief(each, name) for name in names] for each in entries])
    show.line()
    runs = {each["run"]: each["at"] for each in entries}
    show.table(["run", "at"], [[run, at] for run, at in runs.items()])


def brief(entry: dict[str, Any], name: str) -> Any:
    """Spell one cell of the journal; of a whole record only that it was one (`--json` has it)."""
    whole = name == "from" and entry["field"] is None and isinstance(entry[name], dict)
    return "(the record)" if whole else entry[name]
