"""Shapes: what a piece of the configuration may look like, stated once, used twice.

`read` checks the operator's text and returns plain values; `schema` prints the same shape as JSON Schema, so that the two
cannot drift. Hard rule: a message never repeats a value of the operator's (it may be a secret), names of keys only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from syncd.config.near import choose_from, did_you_mean, shown
from syncd.config.text import PROBLEMS_MAX, Node, Place, node_of
from syncd.errors import Problem

INVALID: Final[Any] = object()
"""Returned in place of a value about which a problem has been noted."""

JsonSchema: TypeAlias = dict[str, Any]

_PLAIN_STEP: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")


class TooManyProblems(Exception):
    """There are more problems than anybody reads; the search ends."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A value of the text together with the way to it: where checks look and what problems are tied to."""

    node: Node
    path: tuple[str | int, ...]
    place: Place
    problems: list[Problem]

    @classmethod
    def top(cls, node: Node, problems: list[Problem]) -> Spot:
        return cls(node, (), node.place, problems)

    def problem(self, message: str) -> None:
        self._note(self.place, self.path, message)

    def key_problem(self, key: str, message: str) -> None:
        """Note a problem of a key itself."""
        self._note(self.node.keys[key], (*self.path, key), message)

    def _note(self, place: Place, path: tuple[str | int, ...], message: str) -> None:
        self.problems.append(Problem(place=str(place), path=_dotted(path), message=message))
        if len(self.problems) >= PROBLEMS_MAX:
            raise TooManyProblems

    def child(self, key: str) -> Spot | None:
        """Return the value under a key. A map or list stands where its key stands: its content may begin lines later."""
        if not isinstance(self.node.value, dict) or key not in self.node.value:
            return None
        node = self.node.value[key]
        plain = not isinstance(node.value, dict | list) and node.value is not None
        return Spot(node, (*self.path, key), node.place if plain else self.node.keys[key], self.problems)

    def child_or_empty(self, key: str) -> Spot:
        """Return the value under a key; where it is absent an empty map that stands where this one does."""
        return self.child(key) or Spot(Node(place=self.place, value={}), (*self.path, key), self.place, self.problems)

    def children(self) -> Iterator[tuple[str, Spot]]:
        """Yield key and value of each entry of a map."""
        for key in self.node.keys:
            if (spot := self.child(key)) is not None:
                yield key, spot

    def items(self) -> Iterator[Spot]:
        """Yield each item of a list."""
        if isinstance(self.node.value, list):
            for number, node in enumerate(self.node.value):
                yield Spot(node, (*self.path, number), node.place, self.problems)

    def down(self, *keys: str) -> Spot:
        """Return the spot at the end of the keys, or the nearest one above it that exists."""
        spot = self
        for key in keys:
            spot = spot.child(key) or spot
        return spot


def _dotted(path: tuple[str | int, ...]) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _PLAIN_STEP.fullmatch(step) else f'"{shown(step)}"')
    return text


class Shape(Protocol):
    """One kind of value."""

    def read(self, spot: Spot) -> Any:
        """Return the checked value, or INVALID after noting every problem below this spot."""

    def schema(self) -> JsonSchema:
        """Return the JSON Schema of what `read` accepts."""


def _expected(spot: Spot, what: str, hint: str = "") -> Any:
    """Note that something else was expected, in words for the kind that was found."""
    value = spot.node.value
    found = {dict: "a map", list: "a list", bool: "true/false", int: "a number", float: "a number", str: "a text"}
    spot.problem(f"expected {what}, found {'nothing' if value is None else found[type(value)]}{hint}")
    return INVALID


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text; `parse` may turn it into a value and raise ValueError with what was expected."""

    what: str = "a text"
    pattern: str | None = None
    parse: Callable[[str], Any] | None = None
    numbers: bool = False
    """A number in the YAML is taken as text too (`5` for `"5"`)."""
    complaint: str = ""
    """Said instead of `expected ...`."""

    def read(self, spot: Spot) -> Any:
        value = spot.node.value
        if self.numbers and isinstance(value, int | float) and not isinstance(value, bool):
            value = f"{value}"
        if not isinstance(value, str) and not self.complaint:
            return _expected(
                spot, self.what, "" if value is None or isinstance(value, dict | list) else "; put it in quotes"
            )
        if not isinstance(value, str) or (self.pattern and not re.fullmatch(self.pattern, value, re.ASCII)):
            spot.problem(self.complaint or f"expected {self.what}")
            return INVALID
        try:
            return self.parse(value) if self.parse else value
        except ValueError as error:
            spot.problem(str(error))
            return INVALID

    def schema(self) -> JsonSchema:
        return {
            "type": ["string", "number"] if self.numbers else "string",
            **({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {}),
        }


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words."""

    words: tuple[str, ...]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """What to say of words that people write here and that are none of these."""
    besides: tuple[str, ...] = ()
    """What else may stand here and is no word, spelled as one writes it."""

    def read(self, spot: Spot) -> Any:
        value = spot.node.value
        choice = f"one of {', '.join((*self.words, *self.besides))}"
        if not isinstance(value, str):
            return _expected(spot, choice)
        if value in self.elsewhere:
            spot.problem(self.elsewhere[value])
            return INVALID
        if value not in self.words:
            spot.problem(f"expected {choice}{did_you_mean(value, self.words)}")
            return INVALID
        return value

    def schema(self) -> JsonSchema:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false, in the spelling of YAML 1.2."""

    def read(self, spot: Spot) -> Any:
        value = spot.node.value
        if isinstance(value, bool):
            return value
        old = isinstance(value, str) and value.lower() in ("yes", "no", "on", "off", "y", "n")
        return _expected(spot, "true or false", " (yes, no, on and off are texts in YAML 1.2)" if old else "")

    def schema(self) -> JsonSchema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number; whole unless said otherwise."""

    least: int = 0
    most: int = 1_000_000_000
    whole: bool = True

    def read(self, spot: Spot) -> Any:
        value = spot.node.value
        what = f"a {'whole ' if self.whole else ''}number from {self.least} to {self.most}"
        if isinstance(value, bool) or not isinstance(value, int | float) or (self.whole and isinstance(value, float)):
            return _expected(spot, what)
        if not self.least <= value <= self.most:
            spot.problem(f"expected {what}")
            return INVALID
        return value

    def schema(self) -> JsonSchema:
        return {"type": "integer" if self.whole else "number", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Anything:
    """Any value, kept as it is."""

    def read(self, spot: Spot) -> Any:
        return spot.node.plain()

    def schema(self) -> JsonSchema:
        return {}


@dataclass(frozen=True, slots=True)
class Later:
    """A map that is read later, when it is known what may be in it (a connector's settings): `read` returns the spot."""

    shape: Shape
    """What the schema says of it."""
    hint: str = ""

    def read(self, spot: Spot) -> Any:
        if isinstance(spot.node.value, dict):
            return spot
        return _expected(spot, "a map of keys", f"; write {self.hint}" if self.hint else "")

    def schema(self) -> JsonSchema:
        return self.shape.schema()


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single text, number or true/false."""

    def read(self, spot: Spot) -> Any:
        value = spot.node.value
        return _expected(spot, "a single value") if value is None or isinstance(value, dict | list) else value

    def schema(self) -> JsonSchema:
        return {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of one shape. A single value is not a list: the hint says how to write it."""

    item: Shape
    least: int = 0
    hint: str = ""

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node.value, list):
            return _expected(spot, "a list", f"; write {self.hint}" if self.hint else "")
        if len(spot.node.value) < self.least:
            spot.problem(f"needs at least {self.least} item{'s' if self.least > 1 else ''}")
            return INVALID
        values = [self.item.read(item) for item in spot.items()]
        return [value for value in values if value is not INVALID]

    def schema(self) -> JsonSchema:
        return {"type": "array", "items": self.item.schema(), **({"minItems": self.least} if self.least else {})}


@dataclass(frozen=True, slots=True)
class OneOrMore:
    """One value, or a list of several."""

    item: Shape

    def read(self, spot: Spot) -> Any:
        several = isinstance(spot.node.value, list)
        return (ListOf(item=self.item, least=1) if several else self.item).read(spot)

    def schema(self) -> JsonSchema:
        return {"anyOf": [self.item.schema(), ListOf(item=self.item, least=1).schema()]}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """A map from free names to one shape."""

    item: Shape
    name: str = r"[\s\S]+"
    what: str = "a name"
    least: int = 0

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node.value, dict):
            return _expected(spot, "a map of keys")
        if len(spot.node.value) < self.least:
            spot.problem(f"needs at least {self.least} entry")
            return INVALID
        values = {}
        for key, child in spot.children():
            if not re.fullmatch(self.name, key, re.ASCII):
                spot.key_problem(key, f"expected {self.what}")
            elif (value := self.item.read(child)) is not INVALID:
                values[key] = value
        return values

    def schema(self) -> JsonSchema:
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.name})$"},
            "additionalProperties": self.item.schema(),
            **({"minProperties": self.least} if self.least else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a map: its shape and what it is for (the reference page and the schema print it)."""

    shape: Shape
    help: str
    default: Any = INVALID
    """As it would be written; INVALID: absent stays absent."""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A map with known keys. `elsewhere` explains keys that people write here although they belong somewhere else."""

    keys: Mapping[str, Key]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    exactly_one: bool = False

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node.value, dict):
            return _expected(spot, f"a map with the keys {choose_from(self.keys)}")
        if self.exactly_one and len(spot.node.value) != 1:
            spot.problem(f"expected exactly one of {choose_from(self.keys)}")
            return INVALID
        values = {}
        for name, child in spot.children():
            if name not in self.keys:
                self._unknown(spot, name)
            elif (value := self.keys[name].shape.read(child)) is not INVALID:
                values[name] = value
        for name, key in self.keys.items():
            if key.required and name not in spot.node.value:
                spot.problem(f'needs the key "{name}" ({key.help})')
        return values

    def filled(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was read, completed by the defaults."""
        absent = {name: key for name, key in self.keys.items() if name not in values and key.default is not INVALID}
        read = {name: key.shape.read(Spot.top(node_of(key.default), [])) for name, key in absent.items()}
        return {**values, **read}

    def _unknown(self, spot: Spot, name: str) -> None:
        near = did_you_mean(name, self.keys)
        known = "" if near else f"; known here: {choose_from(self.keys)}"
        spot.key_problem(name, self.elsewhere.get(name) or f"unknown key{near}{known}")

    def schema(self) -> JsonSchema:
        required = [name for name, key in self.keys.items() if key.required]
        return {
            "type": "object",
            "properties": {name: _described(key) for name, key in self.keys.items()},
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **({"minProperties": 1, "maxProperties": 1} if self.exactly_one else {}),
        }


def _described(key: Key) -> JsonSchema:
    default = {} if key.default is INVALID else {"default": key.default}
    return {**key.shape.schema(), "description": key.help, **default}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOrMap:
    """A text in one shape or a map in another."""

    text: Shape
    map: Shape

    def read(self, spot: Spot) -> Any:
        return (self.map if isinstance(spot.node.value, dict) else self.text).read(spot)

    def schema(self) -> JsonSchema:
        return {"anyOf": [self.text.schema(), self.map.schema()]}
