"""Commands that change something: an app, or what the hub remembers. Each is a few lines around one run."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from syncd.cli import everyday, show
from syncd.cli.opening import leased, opened
from syncd.cli.options import Approve, AsJson, ConfigFile, Debug, Since, key_from, known, listed, since_ms
from syncd.cli.telling import NOTHING_UNDONE, held_word, next_command, tell, tell_given_back
from syncd.errors import ConfigError

Apps = Annotated[list[str] | None, typer.Option("--app", metavar="APP", help="Only this app; may be repeated.")]
OneApp = Annotated[
    str | None, typer.Argument(metavar="[APP]", help="One app; without it, all of them.", show_default=False)
]
Contact = Annotated[str | None, typer.Option("--contact", metavar="KEY", help="Only this contact.")]
Run = Annotated[int | None, typer.Option("--run", metavar="RUN", help="Only what this run did.")]
Field = Annotated[str | None, typer.Option("--field", metavar="FIELD", help="Only this field.")]


def sync(approve: Approve = False, config: ConfigFile = None, as_json: AsJson = False, debug: Debug = False) -> int:
    """Read all apps, decide, and write until nothing is left to do; then exit."""
    return everyday.sync(approve=approve, config=config, as_json=as_json)


def resync(
    app: Apps = None,
    contact: Contact = None,
    fields: Annotated[
        list[str] | None, typer.Option(metavar="F,F", help="Only these fields; commas, or repeated.")
    ] = None,
    since: Since = None,
    pull_only: Annotated[bool, typer.Option("--pull-only", help="Write nothing into the selected apps.")] = False,
    push_only: Annotated[bool, typer.Option("--push-only", help="What the contact holds wins over the apps.")] = False,
    approve: Approve = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Read everything selected again, whatever was read before, and put right what differs."""
    from syncd.engine import runs
    from syncd.ops.find import contact_of

    if pull_only and push_only:
        raise ConfigError("--pull-only and --push-only exclude each other")
    moment = since_ms(since)
    with leased(config) as session:
        known(app, [each.name for each in session.config.apps], "app")
        chosen = listed(fields)
        known(chosen, session.config.fields, "field")
        contacts = None
        if contact is not None:
            key = key_from(contact)
            contacts = [session.store.read(lambda tx: contact_of(tx, session.config, key))]
        elif moment is not None:
            contacts = session.store.read(lambda tx: tx.contacts_since(moment))
        outcome = runs.resync(
            session,
            apps=app or None,
            contacts=contacts,
            fields=chosen,
            direction="pull" if pull_only else "push" if push_only else "both",
            approve=approve,
        )
    return tell(outcome, as_json=as_json, file=config)


def plan(
    app: Apps = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the plan here, for `syncd apply`.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Read and decide, and write nothing anywhere: every intent with its reason."""
    from syncd.cli.plans import run_plan

    with opened(config) as session:
        known(app, [each.name for each in session.config.apps], "app")
        return run_plan(session, app or None, out, as_json=as_json, file=config)


def apply(
    plan_file: Annotated[Path, typer.Argument(metavar="FILE", help="A plan written by `syncd plan --out FILE`.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Do exactly what a plan says; what has moved since is skipped and listed."""
    from syncd.cli.plans import read_plan
    from syncd.engine import runs

    planned = read_plan(plan_file)
    with leased(config) as session:
        outcome = runs.apply(session, planned)
    return tell(outcome, as_json=as_json, file=config)


def undo(
    run: Run = None,
    contact: Contact = None,
    field: Field = None,
    since: Since = None,
    approve: Annotated[bool, typer.Option("--approve", help="Do it; without this, it is only shown.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Take back what a run did, or what happened to a contact or a field; selectors combine. Shown first."""
    from syncd.cli.plans import tell_undo
    from syncd.engine import runs
    from syncd.engine.undo import Selection
    from syncd.ops.find import contact_of

    if run is None and contact is None and field is None and since is None:
        raise ConfigError("say what to take back: --run, --contact, --field, --since; they combine")
    moment = since_ms(since)
    with leased(config) if approve else opened(config) as session:
        known([field] if field else None, [*session.config.fields, *session.config.groups], "field")
        contacts = None
        if contact is not None:
            key = key_from(contact)
            contacts = [session.store.read(lambda tx: contact_of(tx, session.config, key))]
        if run is not None and session.store.read(lambda tx: tx.run(run)) is None:
            raise ConfigError(f"there is no run {run}; `{next_command('history', config)}` lists them")
        chosen = Selection(run=run, contacts=contacts, field=field, since_ms=moment)
        outcome = runs.undo(session, chosen, approve=approve)
    if not approve and not as_json:
        return tell_undo(outcome)
    code = tell(outcome, as_json=as_json, file=config)
    if not as_json and code != 2:
        tell_given_back(outcome)
        if outcome.undone == 0:
            show.line(NOTHING_UNDONE)
    return code


def approve_(
    run: Annotated[int, typer.Argument(metavar="RUN", help="The run that was held.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Let a held run go on: the next sync may do as much as it wanted to, and no more."""
    from syncd.engine import runs
    from syncd.ops.holds import demand_waiting

    with opened(config) as session:
        session.store.read(lambda tx: demand_waiting(tx, run))
        doc = runs.approve(session, run)
    if as_json:
        show.document(doc)
        return 0
    if not doc["approved"]:
        show.line(f"run {run} is approved already")
    for held in doc["approved"]:
        show.line(f"approved: {held_word(held)}")
    show.line(f"The daemon goes on by itself; without one: {next_command('sync', config)}")
    return 0


def pause(app: OneApp = None, config: ConfigFile = None, as_json: AsJson = False, debug: Debug = False) -> int:
    """Stop reading and writing one app, or all, until `syncd resume`."""
    return _pause(app, config, paused=True, as_json=as_json)


def resume(app: OneApp = None, config: ConfigFile = None, as_json: AsJson = False, debug: Debug = False) -> int:
    """Let a paused app, or all, go on."""
    return _pause(app, config, paused=False, as_json=as_json)


def _pause(app: str | None, config: Path | None, *, paused: bool, as_json: bool) -> int:
    from syncd.engine import runs

    with opened(config) as session:
        known([app] if app else None, [each.name for each in session.config.apps], "app")
        stopped = session.store.read(lambda tx: {name for name, state in tx.apps().items() if state.paused})
        doc = runs.pause(session, app, paused=paused)
    if not paused and app is None:
        doc = {**doc, "apps": [name for name in doc["apps"] if name in stopped]}
    if as_json:
        show.document(doc)
    elif doc["apps"]:
        show.line(f"{'paused' if paused else 'goes on'}: {', '.join(doc['apps'])}")
    else:
        show.line("no app was paused")
    return 0


def run(config: ConfigFile = None, as_json: AsJson = False, debug: Debug = False) -> int:
    """Be the daemon: poll and sweep the apps as configured, until SIGTERM. Logs go to stderr, as JSON in a pipe."""
    from syncd.cli.opening import configured, process
    from syncd.daemon import Daemon

    settings, around = configured(config), process()
    daemon = Daemon(settings, around)

    def beside() -> AbstractContextManager[None]:
        if not any(app.hooks for app in settings.apps):
            return nullcontext()
        from syncd.web.listening import listening

        return listening(lambda: daemon.config, around, daemon.store, daemon.wake)

    code = daemon.run(beside)
    if as_json:
        show.document({"outcome": "stopped"})
    return code


def inbox_resolve(
    case: Annotated[int, typer.Argument(metavar="CASE", help="The number of the case, from `syncd inbox list`.")],
    link: Annotated[
        str | None, typer.Option("--link", metavar="CONTACT", help="The record belongs to this contact (c42).")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="The record is a person of its own.")] = False,
    app: Annotated[str | None, typer.Option("--app", metavar="APP", help="This app's value is right.")] = None,
    value: Annotated[
        str | None, typer.Option("--value", metavar="TEXT", help="This value is right; - reads it from stdin.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="No value is right: empty the field everywhere.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave things as they are.")] = False,
    restore: Annotated[bool, typer.Option("--restore", help="Create the removed record again.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Decide a case of the inbox; the next sync carries it out."""
    from syncd.engine import runs
    from syncd.engine.resolve import Decision
    from syncd.ops.find import contact_of

    given = (link is not None, new, app is not None, value is not None, clear, keep, restore)
    if sum(given) != 1:
        raise ConfigError(
            "give one decision: --link CONTACT, --new, --app APP, --value TEXT, --clear, --keep or --restore"
        )
    text = _value_from(value) if value is not None else None
    with leased(config) as session:
        known([app] if app is not None else None, [each.name for each in session.config.apps], "app")
        contact = None
        if link is not None:
            key = key_from(link)
            contact = session.store.read(lambda tx: contact_of(tx, session.config, key))
        says = value is not None or clear
        decision = Decision(contact=contact, new=new, app=app, value=text, has_value=says, keep=keep, restore=restore)
        outcome = runs.resolve(session, case, decision)
    if as_json:
        show.document(outcome.doc)
    else:
        show.line(f"case {case} is decided; carried out by the next sync: {next_command('sync', config)}")
    return outcome.code


def _value_from(text: str) -> str:
    """Read a value, from stdin if it is `-`. An empty one is refused: a variable that is not set must not empty a field."""
    value = sys.stdin.readline().strip() if text == "-" else text
    if not value.strip():
        raise ConfigError("--value is empty (a variable that is not set?); to empty the field on purpose: --clear")
    return value


COMMANDS = (plan, apply, sync, resync, run, approve_, pause, resume, undo)
