"""Commands about the kinds of app: list, show, test and make connectors."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncd.cli import show
from syncd.cli.opening import configured, opened
from syncd.cli.options import AsJson, ConfigFile, Debug, known
from syncd.cli.progress import Line
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from syncd.kit.asking import Outcome


class Against(StrEnum):
    """What a connector is tested on."""

    sandbox = "sandbox"
    live = "live"


Name = Annotated[str, typer.Argument(metavar="NAME", help="A connector, or the path of its folder.")]


def connectors_list(config: ConfigFile = None, as_json: AsJson = False, debug: Debug = False) -> int:
    """List the connectors that are there."""
    from syncd import registry
    from syncd.kit.card import card_of

    cards = [card_of(folder) for _, folder in sorted(registry.catalogue(_folders(config)).items())]
    if as_json:
        show.document({"connectors": cards})
    else:
        show.table(["name", "what it is"], [[card["name"], card["summary"]] for card in cards])
    return 0


def connectors_show(name: Name, config: ConfigFile = None, as_json: AsJson = False, debug: Debug = False) -> int:
    """Show what a connector states about itself: settings, secrets, fields, capabilities, what is peculiar."""
    from syncd.kit.card import card_of
    from syncd.kit.pages import page

    card = card_of(_found(name, config))
    if as_json:
        show.document(card)
    else:
        show.line(page(card))
    return 0


def connectors_test(
    name: Name,
    against: Annotated[
        Against, typer.Option("--against", help="The stand-in beside it (or a real server), or your account.")
    ] = Against.sandbox,
    app: Annotated[
        str | None, typer.Option("--app", metavar="APP", help="live: this app of the configuration.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="live: also write, to a record of the kit's own.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="live: do not ask.")] = False,
    only: Annotated[
        str, typer.Option("--only", metavar="WORD", help="sandbox: only checks with this word in their name.")
    ] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Put every question of the kit to a connector, on the stand-in beside it, and print its card. Exits 3 where one failed.

    Where a connector is proven on the real server, that runs in the stand-in's place, if it is installed.

    With `--against live` only what does no harm is asked of the account of an app: reads, and with --write one record of the
    kit's own, which it archives again. What could not be proven is said.
    """
    from syncd.kit.card import card_of

    live = against is Against.live
    if not live and (app is not None or write or yes):
        raise ConfigError("--app, --write and --yes go with --against live")
    folder = _found(name, config)
    outcomes = _asked_live(folder, config, app, write=write, yes=yes) if live else _asked(folder, only)
    failed = [each for each in outcomes if each.verdict == "failed"]
    card = card_of(folder, look=not (live or failed or only))
    if as_json:
        show.document({"card": card, "checks": [_doc(each) for each in outcomes], "failed": len(failed)})
    else:
        _tell_outcomes(outcomes, each_one=live)
        _tell_card(card)
    return 3 if failed else 0


def _asked(folder: Path, only: str) -> list[Outcome]:
    from syncd.kit.asking import ask_all

    with _line() as say:
        return list(ask_all(folder, lambda what, asked, of: say(f"{asked}/{of} {what}"), only))


@contextmanager
def _line() -> Iterator[Callable[[str], None]]:
    """Say on the terminal how far it is, where there is one."""
    line = Line.where_it_is_seen()
    try:
        yield line.say if line else lambda _: None
    finally:
        if line:
            line.stop()


def _asked_live(folder: Path, config: Path | None, app: str | None, *, write: bool, yes: bool) -> list[Outcome]:
    """Ask an account of the configuration, alone: so that no pass spreads the record that the kit makes."""
    import time

    from syncd import registry
    from syncd.kit.live import Live, ask_live
    from syncd.ops.check import opening

    with opened(config, lease=True) as session:
        using = [
            each
            for each in session.config.apps
            if registry.find(each.connector_at, session.config.connector_folders) == folder
        ]
        known([app] if app else None, [each.name for each in using], "app of this connector")
        chosen = [each for each in using if app in {None, each.name}]
        if len(chosen) != 1:
            named = f"; name one by --app: {', '.join(each.name for each in chosen)}" if chosen else ""
            raise ConfigError(f"{session.config.path}: {len(chosen)} apps are of the connector {folder.name}{named}")
        [settings] = chosen
        _confirm(settings.name, write=write, yes=yes)
        given = opening(session.config, settings, session.keeper(settings.name))
        live = Live(open=lambda: session.load(settings).open(given), sleep=time.sleep)
        with _line() as say:
            found = []
            for each in ask_live(live, write=write):
                say(each.question)
                found.append(each)
            return found


def _confirm(app: str, *, write: bool, yes: bool) -> None:
    what = (
        "reads it, and makes, changes and archives one record of its own in it"
        if write
        else "reads it, and writes nothing"
    )
    if yes:
        return
    if not (sys.stdin.isatty() and show.terminal()):
        raise ConfigError(f"the kit {what}: {app} is a real account; say --yes")
    if not typer.confirm(f"{app} is a real account. The kit {what}. Go on?", default=False):
        raise typer.Abort


def connectors_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: small letters, digits and _.")],
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="The folder in which it gets one of its own.")
    ] = Path(),
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Begin a connector for an HTTP API: a manifest, a stand-in for the app, and the people in it. The kit is green on it."""
    from syncd.kit.starting import FILES, start

    folder = start(name, into)
    if as_json:
        show.document({"folder": str(folder), "files": list(FILES)})
    else:
        path = str(folder) if "/" in str(folder) else f"./{folder}"
        show.line(f"made {path}: {', '.join(FILES)}")
        show.line(f"next: syncd connectors test {path}, then go through the numbers in {path}/manifest.yaml")
    return 0


def _tell_outcomes(outcomes: list[Outcome], *, each_one: bool) -> None:
    for each in outcomes if each_one else ():
        why = f": {each.why.message}" if each.verdict == "not asked" and each.why else ""
        show.line(show.plain(f"{'not proven' if each.verdict == 'not asked' else each.verdict}  {each.question}{why}"))
    for each in outcomes:
        if each.verdict == "failed" and each.why is not None:
            show.line(f"FAILED {each.question}{f' ({each.world})' if each.world else ''}")
            show.line(show.plain(f"  {each.why.message}"))
            if each.why.asked:
                show.line(show.plain(f"  asked: {each.why.asked}"))
            for what, held in each.why.held:
                show.line(show.plain(f"  {what} = {held}"))
            if each.why.place:
                show.line(show.plain(f"  in {each.why.place}"))
            show.line()
    counts = Counter(each.verdict for each in outcomes)
    reasons = Counter(each.why.message for each in outcomes if each.verdict == "not asked" and each.why)
    show.line(f"{counts['green']} green, {counts['failed']} failed, {counts['not asked']} not asked")
    for reason, count in reasons.most_common():
        show.line(show.plain(f"  not asked: {count}, {reason}"))


def _tell_card(card: dict[str, Any]) -> None:
    from syncd.kit.pages import promises

    show.line()
    show.line(show.plain(f"{card['name']}: {card['summary']}"))
    show.table(["what happens", "here"], list(promises(card)))
    for quirk in card["quirks"]:
        show.line(show.plain(f"- {quirk}"))


def _doc(each: Outcome) -> dict[str, Any]:
    why = each.why
    told = (
        {} if why is None else {"message": why.message, "asked": why.asked, "held": dict(why.held), "place": why.place}
    )
    return {"check": each.check, "world": each.world, "verdict": each.verdict, "why": told or None}


def _folders(config: Path | None) -> tuple[Path, ...]:
    return tuple(configured(config, resolve=False).connector_folders) if config is not None else ()


def _found(name: str, config: Path | None) -> Path:
    """Find the folder that is meant; one in the current directory needs no ./ before it."""
    from syncd import registry

    folders = _folders(config)
    here = name not in registry.catalogue(folders) and Path(name).is_dir()
    return registry.find(f"./{name}" if here and "/" not in name else name, folders)


COMMANDS = (connectors_list, connectors_show, connectors_test, connectors_new)
