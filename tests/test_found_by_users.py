"""What a fresh user found, with nothing but the README at hand: each a story through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubs import Hub, edit, five, odd, person


@pytest.fixture(name="hub")
def begin(tmp_path: Path) -> Hub:
    return five(tmp_path)


# -- what is done already is no failure


def test_a_plan_that_was_done_already_is_in_sync(hub: Hub) -> None:
    edit(hub, "crm", 1, company="One")
    hub.run("plan", "--out", "plan.json")
    assert hub.json("apply", "plan.json")["skipped"] == []
    doc = hub.json("apply", "plan.json")
    assert doc["outcome"] == "in_sync"
    assert [each["skipped"] for each in doc["skipped"]] == ["nothing to do any more"]


def test_what_was_approved_and_done_is_approved_no_second_time(hub: Hub) -> None:
    said = hub.run("approve", "1")
    assert (said.code, said.out) == (2, "")
    assert "held nothing" in said.err
    rows = hub.rows("crm")
    hub.write("crm", [{**row, "company": "Acme"} for row in rows.values()])
    run = str(hub.json("sync", code=4)["run"])
    assert len(hub.json("approve", run)["approved"]) == 1
    again = hub.run("approve", run)
    assert (again.code, again.out.splitlines()[0]) == (0, f"run {run} is approved already")
    assert hub.json("sync")["apps"]["news"]["updated"] == 5
    said = hub.run("approve", run)
    assert (said.code, said.out) == (2, "")
    assert "approved and used up" in said.err
    hub.write("crm", [{**row, "company": "Other"} for row in rows.values()])
    hub.json("sync", code=4)


def test_a_first_run_that_was_done_cannot_be_approved_again(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(number) for number in range(1, 6)])
    hub.csv("news", [person(1)])
    assert hub.json("sync", code=4)["held"]
    hub.json("sync", *["--approve"])
    assert "approved and used up" in hub.run("approve", "1").err


def test_what_was_approved_and_could_not_be_written_stays_approved(hub: Hub) -> None:
    flags = odd(hub, "shop", [person(number) for number in range(1, 6)])
    hub.json("sync", "--approve")
    rows = hub.rows("crm")
    hub.write("crm", [{**row, "company": "Acme"} for row in rows.values()])
    (flags / "write").write_text("TransientError", "utf-8")
    hub.json("sync", "--approve", code=3)
    (flags / "write").unlink()
    assert hub.json("sync")["apps"]["shop"]["updated"] == 5
    hub.write("crm", [{**row, "company": "Other"} for row in rows.values()])
    assert hub.json("sync", code=4)["held"]


# -- a word for consent that nobody knows

WORDS = ", fields: {email_consent: {path: Newsletter, values: {opted_in: ja, opted_out: %s}}}"
PLACES = ("id", "email", "first_name", "last_name", "Newsletter")


@pytest.fixture
def german(tmp_path: Path) -> Hub:
    """Two people in both of two apps, one of which has words of its own for consent."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(number, Newsletter="ja") for number in (1, 2)], columns=PLACES, more=WORDS % "nein")
    hub.csv("news", [person(number) for number in (1, 2)])
    return hub.synced()


def say(hub: Hub, word: str) -> None:
    rows = [{**row, "Newsletter": word} if row["id"] == "1" else row for row in hub.rows("crm").values()]
    hub.write("crm", rows, columns=PLACES)


def test_a_word_for_consent_that_is_not_known_is_never_silent(german: Hub) -> None:
    hub = german
    hub.json("sync")
    assert "unreadable_consents" not in hub.json("status")["apps"]["crm"]
    say(hub, "abgemeldet")
    for _ in range(2):
        doc = hub.json("sync", code=3)
        assert (doc["outcome"], doc["apps"]["crm"]["unreadable_consents"]) == ("partial", 1)
    said = hub.run("sync")
    assert "crm: 1 record has a word for consent that is not known: nobody can tell whether they opted out" in said.out
    assert "abgemeldet" not in said.out + said.err
    assert hub.json("status")["apps"]["crm"]["unreadable_consents"] == 1
    assert "nobody can tell whether they opted out" in hub.run("status").out
    [finding] = hub.json("check")["apps"]["crm"]["findings"]
    assert finding["level"] == "warning"
    assert "1 record with a word for consent" in finding["message"]
    assert "add the word to `values`" in finding["message"]
    assert hub.rows("news")["p1@example.com"]["email_consent"] == ""
    say(hub, "ja")
    assert hub.json("sync")["outcome"] == "in_sync"
    assert hub.json("check")["apps"]["crm"]["findings"] == []


def test_an_opt_out_counts_as_soon_as_its_word_is_known(german: Hub) -> None:
    hub = german
    say(hub, "Abgemeldet")
    hub.json("sync", code=3)
    hub.app("crm", hub.apps["crm"].replace("nein", "[nein, abgemeldet]"))
    assert hub.json("sync")["outcome"] == "in_sync"
    assert hub.rows("news")["p1@example.com"]["email_consent"] == "opted_out"
    assert hub.rows("crm")["p1@example.com"]["Newsletter"] == "Abgemeldet"
    edit(hub, "news", 2, email_consent="opted_out")
    hub.json("sync")
    assert hub.rows("crm")["p2@example.com"]["Newsletter"] == "nein"


def test_an_opt_out_from_elsewhere_replaces_a_word_that_nobody_knows(german: Hub) -> None:
    hub = german
    say(hub, "abgemeldet")
    edit(hub, "news", 1, email_consent="opted_out")
    assert hub.json("sync")["outcome"] == "in_sync"
    assert hub.rows("crm")["p1@example.com"]["Newsletter"] == "nein"


# -- duplicates


def test_check_counts_no_duplicates_that_were_decided(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(1, id="11"), person(2)])
    hub.csv("news", [])
    hub.synced()
    assert "2 records share theirs" in hub.run("check").out
    for case in hub.json("inbox")["cases"]:
        hub.json("inbox", "resolve", str(case["case"]), "--new")
    assert hub.json("inbox")["cases"] == []
    assert "share theirs" not in hub.run("check").out


def test_a_contact_that_was_taken_over_is_gone_and_its_journal_is_not(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, phone="+493012345678")])
    hub.csv("news", [{**person(1, phone="+493012345678"), "email": "x1@example.com"}])
    hub.configure("match: [[email], [phone, last_name]]\n")
    hub.synced()
    case = next(each for each in hub.json("inbox")["cases"] if each["contact"] == "c2")
    assert "--link c1" in hub.json("inbox", "show", str(case["case"]))["decisions"]
    rows = hub.rows("news")
    hub.write("news", [rows["x1@example.com"] | {"email_consent": "opted_out"}])
    hub.json("sync", code=4)
    assert hub.json("status")["contacts"] == 2
    hub.json("inbox", "resolve", str(case["case"]), "--link", "c1")
    assert hub.json("status")["contacts"] == 1
    assert hub.run("explain", case["contact"]).code == 2
    reasons = [line["reason"] for line in hub.json("explain", "c1")["history"]]
    assert f"decided: the record of {case['contact']} belongs here" in reasons
    assert any("opted out" in reason for reason in reasons)
    hub.json("sync")
    [row] = hub.rows("crm").values()
    assert row["email_consent"] == "opted_out"
    assert {app: counts["excluded"] for app, counts in hub.json("status")["apps"].items()} == {"crm": 0, "news": 0}


# -- rows that are set aside


def test_a_row_that_was_set_aside_is_forgotten_when_it_is_not_there_any_more(hub: Hub) -> None:
    rows = list(hub.rows("crm").values())
    for away in ({"id": "7"}, None):
        hub.write("crm", [*rows, person(7, id="")])
        doc = hub.json("sync", code=3)
        assert doc["apps"]["crm"]["parked"] == 1
        hub.write("crm", [*rows, person(7, id="7")] if away else rows)
        assert hub.run("sync").code in (0, 3)
        doc = hub.json("sync")
        assert (doc["outcome"], doc["apps"]["crm"]["parked"]) == ("in_sync", 0)


# -- a pause


def test_a_run_says_what_waits_for_a_paused_app(hub: Hub) -> None:
    assert hub.json("sync")["paused"] == []
    hub.json("pause", "news")
    edit(hub, "crm", 1, company="Acme")
    edit(hub, "crm", 2, company="Acme")
    assert hub.json("sync")["paused"] == ["news"]
    assert hub.json("plan")["paused"] == ["news"]
    for command in ("sync", "plan"):
        said = hub.run(command)
        assert (said.code, "news: 2 writes wait for it to go on" in said.out) == (0, True)


# -- an undo


def test_an_undo_of_one_field_says_nothing_of_the_record_that_was_created(hub: Hub) -> None:
    edit(hub, "crm", 1, phone="+49 30 1234567")
    hub.json("sync")
    doc = hub.json("undo", "--contact", "p1@example.com", "--field", "phone", "--approve")
    assert doc["skipped"] == []
    assert [hub.rows(app)["p1@example.com"]["phone"] for app in ("crm", "news")] == ["", ""]


# -- two apps that are one file, table or account

ONE = "this is the same account, file or table as"


@pytest.mark.parametrize(
    "spelled", ["path: crm.csv, key: id", "path: ./crm.csv", "path: link.csv", "path: crm.csv, key: email"]
)
def test_two_apps_of_one_file_are_refused_and_the_others_go_on(tmp_path: Path, spelled: str) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)])
    hub.csv("news", [person(number) for number in (1, 2)])
    hub.csv("shop", [])
    (tmp_path / "link.csv").symlink_to("crm.csv")
    hub.app("again", f"{{connector: csv, settings: {{{spelled}}}}}")
    checked = hub.run("check")
    assert checked.code == 2
    assert f"crm: {ONE} again" in checked.err
    assert f"again: {ONE} crm" in checked.err
    before = (tmp_path / "crm.csv").read_bytes()
    for _ in range(2):
        said = hub.run("sync", "--approve")
        assert said.code == 2
        assert f"crm: {ONE} again" in said.err
        assert (tmp_path / "crm.csv").read_bytes() == before
    del hub.apps["again"]
    hub.configure()
    assert hub.json("sync", "--approve")["outcome"] == "in_sync"
    assert len(hub.rows("crm")) == len(hub.rows("shop")) == 2


def test_a_second_app_of_a_known_file_is_refused_until_it_points_elsewhere(hub: Hub) -> None:
    hub.app("again", "{connector: csv, settings: {path: ./crm.csv}}")
    rows = hub.rows("news")
    hub.write("news", [*rows.values(), person(9)])
    assert f"again: {ONE} crm" in hub.run("sync").err
    assert len(hub.rows("crm")) == 5
    hub.write("other", [])
    hub.app("again", "{connector: csv, settings: {path: other.csv, key: id}}")
    hub.json("sync", "--approve")
    assert len(hub.rows("crm")) == len(hub.rows("other")) == 6


def test_two_tables_of_one_database_are_two_apps(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.table("crm", [person(1)])
    hub.sql("crm", "CREATE TABLE staff AS SELECT * FROM people WHERE 0")
    hub.sql("crm", "CREATE UNIQUE INDEX staff_id ON staff (id)")
    hub.app("staff", "{connector: sql, settings: {url: 'sqlite:///crm.db', table: staff, key: id}}")
    hub.app("again", "{connector: sql, settings: {url: 'sqlite:///./crm.db', table: people, key: id}}")
    said = hub.run("check")
    assert f"crm: {ONE} again" in said.err
    assert "staff: this is" not in said.err
    del hub.apps["again"]
    hub.configure()
    assert ONE not in hub.run("check").err


# -- what is held is seen


def test_status_says_what_is_held_and_an_older_number_approves_it(hub: Hub) -> None:
    assert hub.json("status")["held"] == []
    hub.write("crm", [*hub.rows("crm").values(), *(person(number) for number in range(6, 40))])
    first = hub.json("sync", code=4)["run"]
    second = hub.json("sync", code=4)["run"]
    assert second > first
    doc = hub.json("status")
    assert doc["held"] == hub.json("inbox", "list")["held"]
    assert [each["run"] for each in doc["held"]] == [second]
    assert f"held: run {second} found: news 34 creates (limit " in hub.run("status").out
    assert f": syncd approve {second} -c syncd.yaml\n" in hub.run("status").out
    hub.json("approve", str(first))
    assert hub.json("sync")["apps"]["news"]["created"] == 34
    assert hub.json("status")["held"] == []


def test_what_is_held_is_seen_where_another_app_is_out_of_reach(hub: Hub) -> None:
    flags = odd(hub, "shop", [])
    hub.json("sync", "--approve")
    (flags / "read").write_text("AccessError", "utf-8")
    hub.write("crm", [*hub.rows("crm").values(), *(person(number) for number in range(6, 40))])
    run = hub.json("sync", code=5)["run"]
    assert [each["run"] for each in hub.json("status")["held"]] == [run]


# -- a store that cannot be made


def test_check_says_that_a_store_cannot_be_made(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)])
    (tmp_path / "file").write_text("")
    for place in ("/proc/x/syncd.db", str(tmp_path / "file" / "syncd.db")):
        hub.store = f"sqlite:///{place}"
        hub.configure()
        said = hub.run("check")
        assert said.code == 2
        assert ("the store cannot be made here" if place.startswith("/proc") else "this is a file") in said.err
    hub.store = "sqlite:///new/syncd.db"
    hub.configure()
    assert hub.run("check").code == 0
    assert {each.name for each in tmp_path.iterdir()} == {"crm.csv", "file", "syncd.yaml"}


# -- telephone numbers and their countries


def test_a_number_with_its_country_wins_at_the_first_contact_without_any_region(tmp_path: Path) -> None:
    """Without `region`, the CRM's "030 23125053" was written over the other app's +493023125053."""
    hub = Hub(tmp_path)
    typed = {1: "030 23125053", 2: "0049 30 23125054", 3: "(020) 7946 0456"}
    whole = {1: "+493023125053", 2: "+49 30 23125054", 3: "+44 20 7946 0456"}
    hub.csv("crm", [person(number, phone=phone) for number, phone in typed.items()])
    hub.csv("news", [person(number, phone=phone) for number, phone in whole.items()])
    hub.synced()
    assert {int(row["id"]): row["phone"] for row in hub.rows("news").values()} == whole
    crm = [row["phone"] for row in hub.rows("crm").values()]
    assert crm == ["+493023125053", typed[2], "+442079460456"], "the second is the same number in another spelling"


def test_a_known_number_that_is_typed_without_its_country_keeps_it(tmp_path: Path) -> None:
    """`region: GB` made +443023125053 of it, everywhere."""
    hub = Hub(tmp_path)

    def phone(app: str) -> str:
        return hub.rows(app)["p1@example.com"]["phone"]

    hub.csv("crm", [person(1, phone="+49 30 23125053")])
    hub.csv("news", [person(1, phone="+49 30 23125053")])
    hub.configure("fields: {phone: {region: GB}}\n")
    hub.synced()
    edit(hub, "crm", 1, phone="030 23125053")
    assert hub.run("sync").code == 0
    assert phone("news") == "+49 30 23125053"
    assert phone("crm") == "+493023125053"
    assert "says the same, with its country" in hub.run("history", "--contact", "p1@example.com").out
    edit(hub, "crm", 1, phone="030 23125099")
    assert hub.run("sync").code == 0
    assert phone("news") == "+443023125099", "another number is what was typed"


@pytest.mark.parametrize("remedy", ["{region: DE}", "{}"])
def test_a_wrong_region_is_put_right_without_touching_where_the_number_came_from(tmp_path: Path, remedy: str) -> None:
    """The wrong number was written over the number that it had been made of."""
    hub = Hub(tmp_path)
    typed, other = "020 2312 5099", "0208 123 4567"
    hub.csv("crm", [person(1, phone=typed), person(2, phone=other)])
    hub.csv("news", [person(2), person(1)])
    hub.configure("fields: {phone: {region: GB}}\n")
    hub.synced()
    before = {row["id"]: row["phone"] for row in hub.rows("news").values()}
    assert before["1"].startswith("+4420")
    hub.configure(f"fields: {{phone: {remedy}}}\n")
    assert hub.run("sync").code == 0
    assert [row["phone"] for row in hub.rows("crm").values()] == [typed, other]
    after = {row["id"]: row["phone"] for row in hub.rows("news").values()}
    assert after["1"] == ("+492023125099" if "DE" in remedy else typed)
    assert "read again" in hub.run("history", "--contact", "p1@example.com").out
    again = hub.json("sync")["apps"]
    assert {app: counts["updated"] for app, counts in again.items()} == {"crm": 0, "news": 0}


def test_who_is_missing_can_be_listed_before_anybody_approves(tmp_path: Path) -> None:
    """`held: 7 unlinks`, and no command said which people."""
    hub = Hub(tmp_path)
    people = [person(number) for number in range(1, 15)]
    hub.csv("crm", people)
    hub.csv("news", people)
    hub.synced()
    hub.write("crm", people[:7])
    said = hub.run("sync")
    assert said.code == 4
    assert "`syncd status --list missing --app crm` names them" in said.out + said.err
    found = hub.json("status", "--list", "missing", "--app", "crm")["records"]
    assert {each["who"] for each in found} == {row["email"] for row in people[7:]}
    hub.write("crm", people)
    assert hub.run("sync").code == 0
    assert hub.json("status", "--list", "missing")["records"] == []
