"""The command line as people and scripts meet it: a process, its documents, its exit codes (DESIGN 5, issue 2)."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import COMMAND
from tests.hubs import Hub, environment, person, three

COUNTS = {"read", "created", "updated", "cleared", "archived", "consents", "parked", "failed"}


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return three(tmp_path)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """The same, synced, and only looked at by the tests that ask for it."""
    return three(tmp_path_factory.mktemp("settled")).synced()


def modules(*words: str, folder: Path) -> set[str]:
    """Run a command; return the top-level packages that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], *words],
        capture_output=True,
        cwd=folder,
        env=environment(),
        check=True,
        text=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


# -- start-up


def test_the_version_is_told_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    assert not modules("--version", folder=tmp_path) & {
        "typer",
        "rich",
        "sqlalchemy",
        "pydantic",
        "ruamel",
        "structlog",
    }


def test_a_sync_that_finds_nothing_to_do_imports_no_command_line_library(settled: Hub) -> None:
    found = modules("sync", "-c", "syncd.yaml", "--json", folder=settled.folder)
    assert "sqlalchemy" in found
    assert not found & {"typer", "rich", "pydantic", "structlog", "apscheduler", "alembic", "httpx"}


@pytest.mark.parametrize(
    "words",
    [
        ["sync"],
        ["sync", "--approve", "-c", "a.yaml"],
        ["sync", "--config", "a.yaml", "--json", "--debug"],
        ["status"],
        ["status", "--alive", "--json"],
    ],
)
def test_the_short_way_reads_what_typer_reads(words: list[str]) -> None:
    import typer

    from syncd.cli import everyday
    from syncd.cli.commands import commands

    quick = everyday.read(words)
    assert quick is not None
    group: object = typer.main.get_command(commands())
    context = group.commands[words[0]].make_context(words[0], words[1:])  # type: ignore[attr-defined]
    params = dict(context.params)
    params.pop("debug")
    assert quick.keywords == {name: value for name, value in params.items() if value is not None or name == "config"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "words", [[], ["plan"], ["sync", "-c"], ["sync", "--aprove"], ["sync", "--config=a.yaml"], ["status", "x"]]
)
def test_the_short_way_leaves_the_rest_to_typer(words: list[str]) -> None:
    from syncd.cli import everyday

    assert everyday.read(words) is None


# -- the first run


def test_the_first_run_is_a_preview_until_it_is_approved(hub: Hub) -> None:
    before = (hub.folder / "crm.csv").read_bytes(), hub.sql("books", "SELECT * FROM people")
    doc = hub.json("sync", code=4)
    assert doc["outcome"] == "held"
    assert {(held["app"], held["verb"], held["count"]) for held in doc["held"]} == {
        ("books", "creates", 1),
        ("books", "updates", 1),
        ("crm", "creates", 1),
    }
    said = hub.run("sync")
    assert said.code == 4
    assert said.out.splitlines()[2].split(maxsplit=2) == ["found", "count", "what it counts"]
    for word in ("matched", "unmatched", "ambiguous", "disagreeing", "syncd sync --approve", "syncd plan"):
        assert word in said.out
    assert ((hub.folder / "crm.csv").read_bytes(), hub.sql("books", "SELECT * FROM people")) == before

    assert "first look: waits for approval" in hub.run("history").out
    assert hub.json("approve", str(doc["run"]))["run"] == doc["run"]
    assert "first look: nothing was written" in hub.run("history").out
    assert all(set(run) == {"run", "at", "kind", "apps"} for run in hub.json("history")["runs"])
    assert hub.json("sync")["outcome"] == "in_sync"
    assert set(hub.rows("crm")) == {"p1@example.com", "p2@example.com", "p3@example.com"}


def test_a_second_sync_sends_nothing_and_says_so_in_the_agreed_shape(hub: Hub) -> None:
    hub.synced()
    doc = hub.json("sync")
    assert set(doc) == {"run", "outcome", "apps", "held", "inbox", "paused"}
    assert (doc["outcome"], doc["held"], doc["inbox"]) == ("in_sync", [], 0)
    for counts in doc["apps"].values():
        assert set(counts) == COUNTS
        assert not any(count for name, count in counts.items() if name != "read")


def test_a_first_look_with_nothing_to_write_says_so(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)])
    hub.csv("news", [person(1)])
    said = hub.run("sync")
    assert said.code == 4
    assert "Nothing would be written now." in said.out
    assert "approved: the first run" in hub.run("approve", "1").out


def test_what_a_first_look_would_write_is_listed_app_by_app_and_verb_by_verb(tmp_path: Path) -> None:
    """Verbs that a guard holds as well are no exception."""
    hub = Hub(tmp_path)
    hub.csv("zoo", [person(n) for n in range(1, 6)])
    hub.csv("ape", [person(n, company="ACME") for n in range(4, 9)])
    hub.configure("guards: {updates: 1}\n")
    lines = hub.run("sync").out.partition("What would be written:")[2].splitlines()[2:6]
    assert [line.split()[:2] for line in lines] == [
        ["zoo", "creates"],
        ["zoo", "updates"],
        ["ape", "creates"],
        [],
    ]


# -- plan and apply


def test_a_plan_writes_nothing_and_is_done_exactly(hub: Hub) -> None:
    hub.synced()
    hub.sql("books", "UPDATE people SET first_name = 'Zoe' WHERE id = 'b3'")
    before = (hub.folder / "crm.csv").read_bytes()
    doc = hub.json("plan")
    assert set(doc) == {"intents", "counts", "held", "inbox", "paused"}
    [intent] = doc["intents"]
    assert {"app", "kind", "contact", "record", "fields"} <= set(intent)
    assert (intent["app"], intent["kind"]) == ("crm", "update")
    [(name, change)] = intent["fields"].items()
    assert name == "first_name"
    assert set(change) == {"from", "to", "reason"}
    assert (change["from"], change["to"]) == ("First3", "Zoe")
    assert doc["counts"]["crm"] == {"update": 1}
    assert (hub.folder / "crm.csv").read_bytes() == before

    said = hub.run("plan", "--out", "p.json")
    assert said.code == 0, said.err
    assert stat.S_IMODE((hub.folder / "p.json").stat().st_mode) == 0o600
    done = hub.json("apply", "p.json")
    assert (done["apps"]["crm"]["updated"], done["skipped"]) == (1, [])
    assert hub.rows("crm")["p3@example.com"]["first_name"] == "Zoe"


def test_what_has_moved_since_the_plan_is_skipped_and_listed(hub: Hub) -> None:
    hub.synced()
    hub.sql("books", "UPDATE people SET first_name = 'Zoe' WHERE id = 'b3'")
    assert hub.run("plan", "--out", "p.json").code == 0
    hub.sql("books", "UPDATE people SET first_name = 'Zora' WHERE id = 'b3'")
    doc = hub.json("apply", "p.json", code=3)
    assert len(doc["skipped"]) == 1
    assert hub.rows("crm")["p3@example.com"]["first_name"] == "First3"


def test_the_plan_of_one_app_is_of_that_app(hub: Hub) -> None:
    doc = hub.json("plan", "--app", "crm", code=4)
    assert {intent["app"] for intent in doc["intents"]} == {"crm"}
    assert set(doc["counts"]) == {"crm"}


def test_a_plan_for_people_shows_every_intent_with_its_reason(hub: Hub) -> None:
    said = hub.run("plan")
    assert said.code == 4
    assert "books: update b2" in said.out
    assert "(fills a blank, from crm)" in said.out


@pytest.mark.parametrize("text", ["", "[]", '{"intents": 1}', "{", '{"intents": '])
def test_what_is_no_plan_is_refused(hub: Hub, text: str) -> None:
    (hub.folder / "p.json").write_text(text)
    said = hub.run("apply", "p.json", "--json")
    assert (said.code, said.out) == (2, "")
    assert "not a plan" in said.err


# -- guards, approval, undo


def test_a_held_run_names_the_guard_the_count_the_limit_and_the_remedy(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(n) for n in range(1, 13)])
    hub.csv("news", [person(n) for n in range(1, 13)])
    hub.configure("guards: {updates: 2}\n")
    hub.synced()
    hub.write("crm", [person(n, company="New") for n in range(1, 13)])
    said = hub.run("sync")
    assert said.code == 4
    assert "held: news would have 12 updates in one run, 2 are allowed" in said.out
    doc = hub.json("sync", code=4)
    assert doc["held"] == [{"app": "news", "verb": "updates", "count": 12, "limit": 2}]
    assert all(row["company"] == "" for row in hub.rows("news").values())
    assert [run["run"] for run in hub.json("inbox", "list")["held"]] == [doc["run"]]

    approved = hub.json("approve", str(doc["run"]))
    assert approved["approved"] == doc["held"]
    assert hub.json("sync")["apps"]["news"]["updated"] == 12
    assert all(row["company"] == "New" for row in hub.rows("news").values())


def test_an_open_inbox_is_nothing_held(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(1, id="11")])
    hub.csv("news", [])
    hub.synced()
    said = hub.run("sync")
    assert (said.code, said.out.splitlines()[0]) == (4, "run 2: done; 1 case waits in the inbox")
    assert hub.json("sync", code=4)["outcome"] == "held"
    said = hub.run("approve", "3")
    assert (said.code, said.out) == (2, "")
    assert "run 3 held nothing: there is nothing to approve" in said.err


def test_a_refused_decision_leaves_no_run(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(1, id="11"), person(2)])
    hub.csv("news", [])
    hub.synced()
    before = hub.json("history")["runs"]
    assert hub.run("inbox", "resolve", "1", "--link", "crm:2").code == 2
    assert hub.json("history")["runs"] == before


def test_undo_names_records_that_it_skips(hub: Hub) -> None:
    run = hub.synced().json("history")["runs"][0]["run"]
    for words in ([], ["--approve"]):
        said = hub.run("undo", "--run", str(run), *words).out
        skipped = [line.split()[1:3] for line in said.splitlines() if "cannot archive" in line]
        assert ["crm", hub.rows("crm")["p3@example.com"]["id"]] in skipped


def test_undo_shows_first_and_then_takes_back(hub: Hub) -> None:
    hub.synced()
    hub.sql("books", "UPDATE people SET first_name = 'Zoe' WHERE id = 'b3'")
    run = hub.json("sync")["run"]
    shown = hub.run("undo", "--run", str(run))
    assert shown.code == 4
    assert "Zoe" in shown.out
    assert hub.rows("crm")["p3@example.com"]["first_name"] == "Zoe"
    doc = hub.json("undo", "--run", str(run), "--approve")
    assert doc["skipped"] == []
    assert hub.rows("crm")["p3@example.com"]["first_name"] == "First3"
    assert hub.sql("books", "SELECT first_name FROM people WHERE id = 'b3'") == [("First3",)]
    assert not any(c["updated"] for c in hub.json("sync")["apps"].values())


def test_resync_is_idempotent_and_can_be_narrowed(hub: Hub) -> None:
    """BEHAVIOURS 29, 63."""
    hub.synced()
    for words in (
        [],
        ["--app", "crm"],
        ["--contact", "p1@example.com"],
        ["--fields", "first_name,company"],
        ["--since", "1h"],
        ["--app", "books", "--pull-only"],
    ):
        doc = hub.json("resync", *words)
        assert "skipped" in doc
        assert not any(c["created"] or c["updated"] for c in doc["apps"].values()), words


def test_a_paused_app_is_left_alone_until_it_goes_on(hub: Hub) -> None:
    hub.synced()
    assert hub.json("pause", "crm") == {"apps": ["crm"], "paused": True}
    hub.sql("books", "UPDATE people SET first_name = 'Zoe' WHERE id = 'b3'")
    assert hub.json("sync")["apps"]["crm"]["read"] == 0
    assert hub.rows("crm")["p3@example.com"]["first_name"] == "First3"
    assert "paused" in hub.run("status").out
    assert hub.json("resume") == {"apps": ["crm"], "paused": False}
    assert "no app was paused" in hub.run("resume").out
    hub.json("sync")
    assert hub.rows("crm")["p3@example.com"]["first_name"] == "Zoe"


# -- the commands around


def test_init_writes_a_configuration_and_never_over_one(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    assert hub.json("init", "-c", "new/syncd.yaml") == {"file": "new/syncd.yaml"}
    text = (tmp_path / "new" / "syncd.yaml").read_text()
    assert "apps:" in text
    assert hub.run("init", "-c", "new/syncd.yaml").code == 2
    (tmp_path / "new" / "syncd.yaml").write_text("mine")
    assert hub.run("init", "--force", "-c", "new/syncd.yaml").code == 0
    assert (tmp_path / "new" / "syncd.yaml").read_text() == text


def test_check_reaches_every_app_and_says_what_each_cannot_hold(hub: Hub) -> None:
    hub.app(
        "news",
        "{connector: csv, settings: {path: news.csv, key: id}, fields: {email_consent: {values: {opted_in: 'yes'}}}}",
    )
    hub.write("news", [])
    doc = hub.json("check")
    assert {app: found["state"] for app, found in doc["apps"].items()} == {"crm": "ok", "books": "ok", "news": "ok"}
    assert any(f["field"] == "email_consent" and "opted_out" in f["message"] for f in doc["apps"]["news"]["findings"])
    assert not (hub.folder / "var").exists()
    (hub.folder / "crm.csv").unlink()
    doc = hub.json("check", code=3)
    assert doc["apps"]["crm"]["state"] == "does not answer"
    assert doc["apps"]["books"]["state"] == "ok"
    assert hub.json("check", "--offline")["apps"]["crm"]["state"] == "not reached"


def test_check_counts_records_that_share_a_match_key(tmp_path: Path) -> None:
    """BEHAVIOURS 25: parents and children with one address."""
    hub = Hub(tmp_path)
    hub.csv(
        "crm", [person(1), person(2), person(2, id="3", first_name="Child"), person(2, id="4", first_name="child ")]
    )
    hub.csv("news", [person(1)])
    found = hub.json("check")["apps"]
    assert [finding["message"][:60] for finding in found["crm"]["findings"]] == [
        "match key [email] is not unique: 3 records share theirs with"
    ]
    assert found["news"]["findings"] == []
    hub.configure("match: [[email, first_name]]\n")
    [finding] = hub.json("check")["apps"]["crm"]["findings"]
    assert "[email, first_name] is not unique: 2 records" in finding["message"]


def test_check_says_where_the_text_is_wrong(hub: Hub) -> None:
    hub.app("books", "{connector: sql, settings: {url: 'sqlite:///books.db', table: people, key: nokey}}")
    said = hub.run("check", "--json")
    assert (said.code, said.out) == (2, "")
    assert "books" in said.err
    assert "nokey" in said.err


def test_check_names_what_the_text_asks_for_in_vain(hub: Hub) -> None:
    hub.app("crm", "{connector: csv, settings: {path: crm.csv, key: id}, on_leave: archive}")
    for words in ([], ["--offline"]):
        [finding] = hub.json("check", *words)["apps"]["crm"]["findings"]
        assert finding["message"].split(" in this")[0] == "on_leave: archive has no effect"


def test_a_demo_is_kept_in_an_empty_folder_only(hub: Hub) -> None:
    said = hub.run("demo", "--keep", ".")
    assert said.code == 2
    assert "is not empty" in said.err


def test_the_schema_is_one_and_the_connectors_are_listed(settled: Hub) -> None:
    schema = json.loads(settled.run("schema").out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    names = [spec["name"] for spec in settled.json("connectors")["connectors"]]
    assert {"csv", "sql", "carddav"} <= set(names)
    assert settled.json("connectors", "list")["connectors"][0]["name"] == names[0]
    shown = settled.json("connectors", "show", "csv")
    assert {each["name"] for each in shown["settings"]} >= {"path", "key"}
    assert "# csv" in settled.run("connectors", "show", "csv").out


def test_the_store_is_where_it_is_to_be(settled: Hub) -> None:
    doc = settled.json("db", "upgrade")
    assert doc["from"] == doc["to"]


def test_help_is_there_for_every_command(settled: Hub) -> None:
    assert settled.run("--help").code == 0
    said = settled.run("resync", "--help")
    assert said.code == 0
    for option in ("--app", "--contact", "--fields", "--since", "--pull-only", "--push-only"):
        assert option in said.out
