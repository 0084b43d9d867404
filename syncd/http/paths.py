"""Where a value lies in a JSON document: `a.b`, `phones[type=work].number`, `emails[0].value`, and lists of such values:
`emails[1:].value`, `emails[primary=false:].value`.

Pure. Reading gives None where nothing lies; writing changes what the path names and nothing else. Hard rule: a list that
is written through is copied from the record as it is now, because vendors replace lists whole.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Step: TypeAlias = "str | Item"
Setter: TypeAlias = Callable[[dict[str, Any], Any, Any, Mapping[str, Any], Any], None]
"""Takes the document, the value, the record as it is, what a new item holds, and what a cleared member becomes."""
REMOVED: Final[Any] = object()
"""As `blank`: what is cleared is not there any more."""
_STEP: Final = re.compile(r"([^.\[\]{}\s]+)((?:\[[^\[\]]*\])?)(?:\.|\Z)")
_SELECTOR: Final = re.compile(
    r"\[(?:(?P<at>[0-9]{1,3})(?P<rest>:)?|(?P<key>[^=\[\]]+)=(?P<word>[^=\[\]]*?)(?P<all>:)?)\]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Which items of a list: one by number, all from a number on, or the first (`rest`: all) whose member says a word."""

    at: int = 0
    rest: bool = False
    key: str = ""
    word: str = ""

    def places(self, items: list[Any]) -> Sequence[int]:
        """Say which items of the list are meant, as places in it."""
        if self.key:
            found = [
                n for n, each in enumerate(items) if isinstance(each, dict) and shown(each.get(self.key)) == self.word
            ]
            return found if self.rest else found[:1]
        return range(self.at, len(items) if self.rest else min(self.at + 1, len(items)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A compiled path. `listed`: it goes through a list, so that a write needs the present record."""

    text: str
    steps: tuple[Step, ...]

    @property
    def listed(self) -> bool:
        return any(isinstance(step, Item) for step in self.steps)

    @property
    def top(self) -> str:
        """The member of the document in which it begins."""
        return str(self.steps[0]) if self.steps else ""


def compile_path(text: str) -> Path:
    """Read a path; ValueError says what is wrong. `.` is the document itself."""
    if text == ".":
        return Path(text=text, steps=())
    steps: list[Step] = []
    end = 0
    for match in _STEP.finditer(text):
        if match.start() != end:
            break
        end = match.end()
        steps.append(match[1])
        if match[2]:
            steps.append(_selector(match[2]))
    if end != len(text) or not steps or text.endswith("."):
        raise ValueError("expected a path such as a.b, phones[type=work].number, emails[0].value or . for all of it")
    return Path(text=text, steps=tuple(steps))


def compile_field_path(text: str) -> Path:
    """Read the path of something that is written; ValueError says what is wrong."""
    path = compile_path(text)
    if sum(isinstance(step, Item) for step in path.steps) > 1 or not path.steps:
        raise ValueError("the path of a field begins with a name, and goes through one list at most")
    return path


def _selector(text: str) -> Item:
    match = _SELECTOR.fullmatch(text)
    if match is None:
        raise ValueError("expected [0], [1:], [key=word] or [key=word:] behind the name of a list")
    if match["key"]:
        return Item(key=match["key"], word=match["word"], rest=bool(match["all"]))
    return Item(at=int(match["at"]), rest=bool(match["rest"]))


def reader(path: Path) -> Callable[[Any], Any]:
    """Make the function that reads this path; short paths, which nearly all are, are read without a loop."""
    steps = path.steps
    match steps:
        case [str() as key]:
            return lambda doc: doc.get(key) if type(doc) is dict else None
        case [str() as key, str() as inner]:
            return lambda doc: part.get(inner) if type(doc) is dict and type(part := doc.get(key)) is dict else None
        case [str() as key, Item(key="", rest=False, at=at), str() as inner]:
            return lambda doc: _of_item(doc.get(key), at, inner) if type(doc) is dict else None
    return lambda doc: find(doc, steps)


def _inner(part: Any, name: str) -> Any:
    return part.get(name) if type(part) is dict else None


def _of_item(items: Any, at: int, name: str) -> Any:
    return _inner(items[at], name) if type(items) is list and at < len(items) else None


def is_shown(doc: Any, path: Path) -> bool:
    """Say whether a document names what lies at a path, be it blank; of a list, whether the list is there."""
    for step in path.steps:
        if isinstance(step, Item):
            break
        if type(doc) is not dict or step not in doc:
            return False
        doc = doc[step]
    return True


def find(doc: Any, steps: tuple[Step, ...]) -> Any:
    """Give what lies there; None where nothing does."""
    for number, step in enumerate(steps):
        if isinstance(step, str):
            if not isinstance(doc, dict):
                return None
            doc = doc.get(step)
        else:
            if not isinstance(doc, list):
                return None
            chosen = [doc[place] for place in step.places(doc)]
            if step.rest:
                found = [find(each, steps[number + 1 :]) for each in chosen]
                return [each for each in found if each is not None] or None
            doc = chosen[0] if chosen else None
        if doc is None:
            return None
    return doc


def put(doc: dict[str, Any], path: Path, value: Any, present: Any, *, item: Mapping[str, Any], blank: Any) -> None:
    """Set a value in a document that is about to be sent. `present`: the record as it is; `item`: what a new item holds.

    `value` None clears: the member becomes `blank`; an item chosen by its number goes, one chosen by a word goes where `blank`
    is REMOVED.
    """
    setter(path)(doc, value, present, item, blank)


def setter(path: Path) -> Setter:
    """Make the function that sets this path (see `put`); short paths, which nearly all are, are set without a loop."""
    steps = path.steps
    match steps:
        case [str() as key]:
            return lambda doc, value, _present, _item, blank: doc.__setitem__(key, blank if value is None else value)
        case [str() as key, str() as inner]:

            def set_inner(doc: dict[str, Any], value: Any, _present: Any, _item: Any, blank: Any) -> None:
                child = doc.get(key)
                if not isinstance(child, dict):
                    child = doc[key] = {}
                child[inner] = blank if value is None else value

            return set_inner
        case [str() as key, Item(key="", rest=False, at=0), str() as inner]:

            def set_first(doc: dict[str, Any], value: Any, present: Any, item: Mapping[str, Any], blank: Any) -> None:
                if value is None or key in doc or present is not None:
                    _put(doc, present, steps, value, item, blank)
                else:
                    doc[key] = [{**item, inner: value}]

            return set_first
    return lambda doc, value, present, item, blank: _put(doc, present, steps, value, item, blank)


def _put(
    doc: dict[str, Any], present: Any, steps: tuple[Step, ...], value: Any, item: Mapping[str, Any], blank: Any
) -> None:
    key, rest = steps[0], steps[1:]
    assert isinstance(key, str), "a document begins with a name"
    if not rest:
        doc[key] = blank if value is None else value
        return
    old = present.get(key) if isinstance(present, dict) else None
    if isinstance(rest[0], str):
        child = doc.get(key)
        if not isinstance(child, dict):
            child = doc[key] = {}
        _put(child, old, rest, value, item, blank)
        return
    items = doc.get(key)
    if not isinstance(items, list):
        items = doc[key] = copy.deepcopy(old) if isinstance(old, list) else []
    _put_item(items, rest[0], rest[1:], value, item, blank)


def _put_item(
    items: list[Any], which: Item, rest: tuple[Step, ...], value: Any, item: Mapping[str, Any], blank: Any
) -> None:
    places = which.places(items)
    held = {**({which.key: which.word} if which.key else {}), **item}  # `item` knows what is no text: true, 7
    if which.rest:
        wanted = value if isinstance(value, list) else [] if value is None else [value]
        kept = {shown(find(items[place], rest)): items[place] for place in places}
        others = [each for place, each in enumerate(items) if place not in places]
        items[:] = [*others, *(kept.get(shown(each)) or _made(rest, each, held, blank) for each in wanted)]
    elif value is None and (not which.key or blank is REMOVED):
        for place in places:
            del items[place]
    elif places:
        place = places[0]
        if rest and isinstance(items[place], dict):
            _put(items[place], None, rest, value, item, blank)
        else:
            items[place] = value
    elif value is not None:
        items.append(_made(rest, value, held, blank))


def _made(rest: tuple[Step, ...], value: Any, item: Mapping[str, Any], blank: Any) -> Any:
    if not rest:
        return value
    made = dict(item)
    _put(made, None, rest, value, {}, blank)
    return made


def shown(value: Any) -> str:
    """Spell a JSON scalar as a vendor's documentation does."""
    return "true" if value is True else "false" if value is False else "" if value is None else str(value)
