"""A key that is a field: what `check` says of a key that people change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubs import Hub, person


@pytest.mark.parametrize(
    ("key", "warned"), [("email", True), ("phone", True), ("id", False), ("account_number", False)]
)
def test_check_warns_of_a_key_that_changes(tmp_path: Path, key: str, warned: bool) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)])
    row = {"id": "1", "email": "p1@example.com", "phone": "+493023125001", "account_number": "7"}
    hub.csv("news", [row], columns=tuple(row))
    hub.app("news", f"{{connector: csv, settings: {{path: news.csv, key: {key}}}}}")
    said = hub.run("check")
    assert said.code == 0
    assert (f"the key '{key}' is {key}, which changes; a key must not" in said.out) == warned
