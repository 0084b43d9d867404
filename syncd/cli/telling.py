"""What people are told after a run: what happened in each app, what waits, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from syncd.cli import show

if TYPE_CHECKING:
    from pathlib import Path

    from syncd.engine.runs import Outcome

OUTCOMES: Final = {"in_sync": "in sync", "partial": "partly in sync", "held": "held"}
PREVIEW: Final = {
    "matched": "records found in more than one app",
    "unmatched": "records that are in one app only",
    "ambiguous": "records that wait for a decision in the inbox",
    "disagreeing": "contacts on which the apps do not agree",
}
SKIPPED_SHOWN: Final = 20


def next_command(words: str, file: Path | None) -> str:
    """Spell a command to type next, with the configuration that was named."""
    return f"syncd {words}" + (f" -c {file}" if file is not None else "")


def tell(outcome: Outcome, *, as_json: bool, file: Path | None) -> int:
    """Say how a run went; return its exit code."""
    for app, why in outcome.errors.items():
        show.complain(why if why.startswith(f"{app}:") else f"{app}: {why}")
    if as_json:
        show.document(outcome.doc)
        return outcome.code
    doc = outcome.doc
    if outcome.preview:
        _tell_preview(doc, outcome.preview, file)
        return outcome.code
    show.line(f"run {doc['run']}: {OUTCOMES.get(doc['outcome'], doc['outcome'])}")
    tell_counts(doc["apps"])
    tell_skipped(doc.get("skipped"))
    tell_held(doc["held"], doc["run"], file)
    _tell_inbox(doc["inbox"], file)
    return outcome.code


def tell_counts(apps: Mapping[str, Mapping[str, int]]) -> None:
    """Show one line per app, and only the columns in which something happened."""
    names = [name for counts in apps.values() for name, count in counts.items() if count or name == "read"]
    shown = list(dict.fromkeys(names))
    rows = [[app, *(counts.get(name, 0) for name in shown)] for app, counts in apps.items()]
    if rows:
        show.table(["app", *shown], rows, right=range(1, len(shown) + 1))


def _tell_preview(doc: Mapping[str, Any], preview: Mapping[str, int], file: Path | None) -> None:
    show.line("First look: nothing has been written to any app.")
    show.line()
    show.table(["found", "", ""], [[name, preview.get(name, 0), what] for name, what in PREVIEW.items()], right=[1])
    show.line()
    tell_counts(doc["apps"])
    writes = [(held["app"], held["verb"], held["count"]) for held in doc["held"] if held["count"]]
    if writes:
        show.line()
        show.line("What would be written:")
        show.table(["app", "what", "count"], writes, right=[2], indent="  ")
    show.line()
    show.line(f"Look closer: {next_command('plan', file)}")
    show.line(f"Go ahead:    {next_command('sync --approve', file)}")
    run = doc.get("run")
    if run:
        show.line(f"or:          {next_command(f'approve {run}', file)}   (the next sync or the daemon goes on)")


def tell_held(held: Sequence[Mapping[str, Any]], run: int | None, file: Path | None) -> None:
    """Say which guard refused, how much, the limit, and how to let it through."""
    for each in held:
        show.line(
            f"held: {each['app']} would have {each['count']} {each['verb'].replace('_', ' ')} in one run, "
            f"{each['limit']} are allowed unasked; nothing of that was done"
        )
    if held and run is not None:
        show.line(f"      look:       {next_command('plan', file)}")
        show.line(f"      let it be:  {next_command(f'approve {run}', file)}, then {next_command('sync', file)}")


def tell_skipped(skipped: object) -> None:
    """List what was not done because the world had moved."""
    if not isinstance(skipped, list) or not skipped:
        return
    show.line(f"skipped: {len(skipped)}")
    rows = [
        [each.get("contact"), each.get("app"), each.get("field"), each.get("reason") or each.get("skipped")]
        for each in skipped[:SKIPPED_SHOWN]
    ]
    show.table(["contact", "app", "field", "why"], rows, indent="  ")
    if len(skipped) > SKIPPED_SHOWN:
        show.line(f"  and {len(skipped) - SKIPPED_SHOWN} more (--json lists all)")


def _tell_inbox(inbox: int | None, file: Path | None) -> None:
    if inbox:
        what = "1 case waits" if inbox == 1 else f"{inbox} cases wait"
        show.line(f"inbox: {what} for a decision: {next_command('inbox list', file)}")


def tell_intent(intent: Mapping[str, Any]) -> None:
    """Show one intent of a plan: what, where, and every field with its reason."""
    where = intent["record"] or "a new record"
    show.line(show.plain(f"{intent['app']}: {intent['kind']} {where} ({intent['contact']})"))
    rows = [[name, _from(each), "->", each["to"], each["reason"]] for name, each in intent["fields"].items()]
    width_ = [max((show.width(show.plain(row[i])) for row in rows), default=0) for i in range(4)]
    for row in rows:
        cells = [show.plain(cell) for cell in row]
        padded = [cell + " " * (width_[i] - show.width(cell)) for i, cell in enumerate(cells[:4])]
        show.line(f"    {'  '.join(padded)}  ({cells[4]})")


def _from(each: Mapping[str, Any]) -> Any:
    return "(blank)" if each["from"] in (None, "") else each["from"]
