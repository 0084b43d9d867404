"""Commands about the kinds of app: list, show, test and make connectors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncd.cli import show
from syncd.cli.opening import configured
from syncd.cli.options import AsJson, ConfigFile, Debug
from syncd.cli.progress import Line

if TYPE_CHECKING:
    from syncd.kit.asking import Outcome

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
    only: Annotated[str, typer.Option("--only", metavar="WORD", help="Only checks with this word in their name.")] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Put every question of the kit to a connector, on the stand-in beside it, and print its card. Exits 3 where one failed."""
    from syncd.kit.asking import ask_all
    from syncd.kit.card import card_of

    folder = _found(name, config)
    line = Line.where_it_is_seen()
    try:
        tell = (lambda what, asked, of: line.say(f"{asked}/{of} {what}")) if line else lambda what, asked, of: None
        outcomes = list(ask_all(folder, tell, only))
    finally:
        if line:
            line.stop()
    failed = [each for each in outcomes if each.verdict == "failed"]
    card = card_of(folder, look=not failed)
    if as_json:
        show.document({"card": card, "checks": [_doc(each) for each in outcomes], "failed": len(failed)})
    else:
        _tell_outcomes(outcomes)
        _tell_card(card)
    return 3 if failed else 0


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


def _tell_outcomes(outcomes: list[Outcome]) -> None:
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
