"""What the next user found in an evening with the README: what was done or left in silence, each through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubs import Hub, edit, five, person


@pytest.fixture(name="hub")
def begin(tmp_path: Path) -> Hub:
    return five(tmp_path)


# -- an empty value


@pytest.fixture
def asked(tmp_path: Path) -> Hub:
    """Two apps that disagree about a company, and a person is asked."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, company="One")])
    hub.csv("news", [person(1, company="Two")])
    hub.configure("fields: {company: {policy: ask}}\n")
    return hub.synced()


def companies(hub: Hub) -> list[str]:
    return [hub.rows(app)["p1@example.com"]["company"] for app in ("crm", "news")]


@pytest.mark.parametrize("words", [["--value", ""], ["--value", "  "], ["--value", "-"]])
def test_a_variable_that_is_not_set_empties_no_field(asked: Hub, words: list[str]) -> None:
    said = asked.run("inbox", "resolve", "1", *words, stdin="\n")
    assert (said.code, said.out) == (2, "")
    assert "--value is empty (a variable that is not set?); to empty the field on purpose: --clear" in said.err
    assert [case["case"] for case in asked.json("inbox")["cases"]] == [1], "it is still to be decided"


@pytest.mark.parametrize("words", [["--app", ""], ["--link", ""], ["--app", "", "--keep"]])
def test_no_other_option_is_overlooked_because_it_is_empty(asked: Hub, words: list[str]) -> None:
    assert asked.run("inbox", "resolve", "1", *words).code == 2
    assert asked.json("inbox")["cases"]


def test_a_field_is_emptied_on_purpose(asked: Hub) -> None:
    assert "--clear" in asked.json("inbox", "show", "1")["decisions"]
    asked.json("inbox", "resolve", "1", "--clear")
    assert asked.json("sync")["apps"]["crm"]["cleared"] == 1
    assert companies(asked) == ["", ""]


def test_a_group_is_emptied_whole_and_is_no_one_text(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    columns = ("id", "email", "street", "city")
    who = {"id": "1", "email": "p1@example.com"}
    hub.csv("crm", [{**who, "street": "One Way", "city": "Rome"}], columns=columns)
    hub.csv("news", [{**who, "street": "Two Way", "city": "Oslo"}], columns=columns)
    hub.configure("fields: {address: {policy: ask}}\n")
    hub.synced()
    said = hub.run("inbox", "resolve", "1", "--value", "street")
    assert (said.code, "address is made of street" in said.err) == (2, True)
    hub.json("inbox", "resolve", "1", "--clear")
    hub.json("sync")
    assert {(row["street"], row["city"]) for app in ("crm", "news") for row in hub.rows(app).values()} == {("", "")}


def test_an_undo_behind_a_decision_says_that_nothing_is_asked_again(asked: Hub) -> None:
    asked.json("inbox", "resolve", "1", "--app", "crm")
    run = str(asked.json("sync")["run"])
    told = "1 contact: each app gets back what it held, and keeps that until somebody changes it; what was decided"
    assert told in asked.run("undo", "--run", run).out
    assert told in asked.run("undo", "--run", run, "--approve").out
    assert companies(asked) == ["One", "Two"]
    assert (asked.json("sync")["inbox"], companies(asked)) == (0, ["One", "Two"])


def test_an_undo_of_an_ordinary_edit_says_nothing_of_the_kind(hub: Hub) -> None:
    edit(hub, "crm", 1, company="One")
    run = str(hub.json("sync")["run"])
    assert "gets back" not in hub.run("undo", "--run", run).out
