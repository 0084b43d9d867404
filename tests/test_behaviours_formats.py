"""Formats and values, failures, operations (BEHAVIOURS 43-47, 55, 62, 63)."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.story import ANN, BOB, TRIO, Story, agreed, fields_of, given, written


def test_behaviour_43_a_birthday_never_moves(tmp_path: Path) -> None:
    story = given(tmp_path, {"auckland": "memory", "tijuana": "sql", "berlin": "csv"})
    story.configure(app_berlin={"fields": {"birthday": {"path": "birthday", "order": "dmy"}}})
    story["auckland"].put("1", email="ann@x.org", birthday="1980-02-29T00:00:00+13:00")
    story["tijuana"].put("2", email="ann@x.org", birthday="1980-02-29T00:00:00-08:00")
    story["berlin"].put("3", email="ann@x.org", birthday="29.02.1980")
    first = {app: fields["birthday"] for app, fields in story.everywhere("ann@x.org").items()}

    assert story.sync(approve=True).code == 0
    for round_ in range(10):
        app = [*story.apps.values()][round_ % 3]
        app.put(app.id_of("ann@x.org"), company=f"Company {round_}")
        assert story.sync().code == 0
        assert {app: fields["birthday"] for app, fields in story.everywhere("ann@x.org").items()} == first

    story["berlin"].put("3", birthday="01.03.1980")
    story.sync()
    assert [fields["birthday"] for fields in story.everywhere("ann@x.org").values()] == [
        "1980-03-01", "1980-03-01", "01.03.1980",
    ]  # fmt: skip
    assert written(story.sync()) == 0


@pytest.mark.parametrize("books", ["sql", "csv", "memory"])
def test_behaviour_45_too_long_is_set_aside_not_cut(tmp_path: Path, books: str) -> None:
    story = agreed(tmp_path, {"crm": "memory", "books": books})
    story.configure(app_books={"fields": {"company": {"path": "company", "max_length": 10}}})
    long = "The Long Company of Personal Names"

    story["crm"].put(story["crm"].id_of("bob@x.org"), company=long, job_title="Clerk")
    outcome = story.sync()

    assert story["books"].one("bob@x.org") == BOB | {"job_title": "Clerk"}
    assert (outcome.code, outcome.doc["apps"]["books"]["parked"]) == (3, 1)
    contact = story.contact("crm", story["crm"].id_of("bob@x.org"))
    links = story.ask(lambda tx: tx.links_of([contact]))[contact]
    [why] = [why for link in links for why in link.flaws.values()]
    assert not any(word in why for word in long.split())
    assert written(story.sync()) == 0

    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Short")
    assert story.sync().code == 0
    assert story["books"].one("bob@x.org")["company"] == "Short"


@pytest.mark.parametrize("books", ["sql", "csv", "memory"])
def test_behaviour_45_what_is_cut_never_comes_back(tmp_path: Path, books: str) -> None:
    story = agreed(tmp_path, {"crm": "memory", "books": books, "desk": "csv"})
    story.configure(app_books={"fields": {"company": {"path": "company", "max_length": 10, "overflow": "truncate"}}})

    story["crm"].put(story["crm"].id_of("bob@x.org"), company="The Long Company", job_title="Clerk")
    assert story.sync().code == 0
    for _ in range(2):
        assert {app: fields["company"] for app, fields in story.everywhere("bob@x.org").items()} == {
            "crm": "The Long Company", "books": "The Long C", "desk": "The Long Company",
        }  # fmt: skip
        story["books"].put(story["books"].id_of("bob@x.org"), first_name="Bobby")
        assert story.settle().code == 0

    story["books"].put(story["books"].id_of("bob@x.org"), company="Shorter")
    story.settle()
    assert {fields["company"] for fields in story.everywhere("bob@x.org").values()} == {"Shorter"}


@pytest.mark.parametrize(
    "quirk", [{"truncate": ["company:10"]}, {"upper": ["company"]}, {"lower": ["company"]}], ids=str
)
def test_behaviour_45_an_app_that_cuts_by_itself_spoils_nothing(tmp_path: Path, quirk: Any) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", quirk), "desk": "csv"})
    story["desk"].put(story["desk"].id_of("ann@x.org"), company="The Long Company")
    for _ in range(3):
        assert story.settle().code == 0
        story.resync()
        assert {story[app].one("ann@x.org")["company"] for app in ("crm", "desk")} == {"The Long Company"}
    assert story["news"].one("ann@x.org")["company"] in ("The Long C", "THE LONG COMPANY", "the long company")


def test_behaviour_46_what_is_not_mapped_is_not_touched(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    for app in story.apps.values():
        app.put(app.id_of("bob@x.org"), colour=f"blue = {app.name}")
    desk = story.path("desk")
    desk.write_text(desk.read_text().replace("\n", "\n\n", 1).replace("Bob", '"Bob"', 1))
    lines = desk.read_text().splitlines()

    story["crm"].put(story["crm"].id_of("bob@x.org"), job_title="Clerk")
    story["books"].put(story["books"].id_of("ann@x.org"), company="Lee & Sons")
    story.sync()

    assert {name: fields["colour"] for name, fields in story.everywhere("bob@x.org").items()} == {
        app: f"blue = {app}" for app in TRIO
    }
    assert all("colour" not in write.fields for write in story.log("crm"))
    now = desk.read_text().splitlines()
    assert len(now) == len(lines)
    assert now[:2] == lines[:2]
    assert {fields["job_title"] for fields in story.everywhere("bob@x.org").values()} == {"Clerk"}


def test_behaviour_47_the_same_number_is_not_rewritten(tmp_path: Path) -> None:
    story = given(tmp_path, TRIO, fields={"phone": {"region": "DE"}})
    spelled = {"crm": "0171 2345678", "books": "+491712345678", "desk": "+49 (171) 234-5678"}
    for app, phone in spelled.items():
        story[app].put("1", email="ann@x.org", phone=phone)

    outcome = story.sync(approve=True)

    assert (outcome.code, written(outcome), outcome.doc["inbox"]) == (0, 0, 0)
    assert {app: fields["phone"] for app, fields in story.everywhere("ann@x.org").items()} == spelled
    story["desk"].put("1", phone="0049 171 2345678")
    assert written(story.sync()) == 0


def test_behaviour_55_one_bad_record_stops_only_itself(tmp_path: Path) -> None:
    apps: dict[str, Any] = {"desk": "csv", "crm": ("memory", {"failing": ["bad"]}), "books": "sql"}
    story = given(tmp_path, apps, guards={"creates": 5000, "updates": 5000})
    rows = "".join(f"{n},p{n}@x.org,P{n},Acme\n" for n in range(1000))
    desk = story.path("desk")
    desk.write_text(
        "id,email,first_name,company\n" + rows.replace("7,p7@x.org,P7,Acme\n", "7,p7@x.org,P7,Acme,one,too,many\n", 1)
    )

    outcome = story.sync()

    assert (outcome.code, outcome.doc["outcome"], outcome.doc["apps"]["desk"]["parked"]) == (3, "partial", 1)
    assert len(story["crm"].rows()) == len(story["books"].rows()) == 999
    again = story.sync()
    assert (again.code, written(again)) == (3, 0)

    desk.write_text(desk.read_text().replace("Acme,one,too,many", "Acme"))
    assert story.sync().code == 0
    assert len(story["crm"].rows()) == len(story["books"].rows()) == 1000

    story["crm"].put("bad", email="bad@x.org", first_name="Bad")  # this one refuses every write
    story["crm"].put("good", email="good@x.org", first_name="Good")
    story.sync()
    for app in ("books", "desk"):
        for name in ("bad", "good"):
            story[app].put(story[app].id_of(f"{name}@x.org"), company="Edited")
            story.sync()
    last = story.sync()
    assert (last.code, written(last), last.doc["apps"]["crm"]["parked"]) == (3, 0, 1)
    assert story["crm"].one("good@x.org")["company"] == "Edited"
    assert "company" not in story["crm"].one("bad@x.org")


def test_behaviour_62_a_plan_writes_nothing_and_is_what_happens(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].put("new", email="new@x.org", first_name="New", email_consent="opted_out")
    story["books"].put(story["books"].id_of("bob@x.org"), company="Other")
    story["desk"].put(story["desk"].id_of("ann@x.org"), email_consent="opted_out", job_title="Clerk")
    before, asked = story.holds(), len(story.log("crm"))
    store = (tmp_path / "var" / "syncd.db").read_bytes()

    with story.calls() as calls:
        planned = story.plan()

    assert planned.code == 0
    assert "write" not in {what for _, what in calls}
    assert (story.holds(), len(story.log("crm"))) == (before, asked)
    assert (tmp_path / "var" / "syncd.db").read_bytes() == store
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["syncd.db"]
    assert planned.doc["counts"] == {
        "crm": {"consent": 1, "update": 2}, "books": {"consent": 1, "create": 1, "update": 1},
        "desk": {"create": 1, "update": 1},
    }  # fmt: skip
    assert fields_of(planned.doc["intents"], "crm") == {
        "company": "Other",
        "job_title": "Clerk",
        "email_consent": "opted_out",
    }
    assert all(change["reason"] for intent in planned.doc["intents"] for change in intent["fields"].values())

    done = story.apply(planned.doc)
    assert (done.code, done.doc["skipped"], written(done)) == (0, [], len(planned.doc["intents"]))
    assert written(story.sync()) == 0
    for fields in story.everywhere("ann@x.org").values():
        assert fields == ANN | {"phone": fields["phone"], "job_title": "Clerk", "email_consent": "opted_out"}


def test_behaviour_63_a_full_refresh_can_be_asked_for(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"shop": ("sql", {"stamped": True}), "crm": "memory"})
    shop = story["shop"]
    ann = shop.id_of("ann@x.org")
    shop.put(ann, job_title="Old news")
    story.sync()
    with sqlite3.connect(story.path("shop")) as connection:  # somebody's script forgets the stamp
        connection.execute("UPDATE people SET company = 'Silent', updated_at = '2001-01-01' WHERE id = ?", [ann])
    connection.close()

    assert written(story.sync()) == 0
    assert "company" not in story["crm"].one("ann@x.org")
    for chosen in (
        {"apps": ["crm"]},
        {"contacts": [story.contact("shop", shop.id_of("bob@x.org"))]},
        {"fields": ["phone"]},
    ):
        assert written(story.resync(**chosen)) == 0
    outcome = story.resync(apps=["shop"], contacts=[story.contact("shop", ann)], fields=["company"])
    assert written(outcome) == 1
    assert story["crm"].one("ann@x.org")["company"] == "Silent"
    assert written(story.resync()) == 0


def _coloured(folder: Path, kind: str, colour: str) -> Story:
    """Somebody has a colour in both of two apps, which is of this type."""
    columns = ("email", "colour")
    story = given(folder, {"crm": ("memory", {"columns": columns}), "desk": ("memory", {"columns": columns})})
    mapped = {"fields": {"colour": {"path": "colour"}}}
    story.configure(fields={"colour": {"type": kind}}, app_crm=mapped, app_desk=mapped)
    story["crm"].put("1", email="ann@x.org", colour=colour)
    story.sync(approve=True)
    story.settle()
    return story


def test_a_field_of_another_type_now_has_the_value_that_its_text_means(tmp_path: Path) -> None:
    """The journal says so, and what an app that comes later gets is of the new type."""
    story = _coloured(tmp_path, "text", "007.50")
    story.configure(fields={"colour": {"type": "number"}})
    assert story.settle().code == 0
    assert {app.one("ann@x.org")["colour"] for app in story.apps.values()} == {"007.50"}, "nobody has typed anything"
    assert ("value", "colour", "007.50", "7.5") in story.journal(story.contact("crm", "1"))
    shop = story.add_app("shop", "memory", columns=("email", "colour"))
    story.configure(app_shop={"fields": {"colour": {"path": "colour"}}})
    story.sync(approve=True)
    assert shop.one("ann@x.org")["colour"] == "7.5"


def test_a_field_whose_type_was_wrong_for_a_while_has_its_value_again(tmp_path: Path) -> None:
    story = _coloured(tmp_path, "text", "Hello")
    for kind, old, new in (("date", "Hello", None), ("text", None, "Hello")):
        story.configure(fields={"colour": {"type": kind}})
        assert story.settle().code == 0
        assert story.journal(story.contact("crm", "1"))[-1] == ("value", "colour", old, new)
    assert {app.one("ann@x.org")["colour"] for app in story.apps.values()} == {"Hello"}
