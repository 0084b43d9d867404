"""A small reader of OpenAPI documents: does this request, and does this answer, look as the vendor's document says?

Knows the part of JSON Schema that those documents use. Hard rule: what it does not know is an error of the test, so that
nothing passes because it was not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from syncd.http.sandbox import Asked, Said, Server

KNOWN = frozenset(
    "type properties required items enum const allOf anyOf oneOf $ref additionalProperties nullable minimum maximum "
    "maxLength minLength maxItems minItems pattern propertyNames minProperties maxProperties".split()
)
SILENT = frozenset(
    "title description format default example examples readOnly writeOnly deprecated xml discriminator externalDocs "
    "uniqueItems $schema multipleOf exclusiveMaximum exclusiveMinimum".split()
)
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


@dataclass(slots=True)
class Document:
    """One OpenAPI document."""

    doc: dict[str, Any]
    prefix: str = ""
    """What stands before the paths of the document in the addresses that are asked."""
    wrong: tuple[str, ...] = ()
    """Patterns of problems that the document has, not we."""
    asked: set[str] = field(default_factory=set)
    """The operations that were looked at."""

    def problems(self, asked: Asked, said: Said) -> list[str]:
        """Say what does not look as it should in one exchange."""
        found = self._operation(asked)
        if found is None:
            missing = f"{asked.method} {asked.path}: no such operation"
            return [] if any(re.search(pattern, missing) for pattern in self.wrong) else [missing]
        name, item, operation = found
        self.asked.add(name)
        found_wrong = [
            f"{name}: {problem}"
            for problem in (
                *self._query(asked, [*item.get("parameters", []), *operation.get("parameters", [])]),
                *self._request(asked, operation),
                *self._answer(said, operation),
            )
        ]
        return [each for each in found_wrong if not any(re.search(pattern, each) for pattern in self.wrong)]

    def watch(self, server: Server, outside: Collection[str] = ()) -> list[str]:
        """Look at every exchange from now on, but for those paths; give the list into which problems are put."""
        problems: list[str] = []

        def look(asked: Asked, said: Said) -> Said:
            if asked.path not in outside:
                problems.extend(self.problems(asked, said))
            return said

        server.after = look
        return problems

    def _operation(self, asked: Asked) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
        if not asked.path.startswith(self.prefix):
            return None
        path = asked.path.removeprefix(self.prefix)
        fits = []
        for template, item in self.doc["paths"].items():
            pattern = "".join(
                "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]+\})", template)
            )
            if re.fullmatch(pattern, path) and asked.method.lower() in item:
                fits.append((template.count("{"), template, item))
        if not fits:
            return None
        _, template, item = min(fits, key=lambda each: each[0])
        return f"{asked.method} {template}", item, item[asked.method.lower()]

    def _query(self, asked: Asked, given: list[dict[str, Any]]) -> Iterator[str]:
        parameters = [self._resolved(each) for each in given]
        known = {each["name"]: each for each in parameters if each["in"] == "query"}
        for name, value in asked.query.items():
            if name not in known:
                yield f"query {name} is not in the document"
                continue
            schema = self._resolved(known[name].get("schema") or {"type": known[name].get("type", "string")})
            if schema.get("type") == "integer" and not value.lstrip("-").isdecimal():
                yield f"query {name} is no integer"
            if "enum" in schema and value not in map(str, schema["enum"]):
                yield f"query {name} is none of {schema['enum']}"
            if "maximum" in schema and int(value) > schema["maximum"]:
                yield f"query {name} is more than {schema['maximum']}"
        for name, each in known.items():
            if each.get("required") and name not in asked.query:
                yield f"query {name} is missing"

    def _request(self, asked: Asked, operation: dict[str, Any]) -> Iterator[str]:
        body = self._resolved(operation.get("requestBody", {}))
        schema = body.get("content", {}).get("application/json", {}).get("schema")
        for each in operation.get("parameters", []):
            if self._resolved(each).get("in") == "body":  # Swagger 2
                schema = self._resolved(each)["schema"]
        if asked.body and schema is None:
            yield "a body where the document has none"
        elif asked.body:
            yield from self.check(orjson.loads(asked.body), schema, "body")
        elif body.get("required"):
            yield "no body"

    def _answer(self, said: Said, operation: dict[str, Any]) -> Iterator[str]:
        responses = operation["responses"]
        response = responses.get(str(said.status), responses.get("default"))
        if response is None:
            yield f"the status {said.status} is not in the document"
            return
        response = self._resolved(response)
        content = response.get("content", {})
        schema = next((each.get("schema") for each in content.values()), response.get("schema"))
        if schema is not None and said.doc is not None:
            yield from self.check(orjson.loads(orjson.dumps(said.doc)), schema, "answer")

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in part:
            where: Any = self.doc
            for step in part["$ref"].removeprefix("#/").split("/"):
                where = where[step.replace("~1", "/").replace("~0", "~")]
            part = where
        return part

    def check(self, value: Any, schema: Any, place: str) -> Iterator[str]:
        """Say where a value does not look as its schema says."""
        if schema is True or schema == {}:
            return
        if "$ref" in schema:
            yield from self.check(value, self._resolved(schema), place)
            return
        unknown = {key for key in schema if key not in KNOWN | SILENT and not key.startswith("x-")}
        assert not unknown, f"{place}: {unknown} is not known here"
        if value is None and (schema.get("nullable") or schema.get("x-nullable")):
            return
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(_is(value, kind) for kind in kinds):
            yield f"{place}: expected {kinds}, found {type(value).__name__}"
            return
        yield from self._plain(value, schema, place)
        yield from self._members(value, schema, place)
        for part in schema.get("allOf", []):
            yield from self.check(value, part, place)
        for word in ("anyOf", "oneOf"):
            if schema.get(word) and not any(not list(self.check(value, part, place)) for part in schema[word]):
                yield f"{place}: fits none of {word}"

    def _plain(self, value: Any, schema: dict[str, Any], place: str) -> Iterator[str]:
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place}: none of {schema['enum']}"
        if "const" in schema and value != schema["const"]:
            yield f"{place}: not {schema['const']}"
        if isinstance(value, str):
            if len(value) > schema.get("maxLength", len(value)) or len(value) < schema.get("minLength", 0):
                yield f"{place}: a text of {len(value)} characters"
            if "pattern" in schema and not re.search(schema["pattern"], value):
                yield f"{place}: does not look like {schema['pattern']}"
        if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{place}: {value} is out of range"

    def _members(self, value: Any, schema: dict[str, Any], place: str) -> Iterator[str]:
        if isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                yield f"{place}: {len(value)} items"
            for number, each in enumerate(value):
                yield from self.check(each, schema.get("items", {}), f"{place}[{number}]")
        if not isinstance(value, dict):
            return
        yield from (f"{place}: needs {name}" for name in schema.get("required", []) if name not in value)
        if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
            yield f"{place}: {len(value)} members"
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name, each in value.items():
            if name in properties:
                yield from self.check(each, properties[name], f"{place}.{name}")
            elif more is False:
                yield f"{place}: {name} is not in the document"
            elif isinstance(more, dict):
                yield from self.check(each, more, f"{place}.{name}")
            if "propertyNames" in schema:
                yield from self.check(name, schema["propertyNames"], f"{place}.{name}")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, TYPES[kind])
