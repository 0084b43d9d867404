"""What changes under a hub: configuration, apps that come later, broken rows, duplicates; and what people decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigError
from tests.story import ANN, BOB, TRIO, Story, agreed, given, held, written


def values(story: Story, field: str, email: str = "ann@x.org") -> dict[str, Any]:
    return {app: fields.get(field) for app, fields in story.everywhere(email).items()}


# -- the configuration changes (SYNC-MODEL 1.15)


def test_a_new_policy_decides_from_now_on(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story.configure(fields={"company": {"policy": {"owner": "books"}}})
    assert written(story.sync()) == 0
    story["desk"].put(story["desk"].id_of("bob@x.org"), company="Drift")
    story.sync()
    assert values(story, "company", "bob@x.org") == dict.fromkeys(TRIO, "Acme")


def test_a_field_that_is_mapped_later_starts_like_a_first_contact(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "books": "sql", "desk": "csv"})
    story.configure(app_desk={"fields": {"company": {"path": "company", "direction": "none"}}})
    for app, company in {"crm": "Crm Ltd", "desk": "Desk Ltd"}.items():
        story[app].put("1", **ANN, company=company)
        story[app].put("2", **BOB | {"company": "Equal" if app == "desk" else "equal"})
        story[app].put("3", email="eve@x.org", company="Only here" if app == "desk" else None)
    story["crm"].put("4", email="zoe@x.org", company="Zoo")
    assert story.sync(approve=True).code == 0
    assert values(story, "company") == {"crm": "Crm Ltd", "books": "Crm Ltd", "desk": "Desk Ltd"}
    story.clock.now_ms += 86_400_000
    story["desk"].put("1", last_name="Leigh")  # the file is the newest of all, which must not count
    story.sync()

    story.configure(app_desk={"fields": {}})
    outcome = story.settle()

    assert outcome.code == 0
    assert values(story, "company") == dict.fromkeys(TRIO, "Crm Ltd")
    assert values(story, "company", "eve@x.org") == dict.fromkeys(TRIO, "Only here")
    assert values(story, "company", "zoe@x.org") == dict.fromkeys(TRIO, "Zoo")
    contact = story.contact("crm", "1")
    assert any(kind == "lost" and "Desk Ltd" in (old, new) for kind, _, old, new in story.journal(contact))


def test_a_field_that_is_no_longer_mapped_is_left_alone(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story.configure(app_desk={"fields": {"company": {"path": "company", "direction": "none"}}})
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Not for the desk")
    story.sync()
    assert values(story, "company", "bob@x.org") == {
        "crm": "Not for the desk", "books": "Not for the desk", "desk": "Acme",
    }  # fmt: skip
    story["desk"].put(story["desk"].id_of("bob@x.org"), company="Nor from it")
    assert written(story.sync()) == 0


@pytest.mark.parametrize(("direction", "in_", "out"), [("in", True, False), ("out", False, True)])
def test_a_field_travels_one_way(tmp_path: Path, direction: str, in_: bool, out: bool) -> None:
    story = agreed(tmp_path)
    story.configure(app_desk={"fields": {"company": {"path": "company", "direction": direction}}})
    story["desk"].put(story["desk"].id_of("ann@x.org"), company="From the desk")
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="From the CRM")
    story.settle()
    assert (story["crm"].one("ann@x.org").get("company") == "From the desk") is in_
    assert (story["desk"].one("bob@x.org")["company"] == "From the CRM") is out


def test_a_changed_map_that_rewrites_everybody_is_held(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "books": "sql"}, guards={"creates": 100})
    for number in range(30):
        story["crm"].put(f"{number}", email=f"p{number}@x.org", company="Acme", job_title="Clerk")
    story.sync()
    story.configure(
        guards={"updates": 5},
        app_books={"fields": {"company": {"path": "job_title"}, "job_title": {"path": "company"}}},
    )
    before = story.holds()
    outcome = story.sync()
    assert (outcome.code, story.holds()) == (4, before)
    assert held(outcome) & {("books", "updates"), ("crm", "updates")}


def test_an_app_that_comes_later_joins_in(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    late = story.add_app("late", "csv")
    late.put("l1", email="ANN@x.org", job_title="Clerk", company="Late Ltd")
    late.put("l2", email="zoe@x.org", first_name="Zoe")
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="First Ltd")

    assert story.sync().code == 0

    assert values(story, "job_title") == dict.fromkeys((*TRIO, "late"), "Clerk")
    assert values(story, "company") == dict.fromkeys((*TRIO, "late"), "First Ltd")
    assert [len(app.rows()) for app in story.apps.values()] == [3, 3, 3, 3]
    assert written(story.sync()) == 0


def test_an_app_that_is_taken_out_is_not_missed(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    del story.doc["apps"]["desk"]
    story.configure()
    desk = story.apps.pop("desk")
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Without the desk")
    assert story.sync().code == 0
    assert values(story, "company", "bob@x.org") == {"crm": "Without the desk", "books": "Without the desk"}
    assert desk.one("bob@x.org")["company"] == "Acme"


# -- rows that cannot be read


@pytest.mark.parametrize("edited", [False, True])
def test_a_broken_row_is_parked_and_mended(tmp_path: Path, edited: bool) -> None:
    story = agreed(tmp_path)
    path = story.path("desk")
    sound = path.read_text()
    path.write_text(sound.replace("\n102,", "\n102,too,many,"))
    story["crm"].put(story["crm"].id_of("bob@x.org"), job_title="Clerk", company="Moved on")

    for _ in range(2):
        outcome = story.sync()
        assert (outcome.code, outcome.doc["apps"]["desk"]["parked"]) == (3, 1)
        assert "\n102,too,many," in path.read_text()
        assert story["books"].one("bob@x.org")["company"] == "Moved on"
        assert len(story["crm"].rows()) == 2

    path.write_text(path.read_text().replace("\n102,too,many,", "\n102,").replace("Bob", "Bobby" if edited else "Bob"))
    outcome = story.settle()
    assert (outcome.code, outcome.doc["apps"]["desk"]["parked"]) == (0, 0)
    for fields in story.everywhere("bob@x.org").values():
        assert fields == BOB | {
            "job_title": "Clerk", "company": "Moved on", "first_name": "Bobby" if edited else "Bob",
        }  # fmt: skip


@pytest.mark.parametrize("what", [{"email_consent": "opted_out"}, {"company": "Moved on"}])
def test_a_broken_row_that_is_mended_before_our_write_is_parked_no_more(tmp_path: Path, what: dict[str, str]) -> None:
    """The write found it sound; it was said to be parked until somebody edited that row again."""
    story = agreed(tmp_path)
    path = story.path("desk")
    sound = path.read_text()
    path.write_text(sound.replace("\n102,", "\n102,too,many,"))
    story["crm"].put(story["crm"].id_of("bob@x.org"), **what)
    assert story.sync().doc["apps"]["desk"]["parked"] == 1

    def mend() -> None:
        path.write_text(sound)

    with story.when("desk", "write", mend):
        story.sync()

    outcome = story.sync()
    assert (outcome.code, outcome.doc["apps"]["desk"]["parked"]) == (0, 0)
    assert all(fields.items() >= what.items() for fields in story.everywhere("bob@x.org").values())


def test_a_value_that_cannot_be_read_is_neither_spread_nor_overwritten(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["desk"].put(story["desk"].id_of("ann@x.org"), birthday="soon", company="Lee & Sons")
    story["crm"].put(story["crm"].id_of("ann@x.org"), birthday="1980-02-29")
    story.settle()
    assert values(story, "birthday") == {"crm": "1980-02-29", "books": "1980-02-29", "desk": "soon"}
    assert values(story, "company") == dict.fromkeys(TRIO, "Lee & Sons")
    story["desk"].put(story["desk"].id_of("ann@x.org"), birthday="1980-03-01")
    story.settle()
    assert values(story, "birthday") == dict.fromkeys(TRIO, "1980-03-01")


def test_two_rows_with_one_key_cost_nobody_anything(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    path = story.path("desk")
    sound = path.read_text()
    path.write_text(sound + next(line for line in sound.splitlines(keepends=True) if line.startswith("102,")))
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="Goes on")
    outcome = story.sync()
    assert outcome.code == 3
    assert story["books"].one("ann@x.org")["company"] == "Goes on"
    assert path.read_text().count("\n102,") == 2
    path.write_text(sound)
    assert story.settle().code == 0
    assert values(story, "company") == dict.fromkeys(TRIO, "Goes on")


# -- duplicates, and what people decide


@pytest.mark.parametrize("removed", ["twin", "original"])
def test_a_duplicate_that_goes_away_leads_to_a_match(tmp_path: Path, removed: str) -> None:
    story = given(tmp_path, TRIO)
    story["crm"].put("1", **ANN)
    story["books"].put("original", email="ann@x.org", company="Acme")
    story["books"].put("twin", email="ann@x.org", job_title="Clerk")
    story.sync(approve=True)
    assert [len(app.rows()) for app in story.apps.values()] == [1, 2, 0]

    story["books"].remove(removed)
    story.sync()
    assert story.settle().code == 0

    assert [len(app.rows()) for app in story.apps.values()] == [1, 1, 1]
    field = {"twin": "company", "original": "job_title"}[removed]
    assert set(values(story, field).values()) == {"Acme" if field == "company" else "Clerk"}
    assert story.cases() == []


@pytest.mark.parametrize("kind", ["csv", "sql", "memory"])
@pytest.mark.parametrize("removed", ["twin", "original", "swapped"])
def test_duplicates_that_are_merged_in_their_app_are_no_deletion(tmp_path: Path, kind: str, removed: str) -> None:
    story = given(tmp_path, {"crm": "memory", "books": kind})
    story.configure(app_books={"on_delete": "archive"})
    story["crm"].put("1", **ANN)
    story["books"].put("original", email="ann@x.org", company="Acme")
    story["books"].put("another", email="eve@x.org")  # where everybody linked is missing, the file is in doubt
    story.sync(approve=True)
    if removed != "swapped":
        story["books"].put("twin", email="ann@x.org", job_title="Clerk")
        assert story.sync().code == 4
    else:
        story["books"].put("twin", email="ann@x.org", job_title="Clerk")
    story["books"].remove("twin" if removed == "twin" else "original")
    story["crm"].put("1", phone="+49 171 7654321")

    assert story.sync().code == 0
    assert story.cases() == []
    assert [len(app.rows()) for app in story.apps.values()] == [2, 2]
    assert story["books"].one("ann@x.org")["phone"] == "+491717654321"
    assert story["crm"].one("ann@x.org")["company"] == "Acme"
    assert story.contact("crm", "1") == story.contact("books", "original" if removed == "twin" else "twin")
    assert story.settle().code == 0


def test_a_duplicate_that_gets_its_own_address_is_a_person(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["books"].put("twin", email="ann@x.org", first_name="Twin")
    story.sync()
    assert len(story.cases()) == 1
    story["books"].put("twin", email="twin@x.org")
    assert story.settle().code == 0
    assert values(story, "first_name", "twin@x.org") == dict.fromkeys(TRIO, "Twin")
    assert values(story, "first_name") == dict.fromkeys(TRIO, "Ann")


def test_a_person_links_two_records(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "books": "sql"})
    late = story.add_app("late", "memory")
    late.put("x", email="ann@x.org", job_title="Clerk")
    late.put("y", email="ann@x.org", job_title="Chief")
    story.sync()
    assert len(late.rows()) == 3  # Bob is new there; Ann may be there already
    contact = story.contact("crm", "101")
    case = next(case for case in story.cases() if case["record"] == "y")

    with pytest.raises(ConfigError, match="which contact"):
        story.resolve(case["id"])
    story.resolve(case["id"], contact=contact)
    story.sync()
    assert story.contact("late", "y") == contact
    assert {app: story[app].one("ann@x.org")["job_title"] for app in ("crm", "books")} == dict.fromkeys(
        ("crm", "books"), "Chief"
    )
    other = next(case for case in story.cases() if case["record"] == "x")
    with pytest.raises(ConfigError, match="already"):
        story.resolve(other["id"], contact=contact)
    assert story.settle().code == 4
    late.remove("x")
    story.sync()
    assert story.settle().code == 0
    assert [len(app.rows()) for app in story.apps.values()] == [2, 2, 2]


@pytest.mark.parametrize("kind", ["memory", "csv", "sql"])
@pytest.mark.parametrize("removed", [("x",), ("x", "y")])
def test_nobody_is_created_beside_records_that_may_be_theirs(
    tmp_path: Path, kind: str, removed: tuple[str, ...]
) -> None:
    story = agreed(tmp_path)
    late = story.add_app("late", kind)
    for twin in "xy":
        late.put(twin, email="ann@x.org", job_title=twin)

    planned = story.plan()
    assert [i["fields"]["email"]["to"] for i in planned.doc["intents"] if i["app"] == "late"] == ["bob@x.org"]
    for _ in range(2):
        assert story.sync().code == 4
        assert len(late.rows()) == 3
        story["crm"].put("101", company="An edit")

    late.remove(*removed)
    story.sync()
    if len(removed) == 2:  # somebody removed her there before anybody knew whose records they were: a person is asked
        story.settle()
        [case] = story.cases()
        story.resolve(case["id"], restore=True)
    assert story.settle().code == 0
    assert len(late.rows()) == 2
    assert late.one("ann@x.org")["company"] == "An edit"
    assert story.contact("late", late.id_of("ann@x.org")) == story.contact("crm", "101")


def test_both_twins_may_be_people_of_their_own(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    late = story.add_app("late", "sql")
    for twin in "xy":
        late.put(twin, email="ann@x.org", first_name=twin)
    story.sync()
    for case in story.cases():
        story.resolve(case["id"], new=True)
    assert story.settle().code == 0
    for app in story.apps.values():
        assert sorted(row["first_name"] for row in app.rows().values()) == ["Ann", "Bob", "x", "y"]


def test_a_person_says_that_it_is_somebody_else(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["books"].put("twin", email="ann@x.org", first_name="Twin")
    story.sync()
    [case] = story.cases()
    story.resolve(case["id"], new=True)
    assert story.settle().code == 0
    for app in story.apps.values():
        assert sorted(row["first_name"] for row in app.rows().values()) == ["Ann", "Bob", "Twin"]
    assert written(story.resync()) == 0


@pytest.mark.parametrize(
    ("decision", "result"),
    [({"app": "crm"}, "Left"), ({"app": "books"}, "Right"), ({"has_value": True, "value": "Third"}, "Third"),
     ({"keep": True}, "Acme")],
    ids=str,
)  # fmt: skip
def test_a_person_decides_a_conflict(tmp_path: Path, decision: dict[str, Any], result: str) -> None:
    story = agreed(tmp_path, fields={"company": {"policy": "ask"}})
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Left")
    story["books"].put(story["books"].id_of("bob@x.org"), company="Right")
    story.sync()
    [case] = story.cases()
    with pytest.raises(ConfigError):
        story.resolve(case["id"], app="shop")
    story.resolve(case["id"], **decision)
    assert story.settle().code == 0
    assert values(story, "company", "bob@x.org") == dict.fromkeys(TRIO, result)
    with pytest.raises(ConfigError, match="no open case"):
        story.resolve(case["id"], **decision)
    story["desk"].put(story["desk"].id_of("bob@x.org"), company="Next")
    story.settle()
    assert values(story, "company", "bob@x.org") == dict.fromkeys(TRIO, "Next")


@pytest.mark.parametrize("kind", ["memory", "csv", "sql"])
def test_a_deletion_archives_where_the_operator_wants_it(tmp_path: Path, kind: str) -> None:
    story = agreed(tmp_path, {"crm": kind, "books": ("sql", {"stamped": True}), "news": "memory", "desk": "csv"})
    story.configure(app_crm={"on_delete": "archive"})
    story["crm"].remove(story["crm"].id_of("ann@x.org"))
    story.sync()
    story.settle()
    assert [len(app.rows()) for app in story.apps.values()] == [1, 1, 1, 2]  # a file cannot archive
    assert written(story.sync()) == 0
    assert [len(app.rows()) for app in story.apps.values()] == [1, 1, 1, 2]
