"""The configuration as JSON Schema (draft 2020-12), out of the same tables that check it. For editors and CI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from syncd.config.apps import secret_keys, setting_keys
from syncd.config.shapes import JsonSchema
from syncd.config.vocabulary import CONFIG
from syncd.model import Spec


def schema(specs: Iterable[Spec] = ()) -> JsonSchema:
    """Return the schema; `specs` are the connectors whose settings and secrets it knows in detail."""
    whole = CONFIG.schema()
    app: dict[str, Any] = whole["properties"]["apps"]["additionalProperties"]
    ordered = sorted(specs, key=lambda spec: spec.name)
    app["properties"]["connector"]["anyOf"] = [
        {"enum": [spec.name for spec in ordered]},
        {"pattern": "^[./]|/"},
        {"type": "string"},
    ]
    app["allOf"] = [_app_of(spec) for spec in ordered]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "syncd configuration",
        **whole,
    }


def _app_of(spec: Spec) -> JsonSchema:
    """Say what an app of this connector needs."""
    parts = {"settings": setting_keys(spec), "secrets": secret_keys(spec)}
    needed = [name for name, keys in parts.items() if any(key.required for key in keys.keys.values())]
    return {
        "if": {"properties": {"connector": {"const": spec.name}}, "required": ["connector"]},
        "then": {
            "properties": {name: keys.schema() for name, keys in parts.items()},
            **({"required": needed} if needed else {}),
        },
    }
