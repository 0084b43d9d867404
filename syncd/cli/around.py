"""Commands around the work: init, check, schema, docs, db, demo."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from syncd.cli import kinds, show
from syncd.cli.opening import configured, process
from syncd.cli.options import AsJson, ConfigFile, Debug
from syncd.cli.telling import next_command
from syncd.errors import ConfigError, Problem

if TYPE_CHECKING:
    from syncd.config import Config
    from syncd.model import Spec


def init(
    force: Annotated[bool, typer.Option("--force", help="Replace a configuration that is there.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Write a commented starter configuration; asks on a terminal where to."""
    from syncd.config import starter

    file = config or process().config
    if config is None and sys.stdin.isatty() and show.terminal():
        file = Path(typer.prompt("Where shall the configuration lie?", default=str(file)))
        if file.exists() and not force:
            force = typer.confirm(f"{file} is there. Replace it?", default=False)
    try:
        if file.is_dir():
            raise ConfigError(f"{file} is a folder; name a file in it: -c {file / 'syncd.yaml'}")
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL), 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as text:
            text.write(starter())
    except FileExistsError:
        raise ConfigError(f"{file} is there already and was left as it is; --force replaces it") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from error
    if as_json:
        show.document({"file": str(file)})
    else:
        show.line(f"wrote {file}; edit it, then: {next_command('check', file)}")
    return 0


def check(
    offline: Annotated[
        bool, typer.Option("--offline", help="Only the text: no secret is read, no app is reached.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Check the configuration, the secrets, the store, and whether every app answers and can hold what it is to hold."""
    from syncd import registry
    from syncd.ops.check import check_all

    settings, secrets = _configured(config, offline=offline)
    specs = {app.name: registry.spec(app.connector_at, settings.connector_folders) for app in settings.apps}
    found = check_all(
        settings,
        specs,
        lambda app: registry.load(app.connector_at, settings.connector_folders),
        offline=offline,
        public_url=process().public_url,
    )
    if found.code == 2 or secrets:
        missing = {problem.path for problem in secrets}
        unread = {app.name for app in settings.apps if any(path.startswith(f"apps.{app.name}.") for path in missing)}
        for problem in (*secrets, *found.problems(but=unread, store=missing.isdisjoint(("store", "key")))):
            show.complain(str(problem))
        return 2
    if as_json:
        show.document(found.doc())
        return found.code
    for each in found.apps:
        show.line(f"{each.name} ({each.connector}): {each.word}")
        for finding in each.findings:
            where = f"{finding.field}: " if finding.field else ""
            show.line(show.plain(f"  {finding.level}: {where}{finding.message}"))
    for finding in found.findings:
        show.line(show.plain(f"{finding.level}: {finding.message}"))
    for problem in found.store:
        show.line(show.plain(f"store: {problem}"))
    if found.code == 0:
        show.line(f"{settings.path} is right. Next: {next_command('plan', config)}")
    return found.code


def _configured(file: Path | None, *, offline: bool) -> tuple[Config, tuple[Problem, ...]]:
    """Read the configuration, and name the secrets that are not there: they hide nothing else that is to be said."""
    if offline:
        return configured(file, resolve=False), ()
    try:
        return configured(file), ()
    except ConfigError as error:
        if not error.problems:
            raise
        try:
            return configured(file, resolve=False), error.problems
        except ConfigError:
            raise error from None


def schema(config: ConfigFile = None, as_json: AsJson = False, debug: Debug = False) -> int:
    """Print the JSON Schema of the configuration, for editors and CI."""
    import orjson

    from syncd.config import schema as json_schema

    text = orjson.dumps(json_schema(_specs(config)), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    show.raw(text)
    return 0


def _specs(config: Path | None) -> list[Spec]:
    """List the specs of all connectors: ours, and those of a configuration that is named."""
    from syncd import registry

    folders = configured(config, resolve=False).connector_folders if config is not None else ()
    return [registry.spec(name, folders) for name in sorted(registry.catalogue(folders))]


def docs(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 3 if something is out of date.")] = False,
    root: Annotated[Path, typer.Option("--root", help="The folder with README.md and docs/.")] = Path(),
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Print the reference parts of README.md and docs/*.md from the code."""
    from syncd import registry
    from syncd.cli.documents.printing import document_reference
    from syncd.cli.reference import command_reference
    from syncd.docs import update
    from syncd.kit.card import card_of

    cards = [card_of(folder, look=True) for folder in registry.catalogue().values()]
    stale = update(root, command_reference(), cards, documents=document_reference(), write=not check)
    if as_json:
        show.document({"stale": [str(path) for path in stale], "written": not check})
    else:
        for path in stale:
            show.line(f"{path}: {'out of date; `syncd docs` prints it anew' if check else 'printed anew'}")
        if not stale:
            show.line("up to date")
    return 3 if check and stale else 0


def db_upgrade(config: ConfigFile = None, as_json: AsJson = False, debug: Debug = False) -> int:
    """Bring the store to the version that this syncd needs (SQLite does so by itself, after a copy)."""
    from syncd.store.opening import upgrade_store

    settings = configured(config)
    before, now = upgrade_store(settings.store, settings.data_dir, key=settings.key)
    if as_json:
        show.document({"from": before, "to": now})
    else:
        show.line(f"the store is at version {now}" + (f" (was {before})" if before != now else ", as before"))
    return 0


def demo(
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Play it in this folder, empty or new, and leave it.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Show all of it on four apps that are played here, in a minute; nothing to configure, nothing left behind.

    With --json the story goes to stderr, and its figures are the document.
    """
    import importlib

    code = importlib.import_module("syncd.demo").run(keep, as_json=as_json)
    return code if isinstance(code, int) else 0


COMMANDS = (init, check, schema, docs, demo)
GROUPS = (
    ("connectors", "The kinds of app that there are.", kinds.COMMANDS),
    ("db", "The store.", (db_upgrade,)),
)
