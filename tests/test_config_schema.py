"""The published schema, the example and the starter: all three say the same as the checker, because they are tried on it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from syncd import registry
from syncd.config import load_config, schema, starter
from syncd.config.text import parse
from syncd.errors import ConfigError
from tests.configs import SPECS, A, Load, load_fixture
from tests.test_config import FULL
from tests.test_config_wrong import WRONG

__all__ = ["load_fixture"]

EXAMPLE = Path(__file__).parent.parent / "config" / "syncd.yaml"
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,), "array": (list,), "object": (dict,)
}  # fmt: skip
KNOWN = {
    *("type", "enum", "const", "pattern", "minimum", "maximum", "properties", "additionalProperties", "propertyNames"),
    *("required", "minProperties", "maxProperties", "items", "minItems", "anyOf", "allOf", "if", "then"),
    *("description", "default", "title", "$schema"),
}


def valid(value: Any, rule: dict[str, Any]) -> bool:
    """Validate by the part of JSON Schema 2020-12 that we print; a keyword outside of it is an error here."""
    assert rule.keys() <= KNOWN, rule.keys() - KNOWN
    kinds = [rule["type"]] if isinstance(rule.get("type"), str) else rule.get("type", TYPES)
    if not any(isinstance(value, TYPES[kind]) and (kind == "boolean") == isinstance(value, bool) for kind in kinds):
        return value is None and "type" not in rule
    checks = [
        "enum" not in rule or value in rule["enum"],
        "const" not in rule or value == rule["const"],
        "anyOf" not in rule or any(valid(value, part) for part in rule["anyOf"]),
        all(valid(value, part) for part in rule.get("allOf", ())),
        "if" not in rule or not valid(value, rule["if"]) or valid(value, rule["then"]),
    ]
    if isinstance(value, str) and "pattern" in rule:
        checks.append(re.search(rule["pattern"], value) is not None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        checks.append(rule.get("minimum", value) <= value <= rule.get("maximum", value))
    if isinstance(value, list):
        checks += [len(value) >= rule.get("minItems", 0), all(valid(item, rule.get("items", {})) for item in value)]
    if isinstance(value, dict):
        checks += _of_map(value, rule)
    return all(checks)


def _of_map(value: dict[str, Any], rule: dict[str, Any]) -> list[bool]:
    own = rule.get("properties", {})
    rest = rule.get("additionalProperties", {})
    return [
        rule.get("minProperties", 0) <= len(value) <= rule.get("maxProperties", len(value)),
        set(rule.get("required", ())) <= value.keys(),
        all(valid(name, rule.get("propertyNames", {})) for name in value),
        all(valid(value[name], own[name]) for name in value.keys() & own.keys()),
        all(rest is not False and valid(value[name], rest) for name in value.keys() - own.keys()),
    ]


def data(text: str) -> Any:
    tree, found = parse(text.encode(), "f")
    assert tree is not None
    assert not found
    return tree.plain()


def test_the_schema_is_json_and_says_which_draft_it_is() -> None:
    printed = json.loads(json.dumps(schema(SPECS.values())))
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert printed == schema(SPECS.values())


@pytest.mark.parametrize("text", [FULL, A, A + "store: env:DB", A + "guards: {updates: 5, clears: 1%}"])
def test_what_the_checker_accepts_is_valid(load: Load, text: str) -> None:
    load(text, resolve=False)
    assert valid(data(text), schema(SPECS.values()))


@pytest.mark.parametrize("text", [text for text, _ in WRONG if text])
def test_what_the_schema_refuses_the_checker_refuses(load: Load, text: str) -> None:
    """And where the schema accepts what the checker refuses, the reason is one that no schema can know."""
    if valid(data(text), schema(SPECS.values())):
        with pytest.raises(ConfigError) as caught:
            load(text, environ={"T": "x"})
        beyond = r"no such|no connector|looked at|named twice|same (path|word|value)|member of|merged as part|contact has|of the expression"
        beyond += r"|true or false|must say|no option|this policy|consent|its type:|no value of|no place of its own|at least 1s|cron|schedulers|100%|group"
        assert all(re.search(beyond, problem.message) for problem in caught.value.problems)


def test_a_wrong_kind_is_refused_by_both() -> None:
    refused = [text for text, _ in WRONG if text and not valid(data(text), schema(SPECS.values()))]
    assert len(refused) > len(WRONG) / 3


def real(name: str, folders: tuple[Path, ...]) -> Any:
    return registry.spec(name, folders)


def test_the_example_is_in_order() -> None:
    config = load_config(EXAMPLE, real, environ={})
    assert [app.name for app in config.apps] == ["crm", "news"]
    assert all(Path(app.settings["path"]).is_file() for app in config.apps)
    assert valid(data(EXAMPLE.read_text("utf-8")), schema([registry.spec("csv")]))


def test_the_starter_is_in_order_but_for_its_secrets(tmp_path: Path) -> None:
    (tmp_path / "syncd.yaml").write_text(starter(), "utf-8")
    config = load_config(tmp_path / "syncd.yaml", real, resolve=False)
    assert [app.connector for app in config.apps] == ["csv", "sql", "carddav"]
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "syncd.yaml", real, environ={})
    assert [problem.path for problem in caught.value.problems] == [
        "apps.books.secrets.username",
        "apps.books.secrets.password",
        "apps.phones.secrets.username",
        "apps.phones.secrets.password",
    ]
    specs = [registry.spec(name) for name in ("csv", "sql", "carddav")]
    assert valid(data(starter()), schema(specs))
