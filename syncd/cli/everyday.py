"""The commands that machines call every minute, `sync` and `status`, without the price of the CLI library.

Typer brings pydantic with it, which costs as much CPU as a whole pass that finds nothing to do. So the plain spellings of
these two are read here; anything else, also a mistake, is Typer's to read and to explain. A test proves that both agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from syncd.cli import show
from syncd.cli.clock import now_ms
from syncd.cli.opening import leased, opened
from syncd.cli.telling import LOOK_ANEW, held_word, next_command, tell, unreadable_consents

if TYPE_CHECKING:
    from syncd.core.rules import Rules
    from syncd.engine.runs import Session
    from syncd.ops.status import HooksStatus, Status

ALIVE_POLLS: Final = 3


def sync(*, approve: bool, config: Path | None, as_json: bool) -> int:
    """Run passes until quiescent."""
    from syncd.engine import runs

    with leased(config) as session:
        outcome = runs.sync(session, approve=approve)
    return tell(outcome, as_json=as_json, file=config)


def status(*, alive: bool, config: Path | None, as_json: bool) -> int:
    """Say what is linked, in sync, pending ... per app."""
    from syncd.ops.status import alive_age
    from syncd.ops.status import status as count
    from syncd.store.post import is_vacant

    with opened(config) as session:
        vacant = is_vacant(session.store)
        if alive:
            age = session.store.read(lambda tx: alive_age(tx, now_ms()))
            due = ALIVE_POLLS * min(app.poll_seconds for app in session.config.apps)
            return _tell_alive(age, 0.0 if vacant else due, as_json=as_json)
        names, rules = [app.name for app in session.config.apps], rules_of(session)
        hooked = {app.name for app in session.config.apps if app.hooks}
        found = session.store.read(lambda tx: count(tx, names, rules, now_ms(), hooked))
    if vacant:
        found.daemon.on_duty = None
    if as_json:
        show.document(found.doc())
    else:
        _tell_status(found, config)
    return 0


COMMANDS: Final[dict[str, tuple[Callable[..., int], str]]] = {"sync": (sync, "approve"), "status": (status, "alive")}
"""Command -> what does it, and its one option of its own."""


def read(words: Sequence[str]) -> Callable[[], int] | None:
    """Read a plain command line; None for anything that is not as plain as that."""
    if not words or words[0] not in COMMANDS:
        return None
    command, own = COMMANDS[words[0]]
    given: dict[str, Any] = {own: False, "config": None, "as_json": False}
    rest = iter(words[1:])
    for word in rest:
        if word in ("-c", "--config"):
            value = next(rest, "")
            if not value or value.startswith("-"):
                return None
            given["config"] = Path(value)
        elif word == f"--{own}":
            given[own] = True
        elif word == "--json":
            given["as_json"] = True
        elif word != "--debug":
            return None
    return partial(command, **given)


def rules_of(session: Session) -> Rules:
    """Build the rules without opening any app."""
    from syncd.engine.setup import make_hub

    return make_hub(session.world, session.config, session.load, only=frozenset()).rules


def _tell_alive(age: float | None, due_seconds: float, *, as_json: bool) -> int:
    """Say whether the daemon was heard of lately. `due_seconds`: how long it may be silent; 0: its process has ended."""
    alive = age is not None and age <= due_seconds and due_seconds > 0
    if as_json:
        show.document({"alive": alive, "age_seconds": age})
    elif age is None:
        show.line("not alive: the daemon never ran, or was stopped")
    else:
        ended = "" if due_seconds else ", and its process has ended"
        show.line(f"{'alive' if alive else 'not alive'}: last heard of {show.age(age)} ago{ended}")
    return 0 if alive else 3


def _hooks(app: str, hooks: HooksStatus) -> str:
    if hooks.last_age_seconds is None:
        came = "webhooks: none came yet"
    else:
        came = f"webhooks: {hooks.seen} came, the last {show.age(hooks.last_age_seconds)} ago"
    waiting = f", {hooks.waiting} waiting" if hooks.waiting else ""
    missed = f", {hooks.missed} changes that none of them named" if hooks.missed else ""
    silent = (
        "; they seem to come no more: see whether the vendor still sends, and to which address" if hooks.silent else ""
    )
    return f"{app}: {came}{waiting}{missed}{silent}"


def _tell_status(found: Status, file: Path | None) -> None:
    show.line(f"{found.contacts} contacts, {found.inbox} in the inbox")
    if found.held is not None:
        number = found.held["run"]
        what = ", ".join(held_word(each, limit=True) for each in found.held["held"])
        show.line(f"held: run {number} found: {what}: {next_command(f'approve {number}', file)}")
        show.line(LOOK_ANEW)
    if found.daemon.age_seconds is not None:
        who, age = found.daemon.on_duty or "its process has ended", show.age(found.daemon.age_seconds)
        show.line(show.plain(f"daemon: {who}, last heard of {age} ago"))
    for who in found.daemon.standing_by:
        show.line(show.plain(f"stands by: {who}"))
    head = ["app", "linked", "in sync", "pending", "parked", "excluded", "failed", "conflicts", "read", ""]
    rows = []
    for app in found.apps:
        counts = [app.linked, app.in_sync, app.pending, app.parked, app.excluded, app.failed, app.conflicts]
        age = "never" if app.cursor_age_seconds is None else f"{show.age(app.cursor_age_seconds)} ago"
        rows.append([app.name, *counts, age, "paused" if app.paused else ""])
    show.table(head, rows, right=range(1, 8))
    for app in found.apps:
        for reason, count in app.reasons.most_common():
            show.line(f"{app.name}: {count} excluded: {reason}")
        if app.unreadable:
            records = "1 record has a cell" if app.unreadable == 1 else f"{app.unreadable} records have a cell"
            show.line(
                f"{app.name}: {records} that cannot be read; it stays there and goes nowhere (status --list unreadable)"
            )
        if app.unreadable_consents:
            show.line(unreadable_consents(app.name, app.unreadable_consents))
        if app.hooks is not None:
            show.line(_hooks(app.name, app.hooks))
        if app.last_error:
            error = app.last_error
            show.line(show.plain(error if error.startswith(f"{app.name}:") else f"{app.name}: {error}"))
