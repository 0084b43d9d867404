"""The documents as Markdown, out of the very types that a test reads them by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import inspect

from syncd.cli.documents import DOCUMENTS
from syncd.cli.documents.around import Failed
from syncd.cli.documents.base import Doc
from syncd.kit.pages import table

WORDS: Final[dict[type, str]] = {
    inspect.StrType: "text",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.BoolType: "true or false",
    inspect.NoneType: "null",
    inspect.AnyType: "any value",
}


def document_reference() -> str:
    """Print the document of every command, then the parts that documents are made of."""
    shown: dict[str, inspect.StructType] = {}
    parts = []
    kinds: list[type[Doc]] = [*dict.fromkeys(DOCUMENTS.values()), Failed]
    for kind in kinds:
        commands = ", ".join(f"`syncd {name} --json`" for name, each in DOCUMENTS.items() if each is kind)
        found = _struct(kind)
        shown |= {each.cls.__name__: each for each in _inside(found)}
        parts.append(f"### {kind.__name__}\n\n{commands or 'Any command'}. {_table(found)}")
    own = {kind.__name__ for kind in kinds}
    parts.append("## Parts of documents")
    parts += [f"### {name}\n\n{_table(each)}" for name, each in sorted(shown.items()) if name not in own]
    return "\n\n".join(parts)


def _struct(kind: type[Doc]) -> inspect.StructType:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return found


def _table(found: inspect.StructType) -> str:
    rows = [(f"`{each.encode_name}`", _spelled(each), _meaning(each)) for each in found.fields]
    return f"{' '.join((found.cls.__doc__ or '').split())}\n\n{table(('key', 'type', 'meaning'), rows)}"


def _meaning(field: inspect.Field) -> str:
    assert isinstance(field.type, inspect.Metadata), f"{field.name}: a key without a word about it"
    return str((field.type.extra_json_schema or {})["description"])


def _spelled(field: inspect.Field) -> str:
    return _word(field.type) + ("" if field.required else "; not always there")


def _word(kind: Any) -> str:
    match kind:
        case inspect.Metadata(type=inner):
            return _word(inner)
        case inspect.UnionType(types=types):
            return " or ".join(_word(each) for each in types)
        case inspect.LiteralType(values=values):
            return ", ".join(f"`{each}`" for each in values)
        case inspect.ListType(item_type=inner):
            return f"list of {_word(inner)}"
        case inspect.DictType(value_type=inner):
            return f"map to {_word(inner)}"
        case inspect.StructType(cls=cls):
            return f"[{cls.__name__}](#{cls.__name__.lower()})"
    return WORDS[type(kind)]


def _inside(kind: Any) -> Iterator[inspect.StructType]:
    """Give the objects in a type, itself first."""
    match kind:
        case inspect.StructType(fields=fields):
            yield kind
            for field in fields:
                yield from _inside(field.type)
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
            yield from _inside(inner)
        case inspect.UnionType(types=types):
            for each in types:
                yield from _inside(each)
