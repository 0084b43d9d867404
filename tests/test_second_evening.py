"""What the next user found in an evening with the README: what was done or left in silence, each through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubs import Hub, edit, five, odd, person, until
from tests.test_daemon import events, running


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


def test_an_undo_of_an_ordinary_edit_is_told_as_that_by_every_write(hub: Hub) -> None:
    edit(hub, "crm", 1, company="One")
    run = str(hub.json("sync")["run"])
    said = hub.run("undo", "--run", run).out
    assert "gets back" not in said
    assert said.count("(undone by an operator)") == 2
    back = str(hub.json("undo", "--run", run, "--approve")["run"])
    reasons = {each["reason"] for each in hub.json("history", "--run", back)["entries"]}
    assert reasons == {"undone by an operator"}


# -- what check says


def test_a_warning_among_errors_is_called_one_and_everything_has_its_line(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(1, id="2")], more=", fields: {phone: {path: Telefon}}")
    hub.csv("news", [person(1), person(1, id="2")])
    said = hub.run("check")
    assert (said.code, said.out) == (2, "")
    crm, shared, news = said.err.splitlines()
    assert crm.startswith("syncd: syncd.yaml:4:3: apps.crm: phone: no column is named 'Telefon'")
    assert shared.startswith("syncd: syncd.yaml:4:3: apps.crm: warning: match key [email] is not unique")
    assert news.startswith("syncd: syncd.yaml:5:3: apps.news: warning: match key [email] is not unique")


def test_a_secret_that_is_missing_hides_no_other_mistake(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)], more=", fields: {phone: {path: Telefon}}")
    settings = "{url: 'https://us19.api.mailchimp.com/3.0', audience: x}"
    hub.app("news", f"{{connector: mailchimp, settings: {settings}, secrets: {{api_key: env:NO_KEY}}}}")
    said = hub.run("check")
    assert (said.code, said.out) == (2, "")
    secret, column = said.err.splitlines()
    assert secret.startswith("syncd: syncd.yaml:5:")
    assert "apps.news.secrets.api_key: not found; looked at: environment variable NO_KEY (not set)" in secret
    assert "apps.crm: " in column
    assert "no column is named 'Telefon'" in column
    assert "NO_KEY" in hub.run("sync").err


def test_an_app_that_was_renamed_is_not_forgotten_in_silence(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(1, id="11"), person(2)])
    hub.csv("news", [person(1), person(2)])
    hub.synced()
    assert hub.json("check")["findings"] == []
    hub.apps["customers"] = hub.apps.pop("crm")
    hub.configure()
    [finding] = hub.json("check")["findings"]
    assert finding["level"] == "warning"
    assert (
        "the store knows an app crm with 3 records that is not in the configuration any more; 2 cases"
        in finding["message"]
    )
    assert "Renamed: the new name counts as a new app" in hub.run("check").out
    assert "crm is not in the configuration any more: --new or --keep closes a case of it" in hub.run("inbox").out


def test_a_removal_in_an_app_that_is_no_more_can_be_decided(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(number) for number in range(1, 6)])
    hub.csv("news", [])
    hub.csv("shop", [])
    hub.synced()
    hub.write("crm", [row for row in hub.rows("crm").values() if row["id"] != "1"])
    edit(hub, "news", 1, company="Edited")
    assert hub.json("sync", code=4)["inbox"] == 1
    hub.apps.pop("crm")
    hub.configure()
    said = hub.run("inbox", "resolve", "1", "--restore")
    assert (said.code, "crm is not in the configuration any more" in said.err) == (2, True), said.err
    assert hub.json("inbox", "resolve", "1", "--keep")["kind"] == "deletion"
    assert hub.json("sync")["inbox"] == 0


# -- whom a plan is about


def test_a_plan_names_people_and_not_records_alone(hub: Hub) -> None:
    edit(hub, "crm", 1, company="One", email_consent="opted_out")
    hub.write("crm", [*hub.rows("crm").values(), person(9)])
    said = hub.run("plan").out
    assert "(c1, p1@example.com)" in said
    assert [
        line for line in said.splitlines() if line.startswith("news: consent ") and line.endswith(", p1@example.com)")
    ]
    assert "news: create a new record (c6, p9@example.com)" in said
    hub.run("plan", "--out", "plan.json")
    assert "@" not in hub.run("apply", "plan.json").err
    hub.run("plan", "--out", "plan.json")
    assert hub.json("undo", "--run", "2", code=4)["intents"][0]["who"] == "p1@example.com"


# -- the first look, and where the store lies


def test_what_waits_for_the_first_approval_is_held_by_no_limit(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, email_consent="opted_out")])
    hub.csv("news", [person(1)])
    said = hub.run("plan").out
    assert "waits for the approval of the first run: news 1 opt outs" in said
    hub.json("sync", code=4)
    assert "limit" not in said + hub.run("status").out


def test_a_store_below_a_file_is_told_which_file(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)])
    (tmp_path / "zz").touch()
    for store in ("zz/syncd.db", "zz/deep/syncd.db"):
        hub.store = f"sqlite:///{store}"
        hub.configure()
        for command in ("check", "sync"):
            said = hub.run(command)
            assert (said.code, said.out) == (2, "")
            assert f"{tmp_path / 'zz'}: this is a file, so no folder for the store can be there" in said.err
            assert "writable" not in said.err


# -- a run that is not in sync says why


def test_a_plan_that_is_behind_says_what_came_since(hub: Hub) -> None:
    edit(hub, "crm", 1, company="One")
    hub.run("plan", "--out", "plan.json")
    edit(hub, "news", 2, company="Two")
    why = "crm: 1 write waits that had no part in this run (left out, or found since); the next sync looks at what is to be done"
    said = hub.run("apply", "plan.json")
    assert (said.code, why in said.out.splitlines()) == (3, True)
    assert hub.json("apply", "plan.json", code=3)["why"] == [why]
    assert "why" not in hub.json("sync")


def test_a_plan_of_which_something_is_skipped_says_so(hub: Hub) -> None:
    edit(hub, "crm", 1, company="One")
    hub.run("plan", "--out", "plan.json")
    edit(hub, "crm", 1, company="Eins")
    doc = hub.json("apply", "plan.json", code=3)
    assert "1 of the plan were skipped, as something has changed since" in doc["why"]
    assert [each["skipped"] for each in doc["skipped"]] == ["a value has changed since"]


def test_a_resync_in_one_direction_says_what_waits(hub: Hub) -> None:
    edit(hub, "crm", 1, company="One")
    assert hub.run("resync", "--pull-only").code == 0
    said = hub.run("resync", "--app", "news", "--pull-only")
    why = "news: 1 write waits that had no part in this run (left out, or found since); the next sync looks at what is to be done"
    assert (said.code, why in said.out.splitlines()) == (3, True), said.out


def test_what_is_refused_parked_or_out_of_reach_is_in_the_document(hub: Hub) -> None:
    flags = odd(hub, "shop", [person(number) for number in range(1, 6)])
    hub.json("sync", "--approve")
    edit(hub, "crm", 1, company="One")
    (flags / "read").write_text("TransientError", "utf-8")
    assert hub.json("sync", code=3)["why"] == ["shop: odd: read"]
    assert hub.json("plan", code=3)["why"] == ["shop: odd: read"]
    (flags / "read").unlink()
    hub.write("crm", [*hub.rows("crm").values(), {**person(8), "id": ""}])
    [why] = hub.json("sync", code=3)["why"]
    assert why == "crm: 1 record is set aside (parked)"


# -- a hold whose cause is gone


@pytest.fixture
def half(tmp_path: Path) -> Hub:
    """A file of which most is missing, as a run has found; and a case in the inbox, so that no run is wholly in sync."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(number, company="One") for number in range(1, 13)])
    hub.csv("news", [person(1, company="Two")])
    hub.configure("fields: {company: {policy: ask}}\n")
    hub.synced()
    rows = hub.rows("crm")
    hub.write("crm", [person(1, company="One")])
    assert hub.json("sync", code=4)["held"] == [{"app": "crm", "verb": "unlinks", "count": 11, "limit": 5}]
    assert hub.run("status", "--list", "missing").out.count("crm") == 11
    hub.write("crm", rows.values())
    return hub


def test_a_hold_is_told_as_what_a_run_found(half: Hub) -> None:
    said = half.run("status").out
    assert "held: run 2 found: crm lacks 11 linked records (limit 5): syncd approve 2 -c syncd.yaml" in said
    assert "(what is put right by then, the next sync does not hold)" in said
    assert "run 2 was held, as it found: crm lacks 11 linked records" in half.run("inbox").out


def test_a_run_of_another_app_leaves_a_hold_as_it_is(half: Hub) -> None:
    half.json("resync", "--app", "news", code=4)
    [held] = half.json("status")["held"]
    assert (held["run"], held["held"][0]["app"]) == (2, "crm")


def test_a_hold_is_told_no_more_once_the_app_was_read_and_not_held(half: Hub) -> None:
    with running(half) as process:
        until(lambda: events(half, event="pass", app="crm"), "a pass", alive=process)
    assert half.json("status")["held"] == half.json("inbox")["held"] == []
    said = half.run("approve", "2")
    assert (said.code, said.out) == (2, "")
    assert "run 2 waits no more: what it held was approved and used up, or later runs read the app" in said.err


def test_an_undo_reads_without_guards_and_ends_no_hold(hub: Hub) -> None:
    rows = hub.rows("crm")
    edit(hub, "crm", 1, company="One")
    run = str(hub.json("sync")["run"])
    hub.write("crm", [{**row, "first_name": "Ada"} for row in rows.values()])
    held = hub.json("sync", code=4)["run"]
    hub.run("undo", "--run", run, "--approve", "--json")
    assert [each["run"] for each in hub.json("status")["held"]] == [held]
    assert hub.run("approve", str(held)).code == 0
    assert hub.json("status")["held"] == [], "it is approved, and waits for the next run only"


# -- what was done, as history and explain tell it


def test_history_says_what_a_run_could_not_do_and_what_was_decided(asked: Hub) -> None:
    flags = odd(asked, "shop", [person(1, company="One")])
    asked.json("sync", "--approve", code=4)
    (flags / "read").write_text("TransientError", "utf-8")
    run = asked.json("sync", code=4)["run"]
    assert f"{run}  " in asked.run("history").out
    [told] = [line for line in asked.run("history").out.splitlines() if line.startswith(f"{run} ")]
    assert told.endswith("  nothing written; shop: odd: read")
    (flags / "read").unlink()
    asked.json("inbox", "resolve", "1", "--app", "crm")
    assert "  resolve  decided case 1 of the inbox" in asked.run("history").out


def test_explain_shows_both_sides_of_a_change_whole_and_no_record_raw(hub: Hub) -> None:
    long = "A very long name of a company that nobody can tell from its beginning, "
    for end in ("one", "two"):
        edit(hub, "crm", 1, company=long + end, first_name="Wilhelmina-Josephine" * 3)
        hub.json("sync")
    said = hub.run("explain", "p1@example.com").out
    assert any(long + "one" in line and long + "two" in line for line in said.splitlines())
    hub.write("crm", [row for row in hub.rows("crm").values() if row["id"] != "1"])
    for _ in range(2):
        hub.json("sync")
    said = hub.run("explain", "p1@example.com").out
    assert "unlink" in said
    assert "(the record)" in said
    assert "{" not in said


# -- the log of the daemon


def test_a_healthy_line_of_the_log_says_how_much_waits_in_the_inbox(asked: Hub) -> None:
    edit(asked, "crm", 1, first_name="Ada")
    with running(asked) as process:
        until(lambda: asked.rows("news")["p1@example.com"]["first_name"] == "Ada", "the edit", alive=process)
        until(lambda: events(asked, event="pass"), "a line of the log", alive=process)
    for event in events(asked, event="pass"):
        assert (event["outcome"], event["level"], event["hub"], event["inbox"]) == ("ok", "info", "held", 1)
