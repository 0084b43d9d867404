"""Wrong overwrite, blanks, lost updates (BEHAVIOURS 6-17): nobody's edit is lost, and blanks win only where asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigError
from tests.story import ANN, BOB, TRIO, Story, agreed, given, held, written


def companies(story: Story, email: str = "ann@x.org") -> dict[str, Any]:
    return {app: fields.get("company") for app, fields in story.everywhere(email).items()}


@pytest.mark.parametrize("full", ["crm", "books", "desk"])
@pytest.mark.parametrize("blank", ["ignore", "fill_only", "propagate"])
def test_behaviour_06_a_blank_never_wins_at_first_sight(tmp_path: Path, full: str, blank: str) -> None:
    story = given(tmp_path, TRIO, fields={"first_name": {"blank": blank}, "last_name": {"blank": blank}})
    for app in TRIO:
        names = {"first_name": "Ann", "last_name": "Lee"} if app == full else {"first_name": "", "last_name": None}
        story[app].put("1", email="ann@x.org", **names)

    story.sync(approve=True)

    for fields in story.everywhere("ann@x.org").values():
        assert (fields["first_name"], fields["last_name"]) == ("Ann", "Lee")
    assert written(story.sync()) == 0


@pytest.mark.parametrize("cleared", ["crm", "books", "desk"])
def test_behaviour_07_clearing_travels_where_asked(tmp_path: Path, cleared: str) -> None:
    story = agreed(tmp_path, fields={"company": {"blank": "propagate"}})
    where = story[cleared]
    where.put(where.id_of("bob@x.org"), company=None)

    outcome = story.sync()

    assert companies(story, "bob@x.org") == dict.fromkeys(TRIO)
    assert sum(app["cleared"] for app in outcome.doc["apps"].values()) == 2
    assert ("value", "company", "Acme", None) in story.journal(story.contact(cleared, where.id_of("bob@x.org")))
    assert written(story.sync()) == 0


def test_behaviour_08_what_an_app_does_not_say_is_no_blank(tmp_path: Path) -> None:
    story = agreed(tmp_path, fields={"company": {"blank": "propagate"}})
    desk = story.path("desk")
    lines = [line.split(",") for line in desk.read_text().splitlines()]
    gone = lines[0].index("company")
    kept = [line[gone] for line in lines]

    desk.write_text("".join(",".join(line[:gone] + line[gone + 1 :]) + "\n" for line in lines))  # the column is lost
    assert written(story.sync()) == 0
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="Lee & Sons")
    story.sync()
    assert companies(story) == {"crm": "Lee & Sons", "books": "Lee & Sons", "desk": None}
    assert companies(story, "bob@x.org") == {"crm": "Acme", "books": "Acme", "desk": None}

    lines = [line.split(",") for line in desk.read_text().splitlines()]
    desk.write_text("".join(",".join([*line, old]) + "\n" for line, old in zip(lines, kept, strict=True)))
    story.sync()
    assert companies(story) == dict.fromkeys(TRIO, "Lee & Sons")
    assert companies(story, "bob@x.org") == dict.fromkeys(TRIO, "Acme")


@pytest.mark.parametrize(
    ("blank", "refilled", "replaced"), [("ignore", True, True), ("fill_only", True, False), ("propagate", False, True)]
)
def test_behaviour_09_one_word_says_what_a_blank_does(
    tmp_path: Path, blank: str, refilled: bool, replaced: bool
) -> None:
    story = agreed(tmp_path, fields={"company": {"blank": blank}})
    books = story["books"]

    books.put(books.id_of("bob@x.org"), company=None)
    story.sync()
    assert companies(story, "bob@x.org") == dict.fromkeys(TRIO, "Acme" if refilled else None)

    story["crm"].put(story["crm"].id_of("bob@x.org"), company="New")
    story.sync()
    new = "New" if replaced else "Acme"
    assert companies(story, "bob@x.org") == {"crm": "New", "books": new, "desk": new}
    assert written(story.sync()) == 0

    story.configure(fields={"company": {"blank": "propagates"}})
    with pytest.raises(ConfigError, match='did you mean "propagate"'):
        story.sync()


@pytest.mark.parametrize("apps", [("crm", "books"), ("books", "desk"), ("desk", "crm")])
def test_behaviour_10_disjoint_edits_both_survive(tmp_path: Path, apps: tuple[str, str]) -> None:
    story = agreed(tmp_path)
    one, other = (story[app] for app in apps)
    one.put(one.id_of("ann@x.org"), company="Lee & Sons")
    other.put(other.id_of("ann@x.org"), first_name="Annabel")

    outcome = story.sync()

    for fields in story.everywhere("ann@x.org").values():
        assert (fields["company"], fields["first_name"]) == ("Lee & Sons", "Annabel")
    assert (outcome.code, outcome.doc["inbox"]) == (0, 0)
    assert written(story.sync()) == 0


@pytest.mark.parametrize("together", [True, False])
def test_behaviour_11_the_loser_is_kept_and_can_win(tmp_path: Path, together: bool) -> None:
    story = agreed(tmp_path, fields={"company": {"policy": {"owner": "books"}}})
    books, desk = story["books"], story["desk"]
    books.put(books.id_of("bob@x.org"), company="Right")
    if not together:
        story.sync()
    desk.put(desk.id_of("bob@x.org"), company="Wrong")

    outcome = story.sync()

    contact = story.contact("desk", desk.id_of("bob@x.org"))
    assert companies(story, "bob@x.org") == dict.fromkeys(TRIO, "Right")
    assert ("lost", "company", "Wrong", "Right") in story.journal(contact)
    entry = next(
        e for e in story.ask(lambda tx: tx.journal_entries([contact], None, None))[contact] if e.kind == "lost"
    )
    assert (entry.app, entry.reason) == (story.ask(lambda tx: tx.apps()["desk"].id), "what its owner says")

    story.undo(run=outcome.doc["run"], loser=True)
    assert companies(story, "bob@x.org") == dict.fromkeys(TRIO, "Wrong")
    assert written(story.sync()) == 0
    assert companies(story, "bob@x.org") == dict.fromkeys(TRIO, "Wrong")


@pytest.mark.parametrize(
    "kind", ["memory", "csv", "sql", ("memory", {"cas": False}), ("sql", {"stamped": True})], ids=str
)
@pytest.mark.parametrize("field", ["company", "job_title"])
def test_behaviour_12_an_edit_during_the_run_is_not_overwritten(tmp_path: Path, kind: Any, field: str) -> None:
    story = agreed(tmp_path, {"news": kind, "crm": "memory"})
    news, crm = story["news"], story["crm"]
    crm.put(crm.id_of("bob@x.org"), company="From the CRM")

    moment = "get" if "cas" in str(kind) else "write"
    with story.when("news", moment, lambda: news.put(news.id_of("bob@x.org"), **{field: "Just typed"})):
        story.sync()
    story.settle()

    assert {app[field] for app in story.everywhere("bob@x.org").values()} == {"Just typed"}
    if field != "company":
        assert companies(story, "bob@x.org") == {"news": "From the CRM", "crm": "From the CRM"}
    else:
        contact = story.contact("crm", crm.id_of("bob@x.org"))
        lost = [
            new for kind, name, old, new in story.journal(contact) if "From the CRM" in (old, new) and name == field
        ]
        assert lost


def test_behaviour_13_without_a_policy_a_person_decides(tmp_path: Path) -> None:
    story = agreed(tmp_path, fields={"company": {"policy": "ask"}})
    crm, books = story["crm"], story["books"]
    crm.put(crm.id_of("bob@x.org"), company="Left", first_name="Bobby")
    books.put(books.id_of("bob@x.org"), company="Right", last_name="Rayne")

    outcome = story.sync()

    assert (outcome.code, outcome.doc["outcome"], outcome.doc["inbox"]) == (4, "held", 1)
    assert companies(story, "bob@x.org") == {"crm": "Left", "books": "Right", "desk": "Acme"}
    for fields in story.everywhere("bob@x.org").values():
        assert (fields["first_name"], fields["last_name"]) == ("Bobby", "Rayne")
    again = story.sync()
    assert (again.code, written(again)) == (4, 0)

    [case] = story.cases()
    assert (case["kind"], case["field"], case["values"]) == (
        "conflict",
        "company",
        {"crm": "Left", "books": "Right", "desk": "Acme"},
    )
    story.resolve(case["id"], app="books")
    assert story.sync().code == 0
    assert companies(story, "bob@x.org") == dict.fromkeys(TRIO, "Right")
    assert written(story.sync()) == 0


@pytest.mark.parametrize("source", ["crm", "books", "desk"])
def test_behaviour_14_a_change_in_any_app_reaches_all_others(tmp_path: Path, source: str) -> None:
    story = agreed(tmp_path)
    where = story[source]
    where.put(where.id_of("ann@x.org"), company="Lee & Sons")

    outcome = story.sync()

    assert companies(story) == dict.fromkeys(TRIO, "Lee & Sons")
    assert {app: counts["updated"] for app, counts in outcome.doc["apps"].items()} == {
        app: int(app != source) for app in TRIO
    }
    assert written(story.sync()) == 0


@pytest.mark.parametrize("policy", [{"owner": "crm"}, {"rank": ["crm", "books"]}], ids=str)
def test_behaviour_15_the_owner_keeps_its_word(tmp_path: Path, policy: Any) -> None:
    story = agreed(tmp_path, fields={"last_name": {"policy": policy}})
    desk = story["desk"]
    desk.put(desk.id_of("ann@x.org"), last_name="Drift")

    story.sync()

    assert {fields["last_name"] for fields in story.everywhere("ann@x.org").values()} == {"Lee"}
    assert ("lost", "last_name", "Drift", "Lee") in story.journal(story.contact("desk", desk.id_of("ann@x.org")))
    assert written(story.sync()) == 0
    story["crm"].put(story["crm"].id_of("ann@x.org"), last_name="Mei")
    story.sync()
    assert {fields["last_name"] for fields in story.everywhere("ann@x.org").values()} == {"Mei"}


def test_behaviour_16_a_required_blank_is_never_invented(tmp_path: Path) -> None:
    seats = {"type": "number"}
    apps: dict[str, Any] = {
        "crm": ("memory", {"columns": ["email", "first_name", "seats"]}),
        "books": "sql",
        "desk": "csv",
    }
    story = given(tmp_path, apps, fields={"seats": seats})
    story.configure(app_books={"fields": {"company": {"required": True}}})
    story["crm"].put("1", email="ann@x.org", first_name="Ann")
    story["crm"].put("2", email="bob@x.org", seats=3)

    outcome = story.sync()

    assert (outcome.code, outcome.doc["apps"]["books"]["created"]) == (0, 0)
    assert sorted(row["email"] for row in story["desk"].rows().values()) == ["ann@x.org", "bob@x.org"]
    assert story["crm"].one("ann@x.org") == {"email": "ann@x.org", "first_name": "Ann"}

    story["desk"].put(story["desk"].id_of("ann@x.org"), company="Lee & Sons")
    story.sync()
    assert story["books"].one("ann@x.org") == {"email": "ann@x.org", "first_name": "Ann", "company": "Lee & Sons"}
    assert "seats" not in story["crm"].one("ann@x.org")


@pytest.mark.parametrize("kind", ["memory", "csv", "sql", ("sql", {"stamped": True})], ids=str)
def test_behaviour_17_an_edit_after_the_read_is_found_by_the_next_run(tmp_path: Path, kind: Any) -> None:
    story = agreed(tmp_path, {"news": kind, "crm": "memory"})
    news, crm = story["news"], story["crm"]
    crm.put(crm.id_of("ann@x.org"), company="Lee & Sons")
    news.put(news.id_of("ann@x.org"), first_name="Annabel")

    with story.when("crm", "read", lambda: news.put(news.id_of("ann@x.org"), job_title="Typed while it ran")):
        story.sync()
    story.settle()

    for fields in story.everywhere("ann@x.org").values():
        assert fields == ANN | {"company": "Lee & Sons", "first_name": "Annabel", "job_title": "Typed while it ran"} | {
            "phone": fields["phone"]
        }
    assert held(story.sync()) == set()
    assert BOB.items() <= news.one("bob@x.org").items()
