"""YAML as a tree in which every key and value knows its file, line and column.

Must not know what the keys mean. Hard rule: hostile text ends in a `Problem`, never in an exception, a long wait or much
memory: 1 MiB in all, 32 levels, 20 000 nodes with aliases counted as often as they are used, no tags, no merge keys,
no key twice. Scalars follow YAML 1.2: `no`, `on` and `12:30` are texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

from syncd.config.near import shown
from syncd.errors import ConfigError, Problem

BYTES_MAX: Final = 1 << 20
LEVELS_MAX: Final = 32
NODES_MAX: Final = 20_000
PROBLEMS_MAX: Final = 100

Scalar: TypeAlias = str | int | float | bool | None

# YAML 1.2, core schema (10.3.2). Order matters: the first pattern that fits decides.
PLAIN: Final[tuple[tuple[re.Pattern[str], Callable[[str], Scalar]], ...]] = (
    (re.compile(r"(?:~|null|Null|NULL)?"), lambda text: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    (re.compile(r"[-+]?[0-9]{1,18}"), int),
    (re.compile(r"0o[0-7]{1,20}"), lambda text: int(text, 0)),
    (re.compile(r"0x[0-9a-fA-F]{1,15}"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,2})?"), float),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: `file:line:column`, both counted from one."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(slots=True, kw_only=True)
class Node:
    """One value of the text: a scalar, a list of nodes, or a map of nodes with the places of its keys."""

    place: Place
    value: Scalar | list[Node] | dict[str, Node]
    keys: dict[str, Place] = field(default_factory=dict)
    nodes: int = 1
    levels: int = 1

    def plain(self) -> Any:
        """Return the value as plain data, without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def node_of(data: Any) -> Node:
    """Return plain data as a tree that stands nowhere (defaults are read by the same shapes as the operator's text)."""
    place = Place("", 0, 0)
    if isinstance(data, dict):
        children = {key: node_of(value) for key, value in data.items()}
        return Node(place=place, value=children, keys=dict.fromkeys(children, place))
    return Node(place=place, value=[node_of(item) for item in data] if isinstance(data, list) else data)


class _Stop(Exception):
    """This file cannot be read any further."""


def read_tree(path: Path) -> tuple[Node, list[Problem]]:
    """Read one file, or the files of a folder as one. Raise ConfigError where a file cannot be read at all."""
    files = _files(path)
    trees: list[Node] = []
    problems: list[Problem] = []
    unread, room = False, BYTES_MAX
    for file in files:
        content = _content(file, room)
        if isinstance(content, Problem):
            problems.append(content)
            unread = True
            continue
        room -= len(content)
        tree, found = parse(content, str(file))
        problems += found
        unread = unread or tree is None
        if tree is not None:
            trees.append(tree)
    if unread:
        raise ConfigError("the configuration cannot be read", problems=tuple(problems))
    whole = Node(place=Place(str(path if path.is_file() else files[0]), 1, 1), value={})
    for tree in trees:
        _merge(whole, tree, (), problems)
    return whole, problems


def _files(path: Path) -> list[Path]:
    """Return the YAML files that make up the configuration, in the order in which they count."""
    try:
        if not path.is_dir():
            return [path]
        files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml") and file.name[0] != ".")
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    if not files:
        raise _unreadable(path, "no *.yaml file in this folder")
    return files


def _unreadable(path: Path, message: str) -> ConfigError:
    return ConfigError(message, problems=(Problem(place=str(path), path="", message=message),))


def _content(file: Path, room: int) -> bytes | Problem:
    """Read a file, never more than there is room for."""
    try:
        with file.open("rb") as stream:
            content = stream.read(room + 1)
    except OSError as error:
        hint = "; `syncd init` writes a commented one" if isinstance(error, FileNotFoundError) else ""
        return Problem(place=str(file), path="", message=f"cannot be read: {error.strerror}{hint}")
    if len(content) > room:
        return Problem(
            place=str(file), path="", message=f"larger than the {BYTES_MAX >> 10} KiB a configuration may have"
        )
    return content


def _merge(whole: Node, part: Node, path: tuple[str, ...], problems: list[Problem]) -> None:
    """Add the keys of a file. Sections (`apps`, `fields`, `guards`) are joined by key; any other key may occur once."""
    if not (isinstance(whole.value, dict) and isinstance(part.value, dict)):
        return
    for key, node in part.value.items():
        place = part.keys[key]
        mine = whole.value.get(key)
        if mine is None:
            whole.value[key], whole.keys[key] = node, place
        elif not path and isinstance(mine.value, dict) and isinstance(node.value, dict):
            joined = Node(place=mine.place, value=dict(mine.value), keys=dict(mine.keys))
            _merge(joined, node, (key,), problems)
            whole.value[key] = joined
        else:
            dotted = ".".join(map(shown, (*path, key)))
            problems.append(
                Problem(place=str(place), path=dotted, message=f"also given at {whole.keys[key]}; keep one")
            )


def parse(content: bytes, file: str) -> tuple[Node | None, list[Problem]]:
    """Parse one file. None where the text is no YAML that we accept; the problems say why."""
    composer = _Composer(file)
    try:
        return composer.compose(_decoded(content, composer)), composer.problems
    except _Stop:
        return None, composer.problems


def _decoded(content: bytes, composer: _Composer) -> str:
    """Decode as UTF-8 (a byte order mark is skipped), or stop at the first byte that is none."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        column = len(before) - (before.rfind("\n") + 1)
        composer.stop(Place(composer.file, before.count("\n") + 1, column + 1), "not UTF-8; save the file as UTF-8")


class _Composer:
    """Builds the tree of one file out of the parser's events."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node] = {}
        self.open_anchors: set[str] = set()
        self.nodes = 0

    def note(self, place: Place, message: str) -> None:
        self.problems.append(Problem(place=str(place), path="", message=message))
        if len(self.problems) >= PROBLEMS_MAX:
            raise _Stop

    def stop(self, place: Place, message: str) -> NoReturn:
        self.note(place, message)
        raise _Stop

    def compose(self, text: str) -> Node:
        """Return the tree of the only document; an empty one is an empty map."""
        from ruamel.yaml.events import DocumentStartEvent, NodeEvent

        tree: Node | None = None
        events = self._events(text)
        for event in events:
            if isinstance(event, NodeEvent):
                tree = self._node(event, events, 1)
            elif isinstance(event, DocumentStartEvent) and tree is not None:
                self.stop(self._place(event.start_mark), "a second document begins here; one document per file")
        if tree is None or tree.value is None:
            return Node(place=Place(self.file, 1, 1), value={})
        if not isinstance(tree.value, dict):
            self.stop(tree.place, "expected a map of keys (`apps:` and so on) at the top")
        return tree

    def _events(self, text: str) -> Iterator[Any]:
        """Yield the parser's events; whatever it dislikes ends the file with a problem in our words, without the text."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        last = Place(self.file, 1, 1)
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                last = self._place(event.start_mark)
                yield event
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.stop(self._place(mark) if mark else last, _said(error))
        except YAMLError as error:
            position = getattr(error, "position", 0)
            self.stop(_place_of(self.file, text, position), "a character that YAML does not allow")
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
            self.stop(last, "no valid YAML here")  # slips of the parser on absurd input

    def _place(self, mark: Any) -> Place:
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _node(self, event: Any, events: Iterator[Any], level: int) -> Node:
        from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent

        place = self._place(event.start_mark)
        if isinstance(event, AliasEvent):
            return self._alias(str(event.anchor), place, level)
        if level > LEVELS_MAX:
            self.stop(place, f"nested deeper than {LEVELS_MAX} levels")
        self._count(1, place)
        self._check(event, place)
        anchor = str(event.anchor) if event.anchor else None
        if anchor:
            self.open_anchors.add(anchor)
        if isinstance(event, ScalarEvent):
            node = Node(place=place, value=event.value if event.style else _scalar(event.value))
        elif isinstance(event, MappingStartEvent):
            node = self._map(place, events, level)
        else:
            node = self._list(place, events, level)
        if anchor:
            self.open_anchors.discard(anchor)
            self.anchors[anchor] = node
        return node

    def _check(self, event: Any, place: Place) -> None:
        """Note what a scalar, list or map must not carry."""
        if event.tag is not None:
            self.note(place, "tags (`!...`) are not accepted; write the plain value")
        text = getattr(event, "value", "")
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            self.stop(place, "half of a character (a lone surrogate)")

    def _alias(self, anchor: str, place: Place, level: int) -> Node:
        """Return the node an alias stands for; it counts as if it were written out."""
        if anchor in self.open_anchors:
            self.stop(place, "an alias inside of what it stands for")
        if anchor not in self.anchors:
            self.stop(place, f'no anchor "&{shown(anchor)}" above this alias')
        node = self.anchors[anchor]
        self._count(node.nodes, place)
        if level + node.levels - 1 > LEVELS_MAX:
            self.stop(place, f"nested deeper than {LEVELS_MAX} levels")
        return node

    def _count(self, nodes: int, place: Place) -> None:
        self.nodes += nodes
        if self.nodes > NODES_MAX:
            self.stop(place, f"more than {NODES_MAX} values, aliases counted as often as they are used")

    def _list(self, place: Place, events: Iterator[Any], level: int) -> Node:
        from ruamel.yaml.events import SequenceEndEvent

        items: list[Node] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._node(event, events, level + 1))
        return _sized(Node(place=place, value=items), items)

    def _map(self, place: Place, events: Iterator[Any], level: int) -> Node:
        from ruamel.yaml.events import MappingEndEvent, ScalarEvent

        children: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            at = self._place(event.start_mark)
            if not isinstance(event, ScalarEvent):
                self.stop(at, "a key must be a plain text")
            self._check(event, at)
            key = str(event.value)
            child = self._node(next(events), events, level + 1)
            if key == "<<" and not event.style:
                self.note(at, "merge keys (`<<`) are not accepted; repeat the keys or use an alias for a whole value")
            elif key in children:
                self.note(at, f'key "{shown(key)}" is given twice, first at {keys[key]}')
            else:
                children[key], keys[key] = child, at
        return _sized(Node(place=place, value=children, keys=keys), list(children.values()))


def _sized(node: Node, children: list[Node]) -> Node:
    node.nodes = 1 + sum(child.nodes for child in children)
    node.levels = 1 + max((child.levels for child in children), default=0)
    return node


def _scalar(text: str) -> Scalar:
    """Return what a plain (unquoted) scalar means in YAML 1.2."""
    for pattern, value in PLAIN:
        if pattern.fullmatch(text):
            return value(text)
    return text


_REMEDIES: Final = {
    "mapping values are not allowed here": "; a text with `: ` in it wants quotes",
    "found character '\\t' that cannot start any token": "; indent with spaces, not with tabs",
    "found character '%' that cannot start any token": "; a text that begins with % wants quotes",
    "found character '@' that cannot start any token": "; a text that begins with @ wants quotes",
    "expected <block end>, but found '<block mapping start>'": "; look at the indentation of this line",
    "expected <block end>, but found '<scalar>'": "; is there a quote or a comma too many or too few?",
    "found unexpected end of stream": "; a closing quote is missing",
}


def _said(error: Any) -> str:
    """Return what the parser disliked and what may help; never the text around it."""
    said = str(error.problem or error.context)
    begun = f" (what was begun in line {error.context_mark.line + 1})" if error.context_mark else ""
    return f"no valid YAML: {shown(said, most=90)}{begun}{_REMEDIES.get(said, '')}"


def _place_of(file: str, text: str, position: int) -> Place:
    before = text[:position]
    return Place(file, before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)
