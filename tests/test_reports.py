"""What the reports say: every state a record can be in, where a value comes from, what happened, what waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hubs import Hub, person

STATUS = {
    "linked",
    "in_sync",
    "pending",
    "parked",
    "excluded",
    "failed",
    "conflicts",
    "cursor_age_seconds",
    "last_error",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A hub in which everything has happened once; the tests only look.

    p1: in both. p2: a conflict (`ask`). p3: opted out in crm. p4: twice in crm. p5: without an address. p6: too long a
    company for books. p7: its e-mail was changed. A ragged row. books is read-only for creates.
    """
    hub = Hub(tmp_path_factory.mktemp("reports"))
    people = [
        person(1, email_consent="opted_in"),
        person(2, company="One"),
        person(3, email_consent="opted_out"),
        person(4),
        person(4, id="44"),
        person(5, email=""),
        person(6, company="A very long company"),
        person(7),
    ]
    hub.csv("crm", people)
    with (hub.folder / "crm.csv").open("a") as file:
        file.write("99,ragged@example.com,too,many,cells,a,b,c,d,e\r\n")
    books = [person(1), person(2, company="Two"), person(3), person(6), person(7)]
    hub.table("books", books, more=", writes: {create: false}, fields: {company: {max_length: 10}}")
    hub.csv("news", [])
    hub.configure("fields: {company: {policy: ask}}\n")
    hub.synced()
    hub.sql("books", "UPDATE people SET email = 'seven@example.com' WHERE id = '7'")
    hub.run("sync")
    return hub


def test_status_counts_every_state(hub: Hub) -> None:
    doc = hub.json("status")
    assert set(doc) == {"contacts", "inbox", "held", "apps", "daemon"}
    assert all(set(app) == STATUS for app in doc["apps"].values())
    crm, books, news = (doc["apps"][name] for name in ("crm", "books", "news"))
    assert (crm["linked"], crm["parked"], crm["conflicts"]) == (8, 1, 1)  # the ragged row; p2
    assert crm["in_sync"] == 7
    assert books["linked"] == 5
    assert books["parked"] == 1  # p6: longer than it holds
    assert books["excluded"] == 3  # nothing is created there
    assert news["excluded"] == 2  # p5: nothing to match by; the second p4 waits for a decision
    assert news["linked"] == 6
    assert doc["inbox"] == 2  # p2's company, the second p4
    assert 0 <= crm["cursor_age_seconds"] < 600
    assert crm["last_error"] is None


def test_status_for_people_gives_the_reasons(hub: Hub) -> None:
    """BEHAVIOURS 26, 59: what is left out on purpose has a count and a reason of its own."""
    said = hub.run("status")
    assert said.code == 0
    assert "news: 1 excluded: no match key" in said.out
    assert "news: 1 excluded: whose record it is waits for a decision" in said.out
    assert "books: 3 excluded: nothing is created there" in said.out


@pytest.mark.parametrize(
    ("state", "app", "records"),
    [
        ("parked", None, {("crm", "99", None), ("books", "6", "c7")}),
        ("parked", "crm", {("crm", "99", None)}),
        ("conflict", "crm", {("crm", "2", "c2")}),
        ("excluded", "books", {("books", None, "c4"), ("books", None, "c5"), ("books", None, "c6")}),
        ("failed", None, set()),
    ],
)
def test_status_lists_the_records_behind_a_number(
    hub: Hub, state: str, app: str | None, records: set[tuple[str, str | None, str | None]]
) -> None:
    """A user saw "parked: 1" and could not find out which one."""
    only = () if app is None else ("--app", app)
    found = hub.json("status", "--list", state, *only)["records"]
    assert {(each["app"], each["record"], each["contact"]) for each in found} == records
    assert all(each["why"] for each in found)
    said = hub.run("status", "--list", state, *only).out
    assert all((record or contact or "") in said for _, record, contact in records)
    assert (said == f"{state}: none\n") == (not records)


def test_a_case_says_whom_it_is_about(hub: Hub) -> None:
    conflict = next(each for each in hub.json("inbox", "list")["cases"] if each["kind"] == "conflict")
    assert hub.json("inbox", "show", str(conflict["case"]))["who"] == "p2@example.com"
    assert "(p2@example.com)" in hub.run("inbox", "show", str(conflict["case"])).out


def test_a_state_that_there_is_not_is_told_with_the_choices(hub: Hub) -> None:
    said = hub.run("status", "--list", "parkd")
    assert (said.code, 'no state "parkd", did you mean "parked"?' in said.err) == (2, True), said.err
    assert hub.run("status", "--app", "crm").code == 2


def states(hub: Hub, key: str) -> dict[str, str]:
    return {app: record["state"] for app, record in hub.json("explain", key)["records"].items()}


def test_explain_names_the_state_in_every_app(hub: Hub) -> None:
    assert states(hub, "p1@example.com") == {"crm": "in_sync", "books": "in_sync", "news": "in_sync"}
    assert states(hub, "p2@example.com") == {"crm": "conflict", "books": "conflict", "news": "conflict"}
    assert states(hub, "crm:5") == {"crm": "in_sync", "books": "excluded", "news": "excluded"}
    assert states(hub, "p6@example.com")["books"] == "parked"
    assert states(hub, "crm:99") == {"crm": "parked"}
    assert "longer than the 10 characters" in hub.run("explain", "p6@example.com").out


def test_explain_has_the_agreed_shape(hub: Hub) -> None:
    doc = hub.json("explain", "p1@example.com")
    assert set(doc) == {"contact", "fields", "records", "history"}
    for field in doc["fields"].values():
        assert set(field) == {"value", "from", "at", "rule"}
    assert doc["fields"]["first_name"]["value"] == "First1"
    assert doc["fields"]["first_name"]["from"] == "crm"
    for record in doc["records"].values():
        assert set(record) == {"id", "state", "fields", "others"}
    for entry in doc["history"]:
        assert set(entry) == {"run", "at", "app", "contact", "field", "from", "to", "reason"}


def test_explain_marks_what_it_cannot_read(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, phone="ask at reception")])
    hub.csv("news", [person(1, phone="+41 44 668 18 00")])
    hub.synced()
    doc = hub.json("explain", "p1@example.com")
    assert doc["records"]["crm"]["unreadable"] == {"phone": "not a phone number"}
    assert doc["records"]["crm"]["fields"]["phone"] == "ask at reception"
    assert set(doc["records"]["news"]) == {"id", "state", "fields", "others"}
    assert doc["fields"]["phone"]["from"] == "news"
    said = hub.run("explain", "p1@example.com").out
    assert "(unreadable) ask at reception" in said
    assert "crm: phone is unreadable: not a phone number" in said


def test_explain_says_what_an_app_keeps_after_an_undo(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, company="Winner")])
    hub.csv("news", [person(1, company="Loser")])
    run = hub.synced().json("history")["runs"][0]["run"]
    assert "kept" not in hub.run("explain", "p1@example.com").out
    hub.run("undo", "--run", str(run), "--approve")
    assert hub.rows("news")["p1@example.com"]["company"] == "Loser"
    assert "news: company: kept its own value (undone)" in hub.run("explain", "p1@example.com").out
    hub.write("news", [person(1, company="Third")])
    hub.json("sync")
    assert "kept" not in hub.run("explain", "p1@example.com").out


def test_explain_leaves_out_what_is_blank_everywhere_and_cuts_nothing(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    for app in ("crm", "newsletter", "accounting", "helpdesk"):
        hub.csv(app, [person(1, first_name="Wilhelmina-Josephine" * 3, company=f"{app} limited liability" * 3)])
    hub.synced()
    said = hub.run("explain", "p1@example.com").out
    assert "Wilhelmina-Josephine" * 3 in said
    assert "phone" not in said
    assert "phone" in hub.run("explain", "p1@example.com", "--all").out
    assert "phone" in hub.run("explain", "p1@example.com", "phone").out


def test_explain_says_what_a_blank_means_and_how_consent_came_about(hub: Hub) -> None:
    """BEHAVIOURS 9, 40."""
    doc = hub.json("explain", "p3@example.com")
    assert "a blank is no opinion and is filled" in doc["fields"]["first_name"]["rule"]
    assert doc["fields"]["email_consent"]["value"] == "opted_out"
    assert any(e["field"] == "email_consent" and e["to"] == "opted_out" for e in doc["history"])
    unproven = hub.json("explain", "p1@example.com")["fields"]["email_consent"]
    assert unproven["value"] is None
    assert "opted_in in crm has no evidence" in unproven["rule"]


def test_explain_finds_by_every_kind_of_key(hub: Hub) -> None:
    contact = hub.json("explain", "P7@Example.com")["contact"]  # what it was before
    for key in ("seven@example.com", contact, contact[1:], "crm:7", "books:7"):
        assert hub.json("explain", key)["contact"] == contact


def test_explain_one_field(hub: Hub) -> None:
    doc = hub.json("explain", "p7@example.com", "email")
    assert set(doc["fields"]) == {"email"}
    assert all(set(record["fields"]) <= {"email"} for record in doc["records"].values())
    assert {entry["field"] for entry in doc["history"]} == {"email"}


def test_explain_lists_other_records_with_the_same_key(hub: Hub) -> None:
    """BEHAVIOURS 24."""
    one, other = (hub.json("explain", f"crm:{id_}") for id_ in ("4", "44"))
    assert one["records"]["crm"]["others"] == ["44"]
    assert other["records"]["crm"]["others"] == ["4"]
    assert other["records"]["news"]["state"] == "excluded"


def test_an_address_that_several_contacts_have_is_told_without_repeating_it(hub: Hub) -> None:
    said = hub.run("explain", "p4@example.com")
    assert said.code == 2
    assert "several contacts have this address: c" in said.err
    assert "p4@" not in said.err


def test_history_is_newest_first_and_can_be_narrowed(hub: Hub) -> None:
    doc = hub.json("history")
    assert set(doc) == {"runs", "entries"}
    assert all(set(run) == {"run", "at", "kind", "apps"} for run in doc["runs"])
    numbers = [run["run"] for run in doc["runs"]]
    assert numbers == sorted(numbers, reverse=True)
    times = [entry["at"] for entry in doc["entries"]]
    assert times == sorted(times, reverse=True)

    def entries(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = hub.json("history", *words)["entries"]
        return found

    last = numbers[0]
    assert {e["run"] for e in entries("--run", str(last))} == {last}
    assert {e["field"] for e in entries("--field", "email")} == {"email"}
    assert {r["run"] for r in hub.json("history", "--field", "email")["runs"]} == {
        e["run"] for e in entries("--field", "email")
    }
    assert len({e["contact"] for e in entries("--contact", "crm:7")}) == 1
    assert len(entries("--limit", "2")) == 2
    assert entries("--since", "1h") == doc["entries"]
    assert entries("--since", "2999-01-01") == []
    assert "may be more" in hub.run("history", "--limit", "2").out


def test_the_losing_value_is_in_the_history(tmp_path: Path) -> None:
    """BEHAVIOURS 11."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, company="Winner")])
    hub.csv("news", [person(1, company="Loser")])
    hub.synced()
    lost = [e for e in hub.json("history", "--field", "company")["entries"] if e["reason"].startswith("lost")]
    assert [(e["app"], e["from"], e["to"]) for e in lost] == [("news", "Loser", "Winner")]


def test_the_inbox_lists_without_values_and_shows_with_them(hub: Hub) -> None:
    cases = hub.json("inbox")["cases"]
    assert {case["kind"] for case in cases} == {"conflict", "match"}
    for case in cases:
        assert set(case) == {"case", "kind", "contact", "app", "field", "since", "reason"}
    conflict = next(case for case in cases if case["kind"] == "conflict")
    said = hub.run("inbox", "list")
    assert "One" not in said.out
    shown = hub.json("inbox", "show", str(conflict["case"]))
    assert shown["field"] == "company"
    assert shown["values"] == {"crm": "One", "books": "Two"}
    assert "--app APP" in hub.run("inbox", "show", str(conflict["case"])).out


def test_a_decision_is_carried_out_by_the_next_sync(tmp_path: Path) -> None:
    """BEHAVIOURS 13."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, company="One")])
    hub.csv("news", [person(1, company="Two")])
    hub.configure("fields: {company: {policy: ask}}\n")
    hub.synced()
    [case] = hub.json("inbox")["cases"]
    assert hub.run("inbox", "resolve", str(case["case"])).code == 2
    assert hub.json("inbox", "resolve", str(case["case"]), "--app", "news")["case"] == case["case"]
    assert hub.json("sync")["inbox"] == 0
    assert hub.rows("crm")["p1@example.com"]["company"] == "Two"
    assert hub.json("inbox") == {"cases": [], "held": []}


def test_an_address_of_somebody_else_may_be_a_slip_and_the_case_says_what_to_do_then(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    people = [person(1), person(2)]
    hub.csv("crm", people)
    hub.csv("news", [])
    hub.synced()
    hub.csv("crm", [people[0], {**people[1], "email": people[0]["email"]}])
    hub.run("sync")
    [case] = hub.json("inbox")["cases"]
    said = hub.run("inbox", "show", str(case["case"])).out
    assert "if it is a slip: put it right in that record" in said
    hub.csv("crm", people)
    hub.run("sync")
    assert hub.json("inbox")["cases"] == []


def test_a_duplicate_can_be_declared_a_person_of_its_own(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(1, id="11", first_name="Other")])
    hub.csv("news", [])
    hub.synced()
    [case] = hub.json("inbox")["cases"]
    assert "syncd inbox show CASE -c syncd.yaml" in hub.run("inbox").out
    shown = hub.json("inbox", "show", str(case["case"]))
    assert shown["candidates"]
    assert shown["decisions"] == ["--new"]  # a contact has one record in an app: --link could only fail
    assert [(each["record"], each["fields"]["first_name"]) for each in shown["records"]] == [
        ("11", "Other"),
        ("1", "First1"),
    ]
    said = hub.run("inbox", "show", str(case["case"])).out
    assert "merge them in the app; syncd links what is left by itself at the next sync" in said
    assert ["first_name", "Other", "First1"] in [line.split() for line in said.splitlines()]
    assert "--link" not in said
    hub.json("inbox", "resolve", str(case["case"]), "--new")
    hub.run("sync")
    assert hub.json("inbox")["cases"] == []


def test_a_record_can_be_linked_to_a_contact_without_one_in_its_app(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(1, id="11", first_name="Other")])
    hub.csv("news", [person(1)])
    hub.synced()
    case = next(each for each in hub.json("inbox")["cases"] if each["app"] == "news")
    *links, new = hub.json("inbox", "show", str(case["case"]))["decisions"]
    assert len(links) == 2
    assert new == "--new"
    assert hub.run("inbox", "resolve", str(case["case"]), *links[0].split()).code == 0


def test_reports_of_a_hub_that_has_never_run_are_empty_and_fine(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)])
    doc = hub.json("status")
    assert (doc["contacts"], doc["inbox"]) == (0, 0)
    assert doc["apps"]["crm"]["cursor_age_seconds"] is None
    assert hub.json("history") == {"runs": [], "entries": []}
    assert hub.json("inbox") == {"cases": [], "held": []}
    assert hub.json("status", "--alive", code=3) == {"alive": False, "age_seconds": None}


def test_status_keeps_the_last_error_of_an_app(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)])
    hub.csv("news", [])
    hub.synced()
    (hub.folder / "news.csv").unlink()
    assert hub.run("sync").code == 3
    doc = hub.json("status")
    assert "no such file" in doc["apps"]["news"]["last_error"]
    assert doc["apps"]["crm"]["last_error"] is None


def test_status_counts_records_with_a_cell_that_cannot_be_read(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, phone="ask at reception"), person(2, phone="+4930123456"), person(3)])
    hub.csv("news", [person(2)])
    hub.synced()
    apps = hub.json("status")["apps"]
    assert (apps["crm"]["unreadable"], apps["crm"]["in_sync"], apps["crm"]["parked"]) == (1, 3, 0)
    assert "unreadable" not in apps["news"]
    assert "crm: 1 record has a cell that cannot be read" in hub.run("status").out
    rows = hub.rows("news")
    rows["p2@example.com"]["phone"] = "call the shop"
    hub.write("news", rows.values())
    rows = hub.rows("crm")
    rows["p1@example.com"]["company"] = "Acme"
    hub.write("crm", rows.values())
    hub.json("sync")
    apps = hub.json("status")["apps"]
    assert (apps["crm"]["unreadable"], apps["news"]["unreadable"]) == (1, 1)
    rows["p1@example.com"]["phone"] = ""
    hub.write("crm", rows.values())
    hub.json("sync")
    apps = hub.json("status")["apps"]
    assert "unreadable" not in apps["crm"]
    assert apps["news"]["unreadable"] == 1
