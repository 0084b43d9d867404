"""What a careless evening of a new user found: mistakes that were put right, apps that were renamed, policies that were changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubs import COLUMNS, Hub, edit, person


def test_a_case_of_an_app_that_was_renamed_can_be_decided(tmp_path: Path) -> None:
    """The decision made an observation of an app that nobody merges any more; `sync` never ended."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(n) for n in range(3)])
    hub.csv("books", [person(n) for n in range(3)], more=", writes: {create: false}")
    hub.synced()
    hub.write("books", [*(person(n) for n in range(3)), person(7, email="p1@example.com")])
    hub.json("sync", code=4)
    [case] = hub.json("inbox")["cases"]
    hub.apps["acc"] = hub.apps.pop("books")
    hub.configure()
    hub.json("sync", code=4)

    assert hub.run("inbox", "resolve", str(case["case"]), "--new").code == 0

    assert hub.json("sync", code=4)["held"] == []
    assert hub.run("plan").code in (0, 4)


ASK = "fields: {company: {policy: ask}}\n"


def disagreeing(folder: Path) -> Hub:
    """Three apps of which two were given another company each: a person is asked."""
    hub = Hub(folder)
    for app in ("crm", "books", "news"):
        hub.csv(app, [person(n, company="Acme") for n in range(3)])
    hub.configure(ASK)
    hub.synced()
    edit(hub, "crm", 1, company="Crm & Co")
    edit(hub, "books", 1, company="Books Ltd")
    assert hub.json("sync", code=4)["inbox"] == 1
    return hub


def companies(hub: Hub) -> list[str]:
    return [hub.rows(app)["p1@example.com"]["company"] for app in hub.apps]


@pytest.mark.parametrize("company", ["Acme", "Crm & Co", "Books Ltd", "New Inc"])
def test_a_conflict_that_people_settle_in_the_apps_is_settled(tmp_path: Path, company: str) -> None:
    hub = disagreeing(tmp_path)
    for app in hub.apps:
        edit(hub, app, 1, company=company)

    doc = hub.json("sync")

    assert (doc["outcome"], doc["inbox"]) == ("in_sync", 0)
    assert companies(hub) == [company] * 3
    assert hub.json("sync")["outcome"] == "in_sync"
    edit(hub, "news", 1, company="And on")
    assert hub.json("sync")["outcome"] == "in_sync"
    assert companies(hub) == ["And on"] * 3


def test_two_of_three_that_agree_settle_nothing(tmp_path: Path) -> None:
    hub = disagreeing(tmp_path)
    edit(hub, "books", 1, company="Crm & Co")

    assert hub.json("sync", code=4)["inbox"] == 1
    assert companies(hub) == ["Crm & Co", "Crm & Co", "Acme"]


def test_a_policy_that_asks_nobody_decides_what_waits(tmp_path: Path) -> None:
    """docs/operations.md: a change of policies makes every contact be decided again."""
    hub = disagreeing(tmp_path)
    hub.configure("fields: {company: {policy: {owner: books}}}\n")

    plan = hub.json("plan")
    assert {(each["app"], each["kind"]) for each in plan["intents"]} == {("crm", "update"), ("news", "update")}
    doc = hub.json("sync")

    assert (doc["outcome"], doc["inbox"]) == ("in_sync", 0)
    assert companies(hub) == ["Books Ltd"] * 3
    assert "Crm & Co" in hub.run("history", "--contact", "p1@example.com").out


def test_a_mistake_that_was_held_and_put_right_is_gone(tmp_path: Path) -> None:
    """It was taken for an app that had been restored from a backup, and the remedy that was named wrote the mistake everywhere."""
    hub = Hub(tmp_path)
    people = [person(n, company=f"Company {n}") for n in range(20)]
    hub.csv("crm", people)
    hub.csv("books", [])
    hub.csv("news", [])
    hub.configure("guards: {updates: 5}\n")
    hub.synced()
    before = {app: hub.rows(app) for app in hub.apps}

    for expected in ({("books", "updates"), ("news", "updates")}, {("crm", "restored")}):  # the second time it is known
        hub.write("crm", [row | {"first_name": row["last_name"], "last_name": row["first_name"]} for row in people])
        held = hub.json("sync", code=4)["held"]
        assert {(each["app"], each["verb"]) for each in held} == expected
        hub.write("crm", people)
        doc = hub.json("sync")
        assert (doc["outcome"], doc["held"], doc["inbox"]) == ("in_sync", [], 0)
        assert {app: hub.rows(app) for app in hub.apps} == before


def slid(folder: Path, count: int, outs: int = 0) -> tuple[Hub, list[dict[str, str]]]:
    """People in two files, the first `outs` of whom opted out, and the first file with addresses that slid down by a row."""
    hub = Hub(folder)
    people = [person(n, email_consent="opted_out" if n < outs else "opted_in") for n in range(count)]
    hub.csv("crm", people)
    hub.csv("books", people)
    hub.synced()
    emails = ["new@example.com", *(row["email"] for row in people[:-1])]
    return hub, [row | {"email": email} for row, email in zip(people, emails, strict=True)]


@pytest.mark.parametrize("count", [6, 40])
def test_addresses_that_slid_by_a_row_change_nobody(tmp_path: Path, count: int) -> None:
    """Each write made room for the next one, and none of them was too much."""
    hub, mistake = slid(tmp_path, count)
    before = hub.rows("books")
    hub.write("crm", mistake)

    plan, doc = hub.json("plan", code=4), hub.json("sync", code=4)

    for each in (plan, doc):
        assert [(held["app"], held["verb"], held["count"]) for held in each["held"]] == [("crm", "mixed_up", count - 1)]
    assert hub.rows("books") == before
    assert "rows mixed up?" in " ".join(hub.run("sync").out.split())


@pytest.mark.parametrize("remedy", [["sync"], ["resync"], ["resync", "--app", "crm", "--pull-only"]])
def test_nobody_is_opted_out_by_addresses_that_slid(tmp_path: Path, remedy: list[str]) -> None:
    hub, mistake = slid(tmp_path, 20, outs=4)
    before = {app: hub.rows(app) for app in hub.apps}
    right = hub.rows("crm").values()
    hub.write("crm", mistake)
    hub.run("sync")
    hub.write("crm", right)

    assert hub.json(*remedy)["outcome"] == "in_sync"

    assert {app: hub.rows(app) for app in hub.apps} == before
    assert hub.json("sync")["outcome"] == "in_sync"


def test_rows_that_were_mixed_up_on_purpose_are_approved(tmp_path: Path) -> None:
    hub, mistake = slid(tmp_path, 6)
    hub.write("crm", mistake)
    run = hub.json("sync", code=4)["run"]

    assert hub.run("approve", str(run)).code == 0

    assert hub.json("sync", "--approve")["held"] == []
    assert {row["id"]: row["email"] for row in hub.rows("books").values()} == {
        row["id"]: row["email"] for row in mistake
    }


def test_what_one_write_makes_room_for_is_counted_with_it(tmp_path: Path) -> None:
    """A few addresses that slide by a row are written one after the other: each goes to where the next one was."""
    hub, mistake = slid(tmp_path, 40)
    hub.configure("guards: {updates: 2}\n")
    right = list(hub.rows("crm").values())
    before = hub.rows("books")
    hub.write("crm", [*mistake[:4], *right[4:]])

    doc = hub.json("sync", code=4)

    assert [(held["app"], held["verb"]) for held in doc["held"]] == [("books", "updates")]
    assert len(hub.rows("books").keys() - before.keys()) <= 2


def test_a_case_of_a_field_that_is_not_configured_any_more_can_be_decided(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    columns = (*COLUMNS, "colour")
    for app in ("crm", "books"):
        hub.csv(app, [person(n, colour="red") for n in range(3)], columns=columns)
    hub.configure("fields: {colour: {type: text, policy: ask}}\n")
    hub.synced()
    for app, colour in (("crm", "green"), ("books", "blue")):
        hub.write(app, [person(n, colour=colour if n == 1 else "red") for n in range(3)], columns=columns)
    hub.json("sync", code=4)
    [case] = hub.json("inbox")["cases"]
    hub.configure("")

    said = hub.run("inbox", "resolve", str(case["case"]), "--app", "crm")
    assert (said.code, "colour is not in the configuration any more" in said.err) == (2, True)
    said = hub.run("inbox", "resolve", str(case["case"]), "--keep")

    assert (said.code, said.err) == (0, "")
    assert hub.json("sync")["inbox"] == 0
