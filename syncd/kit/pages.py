"""Cards as Markdown: the page of one connector, and the table of them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Card = Mapping[str, Any]


def page(card: Card, *, level: int = 1) -> str:
    """Print one card."""
    parts = [
        f"{'#' * level} {card['name']}",
        f"{card['summary']}. Made of {card['made_of']}; proven on {card['proven_on']}.",
    ]
    parts.append(table(("what happens", "here"), list(promises(card))))
    if card["quirks"]:
        parts.append("What is peculiar:\n\n" + "\n".join(f"- {_sentence(each)}" for each in card["quirks"]))
    parts += [
        table((title, "default", "what it is"), [_setting_row(each) for each in card[f"{title}s"]])
        for title in ("setting", "secret")
        if card[f"{title}s"]
    ]
    if card["fields"]:
        rows = [(f"`{name}`", f"`{each['path']}`", _travels(each)) for name, each in card["fields"].items()]
        parts.append(table(("field", "where it lies", "direction"), rows))
    if card["discovers"]:
        parts.append("The account tells what fields it has (`syncd fields APP`): they may be mapped by their `label`.")
    elif card["any_path"]:
        parts.append("Fields may lie anywhere; those named like a field of syncd map by themselves.")
    parts.append(table(("capability", "value"), [(name, said(value)) for name, value in card["capabilities"].items()]))
    return "\n\n".join(parts)


def promises(card: Card) -> Iterator[tuple[str, str]]:
    """List what an operator asks first: (what happens, what it is like here)."""
    doubt, lost = card["in_doubt"], card["lost_update"]
    can = card["capabilities"]
    yield "a create whose answer was lost", f"{doubt['means']} (rung {doubt['rung']})" if can["create"] else "-"
    yield "an edit at the same moment as ours", f"{lost['means']} ({lost['class']})" if can["update"] else "-"
    lag = card["lag_seconds"]
    yield "a change that was just made", f"may stay unseen for {lag:g} s" if lag else "is seen at once"
    yield "a deletion", card["deletion"]
    yield "webhooks", card["webhooks"]
    yield "consent", card["consent"]
    for name in ("reading", "writing", "limits"):
        if name in card:
            yield name, card[name]


def capabilities(cards: Iterable[Card]) -> str:
    """Print the table of connectors by what they can do."""
    head = ("connector", "creates", "updates", "archives", "hears what changed", "hears of deletions", "own fields")
    more = ("opts out", "an edit at the same moment", "lost create", "batch")
    return table((*head, *more), [_capable(card) for card in cards])


def _capable(card: Card) -> tuple[str, ...]:
    can = card["capabilities"]
    marks = [_mark(can[name]) for name in ("create", "update", "archive", "incremental", "reports_gone")]
    consents = "own request" if "request of its own" in card["consent"] else _mark("like any other" in card["consent"])
    lost = {"cas": "refused", "jump": "noticed", "blind": "not noticed"}[can["lost_update"]]
    rung = can["rung"] if can["create"] else ""
    return (f"`{card['name']}`", *marks, _mark(card["any_path"]), consents, lost, rung, str(can["write_batch"]))


def _mark(value: bool) -> str:
    return "yes" if value else ""


def said(value: Any) -> str:
    """Spell one value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _setting_row(each: Mapping[str, Any]) -> tuple[str, str, str]:
    default = "required" if each["required"] else "" if each["default"] is None else f"`{each['default']}`"
    return f"`{each['name']}`", default, each["help"]


def _travels(each: Mapping[str, Any]) -> str:
    more = ["required"] if each.get("required") else []
    more += [f"at most {each['max_length']} characters"] if "max_length" in each else []
    return ", ".join([each["direction"], *more])


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Print a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
