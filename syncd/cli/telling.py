"""What people are told after a run: what happened in each app, what waits, and what to type next."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any, Final

from syncd.cli import show
from syncd.ops.times import iso

if TYPE_CHECKING:
    from pathlib import Path

    from syncd.engine.finish import Outcome

OUTCOMES: Final = {"in_sync": "in sync", "partial": "partly in sync", "held": "held"}
PREVIEW: Final = {
    "matched": "contacts that several apps have",
    "unmatched": "records that are in one app only",
    "ambiguous": "records that will wait for a decision in the inbox",
    "disagreeing": "contacts on which the apps do not agree",
}
_LACKS: Final = {"unlinks": "linked records", "fields": "of the fields it had"}
UNDONE: Final = ("parked", "failed", "unreadable_consents")
SKIPPED_SHOWN: Final = 20
LOOK_ANEW: Final = "      (what is put right by then, the next sync does not hold)"
NOTHING_UNDONE: Final = "there is nothing to take back"


def next_command(words: str, file: Path | None) -> str:
    """Spell a command to type next, with the configuration that was named."""
    return f"syncd {words}" + (f" -c {file}" if file is not None else "")


def tell(outcome: Outcome, *, as_json: bool, file: Path | None) -> int:
    """Say how a run went; return its exit code."""
    tell_errors(outcome)
    if as_json and outcome.code != 2:
        show.document(outcome.doc)
        return outcome.code
    with on_stderr() if outcome.code == 2 else nullcontext():
        _tell_run(outcome, file)
    tell_wrong(outcome, file)
    return outcome.code


def _tell_run(outcome: Outcome, file: Path | None) -> None:
    doc = outcome.doc
    if outcome.preview:
        _tell_preview(doc, outcome.preview, file)
        if outcome.errors:
            show.line(
                "Not every app could be asked: what these hold is in no figure, and nobody is created anywhere before all "
                "were read."
            )
        return
    show.line(f"run {doc['run']}: {_outcome(outcome)}")
    tell_counts(doc["apps"])
    tell_skipped(doc.get("skipped"))
    tell_paused(outcome)
    for app, counts in doc["apps"].items():
        if count := counts.get("unreadable_consents"):
            show.line(unreadable_consents(app, count))
    tell_doubt(outcome)
    for why in outcome.left:
        show.line(show.plain(why))
    for app, count in outcome.missed.items():
        missing = "1 record is missing that was" if count == 1 else f"{count} records are missing that were"
        show.line(
            f"{app}: {missing} there; what the next sync does not find either counts as removed "
            f"(`syncd status --list missing --app {app}` names them)"
        )
    tell_held(doc["held"], doc["run"], file)
    tell_inbox(doc["inbox"], file)


def _outcome(outcome: Outcome) -> str:
    """Say in a few words how a run went. An open inbox holds nothing else up."""
    doc = outcome.doc
    if outcome.code != 4 or doc["held"] or not doc["inbox"]:
        return OUTCOMES[doc["outcome"]]
    left = outcome.errors or outcome.left or any(counts.get(name) for counts in doc["apps"].values() for name in UNDONE)
    cases = "1 case waits" if doc["inbox"] == 1 else f"{doc['inbox']} cases wait"
    return f"{'partly in sync' if left else 'done'}; {cases} in the inbox"


def tell_errors(outcome: Outcome) -> None:
    """Say on stderr which apps were set aside, and why."""
    for app, rows in outcome.parked.items():
        lines = [(record, why) for record, why in rows if record.startswith("line:")]
        for line, why in lines:
            show.complain(f"{app}: {line} is set aside: {why}")
        for why, count in Counter(why for record, why in rows if not record.startswith("line:")).items():
            records = "a record is" if count == 1 else f"{count} records are"  # a key may be somebody's address
            show.complain(f"{app}: {records} set aside: {why}")
        if (more := outcome.doc["apps"][app]["parked"] - len(rows)) > 0:
            show.complain(f"{app}: {more} more {'is' if more == 1 else 'are'} set aside")
    if outcome.parked:
        show.hint("syncd status --list parked names them")
    for app, why in outcome.errors.items():
        show.complain(why if why.startswith(f"{app}:") else f"{app}: {why}")


def tell_paused(outcome: Outcome) -> None:
    """Say which apps took no part, and what waits for them."""
    if outcome.paused:
        show.line(f"paused, neither read nor written: {', '.join(outcome.paused)}")
    for app, count in outcome.paused.items():
        if count:
            show.line(f"{app}: {'1 write waits' if count == 1 else f'{count} writes wait'} for it to go on")


def tell_doubt(outcome: Outcome) -> None:
    """Say of which writes nobody knows whether they happened, and when that will be known."""
    for app, (count, until_ms) in outcome.doubt.items():
        writes = "1 write has no answer" if count == 1 else f"{count} writes have no answer"
        show.line(
            f"{app}: {writes}, and may still arrive until {iso(until_ms)}; each run looks whether they did, and nothing is "
            "sent twice"
        )


def unreadable_consents(app: str, count: int) -> str:
    """Say of how many records nobody can tell whether these people opted out, and what to do."""
    records = "1 record has a word" if count == 1 else f"{count} records have a word"
    return (
        f"{app}: {records} for consent that is not known: nobody can tell whether they opted out; "
        "`syncd check` says what to do"
    )


def tell_wrong(outcome: Outcome, file: Path | None) -> None:
    """Say what to do where an app's table or file is not what the configuration says."""
    if outcome.code == 2:
        show.hint("the other apps went on; correct the configuration, or the app, and look again:")
        show.hint(next_command("check", file))


def on_stderr() -> AbstractContextManager[object]:
    """Tell it on stderr: with exit code 2 scripts find nothing on stdout."""
    return redirect_stdout(sys.stderr)


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
    show.table(
        ["found", "count", "what it counts"],
        [[name, preview.get(name, 0), what] for name, what in PREVIEW.items()],
        right=[1],
    )
    show.line()
    tell_counts(doc["apps"])
    apps = list(doc["apps"])
    held = sorted(doc["held"], key=lambda each: (apps.index(each["app"]), each["verb"]))
    writes = [(each["app"], each["verb"].replace("_", " "), each["count"]) for each in held if each["count"]]
    show.line()
    if writes:
        show.line("What would be written:")
        show.table(["app", "what", "count"], writes, right=[2], indent="  ")
    else:
        show.line("Nothing would be written now.")
    show.line()
    show.line(f"Look closer: {next_command('plan', file)}")
    if not held:
        return
    show.line(f"Go ahead:    {next_command('sync --approve', file)}")
    run = doc.get("run")
    if run:
        show.line(f"or:          {next_command(f'approve {run}', file)}   (the next sync or the daemon goes on)")


def tell_held(held: Sequence[Mapping[str, Any]], run: int | None, file: Path | None) -> None:
    """Say which guard refused, how much, the limit, and how to let it through."""
    for each in held:
        show.line(f"held: {each['app']} {_why_held(each)}")
    if held and run is not None:
        show.line(f"      look:       {next_command('plan', file)}")
        show.line(f"      let it be:  {next_command(f'approve {run}', file)}, then {next_command('sync', file)}")


def _why_held(each: Mapping[str, Any]) -> str:
    if each["verb"] == "account":
        return (
            "is another account, file or table than before. The same people in another place: approve. "
            "Other people: point it back, or give it a new name in the configuration"
        )
    if each["verb"] == "first_look":
        return (
            f"was out of reach at the first look; nobody has seen yet what its {each['count']} records would change, and "
            "nothing of it is merged or written"
        )
    if each["verb"] == "fields":
        return (
            f"no longer offers {each['count']} of the fields it had (a renamed column?); "
            "nothing is read or written there"
        )
    if each["verb"] == "restored":
        return (
            f"shows {each['count']} records as they were before ({each['limit']} are believed unasked): restored from a backup? "
            "Nothing of it is merged or written. It is old: approve, and it is brought up to date. It is right: "
            f"`syncd resync --app {each['app']} --pull-only`. A mistake: put the newer state back, and the next run goes on"
        )
    if each["verb"] == "unreadable":
        return (
            f"shows {each['count']} linked records that cannot be read any more, or not at all (another encoding?), "
            f"{each['limit']} are believed unasked; nothing of it is merged or written until it is right again"
        )
    if each["verb"] == "mixed_up":
        return (
            f"shows other people, or addresses of other people, in {each['count']} of its records, {each['limit']} may go unasked: rows "
            "mixed up? Nothing of it is merged or written. A mistake: put it right, and the next run goes on. It is right: approve"
        )
    if each["verb"] == "unlinks":
        return (
            f"shows {each['count']} linked records no more, {each['limit']} may go unasked; nothing of its listing is believed, and "
            f"nobody is given up (`syncd status --list missing --app {each['app']}` names them)"
        )
    return (
        f"would have {each['count']} {each['verb'].replace('_', ' ')} in one run, "
        f"{each['limit']} are allowed unasked; nothing of that was done"
    )


def would_hold(each: Mapping[str, Any], *, first: bool = False) -> str:
    """Say in a plan which guard would refuse. `first`: nobody approved the first run yet, and all of it waits for that."""
    if each["verb"] in ("account", "fields", "first_look", "mixed_up", "restored"):
        return f"held: {each['app']} {_why_held(each)}"
    if each["verb"] == "first_run":
        return "the first run waits for an approval, whatever it would write"
    if first and not each["limit"]:
        return f"waits for the approval of the first run: {held_word(each)}"
    return f"would be held: {held_word(each)} (limit {each['limit']})"


def held_word(each: Mapping[str, Any], *, limit: bool = False) -> str:
    """Name what was held, in a few words; with the limit where there is one (a first look has none)."""
    if each["verb"] == "account":
        return f"{each['app']} is another account"
    if each["verb"] == "first_run":
        return "the first run"
    told = f" (limit {each['limit']})" if limit and each["limit"] else ""
    if each["verb"] == "restored":
        return f"{each['app']} went back in time in {each['count']} records{told}"
    if each["verb"] == "mixed_up":
        return f"{each['app']} shows others in {each['count']} records{told}"
    if each["verb"] in _LACKS:
        return f"{each['app']} lacks {each['count']} {_LACKS[each['verb']]}{told}"
    return f"{each['app']} {each['count']} {each['verb'].replace('_', ' ')}{told}"


def tell_skipped(skipped: object) -> None:
    """List what was not done because the world had moved."""
    if not isinstance(skipped, list) or not skipped:
        return
    show.line(f"skipped: {len(skipped)}")
    names = ["contact", "app", *(["record"] if any(each.get("record") for each in skipped) else []), "field"]
    rows = [
        [*(each.get(name) for name in names), each.get("reason") or each.get("skipped")]
        for each in skipped[:SKIPPED_SHOWN]
    ]
    show.table([*names, "why"], rows, indent="  ")
    if len(skipped) > SKIPPED_SHOWN:
        show.line(f"  and {len(skipped) - SKIPPED_SHOWN} more (--json lists all)")


def tell_given_back(outcome: Outcome) -> None:
    """Say that apps which get back what each of them held may go on differing: no case is opened again."""
    if count := outcome.given_back:
        contacts = "1 contact" if count == 1 else f"{count} contacts"
        show.line(
            f"{contacts}: each app gets back what it held, and keeps that until somebody changes it; what was decided in the "
            "inbox is not asked again"
        )


def tell_inbox(inbox: int | None, file: Path | None) -> None:
    """Say how many cases can be looked at and decided."""
    if inbox:
        what = "1 case waits" if inbox == 1 else f"{inbox} cases wait"
        show.line(f"inbox: {what} for a decision: {next_command('inbox list', file)}")


def tell_intent(intent: Mapping[str, Any]) -> None:
    """Show one intent of a plan: what, where, and every field with its reason."""
    where = intent["record"] or "a new record"
    about = f"{intent['contact']}, {intent['who']}" if intent.get("who") else intent["contact"]
    show.line(show.plain(f"{intent['app']}: {intent['kind']} {where} ({about})"))
    fields = intent["fields"].items()
    rows = [[name, _side(each["from"]), "->", _side(each["to"]), each["reason"]] for name, each in fields]
    width_ = [max((show.width(show.plain(row[i])) for row in rows), default=0) for i in range(4)]
    for row in rows:
        cells = [show.plain(cell) for cell in row]
        padded = [cell + " " * (width_[i] - show.width(cell)) for i, cell in enumerate(cells[:4])]
        show.line(f"    {'  '.join(padded)}  ({cells[4]})")


def _side(value: Any) -> Any:
    return "(blank)" if value in (None, "") else value
