"""A plan file that somebody has touched: what is no plan is named with its place, and nothing is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from syncd.cli.plans import read_plan
from syncd.errors import ConfigError
from tests.hubs import Hub, person

SOUND: dict[str, Any] = {
    "app": "a", "kind": "update", "contact": "c1", "record": "1", "records": {"a": "1"},
    "fields": {"company": {"from": None, "to": "X", "reason": "changed"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("doc", "place"),
    [
        ([], "the document"),
        ({}, "the document"),
        ({"intents": 1}, "intents"),
        ({"intents": [SOUND, 1]}, "intents[1]"),
        ({"intents": [SOUND], "unread": [1]}, "unread[0]"),
        *(
            ({"intents": [{name: value for name, value in SOUND.items() if name != left}]}, "intents[0]")
            for left in SOUND
        ),
        *(({"intents": [{**SOUND, name: 7}]}, f"intents[0].{name}") for name in SOUND),
        ({"intents": [{**SOUND, "records": {"a": 1}}]}, "intents[0].records"),
        ({"intents": [{**SOUND, "fields": {"company": "secret"}}]}, "intents[0].fields"),
        ({"intents": [{**SOUND, "fields": {"company": {"from": "secret"}}}]}, "intents[0].fields"),
    ],
)
def test_what_is_no_plan_is_named_with_its_place(tmp_path: Path, doc: Any, place: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(orjson.dumps(doc))
    with pytest.raises(ConfigError, match="this is not a plan") as caught:
        read_plan(path)
    assert str(caught.value).startswith(f"{path}: {place}")
    assert "secret" not in str(caught.value)


def test_a_plan_of_another_shape_is_refused_and_a_plan_is_done(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("a", [person(1)])
    hub.csv("b", [person(1)])
    hub.synced()
    hub.write("a", [person(1, company="New")])
    assert hub.run("plan", "--out", "p.json").code == 0
    (tmp_path / "odd.json").write_bytes(orjson.dumps({"intents": [{**SOUND, "contact": 7, "fields": "x"}]}))
    said = hub.run("apply", "odd.json")
    assert (said.code, "intents[0].contact" in said.err, "internal error" in said.err) == (2, True, False)
    assert hub.rows("b")["p1@example.com"]["company"] == ""
    assert hub.run("apply", "p.json").code == 0
    assert hub.rows("b")["p1@example.com"]["company"] == "New"
