"""`{name}` in the texts of a manifest: compiled when it is loaded, filled in when a request is made.

No conditions, no functions, no code. A text with a name that has no value now is absent, and so is the header, the query
parameter or the member of a body that it stands for. Hard rule: every name is known when the manifest is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from syncd.http.paths import shown

Values: TypeAlias = Mapping[str, Any]
NAME: Final = r"[a-z][a-z0-9_]{0,62}"
SPREAD: Final = "..."
"""In a body: the members of this object are put here."""
ABSENT: Final[Any] = object()
_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text in parts: names at odd places, what stands between them at even ones."""

    parts: tuple[str, ...]
    each: bool = False
    """A list gives a text for each of its items: the parameter is repeated."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.parts[1::2]

    def value(self, values: Values) -> Any:
        """Give the text; a text that is one name and nothing else gives the value as it is. ABSENT: no value now."""
        parts = self.parts
        if len(parts) == 1:
            return parts[0]
        if len(parts) == 3 and not parts[0] and not parts[2]:
            found = values.get(parts[1])
            return ABSENT if found is None else found
        text = self.text(values)
        return ABSENT if text is None else text

    def texts(self, values: Values) -> list[str]:
        """Give the texts of a parameter: none where a value is not there."""
        found = values.get(self.parts[1]) if self.each and len(self.parts) == 3 else None
        if isinstance(found, list | tuple):
            return [f"{self.parts[0]}{shown(item)}{self.parts[2]}" for item in found]
        text = self.text(values)
        return [] if text is None else [text]

    def text(self, values: Values, *, quoted: bool = False) -> str | None:
        """Give the text, values quoted for a path if asked; None where one of them is not there."""
        if len(self.parts) == 1:
            return self.parts[0]
        made: list[str] = []
        for number, part in enumerate(self.parts):
            if number % 2 == 0:
                made.append(part)
                continue
            value = values.get(part)
            if value is None:
                return None
            text = ",".join(map(shown, value)) if isinstance(value, list | tuple) else shown(value)
            made.append(quote(text, safe="") if quoted else text)
        return "".join(made)


Body: TypeAlias = "Template | dict[str, Any] | list[Any] | str | int | float | bool | None"


def compile_text(text: str) -> Template:
    """Read a text; ValueError where a brace is wrong. `{{` and `}}` stand for braces."""
    parts = [""]
    end = 0
    for match in _PART.finditer(text):
        parts[-1] += text[end : match.start()]
        end = match.end()
        if match[0] in {"{{", "}}"}:
            parts[-1] += match[0][0]
        elif match[1] is not None and re.fullmatch(NAME, match[1], re.ASCII):
            parts += [match[1], ""]
        else:
            raise ValueError("expected {name}: lower-case letters, digits and _ in braces; a brace itself is {{ or }}")
    parts[-1] += text[end:]
    return Template(parts=tuple(parts))


def fill(body: Body, values: Values) -> Any:
    """Make the JSON of a body; ABSENT where it is one name without a value."""
    if isinstance(body, Template):
        return body.value(values)
    if isinstance(body, list):
        return [made for each in body if (made := fill(each, values)) is not ABSENT]
    if not isinstance(body, dict):
        return body
    made = {}
    for key, part in body.items():
        value = fill(part, values)
        if value is ABSENT:
            continue
        if key == SPREAD:
            assert isinstance(value, dict), "what is spread is an object"
            made.update(value)
        else:
            made[key] = value
    return made


def names_in(body: Body) -> Iterator[str]:
    """List the names that a body uses."""
    if isinstance(body, Template):
        yield from body.names
    elif isinstance(body, dict | list):
        for part in body.values() if isinstance(body, dict) else body:
            yield from names_in(part)


def constants_in(body: Body) -> Iterator[str]:
    """List the texts that a body holds whatever the values are."""
    if isinstance(body, Template):
        if len(body.parts) == 1:
            yield body.parts[0]
    elif isinstance(body, dict | list):
        for part in body.values() if isinstance(body, dict) else body:
            yield from constants_in(part)
    else:
        yield shown(body)


def form(body: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """List the pairs of a form, nested members in brackets: `address[line1]`, `tags[]`."""
    if isinstance(body, dict):
        for key, value in body.items():
            yield from form(value, f"{prefix}[{key}]" if prefix else str(key))
    elif isinstance(body, list):
        for value in body:
            yield from form(value, f"{prefix}[]")
    else:
        yield prefix, shown(body)
