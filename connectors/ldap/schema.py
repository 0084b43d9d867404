"""What the directory says that its entries may hold (RFC 4512, 4.1): attributes, their names, and the rules they compare by.

Knows definitions as text. Hard rule: what is not said is not assumed: without a schema everything is allowed, and no two
values are the same unless they are equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

_DESCRIBED: Final = re.compile(r"\b(?:DESC|X-[A-Z-]+) '[^']*'")
_WORD: Final = r"\b{} (?:\(([^)]*)\)|(\S+))"
_SPLIT: Final = re.compile(r"[\s$']+")
_ANYTHING: Final = "extensibleobject"
_BLANKS: Final = re.compile(r"\s+")
_PHONE: Final = re.compile(r"[\s-]+")


@dataclass(slots=True, kw_only=True)
class Attribute:
    """One kind of attribute."""

    name: str
    single: bool = False
    equality: str = ""


@dataclass(slots=True)
class Schema:
    """Names in lower case -> definitions; empty where the directory does not show them."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    classes: dict[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)
    """Object class -> (must, may), in the attributes' first names, those of its superiors included."""

    def __bool__(self) -> bool:
        return bool(self.attributes)

    def name(self, attribute: str) -> str:
        """Give the name under which answers show an attribute, in lower case, its options kept."""
        base, *options = attribute.lower().split(";")
        known = self.attributes.get(base)
        return ";".join([base if known is None else known.name.lower(), *options])

    def must(self, classes: Iterable[str]) -> frozenset[str]:
        return frozenset().union(*(self.classes[each][0] for each in self._known(classes)))

    def allows(self, attribute: str, classes: Iterable[str]) -> bool:
        """Say whether an entry of these classes may hold it; yes where nobody knows."""
        lower = [each.lower() for each in classes]
        if not self.classes or _ANYTHING in lower:
            return True
        name = self.name(attribute).partition(";")[0]
        return any(name in held for each in self._known(lower) for held in self.classes[each])

    def missing(self, classes: Iterable[str]) -> list[str]:
        """Name the object classes that the directory does not know."""
        return [each for each in classes if self.classes and each.lower() not in self.classes]

    def is_single(self, attribute: str) -> bool:
        known = self.attributes.get(attribute.partition(";")[0].lower())
        return known is not None and known.single

    def compares(self, attribute: str) -> bool:
        """Say whether the directory can look for a value of it; a filter it cannot judge finds nobody, and is no error."""
        known = self.attributes.get(attribute.partition(";")[0].lower())
        return known is not None and bool(known.equality)

    def key(self, attribute: str, value: bytes) -> bytes:
        """Give a form in which two values that the directory takes for the same are equal."""
        known = self.attributes.get(attribute.partition(";")[0].lower())
        rule = "" if known is None else known.equality.lower()
        if not rule.startswith(("caseignore", "telephone")):
            return value
        text = value.decode("utf-8", "surrogateescape").casefold()
        text = _PHONE.sub("", text) if rule.startswith("telephone") else _BLANKS.sub(" ", text).strip()
        return text.encode("utf-8", "surrogateescape")

    def _known(self, classes: Iterable[str]) -> Iterator[str]:
        return (each.lower() for each in classes if each.lower() in self.classes)


def schema_of(attribute_types: Iterable[bytes], object_classes: Iterable[bytes]) -> Schema:
    """Read the definitions; what cannot be read is left out."""
    schema = Schema()
    superiors: dict[str, str] = {}
    for text in map(_plain, attribute_types):
        names = _words(text, "NAME") or _words(text, r"^\(")[:1]
        if names:
            [superior, *_] = [*_words(text, "SUP"), ""]
            rule = "".join(_words(text, "EQUALITY")[:1])
            made = Attribute(name=names[0], single=" SINGLE-VALUE" in text, equality=rule)
            superiors[names[0].lower()] = superior.lower()
            schema.attributes |= {name.lower(): made for name in names}
    for name, attribute in schema.attributes.items():
        attribute.equality = _inherited(schema, superiors, name)
    _read_classes(schema, [_plain(each) for each in object_classes])
    return schema


def _inherited(schema: Schema, superiors: dict[str, str], name: str) -> str:
    """Find the rule by which an attribute compares, its own or that of what it is a kind of."""
    for _ in range(len(superiors)):
        known = schema.attributes.get(name)
        if known is None or known.equality:
            return "" if known is None else known.equality
        name = superiors.get(known.name.lower(), "")
    return ""


def _read_classes(schema: Schema, definitions: list[str]) -> None:
    own: dict[str, tuple[set[str], set[str], list[str]]] = {}
    for text in definitions:
        must, may = ({schema.name(each) for each in _words(text, key)} for key in ("MUST", "MAY"))
        above = [each.lower() for each in _words(text, "SUP")]
        own |= {name.lower(): (must, may, above) for name in _words(text, "NAME")}
    for name in own:
        must, may, seen, waiting = set(), set(), set(), [name]
        while waiting:
            each = waiting.pop()
            if each in own and each not in seen:
                seen.add(each)
                must |= own[each][0]
                may |= own[each][1]
                waiting += own[each][2]
        schema.classes[name] = (frozenset(must), frozenset(may))


def _plain(definition: bytes) -> str:
    return _DESCRIBED.sub("", definition.decode("utf-8", "replace"))


def _words(text: str, key: str) -> list[str]:
    match = re.search(_WORD.format(key), text)
    return [] if match is None else [each for each in _SPLIT.split(match[1] or match[2] or "") if each]
